//! What can go wrong at the target.

use crate::change::Retry;

/// An error of the target endpoint.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The server cannot be reached, or the connection broke (also: the result of a commit is unknown).
    #[error("target {endpoint}: {doing}: {message}")]
    Connection {
        /// `name (host:port/database)` from the config.
        endpoint: String,
        /// What was being done.
        doing: String,
        /// The cause in words.
        message: String,
    },
    /// User or password refused.
    #[error("target {endpoint}: user '{user}' is refused: {message}")]
    Login {
        /// `name (host:port/database)`.
        endpoint: String,
        /// User name.
        user: String,
        /// The server's words.
        message: String,
        /// What the user can do.
        remedy: String,
    },
    /// TLS could not be had as the config demands.
    #[error("target {endpoint}: TLS: {message}")]
    Tls {
        /// `name (host:port/database)`.
        endpoint: String,
        /// What went wrong.
        message: String,
        /// What the user can do.
        remedy: String,
    },
    /// The server answered a statement with an error.
    #[error("target {endpoint}: {doing}: {message} (SQLSTATE {state})")]
    Server {
        /// `name (host:port/database)`.
        endpoint: String,
        /// What was being done.
        doing: String,
        /// SQLSTATE.
        state: String,
        /// The server's words, detail included.
        message: String,
        /// What may be done about it, decided from `state` where the error is made.
        retry: Retry,
    },
    /// The durable checkpoint is not the one this owner wrote last: reload and stream from there.
    #[error("target {endpoint}: task {task}: the checkpoint is not the expected one ({why}); reloading it")]
    CheckpointMoved {
        /// `name (host:port/database)`.
        endpoint: String,
        /// The task.
        task: String,
        /// Expected and found.
        why: String,
    },
    /// Another process owns the task.
    #[error("target {endpoint}: task {task} is owned by another process ({owner})")]
    Owned {
        /// `name (host:port/database)`.
        endpoint: String,
        /// The task.
        task: String,
        /// What is known of it.
        owner: String,
    },
    /// What is stored in schema `rowferry` is not readable by this version.
    #[error("target {endpoint}: task {task}: stored state: {why}")]
    State {
        /// `name (host:port/database)`.
        endpoint: String,
        /// The task.
        task: String,
        /// What is wrong.
        why: String,
        /// What the user can do.
        remedy: String,
    },
    /// A target table is not as it must be.
    #[error("target {endpoint}: table {table}: {why}")]
    Table {
        /// `name (host:port/database)`.
        endpoint: String,
        /// The table.
        table: String,
        /// What is wrong.
        why: String,
        /// What the user can do.
        remedy: String,
    },
}

impl SinkError {
    /// Whether it is about what a row holds, which somebody must mend.
    pub fn is_of_a_row(&self) -> bool {
        match self {
            Self::Server { state, retry: Retry::AfterFix { .. }, .. } => {
                state.get(..2).is_some_and(|class| ["22", "23", "54"].contains(&class))
            }
            _ => false,
        }
    }

    /// The same with more words of where.
    pub fn at(self, place: &str) -> Self {
        match self {
            Self::Server { endpoint, doing, state, message, retry } => {
                Self::Server { endpoint, doing, state, message: format!("{message}; {place}"), retry }
            }
            other => other,
        }
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Connection { .. } | Self::CheckpointMoved { .. } | Self::Owned { .. } => {
                Retry::AfterBackoff
            }
            Self::Login { remedy, .. }
            | Self::Tls { remedy, .. }
            | Self::State { remedy, .. }
            | Self::Table { remedy, .. } => Retry::fix(remedy.clone()),
            Self::Server { retry, .. } => retry.clone(),
        }
    }
}
