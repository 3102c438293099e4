//! Rows are tried as they would be written: together with those that they hang on, and without what is the target's own.

use super::{config, ids, kept};
use crate::harness::{Scene, only_postgres};

#[tokio::test]
async fn a_row_is_not_kept_for_want_of_one_of_the_same_batch() {
    if only_postgres("Greenplum does not enforce foreign keys") {
        return;
    }
    let scene = Scene::new("quarantine_family").await;
    scene
        .source
        .sql("CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE child (id INT PRIMARY KEY, parent INT, n INT)")
        .await;
    // The parents' table keeps nothing.
    let config =
        scene.config().more("[task.main.table.\"quarantine_family.child\"]\nbad_rows = \"quarantine\"");
    let daemon = scene.start_with(&config).await;
    scene
        .target
        .sql(
            "ALTER TABLE quarantine_family.child ADD CONSTRAINT small CHECK (n > 0), \
             ADD FOREIGN KEY (parent) REFERENCES quarantine_family.parent (id)",
        )
        .await;
    scene
        .source
        .sql("BEGIN; INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1, 1), (2, 1, -1), (3, 2, 3), (4, 9, 4); COMMIT")
        .await;
    scene.wait_applied(&daemon).await;
    assert_eq!((kept(&scene).await.as_str(), ids(&scene, "child").await.as_str()), ("id = 2; id = 4", "1,3"));
    assert_eq!(ids(&scene, "parent").await, "1,2");
}

#[tokio::test]
async fn rows_with_values_of_the_owner_are_updated_when_one_of_them_is_kept() {
    if only_postgres("declared partitions are not of Greenplum 6") {
        return;
    }
    let scene = Scene::new("quarantine_owned").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
        .await;
    scene
        .target
        .sql(
            "CREATE SCHEMA quarantine_owned; \
             CREATE TABLE quarantine_owned.t (id INT PRIMARY KEY, n INT) PARTITION BY HASH (id); \
             CREATE TABLE quarantine_owned.t0 PARTITION OF quarantine_owned.t FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        )
        .await;
    let daemon = scene.start_with(&config(&scene).task("existing_tables", "\"clear\"")).await;
    scene
        .target
        .sql(
            "ALTER TABLE quarantine_owned.t ADD COLUMN own TEXT NOT NULL DEFAULT 'mine', ADD CONSTRAINT small CHECK (n > 0); \
             ALTER TABLE quarantine_owned.t ALTER COLUMN own DROP DEFAULT",
        )
        .await;
    daemon.start_again().await;
    daemon.wait_phase("Synchronizing", crate::harness::DEADLINE).await;
    scene.source.sql("BEGIN; UPDATE t SET n = 11 WHERE id = 1; UPDATE t SET n = -2 WHERE id = 2; UPDATE t SET n = 33 WHERE id = 3; COMMIT").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(kept(&scene).await, "id = 2");
    let rows = "SELECT string_agg(concat_ws(' ', id, n, own), ', ' ORDER BY id) FROM quarantine_owned.t";
    assert_eq!(scene.target.one(rows).await, "1 11 mine, 3 33 mine");
}

#[tokio::test]
async fn a_row_of_several_feeders_is_of_the_one_whose_tag_its_key_has() {
    let scene = Scene::new("quarantine_tagged").await;
    let columns = "(code VARCHAR(60) PRIMARY KEY, n INT)";
    scene.source.sql(&format!("CREATE TABLE orders_1 {columns}; CREATE TABLE orders_2 {columns}")).await;
    let config = config(&scene).more(
        "[task.main.table.\"quarantine_tagged.orders_*\"]\ntarget = \"orders\"\nsource_column = \"src\"",
    );
    let daemon = scene.start_with(&config).await;
    scene.target.sql("ALTER TABLE quarantine_tagged.orders ADD CONSTRAINT small CHECK (n > 0)").await;
    scene
        .source
        .sql("INSERT INTO orders_1 VALUES ('main:quarantine_tagged.orders_2', -1), ('fits', 1)")
        .await;
    scene.wait_applied(&daemon).await;
    let kept = "SELECT string_agg(source_table, ',') FROM rowferry.main_quarantine";
    assert_eq!(scene.target.one(kept).await, "orders_1");
    assert_eq!(scene.target.one("SELECT string_agg(code, ',') FROM quarantine_tagged.orders").await, "fits");
}
