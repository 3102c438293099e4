//! What is changed in the records of a task that no daemon runs.

use super::context::Context;
use super::pausing;
use super::progress::Progress;
use super::side;
use super::sides::Sides;
use super::{TaskError, prepare, targets};
use crate::change::TableName;
use crate::change::command::Change;
use crate::change::state::TableState;
use crate::config::Config;
use crate::sink::Owner;
use crate::status::Board;
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
        side::check(&context, &owner, change, table, stored.tables.get(table)).await?;
    }
    let side = Sides::of(&stored).last() + 1;
    let mut lines = Vec::new();
    prepare::transaction(session, "BEGIN").await?;
    store.close_side(session, side).await?;
    for table in tables {
        let known = stored.tables.get(table);
        let line = match (change, known.map(|known| &known.state)) {
            (Change::Add | Change::Resync, Some(TableState::Aside { .. })) => {
                "its copy is on its way, and goes on"
            }
            (Change::Drop { remove_rows: false }, Some(TableState::LetGo)) => "it is not carried",
            (Change::Add, None | Some(TableState::Pending)) => "it is added",
            (
                Change::Add,
                Some(TableState::Snapshotting { .. } | TableState::CatchingUp { .. } | TableState::Streaming),
            ) => "it is carried already",
            (Change::Add | Change::Resync, _) => {
                store.renumber(session, table, side).await?;
                "it is copied again"
            }
            (Change::Drop { remove_rows }, _) => {
                let mut gone = true;
                if let Some(known) = known.filter(|known| remove_rows && !known.mapping.is_null()) {
                    gone = targets::take_out_of_place(&context, (session, &store), table, known)
                        .await?
                        .is_gone();
                }
                store.restate(session, table, &TableState::LetGo).await?;
                side::dropped(remove_rows, gone)
            }
        };
        lines.push(format!("{table}: {line} when task {name} runs"));
    }
    prepare::transaction(session, "COMMIT").await?;
    Ok(lines)
}
