//! MySQL 5.6, whose TLS ends at version 1.1.

use super::matrix::Mode;
use super::sources::{encrypted, login, mode, options, tls_outcome};
use super::tap::{Tap, contains};
use crate::harness::Mysql;
use rowferry::testing::config::types::SourceEndpoint;

#[tokio::test]
async fn only_preferred_goes_without_the_tls_of_mysql_56() {
    let options = options("old-server.pem", "rsa-pkcs1.key", "old-ca.pem");
    let server = Mysql::start("mysql56", &options.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(server.sql("SHOW VARIABLES LIKE 'have_ssl'").await[0][1].as_deref(), Some("YES"));
    server
        .sql("CREATE USER listened_to IDENTIFIED BY 'open sesame'; GRANT SELECT ON *.* TO listened_to")
        .await;
    let tap = Tap::start(server.port()).await;
    for kind in [Mode::Off, Mode::Prefer, Mode::Require, Mode::Chain, Mode::Name] {
        let mut to =
            SourceEndpoint { port: tap.port(), ..login(&server, mode(kind), "listened_to", "open sesame") };
        if matches!(kind, Mode::Chain | Mode::Name) {
            to.tls_files.ca_file = Some(super::certificates::file("old-ca.pem"));
        }
        if matches!(kind, Mode::Off | Mode::Prefer) {
            assert!(!encrypted(&to).await.unwrap(), "{kind:?}");
            let talks = tap.take().await;
            assert_eq!(talks.len(), if kind == Mode::Off { 1 } else { 2 }, "{kind:?}");
        } else {
            let (message, remedy) = tls_outcome(&to).await.expect_err("no TLS in common");
            assert!(message.contains("only TLS 1.1 or older"), "{kind:?}: {message}");
            assert!(message.contains("5.6.24"), "the server's version helps: {message}");
            assert!(remedy.contains("upgrade") && remedy.contains("tunnel"), "{kind:?}: {remedy}");
            let talks = tap.take().await;
            assert_eq!(talks.len(), 1, "{kind:?} tries no second time");
            assert!(!contains(&talks[0].client, b"listened_to"), "{kind:?}");
        }
    }
}
