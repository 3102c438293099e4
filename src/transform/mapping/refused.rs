//! Columns that cannot be carried: all of a table are told at once, with one list that leaves them all out. A list of one column
//! at a time would replace the one before it.

use super::super::TransformError;
use super::Rules;
use crate::change::remedy::Remedy;
use crate::change::{Retry, TableName};

/// The error of one column, its remedy naming those that are left out already too.
pub(super) fn column(error: TransformError, name: &str, rules: &Rules) -> TransformError {
    let mut columns = rules.options.exclude_columns.clone();
    columns.push(name.to_owned());
    leaving_out(error, &columns)
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
    let mut columns = rules.options.exclude_columns.clone();
    let (mut whys, mut remedies) = (Vec::new(), Vec::new());
    for (name, error) in &refused {
        whys.push(error.without_table());
        if let Retry::AfterFix { remedy } = error.retry() {
            if remedy.steps().iter().any(|step| matches!(step, Remedy::LeaveOutColumns { .. })) {
                columns.push((*name).to_owned());
            }
            remedies.push(remedy);
        }
    }
    let remedy = Remedy::all(remedies.into_iter().map(|remedy| remedy.leaving_out(&columns)))?;
    Some(super::mapping_error(table, whys.join("; "), remedy))
}

fn leaving_out(mut error: TransformError, columns: &[String]) -> TransformError {
    if let TransformError::Type { remedy, .. } | TransformError::Mapping { remedy, .. } = &mut error {
        *remedy = remedy.clone().leaving_out(columns);
    }
    error
}
