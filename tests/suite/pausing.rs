//! `rowferry pause` and `resume`: a task rests where it is, over restarts, until it is told to go on.

use crate::harness::{DEADLINE, Daemon, Output, Proxy, Scene, pause, rowferry};
use std::time::Duration;

async fn tell(daemon: &Daemon, command: &str) -> Output {
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    rowferry(&[command, "-c", &config]).await
}

/// The command succeeds and says so.
async fn told(daemon: &Daemon, command: &str, says: &str) {
    let told = tell(daemon, command).await;
    assert!(told.code == 0 && told.stdout.contains(says), "{command}: {told:?}");
}

async fn is_paused(daemon: &Daemon) {
    daemon.wait_phase("Paused", DEADLINE).await;
    let (code, why) = daemon.get("/readyz").await.unwrap();
    assert!(code == 503 && why.contains("Paused"), "{code} {why}");
}

#[tokio::test]
async fn a_paused_task_rests_over_restarts_and_goes_on_from_where_it_was() {
    let scene = Scene::new("paused").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let daemon = scene.start().await;
    told(&daemon, "resume", "is not paused").await;
    told(&daemon, "pause", "is paused, and stays so").await;
    is_paused(&daemon).await;
    told(&daemon, "pause", "is paused already").await;
    scene.source.sql("INSERT INTO t VALUES (2, 2); UPDATE t SET v = 9 WHERE id = 1").await;
    for end in ["term", "kill"] {
        if end == "term" {
            daemon.terminate();
            assert_eq!(daemon.exit_code(DEADLINE).await, 0);
        } else {
            daemon.kill9();
        }
        let status = tell(&daemon, "status").await;
        assert!(status.stdout.contains("paused, and not running"), "{status:?}");
        daemon.restart();
        is_paused(&daemon).await;
    }
    // What comes over its socket is done to what is on record.
    let table = format!("{}.t", scene.source.name);
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let again = rowferry(&["resync", "-c", &config, &table]).await;
    assert_eq!(again.code, 0, "{again:?}");
    is_paused(&daemon).await;
    assert_eq!(scene.target.one("SELECT count(*) FROM paused.t").await, "1");
    told(&daemon, "resume", "goes on from where it was").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_copy_is_paused_and_goes_on_without_a_daemon_too() {
    let scene = Scene::new("paused_copy").await;
    scene.source.sql(&crate::healing::rows("t", 60_000)).await;
    let snapshot = "{ parallel = 2, chunk_rows = 1000, max_rows_per_second = 20000 }";
    let daemon = Daemon::start(&scene.config().task("snapshot", snapshot));
    daemon
        .wait_task("some rows are copied", DEADLINE, |task| {
            task.tables.values().any(|t| t.copied_rows > 2000)
        })
        .await;
    told(&daemon, "pause", "is paused, and stays so").await;
    is_paused(&daemon).await;
    let copied = scene.target.one("SELECT count(*) FROM paused_copy.t").await;
    scene.source.sql("UPDATE t SET w = -w; DELETE FROM t WHERE id % 7 = 0").await;
    pause(Duration::from_millis(500)).await;
    assert_eq!(scene.target.one("SELECT count(*) FROM paused_copy.t").await, copied);
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    told(&daemon, "resume", "goes on from where it was").await;
    told(&daemon, "pause", "is paused, and stays so").await;
    told(&daemon, "resume", "goes on from where it was").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_called_paused() {
    let scene = Scene::new("paused_in_vain").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let proxy = Proxy::start(scene.target.server.port());
    let daemon = scene.start_with(&scene.config_through(None, Some(&proxy))).await;
    proxy.refuse();
    proxy.cut();
    let told = tell(&daemon, "pause").await;
    assert!(told.code != 0 && !told.stdout.contains("is paused"), "{told:?}");
    proxy.mend();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (2, 2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
}
