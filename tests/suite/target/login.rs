//! TLS in its five modes and every way to log in, at a server of the test's own.
//!
//! `certificates/` holds an authority, a server certificate for `localhost` (not for 127.0.0.1) and a client
//! certificate for the user cert_user, all valid until 2120, made for these tests and used nowhere else.

use super::endpoint;
use crate::harness::{DEADLINE, Postgres, PostgresDatabase, eventually};
use rowferry::config::types::{TargetEndpoint, TargetTlsMode, TlsFiles};
use rowferry::sink::{Session, SinkError};
use std::path::PathBuf;

const HBA: &str = "local all all trust\nhost all postgres all trust\nhostssl all cert_user all cert\n\
                   host all scram_user all scram-sha-256\nhost all md5_user all md5\nhost all plain_user all password\n";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/target/certificates").join(name)
}

/// Lets the server write a file in its data directory, so that it belongs to its own user and nobody else reads it.
async fn put(server: &Postgres, name: &str, text: &str) {
    // One line a row: COPY would write a line break inside a value as two characters.
    let text = text.trim_end().replace('\n', "\\n");
    server
        .sql(&format!(
            "COPY (SELECT unnest(string_to_array(E'{text}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
        ))
        .await;
}

/// A server with TLS and passwords.
async fn secure_server() -> Postgres {
    let server = Postgres::private(&[]).await;
    for (name, from) in
        [("server.crt", "server.pem"), ("server.key", "server-key.pem"), ("root.crt", "ca.pem")]
    {
        put(&server, name, &std::fs::read_to_string(file(from)).unwrap()).await;
    }
    put(&server, "pg_hba.conf", HBA).await;
    server
        .sql(
            "CREATE ROLE cert_user LOGIN; SET password_encryption = 'scram-sha-256';
             CREATE ROLE scram_user LOGIN PASSWORD 'pass wörd'; CREATE ROLE plain_user LOGIN PASSWORD 'p';
             SET password_encryption = 'md5'; CREATE ROLE md5_user LOGIN PASSWORD 'm'",
        )
        .await;
    for setting in ["ssl = on", "ssl_ca_file = 'root.crt'"] {
        server.sql(&format!("ALTER SYSTEM SET {setting}")).await;
    }
    server.sql("SELECT pg_reload_conf()").await;
    server
}

fn with_tls(
    database: &PostgresDatabase<'_>,
    host: &str,
    tls: TargetTlsMode,
    ca: Option<&str>,
) -> TargetEndpoint {
    let tls_files = TlsFiles { ca_file: ca.map(file), ..TlsFiles::default() };
    TargetEndpoint { host: host.into(), tls, tls_files, ..endpoint(database) }
}

/// Whether the connection is encrypted, or the error.
async fn encrypted(to: &TargetEndpoint) -> Result<bool, SinkError> {
    let session = Session::connect(to, "suite").await?;
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(session.client().query_one(sql, &[]).await.unwrap().get(0))
}

#[tokio::test]
async fn each_tls_mode_accepts_and_refuses_as_postgresql_documents() {
    use TargetTlsMode::{Disable, Prefer, Require, VerifyCa, VerifyFull};
    let server = secure_server().await;
    let database = server.database("tls").await;
    let to = |host: &str, mode, ca| with_tls(&database, host, mode, ca);
    eventually(DEADLINE, "the server speaks TLS", async || {
        encrypted(&to("localhost", Require, None)).await.is_ok()
    })
    .await;
    for (host, mode, ca, wanted) in [
        ("localhost", Disable, None, Some(false)),
        ("localhost", Prefer, None, Some(true)),
        ("localhost", Require, Some("other-ca.pem"), Some(true)),
        ("localhost", VerifyCa, Some("ca.pem"), Some(true)),
        ("127.0.0.1", VerifyCa, Some("ca.pem"), Some(true)),
        ("localhost", VerifyCa, Some("server.pem"), Some(true)),
        ("localhost", VerifyCa, Some("other-ca.pem"), None),
        ("localhost", VerifyFull, Some("ca.pem"), Some(true)),
        ("127.0.0.1", VerifyFull, Some("ca.pem"), None),
        ("localhost", VerifyFull, Some("other-ca.pem"), None),
    ] {
        let result = encrypted(&to(host, mode, ca)).await;
        match wanted {
            Some(wanted) => assert_eq!(result.unwrap(), wanted, "{host} {mode:?} {ca:?}"),
            None => {
                assert!(matches!(result, Err(SinkError::Tls { .. })), "{host} {mode:?} {ca:?}: {result:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_way_to_log_in_works_and_a_wrong_password_is_a_refused_login() {
    let server = secure_server().await;
    let database = server.database("logins").await;
    eventually(DEADLINE, "the server asks for passwords", async || {
        let to = TargetEndpoint { user: "scram_user".into(), ..endpoint(&database) };
        matches!(Session::connect(&to, "suite").await, Err(SinkError::Login { .. }))
    })
    .await;
    for tls in [TargetTlsMode::Disable, TargetTlsMode::Require] {
        for (user, password) in [("scram_user", "pass wörd"), ("md5_user", "m"), ("plain_user", "p")] {
            let with = |password: &str| TargetEndpoint {
                user: user.into(),
                password: password.to_owned().into(),
                tls,
                ..endpoint(&database)
            };
            Session::connect(&with(password), "suite").await.unwrap();
            for wrong in ["wrong", ""] {
                let error = Session::connect(&with(wrong), "suite").await.map(|_| ()).unwrap_err();
                assert!(matches!(&error, SinkError::Login { .. }), "{user} '{wrong}': {error}");
                assert!(!error.to_string().contains("wrong"), "the password is told: {error}");
            }
        }
    }
    let mut certified = with_tls(&database, "localhost", TargetTlsMode::VerifyFull, Some("ca.pem"));
    certified.user = "cert_user".into();
    assert!(matches!(Session::connect(&certified, "suite").await, Err(SinkError::Login { .. })));
    certified.tls_files.cert_file = Some(file("client.pem"));
    certified.tls_files.key_file = Some(file("client-key.pem"));
    Session::connect(&certified, "suite").await.unwrap();
}
