//! What stopped a task first, for who looks at it after restarts: see [`Cause`].

use super::TaskError;
use super::context::Context;
use super::gather::Gathered;
use super::memory::Memory;
use super::progress::Progress;
use crate::change::status::Cause;
use crate::config::Config;
use crate::sink::{Session, store};
use crate::status::Board;
use std::sync::Arc;
use std::time::Duration;

/// How long the target may take to write it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes in the target what stopped the task, where it has records there and none of this. It is told in the log where that cannot be.
pub async fn record(name: &str, config: &Arc<Config>, memory: &Memory, cause: &Cause) {
    let recording = async {
        let context = Context::new(config, &Progress::new(name, Board::default()))?;
        let session = Session::connect(context.target(), &format!("rowferry/{name}/cause")).await?;
        Ok::<_, TaskError>(store::record_cause(&session, name, cause).await?)
    };
    match tokio::time::timeout(PATIENCE, Box::pin(recording)).await {
        Ok(Ok(recorded)) => memory.has_cause(recorded),
        Ok(Err(error)) => tracing::warn!(task = name, %error, "what stopped the task is not on record"),
        Err(_) => {
            tracing::warn!(task = name, "what stopped the task is not on record: the target takes too long");
        }
    }
}

/// What is on record of that goes to the status.
pub(super) fn tell(context: &Context, memory: &Memory, gathered: &Gathered) {
    let cause = gathered.stored.as_ref().and_then(|stored| stored.cause.clone());
    memory.has_cause(cause.is_some());
    context.progress.tell(|task| task.cause = cause);
}
