//! What is changed in the records of a task that no daemon runs.

use super::TaskError;
use super::context::Context;
use super::prepare;
use super::progress::Progress;
use super::side::Sides;
use crate::change::TableName;
use crate::change::state::TableState;
use crate::config::Config;
use crate::sink::Owner;
use crate::sink::store::StoredTable;
use crate::status::Board;
use std::sync::Arc;

/// Has tables copied again, beside the ones that readers have, when the task runs again. Parked ones come back by it. Those that are
/// returned are on their way already, and go on as they are.
///
/// # Errors
/// When a table is not on record of the task or cannot be copied again by itself, when a daemon runs the task, or when the target cannot be asked.
pub async fn resync(
    name: &str,
    config: &Arc<Config>,
    tables: &[TableName],
) -> Result<Vec<TableName>, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let owner = Owner::take(context.target(), name).await?;
    let (session, store) = (owner.session(), owner.store());
    let stored = store.load(session).await?;
    let mut again = Vec::new();
    let mut on_their_way = Vec::new();
    for table in tables {
        match stored.tables.get(table) {
            None | Some(StoredTable { state: TableState::Pending, .. }) => {
                return Err(TaskError::NotOnRecord { table: table.clone(), task: name.to_owned() });
            }
            Some(StoredTable { state: TableState::Aside { .. }, .. }) => on_their_way.push(table.clone()),
            Some(known) => {
                prepare::is_replaceable(&context, &owner, table, known).await?;
                again.push(table);
            }
        }
    }
    let side = Sides::of(&stored).last() + 1;
    prepare::transaction(session, "BEGIN").await?;
    store.close_side(session, side).await?;
    for table in again {
        store.renumber(session, table, side).await?;
    }
    prepare::transaction(session, "COMMIT").await?;
    Ok(on_their_way)
}
