//! The last stage: units become target transactions, each with the checkpoint it stands for.
//!
//! Sequence of a unit: `BEGIN`, rows or schema change, table states, checkpoint, `COMMIT`. Pieces of a large source
//! transaction share one target transaction, which commits with the last.
//!
//! What must never happen here: a commit without its checkpoint, a session used again after a failed COPY, an
//! unknown commit result taken for either answer (the error goes up and the durable checkpoint is read again).

mod cascades;
mod counts;
mod handover;
mod quarantine;
mod skipped;

use super::TaskError;
use super::batch::{RowsUnit, SchemaUnit, Unit};
use super::context::Context;
use super::memory::Memory;
use super::progress::{Committed, TaskProgress};
use super::recorded::{Known, Recorded};
use super::sides::Ask;
use super::waiting::{AtWork, LOOKING};
use crate::change::state::{Checkpoint, TableState};
use crate::change::status::NotCommitted;
use crate::change::{Position, RowLayout, TableName, TargetChange, TargetName, TransactionPlace};
use crate::sink::apply::{Applier, ApplyError, Existing, Mode, Outcome, Trial, Way, refused};
use crate::sink::batch::{Batch, BatchEnd};
use crate::sink::compact::{Compacted, TableChanges};
use crate::sink::{Owner, Session, SinkError, Store, ddl};
use crate::status::now;
use quarantine::{Quarantine, Turn};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Applies units in order.
pub struct Applying {
    context: Context,
    owner: Arc<Owner>,
    store: Store,
    session: Session,
    applier: Applier,
    /// The last durable checkpoint.
    checkpoint: Checkpoint,
    /// Carried tables as recorded, by source name.
    recorded: Known,
    memory: Arc<Memory>,
    /// How many units are done with: the builder hands on small batches only when all are.
    done: watch::Sender<u64>,
    /// What it works at.
    at_work: watch::Sender<Option<AtWork>>,
    /// What pieces of the open transaction have done.
    uncommitted: Vec<Outcome>,
    /// Keys that have no row in the target.
    quarantine: Quarantine,
    /// What the open transaction has done to it.
    turns: Vec<Turn>,
    /// When it was last put on record how many statements were passed over.
    passed_recorded: Option<Instant>,
    /// Who cares for tables that are put aside.
    asks: Option<mpsc::UnboundedSender<Ask>>,
}

impl Applying {
    /// Opens the applying session.
    ///
    /// # Errors
    /// When the target cannot be reached or the task is no longer owned.
    pub async fn open(
        context: Context,
        owner: Arc<Owner>,
        checkpoint: Checkpoint,
        recorded: Known,
        memory: Arc<Memory>,
        done: watch::Sender<u64>,
    ) -> Result<Self, TaskError> {
        let (session, applier) = connect(&context, &owner).await?;
        let (store, at_work) = (owner.store(), watch::Sender::new(None));
        let mut applying = Self {
            context,
            owner,
            store,
            session,
            applier,
            checkpoint,
            recorded,
            memory,
            done,
            at_work,
            uncommitted: Vec::new(),
            passed_recorded: None,
            quarantine: Quarantine::default(),
            turns: Vec::new(),
            asks: None,
        };
        applying.open_quarantine().await?;
        Ok(applying)
    }

    /// Tables that are put aside are told there.
    pub fn tell_of_asides(&mut self, asks: mpsc::UnboundedSender<Ask>) {
        self.asks = Some(asks);
    }

    /// What the applying session works at, while it does.
    pub fn at_work(&self) -> watch::Receiver<Option<AtWork>> {
        self.at_work.subscribe()
    }

