//! Names in the target: how a source name is spelled there, and what no name may be.

use super::rules::Rules;
use super::{TableMapping, TransformError};
use crate::change::TableName;
use crate::change::policy::IdentifierCase;
use std::collections::BTreeMap;

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
        remedy: format!("give another name with {key}"),
    })
}

/// Refuses source tables of one task that would feed one target table without having been told to: by the case of
/// their names, or by two databases that go to one schema. One error a target table.
pub fn collisions<'a>(
    tables: impl IntoIterator<Item = (&'a TableMapping, &'a Rules)>,
) -> Vec<TransformError> {
    let mut by_target = BTreeMap::<_, Vec<_>>::new();
    for (mapping, rules) in tables {
        by_target.entry(&mapping.target.name).or_default().push((mapping, rules));
    }
    let told = |rules: &Rules| rules.options.target.is_some();
    by_target
        .into_iter()
        .filter_map(|(target, sources)| {
            let (first, rest) = sources.split_first()?;
            let stray = sources.iter().find(|(_, rules)| !told(rules))?;
            let other = rest.iter().chain([first]).find(|other| other.0.source != stray.0.source)?;
            Some(TransformError::Mapping {
                table: stray.0.source.clone(),
                why: format!("its target table {target} is also that of {}", other.0.source),
                remedy: "give one of them another name with target = \"…\" in its table options, or use \
                         identifier_case = \"preserve\"; to merge them on purpose, write target for each"
                    .into(),
            })
        })
        .collect()
}
