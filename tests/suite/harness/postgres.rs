//! PostgreSQL servers, shared or private, and the Greenplum that `ROWFERRY_TEST_GREENPLUM` names.

use super::Rows;
use super::greenplum::{self, Dropped};
use super::process::{Process, ServerFolder, free_port, servers, servers_script};
use super::wait::{DEADLINE, eventually};
use rowferry::testing::config::types::{TargetEndpoint, TargetTlsMode, TlsFiles};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    /// How to log in; the database is the one that databases are made from.
    access: tokio_postgres::Config,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Ours. Its user is postgres without a password.
    Started { options: Vec<String>, process: Mutex<Process>, folder: ServerFolder },
    /// Somebody's cluster, in which only databases of our own are touched.
    Greenplum,
}

/// The shared server that tests write to: PostgreSQL 15, or the Greenplum when `ROWFERRY_TEST_TARGET=greenplum`.
pub async fn postgres() -> &'static Postgres {
    static SERVER: OnceCell<Postgres> = OnceCell::const_new();
    if greenplum::is_target() {
        return greenplum::greenplum()
            .await
            .expect("ROWFERRY_TEST_TARGET=greenplum needs ROWFERRY_TEST_GREENPLUM");
    }
    SERVER.get_or_init(|| Postgres::private(&[])).await
}

impl Postgres {
    /// A server of the test's own with additional options (`"-c"`, `"work_mem=1MB"`); ends when dropped.
    pub async fn private(options: &[&str]) -> Self {
        let folder = ServerFolder::new("postgres");
        servers(&["prepare", "postgres", folder.to_str().expect("UTF-8")]).await;
        let (port, options) = (free_port(), options.iter().map(|&option| option.to_owned()).collect());
        let process = Mutex::new(run(&folder, port, &options));
        let mut access = tokio_postgres::Config::new();
        access.host("127.0.0.1").port(port).user("postgres").dbname("postgres");
        let server = Self { access, kind: Kind::Started { options, process, folder } };
        server.wait_ready().await;
        server
    }

    /// The running cluster that `access` leads to.
    pub(super) fn greenplum(access: tokio_postgres::Config) -> Self {
        Self { access, kind: Kind::Greenplum }
    }

    /// Whether it is the Greenplum.
    pub fn is_greenplum(&self) -> bool {
        matches!(self.kind, Kind::Greenplum)
    }

    /// Its host.
    pub fn host(&self) -> String {
        match self.access.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            other => panic!("{other:?} is no host name"),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.access.get_ports().first().copied().unwrap_or(5432)
    }

    /// Its administrator, as whom the tests and the daemon log in.
    pub fn user(&self) -> &str {
        self.access.get_user().expect("a user")
    }

    fn password(&self) -> String {
        String::from_utf8_lossy(self.access.get_password().unwrap_or_default()).into_owned()
    }

    /// Runs statements in the database that others are made from; see [`PostgresDatabase::sql`].
    pub async fn sql(&self, statements: &str) -> Rows {
        self.session(self.access.get_dbname().expect("a database")).await.sql(statements).await
    }

    /// As [`Self::sql`], with the server's error.
    pub(super) async fn try_sql(&self, statements: &str) -> Result<Rows, String> {
        let database = self.access.get_dbname().expect("a database");
        self.try_session(database).await?.try_sql(statements).await
    }

    pub(super) fn access(&self) -> &tokio_postgres::Config {
        &self.access
    }

    /// Creates a database, after dropping what is left of an earlier one.
    pub async fn database(&self, name: &str) -> PostgresDatabase<'_> {
        if self.is_greenplum() {
            let dropped = greenplum::create(self, name).await;
            let name = dropped.name().to_owned();
            return PostgresDatabase { server: self, name, kept: Kept::default(), _dropped: Some(dropped) };
        }
        // Not in one go: these statements want no transaction around them.
        self.sql(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await;
        self.sql(&format!("CREATE DATABASE \"{name}\"")).await;
        PostgresDatabase { server: self, name: name.to_owned(), kept: Kept::default(), _dropped: None }
    }

