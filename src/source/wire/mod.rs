//! Our own connection to MySQL for the two hot reads, the binlog and the rows of a chunk.
//!
//! What flows: commands out; packets in, as slices of the block that the socket filled. Nothing is copied on
//! the way, except packets of more than 16 MiB, which are joined, and the head of a packet that was cut by the
//! end of a block.
//!
//! What must never happen here: a session used before it is pinned ([`super::pins`]), a connection used again
//! that still has unread answers, a password in an error.

pub(crate) mod fields;
mod greeting;
mod inbox;
mod login;
pub mod reply;
mod rsa;
#[cfg(test)]
pub(crate) mod script;
mod socket;
mod statement;

pub(crate) use inbox::{FrameError, Inbox, MIN_READ, RowRun, RowScan};

use super::{SourceError, SourceErrorKind, pins};
use crate::change::facts::Flavour;
use crate::change::remedy::Upgrade;
use crate::config::types::SourceEndpoint;
use bytes::Bytes;
use login::{Login, login};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket::Socket;
pub use statement::Rows;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Connecting, TLS, login and pinning together may take this long.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A logged-in, pinned session at the source.
#[derive(Debug)]
pub struct Wire {
    label: String,
    user: String,
    socket: Socket,
    inbox: Inbox,
    flavour: Flavour,
    version_number: u32,
    server_version: String,
    /// Several statements may be sent at once.
    takes_scripts: bool,
    /// A statement's answer is not read to its end: nothing else may be sent.
    busy: bool,
}

/// `name (host:port)`: how errors name an endpoint.
pub fn label(endpoint: &SourceEndpoint) -> String {
    format!("{} ({}:{})", endpoint.name, endpoint.host, endpoint.port)
}

impl Wire {
    /// Connects, logs in and pins the session.
    ///
    /// # Errors
    /// `SourceErrorKind::Connection` when the server cannot be reached within [`CONNECT_TIMEOUT`],
    /// `SourceErrorKind::Tls`, `SourceErrorKind::Login`, or what the server answers.
    pub async fn connect(endpoint: &SourceEndpoint) -> Result<Self, SourceError> {
        Ok(Self::connect_and_ask(endpoint, &[]).await?.0)
    }

