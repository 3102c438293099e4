//! Followed while nothing fails.

use super::{by_domains, by_gtids, by_places, end, prepare, target};
use crate::harness::{DEADLINE, Mysql, Scene, postgres, wait_log_end};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const TABLES: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200)); CREATE TABLE u (id INT PRIMARY KEY); \
    INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')";
const T: &str = "SELECT string_agg(id || coalesce(v, ''), ',' ORDER BY id) FROM {}.t";

async fn rows_count_from_xa_commit_on(mysql: &Mysql, name: &str, compress: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql(TABLES).await;
    mysql.sql(&format!("DROP DATABASE IF EXISTS {name}_not; CREATE DATABASE {name}_not; CREATE TABLE {name}_not.n (id INT PRIMARY KEY)")).await;
    let daemon = scene.start().await;

    let long = "z".repeat(180);
    let first = format!(
        "{compress} XA START 'a','b',7; INSERT INTO t VALUES (10, '{long}'), (11, '{long}'), (12, '{long}'); SAVEPOINT s; \
         DELETE FROM t WHERE id = 1; ROLLBACK TO s; UPDATE t SET v = 'TWO' WHERE id = 2; XA END 'a','b',7; XA PREPARE 'a','b',7"
    );
    scene.source.sql(&first).await;
    prepare(&scene, "'b'", "UPDATE t SET id = 30 WHERE id = 3").await;
    prepare(&scene, "'c'", "INSERT INTO t VALUES (9, 'nine'); INSERT INTO u VALUES (1)").await;
    prepare(&scene, "'empty'", &format!("INSERT INTO {name}_not.n VALUES (1)")).await;
    scene.source.sql("INSERT INTO t VALUES (4, 'four'); CREATE TABLE other (id INT PRIMARY KEY)").await;
    wait_log_end(&daemon, mysql).await;
    assert_eq!(target(&scene, T).await, "1one,2two,3three,4four", "a prepared transaction shows");

    // In another order than they were prepared in, with a changed table of another kind between.
    end(mysql, "XA COMMIT 'b'").await;
    wait_log_end(&daemon, mysql).await;
    assert_eq!(target(&scene, T).await, "1one,2two,4four,30three");
    end(mysql, "XA ROLLBACK 'c'").await;
    end(mysql, "XA COMMIT 'empty'").await;
    scene.source.sql("ALTER TABLE u ADD COLUMN w INT NOT NULL DEFAULT 7; INSERT INTO u VALUES (2, 8)").await;
    end(mysql, "XA COMMIT 'a','b',7").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(target(&scene, T).await, format!("1one,2TWO,4four,10{long},11{long},12{long},30three"));

    // The same id again, committed by its own session; one phase; rolled back before it is prepared.
    let again = "XA START 'a','b',7; DELETE FROM t WHERE id > 9; XA END 'a','b',7; XA PREPARE 'a','b',7; XA COMMIT 'a','b',7; \
        XA START 'one'; INSERT INTO t VALUES (5, 'five'); UPDATE t SET v = 'x' WHERE id = 5; XA END 'one'; XA COMMIT 'one' ONE PHASE; \
        XA START 'no'; INSERT INTO t VALUES (6, 'six'); XA END 'no'; XA ROLLBACK 'no'; \
        XA START 'read'; SELECT * FROM t; XA END 'read'; XA PREPARE 'read'; XA COMMIT 'read'";
    scene.source.sql(&format!("{compress} {again}")).await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(target(&scene, T).await, "1one,2TWO,4four,5x");
}

#[tokio::test]
async fn rows_count_from_xa_commit_on_by_gtids() {
    rows_count_from_xa_commit_on(&by_gtids().await, "xa_gtids", "").await;
}

#[tokio::test]
async fn rows_of_compressed_xa_transactions_count_from_xa_commit_on() {
    let compress = "SET SESSION binlog_transaction_compression = ON;";
    rows_count_from_xa_commit_on(&by_gtids().await, "xa_compressed", compress).await;
}

#[tokio::test]
async fn rows_count_from_xa_commit_on_by_file_positions() {
    rows_count_from_xa_commit_on(&by_places().await, "xa_places", "").await;
}

#[tokio::test]
async fn rows_count_from_xa_commit_on_by_domains() {
    rows_count_from_xa_commit_on(&by_domains().await, "xa_domains", "").await;
}

