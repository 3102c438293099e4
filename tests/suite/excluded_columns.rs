//! A column that is left out has only to be skipped, so it may be of a type that is not carried.

use crate::harness::{Comparison, DEADLINE, Mysql, Scene, mariadb, postgres};
use rowferry::testing::change::status::Phase;

/// Types of MariaDB that the log spells in ways of their own, and two values of each.
const TYPES: &[(&str, &str, &str)] = &[
    ("INET4", "'0.0.0.0'", "'10.1.2.3'"),
    ("INET6", "'::'", "'2001:db8::8:800:200c:417a'"),
    ("UUID", "'00000000-0000-0000-0000-000000000000'", "'123e4567-e89b-12d3-a456-426655440000'"),
    ("UUID NOT NULL", "UUID()", "'ffffffff-ffff-ffff-ffff-ffffffffff00'"),
    ("VARCHAR(254) COMPRESSED CHARACTER SET latin1", "''", "REPEAT('a', 254)"),
    ("VARCHAR(255) COMPRESSED CHARACTER SET latin1", "'a'", "REPEAT('a', 255)"),
    ("VARCHAR(256) COMPRESSED CHARACTER SET latin1", "'a'", "REPEAT('a', 256)"),
    ("VARBINARY(70) COMPRESSED", "'a'", "REPEAT('ab', 35)"),
    ("TINYTEXT COMPRESSED", "''", "REPEAT('b', 200)"),
    ("TEXT COMPRESSED", "'x'", "REPEAT('b', 5000)"),
    ("MEDIUMBLOB COMPRESSED", "'x'", "REPEAT('b', 70000)"),
    ("LONGTEXT COMPRESSED", "NULL", "REPEAT('b', 70000)"),
    ("YEAR(2)", "99", "1"),
    ("YEAR(2)", "2000", "NULL"),
];

/// The line of the config that a text names.
fn excluding(text: &str) -> Option<String> {
    let from = text.find("exclude_columns = [")?;
    let to = text[from..].find(']')?;
    Some(text[from..=from + to].to_owned())
}

async fn excluded_columns_are_skipped(server: &'static str, mysql: &Mysql) {
    let scene = Scene::on(mysql, postgres().await, &format!("excluded_{server}")).await;
    let columns: String =
        TYPES.iter().enumerate().map(|(at, (declared, ..))| format!("x{at} {declared}, ")).collect();
    // A type that only one of them has, and that is carried.
    let (vector, one, two) = match server {
        "maria118" => ("v VECTOR(3), ", "VEC_FromText('[1, -2.5, 1e-9]'), ", "NULL, "),
        _ => ("", "", ""),
    };
    let values = |second: bool| {
        let values: Vec<&str> = TYPES.iter().map(|(_, one, two)| if second { *two } else { *one }).collect();
        format!("{}{}", if second { two } else { one }, values.join(", "))
    };
    scene
        .source
        .sql(&format!(
            "CREATE TABLE t (a INT, {vector}{columns} b VARCHAR(20), id INT PRIMARY KEY); \
             INSERT INTO t VALUES (1, {}, 'copied', 1), (2, {}, 'copied', 2)",
            values(false),
            values(true)
        ))
        .await;
    // What the check prints is what is written; all of it is printed at once, beside what is left out already.
    let leaving_out =
        |line: &str| scene.config().more(&format!("[task.main.table.\"{}.t\"]\n{line}", scene.source.name));
    let first = leaving_out("exclude_columns = [\"b\"]");
    let output = crate::harness::rowferry(&["check", "-c", &first.file()]).await;
    let line = excluding(&output.stdout).unwrap_or_else(|| panic!("{output:?}"));
    let refused = TYPES.iter().filter(|(declared, ..)| *declared == "YEAR(2)").count();
    assert_eq!(line.matches('"').count(), 2 * (refused + 1), "each is refused: {line}");
    let all: Vec<String> = (0..TYPES.len()).map(|at| format!("\"x{at}\"")).collect();
    let line = format!("exclude_columns = [{}]", all.join(", "));
    let config = leaving_out(&line);
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql(&format!(
            "INSERT INTO t VALUES (3, {}, 'streamed', 3), (4, {}, 'streamed', 4); \
             UPDATE t SET x4 = 'z', b = 'changed' WHERE id IN (1, 3); DELETE FROM t WHERE id = 2; \
             ALTER TABLE t ADD n INT DEFAULT 7 AFTER a; UPDATE t SET n = 8 WHERE id = 4",
            values(false),
            values(true)
        ))
        .await;
    scene.wait_applied(&daemon).await;
    // One that is added stops the task, and is left out as the message says.
    scene.source.sql("ALTER TABLE t ADD added YEAR(2); UPDATE t SET added = 7, n = 9 WHERE id = 4").await;
    let failed =
        daemon.wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. })).await;
    let Phase::Failed { remedy, .. } = failed.phase else { unreachable!() };
    let line = excluding(&remedy).unwrap_or_else(|| panic!("{remedy}"));
    assert!(line.contains("\"added\""), "{remedy}");
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    daemon.reconfigure(&leaving_out(&line));
    daemon.restart();
    scene.wait_applied(&daemon).await;
    let name = format!("{}.t", scene.source.name);
    let mut comparison = Comparison::new(&name, &name).skip("added");
    for at in 0..TYPES.len() {
        comparison = comparison.skip(&format!("x{at}"));
    }
    assert_eq!(comparison.run(scene.source.server, &scene.target).await, Ok(3));
}

#[tokio::test]
async fn types_that_are_not_carried_are_skipped_when_excluded() {
    excluded_columns_are_skipped("maria", mariadb().await).await;
}

#[tokio::test]
async fn types_that_are_not_carried_are_skipped_when_the_log_describes_them() {
    let mysql = Mysql::start("mariadb118", &["--binlog-row-metadata=FULL"]).await;
    excluded_columns_are_skipped("maria118", &mysql).await;
}
