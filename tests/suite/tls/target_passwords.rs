//! Passwords at the target: SCRAM, md5 and plain, with and without TLS.

use super::tap::{Tap, contains};
use super::targets::{encrypted, endpoint, refused, secure, wait_secure};
use crate::harness::Postgres;
use rowferry::testing::config::types::TargetEndpoint;
use rowferry::testing::config::types::TargetTlsMode::{Disable, Prefer, Require};
use rowferry::testing::sink::SinkErrorKind;

const HBA: &str = "host all scram_user all scram-sha-256\nhost all md5_user all md5\nhost all plain_user all password\n\
    host all nobody_user all reject\nhost all late_user all scram-sha-256\nhost all unset_user all scram-sha-256\n\
    host all locked_user all scram-sha-256";
/// Not ASCII, and more than the 64 bytes of a hash's block.
const LONG: &str =
    "pässwörd 密碼 пароль with a lot more behind it, so that it is longer than any digest or block";

#[tokio::test]
async fn every_way_to_log_in_works_and_a_wrong_password_is_a_refused_login() {
    let server = Postgres::private(&[]).await;
    secure(&server, "server.pem", "server.key", HBA).await;
    let database = server.database("logins").await;
    wait_secure(&database).await;
    server.sql("SET password_encryption = 'scram-sha-256'; CREATE ROLE scram_user LOGIN; CREATE ROLE plain_user LOGIN").await;
    server.sql("CREATE ROLE md5_user LOGIN").await;
    let tap = Tap::start(server.port()).await;
    for password in ["x", "with 'quotes' and \\", LONG] {
        let literal = format!("'{}'", password.replace('\'', "''"));
        for (user, encryption) in
            [("scram_user", "scram-sha-256"), ("md5_user", "md5"), ("plain_user", "scram-sha-256")]
        {
            server
                .sql(&format!(
                    "SET password_encryption = '{encryption}'; ALTER ROLE {user} PASSWORD {literal}"
                ))
                .await;
            for tls in [Disable, Prefer, Require] {
                let with = |password: &str| TargetEndpoint {
                    user: user.into(),
                    password: password.to_owned().into(),
                    ..endpoint(&database, tls)
                };
                let came = encrypted(&with(password)).await.map_err(|error| error.to_string());
                assert_eq!(came, Ok(tls != Disable), "{user} {tls:?} {password}");
                for wrong in ["wrong", ""] {
                    let (error, remedy) = refused(&with(wrong)).await;
                    assert!(matches!(&error.kind, SinkErrorKind::Login { .. }), "{user} '{wrong}': {error}");
                    assert!(!error.to_string().contains("wrong"), "the password is told: {error}");
                    assert!(remedy.contains("right user and password"), "{remedy}");
                }
                encrypted(&TargetEndpoint { port: tap.port(), ..with(LONG) }).await.ok();
                let seen = tap.take().await.iter().any(|talk| contains(&talk.client, LONG.as_bytes()));
                // The method `password` gives it away by design; docs/tls.md says so.
                assert_eq!(seen, user == "plain_user" && tls == Disable, "{user} {tls:?}");
            }
        }
    }
}

#[tokio::test]
async fn accounts_that_may_not_log_in_say_why() {
    let server = Postgres::private(&[]).await;
    secure(&server, "server.pem", "server.key", HBA).await;
    let database = server.database("refusals").await;
    wait_secure(&database).await;
    server
        .sql(
            "CREATE ROLE nobody_user LOGIN; CREATE ROLE unset_user LOGIN; CREATE ROLE locked_user NOLOGIN PASSWORD 'p';
             CREATE ROLE late_user LOGIN PASSWORD 'p' VALID UNTIL '2020-01-01'",
        )
        .await;
    for (user, words, advice) in [
        ("nobody_user", "rejects connection", "pg_hba.conf"),
        ("no_such_user", "no pg_hba.conf entry", "pg_hba.conf"),
        ("unset_user", "password authentication failed", "right user and password"),
        ("locked_user", "not permitted to log in", "right user"),
        ("late_user", "password authentication failed", "right user and password"),
    ] {
        let to = TargetEndpoint {
            user: user.into(),
            password: String::from("p").into(),
            ..endpoint(&database, Require)
        };
        let (error, remedy) = refused(&to).await;
        assert!(matches!(&error.kind, SinkErrorKind::Login { .. }), "{user}: {error}");
        assert!(error.to_string().contains(words) && remedy.contains(advice), "{user}: {error}\n{remedy}");
    }
}
