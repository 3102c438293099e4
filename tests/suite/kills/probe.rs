//! How late the rows of a table are that nothing happens to, while others are copied again and the daemon is killed. Printed, never
//! asserted.

use crate::harness::{Scene, pause};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Between two rows.
const PACE: Duration = Duration::from_millis(50);

/// Writes to a table of its own until `stop`; gives after how many milliseconds the target had each row.
pub async fn probe(scene: &Scene<'_>, stop: &AtomicBool) -> Vec<f64> {
    scene.source.sql("CREATE TABLE probe (id INT PRIMARY KEY, n INT) ENGINE = InnoDB").await;
    let (mut source, mut target) = (scene.source.session().await, scene.target.session().await);
    let there = format!("SELECT coalesce(max(n), 0) FROM {}.probe", scene.source.name);
    let (mut late, mut number) = (Vec::new(), 0);
    while !stop.load(Relaxed) {
        number += 1;
        source.sql(&format!("REPLACE INTO probe VALUES (1, {number})")).await;
        let written = Instant::now();
        // At first there is no such table.
        while target.try_sql(&there).await.is_ok_and(|rows| rows[0][0] != Some(number.to_string())) {
            if stop.load(Relaxed) {
                return late;
            }
            pause(Duration::from_millis(2)).await;
        }
        late.push(written.elapsed().as_secs_f64() * 1000.0);
        pause(PACE).await;
    }
    late
}

/// In words.
pub fn summary(mut late: Vec<f64>) -> String {
    late.sort_by(f64::total_cmp);
    let at = |share: usize| late.get((late.len() * share / 1000).min(late.len().saturating_sub(1))).copied();
    let [median, p95, p99, longest] = [500, 950, 990, 1000].map(|share| at(share).unwrap_or_default());
    format!(
        "a table that nothing happened to: {} rows, late by {median:.1} ms (median), {p95:.0} ms (p95), {p99:.0} ms (p99), {longest:.0} ms \
         (longest), starts of the daemon included",
        late.len()
    )
}
