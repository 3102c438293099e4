//! The record of what was asked of a task: see [`Asked`].

use super::TaskError;
use super::context::Context;
use super::progress::Progress;
use crate::change::command::Asked;
use crate::config::Config;
use crate::sink::{Session, store};
use crate::status::Board;
use std::sync::Arc;
use std::time::Duration;

/// How long the target may take to write it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Adds an entry in the task's target, where something is on record of tasks. What was asked does not depend on it.
///
/// # Errors
/// Why it is not there.
pub async fn record_asked(config: &Arc<Config>, asked: &Asked) -> Result<(), String> {
    let task = asked.task.as_str();
    let recording = async {
        let context = Context::new(config, &Progress::new(task, Board::default()))?;
        let session = Session::connect(context.target(), &format!("rowferry/{task}/audit")).await?;
        Ok::<_, TaskError>(store::record_asked(&session, asked).await?)
    };
    match tokio::time::timeout(PATIENCE, Box::pin(recording)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the target takes too long".to_owned()),
    }
}

/// The last entries about a task, the latest at the end.
///
/// # Errors
/// When the target cannot be asked.
pub async fn asked(name: &str, config: &Arc<Config>, last: u32) -> Result<Vec<Asked>, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let session = Session::connect(context.target(), &format!("rowferry/{name}/audit")).await?;
    Ok(store::asked(&session, name, last).await?)
}
