//! Which statements a copy may go on after, and what follows from chunks that a statement has made fail: see `during_copy`.
//!
//! What must never happen here: a value of one column taken for another's.

use super::TaskError;
use super::recorded::Known;
use super::tables::Carried;
use crate::change::names::{alike, folded};
use crate::change::state::{Checkpoint, TableState};
use crate::change::{TableName, TargetChange};
use crate::schema::Table;
use crate::transform::Translated;

/// Chunks have failed, and a table's definition is no longer the one that they ask for.
#[derive(Debug)]
pub(super) struct Moved {
    /// The table.
    pub(super) table: TableName,
    /// The definitions that chunks ask for.
    pub(super) were: Vec<Table>,
    /// How they have failed.
    pub(super) error: TaskError,
}

/// What follows from chunks that have failed: where the definition of a table among `copying` is no longer the one that is copied its copy
/// can go on after that, or has to start over.
pub(super) fn moved(
    copying: &[TableName],
    tables: &Known,
    now: &[Table],
    error: TaskError,
) -> Result<Moved, TaskError> {
    let was = |name| Ok(tables.get(name).ok_or_else(|| TaskError::missing(name))?.table.clone());
    let were = copying.iter().map(was).collect::<Result<Vec<Table>, TaskError>>()?;
    let mut table = None;
    for was in &were {
        let is = now.iter().find(|table| table.name == was.name);
        // Foreign keys are nothing to a chunk.
        let without_keys = |table: &Table| Table { foreign_keys: Vec::new(), ..table.clone() };
        if is.map(without_keys) == Some(without_keys(was)) {
            continue;
        }
        if is.is_none_or(|is| !has_its_types(was, is)) {
            let why = "its definition is another one by now".to_owned();
            return Err(TaskError::CopyAgain { table: was.name.clone(), why });
        }
        table.get_or_insert_with(|| was.name.clone());
    }
    match table {
        Some(table) => Ok(Moved { table, were, error }),
        None => Err(error),
    }
}

/// Whether what has the same name in both is of one type. What is more only the log tells.
fn has_its_types(was: &Table, is: &Table) -> bool {
    was.primary_key.len() == is.primary_key.len()
        && was.columns.iter().all(|old| {
            let new = is.column_index(&old.name).and_then(|index| is.columns.get(index));
            new.is_none_or(|new| new.data_type == old.data_type)
        })
}

/// Whether the stream has brought rows of a table that is copied, which chunks meet.
pub(super) fn has_advanced(state: &TableState, checkpoint: &Checkpoint) -> bool {
    let TableState::Snapshotting { p0 } = state else { return false };
    checkpoint.position != *p0 && checkpoint.position.includes(p0)
}

/// Whether chunks that are read before a statement and after it are of one kind: every carried column is what it was, whatever its name,
/// or is gone, and no name that one has had stands for another.
pub(super) fn is_harmless(before: &Carried, after: &Translated) -> bool {
    let moves = |change: &TargetChange| match change {
        TargetChange::AddColumn { .. }
        | TargetChange::RenameColumn { .. }
        | TargetChange::DropColumn { .. } => true,
        // One that is kept, though the source has it no more, takes NULL.
        TargetChange::AlterColumn { column, .. } => {
            let mut columns = before.mapping.target.columns.iter();
            column.nullable && columns.any(|is| is.name == column.name && is.data_type == column.data_type)
        }
        TargetChange::Empty { .. } | TargetChange::RequireNone { .. } => false,
    };
    if !after.changes.iter().all(moves) {
        return false;
    }
    // By its index before: where each carried column is now.
    let mut carried = Vec::new();
    for column in &before.mapping.columns {
        let Some(fed) = before.mapping.target.columns.get(column.target) else { return false };
        let now = target_now(&fed.name, &after.changes).and_then(|name| after.mapping.source_of(name));
        carried.push((column.source, now));
    }
    let is_one = |old: usize, new: usize| match carried.iter().find(|(source, _)| *source == old) {
        Some((_, now)) => *now == Some(new),
        None => !carried.iter().any(|(_, now)| *now == Some(new)),
    };
    let keep_types = carried.iter().all(|(old, new)| {
        let Some(new) = new else { return true };
        let types = (before.table.columns.get(*old), after.table.columns.get(*new));
        matches!(types, (Some(old), Some(new)) if old.data_type == new.data_type)
    });
    // A name that stood for a column since P0 stands for that one, or for none.
    let keep_names = after.table.columns.iter().enumerate().all(|(index, column)| {
        !before.names.contains(&folded(&column.name))
            || before.table.column_index(&column.name).is_some_and(|old| is_one(old, index))
    });
    // Bounds of chunks are values of the key.
    let key = &before.table.primary_key;
    let keep_key = key.len() == after.table.primary_key.len()
        && key.iter().zip(&after.table.primary_key).all(|(old, new)| {
            let names = (before.table.columns.get(*old), after.table.columns.get(*new));
            let (Some(was), Some(is)) = names else { return false };
            was.data_type == is.data_type
                && (carried.contains(&(*old, Some(*new))) || alike(&was.name, &is.name) && is_one(*old, *new))
        });
    keep_types && keep_names && keep_key
}

/// The name of a target column after these changes; `None` where it is gone.
fn target_now<'a>(name: &'a str, changes: &'a [TargetChange]) -> Option<&'a str> {
    changes.iter().try_fold(name, |name, change| match change {
        TargetChange::DropColumn { column, .. } if column == name => None,
        TargetChange::RenameColumn { from, to, .. } if from == name => Some(to.as_str()),
        _ => Some(name),
    })
}
