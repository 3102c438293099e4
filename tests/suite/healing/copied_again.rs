//! A statement whose effect the log does not tell: the table alone is copied again, and readers have its old rows until then.

use super::{carried, parked, rows};
use crate::harness::{DEADLINE, Kind, Scene, eventually, postgres, rowferry};
use rowferry::testing::change::status::TaskStatus;

#[tokio::test]
async fn a_table_whose_rows_a_statement_changes_is_copied_again_by_itself() {
    let scene = Scene::new("healing_truncate").await;
    scene.source.sql(&rows("t", 1000)).await;
    scene.source.sql(&rows("u", 10)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    // Views hang on one of them, so that its name cannot be given to another.
    scene
        .target
        .sql("CREATE VIEW healing_truncate.seen AS SELECT count(*) AS n FROM healing_truncate.u")
        .await;
    for table in ["t", "u"] {
        scene
            .source
            .sql(&format!(
                "TRUNCATE TABLE {table}; INSERT INTO {table} VALUES (1, 'one', 1), (5000, 'new', 2)"
            ))
            .await;
        scene.source.sql("UPDATE t SET w = 17 WHERE id = 5000; UPDATE u SET w = 18").await;
        daemon
            .wait_task("the copy begins", DEADLINE, |task| task.tables.values().any(|table| table.aside))
            .await;
        carried(&scene, &daemon, table).await;
        scene
            .source
            .sql(&format!(
                "INSERT INTO {table} VALUES (3, 'three', 3); UPDATE {table} SET v = 'x' WHERE id = 1"
            ))
            .await;
        scene.assert_exact(&daemon, &["t", "u"]).await;
    }
    assert_eq!(scene.target.one("SELECT n FROM healing_truncate.seen").await, "3");
    let left = "SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_rowferry\\_%'";
    assert_eq!(scene.target.one(left).await, "0", "copies are left behind");
}

#[tokio::test]
async fn dropped_and_narrowed_columns_are_followed_by_a_copy() {
    let scene = Scene::new("healing_columns").await;
    scene.source.sql(&rows("t", 500)).await;
    scene.source.sql(&rows("other", 10)).await;
    let config = scene.config().healing().task("ddl_policy", "{ drop_column = \"recopy\" }");
    let daemon = scene.start_with(&config).await;
    for statement in [
        "ALTER TABLE t DROP COLUMN w",
        "ALTER TABLE t MODIFY v VARCHAR(8), ADD y INT DEFAULT 4",
        "UPDATE t SET y = id; ALTER TABLE t MODIFY y VARCHAR(20)",
        "ALTER TABLE t ADD d DECIMAL(10,2) DEFAULT 1.2; ALTER TABLE t MODIFY d DECIMAL(4,1)",
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, y)",
    ] {
        scene.source.sql(statement).await;
        scene.source.sql("UPDATE t SET v = 'z' WHERE id = 3; UPDATE other SET w = w + 1").await;
        scene.wait_applied(&daemon).await;
        carried(&scene, &daemon, "t").await;
        scene.assert_exact(&daemon, &["t", "other"]).await;
    }
}

#[tokio::test]
async fn a_table_that_is_swapped_for_another_is_copied_again() {
    let scene = Scene::new("healing_swapped").await;
    scene.source.sql(&rows("t", 300)).await;
    scene.source.sql(&rows("other", 10)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    scene
        .source
        .sql(
            "CREATE TABLE _t_new LIKE t; ALTER TABLE _t_new ADD COLUMN x INT NOT NULL DEFAULT 5; \
             INSERT INTO _t_new (id, v, w) SELECT id, v, w FROM t WHERE id > 5; \
             RENAME TABLE t TO _t_old, _t_new TO t; DROP TABLE _t_old; UPDATE t SET x = 6 WHERE id = 7",
        )
        .await;
    eventually(DEADLINE * 2, "the new table is there", async || scene.equal("t").await == Ok(295)).await;
    scene.source.sql("INSERT INTO t VALUES (1, 'one', 1, 1); UPDATE other SET w = 3").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "other"]).await;
    let helpers = "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_t\\_%'";
    assert_eq!(scene.target.one(helpers).await, "0");
}

/// MariaDB drops the old table, makes one without a key, and fills it, in one statement.
#[tokio::test]
async fn tables_replaced_by_others_without_a_key_are_parked_and_say_so() {
    let scene = Scene::on(Kind::Maria.shared().await, postgres().await, "healing_replaced").await;
    let numbers = 0..2;
    for number in numbers.clone() {
        let table = format!("t{number}");
        scene.source.sql(&format!("CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(40), w INT); INSERT INTO {table} VALUES (1, 'a', 1), (2, 'b', 2)")).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    for number in numbers.clone() {
        scene.source.sql(&format!("CREATE OR REPLACE TABLE t{number} AS SELECT 1 AS id, SLEEP(0.3) AS v; INSERT INTO t{number} VALUES (7, 8)")).await;
    }
    for number in numbers {
        let trouble = parked(&scene, &daemon, &format!("t{number}")).await;
        assert!(!trouble.gone && trouble.error.contains("no primary key"), "{trouble:?}\n{}", daemon.log());
    }
}

/// A table that statements change again and again rests between its copies, unless somebody asks for one.
#[tokio::test]
async fn a_table_that_is_copied_again_and_again_rests_and_does_not_when_somebody_asks() {
    let scene = Scene::new("healing_rests").await;
    scene.source.sql(&rows("t", 600)).await;
    let slow = "{ chunk_rows = 50, max_rows_per_second = 60 }";
    let daemon = scene.start_with(&scene.config().healing().task("snapshot", slow)).await;
    let copies = || daemon.log().matches("the copy of a table begins").count();
    // The first copy, and two that come at once.
    for copy in 1..=2 {
        scene.source.sql("REPAIR TABLE t").await;
        eventually(DEADLINE, "it is copied again", async || copies() == 1 + copy).await;
        carried(&scene, &daemon, "t").await;
    }
    scene.source.sql("REPAIR TABLE t; UPDATE t SET w = 7 WHERE id < 300").await;
    let rests = |task: &TaskStatus| {
        let waits = task.tables["healing_rests.t"].waiting_for.as_ref();
        waits.is_some_and(|words| words.contains("it was copied 2 times in a row"))
    };
    daemon.wait_task("the table rests", DEADLINE, rests).await;
    assert_eq!(copies(), 3);
    let file = daemon.config_path().into_os_string().into_string().unwrap();
    let asked = rowferry(&["resync", "-c", &file, "healing_rests.t"]).await;
    assert!(asked.code == 0 && asked.stdout.contains("its copy is on its way"), "{asked:?}");
    eventually(DEADLINE / 10, "its rest has ended", async || copies() == 4).await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t"]).await;
}
