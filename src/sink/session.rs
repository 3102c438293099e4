//! One connection to the target, pinned so that no default of server, database or role changes what we write
//! or read.
//!
//! Sequence: TCP (and TLS) → login → the pins and the questions what the server is, sent together. The connection's own task is
//! ended when the [`Session`] is dropped: an open transaction is then rolled back by the server. What must never happen here: a
//! session handed out half pinned.

use super::dialect::{Dialect, PROBE};
use super::sqlstate::ErrorContext;
use super::{SinkError, SinkErrorKind, tls};
use crate::change::Retry;
use crate::change::facts::TargetKind;
use crate::change::remedy::InConfig;
use crate::config::types::{TargetEndpoint, TargetTlsMode};
use crate::quote::literal;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Row, SimpleQueryMessage};

/// Longest wait for a connection, login and pins included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a lock is waited for where nothing else is said.
pub(super) const LOCK_TIMEOUT: &str = "300s";

/// Setting and value, set where the server has the setting. PostgreSQL docs, chapter "Server Configuration".
const PINS: &[(&str, &str)] = &[
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("standard_conforming_strings", "on"),
    ("quote_all_identifiers", "off"),
    ("transform_null_equals", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    // With row security on, a policy would hide rows from our deletes; off makes that an error.
    ("row_security", "off"),
    ("statement_timeout", "0"),
    ("transaction_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    // Whoever locks a target table for longer is named in an error that is retried, not waited for in silence.
    ("lock_timeout", LOCK_TIMEOUT),
    // A client whose machine vanished must not keep its locks for the two hours of TCP's defaults.
    ("tcp_keepalives_idle", "20"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "4"),
    ("tcp_user_timeout", "40s"),
    ("client_min_messages", "warning"),
    // Big batches cost enough to be compiled and never gain from it.
    ("jit", "off"),
    // Tables made here have keys and are updated.
    ("default_table_access_method", "heap"),
    ("default_with_oids", "off"),
    // Greenplum: with ORCA a one-row statement takes ten times as long.
    ("optimizer", "off"),
    // A checkpoint that is reported as durable must be: `off` would lose the last commits with a crash. All else is left.
    (SYNCHRONOUS_COMMIT, "on"),
];

const SYNCHRONOUS_COMMIT: &str = "synchronous_commit";

const STARTED: &str = "SELECT backend_start::text, pg_catalog.pg_postmaster_start_time()::text \
    FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()";

/// A connection to the target.
#[derive(Debug)]
pub struct Session {
    client: Client,
    task: ConnectionTask,
    dialect: Dialect,
    label: String,
    user: String,
    backend_pid: i32,
    backend_start: String,
    server_start: String,
}

/// The task that moves the connection's bytes; ended with the session.
#[derive(Debug)]
struct ConnectionTask {
    handle: JoinHandle<()>,
    lost: Arc<OnceLock<String>>,
}

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// `name (host:port/database)`, as errors and logs name a target.
pub fn label(endpoint: &TargetEndpoint) -> String {
    format!("{} ({}:{}/{})", endpoint.name, endpoint.host, endpoint.port, endpoint.database)
}

impl Session {
    /// Connects, logs in and pins. `application_name` is what `pg_stat_activity` shows of us.
    pub async fn connect(endpoint: &TargetEndpoint, application_name: &str) -> Result<Self, SinkError> {
        Self::connect_with(endpoint, application_name, &[]).await
    }

    /// As [`Session::connect`], with `settings` of its own beside the pins or in their place, where the server has them.
    pub async fn connect_with(
        endpoint: &TargetEndpoint,
        application_name: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self, SinkError> {
        let label = label(endpoint);
        let opening = Self::open(endpoint, application_name, settings, &label);
        match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
            Ok(result) => result,
            Err(_) => Err(SinkErrorKind::broken(
                "connecting",
                format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            )
            .at(label)),
        }
    }

    async fn open(
        endpoint: &TargetEndpoint,
        application_name: &str,
        settings: &[(&str, &str)],
        label: &str,
    ) -> Result<Self, SinkError> {
        let mut config = Config::new();
        config
            .host(&endpoint.host)
            .port(endpoint.port)
            .user(&endpoint.user)
            .dbname(&endpoint.database)
            .application_name(application_name)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(20))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(4)
            // Bytes sent and not acknowledged: keepalives do not run while they wait.
            .tcp_user_timeout(Duration::from_secs(40));
        if !endpoint.password.expose_secret().is_empty() {
            config.password(endpoint.password.expose_secret());
        }
        config.ssl_mode(match endpoint.tls {
            TargetTlsMode::Disable => SslMode::Disable,
            TargetTlsMode::Prefer => SslMode::Prefer,
            TargetTlsMode::Require | TargetTlsMode::VerifyCa | TargetTlsMode::VerifyFull => SslMode::Require,
        });
        let connector = tls::connector(endpoint, label)?;
        let context = ErrorContext { endpoint: label, user: &endpoint.user, lost: None };
        let mut result = config.connect(connector.clone()).await;
        if let Err(error) = &result
            && endpoint.tls == TargetTlsMode::Prefer
            && let Some(why) = reason_to_go_without_tls(error, &endpoint.host)
        {
            tracing::warn!(target = %endpoint.name, "TLS is preferred but cannot be had ({why}); what is sent from here on can be read on its way");
            result = config.ssl_mode(SslMode::Disable).connect(connector).await;
        }
        let (client, mut connection) =
            result.map_err(|error| match tls::refusal(&error, &endpoint.host) {
                Some(refusal) => tls::error(refusal, label),
                None => context.map("connecting", error),
            })?;
        let greenplum = connection.parameter("gp_server_version").is_some();
        let lost = Arc::new(OnceLock::new());
        let task = ConnectionTask {
            lost: Arc::clone(&lost),
            handle: tokio::spawn(async move {
                // By reference: the reason must be noted before the waiting requests learn of the end.
                if let Err(error) = (&mut connection).await {
                    let words = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
                    lost.get_or_init(|| words.replace('\n', "; "));
                }
            }),
        };
        let pins = pins(settings);
        // Sent together. Each has a time limit of its own, for the limit of the database may be a short one; and dates are written as
        // pinned by then.
        let (unlimited, pinned, probed, started) = tokio::join!(
            biased;
            client.batch_execute("SET statement_timeout TO 0; SET search_path TO pg_catalog"),
            client.simple_query(&pins),
            client.simple_query(PROBE),
            client.query_typed(STARTED, &[])
        );
        let asking = "asking what the server is";
        unlimited.map_err(|error| context.map(asking, error))?;
        let probed = probed.map_err(|error| context.map(asking, error))?;
        let (mut dialect, backend_pid) =
            read_probe(&probed, greenplum, endpoint.kind).map_err(|message| {
                SinkErrorKind::unexpected(asking, message, Retry::fix(InConfig::TargetUrl)).at(label)
            })?;
        dialect.supported(label)?;
        pinned.map_err(|error| context.map("pinning the session", error))?;
        dialect
            .ask(&client)
            .await
            .map_err(|error| context.map("asking what the server understands", error))?;
        let times = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        let started = started.and_then(|rows| rows.first().map(times).transpose());
        let started = started.map_err(|error| context.map("reading the session's start", error))?;
        let (backend_start, server_start) = started.ok_or_else(|| {
            let what = "the session is not in pg_stat_activity";
            SinkErrorKind::unexpected("reading the session's start", what, Retry::Never).at(label)
        })?;
        let (label, user) = (label.to_owned(), endpoint.user.clone());
        Ok(Self { client, task, dialect, label, user, backend_pid, backend_start, server_start })
    }

    /// The client. Its requests may be pipelined; a transaction may be held open with plain BEGIN and COMMIT.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the server is and understands.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// `name (host:port/database)`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The server process that serves this session.
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// When that process started, as text with all digits: with its number it is told from any other process.
    pub fn backend_start(&self) -> &str {
        &self.backend_start
    }

    /// When the server started: another time is another server, or the same after a crash.
    pub fn server_start(&self) -> &str {
        &self.server_start
    }

    /// Whether the connection is known to be gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Gives an error of this session its meaning. `doing` is a phrase like "reading the catalog".
    #[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
    pub fn error(&self, doing: &str, error: tokio_postgres::Error) -> SinkError {
        self.context().map(doing, error)
    }

    /// An answer that this program does not understand.
    pub(super) fn unexpected(&self, doing: &str, message: impl Into<String>) -> SinkError {
        SinkErrorKind::unexpected(doing, message, Retry::Never).at(&self.label)
    }

    fn context(&self) -> ErrorContext<'_> {
        ErrorContext {
            endpoint: &self.label,
            user: &self.user,
            lost: self.task.lost.get().map(String::as_str),
        }
    }
}

