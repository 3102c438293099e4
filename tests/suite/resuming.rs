//! What may have changed while the daemon was away.

use crate::harness::{DEADLINE, Daemon, Mysql, Scene, postgres};

async fn wait_failure(daemon: &Daemon) -> String {
    let task = daemon.wait_task("the task fails", DEADLINE, |task| task.phase.name() == "Failed").await;
    format!("{:?}", task.phase)
}

/// A number of fewer digits would round what comes, and nobody would say so.
#[tokio::test]
async fn a_target_column_that_became_coarser_stops_the_task() {
    let scene = Scene::new("coarser_column").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, price DECIMAL(10,2)); INSERT INTO t VALUES (1, 1.25)")
        .await;
    let daemon = scene.start().await;
    daemon.kill9();
    scene.target.sql("ALTER TABLE coarser_column.t ALTER COLUMN price TYPE numeric(10,1)").await;
    daemon.restart();
    let why = wait_failure(&daemon).await;
    assert!(why.contains("column price has become numeric(10,1)"), "{why}");
}

/// The source starts a new history under its old name: transactions 1, 2, 3 … are others now.
#[tokio::test]
async fn a_source_whose_log_was_reset_stops_the_task() {
    let mysql = Mysql::private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "reset_log").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); FLUSH BINARY LOGS; FLUSH BINARY LOGS").await;
    let daemon = scene.start().await;
    scene.source.sql("INSERT INTO t VALUES (1)").await;
    scene.wait_applied(&daemon).await;
    daemon.kill9();
    let before: u64 = last_number(&mysql.one("SELECT @@GLOBAL.gtid_executed").await);
    scene.source.sql("RESET BINARY LOGS AND GTIDS").await;
    for id in 0..before + 5 {
        scene.source.sql(&format!("INSERT INTO t VALUES (100 + {id})")).await;
    }
    assert!(last_number(&mysql.one("SELECT @@GLOBAL.gtid_executed").await) > before);
    daemon.restart();
    let why = wait_failure(&daemon).await;
    assert!(why.contains("its log ends at"), "{why}");
}

/// `uuid:1-7` → 7.
fn last_number(set: &str) -> u64 {
    set.rsplit(['-', ':']).next().unwrap().parse().unwrap()
}

/// The statement that made the new table stands after the checkpoint and before the table's own start.
#[tokio::test]
async fn a_table_created_with_its_rows_while_the_daemon_was_away_is_copied() {
    let scene = Scene::new("created_with_rows").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)").await;
    let daemon = scene.start().await;
    daemon.kill9();
    scene.source.sql("CREATE TABLE made (PRIMARY KEY (id)) AS SELECT id, id * 2 AS twice FROM t; INSERT INTO t VALUES (3)").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO made VALUES (3, 6)").await;
    scene.wait_applied(&daemon).await;
    assert_eq!((scene.assert_equal("t").await, scene.assert_equal("made").await), (3, 3));
}
