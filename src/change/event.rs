//! What the source's stream consists of, in binlog order.
//!
//! Sequence of one transaction: [`Change::Begin`], any number of [`Change::Rows`], [`Change::Commit`].
//! A transaction that touches nothing selected is a bare `Commit`. A statement that stands alone
//! ([`Change::Statement`]) is a boundary of its own.
//!
//! The rows of an XA transaction come with its XA COMMIT, under that GTID and place, although the log has them at XA PREPARE;
//! a bare `Commit` stands there. Each says so in its boundary.
//!
//! Rows come before it is known how their transaction ends. One that was rolled back at the source (only ever
//! logged when it also touched a non-transactional table) ends in [`Change::Rollback`] instead of `Commit`. Rows after a
//! savepoint come when the transaction is committed: what ROLLBACK TO took back never does.

use super::TableName;
use super::names::Affected;
use super::position::{FilePosition, TransactionId};
use super::prepared::XaStep;
use super::session::Session;
use crate::change::remedy::Remedy;
use bytes::Bytes;
use std::sync::Arc;

/// One item of the stream.
#[derive(Clone, Debug)]
pub enum Change {
    /// A transaction with selected rows starts.
    Begin {
        /// Its identifier, where the source has them.
        gtid: Option<TransactionId>,
        /// Where the event ends that begins it.
        begun: FilePosition,
    },
    /// Rows of the transaction that has begun.
    Rows(RowsEvent),
    /// The transaction that has begun was rolled back: all its rows are void. A boundary like `Commit`.
    Rollback(Boundary),
    /// A DDL statement that concerns, or may concern, a selected table. Complete in itself.
    Statement(StatementEvent),
    /// A statement that may have changed rows of selected tables, which the log does not hold. No boundary: it may stand inside a
    /// transaction, or its own `Commit` follows.
    Doubtful(DoubtfulEvent),
    /// The transaction (or an unselected one, or a harmless statement) ended here.
    Commit(Boundary),
    /// The source is alive and has nothing further: everything up to here has been sent.
    Heartbeat(FilePosition),
    /// A log file starts, or the stream was taken up inside one.
    LogFile(LogFile),
}

/// What a log file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its name.
    pub file: Arc<str>,
    /// When it was begun: seconds since 1970 UTC.
    pub begun: u32,
}

/// The end of a transaction: a place where the stream may be cut and resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// The transaction's identifier, where the source has them.
    pub gtid: Option<TransactionId>,
    /// File and offset of the end of its last event.
    pub file: FilePosition,
    /// When the source committed it: microseconds since 1970 UTC; 0 when the source does not say.
    pub committed_micros: u64,
    /// What it means for a prepared XA transaction.
    pub xa: Option<XaStep>,
}

/// A statement of the source's log together with all that decides how it is read.
#[derive(Clone, Debug)]
pub struct StatementEvent {
    /// The session's default database, empty when it had none.
    pub default_database: String,
    /// The statement's text, decoded from the session's character set.
    pub sql: String,
    /// The session that issued it.
    pub session: Session,
    /// The transaction it belongs to: that of `boundary`, or, where rows follow in the same transaction, the one that
    /// `boundary` stops short of.
    pub gtid: Option<TransactionId>,
    /// Where the event ends that begins that transaction: the statement itself, where it stands alone.
    pub begun: FilePosition,
    /// The statement is its own transaction; the stream may be cut after it.
    pub boundary: Boundary,
    /// What it did is not known for sure. Only who knows what is carried knows whether that matters.
    pub doubt: Option<Doubt>,
}

/// A statement that cannot be carried for the tables that it may have changed.
#[derive(Clone, Debug)]
pub struct DoubtfulEvent {
    /// Why.
    pub doubt: Doubt,
    /// What it may have changed.
    pub affected: Affected,
    /// A table that it has made.
    pub made: Option<TableName>,
    /// The transaction it belongs to.
    pub gtid: Option<TransactionId>,
    /// Where the event ends that begins that transaction: the statement itself, where it stands alone. `None` in an XA transaction, the
    /// rows of which come as another one.
    pub begun: Option<FilePosition>,
    /// Where the statement ends.
    pub position: FilePosition,
}

/// Why a statement cannot be carried, where it concerns a carried table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The key of `ddl_policy` that says what becomes of the tables.
    pub kind: &'static str,
    /// What is wrong.
    pub why: String,
    /// Its text, shortened.
    pub statement: String,
    /// What the user can do.
    pub remedy: Remedy,
    /// Tables that it may concern beside those that its text names.
    pub also: Vec<TableName>,
}

/// What a row event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsKind {
    /// `WRITE_ROWS`: after images.
    Insert,
    /// `UPDATE_ROWS`: before and after images in turn.
    Update,
    /// `DELETE_ROWS`: before images.
    Delete,
    /// `PARTIAL_UPDATE_ROWS`: before and after images in turn; of JSON values the after image may have what changed only,
    /// and begins with what says so.
    PartialUpdate,
}

impl RowsKind {
    /// Whether a row has an image before and one after.
    pub fn has_both_images(self) -> bool {
        matches!(self, Self::Update | Self::PartialUpdate)
    }
}

/// One row event, its rows still as the source wrote them.
#[derive(Clone, Debug)]
pub struct RowsEvent {
    /// The table map the event refers to.
    pub table: Arc<TableMap>,
    /// What it does.
    pub kind: RowsKind,
    /// Bit set of the columns in the (only or before) image, one bit a column, least significant first.
    pub columns: Bytes,
    /// The same for the after image of an update; empty otherwise.
    pub columns_after: Bytes,
    /// The row images, back to back.
    pub rows: Bytes,
    /// What the server has done about foreign keys that refer to its rows.
    pub references: References,
    /// Where the event ends, for messages.
    pub position: FilePosition,
}

/// What the server has done about foreign keys that refer to the rows of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// What they ask for, without a word in the log (but for MySQL 9.6 and later, see [`References::Logged`]).
    #[default]
    Followed,
    /// What they ask for, above the engine: the rows that this has changed have events of their own.
    Logged,
    /// Nothing: `foreign_key_checks` was off.
    Ignored,
}

/// A table as a `TABLE_MAP_EVENT` describes it (MySQL internals, "Table_map_event").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMap {
    /// The server's number for this table version; reused after a server restart.
    pub table_id: u64,
    /// Database and table as the event spells them.
    pub name: TableName,
    /// One column type code (`MYSQL_TYPE_*`) a column.
    pub types: Vec<u8>,
    /// Per column the type's metadata, 0 to 2 bytes little-endian as the event holds them in order
    /// (see `schema::binding` for what they mean per type).
    pub metadata: Vec<u16>,
    /// Bit set of nullable columns, least significant first.
    pub nullable: Vec<u8>,
    /// The optional metadata block (`binlog_row_metadata`), undecoded: `[type u8][length packed][value]…`.
    pub optional: Bytes,
}

impl Change {
    /// Bytes this item holds on to: what the bounded channel counts.
    pub fn weight_bytes(&self) -> usize {
        const ITEM: usize = 128;
        match self {
            Self::Rows(event) => ITEM + event.rows.len(),
            Self::Statement(event) => ITEM + event.sql.len(),
            Self::Doubtful(event) => ITEM + event.doubt.statement.len(),
            Self::Begin { .. }
            | Self::Rollback(_)
            | Self::Commit(_)
            | Self::Heartbeat(_)
            | Self::LogFile(_) => ITEM,
        }
    }
}
