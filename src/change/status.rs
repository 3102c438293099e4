//! The status model: what the daemon knows about itself, read by `status/` and the commands.
//!
//! Rooms never print progress; `task` writes here and everything else reads.

use super::{FilePosition, TableName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The phase of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Facts are gathered and judged; nothing is written to the target.
    Prechecking,
    /// Target schemas and tables are created.
    SchemaSync,
    /// Chunks are copied.
    Snapshot,
    /// The stream is applied convergently up to P1.
    CatchingUp,
    /// Past P1: the target equals the source at the applied position.
    Synchronizing,
    /// Waiting to try again after an error that may pass by itself.
    Retrying {
        /// One paragraph.
        error: String,
        /// The attempt that comes next, from 1.
        attempt: u32,
    },
    /// Stopped by an error that somebody must mend.
    Failed {
        /// One paragraph.
        error: String,
        /// What to do.
        remedy: String,
    },
    /// Drained and ended.
    Stopped,
}

impl Phase {
    /// The phase's name as DESIGN and the status page spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Prechecking => "Prechecking",
            Self::SchemaSync => "SchemaSync",
            Self::Snapshot => "Snapshot",
            Self::CatchingUp => "CatchingUp",
            Self::Synchronizing => "Synchronizing",
            Self::Retrying { .. } => "Retrying",
            Self::Failed { .. } => "Failed",
            Self::Stopped => "Stopped",
        }
    }
}

/// The state of one table, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TablePhase {
    /// Nothing done yet.
    Pending,
    /// Being copied.
    Snapshotting,
    /// Copied; the stream has not reached P1.
    CatchingUp,
    /// Following the stream.
    Streaming,
}

/// One table of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStatus {
    /// `schema.table` in the target.
    pub target: String,
    /// What it is doing.
    #[serde(flatten)]
    pub phase: TablePhase,
    /// Rows copied so far.
    pub copied_rows: u64,
    /// The source's estimate of the table's rows.
    pub estimated_rows: u64,
    /// Row operations applied from the stream since the daemon started.
    pub inserts: u64,
    /// As above.
    pub updates: u64,
    /// As above.
    pub deletes: u64,
    /// Rows whose presence in the target was not what the stream implied.
    pub drift: u64,
    /// One example of drift, if any.
    pub drift_example: Option<String>,
    /// The target table's size and care.
    #[serde(default)]
    pub upkeep: Upkeep,
}

/// How a target table has grown and what was done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    /// Bytes with indexes, as last measured; 0 before that.
    pub bytes: u64,
    /// Seconds since 1970 of that measurement; 0 for none.
    #[serde(default)]
    pub measured: u64,
    /// The same when its copy had ended; 0 when that was not measured.
    pub copied_bytes: u64,
    /// Rows that were replaced or deleted since the last VACUUM, as the applier counts them.
    pub dead_rows: u64,
    /// Seconds since 1970 of the last VACUUM by this task; 0 for none.
    pub vacuumed: u64,
    /// Seconds since 1970 of the ANALYZE after its copy; 0 for none.
    pub analyzed: u64,
    /// What is on record has been taken in.
    #[serde(skip)]
    pub loaded: bool,
}

impl Upkeep {
    /// `63.1 MB 20s ago (51.0 MB when copied), 12000 dead rows, vacuumed 3m ago`; `None` before anything was measured.
    pub fn words(&self) -> Option<String> {
        if self.bytes == 0 {
            return None;
        }
        let ago =
            |then: u64| humantime::format_duration(Duration::from_secs(now_seconds().saturating_sub(then)));
        let mut words = megabytes(self.bytes);
        if self.measured > 0 {
            words.push_str(&format!(" {} ago", ago(self.measured)));
        }
        if self.copied_bytes > 0 {
            words.push_str(&format!(" ({} when copied)", megabytes(self.copied_bytes)));
        }
        if self.dead_rows > 0 {
            words.push_str(&format!(", {} dead rows", self.dead_rows));
        }
        if self.vacuumed > 0 {
            words.push_str(&format!(", vacuumed {} ago", ago(self.vacuumed)));
        }
        Some(words)
    }
}

