//! What can go wrong when a table's definition is followed through the log.

use crate::change::remedy::Remedy;
use crate::change::{Retry, TableName};

/// A definition, table map or statement that does not fit what is known of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// A statement cannot be applied to the known definition, which therefore is not the source's.
    #[error("{table}: the statement does not fit the known definition: {why}")]
    Misfit {
        /// The source table.
        table: TableName,
        /// What does not fit.
        why: String,
    },
    /// The definition after a statement cannot be told from the statement alone.
    #[error("{table}: the definition after the statement is not certain: {why}")]
    Uncertain {
        /// The source table.
        table: TableName,
        /// What is not known.
        why: String,
    },
}

impl SchemaError {
    /// A statement that does not fit what is known of a table.
    pub(super) fn misfit(table: &TableName, why: impl Into<String>) -> Self {
        Self::Misfit { table: table.clone(), why: why.into() }
    }

    /// The source table that it is about.
    pub fn table(&self) -> &TableName {
        match self {
            Self::Contradiction { table, .. }
            | Self::Misfit { table, .. }
            | Self::Uncertain { table, .. } => table,
        }
    }

    /// Whether trying again can help. None of these passes by itself: the known definition is wrong or short.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Contradiction { table, .. }
            | Self::Misfit { table, .. }
            | Self::Uncertain { table, .. } => Retry::fix(Remedy::Resync { table: table.clone() }),
        }
    }
}
