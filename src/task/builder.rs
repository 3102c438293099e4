//! From stream items to units of apply: rows are decoded, encoded and compacted here, transactions are kept whole.
//!
//! Sequence of a transaction: `Begin`, `Rows`…, then `Commit` or `Rollback`. `sink::batch` keeps the
//! open transaction's rows apart until it commits and cuts batches; this decides when one is taken, with which definition
//! rows are read, and where tables change their mode.
//!
//! What must never happen here: a batch that ends inside a source transaction and carries a position; rows of two
//! definitions of one table in one batch; a statement overtaking rows.

mod asked;
mod together;
mod whole;

use super::TaskError;
use super::batch::TOGETHER;
use super::batch::{Handover, Joined, Place, RowsUnit, SchemaUnit, Unit};
use super::course::Course;
use super::family::Family;
use super::recorded::Recorded;
use super::tables::{Carried, Tables};
use super::translator::Translator;
use crate::change::policy::Operations;
use crate::change::state::TableState;
use crate::change::status::NotCarried;
use crate::change::{
    Affected, Boundary, Change, DoubtfulEvent, FilePosition, Position, RowsEvent, StatementEvent, TableName,
    TargetName, TransactionId, TransactionPlace,
};
use crate::sink::batch::{Batch, BatchBuilder, BatchLimits, Ready};
use crate::sink::store::Skip;
use crate::transform::{Images, Policies, TransformError};
use std::collections::{BTreeSet, VecDeque};
use tokio::sync::oneshot;

/// Builds units.
pub struct Builder<T> {
    tables: Tables,
    family: Family,
    translator: T,
    policies: Policies,
    operations: Operations,
    batch: BatchBuilder,
    gtid: Option<TransactionId>,
    in_transaction: bool,
    course: Course,
    ready: VecDeque<Unit>,
    /// Bytes of row events taken in.
    pub received_bytes: u64,
}

impl<T: Translator> Builder<T> {
    /// A builder that goes on after `position`.
    pub fn new(
        tables: Tables,
        translator: T,
        policies: Policies,
        operations: Operations,
        limits: BatchLimits,
        position: Position,
    ) -> Self {
        Self {
            family: Family::beginning(&position, &tables),
            tables,
            translator,
            policies,
            operations,
            batch: BatchBuilder::new(limits, position),
            gtid: None,
            in_transaction: false,
            course: Course::default(),
            ready: VecDeque::new(),
            received_bytes: 0,
        }
    }

    /// See [`BatchBuilder::taken_up_by_gtids`].
    pub fn taken_up_by_gtids(&mut self, until: FilePosition) {
        self.batch.taken_up_by_gtids(until);
    }

