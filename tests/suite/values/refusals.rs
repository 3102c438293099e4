//! What cannot be carried exactly stops the task with an error that names the column: never another value, on neither path.

use super::LOOSE;
use crate::harness::{Config, DEADLINE, Daemon, Scene, rowferry};
use rowferry::testing::change::status::Phase;

/// The error of the only task, once it has failed.
pub(super) async fn failure(daemon: &Daemon) -> String {
    let failed =
        daemon.wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. }));
    match failed.await.phase {
        Phase::Failed { error, remedy } => format!("{error} {remedy}"),
        other => unreachable!("{other:?}"),
    }
}

/// Creates `t (id, v TYPE)`; once with the value in it before the copy, once it is inserted into the stream. Both
/// must fail with all of the words, and the target must not have the row.
pub(super) async fn refused_on_both_paths(
    name: &str,
    data_type: &str,
    value: &str,
    words: &[&str],
    config: impl Fn(&Scene<'static>) -> Config,
) {
    let create = format!("{LOOSE}; CREATE TABLE t (id INT PRIMARY KEY, v {data_type})");
    let insert = format!("{LOOSE}; INSERT INTO t VALUES (7, {value})");
    for streamed in [false, true] {
        let scene = Scene::new(&format!("{name}_{streamed}")).await;
        scene.source.sql(&create).await;
        let daemon = if streamed {
            let daemon = scene.start_with(&config(&scene)).await;
            scene.source.sql(&insert).await;
            daemon
        } else {
            scene.source.sql(&insert).await;
            Daemon::start(&config(&scene))
        };
        let error = failure(&daemon).await;
        let table = format!("{}.t: column v of the row with ", scene.source.name);
        let place = if streamed { "(in the event that ends at binlog." } else { "(in the copy)" };
        for word in words.iter().chain(&[table.as_str(), "id = 7", place]) {
            assert!(error.contains(word), "'{word}' is missing (streamed: {streamed}): {error}");
        }
        assert_eq!(error.matches(&table).count(), 1, "{error}");
        let count = scene.target.one(&format!("SELECT count(*) FROM \"{}\".t", scene.source.name)).await;
        assert_eq!(count, "0", "streamed: {streamed}");
    }
}

#[tokio::test]
async fn bytes_that_a_character_set_leaves_undefined_are_refused() {
    for (name, data_type, value) in [
        ("undefined_1250", "VARCHAR(9) CHARACTER SET cp1250", "_cp1250 x'6181'"),
        ("undefined_hebrew", "TEXT CHARACTER SET hebrew", "_hebrew x'A1'"),
        ("undefined_gbk", "CHAR(9) CHARACTER SET gbk", "_gbk x'A2AB'"),
    ] {
        refused_on_both_paths(name, data_type, value, &["character set", "mend the value"], Scene::config)
            .await;
    }
}

/// The table's columns and a word of the refusal; nothing is created in the target.
const TABLES: &[(&str, &str)] = &[
    ("v VARCHAR(9) CHARACTER SET big5", "big5"),
    ("v TEXT CHARACTER SET eucjpms", "eucjpms"),
    ("v CHAR(3) CHARACTER SET swe7", "swe7"),
    ("v ENUM('a', 'b') CHARACTER SET big5", "big5"),
    ("v SET('a', 'b') CHARACTER SET binary", "bytes"),
    // information_schema shows this label as a question mark.
    ("v ENUM('a', '😀')", "question mark"),
    ("v ENUM('', 'a') NOT NULL, PRIMARY KEY (v)", "merge"),
    ("v VARCHAR(9) CHARACTER SET cp932 NOT NULL, PRIMARY KEY (v)", "merge"),
    ("v VARCHAR(9) CHARACTER SET sjis NOT NULL, PRIMARY KEY (v)", "merge"),
    ("v VARCHAR(9) CHARACTER SET ujis NOT NULL, PRIMARY KEY (v)", "merge"),
    ("v VARCHAR(9) CHARACTER SET armscii8 NOT NULL, PRIMARY KEY (v)", "merge"),
    ("v INT", "primary key"),
    ("v INT, UNIQUE KEY (v)", "primary key"),
];

#[tokio::test]
async fn what_no_plan_can_carry_fails_the_check() {
    let scene = Scene::new("values_refused").await;
    let mut session = scene.source.session().await;
    session.sql(LOOSE).await;
    for (at, (columns, _)) in TABLES.iter().enumerate() {
        let key = if columns.contains("KEY") || *columns == "v INT" { "" } else { "id INT PRIMARY KEY, " };
        session.sql(&format!("CREATE TABLE t{at} ({key}{columns})")).await;
    }
    let file = crate::harness::run_folder().join("values_refused.toml");
    std::fs::write(&file, scene.config().render("")).unwrap();
    let output = rowferry(&["check", "-c", file.to_str().unwrap()]).await;
    assert_eq!(output.code, 1, "{}", output.stdout);
    for (at, (columns, word)) in TABLES.iter().enumerate() {
        let table = format!("values_refused.t{at}");
        let told = output.stdout.split("\n\n").chain(output.stdout.lines()).any(|part| {
            let part = part.to_lowercase();
            part.contains(&table) && !part.contains(&format!("{table}0")) && part.contains(word)
        });
        assert!(told, "{columns}: {}", output.stdout);
    }
}

#[tokio::test]
async fn an_excluded_column_may_be_of_any_type() {
    let scene = Scene::new("values_excluded").await;
    scene
        .source
        .sql(
            "SET NAMES utf8mb4; CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9) CHARACTER SET big5, \
             e ENUM('a', '😀') CHARACTER SET utf8mb4, b VARCHAR(9)); INSERT INTO t VALUES (1, 'x', 2, 'y')",
        )
        .await;
    let config =
        scene.config().more("[task.main.table.\"values_excluded.t\"]\nexclude_columns = [\"a\", \"e\"]");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO t VALUES (2, 'x', 2, 'z'); UPDATE t SET b = 'w' WHERE id = 1").await;
    scene.wait_applied(&daemon).await;
    let comparison =
        crate::harness::Comparison::new("values_excluded.t", "values_excluded.t").skip("a").skip("e");
    assert_eq!(comparison.run(scene.source.server, &scene.target).await, Ok(2));
}
