//! One table's trouble is one table's: where an error concerns one table only, the task goes on without it. It is copied again beside the
//! others where a copy mends it, else parked, with what happened and what helps.
//!
//! What must never happen here: an error that concerns more than a table taken for one that does not.

use super::TaskError;
use super::context::Context;
use super::gather::Gathered;
use super::sides::Sides;
use super::{pausing, prepare, targets, tell};
use crate::change::policy::DdlPolicy;
use crate::change::remedy::Remedy;
use crate::change::state::{TableState, Trouble};
use crate::change::{Retry, TableName};
use crate::config::types::{ExistingTables, OnTableError, Selection};
use crate::precheck::restarting::{self, Begun};
use crate::precheck::{Item, Report};
use crate::sink::{Owner, Session};
use crate::source::server::Server;
use crate::status::now;
use std::collections::BTreeSet;

/// What becomes of the table that an error is about, where the others go on without it: its state from here on, or none where its target
/// goes with it. `side` is the number of a new side stream.
///
/// # Errors
/// When the source has to be asked how large the table is, and cannot be.
pub(super) async fn instead(
    context: &Context,
    error: &TaskError,
    side: impl FnOnce() -> u32,
) -> Result<Option<(TableName, Option<TableState>)>, TaskError> {
    let Some(table) = error.table().cloned() else { return Ok(None) };
    let policy = match error.ddl() {
        Some(kind) => context.ddl_policy(&table, kind),
        None if context.task().on_table_error == OnTableError::Stop => DdlPolicy::Stop,
        None => DdlPolicy::Park,
    };
    let remedy = match error.retry() {
        Retry::AfterFix { remedy } => and_again(context, remedy, &table, error).to_string(),
        Retry::Never => String::new(),
        Retry::AfterBackoff => return Ok(None),
    };
    let (error, gone, since) = (error.to_string(), error.is_of_absence(), now().seconds());
    let state = match policy {
        DdlPolicy::Stop => return Ok(None),
        DdlPolicy::Apply => None,
        DdlPolicy::Recopy | DdlPolicy::Ignore => Some(match above_limit(context, &table).await? {
            None => TableState::Aside { side: side(), within: Box::new(TableState::Pending) },
            Some(rows) => {
                let limit = context.task().recopy_limit;
                let error = format!(
                    "{error}; it has about {rows} rows, and recopy_limit = {limit} keeps it from being copied again by itself"
                );
                let remedy = Remedy::Resync { table: table.clone() }.to_string();
                TableState::Parked(Trouble { error, remedy, since, gone })
            }
        }),
        DdlPolicy::Park => Some(TableState::Parked(Trouble { error, remedy, since, gone })),
    };
    Ok(Some((table, state)))
}

/// What brings a parked table back: what mends the trouble, and then a copy, where one can be made. One that is gone comes back by itself.
fn and_again(context: &Context, remedy: Remedy, table: &TableName, error: &TaskError) -> Remedy {
    let again = Remedy::Resync { table: table.clone() };
    let task = context.task();
    if error.is_of_absence() || remedy.is_a_way_out() || matches!(error, TaskError::Unreplaceable { .. }) {
        return remedy;
    }
    if !task.initial_data || task.existing_tables == ExistingTables::Ignore {
        return remedy;
    }
    // Nothing else brings it back while the others go on.
    match remedy.before_resync() {
        Some(first) => first.and(again),
        None => again,
    }
}

/// How many rows a table has, where that is more than are copied again by themselves.
async fn above_limit(context: &Context, table: &TableName) -> Result<Option<u64>, TaskError> {
    let limit = context.task().recopy_limit;
    if limit == 0 {
        return Ok(None);
    }
    let selected = Selection::only(&BTreeSet::from([table.clone()]));
    let selected =
        selected.map_err(|error| TaskError::Internal(format!("a selection of a name: {error}")))?;
    let mut server = Server::connect(context.source()).await?;
    let (facts, _) = server.facts(&selected).await?;
    server.close().await;
    let rows = facts.tables.get(table).map(|table| table.estimated_rows);
    Ok(rows.filter(|rows| *rows > limit))
}

