//! MariaDB keeps hashes of long unique keys in columns that only its log shows.

use crate::harness::{Daemon, Mysql, Scene, applied_or_failed, postgres};

async fn follows(kind: &'static str) {
    for metadata in ["NO_LOG", "FULL"] {
        let mysql = Mysql::start(kind, &[&format!("--binlog-row-metadata={metadata}")]).await;
        let name = format!("hidden_columns_{kind}_{}", metadata.to_lowercase());
        let scene = Scene::on(&mysql, postgres().await, &name).await;
        let mut source = scene.source.session().await;
        source
            .sql(
                "CREATE TABLE t (id INT PRIMARY KEY, a TEXT, b BLOB, v VARCHAR(5), \
                 UNIQUE (a), UNIQUE (b, v)); INSERT INTO t VALUES (1, 'a', 'b', 'v'); \
                 CREATE TABLE u (id INT PRIMARY KEY, a VARCHAR(20)); INSERT INTO u VALUES (1, 'a'); \
                 CREATE TABLE w (id INT PRIMARY KEY, a VARCHAR(20) NOT NULL, UNIQUE (a) USING HASH); INSERT INTO w VALUES (1, 'a')"
            )
            .await;
        let daemon = scene.start().await;
        let rows = "INSERT INTO t (id, a, b) SELECT MAX(id) + 1, MAX(id), NULL FROM t; UPDATE t SET b = id WHERE id > 1; \
                    INSERT INTO u (id, a) SELECT MAX(id) + 1, MAX(id) FROM u; UPDATE u SET a = CONCAT(a, 'x'); \
                    INSERT INTO w (id, a) SELECT MAX(id) + 1, MAX(id) FROM w; UPDATE w SET a = CONCAT(a, 'x')";
        source.sql(rows).await;
        scene.assert_exact(&daemon, &["t", "u", "w"]).await;
        // They come and go with statements, beside columns that are carried.
        for alter in [
            "ALTER TABLE u ADD UNIQUE h (a) USING HASH",
            "ALTER TABLE t ADD n BIGINT",
            "ALTER TABLE t DROP INDEX b, ADD m BIGINT",
            "CREATE UNIQUE INDEX c ON t (b)",
            "ALTER TABLE w MODIFY a VARCHAR(2000) NOT NULL",
            "ALTER TABLE u DROP INDEX h",
        ] {
            source.sql(&format!("{alter}; {rows}")).await;
            scene.assert_exact(&daemon, &["t", "u", "w"]).await;
        }
        daemon.kill9();
        let daemon = Daemon::start(&scene.config());
        source.sql(&format!("{rows}; DELETE FROM t WHERE id = 1")).await;
        scene.assert_exact(&daemon, &["t", "u", "w"]).await;
        // A column that was added unseen is not taken for one.
        source
            .sql(&format!("SET sql_log_bin = 0; ALTER TABLE t ADD z BIGINT; SET sql_log_bin = 1; {rows}"))
            .await;
        let failure = applied_or_failed(&daemon, &mysql).await.unwrap_err();
        assert!(failure.contains("the log describes column (all) differently"), "{failure}");
    }
}

#[tokio::test]
async fn tables_with_hidden_columns_are_followed_on_mariadb() {
    follows("mariadb").await;
}

#[tokio::test]
async fn tables_with_hidden_columns_are_followed_on_mariadb_11_8() {
    follows("mariadb118").await;
}
