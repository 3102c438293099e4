//! The status model: what a daemon tells of itself. Room `status` keeps the live one.
//!
//! What must never happen here: a clock read. What depends on the time is given it.

mod table;

use super::verdict::Outcome;
use super::{FilePosition, TableName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use table::{PausedTable, TablePhase, TableStatus, Upkeep};

/// A time, since 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    micros: u64,
}

impl Time {
    /// So many microseconds since 1970.
    pub fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> u64 {
        self.micros
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.micros / 1_000_000
    }

    /// Seconds that have passed since a time in seconds since 1970; 0 when it is still to come.
    pub fn seconds_since(self, then: u64) -> u64 {
        self.seconds().saturating_sub(then)
    }
}

/// The phase of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Facts are gathered and judged; nothing is written to the target.
    #[default]
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
    /// Drained, and resting until it is resumed. On record, so that a restart changes nothing about it.
    Paused,
    /// Ended for good by command. On record, so that a restart changes nothing about it.
    Dropped,
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
            Self::Paused => "Paused",
            Self::Dropped => "Dropped",
            Self::Stopped => "Stopped",
        }
    }
}

/// One task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// The phase.
    #[serde(flatten)]
    pub phase: Phase,
    /// Seconds since 1970 when the phase was entered.
    pub since: u64,
    /// What stopped the task first since it was last Synchronizing, as the target has it on record from before this start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What of the source's log the task has failed at, where it is one transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<Stands>,
    /// What it was told to pass over.
    #[serde(flatten)]
    pub skips: Skips,
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
    /// For how long the source may have had what the target has not, by `TaskStatus::lag`; `None` if unknown.
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
    /// Times the task started over after an error.
    pub restarts: u64,
    /// Selected tables whose rows have come and are not carried.
    #[serde(flatten)]
    pub not_carried: NotCarried,
    /// Foreign keys that change rows without a word in the source's log, and that the target does not follow: each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_followed: Vec<String>,
    /// Per source table.
    pub tables: BTreeMap<String, TableStatus>,
    /// The source table that is being compared with its target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparing: Option<String>,
    /// Per source table when its comparison was last begun, in seconds since 1970: what fails does not keep the others from their turn.
    #[serde(skip)]
    pub tried: BTreeMap<String, u64>,
    /// Per source table what comparisons have found. A table that has not been compared is not in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub verified: BTreeMap<String, Verified>,
}

/// One transaction of the source's log, or a statement that is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stands {
    /// As `rowferry skip` takes it.
    pub position: String,
    /// The source table that it is about, where that is all it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// Transactions that a task was told to pass over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skips {
    /// How many it has passed over, ever: what they did is not in the target by its doing.
    #[serde(rename = "skipped", default)]
    pub count: u64,
    /// The last of them.
    #[serde(rename = "last_skipped", default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Skipped>,
}

/// A transaction that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which.
    #[serde(flatten)]
    pub what: Stands,
    /// Seconds since 1970 when that became durable.
    pub at: u64,
}

/// What the last comparison of a table with its source has come to, and what all of them have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Seconds since 1970 when it ended.
    pub at: u64,
    /// What it has come to.
    pub outcome: Outcome,
    /// Rows that it compared.
    pub rows: u64,
    /// Rows that differed.
    pub differences: u64,
    /// Rows that did not hold still for long enough to say.
    pub undecided: u64,
    /// Rows that differed in this comparison or an earlier one.
    pub differences_ever: u64,
    /// Those of them that were put right.
    pub repaired_ever: u64,
    /// The checkpoint at its end.
    pub position: Option<String>,
}

impl Verified {
    /// Rows that were found to differ where not all of them were put right; also by a comparison that did not come to its end.
    pub fn open(&self) -> u64 {
        match self.outcome {
            Outcome::Different | Outcome::NotCompared => self.differences,
            Outcome::Equal | Outcome::Repaired | Outcome::Undecided => 0,
        }
    }
}

