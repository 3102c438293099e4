//! Rows that a source does not log, and rows that a target does not keep.

use super::{check_writes_nothing, fails, failures};
use crate::harness::{Mysql, Output, Scene, mariadb, only_postgres, postgres};

/// The report warns of the item `code`, with these words.
#[track_caller]
fn warns(output: &Output, code: &str, words: &[&str]) {
    let of_item = |line: &&str| line.trim_start().starts_with("WARN") && line.contains(code);
    let line = output.stdout.lines().find(of_item).unwrap_or_else(|| panic!("no {code}: {}", output.stdout));
    for word in words {
        assert!(line.contains(word), "{word:?} is not in: {line}");
    }
}

#[tokio::test]
async fn a_database_that_is_kept_out_of_the_log_is_refused() {
    let (mysql, postgres) = tokio::join!(
        Mysql::private(&["--binlog-ignore-db=log_filter_a", "--binlog-ignore-db=log_filter_b"]),
        postgres()
    );
    let scene = Scene::on(&mysql, postgres, "log_filter_a").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let output = check_writes_nothing(&scene.config(), &scene.target).await;
    let words = ["binlog_ignore_db is log_filter_a, log_filter_b", "log_filter_a.t"];
    fails(&output, "source.log_filter", &words);
    assert_eq!(failures(&output), 1, "{}", output.stdout);
    // DDL is judged by the session's database, so another's filter matters a little.
    let scene = Scene::on(&mysql, postgres, "log_filter_c").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let output = check_writes_nothing(&scene.config(), &scene.target).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
    warns(&output, "source.log_filter", &["log_filter_a, log_filter_b", "TRUNCATE"]);
}

/// Each asks in its own words whether it is a replica. None needs to be told of one that has stopped.
#[tokio::test]
async fn a_replica_that_does_not_log_what_it_applies_is_refused() {
    let postgres = postgres().await;
    for (kind, option, becomes) in [
        ("mysql97", "--log-replica-updates=OFF", "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1'"),
        ("mysql56", "--log-slave-updates=0", "CHANGE MASTER TO MASTER_HOST = '127.0.0.1'"),
        ("mariadb", "--log-slave-updates=0", "CHANGE MASTER 'up' TO MASTER_HOST = '127.0.0.1'"),
    ] {
        let mysql = Mysql::start(kind, &[option]).await;
        let scene = Scene::on(&mysql, postgres, &format!("replica_{kind}")).await;
        scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
        let output = check_writes_nothing(&scene.config(), &scene.target).await;
        assert_eq!(output.code, 0, "{kind}: {}", output.stdout);
        assert!(!output.stdout.contains("source.log_replica_updates"), "{}", output.stdout);
        mysql.sql(becomes).await;
        let output = check_writes_nothing(&scene.config(), &scene.target).await;
        fails(
            &output,
            "source.log_replica_updates",
            &["takes changes from other servers", "RESET SLAVE ALL"],
        );
        assert_eq!(failures(&output), 1, "{kind}: {}", output.stdout);
    }
}

#[tokio::test]
async fn what_cannot_be_seen_or_may_be_lost_in_a_crash_is_told() {
    let scene = Scene::on(mariadb().await, postgres().await, "log_doubts").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY); CREATE USER IF NOT EXISTS log_doubts; \
             GRANT SELECT ON log_doubts.* TO log_doubts; GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO log_doubts",
        )
        .await;
    let url = scene.source.server.url().replace("root@", "log_doubts@");
    let output =
        check_writes_nothing(&scene.config().source("url", &format!("{url:?}")), &scene.target).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
    warns(&output, "source.log_replica_updates", &["may not see"]);
    let durable = scene.source.one("SELECT @@GLOBAL.sync_binlog").await;
    if durable != "1" {
        warns(&output, "source.sync_binlog", &[&format!("sync_binlog is {durable}")]);
    }
    scene.source.sql("GRANT SLAVE MONITOR ON *.* TO log_doubts").await;
    let output =
        check_writes_nothing(&scene.config().source("url", &format!("{url:?}")), &scene.target).await;
    assert!(!output.stdout.contains("source.log_replica_updates"), "{}", output.stdout);
}

#[tokio::test]
async fn a_target_table_that_loses_its_rows_in_a_crash_is_refused() {
    let scene = Scene::new("target_unlogged").await;
    scene.source.sql("CREATE TABLE plain (id INT PRIMARY KEY)").await;
    scene
        .target
        .sql("CREATE SCHEMA target_unlogged; CREATE UNLOGGED TABLE target_unlogged.plain (id integer PRIMARY KEY)")
        .await;
    let config = scene.config().task("existing_tables", "\"ignore\"");
    fails(&check_writes_nothing(&config, &scene.target).await, "target.unlogged", &["plain", "crash"]);
}

#[tokio::test]
async fn target_tables_that_lose_or_merge_rows_are_refused() {
    if only_postgres("it has neither such collations nor partitions by FOR VALUES") {
        return;
    }
    let scene = Scene::new("target_unkept").await;
    scene
        .source
        .sql(
            "CREATE TABLE plain (id INT PRIMARY KEY); CREATE TABLE parts (id INT PRIMARY KEY); \
             CREATE TABLE named (name VARCHAR(20) PRIMARY KEY, note VARCHAR(20))",
        )
        .await;
    scene
        .target
        .sql(
            "CREATE SCHEMA target_unkept; SET search_path = target_unkept; \
             CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
             CREATE UNLOGGED TABLE plain (id integer PRIMARY KEY); \
             CREATE TABLE parts (id integer PRIMARY KEY) PARTITION BY RANGE (id); \
             CREATE TABLE parts_0 PARTITION OF parts FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id); \
             CREATE UNLOGGED TABLE parts_00 PARTITION OF parts_0 FOR VALUES FROM (0) TO (10); \
             CREATE TABLE named (name varchar(20) COLLATE loose PRIMARY KEY, note varchar(20) COLLATE loose)",
        )
        .await;
    let config = scene.config().task("existing_tables", "\"ignore\"");
    let output = check_writes_nothing(&config, &scene.target).await;
    for table in ["plain", "parts"] {
        let of_table = |line: &&str| line.contains("target.unlogged") && line.contains(table);
        assert!(output.stdout.lines().any(|line| of_table(&line)), "{table}: {}", output.stdout);
    }
    fails(&output, "target.unlogged", &["crash", "SET LOGGED"]);
    fails(&output, "target.collation", &["(name)", "COLLATE"]);
    assert_eq!(failures(&output), 3, "{}", output.stdout);
    scene
        .target
        .sql(
            "SET search_path = target_unkept; ALTER TABLE plain SET LOGGED; ALTER TABLE parts_00 SET LOGGED; \
             ALTER TABLE named ALTER COLUMN name TYPE varchar(20) COLLATE \"C\"",
        )
        .await;
    let output = check_writes_nothing(&config, &scene.target).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
}
