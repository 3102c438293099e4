//! MySQL accounts that demand TLS or a client certificate, and the forms of its key.

use super::certificates::file;
use super::sources::{encrypted, login, options, refused, tls_outcome};
use crate::harness::Mysql;
use rowferry::testing::config::types::SourceTlsMode::{self, Disabled, Preferred, Required, VerifyIdentity};
use rowferry::testing::config::types::{SourceEndpoint, TlsFiles};
use rowferry::testing::source::SourceErrorKind;

const ACCOUNTS: &str = "CREATE USER open; CREATE USER tls REQUIRE SSL; CREATE USER x509 REQUIRE X509;
    CREATE USER subject REQUIRE SUBJECT '/CN=cert_user'; CREATE USER other REQUIRE SUBJECT '/CN=somebody else'";

fn to(server: &Mysql, tls: SourceTlsMode, user: &str, certificate: Option<(&str, &str)>) -> SourceEndpoint {
    let files = TlsFiles {
        ca_file: (tls == VerifyIdentity).then(|| file("ca.pem")),
        cert_file: certificate.map(|(cert, _)| file(cert)),
        key_file: certificate.map(|(_, key)| file(key)),
    };
    SourceEndpoint { tls_files: files, ..login(server, tls, user, "") }
}

async fn accounts(server: &Mysql) {
    server.sql(ACCOUNTS).await;
    let ours = Some(("client.pem", "client.key"));
    for (user, tls, certificate, wanted) in [
        ("open", Disabled, None, false),
        ("tls", Preferred, None, true),
        ("tls", Required, None, true),
        ("tls", VerifyIdentity, ours, true),
        ("x509", Preferred, ours, true),
        ("x509", VerifyIdentity, ours, true),
        ("x509", Required, Some(("client.pem", "client-sec1.key")), true),
        ("x509", Required, Some(("client-rsa.pem", "rsa.key")), true),
        ("x509", Required, Some(("client-rsa.pem", "rsa-pkcs1.key")), true),
        ("subject", Required, ours, true),
    ] {
        let came = encrypted(&to(server, tls, user, certificate)).await.map_err(|error| error.to_string());
        assert_eq!(came, Ok(wanted), "{user} {tls:?} {certificate:?}");
    }
    // The server tells none of these from a wrong password: the remedy has to.
    for (user, tls, certificate, advice) in [
        ("tls", Disabled, None, "tls = \"required\""),
        ("x509", Disabled, None, "tls = \"required\""),
        ("x509", Required, None, "cert_file"),
        ("other", Required, ours, "SUBJECT"),
    ] {
        let (error, remedy) = refused(&to(server, tls, user, certificate)).await;
        assert!(matches!(error.kind, SourceErrorKind::Login { .. }), "{user} {tls:?}: {error}");
        assert!(remedy.contains(advice), "{user} {tls:?}: {remedy}");
    }
    // Refused by TLS itself, in both of its versions' ways; `preferred` does not go without for that.
    for certificate in ["client-stranger.pem", "client-expired.pem"] {
        for tls in [Preferred, Required, VerifyIdentity] {
            let (message, remedy) = tls_outcome(&to(server, tls, "open", Some((certificate, "client.key"))))
                .await
                .expect_err("a certificate to refuse");
            assert!(message.contains("refuses the client's certificate"), "{certificate}: {message}");
            assert!(remedy.contains("cert_file"), "{remedy}");
        }
    }
}

fn certified(more: &[&str]) -> Vec<String> {
    let mut options = options("server.pem", "server.key", "ca.pem");
    options.extend(more.iter().map(|&option| option.to_owned()));
    options
}

async fn start(kind: &'static str, options: &[String]) -> Mysql {
    Mysql::start(kind, &options.iter().map(String::as_str).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn mysql_97_accounts_that_demand_tls_or_a_certificate_over_tls_13() {
    accounts(&start("mysql97", &certified(&["--tls-version=TLSv1.3"])).await).await;
}

#[tokio::test]
async fn mysql_97_accounts_that_demand_tls_or_a_certificate_over_tls_12() {
    accounts(&start("mysql97", &certified(&["--tls-version=TLSv1.2"])).await).await;
}

#[tokio::test]
async fn mariadb_accounts_that_demand_tls_or_a_certificate_over_either_tls() {
    for version in ["--tls-version=TLSv1.3", "--tls-version=TLSv1.2"] {
        accounts(&start("mariadb", &certified(&[version])).await).await;
    }
}

#[tokio::test]
async fn a_server_that_takes_nothing_without_tls_says_so() {
    let server = start("mysql97", &certified(&[])).await;
    let mut session = server.session().await;
    session.sql("SET GLOBAL require_secure_transport = ON").await;
    let to = |tls| login(&server, tls, "root", "");
    let (error, remedy) = refused(&to(Disabled)).await;
    assert!(matches!(error.kind, SourceErrorKind::Tls { .. }), "{error}");
    assert!(remedy.contains("tls = \"required\""), "{remedy}");
    assert!(encrypted(&to(Preferred)).await.unwrap() && encrypted(&to(Required)).await.unwrap());
}
