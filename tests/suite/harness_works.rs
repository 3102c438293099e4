//! The harness itself: a test that stands on a broken one proves nothing.

use crate::harness::{
    Comparison, DEADLINE, Mysql, Postgres, Process, Proxy, eventually, free_port, mysql97, on_greenplum,
    postgres, run_folder, tables_equal,
};
use rowferry::testing::change::status::{Model, Phase, TablePhase, TableStatus};
use rowferry::testing::status::Board;
use std::process::Command;

#[tokio::test]
async fn the_servers_start_and_answer() {
    let mysql = mysql97().await;
    assert!(mysql.one("SELECT VERSION()").await.starts_with("9."));
    assert_eq!(mysql.one("SELECT @@gtid_mode").await, "ON");
    let version = &postgres().await.sql("SHOW server_version").await[0][0];
    let major = version.as_deref().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    assert!(major.is_some_and(|major| major == 9 && on_greenplum() || major >= 12), "{version:?}");
}

#[tokio::test]
async fn several_statements_give_the_last_rows() {
    let mysql = mysql97().await.database("several_statements").await;
    let rows = mysql
        .sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2); SELECT id, NULL FROM t")
        .await;
    assert_eq!(rows, [[Some("1".to_owned()), None], [Some("2".to_owned()), None]]);
    let error = mysql.try_sql("SELECT 1; SELECT * FROM nowhere").await.unwrap_err();
    assert!(error.contains("nowhere"), "{error}");
    let postgres = postgres().await.database("several_statements").await;
    let rows =
        postgres.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (7); SELECT id, NULL FROM t").await;
    assert_eq!(rows, [[Some("7".to_owned()), None]]);
    assert!(postgres.try_sql("SELECT * FROM nowhere").await.unwrap_err().contains("42P01"));
}

#[tokio::test]
async fn a_private_mysql_keeps_its_rows_through_a_kill() {
    let mysql = Mysql::private(&["--sync-binlog=1"]).await;
    let database = mysql.database("kept").await;
    database.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let executed = mysql.one("SELECT @@GLOBAL.gtid_executed").await;
    mysql.kill();
    assert!(database.try_sql("SELECT 1").await.is_err());
    mysql.restart().await;
    assert_eq!(database.one("SELECT COUNT(*) FROM t").await, "1");
    assert_eq!(mysql.one("SELECT @@GLOBAL.gtid_executed").await, executed);
}

#[tokio::test]
async fn a_private_postgres_keeps_its_rows_through_a_kill() {
    let postgres = Postgres::private(&["-c", "work_mem=2MB"]).await;
    let database = postgres.database("kept").await;
    database.sql("CREATE TABLE t AS SELECT 1 AS id").await;
    postgres.kill();
    assert!(database.try_sql("SELECT 1").await.is_err());
    postgres.restart().await;
    assert_eq!(database.one("SELECT count(*) FROM t").await, "1");
    assert_eq!(database.one("SHOW work_mem").await, "2MB");
}

#[tokio::test]
async fn a_cut_proxy_resets_its_connections_and_lets_new_ones_through() {
    let postgres = postgres().await;
    let proxy = Proxy::start(postgres.port());
    let mut session = proxied(&proxy).await.unwrap();
    assert_eq!(session.simple_query("SELECT 1").await.unwrap().len(), 3);
    proxy.cut();
    assert!(session.simple_query("SELECT 1").await.is_err());
    session = proxied(&proxy).await.unwrap();
    assert!(session.simple_query("SELECT 1").await.is_ok());
    proxy.refuse();
    assert!(session.simple_query("SELECT 1").await.is_err());
    assert!(proxied(&proxy).await.is_err());
    proxy.mend();
    assert!(proxied(&proxy).await.is_ok());
}

#[tokio::test]
async fn a_commit_whose_reply_the_proxy_loses_is_done() {
    let database = postgres().await.database("lost_reply").await;
    database.sql("CREATE TABLE t (id int)").await;
    let proxy = Proxy::start(database.server.port());
    let url = proxy.url(&database.url());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    proxy.lose_reply("COMMIT", "COMMIT");
    client.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
    assert!(client.batch_execute("COMMIT").await.is_err());
    proxy.wait_sprung(1, DEADLINE).await;
    assert_eq!(database.one("SELECT count(*) FROM t").await, "1");

    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    proxy.lose_request("COMMIT");
    client.batch_execute("BEGIN; INSERT INTO t VALUES (2)").await.unwrap();
    assert!(client.batch_execute("COMMIT").await.is_err());
    proxy.wait_sprung(2, DEADLINE).await;
    assert_eq!(database.one("SELECT count(*) FROM t").await, "1");
}

