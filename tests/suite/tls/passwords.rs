//! Passwords at the source: every method the servers have, and what a listener gets to see of them.

use super::sources::{encrypted, login, options, refused};
use super::tap::{Talk, Tap, contains};
use crate::harness::{Mysql, mariadb, mysql56};
use rowferry::testing::config::types::SourceEndpoint;
use rowferry::testing::config::types::SourceTlsMode::{self, Disabled, Required};
use rowferry::testing::source::SourceErrorKind;

/// Not ASCII, and more than the 64 bytes of a hash's block.
const LONG: &str =
    "pässwörd 密碼 пароль 🔑 with a lot more behind it, so that it is longer than any digest or block";
const OTHERS: &[&str] = &["x", "with 'quotes' and \\", "ünïcode", LONG];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A MySQL 9.7 with a certificate of ours.
async fn mysql97() -> Mysql {
    let options = options("server.pem", "server.key", "ca.pem");
    Mysql::private(&options.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Logs in with each password and with wrong ones.
async fn try_passwords(server: &Mysql, create: impl Fn(&str) -> String, modes: &[SourceTlsMode]) {
    for password in OTHERS {
        let mut session = server.session().await;
        session.sql("SET NAMES utf8mb4; SET sql_mode = ''").await;
        let statements = create(&quoted(password));
        session
            .sql(&format!("DELETE FROM mysql.user WHERE User = 'u'; FLUSH PRIVILEGES; {statements}"))
            .await;
        for &tls in modes {
            let to = |password: &str| login(server, tls, "u", password);
            let came = encrypted(&to(password)).await.map_err(|error| error.to_string());
            assert_eq!(came, Ok(tls != Disabled), "{password} {tls:?}");
            for wrong in [String::new(), "wrong".to_owned(), password.to_lowercase() + "!"] {
                let (error, remedy) = refused(&to(&wrong)).await;
                assert!(matches!(error.kind, SourceErrorKind::Login { .. }), "{password} {tls:?}: {error}");
                assert!(remedy.contains("right user and password"), "{remedy}");
                assert!(!error.to_string().contains(&format!("wrong{wrong}")));
            }
        }
    }
}

/// Whether the server asked for the password itself (`full`) or had it cached: what follows
/// `caching_sha2_password`'s first answer, [1, 4] or [1, 3].
fn full(talk: &Talk) -> bool {
    let (full, fast) =
        (contains(&talk.server, &[2, 0, 0, 2, 1, 4]), contains(&talk.server, &[2, 0, 0, 2, 1, 3]));
    assert!(full != fast, "{talk:?}");
    full
}

#[tokio::test]
async fn caching_sha2_goes_the_full_way_once_and_then_the_fast_one() {
    let server = mysql97().await;
    let tap = Tap::start(server.port()).await;
    server.sql(&format!("CREATE USER first_and_later IDENTIFIED BY {}", quoted(LONG))).await;
    let through = SourceEndpoint { port: tap.port(), ..login(&server, Disabled, "first_and_later", LONG) };
    // Unencrypted: the password is sent under the server's RSA key.
    for (emptied, wanted) in [(false, true), (false, false), (false, false), (true, true), (false, false)] {
        if emptied {
            server.sql("FLUSH PRIVILEGES").await;
        }
        encrypted(&through).await.unwrap();
        let talks = tap.take().await;
        assert_eq!(full(&talks[0]), wanted, "{emptied}");
        assert_eq!(contains(&talks[0].server, b"BEGIN PUBLIC KEY"), wanted);
        assert!(
            !contains(&talks[0].client, LONG.as_bytes())
                && !contains(&talks[0].client, &LONG.as_bytes()[..20])
        );
    }
    // Under TLS, both ways; the cache is the server's own.
    for emptied in [true, false] {
        if emptied {
            server.sql("FLUSH PRIVILEGES").await;
        }
        let under_tls =
            SourceEndpoint { port: tap.port(), ..login(&server, Required, "first_and_later", LONG) };
        assert!(encrypted(&under_tls).await.unwrap());
        let talks = tap.take().await;
        assert!(!contains(&talks[0].client, b"first_and_later"), "the login is encrypted");
    }
    // The last login filled the cache: it did go through.
    encrypted(&through).await.unwrap();
    assert!(!full(&tap.take().await[0]));
}

#[tokio::test]
async fn caching_sha2_takes_every_password_and_no_wrong_one() {
    let server = mysql97().await;
    let create =
        |password: &str| format!("CREATE USER u IDENTIFIED WITH caching_sha2_password BY {password}");
    try_passwords(&server, create, &[Disabled, Required]).await;
    server.sql("CREATE USER nothing IDENTIFIED BY ''").await;
    for tls in [Disabled, Required] {
        encrypted(&login(&server, tls, "nothing", "")).await.unwrap();
        refused(&login(&server, tls, "nothing", "x")).await;
    }
    // Longer than the RSA key takes: TLS or nothing.
    let endless = "e".repeat(250);
    server.sql(&format!("CREATE USER endless IDENTIFIED BY '{endless}'")).await;
    let (error, remedy) = refused(&login(&server, Disabled, "endless", &endless)).await;
    assert!(error.to_string().contains("too long for the server's RSA key"), "{error}");
    assert!(remedy.contains("tls = \"required\""), "{remedy}");
    assert!(encrypted(&login(&server, Required, "endless", &endless)).await.unwrap());
}

#[tokio::test]
async fn sha256_password_works_with_and_without_tls() {
    let server = mysql97().await;
    let create = |password: &str| format!("CREATE USER u IDENTIFIED WITH sha256_password BY {password}");
    try_passwords(&server, create, &[Disabled, Required]).await;
}

#[tokio::test]
async fn native_passwords_work_on_mysql_56_and_mariadb() {
    let mysql56 = Mysql::start("mysql56", &[]).await;
    try_passwords(&mysql56, |password| format!("CREATE USER u IDENTIFIED BY {password}"), &[Disabled]).await;
    let options = options("server.pem", "server.key", "ca.pem");
    let mariadb = Mysql::start("mariadb", &options.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for create in [
        // Known from the greeting, and switched to.
        "CREATE USER u IDENTIFIED VIA mysql_native_password USING PASSWORD(?)",
        "CREATE USER u IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD(?)",
    ] {
        let create = |password: &str| format!("DROP USER IF EXISTS u; {}", create.replace('?', password));
        for password in OTHERS {
            let mut session = mariadb.session().await;
            session.sql(&format!("SET NAMES utf8mb4; {}", create(&quoted(password)))).await;
            for tls in [Disabled, Required] {
                encrypted(&login(&mariadb, tls, "u", password)).await.unwrap();
                let (error, _) = refused(&login(&mariadb, tls, "u", "wrong")).await;
                assert!(matches!(error.kind, SourceErrorKind::Login { .. }), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn ed25519_works_on_mariadb() {
    let options = options("server.pem", "server.key", "ca.pem");
    let server = Mysql::start("mariadb", &options.iter().map(String::as_str).collect::<Vec<_>>()).await;
    server.sql("INSTALL SONAME 'auth_ed25519'").await;
    // An empty one is refused by the server, to its own client too.
    for password in OTHERS {
        let mut session = server.session().await;
        session
            .sql(&format!(
                "SET NAMES utf8mb4; DROP USER IF EXISTS u; CREATE USER u IDENTIFIED VIA ed25519 USING PASSWORD({})",
                quoted(password)
            ))
            .await;
        for tls in [Disabled, Required] {
            let came =
                encrypted(&login(&server, tls, "u", password)).await.map_err(|error| error.to_string());
            assert_eq!(came, Ok(tls == Required), "'{password}'");
            let (error, _) = refused(&login(&server, tls, "u", "wrong")).await;
            assert!(matches!(error.kind, SourceErrorKind::Login { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_password_from_before_mysql_41_is_refused_with_the_reason() {
    // The server's own refusal of such clients off, so that it asks us for it.
    let server = Mysql::start("mysql56", &["--skip-secure-auth"]).await;
    server
        .sql("SET old_passwords = 1; CREATE USER ancient IDENTIFIED WITH mysql_old_password; SET PASSWORD FOR ancient = PASSWORD('p')")
        .await;
    assert_eq!(server.one("SELECT LENGTH(Password) FROM mysql.user WHERE User = 'ancient'").await, "16");
    let tap = Tap::start(server.port()).await;
    let (error, remedy) =
        refused(&SourceEndpoint { port: tap.port(), ..login(&server, Disabled, "ancient", "p") }).await;
    assert!(error.to_string().contains("from before MySQL 4.1"), "{error}");
    assert!(remedy.contains("SET PASSWORD"), "{remedy}");
    assert!(contains(&tap.take().await[0].server, b"mysql_old_password"), "the server asks for it");
    // And the server that refuses it itself.
    server.sql("SET GLOBAL secure_auth = 1").await;
    let (error, remedy) = refused(&login(&server, Disabled, "ancient", "p")).await;
    assert!(matches!(error.kind, SourceErrorKind::Login { .. }), "{error}");
    assert!(remedy.contains("ALTER USER"), "{remedy}");
}

#[tokio::test]
async fn accounts_that_are_locked_or_expired_say_so() {
    let server = mysql97().await;
    server.sql("CREATE USER locked ACCOUNT LOCK; CREATE USER late IDENTIFIED BY 'p' PASSWORD EXPIRE").await;
    server
        .sql("CREATE USER barred IDENTIFIED BY 'p' FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME UNBOUNDED")
        .await;
    refused(&login(&server, Required, "barred", "wrong")).await;
    let mariadb = mariadb().await;
    mariadb
        .sql("DROP USER IF EXISTS pw_locked, pw_late; CREATE USER pw_locked ACCOUNT LOCK; CREATE USER pw_late IDENTIFIED BY 'p' PASSWORD EXPIRE")
        .await;
    for (to, words, advice) in [
        (login(&server, Required, "locked", ""), "locked", "ACCOUNT UNLOCK"),
        (login(&server, Required, "late", "p"), "expired", "IDENTIFIED BY"),
        (login(&server, Required, "barred", "p"), "blocked", "ACCOUNT UNLOCK"),
        (login(mariadb, Disabled, "pw_locked", ""), "locked", "ACCOUNT UNLOCK"),
        // Let in, but to change the password only.
        (login(mariadb, Disabled, "pw_late", "p"), "You must SET PASSWORD", "has expired"),
    ] {
        let (error, remedy) = refused(&to).await;
        assert!(error.to_string().contains(words) && remedy.contains(advice), "{error}\n{remedy}");
    }
    let mysql56 = mysql56().await;
    mysql56
        .sql("DELETE FROM mysql.user WHERE User = 'pw_late'; FLUSH PRIVILEGES; CREATE USER pw_late IDENTIFIED BY 'p'; ALTER USER pw_late PASSWORD EXPIRE")
        .await;
    let (error, remedy) = refused(&login(mysql56, Disabled, "pw_late", "p")).await;
    assert!(error.to_string().contains("expired") && remedy.contains("pw_late"), "{error}\n{remedy}");
}

#[tokio::test]
async fn a_server_that_asks_for_the_password_itself_does_not_get_it() {
    for (option, method) in [
        ("--pam-use-cleartext-plugin=ON", "mysql_clear_password"),
        ("--pam-use-cleartext-plugin=OFF", "dialog"),
    ] {
        let mut options = options("server.pem", "server.key", "ca.pem");
        options.extend(["--plugin-load-add=auth_pam".to_owned(), option.to_owned()]);
        let server = Mysql::start("mariadb", &options.iter().map(String::as_str).collect::<Vec<_>>()).await;
        server.sql("CREATE USER u IDENTIFIED VIA pam USING 'login'").await;
        let tap = Tap::start(server.port()).await;
        for tls in [Disabled, Required] {
            let to = SourceEndpoint { port: tap.port(), ..login(&server, tls, "u", "open sesame") };
            let (error, remedy) = refused(&to).await;
            assert!(error.to_string().contains(&format!("'{method}'")), "{error}");
            assert!(remedy.contains("ed25519"), "{remedy}");
            let talks = tap.take().await;
            assert_eq!(contains(&talks[0].server, method.as_bytes()), tls == Disabled, "the tap hears");
            assert!(!contains(&talks[0].client, b"open sesame"), "the password was given away");
        }
    }
}