/// MySQL 5.6 logs such transactions when they are committed, as any other; a session that goes rolls them back.
#[tokio::test]
async fn rows_of_xa_transactions_of_mysql_5_6_come_when_they_are_committed() {
    let mysql = Mysql::start("mysql56", &[]).await;
    let scene = Scene::on(&mysql, postgres().await, "xa_old").await;
    scene.source.sql(TABLES).await;
    let daemon = scene.start().await;
    let mut session = scene.source.session().await;
    session
        .sql("XA START 'a'; INSERT INTO t VALUES (4, 'four'); DELETE FROM t WHERE id = 1; XA END 'a'; XA PREPARE 'a'")
        .await;
    scene.source.sql("INSERT INTO t VALUES (5, 'five')").await;
    wait_log_end(&daemon, &mysql).await;
    assert_eq!(target(&scene, T).await, "1one,2two,3three,5five");
    session
        .sql("XA COMMIT 'a'; XA START 'b'; DELETE FROM t; XA END 'b'; XA PREPARE 'b'; XA ROLLBACK 'b'")
        .await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(target(&scene, T).await, "2two,3three,4four,5five");
}

/// Transfers between two tables, each an XA transaction, several prepared at any time.
#[tokio::test]
async fn a_reader_never_sees_part_of_an_xa_transaction() {
    let mysql = by_gtids().await;
    let scene = Scene::on(&mysql, postgres().await, "xa_whole").await;
    let tables = "CREATE TABLE a (id INT PRIMARY KEY, balance INT); CREATE TABLE b (id INT PRIMARY KEY, balance INT); \
        INSERT INTO a VALUES (1, 1000), (2, 1000), (3, 1000); INSERT INTO b VALUES (1, 0), (2, 0), (3, 0)";
    scene.source.sql(tables).await;
    let config = scene.config().task("apply", "{ batch_rows = 2, batch_bytes = \"64KiB\" }");
    let daemon = scene.start_with(&config).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (mut reader, told) = (scene.target.session().await, stop.clone());
    let watching = tokio::spawn(async move {
        let sum = "SELECT (SELECT sum(balance) FROM xa_whole.a) + (SELECT sum(balance) FROM xa_whole.b)";
        let mut looks = 0;
        while !told.load(Ordering::Relaxed) {
            assert_eq!(reader.one(sum).await, "3000", "part of a transaction shows");
            looks += 1;
        }
        looks
    });
    let mut sessions =
        [scene.source.session().await, scene.source.session().await, scene.source.session().await];
    for round in 0..20 {
        for (id, session) in (1..).zip(&mut sessions) {
            let xid = format!("'r{round}','{id}'");
            let moves = format!(
                "UPDATE a SET balance = balance - {round} WHERE id = {id}; UPDATE b SET balance = balance + {round} WHERE id = {id}"
            );
            session.sql(&format!("XA START {xid}; {moves}; XA END {xid}; XA PREPARE {xid}")).await;
        }
        for (id, session) in (1..).zip(&mut sessions) {
            let how = if (round + id) % 4 == 0 { "ROLLBACK" } else { "COMMIT" };
            session.sql(&format!("XA {how} 'r{round}','{id}'")).await;
        }
    }
    scene.assert_exact(&daemon, &["a", "b"]).await;
    stop.store(true, Ordering::Relaxed);
    assert!(tokio::time::timeout(DEADLINE, watching).await.unwrap().unwrap() > 3);
}

/// The task begins after an XA PREPARE and meets its XA COMMIT.
#[tokio::test]
async fn the_commit_of_rows_never_seen_stops_the_task() {
    let mysql = by_gtids().await;
    let scene = Scene::on(&mysql, postgres().await, "xa_unknown").await;
    scene.source.sql(TABLES).await;
    prepare(&scene, "'a'", "INSERT INTO t VALUES (4, 'four')").await;
    prepare(&scene, "'b'", "INSERT INTO t VALUES (5, 'five')").await;
    let start = mysql.one("SELECT @@GLOBAL.gtid_executed").await;
    scene.source.sql("INSERT INTO t VALUES (6, 'six')").await;
    end(&mysql, "XA ROLLBACK 'b'").await;
    end(&mysql, "XA COMMIT 'a'").await;
    let config = scene.config().task("initial", "[\"schema\"]").task("start_position", &format!("{start:?}"));
    let daemon = crate::harness::Daemon::start(&config);
    let task = daemon.wait_task("the task fails", DEADLINE, |task| task.phase.name() == "Failed").await;
    let failure = format!("{:?}", task.phase);
    assert!(failure.contains("X'61',X'',1") && failure.contains("copy again"), "{failure}");
}
