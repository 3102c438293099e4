//! A table whose rows cannot be carried is parked, and the others go on.

use super::{carried, rows};
use crate::harness::{DEADLINE, Scene, rowferry};
use rowferry::change::status::TablePhase;

#[tokio::test]
async fn a_table_whose_row_is_refused_is_parked_and_the_others_go_on() {
    let scene = Scene::new("healing_parked").await;
    scene.source.sql(&rows("t", 10)).await;
    scene.source.sql(&rows("u", 10)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    scene.target.sql("ALTER TABLE healing_parked.t ADD CONSTRAINT small CHECK (w < 100)").await;
    scene.source.sql("BEGIN; UPDATE u SET w = 20; UPDATE t SET w = 1000 WHERE id = 3; UPDATE t SET v = 'half' WHERE id = 1; COMMIT; UPDATE u SET w = 21 WHERE id = 1").await;
    let task = daemon
        .wait_task("the table is parked", DEADLINE, |task| {
            task.phase.name() == "Synchronizing"
                && task.tables.get("healing_parked.t").is_some_and(|table| table.phase == TablePhase::Parked)
        })
        .await;
    let trouble = task.tables["healing_parked.t"].trouble.clone().unwrap();
    assert!(trouble.error.contains("the row is id=3") && trouble.error.contains("small"), "{trouble:?}");
    scene.assert_exact(&daemon, &["u"]).await;
    assert_eq!(scene.target.one("SELECT count(*) FROM healing_parked.t WHERE v = 'half'").await, "0");
    let (code, ready) = daemon.get("/readyz").await.unwrap();
    assert!(code == 503 && ready.contains("healing_parked.t is parked"), "{code} {ready}");
    // Over a restart too.
    daemon.restart();
    daemon
        .wait_task("it is parked still", DEADLINE, |task| {
            task.phase.name() == "Synchronizing"
                && task.tables.get("healing_parked.t").is_some_and(|table| table.trouble.is_some())
        })
        .await;
    scene.source.sql("DELETE FROM u WHERE id = 2; UPDATE t SET w = 5 WHERE id = 3").await;
    scene.assert_exact(&daemon, &["u"]).await;
    // When it is told to.
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let done = rowferry(&["resync", "-c", &config, "healing_parked.t"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    // The constraint is of the target's owner, and stays.
    scene.target.sql("ALTER TABLE healing_parked.t DROP CONSTRAINT small").await;
    scene.target.sql("ALTER TABLE healing_parked.t ADD CONSTRAINT small CHECK (w < 50)").await;
    scene.source.sql("UPDATE t SET w = 60 WHERE id = 4").await;
    daemon
        .wait_task("it is parked again", DEADLINE, |task| {
            task.tables.get("healing_parked.t").is_some_and(|table| table.trouble.is_some())
        })
        .await;
    scene.source.sql("UPDATE t SET w = 6 WHERE id = 4").await;
    // A statement that makes a table of its name brings it back.
    scene
        .source
        .sql("CREATE TABLE n LIKE t; INSERT INTO n SELECT * FROM t; RENAME TABLE t TO o, n TO t")
        .await;
    carried(&scene, &daemon, "t").await;
    carried(&scene, &daemon, "o").await;
    scene.assert_exact(&daemon, &["t", "u", "o"]).await;
}
