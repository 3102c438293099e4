//! Waiting for conditions, always with a deadline. Faults that are made of time have [`pause`].

use super::{Daemon, Mysql};
use rowferry::testing::change::domain::Domains;
use rowferry::testing::change::{FilePosition, GtidSet};
use std::time::{Duration, Instant};

/// Enough for anything small on two cores that many others load: it ends what hangs, and says nothing of how long it may take.
pub const DEADLINE: Duration = Duration::from_secs(150);

/// The first pause between two looks at a condition, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Looks at a condition: the longer it takes, the longer they are apart, for each takes time from what is waited for.
#[derive(Debug, Default)]
struct Looks(Option<Duration>);

impl Looks {
    async fn next(&mut self) {
        let (first, longest) = PAUSES;
        if let Some(pause) = self.0 {
            tokio::time::sleep(pause).await;
        }
        self.0 = Some(self.0.map_or(first, |pause| (pause * 3 / 2).min(longest)));
    }
}

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
    let mut looks = Looks::default();
    loop {
        looks.next().await;
        let left = deadline.saturating_sub(start.elapsed());
        match tokio::time::timeout(left.max(PAUSES.1), value()).await {
            Ok(Some(value)) => return value,
            Ok(None) => {}
            Err(elapsed) => panic!("{elapsed} while looking whether {what} ({:?})", start.elapsed()),
        }
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
    }
}

/// As [`eventually_some`], `None` when the deadline passes before.
pub async fn within<T>(deadline: Duration, mut value: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let mut looks = Looks::default();
    let looking = async {
        loop {
            looks.next().await;
            if let Some(value) = value().await {
                return value;
            }
        }
    };
    tokio::time::timeout(deadline, looking).await.ok()
}

/// Lets time pass. For faults that are made of time (a delaying proxy, traffic at a rate), never for waiting.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Everything a source has logged by now, in the words in which a task tells its position.
#[derive(Debug)]
enum Reached {
    /// A set of GTIDs; or the end of the log, for a task that follows such a server by places all the same.
    Gtids(GtidSet, FilePosition),
    /// The last transaction of each domain of a MariaDB, or a place that its log had reached before. At rest the log may end
    /// after the former, in an event of no transaction, of which a task makes a note only after seconds; while it is written
    /// to, other GTIDs may be the last ones whenever a task is looked at.
    Domains(Domains, FilePosition),
    /// The end of the log: for servers whose transactions have no MySQL GTIDs.
    File(FilePosition),
}

impl Reached {
    async fn by(mysql: &Mysql) -> Self {
        if mysql.has_gtids().await {
            let executed = mysql.one("SELECT @@GLOBAL.gtid_executed").await.parse().expect("a GTID set");
            return Self::Gtids(executed, mysql.log_end().await);
        }
        if mysql.is_mariadb() {
            let end = mysql.log_end().await;
            let last = mysql.one("SELECT @@GLOBAL.gtid_binlog_pos").await;
            return Self::Domains(last.parse().expect("MariaDB's GTIDs"), end);
        }
        Self::File(mysql.log_end().await)
    }

    /// Whether a position's text (`set (file:offset)` or `file:offset`) has come that far.
    fn within(&self, position: &str) -> bool {
        match self {
            Self::Gtids(executed, end) => match position.split_once(" (") {
                Some((set, _)) => set.parse::<GtidSet>().is_ok_and(|set| executed.is_subset_of(&set)),
                None => Self::at(position, end),
            },
            Self::Domains(last, end) => {
                let domains = position.split(" (").next().and_then(|gtids| gtids.parse::<Domains>().ok());
                domains.as_ref() == Some(last) || Self::at(position, end)
            }
            Self::File(end) => Self::at(position, end),
        }
    }

    fn at(position: &str, end: &FilePosition) -> bool {
        let place = position.rsplit_once(" (").map_or(position, |(_, place)| place.trim_end_matches(')'));
        place.rsplit_once(':').is_some_and(|(file, offset)| {
            let offset = offset.parse().expect("an offset");
            FilePosition { file: file.into(), offset }.reaches(end)
        })
    }
}

/// Waits until the daemon's only task has durably applied everything that the source has executed by now.
pub async fn wait_applied(daemon: &Daemon, mysql: &Mysql) {
    wait_applied_within(DEADLINE * 2, daemon, mysql).await;
}

/// As [`wait_applied_within`], for a task that may fail: its error and remedy are given.
pub async fn applied_or_failed(daemon: &Daemon, mysql: &Mysql) -> Result<(), String> {
    reached_or_failed(DEADLINE * 6, daemon, Reached::by(mysql).await).await
}

/// As [`wait_applied`], for a backlog that may take longer.
pub async fn wait_applied_within(deadline: Duration, daemon: &Daemon, mysql: &Mysql) {
    wait_reached(deadline, daemon, Reached::by(mysql).await).await;
}

/// Waits until the daemon's only task has come to the end of the log by file and offset: prepared XA transactions, which have a
/// GTID, have not been applied then.
pub async fn wait_log_end(daemon: &Daemon, mysql: &Mysql) {
    wait_reached(DEADLINE * 2, daemon, Reached::File(mysql.log_end().await)).await;
}

async fn wait_reached(deadline: Duration, daemon: &Daemon, executed: Reached) {
    let what = format!("{executed:?}");
    if let Err(failure) = reached_or_failed(deadline, daemon, executed).await {
        panic!("{failure} while waiting until the task applies {what}");
    }
}

async fn reached_or_failed(deadline: Duration, daemon: &Daemon, executed: Reached) -> Result<(), String> {
    let mut seen = None;
    let what = format!("the task applies {executed:?}");
    let start = Instant::now();
    let mut looks = Looks::default();
    loop {
        looks.next().await;
        daemon.assert_alive();
        if let Some(task) = daemon.task().await {
            if let Some(failure) = super::daemon::failure(&task) {
                return Err(failure);
            }
            seen = task.position;
            if seen.as_deref().is_some_and(|position| executed.within(position)) {
                return Ok(());
            }
        }
        assert!(
            start.elapsed() < deadline,
            "not within {deadline:?}: {what}; it is at {seen:?} and its log ends with\n{}",
            daemon.log_tail()
        );
    }
}
