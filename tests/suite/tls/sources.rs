//! Every mode against every certificate, on MySQL 9.7 and MariaDB.

use super::certificates::{file, text};
use super::matrix::{Case, MATRIX, Mode};
use crate::harness::{Mysql, run_folder};
use rowferry::testing::change::Retry;
use rowferry::testing::config::types::{SourceEndpoint, SourceTlsMode, TlsFiles};
use rowferry::testing::source::{SourceError, SourceErrorKind, Wire};
use std::path::PathBuf;

/// How the source reaches a server, as root.
pub fn endpoint(server: &Mysql, tls: SourceTlsMode) -> SourceEndpoint {
    SourceEndpoint {
        name: "shop".into(),
        host: "localhost".into(),
        port: server.port(),
        user: "root".into(),
        password: "".into(),
        tls,
        tls_files: TlsFiles::default(),
    }
}

/// As [`endpoint`], for another user.
pub fn login(server: &Mysql, tls: SourceTlsMode, user: &str, password: &str) -> SourceEndpoint {
    SourceEndpoint { user: user.into(), password: password.to_owned().into(), ..endpoint(server, tls) }
}

/// The mode's name at this side.
pub fn mode(mode: Mode) -> SourceTlsMode {
    match mode {
        Mode::Off => SourceTlsMode::Disabled,
        Mode::Prefer => SourceTlsMode::Preferred,
        Mode::Require => SourceTlsMode::Required,
        Mode::Chain => SourceTlsMode::VerifyCa,
        Mode::Name => SourceTlsMode::VerifyIdentity,
    }
}

/// Whether the server calls the connection encrypted.
pub async fn encrypted(to: &SourceEndpoint) -> Result<bool, SourceError> {
    let mut wire = Wire::connect(to).await?;
    let rows = wire.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'").await?;
    Ok(rows[0][1].as_ref().is_some_and(|cipher| !cipher.is_empty()))
}

/// As [`encrypted`], with the message and the remedy of a TLS error. Panics on any other error.
pub async fn tls_outcome(to: &SourceEndpoint) -> Result<bool, (String, String)> {
    match encrypted(to).await {
        Ok(encrypted) => Ok(encrypted),
        Err(error) if matches!(error.kind, SourceErrorKind::Tls { .. }) => match error.retry() {
            Retry::AfterFix { remedy } => Err((error.to_string(), remedy.to_string())),
            other => panic!("{error}: {other:?}"),
        },
        Err(other) => panic!("no TLS error: {other}"),
    }
}

/// Message and remedy of the error that connecting must end with.
pub async fn refused(to: &SourceEndpoint) -> (SourceError, String) {
    let error = encrypted(to).await.expect_err("connecting should fail");
    match error.retry() {
        Retry::AfterFix { remedy } => (error, remedy.to_string()),
        other => panic!("{error}: {other:?}"),
    }
}

/// Runs cases of the matrix.
pub async fn run(server: &Mysql, certificate: &str, cases: &[Case]) {
    for case in cases {
        let to = SourceEndpoint {
            host: case.host.into(),
            tls_files: case.files(),
            ..endpoint(server, mode(case.mode))
        };
        case.check(certificate, tls_outcome(&to).await);
    }
}

/// The options of a server whose certificate and clients' authority are ours.
pub fn options(certificate: &str, key: &str, ca: &str) -> Vec<String> {
    [("ssl-cert", certificate), ("ssl-key", key), ("ssl-ca", ca)]
        .map(|(option, name)| format!("--{option}={}", file(name).display()))
        .into()
}

/// Files that a server reads its certificate and key from; they change under it.
struct Changing {
    certificate: PathBuf,
    key: PathBuf,
}

impl Changing {
    fn new(name: &str) -> Self {
        let path = |end: &str| run_folder().join(format!("{name}.{end}"));
        let files = Self { certificate: path("pem"), key: path("key") };
        files.put("server.pem", "server.key");
        files
    }

    fn put(&self, certificate: &str, key: &str) {
        std::fs::write(&self.certificate, text(certificate)).unwrap();
        std::fs::write(&self.key, text(key)).unwrap();
    }

    async fn server(&self, kind: &'static str) -> Mysql {
        let [certificate, key] = [("ssl-cert", &self.certificate), ("ssl-key", &self.key)]
            .map(|(option, path)| format!("--{option}={}", path.display()));
        Mysql::start(kind, &[&certificate, &key]).await
    }
}

#[tokio::test]
async fn each_mode_judges_mysql_97s_certificate_as_documented() {
    let files = Changing::new("mysql97");
    let server = files.server("mysql97").await;
    for (certificate, key, cases) in MATRIX {
        files.put(certificate, key);
        // ALTER INSTANCE RELOAD TLS refuses the bad ones; at its start the server only warns of them.
        if server.try_sql("ALTER INSTANCE RELOAD TLS").await.is_err() {
            server.restart().await;
        }
        run(&server, certificate, cases).await;
    }
}

#[tokio::test]
async fn each_mode_judges_mariadbs_certificate_as_documented() {
    let files = Changing::new("mariadb");
    let server = files.server("mariadb").await;
    for (certificate, key, cases) in MATRIX {
        files.put(certificate, key);
        server.sql("FLUSH SSL").await;
        run(&server, certificate, cases).await;
    }
}
