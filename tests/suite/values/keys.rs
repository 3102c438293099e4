//! Keys of every type, alone and as part of a composite key whose columns neither lead the table nor stand in the key's
//! order: inserted, changed, swapped and deleted through the log.

use super::LOOSE;
use crate::harness::Scene;

/// Name, type, and distinct values. Neighbours differ in little: keys wander from one to the next.
const KEYS: &[(&str, &str, &[&str])] = &[
    ("tinyint", "TINYINT", &["-128", "-1", "0", "1", "127"]),
    ("utinyint", "TINYINT UNSIGNED", &["0", "127", "128", "255"]),
    ("smallint", "SMALLINT", &["-32768", "-1", "0", "32767"]),
    ("usmallint", "SMALLINT UNSIGNED", &["0", "32768", "65535"]),
    ("mediumint", "MEDIUMINT", &["-8388608", "-1", "0", "8388607"]),
    ("umediumint", "MEDIUMINT UNSIGNED", &["0", "8388608", "16777215"]),
    ("int", "INT", &["-2147483648", "-1", "0", "2147483647"]),
    ("uint", "INT UNSIGNED", &["0", "2147483648", "4294967295"]),
    ("bigint", "BIGINT", &["-9223372036854775808", "-1", "0", "9223372036854775806", "9223372036854775807"]),
    (
        "ubigint",
        "BIGINT UNSIGNED",
        &["0", "9223372036854775807", "9223372036854775808", "18446744073709551614", "18446744073709551615"],
    ),
    ("decimal", "DECIMAL(20,4)", &["-9999999999999999.9999", "-0.0001", "0", "0.0001", "10000", "1"]),
    (
        "decimal65",
        "DECIMAL(65,30)",
        &[
            "0",
            "12345678901234567890123456789012345.000000000000000000000000000001",
            "12345678901234567890123456789012345.000000000000000000000000000002",
            "-12345678901234567890123456789012345.000000000000000000000000000002",
        ],
    ),
    ("float", "FLOAT", &["0.1", "16777216", "16777218", "1e-45", "-3.4028234e38", "0"]),
    ("double", "DOUBLE", &["0.1", "0.30000000000000004", "0.3", "4.9e-324", "-1.7976931348623157e308", "0"]),
    ("bit", "BIT(64)", &["0", "1", "9223372036854775808", "18446744073709551615"]),
    ("bit5", "BIT(5)", &["0", "1", "16", "31"]),
    ("year", "YEAR", &["'0000'", "1901", "2155"]),
    ("date", "DATE", &["'1000-01-01'", "'2000-02-29'", "'9999-12-31'"]),
    (
        "datetime",
        "DATETIME(6)",
        &[
            "'1000-01-01'",
            "'2020-01-01 00:00:00.000001'",
            "'2020-01-01 00:00:00.000002'",
            "'9999-12-31 23:59:59.999999'",
        ],
    ),
    (
        "timestamp",
        "TIMESTAMP(3)",
        &[
            "'1970-01-01 00:00:01.001'",
            "'2021-10-31 01:30:00'",
            "'2021-10-31 02:30:00'",
            "'2038-01-19 03:14:07.999'",
        ],
    ),
    (
        "time",
        "TIME(2)",
        &["'-838:59:59'", "'-00:00:00.01'", "'00:00:00'", "'00:00:00.01'", "'24:00:00'", "'838:59:59'"],
    ),
    ("char", "CHAR(9)", &["''", "'a'", "'b'", "'ß'", "'z z'"]),
    ("varchar", "VARCHAR(40)", &["''", "'a'", "'b'", "'A b'", "'😀'", "REPEAT('é', 40)", "'it''s \\\\ '"]),
    ("bin", "VARCHAR(40) COLLATE utf8mb4_bin", &["'a'", "'A'", "'b'", "x'C3A9'", "x'65CC81'"]),
    ("nopad", "VARCHAR(40) COLLATE utf8mb4_0900_as_cs", &["'a'", "'a '", "'A'", "''", "' '"]),
    ("latin1", "VARCHAR(40) CHARACTER SET latin1", &["'a'", "'ÿ'", "_latin1 x'81'", "'€'"]),
    ("utf16", "VARCHAR(40) CHARACTER SET utf16", &["'a'", "'😀'", "'漢'"]),
    ("gbk", "VARCHAR(40) CHARACTER SET gbk", &["'a'", "'漢'", "'字'"]),
    ("binary", "BINARY(4)", &["x''", "x'61'", "x'6120'", "x'00000001'", "x'FFFFFFFF'"]),
    ("varbinary", "VARBINARY(300)", &["x''", "x'00'", "x'0000'", "x'61'", "REPEAT(x'FF', 300)", "x'5C'"]),
    ("enum", "ENUM('z','a','m','é')", &["'z'", "'a'", "'m'", "'é'", "0"]),
    ("set", "SET('z','a','m')", &["0", "1", "2", "5", "7"]),
    (
        "set64",
        "SET('a','b','c','d','e','f','g','h','i','j','k','l','m','n','o','p','q','r','s','t','u','v','w','x','y','z',\
         'a1','b1','c1','d1','e1','f1','g1','h1','i1','j1','k1','l1','m1','n1','o1','p1','q1','r1','s1','t1','u1','v1',\
         'w1','x1','y1','z1','a2','b2','c2','d2','e2','f2','g2','h2','i2','j2','k2','l2')",
        &["1", "9223372036854775808", "18446744073709551615", "0"],
    ),
];

