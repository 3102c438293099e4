//! What stopped a task first is told until the task keeps its tables equal again, whatever has followed from it meanwhile.

use crate::harness::{DEADLINE, Scene, eventually, rowferry};

#[tokio::test]
async fn the_first_cause_is_told_over_restarts_until_the_task_is_synchronizing() {
    let scene = Scene::new("first_cause").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)").await;
    scene.source.sql("CREATE TABLE u (id INT PRIMARY KEY, v INT); INSERT INTO u VALUES (1, 1), (2, 2)").await;
    let daemon = scene.start().await;
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    scene.source.sql("TRUNCATE t; INSERT INTO u VALUES (3, 3)").await;
    let failed = daemon.wait_phase("Failed", DEADLINE).await;
    // It says itself what that is.
    assert!(failed.first_cause().is_none(), "{failed:?}");
    let recorded = "SELECT count(*) FROM rowferry.main_cause WHERE error LIKE '%TRUNCATE%' AND remedy <> ''";
    eventually(DEADLINE, "it is on record", async || {
        scene.target.try_sql(recorded).await.is_ok_and(|rows| rows[0][0].as_deref() == Some("1"))
    })
    .await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    let told = rowferry(&["status", "-c", &config]).await;
    assert!(told.stdout.contains("what stopped it first, ") && told.stdout.contains("TRUNCATE"), "{told:?}");

    // Something else keeps it by now.
    scene.target.sql("ALTER TABLE first_cause.u RENAME COLUMN v TO w").await;
    daemon.restart();
    let failed = daemon.wait_phase("Failed", DEADLINE).await;
    let first = failed.first_cause().unwrap_or_else(|| panic!("{failed:?}"));
    assert!(first.error.contains("TRUNCATE") && !first.remedy.is_empty() && first.since > 0, "{failed:?}");
    let (_, page) = daemon.get("/").await.unwrap();
    assert!(page.contains("what stopped it first"), "{page}");
    assert_eq!(scene.target.one("SELECT count(*) FROM rowferry.main_cause").await, "1");

    scene.target.sql("ALTER TABLE first_cause.u RENAME COLUMN w TO v").await;
    let done = rowferry(&["drop", "-c", &config, "first_cause.t"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    eventually(DEADLINE, "it is forgotten", async || {
        scene.source.sql("INSERT INTO u SELECT max(id) + 1, 0 FROM u").await;
        scene.target.one("SELECT count(*) FROM rowferry.main_cause").await == "0"
    })
    .await;
    scene.assert_exact(&daemon, &["u"]).await;
    assert!(daemon.task().await.unwrap().cause.is_none());
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    let told = rowferry(&["status", "-c", &config]).await;
    assert!(!told.stdout.contains("stopped it first"), "{told:?}");
}
