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
use crate::status::Board;
use std::sync::Arc;

/// Has tables copied again, beside the ones that readers have, when the task runs again. Parked ones come back by it.
///
/// # Errors
/// When a table is not on record of the task, when a daemon runs the task, or when the target cannot be asked.
pub async fn resync(name: &str, config: &Arc<Config>, tables: &[TableName]) -> Result<(), TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let owner = Owner::take(context.target(), name).await?;
    let (session, store) = (owner.session(), owner.store());
    let stored = store.load(session).await?;
    for table in tables {
        match stored.tables.get(table).map(|known| &known.state) {
            Some(TableState::Pending) | None => {
                return Err(TaskError::NotOnRecord { table: table.clone(), task: name.to_owned() });
            }
            Some(
                TableState::Snapshotting { .. }
                | TableState::CatchingUp { .. }
                | TableState::Streaming
                | TableState::Aside { .. }
                | TableState::Parked(_),
            ) => {}
        }
    }
    let side = Sides::of(&stored).last() + 1;
    prepare::transaction(session, "BEGIN").await?;
    for table in tables {
        let known = stored.tables.get(table).map(|known| &known.state);
        // One that is on its way already goes on.
        if !matches!(known, Some(TableState::Aside { .. })) {
            store.renumber(session, table, side).await?;
        }
    }
    prepare::transaction(session, "COMMIT").await?;
    Ok(())
}