    /// A connection that stays.
    pub async fn session(&self, database: &str) -> PostgresSession {
        self.try_session(database).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn try_session(&self, database: &str) -> Result<PostgresSession, String> {
        let mut config = self.access.clone();
        config.dbname(database).application_name("suite");
        let explain =
            |error: tokio_postgres::Error| format!("postgres at {}: {}", self.port(), words(&error));
        let (client, connection) = config.connect(NoTls).await.map_err(explain)?;
        tokio::spawn(async move {
            // An error here also reaches whoever waits for an answer.
            let _ = connection.await;
        });
        Ok(PostgresSession(client))
    }

    /// kill -9 to the server and all its backends. For private servers.
    pub fn kill(&self) {
        self.with_process(Process::kill9);
    }

    /// Sends a signal (`"STOP"`, `"CONT"`) to the server and all its backends. For private servers.
    pub fn signal(&self, signal: &str) {
        self.with_process(|process| process.signal_all(signal));
    }

    /// Starts it again on its data and port, killing it first if it still runs. For private servers.
    pub async fn restart(&self) {
        self.kill();
        let Kind::Started { options, process, folder } = &self.kind else { panic!("not ours to restart") };
        *process.lock().unwrap_or_else(PoisonError::into_inner) = run(folder, self.port(), options);
        self.wait_ready().await;
    }

    /// Processor time that it has used, in seconds; that of somebody's cluster is not known.
    pub fn processor_seconds(&self) -> f64 {
        match self.kind {
            Kind::Started { .. } => self.with_process(Process::processor_seconds),
            Kind::Greenplum => f64::NAN,
        }
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let Kind::Started { folder, .. } = &self.kind else { panic!("not ours to read") };
        super::daemon::tail(&folder.join("error.log"))
    }

    fn with_process<R>(&self, act: impl FnOnce(&Process) -> R) -> R {
        let Kind::Started { process, .. } = &self.kind else { panic!("not ours to kill") };
        act(&process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn wait_ready(&self) {
        eventually(DEADLINE * 2, &format!("postgres answers on port {}", self.port()), async || {
            let ended = self.with_process(Process::ended);
            assert_eq!(ended, None, "postgres ended at its start:\n{}", self.log());
            match self.try_session(self.access.get_dbname().expect("a database")).await {
                Ok(mut session) => session.try_sql("SELECT 1").await.is_ok(),
                Err(_) => false,
            }
        })
        .await;
    }
}

fn run(folder: &Path, port: u16, options: &Vec<String>) -> Process {
    let mut command = servers_script();
    command.args(["run", "postgres"]).arg(folder).arg(port.to_string()).args(options);
    Process::start("postgres", command)
}

/// A database on a server.
#[derive(Debug)]
pub struct PostgresDatabase<'server> {
    /// Its server.
    pub server: &'server Postgres,
    /// Its name.
    pub name: String,
    kept: Kept,
    /// Drops it on somebody's cluster.
    _dropped: Option<Dropped>,
}

/// The connection of what is only looked at, again and again: to start a backend takes longer than a look.
#[derive(Debug, Default)]
struct Kept(tokio::sync::Mutex<Option<PostgresSession>>);

impl PostgresDatabase<'_> {
    /// Waits until the daemon's applier waits for a lock in this database.
    pub async fn wait_applier_locked(&self) {
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity a WHERE datname = current_database() \
             AND application_name LIKE 'rowferry/%/apply' AND {WAITS_FOR_LOCK}"
        );
        eventually(DEADLINE, "the applier waits for the lock", async || self.one(&waiting).await == "1")
            .await;
    }

    /// The URL for the config.
    pub fn url(&self) -> String {
        let (server, password) = (self.server, self.server.password());
        let secret = if password.is_empty() { String::new() } else { format!(":{password}") };
        format!("postgresql://{}{secret}@{}:{}/{}", server.user(), server.host(), server.port(), self.name)
    }

