//! Chunks part a table: for every key type, with bounds of every kind in it, each row lies in exactly one chunk.

use crate::harness::{Mysql, MysqlDatabase, mysql97};
use crate::harness::{mariadb, mysql56};
use rowferry::testing::change::TableName;
use rowferry::testing::config::types::{Selection, SourceEndpoint, SourceTlsMode, TlsFiles};
use rowferry::testing::schema::Table;
use rowferry::testing::source::snapshot::ChunkKey;
use rowferry::testing::source::{Server, Wire};
use std::collections::BTreeSet;

/// Key columns, the primary key, and rows of SQL values: the ends of the type's range, values whose neighbours differ in
/// the last digit or bit, and those whose text orders otherwise.
const KEYS: &[(&str, &str, &str, &[&str])] = &[
    ("tinyint", "k TINYINT", "k", &["-128", "-1", "0", "1", "127"]),
    ("zerofill", "k INT(10) ZEROFILL", "k", &["0", "7", "42", "4294967295"]),
    (
        "bigint",
        "k BIGINT",
        "k",
        &["-9223372036854775808", "-9223372036854775807", "-1", "0", "9223372036854775807"],
    ),
    (
        "ubigint",
        "k BIGINT UNSIGNED",
        "k",
        &[
            "0",
            "1",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551614",
            "18446744073709551615",
        ],
    ),
    (
        "decimal65",
        "k DECIMAL(65,30)",
        "k",
        &[
            "-99999999999999999999999999999999999.999999999999999999999999999999",
            "-0.000000000000000000000000000001",
            "0",
            "0.000000000000000000000000000001",
            "12345678901234567890123456789012345.000000000000000000000000000001",
            "12345678901234567890123456789012345.000000000000000000000000000002",
        ],
    ),
    (
        "decimal40",
        "k DECIMAL(40,0)",
        "k",
        &["-1", "1234567890123456789012345678901234567890", "1234567890123456789012345678901234567891"],
    ),
    (
        "real4",
        "k FLOAT",
        "k",
        &["16777216", "16777220", "1677729", "0.1", "-0.1", "1e-40", "3e38", "-3e38", "0", "1.17549435e-38"],
    ),
    ("real4fixed", "k FLOAT(7,3)", "k", &["1.1", "1.101", "9999.999", "-0.001", "0"]),
    (
        "real8",
        "k DOUBLE",
        "k",
        &[
            "1.7976931348623157e308",
            "-1.7976931348623157e308",
            "-1.7976931348623155e308",
            "4.9e-324",
            "2.2250738585072014e-308",
            "2.225073858507201e-308",
            "0",
            "0.1",
            "0.30000000000000004",
            "0.3",
            "123456789012345678",
            "1e22",
        ],
    ),
    ("real8fixed", "k DOUBLE(20,4)", "k", &["0.1", "1.5", "-7", "1234567890123.1234", "1234567890123.1235"]),
    (
        "bit64",
        "k BIT(64)",
        "k",
        &["0", "1", "9223372036854775807", "9223372036854775808", "18446744073709551615"],
    ),
    ("bit1", "k BIT(1)", "k", &["0", "1"]),
    ("year", "k YEAR", "k", &["'0000'", "1901", "2000", "2001", "2155"]),
    (
        "date",
        "k DATE",
        "k",
        &["'0000-00-00'", "'2020-00-00'", "'2020-02-00'", "'2020-02-31'", "'1000-01-01'", "'9999-12-31'"],
    ),
    (
        "datetime",
        "k DATETIME(6)",
        "k",
        &[
            "'0000-00-00'",
            "'2020-00-00'",
            "'2020-02-31 01:01:01.000001'",
            "'2020-02-31 01:01:01.000002'",
            "'9999-12-31 23:59:59.999999'",
        ],
    ),
    (
        "timestamp",
        "k TIMESTAMP(3) NOT NULL DEFAULT '2020-01-01 00:00:00'",
        "k",
        &[
            "'0000-00-00'",
            "'1970-01-01 00:00:01.001'",
            "'2021-10-31 01:30:00'",
            "'2021-10-31 02:30:00'",
            "'2038-01-19 03:14:07.999'",
        ],
    ),
    (
        "time",
        "k TIME(6)",
        "k",
        &[
            "'-838:59:59'",
            "'-100:00:00'",
            "'-00:00:00.000001'",
            "'0:0:0'",
            "'99:00:00'",
            "'838:59:58.999999'",
        ],
    ),
    ("binary", "k BINARY(4)", "k", &["''", "x'00FF'", "x'27'", "x'5C27'", "x'FFFFFFFF'"]),
    ("varbinary", "k VARBINARY(10)", "k", &["''", "x'00'", "x'0000'", "x'27'", "x'5C'", "x'FF'"]),
    (
        "utf8mb4",
        "k VARCHAR(20) CHARACTER SET utf8mb4",
        "k",
        &["''", "'a'", "'B'", "'ö'", "'中'", "'😀'", r"'it''s \\ %'", "'c'", "'aa'"],
    ),
    (
        "utf8mb4bin",
        "k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "k",
        &["''", "'a'", "'A'", "'ä'", "'中'", "'😀'", "'Z'"],
    ),
    ("utf8", "k VARCHAR(20) CHARACTER SET utf8", "k", &["''", "'a'", "'B'", "'ö'", "'中'"]),
    (
        "latin1",
        "k CHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci",
        "k",
        &["''", "'ä'", "'az'", "'B'", "'ß'", "'€'"],
    ),
    (
        "gbk",
        "k VARCHAR(20) CHARACTER SET gbk",
        "k",
        &["''", "'a'", "'B'", "'中'", r"_gbk x'815C'", "_gbk x'CEC427'"],
    ),
    ("sjis", "k VARCHAR(20) CHARACTER SET sjis", "k", &["''", "'a'", "'表'", "'ソ'", "'中'"]),
    ("utf16", "k VARCHAR(20) CHARACTER SET utf16", "k", &["''", "'a'", "'B'", "'中'", "'😀'"]),
    ("ucs2", "k CHAR(20) CHARACTER SET ucs2", "k", &["''", "'a'", "'B'", "'中'"]),
    ("enum", "k ENUM('z','a','m','')", "k", &["'z'", "'a'", "'m'", "''", "0"]),
    ("set", "k SET('z','a','m')", "k", &["0", "1", "2", "3", "4", "5", "6", "7"]),
    (
        "composite",
        "a INT, b VARCHAR(10) CHARACTER SET utf8mb4, c ENUM('z','a')",
        "a, b, c",
        &[
            "1, '', 'z'",
            "1, '', 'a'",
            "1, 'b', 'z'",
            "1, 'B', 'a'",
            "1, 'c', 'z'",
            "2, '', 'a'",
            "2, 'a', 'z'",
            "3, 'a', 'a'",
        ],
    ),
    (
        "labelfirst",
        "e ENUM('z','a','m'), d DOUBLE, s SET('q','p')",
        "e, d, s",
        &[
            "'z', 0.1, 'q'",
            "'z', 0.1, 'p'",
            "'a', -1, ''",
            "'a', 0.3, 'q,p'",
            "'m', 0.30000000000000004, 'q'",
            "0, 7, 'p'",
            "'m', 0.3, 'p'",
        ],
    ),
    (
        "keyorder",
        "v INT, `odd``name` DATE, w BIGINT UNSIGNED",
        "w, `odd``name`",
        &[
            "1, '2020-01-01', 18446744073709551615",
            "2, '2020-01-02', 18446744073709551615",
            "3, '0000-00-00', 0",
            "4, '2020-01-01', 0",
        ],
    ),
];

