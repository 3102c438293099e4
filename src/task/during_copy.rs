//! Statements that change a table while it is copied, and how its copy goes on behind them.
//!
//! Chunks ask for columns by the names that these have at the checkpoint, and are read at any time behind it. A statement may pass as long
//! as a name stands for one column from the table's P0 on: a chunk then reads what it means to, or fails because a name is gone.
//! Where it fails, the stream is followed up to now, convergently, into what is copied so far; the chunks that are missing are then
//! read under the definition that holds there, once all that the stream has brought is visible to them: what it has taken out would come
//! back with them. Rows that it has brought stay where a chunk has them too: what has become of them since then is still to come.
//!
//! What must never happen here: a value of one column taken for another's.

use super::TaskError;
use super::context::Context;
use super::memory::Memory;
use super::prepare::ReadyGroup;
use super::recorded::Known;
use super::side::Sides;
use super::stream::{self, Company};
use super::tables::Carried;
use super::waiting;
use crate::change::names::{alike, folded};
use crate::change::state::{Checkpoint, TableState};
use crate::change::{FilePosition, TableName, TargetChange};
use crate::schema::Table;
use crate::sink::Owner;
use crate::source::server::Server;
use crate::transform::Translated;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long it is waited for what the log has to be visible, before a table is copied again instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// Chunks have failed, and a table's definition is no longer the one that they ask for.
#[derive(Debug)]
pub(super) struct Moved {
    /// The table.
    table: TableName,
    /// The definitions that chunks ask for.
    were: Vec<Table>,
    /// How they have failed.
    error: TaskError,
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
    pub(super) prepared: ReadyGroup,
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
    let Moved { table, were, error } = moved;
    let table = match &error {
        TaskError::CopyAgain { table, .. } => table.clone(),
        _ => table,
    };
    tracing::info!(task = context.name, %table, %error, until = %place, "a table has changed while it is copied: its copy goes on behind that");
    let end = stop.child_token();
    let company = Company::Nobody(Until { place, end: end.clone(), sides });
    let followed = stream::follow(context, source, owner.clone(), prepared, memory.clone(), end, company);
    Box::pin(followed).await?;
    let stored = owner.store().load(owner.session()).await?;
    let stays = |was: &Table| {
        let is = stored.tables.get(&was.name).filter(|is| is.state.is_of_main());
        is.and_then(|is| is.schemas.last()).is_some_and(|schema| schema.table == *was)
    };
    if stop.is_cancelled() || !were.iter().all(stays) {
        return Ok(());
    }
    // The log has nothing that they could have failed for.
    Err(match error {
        error if error.is_copy_again() || error.table().is_some() => error,
        other => TaskError::CopyAgain { table, why: other.to_string() },
    })
}

/// Waits until chunks see all that the stream has brought: what it has taken out would else come back with them. False where that is not
/// to be seen.
///
/// # Errors
/// When the source cannot be asked.
pub(super) async fn is_visible(
    context: &Context,
    server: &mut Server,
    checkpoint: &Checkpoint,
) -> Result<bool, TaskError> {
    let until = Instant::now() + PATIENCE;
    let mut told = false;
    while !waiting::waits(context, server.waits(), server.has_visible(&checkpoint.position)).await? {
        if Instant::now() > until {
            return Ok(false);
        }
        if !told {
            told = true;
            tracing::info!(task = context.name, position = %checkpoint.position, "the copy waits until what the log has so far is visible");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(true)
}

/// What follows from chunks that have failed: where the definition of a table among `copying` is no longer the one that is copied its copy
/// can go on behind that, or has to start over.
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
        if is == Some(was) {
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

/// The name of a target column behind these changes; `None` where it is gone.
fn target_now<'a>(name: &'a str, changes: &'a [TargetChange]) -> Option<&'a str> {
    changes.iter().try_fold(name, |name, change| match change {
        TargetChange::DropColumn { column, .. } if column == name => None,
        TargetChange::RenameColumn { from, to, .. } if from == name => Some(to.as_str()),
        _ => Some(name),
    })
}
