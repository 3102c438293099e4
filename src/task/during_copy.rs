//! Statements that change a table while it is copied, and how its copy goes on behind them.
//!
//! Chunks ask for columns by the names that these have at the checkpoint, and are read at any time behind it. A statement may pass as long
//! as a name stands for one column from the table's P0 on: a chunk then reads what it means to, or fails because a name is gone.
//! Where it fails, the stream is followed up to now, convergently, into what is copied so far; the chunks that are missing are then
//! read under the definition that holds there. Rows that the stream has brought meanwhile stay where a chunk has them too: what
//! has become of them since then is still to come through the stream.
//!
//! What must never happen here: a value of one column taken for another's.

use super::TaskError;
use super::context::Context;
use super::memory::Memory;
use super::prepare::Prepared;
use super::recorded::Known;
use super::side::Sides;
use super::stream::{self, Company};
use super::tables::Carried;
use crate::change::names::{alike, folded};
use crate::change::state::{Checkpoint, TableState};
use crate::change::{FilePosition, TableName, TargetChange};
use crate::schema::Table;
use crate::sink::Owner;
use crate::transform::Translated;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A table's definition is no longer the one that its chunks ask for.
#[derive(Debug)]
pub(super) struct Moved {
    /// The definition that they ask for.
    pub(super) was: Table,
    /// What was noticed.
    pub(super) why: String,
}

/// Where a stream ends that only brings a copy up to now.
pub(super) struct Until {
    /// The log's end.
    pub(super) place: FilePosition,
    /// Ends the stream.
    pub(super) end: CancellationToken,
    /// See [`Halfway`].
    pub(super) sides: Option<Sides>,
}

/// Tables whose copy has not come to its end, as the stream takes them up.
pub(super) struct Halfway {
    pub(super) source: stream::Source,
    pub(super) prepared: Prepared,
    /// Tables that are none of theirs; of a main stream.
    pub(super) sides: Option<Sides>,
}

/// Brings tables whose copy has not come to its end up to now, with what they have of their rows.
///
/// # Errors
/// As [`stream::follow`]; and to copy the table again, where the log has not what has changed it.
pub(super) async fn advance(
    context: &Context,
    owner: &Arc<Owner>,
    halfway: Halfway,
    moved: Moved,
    memory: &Arc<Memory>,
    stop: &CancellationToken,
) -> Result<(), TaskError> {
    let Halfway { mut source, prepared, sides } = halfway;
    let place = source.server.log_end().await?.file;
    let (table, why) = (moved.was.name.clone(), moved.why);
    tracing::info!(task = context.name, %table, why, until = %place, "a table has changed while it is copied: its copy goes on behind that");
    let end = stop.child_token();
    let company = Company::Nobody(Until { place, end: end.clone(), sides });
    let followed = stream::follow(context, source, owner.clone(), prepared, memory.clone(), end, company);
    Box::pin(followed).await?;
    let stored = owner.store().load(owner.session()).await?;
    let is = stored.tables.get(&table).and_then(|table| table.schemas.last());
    if !stop.is_cancelled() && is.is_some_and(|schema| schema.table == moved.was) {
        return Err(TaskError::CopyAgain { table, why });
    }
    Ok(())
}

/// The first table among `copying` whose definition is no longer the one that is copied: one that its copy can go on behind,
/// or an error.
pub(super) fn moved(
    copying: &[TableName],
    tables: &Known,
    now: &[Table],
) -> Option<Result<Moved, TaskError>> {
    copying.iter().find_map(|name| {
        let was = &tables.get(name)?.table;
        let is = now.iter().find(|table| table.name == *name);
        let why = "its definition is another one by now".to_owned();
        match is {
            Some(is) if is == was => None,
            Some(is) if has_its_types(was, is) => Some(Ok(Moved { was: was.clone(), why })),
            _ => Some(Err(TaskError::CopyAgain { table: name.clone(), why })),
        }
    })
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
    let TableState::Snapshotting { from } = state else { return false };
    checkpoint.position != *from && checkpoint.position.includes(from)
}

/// The names of a table's columns, as they are compared.
pub(super) fn names(table: &Table) -> impl Iterator<Item = String> + '_ {
    table.columns.iter().map(|column| folded(&column.name))
}

/// Whether chunks that are read before a statement and behind it are of one kind: every carried column is what it was, whatever its name,
/// or is gone, and no name that one has had stands for another.
pub(super) fn is_harmless(before: &Carried, after: &Translated) -> bool {
    let moves = |change: &TargetChange| {
        matches!(
            change,
            TargetChange::AddColumn { .. }
                | TargetChange::RenameColumn { .. }
                | TargetChange::DropColumn { .. }
        )
    };
    if !after.changes.iter().all(moves) {
        return false;
    }
    // By its index before: where each carried column is now.
    let mut carried = Vec::new();
    for column in &before.mapping.columns {
        let Some(fed) = before.mapping.target.columns.get(column.target) else { return false };
        let now = target_now(&fed.name, &after.changes)
            .and_then(|name| after.mapping.target.columns.iter().position(|column| column.name == name))
            .and_then(|target| after.mapping.columns.iter().find(|column| column.target == target));
        carried.push((column.source, now.map(|column| column.source)));
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
            carried.contains(&(*old, Some(*new)))
                || matches!(names, (Some(old), Some(new)) if alike(&old.name, &new.name))
                    && is_one(*old, *new)
        });
    keep_types && keep_names && keep_key
}

/// The name of a target column behind these changes; `None` where it is gone.
fn target_now<'a>(name: &'a str, changes: &'a [TargetChange]) -> Option<&'a str> {
    changes.iter().try_fold(name, |name, change| match change {
        TargetChange::DropColumn { column, .. } if column == name => None,
        TargetChange::RenameColumn { from, to, .. } if from == name => Some(to.as_str()),
        _ => Some(name),
    })
}