/// What stopped a task, or kept it for long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What happened, in a paragraph.
    pub error: String,
    /// What to do, in a sentence. Empty where trying again may do.
    pub remedy: String,
    /// Seconds since 1970 when it happened.
    pub since: u64,
}

impl TaskStatus {
    /// What is to be told of it: not what the phase says itself, and nothing once the task is Synchronizing.
    pub fn first_cause(&self) -> Option<&Cause> {
        let told = match &self.phase {
            Phase::Synchronizing => return None,
            Phase::Failed { error, .. } | Phase::Retrying { error, .. } => Some(error),
            Phase::Prechecking
            | Phase::SchemaSync
            | Phase::Snapshot
            | Phase::CatchingUp
            | Phase::Paused
            | Phase::Dropped
            | Phase::Stopped => None,
        };
        self.cause.as_ref().filter(|cause| Some(&cause.error) != told)
    }
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
    pub fn transaction(&mut self, committed_micros: u64, now: Time) {
        // The source's clock may be ahead of ours; what it will commit it has not committed.
        self.until_micros = self.until_micros.max(committed_micros.min(now.micros()));
    }

    /// The source has nothing that is not durable here.
    pub fn all(&mut self, now: Time) {
        *self = Self { until_micros: now.micros(), all: true };
    }

    /// Whether it is up to a time after this one.
    pub fn is_past(&self, time: Time) -> bool {
        self.until_micros > time.micros()
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
}

/// Which config a daemon runs, so that who asks can tell whether it is theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The config file, by its one absolute path without links; empty when there is none.
    pub file: String,
    /// A digest of what it is about: the names and addresses of its servers, and the names of its tasks.
    pub digest: String,
    /// The local socket by which the daemon can be told what to do; empty when there is none.
    #[serde(default)]
    pub socket: String,
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

impl TaskStatus {
    /// A task of which nothing is known yet.
    pub fn new(now: Time) -> Self {
        Self { since: now.seconds(), ..Self::default() }
    }

    /// Seconds since the source was last heard of; `None` when it never was.
    pub fn silent_seconds(&self, now: Time) -> Option<u64> {
        (self.heard > 0).then(|| now.seconds_since(self.heard))
    }

    /// 0 when the source has said that it has nothing further, else the time since the source committed what was last applied. Not
    /// known while the stream does not run, while the source is silent, and before anything was applied.
    pub fn lag(&self, now: Time) -> Option<u64> {
        let follows = matches!(self.phase, Phase::Synchronizing | Phase::CatchingUp);
        let heard = self.silent_seconds(now).is_some_and(|silent| silent <= SILENT_SECONDS);
        if !follows || !heard || self.reached.until_micros == 0 {
            return None;
        }
        let since = now.micros().saturating_sub(self.reached.until_micros) / 1000;
        Some(if self.reached.all { 0 } else { since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_told_only_while_the_source_is_heard_and_grows_until_it_has_nothing_further() {
        let at = |seconds: u64| Time::from_micros(seconds * 1_000_000);
        let mut task = TaskStatus::new(at(1000));
        task.reached.transaction(at(993).micros(), at(1000));
        assert_eq!(task.lag(at(1000)), None, "the stream does not run");
        (task.phase, task.heard) = (Phase::Synchronizing, 1000);
        assert_eq!((task.lag(at(1000)), task.lag(at(1001))), (Some(7_000), Some(8_000)));
        task.reached.all(at(1001));
        assert_eq!(task.lag(at(1004)), Some(0));
        task.reached.not_all();
        assert_eq!(task.lag(at(1004)), Some(3_000));
        task.reached.transaction(at(9_000).micros(), at(1004));
        assert_eq!(task.lag(at(1005)), Some(1_000), "a clock that is ahead");
        assert_eq!(task.lag(at(1000 + SILENT_SECONDS + 1)), None, "a source that is not heard");
        task.phase = Phase::Retrying { error: String::new(), attempt: 1 };
        assert_eq!(task.lag(at(1005)), None);
    }
}