    /// It is that of a main stream: what it cannot take in is told with its transaction, and what of `asked` it meets is passed over. Up to
    /// `singly` transactions are not batched together.
    pub fn names_transactions(&mut self, asked: Vec<Skip>, singly: Option<FilePosition>) {
        self.course = Course::of_main(self.batch.position().server.clone(), asked, singly);
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
            Change::Begin { gtid, begun } => {
                self.course.begins(gtid.clone(), begun);
                self.gtid = gtid;
                self.in_transaction = true;
            }
            Change::Rows(event) => {
                let taken = self.rows(&event).await;
                taken.map_err(|error| self.course.stands(error, &event.position))?;
            }
            Change::Commit(boundary) => self.commit(&boundary),
            Change::Rollback(boundary) => self.rollback(&boundary),
            Change::Statement(event) => {
                let taken = self.statement(&event).await;
                taken.map_err(|error| self.course.stands(error, &event.begun))?;
            }
            Change::Doubtful(event) => {
                let taken = self.doubtful(&event).await;
                taken.map_err(|error| self.course.stands(error, &event.position))?;
            }
            Change::Heartbeat(file) => self.heartbeat(file),
            Change::LogFile(file) => self.batch.begin_file(&file),
        }
        Ok(())
    }

    async fn rows(&mut self, event: &RowsEvent) -> Result<(), TaskError> {
        self.received_bytes += u64::try_from(event.rows.len()).unwrap_or(0);
        if !self.course.over().is_nothing() && self.tables.is_carried(&event.table.name, self.course.over()) {
            return Ok(());
        }
        let Some((index, bound)) = self.tables.bind(event, self.gtid.as_ref())? else { return Ok(()) };
        self.course.takes_rows();
        let one = self.tables.get(index).ok_or_else(|| TaskError::missing(&event.table.name))?;
        if !self.operations.carry(event.kind) {
            return Ok(());
        }
        let whole = match one.plan.images(&one.table, &bound, event)? {
            Images::Whole => None,
            Images::Incomplete(incomplete) => whole::completed(&mut self.translator, &incomplete).await?,
            Images::Lacking => return self.doubtful(&whole::lacking(event, self.gtid.clone())).await,
        };
        let event = whole.as_ref().unwrap_or(event);
        let run = self.batch.run(one.plan.layout());
        match one.plan.encode_event(&bound, event, &self.operations, run) {
            Err(TransformError::Value { .. }) if self.translator.quarantines(&one.table.name) => {
                one.plan.encode_event_keeping(&bound, event, &self.operations, run)?;
            }
            encoded => encoded?,
        }
        let gtid = self.gtid.as_ref();
        let cascades = self.family.follows((&self.tables, index), &self.translator, &bound, event, gtid)?;
        if !cascades.is_empty() {
            return self.cascade(cascades, event);
        }
        loop {
            match self.batch.ready() {
                Ready::Full => self.close(),
                Ready::Piece => {
                    let piece = self.batch.take_piece();
                    let piece = piece.ok_or_else(|| TaskError::missing("the piece of a transaction"))?;
                    let of = self.course.place(&event.position);
                    self.push_of(piece, of);
                }
                Ready::Nothing | Ready::Position | Ready::Rows => return Ok(()),
            }
        }
    }

    fn commit(&mut self, boundary: &Boundary) {
        self.batch.commit(boundary);
        self.end_transaction(&boundary.file);
        if self.batch.ready() == Ready::Full || self.course.closes_at(&boundary.file) {
            self.close();
        }
        self.catch_up();
    }

    fn rollback(&mut self, boundary: &Boundary) {
        let pieces_are_out = self.batch.abandon(boundary);
        self.course.gives_up_rows();
        self.end_transaction(&boundary.file);
        if pieces_are_out {
            self.ready.push_back(Unit::Abandon);
        }
        self.catch_up();
    }

    fn end_transaction(&mut self, end: &FilePosition) {
        self.course.ends(end);
        self.in_transaction = false;
        self.gtid = None;
    }

    async fn statement(&mut self, event: &StatementEvent) -> Result<(), TaskError> {
        self.close();
        self.course.begins(event.gtid.clone(), event.begun.clone());
        let mut away = Vec::new();
        let mut translation = loop {
            match self
                .translator
                .translate(&mut self.tables, event, self.course.over(), self.batch.position())
                .await
            {
                Ok(translation) => break translation,
                Err(error) => self.put_aside(error, &mut away).await?,
            }
        };
        for (table, mapping) in &translation.versions {
            let index = self.tables.find(&table.name).ok_or_else(|| TaskError::missing(&table.name))?;
            self.tables.replace(index, table.clone(), mapping.clone(), self.policies)?;
        }
        for renamed in &translation.renamed {
            self.tables.rename(renamed, self.policies)?;
        }
        self.put_torn_aside(&mut away).await?;
        let is_away = |table: &TableName| away.iter().any(|(name, _)| name == table);
        translation.versions.retain(|(table, _)| !is_away(&table.name));
        // In front of the statement, so that the position is never past it while a table is still carried that cannot follow.
        if !away.is_empty() {
            self.hand_over(Handover { away, ..Handover::at(self.batch.position().clone()) });
        }
        self.batch.commit(&event.boundary);
        let of = self.course.place(&event.boundary.file);
        self.course.ends(&event.boundary.file);
        if translation.is_empty() {
            if self.course.has_passed() {
                self.close();
            }
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
            tables: std::mem::take(&mut translation.tables),
            versions: std::mem::take(&mut translation.versions),
            renamed: std::mem::take(&mut translation.renamed),
            position,
            committed_micros: event.boundary.committed_micros,
            statement: event.sql.clone(),
            of,
            skipped: self.course.hands_on().1,
        }));
        self.catch_up();
        Ok(())
    }

    /// Goes on without the tables that a statement may have changed: it may stand inside a transaction.
    async fn doubtful(&mut self, event: &DoubtfulEvent) -> Result<(), TaskError> {
        if let (false, Some(begun)) = (self.in_transaction, &event.begun) {
            self.course.begins(event.gtid.clone(), begun.clone());
        }
        // No place to meet others at until its transaction has ended: what they have not seen of it yet they would never see.
        self.in_transaction = true;
        if let Affected::Tables(names) = &event.affected {
            for name in names {
                self.tables.is_met(name);
            }
        }
        if let Some(made) = &event.made {
            self.tables.is_made(made, false);
        }
        if !self.course.over().is_nothing() {
            self.translator.pass_over(&self.tables, event, self.course.over(), self.batch.position()).await?;
        }
        let mut away = Vec::new();
        while let Some(error) = self.translator.doubted(&self.tables, event, self.course.over()) {
            // What is in the target of the open transaction is taken back there only with all of it.
            if self.batch.is_pumping() {
                return Err(error);
            }
            let one = error.table().and_then(|table| self.tables.get(self.tables.find(table)?));
            let layout = one.map(|one| one.plan.layout().clone());
            self.put_aside(error, &mut away).await?;
            if let Some(layout) = layout {
                self.batch.take_back(&layout);
            }
        }
        self.put_torn_aside(&mut away).await?;
        if !away.is_empty() {
            self.hand_over(Handover { away, ..Handover::at(self.batch.position().clone()) });
        }
        Ok(())
    }

    /// Takes the table that an error is about out of the stream, where the others go on without it.
    async fn put_aside(
        &mut self,
        error: TaskError,
        away: &mut Vec<(TableName, Option<TableState>)>,
    ) -> Result<(), TaskError> {
        // Those of one statement come back together.
        let side = match away.last() {
            Some((_, Some(TableState::Aside { side, .. }))) if !away.len().is_multiple_of(TOGETHER) => {
                Some(*side)
            }
            _ => None,
        };
        match self.translator.instead(&error, &self.tables, side).await? {
            Some((table, state)) if self.tables.put_aside(&table) => {
                match &state {
                    Some(TableState::Parked(trouble)) => self.tables.is_parked(&table, trouble.gone),
                    Some(_) => {}
                    None => self.tables.leave_out(table.clone(), None),
                }
                away.push((table, state));
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Whether a source transaction is open.
    pub fn is_inside(&self) -> bool {
        self.in_transaction
    }

    /// Where the whole transactions end that were taken in.
    pub fn position(&self) -> &Position {
        self.batch.position()
    }

    /// Whether a table has not reached P1.
    pub fn catching_up(&self) -> bool {
        self.tables.catching_up()
    }

    /// See [`Tables::add_newcomers`].
    pub fn add_newcomers(&mut self) {
        self.tables.add_newcomers();
    }

    /// See [`Tables::take_back`].
    pub fn take_back(&mut self) {
        self.tables.take_back();
    }

    /// Selected tables that have come, and parked ones that are there again: they are to be let in.
    pub fn came(&mut self) -> [Vec<TableName>; 2] {
        self.tables.take_came()
    }

    /// See [`Tables::is_parked`].
    pub fn is_parked(&mut self, table: &TableName, gone: bool) {
        self.tables.is_parked(table, gone);
    }

    /// See [`Tables::is_made`].
    pub fn is_there(&mut self, table: &TableName) {
        self.tables.is_made(table, true);
    }

    /// At a transaction boundary: tables that have come are those of a side stream of this number from here on.
    pub fn let_in(&mut self, side: u32, tables: Vec<TableName>, heard: Option<oneshot::Sender<bool>>) {
        for table in &tables {
            self.tables.is_let_in(table);
        }
        let came = Some((side, tables.into_iter().collect()));
        self.hand_over(Handover { came, heard, ..Handover::at(self.batch.position().clone()) });
    }

    /// See [`Tables::leave_out`].
    pub fn leave_out(&mut self, table: TableName, why: Option<String>) {
        self.tables.leave_out(table, why);
    }

    /// At a transaction boundary: takes over what a side stream has carried up to here.
    ///
    /// # Errors
    /// When a table has no plan.
    pub fn take_in(&mut self, joined: Joined) -> Result<(), TaskError> {
        let carried = joined.tables.iter().map(|recorded| {
            Carried::new(recorded, self.policies, self.translator.always_convergent(recorded.name()))
        });
        for one in carried.collect::<Result<Vec<_>, _>>()? {
            self.tables.take_in(one);
        }
        self.hand_over(Handover { joined: Some(joined), ..Handover::at(self.batch.position().clone()) });
        Ok(())
    }

    fn hand_over(&mut self, handover: Handover) {
        self.close();
        self.ready.push_back(Unit::Handover(handover));
        self.catch_up();
    }

    /// At a transaction boundary: copies take the places of the tables that they stand for; false when there are none.
    pub fn put_in_place(&mut self, tables: &[Recorded]) -> bool {
        let places = tables.iter().filter_map(|recorded| {
            let place = recorded.place.as_ref()?;
            Some((self.tables.find(recorded.name())?, recorded.name().clone(), place))
        });
        let places: Vec<_> = places.collect();
        if places.is_empty() {
            return false;
        }
        // What was taken in so far goes to the copies.
        self.close();
        for (index, _, place) in &places {
            self.tables.rename_target(*index, place);
        }
        let tables = places.into_iter().map(|(_, name, _)| name).collect();
        let position = self.batch.position().clone();
        self.ready.push_back(Unit::Place(Place { tables, position }));
        true
    }

    /// The tables as they are now; `before` says what never changes of them.
    pub fn recorded(&self, before: &[Recorded]) -> Vec<Recorded> {
        let now = |recorded: &Recorded| {
            let one = self.tables.get(self.tables.find(recorded.name())?)?;
            let (table, mapping) = (one.table.clone(), one.mapping.clone());
            Some(Recorded {
                table,
                mapping,
                state: TableState::Streaming,
                created: recorded.created,
                taken_out: recorded.taken_out,
                mixed: recorded.mixed,
                place: None,
                former: Vec::new(),
                renamed: Vec::new(),
                // It is past its copy.
                names: BTreeSet::new(),
            })
        };
        before.iter().filter_map(now).collect()
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
        let (of, skipped) = self.course.hands_on();
        self.ready.push_back(Unit::Rows(RowsUnit { batch, convergent, caught_up, of, skipped }));
    }

    /// Hands on a piece of a transaction.
    fn push_of(&mut self, batch: Batch, of: Option<TransactionPlace>) {
        let (convergent, caught_up) = (self.convergent(), Vec::new());
        self.ready.push_back(Unit::Rows(RowsUnit { batch, convergent, caught_up, of, skipped: Vec::new() }));
    }
}

#[cfg(test)]
mod tests;