/// The answer to [`PROBE`], and the number of the server process in it.
fn read_probe(
    answer: &[SimpleQueryMessage],
    greenplum: bool,
    kind: Option<TargetKind>,
) -> Result<(Dialect, i32), String> {
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.ok_or("the answer is empty")?;
    let fields: Vec<Option<&str>> = (0..row.len()).map(|index| row.try_get(index).ok().flatten()).collect();
    let dialect = Dialect::read(&fields, greenplum, kind)?;
    let pid = fields.last().copied().flatten().and_then(|pid| pid.parse().ok());
    Ok((dialect, pid.ok_or("the answer is incomplete")?))
}

/// One statement that sets those of [`PINS`] and `settings` that the server has.
fn pins(settings: &[(&str, &str)]) -> String {
    let wanted: BTreeMap<&str, &str> = PINS.iter().chain(settings).copied().collect();
    let wanted: Vec<String> =
        wanted.iter().map(|(name, value)| format!("({}, {})", literal(name), literal(value))).collect();
    format!(
        "SELECT pg_catalog.set_config(s.name, w.value, false) FROM pg_catalog.pg_settings s \
         JOIN (VALUES {}) AS w (name, value) ON pg_catalog.lower(s.name) = pg_catalog.lower(w.name) \
         WHERE s.name <> '{SYNCHRONOUS_COMMIT}' OR s.setting = 'off'",
        wanted.join(", ")
    )
}

/// Why `prefer` may try again without TLS, as libpq does: there is no TLS in common, or `pg_hba.conf` has no line
/// for an encrypted connection of this user (28000, said before any password). A network that broke, a password or
/// a client certificate that was refused are no reasons.
fn reason_to_go_without_tls(error: &tokio_postgres::Error, host: &str) -> Option<String> {
    if let Some(refusal) = tls::refusal(error, host) {
        return (!refusal.of_client_certificate).then_some(refusal.message);
    }
    let said = error.as_db_error()?;
    (*said.code() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION && said.message().contains("pg_hba.conf"))
        .then(|| said.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_of_a_session_takes_the_place_of_the_pin() {
        let sql = pins(&[("lock_timeout", "5s"), ("enable_seqscan", "off")]);
        assert_eq!(sql.matches("'lock_timeout'").count(), 1, "{sql}");
        for pair in ["('lock_timeout', '5s')", "('enable_seqscan', 'off')", "('DateStyle', 'ISO, YMD')"] {
            assert!(sql.contains(pair), "{pair}: {sql}");
        }
    }
}