    /// Applies until the builder is done.
    ///
    /// # Errors
    /// The first error; what was not committed is read again from the durable checkpoint.
    pub async fn run(mut self, mut units: mpsc::Receiver<Unit>) -> Result<(), TaskError> {
        loop {
            let Some(unit) = units.recv().await else { break };
            let until = unit.until().cloned();
            let bounded = matches!(unit, Unit::Rows(_) | Unit::Abandon);
            self.at_work.send_replace(Some(AtWork { pid: self.session.backend_pid(), bounded }));
            let worked = self.unit(unit).await;
            self.at_work.send_replace(None);
            if let Err(error) = worked {
                let failed = NotCommitted { error: error.to_string(), until };
                self.context.progress.step(|progress, _| progress.cannot_commit(failed));
                return Err(error);
            }
            self.done.send_modify(|done| *done += 1);
        }
        Ok(())
    }

    async fn unit(&mut self, unit: Unit) -> Result<(), TaskError> {
        match unit {
            Unit::Rows(unit) => return self.rows(unit).await,
            Unit::Cascade(unit) => return self.cascade(unit).await,
            Unit::Schema(unit) => self.schema(unit).await?,
            Unit::Handover(unit) => self.hand_over(unit).await?,
            Unit::Place(unit) => self.place(unit).await?,
            Unit::Abandon => {
                self.execute("ROLLBACK").await?;
                self.uncommitted.clear();
                self.turns.clear();
                self.memory.committed(true);
            }
        }
        // Other tables, or other names of theirs.
        self.load_quarantine().await
    }

    async fn execute(&self, sql: &str) -> Result<(), SinkError> {
        self.session.client().batch_execute(sql).await.map_err(|error| self.session.error(sql, error))
    }

    async fn rows(&mut self, unit: RowsUnit) -> Result<(), TaskError> {
        let RowsUnit { mut batch, convergent, caught_up, of, skipped } = unit;
        let mode_of = |layout: &RowLayout| {
            if convergent.contains(&layout.target) { Mode::Convergent } else { Mode::Exact }
        };
        let begun = Instant::now();
        let mut way = self.memory.way();
        let position = match &batch.end {
            BatchEnd::Commit(position) => Some(&**position),
            BatchEnd::Open => None,
        };
        let mut turn = self.quarantine.turn(&mut batch.changes)?;
        let mut careful = self.memory.is_careful();
        let (outcome, next) = loop {
            if careful {
                if !batch.continues {
                    self.execute("BEGIN").await?;
                }
                let how = (Trial::Batch(&mode_of, way), position);
                if let Err(error) = self.leave_out_unfit(&mut batch.changes, &mut turn, how).await {
                    let error = self.with_row(error, &batch, position).await;
                    return Err(self.is_refused(error, of, position));
                }
            }
            let continues = batch.continues || careful;
            let applied = self.attempt(&batch.changes, continues, &mode_of, way, position).await;
            match applied {
                Ok(applied) => break applied,
                Err(Attempt::Conflict { table, message }) => {
                    tracing::warn!(task = self.context.name, %table, message, "a row that must be new exists; the batch is redone the general way");
                    if batch.continues || position.is_none() {
                        // The earlier pieces are not kept: the whole transaction is read again.
                        self.memory.piece_met_a_row();
                        return Err(TaskError::PieceConflict { table: table.to_string(), message });
                    }
                    (self.session, self.applier) = connect(&self.context, &self.owner).await?;
                    self.at_work
                        .send_replace(Some(AtWork { pid: self.session.backend_pid(), bounded: true }));
                    way = Way::General;
                }
                Err(Attempt::Failed(error)) if !careful && self.may_be_unfit(&error, &batch.changes) => {
                    if batch.continues || position.is_none() {
                        self.memory.piece_has_unfit();
                        return Err(TaskError::PieceRefused { message: error.to_string() });
                    }
                    (self.session, self.applier) = connect(&self.context, &self.owner).await?;
                    self.at_work
                        .send_replace(Some(AtWork { pid: self.session.backend_pid(), bounded: true }));
                    careful = true;
                }
                Err(Attempt::Failed(error)) => {
                    let error = self.with_row(error, &batch, position).await;
                    return Err(self.is_refused(error, of, position));
                }
            }
        };
        if let Err(error) = self.keep_unfit(turn).await {
            return Err(self.is_refused(error, of, position));
        }
        self.uncommitted.push(outcome);
        let (position, next) = match (position, next) {
            (Some(position), Some(next)) => (position, next),
            (None, None) => return Ok(()),
            _ => return Err(TaskError::Internal("a checkpoint and its position came one by one".to_owned())),
        };
        self.record_caught_up(&caught_up).await?;
        self.record_passed(&skipped).await?;
        self.record_drift(&self.uncommitted).await?;
        self.execute("COMMIT").await?;
        self.tell_passed(&skipped);
        self.memory.committed(batch.continues);
        if !self.context.is_aside() {
            // Servers that log whole seconds say nothing of milliseconds.
            let is_precise = !batch.committed_micros.is_multiple_of(1_000_000);
            let late = now().micros().saturating_sub(batch.committed_micros);
            let late = Some(Duration::from_micros(late)).filter(|late| is_precise && !late.is_zero());
            self.context.courtesy.commits(late.unwrap_or_else(|| begun.elapsed()));
        }
        let outcomes = std::mem::take(&mut self.uncommitted);
        for outcome in &outcomes {
            self.count(outcome);
        }
        self.tell_unfit();
        let work = outcomes.iter().any(|outcome| !outcome.tables.is_empty());
        self.durable(next, position, batch.transactions, batch.committed_micros, &caught_up, work).await
    }

