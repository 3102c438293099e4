//! Copies that cannot be gone on with, although nothing breaks by itself.

use crate::harness::{Config, DEADLINE, Daemon, Mysql, Scene, eventually, postgres};

const ROWS: u64 = 1000;

/// A copy that takes seconds: one worker, small chunks, few rows a second.
fn slowly(scene: &Scene<'_>) -> Config {
    scene.config().task("snapshot", "{ parallel = 1, chunk_rows = 100, max_rows_per_second = 250 }")
}

async fn fill(scene: &Scene<'_>, columns: &str, values: &str) {
    scene
        .source
        .sql(&format!(
            "CREATE TABLE t ({columns}); \
             INSERT INTO t WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {ROWS}) \
             SELECT {values} FROM n"
        ))
        .await;
}

/// Waits until some chunks are copied and others are not.
async fn wait_half(daemon: &Daemon, table: &str) {
    let half = |copied: u64| (300..ROWS - 300).contains(&copied);
    daemon
        .wait_task("a part is copied", DEADLINE, |task| {
            task.tables.get(table).is_some_and(|table| half(table.copied_rows))
        })
        .await;
}

async fn assert_still_copying(daemon: &Daemon) {
    let phase = daemon.task().await.unwrap().phase;
    assert_eq!(phase.name(), "Snapshot", "the statement came too late for this test");
}

/// In the new order keys that are not copied yet lie before the bounds of the chunks that are done.
#[tokio::test]
async fn a_key_that_changes_its_collation_during_the_copy_loses_no_row() {
    let scene = Scene::new("recollated_in_copy").await;
    // Every second key in capitals: apart in one collation, mixed in the other.
    let key = "CONCAT(IF(id % 2, 'k', 'K'), LPAD(id, 6, '0'))";
    fill(&scene, "k VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, id INT", &format!("{key}, id")).await;
    let daemon = Daemon::start(&slowly(&scene));
    wait_half(&daemon, "recollated_in_copy.t").await;
    scene.source.sql("ALTER TABLE t MODIFY k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci NOT NULL").await;
    assert_still_copying(&daemon).await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("t").await.to_string(), ROWS.to_string());
}

/// As above, of a key that the target has not.
#[tokio::test]
async fn a_key_that_is_not_carried_and_changes_its_collation_during_the_copy_loses_no_row() {
    let scene = Scene::new("recollated_outside").await;
    // Chunks end at even numbers.
    let key = "CONCAT(IF(id % 2, 'K', 'k'), LPAD(id, 6, '0'))";
    let columns = "k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, id INT NOT NULL UNIQUE";
    fill(&scene, columns, &format!("{key}, id")).await;
    let section =
        "[task.main.table.\"recollated_outside.t\"]\nexclude_columns = [\"k\"]\nprimary_key = [\"id\"]";
    let daemon = Daemon::start(&slowly(&scene).more(section));
    wait_half(&daemon, "recollated_outside.t").await;
    scene.source.sql("ALTER TABLE t MODIFY k VARCHAR(20) COLLATE utf8mb4_bin NOT NULL").await;
    assert_still_copying(&daemon).await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(
        scene.target.one("SELECT count(DISTINCT id) FROM recollated_outside.t").await,
        ROWS.to_string()
    );
}

/// A worker's commit may come in after the reset of its table; its record must not pass for a chunk of the next copy.
#[tokio::test]
async fn a_chunk_on_record_from_an_earlier_copy_is_not_believed() {
    let scene = Scene::new("stale_chunk").await;
    fill(&scene, "id INT PRIMARY KEY", "id").await;
    scene.target.sql("CREATE SCHEMA stale_chunk; CREATE TABLE stale_chunk.t (id integer PRIMARY KEY)").await;
    let config = slowly(&scene).task("existing_tables", "\"clear\"");
    let daemon = Daemon::start(&config);
    wait_half(&daemon, "stale_chunk.t").await;
    daemon.kill9();
    // What starting over leaves, and a chunk that was late.
    scene
        .target
        .sql(
            "INSERT INTO rowferry.main_tables SELECT source_database, source_table, version + 1, target_schema, target_table, \
             '{\"state\": \"pending\"}', mapping, sequence, epoch FROM rowferry.main_tables ORDER BY version DESC LIMIT 1; \
             DELETE FROM rowferry.main_chunks WHERE number < (SELECT max(number) FROM rowferry.main_chunks)",
        )
        .await;
    assert_eq!(scene.target.one("SELECT count(*) FROM rowferry.main_chunks").await, "1");
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(scene.assert_equal("t").await.to_string(), ROWS.to_string());
}

/// Another server may lack what chunks of the first have seen.
#[tokio::test]
async fn a_copy_is_not_gone_on_with_on_another_server() {
    let mysql = Mysql::private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "copied_elsewhere").await;
    fill(&scene, "id INT PRIMARY KEY", "id").await;
    let daemon = Daemon::start(&slowly(&scene));
    wait_half(&daemon, "copied_elsewhere.t").await;
    daemon.kill9();
    // The same history under another identity.
    let identity = std::path::PathBuf::from(mysql.one("SELECT @@datadir").await).join("auto.cnf");
    mysql.kill();
    std::fs::remove_file(identity).unwrap();
    mysql.restart().await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert!(daemon.log().contains("begun on another server"), "{}", daemon.log_tail());
    assert_eq!(scene.assert_equal("t").await.to_string(), ROWS.to_string());
}

