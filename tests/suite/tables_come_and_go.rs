//! Tables that join a running task, leave it and come back: each time with a copy of their own and nothing in between lost.

use crate::harness::{DEADLINE, Daemon, Proxy, Scene, eventually};
use rowferry::testing::status::words;

const RECORDED: &str = "SELECT coalesce(string_agg(DISTINCT source_table, ',' ORDER BY source_table), '') FROM rowferry.main_tables";

fn thirty(table: &str) -> String {
    format!(
        "CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(40)); \
         INSERT INTO {table} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) \
         SELECT i * 10, CONCAT('row ', i * 10) FROM n"
    )
}

#[tokio::test]
async fn a_table_created_after_the_start_is_copied_at_the_next_start() {
    let scene = Scene::new("table_added").await;
    scene.source.sql(&thirty("t")).await;
    let proxy = Proxy::start(scene.source.server.port());
    let config =
        scene.config_through(Some(&proxy), None).task("snapshot", "{ parallel = 1, chunk_rows = 10 }");
    let daemon = scene.start_with(&config).await;
    scene.source.sql(&thirty("u")).await;
    scene.source.sql(&thirty("w")).await;
    scene.source.sql("UPDATE u SET v = 'early' WHERE id = 10; UPDATE t SET v = 'early' WHERE id = 10").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(scene.target.one(RECORDED).await, "t");
    let not_carried = async |names: &[&str]| {
        eventually(DEADLINE, "the status names what is not carried", async || {
            daemon.task().await.is_some_and(|task| task.not_carried.named.keys().eq(names))
        })
        .await;
    };
    not_carried(&["table_added.u", "table_added.w"]).await;
    // What is dropped is not worth a word any more.
    scene.source.sql("DROP TABLE w").await;
    not_carried(&["table_added.u"]).await;
    assert!(
        daemon
            .get("/")
            .await
            .unwrap()
            .1
            .contains("not carried: table_added.u: it was created after the task started")
    );
    daemon.kill9();
    // Between its checkpoint and its next start, to both tables.
    scene
        .source
        .sql("UPDATE u SET id = 15 WHERE id = 150; UPDATE t SET id = 15 WHERE id = 150; DELETE FROM u WHERE id = 30")
        .await;
    let held = proxy.hold("FROM `table_added`.`u` FORCE INDEX (`PRIMARY`) WHERE `id` > 100 AND");
    daemon.restart();
    held.wait().await;
    // And during the copy of the new one.
    scene
        .source
        .sql(
            "BEGIN; UPDATE u SET id = 25 WHERE id = 250; UPDATE t SET id = 25 WHERE id = 250; COMMIT; \
             UPDATE u SET id = 255 WHERE id = 20; DELETE FROM t WHERE id = 20; INSERT INTO u VALUES (1, 'new'), (301, 'new')",
        )
        .await;
    drop(held);
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(words::not_carried(&task.not_carried), None);
    scene.assert_exact(&daemon, &["t", "u"]).await;
    scene.source.sql("DELETE FROM u WHERE id = 15; UPDATE t SET v = 'late'; UPDATE u SET v = 'late'").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

#[tokio::test]
async fn a_table_that_is_deselected_is_forgotten_and_copied_anew_when_it_is_selected_again() {
    let scene = Scene::new("table_deselected").await;
    scene.source.sql(&thirty("t")).await;
    scene.source.sql(&thirty("u")).await;
    let daemon = scene.start().await;
    scene.assert_exact(&daemon, &["t", "u"]).await;

    let without = scene.config().task("tables", r#"["table_deselected.*", "!table_deselected.u"]"#);
    daemon.reconfigure(&without);
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(scene.target.one(RECORDED).await, "t");
    // Nobody reads along: also what nobody could carry.
    scene
        .source
        .sql(
            "UPDATE u SET v = 'unseen' WHERE id < 100; DELETE FROM u WHERE id > 200; UPDATE u SET id = 5 WHERE id = 50; \
             ALTER TABLE u MODIFY v VARCHAR(60), ADD COLUMN w INT DEFAULT 3; UPDATE t SET v = 'seen'",
        )
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
    let old = scene.target.one("SELECT count(*) FROM table_deselected.u WHERE v LIKE 'row %'").await;
    assert_eq!(old, "30", "a table that is not selected was followed");

    // Its target table is still there: without a word about that the task refuses to touch it, and goes on with the other.
    daemon.reconfigure(&scene.config());
    daemon.restart();
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    let words = words::not_carried(&task.not_carried).unwrap();
    assert!(words.contains("not carried: table_deselected.u: the table exists already"), "{words}");
    scene.target.sql("DROP TABLE table_deselected.u").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    scene
        .source
        .sql("UPDATE u SET w = 4; INSERT INTO u VALUES (1000, 'new', 5); DELETE FROM t WHERE id = 10")
        .await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

/// The stream of the tables that are followed goes on from its own checkpoint, before the new table's P0.
#[tokio::test]
async fn a_table_that_joins_late_does_not_apply_what_its_copy_holds() {
    let scene = Scene::new("table_joins_late").await;
    scene.source.sql(&thirty("t")).await;
    let daemon: Daemon = scene.start().await;
    daemon.kill9();
    // All of it lies between the checkpoint and the new table's P0, under a definition that is gone by then.
    scene
        .source
        .sql(
            "CREATE TABLE u (id INT PRIMARY KEY, a INT); INSERT INTO u VALUES (1, 1), (2, 2), (3, 3); \
             UPDATE u SET id = 4 WHERE id = 3; ALTER TABLE u DROP COLUMN a, ADD COLUMN b VARCHAR(9) FIRST; \
             UPDATE u SET b = 'b'; DELETE FROM u WHERE id = 1; UPDATE t SET v = 'meanwhile'",
        )
        .await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    eventually(DEADLINE, "both are followed", async || {
        let task = daemon.task().await.unwrap();
        task.tables
            .values()
            .all(|table| table.phase == rowferry::testing::change::status::TablePhase::Streaming)
    })
    .await;
}
