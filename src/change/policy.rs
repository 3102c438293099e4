//! What the user chose about values, names and statements: the part of the config that pure rooms need.

use super::RowsKind;
use std::collections::BTreeMap;

/// `operations`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    /// Carry inserts.
    pub insert: bool,
    /// Carry updates.
    pub update: bool,
    /// Carry deletes.
    pub delete: bool,
    /// Carry DDL.
    pub alter_table: bool,
}

impl Operations {
    /// Whether row events of this kind are carried.
    pub fn carry(self, kind: RowsKind) -> bool {
        match kind {
            RowsKind::Insert => self.insert,
            RowsKind::Update | RowsKind::PartialUpdate => self.update,
            RowsKind::Delete => self.delete,
        }
    }
}

/// `identifier_case`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierCase {
    /// Folded to lower case.
    Lower,
    /// As the source spells them.
    Preserve,
}

/// `zero_dates`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroDates {
    /// NULL; the target column is nullable.
    Null,
    /// An error.
    Error,
}

/// `zero_dates_in_keys`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDates {
    /// An error.
    Error,
    /// A date before Christ of its own.
    Bc,
}

/// `nul_bytes`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NulBytes {
    /// An error.
    Error,
    /// Left out.
    Strip,
    /// U+FFFD.
    Replace,
}

/// `bad_text`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadText {
    /// An error.
    Error,
    /// U+FFFD.
    Replace,
    /// Each byte as `\xHH`.
    Escape,
}

/// `bad_rows`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRows {
    /// Their table is parked.
    Park,
    /// They are kept in quarantine, and the table goes on.
    Quarantine,
}

/// `tinyint1`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TinyInt1 {
    /// `smallint`
    Smallint,
    /// `boolean`
    Boolean,
}

/// `time`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeAs {
    /// `interval`
    Interval,
    /// `time`
    Time,
}

/// What becomes of a table when a statement does something to it that cannot simply be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DdlPolicy {
    /// It is copied again beside the others.
    Recopy,
    /// It is parked.
    Park,
    /// The task stops.
    Stop,
    /// It goes on, and the target keeps what it has.
    Ignore,
    /// The same is done at the target.
    Apply,
}

/// Detail for one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// Target table name.
    pub target: Option<String>,
    /// Source column → target column.
    pub columns: BTreeMap<String, String>,
    /// Source columns left out.
    pub exclude_columns: Vec<String>,
    /// Source columns that make the target's primary key.
    pub primary_key: Option<Vec<String>>,
    /// Distribution.
    pub distributed_by: Option<Distributed>,
    /// Source column → target type as written.
    pub types: BTreeMap<String, String>,
    /// Name of the key column that says where a row is from.
    pub source_column: Option<String>,
    /// Text for WITH (…).
    pub storage: Option<String>,
    /// Policies that hold for this table, by what the statement does.
    pub ddl_policy: BTreeMap<String, DdlPolicy>,
    /// What becomes of rows that the target cannot hold.
    pub bad_rows: Option<BadRows>,
}

/// `distributed_by`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distributed {
    /// By source columns.
    By(Vec<String>),
    /// `"replicated"`
    Replicated,
}
