//! From stream items to units of apply: rows are decoded, encoded and compacted here, transactions are kept whole.
//!
//! Sequence of a transaction: `Begin`, `Rows`…, then `Commit` or `Rollback`. `sink::batch` keeps the
//! open transaction's rows apart until it commits and cuts batches; this decides when one is taken, with which definition
//! rows are read, and where tables change their mode.
//!
//! What must never happen here: a batch that ends inside a source transaction and carries a position; rows of two
//! definitions of one table in one batch; a statement overtaking rows.

use super::TaskError;
use super::batch::{RowsUnit, SchemaUnit, Unit};
use super::tables::Tables;
use crate::change::policy::Operations;
use crate::change::status::NotCarried;
use crate::change::{
    Boundary, Change, FilePosition, Position, RowsEvent, StatementEvent, TableName, TargetName, TransactionId,
};
use crate::sink::batch::{Batch, BatchBuilder, BatchLimits, Ready};
use crate::transform::Policies;
use std::collections::{BTreeSet, VecDeque};

/// Makes the target follow a statement; joined in by the stream, which knows rules and config.
pub trait Translator: Send {
    /// Changes `tables` to their definitions after the statement and returns what the target has to do. The source may be asked
    /// on the way.
    ///
    /// # Errors
    /// When the statement cannot be carried under the policies, or the source cannot be asked.
    fn translate(
        &mut self,
        tables: &mut Tables,
        event: &StatementEvent,
    ) -> impl Future<Output = Result<Translation, TaskError>> + Send;
}

/// What a statement comes to.
#[derive(Debug, Default)]
pub struct Translation {
    /// Changes of target tables.
    pub changes: Vec<crate::change::TargetChange>,
    /// New definitions.
    pub versions: Vec<(crate::schema::Table, crate::transform::TableMapping)>,
}

/// Builds units.
pub struct Builder<T> {
    tables: Tables,
    translator: T,
    policies: Policies,
    operations: Operations,
    batch: BatchBuilder,
    gtid: Option<TransactionId>,
    in_transaction: bool,
    ready: VecDeque<Unit>,
    /// Bytes of row events taken in.
    pub received_bytes: u64,
}

impl<T: Translator> Builder<T> {
    /// A builder that goes on behind `position`.
    pub fn new(
        tables: Tables,
        translator: T,
        policies: Policies,
        operations: Operations,
        limits: BatchLimits,
        position: Position,
    ) -> Self {
        Self {
            tables,
            translator,
            policies,
            operations,
            batch: BatchBuilder::new(limits, position),
            gtid: None,
            in_transaction: false,
            ready: VecDeque::new(),
            received_bytes: 0,
        }
    }

    /// See [`BatchBuilder::taken_up_by_names`].
    pub fn taken_up_by_names(&mut self, until: FilePosition) {
        self.batch.taken_up_by_names(until);
    }

    /// A finished unit, oldest first.
    pub fn next_ready(&mut self) -> Option<Unit> {
        self.ready.pop_front()
    }

    /// See [`Tables::not_carried`].
    pub fn not_carried(&mut self) -> Option<NotCarried> {
        self.tables.not_carried()
    }

    /// What may be taken with [`Self::close`] now.
    pub fn state(&self) -> Ready {
        self.batch.ready()
    }

    /// Takes in one item.
    ///
    /// # Errors
    /// When it cannot be carried; nothing of its transaction is then in any batch that carries a position.
    pub async fn take(&mut self, change: Change) -> Result<(), TaskError> {
        match change {
            Change::Begin { gtid } => {
                self.gtid = gtid;
                self.in_transaction = true;
            }
            Change::Rows(event) => self.rows(&event)?,
            Change::Commit(boundary) => self.commit(&boundary),
            Change::Rollback(boundary) => self.rollback(&boundary),
            Change::Statement(event) => self.statement(&event).await?,
            Change::Heartbeat(file) => self.heartbeat(file),
            Change::LogFile(file) => self.batch.begin_file(&file),
        }
        Ok(())
    }

