//! All connections of one attempt at a task lead to one server.
//!
//! A host may lead to several (round robin, a proxy, an address that moves while older sessions live on). P0 of one and
//! chunks of another do not fit together: what P0 names and the other does not have yet would never come.
//!
//! What must never happen here: a connection handed out whose server was not held against the first one's.

use super::version::{self, ServerVersion};
use super::{SourceError, SourceErrorKind, Wire};
use crate::change::facts::Flavour;
use crate::change::remedy::Upgrade;
use crate::config::types::SourceEndpoint;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Asks for all that tells servers apart, of either family, and for the settings that the precheck judges.
const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'server_uuid', 'server_id', 'hostname', 'port', \
    'log_bin', 'binlog_format', 'binlog_row_image', 'binlog_row_value_options', 'gtid_mode', 'lower_case_table_names', \
    'innodb_native_foreign_keys', 'sync_binlog', 'log_slave_updates', 'log_replica_updates', 'wsrep_on')";

/// A source endpoint, and the server that the first connection to it has found there. Clones share that.
#[derive(Clone, Debug)]
pub struct SameServer {
    endpoint: SourceEndpoint,
    identity: Arc<OnceLock<String>>,
    version: Arc<OnceLock<ServerVersion>>,
}

impl SameServer {
    /// The endpoint, before anything has connected.
    pub fn new(endpoint: SourceEndpoint) -> Self {
        Self { endpoint, identity: Arc::default(), version: Arc::default() }
    }

    /// Connects as [`Wire::connect`], and makes sure that the server is the one, and of a supported version.
    ///
    /// # Errors
    /// `SourceErrorKind::AnotherServer` when it is not the server of the first connection, `SourceErrorKind::Unsupported`; those of
    /// [`Wire::connect`].
    pub(super) async fn connect(&self) -> Result<(Wire, Introduced), SourceError> {
        let (wire, answers) = Wire::connect_and_ask(&self.endpoint, &[VARIABLES]).await?;
        let found = introduce(&wire, answers.into_iter().flatten())?;
        let first = self.identity.get_or_init(|| found.identity.clone());
        if *first != found.identity {
            return Err(SourceErrorKind::AnotherServer { first: first.clone(), found: found.identity }
                .at(wire.label()));
        }
        let (flavour, number) = version::parse(&found.version);
        self.version.get_or_init(|| ServerVersion { flavour, number });
        Ok((wire, found))
    }

    /// As [`ServerVersion::omits_generated`]; false until the first connection, without which there are no definitions either.
    pub fn omits_generated(&self) -> bool {
        self.version.get().is_some_and(|version| version.omits_generated())
    }

    /// Who logs in.
    pub(super) fn user(&self) -> &str {
        &self.endpoint.user
    }
}

impl From<&SourceEndpoint> for SameServer {
    fn from(endpoint: &SourceEndpoint) -> Self {
        Self::new(endpoint.clone())
    }
}

impl From<&SameServer> for SameServer {
    fn from(same: &SameServer) -> Self {
        same.clone()
    }
}

/// What a server says of itself.
#[derive(Debug)]
pub(super) struct Introduced {
    /// What file positions belong to: `server_uuid`, and on MariaDB, which has none, what tells its servers apart.
    /// (`server_uid` comes with the latest patch releases only, so a server would change its identity with an update.)
    pub identity: String,
    /// As it is written; a proxy may greet with another than that of the server behind it.
    pub version: String,
    /// Settings, by name in lower case.
    pub variables: BTreeMap<String, String>,
}

fn introduce(wire: &Wire, rows: impl Iterator<Item = Vec<Option<Bytes>>>) -> Result<Introduced, SourceError> {
    let mut variables = BTreeMap::new();
    for row in rows {
        let mut texts =
            row.into_iter().map(|value| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned());
        if let (Some(name), Some(value)) = (texts.next(), texts.next()) {
            variables.insert(name.to_ascii_lowercase(), value);
        }
    }
    let value = |name: &str| variables.get(name).map_or("", String::as_str);
    let version = value("version").to_owned();
    let (flavour, number) = version::parse(&version);
    if let Some(reason) = version::unsupported(flavour, number) {
        return Err(SourceErrorKind::Unsupported { what: reason.to_owned(), remedy: Upgrade::Source.into() }
            .at(wire.label()));
    }
    let identity = match flavour {
        Flavour::MySql => value("server_uuid").to_owned(),
        Flavour::MariaDb => {
            format!("server_id {} at {}:{}", value("server_id"), value("hostname"), value("port"))
        }
    };
    if identity.is_empty() {
        return Err(wire.protocol("no server_uuid"));
    }
    Ok(Introduced { identity, version, variables })
}
