//! What the log tells at `info`: the whole way of a task, each step once and in its order.

use crate::harness::{DEADLINE, Proxy, Scene, eventually};

/// Panics unless the log has these words in this order, from byte `from` on; where it goes on after them.
fn told(log: &str, from: usize, words: &[&str]) -> usize {
    words.iter().fold(from, |from, words| {
        let at =
            log[from..].find(words).unwrap_or_else(|| panic!("'{words}' is not told in {}", &log[from..]));
        from + at + words.len()
    })
}

#[tokio::test]
async fn the_log_tells_every_step_in_its_order() {
    let scene = Scene::new("story").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4), (5)")
        .await;
    let config = scene.config().task("snapshot", "{ parallel = 2, chunk_rows = 2, max_rows_per_second = 0 }");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("ALTER TABLE t ADD COLUMN v INT; INSERT INTO t VALUES (6, 6)").await;
    scene.wait_applied(&daemon).await;
    daemon.start_again().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    let again = "following the log";
    eventually(DEADLINE, again, async || daemon.log().matches(again).count() == 2).await;
    let log = daemon.log();
    let drained = told(
        &log,
        0,
        &[
            "rowferry starts version=",
            "config.toml",
            "the precheck has passed",
            "P0: definitions are settled",
            "Snapshot",
            "the copy of a table begins",
            "table=story.t",
            "the copy of a table has ended",
            "table=story.t rows=5 seconds=",
            "rows_per_second=",
            "P1: every chunk is copied",
            "CatchingUp",
            "following the log",
            "Synchronizing",
            "carried a schema change",
            "tables=\"story.t\"",
            "SIGTERM: draining",
            "drained",
        ],
    );
    let again = [
        "rowferry starts",
        "the precheck has passed",
        "resuming from the checkpoint",
        again,
        "Synchronizing",
    ];
    told(&log, drained, &again);
    assert_eq!(log.matches("the copy of a table begins").count(), 1, "{log}");
    assert_eq!(log.matches("the copy of a table has ended").count(), 1, "{log}");
}

#[tokio::test]
async fn the_log_tells_a_lost_connection_and_how_it_goes_on() {
    let scene = Scene::new("story_lost").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let proxy = Proxy::start(scene.source.server.port());
    let daemon = scene.start_with(&scene.config_through(Some(&proxy), None)).await;
    scene.source.sql("INSERT INTO t VALUES (1)").await;
    scene.wait_applied(&daemon).await;
    let from = daemon.log().len();
    proxy.cut();
    daemon
        .wait_task("it goes on", DEADLINE, |task| task.restarts > 0 && task.phase.name() == "Synchronizing")
        .await;
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    told(
        &daemon.log(),
        from,
        &["; trying again", "going on from the checkpoint", "following the log", "Synchronizing"],
    );
}
