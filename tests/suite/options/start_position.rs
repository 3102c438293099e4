//! `start_position` on each kind of source: everything after it is followed, and nothing before it.

use crate::harness::{DEADLINE, Daemon, Mysql, Scene, mariadb, mysql56, mysql97, postgres, rowferry};

/// Follows from the place that `place` tells once the first row is there.
async fn followed_from(mysql: &Mysql, name: &str, place: impl AsyncFn(&Mysql) -> String) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE = InnoDB; INSERT INTO t VALUES (1, 10), (9, 90); DELETE FROM t WHERE id = 9")
        .await;
    let start = place(mysql).await;
    scene
        .source
        .sql("INSERT INTO t VALUES (2, 20); FLUSH LOGS; UPDATE t SET v = 11 WHERE id = 1; INSERT INTO t VALUES (5, 50)")
        .await;
    // As a dump taken at that place left it, and as the part of the log before it would not leave it.
    scene
        .target
        .sql(&format!(
            "CREATE SCHEMA {name}; CREATE TABLE {name}.t (id integer PRIMARY KEY, v integer); INSERT INTO {name}.t VALUES (1, 10)"
        ))
        .await;
    let config = scene.config().task("initial", "[]").task("start_position", &format!("{start:?}"));
    let check = rowferry(&["check", "-c", &config.file()]).await;
    assert_eq!(check.code, 0, "{check:?}");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("DELETE FROM t WHERE id = 5").await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.restart();
    scene.source.sql("INSERT INTO t VALUES (6, 60)").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

async fn place(mysql: &Mysql) -> String {
    mysql.log_end().await.to_string()
}

#[tokio::test]
async fn a_place_in_a_file_of_mysql_5_6() {
    followed_from(mysql56().await, "start_file_56", place).await;
}

/// There a set would be better, but a dump may only tell the place.
#[tokio::test]
async fn a_place_in_a_file_of_a_mysql_with_gtids() {
    followed_from(mysql97().await, "start_file_97", place).await;
}

#[tokio::test]
async fn a_place_in_a_file_of_mariadb() {
    followed_from(mariadb().await, "start_file_maria", place).await;
}

#[tokio::test]
async fn gtids_of_mariadb() {
    let gtids = async |mysql: &Mysql| mysql.one("SELECT @@GLOBAL.gtid_binlog_pos").await;
    followed_from(mariadb().await, "start_gtids_maria", gtids).await;
}

async fn refused(mysql: &Mysql, name: &str, start: &str, words: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB").await;
    let config = scene.config().task("initial", "[\"schema\"]").task("start_position", &format!("{start:?}"));
    let daemon = Daemon::start(&config);
    let task = daemon.wait_task("the task has failed", DEADLINE, |task| task.phase.name() == "Failed").await;
    let told = format!("{:?}", task.phase);
    assert!(told.contains(words), "{told}");
}

#[tokio::test]
async fn places_that_are_not_there_are_refused() {
    refused(mysql56().await, "no_file_56", "other.000001:4", "the log no longer holds").await;
    refused(mariadb().await, "no_file_maria", "other.000001:4", "its log has no place").await;
    refused(mariadb().await, "no_gtid_maria", "0-1-999999", "which this server never executed").await;
    refused(mysql56().await, "gtids_56", "0-1-9", "here transactions have no GTIDs").await;
    let set = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77";
    refused(mariadb().await, "set_maria", set, "here transactions have MariaDB's GTIDs").await;
}
