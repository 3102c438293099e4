//! What can go wrong at the source.

use crate::change::Retry;
use crate::change::remedy::COPY_AGAIN;

/// An error of the source endpoint or of what it sent.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The server cannot be reached, or the connection broke.
    #[error("source {endpoint}: {doing}: {source}")]
    Connection {
        /// `name (host:port)` from the config.
        endpoint: String,
        /// What was being done.
        doing: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Nothing came for longer than the heartbeat allows.
    #[error(
        "source {endpoint}: nothing heard for {seconds} s although heartbeats come every {heartbeat_seconds} s"
    )]
    Silent {
        /// `name (host:port)`.
        endpoint: String,
        /// How long.
        seconds: u64,
        /// The agreed heartbeat.
        heartbeat_seconds: u64,
    },
    /// The host leads to more than one server, or to another one by now.
    #[error(
        "source {endpoint}: this connection leads to another server ({found}) than the first one of this attempt ({first}); a task needs one server, so name that one"
    )]
    AnotherServer {
        /// `name (host:port)`.
        endpoint: String,
        /// Identity of the server that the attempt began with.
        first: String,
        /// Identity of this one.
        found: String,
    },
    /// User or password refused.
    #[error("source {endpoint}: user '{user}' is refused: {message}")]
    Login {
        /// `name (host:port)`.
        endpoint: String,
        /// User name.
        user: String,
        /// The server's words, or ours.
        message: String,
        /// What the user can do.
        remedy: String,
    },
    /// TLS could not be had as the config demands.
    #[error("source {endpoint}: TLS: {message}")]
    Tls {
        /// `name (host:port)`.
        endpoint: String,
        /// What went wrong.
        message: String,
        /// What the user can do.
        remedy: String,
    },
    /// The server answered a statement with an error.
    #[error("source {endpoint}: {doing}: error {code} ({state}): {message}")]
    Server {
        /// `name (host:port)`.
        endpoint: String,
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
    #[error("source {endpoint}: protocol: {message}")]
    Protocol {
        /// `name (host:port)`.
        endpoint: String,
        /// What did not fit.
        message: String,
    },
    /// A binlog event that is not on the list of understood ones, or contradicts itself.
    #[error("source {endpoint}: binlog event {event} at {position}: {why}")]
    Event {
        /// `name (host:port)`.
        endpoint: String,
        /// Type name or number.
        event: String,
        /// Where it ends.
        position: String,
        /// What is wrong.
        why: String,
        /// What the user can do; empty when nothing.
        remedy: String,
    },
    /// Rows that are held until their transaction ends have no room on the disk.
    #[error("source {endpoint}: binlog at {position}: {why}; it is tried again until there is")]
    SpillFull {
        /// `name (host:port)`.
        endpoint: String,
        /// Where the event ends.
        position: String,
        /// What is full, and what the user can do.
        why: String,
    },
    /// A logged statement that cannot be carried (statement-format DML, or one that is not understood).
    #[error("source {endpoint}: statement at {position}: {why}: {statement}")]
    Statement {
        /// `name (host:port)`.
        endpoint: String,
        /// Where it ends.
        position: String,
        /// Why.
        why: String,
        /// Its text, shortened.
        statement: String,
        /// What the user can do.
        remedy: String,
    },
    /// The source no longer has what comes next.
    #[error("source {endpoint}: the log no longer holds what follows {position}: {message}")]
    Purged {
        /// `name (host:port)`.
        endpoint: String,
        /// Where streaming should start.
        position: String,
        /// The server's words or the missing set.
        message: String,
    },
    /// The server is not one that can be copied from.
    #[error("source {endpoint}: {what}")]
    Unsupported {
        /// `name (host:port)`.
        endpoint: String,
        /// What is wrong with it.
        what: String,
        /// What the user can do.
        remedy: String,
    },
    /// Something at the source has to end first, which it may do by itself.
    #[error("source {endpoint}: {what}")]
    Waits {
        /// `name (host:port)`.
        endpoint: String,
        /// What, and what ends it.
        what: String,
    },
    /// A definition read from the source is not usable.
    #[error("source {endpoint}: {table}: {why}")]
    Definition {
        /// `name (host:port)`.
        endpoint: String,
        /// The table.
        table: String,
        /// What is wrong.
        why: String,
        /// What the user can do.
        remedy: String,
    },
    /// The table changed under the copy; the copy group starts over.
    #[error("source {endpoint}: {table} changed while it was copied: {why}")]
    TableChanged {
        /// `name (host:port)`.
        endpoint: String,
        /// The table.
        table: String,
        /// What was noticed.
        why: String,
    },
}

impl SourceError {
    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        match self {
            // An address that has moved leads the next attempt to one server, which is then judged as such.
            Self::Connection { .. }
            | Self::Silent { .. }
            | Self::AnotherServer { .. }
            | Self::Waits { .. }
            | Self::SpillFull { .. }
            | Self::TableChanged { .. } => Retry::AfterBackoff,
            Self::Server { retry, .. } => retry.clone(),
            Self::Protocol { .. } => Retry::Never,
            Self::Event { remedy, .. } if remedy.is_empty() => Retry::Never,
            Self::Login { remedy, .. }
            | Self::Tls { remedy, .. }
            | Self::Statement { remedy, .. }
            | Self::Unsupported { remedy, .. }
            | Self::Definition { remedy, .. }
            | Self::Event { remedy, .. } => Retry::fix(remedy.clone()),
            Self::Purged { .. } => Retry::fix(format!(
                "the missing transactions cannot be had any more: {COPY_AGAIN}, and keep the source's binlogs longer"
            )),
        }
    }
}
