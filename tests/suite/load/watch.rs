//! The reader of the target: from Synchronizing on it never sees half of a transfer, nor one twice, nor one gone again.
//!
//! Each look is one statement, so one snapshot of the target.

use super::ACCOUNTS;
use super::tables::OPENING;
use crate::harness::{Daemon, PostgresDatabase, pause};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Looks at the target.
    pub looks: u64,
    /// Transfers in the journal at the last one.
    pub transfers: i64,
}

/// Looks again and again until `stop`, starting when the task is first seen Synchronizing. Panics on the first violation.
pub async fn watch(database: &PostgresDatabase<'_>, daemon: &Daemon, stop: &CancellationToken) -> Seen {
    let mut seen = Seen::default();
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    while !stop.is_cancelled() {
        looks.tick().await;
        if daemon.task().await.is_some_and(|task| task.phase.name() == "Synchronizing") {
            break;
        }
    }
    let mut session = None;
    while !stop.is_cancelled() {
        let start = Instant::now();
        match &mut session {
            None => session = database.try_session().await.ok(),
            // An error is the server's going; what it says then is no look.
            Some(open) => match open.try_sql(&query(database.test())).await {
                Ok(rows) => seen = judge(rows.first().map(Vec::as_slice), seen),
                Err(_) => session = None,
            },
        }
        // The target has other work too.
        pause((start.elapsed() * 3).max(Duration::from_millis(20))).await;
    }
    seen
}

/// The last look, which must come through: the target is at rest.
pub async fn look(database: &PostgresDatabase<'_>, seen: Seen) -> Seen {
    judge(database.sql(&query(database.test())).await.first().map(Vec::as_slice), seen)
}

fn query(schema: &str) -> String {
    format!(
        "SELECT (SELECT sum(balance) FROM {schema}.accounts), \
           (SELECT string_agg(transfer::text, ', ') FROM (SELECT transfer FROM {schema}.journal GROUP BY transfer \
              HAVING count(*) <> 2 OR sum(amount) <> 0 LIMIT 5) AS t), \
           (SELECT string_agg(id::text, ', ') FROM (SELECT a.id FROM {schema}.accounts AS a LEFT JOIN \
              (SELECT account, sum(amount) AS moved FROM {schema}.journal GROUP BY account) AS j ON j.account = a.id \
              WHERE a.balance <> {OPENING} + coalesce(j.moved, 0) LIMIT 5) AS a), \
           (SELECT count(*) / 2 FROM {schema}.journal)"
    )
}

fn judge(row: Option<&[Option<String>]>, before: Seen) -> Seen {
    let Some([Some(sum), halves, wrong, Some(transfers)]) = row else {
        panic!("an answer of another shape: {row:?}")
    };
    let expected = (i64::from(ACCOUNTS) * OPENING).to_string();
    let looks = before.looks + 1;
    assert_eq!(sum, &expected, "look {looks}: the sum of all accounts");
    assert_eq!(halves, &None, "look {looks}: transfers without their two legs");
    assert_eq!(wrong, &None, "look {looks}: accounts that the journal does not explain");
    let transfers: i64 = transfers.parse().expect("a count");
    assert!(
        transfers >= before.transfers,
        "look {looks}: {} transfers before, {transfers} now",
        before.transfers
    );
    Seen { looks, transfers }
}
