//! Who asks: the user of a process on this machine, or the one whose token it is.

use super::api::{Control, refusal};
use crate::change::command::{Asker, Reason};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Extension, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq;
use tokio::net::{TcpListener, UnixListener};

/// At the other end of a connection.
#[derive(Clone, Debug)]
pub enum Peer {
    /// A process on this machine that could open the local socket.
    Local {
        /// Its user.
        user: u32,
        /// Its number.
        process: Option<i32>,
    },
    /// One that cannot be told, though it could open the local socket.
    Unknown,
    /// Somebody on the network.
    Remote(SocketAddr),
}

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self::Remote(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        match stream.io().peer_cred() {
            Ok(found) => Self::Local { user: found.uid(), process: found.pid() },
            Err(_) => Self::Unknown,
        }
    }
}

/// The tokens of the config that is in force, by the names of those who have them.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Arc<RwLock<BTreeMap<String, SecretString>>>);

impl Tokens {
    /// Only these hold from here on.
    pub fn replace(&self, tokens: BTreeMap<String, SecretString>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// Whose it is. Every one is compared, and in a time that does not tell how much of it was right.
    fn whose(&self, given: &str) -> Option<String> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_it =
            |token: &SecretString| bool::from(token.expose_secret().as_bytes().ct_eq(given.as_bytes()));
        tokens.iter().fold(None, |found, (name, token)| if is_it(token) { Some(name.clone()) } else { found })
    }

    fn are_none(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Before anything else of a request is read.
impl FromRequestParts<Control> for Asker {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, control: &Control) -> Result<Self, Response> {
        let peer = Extension::<ConnectInfo<Peer>>::from_request_parts(parts, control).await;
        let Extension(ConnectInfo(peer)) = peer.map_err(IntoResponse::into_response)?;
        let address = match peer {
            Peer::Local { user, process } => {
                let process = process.map(|process| format!(" (process {process})")).unwrap_or_default();
                return Ok(Self { name: user_name(user), way: format!("by the local socket{process}") });
            }
            Peer::Unknown => {
                return Ok(Self { name: "somebody".to_owned(), way: "by the local socket".to_owned() });
            }
            Peer::Remote(address) => address,
        };
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        let token =
            given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        if let Some(name) = token.and_then(|token| control.tokens.whose(token)) {
            return Ok(Self { name, way: format!("by HTTP from {address}") });
        }
        if control.tokens.are_none() {
            return Err(refusal(
                StatusCode::FORBIDDEN,
                "this listener is for reading alone. To mend it: give the config a [token.NAME], and reload it.",
                Reason::Refused,
            ));
        }
        tracing::warn!(%address, path = parts.uri.path(), "a request without a token that the config has");
        let refused = refusal(
            StatusCode::UNAUTHORIZED,
            "the request has no token that the config knows. To mend it: send Authorization: Bearer TOKEN.",
            Reason::Refused,
        );
        Err(([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response())
    }
}

/// A user of this machine, by his number where he has no name.
pub fn user_name(user: u32) -> String {
    match nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(user)) {
        Ok(Some(found)) => found.name,
        Ok(None) | Err(_) => format!("user {user}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_all_of_it() {
        let tokens = Tokens::default();
        assert!(tokens.are_none() && tokens.whose("").is_none());
        let both = [("alice", "a-long-token"), ("bob", "another-token")];
        tokens.replace(both.map(|(name, token)| (name.to_owned(), token.into())).into());
        assert_eq!(tokens.whose("another-token").as_deref(), Some("bob"));
        for wrong in ["", "a-long-toke", "a-long-token ", "A-long-token"] {
            assert_eq!(tokens.whose(wrong), None, "{wrong}");
        }
        tokens.replace(BTreeMap::new());
        assert_eq!(tokens.whose("another-token"), None);
    }
}
