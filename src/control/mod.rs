//! How a running daemon is told what to do: one HTTP API, on its local socket for who may open that, and on its listener for who has a token.
//!
//! `api` has the paths, which `docs/openapi.json` describes; `asker` says who asks; `socket` is the local one; `client` is what the commands
//! ask a daemon with.
//!
//! What must never happen here: a command taken from somebody else, a request without bound in size.

mod api;
mod asker;
pub mod client;
mod socket;

pub use api::{Control, router};
pub use asker::{Tokens, user_name};

use asker::Peer;
pub use socket::Socket;

use axum::Router;
use tokio::net::TcpListener;

/// Answers who connects to a listener, for as long as it is polled.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, router: Router) -> std::io::Result<()> {
    axum::serve(listener, router.into_make_service_with_connect_info::<Peer>()).await
}