/// A size with one digit behind the point.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// The phase.
    #[serde(flatten)]
    pub phase: Phase,
    /// Seconds since 1970 when the phase was entered.
    pub since: u64,
    /// What the phase cannot go on without: "2 prepared XA transaction(s) (a, b) to end …". `None` while it goes on.
    #[serde(default)]
    pub waiting_for: Option<String>,
    /// Name of the source in the config.
    pub source: String,
    /// Name of the target in the config.
    pub target: String,
    /// Detected source server, e.g. `MySQL 9.7.0`.
    pub source_server: String,
    /// Detected target server.
    pub target_server: String,
    /// The durable position as text.
    pub position: Option<String>,
    /// The source's end as last heard.
    pub source_position: Option<String>,
    /// For how long the source may have had what the target has not; `None` when that is not known. Reckoned when the model is
    /// read: see `TaskStatus::lag`.
    #[serde(default)]
    pub lag_millis: Option<u64>,
    /// Up to when the target has all that the source has.
    #[serde(skip)]
    pub reached: Reached,
    /// What could not be committed, until it is.
    #[serde(default)]
    pub not_committed: Option<NotCommitted>,
    /// Seconds since 1970 when the source was last heard of (event or heartbeat).
    pub heard: u64,
    /// Seconds since 1970 of the last durable commit in the target.
    pub committed: u64,
    /// Source transactions applied since the daemon started.
    pub transactions: u64,
    /// Target transactions committed since the daemon started.
    pub batches: u64,
    /// Bytes of row events received since the daemon started.
    pub received_bytes: u64,
    /// Statements passed over since the daemon started that are not known to be harmless: they reach no selected table.
    #[serde(default)]
    pub statements_passed: u64,
    /// Rows made durable since the daemon started, by the copy and by the stream.
    #[serde(skip)]
    pub durable_rows: u64,
    /// Times the task started over after an error.
    pub restarts: u64,
    /// Selected tables whose rows have come and are not carried.
    #[serde(flatten)]
    pub not_carried: NotCarried,
    /// Per source table.
    pub tables: BTreeMap<String, TableStatus>,
}

/// Up to when everything that the source committed is in the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    until_micros: u64,
    /// All that there is: at its last word the source had nothing further.
    all: bool,
}

impl Reached {
    /// A transaction is durable that the source committed at this time (microseconds since 1970; 0 when it does not say).
    pub fn transaction(&mut self, committed_micros: u64) {
        // The source's clock may be ahead of ours; what it will commit it has not committed.
        self.until_micros = self.until_micros.max(committed_micros.min(now_micros()));
    }

    /// The source has nothing that is not durable here.
    pub fn all(&mut self) {
        *self = Self { until_micros: now_micros(), all: true };
    }

    /// Something has come.
    pub fn not_all(&mut self) {
        self.all = false;
    }
}

/// A batch that could not be committed. The task is not ready before it is, whatever was tried meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCommitted {
    /// Why.
    pub error: String,
    /// Where it ends in the source's log; `None` for a piece of a transaction, whose end was not known.
    pub until: Option<FilePosition>,
}

/// Seconds without a word from the source after which nothing is known of it. Heartbeats come several times a second.
pub const SILENT_SECONDS: u64 = 5;

/// Selected tables that are not carried before the next start, which judges them anew: new ones that the precheck has refused, and
/// those whose rows have come (created since the task started, or its user may not SELECT from them). Dropped ones are taken off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCarried {
    /// The first of them, at most 100, and why.
    #[serde(rename = "not_carried", default)]
    pub named: BTreeMap<String, String>,
    /// How many there are beyond those, at the least: they too are remembered up to a limit.
    #[serde(rename = "not_carried_more", default)]
    pub more: usize,
}

/// How many tables that are not carried the status names.
const NAMED: usize = 100;

impl NotCarried {
    /// Tables by name, each with why.
    pub fn new(tables: &BTreeMap<TableName, String>) -> Self {
        let named = tables.iter().take(NAMED).map(|(name, why)| (name.to_string(), why.clone())).collect();
        Self { named, more: tables.len().saturating_sub(NAMED) }
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.named.len().saturating_add(self.more)
    }

    /// What is said of them; `None` when there are none.
    pub fn words(&self) -> Option<String> {
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, why) in &self.named {
            by_reason.entry(why).or_default().push(name);
        }
        let told: Vec<String> =
            by_reason.iter().map(|(why, names)| format!("{}: {why}", names.join(", "))).collect();
        let more = if self.more > 0 { format!("; and at least {} more", self.more) } else { String::new() };
        (!told.is_empty()).then(|| format!("not carried: {}{more}", told.join("; ")))
    }
}

/// Which config a daemon runs, so that who asks can tell whether it is theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The config file, by its one absolute path without links; empty when there is none.
    pub file: String,
    /// A digest of what it is about: the names and addresses of its servers, and the names of its tasks.
    pub digest: String,
}

impl Identity {
    /// Whether these are one config: the same file, though it may have been edited since the daemon read it, or a file of the
    /// same content at another place.
    pub fn is(&self, other: &Self) -> bool {
        (!self.file.is_empty() && self.file == other.file) || self.digest == other.digest
    }
}

/// Everything the daemon tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The program's version.
    pub version: String,
    /// The config it runs.
    #[serde(default)]
    pub config: Identity,
    /// Seconds since 1970 when the daemon started.
    pub started: u64,
    /// By task name.
    pub tasks: BTreeMap<String, TaskStatus>,
}

