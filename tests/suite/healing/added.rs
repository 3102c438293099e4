//! Tables that come are copied beside the stream, and join it.

use super::{carried, rows};
use crate::harness::Scene;

#[tokio::test]
async fn a_table_that_comes_is_added_by_itself_while_the_others_go_on() {
    let scene = Scene::new("healing_added").await;
    scene.source.sql(&rows("t", 100)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    scene.source.sql(&rows("u", 500)).await;
    scene.source.sql("UPDATE u SET v = 'early' WHERE id < 10; UPDATE t SET v = 'early' WHERE id < 10").await;
    carried(&scene, &daemon, "u").await;
    scene.source.sql("UPDATE u SET id = 1000 WHERE id = 7; DELETE FROM u WHERE id = 8; ALTER TABLE u ADD x INT DEFAULT 3").await;
    scene.source.sql("INSERT INTO u VALUES (2000, 'late', 1, 2); DELETE FROM t WHERE id = 1").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    let phases = daemon.log().matches("Synchronizing").count();
    assert_eq!(phases, 1, "the task left Synchronizing:\n{}", daemon.log());
    // It is looked after as the others are.
    daemon
        .wait_task("it is analyzed", crate::harness::DEADLINE, |task| {
            task.tables["healing_added.u"].upkeep.analyzed > 0
        })
        .await;
    // It is of the main stream for good.
    daemon.restart();
    daemon.wait_phase("Synchronizing", crate::harness::DEADLINE).await;
    scene.source.sql("UPDATE u SET v = 'again' WHERE id > 100").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

#[tokio::test]
async fn an_empty_table_that_comes_is_made_too() {
    let scene = Scene::new("healing_empty").await;
    scene.source.sql(&rows("t", 10)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    scene.source.sql("CREATE TABLE e (id INT PRIMARY KEY)").await;
    carried(&scene, &daemon, "e").await;
    scene.source.sql("INSERT INTO e VALUES (1)").await;
    scene.assert_exact(&daemon, &["t", "e"]).await;
}
