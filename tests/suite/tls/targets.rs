//! Every mode against every certificate on PostgreSQL, and what `pg_hba.conf` asks for.

use super::certificates::{file, text};
use super::matrix::{Case, MATRIX, Mode};
use crate::harness::{DEADLINE, Postgres, PostgresDatabase, eventually};
use rowferry::testing::change::Retry;
use rowferry::testing::config::types::{TargetEndpoint, TargetTlsMode, TlsFiles};
use rowferry::testing::sink::{Session, SinkError, SinkErrorKind};

/// How the sink reaches a test's database, as postgres.
pub fn endpoint(database: &PostgresDatabase<'_>, tls: TargetTlsMode) -> TargetEndpoint {
    TargetEndpoint {
        name: "dw".into(),
        host: "localhost".into(),
        port: database.server.port(),
        user: "postgres".into(),
        database: database.name.clone(),
        password: String::new().into(),
        tls,
        tls_files: TlsFiles::default(),
        kind: None,
    }
}

/// The mode's name at this side.
pub fn mode(mode: Mode) -> TargetTlsMode {
    match mode {
        Mode::Off => TargetTlsMode::Disable,
        Mode::Prefer => TargetTlsMode::Prefer,
        Mode::Require => TargetTlsMode::Require,
        Mode::Chain => TargetTlsMode::VerifyCa,
        Mode::Name => TargetTlsMode::VerifyFull,
    }
}

/// Whether the server calls the connection encrypted.
pub async fn encrypted(to: &TargetEndpoint) -> Result<bool, SinkError> {
    let session = Session::connect(to, "suite").await?;
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(session.client().query_one(sql, &[]).await.unwrap().get(0))
}

/// As [`encrypted`], with the message and the remedy of a TLS error. Panics on any other error.
pub async fn tls_outcome(to: &TargetEndpoint) -> Result<bool, (String, String)> {
    match encrypted(to).await {
        Ok(encrypted) => Ok(encrypted),
        Err(error) if matches!(error.kind, SinkErrorKind::Tls { .. }) => match error.retry() {
            Retry::AfterFix { remedy } => Err((error.to_string(), remedy.to_string())),
            other => panic!("{error}: {other:?}"),
        },
        Err(other) => panic!("no TLS error: {other}"),
    }
}

/// The error that connecting must end with, and its remedy.
pub async fn refused(to: &TargetEndpoint) -> (SinkError, String) {
    let error = encrypted(to).await.expect_err("connecting should fail");
    match error.retry() {
        Retry::AfterFix { remedy } => (error, remedy.to_string()),
        other => panic!("{error}: {other:?}"),
    }
}

