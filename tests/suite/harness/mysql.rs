//! MySQL and MariaDB servers, shared or private.

use super::process::{Process, ServerFolder, free_port, servers, servers_script};
use super::wait::{DEADLINE, eventually};
use super::{Rows, process};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};
use rowferry::testing::change::FilePosition;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::sync::OnceCell;

/// A running server. Its user is root without a password.
#[derive(Debug)]
pub struct Mysql {
    kind: &'static str,
    /// `TZ` of its environment, from which its time zone `SYSTEM` comes; `None` leaves that to the test's own.
    zone: Option<&'static str>,
    port: u16,
    options: Vec<String>,
    process: Mutex<Process>,
    folder: ServerFolder,
}

/// The shared MySQL 9.7 with GTIDs.
pub async fn mysql97() -> &'static Mysql {
    static SERVER: OnceCell<Mysql> = OnceCell::const_new();
    SERVER.get_or_init(|| Mysql::start("mysql97", &[])).await
}

/// The shared MySQL 5.6: file positions, little metadata.
pub async fn mysql56() -> &'static Mysql {
    static SERVER: OnceCell<Mysql> = OnceCell::const_new();
    SERVER.get_or_init(|| Mysql::start("mysql56", &[])).await
}

/// The shared MariaDB 10.11.
pub async fn mariadb() -> &'static Mysql {
    static SERVER: OnceCell<Mysql> = OnceCell::const_new();
    SERVER.get_or_init(|| Mysql::start("mariadb", &[])).await
}

/// The shared MariaDB 11.8.
pub async fn mariadb118() -> &'static Mysql {
    static SERVER: OnceCell<Mysql> = OnceCell::const_new();
    SERVER.get_or_init(|| Mysql::start("mariadb118", &[])).await
}

impl Mysql {
    /// A MySQL 9.7 of the test's own with additional server options; ends when dropped.
    pub async fn private(options: &[&str]) -> Self {
        Self::start("mysql97", options).await
    }

    /// A server of the test's own: `mysql97`, `mysql56`, `mariadb` or `mariadb118`.
    pub async fn start(kind: &'static str, options: &[&str]) -> Self {
        Self::launch(kind, None, options).await
    }

    /// As [`Self::start`], with a time zone for its `SYSTEM`.
    pub async fn start_in_zone(kind: &'static str, zone: &'static str, options: &[&str]) -> Self {
        Self::launch(kind, Some(zone), options).await
    }

    async fn launch(kind: &'static str, zone: Option<&'static str>, options: &[&str]) -> Self {
        let folder = ServerFolder::new(kind);
        servers(&["prepare", kind, folder.to_str().expect("UTF-8")]).await;
        let (port, options) = (free_port(), options.iter().map(|&option| option.to_owned()).collect());
        let process = Mutex::new(run(kind, zone, &folder, port, &options));
        let server = Self { kind, zone, port, options, process, folder };
        server.wait_ready().await;
        server
    }

