//! What can go wrong at the target.

use crate::change::Retry;
use crate::change::remedy::Remedy;
use std::fmt;

/// An error of the target endpoint.
#[derive(Debug)]
pub struct SinkError {
    /// `name (host:port/database)` from the config.
    pub endpoint: String,
    /// What went wrong there.
    pub kind: SinkErrorKind,
}

/// What went wrong. Messages hold their cause's words, with what the server adds to them.
#[derive(Debug, thiserror::Error)]
pub enum SinkErrorKind {
    /// The server cannot be reached, or the connection broke (also: the result of a commit is unknown).
    #[error("{doing}: {message}")]
    Connection {
        /// What was being done.
        doing: String,
        /// The cause in words.
        message: String,
        /// The cause, where the client found it.
        #[source]
        cause: Option<tokio_postgres::Error>,
    },
    /// User or password refused.
    #[error("user '{user}' is refused: {message}")]
    Login {
        /// User name.
        user: String,
        /// The server's words.
        message: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// TLS could not be had as the config demands.
    #[error("TLS: {message}")]
    Tls {
        /// What went wrong.
        message: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// The server answered a statement with an error.
    #[error("{doing}: {message} (SQLSTATE {state})")]
    Server {
        /// What was being done.
        doing: String,
        /// SQLSTATE.
        state: String,
        /// The server's words, detail included.
        message: String,
        /// The answer itself.
        #[source]
        cause: Option<tokio_postgres::Error>,
        /// What may be done about it, decided from `state` where the error is made.
        retry: Retry,
    },
    /// The durable checkpoint is not the one this owner wrote last: reload and stream from there.
    #[error("task {task}: the checkpoint is not the expected one ({why}); reloading it")]
    CheckpointMoved {
        /// The task.
        task: String,
        /// Expected and found.
        why: String,
    },
    /// Another process owns the task.
    #[error("task {task} is owned by another process ({owner})")]
    Owned {
        /// The task.
        task: String,
        /// What is known of it.
        owner: String,
    },
    /// What is stored in schema `rowferry` is not readable by this version.
    #[error("task {task}: stored state: {why}")]
    State {
        /// The task.
        task: String,
        /// What is wrong.
        why: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// A target table is not as it must be.
    #[error("table {table}: {why}")]
    Table {
        /// The table.
        table: String,
        /// What is wrong.
        why: String,
        /// What the user can do.
        remedy: Remedy,
    },
}

impl SinkErrorKind {
    /// A connection that is of no use any more, as this program found out itself.
    pub fn broken(doing: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Connection { doing: doing.into(), message: message.into(), cause: None }
    }

    /// An answer that this program does not understand.
    pub fn unexpected(doing: impl Into<String>, message: impl Into<String>, retry: Retry) -> Self {
        let state = "none".to_owned();
        Self::Server { doing: doing.into(), state, message: message.into(), retry, cause: None }
    }

    /// The error, at this endpoint.
    pub fn at(self, endpoint: impl Into<String>) -> SinkError {
        SinkError { endpoint: endpoint.into(), kind: self }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "target {}: {}", self.endpoint, self.kind)
    }
}

impl std::error::Error for SinkError {
    // Its own words hold those of its kind.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind.source()
    }
}

impl SinkError {
    /// Whether it is about what a row holds, which somebody must mend.
    pub fn is_of_a_row(&self) -> bool {
        match &self.kind {
            SinkErrorKind::Server { state, retry: Retry::AfterFix { .. }, .. } => {
                is_of_class(state, &["22", "23", "54"])
            }
            _ => false,
        }
    }

    /// Whether a row is refused for the values it holds, whatever else the target has: a constraint, a type, a trigger that raises.
    pub fn is_of_row_data(&self) -> bool {
        match &self.kind {
            // 22023 is about a parameter or option.
            SinkErrorKind::Server { state, retry: Retry::AfterFix { .. }, .. } => {
                is_of_class(state, &["22", "23"]) && state != "22023" || state == "P0001"
            }
            _ => false,
        }
    }

    /// Whether it is only about a server that could not be reached or did not do its work: what was judged of it still holds.
    pub fn is_of_circumstances(&self) -> bool {
        match &self.kind {
            SinkErrorKind::Connection { .. } | SinkErrorKind::Owned { .. } => true,
            // Resources, the system around, an operator's hand, locks.
            SinkErrorKind::Server { state, .. } => {
                is_of_class(state, &["25", "40", "53", "55", "57", "58", "XX"])
            }
            _ => false,
        }
    }

    /// Whether a lock was not to be had in time.
    pub fn is_locked_out(&self) -> bool {
        matches!(&self.kind, SinkErrorKind::Server { state, .. } if state == "55P03")
    }

    /// Whether a statement took longer than its limit, or was cancelled.
    pub fn is_out_of_time(&self) -> bool {
        matches!(&self.kind, SinkErrorKind::Server { state, .. } if state == "57014")
    }

    /// Whether something of the target hangs on what was to go.
    pub fn is_hung_on(&self) -> bool {
        matches!(&self.kind, SinkErrorKind::Server { state, .. } if state == "2BP01")
    }

    /// Whether the checkpoint is another than the one that this owner wrote last.
    pub fn is_moved(&self) -> bool {
        matches!(self.kind, SinkErrorKind::CheckpointMoved { .. })
    }

    /// Who has the task, where it is another.
    pub fn owner(&self) -> Option<&str> {
        match &self.kind {
            SinkErrorKind::Owned { owner, .. } => Some(owner),
            _ => None,
        }
    }

    /// The same with more words of where.
    pub fn at(mut self, place: &str) -> Self {
        if let SinkErrorKind::Server { message, .. } = &mut self.kind {
            message.push_str("; ");
            message.push_str(place);
        }
        self
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        use SinkErrorKind as Kind;
        match &self.kind {
            Kind::Connection { .. } | Kind::CheckpointMoved { .. } | Kind::Owned { .. } => {
                Retry::AfterBackoff
            }
            Kind::Login { remedy, .. }
            | Kind::Tls { remedy, .. }
            | Kind::State { remedy, .. }
            | Kind::Table { remedy, .. } => Retry::fix(remedy.clone()),
            Kind::Server { retry, .. } => retry.clone(),
        }
    }
}

/// Whether an SQLSTATE is of one of these classes.
fn is_of_class(state: &str, classes: &[&str]) -> bool {
    state.get(..2).is_some_and(|class| classes.contains(&class))
}
