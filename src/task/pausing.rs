//! Whether a task is paused: what is on record of that, and how it comes there while no daemon runs the task.
//!
//! What must never happen here: a task called paused that runs.

use super::TaskError;
use super::context::Context;
use super::progress::Progress;
use crate::change::command::Pausing;
use crate::config::Config;
use crate::sink::{Owner, Session, store};
use crate::status::{Board, now};
use std::sync::Arc;

/// Since when a task is paused, in seconds since 1970; `None` when it is not. Nothing else is asked, and not the source.
///
/// # Errors
/// When the target cannot be asked.
pub async fn paused(name: &str, config: &Arc<Config>) -> Result<Option<u64>, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let session = Session::connect(context.target(), &format!("rowferry/{name}/paused")).await?;
    Ok(store::paused(&session, name).await?)
}

/// Pauses a task that nobody runs, or has it run again when somebody does. Says what has become of it.
///
/// # Errors
/// When a daemon runs the task, or when the target cannot be asked.
pub async fn pause(name: &str, config: &Arc<Config>, pausing: Pausing) -> Result<String, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let owner = Owner::take(context.target(), name).await?;
    let (session, records) = (owner.session(), owner.store());
    let is_paused = store::paused(session, name).await?.is_some();
    Ok(match (pausing, is_paused) {
        (Pausing::Pause, true) => format!("task {name} is paused already"),
        (Pausing::Pause, false) => {
            records.record_pause(session, now().seconds()).await?;
            format!("task {name} is paused, and stays so until it is resumed")
        }
        (Pausing::Resume, true) => {
            records.forget_pause(session).await?;
            format!("task {name} goes on from where it was")
        }
        (Pausing::Resume, false) => format!("task {name} is not paused"),
    })
}
