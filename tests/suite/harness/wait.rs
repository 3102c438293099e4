//! Waiting for conditions, always with a deadline. The only place of the tests where time is slept away.

use super::{Daemon, Mysql};
use rowferry::change::domain::Domains;
use rowferry::change::{FilePosition, GtidSet};
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

/// Everything a source has logged by now.
#[derive(Debug)]
struct Reached {
    /// A set of GTIDs, where transactions have such names.
    gtids: Option<GtidSet>,
    /// The last transaction of each domain of a MariaDB. Its log may end behind it, in an event of no transaction, of which a
    /// task makes a note only after seconds.
    domains: Option<Domains>,
    /// The end of the log.
    end: FilePosition,
}

impl Reached {
    async fn by(mysql: &Mysql) -> Self {
        let (mut gtids, mut domains) = (None, None);
        if mysql.names_transactions().await {
            gtids = mysql.one("SELECT @@GLOBAL.gtid_executed").await.parse().ok();
        } else if mysql.kind() == "mariadb" {
            domains = mysql.one("SELECT @@GLOBAL.gtid_binlog_pos").await.parse().ok();
        }
        Self { gtids, domains, end: mysql.log_end().await }
    }

    /// Whether a position's text (`names (file:offset)` or `file:offset`) has come that far.
    fn within(&self, position: &str) -> bool {
        let (names, place) = position.rsplit_once(" (").unwrap_or(("", position));
        if let (Some(executed), Ok(set)) = (&self.gtids, names.parse::<GtidSet>())
            && !names.is_empty()
        {
            return executed.is_subset_of(&set);
        }
        if self.domains.is_some() && names.parse().ok() == self.domains {
            return true;
        }
        place.trim_end_matches(')').rsplit_once(':').is_some_and(|(file, offset)| {
            let offset = offset.parse().expect("an offset");
            FilePosition { file: file.into(), offset }.reaches(&self.end)
        })
    }
}

/// Waits until the daemon's only task has durably applied everything that the source has executed by now.
pub async fn wait_applied(daemon: &Daemon, mysql: &Mysql) {
    wait_reached(daemon, Reached::by(mysql).await).await;
}

/// Waits until the daemon's only task has come to the end of the log by file and offset: prepared XA transactions, which have a
/// GTID, have not been applied then.
pub async fn wait_log_end(daemon: &Daemon, mysql: &Mysql) {
    wait_reached(daemon, Reached { gtids: None, domains: None, end: mysql.log_end().await }).await;
}

async fn wait_reached(daemon: &Daemon, executed: Reached) {
    let mut seen = None;
    let what = format!("the task applies {executed:?}");
    let start = Instant::now();
    loop {
        daemon.assert_alive();
        if let Some(task) = daemon.task().await {
            if let Some(failure) = super::daemon::failure(&task) {
                panic!("{failure} while waiting until {what}");
            }
            seen = task.position;
            if seen.as_deref().is_some_and(|position| executed.within(position)) {
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
