//! A wire tap: passes everything on between a client and a server and keeps a copy of both directions.

use crate::harness::{DEADLINE, eventually};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What was said over one connection.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// By the client.
    pub client: Vec<u8>,
    /// By the server.
    pub server: Vec<u8>,
    ended: bool,
}

/// A listening tap; it ends when dropped.
pub struct Tap {
    port: u16,
    talks: Arc<Mutex<Vec<Talk>>>,
    task: JoinHandle<()>,
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tap {
    /// A tap on the way to a port of loopback.
    pub async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let talks = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&talks);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let index = {
                    let mut talks = theirs.lock().unwrap();
                    talks.push(Talk::default());
                    talks.len() - 1
                };
                tokio::spawn(listen(client, upstream, Arc::clone(&theirs), index));
            }
        });
        Self { port, talks, task }
    }

    /// Where clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All that was said so far, by connection, after waiting until every connection has ended; begins anew.
    pub async fn take(&self) -> Vec<Talk> {
        eventually(DEADLINE, "the tapped connections end", async || {
            self.talks.lock().unwrap().iter().all(|talk| talk.ended)
        })
        .await;
        std::mem::take(&mut *self.talks.lock().unwrap())
    }
}

async fn listen(client: TcpStream, upstream: u16, talks: Arc<Mutex<Vec<Talk>>>, index: usize) {
    let server = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let note = |side: fn(&mut Talk) -> &mut Vec<u8>| {
        let talks = Arc::clone(&talks);
        move |bytes: &[u8]| side(&mut talks.lock().unwrap()[index]).extend_from_slice(bytes)
    };
    tokio::join!(
        pass(client_read, server_write, note(|talk| &mut talk.client)),
        pass(server_read, client_write, note(|talk| &mut talk.server)),
    );
    talks.lock().unwrap()[index].ended = true;
}

async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, note: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // A reset ends a direction as well as a proper end does.
        let length = from.read(&mut buffer).await.unwrap_or(0);
        if length == 0 {
            let _ = to.shutdown().await;
            return;
        }
        note(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Whether `pattern` is somewhere in `bytes`.
pub fn contains(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes.windows(pattern.len()).any(|window| window == pattern)
}

/// Asserts that bytes are TLS records from end to end (RFC 8446, 5.1): nothing between them is readable.
pub fn assert_tls_records(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        assert!(bytes.len() >= 5, "a cut record: {bytes:02x?}");
        assert!((20..=23).contains(&bytes[0]) && bytes[1] == 3, "no TLS record: {:02x?}", &bytes[..5]);
        let length = 5 + (usize::from(bytes[3]) << 8 | usize::from(bytes[4]));
        bytes = bytes.get(length..).expect("a whole record");
    }
}
