//! Sessions whose settings are odd: what they mean by the same words, and what it does to rows and statements in the log.

use crate::harness::Kind::{self, Files56, Files97, Gtids56, Gtids97, Maria};
use crate::harness::{MysqlSession, Scene, on_every_kind, postgres};

/// Settings, and statements under them; in one session of its own.
#[derive(Debug)]
struct Odd {
    /// Where it can be run; everywhere when empty.
    on: &'static [Kind],
    settings: &'static str,
    /// On `t (id, v, n, at, day)`. `$db` is the database.
    sql: &'static str,
}

const fn any(settings: &'static str, sql: &'static str) -> Odd {
    Odd { on: &[], settings, sql }
}

const MYSQL: &[Kind] = &[Gtids97, Files97, Gtids56, Files56];
const NEW: &[Kind] = &[Gtids97, Files97];
const OLD: &[Kind] = &[Gtids56, Files56];
const NOT_NEW: &[Kind] = &[Gtids56, Files56, Maria];

const ODD: &[Odd] = &[
    any(
        "time_zone = '+05:30'",
        "INSERT INTO t VALUES (10, 'tz', 0, '2021-06-01 00:00:00', '2021-06-01 00:00:00'); UPDATE t SET at = at + INTERVAL 1 DAY WHERE id = 10; \
         ALTER TABLE t ADD COLUMN east TIMESTAMP NOT NULL DEFAULT '2020-06-01 12:00:00', ADD COLUMN local DATETIME NOT NULL DEFAULT '2020-06-01 12:00:00'; \
         INSERT INTO t (id, at) VALUES (11, '2021-01-01 00:00:00')",
    ),
    any(
        "time_zone = '-12:00', timestamp = 1600000000",
        "INSERT INTO t VALUES (12, 'tz', 0, NOW(), NOW(), NOW(), NOW()); \
         ALTER TABLE t ADD COLUMN made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, ADD COLUMN made_day DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP; \
         INSERT INTO t (id) VALUES (13)",
    ),
    any(
        "sql_mode = 'ANSI_QUOTES'",
        r#"ALTER TABLE "t" ADD COLUMN "q""x" VARCHAR(20) DEFAULT 'it''s "q"'; INSERT INTO "t" ("id", "q""x") VALUES (14, '"')"#,
    ),
    any(
        "sql_mode = ''",
        r#"ALTER TABLE t ADD COLUMN dq VARCHAR(20) DEFAULT "it's ""\\\"", ADD COLUMN back VARCHAR(9) DEFAULT 'a\\'; INSERT INTO t (id, day) VALUES (15, '0000-00-00')"#,
    ),
    any(
        "sql_mode = 'NO_BACKSLASH_ESCAPES'",
        r"ALTER TABLE t ADD COLUMN plain VARCHAR(9) DEFAULT 'a\', ADD COLUMN two VARCHAR(9) DEFAULT '\\'; INSERT INTO t (id, v) VALUES (16, '\')",
    ),
    any(
        "sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE,NO_AUTO_VALUE_ON_ZERO'",
        r#"ALTER TABLE "t" ADD COLUMN "re" REAL DEFAULT 0.1, ADD COLUMN "b\" VARCHAR(9) DEFAULT '\'; INSERT INTO t (id, v) VALUES (17, 'a' || 'b')"#,
    ),
    any(
        "sql_mode = 'ALLOW_INVALID_DATES,PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION'",
        "INSERT INTO t (id, v, day) VALUES (18, 'x ', '2020-01-01'); ALTER TABLE t ADD COLUMN pad CHAR(5) DEFAULT 'p'; UPDATE t SET pad = 'q' WHERE id = 18",
    ),
    Odd {
        on: NOT_NEW,
        settings: "sql_mode = 'MAXDB'",
        sql: "ALTER TABLE t ADD COLUMN stamp TIMESTAMP NULL DEFAULT '2020-06-01 12:00:00'; INSERT INTO t (id) VALUES (20)",
    },
    Odd {
        on: OLD,
        settings: "sql_mode = 'ORACLE'",
        sql: r#"ALTER TABLE "t" ADD COLUMN o_date DATE DEFAULT '2020-06-01'; INSERT INTO t (id) VALUES (21)"#,
    },
    Odd {
        on: &[Maria],
        settings: "sql_mode = 'ORACLE'",
        sql: r#"ALTER TABLE "t" ADD COLUMN o_date DATE DEFAULT '2020-06-01', ADD COLUMN o_number NUMBER DEFAULT 1.5, ADD COLUMN o_decimal NUMBER(5,1) DEFAULT 2,
              ADD COLUMN o_clob CLOB, ADD COLUMN o_raw RAW(5) DEFAULT 'r', ADD COLUMN o_text VARCHAR2(9) DEFAULT 'o', ADD COLUMN o_blob BLOB;
              INSERT INTO "t" (id, v, o_clob) VALUES (22, 'a' || NULL, 'c')"#,
    },
    Odd {
        on: &[Maria],
        settings: "sql_mode = 'EMPTY_STRING_IS_NULL'",
        sql: "ALTER TABLE t ADD COLUMN nothing VARCHAR(9) DEFAULT ''; INSERT INTO t (id, v) VALUES (23, '')",
    },
    any(
        "autocommit = 0, completion_type = 1",
        "INSERT INTO t (id) VALUES (30); COMMIT; INSERT INTO t (id) VALUES (31); ROLLBACK; UPDATE t SET n = 31 WHERE id = 30; COMMIT AND NO CHAIN NO RELEASE",
    ),
    any(
        "foreign_key_checks = 0, unique_checks = 0, sql_auto_is_null = 1, sql_safe_updates = 1, auto_increment_increment = 7, insert_id = 99",
        "INSERT INTO counted (v) VALUES ('a'), ('b'); ALTER TABLE counted ADD COLUMN w INT DEFAULT 1; INSERT INTO counted (v) VALUES ('c')",
    ),
    any(
        "default_storage_engine = MyISAM, sql_quote_show_create = 0",
        "ALTER TABLE t ADD COLUMN engine INT DEFAULT 3; LOCK TABLES t WRITE; INSERT INTO t (id) VALUES (40); ALTER TABLE t ADD COLUMN locked INT DEFAULT 4; UNLOCK TABLES",
    ),
    any(
        "tx_isolation_is_set_below = 1",
        "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; BEGIN; INSERT INTO t (id) VALUES (41); UPDATE t SET n = 41 WHERE id = 41; COMMIT",
    ),
    any(
        "NAMES binary",
        "USE mysql; ALTER TABLE `$db`.t ADD COLUMN raw_text VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT 'é'; INSERT INTO `$db`.t (id, v) VALUES (42, 'é')",
    ),
    any(
        "character_set_connection = latin1",
        "ALTER TABLE t ADD COLUMN west VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT 'é€'; INSERT INTO t (id, v) VALUES (43, '中')",
    ),
    Odd {
        on: MYSQL,
        settings: "binlog_rows_query_log_events = ON",
        sql: "INSERT INTO t (id) VALUES (50); BEGIN; UPDATE t SET n = 50 WHERE id = 50; DELETE FROM t WHERE id = 41; COMMIT",
    },
    Odd {
        on: NEW,
        settings: "binlog_rows_query_log_events = ON, binlog_transaction_compression = ON, explicit_defaults_for_timestamp = 0",
        sql: "INSERT INTO t (id) VALUES (51); UPDATE t SET n = 51; ALTER TABLE t ADD COLUMN implied TIMESTAMP NULL; UPDATE t SET n = 52 WHERE id = 51",
    },
    Odd {
        on: &[Maria],
        settings: "skip_replication = 1, binlog_annotate_row_events = 0, unique_checks = 0, foreign_key_checks = 0",
        sql: "INSERT INTO t (id) VALUES (52); UPDATE t SET n = 52 WHERE id = 52; ALTER TABLE t ADD COLUMN skipped INT DEFAULT 5; INSERT INTO t (id) VALUES (53)",
    },
];

