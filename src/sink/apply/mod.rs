//! Writing compacted batches and snapshot chunks into target tables.
//!
//! The sequence per batch: deletes of all tables, then merges and copies, all inside the target
//! transaction that the caller has open; the caller records the checkpoint in it and commits. Deletes and
//! small merges are sent without waiting for one another.
//!
//! - **delete**: by arrays of key columns, taken as they are from the encoded keys.
//! - **merge** (the key may exist): `INSERT … ON CONFLICT DO UPDATE` from arrays of columns when small, else from a staging
//!   table filled by COPY.
//! - **copy** (the key must be new): COPY straight into the table. When a key exists after all, the transaction and the connection
//!   are lost and the caller redoes the batch by the [`Way::General`].
//!
//! Where there is no ON CONFLICT, or the table is partitioned, a merge is a delete and a copy; where the table has columns
//! beside ours, whose values that would lose, an update from staging and an insert of the rest.
//!
//! What must never happen here: a write before a delete of the same batch, a commit, drift that goes uncounted
//! in [`Mode::Exact`], a value lost that is not ours.

mod arrays;
mod cascade;
mod chunk;
mod compare;
mod copy;
mod delete;
mod merge;
mod pipeline;
mod plan;
mod refused;
mod shape;
mod staging;
mod statements;
mod types;
mod unfit;
mod update;

use super::compact::{Compacted, OperationCounts, TableChanges};
use super::{Dialect, Session, SinkError};
use crate::change::{RowLayout, TargetName};
use crate::config::types::TargetEndpoint;
pub use chunk::ChunkWriter;
pub use compare::{Comparison, Repaired, Scope};
use plan::{Act, WriteStep};
pub use refused::{refused, text_of_key};
use statements::Statements;
use std::sync::Arc;
pub use unfit::{Trial, UnfitRow};

/// How a table takes a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The target holds exactly what the source held before the batch: what differs is drift, counted and put right.
    Exact,
    /// Each key now has this row or is gone, whatever was there: catching up, and tables with rows of their own.
    Convergent,
}

/// How rows that must be new are written in [`Mode::Exact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Many at once go by COPY straight into the table. An existing key ends in [`ApplyError::Conflict`].
    Direct,
    /// As rows that may exist; those that do are drift.
    General,
}

/// From so many changed rows on, a table with a key of several columns that is spread over segments goes through staging:
/// there each segment looks up its own rows only, whereas every segment looks up all keys of a delete. Measured on
/// Greenplum 6.24 with two segments: even at about 2000 rows, 1.3 to 1.7 times as fast at 10,000; keys of one
/// column are looked up in one ordered walk, which stays as fast.
const STAGED_MIN_ROWS: usize = 2000;

/// How rows that may exist are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// `INSERT … ON CONFLICT (key) DO UPDATE`.
    Upsert,
    /// Their keys are deleted, then COPY straight into the table. A table with columns of others goes by
    /// [`Strategy::UpdateInsert`] instead.
    DeleteCopy,
    /// Staging, `UPDATE … FROM`, and an INSERT of what that did not find.
    UpdateInsert,
}

impl Strategy {
    /// The faster one of those that the target understands; on Greenplum 6 a delete and a COPY straight into the table
    /// (docs/greenplum.md), but for many rows with composite keys. Where a distributed server
    /// understands ON CONFLICT as well, whether a row was there cannot be told by its `xmax`, so drift could not be counted.
    pub fn for_dialect(dialect: &Dialect) -> Self {
        if dialect.on_conflict && !dialect.distributed { Self::Upsert } else { Self::DeleteCopy }
    }
}

/// What a snapshot chunk does about rows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// There are none: COPY straight into the table.
    Fresh,
    /// On equal key the target's row stays.
    Keep,
}

/// Why a batch was not applied. Either way the transaction is lost, and the session must not be used again:
/// after a failed COPY its answers can be off by one.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A row that must be new exists: redo the batch on a new session by [`Way::General`].
    #[error("table {table} holds a row that the source has only now inserted: {message}")]
    Conflict {
        /// The target table.
        table: TargetName,
        /// The server's words.
        message: String,
    },
    /// Anything else.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Rows of the target that were not as the source's operations imply. They are right afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Keys of updates and deletes that the target did not hold.
    pub missing: u64,
    /// Keys of inserts that the target held.
    pub existing: u64,
    /// One such key, e.g. `missing id=7`.
    pub example: Option<String>,
}

impl Drift {
    /// Whether the target was as expected.
    pub fn is_none(&self) -> bool {
        self.missing == 0 && self.existing == 0
    }

    /// Adds what another step or batch found; the first example stays.
    pub fn add(&mut self, other: Self) {
        self.missing += other.missing;
        self.existing += other.existing;
        if self.example.is_none() {
            self.example = other.example;
        }
    }
}

/// What a batch did to one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOutcome {
    /// The target table.
    pub target: TargetName,
    /// What the source did.
    pub counts: OperationCounts,
    /// What was not as expected; always none in [`Mode::Convergent`].
    pub drift: Drift,
    /// Rows of the target that were replaced or deleted, and now wait for VACUUM.
    pub dead: u64,
}

/// What a batch did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One per [`Compacted::tables`], in that order.
    pub tables: Vec<TableOutcome>,
}

/// Plans that do not depend on the number of keys and always go by the primary key's index, however small or unanalysed the table was
/// when its statements were prepared.
const SETTINGS: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_nestloop", "on"),
    ("enable_indexscan", "on"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("random_page_cost", "1"),
];