/// Two tables feed one: the rows of the one that is not copied again stay.
#[tokio::test]
async fn a_copy_that_starts_over_leaves_what_others_feed_into_the_same_table() {
    let scene = Scene::new("shared_starts_over").await;
    fill(&scene, "id INT PRIMARY KEY, n VARCHAR(9)", "id, id").await;
    scene
        .source
        .sql("CREATE TABLE u (id INT PRIMARY KEY, n VARCHAR(9)); INSERT INTO u VALUES (1, 1), (2, 2)")
        .await;
    let shared = "[task.main.table.\"shared_starts_over.*\"]\ntarget = \"both\"\nsource_column = \"src\"";
    let daemon = Daemon::start(&slowly(&scene).more(shared));
    wait_half(&daemon, "shared_starts_over.t").await;
    scene.source.sql("ALTER TABLE t MODIFY n VARCHAR(9) COLLATE utf8mb4_bin").await;
    assert_still_copying(&daemon).await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    let count = scene.target.one("SELECT string_agg(n::text, ' ' ORDER BY src) FROM (SELECT src, count(*) AS n FROM shared_starts_over.both GROUP BY src) c");
    assert_eq!(count.await, format!("{ROWS} 2"));
}

/// Another task feeds the table that this one made: what is made anew is only this one's part of it.
#[tokio::test]
async fn a_copy_that_starts_over_leaves_what_another_task_feeds_into_the_same_table() {
    for tagged in [true, false] {
        let name = if tagged { "tasks_start_over" } else { "tasks_cannot_start_over" };
        let scene = Scene::new(name).await;
        fill(&scene, "id INT PRIMARY KEY, n VARCHAR(9)", "id, id").await;
        scene
            .source
            .sql("CREATE TABLE u (id INT PRIMARY KEY, n VARCHAR(9)); INSERT INTO u VALUES (10001, 1), (10002, 2)")
            .await;
        let into = |task: &str, table: &str| {
            let tag = if tagged { "\nsource_column = \"src\"" } else { "" };
            format!("[task.{task}.table.\"{name}.{table}\"]\ntarget = \"both\"{tag}\n")
        };
        let second = format!(
            "[task.quiet]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"{name}.u\"]\nexisting_tables = \"ignore\"\n"
        );
        let first = slowly(&scene)
            .task("tables", &format!("[\"{name}.t\"]"))
            .task("existing_tables", "\"ignore\"")
            .more(&into("main", "t"));
        let daemon = Daemon::start(&first);
        wait_half(&daemon, &format!("{name}.t")).await;
        daemon.reconfigure(&first.clone().more(&second).more(&into("quiet", "u")));
        daemon.start_again().await;
        let quiet = async || {
            let model = daemon.status().await;
            model.is_some_and(|model| {
                model.tasks.get("quiet").is_some_and(|task| task.phase.name() == "Synchronizing")
            })
        };
        eventually(DEADLINE, "the second task is ready", quiet).await;
        assert_still_copying(&daemon).await;
        scene.source.sql("ALTER TABLE t MODIFY n VARCHAR(9) COLLATE utf8mb4_bin").await;
        let phase = if tagged { "Synchronizing" } else { "Failed" };
        let status = daemon.wait_phase(phase, DEADLINE).await;
        assert_eq!(
            scene.target.one(&format!("SELECT count(*) FROM {name}.both WHERE id > 10000")).await,
            "2"
        );
        if tagged {
            scene.wait_applied(&daemon).await;
            let count = scene.target.one(&format!("SELECT count(*) FROM {name}.both")).await;
            assert_eq!(count, (ROWS + 2).to_string());
        } else {
            assert!(format!("{:?}", status.phase).contains("task \\\"quiet\\\""), "{status:?}");
        }
    }
}

/// Nor does a new task clear away what another has on record.
#[tokio::test]
async fn clearing_leaves_what_another_task_feeds_into_the_same_table() {
    for tagged in [true, false] {
        let name = if tagged { "tasks_clear_tagged" } else { "tasks_clear_mixed" };
        let scene = Scene::new(name).await;
        scene
            .source
            .sql(
                "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE u LIKE t; \
                 INSERT INTO u VALUES (2)",
            )
            .await;
        let tag = if tagged { "\nsource_column = \"src\"" } else { "" };
        let into = |task: &str, table: &str| {
            format!("[task.{task}.table.\"{name}.{table}\"]\ntarget = \"both\"{tag}\n")
        };
        let first = scene.config().task("tables", &format!("[\"{name}.t\"]")).more(&into("main", "t"));
        let daemon = scene.start_with(&first).await;
        let second = format!(
            "[task.later]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"{name}.u\"]\nexisting_tables = \"clear\"\n"
        );
        daemon.reconfigure(&first.clone().more(&second).more(&into("later", "u")));
        daemon.start_again().await;
        let phase = if tagged { "Synchronizing" } else { "Failed" };
        eventually(DEADLINE, "the second task has come to its end", async || {
            let model = daemon.status().await;
            model.is_some_and(|model| model.tasks.get("later").is_some_and(|task| task.phase.name() == phase))
        })
        .await;
        let all = format!("SELECT string_agg(id::text, ' ' ORDER BY id) FROM {name}.both");
        let rows = scene.target.one(&all).await;
        assert_eq!(rows, if tagged { "1 2" } else { "1" });
    }
}
