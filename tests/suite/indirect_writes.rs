//! Rows of carried tables that change without the log showing their rows: the task must stop, not go on.

use crate::harness::{DEADLINE, Mysql, Scene, postgres};

/// A statement-format insert into a table that is not selected, whose trigger writes one that is: the log holds only the insert.
#[tokio::test]
async fn a_statement_whose_trigger_writes_a_selected_table_stops_the_task() {
    let scene = Scene::new("trigger_by_statement").await;
    let other = scene.source.server.database("trigger_by_statement_other").await;
    scene.source.sql("CREATE TABLE item (id INT PRIMARY KEY)").await;
    other
        .sql(
            "CREATE TABLE log (id INT PRIMARY KEY); CREATE TABLE plain (id INT PRIMARY KEY); \
             CREATE TRIGGER fill AFTER INSERT ON log FOR EACH ROW INSERT INTO trigger_by_statement.item VALUES (NEW.id)",
        )
        .await;
    let daemon = scene.start().await;
    other.sql("SET SESSION binlog_format = STATEMENT; INSERT INTO plain VALUES (1)").await;
    scene.wait_applied(&daemon).await;
    other.sql("SET SESSION binlog_format = STATEMENT; INSERT INTO log VALUES (1)").await;
    assert_eq!(scene.source.one("SELECT COUNT(*) FROM item").await, "1");
    let task = daemon.wait_task("the task fails", DEADLINE, |task| task.phase.name() == "Failed").await;
    let why = format!("{:?}", task.phase);
    assert!(why.contains("INSERT INTO log") && why.contains("binlog_format"), "{why}");
}

/// With `innodb_native_foreign_keys` the log of 9.7 lacks what a cascade deletes, as that of 8.0 does.
#[tokio::test]
async fn cascades_inside_innodb_are_followed() {
    let mysql = Mysql::private(&["--innodb-native-foreign-keys=ON"]).await;
    let scene = Scene::on(&mysql, postgres().await, "native_cascades").await;
    scene
        .source
        .sql(
            "CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE child (id INT PRIMARY KEY, parent INT, \
             CONSTRAINT up FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE)",
        )
        .await;
    scene.source.sql("INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (11, 1), (12, 2)").await;
    let daemon = scene.start().await;
    scene.source.sql("DELETE FROM parent WHERE id = 1").await;
    scene.assert_exact(&daemon, &["parent", "child"]).await;
    assert_eq!(scene.source.one("SELECT GROUP_CONCAT(id) FROM child").await, "12");
}
