//! Commits at the target of which the daemon does not know whether they were made: each is made once.

use crate::harness::{DEADLINE, Daemon, Mysql, Proxy, Scene, WAITS_FOR_LOCK, eventually, postgres};

/// Rows that would drift when applied twice, or not at all: one new, one gone, one counted on.
const ROWS: &str = "CREATE TABLE t (id INT PRIMARY KEY, v INT); \
    INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT i, 0 FROM n";

/// A round may meet a commit of the checkpoint's timer instead of its own: hence several.
const ROUNDS: usize = 3;

async fn faults_at_commit(name: &str, fault: impl Fn(&Proxy)) {
    let scene = Scene::new(name).await;
    scene.source.sql(ROWS).await;
    let proxy = Proxy::start(scene.target.server.port());
    let daemon = scene.start_with(&scene.config_through(None, Some(&proxy))).await;
    for round in 1..=ROUNDS {
        fault(&proxy);
        scene
            .source
            .sql(&format!(
                "BEGIN; INSERT INTO t VALUES ({0}, {round}); DELETE FROM t WHERE id = {round}; \
                 UPDATE t SET v = v + 1 WHERE id > 50; COMMIT",
                100 + round
            ))
            .await;
        proxy.wait_sprung(round, DEADLINE).await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
    let task = daemon.task().await.unwrap();
    assert!(task.restarts >= 3, "the faults went unnoticed: {} restarts", task.restarts);
    assert_eq!(task.tables[&format!("{name}.t")].drift, 0);
}

#[tokio::test]
async fn a_commit_whose_reply_is_lost_is_not_made_again() {
    faults_at_commit("lost_replies", |proxy| proxy.lose_reply("COMMIT", "COMMIT")).await;
}

#[tokio::test]
async fn a_commit_whose_request_is_lost_is_made_after_all() {
    faults_at_commit("lost_requests", |proxy| proxy.lose_request("COMMIT")).await;
}

/// As above for a chunk of the copy: its rows and its record came together or not at all.
async fn fault_at_chunk(name: &str, fault: impl Fn(&Proxy)) {
    let scene = Scene::new(name).await;
    scene.source.sql(ROWS).await;
    let (from, to) = (Proxy::start(scene.source.server.port()), Proxy::start(scene.target.server.port()));
    let reading = from.hold("`id` > 20 AND `id` <= 30");
    let config = scene.config_through(Some(&from), Some(&to));
    let daemon = Daemon::start(&config.task("snapshot", "{ parallel = 1, chunk_rows = 10 }"));
    reading.wait().await;
    fault(&to);
    drop(reading);
    to.wait_sprung(1, DEADLINE).await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    let chunks = "SELECT count(*) || ' chunks, ' || sum(copied_rows) || ' rows' FROM rowferry.main_chunks";
    assert_eq!(scene.target.one(chunks).await, "7 chunks, 60 rows");
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_chunk_whose_commit_has_no_reply_is_copied_once() {
    fault_at_chunk("lost_chunk_reply", |proxy| proxy.lose_reply("COMMIT", "COMMIT")).await;
}

#[tokio::test]
async fn a_chunk_whose_commit_is_lost_is_copied_again() {
    fault_at_chunk("lost_chunk_request", |proxy| proxy.lose_request("COMMIT")).await;
}

/// Another owner's checkpoint comes in while a batch is written: the error says that, and not what the batch met after it.
#[tokio::test]
async fn a_checkpoint_that_somebody_else_writes_is_told_as_such() {
    let mysql = Mysql::private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "moved_checkpoint").await;
    scene.source.sql(ROWS).await;
    let daemon = scene.start().await;
    scene.source.sql("INSERT INTO t VALUES (99, 0)").await;
    scene.wait_applied(&daemon).await;
    let mut other = scene.target.session().await;
    other
        .sql(
            "BEGIN; INSERT INTO rowferry.main_position (sequence, epoch, server, file, file_offset, gtids, place) \
             SELECT sequence + 1, epoch, server, file, file_offset, gtids, place FROM rowferry.main_position \
             ORDER BY sequence DESC LIMIT 1",
        )
        .await;
    scene
        .source
        .sql(
            "BEGIN; INSERT INTO t VALUES (100, 1), (101, 1); DELETE FROM t WHERE id < 10; \
             UPDATE t SET v = v + 1 WHERE id > 50; UPDATE t SET id = id + 1000 WHERE id = 40; COMMIT",
        )
        .await;
    // Greenplum waits on a segment, of which its pg_stat_activity does not tell.
    let (from, waits) = if scene.target.server.is_greenplum() {
        ("pg_stat_activity a JOIN pg_locks l ON l.mppsessionid = a.sess_id", "NOT l.granted")
    } else {
        ("pg_stat_activity a", WAITS_FOR_LOCK)
    };
    let waits = format!(
        "SELECT count(*) > 0 FROM {from} WHERE a.datname = current_database() \
         AND a.application_name LIKE 'rowferry/main/%' AND {waits} AND a.query LIKE '%main_position%'"
    );
    eventually(DEADLINE, "the checkpoint waits for the other", async || {
        scene.target.one(&waits).await == "t"
    })
    .await;
    other.sql("COMMIT").await;
    scene.assert_exact(&daemon, &["t"]).await;
    let log = daemon.log();
    assert!(log.contains("another record exists already"), "{}", daemon.log_tail());
    assert!(
        !log.contains("25P02") && !log.contains("current transaction is aborted"),
        "{}",
        daemon.log_tail()
    );
}
