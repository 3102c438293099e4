//! `existing_tables`.

use crate::harness::{DEADLINE, Scene};

#[tokio::test]
async fn an_existing_table_is_cleared_once_and_never_again() {
    let scene = Scene::new("options_clear").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 10), (2, 20)")
        .await;
    scene
        .target
        .sql(
            "CREATE SCHEMA options_clear; CREATE TABLE options_clear.t (id integer PRIMARY KEY, v integer); \
              INSERT INTO options_clear.t VALUES (2, 99), (3, 99)",
        )
        .await;
    let config = scene.config().task("existing_tables", "\"clear\"");
    let daemon = scene.start_with(&config).await;
    assert_eq!(scene.assert_equal("t").await, 2);
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (4, 40)").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("t").await, 3);
}

#[tokio::test]
async fn rows_that_are_to_stay_win_over_the_copy_and_lose_to_the_stream() {
    let scene = Scene::new("options_ignore").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, 40)")
        .await;
    scene
        .target
        .sql("CREATE SCHEMA options_ignore; CREATE TABLE options_ignore.t (id integer PRIMARY KEY, v integer, extra text); \
              INSERT INTO options_ignore.t VALUES (2, 99, 'mine'), (3, 99, 'mine'), (7, 99, 'mine'), (8, 99, 'mine')")
        .await;
    let daemon = scene.start_with(&scene.config().task("existing_tables", "\"ignore\"")).await;
    let rows = "SELECT * FROM options_ignore.t ORDER BY id";
    assert_eq!(
        scene.seen(rows).await,
        ["1|10|-", "2|99|mine", "3|99|mine", "4|40|-", "7|99|mine", "8|99|mine"]
    );
    // The stream overwrites: an update, an insert on a key that is taken, a delete.
    scene.source.sql("UPDATE t SET v = 21 WHERE id = 2; INSERT INTO t VALUES (7, 70), (9, 90); DELETE FROM t WHERE id = 3").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.seen(rows).await, ["1|10|-", "2|21|mine", "4|40|-", "7|70|mine", "8|99|mine", "9|90|-"]);
    let task = daemon.task().await.unwrap();
    assert_eq!(task.tables["options_ignore.t"].drift, 0, "drift counts nothing where rows of others are");
    assert_eq!(task.tables["options_ignore.t"].copied_rows, 4, "rows read by the copy");
}

#[tokio::test]
async fn tables_that_were_made_ready_are_filled_and_must_be_empty() {
    let scene = Scene::new("options_data").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 10)").await;
    let config = scene.config().task("initial", "[\"data\"]");
    let check = async || crate::harness::rowferry(&["check", "-c", &config.file()]).await;
    let output = check().await;
    assert!(output.code == 1 && output.stdout.contains("add \"schema\" to initial"), "{output:?}");
    scene
        .target
        .sql("CREATE SCHEMA options_data; CREATE TABLE options_data.t (v integer, more text, id integer PRIMARY KEY); \
              INSERT INTO options_data.t VALUES (1, 'x', 1)")
        .await;
    let output = check().await;
    assert!(output.code == 1 && output.stdout.contains("target.exists"), "{output:?}");
    scene.target.sql("TRUNCATE options_data.t").await;
    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO t VALUES (2, 20)").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.seen("SELECT * FROM options_data.t ORDER BY id").await, ["10|-|1", "20|-|2"]);
}