/// Puts the table that an error is about aside; false where the error concerns more than that.
///
/// # Errors
/// When the target fails.
pub(super) async fn park(context: &Context, owner: &Owner, error: &TaskError) -> Result<bool, TaskError> {
    let (session, store) = (owner.session(), owner.store());
    if error.table().is_none() {
        return Ok(false);
    }
    let stored = store.load(session).await?;
    let instead = instead(context, error, || Sides::of(&stored).last() + 1).await?;
    let Some((table, state)) = instead else { return Ok(false) };
    let known = prepare::known(context, &stored)?;
    // One that has not begun has nothing to put aside.
    let Some(recorded) = known.get(&table) else { return Ok(false) };
    prepare::transaction(session, "BEGIN").await?;
    // Nobody is to take a part of a table for the whole.
    if state.is_none() || matches!(recorded.state, TableState::Snapshotting { .. }) {
        targets::take_out_copy(session, &store, recorded).await?;
    }
    match &state {
        Some(state) => store.restate(session, &table, state).await?,
        None => store.forget_table(session, &table).await?,
    }
    prepare::transaction(session, "COMMIT").await?;
    tell_of(context, &table, state.as_ref(), error);
    context.progress.step_and_tell(
        |progress, _| progress.lets_go(&table),
        |task| tell::away(task, &table, recorded.target(), state.as_ref()),
    );
    Ok(true)
}

/// What the precheck refuses of tables on record, where that is all that it refuses and the others may go on: an error for each of them.
pub(super) fn refused(context: &Context, gathered: &Gathered, report: &Report) -> Vec<TaskError> {
    let task = context.task();
    if task.on_table_error == OnTableError::Stop {
        return Vec::new();
    }
    // The rows of others are not there yet: their copy goes on once all is mended.
    let flowing = gathered
        .on_record(|table| matches!(table.state, TableState::Streaming | TableState::CatchingUp { .. }));
    let begun = Begun { before: &gathered.begun_before(), taken_out: &gathered.taken_out() };
    let refused = restarting::refused(&flowing, &begun, &gathered.mappings, report);
    // A copy has none of the rows and values that the source has no more, and makes no table that the user wants to make.
    let is_lasting = |table: &TableName, items: &[&Item]| {
        flowing.contains(table) && (context.keeps_rows(table) || !task.operations.update)
            || !task.initial_schema && items.iter().any(|item| item.code == "target.table")
    };
    if refused.iter().any(|(table, items)| is_lasting(table, items)) {
        return Vec::new();
    }
    let error = |(table, items): (&TableName, Vec<&Item>)| {
        let again = Remedy::Resync { table: table.clone() };
        // That comes after all of them.
        let each = items.iter().filter_map(|item| item.remedy.clone()?.before_resync());
        let remedy = Remedy::all(each).unwrap_or(again);
        let why: Vec<&str> = items.iter().map(|item| item.why.as_str()).collect();
        let error = Box::new(TaskError::Precheck { summary: why.join("; "), remedy });
        TaskError::OfTable { table: table.clone(), error }
    };
    refused.into_iter().map(error).collect()
}

/// Takes the task, and parks the tables that the precheck refuses; false where one of them could not be copied again. Where the records are no
/// longer those that were judged nothing is done.
pub(super) async fn park_refused(
    context: &Context,
    session: Session,
    gathered: &Gathered,
    refused: Vec<TaskError>,
) -> Result<bool, TaskError> {
    let (owner, stored) = Owner::take_with(session, &context.name).await?;
    pausing::refuse_resting(&owner, &stored).await?;
    let is_judged = gathered.stored.as_ref().is_some_and(|judged| judged.is_at(&stored));
    if !is_judged {
        return Ok(true);
    }
    let mut parked = Vec::new();
    for error in &refused {
        let state = instead(context, error, || Sides::of(&stored).last() + 1).await?;
        let Some((name, Some(state))) = state else { return Ok(false) };
        let table = stored.tables.get(&name).ok_or_else(|| TaskError::missing(&name))?;
        match targets::is_replaceable(context, &owner, &name, table).await {
            Ok(()) => parked.push((name, table.target.clone(), state, error)),
            Err(why @ TaskError::Unreplaceable { .. }) => {
                tracing::warn!(task = context.name, table = %name, "the table is not parked: {why}");
                return Ok(false);
            }
            Err(other) => return Err(other),
        }
    }
    let (session, store) = (owner.session(), owner.store());
    prepare::transaction(session, "BEGIN").await?;
    for (name, _, state, _) in &parked {
        store.restate(session, name, state).await?;
    }
    prepare::transaction(session, "COMMIT").await?;
    for (name, target, state, error) in &parked {
        tell_of(context, name, Some(state), error);
        context.progress.step_and_tell(
            |progress, _| progress.lets_go(name),
            |task| tell::away(task, name, target, Some(state)),
        );
    }
    Ok(true)
}

/// Says in the log what became of a table.
pub(super) fn tell_of(context: &Context, table: &TableName, state: Option<&TableState>, error: &TaskError) {
    let task = &context.name;
    match state {
        None => tracing::warn!(task, %table, "the target table goes too, as ddl_policy says: {error}"),
        Some(TableState::Parked(trouble)) => {
            let remedy = &trouble.remedy;
            tracing::error!(task, %table, remedy, "the table is parked, the others go on: {error}");
        }
        Some(_) => tracing::warn!(task, %table, "the table is copied again, the others go on: {error}"),
    }
}
