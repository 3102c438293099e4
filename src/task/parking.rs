//! One table's trouble is one table's: where an error concerns one table only, the task goes on without it. It is copied again beside the
//! others where a copy mends it, else parked, with what happened and what helps.
//!
//! What must never happen here: an error that concerns more than a table taken for one that does not.

use super::TaskError;
use super::context::Context;
use super::side::Sides;
use super::{prepare, tell};
use crate::change::policy::DdlPolicy;
use crate::change::state::{TableState, Trouble};
use crate::change::{Retry, TableName};
use crate::config::types::OnTableError;
use crate::sink::Owner;
use crate::status::now;

/// What becomes of the table that an error is about, where the others go on without it; `side` is the number of a new side stream.
pub(super) fn instead(
    context: &Context,
    error: &TaskError,
    side: impl FnOnce() -> u32,
) -> Option<(TableName, TableState)> {
    let table = error.table()?.clone();
    let policy = match error.ddl() {
        Some(kind) => context.ddl_policy(&table, kind),
        None if context.task().on_table_error == OnTableError::Stop => DdlPolicy::Stop,
        None => DdlPolicy::Park,
    };
    let remedy = match error.retry() {
        Retry::AfterFix { remedy } => remedy.to_string(),
        Retry::Never => String::new(),
        Retry::AfterBackoff => return None,
    };
    match policy {
        DdlPolicy::Stop => None,
        DdlPolicy::Recopy => {
            Some((table, TableState::Aside { side: side(), within: Box::new(TableState::Pending) }))
        }
        DdlPolicy::Park => {
            let trouble = Trouble { error: error.to_string(), remedy, since: now().seconds() };
            Some((table, TableState::Parked(trouble)))
        }
    }
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
    let Some((table, state)) = instead(context, error, || Sides::of(&stored).last() + 1) else {
        return Ok(false);
    };
    let known = prepare::known(context, &stored)?;
    let Some(recorded) = known.get(&table) else { return Ok(false) };
    prepare::transaction(session, "BEGIN").await?;
    // Nobody is to take a part of a table for the whole.
    if recorded.created && matches!(recorded.state, TableState::Snapshotting { .. }) {
        let others = known.values().filter(|other| other.name() != recorded.name());
        prepare::drop_or_empty(owner, recorded, others).await?;
    }
    store.restate(session, &table, &state).await?;
    prepare::transaction(session, "COMMIT").await?;
    tell_of(context, &table, &state, error);
    context.progress.step_and_tell(
        |progress, _| progress.lets_go(&table),
        |task| tell::moved(task, &table, recorded.target(), &state),
    );
    Ok(true)
}

/// Says in the log what became of a table.
pub(super) fn tell_of(context: &Context, table: &TableName, state: &TableState, error: &TaskError) {
    let task = &context.name;
    match state {
        TableState::Parked(trouble) => {
            let remedy = &trouble.remedy;
            tracing::error!(task, %table, remedy, "the table is parked, the others go on: {error}");
        }
        _ => tracing::warn!(task, %table, "the table is copied again, the others go on: {error}"),
    }
}