    /// A batch is not applied: its error with its place. What comes of it next time is not judged by this one.
    fn is_refused(
        &self,
        error: TaskError,
        of: Option<TransactionPlace>,
        position: Option<&Position>,
    ) -> TaskError {
        if !error.is_of_circumstances() {
            self.memory.is_careful_no_more();
        }
        self.in_log(error, of, position.map(|at| &at.file))
    }

    /// One try at a batch, up to but without its commit.
    async fn attempt(
        &mut self,
        changes: &Compacted,
        continues: bool,
        mode_of: impl Fn(&RowLayout) -> Mode,
        way: Way,
        position: Option<&Position>,
    ) -> Result<(Outcome, Option<Checkpoint>), Attempt> {
        let Self { session, applier, store, checkpoint, .. } = self;
        let begin = async {
            if continues {
                return Ok(());
            }
            session.client().batch_execute("BEGIN").await.map_err(|error| session.error("BEGIN", error))
        };
        let advance = async {
            match position {
                Some(position) => store.advance(session, checkpoint, position).await.map(Some),
                None => Ok(None),
            }
        };
        // Sent without waiting for one another; the server takes them in this order. COMMIT waits for all.
        let (begun, applied, advanced) =
            tokio::join!(biased; begin, applier.apply(session, changes, mode_of, way), advance);
        begun.map_err(|error| Attempt::Failed(error.into()))?;
        // Told first: where the next checkpoint is there already (23505) that has aborted the transaction, and what was sent
        // after it says only so. Where the head is another one nothing was written; the open transaction ends with its session.
        let advanced = match advanced {
            Err(error) if error.is_moved() => return Err(Attempt::Failed(error.into())),
            other => other,
        };
        let outcome = match applied {
            Ok(outcome) => outcome,
            Err(ApplyError::Conflict { table, message }) => return Err(Attempt::Conflict { table, message }),
            Err(ApplyError::Sink(error)) => return Err(Attempt::Failed(error.into())),
        };
        let next = advanced.map_err(|error| Attempt::Failed(error.into()))?;
        Ok((outcome, next))
    }

