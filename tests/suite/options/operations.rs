//! `operations`: what is left out leaves the target alone.

use crate::harness::{DEADLINE, Daemon, Scene};

const START: &str =
    "CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)";

/// Runs with these operations, changes rows in every way, and gives what is in the target.
async fn carried(name: &'static str, operations: &str) -> (Scene<'static>, Daemon, Vec<String>) {
    let scene = Scene::new(name).await;
    scene.source.sql(START).await;
    let daemon = scene.start_with(&scene.config().task("operations", operations)).await;
    scene
        .source
        .sql("INSERT INTO t VALUES (4, 40); UPDATE t SET v = 21 WHERE id = 2; DELETE FROM t WHERE id = 3")
        .await;
    scene.wait_applied(&daemon).await;
    let rows = scene.seen(&format!("SELECT * FROM {name}.t ORDER BY id")).await;
    let drift = daemon.task().await.unwrap().tables.values().map(|table| table.drift).sum::<u64>();
    assert_eq!(drift, 0, "what is left out is no drift");
    (scene, daemon, rows)
}

#[tokio::test]
async fn inserts_can_be_left_out() {
    let (.., rows) = carried("options_no_insert", "[\"update\", \"delete\", \"alter_table\"]").await;
    assert_eq!(rows, ["1|10", "2|21"]);
}

#[tokio::test]
async fn updates_can_be_left_out() {
    let (.., rows) = carried("options_no_update", "[\"insert\", \"delete\", \"alter_table\"]").await;
    assert_eq!(rows, ["1|10", "2|20", "4|40"]);
}

#[tokio::test]
async fn deletes_can_be_left_out_and_a_key_that_comes_again_is_overwritten() {
    let (scene, daemon, rows) =
        carried("options_no_delete", "[\"insert\", \"update\", \"alter_table\"]").await;
    assert_eq!(rows, ["1|10", "2|21", "3|30", "4|40"]);
    scene.source.sql("INSERT INTO t VALUES (3, 31); UPDATE t SET id = 5 WHERE id = 1").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(
        scene.seen("SELECT * FROM options_no_delete.t ORDER BY id").await,
        ["2|21", "3|31", "4|40", "5|10"]
    );
}

#[tokio::test]
async fn alter_table_can_be_left_out() {
    let (scene, daemon, _) = carried("options_no_alter", "[\"insert\", \"update\", \"delete\"]").await;
    scene
        .source
        .sql("ALTER TABLE t ADD COLUMN w INT DEFAULT 7; ALTER TABLE t RENAME COLUMN v TO vv; INSERT INTO t VALUES (6, 60, 8)")
        .await;
    scene.wait_applied(&daemon).await;
    let rows = "SELECT * FROM options_no_alter.t ORDER BY id";
    assert_eq!(scene.seen(rows).await, ["1|10", "2|21", "4|40", "6|60"]);
    // The next life reads events with what the source has become, and still feeds the old columns.
    daemon.start_again().await;
    scene.source.sql("UPDATE t SET vv = 61, w = 9 WHERE id = 6").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.seen(rows).await, ["1|10", "2|21", "4|40", "6|61"]);
}
