//! What a running daemon can be told, and its answer: the forms that go over its local socket.

use super::TableName;
use serde::{Deserialize, Serialize};

/// What a running daemon is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Take in the config file as it is now.
    Reload,
    /// Pause a task, or resume it.
    Task {
        /// The task; may be left out where there is one only.
        task: Option<String>,
        /// What becomes of it.
        pausing: Pausing,
    },
    /// Change what a task does with tables.
    Tables {
        /// The task; may be left out where there is one only.
        task: Option<String>,
        /// The tables.
        tables: Vec<TableName>,
        /// What becomes of them.
        change: Change,
    },
}

/// What becomes of a whole task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pausing {
    /// It rests where it is, over restarts.
    Pause,
    /// It goes on from there.
    Resume,
}

/// What becomes of a task's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// They are copied again, beside the ones that readers have.
    Resync,
    /// They are carried, which they were not.
    Add,
    /// They are carried no more, and no glob brings them back.
    Drop {
        /// Their rows in the target go too.
        remove_rows: bool,
    },
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What was done, a line each.
    pub lines: Vec<String>,
    /// What kept the rest from being done.
    pub failure: Option<Failure>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In a paragraph, with what helps.
    pub error: String,
    /// Trying again later may help.
    pub temporary: bool,
}

impl Reply {
    /// Nothing was done.
    pub fn failed(error: impl Into<String>, temporary: bool) -> Self {
        Self { lines: Vec::new(), failure: Some(Failure { error: error.into(), temporary }) }
    }
}