    fn rows(&mut self, event: &RowsEvent) -> Result<(), TaskError> {
        self.received_bytes += u64::try_from(event.rows.len()).unwrap_or(0);
        let Some((index, bound)) = self.tables.bind(event, self.gtid.as_ref())? else { return Ok(()) };
        let one = self.tables.get(index).ok_or_else(|| TaskError::missing(&event.table.name))?;
        one.plan.encode_event(&bound, event, &self.operations, self.batch.run(one.plan.layout()))?;
        loop {
            match self.batch.ready() {
                Ready::Full => self.close(),
                Ready::Piece => {
                    let piece = self.batch.take_piece();
                    let piece = piece.ok_or_else(|| TaskError::missing("the piece of a transaction"))?;
                    self.push(piece, Vec::new(), None);
                }
                Ready::Nothing | Ready::Position | Ready::Rows => return Ok(()),
            }
        }
    }

    fn commit(&mut self, boundary: &Boundary) {
        self.batch.commit(boundary);
        self.end_transaction();
        if self.batch.ready() == Ready::Full {
            self.close();
        }
        self.catch_up();
    }

    fn rollback(&mut self, boundary: &Boundary) {
        let pieces_are_out = self.batch.abandon(boundary);
        self.end_transaction();
        if pieces_are_out {
            self.ready.push_back(Unit::Abandon);
        }
        self.catch_up();
    }

    fn end_transaction(&mut self) {
        self.in_transaction = false;
        self.gtid = None;
    }

    async fn statement(&mut self, event: &StatementEvent) -> Result<(), TaskError> {
        self.close();
        let mut translation = self.translator.translate(&mut self.tables, event).await?;
        for (table, mapping) in &translation.versions {
            let index = self.tables.find(&table.name).ok_or_else(|| TaskError::missing(&table.name))?;
            self.tables.replace(index, table.clone(), mapping.clone(), self.policies)?;
        }
        self.batch.commit(&event.boundary);
        if translation.changes.is_empty() && translation.versions.is_empty() {
            self.catch_up();
            return Ok(());
        }
        // The position moves with the change itself, so the rows' builder has nothing left to say of it.
        let position = self.batch.position().clone();
        if self.batch.take().is_some_and(|batch| batch.continues || !batch.changes.is_empty()) {
            let why = format!("rows came before a statement in its transaction ({})", event.sql);
            return Err(TaskError::Internal(why));
        }
        self.ready.push_back(Unit::Schema(SchemaUnit {
            changes: std::mem::take(&mut translation.changes),
            versions: std::mem::take(&mut translation.versions),
            position,
            committed_micros: event.boundary.committed_micros,
            statement: event.sql.clone(),
        }));
        self.catch_up();
        Ok(())
    }

    fn heartbeat(&mut self, file: FilePosition) {
        // Inside a transaction a heartbeat only says that the source is alive.
        if !self.in_transaction {
            self.batch.move_to(file);
            self.catch_up();
        }
    }

    /// Where tables reach P1 the batch ends, so that each batch has one mode per table.
    fn catch_up(&mut self) {
        if !self.tables.catching_up() {
            return;
        }
        let convergent = self.convergent();
        let caught_up = self.tables.passed(self.batch.position());
        if !caught_up.is_empty() {
            let batch = self.batch.take().unwrap_or_else(|| self.batch.empty());
            self.push(batch, caught_up, Some(convergent));
        }
    }

    fn convergent(&self) -> BTreeSet<TargetName> {
        self.tables.iter().filter(|one| one.convergent()).map(|one| one.mapping.target.name.clone()).collect()
    }

    /// Closes the batch being filled, rows or not. Nothing when the position has not moved.
    pub fn close(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.push(batch, Vec::new(), None);
        }
    }

    fn push(&mut self, batch: Batch, caught_up: Vec<TableName>, convergent: Option<BTreeSet<TargetName>>) {
        let convergent = convergent.unwrap_or_else(|| self.convergent());
        self.ready.push_back(Unit::Rows(RowsUnit { batch, convergent, caught_up }));
    }
}
