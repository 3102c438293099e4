//! Scripts that wait until tasks are as they are to be.

use crate::harness::{DEADLINE, Daemon, Scene, rowferry};
use rowferry::testing::change::status::TablePhase;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_script_waits_until_tasks_follow_and_no_longer_than_it_says() {
    let scene = Scene::new("status_waits").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); CREATE TABLE u (id INT PRIMARY KEY)").await;
    let values: Vec<String> = (1..=1000).map(|id| format!("({id}, {id})")).collect();
    scene.source.sql(&format!("INSERT INTO t VALUES {}", values.join(","))).await;
    let slow = "{ parallel = 1, chunk_rows = 50, max_rows_per_second = 500 }";
    let daemon = Daemon::start(&scene.config().healing().task("snapshot", slow));
    let path = daemon.config_path().into_os_string().into_string().unwrap();
    let wait = async |state: &str, seconds: &str| {
        rowferry(&["status", "-c", &path, "--wait", state, "--timeout", seconds]).await
    };
    // The copy takes two seconds, and nobody may listen yet.
    let early = wait("synchronizing", "1").await;
    assert_eq!(early.code, 1, "{early:?}");
    let good = wait("synchronizing", "60").await;
    assert!(good.code == 0 && good.stdout.contains("task main: Synchronizing"), "{good:?}");
    let json = rowferry(&["status", "-c", &path, "--json", "--wait", "ready"]).await;
    assert!(json.code == 0 && json.stdout.starts_with('{'), "{json:?}");

    // A table that is parked keeps none from following.
    scene.target.sql("ALTER TABLE status_waits.t ADD CONSTRAINT small CHECK (v < 2000)").await;
    scene.source.sql("UPDATE t SET v = 5000 WHERE id = 1").await;
    daemon
        .wait_task("it is parked", DEADLINE, |task| {
            task.phase.name() == "Synchronizing"
                && task.tables.get("status_waits.t").is_some_and(|table| table.phase == TablePhase::Parked)
        })
        .await;
    assert_eq!(wait("synchronizing", "60").await.code, 0);
    let parked = wait("ready", "1").await;
    assert!(parked.code == 1 && parked.stdout.contains("parked"), "{parked:?}");

    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    let nobody = wait("ready", "0").await;
    assert!(nobody.code == 1 && nobody.stderr.contains("no daemon answers"), "{nobody:?}");
}

#[tokio::test]
async fn a_task_that_has_failed_is_not_waited_for() {
    let scene = Scene::new("status_failed").await;
    scene.source.sql("CREATE TABLE t (id INT)").await;
    let daemon = Daemon::start(&scene.config());
    daemon.wait_phase("Failed", DEADLINE).await;
    let path = daemon.config_path().into_os_string().into_string().unwrap();
    let begun = Instant::now();
    let failed = rowferry(&["status", "-c", &path, "--wait", "synchronizing"]).await;
    assert!(failed.code == 1 && failed.stdout.contains("Failed"), "{failed:?}");
    // Far from the ten minutes that it would wait.
    assert!(begun.elapsed() < Duration::from_secs(60));
}
