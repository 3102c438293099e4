//! Columns that cannot be carried: all of a table are told at once, with one list that leaves them all out. A list of one column
//! at a time would replace the one before it.

use super::super::TransformError;
use super::Rules;
use crate::change::{Retry, TableName};

/// `exclude_columns = […]` of what is left out already and this column.
pub(in crate::transform) fn excluded(already: &[String], column: &str) -> String {
    let names = already.iter().map(String::as_str).chain([column]);
    let names: Vec<String> = names.map(quoted).collect();
    format!("exclude_columns = [{}]", names.join(", "))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The error of one column, its remedy naming those that are left out already too.
pub(super) fn column(error: TransformError, name: &str, rules: &Rules) -> TransformError {
    let (one, all) = (excluded(&[], name), excluded(&rules.options.exclude_columns, name));
    with_remedy(error, |remedy| remedy.replace(&one, &all))
}

/// One error for all refused columns of a table.
pub(super) fn columns(
    table: &TableName,
    mut refused: Vec<(&str, TransformError)>,
    rules: &Rules,
) -> Option<TransformError> {
    if refused.len() < 2 {
        return refused.pop().map(|(name, error)| column(error, name, rules));
    }
    let mut names = rules.options.exclude_columns.clone();
    let (mut whys, mut remedies) = (Vec::new(), Vec::new());
    for (name, error) in &refused {
        whys.push(error.without_table());
        if let Retry::AfterFix { remedy } = error.retry() {
            if remedy.contains(&excluded(&[], name)) {
                names.push((*name).to_owned());
            }
            remedies.push((*name, remedy));
        }
    }
    let last = names.pop();
    let all = last.map(|last| excluded(&names, &last)).unwrap_or_default();
    let mut told: Vec<String> = Vec::new();
    for (name, remedy) in remedies {
        let remedy = remedy.replace(&excluded(&[], name), &all);
        if !told.contains(&remedy) {
            told.push(remedy);
        }
    }
    Some(super::mapping_error(table, whys.join("; "), told.join("; ")))
}

fn with_remedy(error: TransformError, change: impl Fn(&str) -> String) -> TransformError {
    match error {
        TransformError::Type { table, column, source_type, target_type, remedy } => {
            TransformError::Type { table, column, source_type, target_type, remedy: change(&remedy) }
        }
        TransformError::Mapping { table, why, remedy } => {
            TransformError::Mapping { table, why, remedy: change(&remedy) }
        }
        other => other,
    }
}
