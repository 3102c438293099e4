//! Larger than memory.

use super::{by_gtids, end, prepare};
use crate::harness::{DEADLINE, Daemon, Mysql, Scene, postgres, wait_log_end};

/// Peak of resident memory, in MiB.
fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Rows of 64 KiB from `first` on, in one statement.
fn rows(first: u32, count: u32) -> String {
    format!(
        "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
         SELECT i, REPEAT(CHAR(65 + i % 26), 65536) FROM n",
        first + count - 1
    )
}

async fn spilled(mysql: &Mysql, name: &str, deep: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)").await;
    let config = scene
        .config()
        .task("memory_limit", "\"32MiB\"")
        .task("apply", "{ batch_rows = 100, batch_bytes = \"64KiB\" }")
        .task("snapshot", "{ parallel = 2 }");
    let daemon = scene.start_with(&config).await;
    // 200 MiB, of which the last 20 are taken back and others come instead; and two more that do not fit either.
    let large = format!(
        "XA START 'large'; {}; SAVEPOINT s; {}; ROLLBACK TO s; {}; UPDATE t SET v = 'short' WHERE id % 100 = 7; XA END 'large'; \
         XA PREPARE 'large'",
        rows(1, 2880),
        rows(2881, 320),
        rows(5001, 320)
    );
    scene.source.sql(&format!("{deep}; {large}")).await;
    scene
        .source
        .sql(&format!("{deep}; XA START 'two'; {}; XA END 'two'; XA PREPARE 'two'", rows(7001, 200)))
        .await;
    prepare(&scene, "'three'", "INSERT INTO t VALUES (8001, 'a'), (8002, 'b')").await;
    wait_log_end(&daemon, mysql).await;
    let query = format!("SELECT count(*) FROM {name}.t");
    let count = || scene.target.one(&query);
    assert_eq!(count().await, "0");
    // A part of it, and not the whole file, is read again.
    daemon.kill9();
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    end(mysql, "XA ROLLBACK 'two'").await;
    end(mysql, "XA COMMIT 'three'").await;
    wait_log_end(&daemon, mysql).await;
    assert_eq!(count().await, "2");
    end(mysql, "XA COMMIT 'large'").await;
    // Whole, at once.
    let seen = crate::harness::eventually_some(DEADLINE * 2, "it arrives", async || {
        let now = count().await;
        (now != "2").then_some(now)
    })
    .await;
    assert_eq!(seen, "3202", "a part of it shows");
    scene.wait_applied(&daemon).await;
    let target =
        format!("SELECT count(*) || '|' || sum(length(v)) || '|' || sum(id * ascii(v)) FROM {name}.t");
    let source = "SELECT CONCAT_WS('|', COUNT(*), SUM(LENGTH(v)), SUM(id * ASCII(v))) FROM t";
    assert_eq!(scene.target.one(&target).await, scene.source.one(source).await);
    assert_eq!(daemon.drift().await, 0);
    // memory_limit, 64 MiB, and a small multiple of the largest event.
    let peak = resident(&daemon);
    assert!(peak <= 32 + 64 + 16, "{peak} MiB were resident\n{}", daemon.log_tail());
}

#[tokio::test]
async fn prepared_transactions_larger_than_memory_wait_in_a_file() {
    spilled(&by_gtids().await, "xa_spilled", "SET SESSION cte_max_recursion_depth = 10000").await;
}
