use super::script::{EOF, OK, connect_to, greeting, play};
use super::*;
use crate::change::Retry;
use crate::config::types::SourceTlsMode;
use mysql_common::scramble::{scramble_native, scramble_sha256};

const ERR: &[u8] = b"\xFF\x15\x04#28000Access denied for user 'repl'";

#[tokio::test]
async fn a_session_is_pinned_before_it_is_handed_out() {
    let (endpoint, played) = play(|mut stage| async move { stage.admit().await }).await;
    let wire = Wire::connect(&endpoint).await.unwrap();
    // The script checks each pin's text.
    played.await.unwrap();
    assert!(wire.is_idle() && !wire.is_secure());
    assert_eq!(wire.family().number, 80_036);
}

#[tokio::test]
async fn a_pin_that_is_refused_means_no_session() {
    let refused = connect_to(|mut stage| async move {
        stage.say(&greeting()).await;
        stage.hear().await;
        stage.say(OK).await;
        stage.hear().await;
        stage.say(b"\xFF\xA9\x04#HY000Unknown system variable 'x'").await;
    });
    let error = refused.await.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::Server { code: 1193, .. }), "{error}");
}

#[tokio::test]
async fn the_answer_to_the_greeting_proves_the_password_without_showing_it() {
    let (endpoint, played) = play(|mut stage| async move {
        stage.say(&greeting()).await;
        let answer = stage.hear().await;
        let proof = scramble_native(b"abcdefghijklmnopqrst", b"secret").unwrap();
        assert!(answer[32..].starts_with(&[b"repl\0\x14", &proof[..]].concat()));
        assert!(!answer.windows(6).any(|window| window == b"secret"));
        stage.say(ERR).await;
    })
    .await;
    let error = Wire::connect(&endpoint).await.unwrap_err();
    played.await.unwrap();
    assert!(matches!(&error.kind, SourceErrorKind::Login { user, .. } if user == "repl"), "{error}");
    assert!(error.to_string().starts_with(&format!("source shop (127.0.0.1:{})", endpoint.port)), "{error}");
}

#[tokio::test]
async fn a_switch_of_method_is_followed_with_its_own_nonce() {
    let (endpoint, played) = play(|mut stage| async move {
        stage.say(&greeting()).await;
        stage.hear().await;
        stage.say(b"\xFEcaching_sha2_password\0ABCDEFGHIJKLMNOPQRST\0").await;
        assert_eq!(stage.hear().await, scramble_sha256(b"ABCDEFGHIJKLMNOPQRST", b"secret").unwrap());
        stage.say(b"\x01\x03").await;
        stage.say(OK).await;
        stage.agree_to_pins().await;
    })
    .await;
    Wire::connect(&endpoint).await.unwrap();
    played.await.unwrap();
}

#[tokio::test]
async fn the_password_itself_is_never_sent_unencrypted() {
    let (endpoint, played) = play(|mut stage| async move {
        stage.say(&greeting()).await;
        stage.hear().await;
        stage.say(b"\xFEcaching_sha2_password\0ABCDEFGHIJKLMNOPQRST\0").await;
        stage.hear().await;
        stage.say(b"\x01\x04").await;
        assert_eq!(stage.hear().await, [2], "the client asks for the key");
        stage.say(b"\x01no key at all").await;
        stage.silence().await;
    })
    .await;
    let error = Wire::connect(&endpoint).await.unwrap_err();
    played.await.unwrap();
    assert!(error.to_string().contains("RSA key is not readable"), "{error}");
}

#[tokio::test]
async fn a_method_that_would_show_the_password_is_refused() {
    let (endpoint, played) = play(|mut stage| async move {
        stage.say(&greeting()).await;
        stage.hear().await;
        stage.say(b"\xFEmysql_clear_password\0").await;
        stage.silence().await;
    })
    .await;
    let error = Wire::connect(&endpoint).await.unwrap_err();
    played.await.unwrap();
    assert!(error.to_string().contains("identified with 'mysql_clear_password'"), "{error}");
}

#[tokio::test]
async fn tls_that_is_demanded_and_not_offered_ends_the_connection_before_the_user_is_named() {
    let (mut endpoint, played) = play(|mut stage| async move {
        let mut greeting = greeting();
        // CLIENT_SSL off: bit 3 of the second byte of the capabilities, which follow the version, id and nonce.
        greeting[22] &= !0x08;
        stage.say(&greeting).await;
        stage.silence().await;
    })
    .await;
    endpoint.tls = SourceTlsMode::Required;
    let error = Wire::connect(&endpoint).await.unwrap_err();
    played.await.unwrap();
    assert!(
        matches!(&error.kind, SourceErrorKind::Tls { message, .. } if message == "the server (8.0.36) offers no TLS"),
        "{error}"
    );
}

