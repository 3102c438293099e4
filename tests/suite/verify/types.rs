//! A value of any type that differs is found, named by its row, and put right: what a hand did to the target, and what the source did
//! without a word in its log.

use super::{assert_verified, verdicts};
use crate::harness::{Mysql, Scene, mariadb, mysql56, mysql97, postgres};
use rowferry::testing::change::verdict::Outcome;

/// Each row of docs/types.md: a name, a type, and two values that differ in as little as they can.
const EVERYWHERE: &[(&str, &str, [&str; 2])] = &[
    ("tinyint", "TINYINT", ["-128", "-127"]),
    ("bool", "BOOL", ["0", "1"]),
    ("utinyint", "TINYINT UNSIGNED", ["254", "255"]),
    ("smallint", "SMALLINT", ["-32768", "-32767"]),
    ("usmallint", "SMALLINT UNSIGNED", ["65534", "65535"]),
    ("mediumint", "MEDIUMINT", ["8388606", "8388607"]),
    ("umediumint", "MEDIUMINT UNSIGNED", ["16777214", "16777215"]),
    ("int", "INT", ["-2147483648", "-2147483647"]),
    ("uint", "INT UNSIGNED", ["4294967294", "4294967295"]),
    ("bigint", "BIGINT", ["9223372036854775806", "9223372036854775807"]),
    ("ubigint", "BIGINT UNSIGNED", ["18446744073709551614", "18446744073709551615"]),
    (
        "decimal",
        "DECIMAL(65,30)",
        [
            "12345678901234567890123456789012345.000000000000000000000000000001",
            "12345678901234567890123456789012345",
        ],
    ),
    ("float", "FLOAT", ["16777216", "16777218"]),
    ("double", "DOUBLE", ["0.3", "0.30000000000000004"]),
    ("bit", "BIT(64)", ["18446744073709551614", "18446744073709551615"]),
    ("year", "YEAR", ["'0000'", "1901"]),
    ("char", "CHAR(9)", ["'a'", "'A'"]),
    ("varchar", "VARCHAR(40)", ["'a'", "'a '"]),
    ("binary_text", "VARCHAR(40) COLLATE utf8mb4_bin", ["x'C3A9'", "x'65CC81'"]),
    ("latin1", "VARCHAR(40) CHARACTER SET latin1", ["'ÿ'", "_latin1 x'81'"]),
    ("gbk", "VARCHAR(40) CHARACTER SET gbk", ["'漢'", "'字'"]),
    ("tinytext", "TINYTEXT", ["''", "'é'"]),
    ("longtext", "LONGTEXT", ["REPEAT('x', 100000)", "CONCAT(REPEAT('x', 99999), 'y')"]),
    ("enum", "ENUM('z', 'a')", ["'z'", "'a'"]),
    ("set", "SET('z', 'a')", ["''", "'z,a'"]),
    ("binary", "BINARY(4)", ["x'00000001'", "x'00000000'"]),
    ("varbinary", "VARBINARY(300)", ["x''", "x'00'"]),
    ("longblob", "LONGBLOB", ["REPEAT(x'FF', 100000)", "REPEAT(x'FF', 99999)"]),
    ("date", "DATE", ["'9999-12-30'", "'9999-12-31'"]),
    ("datetime", "DATETIME(6)", ["'1000-01-01'", "'1000-01-01 00:00:00.000001'"]),
    ("timestamp", "TIMESTAMP(3) NULL", ["'2021-10-31 01:30:00'", "'2021-10-31 02:30:00'"]),
    ("time", "TIME(2)", ["'-00:00:00.01'", "'00:00:00'"]),
    ("geometry", "GEOMETRY", ["ST_GeomFromText('POINT(1 2)', 4326)", "ST_GeomFromText('POINT(1 2)', 0)"]),
];

const JSON: (&str, &str, [&str; 2]) =
    ("json", "JSON", ["'{\"a\": [1, 2.50]}'", "'{\"a\": [1, 2.50, null]}'"]);
