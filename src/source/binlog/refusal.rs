//! Why the stream stops: found where bytes are read, told with endpoint and place where those are known.

use super::cursor::Malformed;
use super::frame::FrameError;
use crate::change::DomainGtid;
use crate::change::remedy::{Because, Remedy};
use crate::source::{SourceError, SourceErrorKind};

/// A reason to stop, without its place.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Bytes changed or got lost on their way; reading them again may help.
    Damaged(String),
    /// Rows that must be held have no room on the disk; there may be some later.
    Full(String),
    /// An event that contradicts its format or the events before it, or is not understood.
    Event {
        /// What is wrong.
        why: String,
        /// What the user can do, if anything.
        remedy: Option<Remedy>,
    },
    /// A statement that cannot be carried.
    Statement {
        /// What is wrong.
        why: String,
        /// Its text, shortened.
        statement: String,
        /// What the user can do.
        remedy: Remedy,
    },
}

impl Refusal {
    /// An event that contradicts those before it: a fault of the log or of this program.
    pub fn contradiction(why: impl Into<String>) -> Self {
        Self::Event { why: why.into(), remedy: None }
    }

    /// The file that the stream should go on in is another one of that name.
    pub fn reset_log() -> Self {
        Self::event(
            "the log was reset: it is not the file the task has read, it was begun at another time",
            Remedy::CopyTask(Because::Reset),
        )
    }

    /// A file ended early, and the log had more than what was read of it.
    pub fn lost_in_file(transaction: DomainGtid) -> Self {
        let why = format!(
            "the file before it ends inside a transaction, and not by a crash alone: the log held {transaction}, which has not \
             been sent"
        );
        Self::event(why, Remedy::CopyTask(Because::Damaged))
    }

    /// An event that cannot be carried, with a remedy.
    pub fn event(why: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::Event { why: why.into(), remedy: Some(remedy.into()) }
    }

    /// The error as the user sees it.
    pub fn told(self, endpoint: &str, event: String, position: String) -> SourceError {
        match self {
            Self::Damaged(why) => SourceErrorKind::Connection {
                doing: format!("reading binlog event {event} at {position}"),
                source: std::io::Error::new(std::io::ErrorKind::InvalidData, why),
            }
            .at(endpoint),
            Self::Full(why) => SourceErrorKind::SpillFull { position, why }.at(endpoint),
            Self::Event { why, remedy } => {
                SourceErrorKind::Event { event, position, why, remedy }.at(endpoint)
            }
            Self::Statement { why, statement, remedy } => {
                SourceErrorKind::Statement { kind: "unknown", position, why, statement, remedy }.at(endpoint)
            }
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(Malformed(why): Malformed) -> Self {
        Self::contradiction(why)
    }
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Damaged(why) => Self::Damaged(why),
            FrameError::Malformed(error) => error.into(),
        }
    }
}
