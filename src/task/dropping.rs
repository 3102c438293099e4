//! Ends a task for good: its records go, its copies that no reader knows go, and its rows where that is wished.
//!
//! What must never happen here: a task begun anew because a drop was cut off. That it is dropped is on record before anything else goes.

use super::TaskError;
use super::context::Context;
use super::pausing;
use super::prepare::transaction;
use super::progress::Progress;
use super::{recorded, targets};
use crate::change::TableName;
use crate::change::state::Rest;
use crate::config::Config;
use crate::sink::store::{self, StoredTable};
use crate::sink::{Owner, ddl};
use crate::status::{Board, now};
use std::sync::Arc;

/// Drops a task that nobody runs. Says what has become of it.
///
/// # Errors
/// When a daemon runs the task, or when the target cannot be asked: what is left then goes when the task is dropped once more.
pub async fn drop_task(
    name: &str,
    config: &Arc<Config>,
    remove_rows: bool,
) -> Result<Vec<String>, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let (session, rest) = pausing::ask(&context).await?;
    let is_there = store::is_there(&session, name).await?;
    if !is_there && matches!(rest, Some(Rest::Dropped(_))) {
        return Ok(vec![format!("task {name} is dropped already")]);
    }
    drop(session);
    let owner = Owner::take(context.target(), name).await?;
    let (session, records) = (owner.session(), owner.store());
    records.record_rest(session, Rest::Dropped(now().seconds())).await?;
    let stored = records.load(session).await?;
    let mut lines = Vec::new();
    for (table, known) in &stored.tables {
        if !take_out(&context, &owner, table, known, remove_rows).await? {
            let target = &known.target;
            lines
                .push(format!("{table}: its rows in {target} cannot be told from those of others, and stay"));
        }
    }
    store::remove(session, name).await?;
    let rows = if remove_rows { "with its rows in the target" } else { "its target tables stay" };
    lines.push(format!("task {name} is dropped, {rows}; take its section out of the config"));
    Ok(lines)
}

/// Forgets one table, with what was copied of it as far as that is to go; whether it has gone. A transaction for each: thousands in one would
/// need more locks than a server has.
async fn take_out(
    context: &Context,
    owner: &Owner,
    table: &TableName,
    known: &StoredTable,
    remove_rows: bool,
) -> Result<bool, TaskError> {
    let (session, records) = (owner.session(), owner.store());
    transaction(session, "BEGIN").await?;
    if let Some(copy) = recorded::copy_beside(context, table, known)? {
        ddl::drop_table(session, &copy).await?;
    }
    let gone = if remove_rows && !known.mapping.is_null() {
        targets::take_out_of_place(context, (session, &records), table, known).await?
    } else {
        true
    };
    records.forget_table(session, table).await?;
    transaction(session, "COMMIT").await?;
    Ok(gone)
}
