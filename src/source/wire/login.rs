//! Greeting, TLS, authentication.
//!
//! The server speaks first; the client answers with its capabilities (then TLS begins, when wanted), user and
//! first response; then the server accepts, refuses, asks for another method or for the password itself.
//! Protocol: `page_protocol_connection_phase`, `page_caching_sha2_authentication_exchanges`; MariaDB's
//! `client_ed25519`.
//!
//! What must never happen here: the password sent readable over an unencrypted connection.

use super::fields::Fields;
use super::greeting::{Greeting, NONCE, answer, opening};
use super::{Wire, rsa};
use crate::change::remedy::{Account, Certificates, InConfig, Remedy};
use crate::config::types::{SourceEndpoint, SourceTlsMode};
use crate::source::{SourceError, SourceErrorKind, tls};
use mysql_common::constants::CapabilityFlags;
use mysql_common::scramble::{create_response_for_ed25519, scramble_native, scramble_sha256};
use secrecy::ExposeSecret;
use std::io;

/// A server may not send the client round longer than this.
const MAX_ROUNDS: usize = 8;
/// Bytes of the nonce of `client_ed25519`.
const ED25519_NONCE: usize = 32;

/// How far a login came.
pub(super) enum Login {
    /// Logged in.
    Done(Wire),
    /// The server offers TLS but none that we speak (said in words), and the mode allows to go without: connect
    /// again so.
    NoTlsInCommon(String),
}

/// The method from before MySQL 4.1; a server that asks for it without naming it sends nothing else.
const OLD_PASSWORD: &[u8] = b"mysql_old_password";

/// A method of authentication that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Native,
    CachingSha2,
    /// Also what MySQL feigns for some users that do not exist, so that it must be played to the end.
    Sha256,
    Ed25519,
}

impl Method {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"mysql_native_password" => Some(Self::Native),
            b"caching_sha2_password" => Some(Self::CachingSha2),
            b"sha256_password" => Some(Self::Sha256),
            b"client_ed25519" => Some(Self::Ed25519),
            _ => None,
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Native => b"mysql_native_password",
            Self::CachingSha2 => b"caching_sha2_password",
            Self::Sha256 => b"sha256_password",
            Self::Ed25519 => b"client_ed25519",
        }
    }

    /// The response to `nonce` that proves the password without giving it. An empty password has the empty
    /// response.
    fn response(self, password: &[u8], nonce: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519 => {
                create_response_for_ed25519(password, nonce.get(..ED25519_NONCE).unwrap_or(nonce)).to_vec()
            }
            // There is no such proof: the password itself is given when the server asks for this method by
            // name.
            Self::Sha256 => Vec::new(),
            _ if password.is_empty() => Vec::new(),
            Self::Native => scramble_native(nonce, password).map(Vec::from).unwrap_or_default(),
            Self::CachingSha2 => scramble_sha256(nonce, password).map(Vec::from).unwrap_or_default(),
        }
    }
}

/// Logs in on a fresh connection.
pub(super) async fn login(
    mut wire: Wire,
    endpoint: &SourceEndpoint,
    try_tls: bool,
) -> Result<Login, SourceError> {
    let packet = wire.read_packet().await?;
    if packet.first() == Some(&0xFF) {
        return Err(wire.server_error("login", &packet));
    }
    let greeting = Greeting::read(&packet).map_err(|message| wire.protocol(message))?;
    (wire.flavour, wire.version_number) = greeting.family();
    wire.server_version.clone_from(&greeting.server_version);

    let needed = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_SECURE_CONNECTION;
    if !greeting.capabilities.contains(needed) {
        return Err(wire.protocol("the server only speaks the protocol from before MySQL 4.1"));
    }
    let config = if try_tls { tls::client(endpoint, &wire.label)? } else { None };
    let offered = greeting.capabilities.contains(CapabilityFlags::CLIENT_SSL);
    let secure = match (config, offered) {
        (Some(config), true) => {
            let name = tls::server_name(endpoint, &wire.label)?;
            wire.write_packet(&opening(greeting.agreed(true))).await?;
            // Whatever came unasked before TLS was written by anyone; it must not be read as if it came through
            // TLS.
            if !wire.inbox.is_empty() {
                return Err(wire.protocol("the server spoke out of turn before TLS"));
            }
            let (label, version) = (wire.label.clone(), wire.server_version.clone());
            match wire.secure(config, name).await {
                Ok(secured) => wire = secured,
                Err(source) => return not_secured(source, endpoint, label, &version),
            }
            true
        }
        (Some(_), false) if endpoint.tls != SourceTlsMode::Preferred => {
            return Err(SourceErrorKind::Tls {
                message: format!("the server ({}) offers no TLS", wire.server_version),
                remedy: Certificates::SourceWithout.into(),
            }
            .at(wire.label));
        }
        (Some(_), false) => {
            tracing::warn!(source = %endpoint.name, "TLS is preferred but the server offers none; what is sent from here on can be read on its way");
            false
        }
        (None, _) => false,
    };

    wire.takes_scripts = greeting.agreed(secure).contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    let password = endpoint.password.expose_secret().as_bytes();
    // A method that we do not know, or that wants the password itself, is left to the server, which then asks
    // for one that fits the user.
    let method = match Method::named(&greeting.plugin) {
        Some(Method::Sha256) | None => Method::Native,
        Some(method) => method,
    };
    let response = method.response(password, &greeting.nonce);
    let answer = answer(greeting.agreed(secure), &endpoint.user, method.name(), &response);
    let talked = match wire.write_packet(&answer).await {
        Ok(()) => authenticate(&mut wire, method, greeting.nonce, password).await,
        // A server that refuses our certificate says so and hangs up: the words are still there to be read.
        Err(error) => Err(wire.receive(1).await.err().unwrap_or(error)),
    };
    match talked {
        Ok(()) => Ok(Login::Done(wire)),
        Err(error) => Err(objection(error, endpoint)),
    }
}

