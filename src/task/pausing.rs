//! Whether a task is to run: what is on record of that, and how it comes there while no daemon runs the task.
//!
//! What must never happen here: a task called paused that runs.

use super::TaskError;
use super::context::Context;
use super::progress::Progress;
use crate::change::command::Pausing;
use crate::change::state::Rest;
use crate::config::Config;
use crate::sink::store::Stored;
use crate::sink::{Owner, Session, store};
use crate::status::{Board, now};
use std::sync::Arc;

/// What keeps a task from running; `None` when it may run. Nothing else is asked, and not the source.
///
/// # Errors
/// When the target cannot be asked.
pub async fn resting(name: &str, config: &Arc<Config>) -> Result<Option<Rest>, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    Ok(ask(&context).await?.1)
}

/// The same, and the session by which the target was asked.
pub(super) async fn ask(context: &Context) -> Result<(Session, Option<Rest>), TaskError> {
    let name = &context.name;
    let session = Session::connect(context.target(), &format!("rowferry/{name}/paused")).await?;
    let rest = store::resting(&session, name).await?;
    Ok((session, rest))
}

/// To be asked before a task is taken to change what is on record of it: who takes a task makes its records.
///
/// # Errors
/// [`TaskError::Dropped`] where the task was dropped, and when the target cannot be asked.
pub(super) async fn refuse_dropped(context: &Context) -> Result<(), TaskError> {
    match ask(context).await?.1 {
        Some(Rest::Dropped(_)) => Err(TaskError::Dropped { task: context.name.clone() }),
        Some(Rest::Paused(_)) | None => Ok(()),
    }
}

/// To be asked by whoever has taken a task to run it, before anything is written: it may have been paused or dropped since it was asked first.
///
/// # Errors
/// [`TaskError::Resting`] where it is, and when the target cannot be asked.
pub(super) async fn refuse_resting(owner: &Owner, stored: &Stored) -> Result<(), TaskError> {
    let Some(rest) = owner.before_run().rest else { return Ok(()) };
    // Whoever takes a task makes its records. Of a dropped one there are to be none.
    if matches!(rest, Rest::Dropped(_)) && stored.checkpoint.is_none() && stored.tables.is_empty() {
        store::remove(owner.session(), owner.store().task()).await?;
    }
    Err(TaskError::Resting)
}

/// Pauses a task that nobody runs, or has it run again when somebody does; a dropped one begins anew. Says what has become of it.
///
/// # Errors
/// When a daemon runs the task, or when the target cannot be asked.
pub async fn pause(name: &str, config: &Arc<Config>, pausing: Pausing) -> Result<String, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let (session, rest) = ask(&context).await?;
    match (pausing, rest) {
        (Pausing::Pause, Some(Rest::Dropped(_))) => return Err(TaskError::Dropped { task: name.to_owned() }),
        (Pausing::Resume, Some(Rest::Dropped(_))) => {
            if store::is_there(&session, name).await? {
                return Err(TaskError::HalfDropped { task: name.to_owned() });
            }
            store::forget_drop(&session, name).await?;
            return Ok(format!("task {name} begins anew"));
        }
        (Pausing::Pause, Some(Rest::Paused(_))) => return Ok(format!("task {name} is paused already")),
        (Pausing::Resume, None) => return Ok(format!("task {name} is not paused")),
        (Pausing::Pause, None) | (Pausing::Resume, Some(Rest::Paused(_))) => {}
    }
    drop(session);
    let owner = Owner::take(context.target(), name).await?;
    let (session, records) = (owner.session(), owner.store());
    Ok(match pausing {
        Pausing::Pause => {
            records.record_rest(session, Rest::Paused(now().seconds())).await?;
            format!("task {name} is paused, and stays so until it is resumed")
        }
        Pausing::Resume => {
            records.forget_pause(session).await?;
            format!("task {name} goes on from where it was")
        }
    })
}
