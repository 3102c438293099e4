//! A server whose globals are all set against us: no session of ours may be the worse for it.

use crate::harness::{DEADLINE, Daemon, Kind, Mysql, Proxy, Scene, eventually, postgres};
use rowferry::testing::config::types::{SourceEndpoint, SourceTlsMode, TlsFiles};
use rowferry::testing::source::{SourceError, SourceErrorKind, Wire};

/// Globals that new sessions begin with, and what changes for those who take them as they come.
const HOSTILE: &[(&str, &str)] = &[
    ("time_zone", "'+09:00'"),
    (
        "sql_mode",
        "'PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
    ),
    ("sql_select_limit", "1"),
    ("max_join_size", "1"),
    ("sql_buffer_result", "1"),
    ("max_sort_length", "8"),
    ("group_concat_max_len", "4"),
    ("max_execution_time", "1"),
    ("show_gipk_in_create_table_and_information_schema", "OFF"),
    ("transaction_isolation", "'READ-UNCOMMITTED'"),
    ("autocommit", "0"),
    ("completion_type", "2"),
    ("character_set_client", "latin1"),
    ("character_set_connection", "latin1"),
    ("character_set_results", "latin1"),
    ("net_write_timeout", "1"),
    ("net_read_timeout", "1"),
    ("wait_timeout", "1"),
    ("interactive_timeout", "1"),
    ("lock_wait_timeout", "1"),
    ("binlog_rows_query_log_events", "ON"),
    // Not run for root, but for whom we log in as.
    ("init_connect", "'SET NAMES latin1; SET SESSION sql_select_limit = 1, time_zone = \"-03:00\"'"),
];

fn set_globals(value: impl Fn(&str, &str) -> String) -> String {
    let sets: Vec<String> =
        HOSTILE.iter().map(|(name, hostile)| format!("GLOBAL {name} = {}", value(name, hostile))).collect();
    format!("SET {}", sets.join(", "))
}

fn hostile() -> String {
    set_globals(|_, hostile| hostile.to_owned())
}

fn friendly() -> String {
    set_globals(|name, _| if name == "init_connect" { "''" } else { "DEFAULT" }.to_owned())
}

/// A user without administrative privileges.
const FERRY: &str = "CREATE USER ferry IDENTIFIED BY 'secret'; GRANT SELECT, INSERT ON *.* TO ferry; \
    GRANT REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO ferry";

async fn wire(mysql: &Mysql) -> Wire {
    let endpoint = SourceEndpoint {
        name: "hostile".into(),
        host: "127.0.0.1".into(),
        port: mysql.port(),
        user: "ferry".into(),
        password: "secret".to_owned().into(),
        tls: SourceTlsMode::Disabled,
        tls_files: TlsFiles::default(),
    };
    Wire::connect(&endpoint).await.unwrap()
}