/// Runs cases of the matrix.
pub async fn run(database: &PostgresDatabase<'_>, certificate: &str, cases: &[Case]) {
    for case in cases {
        let to = TargetEndpoint {
            host: case.host.into(),
            tls_files: case.files(),
            ..endpoint(database, mode(case.mode))
        };
        case.check(certificate, tls_outcome(&to).await);
    }
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

/// Gives a server a certificate, `ca.pem` to judge clients by, and lines of `pg_hba.conf` after one that lets
/// postgres in. In force after [`wait_secure`].
pub async fn secure(server: &Postgres, certificate: &str, key: &str, hba: &str) {
    put(server, "server.crt", &text(certificate)).await;
    put(server, "server.key", &text(key)).await;
    put(server, "root.crt", &text("ca.pem")).await;
    put(server, "pg_hba.conf", &format!("host all postgres all trust\n{hba}")).await;
    for setting in ["ssl = on", "ssl_ca_file = 'root.crt'"] {
        server.sql(&format!("ALTER SYSTEM SET {setting}")).await;
    }
    server.sql("SELECT pg_reload_conf()").await;
}

/// Waits until [`secure`] is in force.
pub async fn wait_secure(database: &PostgresDatabase<'_>) {
    eventually(DEADLINE, "the server speaks TLS", async || {
        encrypted(&endpoint(database, TargetTlsMode::Require)).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn each_mode_judges_postgresqls_certificate_as_documented() {
    let server = Postgres::private(&[]).await;
    secure(&server, "server.pem", "server.key", "").await;
    let database = server.database("tls").await;
    wait_secure(&database).await;
    for (certificate, key, cases) in MATRIX {
        // Reloading is not awaited by pg_reload_conf(): a start with the new files is.
        put(&server, "server.crt", &text(certificate)).await;
        put(&server, "server.key", &text(key)).await;
        server.restart().await;
        run(&database, certificate, cases).await;
    }
}

const HBA: &str = "hostssl all must_encrypt all trust\nhostnossl all must_not_encrypt all trust\n\
    hostssl all signed all trust clientcert=verify-ca\nhostssl all cert_user all trust clientcert=verify-full\n\
    hostssl all by_certificate all cert";

#[tokio::test]
async fn pg_hba_decides_who_needs_tls_and_a_certificate() {
    let server = Postgres::private(&[]).await;
    secure(&server, "server.pem", "server.key", HBA).await;
    let database = server.database("hba").await;
    for user in ["must_encrypt", "must_not_encrypt", "signed", "cert_user", "by_certificate"] {
        server.sql(&format!("CREATE ROLE {user} LOGIN")).await;
    }
    wait_secure(&database).await;
    let to = |user: &str, tls, certificate: Option<(&str, &str)>| {
        let mut to = TargetEndpoint { user: user.into(), ..endpoint(&database, tls) };
        to.tls_files.cert_file = certificate.map(|(cert, _)| file(cert));
        to.tls_files.key_file = certificate.map(|(_, key)| file(key));
        to
    };
    let ours = Some(("client.pem", "client.key"));

    for (user, tls, certificate, wanted) in [
        ("must_encrypt", TargetTlsMode::Prefer, None, true),
        ("must_encrypt", TargetTlsMode::Require, None, true),
        ("must_not_encrypt", TargetTlsMode::Disable, None, false),
        ("must_not_encrypt", TargetTlsMode::Prefer, None, false),
        ("signed", TargetTlsMode::Require, ours, true),
        ("signed", TargetTlsMode::Prefer, Some(("client-rsa.pem", "rsa.key")), true),
        ("signed", TargetTlsMode::Require, Some(("client-rsa.pem", "rsa-pkcs1.key")), true),
        ("cert_user", TargetTlsMode::Require, ours, true),
        ("cert_user", TargetTlsMode::Require, Some(("client.pem", "client-sec1.key")), true),
    ] {
        let came = encrypted(&to(user, tls, certificate)).await;
        assert_eq!(came.map_err(|error| error.to_string()), Ok(wanted), "{user} {tls:?} {certificate:?}");
    }

    for (user, tls, certificate, words, advice) in [
        ("must_encrypt", TargetTlsMode::Disable, None, "no encryption", "tls = \"require\""),
        ("must_not_encrypt", TargetTlsMode::Require, None, "SSL encryption", "pg_hba.conf"),
        ("signed", TargetTlsMode::Require, None, "client certificate", "cert_file"),
        ("signed", TargetTlsMode::Prefer, None, "client certificate", "tls = \"require\""),
        ("cert_user", TargetTlsMode::Require, None, "client certificate", "cert_file"),
        ("by_certificate", TargetTlsMode::Require, ours, "certificate authentication failed", "(CN)"),
    ] {
        let (error, remedy) = refused(&to(user, tls, certificate)).await;
        assert!(matches!(error.kind, SinkErrorKind::Login { .. }), "{user} {tls:?}: {error}");
        assert!(
            error.to_string().contains(words) && remedy.contains(advice),
            "{user} {tls:?}: {error}\n{remedy}"
        );
    }

    // Refused by TLS itself, and never tried again without.
    for certificate in ["client-stranger.pem", "client-expired.pem"] {
        for tls in [TargetTlsMode::Prefer, TargetTlsMode::Require] {
            let to = to("must_not_encrypt", tls, Some((certificate, "client.key")));
            let (message, remedy) = tls_outcome(&to).await.expect_err("a certificate to refuse");
            assert!(message.contains("refuses the client's certificate"), "{certificate}: {message}");
            assert!(remedy.contains("cert_file"), "{remedy}");
        }
    }
}