    /// As [`Wire::connect`], and asks the first questions with the pins: an answer for each.
    ///
    /// # Errors
    /// As [`Wire::connect`].
    pub async fn connect_and_ask(
        endpoint: &SourceEndpoint,
        questions: &[&str],
    ) -> Result<(Self, Vec<Rows>), SourceError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, Self::open(endpoint, questions)).await {
            Ok(opened) => opened,
            Err(_) => Err(SourceErrorKind::Connection {
                doing: "connect".to_owned(),
                source: io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("not logged in after {} s", CONNECT_TIMEOUT.as_secs()),
                ),
            }
            .at(label(endpoint))),
        }
    }

    async fn open(endpoint: &SourceEndpoint, questions: &[&str]) -> Result<(Self, Vec<Rows>), SourceError> {
        let mut wire = match login(Self::dial(endpoint).await?, endpoint, true).await? {
            Login::Done(wire) => wire,
            Login::NoTlsInCommon(why) => {
                tracing::warn!(source = %endpoint.name, "TLS is preferred but cannot be had ({why}); what is sent from here on can be read on its way");
                match login(Self::dial(endpoint).await?, endpoint, false).await? {
                    Login::Done(wire) => wire,
                    Login::NoTlsInCommon(why) => {
                        return Err(SourceErrorKind::Protocol { message: why }.at(label(endpoint)));
                    }
                }
            }
        };
        match wire.script(&[&pins::PINS, questions].concat()).await {
            Ok(answers) => Ok((wire, answers.into_iter().skip(pins::PINS.len()).collect())),
            // A server that is too old does not know the statements: say that, and not what it stumbled over.
            Err(error) => Err(match super::version::unsupported(wire.flavour, wire.version_number) {
                Some(what) => {
                    SourceErrorKind::Unsupported { what: what.to_owned(), remedy: Upgrade::Source.into() }
                        .at(wire.label)
                }
                None => error,
            }),
        }
    }

    async fn dial(endpoint: &SourceEndpoint) -> Result<Self, SourceError> {
        let label = label(endpoint);
        let socket = match Socket::connect(&endpoint.host, endpoint.port).await {
            Ok(socket) => socket,
            Err(source) => {
                return Err(SourceErrorKind::Connection { doing: "connect".to_owned(), source }.at(label));
            }
        };
        Ok(Self {
            label,
            user: endpoint.user.clone(),
            socket,
            inbox: Inbox::default(),
            flavour: Flavour::MySql,
            version_number: 0,
            server_version: String::new(),
            takes_scripts: false,
            busy: false,
        })
    }

    /// Begins TLS.
    async fn secure(
        mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, io::Error> {
        self.socket = self.socket.secure(config, name).await?;
        Ok(self)
    }

    /// `name (host:port)`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The family and version it greeted with.
    pub fn family(&self) -> super::version::ServerVersion {
        super::version::ServerVersion { flavour: self.flavour, number: self.version_number }
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.socket.is_secure()
    }

    /// False when a statement was left before its answer was read to the end: close the connection then.
    pub fn is_idle(&self) -> bool {
        !self.busy
    }

    /// Sends a command (its code and arguments) and begins a new sequence. For commands whose answer is not a
    /// plain result; the caller reads the answer to its end by [`Wire::read_packet`].
    ///
    /// # Errors
    /// `SourceErrorKind::Connection`.
    pub async fn send_command(&mut self, payload: &[u8]) -> Result<(), SourceError> {
        if self.busy {
            return Err(self.broken(
                "command",
                io::Error::other("an earlier statement's answer was not read to its end"),
            ));
        }
        self.inbox.set_sequence(0);
        self.write_packet(payload).await
    }

    /// The next logical packet, its parts joined when it is longer than 16 MiB − 1. An ERR packet is handed out
    /// like any other. May be dropped while it waits; nothing is lost.
    ///
    /// The packet is a slice of a block of 256 KiB and keeps all of it in memory: who keeps a small packet for
    /// long should copy it.
    ///
    /// # Errors
    /// `SourceErrorKind::Connection` when the connection breaks, `SourceErrorKind::Protocol` when packets are out
    /// of order or longer than 1 GiB.
    pub async fn read_packet(&mut self) -> Result<Bytes, SourceError> {
        loop {
            if let Some(packet) = self.inbox.take().map_err(|error| self.misframed(&error))? {
                return Ok(packet);
            }
            let missing = self.inbox.missing();
            self.receive(missing).await?;
        }
    }

    /// The next logical packet when it is already received whole. A malformed one gives `None`, and the error
    /// at the next [`Wire::read_packet`].
    pub fn buffered_packet(&mut self) -> Option<Bytes> {
        if self.inbox.missing() > 0 { None } else { self.inbox.take().ok().flatten() }
    }

    /// The length of the next packet's first part, and its first `wanted` bytes (or all it has). May be dropped while it
    /// waits.
    ///
    /// # Errors
    /// `SourceErrorKind::Connection` when the connection breaks.
    pub async fn peek(&mut self, wanted: usize) -> Result<(usize, &[u8]), SourceError> {
        while self.inbox.peek().is_none_or(|(length, come)| come.len() < length.min(wanted)) {
            self.receive(inbox::HEADER + wanted).await?;
        }
        self.inbox.peek().ok_or_else(|| self.protocol("a packet without a header"))
    }

    /// What has come of the next packet, waiting for at least something of it; true when the packet ends there. Once begun,
    /// to be called until it has. May be dropped while it waits.
    ///
    /// # Errors
    /// As [`Wire::read_packet`].
    pub async fn read_piece(&mut self) -> Result<(Bytes, bool), SourceError> {
        loop {
            if let Some(piece) = self.inbox.take_piece().map_err(|error| self.misframed(&error))? {
                return Ok(piece);
            }
            self.receive(inbox::MIN_READ).await?;
        }
    }

    /// The error that an ERR packet stands for; a packet that is none is a protocol error.
    pub fn server_error(&self, doing: &str, packet: &[u8]) -> SourceError {
        if let Some(failure) = reply::Failure::read(packet) {
            return failure.into_error(&self.label, &self.user, self.is_secure(), doing);
        }
        let shown = packet.get(..16).unwrap_or(packet);
        self.protocol(format!("{doing}: unexpected packet of {} bytes: {shown:02x?}", packet.len()))
    }

    /// Receives more, making room for at least `room` bytes before.
    pub(crate) async fn receive(&mut self, room: usize) -> Result<(), SourceError> {
        self.inbox.make_room(room);
        self.receive_into_room().await
    }

    /// Receives more into the room that there is.
    pub(crate) async fn receive_into_room(&mut self) -> Result<(), SourceError> {
        match self.socket.receive(&mut self.inbox).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.broken("read", error)),
        }
    }

    pub(crate) fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    /// Marks that an answer is being read, so that a caller who goes away in the middle leaves a connection
    /// that refuses the next command.
    pub(crate) fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    pub(crate) fn protocol(&self, message: impl Into<String>) -> SourceError {
        SourceErrorKind::Protocol { message: message.into() }.at(&self.label)
    }

    pub(crate) fn misframed(&self, error: &FrameError) -> SourceError {
        self.protocol(error.to_string())
    }

    fn broken(&self, doing: &str, source: io::Error) -> SourceError {
        SourceErrorKind::Connection { doing: doing.to_owned(), source }.at(&self.label)
    }

    /// Writes one logical packet under the running sequence.
    async fn write_packet(&mut self, payload: &[u8]) -> Result<(), SourceError> {
        let mut out = Vec::with_capacity(payload.len() + 2 * inbox::HEADER);
        let mut rest = payload;
        loop {
            let (part, tail) = rest.split_at(rest.len().min(inbox::FULL_PART));
            let sequence = self.inbox.sequence();
            out.extend_from_slice(&inbox::header(part.len(), sequence));
            out.extend_from_slice(part);
            self.inbox.set_sequence(sequence.wrapping_add(1));
            rest = tail;
            if part.len() < inbox::FULL_PART {
                break;
            }
        }
        match self.socket.send(&out).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.broken("write", error)),
        }
    }
}

#[cfg(test)]
mod tests;
