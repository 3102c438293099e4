//! What happens to tables while they are copied beside the stream.

use super::{carried, is_carried, parked, rows};
use crate::harness::{DEADLINE, Daemon, Proxy, Scene, eventually, rowferry};
use rowferry::testing::change::status::TablePhase;

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

/// Added, and then copied again beside its old rows: columns get other names between two chunks, more than once, and rows of both sides of
/// that place come and go.
#[tokio::test]
async fn a_table_whose_columns_get_other_names_under_its_copy_aside_is_copied_once() {
    let scene = Scene::new("healing_renamed").await;
    scene.source.sql(&rows("other", 10)).await;
    let proxy = Proxy::start(scene.source.server.port());
    let config = scene.config_through(Some(&proxy), None).healing();
    let daemon = scene.start_with(&config.task("snapshot", "{ chunk_rows = 100 }")).await;
    let mut held = proxy.hold("`id` > 100 AND `id` <= 200");
    scene.source.sql(&rows("t", 500)).await;
    for (copy, moved) in [("v", 1000), ("w", 2000)] {
        held.wait().await;
        let later = proxy.hold("`id` > 300 AND `id` <= 400");
        let writes = format!(
            "UPDATE t SET {copy} = 5 WHERE id IN (50, 150, 350); DELETE FROM t WHERE id IN (60, 160, 360); \
             UPDATE t SET id = {moved} + id WHERE id IN (70, 370); UPDATE t SET id = 370 WHERE id = 80; \
             ALTER TABLE t RENAME COLUMN {copy} TO {copy}_1; INSERT INTO t (id) VALUES (60), (160), (360); \
             UPDATE t SET {copy}_1 = 6 WHERE id IN (51, 151, 351)"
        );
        scene.source.sql(&writes).await;
        drop(held);
        later.wait().await;
        scene
            .source
            .sql(&format!(
                "ALTER TABLE t RENAME COLUMN {copy}_1 TO {copy}_2, ADD COLUMN {copy}_3 INT DEFAULT 3"
            ))
            .await;
        drop(later);
        carried(&scene, &daemon, "t").await;
        scene
            .source
            .sql("UPDATE t SET id = id + 5000 WHERE id BETWEEN 451 AND 500; UPDATE other SET w = w + 1")
            .await;
        scene.assert_exact(&daemon, &["t", "other"]).await;
        let log = daemon.log();
        assert!(log.contains("its copy goes on after that") && !log.contains("starts over"), "{log}");
        held = proxy.hold("`id` > 100 AND `id` <= 200");
        if copy == "v" {
            // The next copy's chunks end where those of this one did.
            scene.source.sql("INSERT INTO t (id) VALUES (70), (80)").await;
            let file = daemon.config_path().into_os_string().into_string().unwrap();
            let told = rowferry(&["resync", "-c", &file, "healing_renamed.t"]).await;
            assert_eq!(told.code, 0, "{told:?}");
        }
    }
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
