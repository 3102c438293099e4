//! What can go wrong between a known table definition and what the log says of the table.

use crate::change::{Retry, TableName};

/// A definition that cannot be used, or that the log contradicts.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A table map describes another table than the one known at this position.
    #[error("{table}: the log describes column {column} differently from the known definition: {why}")]
    Contradiction {
        /// The source table.
        table: TableName,
        /// The column's name, or its number when only the log has it.
        column: String,
        /// What does not fit.
        why: String,
    },
}

impl SchemaError {
    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Contradiction { table, .. } => Retry::fix(format!(
                "the table was changed in a way the log did not tell: copy it again with `rowferry resync {table}`"
            )),
        }
    }
}
