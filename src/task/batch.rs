//! What the builder hands to the applier: a batch of rows with how it is applied, or a schema change.

use super::recorded::Recorded;
use crate::change::cascade::Cascade;
use crate::change::state::TableState;
use crate::change::{FilePosition, Position, TableName, TargetChange, TargetName, TransactionPlace};
use crate::schema::Table;
use crate::sink::batch::{Batch, BatchEnd};
use crate::sink::store::Skip;
use crate::transform::TableMapping;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, oneshot};

/// How many tables that come at once are copied together.
pub const TOGETHER: usize = 100;

/// One unit of apply.
#[derive(Debug)]
pub enum Unit {
    /// Rows; with their end, one target transaction or a piece of one.
    Rows(RowsUnit),
    /// What foreign keys do, inside the target transaction that is open.
    Cascade(CascadeUnit),
    /// The effect of one DDL statement.
    Schema(SchemaUnit),
    /// Tables change from one stream to another.
    Handover(Handover),
    /// Tables that were copied beside others take their places.
    Place(Place),
    /// The source rolled back a transaction of which pieces have been handed on: so does the target.
    Abandon,
}

impl Unit {
    /// Where it ends in the source's log; `None` for what ends inside a transaction.
    pub fn until(&self) -> Option<&FilePosition> {
        match self {
            Self::Rows(unit) => match &unit.batch.end {
                BatchEnd::Commit(position) => Some(&position.file),
                BatchEnd::Open => None,
            },
            Self::Schema(unit) => Some(&unit.position.file),
            Self::Handover(unit) => Some(&unit.position.file),
            Self::Place(unit) => Some(&unit.position.file),
            Self::Cascade(_) | Self::Abandon => None,
        }
    }
}

/// Compacted rows.
#[derive(Debug)]
pub struct RowsUnit {
    /// The rows, and how they end.
    pub batch: Batch,
    /// Target tables whose rows are applied whatever is there.
    pub convergent: BTreeSet<TargetName>,
    /// Tables that reach P1 with this batch: from now on their state is Streaming.
    pub caught_up: Vec<TableName>,
    /// The one transaction whose rows these are, where it is one.
    pub of: Option<TransactionPlace>,
    /// What was passed over and lies before its end.
    pub skipped: Vec<Skip>,
}

/// What one event comes to in the tables that refer to its own.
#[derive(Debug)]
pub struct CascadeUnit {
    /// Key by key.
    pub cascades: Vec<Cascade>,
    /// The transaction of the event, where that may be told.
    pub of: Option<TransactionPlace>,
}

/// A schema change, its own target transaction.
#[derive(Debug)]
pub struct SchemaUnit {
    /// What happens to the target's tables.
    pub changes: Vec<TargetChange>,
    /// The source tables that these are made for.
    pub tables: Vec<TableName>,
    /// The new definitions and mappings.
    pub versions: Vec<(Table, TableMapping)>,
    /// Tables that have other names.
    pub renamed: Vec<Renamed>,
    /// Everything at or before it is then in the target.
    pub position: Position,
    /// Source commit time, microseconds since 1970.
    pub committed_micros: u64,
    /// The statement, for the log.
    pub statement: String,
    /// Its place in the source's log, where that may be told.
    pub of: Option<TransactionPlace>,
    /// As of rows.
    pub skipped: Vec<Skip>,
}

/// A table that has another name from a statement on.
#[derive(Debug)]
pub struct Renamed {
    /// The name that it had.
    pub from: TableName,
    /// Its definition under the new one.
    pub table: Table,
    /// How it is carried from here on.
    pub mapping: TableMapping,
}

/// A change of streams at a transaction boundary, its own target transaction.
#[derive(Debug)]
pub struct Handover {
    /// Tables that this stream lets go of, with their states from here on; without one the target's goes too.
    pub away: Vec<(TableName, Option<TableState>)>,
    /// Of these, those of this side stream come to one that runs.
    pub into: Option<u32>,
    /// Tables that come from a side stream.
    pub joined: Option<Joined>,
    /// Tables that nothing is on record of, or that are parked, and that a side stream of this number is to carry.
    pub came: Option<(u32, BTreeSet<TableName>)>,
    /// A paused table that a side stream of this number takes up from where it was.
    pub resumed: Option<(u32, TableName)>,
    /// A table that nobody carries from here on, and whether its rows in the target go.
    pub let_go: Option<(TableName, bool)>,
    /// Somebody waits for it to be durable, and for whether rows are gone that were to go.
    pub heard: Option<oneshot::Sender<bool>>,
    /// Everything at or before it is then in the target.
    pub position: Position,
}

impl Handover {
    /// One of nothing, at a place.
    pub fn at(position: Position) -> Self {
        Self {
            away: Vec::new(),
            into: None,
            joined: None,
            came: None,
            resumed: None,
            let_go: None,
            heard: None,
            position,
        }
    }
}

/// Tables that come from a side stream, which is at the same place.
#[derive(Debug)]
pub struct Joined {
    /// Its number.
    pub side: u32,
    /// The tables as they are there.
    pub tables: Vec<Recorded>,
    /// It is told when they are carried.
    pub done: mpsc::Sender<Answer>,
}

/// What the main stream answers a side stream.
#[derive(Debug)]
pub enum Answer {
    /// It holds there: come.
    ComeTo(FilePosition),
    /// Both are at one place: apply what is before it.
    Here,
    /// The main stream carries the tables, and that is durable.
    Joined,
}

/// Copies that take the places of other tables, in a target transaction of their own.
#[derive(Debug)]
pub struct Place {
    /// The source tables.
    pub tables: Vec<TableName>,
    /// Everything at or before it is then in the target.
    pub position: Position,
}