fn endpoint(server: &Mysql) -> SourceEndpoint {
    SourceEndpoint {
        name: "chunks".into(),
        host: "127.0.0.1".into(),
        port: server.port(),
        user: "root".into(),
        password: "".into(),
        tls: SourceTlsMode::Disabled,
        tls_files: TlsFiles::default(),
    }
}

fn selection(database: &str) -> Selection {
    let pattern = format!("{database}.*");
    let include = globset::GlobSetBuilder::new().add(globset::Glob::new(&pattern).unwrap()).build().unwrap();
    Selection { patterns: vec![pattern], include, exclude: globset::GlobSet::empty() }
}

/// Reads the table chunk by chunk as the copy does, and gives the ids of each chunk.
async fn read_in_chunks(
    server: &mut Server,
    wire: &mut Wire,
    key: &ChunkKey,
    chunk_rows: u64,
) -> Vec<Vec<String>> {
    let mut chunks = Vec::new();
    let mut after: Option<Vec<String>> = None;
    loop {
        let upto = server.next_bound(key, after.as_deref(), chunk_rows).await.unwrap();
        let sql = key.chunk_query(&["id"], after.as_deref(), upto.as_deref()).unwrap();
        let rows = wire.query(&sql).await.unwrap();
        let ids = rows.into_iter().flatten().flatten();
        chunks.push(ids.map(|id| String::from_utf8(id.to_vec()).unwrap()).collect());
        assert!(chunks.len() < 1_000, "{sql} does not come to an end");
        match upto {
            Some(bound) => after = Some(bound),
            None => return chunks,
        }
    }
}

