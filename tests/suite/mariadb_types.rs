//! Types that only MariaDB has: copied, streamed, added later, and in keys.

use crate::harness::{Daemon, Mysql, Scene, mariadb, mariadb118, postgres};

/// Values of UUID, INET4, INET6.
const ADDRESSES: [(&str, &str, &str); 12] = [
    ("'00000000-0000-0000-0000-000000000000'", "'0.0.0.0'", "'::'"),
    (
        "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "'255.255.255.255'",
        "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'",
    ),
    // Of versions 1, 4 and 7, of other variants, with zeros at the end.
    ("'123e4567-e89b-12d3-a456-426655440000'", "'10.1.2.3'", "'2001:db8::8:800:200c:417a'"),
    ("'0f8fad5b-d9cb-469f-a165-70867728950e'", "'10.0.0.0'", "'::ffff:1.2.3.4'"),
    ("'0190163d-8694-739b-aea5-966c26f8ad91'", "'0.0.0.1'", "'::1.2.3.4'"),
    ("'00112233-4455-6677-8899-aabbccddeeff'", "'192.168.0.1'", "'1:0:2:3:4:5:6:7'"),
    ("'123e4567-e89b-12d3-0456-426655440000'", "'1.0.0.0'", "'1:2:3:4:5:6:7:0'"),
    ("'123e4567-e89b-62d3-e456-420000000000'", "'127.0.0.1'", "'0:1:0:0:1:0:0:1'"),
    ("'80000000-0000-1000-8000-000000000000'", "'128.0.0.0'", "'fe80::'"),
    ("'00000000-0000-1000-8000-000000000001'", "'0.0.255.0'", "'::1'"),
    ("'6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "'224.0.0.1'", "'::ffff:0:0'"),
    ("NULL", "NULL", "NULL"),
];

async fn addresses(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let mut source = scene.source.session().await;
    source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, a UUID, b INET4, c INET6, ta UUID, tb INET4, tc INET6, n INT); \
             CREATE TABLE by_uuid (k UUID PRIMARY KEY, v INT); CREATE TABLE by_inet4 (k INET4 PRIMARY KEY, v INT); \
             CREATE TABLE by_inet6 (k INET6 PRIMARY KEY, v INT); CREATE TABLE by_all (a INET6, b UUID, c INET4, v INT, PRIMARY KEY (b, a, c)); \
             INSERT INTO by_uuid SELECT IF(seq % 2, UUID(), CONCAT(LEFT(MD5(seq), 12), '4', SUBSTR(MD5(seq), 14))), seq FROM seq_1_to_300; \
             INSERT IGNORE INTO by_inet6 SELECT INET6_NTOA(UNHEX(MD5(seq))), seq FROM seq_1_to_300",
        )
        .await;
    let keyed = |a: &str, b: &str, c: &str, v: u32| {
        let tables = [("by_uuid", a), ("by_inet4", b), ("by_inet6", c)];
        let single = tables.map(|(table, k)| format!("REPLACE INTO {table} VALUES ({k}, {v}); "));
        format!("{}REPLACE INTO by_all (a, b, c, v) VALUES ({c}, {a}, {b}, {v})", single.concat())
    };
    for (id, (a, b, c)) in (1..).zip(ADDRESSES) {
        source.sql(&format!("INSERT INTO t VALUES ({id}, {a}, {b}, {c}, {a}, {b}, {c}, 0)")).await;
        if id % 2 == 1 {
            source.sql(&keyed(a, b, c, id)).await;
        }
    }
    let config = scene.config().task("snapshot", "{ chunk_rows = 37 }").more(&format!(
        "[task.main.table.\"{name}.t\"]\ntypes = {{ ta = \"text\", tb = \"varchar(15)\", tc = \"varchar(39)\" }}"
    ));
    let daemon = scene.start_with(&config).await;
    let tables = ["t", "by_uuid", "by_inet4", "by_inet6", "by_all"];
    scene.assert_exact(&daemon, &tables).await;
    for (id, (a, b, c)) in (1..).zip(ADDRESSES) {
        source
            .sql(&format!(
                "INSERT INTO t VALUES ({}, {a}, {b}, {c}, {a}, {b}, {c}, 0); UPDATE t SET a = {a}, tb = {b}, tc = {c} WHERE id = {}",
                id + 20,
                14 - id
            ))
            .await;
        if a != "NULL" {
            source.sql(&keyed(a, b, c, id + 100)).await;
        }
    }
    source
        .sql(
            "UPDATE by_uuid SET k = UUID() WHERE v % 3 = 0; DELETE FROM by_inet6 WHERE v % 4 = 0; \
             UPDATE by_inet4 SET k = '9.9.9.9' WHERE k = '10.1.2.3'; DELETE FROM by_all WHERE v = 101",
        )
        .await;
    scene.assert_exact(&daemon, &tables).await;
    crate::verify::assert_verified(&daemon).await;
    // Added later: what rows that are there get, in any spelling.
    source
        .sql(
            "ALTER TABLE t ADD n1 UUID NOT NULL, ADD n2 INET4 NOT NULL, ADD n3 INET6 NOT NULL; UPDATE t SET n1 = a WHERE id = 5; \
             ALTER TABLE t ADD d1 UUID DEFAULT '123E4567E89B12D3A456426655440000' AFTER a, ADD d2 INET4 DEFAULT '1.2.3.4', \
             ADD d3 INET6 NOT NULL DEFAULT '1:0:0:2:0:0:0:0', ADD d4 INET6 DEFAULT '::FFFF:1.2.3.4', ADD d5 INET6, \
             ADD d6 UUID DEFAULT NULL; UPDATE t SET d1 = NULL, d2 = b, d3 = '::', d4 = c, d5 = c, d6 = ta WHERE id < 8; \
             ALTER TABLE t MODIFY n INT AFTER id; UPDATE t SET n = 1",
        )
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.kill9();
    let daemon = Daemon::start(&config);
    source.sql("UPDATE t SET n = 2, d1 = ta; DELETE FROM by_uuid WHERE v % 5 = 0").await;
    scene.assert_exact(&daemon, &tables).await;
    crate::verify::assert_verified(&daemon).await;
}

