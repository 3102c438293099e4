//! What the live tests stand on: real servers, the real daemon, faults, waiting and comparing.
//!
//! ```ignore
//! #[tokio::test]
//! async fn rows_arrive() {
//!     let scene = Scene::new("rows_arrive").await;             // own database on both shared servers
//!     scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)").await;
//!     let daemon = scene.start().await;                        // rowferry run, waits for Synchronizing
//!     scene.source.sql("INSERT INTO t VALUES (1, 'x')").await;
//!     scene.wait_applied(&daemon).await;
//!     scene.assert_equal("t").await;                           // row by row, not by our own encoders
//! }
//! ```
//!
//! Servers are started once per test process and shared ([`mysql97`], [`postgres`], …): a test changes no global
//! there, creates databases named after itself, and never stops them. A test that must do such things takes one of
//! its own ([`Mysql::private`], [`Postgres::private`]). Everything started here dies with the test process, however
//! that ends; its folder is removed then, unless `ROWFERRY_TEST_KEEP` is set.
//!
//! With `ROWFERRY_TEST_TARGET=greenplum` the shared target is the Greenplum of `ROWFERRY_TEST_GREENPLUM`; see [`greenplum`].
//!
//! What must never happen here: a sleep outside [`wait`], a wait without a deadline, a fixed port.

#![allow(dead_code, unused_imports, reason = "not every test module uses every tool")]

mod compare;
mod config;
mod daemon;
mod greenplum;
mod kinds;
mod mysql;
mod postgres;
mod process;
mod proxy;
mod scene;
mod wait;

pub use compare::{Comparison, tables_equal};
pub use config::Config;
pub use daemon::{Daemon, Output, failure, http, rowferry, rowferry_in};
pub use greenplum::{greenplum, is_target as on_greenplum, only_postgres};
pub use kinds::Kind;
pub(crate) use kinds::on_every_kind;
pub use mysql::{Mysql, MysqlDatabase, MysqlSession, mariadb, mariadb118, mysql56, mysql97};
pub use postgres::{Postgres, PostgresDatabase, PostgresSession, WAITS_FOR_LOCK, postgres};
pub use process::{Process, free_port, run_folder, servers_script};
pub use proxy::{Held, Proxy};
pub use scene::Scene;
pub use wait::{
    DEADLINE, applied_or_failed, eventually, eventually_some, pause, wait_applied, wait_applied_within,
    wait_log_end, within,
};

/// The rows of a result as text; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;
