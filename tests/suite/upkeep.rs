//! The upkeep of target tables: ANALYZE after the copy, VACUUM by the policy, sizes.

use crate::harness::{DEADLINE, Scene, eventually, rowferry};
use rowferry::testing::change::status::{TaskStatus, Upkeep};

const ROWS: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(100)); \
    INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, 'row' FROM n";

fn upkeep(task: &TaskStatus) -> Upkeep {
    task.tables.values().next().map(|table| table.upkeep.clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_copied_table_is_analyzed_once_and_not_again_after_a_restart() {
    let scene = Scene::new("upkeep_analyze").await;
    scene.source.sql(ROWS).await;
    let daemon = scene.start().await;
    let task = daemon.wait_task("it is analyzed", DEADLINE, |task| upkeep(task).analyzed > 0).await;
    let first = upkeep(&task);
    assert!(first.bytes > 8192 && first.copied_bytes == first.bytes, "{first:?}");
    let rows = "SELECT reltuples::int8 FROM pg_class WHERE relname = 't' AND relkind = 'r'";
    assert_eq!(scene.target.one(rows).await, "900");
    let records = "SELECT string_agg(kind, ' ') FROM rowferry.main_upkeep";
    assert_eq!(scene.target.one(records).await, "analyze");
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    let task = daemon.wait_task("it knows", DEADLINE, |task| upkeep(task).analyzed > 0).await;
    assert_eq!(upkeep(&task).copied_bytes, first.copied_bytes);
    assert_eq!(scene.target.one(records).await, "analyze", "analyzed again");
    // The growth is shown to people and to machines.
    scene.source.sql("UPDATE t SET v = 'changed'").await;
    scene.assert_exact(&daemon, &["t"]).await;
    let shown = rowferry(&["status", "-c", daemon.config_path().to_str().unwrap()]).await;
    assert!(shown.stdout.contains(" when copied), 900 dead rows"), "{}", shown.stdout);
    let (_, metrics) = daemon.get("/metrics").await.unwrap();
    let line = "rowferry_sink_table_dead_rows{task=\"main\",table=\"upkeep_analyze.t\"} 900";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn a_table_whose_rows_died_is_vacuumed_and_stops_growing() {
    let scene = Scene::new("upkeep_vacuum").await;
    scene.source.sql(ROWS).await;
    // Elsewhere than on Greenplum it is only done when asked for.
    let config = scene.config().task("vacuum", "{ mode = \"on\", threshold = 0.5, min_rows = 100 }");
    let daemon = scene.start_with(&config).await;
    daemon.wait_task("it is analyzed", DEADLINE, |task| upkeep(task).analyzed > 0).await;
    let mut sizes = Vec::new();
    for round in 1..=4 {
        // Below the threshold of 450 nothing is done, whatever min_rows says.
        scene.source.sql(&format!("UPDATE t SET v = 'early {round}' WHERE id <= 200")).await;
        scene.wait_applied(&daemon).await;
        let before = upkeep(&daemon.task().await.unwrap());
        assert_eq!(before.dead_rows, 200, "{before:?}");
        scene.source.sql(&format!("UPDATE t SET v = 'late {round}'")).await;
        scene.wait_applied(&daemon).await;
        let vacuumed = "SELECT count(*) FROM rowferry.main_upkeep WHERE kind = 'vacuum'";
        eventually(DEADLINE, "it is vacuumed", async || {
            scene.target.one(vacuumed).await == round.to_string()
        })
        .await;
        daemon.wait_task("that is told", DEADLINE, |task| upkeep(task).dead_rows == 0).await;
        let size = "SELECT pg_relation_size('upkeep_vacuum.t')";
        sizes.push(scene.target.one(size).await.parse::<u64>().unwrap());
    }
    // Without VACUUM the last is more than two and a half times the first.
    assert!(sizes[3] < sizes[0] * 2, "{sizes:?}");
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn dead_rows_are_remembered_over_a_restart_and_wait_for_the_window() {
    let scene = Scene::new("upkeep_window").await;
    scene.source.sql(ROWS).await;
    // A window of a minute, twelve hours away from now.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let minute = now / 60 + 720;
    let time = |minute: u64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    let policy = |window: &str| format!("{{ mode = \"on\", threshold = 0.1, min_rows = 100{window} }}");
    let closed = format!(", window = \"{}-{}\"", time(minute), time(minute + 1));
    let daemon = scene.start_with(&scene.config().task("vacuum", &policy(&closed))).await;
    daemon.wait_task("it is analyzed", DEADLINE, |task| upkeep(task).analyzed > 0).await;
    scene.source.sql("UPDATE t SET v = 'changed'").await;
    scene.wait_applied(&daemon).await;
    let counted = "SELECT count(*) FROM rowferry.main_upkeep WHERE kind = 'counted' AND dead_rows = 900";
    eventually(DEADLINE, "the dead rows are on record", async || scene.target.one(counted).await == "1")
        .await;
    assert_eq!(upkeep(&daemon.task().await.unwrap()).vacuumed, 0, "the window is closed");
    daemon.kill9();
    daemon.reconfigure(&scene.config().task("vacuum", &policy("")));
    daemon.restart();
    let task = daemon.wait_task("it is vacuumed", DEADLINE, |task| upkeep(task).vacuumed > 0).await;
    assert_eq!(upkeep(&task).dead_rows, 0);
}