#[tokio::test]
async fn uuids_and_addresses_are_carried_from_mariadb_10_11() {
    addresses(mariadb().await, "addresses").await;
}

#[tokio::test]
async fn uuids_and_addresses_are_carried_from_mariadb_11_8() {
    let mysql = Mysql::start("mariadb118", &["--binlog-row-metadata=FULL"]).await;
    addresses(&mysql, "addresses_118").await;
}

async fn compressed(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let mut source = scene.source.session().await;
    source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20) COMPRESSED CHARACTER SET latin1, b VARCHAR(254) COMPRESSED CHARACTER SET latin1, \
             c VARCHAR(255) COMPRESSED CHARACTER SET latin1, d VARCHAR(3000) COMPRESSED CHARACTER SET utf8mb4, e VARBINARY(300) COMPRESSED, \
             f TINYTEXT COMPRESSED CHARACTER SET utf8mb4, g TEXT COMPRESSED CHARACTER SET latin1, h MEDIUMTEXT COMPRESSED, i LONGTEXT COMPRESSED, \
             j TINYBLOB COMPRESSED, k BLOB COMPRESSED, l MEDIUMBLOB COMPRESSED, m LONGBLOB COMPRESSED, n INT); \
             CREATE TABLE g (id INT PRIMARY KEY, a VARCHAR(20) COMPRESSED, p VARCHAR(30) AS (CONCAT(a, 'x')), \
             q VARCHAR(300) COMPRESSED AS (REPEAT(a, 10)), n INT); INSERT INTO g (id, a) VALUES (1, 'a'), (2, REPEAT('z', 20)), (3, ''), (4, NULL)",
        )
        .await;
    let rows = |from: u32| {
        let texts = ["''", "'a'", "'é'", "REPEAT('é', 20)", "REPEAT('z', 20)", "NULL"];
        let long = ["''", "'b'", "REPEAT('ß', 250)", "REPEAT('long', 60)", "REPEAT('y', 254)", "NULL"];
        let bytes = ["x''", "x'00'", "REPEAT(x'00ff', 100)", "x'8900'", "REPEAT('y', 255)", "NULL"];
        let huge = ["''", "'c'", "REPEAT('ü', 3000)", "REPEAT('many ', 600)", "REPEAT('w', 2999)", "NULL"];
        let mut sql = String::new();
        for (at, (((text, long), bytes), huge)) in (from..).zip(texts.iter().zip(long).zip(bytes).zip(huge)) {
            sql.push_str(&format!(
                "INSERT INTO t (id, a, b, c, d, e, f, g, h, i, j, k, l, m) VALUES ({at}, {text}, {long}, {long}, {huge}, {bytes}, \
                 LEFT({long}, 100), {huge}, {huge}, REPEAT({huge}, 100), {bytes}, REPEAT({bytes}, 20), {huge}, REPEAT({huge}, 30)); "
            ));
        }
        sql
    };
    source.sql(&rows(1)).await;
    let daemon = scene.start().await;
    source.sql(&rows(11)).await;
    for wrap in ["ON", "OFF"] {
        source
            .sql(&format!(
                "SET column_compression_zlib_wrap = {wrap}, column_compression_threshold = 1; UPDATE t SET n = 1, a = CONCAT(LEFT(a, 10), id), \
                 b = REVERSE(b), d = REVERSE(d), m = REVERSE(m), k = CONCAT(LEFT(k, 100), 'z'); {}",
                rows(if wrap == "ON" { 21 } else { 31 })
            ))
            .await;
        source.sql("UPDATE g SET n = 1; UPDATE g SET a = REVERSE(CONCAT(LEFT(a, 9), id)); UPDATE g SET id = id + 10; REPLACE INTO g (id, a) VALUES (11, 'é')").await;
        scene.assert_exact(&daemon, &["t", "g"]).await;
    }
    crate::verify::assert_verified(&daemon).await;
    // It comes and goes, and columns come that have it from the first.
    for alter in [
        "ALTER TABLE t MODIFY a VARCHAR(20) CHARACTER SET latin1, MODIFY k BLOB",
        "ALTER TABLE t MODIFY a VARCHAR(20) COMPRESSED=zlib CHARACTER SET latin1, ADD q VARCHAR(40) COMPRESSED DEFAULT 'new', ADD r TEXT COMPRESSED",
        "ALTER TABLE t MODIFY q VARCHAR(50) COMPRESSED, MODIFY r MEDIUMTEXT COMPRESSED NULL",
    ] {
        source.sql(&format!("{alter}; UPDATE t SET n = n + 1, a = 'moved', k = REPEAT('k', 200); UPDATE t SET d = 'x' WHERE id = 2")).await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
    source.sql("UPDATE t SET q = REPEAT('q', 45), r = REPEAT(id, 300); DELETE FROM t WHERE id = 1").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn compressed_columns_are_carried_from_mariadb_10_11() {
    compressed(mariadb().await, "compressed").await;
}

#[tokio::test]
async fn compressed_columns_are_carried_from_mariadb_11_8() {
    let mysql = Mysql::start("mariadb118", &["--binlog-row-metadata=FULL"]).await;
    compressed(&mysql, "compressed_118").await;
}

#[tokio::test]
async fn vectors_are_carried_from_mariadb_11_8() {
    let scene = Scene::on(mariadb118().await, postgres().await, "vectors").await;
    let mut source = scene.source.session().await;
    source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v VECTOR(3) NOT NULL, w VECTOR(1), n INT, VECTOR INDEX (v)); \
             INSERT INTO t VALUES (1, VEC_FromText('[1, -2.5, 1e-9]'), NULL, 0), (2, VEC_FromText('[0, 0, 0]'), VEC_FromText('[0.5]'), 0)",
        )
        .await;
    let daemon = scene.start().await;
    source
        .sql(
            "INSERT INTO t VALUES (3, VEC_FromText('[1, 2, 3]'), VEC_FromText('[0.1]'), 0); UPDATE t SET n = 1; \
             UPDATE t SET v = VEC_FromText('[9, 8, 7]'), w = NULL WHERE id = 2; REPLACE INTO t VALUES (1, VEC_FromText('[4, 5, 6]'), NULL, 1); \
             ALTER TABLE t ADD big VECTOR(100); UPDATE t SET n = 2; DELETE FROM t WHERE id = 3; UPDATE t SET w = VEC_FromText('[-0.0]')",
        )
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
    crate::verify::assert_verified(&daemon).await;
}

