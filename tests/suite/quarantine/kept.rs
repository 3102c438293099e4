//! Rows without a form in the target, on the stream.

use super::{config, count, ids, kept};
use crate::harness::{DEADLINE, Scene};
use rowferry::testing::change::status::TablePhase;

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT)";

/// What is done, what is in quarantine then, and what the target has.
const STEPS: [(&str, &str, &str); 12] = [
    ("INSERT INTO t VALUES (10, 'a\\0b', 1), (11, 'fits', 1)", "id = 10", "1,2,3,11"),
    ("UPDATE t SET v = 'x\\0' WHERE id = 1", "id = 1; id = 10", "2,3,11"),
    ("UPDATE t SET v = 'y\\0z' WHERE id = 10", "id = 1; id = 10", "2,3,11"),
    ("UPDATE t SET v = 'good' WHERE id = 10", "id = 1", "2,3,10,11"),
    ("DELETE FROM t WHERE id = 1", "", "2,3,10,11"),
    ("UPDATE t SET v = '\\0' WHERE id = 2; UPDATE t SET id = 22 WHERE id = 2", "id = 22", "3,10,11"),
    ("UPDATE t SET id = 2, v = 'ok' WHERE id = 22", "", "2,3,10,11"),
    // The key of a good row gets a bad one by a move.
    ("UPDATE t SET id = 4, v = '\\0' WHERE id = 3", "id = 4", "2,10,11"),
    ("INSERT INTO t VALUES (3, 'anew', 3); UPDATE t SET v = 'ok' WHERE id = 4", "", "2,3,4,10,11"),
    // The same key twice in one transaction.
    (
        "BEGIN; UPDATE t SET v = '\\0' WHERE id = 3; UPDATE t SET v = 'ok' WHERE id = 3; COMMIT",
        "",
        "2,3,4,10,11",
    ),
    (
        "BEGIN; INSERT INTO t VALUES (30, 'ok', 1); UPDATE t SET v = '\\0' WHERE id = 30; COMMIT",
        "id = 30",
        "2,3,4,10,11",
    ),
    ("BEGIN; UPDATE t SET v = 'ok' WHERE id = 30; DELETE FROM t WHERE id = 30; COMMIT", "", "2,3,4,10,11"),
];

#[tokio::test]
async fn a_row_without_a_form_is_kept_until_its_key_has_one_that_fits_or_none() {
    let scene = Scene::new("quarantine_kept").await;
    scene
        .source
        .sql(&format!("{TABLE}; INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3)"))
        .await;
    let daemon = scene.start_with(&config(&scene)).await;
    for (statements, in_quarantine, there) in STEPS {
        scene.source.sql(statements).await;
        scene.wait_applied(&daemon).await;
        assert_eq!(kept(&scene).await, in_quarantine, "{statements}");
        assert_eq!(ids(&scene, "t").await, there, "{statements}");
        if statements.contains("y\\0z") {
            let row = "SELECT change || ' ' || (row_image->>'n') || ' ' || (row_image->'v'->>'hex') || ' ' \
                || (error LIKE '%column v of the row with id = 10%')::text || ' ' || (place LIKE 'binlog.%')::text \
                FROM rowferry.main_quarantine WHERE row_key = 'id = 10'";
            assert_eq!(scene.target.one(row).await, "update 1 79007a true true");
        }
    }
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(count(&daemon.task().await.unwrap(), "t"), 0);
}

#[tokio::test]
async fn a_row_is_kept_too_where_rows_are_applied_whatever_is_there() {
    let scene = Scene::new("quarantine_ignore").await;
    scene
        .source
        .sql(&format!("{TABLE}; INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3)"))
        .await;
    let daemon = scene.start_with(&config(&scene).task("existing_tables", "\"ignore\"")).await;
    for (statements, in_quarantine, there) in STEPS {
        scene.source.sql(statements).await;
        scene.wait_applied(&daemon).await;
        assert_eq!(kept(&scene).await, in_quarantine, "{statements}");
        assert_eq!(ids(&scene, "t").await, there, "{statements}");
    }
    scene.assert_equal("t").await;
}

#[tokio::test]
async fn a_row_whose_key_has_no_form_parks_its_table() {
    let scene = Scene::new("quarantine_key").await;
    scene
        .source
        .sql("CREATE TABLE t (id VARCHAR(20) PRIMARY KEY, n INT); CREATE TABLE u (id INT PRIMARY KEY)")
        .await;
    let daemon = scene.start_with(&config(&scene).healing()).await;
    scene.source.sql("INSERT INTO t VALUES ('a\\0', 1); INSERT INTO u VALUES (1)").await;
    let task = daemon
        .wait_task("the table is parked", DEADLINE, |task| {
            task.tables.get("quarantine_key.t").is_some_and(|table| table.phase == TablePhase::Parked)
        })
        .await;
    let trouble = task.tables["quarantine_key.t"].trouble.clone().unwrap();
    assert!(trouble.error.contains("column id of the row with id = 'a\\0'"), "{trouble:?}");
    scene.wait_applied(&daemon).await;
    assert_eq!((kept(&scene).await.as_str(), ids(&scene, "u").await.as_str()), ("", "1"));
}

#[tokio::test]
async fn one_table_keeps_its_rows_and_the_other_is_parked_as_its_section_says() {
    let scene = Scene::new("quarantine_section").await;
    scene.source.sql(&format!("{TABLE}; CREATE TABLE u LIKE t")).await;
    let config = scene
        .config()
        .healing()
        .more("[task.main.table.\"quarantine_section.t\"]\nbad_rows = \"quarantine\"");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("BEGIN; INSERT INTO t VALUES (1, '\\0', 1), (2, '', 2); INSERT INTO u VALUES (1, '\\0', 1); COMMIT").await;
    daemon
        .wait_task("the other table is parked", DEADLINE, |task| {
            task.tables.get("quarantine_section.u").is_some_and(|table| table.phase == TablePhase::Parked)
        })
        .await;
    scene.wait_applied(&daemon).await;
    assert_eq!((kept(&scene).await.as_str(), ids(&scene, "t").await.as_str()), ("id = 1", "2"));
}

#[tokio::test]
async fn nothing_is_kept_of_a_table_that_is_emptied() {
    let scene = Scene::new("quarantine_emptied").await;
    scene.source.sql(&format!("{TABLE}; CREATE TABLE u LIKE t")).await;
    let daemon = scene.start_with(&config(&scene).task("ddl_policy", "{ truncate_table = \"apply\" }")).await;
    scene
        .source
        .sql("INSERT INTO t VALUES (1, '\\0', 1), (2, 'two', 2); INSERT INTO u VALUES (7, '\\0', 1)")
        .await;
    scene.wait_applied(&daemon).await;
    assert_eq!(kept(&scene).await, "id = 1; id = 7");
    scene.source.sql("TRUNCATE t; INSERT INTO t VALUES (1, 'anew', 1)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(kept(&scene).await, "id = 7");
    scene.source.sql("TRUNCATE u").await;
    scene.assert_exact(&daemon, &["u"]).await;
    let task = daemon.task().await.unwrap();
    assert_eq!((kept(&scene).await.as_str(), count(&task, "t"), count(&task, "u")), ("", 0, 0));
}