async fn create(database: &MysqlDatabase<'_>, name: &str, columns: &str, key: &str, rows: &[&str]) {
    let mut session = database.session().await;
    session.sql("SET NAMES utf8mb4; SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'").await;
    session
        .sql(&format!(
            "CREATE TABLE `{name}` ({columns}, id INT NOT NULL, PRIMARY KEY ({key}), KEY other (id))"
        ))
        .await;
    for (id, row) in rows.iter().enumerate() {
        session.sql(&format!("INSERT IGNORE INTO `{name}` VALUES ({row}, {id})")).await;
    }
    let count = session.one(&format!("SELECT COUNT(*) FROM `{name}`")).await;
    assert_eq!(count, rows.len().to_string(), "{name}: two of its values are one key");
}

async fn parts_every_key_type(mysql: &Mysql) {
    let database = mysql.database("chunk_boundaries").await;
    for (name, columns, key, rows) in KEYS {
        create(&database, name, columns, key, rows).await;
    }
    let endpoint = endpoint(mysql);
    let mut server = Server::connect(&endpoint).await.unwrap();
    let mut wire = Wire::connect(&endpoint).await.unwrap();
    let tables = server.tables(&selection(&database.name)).await.unwrap();
    assert_eq!(tables.len(), KEYS.len());
    for (name, _, _, rows) in KEYS {
        let table = tables.iter().find(|table| table.name.table == *name).unwrap();
        let key =
            ChunkKey::of(table, &table.primary_key).unwrap_or_else(|| panic!("{name} has no chunk key"));
        for chunk_rows in [1, 2, 3, 5, 100] {
            let chunks = read_in_chunks(&mut server, &mut wire, &key, chunk_rows).await;
            let full = usize::try_from(chunk_rows).unwrap();
            let (last, whole) = chunks.split_last().unwrap();
            assert!(whole.iter().all(|chunk| chunk.len() == full), "{name} by {chunk_rows}: {chunks:?}");
            assert!(last.len() < full, "{name} by {chunk_rows}: {chunks:?}");
            let seen: BTreeSet<&String> = chunks.iter().flatten().collect();
            assert_eq!(seen.len(), rows.len(), "{name} by {chunk_rows} misses a row: {chunks:?}");
            assert_eq!(chunks.iter().flatten().count(), rows.len(), "{name} by {chunk_rows}: {chunks:?}");
        }
    }
    server.close().await;
}

#[tokio::test]
async fn every_row_lies_in_exactly_one_chunk_whatever_the_key_type() {
    parts_every_key_type(mysql97().await).await;
}

#[tokio::test]
async fn every_row_lies_in_exactly_one_chunk_on_mysql_5_6() {
    parts_every_key_type(mysql56().await).await;
}

#[tokio::test]
async fn every_row_lies_in_exactly_one_chunk_on_mariadb() {
    parts_every_key_type(mariadb().await).await;
}

/// Index entries read by a query: what a chunk costs.
async fn index_reads(wire: &mut Wire, sql: &str) -> u64 {
    wire.execute("FLUSH STATUS").await.unwrap();
    wire.execute(sql).await.unwrap();
    let rows = wire.query("SHOW SESSION STATUS LIKE 'Handler_read%'").await.unwrap();
    let count = |row: &Vec<Option<bytes::Bytes>>| {
        String::from_utf8(row.get(1).unwrap().as_ref().unwrap().to_vec()).unwrap().parse::<u64>().unwrap()
    };
    rows.iter().map(count).sum()
}

