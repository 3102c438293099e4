//! The whole way over TLS: users that servers let in with TLS and a certificate only, from the first copy to the
//! stream, a restart, a takeover of the status command.

use super::certificates::file;
use super::sources::options;
use super::targets::{secure, wait_secure};
use crate::harness::{Mysql, Postgres, Scene, rowferry};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_connection_of_a_daemon_uses_the_mode() {
    let options = options("server.pem", "server.key", "ca.pem");
    let mysql = Mysql::private(&options.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let postgres = Postgres::private(&["-c", "log_connections=on"]).await;
    secure(
        &postgres,
        "server.pem",
        "server.key",
        "hostssl all loader all scram-sha-256 clientcert=verify-ca",
    )
    .await;
    let scene = Scene::on(&mysql, &postgres, "tls_daemon").await;
    wait_secure(&scene.target).await;
    mysql
        .sql(
            "CREATE USER loader IDENTIFIED BY 'geheim' REQUIRE X509;
             GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO loader",
        )
        .await;
    scene
        .target
        .sql("CREATE ROLE loader LOGIN PASSWORD 'geheim'; GRANT CREATE ON DATABASE tls_daemon TO loader")
        .await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v TEXT);
             INSERT INTO t WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, REPEAT('x', i) FROM n",
        )
        .await;
    let path = |name: &str| format!("{:?}", file(name).to_str().unwrap());
    let mut config = scene
        .config()
        .source("url", &format!("\"mysql://loader@localhost:{}\"", mysql.port()))
        .source("tls", "\"verify_identity\"")
        .target("url", &format!("\"postgresql://loader@localhost:{}/tls_daemon\"", postgres.port()))
        .target("tls", "\"verify_full\"")
        .task("snapshot", "{ parallel = 3, chunk_rows = 100 }");
    for (key, value) in [
        ("password", "\"geheim\"".to_owned()),
        ("ca_file", path("ca.pem")),
        ("cert_file", path("client.pem")),
        ("key_file", path("client.key")),
    ] {
        config = config.source(key, &value).target(key, &value);
    }
    let check = rowferry(&["check", "-c", &config.file()]).await;
    assert_eq!(check.code, 0, "{check:?}");
    let plan = rowferry(&["plan", "-c", &config.file()]).await;
    assert_eq!(plan.code, 0, "{plan:?}");

    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO t VALUES (1001, 'later'); UPDATE t SET v = 'changed' WHERE id < 50").await;
    scene.assert_exact(&daemon, &["t"]).await;

    // The server's own view of every connection that is open now, the dump among them.
    let open = mysql
        .sql(
            "SELECT t.processlist_command, s.variable_value <> '' FROM performance_schema.threads t
             JOIN performance_schema.status_by_thread s USING (thread_id)
             WHERE t.processlist_user = 'loader' AND s.variable_name = 'Ssl_cipher'",
        )
        .await;
    let commands: BTreeSet<_> = open.iter().map(|row| row[0].clone().unwrap_or_default()).collect();
    assert!(commands.iter().any(|command| command.starts_with("Binlog Dump")), "{open:?}");
    assert!(open.iter().all(|row| row[1].as_deref() == Some("1")), "{open:?}");
    let sessions = scene
        .target
        .sql("SELECT application_name, ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'loader'")
        .await;
    assert!(sessions.len() >= 2, "owner and apply: {sessions:?}");
    for row in &sessions {
        assert_eq!(
            (row[1].as_deref(), row[2].as_deref()),
            (Some("t"), Some("/CN=cert_user")),
            "{sessions:?}"
        );
    }

    // Again from the checkpoint, and the status read from the target when no daemon answers.
    daemon.kill9();
    let path = daemon.config_path();
    let stored = rowferry(&["status", "-c", path.to_str().unwrap()]).await;
    assert!(stored.stdout.contains("main") && stored.stdout.contains("no daemon answers"), "{stored:?}");
    scene.source.sql("DELETE FROM t WHERE id > 1000").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", crate::harness::DEADLINE * 2).await;
    scene.assert_exact(&daemon, &["t"]).await;
}