/// JSON is text to MariaDB, and another type where that is asked for.
#[tokio::test]
async fn json_of_mariadb_is_text_or_what_is_asked_for() {
    for mysql in [mariadb().await, mariadb118().await] {
        let name = format!("json_{}", mysql.kind());
        let scene = Scene::on(mysql, postgres().await, &name).await;
        let documents = [
            "{\"a\": 1.50, \"bb\":[true, null]}",
            "[1e3, -0.5]",
            "\"te\\\\u00e9xt 😀\"",
            "null",
            "12345678901234567890.1",
            "{}",
        ];
        let mut source = scene.source.session().await;
        source.sql("CREATE TABLE t (id INT PRIMARY KEY, p JSON, b JSON, j JSON, n INT)").await;
        let insert = |from: usize| {
            let row = |(at, document): (usize, &&str)| {
                let document = document.replace('\'', "''");
                format!("INSERT INTO t VALUES ({}, '{document}', '{document}', '{document}', 0); ", at + from)
            };
            documents.iter().enumerate().map(row).collect::<String>()
        };
        source.sql(&insert(1)).await;
        let types = format!("[task.main.table.\"{name}.t\"]\ntypes = {{ b = \"jsonb\", j = \"json\" }}");
        let daemon = scene.start_with(&scene.config().more(&types)).await;
        source.sql(&insert(11)).await;
        source.sql("UPDATE t SET n = 1; UPDATE t SET b = NULL WHERE id = 2; UPDATE t SET b = '{\"x\": [{}]}', j = b, p = b WHERE id = 3").await;
        scene.assert_exact(&daemon, &["t"]).await;
        let kinds = "SELECT string_agg(data_type, ' ' ORDER BY column_name) FROM information_schema.columns \
            WHERE table_name = 't' AND column_name IN ('p', 'b', 'j') AND table_schema = '";
        assert_eq!(scene.target.one(&format!("{kinds}{name}'")).await, "jsonb json text");
        crate::verify::assert_verified(&daemon).await;
    }
}