#[tokio::test]
async fn a_network_that_breaks_while_tls_begins_is_no_reason_to_go_without() {
    let (mut endpoint, played) = play(|mut stage| async move {
        let mut greeting = greeting();
        greeting[22] |= 0x08;
        stage.say(&greeting).await;
        assert_eq!(stage.hear().await.len(), 32, "the wish for TLS and no more");
    })
    .await;
    endpoint.tls = SourceTlsMode::Preferred;
    let error = Wire::connect(&endpoint).await.unwrap_err();
    played.await.unwrap();
    // A second attempt would have found nobody listening.
    assert!(error.to_string().contains("TLS handshake"), "{error}");
    assert_eq!(error.retry(), Retry::AfterBackoff);
}

#[tokio::test]
async fn a_server_that_is_full_says_so_before_greeting() {
    let error = connect_to(|mut stage| async move { stage.say(b"\xFF\x10\x04Too many connections").await });
    let error = error.await.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::Server { code: 1040, .. }), "{error}");
    assert_eq!(error.retry(), Retry::AfterBackoff);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_a_broken_connection() {
    let (endpoint, _) = play(|mut stage| async move {
        stage.admit().await;
        stage.hear().await;
        stage.say(b"\x01").await;
    })
    .await;
    let mut wire = Wire::connect(&endpoint).await.unwrap();
    let error = wire.query("SELECT 1").await.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::Connection { .. }), "{error}");
    assert!(!wire.is_idle());
    let error = wire.execute("SELECT 2").await.unwrap_err();
    assert!(error.to_string().contains("not read to its end"), "{error}");
}

#[tokio::test]
async fn every_result_of_a_statement_is_read() {
    let (endpoint, _) = play(|mut stage| async move {
        stage.admit().await;
        stage.hear().await;
        for status in [b'\x0A', b'\x02'] {
            stage.say(b"\x01").await;
            stage.say(b"a definition").await;
            stage.say(EOF).await;
            stage.say(b"\x01x").await;
            stage.say(b"\xFB").await;
            stage.say(&[0xFE, 0, 0, status, 0]).await;
        }
        assert_eq!(stage.hear().await, b"\x03SELECT 2");
        stage.say(OK).await;
    })
    .await;
    let mut wire = Wire::connect(&endpoint).await.unwrap();
    let rows = wire.query("CALL p").await.unwrap();
    let x = Some(Bytes::from_static(b"x"));
    assert_eq!(rows, [vec![x.clone()], vec![None], vec![x], vec![None]]);
    wire.execute("SELECT 2").await.unwrap();
}

#[tokio::test]
async fn an_error_leaves_the_connection_in_order() {
    let (endpoint, _) = play(|mut stage| async move {
        stage.admit().await;
        stage.hear().await;
        stage.say(b"\xFF\xB5\x04#40001Deadlock").await;
        stage.hear().await;
        stage.say(OK).await;
    })
    .await;
    let mut wire = Wire::connect(&endpoint).await.unwrap();
    let error = wire.execute("SELECT 1").await.unwrap_err();
    assert_eq!((error.to_string().contains("'SELECT 1'"), error.retry()), (true, Retry::AfterBackoff));
    wire.execute("SELECT 2").await.unwrap();
}

#[tokio::test]
async fn a_server_that_asks_for_a_local_file_gets_none() {
    let (endpoint, _) = play(|mut stage| async move {
        stage.admit().await;
        stage.hear().await;
        stage.say(b"\xFB/etc/passwd").await;
    })
    .await;
    let mut wire = Wire::connect(&endpoint).await.unwrap();
    let error = wire.execute("SELECT 1").await.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::Protocol { .. }), "{error}");
    assert!(!wire.is_idle());
}

#[tokio::test]
async fn what_is_received_can_be_taken_without_waiting() {
    let (endpoint, played) = play(|mut stage| async move {
        stage.admit().await;
        assert_eq!(stage.hear().await, b"\x12dump");
        stage.say(b"one").await;
        stage.say(b"two").await;
    })
    .await;
    let mut wire = Wire::connect(&endpoint).await.unwrap();
    wire.send_command(b"\x12dump").await.unwrap();
    played.await.unwrap();
    assert_eq!(wire.read_packet().await.unwrap(), &b"one"[..]);
    let two = match wire.buffered_packet() {
        Some(packet) => packet,
        None => wire.read_packet().await.unwrap(),
    };
    assert_eq!(two, &b"two"[..]);
    assert_eq!(wire.buffered_packet(), None);
}
