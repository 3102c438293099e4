//! Tables that are made, and rows that move between segments.

use super::{layout, scene};

#[tokio::test]
async fn tables_are_heaps_distributed_as_the_config_says_whatever_the_database_prefers() {
    let Some(scene) = scene("on_gp_made").await else { return };
    let prefer = "appendonly=true,orientation=column,compresstype=zlib";
    scene
        .target
        .server
        .sql(&format!("ALTER DATABASE {} SET gp_default_storage_options = '{prefer}'", scene.target.name))
        .await;
    scene
        .source
        .sql(
            "CREATE TABLE plain (a INT, b INT, v TEXT, PRIMARY KEY (b, a)); \
             CREATE TABLE inside (region VARCHAR(10), id BIGINT, v TEXT, PRIMARY KEY (region, id)); \
             CREATE TABLE everywhere (id INT PRIMARY KEY, v TEXT); \
             INSERT INTO plain VALUES (1, 1, 'x'), (2, 1, 'y'); INSERT INTO inside VALUES ('n', 1, 'x'), ('s', 1, 'y'); \
             INSERT INTO everywhere VALUES (1, 'x'), (2, 'y')",
        )
        .await;
    let config = scene.config().more(
        "[task.main.table.\"on_gp_made.inside\"]\ndistributed_by = [\"id\"]\n\
         [task.main.table.\"on_gp_made.everywhere\"]\ndistributed_by = \"replicated\"",
    );
    let daemon = scene.start_with(&config).await;
    assert_eq!(layout(&scene, "plain").await, "h p b, a");
    assert_eq!(layout(&scene, "inside").await, "h p id");
    assert_eq!(layout(&scene, "everywhere").await, "h r ");
    scene
        .source
        .sql(
            "UPDATE plain SET v = 'z' WHERE a = 1; DELETE FROM everywhere WHERE id = 1; UPDATE everywhere SET v = 'w'; \
             INSERT INTO everywhere VALUES (3, 'new'); UPDATE inside SET v = 'z' WHERE region = 'n'",
        )
        .await;
    scene.assert_exact(&daemon, &["plain", "inside", "everywhere"]).await;
}

/// On Greenplum an UPDATE of the distribution key moves rows in two steps and fails where keys shift or swap.
#[tokio::test]
async fn distribution_keys_that_shift_and_swap_come_out_right() {
    let Some(scene) = scene("on_gp_shifts").await else { return };
    scene
        .source
        .sql(
            "CREATE TABLE one (id INT PRIMARY KEY, v INT); \
             CREATE TABLE two (region VARCHAR(10), id INT, v INT, PRIMARY KEY (region, id)); \
             INSERT INTO one WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT i, i FROM n; \
             INSERT INTO two SELECT CONCAT('r', id % 3), id, v FROM one",
        )
        .await;
    let config = scene.config().more("[task.main.table.\"on_gp_shifts.two\"]\ndistributed_by = [\"id\"]");
    let daemon = scene.start_with(&config).await;
    for statement in [
        "UPDATE one SET id = id + 1 ORDER BY id DESC",
        "UPDATE two SET id = id - 1 ORDER BY region, id",
        // Swaps by way of a free key, in one transaction.
        "BEGIN; UPDATE one SET id = 0 WHERE id = 5; UPDATE one SET id = 5 WHERE id = 6; UPDATE one SET id = 6 WHERE id = 0; COMMIT",
        "BEGIN; UPDATE two SET region = 'x' WHERE region = 'r0'; UPDATE two SET region = 'r0' WHERE region = 'r1'; \
         UPDATE two SET region = 'r1' WHERE region = 'x'; COMMIT",
    ] {
        scene.source.sql(statement).await;
        scene.assert_exact(&daemon, &["one", "two"]).await;
    }
}

/// Greenplum's 23505 names neither table nor constraint.
#[tokio::test]
async fn a_new_row_that_is_there_already_is_told_by_its_table_and_key() {
    let Some(scene) = scene("on_gp_conflict").await else { return };
    scene
        .source
        .sql("CREATE TABLE a (id INT PRIMARY KEY, v INT); CREATE TABLE b (id INT PRIMARY KEY, v INT)")
        .await;
    let daemon = scene.start().await;
    scene.target.sql("INSERT INTO on_gp_conflict.b VALUES (7, 99)").await;
    scene
        .source
        .sql("BEGIN; INSERT INTO a VALUES (7, 1); INSERT INTO b VALUES (6, 1), (7, 1), (8, 1); COMMIT")
        .await;
    scene.wait_applied(&daemon).await;
    for table in ["a", "b"] {
        scene.assert_equal(table).await;
    }
    let task = daemon.task().await.unwrap();
    assert_eq!(task.tables["on_gp_conflict.a"].drift, 0);
    let told = &task.tables["on_gp_conflict.b"];
    assert_eq!((told.drift, told.drift_example.as_deref()), (1, Some("existing id=7")));
}

#[tokio::test]
async fn columns_come_and_key_columns_are_widened_and_renamed_while_rows_flow() {
    let Some(scene) = scene("on_gp_alters").await else { return };
    scene
        .source
        .sql(
            "CREATE TABLE t (region VARCHAR(5), id INT, v INT, PRIMARY KEY (region, id)); \
             INSERT INTO t VALUES ('n', 1, 1), ('s', 2, 2), ('w', 3, 3)",
        )
        .await;
    let config = scene.config().more("[task.main.table.\"on_gp_alters.t\"]\ndistributed_by = [\"id\"]");
    let daemon = scene.start_with(&config).await;
    for statement in [
        "ALTER TABLE t ADD COLUMN plain VARCHAR(10)",
        "ALTER TABLE t ADD COLUMN filled FLOAT NOT NULL DEFAULT 0.1",
        "ALTER TABLE t MODIFY id BIGINT NOT NULL",
        "ALTER TABLE t MODIFY region VARCHAR(50) NOT NULL",
        "ALTER TABLE t RENAME COLUMN id TO nr",
    ] {
        scene.source.sql(statement).await;
        scene.source.sql("UPDATE t SET v = v + 1").await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
    assert_eq!(layout(&scene, "t").await, "h p nr");
}
