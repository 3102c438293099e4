//! Every kind of source, copied and followed: MySQL 9.7 with and without GTIDs, MySQL 5.6 with and without, MariaDB.

use crate::harness::{DEADLINE, Mysql, Scene, mariadb, mysql56, postgres};

/// Copies under writes and follows; all types of statement that make rows.
async fn copied_and_followed(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20), b DECIMAL(20,4), c DATETIME, e ENUM('x','y')); \
             CREATE TABLE u (a INT, b VARCHAR(10), v BIGINT UNSIGNED, PRIMARY KEY (b, a)); \
             INSERT INTO t VALUES (1, 'one', 1.5, '2020-01-01 10:00:00', 'y'), (2, 'two', NULL, NULL, NULL); \
             INSERT INTO u VALUES (1, 'a', 18446744073709551615), (2, 'b', 0)",
        )
        .await;
    let daemon = scene.start().await;
    scene
        .source
        .sql(
            "INSERT INTO t VALUES (3, 'three', -2.25, '2021-02-03 04:05:06', 'x'); UPDATE t SET id = 20 WHERE id = 2; \
             BEGIN; INSERT INTO u VALUES (3, 'c', 7); UPDATE u SET v = 9 WHERE a = 1; DELETE FROM u WHERE a = 2; COMMIT; \
             BEGIN; DELETE FROM t; ROLLBACK; \
             ALTER TABLE t ADD COLUMN z INT NOT NULL DEFAULT 5; INSERT INTO t VALUES (4, 'x', 1, NULL, 'y', 6)",
        )
        .await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    scene.source.sql("UPDATE t SET a = 'away' WHERE id = 3; FLUSH LOGS; DELETE FROM t WHERE id = 1").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

#[tokio::test]
async fn mysql_5_6_by_file_positions() {
    copied_and_followed(mysql56().await, "from_56").await;
}

#[tokio::test]
async fn mysql_5_6_by_gtids() {
    let options = ["--gtid-mode=ON", "--enforce-gtid-consistency", "--log-slave-updates"];
    copied_and_followed(&Mysql::start("mysql56", &options).await, "from_56_gtid").await;
}

#[tokio::test]
async fn mysql_9_7_by_file_positions() {
    let options = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"];
    copied_and_followed(&Mysql::start("mysql97", &options).await, "from_97_files").await;
}

#[tokio::test]
async fn mariadb_by_domains() {
    copied_and_followed(mariadb().await, "from_mariadb").await;
}