const VECTOR: (&str, &str, [&str; 2]) =
    ("vector", "VECTOR(3)", ["TO_VECTOR('[1, 2, 3]')", "TO_VECTOR('[1, 2, 3.0000002]')"]);

async fn found(mysql: &Mysql, more: &[(&str, &str, [&str; 2])]) {
    let scene = Scene::on(mysql, postgres().await, &format!("verify_types_{}", mysql.kind())).await;
    let types: Vec<_> = EVERYWHERE.iter().chain(more).collect();
    let loose = "SET NAMES utf8mb4; SET sql_mode = '', time_zone = '+00:00'";
    let mut session = scene.source.session().await;
    session.sql(loose).await;
    for (name, data_type, [a, b]) in &types {
        session
            .sql(&format!(
                "CREATE TABLE t_{name} (id INT PRIMARY KEY, v {data_type}) CHARACTER SET utf8mb4; \
                 INSERT INTO t_{name} VALUES (1, {a}), (2, {b}), (3, NULL), (4, {a}), (5, {b}), (6, {a}), (7, NULL)"
            ))
            .await;
    }
    let daemon = scene.start().await;
    assert_verified(&daemon).await;
    session.sql("SET sql_log_bin = 0").await;
    let schema = &scene.source.name;
    for (name, _, [a, b]) in &types {
        // One value for the other, NULL for a value, and a value for NULL; first by hand in the target, then at the source.
        scene
            .target
            .sql(&format!(
                "UPDATE {schema}.t_{name} SET v = (SELECT v FROM {schema}.t_{name} WHERE id = 2) WHERE id = 1; \
                 UPDATE {schema}.t_{name} SET v = NULL WHERE id = 2; \
                 UPDATE {schema}.t_{name} SET v = (SELECT v FROM {schema}.t_{name} WHERE id = 4) WHERE id = 3"
            ))
            .await;
        session
            .sql(&format!(
                "UPDATE t_{name} SET v = {b} WHERE id = 4; UPDATE t_{name} SET v = NULL WHERE id = 5; \
                 UPDATE t_{name} SET v = {a} WHERE id = 7"
            ))
            .await;
    }
    for outcome in [Outcome::Different, Outcome::Repaired, Outcome::Equal] {
        let said = verdicts(&daemon, if outcome == Outcome::Repaired { &["--repair"] } else { &[] }).await;
        for (name, ..) in &types {
            let verdict = &said[&format!("t_{name}")];
            let mut keys: Vec<&str> =
                verdict.keys.iter().flat_map(|found| &found.key).map(String::as_str).collect();
            keys.sort_unstable();
            let (differ, repaired): (&[&str], _) = match outcome {
                Outcome::Equal => (&[], 0),
                Outcome::Repaired => (&["1", "2", "3", "4", "5", "7"], 6),
                _ => (&["1", "2", "3", "4", "5", "7"], 0),
            };
            assert_eq!(
                (verdict.outcome, keys.as_slice(), verdict.repaired),
                (outcome, differ, repaired),
                "{verdict:?}"
            );
            assert_eq!((verdict.missing, verdict.extra, verdict.undecided), (0, 0, 0), "{verdict:?}");
            assert!(verdict.not_looked_for.is_empty(), "{verdict:?}");
        }
    }
    let tables: Vec<String> = types.iter().map(|(name, ..)| format!("t_{name}")).collect();
    scene.assert_exact(&daemon, &tables.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_value_of_each_type_of_mysql_9_7_is_found_and_put_right() {
    found(mysql97().await, &[JSON, VECTOR]).await;
}

#[tokio::test]
async fn a_value_of_each_type_of_mysql_5_6_is_found_and_put_right() {
    found(mysql56().await, &[]).await;
}

#[tokio::test]
async fn a_value_of_each_type_of_mariadb_is_found_and_put_right() {
    found(mariadb().await, &[]).await;
}