    /// The error with the row that it is about and its place in the source's log, where it is about a row. The session is another one
    /// afterwards, and of no use.
    async fn with_row(&mut self, error: TaskError, batch: &Batch, until: Option<&Position>) -> TaskError {
        let TaskError::Sink(error) = error else { return error };
        if !error.is_of_a_row() {
            return error.into();
        }
        let mut table = None;
        // Of a piece, what went before it is rolled back, and its rows meet another table: the same refusal is the same row's.
        let whole = until.filter(|_| !batch.continues);
        let mut place = match whole {
            Some(until) => format!("in what the source has committed until {}", until.file),
            None => "in a large transaction of the source".to_owned(),
        };
        let found = async {
            (self.session, self.applier) = connect(&self.context, &self.owner).await?;
            let at_work = AtWork { pid: self.session.backend_pid(), bounded: true };
            self.at_work.send_replace(Some(at_work));
            match refused(&self.session, &batch.changes, Existing::Keep, &error).await? {
                Some(refused) => {
                    table = self.only_feeder(refused.target());
                    if table.is_none() {
                        table = self.feeder_of(refused.target(), |column| refused.of_key(column));
                    }
                    Ok(refused.key(self.owner.session()).await?)
                }
                None => Ok::<_, TaskError>(None),
            }
        };
        match tokio::time::timeout(LOOKING, found).await {
            Ok(Ok(Some(key))) => place = format!("the row is {key}, {place}"),
            Ok(Ok(None)) => {}
            // What it is about is told all the same.
            Ok(Err(error)) => tracing::warn!(task = self.context.name, %error, "the row is not found"),
            Err(_) => tracing::warn!(task = self.context.name, "the row is not found in time"),
        }
        let error = error.at(&place).into();
        if whole.is_none() && table.is_none() {
            // Large ones are most often of one table.
            let mut targets = batch.changes.tables.iter().map(TableChanges::target);
            let only = targets.next().filter(|first| targets.all(|other| other == *first));
            table = only.and_then(|target| self.only_feeder(target));
        }
        match table {
            Some(table) => TaskError::OfTable { table, error: Box::new(error) },
            None => error,
        }
    }

    /// The source table that alone feeds a target table on this stream.
    fn only_feeder(&self, target: &TargetName) -> Option<TableName> {
        let mut feeders = self.recorded.values().filter(|recorded| recorded.target() == target);
        match (feeders.next(), feeders.next()) {
            (Some(one), None) => Some(one.name().clone()),
            _ => None,
        }
    }

