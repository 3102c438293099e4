//! What can go wrong at the source.

use crate::change::remedy::{AtSource, Because, Remedy};
use crate::change::{Retry, TableName};
use std::fmt;

/// An error of the source endpoint or of what it sent.
#[derive(Debug)]
pub struct SourceError {
    /// `name (host:port)` from the config.
    pub endpoint: String,
    /// What went wrong there.
    pub kind: SourceErrorKind,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum SourceErrorKind {
    /// The server cannot be reached, or the connection broke.
    #[error("{doing}: {source}")]
    Connection {
        /// What was being done.
        doing: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Nothing came for longer than the heartbeat allows.
    #[error("nothing heard for {seconds} s although heartbeats come every {heartbeat_seconds} s")]
    Silent {
        /// How long.
        seconds: u64,
        /// The agreed heartbeat.
        heartbeat_seconds: u64,
    },
    /// The host leads to more than one server, or to another one by now.
    #[error(
        "this connection leads to another server ({found}) than the first one of this attempt ({first}); a task needs one server, so name that one"
    )]
    AnotherServer {
        /// Identity of the server that the attempt began with.
        first: String,
        /// Identity of this one.
        found: String,
    },
    /// User or password refused.
    #[error("user '{user}' is refused: {message}")]
    Login {
        /// User name.
        user: String,
        /// The server's words, or ours.
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
    #[error("{doing}: error {code} ({state}): {message}")]
    Server {
        /// What was being done.
        doing: String,
        /// MySQL error number.
        code: u16,
        /// SQLSTATE.
        state: String,
        /// The server's words.
        message: String,
        /// What may be done about it, decided from `code` where the error is made.
        retry: Retry,
    },
    /// Bytes that do not follow the protocol.
    #[error("protocol: {message}")]
    Protocol {
        /// What did not fit.
        message: String,
    },
    /// A binlog event that is not on the list of understood ones, or contradicts itself.
    #[error("binlog event {event} at {position}: {why}")]
    Event {
        /// Type name or number.
        event: String,
        /// Where it ends.
        position: String,
        /// What is wrong.
        why: String,
        /// What the user can do, if anything.
        remedy: Option<Remedy>,
    },
    /// Rows that are held until their transaction ends have no room on the disk.
    #[error("binlog at {position}: {why}; it is tried again until there is")]
    SpillFull {
        /// Where the event ends.
        position: String,
        /// What is full, and what the user can do.
        why: String,
    },
    /// A logged statement that cannot be carried (statement-format DML, or one that is not understood).
    #[error("statement at {position}: {why}{}{statement}", if statement.is_empty() { "" } else { ": " })]
    Statement {
        /// The key of `ddl_policy` that says what becomes of a table that it concerns.
        kind: &'static str,
        /// Where it ends.
        position: String,
        /// Why.
        why: String,
        /// Its text, shortened.
        statement: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// The source no longer has what comes next.
    #[error("the log no longer holds what follows {position}: {message}")]
    Purged {
        /// Where streaming should start.
        position: String,
        /// The server's words or the missing set.
        message: String,
    },
    /// The server is not one that can be copied from.
    #[error("{what}")]
    Unsupported {
        /// What is wrong with it.
        what: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// Something at the source has to end first, which it may do by itself.
    #[error("{what}")]
    Waits {
        /// What, and what ends it.
        what: String,
    },
    /// A definition read from the source is not usable.
    #[error("{table}: {why}")]
    Definition {
        /// The table.
        table: String,
        /// What is wrong.
        why: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// The table changed under the copy; the copy group starts over.
    #[error("{table} changed while it was copied: {why}")]
    TableChanged {
        /// The table.
        table: TableName,
        /// What was noticed.
        why: String,
    },
}

impl SourceErrorKind {
    /// The error, at this endpoint.
    pub fn at(self, endpoint: impl Into<String>) -> SourceError {
        SourceError { endpoint: endpoint.into(), kind: self }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source {}: {}", self.endpoint, self.kind)
    }
}

impl std::error::Error for SourceError {
    // Its own words hold those of its kind.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind.source()
    }
}

impl SourceError {
    /// Where it is about a logged statement that cannot be carried, the key of `ddl_policy`.
    pub fn statement(&self) -> Option<&'static str> {
        match self.kind {
            SourceErrorKind::Statement { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        use SourceErrorKind as Kind;
        match &self.kind {
            // An address that has moved leads the next attempt to one server, which is then judged as such.
            Kind::Connection { .. }
            | Kind::Silent { .. }
            | Kind::AnotherServer { .. }
            | Kind::Waits { .. }
            | Kind::SpillFull { .. }
            | Kind::TableChanged { .. } => Retry::AfterBackoff,
            Kind::Server { retry, .. } => retry.clone(),
            Kind::Protocol { .. } | Kind::Event { remedy: None, .. } => Retry::Never,
            Kind::Login { remedy, .. }
            | Kind::Tls { remedy, .. }
            | Kind::Statement { remedy, .. }
            | Kind::Unsupported { remedy, .. }
            | Kind::Definition { remedy, .. }
            | Kind::Event { remedy: Some(remedy), .. } => Retry::fix(remedy.clone()),
            Kind::Purged { .. } => Retry::fix(Remedy::CopyTask(Because::Purged).and(AtSource::KeepBinlogs)),
        }
    }

    /// The number of the error with which the server answered a statement.
    pub fn code(&self) -> Option<u16> {
        match self.kind {
            SourceErrorKind::Server { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the connection broke or could not be had: a new one may work at once.
    pub fn is_of_connection(&self) -> bool {
        matches!(self.kind, SourceErrorKind::Connection { .. })
    }

    /// Whether it is only about a server that could not be reached or did not do its work, or a full disk here: what was judged of
    /// the server still holds.
    pub fn is_of_circumstances(&self) -> bool {
        use SourceErrorKind as Kind;
        matches!(
            self.kind,
            Kind::Connection { .. } | Kind::Silent { .. } | Kind::SpillFull { .. } | Kind::Waits { .. }
        )
    }

    /// Whether rows that must be held have no room: every attempt comes to the same place.
    pub fn is_out_of_room(&self) -> bool {
        matches!(self.kind, SourceErrorKind::SpillFull { .. })
    }

    /// The same where something in the log stops the task, with what to do rather than what it says.
    pub fn rather(mut self, rather: Remedy) -> Self {
        match &mut self.kind {
            SourceErrorKind::Statement { remedy, .. } => *remedy = rather.or(remedy.clone()),
            SourceErrorKind::Event { remedy, .. } => {
                *remedy = Some(match remedy.take() {
                    Some(remedy) => rather.or(remedy),
                    None => rather,
                });
            }
            _ => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn a_cause_is_kept_and_told_once() {
        let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within 7 s");
        let error = SourceErrorKind::Connection { doing: "connect".to_owned(), source }.at("main (db:3306)");
        assert_eq!(error.to_string(), "source main (db:3306): connect: no answer within 7 s");
        let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
        assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::TimedOut));
        assert!(error.source().is_some_and(|cause| cause.source().is_none()));
    }
}