    /// `127.0.0.1`'s port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL for the config.
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.port)
    }

    /// Runs statements (`;` between them) on a connection of their own and gives the last result's rows.
    /// Binary values come out with replacement characters: use `HEX()`. Panics on an error.
    pub async fn sql(&self, statements: &str) -> Rows {
        self.session().await.sql(statements).await
    }

    /// As [`Self::sql`], with the server's error.
    pub async fn try_sql(&self, statements: &str) -> Result<Rows, String> {
        self.try_session(None).await?.try_sql(statements).await
    }

    /// The single value of a query. Panics when it is NULL or absent.
    pub async fn one(&self, query: &str) -> String {
        self.session().await.one(query).await
    }

    /// A connection that stays: for open transactions, locks and session variables.
    pub async fn session(&self) -> MysqlSession {
        self.try_session(None).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn try_session(&self, database: Option<&str>) -> Result<MysqlSession, String> {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some("root"))
            .db_name(database)
            .prefer_socket(false);
        let connection = Conn::new(options).await;
        Ok(MysqlSession(connection.map_err(|error| format!("{} at {}: {error}", self.kind, self.port))?))
    }

    /// Creates a database, after dropping what is left of an earlier one.
    pub async fn database(&self, name: &str) -> MysqlDatabase<'_> {
        self.sql(&format!("DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}`")).await;
        MysqlDatabase { server: self, name: name.to_owned() }
    }

    /// Whether every transaction has one of MySQL's GTIDs.
    pub async fn has_gtids(&self) -> bool {
        !self.is_mariadb() && self.one("SELECT @@GLOBAL.gtid_mode").await == "ON"
    }

    /// The end of its log.
    pub async fn log_end(&self) -> FilePosition {
        let query = if self.kind == "mysql97" { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
        let rows = self.sql(query).await;
        let value = |column: usize| rows[0][column].clone().expect("a log");
        FilePosition { file: value(0).into(), offset: value(1).parse().expect("an offset") }
    }

    /// `mysql97`, `mysql56`, `mariadb` or `mariadb118`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether it is a MariaDB, of whatever version.
    pub fn is_mariadb(&self) -> bool {
        self.kind.starts_with("mariadb")
    }

    /// kill -9. For private servers.
    pub fn kill(&self) {
        self.with_process(Process::kill9);
    }

    /// Sends a signal (`"STOP"`, `"CONT"`, `"TERM"`). For private servers.
    pub fn signal(&self, signal: &str) {
        self.with_process(|process| process.signal(signal));
    }

    /// Starts it again on its data and port, killing it first if it still runs. For private servers.
    pub async fn restart(&self) {
        self.kill();
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) =
            run(self.kind, self.zone, &self.folder, self.port, &self.options);
        self.wait_ready().await;
    }

    /// Waits until it has shut down in good order, as SIGTERM asks it to. For private servers.
    pub async fn wait_shut_down(&self) {
        eventually(DEADLINE, &format!("{} shuts down", self.kind), async || {
            self.with_process(Process::ended).is_some()
        })
        .await;
        assert_eq!(self.with_process(Process::ended), Some(0), "{}", self.log());
    }

    /// A file of its data directory, such as one of its log.
    pub fn data_file(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name)
    }

    /// Keeps a copy of its data as they are on disk now, as a snapshot of the machine's disk does. For private servers.
    pub fn keep_data(&self) {
        self.signal("STOP");
        copy(&self.folder.join("data"), &self.folder.join("kept"));
        self.signal("CONT");
    }

    /// Starts it again on the data kept by [`Self::keep_data`], killing it first.
    pub async fn restore_data(&self) {
        self.kill();
        let data = self.folder.join("data");
        std::fs::remove_dir_all(&data).expect("the data go");
        copy(&self.folder.join("kept"), &data);
        self.restart().await;
    }

    /// Kills it and takes so many bytes off the end of its log, as a machine does that goes down before they are on disk.
    pub async fn die_before_the_end(&self, bytes: u64) {
        let end = self.log_end().await;
        self.kill();
        let log = std::fs::File::options().write(true).open(self.folder.join("data").join(&*end.file));
        log.and_then(|log| log.set_len(end.offset - bytes)).expect("the log is cut");
    }

    /// The end of its error log.
    pub fn log(&self) -> String {
        super::daemon::tail(&self.folder.join("error.log"))
    }

    /// Processor time that it has used, in seconds.
    pub fn processor_seconds(&self) -> f64 {
        self.with_process(Process::processor_seconds)
    }

    /// Whether its process is no more.
    pub fn has_ended(&self) -> bool {
        self.with_process(Process::ended).is_some()
    }

    fn with_process<R>(&self, act: impl FnOnce(&Process) -> R) -> R {
        act(&self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn wait_ready(&self) {
        eventually(DEADLINE * 2, &format!("{} answers on port {}", self.kind, self.port), async || {
            let ended = self.with_process(Process::ended);
            assert_eq!(ended, None, "{} ended at its start:\n{}", self.kind, self.log());
            self.try_sql("SELECT 1").await.is_ok()
        })
        .await;
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success(), "{} was not copied", from.display());
}

fn run(
    kind: &str,
    zone: Option<&str>,
    folder: &std::path::Path,
    port: u16,
    options: &Vec<String>,
) -> Process {
    let mut command = servers_script();
    command.envs(zone.map(|zone| ("TZ", zone)));
    let log =
        std::fs::File::options().create(true).append(true).open(folder.join("output.log")).expect("a log");
    command.args(["run", kind]).arg(folder).arg(port.to_string()).args(options);
    command.stdout(log.try_clone().expect("a log")).stderr(log);
    process::Process::start(kind, command)
}

/// A database on a server.
#[derive(Debug)]
pub struct MysqlDatabase<'server> {
    /// Its server.
    pub server: &'server Mysql,
    /// Its name.
    pub name: String,
}

impl MysqlDatabase<'_> {
    /// As [`Mysql::sql`], with this database as the default.
    pub async fn sql(&self, statements: &str) -> Rows {
        self.session().await.sql(statements).await
    }

    /// As [`Self::sql`], with the server's error.
    pub async fn try_sql(&self, statements: &str) -> Result<Rows, String> {
        self.server.try_session(Some(&self.name)).await?.try_sql(statements).await
    }

    /// As [`Mysql::one`].
    pub async fn one(&self, query: &str) -> String {
        self.session().await.one(query).await
    }

    /// As [`Mysql::session`], with this database as the default.
    pub async fn session(&self) -> MysqlSession {
        self.try_session().await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`Self::session`], with the error: for servers that come and go.
    pub async fn try_session(&self) -> Result<MysqlSession, String> {
        self.server.try_session(Some(&self.name)).await
    }
}

/// An open connection.
#[derive(Debug)]
pub struct MysqlSession(Conn);

impl MysqlSession {
    /// As [`Mysql::sql`].
    pub async fn sql(&mut self, statements: &str) -> Rows {
        self.try_sql(statements).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`Self::sql`], with the server's error.
    pub async fn try_sql(&mut self, statements: &str) -> Result<Rows, String> {
        let shown = statements.chars().take(500).collect::<String>();
        let explain = |error: mysql_async::Error| format!("{error}\nin: {shown}");
        let mut rows = Rows::new();
        let mut results = self.0.query_iter(statements).await.map_err(explain)?;
        while !results.is_empty() {
            let with_columns = !results.columns_ref().is_empty();
            let set: Vec<mysql_async::Row> = results.collect().await.map_err(explain)?;
            if with_columns {
                rows = set.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect();
            }
        }
        // The error of a statement after the first waits here.
        results.drop_result().await.map_err(explain)?;
        Ok(rows)
    }

    /// As [`Self::sql`], without rows, for statements that are not in UTF-8.
    pub async fn run_bytes(&mut self, statements: &[u8]) {
        if let Err(error) = self.0.query_drop(statements).await {
            panic!("{error}\nin: {}", String::from_utf8_lossy(statements));
        }
    }

    /// The single value of a query. Panics when it is NULL or absent.
    pub async fn one(&mut self, query: &str) -> String {
        let rows = self.sql(query).await;
        rows.into_iter().flatten().next().flatten().unwrap_or_else(|| panic!("no value: {query}"))
    }

    /// The id that `KILL` takes.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The connection itself: for streams of large results.
    pub fn connection(&mut self) -> &mut Conn {
        &mut self.0
    }
}

/// A value of the text protocol.
pub fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => panic!("the text protocol gave {other:?}"),
    }
}