/// Character sets of clients, with letters whose bytes look like quotes and escapes.
const LETTERS: &[(&str, &str)] = &[
    ("latin1", "naïve €"),
    ("cp1251", "Привет"),
    ("koi8r", "Привет"),
    ("gbk", "昞"),
    ("sjis", "ソ表"),
    ("cp932", "ソ表"),
    ("big5", "許功"),
    ("ujis", "日本"),
    ("euckr", "한글"),
    ("utf8", "許é"),
    ("utf8mb4", "😀"),
];

async fn odd_session(scene: &Scene<'_>, settings: &str) -> MysqlSession {
    let mut session = scene.source.session().await;
    if settings.starts_with("tx_isolation") {
        return session;
    }
    session.sql("SET sql_mode = ''").await;
    session.sql(&format!("SET {settings}")).await;
    session
}

async fn odd_sessions(kind: Kind) {
    let mysql = kind.shared().await;
    let name = format!("odd_{}", kind.name());
    let scene = Scene::on(mysql, postgres().await, &name).await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50), n INT, at TIMESTAMP NULL, day DATETIME NULL) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4; \
             CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(9)) ENGINE = InnoDB; \
             INSERT INTO t VALUES (1, 'one', 1, '2020-01-01 00:00:00', '2020-01-01 00:00:00')",
        )
        .await;
    let daemon = scene.start().await;
    for odd in ODD.iter().filter(|odd| odd.on.is_empty() || odd.on.contains(&kind)) {
        eprintln!("{name}: {}", odd.settings);
        let mut session = odd_session(&scene, odd.settings).await;
        session.sql(&odd.sql.replace("$db", &name)).await;
        scene.assert_exact(&daemon, &["t", "counted"]).await;
    }
    for (id, (charset, letters)) in (100..).zip(LETTERS) {
        eprintln!("{name}: {charset}");
        let mut session = odd_session(&scene, &format!("NAMES {charset}")).await;
        let sql = format!(
            "ALTER TABLE t ADD COLUMN `{charset}_col` VARCHAR(20) CHARACTER SET utf8mb4 DEFAULT '{letters}' COMMENT '{letters}'; \
             INSERT INTO t (id, v) VALUES ({id}, '{letters}')"
        );
        let label = match *charset {
            "latin1" => "windows-1252",
            "cp1251" => "windows-1251",
            "koi8r" => "koi8-r",
            "gbk" => "gbk",
            "sjis" | "cp932" => "shift_jis",
            "big5" => "big5",
            "ujis" => "euc-jp",
            "euckr" => "euc-kr",
            _ => "utf-8",
        };
        let (bytes, _, lost) = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(&sql);
        assert!(!lost, "{charset}");
        session.run_bytes(&bytes).await;
        scene.assert_exact(&daemon, &["t", "counted"]).await;
    }
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
    daemon.restart();
    scene.source.sql("INSERT INTO t (id) VALUES (200)").await;
    scene.assert_exact(&daemon, &["t", "counted"]).await;
}

on_every_kind!(rows_and_statements_of_odd_sessions_arrive, odd_sessions);
