//! One connection to the target, pinned so that no default of server, database or role changes what we write
//! or read.
//!
//! Sequence: TCP (and TLS) → login → one query for what the server is and which settings it has → one batch of
//! SETs. The connection's own task is ended when the [`Session`] is dropped: an open transaction is then rolled
//! back by the server. What must never happen here: a session handed out half pinned.

use super::dialect::{Dialect, PROBE};
use super::sqlstate::ErrorContext;
use super::{SinkError, tls};
use crate::change::Retry;
use crate::config::types::{TargetEndpoint, TargetTlsMode};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Row, SimpleQueryMessage};

/// Longest wait for a connection, login and pins included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
    ("lock_timeout", "300s"),
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
];

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
        let label = label(endpoint);
        match tokio::time::timeout(CONNECT_TIMEOUT, Self::open(endpoint, application_name, &label)).await {
            Ok(result) => result,
            Err(_) => Err(SinkError::Connection {
                endpoint: label,
                doing: "connecting".into(),
                message: format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            }),
        }
    }

    async fn open(endpoint: &TargetEndpoint, application_name: &str, label: &str) -> Result<Self, SinkError> {
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
                None => context.map("connecting", &error),
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
        let (mut dialect, backend_pid, settings) = probe(&client, greenplum, endpoint, &context).await?;
        dialect.supported(label)?;
        dialect
            .ask(&client)
            .await
            .map_err(|error| context.map("asking what the server understands", &error))?;
        // Sent together; dates are written as pinned by then.
        let sql = pins(&settings);
        let (pinned, started) = tokio::join!(client.batch_execute(&sql), client.query_typed(STARTED, &[]));
        pinned.map_err(|error| context.map("pinning the session", &error))?;
        let times = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        let started = started.and_then(|rows| rows.first().map(times).transpose());
        let started = started.map_err(|error| context.map("reading the session's start", &error))?;
        let (backend_start, server_start) = started.ok_or_else(|| SinkError::Server {
            endpoint: label.to_owned(),
            doing: "reading the session's start".into(),
            state: "none".into(),
            message: "the session is not in pg_stat_activity".into(),
            retry: Retry::Never,
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
        self.context().map(doing, &error)
    }

    /// An answer that this program does not understand.
    pub(super) fn unexpected(&self, doing: &str, message: impl Into<String>) -> SinkError {
        SinkError::Server {
            endpoint: self.label.clone(),
            doing: doing.to_owned(),
            state: "none".into(),
            message: message.into(),
            retry: Retry::Never,
        }
    }

    fn context(&self) -> ErrorContext<'_> {
        ErrorContext {
            endpoint: &self.label,
            user: &self.user,
            lost: self.task.lost.get().map(String::as_str),
        }
    }
}

/// Asks what the server is, and for the settings among [`PINS`] that it has, with their values.
async fn probe(
    client: &Client,
    greenplum: bool,
    endpoint: &TargetEndpoint,
    context: &ErrorContext<'_>,
) -> Result<(Dialect, i32, BTreeMap<String, String>), SinkError> {
    const DOING: &str = "asking what the server is";
    let wanted: Vec<String> = PINS
        .iter()
        .map(|(name, _)| *name)
        .chain(["synchronous_commit"])
        .map(|name| format!("'{}'", name.to_lowercase()))
        .collect();
    let sql = format!(
        "{PROBE}; SELECT name, setting FROM pg_catalog.pg_settings \
         WHERE pg_catalog.lower(name) IN ({})",
        wanted.join(", ")
    );
    // Sent together, but each with a time limit of its own: the limit of the database may be a short one.
    let (unlimited, answers) = tokio::join!(
        client.batch_execute("SET statement_timeout TO 0; SET search_path TO pg_catalog"),
        client.simple_query(&sql)
    );
    unlimited.map_err(|error| context.map(DOING, &error))?;
    let answers = answers.map_err(|error| context.map(DOING, &error))?;
    let mut dialect = None;
    let mut settings = BTreeMap::new();
    for answer in &answers {
        let SimpleQueryMessage::Row(row) = answer else { continue };
        if row.len() == 2 {
            let text = |index| row.try_get(index).ok().flatten().unwrap_or_default().to_owned();
            settings.insert(text(0), text(1));
        } else {
            let fields: Vec<Option<&str>> =
                (0..row.len()).map(|index| row.try_get(index).ok().flatten()).collect();
            let pid = fields.last().copied().flatten().and_then(|pid| pid.parse::<i32>().ok());
            dialect = Some((Dialect::read(&fields, greenplum, endpoint.kind), pid));
        }
    }
    let unreadable = |message: String| SinkError::Server {
        endpoint: context.endpoint.to_owned(),
        doing: DOING.into(),
        state: "none".into(),
        message,
        retry: Retry::fix("let the url name a PostgreSQL, Greenplum or AnalyticDB for PostgreSQL server"),
    };
    match dialect {
        Some((Ok(dialect), Some(pid))) => Ok((dialect, pid, settings)),
        Some((Err(why), _)) => Err(unreadable(why)),
        Some((Ok(_), None)) | None => Err(unreadable("the answer is incomplete".into())),
    }
}

/// The SET statements for a server with these settings.
fn pins(settings: &BTreeMap<String, String>) -> String {
    let has = |wanted: &str| settings.keys().any(|name| name.eq_ignore_ascii_case(wanted));
    let mut sql = String::new();
    for (name, value) in PINS.iter().filter(|(name, _)| has(name)) {
        let _ = write!(sql, "SET {name} = {};", literal_list(value));
    }
    // A checkpoint that is reported as durable must be: `off` would lose the last commits with a crash.
    if settings.get("synchronous_commit").is_some_and(|value| value == "off") {
        sql.push_str("SET synchronous_commit = 'on';");
    }
    sql
}

/// List settings take one quoted word per element.
fn literal_list(value: &str) -> String {
    value.split(", ").map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
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
    fn only_settings_the_server_has_are_set() {
        let settings = [("TimeZone", "Asia/Tokyo"), ("DateStyle", "SQL, DMY"), ("optimizer", "on")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let sql = pins(&settings.into());
        assert_eq!(sql, "SET DateStyle = 'ISO', 'YMD';SET TimeZone = 'UTC';SET optimizer = 'off';");
    }

    #[test]
    fn synchronous_commit_is_raised_from_off_and_otherwise_left() {
        let with = |value: &str| pins(&[("synchronous_commit".to_owned(), value.to_owned())].into());
        assert_eq!(with("off"), "SET synchronous_commit = 'on';");
        for kept in ["local", "remote_write", "on", "remote_apply"] {
            assert_eq!(with(kept), "");
        }
    }
}
