//! A row that the target refuses is told by its key and its place, however it is written.

use crate::harness::{DEADLINE, Daemon, Scene, failure};
use rowferry::testing::change::status::Phase;

#[tokio::test]
async fn a_row_that_the_target_refuses_is_told_by_its_key() {
    let scene = Scene::new("refused_rows").await;
    let many = |from: u32| {
        let rows: Vec<String> = (from..from + 100).map(|id| format!("({id}, 'n', {id})")).collect();
        format!("INSERT INTO t VALUES {}", rows.join(", "))
    };
    scene
        .source
        .sql(&format!(
            "CREATE TABLE t (id INT, area VARCHAR(10), v INT, PRIMARY KEY (area, id)); {}; \
             CREATE TABLE other (id INT PRIMARY KEY, v INT)",
            many(1)
        ))
        .await;
    let daemon = scene.start().await;
    for (statement, key) in [
        // By COPY, as an array, by an update, after other tables' rows.
        (format!("{}; UPDATE t SET v = 1 WHERE id = 177", many(1001).replace("1077)", "-7)")), "area=n, id=1077"),
        ("INSERT INTO t VALUES (5000, 'it''s', -7)".to_owned(), "area=it's, id=5000"),
        ("UPDATE t SET v = -7 WHERE id = 55".to_owned(), "area=n, id=55"),
        ("UPDATE t SET v = -v".to_owned(), "area=n, id=1"),
        (
            "BEGIN; INSERT INTO other VALUES (1, 1); DELETE FROM t WHERE id < 50; UPDATE t SET v = -7 WHERE id = 60; COMMIT"
                .to_owned(),
            "area=n, id=60",
        ),
    ] {
        scene.wait_applied(&daemon).await;
        // In vain where it is broken already.
        scene.target.sql("ALTER TABLE refused_rows.t ADD CONSTRAINT small CHECK (v > 0)").await;
        scene.source.sql(&statement).await;
        let failed = daemon
            .wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. }))
            .await;
        let told = failure(&failed).unwrap();
        for words in ["refused_rows.t", "small", &format!("the row is {key}, in what the source has committed until binlog.")]
        {
            assert!(told.contains(words), "{statement}: {words} is not in {told}");
        }
        scene.target.sql("ALTER TABLE refused_rows.t DROP CONSTRAINT small").await;
        daemon.terminate();
        daemon.exit_code(DEADLINE).await;
        daemon.restart();
        scene.assert_exact(&daemon, &["t", "other"]).await;
        scene.source.sql("UPDATE t SET v = 1000 + id").await;
    }
}

#[tokio::test]
async fn a_row_of_a_transaction_in_pieces_is_told_by_its_key() {
    let scene = Scene::new("refused_pieces").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let daemon = scene.start_with(&scene.config().task("apply", "{ batch_rows = 100 }")).await;
    scene.target.sql("ALTER TABLE refused_pieces.t ADD CONSTRAINT small CHECK (v > 0)").await;
    let rows: Vec<String> =
        (1..=450).map(|id| format!("({id}, {})", if id == 333 { -1 } else { 1 })).collect();
    scene.source.sql(&format!("INSERT INTO t VALUES {}", rows.join(", "))).await;
    let failed =
        daemon.wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. })).await;
    let told = failure(&failed).unwrap();
    for words in ["small", "the row is id=333, in a large transaction of the source"] {
        assert!(told.contains(words), "{words} is not in {told}");
    }
}

#[tokio::test]
async fn a_row_that_the_target_refuses_in_the_copy_is_told_by_its_key() {
    // Beside other chunks at work, and among rows that are there.
    for (existing, chunk_rows) in [("clear", 100), ("ignore", 10_000)] {
        let schema = format!("refused_{existing}");
        let scene = Scene::new(&schema).await;
        // A chunk may be read in several blocks, and what it sends is refused while later ones are read.
        let rows: Vec<String> = (0..1000)
            .map(|id| format!("({id}, 'n', {}, REPEAT('w', 3000))", if id == 777 { -7 } else { 1 }))
            .collect();
        let rows = rows.join(", ");
        let columns = "(id INT, area VARCHAR(10), v INT, words VARCHAR(3000), PRIMARY KEY (area, id)";
        scene.source.sql(&format!("CREATE TABLE t {columns}); INSERT INTO t VALUES {rows}")).await;
        // The row that is there is no error of its own.
        scene
            .target
            .sql(&format!(
                "CREATE SCHEMA {schema}; CREATE TABLE {schema}.t {columns}, CONSTRAINT small CHECK (v >= 0)); \
                 INSERT INTO {schema}.t VALUES (775, 'n', 1, 'there before')"
            ))
            .await;
        let config = scene
            .config()
            .task("existing_tables", &format!("{existing:?}"))
            .task("snapshot", &format!("{{ chunk_rows = {chunk_rows}, parallel = 2 }}"));
        let daemon = Daemon::start(&config);
        let failed = daemon
            .wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. }))
            .await;
        let told = failure(&failed).unwrap();
        for words in [&format!("{schema}.t"), "small", "the row is area=n, id=777, in the copy"] {
            assert!(told.contains(words), "{existing}: {words} is not in {told}");
        }
    }
}
