//! What a pause of a table is answered when it cannot be done as things stand, or has been: nothing is lost
//! by asking.

use super::{done, is_paused, pause, refused, resume, tell};
use crate::harness::{DEADLINE, Daemon, Proxy, Scene, rowferry};
use crate::healing::{carried, parked, rows};
use rowferry::testing::change::status::Phase;

#[tokio::test]
async fn who_asks_twice_or_for_what_cannot_be_is_told() {
    let scene = Scene::new("paused_asked").await;
    for table in ["t", "u", "sick"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let slow = "{ parallel = 1, chunk_rows = 50, max_rows_per_second = 400 }";
    let daemon = scene.start_with(&scene.config().healing().task("snapshot", slow)).await;
    done(&scene, &daemon, "resume", &["t"], "it is not paused").await;
    pause(&scene, &daemon, "t").await;
    done(&scene, &daemon, "pause", &["t", "t"], "it is paused already").await;
    for command in ["pause", "resume"] {
        refused(&scene, &daemon, (command, "none"), 1, &["is not on record of task main"]).await;
        let config = daemon.config_path().into_os_string().into_string().unwrap();
        let told = rowferry(&[command, "-c", &config, "elsewhere.t"]).await;
        assert!(told.code == 1 && told.stderr.contains("not among the tables"), "{told:?}");
        let told = rowferry(&[command, "-c", &config, "main"]).await;
        assert!(told.code == 2 && told.stderr.contains("write database.table"), "{told:?}");
    }
    // Nothing is done where one of them cannot be.
    let told = tell(&scene, &daemon, "pause", &["u", "none"]).await;
    assert!(told.code == 1 && told.stdout.is_empty(), "{told:?}");
    scene.target.sql("ALTER TABLE paused_asked.sick ADD CONSTRAINT small CHECK (w < 100)").await;
    scene.source.sql("UPDATE sick SET w = 1000; UPDATE u SET w = 3").await;
    parked(&scene, &daemon, "sick").await;
    refused(&scene, &daemon, ("pause", "sick"), 1, &["it is parked", "rowferry resync"]).await;
    done(&scene, &daemon, "resume", &["sick"], "it is not paused").await;
    done(&scene, &daemon, "drop", &["sick"], "not carried any more").await;
    refused(&scene, &daemon, ("pause", "sick"), 1, &["it is not carried"]).await;
    // One that is copied beside the others, now and later.
    scene.source.sql(&rows("new", 800)).await;
    daemon
        .wait_task("the copy begins", DEADLINE, |task| {
            task.tables.get("paused_asked.new").is_some_and(|table| table.copied_rows > 0)
        })
        .await;
    refused(&scene, &daemon, ("pause", "new"), 75, &["being copied"]).await;
    carried(&scene, &daemon, "new").await;
    pause(&scene, &daemon, "new").await;
    scene.source.sql("DELETE FROM new WHERE id < 500; UPDATE t SET w = 5; UPDATE u SET w = 5").await;
    scene.assert_exact(&daemon, &["u"]).await;
    done(&scene, &daemon, "resume", &["new", "t"], "it goes on from where it was").await;
    for table in ["new", "t"] {
        carried(&scene, &daemon, table).await;
    }
    scene.assert_exact(&daemon, &["t", "u", "new"]).await;
}

#[tokio::test]
async fn a_table_is_paused_in_the_records_of_a_task_that_does_not_run() {
    let scene = Scene::new("paused_offline").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    // The whole task is paused, and the table within it.
    done(&scene, &daemon, "pause", &[], "task main is paused").await;
    daemon.wait_phase("Paused", DEADLINE).await;
    pause(&scene, &daemon, "t").await;
    done(&scene, &daemon, "pause", &["t"], "it is paused already").await;
    scene.source.sql("UPDATE t SET w = 2; UPDATE u SET w = 2").await;
    done(&scene, &daemon, "resume", &[], "goes on from where it was").await;
    is_paused(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["u"]).await;
    // No daemon at all.
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    pause(&scene, &daemon, "u").await;
    scene.source.sql("UPDATE t SET w = 3 WHERE id = 1; DELETE FROM u WHERE id = 1").await;
    daemon.restart();
    is_paused(&scene, &daemon, "t").await;
    is_paused(&scene, &daemon, "u").await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    refused(&scene, &daemon, ("pause", "none"), 1, &["is not on record"]).await;
    // Each goes on from its own place.
    done(&scene, &daemon, "resume", &["t", "u", "t"], "when task main runs").await;
    done(&scene, &daemon, "resume", &["t"], "it is not paused").await;
    // Nothing has run since, so that it has not moved.
    pause(&scene, &daemon, "t").await;
    done(&scene, &daemon, "resume", &["t"], "when task main runs").await;
    scene.source.sql("INSERT INTO t VALUES (9, 'nine', 9); INSERT INTO u VALUES (9, 'nine', 9)").await;
    daemon.restart();
    for table in ["t", "u"] {
        carried(&scene, &daemon, table).await;
    }
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

/// A task that has failed for one table goes on without it, and the table from there when it is mended.
#[tokio::test]
async fn a_task_that_has_failed_for_a_table_goes_on_while_that_is_paused() {
    let scene = Scene::new("paused_failed").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let daemon = scene.start().await;
    let before = super::oid(&scene, "t").await;
    scene.target.sql("ALTER TABLE paused_failed.t ADD CONSTRAINT small CHECK (w < 100)").await;
    scene.source.sql("UPDATE u SET w = 4; BEGIN; UPDATE t SET w = 1000 WHERE id = 2; UPDATE u SET w = 5; COMMIT; UPDATE t SET w = 6 WHERE id = 1").await;
    daemon.wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. })).await;
    pause(&scene, &daemon, "t").await;
    is_paused(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["u"]).await;
    // Not mended yet: it fails for it once more, and the table is paused where it has come to.
    scene.source.sql("UPDATE u SET w = 7").await;
    resume(&scene, &daemon, "t").await;
    daemon.wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. })).await;
    pause(&scene, &daemon, "t").await;
    is_paused(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["u"]).await;
    scene.target.sql("ALTER TABLE paused_failed.t DROP CONSTRAINT small").await;
    resume(&scene, &daemon, "t").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(super::oid(&scene, "t").await, before, "it was copied");
}