/// What becomes of a login whose handshake failed.
fn not_secured(
    source: io::Error,
    endpoint: &SourceEndpoint,
    label: String,
    version: &str,
) -> Result<Login, SourceError> {
    // The network broke: whether TLS can be had is not known, and `preferred` does not give it up for that.
    let Some(refusal) = crate::tls::cause(&source).map(|cause| crate::tls::refusal(cause, &endpoint.host))
    else {
        return Err(SourceErrorKind::Connection { doing: "TLS handshake".to_owned(), source }.at(label));
    };
    if endpoint.tls == SourceTlsMode::Preferred && !refusal.of_client_certificate {
        return Ok(Login::NoTlsInCommon(refusal.message));
    }
    let message = format!("{} (server version {version})", refusal.message);
    Err(tls::error(crate::tls::NoTls { message, ..refusal }, &label))
}

/// TLS 1.3 servers refuse a client's certificate after the client's side of the handshake is done: that comes as an
/// error of the connection.
fn objection(error: SourceError, endpoint: &SourceEndpoint) -> SourceError {
    let cause = match &error.kind {
        SourceErrorKind::Connection { source, .. } => crate::tls::cause(source),
        _ => None,
    };
    match cause.map(|cause| crate::tls::refusal(cause, &endpoint.host)) {
        Some(refusal) => tls::error(refusal, &error.endpoint),
        None => error,
    }
}

/// Talks until the server accepts or refuses.
async fn authenticate(
    wire: &mut Wire,
    mut method: Method,
    mut nonce: Vec<u8>,
    password: &[u8],
) -> Result<(), SourceError> {
    for _ in 0..MAX_ROUNDS {
        let packet = wire.read_packet().await?;
        let mut fields = Fields(&packet);
        match (fields.u8(), method) {
            (Some(0x00), _) => return Ok(()),
            (Some(0xFF), _) => return Err(wire.server_error("login", &packet)),
            (Some(0xFE), _) => {
                let name = if fields.0.is_empty() { OLD_PASSWORD } else { fields.until_zero() };
                method = Method::named(name).ok_or_else(|| unknown(wire, name))?;
                let length = if method == Method::Ed25519 { ED25519_NONCE } else { NONCE };
                // A zero byte may follow; one inside belongs to the nonce.
                nonce = fields.0.get(..length).unwrap_or(fields.0).to_vec();
                if method == Method::Sha256 {
                    give_password(wire, method, password, &nonce).await?;
                } else {
                    wire.write_packet(&method.response(password, &nonce)).await?;
                }
            }
            (Some(0x01), Method::CachingSha2) => match fields.u8() {
                // The server has the password cached: its OK follows.
                Some(3) => {}
                Some(4) => give_password(wire, method, password, &nonce).await?,
                other => return Err(wire.protocol(format!("authentication step {other:?}"))),
            },
            (first, method) => {
                return Err(wire.protocol(format!("packet {first:?} during authentication by {method:?}")));
            }
        }
    }
    Err(wire.protocol("authentication does not come to an end"))
}

/// Gives the password itself, under TLS or under the server's RSA key.
async fn give_password(
    wire: &mut Wire,
    method: Method,
    password: &[u8],
    nonce: &[u8],
) -> Result<(), SourceError> {
    if wire.is_secure() || password.is_empty() {
        return wire.write_packet(&[password, &[0]].concat()).await;
    }
    wire.write_packet(&[if method == Method::Sha256 { 1 } else { 2 }]).await?;
    let packet = wire.read_packet().await?;
    let mut fields = Fields(&packet);
    match fields.u8() {
        Some(0x01) => {
            let encrypted = rsa::encrypt_password(password, nonce, fields.0)
                .map_err(|message| refused(wire, message, InConfig::SourceTlsForPassword.into()))?;
            wire.write_packet(&encrypted).await
        }
        Some(0xFF) => Err(wire.server_error("login", &packet)),
        other => Err(wire.protocol(format!("packet {other:?} in place of the server's RSA key"))),
    }
}

/// The account has a method that we do not know, or one that would give the password away.
fn unknown(wire: &Wire, name: &[u8]) -> SourceError {
    let user = &wire.user;
    let name = String::from_utf8_lossy(name);
    let why = match &*name {
        "mysql_old_password" => {
            "the account's password is kept in the format from before MySQL 4.1, which is as good as none"
        }
        "mysql_clear_password" | "dialog" => {
            "that would give the password itself to whoever answers as the server"
        }
        _ => "that is not known here",
    };
    refused(
        wire,
        format!("the account is identified with '{name}': {why}"),
        Remedy::Account { user: user.clone(), change: Account::OtherOldMethod },
    )
}

fn refused(wire: &Wire, message: String, remedy: Remedy) -> SourceError {
    SourceErrorKind::Login { user: wire.user.clone(), message, remedy }.at(&wire.label)
}
