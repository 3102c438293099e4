//! A table that was resumed and has not come up with the others yet.

use super::{done, pause, resume, tell};
use crate::harness::{DEADLINE, Proxy, Scene, eventually};
use crate::healing::{carried, parked, rows};
use rowferry::testing::change::status::Phase;

/// Who gives up on an answer and asks again asks for what may be on its way already.
#[tokio::test]
async fn a_resume_that_is_asked_for_again_before_it_is_done_stops_nothing() {
    let scene = Scene::new("paused_twice").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let proxy = Proxy::start(scene.target.server.port());
    let daemon = scene.start_with(&scene.config_through(None, Some(&proxy)).healing()).await;
    pause(&scene, &daemon, "t").await;
    let mut lock = scene.target.session().await;
    lock.sql("BEGIN; LOCK TABLE paused_twice.u IN ACCESS EXCLUSIVE MODE").await;
    scene.source.sql("UPDATE u SET w = 2; UPDATE t SET w = 2").await;
    scene.target.wait_applier_locked().await;
    for _ in 0..3 {
        let given_up = tokio::time::timeout(
            std::time::Duration::from_millis(500),
            tell(&scene, &daemon, "resume", &["t"]),
        );
        assert!(given_up.await.is_err(), "it was done while the stream stood still");
    }
    lock.sql("COMMIT").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    done(&scene, &daemon, "resume", &["t"], "it is not paused").await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0, "{}", daemon.log_tail());
}

#[tokio::test]
async fn a_task_is_not_ready_before_its_table_has_come_up_with_the_others() {
    let scene = Scene::new("paused_catching").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    pause(&scene, &daemon, "t").await;
    scene.source.sql("UPDATE t SET w = 2").await;
    let mut lock = scene.target.session().await;
    lock.sql("BEGIN; LOCK TABLE paused_catching.t IN ACCESS EXCLUSIVE MODE").await;
    resume(&scene, &daemon, "t").await;
    for restarted in [false, true] {
        if restarted {
            daemon.restart();
        }
        eventually(DEADLINE, "it is told that it catches up", async || {
            let ready = daemon.get("/readyz").await;
            ready.is_some_and(|(code, why)| {
                code == 503 && why.contains("paused_catching.t is catching up with the others")
            })
        })
        .await;
        let status = tell(&scene, &daemon, "status", &[]).await;
        assert!(status.stdout.contains("catching up with the others, from "), "{status:?}");
        assert!(daemon.get("/").await.unwrap().1.contains("catching up with the others"));
        done(&scene, &daemon, "resync", &["t"], "it is on its way to the others").await;
        scene.source.sql("UPDATE u SET w = w + 1").await;
        scene.assert_exact(&daemon, &["u"]).await;
    }
    lock.sql("COMMIT").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    eventually(DEADLINE, "it is ready", async || {
        daemon.get("/readyz").await.is_some_and(|(code, _)| code == 200)
    })
    .await;
}

/// Its stream would meet what somebody has had passed over.
#[tokio::test]
async fn a_table_is_copied_where_something_was_passed_over_since_it_was_paused() {
    let scene = Scene::new("paused_skipped").await;
    for table in ["t", "u", "w"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let daemon = scene.start().await;
    done(&scene, &daemon, "pause", &["t", "w"], "it is paused").await;
    scene.target.sql("ALTER TABLE paused_skipped.u ADD CONSTRAINT small CHECK (w < 100)").await;
    scene
        .source
        .sql("BEGIN; UPDATE t SET w = 7; UPDATE w SET w = 7; UPDATE u SET w = 1000 WHERE id = 3; COMMIT")
        .await;
    let task =
        daemon.wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. })).await;
    let stands = task.stands.expect("a transaction is named").position;
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let told = crate::harness::rowferry(&["skip", "-c", &config, &stands]).await;
    assert_eq!(told.code, 0, "{told:?}");
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("UPDATE u SET w = 5").await;
    let before = super::oid(&scene, "t").await;
    done(&scene, &daemon, "resume", &["t"], "it is copied again").await;
    carried(&scene, &daemon, "t").await;
    assert_ne!(super::oid(&scene, "t").await, before, "it was not copied");
    // While no daemon runs too.
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    done(&scene, &daemon, "resume", &["w"], "it is copied again when task main runs").await;
    daemon.restart();
    carried(&scene, &daemon, "w").await;
    scene.assert_exact(&daemon, &["t", "u", "w"]).await;
    // What was passed over before a pause concerns it no more.
    let before = super::oid(&scene, "t").await;
    pause(&scene, &daemon, "t").await;
    scene.source.sql("UPDATE t SET w = 8").await;
    resume(&scene, &daemon, "t").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(super::oid(&scene, "t").await, before, "it was copied");
}

/// A copy would take out what the source has no more and the target is to keep.
#[tokio::test]
async fn a_table_that_keeps_rows_is_parked_where_the_log_is_gone() {
    let mysql = crate::harness::Kind::Gtids97.private(&[]).await;
    let scene = Scene::on(&mysql, crate::harness::postgres().await, "paused_keeps").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let config = scene.config().healing().task("operations", "[\"insert\", \"update\"]");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("DELETE FROM t WHERE id = 1").await;
    scene.wait_applied(&daemon).await;
    pause(&scene, &daemon, "t").await;
    scene.source.sql("UPDATE t SET w = 9; UPDATE u SET w = 9").await;
    scene.wait_applied(&daemon).await;
    scene.source.sql("FLUSH BINARY LOGS").await;
    scene.wait_applied(&daemon).await;
    super::lost_log::purge(&mysql).await;
    resume(&scene, &daemon, "t").await;
    let trouble = parked(&scene, &daemon, "t").await;
    assert!(trouble.remedy.contains("rowferry resync"), "{trouble:?}");
    assert_eq!(scene.target.one("SELECT count(*) FROM paused_keeps.t WHERE id = 1").await, "1");
    scene.source.sql("UPDATE u SET w = 10").await;
    scene.assert_exact(&daemon, &["u"]).await;
}
