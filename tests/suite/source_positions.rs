//! P0 and P1 while a commit is held open between its steps: written, visible, in `gtid_executed`.

use crate::harness::{DEADLINE, Mysql, MysqlSession, eventually, eventually_some, mysql97};
use rowferry::testing::change::{GtidSet, TableName};
use rowferry::testing::config::types::{SourceEndpoint, SourceTlsMode, TlsFiles};
use rowferry::testing::source::{Server, SourceError, SourceErrorKind};
use std::time::Duration;

async fn server(mysql: &Mysql) -> Server {
    server_as(mysql, "root").await
}

async fn server_as(mysql: &Mysql, user: &str) -> Server {
    let endpoint = SourceEndpoint {
        name: "positions".into(),
        host: "127.0.0.1".into(),
        port: mysql.port(),
        user: user.into(),
        password: "".into(),
        tls: SourceTlsMode::Disabled,
        tls_files: TlsFiles::default(),
    };
    Server::connect(&endpoint).await.unwrap()
}

fn running(mut session: MysqlSession, statements: &'static str) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        session.sql(statements).await;
    })
}

/// Semi-sync without a replica holds every commit between *written* and *visible* until it is switched off.
#[tokio::test]
async fn p0_is_not_behind_a_transaction_that_is_written_but_not_visible() {
    let mysql = Mysql::private(&[]).await;
    mysql
        .sql(
            "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); \
             INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'; \
             SET GLOBAL rpl_semi_sync_source_timeout = 3600000; SET GLOBAL rpl_semi_sync_source_enabled = 1",
        )
        .await;
    let mut server = server(&mysql).await;
    let (before, end_before) = (server.gtid_executed().await.unwrap(), server.log_end().await.unwrap());

    let insert = running(mysql.session().await, "INSERT INTO d.t VALUES (1)");
    let end = eventually_some(DEADLINE, "the insert is written", async || {
        let end = server.log_end().await.unwrap();
        (end != end_before).then_some(end)
    })
    .await;
    assert_eq!(mysql.one("SELECT COUNT(*) FROM d.t").await, "0", "the insert is not held open");
    let start = server.stream_start().await.unwrap();
    assert_eq!(start.taken.gtids(), Some(&before), "the stream would start after an invisible row");
    assert!(
        start.file.order(&end_before.file).unwrap().is_lt(),
        "P0's file position hides what P0 still has to show"
    );

    mysql.sql("SET GLOBAL rpl_semi_sync_source_enabled = 0").await;
    insert.await.unwrap();
    assert_eq!(mysql.one("SELECT COUNT(*) FROM d.t").await, "1");
    assert_eq!(server.log_end().await.unwrap(), end);
    let after = server.gtid_executed().await.unwrap();
    assert_eq!(server.stream_start().await.unwrap().taken.gtids(), Some(&after));
    assert!(before.is_subset_of(&after) && before != after);
}

/// MariaDB holds it the same way; its own GTIDs for the end of its log, and that end, lie after it.
#[tokio::test]
async fn p0_of_mariadb_is_not_behind_a_transaction_that_is_written_but_not_visible() {
    let mysql = Mysql::start("mariadb", &[]).await;
    mysql
        .sql(
            "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); SET GLOBAL rpl_semi_sync_master_timeout = 3600000, \
             GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC', GLOBAL rpl_semi_sync_master_enabled = ON",
        )
        .await;
    let mut server = server(&mysql).await;
    let (before, end_before) = (server.domains_logged().await.unwrap(), server.log_end().await.unwrap());
    let insert = running(mysql.session().await, "INSERT INTO d.t VALUES (1)");
    eventually(DEADLINE, "the insert is written", async || {
        server.log_end().await.unwrap() != end_before && server.domains_logged().await.unwrap() != before
    })
    .await;
    assert_eq!(mysql.one("SELECT COUNT(*) FROM d.t").await, "0", "the insert is not held open");
    let start = server.stream_start().await.unwrap();
    assert_eq!(start.taken.domains(), Some(&before), "the stream would start after an invisible row");
    assert_eq!(start.file, end_before.file);

    mysql.sql("SET GLOBAL rpl_semi_sync_master_enabled = OFF").await;
    insert.await.unwrap();
    let after = server.domains_logged().await.unwrap();
    let start = server.stream_start().await.unwrap();
    assert_eq!((start.taken.domains(), start.file), (Some(&after), server.log_end().await.unwrap().file));
}

