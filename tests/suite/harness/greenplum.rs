//! A running Greenplum: tests reach one through `ROWFERRY_TEST_GREENPLUM` (a DSN whose user may create databases).
//!
//! Two uses. Tests of what only Greenplum does ask for [`greenplum`] and end at once, saying so, without one. With
//! `ROWFERRY_TEST_TARGET=greenplum` every other test has it for its target too ([`super::postgres`]), but those that
//! start [`super::Postgres::private`] servers or ask [`only_postgres`] for leave.
//!
//! What must never happen here: a database touched that is not named `rowferry_test_…`.

use super::Postgres;
use tokio::sync::{Mutex, OnceCell};

const DSN: &str = "ROWFERRY_TEST_GREENPLUM";

/// Before the names of our databases.
pub(super) const PREFIX: &str = "rowferry_test_";

/// Databases are made from a template, which one session at a time may do.
static MAKING: Mutex<()> = Mutex::const_new(());

/// The Greenplum; `None`, told once per test process, when none is given.
pub async fn greenplum() -> Option<&'static Postgres> {
    static SERVER: OnceCell<Option<Postgres>> = OnceCell::const_new();
    let server = SERVER
        .get_or_init(async || {
            let Ok(dsn) = std::env::var(DSN) else {
                tell(&format!("{DSN} is not set: nothing is tested on Greenplum"));
                return None;
            };
            let server = Postgres::greenplum(dsn.parse().unwrap_or_else(|error| panic!("{DSN}: {error}")));
            let version = server.sql("SELECT version()").await;
            tell(&format!("testing on {:?}", version.first().and_then(|row| row.first())));
            Some(server)
        })
        .await;
    server.as_ref()
}

/// Whether `ROWFERRY_TEST_TARGET` makes it every test's target.
pub fn is_target() -> bool {
    match std::env::var("ROWFERRY_TEST_TARGET").as_deref() {
        Err(_) | Ok("" | "postgresql") => false,
        Ok("greenplum") => true,
        Ok(other) => panic!("ROWFERRY_TEST_TARGET is {other:?}: postgresql or greenplum"),
    }
}

/// True, and told, when the test that asks cannot have Greenplum for its target.
pub fn only_postgres(why: &str) -> bool {
    if is_target() {
        tell(&format!("skipped on Greenplum: {why}"));
    }
    is_target()
}

/// Past the capturing of a test's output: what is not tested must be seen.
fn tell(words: &str) {
    use std::io::Write;
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr(), "greenplum: {}: {words}", thread.name().unwrap_or("?"));
}

/// Makes a test's database.
pub(super) async fn create(server: &Postgres, name: &str) -> Dropped {
    let name = format!("{PREFIX}{name}");
    let dropped = Dropped { name: name.clone(), access: server.access().clone() };
    let _making = MAKING.lock().await;
    drop_database(server, &name).await;
    // By one test process at a time: another one may be at the template just now.
    super::eventually(super::DEADLINE, &format!("database {name} is made"), async || {
        server
            .try_sql(&format!("CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0"))
            .await
            .is_ok()
    })
    .await;
    dropped
}

async fn drop_database(server: &Postgres, name: &str) {
    assert!(name.starts_with(PREFIX));
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    super::eventually(super::DEADLINE, &format!("database {name} is gone"), async || {
        server.sql(&end).await;
        server.try_sql(&format!("DROP DATABASE IF EXISTS \"{name}\"")).await.is_ok()
    })
    .await;
}

/// A database that is dropped with this.
#[derive(Debug)]
pub struct Dropped {
    name: String,
    access: tokio_postgres::Config,
}

impl Dropped {
    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        if std::env::var_os("ROWFERRY_TEST_KEEP").is_some() {
            return;
        }
        let (server, name) = (Postgres::greenplum(self.access.clone()), self.name.clone());
        // The test's own runtime cannot be waited on here.
        let done = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let _making = MAKING.lock().await;
                drop_database(&server, &name).await;
            });
        });
        let _ = done.join();
    }
}
