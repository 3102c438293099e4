//! Prepared while the daemon or the source dies.

use super::{by_domains, by_gtids, by_places, end, prepare, target};
use crate::harness::{DEADLINE, Daemon, Mysql, Scene, postgres, wait_log_end};

const TABLES: &str = "CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3); \
    CREATE TABLE u (id INT PRIMARY KEY); INSERT INTO u VALUES (1)";

/// Everything in the log is durable, then the daemon dies; what `meanwhile` does it meets when it is back.
async fn dies(scene: &Scene<'_>, daemon: &Daemon, meanwhile: impl AsyncFnOnce()) {
    wait_log_end(daemon, scene.source.server).await;
    daemon.kill9();
    meanwhile().await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
}

async fn survives_kills(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql(TABLES).await;
    let daemon = scene.start().await;

    // Committed while the daemon is away; what was streamed in between must not come twice.
    scene.source.sql("INSERT INTO t VALUES (4, 4)").await;
    prepare(&scene, "'a'", "INSERT INTO t VALUES (10, 10); UPDATE t SET v = 20 WHERE id = 2").await;
    scene
        .source
        .sql("INSERT INTO t VALUES (5, 5); UPDATE t SET id = 6 WHERE id = 4; DELETE FROM t WHERE id = 1; INSERT INTO u VALUES (2)")
        .await;
    prepare(&scene, "'b'", "DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (4, 44)").await;
    scene.source.sql("DELETE FROM u WHERE id = 2; FLUSH LOGS; INSERT INTO u VALUES (3)").await;
    dies(&scene, &daemon, async || {
        scene.source.sql("INSERT INTO u VALUES (7)").await;
        end(mysql, "XA COMMIT 'a'").await;
    })
    .await;
    scene.source.sql("INSERT INTO u VALUES (8)").await;
    wait_log_end(&daemon, mysql).await;
    let t = "SELECT string_agg(id || '=' || v, ',' ORDER BY id) FROM {}.t";
    assert_eq!(target(&scene, t).await, "2=20,3=3,5=5,6=4,10=10", "one is committed and the other is not");

    // The other still prepared over a second death, and a third one rolled back after it. A table changes meanwhile.
    prepare(&scene, "'c'", "DELETE FROM t WHERE id = 5").await;
    scene.source.sql("ALTER TABLE u ADD COLUMN w INT NOT NULL DEFAULT 5; INSERT INTO u VALUES (9, 9)").await;
    dies(&scene, &daemon, async || {}).await;
    dies(&scene, &daemon, async || {}).await;
    end(mysql, "XA ROLLBACK 'c'").await;
    end(mysql, "XA COMMIT 'b'").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(target(&scene, t).await, "2=20,4=44,5=5,6=4,10=10");

    // The source dies.
    prepare(&scene, "'d'", "UPDATE t SET v = v + 1").await;
    prepare(&scene, "'e'", "INSERT INTO u VALUES (11, 1)").await;
    wait_log_end(&daemon, mysql).await;
    mysql.restart().await;
    scene.source.sql("DELETE FROM u WHERE id = 9").await;
    end(mysql, "XA COMMIT 'e'").await;
    end(mysql, "XA COMMIT 'd'").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(target(&scene, t).await, "2=21,4=45,5=6,6=5,10=11");
    // Nothing is left of it: the next start needs no earlier place.
    wait_log_end(&daemon, mysql).await;
    let left = "SELECT place FROM rowferry.main_position ORDER BY sequence DESC LIMIT 1";
    let position = scene.target.one(left).await;
    assert!(!position.contains("prepared"), "{position}");
    // But for what MariaDB may list again: each was ended by another session.
    let is_mariadb = mysql.is_mariadb();
    assert_eq!(position.contains("by_another"), is_mariadb, "{position}");
    assert!(!position.contains("by_preparer"), "{position}");
}

#[tokio::test]
async fn prepared_transactions_survive_kills_by_gtids() {
    survives_kills(&by_gtids().await, "xa_kill_gtids").await;
}

#[tokio::test]
async fn prepared_transactions_survive_kills_by_file_positions() {
    survives_kills(&by_places().await, "xa_kill_places").await;
}

#[tokio::test]
async fn prepared_transactions_survive_kills_by_domains() {
    survives_kills(&by_domains().await, "xa_kill_domains").await;
}

/// MariaDB orders transactions within a domain only: of each it counts from where what was taken in ends.
#[tokio::test]
async fn what_was_taken_in_of_other_domains_does_not_come_twice() {
    let mysql = by_domains().await;
    let scene = Scene::on(&mysql, postgres().await, "xa_some_domains").await;
    scene.source.sql(TABLES).await;
    let daemon = scene.start().await;
    let in_domain = |domain: u32, statements: &str| format!("SET gtid_domain_id = {domain}; {statements}");
    scene.source.sql(&in_domain(1, "INSERT INTO t VALUES (4, 4)")).await;
    scene
        .source
        .sql(&in_domain(2, "XA START 'a'; DELETE FROM t WHERE id = 1; XA END 'a'; XA PREPARE 'a'"))
        .await;
    scene.source.sql(&in_domain(1, "UPDATE t SET id = 5 WHERE id = 4")).await;
    scene.source.sql(&in_domain(3, "INSERT INTO t VALUES (4, 40)")).await;
    scene.source.sql(&in_domain(2, "INSERT INTO u VALUES (5)")).await;
    dies(&scene, &daemon, async || {
        scene.source.sql(&in_domain(1, "UPDATE t SET v = 50 WHERE id = 5")).await;
        end(&mysql, &in_domain(3, "XA COMMIT 'a'")).await;
    })
    .await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(scene.source.one("SELECT SUM(id * v) FROM t").await, "423");
}

/// The server no longer has a transaction that is still prepared.
#[tokio::test]
async fn a_prepared_transaction_that_was_purged_is_missed_aloud() {
    for mysql in [by_gtids().await, by_places().await, by_domains().await] {
        let scene = Scene::on(&mysql, postgres().await, "xa_purged").await;
        scene.source.sql(TABLES).await;
        let daemon = scene.start().await;
        prepare(&scene, "'a'", "INSERT INTO t VALUES (10, 10)").await;
        scene.source.sql("FLUSH LOGS; INSERT INTO u VALUES (2)").await;
        wait_log_end(&daemon, &mysql).await;
        daemon.kill9();
        let file = mysql.log_end().await.file;
        // MariaDB keeps files that it may need itself when it recovers.
        crate::harness::eventually(DEADLINE, "the first file is purged", async || {
            mysql.sql(&format!("PURGE BINARY LOGS TO '{file}'")).await;
            mysql.sql("SHOW BINARY LOGS").await.len() == 1
        })
        .await;
        daemon.restart();
        let task = daemon.wait_task("the task fails", DEADLINE, |task| task.phase.name() == "Failed").await;
        let failure = format!("{:?}", task.phase);
        assert!(failure.contains("no longer holds"), "{failure}");
        end(&mysql, "XA ROLLBACK 'a'").await;
    }
}
