//! What is whole before something that stops a task is applied before it stops.

use crate::harness::{DEADLINE, Scene};
use rowferry::testing::change::status::Phase;

/// Runs `statements` while the daemon is held still, so that it gets all of them at once, and returns its error.
async fn stopped_by(scene: &Scene<'_>, statements: &[&str]) -> String {
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, d DATE NOT NULL); INSERT INTO t VALUES (1, '2024-01-01')")
        .await;
    let daemon = scene.start_with(&scene.config().task("zero_dates", "\"error\"")).await;
    daemon.signal("STOP");
    for statement in statements {
        scene.source.sql(statement).await;
    }
    daemon.signal("CONT");
    match daemon.wait_phase("Failed", DEADLINE).await.phase {
        Phase::Failed { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rows_before_a_statement_that_stops_the_task_are_applied() {
    let scene = Scene::new("before_statement").await;
    let rows = "INSERT INTO t VALUES (2, '2024-01-02')";
    let error = stopped_by(&scene, &[rows, "TRUNCATE TABLE t"]).await;
    assert!(error.contains("TRUNCATE"), "{error}");
    assert_eq!(scene.target.one("SELECT count(*) FROM before_statement.t").await, "2");
}

#[tokio::test]
async fn transactions_before_a_value_that_stops_the_task_are_applied_and_its_own_rows_are_not() {
    let scene = Scene::new("before_value").await;
    let rows = "INSERT INTO t VALUES (2, '2024-01-02')";
    let broken = "SET sql_mode = ''; BEGIN; INSERT INTO t VALUES (3, '2024-01-03'); INSERT INTO t VALUES (4, '0000-00-00'); COMMIT";
    let error = stopped_by(&scene, &[rows, broken]).await;
    assert!(error.contains("date"), "{error}");
    let ids = "SELECT string_agg(id::text, ',' ORDER BY id) FROM before_value.t";
    assert_eq!(scene.target.one(ids).await, "1,2");
}