    /// The name its test gave it, which is also the name of the source's database.
    pub fn test(&self) -> &str {
        self.name.strip_prefix(greenplum::PREFIX).unwrap_or(&self.name)
    }

    /// How the sink itself reaches it.
    pub fn endpoint(&self) -> TargetEndpoint {
        TargetEndpoint {
            name: "dw".into(),
            host: self.server.host(),
            port: self.server.port(),
            user: self.server.user().into(),
            database: self.name.clone(),
            password: self.server.password().into(),
            tls: TargetTlsMode::Disable,
            tls_files: TlsFiles::default(),
            kind: None,
        }
    }

    /// Runs statements (`;` between them, then they are one transaction) on a connection of their own and gives
    /// the last result's rows. Panics on an error.
    pub async fn sql(&self, statements: &str) -> Rows {
        self.session().await.sql(statements).await
    }

    /// As [`Self::sql`], with the server's error.
    pub async fn try_sql(&self, statements: &str) -> Result<Rows, String> {
        self.server.try_session(&self.name).await?.try_sql(statements).await
    }

    /// The single value of a query, which changes nothing in its session. Panics when it is NULL or absent.
    pub async fn one(&self, query: &str) -> String {
        value(self.look(query).await, query)
    }

    /// The rows of a query that changes nothing in its session. Panics on an error.
    pub async fn look(&self, query: &str) -> Rows {
        // Two looks at the same time do not wait for each other.
        let Ok(mut kept) = self.kept.0.try_lock() else { return self.sql(query).await };
        if let Some(session) = kept.as_mut()
            && let Ok(rows) = session.try_sql(query).await
        {
            return rows;
        }
        // The first look, or the server has gone meanwhile; any other error comes again.
        let mut session = self.session().await;
        let rows = session.sql(query).await;
        *kept = Some(session);
        rows
    }

    /// A connection that stays: for open transactions and locks.
    pub async fn session(&self) -> PostgresSession {
        self.server.session(&self.name).await
    }

    /// As [`Self::session`], with the error: for servers that come and go.
    pub async fn try_session(&self) -> Result<PostgresSession, String> {
        self.server.try_session(&self.name).await
    }
}

/// True of a row `a` of `pg_stat_activity` that waits for a lock. PostgreSQL 9.4 has another column for it.
pub const WAITS_FOR_LOCK: &str =
    "coalesce(row_to_json(a)->>'wait_event_type' = 'Lock', (row_to_json(a)->>'waiting')::boolean, false)";

/// An open connection.
#[derive(Debug)]
pub struct PostgresSession(Client);

impl PostgresSession {
    /// As [`PostgresDatabase::sql`].
    pub async fn sql(&mut self, statements: &str) -> Rows {
        self.try_sql(statements).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`Self::sql`], with the server's error.
    pub async fn try_sql(&mut self, statements: &str) -> Result<Rows, String> {
        let messages = self.0.simple_query(statements).await.map_err(|error| {
            let shown = statements.chars().take(500).collect::<String>();
            format!("{}\nin: {shown}", words(&error))
        })?;
        let mut rows = Rows::new();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => rows.push(fields(&row)),
                _ => {}
            }
        }
        Ok(rows)
    }

    /// The single value of a query. Panics when it is NULL or absent.
    pub async fn one(&mut self, query: &str) -> String {
        value(self.sql(query).await, query)
    }

    /// The client itself: for streams of large results.
    pub fn client(&self) -> &Client {
        &self.0
    }
}

fn value(rows: Rows, query: &str) -> String {
    rows.into_iter().flatten().next().flatten().unwrap_or_else(|| panic!("no value: {query}"))
}

/// A row of the simple protocol.
pub fn fields(row: &tokio_postgres::SimpleQueryRow) -> Vec<Option<String>> {
    (0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect()
}

/// The server's own words; the crate's display leaves them out.
fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{server} ({})", server.code().code()),
        None => error.to_string(),
    }
}
