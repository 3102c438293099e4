//! XA transactions: their rows are logged at XA PREPARE and count from XA COMMIT on.
//!
//! Every server here is the test's own: a prepared transaction keeps all copies from that server waiting.

mod follow;
mod resume;
mod spill;
mod start;

use crate::harness::{DEADLINE, Mysql, Scene, eventually};

/// Prepared transactions hold their locks: none on gaps, so that others can write next to them.
const NO_GAPS: &str = "--transaction-isolation=READ-COMMITTED";

/// Kinds of source that log XA PREPARE.
async fn by_gtids() -> Mysql {
    Mysql::private(&[NO_GAPS]).await
}

async fn by_places() -> Mysql {
    Mysql::private(&[NO_GAPS, "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]).await
}

async fn by_domains() -> Mysql {
    Mysql::start("mariadb", &[NO_GAPS]).await
}

/// Runs statements in an XA transaction and prepares it; its session ends.
async fn prepare(scene: &Scene<'_>, xid: &str, statements: &str) {
    scene.source.sql(&format!("XA START {xid}; {statements}; XA END {xid}; XA PREPARE {xid}")).await;
}

/// Ends a prepared transaction, once its session is gone.
async fn end(mysql: &Mysql, statement: &str) {
    eventually(DEADLINE, statement, async || mysql.try_sql(statement).await.is_ok()).await;
}

/// A query on the target.
async fn target(scene: &Scene<'_>, query: &str) -> String {
    scene.target.one(&query.replace("{}", &scene.source.name)).await
}
