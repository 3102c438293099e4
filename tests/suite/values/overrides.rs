//! Other target types than the defaults, by `tinyint1`, `time` and `types`.

use super::{Family, live_on};
use crate::harness::Scene;

/// Source type, chosen target type, values. The target's type must be the chosen one.
const PAIRS: &[(&str, &str, &[&str])] = &[
    ("TINYINT", "boolean", &["0", "1", "NULL"]),
    ("TINYINT UNSIGNED", "bigint", &["0", "255", "NULL"]),
    ("INT", "numeric(12,0)", &["-2147483648", "0", "2147483647"]),
    ("INT UNSIGNED", "text", &["4294967295", "0", "7"]),
    ("BIGINT", "numeric", &["-9223372036854775808", "9223372036854775807", "10000"]),
    ("BIGINT", "varchar(20)", &["-9223372036854775808", "9223372036854775807", "0"]),
    ("BIGINT UNSIGNED", "text", &["18446744073709551615", "0", "NULL"]),
    ("BIGINT UNSIGNED", "bigint", &["9223372036854775807", "0", "NULL"]),
    ("DECIMAL(9,3)", "numeric", &["-123456.789", "0", "0.001"]),
    ("DECIMAL(9,3)", "numeric(12,3)", &["-999999.999", "0", "NULL"]),
    (
        "DECIMAL(65,30)",
        "text",
        &["-0.5", "99999999999999999999999999999999999.000000000000000000000000000001", "0"],
    ),
    ("FLOAT", "double precision", &["0.1", "1e-45", "-0e0"]),
    ("BIT(1)", "boolean", &["0", "1", "NULL"]),
    ("YEAR", "smallint", &["0", "1901", "2155"]),
    ("YEAR", "text", &["1901", "2000", "2155"]),
    ("BINARY(16)", "uuid", &["x'00112233445566778899AABBCCDDEEFF'", "x'01'", "REPEAT(x'FF', 16)"]),
    ("VARCHAR(10)", "text", &["'a '", "''", "'é'"]),
    ("VARCHAR(10)", "varchar(99)", &["'a '", "''", "'é'"]),
    ("ENUM('a','bcd')", "varchar(3)", &["1", "2", "NULL"]),
    ("SET('a','b','c')", "varchar(5)", &["7", "0", "5"]),
    ("DATETIME(2)", "timestamp(6)", &["'2020-02-02 02:02:02.02'", "'0000-00-00'", "NULL"]),
    ("TIMESTAMP NULL", "timestamptz", &["'2020-02-02 02:02:02'", "'1970-01-01 00:00:01'", "NULL"]),
    ("TIMESTAMP(3) NULL", "timestamp(3)", &["'2020-02-02 02:02:02.5'", "'1970-01-01 00:00:01'", "NULL"]),
    ("TIME(3)", "time(3)", &["'00:00:00'", "'23:59:59.999'", "'24:00:00'"]),
    (
        "JSON",
        "json",
        &["'{\"b\": 1.50, \"a\": [1e300, -0.0]}'", "JSON_ARRAY(CAST(1.50 AS DECIMAL(9,2)), 1e0)", "NULL"],
    ),
    (
        "JSON",
        "text",
        &[
            "'{\"b\": 1, \"a\": \"x\\\\ny\"}'",
            "JSON_ARRAY(x'00', CAST('10:00' AS TIME), 1e16, 1e15)",
            "'null'",
        ],
    ),
];

#[tokio::test]
async fn chosen_types_are_equal_on_both_paths() {
    let scene = Scene::new("values_overrides").await;
    let columns: Vec<String> =
        PAIRS.iter().enumerate().map(|(at, (source, ..))| format!("c{at} {source}")).collect();
    let samples = (0..3)
        .map(|row| PAIRS.iter().map(|(.., values)| values[row]).collect::<Vec<_>>().join(", "))
        .collect();
    let families = [Family { table: "chosen".to_owned(), columns: columns.join(", "), samples }];
    families[0].create(&scene).await;
    let types: Vec<String> =
        PAIRS.iter().enumerate().map(|(at, (_, target, _))| format!("c{at} = \"{target}\"")).collect();
    let config = scene
        .config()
        .more(&format!("[task.main.table.\"values_overrides.chosen\"]\ntypes = {{ {} }}", types.join(", ")));
    let daemon = scene.start_with(&config).await;
    live_on(&scene, &daemon, &families, "DO 0").await;
    let made = scene
        .target
        .sql(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = \
             'values_overrides.chosen'::regclass AND attnum > 1 ORDER BY attnum",
        )
        .await;
    for ((source, target, _), made) in PAIRS.iter().zip(made.into_iter().flatten().flatten()) {
        let made = made
            .replace("character varying", "varchar")
            .replace(" without time zone", "")
            .replace("timestamp(6) with time zone", "timestamptz");
        assert_eq!(made, *target, "{source}");
    }
}

#[tokio::test]
async fn booleans_and_times_of_day_are_equal_on_both_paths() {
    let scene = Scene::new("values_task_types").await;
    let families = [Family::new(
        "chosen",
        "a TINYINT(1), b BOOL NOT NULL, c TINYINT(2), d TINYINT(1) UNSIGNED, t TIME, f TIME(6)",
        &[
            "0, 1, 127, 255, '00:00:00', '23:59:59.999999'",
            "1, 0, -128, 0, '24:00:00', '00:00:00.000001'",
            "NULL, 0, NULL, NULL, NULL, NULL",
        ],
    )];
    families[0].create(&scene).await;
    let config = scene.config().task("tinyint1", "\"boolean\"").task("time", "\"time\"");
    let daemon = scene.start_with(&config).await;
    live_on(&scene, &daemon, &families, "DO 0").await;
}
