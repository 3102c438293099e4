//! Statements that change a table while it is copied, and how its copy goes on after them.
//!
//! Chunks ask for columns by the names that these have at the checkpoint, and are read at any time after it. A statement may pass as long
//! as a name stands for one column from the table's P0 on: a chunk then reads what it means to, or fails because a name is gone.
//! Where it fails, the stream is followed up to now, convergently, into what is copied so far; the chunks that are missing are then
//! read under the definition that holds there, once all that the stream has brought is visible to them: what it has taken out would come
//! back with them. Rows that it has brought stay where a chunk has them too: what has become of them since then is still to come.
//!
//! What must never happen here: a value of one column taken for another's.

use super::TaskError;
use super::context::Context;
use super::memory::Memory;
use super::moved::Moved;
use super::prepare::ReadyGroup;
use super::sides::Sides;
use super::stages::Until;
use super::stream::{self, Company};
use super::waiting;
use crate::change::state::Checkpoint;
use crate::schema::Table;
use crate::sink::Owner;
use crate::source::server::Server;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long it is waited for what the log has to be visible, before a table is copied again instead.
const PATIENCE: Duration = Duration::from_secs(60);

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
    tracing::info!(task = context.name, %table, %error, until = %place, "a table has changed while it is copied: its copy goes on after that");
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