    /// The one of several that feed a target table whose tag a row's key has; `in_key` tells what a column holds there.
    fn feeder_of<'k>(
        &self,
        target: &TargetName,
        in_key: impl Fn(&str) -> Option<&'k str>,
    ) -> Option<TableName> {
        let has_tag = |recorded: &&Recorded| {
            let Some((index, own)) = &recorded.mapping.source_tag else { return false };
            let column = recorded.mapping.target.columns.get(*index);
            recorded.target() == target && column.and_then(|column| in_key(&column.name)) == Some(own)
        };
        self.recorded.values().find(has_tag).map(|recorded| recorded.name().clone())
    }

    async fn record_caught_up(&mut self, tables: &[TableName]) -> Result<(), TaskError> {
        for table in tables {
            let recorded = self.recorded.get_mut(table).ok_or_else(|| TaskError::missing(table))?;
            // Should the commit fail, all of this goes with the attempt.
            recorded.state = TableState::Streaming;
            recorded.record(&self.store, &self.session).await?;
        }
        Ok(())
    }

    async fn schema(&mut self, mut unit: SchemaUnit) -> Result<(), TaskError> {
        let of = unit.of.take();
        let changed = self.change_schema(unit).await;
        changed.map_err(|error| self.in_log(error, of, None))
    }

    async fn change_schema(&mut self, unit: SchemaUnit) -> Result<(), TaskError> {
        // How long a change of a large table takes nobody knows.
        self.execute("BEGIN; SET LOCAL statement_timeout = 0").await?;
        for change in &unit.changes {
            for recorded in self.recorded.values_mut().filter(|one| one.target() == change.table()) {
                recorded.follows(change);
            }
            if let Err(error) = ddl::carry(&self.session, &self.store, change).await {
                let error = TaskError::from(error);
                let of_the_table = |table: &&TableName| {
                    let recorded = self.recorded.get(*table);
                    recorded.is_some_and(|recorded| recorded.target() == change.table())
                };
                return Err(match unit.tables.iter().find(of_the_table) {
                    Some(table) if !error.is_of_circumstances() => {
                        TaskError::Undone { table: table.clone(), error: Box::new(error) }
                    }
                    _ => error,
                });
            }
        }
        for change in unit.changes.iter().filter(|change| matches!(change, TargetChange::Empty { .. })) {
            for table in &unit.tables {
                if self.recorded.get(table).is_some_and(|one| one.target() == change.table()) {
                    self.store.forget_quarantined(&self.session, table).await?;
                }
            }
        }
        for (table, mapping) in &unit.versions {
            self.refuse_other_key(table, mapping)?;
            let recorded = self.recorded.get_mut(&table.name);
            let recorded = recorded.ok_or_else(|| TaskError::missing(&table.name))?;
            (recorded.table, recorded.mapping) = (table.clone(), mapping.clone());
            recorded.record_schema(&self.store, &self.session, &unit.position).await?;
            recorded.record(&self.store, &self.session).await?;
        }
        self.rename(&unit.renamed, &unit.position).await?;
        self.record_passed(&unit.skipped).await?;
        let next = self.store.advance(&self.session, &self.checkpoint, &unit.position).await?;
        self.execute("COMMIT").await?;
        self.tell_passed(&unit.skipped);
        self.tell_renamed(&unit.renamed);
        let versions = unit.versions.iter().map(|(table, _)| table.name.to_string());
        let tables: Vec<String> =
            versions.chain(unit.renamed.iter().map(|one| one.from.to_string())).collect();
        let tables = tables.join(", ");
        tracing::info!(task = self.context.name, tables, statement = unit.statement, position = %unit.position.file, "carried a schema change");
        self.durable(next, &unit.position, 1, unit.committed_micros, &[], true).await
    }

    /// A checkpoint is durable, and with it `work` or only that something was passed over: tell it, and tidy up now and then.
    async fn durable(
        &mut self,
        next: Checkpoint,
        position: &Position,
        transactions: u64,
        committed_micros: u64,
        caught_up: &[TableName],
        work: bool,
    ) -> Result<(), TaskError> {
        self.checkpoint = next;
        if !self.context.is_aside() {
            self.memory.gets_to(&position.file);
        }
        let committed = Committed { position, source_micros: committed_micros, caught_up, work };
        self.context.progress.step_and_tell(
            |progress, now| progress.commits(&committed, now),
            |task| {
                task.committed = now().seconds();
                task.transactions += transactions;
                task.batches += 1;
            },
        );
        if self.memory.is_caused() && self.context.progress.ask(TaskProgress::is_past_its_start) {
            self.memory.has_cause(false);
            if let Err(error) = self.store.forget_cause(&self.session).await {
                // It is told once more than it should.
                tracing::warn!(task = self.context.name, %error, "what stopped the task stays on record");
            }
            self.context.progress.tell(|task| task.cause = None);
        }
        self.record_statements_passed().await;
        if Store::prune_is_due(&self.checkpoint)
            && let Err(error) = self.prune().await
        {
            // The batch is durable all the same, and old checkpoints are pruned with a later one.
            tracing::warn!(task = self.context.name, %error, "old checkpoints were not pruned");
            self.execute("ROLLBACK").await?;
        }
        Ok(())
    }

    async fn prune(&self) -> Result<(), SinkError> {
        self.execute("BEGIN").await?;
        self.store.prune(&self.session, &self.checkpoint).await?;
        self.execute("COMMIT").await?;
        self.store.vacuum(&self.session).await
    }
}

/// Why a try at a batch did not come through.
enum Attempt {
    /// A row that must be new exists; the session is lost.
    Conflict { table: TargetName, message: String },
    /// Anything else.
    Failed(TaskError),
}

async fn connect(context: &Context, owner: &Owner) -> Result<(Session, Applier), TaskError> {
    let name = format!("rowferry/{}/apply", context.name);
    // Rows come in batches that no server works at for minutes. One that does is stuck: the statement ends, and is tried again on
    // another connection.
    let limit = context.task().apply.statement_timeout.as_millis().to_string();
    let connected = Applier::connect(context.target(), &name, &[("statement_timeout", &limit)]).await?;
    owner.register(&connected.0, "apply").await?;
    Ok(connected)
}
