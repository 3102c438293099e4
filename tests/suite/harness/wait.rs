//! Waiting for conditions, always with a deadline. The only place of the tests where time is slept away.

use super::{Daemon, Mysql};
use rowferry::change::GtidSet;
use std::time::{Duration, Instant};

/// Enough for anything small on a loaded two-core machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Time between two looks at a condition.
const STEP: Duration = Duration::from_millis(20);

/// Waits until the condition holds; panics naming `what` when the deadline passes before.
pub async fn eventually(deadline: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually_some(deadline, what, async || condition().await.then_some(())).await;
}

/// Waits until there is a value; panics naming `what` when the deadline passes before.
pub async fn eventually_some<T>(
    deadline: Duration,
    what: &str,
    mut value: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        let left = deadline.saturating_sub(start.elapsed());
        match tokio::time::timeout(left.max(STEP), value()).await {
            Ok(Some(value)) => return value,
            Ok(None) => {}
            Err(elapsed) => panic!("{elapsed} while looking whether {what} ({:?})", start.elapsed()),
        }
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(STEP).await;
    }
}

/// Lets time pass. For faults that are made of time (a delaying proxy, traffic at a rate), never for waiting.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Waits until the daemon's only task has durably applied everything that the source has executed by now.
pub async fn wait_applied(daemon: &Daemon, mysql: &Mysql) {
    let executed: GtidSet = mysql.one("SELECT @@GLOBAL.gtid_executed").await.parse().expect("a GTID set");
    let mut seen = None;
    let what = format!("the task applies {executed}");
    let start = Instant::now();
    loop {
        daemon.assert_alive();
        if let Some(task) = daemon.task().await {
            if let Some(failure) = super::daemon::failure(&task) {
                panic!("{failure} while waiting until {what}");
            }
            // The position's text is the set, then the file in parentheses.
            seen = task.position;
            let set = seen.as_deref().and_then(|text| text.split(" (").next()?.parse::<GtidSet>().ok());
            if set.is_some_and(|set| executed.is_subset_of(&set)) {
                return;
            }
        }
        assert!(
            start.elapsed() < DEADLINE * 2,
            "not within {:?}: {what}; it is at {seen:?} and its log ends with\n{}",
            DEADLINE * 2,
            daemon.log_tail()
        );
        tokio::time::sleep(STEP).await;
    }
}
