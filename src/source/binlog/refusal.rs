//! Why the stream stops: found where bytes are read, told with endpoint and place where those are known.

use super::cursor::Malformed;
use super::frame::FrameError;
use crate::change::DomainGtid;
use crate::change::remedy::COPY_AGAIN;
use crate::source::SourceError;

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
        /// What the user can do; empty when nothing.
        remedy: String,
    },
    /// A statement that cannot be carried.
    Statement {
        /// What is wrong.
        why: String,
        /// Its text, shortened.
        statement: String,
        /// What the user can do.
        remedy: String,
    },
}

/// What to do about a log file that cannot be read to its end.
pub const DAMAGED_FILE: &str = "copy the tables of this task again (drop its state): the log file is damaged, and what stands behind \
     that place cannot be read";

impl Refusal {
    /// An event that contradicts those before it: a fault of the log or of this program.
    pub fn contradiction(why: impl Into<String>) -> Self {
        Self::Event { why: why.into(), remedy: String::new() }
    }

    /// The file that the stream should go on in is another one of that name.
    pub fn reset_log() -> Self {
        Self::event(
            "the log was reset: it is not the file the task has read, it was begun at another time",
            format!(
                "{COPY_AGAIN}: transactions since then may carry the names or places of others that the task has taken in"
            ),
        )
    }

    /// A file ended early, and the log had more than what was read of it.
    pub fn lost_in_file(transaction: DomainGtid) -> Self {
        let why = format!(
            "the file before it ends inside a transaction, and not by a crash alone: the log held {transaction}, which has not \
             been sent"
        );
        Self::event(why, DAMAGED_FILE)
    }

    /// An event that cannot be carried, with a remedy.
    pub fn event(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Event { why: why.into(), remedy: remedy.into() }
    }

    /// The error as the user sees it.
    pub fn told(self, endpoint: &str, event: String, position: String) -> SourceError {
        let endpoint = endpoint.to_owned();
        match self {
            Self::Damaged(why) => SourceError::Connection {
                endpoint,
                doing: format!("reading binlog event {event} at {position}"),
                source: std::io::Error::new(std::io::ErrorKind::InvalidData, why),
            },
            Self::Full(why) => SourceError::SpillFull { endpoint, position, why },
            Self::Event { why, remedy } => SourceError::Event { endpoint, event, position, why, remedy },
            Self::Statement { why, statement, remedy } => {
                SourceError::Statement { endpoint, position, why, statement, remedy }
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