/// Writes rows through one session; holds what is prepared there. Make a new one for a new session.
#[derive(Debug)]
pub struct Applier {
    strategy: Strategy,
    /// Rows lie on several segments, and the strategy is for us to choose.
    spread: bool,
    statements: Statements,
}

impl Applier {
    /// A session for writing rows, with `settings` of its own.
    pub async fn connect(
        endpoint: &TargetEndpoint,
        application_name: &str,
        settings: &[(&str, &str)],
    ) -> Result<(Session, Self), SinkError> {
        let settings = [SETTINGS, settings].concat();
        let session = Session::connect_with(endpoint, application_name, &settings).await?;
        let applier = Self::new(&session);
        Ok((session, applier))
    }

    /// One that knows nothing yet of what is prepared in a session of [`Applier::connect`].
    pub fn new(session: &Session) -> Self {
        let dialect = session.dialect();
        let (strategy, spread) = (Strategy::for_dialect(dialect), dialect.distributed);
        Self { strategy, spread, statements: Statements::default() }
    }

    /// Another strategy than the probed one: for measuring and testing.
    pub fn with_strategy(mut self, strategy: Strategy) -> Self {
        (self.strategy, self.spread) = (strategy, false);
        self
    }

    /// Applies a batch inside the session's open transaction. The first request is sent when this is first
    /// polled, and a batch whose statements are prepared and whose tables all have few rows is sent whole then: so
    /// `join!(client.batch_execute("BEGIN"), applier.apply(…), checkpoint)` is one round trip.
    pub async fn apply(
        &mut self,
        session: &Session,
        changes: &Compacted,
        mode_of: impl Fn(&RowLayout) -> Mode,
        way: Way,
    ) -> Result<Outcome, ApplyError> {
        let mut outcome = Outcome {
            tables: changes
                .tables
                .iter()
                .map(|table| TableOutcome {
                    target: table.target().clone(),
                    counts: table.counts,
                    drift: Drift::default(),
                    dead: u64::try_from(table.changed.len() + table.gone.len()).unwrap_or(u64::MAX),
                })
                .collect(),
        };
        let mut manners = Vec::with_capacity(changes.tables.len());
        for table in &changes.tables {
            let mode = mode_of(&table.layout);
            manners.push((mode, self.strategy(session, table, mode).await?));
        }
        let steps = plan::plan(&changes.tables, &manners, way);
        let at_once: Vec<&WriteStep> = steps.iter().filter(|step| step.at_once()).collect();
        let drifts = pipeline::run(session, &mut self.statements, &at_once).await?;
        for (step, drift) in at_once.iter().zip(drifts) {
            outcome.add(step.table, drift);
        }
        shape::unchanged(session, &mut self.statements, &changes.tables, &manners).await?;
        for step in &steps {
            match step.act {
                Act::Delete | Act::MergeArrays => {}
                Act::UpdateInsert => {
                    let drift = update::run(session, &mut self.statements, step).await?;
                    outcome.add(step.table, drift);
                }
                Act::MergeStaged => {
                    let drift = staging::merge(session, &mut self.statements, step).await?;
                    outcome.add(step.table, drift);
                }
                Act::Copy => copy::step(session, &mut self.statements, step).await?,
            }
        }
        Ok(outcome)
    }

    /// How a table's rows that may exist are written.
    async fn strategy(
        &mut self,
        session: &Session,
        table: &TableChanges,
        mode: Mode,
    ) -> Result<Strategy, SinkError> {
        if (self.strategy, mode) == (Strategy::Upsert, Mode::Convergent) {
            return Ok(Strategy::Upsert);
        }
        let shape = shape::of(session, &mut self.statements, &table.layout).await?;
        // Where everything is new no row can be updated.
        let many = table.changed.len() >= STAGED_MIN_ROWS && table.changed.len() > table.new.len();
        let composite = self.spread && table.layout.key.len() > 1;
        Ok(match self.strategy {
            Strategy::DeleteCopy if composite && many => Strategy::UpdateInsert,
            // Drift could not be counted by ON CONFLICT there.
            Strategy::Upsert if shape.partitioned && shape.others => Strategy::UpdateInsert,
            Strategy::Upsert if shape.partitioned => Strategy::DeleteCopy,
            Strategy::DeleteCopy if shape.others => Strategy::UpdateInsert,
            strategy => strategy,
        })
    }

    /// Begins a comparison inside the session's open transaction. `tag` is the column that tells whose a row is in a table of several
    /// feeders, and what it holds in ours.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn comparison<'a>(
        &'a mut self,
        session: &'a Session,
        layout: &Arc<RowLayout>,
        tag: Option<(usize, String)>,
    ) -> Result<Comparison<'a>, SinkError> {
        Comparison::begin(session, &mut self.statements, layout, tag).await
    }

    /// Begins a snapshot chunk inside the session's open transaction.
    pub fn chunk<'a>(
        &'a mut self,
        session: &'a Session,
        layout: &Arc<RowLayout>,
        existing: Existing,
    ) -> ChunkWriter<'a> {
        ChunkWriter {
            session,
            statements: &mut self.statements,
            strategy: self.strategy,
            layout: layout.clone(),
            existing,
            copying: None,
            sent: chunk::Sent::default(),
            written: 0,
        }
    }
}

impl Outcome {
    fn add(&mut self, table: usize, drift: Drift) {
        let table = &mut self.tables[table];
        table.dead = table.dead.saturating_sub(drift.missing).saturating_add(drift.existing);
        table.drift.add(drift);
    }
}