#[tokio::test]
async fn a_stalled_proxy_holds_the_answer_and_a_truncating_one_breaks_it() {
    let proxy = Proxy::start(postgres().await.port());
    let session = proxied(&proxy).await.unwrap();
    proxy.stall();
    let answer =
        tokio::time::timeout(std::time::Duration::from_millis(200), session.simple_query("SELECT 1"));
    assert!(answer.await.is_err());
    proxy.mend();
    assert!(session.simple_query("SELECT 2").await.is_ok());
    proxy.truncate(100);
    assert!(session.simple_query("SELECT repeat('x', 100000)").await.is_err());
    assert_eq!(proxy.sprung(), 1);
}

async fn proxied(proxy: &Proxy) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let user = postgres().await.user();
    let url = format!("postgresql://{user}@127.0.0.1:{}/postgres", proxy.port());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test]
async fn signals_stop_a_process_and_its_exit_code_is_seen() {
    let ready = run_folder().join("ready");
    let script = format!("trap 'exit 7' TERM; : > '{}'; while :; do sleep 0.05; done", ready.display());
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "sh", "-c", &script]);
    let process = Process::start("sh", command);
    eventually(DEADLINE, "the shell is ready", async || ready.exists()).await;
    process.signal("STOP");
    process.signal("TERM");
    assert_eq!(process.ended(), None);
    process.signal("CONT");
    assert_eq!(process.exit_code(DEADLINE).await, 7);
}

#[tokio::test]
async fn a_killed_process_tells_its_signal() {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "sleep", "1000"]);
    let process = Process::start("sleep", command);
    process.kill9();
    assert_eq!(process.exit_code(DEADLINE).await, 137);
}

#[test]
fn the_status_reads_back_as_it_is_written() {
    let board = Board::default();
    board.tell("main", |task| {
        task.phase = Phase::Failed { error: "e".to_owned(), remedy: "r".to_owned() };
        let phase = TablePhase::CatchingUp;
        let table = TableStatus {
            target: "a.t".to_owned(),
            phase,
            copied_rows: 1,
            estimated_rows: 2,
            inserts: 3,
            updates: 4,
            deletes: 5,
            drift: 6,
            drift_example: None,
            quarantined: 0,
            quarantined_ever: 0,
            trouble: None,
            paused: None,
            catching_up_from: None,
            waiting_for: None,
            aside: false,
            upkeep: rowferry::testing::change::status::Upkeep { bytes: 7, ..Default::default() },
        };
        task.tables.insert("a.t".to_owned(), table);
    });
    let text = serde_json::to_string(&board.read()).unwrap();
    assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), board.read(), "{text}");
}

#[test]
fn free_ports_are_not_handed_out_twice() {
    let ports: std::collections::HashSet<u16> = (0..50).map(|_| free_port()).collect();
    assert_eq!(ports.len(), 50);
}

const SOURCE_TYPES: &str = "CREATE TABLE t (id INT, k VARCHAR(10), i BIGINT UNSIGNED, z INT(6) ZEROFILL, b TINYINT(1), y YEAR, \
     d DECIMAL(12,3), f FLOAT, g DOUBLE, bits BIT(5), v VARCHAR(50), e ENUM('z','a'), bin BINARY(4), bl BLOB, da DATE, dt DATETIME(3), \
     ts TIMESTAMP(6) NULL, ti TIME(2), j JSON, ge GEOMETRY, ve VECTOR(2), PRIMARY KEY (k, id))";

const TARGET_TYPES: &str = "CREATE SCHEMA compared; CREATE TABLE compared.t (id integer, k varchar(10), i numeric(20), z integer, b boolean, \
     y integer, d numeric(12,3), f real, g double precision, bits bit(5), v varchar(50), e text, bin bytea, bl bytea, da date, \
     dt timestamp(3), ts timestamptz(6), ti interval(2), j jsonb, ge bytea, ve real[], PRIMARY KEY (k, id))";

