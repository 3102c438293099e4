//! What is told of one table.

use crate::change::state::Trouble;
use serde::{Deserialize, Serialize};

/// The state of one table, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Not carried for a reason of its own, which is told beside it; the others go on.
    Parked,
    /// Nothing is applied to it until somebody has it resumed; the others go on.
    Paused,
    /// Somebody has had the task let go of it.
    LetGo,
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
    /// Rows that the target cannot hold, and that are in quarantine.
    #[serde(default)]
    pub quarantined: u64,
    /// Rows that were put into quarantine since the daemon started.
    #[serde(default)]
    pub quarantined_ever: u64,
    /// Why it is parked, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Since when it is paused and where it goes on from, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PausedTable>,
    /// Where its stream began to catch up with the main stream, while it does so: after a pause, or when it is
    /// new and has just been copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catching_up_from: Option<String>,
    /// What its copy or its way to the main stream cannot go on without, while that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// It is copied or followed beside the task's main stream.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aside: bool,
    /// The target table's size and upkeep.
    #[serde(default)]
    pub upkeep: Upkeep,
}

/// A table that rests by command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedTable {
    /// Seconds since 1970 when it was paused.
    pub since: u64,
    /// Where in the source's log it goes on from.
    pub position: String,
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
}
