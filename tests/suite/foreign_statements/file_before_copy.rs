//! What lies in the log's file before a copy begins, on servers that have no GTIDs, or write them early.

use super::{CARRIED, goes_on, stops};
use crate::harness::{Config, DEADLINE, Daemon, Kind, Scene, postgres};

/// Statements on the carried table that no task could carry.
const BEFORE: &str = "SET SESSION binlog_format = STATEMENT; INSERT INTO t VALUES (10, 'by statement'); UPDATE t SET v = 'changed' WHERE id = 1; \
    DELETE FROM t WHERE id = 2; TRUNCATE TABLE t; INSERT INTO t VALUES (20, 'behind'); BEGIN; INSERT INTO t VALUES (21, 'in one'); COMMIT; \
    REPAIR TABLE t";

async fn begins_behind(kind: Kind) {
    let mysql = kind.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, &format!("before_copy_{}", kind.name())).await;
    scene.source.sql(CARRIED).await;
    scene.source.sql(BEFORE).await;
    let daemon = scene.start().await;
    goes_on(&scene, &daemon, "statements before the copy").await;
    // A transaction of somebody who is idle, and one that reads, prove nothing and delay nothing.
    let (mut idle, mut reader) = (scene.source.session().await, scene.source.session().await);
    idle.sql("BEGIN; INSERT INTO t VALUES (900, 'idle')").await;
    reader.sql("BEGIN; SELECT * FROM t").await;
    let other = Scene::on(&mysql, postgres().await, &format!("before_again_{}", kind.name())).await;
    other.source.sql(CARRIED).await;
    other.source.sql(BEFORE).await;
    let again = other.start().await;
    idle.sql("COMMIT").await;
    goes_on(&other, &again, "statements before another copy").await;
}

#[tokio::test]
async fn stops_no_copy_of_mysql_5_6() {
    begins_behind(Kind::Files56).await;
}

#[tokio::test]
async fn stops_no_copy_of_mysql_5_6_with_gtids() {
    begins_behind(Kind::Gtids56).await;
}

#[tokio::test]
async fn stops_no_copy_of_mysql_9_7_by_file_positions() {
    begins_behind(Kind::Files97).await;
}

/// Without PROCESS nothing can be proven: what stops is told with what helps, and that does help.
#[tokio::test]
async fn stops_a_copy_where_nothing_can_be_proven_and_the_remedies_help() {
    let mysql = Kind::Files56.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "before_unproven").await;
    scene.source.sql(CARRIED).await;
    // What the last statement that defines the table leaves behind is in the copy, this may not be.
    scene.source.sql(&format!("{BEFORE}; INSERT INTO t VALUES (30, 'last')")).await;
    mysql.sql("CREATE USER r@'%'; GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO r@'%'").await;
    let url = mysql.url().replace("root@", "r@");
    let config = Config::new(&url, &scene.target.url(), &["before_unproven.*"]);
    let daemon = Daemon::start(&config);
    stops(&daemon, &["INSERT INTO t", "FLUSH BINARY LOGS", "PROCESS"]).await;
    mysql.sql("FLUSH BINARY LOGS").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    goes_on(&scene, &daemon, "after a new file").await;
    // The other remedy, for another task.
    let scene = Scene::on(&mysql, postgres().await, "before_proven").await;
    scene.source.sql(CARRIED).await;
    scene.source.sql(BEFORE).await;
    mysql.sql("GRANT PROCESS ON *.* TO r@'%'").await;
    let config = Config::new(&url, &scene.target.url(), &["before_proven.*"]);
    let daemon = scene.start_with(&config).await;
    goes_on(&scene, &daemon, "with PROCESS").await;
}
