//! Which target table and columns a source table feeds: the result of names, types and policies.

use crate::change::{TableName, TargetTable};

/// How one source table is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMapping {
    /// The source table.
    pub source: TableName,
    /// The wanted target table (what `CREATE TABLE` makes; an existing one is compared with it).
    pub target: TargetTable,
    /// The carried columns, in the source table's column order.
    pub columns: Vec<ColumnMapping>,
    /// Text put into an extra leading key column of the target (`source_column`): its target column's
    /// index and the constant `<task>:<db>.<table>`.
    pub source_tag: Option<(usize, String)>,
}

/// How one source column is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMapping {
    /// Index into the source table's columns.
    pub source: usize,
    /// Index into the target table's columns.
    pub target: usize,
}