/// Two commits in one group: `gtid_executed` takes both when both are through the engine. The second one's engine commit
/// tokenizes a large FULLTEXT document, which takes a second and more.
#[tokio::test]
async fn p1_is_not_before_a_transaction_that_is_visible_but_not_in_gtid_executed() {
    let mysql = Mysql::private(&["--max-allowed-packet=1G"]).await;
    mysql
        .sql(
            "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); \
             CREATE TABLE d.docs (id INT AUTO_INCREMENT PRIMARY KEY, doc LONGTEXT, FULLTEXT KEY (doc)); \
             SET SESSION cte_max_recursion_depth = 1000000, group_concat_max_len = 1 << 30; \
             CREATE TABLE d.words AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) \
             SELECT GROUP_CONCAT(CONCAT('w', HEX(i * 2654435761)) SEPARATOR ' ') AS doc FROM n; \
             SET GLOBAL binlog_group_commit_sync_delay = 1000000",
        )
        .await;
    let mut server = server(&mysql).await;
    let mut slow = mysql.session().await;
    slow.sql("BEGIN; INSERT INTO d.docs (doc) SELECT doc FROM d.words").await;
    let end_before = server.log_end().await.unwrap();
    let before = server.gtid_executed().await.unwrap();

    // The first of the group waits for a second before the fsync; the second one joins it there.
    let first = running(mysql.session().await, "INSERT INTO d.t VALUES (1)");
    eventually(DEADLINE, "the first is written", async || server.log_end().await.unwrap() != end_before)
        .await;
    let second = tokio::spawn(async move {
        slow.sql("COMMIT").await;
    });
    let mut reader = mysql.session().await;
    eventually(DEADLINE, "the first is visible", async || {
        reader.one("SELECT COUNT(*) FROM d.t").await == "1"
    })
    .await;
    let executed = server.gtid_executed().await.unwrap();
    assert_eq!(
        executed, before,
        "the first is in gtid_executed already: the group's window was not held open"
    );
    let p1 = server.log_end().await.unwrap();
    assert_eq!(server.stream_start().await.unwrap().taken.gtids(), Some(&before));

    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(server.log_end().await.unwrap(), p1, "P1 lay before a row that was visible");
    let both: GtidSet = server.gtid_executed().await.unwrap().minus(&before);
    assert_eq!(both.to_string().rsplit(':').next().unwrap().split('-').count(), 2, "{both} are not two");
}

#[tokio::test]
async fn a_prepared_xa_transaction_keeps_p0_away() {
    let mysql = Mysql::private(&[]).await;
    mysql.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)").await;
    let mut server = server(&mysql).await;
    mysql.sql("XA START 'x'; INSERT INTO d.t VALUES (1); XA END 'x'; XA PREPARE 'x'").await;
    match server.stream_start_within(Duration::ZERO).await {
        Err(SourceError { kind: SourceErrorKind::Waits { what, .. }, .. }) => {
            assert!(what.starts_with("1 prepared XA transaction"), "{what}");
            assert!(what.contains("XA COMMIT"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    let before = server.gtid_executed().await.unwrap();
    let waiting = tokio::spawn(async move { server.stream_start().await });
    mysql.sql("XA COMMIT 'x'").await;
    let start = waiting.await.unwrap().unwrap();
    // The stream may meet its XA COMMIT, without its rows: they are visible.
    assert!(before.is_subset_of(start.taken.gtids().unwrap()));
    assert_eq!(start.xa.seen_until, Some(mysql.log_end().await));
    let mut server = self::server(&mysql).await;
    mysql.sql("XA START 'y'; INSERT INTO d.t VALUES (2); XA END 'y'; XA PREPARE 'y'; XA COMMIT 'y'").await;
    let alone = server.stream_start_alone().await.unwrap();
    assert_eq!(alone.taken.gtids(), Some(&server.gtid_executed().await.unwrap()));
    assert!(alone.xa.is_empty());
}

/// A selected table may be renamed to a database that is none of the task's.
#[tokio::test]
async fn a_name_that_the_user_may_not_read_is_not_waited_for() {
    let mysql = mysql97().await;
    mysql
        .sql(
            "DROP USER IF EXISTS waits; CREATE USER waits; CREATE DATABASE IF NOT EXISTS waited; \
             CREATE DATABASE IF NOT EXISTS hidden; CREATE TABLE IF NOT EXISTS waited.t (id INT PRIMARY KEY); \
             CREATE TABLE IF NOT EXISTS hidden.t (id INT PRIMARY KEY); GRANT SELECT ON waited.* TO waits",
        )
        .await;
    let mut server = server_as(mysql, "waits").await;
    let names = [("waited", "t"), ("hidden", "t"), ("hidden", "gone"), ("waited", "gone"), ("nowhere", "t")];
    let names = names.map(|(database, table)| TableName::new(database, table));
    server.wait_for_statement(&names).await.unwrap();
    let mut other = mysql.session().await;
    other.sql("LOCK TABLES waited.t WRITE").await;
    let waiting = tokio::spawn(async move { server.wait_for_statement(&names).await });
    eventually(DEADLINE, "it waits for the table", async || {
        let waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'waits' AND state LIKE 'Waiting for table%'";
        mysql.one(waits).await == "1"
    })
    .await;
    other.sql("UNLOCK TABLES").await;
    waiting.await.unwrap().unwrap();
}