#[tokio::test]
async fn the_comparison_finds_equal_what_is_equal_in_every_type() {
    let mysql = mysql97().await.database("compared").await;
    let postgres = postgres().await.database("compared").await;
    mysql.sql(SOURCE_TYPES).await;
    mysql
        .sql(
            // MySQL keeps a point of SRID 4326 as longitude, latitude, and reads it the other way round.
            "SET time_zone = '+05:30', sql_mode = '';
             INSERT INTO t VALUES (1, 'é', 18446744073709551615, 42, 1, 2024, 12.5, 16777216, 0.1, b'00101', 'a\\u001fb', 'a', 'ab', \
               x'00ff', '2024-02-29', '2024-02-29 23:59:59.123', '2024-01-01 05:30:00', '-838:59:59', '{\"bb\": 1e2, \"a\": \"x\"}', \
               ST_GeomFromText('POINT(1 2)', 4326), STRING_TO_VECTOR('[1.5,-2]')),
              (2, 'A', 0, 0, 0, 0, -0.001, -0e0, -1e300, b'0', '', 'z', '', '', '0000-00-00', '2024-00-01', NULL, '-00:00:00.5', \
               '[]', ST_GeomFromText('POINT(0 0)'), NULL),
              (3, 'b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        )
        .await;
    postgres.sql(TARGET_TYPES).await;
    postgres
        .sql(
            "INSERT INTO compared.t VALUES (1, 'é', 18446744073709551615, 42, true, 2024, 12.500, 16777216, 0.1, '00101', 'au001fb', 'a', \
               '\\x61620000', '\\x00ff', '2024-02-29', '2024-02-29 23:59:59.123', '2024-01-01 00:00:00Z', '-838:59:59', \
               '{\"a\":\"x\",\"bb\":100.0}', '\\x0101000020e61000000000000000000040000000000000f03f', '{1.5,-2}'),
              (2, 'A', 0, 0, false, 0, -0.001, '-0', -1e300, '00000', '', 'z', '\\x00000000', '', NULL, NULL, NULL, '-0.5 s', '[]', \
               '\\x010100000000000000000000000000000000000000', NULL);
             INSERT INTO compared.t (id, k) VALUES (3, 'b')",
        )
        .await;
    assert_eq!(tables_equal(mysql.server, "compared.t", &postgres, "compared.t").await, Ok(3));

    for (change, told) in [
        ("UPDATE compared.t SET f = 0 WHERE id = 2", "f: source -0"),
        ("UPDATE compared.t SET v = NULL WHERE id = 2", "v: source , target NULL"),
        ("UPDATE compared.t SET j = '[null]' WHERE id = 2", "j: source [], target [null]"),
        (
            "UPDATE compared.t SET ti = '-838:59:58' WHERE id = 1",
            "ti: source -3020399000000, target -3020398000000",
        ),
        ("DELETE FROM compared.t WHERE id = 3", "only in the source: b | 3 | NULL"),
        ("INSERT INTO compared.t (k, id) VALUES ('c', 4)", "only in the target: c | 4 | NULL"),
    ] {
        postgres.sql(change).await;
        let difference = tables_equal(mysql.server, "compared.t", &postgres, "compared.t").await.unwrap_err();
        assert!(difference.contains(told), "{change}: {difference}");
    }
}

#[tokio::test]
async fn the_comparison_knows_renamed_and_skipped_columns() {
    let mysql = mysql97().await.database("renamed").await;
    let postgres = postgres().await.database("renamed").await;
    mysql
        .sql(
            "CREATE TABLE t (Id INT PRIMARY KEY, note TEXT, secret TEXT); INSERT INTO t VALUES (1, 'n', 's')",
        )
        .await;
    postgres
        .sql("CREATE TABLE t (id int PRIMARY KEY, remark text, src text); INSERT INTO t VALUES (1, 'n', 'x')")
        .await;
    let error = tables_equal(mysql.server, "renamed.t", &postgres, "public.t").await.unwrap_err();
    assert!(error.contains("no column for renamed.t.note"), "{error}");
    let comparison =
        Comparison::new("renamed.t", "public.t").rename("note", "remark").skip("secret").skip("src");
    assert_eq!(comparison.run(mysql.server, &postgres).await, Ok(1));
    let filtered = comparison.only("Id > 1", "id > 1").run(mysql.server, &postgres).await;
    assert_eq!(filtered, Ok(0));
}

#[tokio::test]
async fn a_held_request_waits_until_it_is_let_go_and_earlier_ones_do_not_count() {
    let proxy = Proxy::start(postgres().await.port());
    let (session, other) = (proxied(&proxy).await.unwrap(), proxied(&proxy).await.unwrap());
    session.simple_query("SELECT 'magic'").await.unwrap();
    let held = proxy.hold("magic");
    session.simple_query("SELECT 1").await.unwrap();
    assert!(!held.is_reached());
    let answer = tokio::spawn(async move { session.simple_query("SELECT 'magic'").await });
    held.wait().await;
    other.simple_query("SELECT 2").await.unwrap();
    assert!(!answer.is_finished());
    drop(held);
    assert!(answer.await.unwrap().is_ok());
}