/// The first column of all rows, or the error.
async fn column(wire: &mut Wire, sql: &str) -> String {
    match wire.query(sql).await {
        Ok(rows) => {
            let fields = rows.into_iter().map(|mut row| row.swap_remove(0));
            let texts = fields.map(|field| String::from_utf8_lossy(&field.unwrap_or_default()).into_owned());
            texts.collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    }
}

/// One question for each pin whose effect a single session can see, and the answer of a friendly server.
const QUESTIONS: &[(&str, &str, &str)] = &[
    ("time_zone", "SELECT ts FROM d.v", "2024-01-01 00:00:00"),
    ("PAD_CHAR_TO_FULL_LENGTH", "SELECT CONCAT('[', c, ']') FROM d.v", "[ab]"),
    ("NO_BACKSLASH_ESCAPES", r"SELECT LENGTH('a\nb')", "3"),
    ("ANSI_QUOTES", r#"SELECT "text""#, "text"),
    ("PIPES_AS_CONCAT", "SELECT 1 || 0", "1"),
    ("NO_ZERO_DATE", "SELECT COUNT(*) FROM d.v WHERE day > '0000-00-00'", "1"),
    ("NO_ZERO_IN_DATE", "SELECT COUNT(*) FROM d.v WHERE day > '2023-00-00'", "1"),
    ("ALLOW_INVALID_DATES", "SELECT COUNT(*) FROM d.v WHERE day > '2023-02-31'", "1"),
    ("sql_select_limit", "SELECT id FROM d.three ORDER BY id", "1 2 3"),
    ("sql_big_selects", "SELECT COUNT(*) FROM d.three a, d.three b, d.three c", "27"),
    ("sql_buffer_result", "SELECT @@SESSION.sql_buffer_result", "0"),
    ("max_sort_length", "SELECT id FROM d.long_text ORDER BY w", "3 2 1"),
    ("group_concat_max_len", "SELECT GROUP_CONCAT(id * 1000 ORDER BY id) FROM d.three", "1000,2000,3000"),
    ("max_execution_time", "SELECT SLEEP(0.05)", "0"),
    (
        "show_gipk_in_create_table_and_information_schema",
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'd' AND TABLE_NAME = 'no_key' ORDER BY ORDINAL_POSITION",
        "my_row_id v",
    ),
    ("transaction_isolation", "SELECT id FROM d.dirty", "1"),
    ("character_set_results", "SELECT t FROM d.v", "é中😀"),
    ("character_set_client", "SELECT COUNT(*) FROM d.v WHERE t = 'é中😀'", "1"),
    (
        "net_write_timeout",
        "SELECT @@SESSION.net_write_timeout >= 600 AND @@SESSION.net_read_timeout >= 60",
        "1",
    ),
    ("wait_timeout", "SELECT @@SESSION.wait_timeout >= 3600 AND @@SESSION.lock_wait_timeout >= 10", "1"),
];

#[tokio::test]
async fn no_session_takes_over_a_hostile_global() {
    let mysql = Mysql::private(&[]).await;
    mysql.sql(FERRY).await;
    let mut friend = mysql.session().await;
    friend
        .sql(
            "CREATE DATABASE d; USE d; SET time_zone = '+00:00', sql_mode = ''; \
             CREATE TABLE v (ts TIMESTAMP, c CHAR(9), day DATE, t VARCHAR(20)); \
             INSERT INTO v VALUES ('2024-01-01 00:00:00', 'ab', '2024-05-05', 'é中😀'); \
             CREATE TABLE three (id INT PRIMARY KEY); INSERT INTO three VALUES (1), (2), (3); \
             CREATE TABLE long_text (id INT PRIMARY KEY, w LONGTEXT COLLATE utf8mb4_general_ci); \
             INSERT INTO long_text VALUES (1, CONCAT(REPEAT('x', 1500), 'c')), (2, CONCAT(REPEAT('x', 1500), 'b')), \
               (3, CONCAT(REPEAT('x', 1500), 'a')); \
             CREATE TABLE dirty (id INT PRIMARY KEY); INSERT INTO dirty VALUES (1); \
             SET SESSION sql_generate_invisible_primary_key = ON; CREATE TABLE no_key (v INT)",
        )
        .await;
    let mut writer = mysql.session().await;
    friend.sql("BEGIN; INSERT INTO dirty VALUES (2)").await;
    writer.sql(&hostile()).await;

    let mut wire = wire(&mysql).await;
    let mut wrong = Vec::new();
    for (pin, question, answer) in QUESTIONS {
        let found = column(&mut wire, question).await;
        if found != *answer {
            wrong.push(format!("{pin}: {question} gives {found:?} instead of {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Each read is a transaction of its own: the second sees what came in between.
    writer.sql("INSERT INTO d.three VALUES (4)").await;
    assert_eq!(column(&mut wire, "SELECT COUNT(*) FROM d.three").await, "4", "autocommit is off");
    // The session lives on after a COMMIT.
    wire.execute("BEGIN").await.unwrap();
    wire.execute("COMMIT").await.unwrap();
    assert_eq!(column(&mut wire, "SELECT 1").await, "1", "completion_type ended the session");
    // And it cannot write, whatever its user may.
    match wire.execute("INSERT INTO d.three VALUES (5)").await {
        Err(SourceError { kind: SourceErrorKind::Server { code: 1792, .. }, .. }) => {}
        other => panic!("a session of ours can write: {other:?}"),
    }
    friend.sql("ROLLBACK").await;
}

#[tokio::test]
async fn a_copy_and_a_stream_under_hostile_globals_are_exact() {
    let (mysql, postgres) = tokio::join!(Mysql::private(&[]), postgres());
    let scene = Scene::on(&mysql, postgres, "hostile").await;
    mysql.sql(FERRY).await;
    let mut writer = scene.source.session().await;
    writer
        .sql(
            r#"SET NAMES utf8mb4; SET time_zone = '+00:00', sql_mode = '', sql_generate_invisible_primary_key = ON;
               CREATE TABLE v (id INT PRIMARY KEY, ts TIMESTAMP(3) NULL, c CHAR(9), day DATE, t VARCHAR(40), f FLOAT);
               INSERT INTO v VALUES (1, '2024-01-01 00:00:00.5', 'ab', '2024-05-05', 'é中😀', 16777217),
                 (2, '2024-07-01 12:00:00', '', '0000-00-00', 'a\\b"c', 0.1), (3, NULL, 'x  ', '2024-00-10', NULL, -0.0),
                 (4, '1970-01-01 00:00:01', 'y', NULL, '', 1e30);
               CREATE TABLE texts (k VARCHAR(700) PRIMARY KEY, v INT);
               INSERT INTO texts VALUES ('a\\b', 1), ('a"b', 2), ('it''s', 3), ('a|b', 4), ('é', 5), ('中', 6), ('😀', 7),
                 (CONCAT(REPEAT('x', 690), 'c'), 8), (CONCAT(REPEAT('x', 690), 'b'), 9), (CONCAT(REPEAT('x', 690), 'a'), 10),
                 (CONCAT(REPEAT('x', 690), 'd'), 11), ('tab\tand\nline', 12);
               CREATE TABLE times (k TIMESTAMP, d DATETIME, v INT, PRIMARY KEY (k, d));
               INSERT INTO times WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
                 SELECT '2024-01-01' + INTERVAL i HOUR, '2024-01-01' + INTERVAL i DAY, i FROM n;
               CREATE TABLE no_key (v INT); INSERT INTO no_key VALUES (1), (1), (2), (3), (3);
               CREATE TABLE wide (id INT PRIMARY KEY, v LONGTEXT);
               INSERT INTO wide WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24)
                 SELECT i, REPEAT(CHAR(64 + i), 1 << 20) FROM n"#,
        )
        .await;
    // Rows that a read without isolation would find, and that never were.
    let mut dirty = scene.source.session().await;
    dirty.sql("BEGIN; INSERT INTO v (id) VALUES (100); UPDATE v SET c = 'dirty' WHERE id = 1; DELETE FROM texts WHERE v = 7").await;
    writer.sql(&hostile()).await;

    let proxy = Proxy::start(postgres.port());
    let slow = proxy.hold("COPY \"hostile\".\"wide\"");
    let url = format!("\"mysql://ferry:secret@127.0.0.1:{}\"", mysql.port());
    let config = scene.config_through(None, Some(&proxy)).source("url", &url);
    let daemon = Daemon::start(&config.task("snapshot", "{ parallel = 2, chunk_rows = 3 }"));
    // The target is slow, longer than the source would wait for its rows to be taken or for us to speak.
    slow.wait().await;
    let waits = "SELECT COUNT(*) FROM information_schema.processlist \
         WHERE user = 'ferry' AND command NOT LIKE 'Binlog Dump%' AND time > 2";
    eventually(DEADLINE, "the source has waited for longer than it would", async || {
        writer.one(waits).await != "0"
    })
    .await;
    drop(slow);
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(task.restarts, 0, "a session was lost:\n{}", daemon.log_tail());
    dirty.sql("ROLLBACK").await;
    writer
        .sql(
            r#"UPDATE v SET ts = '2024-03-31 01:30:00', c = 'cd ', t = 'x\\y' WHERE id = 2; DELETE FROM texts WHERE v = 10;
               INSERT INTO texts VALUES ('n\\ew', 20), ('中中', 21); UPDATE times SET k = k + INTERVAL 1 YEAR WHERE v > 10;
               INSERT INTO no_key VALUES (4); UPDATE no_key SET v = 9 WHERE v = 1; DELETE FROM wide WHERE id < 20"#,
        )
        .await;
    // The comparing sessions take globals as they come.
    writer.sql(&friendly()).await;
    eventually(DEADLINE, "new sessions are friendly", async || {
        scene.source.one("SELECT @@SESSION.sql_select_limit > 1").await == "1"
    })
    .await;
    scene.assert_exact(&daemon, &["v", "texts", "times", "no_key", "wide"]).await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}

/// What 5.6 and MariaDB call otherwise, or have alone.
const HOSTILE_ELSEWHERE: &[(&str, &str)] = &[
    ("tx_isolation", "'READ-UNCOMMITTED'"),
    ("binlog_annotate_row_events", "ON"),
    ("max_statement_time", "0.001"),
    ("idle_transaction_timeout", "1"),
    ("idle_readonly_transaction_timeout", "1"),
    ("sql_quote_show_create", "OFF"),
    ("old", "ON"),
    ("tx_read_only", "ON"),
    ("session_track_system_variables", "'*'"),
    ("in_predicate_conversion_threshold", "2"),
];

async fn copied_and_followed_there(kind: Kind) {
    let (mysql, postgres) = tokio::join!(kind.private(&[]), postgres());
    let name = format!("hostile_{}", kind.name());
    let scene = Scene::on(&mysql, postgres, &name).await;
    mysql
        .sql("CREATE USER ferry IDENTIFIED BY 'secret'; GRANT SELECT, INSERT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO ferry")
        .await;
    let mut writer = scene.source.session().await;
    let modes = if kind == Kind::Maria { "ORACLE,EMPTY_STRING_IS_NULL" } else { "ORACLE,MAXDB" };
    let modes =
        format!("'{modes},PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE'");
    let mut hostile = Vec::new();
    for (global, value) in HOSTILE.iter().chain(HOSTILE_ELSEWHERE) {
        let there = format!(
            "SELECT COUNT(*) FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = '{global}'"
        );
        let both = format!("SET SESSION {global} = @@GLOBAL.{global}");
        // Those that sessions take over.
        if writer.one(&there).await == "1"
            && (writer.try_sql(&both).await.is_ok() || *global == "init_connect")
        {
            let value = if *global == "sql_mode" { modes.as_str() } else { value };
            hostile.push((*global, value.replace("\"-03:00\"", "''-03:00''")));
        }
    }
    assert!(hostile.len() > 15, "{hostile:?}");
    writer
        .sql(
            r"SET NAMES utf8mb4; SET SESSION time_zone = '+00:00', sql_mode = '';
              CREATE TABLE v (id INT PRIMARY KEY, ts TIMESTAMP NULL, c CHAR(9), day DATE, t VARCHAR(40), f FLOAT) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
              INSERT INTO v VALUES (1, '2024-01-01 00:00:00', 'ab', '2024-05-05', 'é中😀', 16777217), (2, '2024-07-01 12:00:00', '', '0000-00-00', 'a\\b', 0.1),
                (3, NULL, 'x  ', '2024-00-10', NULL, -0.0), (4, '1970-01-01 00:00:01', 'y', NULL, '', 1e30);
              CREATE TABLE texts (k VARCHAR(150), v INT, PRIMARY KEY (k)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
              INSERT INTO texts VALUES ('a\\b', 1), ('a|b', 2), ('é', 3), ('中', 4), ('😀', 5), ('', 6), ('it''s', 7)",
        )
        .await;
    let mut dirty = scene.source.session().await;
    dirty.sql("BEGIN; INSERT INTO v (id) VALUES (100); UPDATE v SET c = 'dirty' WHERE id = 1; DELETE FROM texts WHERE v = 7").await;
    let sets = |hostile: bool, all: &[(&str, String)]| {
        let value = |name: &str, value: &String| match (hostile, name) {
            (true, _) => value.clone(),
            (false, "init_connect") => "''".to_owned(),
            (false, _) => "DEFAULT".to_owned(),
        };
        let sets: Vec<_> =
            all.iter().map(|(name, given)| format!("GLOBAL {name} = {}", value(name, given))).collect();
        format!("SET {}", sets.join(", "))
    };
    writer.sql(&sets(true, &hostile)).await;
    let url = format!("\"mysql://ferry:secret@127.0.0.1:{}\"", mysql.port());
    let config = scene.config().source("url", &url);
    let daemon = Daemon::start(&config.task("snapshot", "{ parallel = 2, chunk_rows = 3 }"));
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(task.restarts, 0, "a session was lost:\n{}", daemon.log_tail());
    dirty.sql("ROLLBACK").await;
    writer
        .sql(
            r"UPDATE v SET ts = '2024-03-31 01:30:00', c = 'cd ', t = 'x\\y' WHERE id = 2; DELETE FROM texts WHERE v = 1;
              INSERT INTO texts VALUES ('n\\ew', 20), ('中中', 21); ALTER TABLE v ADD COLUMN late VARCHAR(9) DEFAULT ''",
        )
        .await;
    writer.sql(&sets(false, &hostile)).await;
    eventually(DEADLINE, "new sessions are friendly", async || {
        scene.source.one("SELECT @@SESSION.sql_select_limit > 1").await == "1"
    })
    .await;
    scene.assert_exact(&daemon, &["v", "texts"]).await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}

#[tokio::test]
async fn a_copy_and_a_stream_under_hostile_globals_of_mysql_5_6_are_exact() {
    copied_and_followed_there(Kind::Files56).await;
}

#[tokio::test]
async fn a_copy_and_a_stream_under_hostile_globals_of_mariadb_are_exact() {
    copied_and_followed_there(Kind::Maria).await;
}
