//! Partition operations, and IGNORE.

use super::{Case, Outcome, try_all};
use crate::harness::{Mysql, mariadb, mysql56, mysql97};

const LIST: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a INT) PARTITION BY LIST (id) \
    (PARTITION p0 VALUES IN (1, 2), PARTITION p1 VALUES IN (5, 6)); INSERT INTO {t} VALUES (1, 1), (2, 2), (5, 5), (6, 6)";
const RANGE: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a INT) PARTITION BY RANGE (id) \
    (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN MAXVALUE); \
    INSERT INTO {t} VALUES (1, 1), (11, 2), (25, 5), (36, 6)";
const HASH: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a INT) PARTITION BY HASH (id) PARTITIONS 3; \
    INSERT INTO {t} VALUES (1, 1), (11, 2), (25, 5), (36, 6)";
const PLAIN: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a INT); INSERT INTO {t} VALUES (1, 1), (20, 2)";

fn case(table: &'static str, made: &'static str, statement: &'static str, outcome: Outcome) -> Case {
    Case { table, made, session: "SET sql_mode = 'STRICT_ALL_TABLES'", statement, outcome }
}

/// What every server does alike.
fn everywhere() -> Vec<Case> {
    use Outcome::{Carried, Refused, Told};
    vec![
        case(
            "list_left_out",
            LIST,
            "ALTER TABLE {t} REORGANIZE PARTITION p1 INTO (PARTITION p1 VALUES IN (6, 7))",
            Told("REORGANIZE PARTITION"),
        ),
        case("list_rebuilt", LIST, "ALTER TABLE {t} REBUILD PARTITION p1", Told("REBUILD PARTITION")),
        case("list_dropped", LIST, "ALTER TABLE {t} DROP PARTITION p1", Told("DROP PARTITION")),
        case("list_emptied", LIST, "ALTER TABLE {t} TRUNCATE PARTITION p1", Told("TRUNCATE PARTITION")),
        case(
            "list_longer",
            LIST,
            "ALTER TABLE {t} ADD PARTITION (PARTITION p2 VALUES IN (7)); INSERT INTO {t} VALUES (7, 7)",
            Carried,
        ),
        // The nightly one: the last partition is cut in two, and every value has a place in what comes of it.
        case(
            "range_split",
            RANGE,
            "ALTER TABLE {t} REORGANIZE PARTITION p2 INTO (PARTITION p2 VALUES LESS THAN (30), \
             PARTITION p3 VALUES LESS THAN MAXVALUE); INSERT INTO {t} VALUES (40, 7)",
            Carried,
        ),
        case(
            "range_merged",
            RANGE,
            "ALTER TABLE {t} REORGANIZE PARTITION p0, p1 INTO (PARTITION p1 VALUES LESS THAN (20))",
            Told("REORGANIZE PARTITION"),
        ),
        case(
            "range_optimized",
            RANGE,
            "ALTER TABLE {t} OPTIMIZE PARTITION p0; DELETE FROM {t} WHERE id = 1",
            Carried,
        ),
        case(
            "range_analyzed",
            RANGE,
            "ALTER TABLE {t} ANALYZE PARTITION p0; INSERT INTO {t} VALUES (2, 2)",
            Carried,
        ),
        case(
            "range_removed",
            RANGE,
            "ALTER TABLE {t} REMOVE PARTITIONING; INSERT INTO {t} VALUES (2, 2)",
            Carried,
        ),
        case(
            "hash_dealt_anew",
            HASH,
            "ALTER TABLE {t} ADD PARTITION PARTITIONS 2; ALTER TABLE {t} COALESCE PARTITION 3; INSERT INTO {t} VALUES (2, 2)",
            Carried,
        ),
        case(
            "row_without_place",
            PLAIN,
            "ALTER TABLE {t} PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))",
            Refused,
        ),
        case(
            "partitioned",
            PLAIN,
            "ALTER TABLE {t} PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (30)); DELETE FROM {t} WHERE id = 1",
            Carried,
        ),
    ]
}

/// Where ALTER still takes IGNORE.
fn ignoring() -> Vec<Case> {
    use Outcome::Told;
    let cases = [
        (
            "ignored_row",
            "ALTER IGNORE TABLE {t} PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))",
        ),
        ("ignored_key", "ALTER IGNORE TABLE {t} ADD UNIQUE (a)"),
        ("ignored_value", "ALTER IGNORE TABLE {t} MODIFY a TINYINT NOT NULL"),
        ("ignored_column", "ALTER IGNORE TABLE {t} ADD b INT"),
        ("ignored_force", "ALTER IGNORE TABLE {t} FORCE"),
        ("ignored_engine", "ALTER IGNORE TABLE {t} ENGINE = InnoDB"),
    ];
    cases.into_iter().map(|(table, statement)| case(table, PLAIN, statement, Told("IGNORE"))).collect()
}

async fn on(mysql: &Mysql, cases: Vec<Case>) {
    try_all(mysql, &format!("effect_parts_{}", mysql.kind()), &cases).await;
}

#[tokio::test]
async fn partitions_of_mysql_9_7_keep_their_rows_or_it_is_told() {
    const MISPLACED: &str = "CREATE TABLE {t} (id INT PRIMARY KEY) PARTITION BY RANGE (id) \
        (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20)); CREATE TABLE {t}_x (id INT PRIMARY KEY); \
        INSERT INTO {t}_x VALUES (12), (99); ALTER TABLE {t} EXCHANGE PARTITION p1 WITH TABLE {t}_x WITHOUT VALIDATION";
    let mut cases = everywhere();
    // A row that has no place in any partition goes without a word.
    cases.push(case(
        "range_misplaced",
        MISPLACED,
        "ALTER TABLE {t} REORGANIZE PARTITION p1 INTO (PARTITION p1 VALUES LESS THAN (20))",
        Outcome::Told("REORGANIZE PARTITION"),
    ));
    on(mysql97().await, cases).await;
}

#[tokio::test]
async fn partitions_of_mysql_5_6_keep_their_rows_or_it_is_told() {
    let mut cases = everywhere();
    cases.extend(ignoring());
    on(mysql56().await, cases).await;
}

#[tokio::test]
async fn partitions_of_mariadb_keep_their_rows_or_it_is_told() {
    const DEFAULT: &str = "CREATE TABLE {t} (id INT PRIMARY KEY) PARTITION BY LIST (id) (PARTITION p0 VALUES IN (1), \
        PARTITION pd DEFAULT); INSERT INTO {t} VALUES (1), (5), (6)";
    const CHECKED: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a INT CHECK (a > 0)); SET check_constraint_checks = 0; \
        INSERT INTO {t} VALUES (1, -1), (2, 2)";
    let mut cases = everywhere();
    cases.extend(ignoring());
    cases.push(case(
        "default_partition",
        DEFAULT,
        "ALTER TABLE {t} ADD PARTITION (PARTITION p5 VALUES IN (5)); INSERT INTO {t} VALUES (7)",
        Outcome::Carried,
    ));
    cases.push(case(
        "ignored_check",
        CHECKED,
        "ALTER IGNORE TABLE {t} ADD b INT, ALGORITHM = COPY",
        Outcome::Told("IGNORE"),
    ));
    on(mariadb().await, cases).await;
}
