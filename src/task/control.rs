//! What is changed in the records of a task that no daemon runs.

use super::context::Context;
use super::pausing;
use super::progress::Progress;
use super::side;
use super::sides::Sides;
use super::{TaskError, prepare, recorded, targets};
use crate::change::TableName;
use crate::change::command::Change;
use crate::change::state::TableState;
use crate::config::Config;
use crate::sink::Owner;
use crate::status::{Board, now};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Changes what the task does with tables when it runs again, and says of each what that is. Nothing is changed where one of them cannot
/// be.
///
/// # Errors
/// When a change is none that a table can have, when a daemon runs the task, or when the target cannot be asked.
pub async fn change(
    name: &str,
    config: &Arc<Config>,
    change: Change,
    tables: &[TableName],
) -> Result<Vec<String>, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    pausing::refuse_dropped(&context).await?;
    let owner = Owner::take(context.target(), name).await?;
    let (session, store) = (owner.session(), owner.store());
    let stored = store.load(session).await?;
    for table in tables {
        let known = stored.tables.get(table);
        let change = side::meets_skipped(&owner, name, change, table, known).await?;
        side::check(&context, &owner, (change, false), table, known).await?;
    }
    let mut side = Sides::of(&stored).last() + 1;
    let mut lines = Vec::new();
    prepare::transaction(session, "BEGIN").await?;
    store.close_side(session, side).await?;
    for table in tables.iter().collect::<BTreeSet<_>>() {
        let known = stored.tables.get(table);
        let is_so = |line: &str| format!("{table}: {line}");
        let will_be = |line: &str| format!("{table}: {line} when task {name} runs");
        let change = side::meets_skipped(&owner, name, change, table, known).await?;
        lines.push(match (change, known.map(|known| &known.state)) {
            (Change::Pause, state) if side::may_pause(name, table, state, false)? => {
                let known = known.ok_or_else(|| TaskError::missing(table))?;
                // Its copy has yet to take its place.
                if recorded::copy_beside(&context, table, known)?.is_some() {
                    return Err(TaskError::OnItsWay { table: table.clone() });
                }
                let carries = match &known.state {
                    TableState::Aside { side, .. } => store.aside(*side),
                    _ => store.clone(),
                };
                let head = carries.head(session).await?;
                let head = head.ok_or_else(|| TaskError::missing(format!("the checkpoint of {table}")))?;
                let (from, since) = (head.position, now().seconds());
                store.restate(session, table, &TableState::Paused { from, since }).await?;
                if let TableState::Aside { side, .. } = &known.state {
                    let is_there = |state: &TableState| matches!(state, TableState::Aside { side: other, .. } if other == side);
                    let mut others = stored.tables.iter().filter(|(name, _)| *name != table);
                    if !others.any(|(_, other)| is_there(&other.state)) {
                        store.close_side(session, *side).await?;
                    }
                }
                is_so(side::PAUSED)
            }
            (Change::Resume, Some(TableState::Paused { .. })) => {
                let resumed = store.resume(session, table, side).await?;
                resumed.ok_or_else(|| TaskError::missing(format!("the place where {table} was paused")))?;
                // Each has its own place in the log.
                side += 1;
                will_be(side::RESUMED)
            }
            (Change::Resume, _) => is_so(side::NOT_PAUSED),
            (Change::Pause, _) | (Change::Add, Some(TableState::Paused { .. })) => {
                is_so(side::PAUSED_ALREADY)
            }
            (Change::Add | Change::Resync, Some(TableState::Aside { within, .. })) => {
                will_be(side::on_its_way(within))
            }
            (Change::Drop { remove_rows: false }, Some(TableState::LetGo)) => will_be("it is not carried"),
            (Change::Add, None | Some(TableState::Pending)) => will_be("it is added"),
            (
                Change::Add,
                Some(TableState::Snapshotting { .. } | TableState::CatchingUp { .. } | TableState::Streaming),
            ) => will_be("it is carried already"),
            (Change::Add | Change::Resync, _) => {
                store.renumber(session, table, side).await?;
                will_be("it is copied again")
            }
            (Change::Drop { remove_rows }, _) => {
                let mut gone = true;
                if let Some(known) = known.filter(|known| remove_rows && !known.mapping.is_null()) {
                    gone = targets::take_out_of_place(&context, (session, &store), table, known)
                        .await?
                        .is_gone();
                }
                store.restate(session, table, &TableState::LetGo).await?;
                will_be(side::dropped(remove_rows, gone))
            }
        });
    }
    prepare::transaction(session, "COMMIT").await?;
    Ok(lines)
}
