//! How fast a copy may read.

use super::waiting::Moves;
use std::time::{Duration, Instant};
use tokio::sync::Mutex as AsyncMutex;

/// Spreads rows over time so that all workers together read at most a given rate.
#[derive(Debug)]
pub(super) struct Pace {
    rows_per_second: u64,
    /// When the rows read so far are paid for.
    paid: AsyncMutex<Instant>,
}

impl Pace {
    pub(super) fn new(rows_per_second: u64) -> Self {
        Self { rows_per_second, paid: AsyncMutex::new(Instant::now()) }
    }

    pub(super) async fn spend(&self, rows: u64, moves: &Moves) {
        if self.rows_per_second == 0 {
            return;
        }
        let cost = Duration::from_nanos(rows.saturating_mul(1_000_000_000) / self.rows_per_second);
        let until = {
            let mut paid = self.paid.lock().await;
            *paid = (*paid).max(Instant::now()) + cost;
            *paid
        };
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
            moves.moved();
        }
    }
}

/// Ticks that keep their distance: those missed while something else was done do not come in a burst after it.
pub(super) fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}
