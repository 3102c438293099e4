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
use crate::sink::ddl::{Clear, TakenOut, Taking};
use crate::sink::store::{self, StoredTable};
use crate::sink::{Owner, ddl};
use crate::status::{Board, now};
use serde_json::Value;
use std::sync::Arc;

/// Drops a task that nobody runs. Says what has become of it.
///
/// # Errors
/// When a daemon runs the task, when the target cannot be asked, or refuses something: what is left then goes when the task is dropped
/// once more.
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
    // Who has made a table that several feed goes last, and takes it along.
    let has_made = |known: &StoredTable| known.mapping.get("created").and_then(Value::as_bool) == Some(true);
    let (makers, others): (Vec<_>, Vec<_>) = stored.tables.iter().partition(|(_, known)| has_made(known));
    let (mut lines, mut refused, mut all_gone) = (Vec::new(), Vec::new(), remove_rows);
    for (table, known) in others.into_iter().chain(makers) {
        let target = &known.target;
        match take_out(&context, &owner, table, known, remove_rows).await? {
            Taking { refused: true, .. } => refused.push(target.to_string()),
            Taking { taken: TakenOut::Nothing, .. } if remove_rows => {
                all_gone = false;
                lines.push(format!(
                    "{table}: its rows in {target} cannot be told from those of others, or were there before, and stay"
                ));
            }
            Taking { .. } => {}
        }
    }
    if !refused.is_empty() {
        return Err(TaskError::NotTakenOut { task: name.to_owned(), targets: refused.join(", ") });
    }
    store::remove(session, name).await?;
    let rows = match (remove_rows, all_gone) {
        (true, true) => "with its rows in the target",
        (true, false) => "with the rows in the target that can be told to be its own",
        (false, _) => "its target tables stay",
    };
    lines.push(format!("task {name} is dropped, {rows}; take its section out of the config"));
    Ok(lines)
}

/// Forgets one table, with what was copied of it as far as that is to go; where that is refused it is not forgotten. A transaction for
/// each: thousands in one would need more locks than a server has.
async fn take_out(
    context: &Context,
    owner: &Owner,
    table: &TableName,
    known: &StoredTable,
    remove_rows: bool,
) -> Result<Taking, TaskError> {
    let (session, records) = (owner.session(), owner.store());
    transaction(session, "BEGIN").await?;
    let mut taking = Taking { taken: TakenOut::Rows, refused: false };
    if let Some(copy) = recorded::copy_beside(context, table, known)? {
        taking = ddl::take_out(session, &copy, &Clear::All, true).await?;
    }
    if remove_rows && !taking.refused && !known.mapping.is_null() {
        taking = targets::take_out_of_place(context, (session, &records), table, known).await?;
    }
    if taking.refused {
        transaction(session, "ROLLBACK").await?;
        return Ok(taking);
    }
    records.forget_table(session, table).await?;
    transaction(session, "COMMIT").await?;
    Ok(taking)
}
