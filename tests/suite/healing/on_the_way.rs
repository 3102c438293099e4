//! What happens to tables while they are copied beside the stream.

use super::{carried, is_carried, parked, rows};
use crate::harness::{DEADLINE, Daemon, Scene, eventually, rowferry};
use rowferry::change::status::TablePhase;

#[tokio::test]
async fn a_table_that_is_dropped_and_made_again_and_again_is_there_in_the_end() {
    let scene = Scene::new("healing_again").await;
    scene.source.sql(&rows("t", 50)).await;
    scene.source.sql(&rows("other", 10)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    for round in 1..=6 {
        let made = rows("t", 50 + round);
        scene.source.sql(&format!("DROP TABLE t; {made}; UPDATE other SET w = {round}")).await;
        if round == 3 {
            carried(&scene, &daemon, "t").await;
        }
    }
    scene.wait_applied(&daemon).await;
    carried(&scene, &daemon, "t").await;
    eventually(DEADLINE, "the last rows are there", async || scene.equal("t").await == Ok(56)).await;
    scene.source.sql("DELETE FROM t WHERE id = 1; UPDATE t SET v = 'x' WHERE id = 2").await;
    scene.assert_exact(&daemon, &["t", "other"]).await;
    // A statement that makes nothing brings nothing back.
    scene.target.sql("ALTER TABLE healing_again.t ADD CONSTRAINT small CHECK (w < 100)").await;
    scene.source.sql("UPDATE t SET w = 1000 WHERE id = 3").await;
    parked(&scene, &daemon, "t").await;
    scene
        .source
        .sql("UPDATE t SET w = 1 WHERE id = 3; CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY)")
        .await;
    scene.source.sql("UPDATE other SET w = 99").await;
    scene.assert_exact(&daemon, &["other"]).await;
    parked(&scene, &daemon, "t").await;
}

#[tokio::test]
async fn a_source_that_lets_nobody_in_parks_no_table() {
    let scene = Scene::new("healing_login").await;
    scene.source.sql(&rows("t", 10)).await;
    let user = scene.source.server.url().replacen("root", "healing_login", 1);
    scene
        .source
        .sql(
            "DROP USER IF EXISTS healing_login; CREATE USER healing_login; GRANT ALL ON *.* TO healing_login",
        )
        .await;
    let config = scene.config().healing().source("url", &format!("{user:?}"));
    let daemon = scene.start_with(&config).await;
    scene.source.sql("ALTER USER healing_login ACCOUNT LOCK").await;
    scene.source.sql(&rows("u", 100)).await;
    eventually(DEADLINE, "the side stream is refused", async || {
        daemon.log().contains("tables aside are tried again")
    })
    .await;
    scene.source.sql("UPDATE t SET w = 5").await;
    scene.assert_equal("t").await;
    let task = daemon.task().await.unwrap();
    assert!(task.tables.values().all(|table| table.phase != TablePhase::Parked), "{task:?}");
    // What keeps it is told, and since when.
    let trouble = task.tables["healing_login.u"].trouble.clone().unwrap();
    assert!(trouble.error.contains("healing_login") && trouble.since > 0, "{trouble:?}");
    // Who asks while nothing runs is told.
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    scene.source.sql("ALTER USER healing_login ACCOUNT UNLOCK").await;
    let file = daemon.config_path().into_os_string().into_string().unwrap();
    let status = rowferry(&["status", "-c", &file]).await;
    assert!(status.stdout.contains("healing_login.u"), "{status:?}");
    let plan = rowferry(&["plan", "-c", &file]).await;
    assert_eq!(plan.code, 0, "{plan:?}");
    daemon.restart();
    carried(&scene, &daemon, "u").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    scene.source.sql("DROP USER healing_login").await;
}

#[tokio::test]
async fn a_table_that_changes_under_its_copy_does_not_hold_up_those_beside_it() {
    let scene = Scene::new("healing_noisy").await;
    scene.source.sql(&rows("t", 10)).await;
    let slow = "{ parallel = 2, chunk_rows = 50, max_rows_per_second = 400 }";
    let daemon = scene.start_with(&scene.config().healing().task("snapshot", slow)).await;
    // Both come in one group.
    let both = format!("{}; {}", rows("noisy", 1500), rows("u", 100));
    scene.source.sql(&both).await;
    let noisy = "healing_noisy.noisy";
    daemon
        .wait_task("the copy begins", DEADLINE, |task| {
            task.tables.get(noisy).is_some_and(|table| table.copied_rows > 0)
        })
        .await;
    scene.source.sql("ALTER TABLE noisy MODIFY w BIGINT").await;
    let task = carried(&scene, &daemon, "u").await;
    assert!(!is_carried(&task, noisy), "{task:?}");
    scene.source.sql("UPDATE u SET w = 3; UPDATE noisy SET w = 4 WHERE id > 1000").await;
    carried(&scene, &daemon, "noisy").await;
    scene.assert_exact(&daemon, &["t", "u", "noisy"]).await;
}

#[tokio::test]
async fn tables_that_are_dropped_swapped_and_renamed_in_their_first_copy_end_equal() {
    let scene = Scene::new("healing_first_swaps").await;
    for table in ["dropped", "swapped", "renamed", "gone", "other"] {
        scene.source.sql(&rows(table, 1500)).await;
    }
    let slow = "{ parallel = 2, chunk_rows = 100, max_rows_per_second = 2000 }";
    let daemon = Daemon::start(&scene.config().healing().task("snapshot", slow));
    daemon
        .wait_task("the copy begins", DEADLINE, |task| {
            task.tables.values().any(|table| table.copied_rows > 0)
        })
        .await;
    scene
        .source
        .sql(&format!(
            "DROP TABLE dropped; {}; UPDATE dropped SET w = 1 WHERE id = 3; CREATE TABLE _swapped_gho LIKE swapped; \
             INSERT INTO _swapped_gho SELECT id, 'new', w FROM swapped WHERE id > 700; \
             RENAME TABLE swapped TO _swapped_del, _swapped_gho TO swapped; DROP TABLE _swapped_del; \
             RENAME TABLE renamed TO away; RENAME TABLE away TO renamed; UPDATE renamed SET w = 9 WHERE id = 1400; \
             DROP TABLE gone; UPDATE other SET w = 2 WHERE id > 1000",
            rows("dropped", 40)
        ))
        .await;
    for table in ["dropped", "swapped", "renamed", "other"] {
        carried(&scene, &daemon, table).await;
    }
    scene.source.sql("INSERT INTO swapped VALUES (1, 'late', 1); DELETE FROM dropped WHERE id < 5").await;
    scene.assert_exact(&daemon, &["dropped", "swapped", "renamed", "other"]).await;
    let helpers = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND (relname LIKE '\\_%' OR relname = 'away') \
        AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'healing_first_swaps')";
    assert_eq!(scene.target.one(helpers).await, "0");
}
