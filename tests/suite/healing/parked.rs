//! A table whose rows cannot be carried is parked, and the others go on.

use super::{carried, rows};
use crate::harness::{DEADLINE, Scene, rowferry};
use rowferry::testing::change::status::TablePhase;

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
    let (code, ready) = daemon.get("/readyz?tables=ignore").await.unwrap();
    assert_eq!(code, 200, "{ready}");
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

#[tokio::test]
async fn a_large_transaction_whose_row_is_refused_parks_its_table() {
    let scene = Scene::new("healing_large").await;
    scene.source.sql(&rows("t", 2000)).await;
    scene.source.sql(&rows("u", 10)).await;
    let config = scene.config().healing().task("apply", "{ batch_rows = 100, batch_bytes = \"64KiB\" }");
    let daemon = scene.start_with(&config.task("memory_limit", "\"32MiB\"")).await;
    scene.target.sql("ALTER TABLE healing_large.t ADD CONSTRAINT small CHECK (w < 3000)").await;
    scene.source.sql("UPDATE t SET w = w + 1500; UPDATE u SET w = 1").await;
    super::parked(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["u"]).await;
}

#[tokio::test]
async fn who_reads_all_tables_holds_up_no_join() {
    let scene = Scene::new("healing_dump").await;
    scene.source.sql(&rows("t", 10)).await;
    let slow = "{ parallel = 1, chunk_rows = 50, max_rows_per_second = 400 }";
    let daemon = scene.start_with(&scene.config().healing().task("snapshot", slow)).await;
    scene.source.sql(&rows("u", 800)).await;
    daemon
        .wait_task("the copy begins", DEADLINE, |task| {
            task.tables.get("healing_dump.u").is_some_and(|table| table.copied_rows > 0)
        })
        .await;
    // As a dump does.
    let mut reader = scene.target.session().await;
    reader.sql("BEGIN; LOCK TABLE rowferry.main_side1 IN ACCESS SHARE MODE").await;
    carried(&scene, &daemon, "u").await;
    scene.source.sql("UPDATE t SET w = 4; DELETE FROM u WHERE id < 100").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    reader.sql("COMMIT").await;
    // The number may be another one's later.
    scene.source.sql(&rows("x", 10)).await;
    carried(&scene, &daemon, "x").await;
    scene.assert_exact(&daemon, &["t", "u", "x"]).await;
}