/// The shared, live model.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<RwLock<Model>>);

impl Board {
    /// A board for a daemon that starts now.
    pub fn new() -> Self {
        let board = Self::default();
        board.change(|model| {
            env!("CARGO_PKG_VERSION").clone_into(&mut model.version);
            model.started = now_seconds();
        });
        board
    }

    /// A copy of the model, with the lag as it is now.
    pub fn read(&self) -> Model {
        let mut model = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        for task in model.tasks.values_mut() {
            task.lag_millis = task.lag();
        }
        model
    }

    /// Changes the model.
    pub fn change<R>(&self, change: impl FnOnce(&mut Model) -> R) -> R {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes one task; creates it when new.
    pub fn task<R>(&self, name: &str, change: impl FnOnce(&mut TaskStatus) -> R) -> R {
        self.change(|model| {
            let task = model.tasks.entry(name.to_owned()).or_insert_with(TaskStatus::new);
            change(task)
        })
    }

    /// Enters a phase; whether it is another than before.
    pub fn enter(&self, name: &str, phase: Phase) -> bool {
        self.task(name, |task| {
            let news = task.phase != phase;
            if news {
                task.since = now_seconds();
                task.phase = phase;
                task.waiting_for = None;
            }
            news
        })
    }
}

impl TaskStatus {
    /// A task of which nothing is known yet.
    pub fn new() -> Self {
        Self {
            phase: Phase::Prechecking,
            since: now_seconds(),
            waiting_for: None,
            source: String::new(),
            target: String::new(),
            source_server: String::new(),
            target_server: String::new(),
            position: None,
            source_position: None,
            lag_millis: None,
            reached: Reached::default(),
            not_committed: None,
            heard: 0,
            committed: 0,
            transactions: 0,
            batches: 0,
            received_bytes: 0,
            statements_passed: 0,
            durable_rows: 0,
            restarts: 0,
            not_carried: NotCarried::default(),
            tables: BTreeMap::new(),
        }
    }

    /// Seconds since the source was last heard of; `None` when it never was.
    pub fn silent_seconds(&self) -> Option<u64> {
        (self.heard > 0).then(|| now_seconds().saturating_sub(self.heard))
    }

    /// 0 when the source has said that it has nothing further, else the time since the source committed what was last applied. Not
    /// known while the stream does not run, while the source is silent, and before anything was applied.
    fn lag(&self) -> Option<u64> {
        let follows = matches!(self.phase, Phase::Synchronizing | Phase::CatchingUp);
        let heard = self.silent_seconds().is_some_and(|silent| silent <= SILENT_SECONDS);
        if !follows || !heard || self.reached.until_micros == 0 {
            return None;
        }
        let since = now_micros().saturating_sub(self.reached.until_micros) / 1000;
        Some(if self.reached.all { 0 } else { since })
    }

    /// `lag 12 ms` or `lag unknown`.
    pub fn lag_words(&self) -> String {
        self.lag_millis.map_or_else(|| "lag unknown".to_owned(), |millis| format!("lag {millis} ms"))
    }
}

impl Default for TaskStatus {
    fn default() -> Self {
        Self::new()
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// Seconds since 1970 UTC by this machine's clock.
pub fn now_seconds() -> u64 {
    since_1970().as_secs()
}

/// Microseconds since 1970 UTC by this machine's clock.
pub fn now_micros() -> u64 {
    u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_told_only_while_the_source_is_heard_and_grows_until_it_has_nothing_further() {
        let board = Board::new();
        let lag = |change: &dyn Fn(&mut TaskStatus)| {
            board.task("t", |task| change(task));
            board.read().tasks["t"].lag_millis
        };
        let ago = |seconds: u64| now_micros() - seconds * 1_000_000;
        assert_eq!(lag(&|task| task.reached.transaction(ago(7))), None, "the stream does not run");
        let late = lag(&|task| (task.phase, task.heard) = (Phase::Synchronizing, now_seconds()));
        assert!(late.is_some_and(|millis| (7_000..9_000).contains(&millis)), "{late:?}");
        assert_eq!(lag(&|task| task.reached.all()), Some(0));
        assert!(lag(&|task| task.reached.not_all()).is_some_and(|millis| millis < 2_000));
        assert!(lag(&|task| task.reached.transaction(now_micros() * 2)).is_some_and(|millis| millis < 2_000));
        assert_eq!(lag(&|task| task.heard -= SILENT_SECONDS + 1), None, "a source that is not heard");
        let error = String::new();
        let retrying = Phase::Retrying { error, attempt: 1 };
        assert_eq!(lag(&|task| (task.heard, task.phase) = (now_seconds(), retrying.clone())), None);
    }
}