async fn chunks_are_ranges(mysql: &Mysql) {
    let database = mysql.database("chunk_ranges").await;
    let digits = (0..10).map(|n| format!("SELECT {n} AS n")).collect::<Vec<_>>().join(" UNION ALL ");
    let numbers = format!(
        "(SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS i FROM ({digits}) a, ({digits}) b, ({digits}) c, ({digits}) d) s"
    );
    let tables = [
        ("one", "k INT", "k", "i"),
        ("txt", "k VARCHAR(20) CHARACTER SET utf8mb4", "k", "CONCAT('中', i)"),
        ("gbk", "k VARCHAR(20) CHARACTER SET gbk", "k", "CONCAT('a', i)"),
        ("deci", "k DECIMAL(40,3)", "k", "i * 1234567890123456789012345.5"),
        ("flo", "k FLOAT", "k", "i * 0.37"),
        ("bin", "k BINARY(16)", "k", "UNHEX(LPAD(HEX(i * 7919), 32, '0'))"),
        ("dat", "k DATETIME(6)", "k", "DATE_ADD('2000-01-01', INTERVAL i HOUR)"),
        ("bits", "k BIT(40)", "k", "i * 1000003"),
        ("lab", "e ENUM('z','y','x','w','v'), k INT", "e, k", "1 + (i MOD 5), i"),
        (
            "four",
            "a INT, b VARCHAR(20) CHARACTER SET utf8mb4, c DATETIME, d INT",
            "a, b, c, d",
            "i DIV 2000, CONCAT('v', (i DIV 100) MOD 20), DATE_ADD('2000-01-01', INTERVAL (i DIV 10) MOD 10 DAY), i",
        ),
    ];
    for (name, columns, key, values) in tables {
        database
            .sql(&format!(
                "CREATE TABLE {name} ({columns}, id INT NOT NULL, pad CHAR(50) DEFAULT '', PRIMARY KEY ({key})); \
                 INSERT INTO {name} SELECT {values}, i, '' FROM {numbers}; ANALYZE TABLE {name}"
            ))
            .await;
    }
    let endpoint = endpoint(mysql);
    let mut server = Server::connect(&endpoint).await.unwrap();
    let mut wire = Wire::connect(&endpoint).await.unwrap();
    for table in server.tables(&selection(&database.name)).await.unwrap() {
        let key = ChunkKey::of(&table, &table.primary_key).unwrap();
        let after = server.next_bound(&key, None, 4_000).await.unwrap().unwrap();
        let upto = server.next_bound(&key, Some(&after), 500).await.unwrap().unwrap();
        let sql = key.chunk_query(&["id", "pad"], Some(&after), Some(&upto)).unwrap();
        let reads = index_reads(&mut wire, &sql).await;
        assert!(reads < 550, "{}: {reads} index entries for 500 rows: {sql}", table.name);
    }
}

#[tokio::test]
async fn a_chunk_reads_its_own_part_of_the_index_only() {
    chunks_are_ranges(mysql97().await).await;
}

#[tokio::test]
async fn a_chunk_reads_its_own_part_of_the_index_only_on_mysql_5_6() {
    chunks_are_ranges(mysql56().await).await;
}

#[tokio::test]
async fn a_chunk_reads_its_own_part_of_the_index_only_on_mariadb() {
    chunks_are_ranges(mariadb().await).await;
}

#[tokio::test]
async fn a_key_over_a_column_prefix_is_no_key() {
    let database = mysql97().await.database("chunk_prefix").await;
    database
        .sql("CREATE TABLE t (t TEXT NOT NULL, u INT NOT NULL, PRIMARY KEY (t(10)), UNIQUE KEY u (u))")
        .await;
    let mut server = Server::connect(&endpoint(mysql97().await)).await.unwrap();
    let tables: Vec<Table> = server.tables(&selection(&database.name)).await.unwrap();
    let [table] = tables.as_slice() else { panic!("{tables:?}") };
    assert_eq!(table.name, TableName::new("chunk_prefix", "t"));
    assert!(table.primary_key.is_empty());
    assert_eq!(table.unique_keys.len(), 1);
    assert!(ChunkKey::of(table, &[1]).is_some());
}
