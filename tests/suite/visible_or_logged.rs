//! A commit held open between *logged*, *visible* and *in `gtid_executed`* while the daemon takes P0 or P1. No row may
//! fall between the copy and the stream, and none may be taken for drift.

use crate::harness::{DEADLINE, Mysql, Proxy, Scene, eventually, postgres};

/// Semi-sync without a replica: every commit waits, logged and invisible, until it is switched off again.
const HOLD_COMMITS: &str = "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'; \
    SET GLOBAL rpl_semi_sync_source_timeout = 3600000; SET GLOBAL rpl_semi_sync_source_enabled = 1";

async fn log_end(mysql: &Mysql) -> (Option<String>, Option<String>) {
    let rows = mysql.sql("SHOW BINARY LOG STATUS").await;
    (rows[0][0].clone(), rows[0][1].clone())
}

#[tokio::test]
async fn a_transaction_that_is_logged_but_invisible_during_the_copy_arrives() {
    let (mysql, postgres) = tokio::join!(Mysql::private(&[]), postgres());
    let scene = Scene::on(&mysql, postgres, "logged_not_visible").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
        .await;
    mysql.sql(HOLD_COMMITS).await;
    let end = log_end(&mysql).await;
    let mut writer = scene.source.session().await;
    let write = tokio::spawn(async move {
        writer
            .sql(
                "BEGIN; INSERT INTO t VALUES (4, 4); UPDATE t SET v = 20 WHERE id = 2; \
                 DELETE FROM t WHERE id = 3; COMMIT",
            )
            .await;
    });
    eventually(DEADLINE, "the transaction is logged", async || log_end(&mysql).await != end).await;

    let daemon = scene.start().await;
    let sum = scene.source.one("SELECT SUM(id * v) FROM t").await;
    assert_eq!(sum, "14", "the transaction was visible during the copy");
    assert_eq!(daemon.task().await.unwrap().tables["logged_not_visible.t"].copied_rows, 3);

    mysql.sql("SET GLOBAL rpl_semi_sync_source_enabled = 0").await;
    write.await.unwrap();
    assert_eq!(scene.source.one("SELECT SUM(id * v) FROM t").await, "57");
    scene.assert_exact(&daemon, &["t"]).await;
}

/// A group of two commits: the first is visible at once, and in `gtid_executed` only when the second is through the
/// engine too, which has large FULLTEXT documents to take apart there. In between a chunk reads the first one's row and
/// P1 is taken.
#[tokio::test]
async fn a_row_that_is_visible_before_gtid_executed_knows_it_is_no_drift() {
    let options = ["--max-allowed-packet=1G", "--binlog-group-commit-sync-delay=0"];
    let (mysql, postgres) = tokio::join!(Mysql::private(&options), postgres());
    let scene = Scene::on(&mysql, postgres, "visible_not_executed").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    mysql
        .sql(
            "CREATE DATABASE slow; USE slow; \
             CREATE TABLE docs (id INT AUTO_INCREMENT PRIMARY KEY, doc LONGTEXT, FULLTEXT KEY (doc)); \
             SET SESSION cte_max_recursion_depth = 1000000, group_concat_max_len = 1 << 30; \
             CREATE TABLE words AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) \
             SELECT GROUP_CONCAT(CONCAT('w', HEX(i * 2654435761)) SEPARATOR ' ') AS doc FROM n",
        )
        .await;
    let mut slow = mysql.session().await;
    slow.sql("USE slow; BEGIN").await;
    for _ in 0..3 {
        slow.sql("INSERT INTO docs (doc) SELECT doc FROM words").await;
    }
    let proxy = Proxy::start(mysql.port());
    let reading = proxy.hold("FROM `visible_not_executed`.`t` FORCE INDEX");
    let daemon = crate::harness::Daemon::start(&scene.config_through(Some(&proxy), None));
    // P0 is taken, nothing is read yet.
    reading.wait().await;

    let mut reader = scene.source.session().await;
    let executed = reader.one("SELECT @@GLOBAL.gtid_executed").await;
    let end = log_end(&mysql).await;
    reader.sql("SET GLOBAL binlog_group_commit_sync_delay = 1000000").await;
    let mut writer = scene.source.session().await;
    let first = tokio::spawn(async move {
        writer.sql("INSERT INTO t VALUES (2, 2)").await;
    });
    eventually(DEADLINE, "the first is logged", async || log_end(&mysql).await != end).await;
    let second = tokio::spawn(async move {
        slow.sql("COMMIT").await;
    });
    eventually(DEADLINE, "the first is visible", async || reader.one("SELECT COUNT(*) FROM t").await == "2")
        .await;
    drop(reading);
    // P1 is on record.
    eventually(DEADLINE, "the table is copied", async || {
        let state = "SELECT state FROM rowferry.main_tables ORDER BY version DESC LIMIT 1";
        scene.target.one(state).await.contains("until")
    })
    .await;
    let then = reader.one("SELECT @@GLOBAL.gtid_executed").await;
    assert_eq!(then, executed, "the window closed before P1 was taken");
    daemon
        .wait_task("both rows are copied", DEADLINE, |task| {
            task.tables["visible_not_executed.t"].copied_rows == 2
        })
        .await;

    first.await.unwrap();
    second.await.unwrap();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}
