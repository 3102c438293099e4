//! The bytes' way to the server: TCP, bare or under TLS.

use super::inbox::Inbox;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A silent connection is asked for a sign of life after this long …
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// … and then this often …
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// … until so many in a row are not answered: a source that has vanished is noticed in two minutes, while a
/// statement may take as long as it needs.
const KEEPALIVE_TRIES: u32 = 6;

/// An open connection.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Connects to the first address of `host` that answers.
    pub async fn connect(host: &str, port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port)).await?;
        // Commands are small and answered at once; waiting to fill a segment only adds latency.
        stream.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_EVERY)
            .with_retries(KEEPALIVE_TRIES);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self::Plain(stream))
    }

    /// Begins TLS.
    pub async fn secure(self, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        match self {
            Self::Plain(stream) => {
                Ok(Self::Tls(Box::new(TlsConnector::from(config).connect(name, stream).await?)))
            }
            secured @ Self::Tls(_) => Ok(secured),
        }
    }

    /// Whether what is sent is encrypted.
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Appends what comes next to the inbox, as much as it has room for. Can be dropped while it waits: nothing
    /// is lost.
    ///
    /// # Errors
    /// Also when the server closes the connection.
    pub async fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let received = match self {
            Self::Plain(stream) => stream.read_buf(inbox.tail()).await?,
            Self::Tls(stream) => stream.read_buf(inbox.tail()).await?,
        };
        if received == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        Ok(())
    }

    /// Sends all of `bytes`.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }
}
