//! What a running task is asked to do with its tables, and where such requests wait while the task starts over.
//!
//! What must never happen here: a request done whose asker has gone, for he was told that it was not.

use super::TaskError;
use crate::change::TableName;
use crate::change::command::Change;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

/// What becomes of tables, and who waits for the answer.
#[derive(Debug)]
pub struct Request {
    pub(super) change: Change,
    pub(super) tables: Vec<TableName>,
    pub(super) answer: oneshot::Sender<Done>,
    /// Set when the task works at it: what is begun may be done though nobody waits any more.
    pub(super) begun: Arc<AtomicBool>,
}

/// What was done, a line for each table, and what kept the rest from it.
pub type Done = (Vec<String>, Option<TaskError>);

/// Somebody who waits for the answer.
#[derive(Debug)]
pub struct Waiting {
    /// The answer.
    pub answer: oneshot::Receiver<Done>,
    /// Whether the task works at it.
    pub begun: Arc<AtomicBool>,
}

/// Requests on their way to the task.
#[derive(Debug)]
pub struct Requests {
    sender: mpsc::UnboundedSender<Request>,
    receiver: Mutex<mpsc::UnboundedReceiver<Request>>,
}

impl Default for Requests {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

impl Requests {
    /// Asks; the answer comes when the stream runs and all of it is durable.
    pub(super) fn ask(&self, change: Change, tables: Vec<TableName>) -> Waiting {
        let (answer, answered) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        // The other end is in here.
        let _never_closed = self.sender.send(Request { change, tables, answer, begun: begun.clone() });
        Waiting { answer: answered, begun }
    }

    /// What comes, for one at a time.
    pub(super) async fn receiver(&self) -> MutexGuard<'_, mpsc::UnboundedReceiver<Request>> {
        self.receiver.lock().await
    }
}
