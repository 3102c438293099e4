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

/// Adds an entry in the task's target. Where that cannot be the log tells it; what was asked does not depend on it.
pub async fn record_asked(config: &Arc<Config>, asked: &Asked) {
    let task = asked.task.as_str();
    let recording = async {
        let context = Context::new(config, &Progress::new(task, Board::default()))?;
        let session = Session::connect(context.target(), &format!("rowferry/{task}/audit")).await?;
        Ok::<_, TaskError>(store::record_asked(&session, asked).await?)
    };
    match tokio::time::timeout(PATIENCE, Box::pin(recording)).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => tracing::debug!(task, "nothing is on record of the task, nor what was asked of it"),
        Ok(Err(error)) => tracing::warn!(task, %error, "what was asked is not on record"),
        Err(_) => tracing::warn!(task, "what was asked is not on record: the target takes too long"),
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
