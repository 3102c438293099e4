//! A target that forgets what it has committed: restored from a backup, or promoted without our last commits. Rows and
//! checkpoint go back together, so the stream has to go on from there, and nobody may go on from what they remember.

use crate::harness::{DEADLINE, Daemon, Scene, eventually, tables_equal};

/// All that a restore brings back, in the order in which the applier locks it.
const TABLES: &[&str] = &[
    "rowferry.main_position",
    "rowferry.main_tables",
    "rowferry.main_schemas",
    "rowferry.main_chunks",
    "rowferry.main_owner",
];

const SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name LIKE 'rowferry/%'";

fn everything(name: &str) -> Vec<String> {
    [format!("{name}.t")].into_iter().chain(TABLES.iter().map(|&table| table.to_owned())).collect()
}

/// A scene whose target was saved at some point and has gone on since.
async fn saved(name: &str) -> (Scene<'static>, Daemon) {
    let scene = Scene::new(name).await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT); \
             INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0)",
        )
        .await;
    let daemon = scene.start().await;
    scene.source.sql("UPDATE t SET v = 1 WHERE id = 1").await;
    scene.wait_applied(&daemon).await;
    let save: Vec<String> = everything(name)
        .iter()
        .enumerate()
        .map(|(number, table)| format!("CREATE TABLE saved.s{number} AS TABLE {table}"))
        .collect();
    scene.target.sql("CREATE SCHEMA saved").await;
    let mut session = scene.target.session().await;
    session.sql("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    session.sql(&save.join("; ")).await;
    session.sql("COMMIT").await;

    scene
        .source
        .sql(
            "INSERT INTO t VALUES (11, 0), (12, 0); DELETE FROM t WHERE id = 2; UPDATE t SET v = 2 WHERE id < 4; \
             UPDATE t SET id = 14 WHERE id = 4; INSERT INTO t VALUES (13, 0); DELETE FROM t WHERE id = 13",
        )
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
    (scene, daemon)
}

/// Puts everything back, in one transaction; `then` runs at its end.
async fn restore(scene: &Scene<'_>, then: &str) {
    let tables = everything(&scene.source.name);
    let mut session = scene.target.session().await;
    session.sql(&format!("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "))).await;
    for (number, table) in tables.iter().enumerate() {
        session.sql(&format!("DELETE FROM {table}; INSERT INTO {table} TABLE saved.s{number}")).await;
    }
    session.sql(&format!("{then}; COMMIT")).await;
}

async fn eventually_equal(scene: &Scene<'_>, daemon: &Daemon) {
    let table = format!("{}.t", scene.source.name);
    eventually(DEADLINE, "the target has caught up again", async || {
        daemon.assert_alive();
        tables_equal(scene.source.server, &table, &scene.target, &table).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_target_that_comes_back_without_the_last_commits_gets_them_again() {
    let (scene, daemon) = saved("restored").await;
    restore(&scene, SESSIONS).await;
    eventually_equal(&scene, &daemon).await;
    scene.source.sql("UPDATE t SET v = 3; DELETE FROM t WHERE id = 11").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// Nothing tells the daemon here but what its next commit finds.
#[tokio::test]
async fn a_target_restored_under_a_live_session_is_noticed_by_the_next_commit() {
    let (scene, daemon) = saved("restored_live").await;
    restore(&scene, "SELECT 1").await;
    scene.source.sql("UPDATE t SET v = 3 WHERE id = 5").await;
    eventually_equal(&scene, &daemon).await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert!(daemon.task().await.unwrap().restarts >= 1);
}

#[tokio::test]
async fn a_second_owner_takes_over_and_the_first_does_not_write_again() {
    let scene = Scene::new("taken_over").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 0), (2, 0)").await;
    let first = scene.start().await;
    let lock = "SELECT a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' \
                AND l.granted AND a.application_name = 'rowferry/main/owner' AND a.datname = current_database()";
    let owner = scene.target.one(lock).await;
    let second = Daemon::start(&scene.config());
    let waiting =
        second.wait_task("the second waits", DEADLINE, |task| task.phase.name() == "Retrying").await;
    assert!(format!("{:?}", waiting.phase).contains(&owner), "{waiting:?} does not name the owner");

    // The first hangs, and loses the session that holds the lock.
    first.signal("STOP");
    scene.source.sql("INSERT INTO t VALUES (3, 0); UPDATE t SET v = v + 1").await;
    scene.target.sql(&format!("SELECT pg_terminate_backend({owner})")).await;
    second.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (4, 0); DELETE FROM t WHERE id = 1").await;
    scene.assert_exact(&second, &["t"]).await;

    // It wakes up with a batch to apply.
    first.signal("CONT");
    scene.source.sql("INSERT INTO t VALUES (5, 0); DELETE FROM t WHERE id = 2").await;
    first.wait_task("the first finds the second", DEADLINE, |task| task.phase.name() == "Retrying").await;
    scene.assert_exact(&second, &["t"]).await;

    second.kill9();
    scene.source.sql("INSERT INTO t VALUES (6, 0); DELETE FROM t WHERE id = 3").await;
    first.wait_task("the first is back", DEADLINE, |task| task.phase.name() == "Synchronizing").await;
    scene.assert_exact(&first, &["t"]).await;
}
