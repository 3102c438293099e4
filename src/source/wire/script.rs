//! A server that plays a script over a real socket, for the tests of this room.

use super::Wire;
use super::inbox::{HEADER, header};
use crate::config::types::{SourceEndpoint, SourceTlsMode, TlsFiles};
use crate::source::{SourceError, pins};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An OK packet.
pub const OK: &[u8] = b"\0\0\0\x02\0\0\0";
/// An OK packet after which another answer follows.
pub const MORE: &[u8] = b"\0\0\0\x0A\0\0\0";
/// An EOF packet.
pub const EOF: &[u8] = b"\xFE\0\0\x02\0";

/// The greeting of a server that knows `mysql_native_password` and no TLS.
pub fn greeting() -> Vec<u8> {
    let mut packet = b"\x0A8.0.36\0\x07\0\0\0abcdefgh\0\xFF\xF7\x2D\x02\0\xFF\x81\x15".to_vec();
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
    packet
}

/// The script's side of a connection.
pub struct Stage(TcpStream, u8);

impl Stage {
    /// The next packet of the client.
    pub async fn hear(&mut self) -> Vec<u8> {
        let mut head = [0; HEADER];
        self.0.read_exact(&mut head).await.unwrap();
        let mut payload =
            vec![0; usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16];
        self.0.read_exact(&mut payload).await.unwrap();
        self.1 = head[3].wrapping_add(1);
        payload
    }

    /// Sends one part under the running sequence.
    pub async fn say(&mut self, payload: &[u8]) {
        self.0.write_all(&header(payload.len(), self.1)).await.unwrap();
        self.0.write_all(payload).await.unwrap();
        self.1 = self.1.wrapping_add(1);
    }

    /// Lets one sequence number go missing.
    pub fn skip(&mut self) {
        self.1 = self.1.wrapping_add(1);
    }

    /// Greets, takes any login, and agrees to every pin.
    pub async fn admit(&mut self) {
        self.say(&greeting()).await;
        self.hear().await;
        self.say(OK).await;
        self.agree_to_pins().await;
    }

    /// Hears the pins and agrees to each.
    pub async fn agree_to_pins(&mut self) {
        assert_eq!(self.hear().await, [b"\x03", pins::PINS.join("; ").as_bytes()].concat());
        for _ in 1..pins::PINS.len() {
            self.say(MORE).await;
        }
        self.say(OK).await;
    }

    /// Hears a COM_STMT_PREPARE and a COM_STMT_EXECUTE and answers both for one INT column and statement 9.
    pub async fn prepare_and_execute(&mut self) {
        assert_eq!(self.hear().await[0], 0x16);
        self.say(b"\0\x09\0\0\0\x01\0\0\0\0\0\0").await;
        self.say(&column()).await;
        self.say(EOF).await;
        assert_eq!(self.hear().await, b"\x17\x09\0\0\0\0\x01\0\0\0");
        self.say(b"\x01").await;
        self.say(&column()).await;
        self.say(EOF).await;
    }

    /// Waits until the client has closed the connection.
    pub async fn silence(&mut self) {
        assert_eq!(self.0.read(&mut [0]).await.unwrap_or(0), 0, "the client should have gone");
    }
}

/// The definition of an unsigned INT column `a`.
pub fn column() -> Vec<u8> {
    b"\x03def\x01d\x01t\x01t\x01a\x01a\x0C\x3F\0\x0B\0\0\0\x03\x21\x10\0\0\0".to_vec()
}

/// Starts a server that plays `script` to the first client.
pub async fn play<F, S>(script: S) -> (SourceEndpoint, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
    S: FnOnce(Stage) -> F + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = SourceEndpoint {
        name: "shop".into(),
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        user: "repl".into(),
        password: "secret".into(),
        tls: SourceTlsMode::Preferred,
        tls_files: TlsFiles::default(),
    };
    let played = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        script(Stage(stream, 0)).await;
    });
    (endpoint, played)
}

/// Plays a script to a client that only connects.
pub async fn connect_to<F, S>(script: S) -> Result<Wire, SourceError>
where
    F: Future<Output = ()> + Send + 'static,
    S: FnOnce(Stage) -> F + Send + 'static,
{
    let (endpoint, _played) = play(script).await;
    Wire::connect(&endpoint).await
}
