//! Names in the target: how a source name is spelled there, and what no name may be.

use super::TransformError;
use super::rules::Rules;
use crate::change::TableName;
use crate::change::policy::IdentifierCase;
use crate::change::remedy::Remedy;

/// Longest identifier in bytes; the target cuts longer ones silently (PostgreSQL docs, "Identifiers and Key Words").
pub const LONGEST_IDENTIFIER_BYTES: usize = 63;

/// Column names that every table has already (PostgreSQL docs, "System Columns"; Greenplum adds the last).
const SYSTEM_COLUMNS: [&str; 7] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "gp_segment_id"];

/// A source name as it is spelled in the target.
pub fn spelled(name: &str, case: IdentifierCase) -> String {
    match case {
        IdentifierCase::Lower => name.to_lowercase(),
        IdentifierCase::Preserve => name.to_owned(),
    }
}

/// The target schema of a source database. A name written in the config is taken as written.
pub fn schema_name(database: &str, rules: &Rules) -> String {
    rules.schemas.get(database).cloned().unwrap_or_else(|| spelled(database, rules.identifier_case))
}

/// The target table of a source table.
pub fn table_name(table: &str, rules: &Rules) -> String {
    rules.options.target.clone().unwrap_or_else(|| spelled(table, rules.identifier_case))
}

/// The target column of a source column.
pub fn column_name(column: &str, rules: &Rules) -> String {
    rules.renamed(column).map_or_else(|| spelled(column, rules.identifier_case), str::to_owned)
}

/// Refuses a name the target cannot have. `what` and `key` say what it names and where it can be changed.
pub(super) fn check(table: &TableName, name: &str, what: &str, key: &str) -> Result<(), TransformError> {
    let why = if name.is_empty() {
        format!("the {what} name would be empty")
    } else if name.contains('\0') {
        format!("the {what} name holds a NUL")
    } else if name.len() > LONGEST_IDENTIFIER_BYTES {
        format!(
            "the {what} name \"{name}\" has {} bytes; the target takes {LONGEST_IDENTIFIER_BYTES}",
            name.len()
        )
    } else if what == "column" && SYSTEM_COLUMNS.contains(&name) {
        format!("\"{name}\" is a system column of every target table")
    } else {
        return Ok(());
    };
    Err(TransformError::Mapping {
        table: table.clone(),
        why,
        remedy: Remedy::OtherName { key: key.to_owned() },
    })
}
