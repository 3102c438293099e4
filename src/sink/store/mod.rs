//! What is durable beside the rows: how far a task has come, what its tables are doing, which schemas they had and
//! which chunks are copied.
//!
//! It lives in schema `rowferry` of the target database, in tables of each task's own. Records are only ever
//! inserted and the latest one holds: on Greenplum an UPDATE locks the whole table. Old ones are pruned, and
//! vacuumed where the server does not do it by itself.
//!
//! Every write runs in the transaction that is open on the session, so it commits with the rows it stands for.
//! What must never happen here: a write by an owner that is not the present one. Each is conditional on the epoch
//! (and a checkpoint on its predecessor), and no row written is `SinkErrorKind::CheckpointMoved`: roll back, take
//! the task again, load.

mod audit;
mod begun;
mod cause;
mod counts;
pub mod form;
#[cfg(test)]
pub(crate) mod golden;
mod layout;
mod pause;
mod quarantine;
mod read;
mod side;
mod skips;
mod tables;
mod upgrade;
mod upkeep;
mod verified;
mod write;

pub use audit::{asked, record_asked};
pub use begun::{begun, forget_begun, record_begun};
pub use cause::record_cause;
pub use counts::Counts;
pub(super) use pause::before_run;
pub use pause::{BeforeRun, forget_drop, resting};
pub use quarantine::{KeyedUnfit, QuarantinedKeys, quarantined_keys_of};
pub use read::{Stored, StoredTable, checkpoint, peek};
pub use side::{Feeders, feeders};
pub use skips::{AskedSkip, Skip, skips};
pub use tables::{is_made, is_there, remove};
pub use upkeep::{Done, UpkeepRecord};
pub use verified::{AllVerified, record_verified, vacuum_verified, verified};
pub(super) use write::Parameter;

use super::{Session, SinkError, SinkErrorKind};
use crate::change::TargetName;
use crate::change::remedy::Remedy;
use crate::change::state::Checkpoint;
use crate::quote::identifier;

/// The version of what all tasks share in schema `rowferry`: the table that says it, and how the others are named. What is a task's own
/// has versions of its own, so that programs of several versions can work beside each other: see [`form`].
const FORMAT: i32 = 1;
/// The schema.
const SCHEMA: &str = "rowferry";
/// Checkpoints kept before the head, for people who look for what happened.
const KEPT_CHECKPOINTS: i64 = 100;
/// Versions of a table's state kept before the latest.
const KEPT_STATES: i64 = 20;
/// Checkpoints from one pruning to the next.
const PRUNE_EVERY: i64 = 1000;

/// One task's records, as its present owner may write them. Had from [`Owner::store`](super::owner::Owner::store).
#[derive(Clone, Debug)]
pub struct Store {
    task: String,
    names: Names,
    epoch: i64,
    /// The side stream that it is of; `None` for the main stream.
    side: Option<u32>,
}

/// The qualified, quoted names of a task's tables.
#[derive(Clone, Debug)]
struct Names {
    position: String,
    tables: String,
    schemas: String,
    chunks: String,
    owner: String,
    upkeep: String,
    /// Not one of [`Names::all`]: it comes when there is something to say.
    cause: String,
    /// Nor are these.
    verified: String,
    begun: String,
    pause: String,
    dropped: String,
    skips: String,
    quarantine: String,
    counts: String,
}

impl Names {
    fn new(task: &str) -> Self {
        let name = |kind: &str| format!("{SCHEMA}.{}", identifier(&format!("{task}_{kind}")));
        Self {
            position: name("position"),
            tables: name("tables"),
            schemas: name("schemas"),
            chunks: name("chunks"),
            owner: name("owner"),
            upkeep: name("upkeep"),
            cause: name("cause"),
            verified: name("verified"),
            begun: name("begun"),
            pause: name("pause"),
            dropped: name("dropped"),
            skips: name("skips"),
            counts: name("counts"),
            quarantine: name("quarantine"),
        }
    }

    fn all(&self) -> [&String; 6] {
        [&self.position, &self.tables, &self.schemas, &self.chunks, &self.owner, &self.upkeep]
    }
}

impl Store {
    /// A store for the owner of `epoch`.
    pub(super) fn new(task: &str, epoch: i64) -> Self {
        Self { task: task.to_owned(), names: Names::new(task), epoch, side: None }
    }

    /// Makes what is missing of a task's tables. Must not run inside a transaction.
    pub(super) async fn create(session: &Session, task: &str) -> Result<(), SinkError> {
        tables::create(session, task).await
    }

    /// See [`other_feeder`].
    ///
    /// # Errors
    /// What the server answers.
    pub async fn other_feeder(
        &self,
        session: &Session,
        target: &TargetName,
    ) -> Result<Option<String>, SinkError> {
        tables::other_feeder(session, &self.names, target).await
    }

    /// The table that owners are recorded in, for SQL.
    pub(super) fn owner_table(&self) -> &str {
        &self.names.owner
    }

    /// The task.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// The epoch its writes are made under.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Whether [`Store::prune`] is due after this checkpoint.
    pub fn prune_is_due(checkpoint: &Checkpoint) -> bool {
        checkpoint.sequence % PRUNE_EVERY == 0
    }

    fn moved(&self, session: &Session, why: impl Into<String>) -> SinkError {
        SinkErrorKind::CheckpointMoved { task: self.task.clone(), why: why.into() }.at(session.label())
    }
}

/// The name of another task than `task` in this database that feeds a target table, by what it has on record.
///
/// # Errors
/// What the server answers.
pub async fn other_feeder(
    session: &Session,
    task: &str,
    target: &TargetName,
) -> Result<Option<String>, SinkError> {
    tables::other_feeder(session, &Names::new(task), target).await
}

/// Stored state that cannot be used.
fn unreadable(session: &Session, task: &str, why: impl Into<String>, remedy: impl Into<Remedy>) -> SinkError {
    SinkErrorKind::State { task: task.to_owned(), why: why.into(), remedy: remedy.into() }.at(session.label())
}
