//! PostgreSQL servers, shared or private.

use super::Rows;
use super::process::{Process, free_port, new_folder, servers, servers_script};
use super::wait::{DEADLINE, eventually};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A running server. Its user is postgres without a password.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
    process: Mutex<Process>,
}

/// The shared PostgreSQL 15.
pub async fn postgres() -> &'static Postgres {
    static SERVER: OnceCell<Postgres> = OnceCell::const_new();
    SERVER.get_or_init(|| Postgres::private(&[])).await
}

impl Postgres {
    /// A server of the test's own with additional options (`"-c"`, `"work_mem=1MB"`); ends when dropped.
    pub async fn private(options: &[&str]) -> Self {
        let folder = new_folder("postgres");
        servers(&["prepare", "postgres", folder.to_str().expect("UTF-8")]).await;
        let (port, options) = (free_port(), options.iter().map(|&option| option.to_owned()).collect());
        let process = Mutex::new(run(&folder, port, &options));
        let server = Self { folder, port, options, process };
        server.wait_ready().await;
        server
    }

    /// `127.0.0.1`'s port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements in the database `postgres`; see [`PostgresDatabase::sql`].
    pub async fn sql(&self, statements: &str) -> Rows {
        self.session("postgres").await.sql(statements).await
    }

    /// Creates a database, after dropping what is left of an earlier one.
    pub async fn database(&self, name: &str) -> PostgresDatabase<'_> {
        // Not in one go: these statements want no transaction around them.
        self.sql(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await;
        self.sql(&format!("CREATE DATABASE \"{name}\"")).await;
        PostgresDatabase { server: self, name: name.to_owned() }
    }

    /// A connection that stays.
    pub async fn session(&self, database: &str) -> PostgresSession {
        self.try_session(database).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn try_session(&self, database: &str) -> Result<PostgresSession, String> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("postgres").dbname(database);
        config.application_name("suite");
        let explain = |error: tokio_postgres::Error| format!("postgres at {}: {}", self.port, words(&error));
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
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) =
            run(&self.folder, self.port, &self.options);
        self.wait_ready().await;
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        super::daemon::tail(&self.folder.join("error.log"))
    }

    fn with_process<R>(&self, act: impl FnOnce(&Process) -> R) -> R {
        act(&self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn wait_ready(&self) {
        eventually(DEADLINE * 2, &format!("postgres answers on port {}", self.port), async || {
            let ended = self.with_process(Process::ended);
            assert_eq!(ended, None, "postgres ended at its start:\n{}", self.log());
            match self.try_session("postgres").await {
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
}

impl PostgresDatabase<'_> {
    /// The URL for the config.
    pub fn url(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{}", self.server.port, self.name)
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

    /// The single value of a query. Panics when it is NULL or absent.
    pub async fn one(&self, query: &str) -> String {
        self.session().await.one(query).await
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

/// An open connection.
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
        let rows = self.sql(query).await;
        rows.into_iter().flatten().next().flatten().unwrap_or_else(|| panic!("no value: {query}"))
    }

    /// The client itself: for streams of large results.
    pub fn client(&self) -> &Client {
        &self.0
    }
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
