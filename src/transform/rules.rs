//! What the config says about one source table, resolved: the input of mapping and DDL translation.

use crate::change::TableName;
use crate::change::names::alike;
use crate::change::policy::{IdentifierCase, Operations, TableOptions, TimeAs, TinyInt1, ZeroDates};
use std::collections::BTreeMap;

/// The rules for one source table. The task makes one a table from its config and from what it found at the target.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The task's name: part of the source tag.
    pub task: String,
    /// Database → schema, where not the same.
    pub schemas: BTreeMap<String, String>,
    /// How names are spelled in the target.
    pub identifier_case: IdentifierCase,
    /// What a zero date becomes.
    pub zero_dates: ZeroDates,
    /// What `TINYINT(1)` becomes.
    pub tinyint1: TinyInt1,
    /// What TIME becomes.
    pub time: TimeAs,
    /// What is carried.
    pub operations: Operations,
    /// Foreign keys whose cascades were accepted (`accept_cascades`), of all tables.
    pub accepted_cascades: Vec<String>,
    /// The table's own options.
    pub options: TableOptions,
    /// The options were written for this very table, not for a glob: a column they name must be there.
    pub exact_options: bool,
    /// The target table may hold rows that are none of the source's (`existing_tables = "ignore"`).
    pub foreign_rows: bool,
    /// Other source tables feed the same target table.
    pub shared_target: bool,
    /// The source may leave generated columns out of the rows that it logs.
    pub omits_generated: bool,
    /// What statements do to the table that passes, or is done at the target, by the kinds of `ddl_policy`.
    pub passing: BTreeMap<&'static str, Passing>,
}

/// What becomes of something that a statement does to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// The target keeps what it has.
    Ignored,
    /// The same is done at the target.
    Applied,
}

impl Rules {
    /// The target column a source column was given by name.
    pub fn renamed(&self, column: &str) -> Option<&str> {
        by_name(&self.options.columns, column)
    }

    /// The target type a source column was given, as written.
    pub fn type_override(&self, column: &str) -> Option<&str> {
        by_name(&self.options.types, column)
    }

    /// Whether a source column is left out.
    pub fn excludes(&self, column: &str) -> bool {
        self.options.exclude_columns.iter().any(|name| alike(name, column))
    }

    /// The text of the source tag for a table.
    pub fn tag(&self, table: &TableName) -> String {
        format!("{}:{table}", self.task)
    }
}

/// MySQL's column names are case-insensitive, so the config's are.
fn by_name<'a>(map: &'a BTreeMap<String, String>, column: &str) -> Option<&'a str> {
    map.get(column)
        .or_else(|| map.iter().find(|(name, _)| alike(name, column)).map(|(_, value)| value))
        .map(String::as_str)
}
