//! `zero_dates_in_keys = "bc"`: dates that the target has not, in key columns.

use super::refusals::failure;
use crate::harness::{Daemon, Mysql, Scene, mariadb, mysql56, mysql97, postgres};
use crate::verify::{assert_verified, verdicts};
use rowferry::testing::change::verdict::Outcome;

/// Lets such dates in, on every server.
const LOOSE: &str = "SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'";

/// Dates, the later ones none of the calendar.
const DATES: [&str; 14] = [
    "1000-01-01",
    "2024-02-29",
    "9999-12-31",
    "0000-00-00",
    "2024-00-10",
    "2024-10-00",
    "2024-00-00",
    "2023-02-29",
    "2024-02-30",
    "2024-04-31",
    "0000-05-05",
    "0000-12-31",
    "9999-00-31",
    "9999-11-31",
];
/// The first of them that is none.
const NONE: usize = 3;

/// As [`DATES`], what the target has of some.
const STAND_INS: [(&str, &str); 4] = [
    ("0000-00-00", "0001-01-01 BC"),
    // 51 days for each year, and 10 days more.
    ("2024-00-10", "0284-05-10 BC"),
    ("2024-02-29", "2024-02-29"),
    ("9999-12-31", "9999-12-31"),
];

/// Rows of both tables, whose numbers begin with `first`.
async fn insert(scene: &Scene<'_>, first: usize) {
    let (mut days, mut moments) = (Vec::new(), Vec::new());
    for (n, date) in (first..).zip(DATES) {
        days.push(format!("('{date}', {first}, {n})"));
        moments.push(format!("('{date} 10:11:12.5', '2020-01-01', {first}, {n})"));
    }
    moments.push(format!("('0000-00-00', '0000-00-00', {first}, {})", first + 50));
    scene
        .source
        .sql(&format!(
            "{LOOSE}; INSERT INTO day VALUES {}; INSERT INTO moment VALUES {}",
            days.join(", "),
            moments.join(", ")
        ))
        .await;
}

/// Each row of the source is there, and no other.
async fn compare(scene: &Scene<'_>, daemon: &Daemon) {
    scene.wait_applied(daemon).await;
    for table in ["day", "moment"] {
        let target =
            scene.target.sql(&format!("SELECT n FROM {}.{table} ORDER BY n", scene.source.name)).await;
        assert_eq!(scene.source.sql(&format!("SELECT n FROM {table} ORDER BY n")).await, target, "{table}");
    }
    assert_verified(daemon).await;
    assert_eq!(daemon.drift().await, 0);
}

async fn followed(mysql: &Mysql) {
    let scene = Scene::on(mysql, postgres().await, &format!("key_dates_{}", mysql.kind())).await;
    scene
        .source
        .sql(&format!(
            "{LOOSE}; CREATE TABLE day (d DATE, k INT, n INT, PRIMARY KEY (d, k)); \
             CREATE TABLE moment (at DATETIME(1), s TIMESTAMP(2) NOT NULL DEFAULT '0000-00-00', k INT, n INT, PRIMARY KEY (at, s, k))"
        ))
        .await;
    insert(&scene, 100).await;
    let daemon = scene.start_with(&scene.config().task("zero_dates_in_keys", "\"bc\"")).await;
    compare(&scene, &daemon).await;
    insert(&scene, 200).await;
    insert(&scene, 300).await;
    compare(&scene, &daemon).await;
    // Rows change, keys move from one such date to another, onto one that a row had just before, and away.
    scene
        .source
        .sql(&format!(
            "{LOOSE}; UPDATE day SET n = n + 1000 WHERE k = 100; UPDATE moment SET n = n + 1000 WHERE k = 200; \
             DELETE FROM day WHERE k = 200 AND d IN ('0000-00-00', '2024-02-30'); \
             UPDATE day SET d = '0000-00-00' WHERE k = 200 AND d = '2024-10-00'; \
             UPDATE day SET d = '2024-10-00' WHERE k = 200 AND d = '2024-00-10'; \
             UPDATE day SET d = '2001-02-03' WHERE k = 300 AND d = '0000-05-05'; \
             UPDATE day SET d = '0000-05-05' WHERE k = 300 AND d = '1000-01-01'; \
             DELETE FROM moment WHERE k = 300 AND n < 350"
        ))
        .await;
    compare(&scene, &daemon).await;
    for (date, stands) in STAND_INS {
        let there = format!("SELECT d FROM {}.day WHERE k = 100 AND n = ", scene.source.name);
        let n = scene.source.one(&format!("{LOOSE}; SELECT n FROM day WHERE k = 100 AND d = '{date}'")).await;
        assert_eq!(scene.target.one(&format!("{there}{n}")).await, stands, "{date}");
    }
    put_right(&scene, &daemon).await;
}

/// A row of such a key is missing in the target, one is extra, one has another value: each is found, named and put right.
async fn put_right(scene: &Scene<'_>, daemon: &Daemon) {
    let (schema, last) = (&scene.source.name, 300 + NONE);
    let unlogged = format!(
        "SET sql_log_bin = 0; {LOOSE}; DELETE FROM day WHERE n = {last}; DELETE FROM moment WHERE n = 150"
    );
    scene.source.sql(&unlogged).await;
    scene
        .target
        .sql(&format!(
            "DELETE FROM {schema}.day WHERE n = {}; UPDATE {schema}.day SET n = 5 WHERE n = {}; \
             DELETE FROM {schema}.moment WHERE n = 1250; INSERT INTO {schema}.day VALUES ('0001-01-01 BC', 1, 1)",
            last + 1,
            last + 5
        ))
        .await;
    let said = verdicts(daemon, &["--repair"]).await;
    for (table, counts) in [("day", (1, 1, 2)), ("moment", (1, 0, 1))] {
        let it = &said[table];
        assert_eq!((it.outcome, (it.missing, it.different, it.extra)), (Outcome::Repaired, counts), "{it:?}");
    }
    compare(scene, daemon).await;
}

#[tokio::test]
async fn they_are_followed_from_mysql_9_7() {
    followed(mysql97().await).await;
}

#[tokio::test]
async fn they_are_followed_from_mysql_5_6() {
    followed(mysql56().await).await;
}

#[tokio::test]
async fn they_are_followed_from_mariadb() {
    followed(mariadb().await).await;
}

#[tokio::test]
async fn what_the_error_says_mends_a_task_that_met_one() {
    let scene = Scene::new("key_dates_later").await;
    scene
        .source
        .sql(&format!(
            "{LOOSE}; CREATE TABLE t (d DATE PRIMARY KEY, n INT); INSERT INTO t VALUES ('2020-01-01', 1)"
        ))
        .await;
    let daemon = scene.start().await;
    scene.source.sql(&format!("{LOOSE}; INSERT INTO t VALUES ('0000-00-00', 2), ('2020-01-00', 3)")).await;
    let error = failure(&daemon).await;
    assert!(error.contains("zero_dates_in_keys = \"bc\""), "{error}");
    daemon.reconfigure(&scene.config().task("zero_dates_in_keys", "\"bc\""));
    daemon.start_again().await;
    scene.wait_applied(&daemon).await;
    assert_eq!(
        scene
            .target
            .one(&format!("SELECT count(*) FROM {}.t WHERE d < '0001-01-01'", scene.source.name))
            .await,
        "2"
    );
    assert_verified(&daemon).await;
    assert_eq!(daemon.drift().await, 0);
}
