//! The session that asks the source about itself: facts, table definitions, positions and the bounds of chunks.
//!
//! What flows out: [`crate::change::facts::SourceFacts`], [`crate::schema::Table`] definitions, P0 and P1, chunk bounds.
//! It is one pinned [`Wire`]: the answers are small, and TLS, login and errors are the same as for the hot reads.
//!
//! What must never happen here: a number of queries that grows with the number of tables; a missing privilege taken for
//! an absent thing; a position from another server than the one the session talks to.

mod bounds;
mod code;
mod codes;
mod evaluate;
mod facts;
pub(super) mod foreign_keys;
mod positions;
mod visible;

pub use evaluate::Setting;

use super::same::Introduced;
use super::version::{self, ServerVersion};
use super::wire::Rows;
use super::{SameServer, SourceError, SourceErrorKind, Wire};
use crate::change::facts::Flavour;
use crate::change::remedy::Remedy;
use crate::config::types::Selection;
use crate::schema::Table;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// A query of this session may take this long. Generous: `information_schema` of many thousand tables is slow before 8.0.
const QUERY_TIMEOUT: Duration = Duration::from_secs(300);

/// Rows as text, NULL as `None`.
pub(super) type TextRows = Vec<Vec<Option<String>>>;

/// A session for questions.
#[derive(Debug)]
pub struct Server {
    to: SameServer,
    wire: Wire,
    identity: String,
    user: String,
    flavour: Flavour,
    version: String,
    version_number: u32,
    /// Settings as they were at the connection's start, by name in lower case.
    variables: BTreeMap<String, String>,
    /// What it waits for, in words.
    waits: watch::Sender<Option<String>>,
}

impl Server {
    /// Connects, logs in, pins the session and makes sure that the server is one of the supported ones.
    ///
    /// # Errors
    /// As [`Wire::connect`]; `SourceErrorKind::AnotherServer`; `SourceErrorKind::Unsupported` for MySQL before 5.6 and MariaDB
    /// before 10.5.
    pub async fn connect(to: impl Into<SameServer>) -> Result<Self, SourceError> {
        let to = to.into();
        let (wire, Introduced { identity, version, variables }) = to.connect().await?;
        let (flavour, version_number) = version::parse(&version);
        let user = to.user().to_owned();
        let waits = watch::Sender::new(None);
        Ok(Self { to, wire, identity, user, flavour, version, version_number, variables, waits })
    }

    /// The definitions of the selected base tables, by name. A fixed number of queries.
    ///
    /// A primary key over a column prefix (`PRIMARY KEY (t(10))`) is no key here: the index cannot give the order of the
    /// whole column, which chunks need.
    ///
    /// # Errors
    /// What the server answers; `SourceErrorKind::TableChanged` when a definition changed between two queries.
    pub async fn tables(&mut self, selection: &Selection) -> Result<Vec<Table>, SourceError> {
        let (found, _) = super::catalog::read(self, selection, &[]).await?;
        Ok(found.into_iter().map(|entry| entry.table).collect())
    }

    /// The identity that file positions belong to; see [`super::same`].
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// `name (host:port)`.
    pub fn label(&self) -> &str {
        self.wire.label()
    }

    /// What a question that takes long waits for, in words that go after "waits for"; `None` while nothing waits.
    pub fn waits(&self) -> watch::Receiver<Option<String>> {
        self.waits.subscribe()
    }

    /// The family of the server.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The family and version of the server.
    pub fn server_version(&self) -> ServerVersion {
        ServerVersion { flavour: self.flavour, number: self.version_number }
    }

    /// As [`super::binlog::begun::file_begun`], as the last question of this session.
    ///
    /// # Errors
    /// As [`super::binlog::begun::file_begun`].
    pub async fn file_begun(self, file: &str) -> Result<Option<u32>, SourceError> {
        super::binlog::begun::begun(self.wire, file).await
    }

    /// Leaves the server in order.
    pub async fn close(mut self) {
        const COM_QUIT: u8 = 0x01;
        // The server answers by closing; that it is gone already is what was wanted.
        if let Err(error) = self.wire.send_command(&[COM_QUIT]).await {
            tracing::debug!(%error, "the session was gone before it was closed");
        }
    }

    /// Rows as bytes.
    async fn query(&mut self, sql: &str) -> Result<Rows, SourceError> {
        match tokio::time::timeout(QUERY_TIMEOUT, self.wire.query(sql)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.no_answer(sql)),
        }
    }

    fn no_answer(&self, sql: &str) -> SourceError {
        SourceErrorKind::Connection {
            doing: sql.chars().take(60).collect(),
            source: std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {} s", QUERY_TIMEOUT.as_secs()),
            ),
        }
        .at(self.label())
    }

    pub(super) async fn rows(&mut self, sql: &str) -> Result<TextRows, SourceError> {
        let rows = self.query(sql).await?;
        self.texts(rows)
    }

    /// The rows of several questions, which cost one round trip; see [`Wire::script`].
    pub(super) async fn script(&mut self, questions: &[&str]) -> Result<Vec<TextRows>, SourceError> {
        match tokio::time::timeout(QUERY_TIMEOUT, self.wire.script(questions)).await {
            Ok(answers) => answers?.into_iter().map(|rows| self.texts(rows)).collect(),
            Err(_) => Err(self.no_answer(questions.first().copied().unwrap_or_default())),
        }
    }

    fn texts(&self, answer: Rows) -> Result<TextRows, SourceError> {
        let mut rows = Vec::new();
        for row in answer {
            let mut texts = Vec::with_capacity(row.len());
            for value in row {
                let value = value.map(|bytes| String::from_utf8(bytes.to_vec())).transpose();
                texts.push(value.map_err(|_| self.protocol("text that is not UTF-8 in a utf8mb4 session"))?);
            }
            rows.push(texts);
        }
        Ok(rows)
    }

    pub(super) fn protocol(&self, message: impl Into<String>) -> SourceError {
        SourceErrorKind::Protocol { message: message.into() }.at(self.label())
    }

    fn unsupported(&self, what: impl Into<String>, remedy: impl Into<Remedy>) -> SourceError {
        SourceErrorKind::Unsupported { what: what.into(), remedy: remedy.into() }.at(self.label())
    }
}

/// A column of a row; `None` for NULL and for a row that is too short.
pub(super) fn text(row: &[Option<String>], column: usize) -> Option<&str> {
    row.get(column)?.as_deref()
}
