//! Servers that offer no TLS: what wants it says so and has sent nothing of use to a listener.

use super::matrix::{Mode, PLAIN_SERVER};
use super::tap::{Tap, assert_tls_records, contains};
use super::{sources, targets};
use crate::harness::{Mysql, Postgres};
use rowferry::testing::config::types::{SourceEndpoint, TargetEndpoint};

/// A password that would be found in what is sent.
const PASSWORD: &str = "open sesame, and again";

#[tokio::test]
async fn a_mysql_without_tls_is_refused_by_every_mode_that_wants_it() {
    let server = Mysql::private(&["--tls-version=", "--skip-log-bin"]).await;
    sources::run(&server, "none", PLAIN_SERVER).await;
    nothing_is_sent_to(&server).await;
}

#[tokio::test]
async fn a_mariadb_without_tls_is_refused_by_every_mode_that_wants_it() {
    let server = Mysql::start("mariadb", &["--skip-ssl"]).await;
    sources::run(&server, "none", PLAIN_SERVER).await;
    nothing_is_sent_to(&server).await;
}

#[tokio::test]
async fn a_mysql_56_without_tls_is_refused_by_every_mode_that_wants_it() {
    let server = Mysql::start("mysql56", &["--skip-ssl"]).await;
    sources::run(&server, "none", PLAIN_SERVER).await;
    nothing_is_sent_to(&server).await;
}

async fn nothing_is_sent_to(server: &Mysql) {
    let tap = Tap::start(server.port()).await;
    for case in PLAIN_SERVER {
        let to = SourceEndpoint {
            port: tap.port(),
            tls_files: case.files(),
            ..sources::login(server, sources::mode(case.mode), "listened_to", PASSWORD)
        };
        sources::encrypted(&to).await.expect_err("there is no such user");
        let talks = tap.take().await;
        let sent = &talks[0].client;
        assert_eq!(talks.len(), 1, "{case:?}");
        match case.mode {
            Mode::Off | Mode::Prefer => assert!(contains(sent, b"listened_to"), "the tap does not hear"),
            Mode::Require | Mode::Chain | Mode::Name => assert_eq!(sent, b"", "{case:?}"),
        }
        assert!(!contains(sent, PASSWORD.as_bytes()), "{case:?}");
    }
}

#[tokio::test]
async fn a_postgresql_without_tls_is_refused_by_every_mode_that_wants_it() {
    let server = Postgres::private(&[]).await;
    let database = server.database("tls_plain").await;
    targets::run(&database, "none", PLAIN_SERVER).await;
    let tap = Tap::start(server.port()).await;
    for case in PLAIN_SERVER {
        let to = TargetEndpoint {
            port: tap.port(),
            user: "listened_to".into(),
            password: PASSWORD.to_owned().into(),
            tls_files: case.files(),
            ..targets::endpoint(&database, targets::mode(case.mode))
        };
        targets::encrypted(&to).await.expect_err("there is no such user");
        let talks = tap.take().await;
        let sent = &talks[0].client;
        assert_eq!(talks.len(), 1, "{case:?}");
        match case.mode {
            Mode::Off | Mode::Prefer => assert!(contains(sent, b"listened_to"), "the tap does not hear"),
            // SSLRequest and nothing else.
            _ => assert_eq!(sent, &[0, 0, 0, 8, 4, 210, 22, 47], "{case:?}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_refused_ends_the_connection_before_the_user_is_named() {
    let options = sources::options("server-other.pem", "server.key", "ca.pem");
    let mysql = Mysql::private(&options.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let postgres = Postgres::private(&[]).await;
    targets::secure(&postgres, "server-other.pem", "server.key", "host all all trust").await;
    let database = postgres.database("tls_refused").await;
    targets::wait_secure(&database).await;

    let tap = Tap::start(mysql.port()).await;
    for mode in [Mode::Chain, Mode::Name] {
        let mut to = sources::login(&mysql, sources::mode(mode), "listened_to", PASSWORD);
        to.port = tap.port();
        to.tls_files.ca_file = Some(super::certificates::file("ca.pem"));
        sources::tls_outcome(&to).await.expect_err("another authority");
        let talks = tap.take().await;
        assert_eq!(talks.len(), 1);
        // SSLRequest is 32 bytes after a header of 4; the server's greeting is not encrypted.
        let (request, records) = talks[0].client.split_at(36);
        assert!(request.ends_with(&[0; 23]), "{request:02x?}");
        assert_tls_records(records);
        assert!(!contains(records, b"listened_to"));
    }
    let tap = Tap::start(postgres.port()).await;
    for mode in [Mode::Chain, Mode::Name] {
        let mut to = targets::endpoint(&database, targets::mode(mode));
        (to.port, to.user) = (tap.port(), "listened_to".into());
        to.tls_files.ca_file = Some(super::certificates::file("ca.pem"));
        targets::tls_outcome(&to).await.expect_err("another authority");
        let talks = tap.take().await;
        assert_eq!(talks.len(), 1);
        assert_tls_records(talks[0].client.strip_prefix(&[0, 0, 0, 8, 4, 210, 22, 47]).expect("SSLRequest"));
    }
}