/// Times in the format of MariaDB 5.3: without a fraction carried, with one refused, and skipped where they are left out.
#[tokio::test]
async fn times_in_the_old_format_are_carried_or_refused_by_name() {
    for kind in ["mariadb", "mariadb118"] {
        let mysql = Mysql::start(kind, &["--mysql56-temporal-format=OFF"]).await;
        let name = format!("old_times_{kind}");
        let scene = Scene::on(&mysql, postgres().await, &name).await;
        let fractions: String = (1..=6)
            .map(|f| format!("a{f} TIME({f}), b{f} DATETIME({f}), c{f} TIMESTAMP({f}) NULL, "))
            .collect();
        let columns = "t TIME, d DATETIME, s TIMESTAMP NULL";
        let values = |at: &str| {
            let (time, date) = (format!("'-12:{at}:58.987654'"), format!("'2024-02-29 12:{at}:58.987654'"));
            let each: String = (1..=6).map(|_| format!("{time}, {date}, {date}, ")).collect();
            format!("{each}'-838:{at}:59', '2024-02-29 {at}:59:58', '2024-02-29 {at}:59:58'")
        };
        let mut source = scene.source.session().await;
        source
            .sql(&format!(
                "CREATE TABLE o (id INT PRIMARY KEY, {fractions}{columns}, v INT); INSERT INTO o VALUES (1, {}, 1), (2, {}, 2)",
                values("10"),
                values("11")
            ))
            .await;
        let output = crate::harness::rowferry(&["check", "-c", &scene.config().file()]).await;
        assert_eq!(output.code, 1, "{}", output.stdout);
        for word in ["a1", "b3", "c6", "mysql56_temporal_format = ON", "ALTER TABLE … FORCE"] {
            assert!(output.stdout.contains(word), "{word}: {}", output.stdout);
        }
        let excluded: Vec<String> =
            (1..=6).flat_map(|f| ["a", "b", "c"].map(|c| format!("\"{c}{f}\""))).collect();
        let config = scene
            .config()
            .more(&format!("[task.main.table.\"{name}.o\"]\nexclude_columns = [{}]", excluded.join(", ")));
        let daemon = scene.start_with(&config).await;
        source
            .sql(&format!(
                "INSERT INTO o VALUES (3, {}, 3); UPDATE o SET v = 9, d = d + INTERVAL 1 DAY; UPDATE o SET a3 = '1:2:3.4' WHERE id = 2; DELETE FROM o WHERE id = 1",
                values("12")
            ))
            .await;
        scene.wait_applied(&daemon).await;
        let mut comparison = crate::harness::Comparison::new(&format!("{name}.o"), &format!("{name}.o"));
        for column in &excluded {
            comparison = comparison.skip(column.trim_matches('"'));
        }
        assert_eq!(comparison.run(&mysql, &scene.target).await, Ok(2));
        daemon.terminate();
        // What is told helps.
        let other = Scene::on(&mysql, postgres().await, &format!("{name}_anew")).await;
        other
            .source
            .sql(&format!("CREATE TABLE o LIKE {name}.o; INSERT INTO o SELECT * FROM {name}.o"))
            .await;
        mysql.sql("SET GLOBAL mysql56_temporal_format = ON").await;
        other.source.sql("ALTER TABLE o FORCE").await;
        let daemon = other.start().await;
        other.source.sql(&format!("INSERT INTO o VALUES (7, {}, 3); UPDATE o SET v = 8", values("13"))).await;
        other.assert_exact(&daemon, &["o"]).await;
    }
}