#[tokio::test]
async fn a_dropped_task_has_no_table_to_pause() {
    let scene = Scene::new("paused_dropped").await;
    scene.source.sql(&rows("t", 5)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    pause(&scene, &daemon, "t").await;
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let dropped = rowferry(&["drop", "-c", &config, "--whole-task", "main", "--remove-rows"]).await;
    assert_eq!(dropped.code, 0, "{dropped:?}");
    daemon.wait_phase("Dropped", DEADLINE).await;
    assert_eq!(scene.target.one("SELECT count(*) FROM pg_class WHERE relname = 't'").await, "0");
    for command in ["pause", "resume"] {
        refused(&scene, &daemon, (command, "t"), 1, &["was dropped by command"]).await;
    }
    // It begins anew, and nothing of the pause is left.
    let resumed = rowferry(&["resume", "-c", &config]).await;
    assert!(resumed.code == 0 && resumed.stdout.contains("begins anew"), "{resumed:?}");
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// Asked while a server is away, or during the first copy, it is done when the stream runs, or it is said
/// that it was not.
#[tokio::test]
async fn what_is_asked_at_a_bad_moment_is_done_later_or_not_at_all() {
    let scene = Scene::new("paused_bad_moment").await;
    scene.source.sql(&rows("t", 4000)).await;
    scene.source.sql(&rows("u", 5)).await;
    let proxy = Proxy::start(scene.target.server.port());
    let slow = "{ parallel = 1, chunk_rows = 100, max_rows_per_second = 1000 }";
    let config = scene.config_through(None, Some(&proxy)).healing().task("snapshot", slow);
    let daemon = Daemon::start(&config);
    daemon
        .wait_task("some rows are copied", DEADLINE, |task| task.tables.values().any(|t| t.copied_rows > 500))
        .await;
    let told = tell(&scene, &daemon, "pause", &["t"]).await;
    assert!(told.code == 0 || (told.code == 75 && told.stderr.contains("being copied")), "{told:?}");
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    if told.code != 0 {
        pause(&scene, &daemon, "t").await;
    }
    is_paused(&scene, &daemon, "t").await;
    scene.source.sql("UPDATE t SET w = -w; UPDATE u SET w = 2").await;
    scene.assert_exact(&daemon, &["u"]).await;
    for command in ["resume", "pause"] {
        proxy.refuse();
        proxy.cut();
        daemon.wait_phase("Retrying", DEADLINE).await;
        let (asked, ()) = tokio::join!(tell(&scene, &daemon, command, &["t"]), async {
            crate::harness::pause(std::time::Duration::from_secs(2)).await;
            proxy.mend();
        });
        assert!(asked.code == 0 || asked.code == 75, "{asked:?}");
        if command == "resume" {
            if asked.code == 75 {
                resume(&scene, &daemon, "t").await;
            }
            carried(&scene, &daemon, "t").await;
            scene.assert_exact(&daemon, &["t", "u"]).await;
        }
    }
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    let _may_have_been_done = tell(&scene, &daemon, "resume", &["t"]).await;
    carried(&scene, &daemon, "t").await;
    scene.source.sql("UPDATE t SET w = 3 WHERE id = 7").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}
