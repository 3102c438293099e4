//! The language the rooms speak to each other: pure data, no I/O, nothing of ours imported.
//!
//! What flows: `source` makes [`Change`]s and [`ResultRows`]; `transform` turns them into
//! [`EncodedRows`]; `sink` applies those together with a [`Position`]. `task` moves them, and the
//! [`status`] model tells the outside what happened.
//!
//! What must never happen here: a flavour of MySQL or a dialect of the target showing through a type.

pub mod cascade;
pub mod command;
pub mod domain;
pub mod encoded;
pub mod event;
pub mod facts;
pub mod gtid;
pub mod names;
pub mod policy;
pub mod position;
pub mod prepared;
pub mod question;
pub mod remedy;
pub mod retry;
pub mod rows;
pub mod session;
pub mod shape;
pub mod standing;
pub mod state;
pub mod status;
pub mod unfit;
pub mod verdict;

pub use domain::{DomainGtid, Domains};
pub use encoded::{EncodedRows, RowLayout, RowOp, RowSpan};
pub use event::{
    Boundary, Change, Doubt, DoubtfulEvent, LogFile, References, RowsEvent, RowsKind, StatementEvent,
    TableMap,
};
pub use gtid::{Gtid, GtidSet, Tag, Uuid};
pub use names::{Affected, TableNames};
pub use position::{FilePosition, Position, Taken, TransactionId};
pub use prepared::{CommittedXa, Committer, ReadAgain, XaState, XaStep};
pub use question::{
    Answer, AnsweredValue, Answers, Asked, ComputedRow, Computing, Literals, Question, ValueKind,
};
pub use retry::Retry;
pub use rows::ResultRows;
pub use session::Session;
pub use shape::{TargetChange, TargetColumn, TargetName, TargetTable, TargetType};
pub use standing::{Standing, TransactionName, TransactionNameError, TransactionPlace};
pub use unfit::{Came, Unfit};

use serde::{Deserialize, Serialize};

/// A table of the source: database and name as the server spells them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The MySQL database (schema).
    pub database: String,
    /// The table's name inside its database.
    pub table: String,
}

impl TableName {
    /// Joins a database and a table name.
    pub fn new(database: impl Into<String>, table: impl Into<String>) -> Self {
        Self { database: database.into(), table: table.into() }
    }

    /// From `database.table`, as people write it.
    pub fn parse(name: &str) -> Option<Self> {
        name.split_once('.').map(|(database, table)| Self::new(database, table))
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}
