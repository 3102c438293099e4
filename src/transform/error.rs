//! What can go wrong between MySQL's bytes and the target's.

use crate::change::remedy::Remedy;
use crate::change::{Question, Retry, TableName};

/// A value, type or statement that cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// A value has no exact form in the target and the policy says to stop.
    #[error("{table}: column {column} of {row}: {why}")]
    Value {
        /// The source table.
        table: TableName,
        /// The source column.
        column: String,
        /// What is wrong with the value.
        why: String,
        /// The row, by its key, and where it was met.
        row: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// A source type cannot feed the target's column type.
    #[error("{table}: column {column}: {source_type} cannot be carried into {target_type}")]
    Type {
        /// The source table.
        table: TableName,
        /// The source column.
        column: String,
        /// MySQL type.
        source_type: String,
        /// Target type.
        target_type: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// Row bytes that do not end where their type says.
    #[error("{table}: malformed row image: {why}")]
    Malformed {
        /// The source table.
        table: TableName,
        /// What did not fit.
        why: String,
    },
    /// The table changed between the making of its plan and the reading of its rows; the copy group starts over.
    #[error("{table}: column {column} changed while the table was copied: {why}")]
    Changed {
        /// The source table.
        table: TableName,
        /// The source column.
        column: String,
        /// What was noticed.
        why: String,
    },
    /// What this program knows of the table contradicts itself: a defect.
    #[error("{table}: internal: {why}")]
    Internal {
        /// The source table.
        table: TableName,
        /// What contradicts what.
        why: String,
    },
    /// Names, keys or options that do not fit the table.
    #[error("{table}: {why}")]
    Mapping {
        /// The source table.
        table: TableName,
        /// What does not fit.
        why: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// The source has to be asked first. The task does that and translates again, so nobody gets to see this.
    #[error("the source was not asked: {0:?}")]
    Asks(Box<Question>),
    /// A DDL statement that the policy (or its nature) makes a reason to stop.
    #[error("{table}: {statement}: {why}")]
    Ddl {
        /// The source table.
        table: TableName,
        /// What it does, as a key of `ddl_policy`.
        kind: &'static str,
        /// The statement's text, shortened.
        statement: String,
        /// Why it stops the task.
        why: String,
        /// What the user can do.
        remedy: Remedy,
    },
}

impl TransformError {
    /// The message for where the table is named already.
    pub fn without_table(&self) -> String {
        let text = self.to_string();
        let named = match self {
            Self::Value { table, .. }
            | Self::Type { table, .. }
            | Self::Malformed { table, .. }
            | Self::Changed { table, .. }
            | Self::Internal { table, .. }
            | Self::Mapping { table, .. }
            | Self::Ddl { table, .. } => text.strip_prefix(&format!("{table}: ")),
            Self::Asks(_) => None,
        };
        named.unwrap_or(&text).to_owned()
    }

    /// The source table that it is about.
    pub fn table(&self) -> Option<&TableName> {
        match self {
            Self::Value { table, .. }
            | Self::Type { table, .. }
            | Self::Malformed { table, .. }
            | Self::Changed { table, .. }
            | Self::Internal { table, .. }
            | Self::Mapping { table, .. }
            | Self::Ddl { table, .. } => Some(table),
            Self::Asks(_) => None,
        }
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Value { remedy, .. }
            | Self::Type { remedy, .. }
            | Self::Mapping { remedy, .. }
            | Self::Ddl { remedy, .. } => Retry::fix(remedy.clone()),
            Self::Changed { .. } => Retry::AfterBackoff,
            Self::Malformed { .. } | Self::Internal { .. } | Self::Asks(_) => Retry::Never,
        }
    }
}