#[tokio::test]
async fn keys_of_every_type_are_followed() {
    // Its own server: over the traffic of others the checkpoint moves once a second only, and each comparison below waits for it.
    let mysql = crate::harness::Kind::Gtids97.private(&[]).await;
    let scene = Scene::on(&mysql, crate::harness::postgres().await, "values_keys").await;
    let mut session = scene.source.session().await;
    session.sql(LOOSE).await;
    for (name, data_type, values) in KEYS {
        session
            .sql(&format!(
                "CREATE TABLE one_{name} (n INT NOT NULL, k {data_type} NOT NULL, v VARCHAR(20), PRIMARY KEY (k)); \
                 CREATE TABLE two_{name} (v VARCHAR(20), k {data_type} NOT NULL, d DECIMAL(5,2), n INT NOT NULL, \
                 c CHAR(3) NOT NULL DEFAULT 'c', PRIMARY KEY (n, c, k))"
            ))
            .await;
        for (at, value) in values.iter().enumerate().step_by(2) {
            insert(&mut session, name, at, value).await;
        }
    }
    let daemon = scene.start().await;
    for (name, _, values) in KEYS {
        for (at, value) in values.iter().enumerate().skip(1).step_by(2) {
            insert(&mut session, name, at, value).await;
        }
    }
    compare(&scene, &daemon, |count| count).await;

    // In one transaction: the first key goes, every other key becomes its neighbour's, the last one comes back.
    for (name, _, values) in KEYS {
        let last = values.len() - 1;
        for table in ["one", "two"] {
            let first = std::iter::once(format!("BEGIN; DELETE FROM {table}_{name} WHERE n = 0"));
            let moved = values
                .windows(2)
                .enumerate()
                .map(|(at, pair)| format!("UPDATE {table}_{name} SET k = {} WHERE n = {}", pair[0], at + 1));
            let back = format!(
                "INSERT INTO {table}_{name} (n, k, v) VALUES (100, {}, 'back'); COMMIT",
                values[last]
            );
            let statements = first.chain(moved).chain([back]).collect::<Vec<_>>().join("; ");
            session.sql(&statements).await;
        }
        session.sql(&format!("UPDATE two_{name} SET c = 'd', n = n + 1000, v = 'moved'")).await;
    }
    compare(&scene, &daemon, |count| count).await;

    // Each in its own transaction: two keys are swapped by way of a third row, then half of the rows go.
    for (name, _, values) in KEYS {
        let [a, b] = [values[0], values[1]];
        session
            .sql(&format!("DELETE FROM one_{name} WHERE n = 2; UPDATE one_{name} SET v = 'x', n = n + 10"))
            .await;
        session
            .sql(&format!(
                "UPDATE one_{name} SET k = {b} WHERE n = 11; DELETE FROM two_{name} WHERE n >= 1100"
            ))
            .await;
        session.sql(&format!("UPDATE one_{name} SET k = {a} WHERE n = 11")).await;
    }
    compare(&scene, &daemon, |count| count - 1).await;
    put_right(&scene, &daemon).await;
    let task = daemon.task().await.unwrap();
    for (table, status) in &task.tables {
        assert_eq!(status.drift, 0, "{table}: {:?}", status.drift_example);
    }
}

/// Of each key type: one row is missing from the target, one is extra, and one has another value.
async fn put_right(scene: &Scene<'_>, daemon: &crate::harness::Daemon) {
    let schema = &scene.source.name;
    let mut unlogged = scene.source.session().await;
    unlogged.sql(&format!("SET sql_log_bin = 0; {LOOSE}")).await;
    let mut expected = std::collections::BTreeMap::new();
    for (name, ..) in KEYS {
        for table in [format!("one_{name}"), format!("two_{name}")] {
            let numbers = scene.source.sql(&format!("SELECT n FROM {table} ORDER BY n")).await;
            let numbers: Vec<String> = numbers.into_iter().flatten().flatten().collect();
            let [first, others @ .., last] = numbers.as_slice() else { panic!("{table}: {numbers:?}") };
            scene.target.sql(&format!("DELETE FROM {schema}.{table} WHERE n = {first}")).await;
            if let Some(second) = others.first() {
                scene.target.sql(&format!("UPDATE {schema}.{table} SET v = 'hand' WHERE n = {second}")).await;
            }
            unlogged.sql(&format!("DELETE FROM {table} WHERE n = {last}")).await;
            expected.insert(table, (1, u64::from(!others.is_empty()), 1));
        }
    }
    let said = crate::verify::verdicts(daemon, &["--repair"]).await;
    let counts = said.iter().map(|(table, it)| (table.clone(), (it.missing, it.different, it.extra)));
    assert_eq!(counts.collect::<std::collections::BTreeMap<_, _>>(), expected);
    assert!(said.values().all(|it| it.undecided == 0 && it.not_looked_for.is_empty()), "{said:?}");
    compare(scene, daemon, |count| count - 2).await;
    crate::verify::assert_verified(daemon).await;
}

async fn insert(session: &mut crate::harness::MysqlSession, name: &str, at: usize, value: &str) {
    session
        .sql(&format!(
            "INSERT INTO one_{name} (n, k, v) VALUES ({at}, {value}, 'v{at}'); \
             INSERT INTO two_{name} (n, k, v) VALUES ({at}, {value}, 'v{at}')"
        ))
        .await;
}

async fn compare(scene: &Scene<'_>, daemon: &crate::harness::Daemon, rows: impl Fn(usize) -> usize) {
    scene.wait_applied(daemon).await;
    for (name, _, values) in KEYS {
        for table in ["one", "two"] {
            assert_eq!(
                scene.assert_equal(&format!("{table}_{name}")).await,
                rows(values.len()),
                "{table}_{name}"
            );
        }
    }
}
