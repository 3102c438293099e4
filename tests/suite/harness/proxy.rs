//! A TCP proxy that does what networks do: it cuts, stalls, delays, truncates and loses replies, and holds one request
//! back for as long as a test needs to do something in between.
//!
//! It runs on a thread of its own, so that a test that blocks does not hold it up. It reads along in plain text:
//! configs use it without TLS ([`super::Config`] does).

use super::wait::{DEADLINE, eventually, pause};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A listening proxy; it and its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    /// Dropped with the proxy, which ends its thread.
    _running: tokio::sync::oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    /// Connections that are accepted when so many have been go to this port.
    later: Mutex<Option<(usize, u16)>>,
    weather: watch::Sender<Weather>,
    traps: Mutex<Vec<Trap>>,
    sprung: AtomicUsize,
    accepted: AtomicUsize,
    turns: AtomicUsize,
}

/// What holds for all connections.
#[derive(Clone, Debug, Default)]
struct Weather {
    /// Connections of an earlier generation are cut.
    generation: usize,
    /// New connections are cut at once.
    refusing: bool,
    /// Nothing is passed on, nothing is closed.
    stalled: bool,
    /// Time every piece waits before it is passed on.
    delay: Duration,
}

/// What happens once to the first connection that walks into it.
#[derive(Clone, Debug)]
enum Trap {
    /// Pass the request on, swallow replies until this one has come, then cut.
    LoseReply { request: Vec<u8>, reply: Vec<u8> },
    /// Cut instead of passing the request on.
    LoseRequest { request: Vec<u8> },
    /// Pass the request on when the gate is opened.
    Hold { request: Vec<u8>, gate: Arc<Gate> },
    /// Pass on this many more bytes from the server, then cut.
    Truncate { after: usize },
}

/// Where a request waits.
#[derive(Debug)]
struct Gate {
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

/// A request that is held back; it goes on when this is dropped.
#[derive(Debug)]
pub struct Held {
    request: String,
    gate: Arc<Gate>,
}

impl Held {
    /// Waits until the request has come and is held: its client waits for the answer from here on.
    pub async fn wait(&self) {
        let mut reached = self.gate.reached.subscribe();
        eventually(DEADLINE, &format!("{:?} reaches the proxy", self.request), async || {
            reached.wait_for(|reached| *reached).await.is_ok()
        })
        .await;
    }

    /// Whether it has come.
    pub fn is_reached(&self) -> bool {
        *self.gate.reached.borrow()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gate.open.send_replace(true);
    }
}

impl Proxy {
    /// A proxy on a free port of loopback in front of another port.
    pub fn start(upstream_port: u16) -> Self {
        let shared = Arc::new(Shared {
            upstream: SocketAddr::from(([127, 0, 0, 1], upstream_port)),
            later: Mutex::default(),
            weather: watch::Sender::new(Weather::default()),
            traps: Mutex::default(),
            sprung: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            turns: AtomicUsize::new(0),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a non-blocking listener");
        let port = listener.local_addr().expect("an address").port();
        let (running, ended) = tokio::sync::oneshot::channel();
        let theirs = shared.clone();
        let serve = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! { () = accept(listener, theirs) => {}, _ = ended => {} }
            });
        };
        std::thread::Builder::new().name("proxy".to_owned()).spawn(serve).expect("a thread");
        Self { port, shared, _running: running }
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL with its `host:port` replaced by the proxy's.
    pub fn url(&self, url: &str) -> String {
        url.replace(&self.shared.upstream.to_string(), &format!("127.0.0.1:{}", self.port))
    }

    /// Leads all but the next `count` connections to another port, as an address does that moves.
    pub fn lead_elsewhere(&self, count: usize, port: u16) {
        *self.shared.later.lock().unwrap() = Some((self.accepted() + count, port));
    }

    /// Resets every connection there is; new ones go through.
    pub fn cut(&self) {
        self.shared.weather.send_modify(|weather| weather.generation += 1);
    }

    /// Resets every connection there is and, until [`Self::mend`], every new one.
    pub fn refuse(&self) {
        self.shared.weather.send_modify(|weather| {
            weather.generation += 1;
            weather.refusing = true;
        });
    }

    /// Holds everything back without closing anything, as a dead network does.
    pub fn stall(&self) {
        self.shared.weather.send_modify(|weather| weather.stalled = true);
    }

    /// Makes every piece wait before it is passed on.
    pub fn delay(&self, delay: Duration) {
        self.shared.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Ends refusing, stalling and delaying; stalled bytes go on.
    pub fn mend(&self) {
        self.shared.weather.send_modify(|weather| {
            weather.refusing = false;
            weather.stalled = false;
            weather.delay = Duration::ZERO;
        });
    }

    /// Once: when `request` is seen on its way to the server it is passed on, and when `reply` comes back it is
    /// kept and the connection reset: the server has done it, the client does not know. `("COMMIT", "COMMIT")`
    /// fits PostgreSQL's COMMIT and its command tag.
    pub fn lose_reply(&self, request: &str, reply: &str) {
        self.set(Trap::LoseReply { request: request.into(), reply: reply.into() });
    }

    /// Once: when `request` is seen on its way to the server the connection is reset instead: the server has not
    /// done it.
    pub fn lose_request(&self, request: &str) {
        self.set(Trap::LoseRequest { request: request.into() });
    }

    /// Once: when `request` is seen on its way to the server its connection waits, all others go on.
    pub fn hold(&self, request: &str) -> Held {
        let gate = Arc::new(Gate { reached: watch::Sender::new(false), open: watch::Sender::new(false) });
        self.set(Trap::Hold { request: request.into(), gate: gate.clone() });
        Held { request: request.to_owned(), gate }
    }

    /// Once: the next connection that the server talks on gets this many bytes more, then it is reset.
    pub fn truncate(&self, after: usize) {
        self.set(Trap::Truncate { after });
    }

    /// How many traps have sprung.
    pub fn sprung(&self) -> usize {
        self.shared.sprung.load(Ordering::SeqCst)
    }

    /// Waits until so many traps have sprung.
    pub async fn wait_sprung(&self, count: usize, deadline: Duration) {
        eventually(deadline, &format!("{count} traps of the proxy spring"), async || self.sprung() >= count)
            .await;
    }

    /// How many connections have been accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many round trips all clients have waited for so far: connecting is one, and each request (or several that are sent
    /// together) that comes after an answer.
    pub fn round_trips(&self) -> usize {
        self.accepted() + self.shared.turns.load(Ordering::SeqCst)
    }

    fn set(&self, trap: Trap) {
        self.shared.traps.lock().unwrap_or_else(PoisonError::into_inner).push(trap);
    }
}

impl Shared {
    /// Takes the first trap that fits; it has sprung then.
    fn spring(&self, fits: impl Fn(&Trap) -> bool) -> Option<Trap> {
        let mut traps = self.traps.lock().unwrap_or_else(PoisonError::into_inner);
        let index = traps.iter().position(fits)?;
        Some(traps.remove(index))
    }

    fn count_sprung(&self) {
        self.sprung.fetch_add(1, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let before = shared.accepted.fetch_add(1, Ordering::SeqCst);
        let shared = shared.clone();
        tokio::spawn(async move {
            // A reset, not an orderly end: what is lost in a network is not announced.
            let _ = client.set_zero_linger();
            let _ = serve(client, &shared, before).await;
        });
    }
}

async fn serve(mut client: TcpStream, shared: &Shared, before: usize) -> io::Result<()> {
    let mut weather = shared.weather.subscribe();
    let (born, refusing) = {
        let weather = weather.borrow();
        (weather.generation, weather.refusing)
    };
    if refusing {
        return Ok(());
    }
    let later = shared.later.lock().unwrap().filter(|(count, _)| before >= *count);
    let upstream = later.map_or(shared.upstream, |(_, port)| SocketAddr::from(([127, 0, 0, 1], port)));
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let awaited = Mutex::new(None);
    let asked = AtomicBool::new(false);
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    tokio::select! {
        ended = requests(client_read, server_write, shared, &awaited, &asked) => ended,
        ended = replies(server_read, client_write, shared, &awaited, &asked) => ended,
        _ = weather.wait_for(|weather| weather.generation != born) => Ok(()),
    }
}

/// Client to server. Ending it resets the client's side.
async fn requests(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    shared: &Shared,
    awaited: &Mutex<Option<Vec<u8>>>,
    asked: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut seen = Vec::new();
    loop {
        let length = from.read(&mut buffer).await?;
        let piece = buffer.get(..length).unwrap_or_default();
        if piece.is_empty() {
            return Ok(());
        }
        if !asked.swap(true, Ordering::SeqCst) {
            shared.turns.fetch_add(1, Ordering::SeqCst);
        }
        seen.extend_from_slice(piece);
        let trap = shared.spring(|trap| match trap {
            Trap::LoseReply { request, .. } | Trap::LoseRequest { request } | Trap::Hold { request, .. } => {
                // What ended in an earlier piece was there before the trap was set.
                let earlier = seen.len().saturating_sub(piece.len() + request.len() - 1);
                contains(seen.get(earlier..).unwrap_or_default(), request)
            }
            Trap::Truncate { .. } => false,
        });
        match trap {
            Some(Trap::LoseReply { reply, .. }) => *awaited.lock().unwrap() = Some(reply),
            Some(Trap::Hold { gate, .. }) => {
                shared.count_sprung();
                gate.reached.send_replace(true);
                // An error would mean that nobody can open it any more: then it is open.
                let _ = gate.open.subscribe().wait_for(|open| *open).await;
            }
            Some(_) => {
                shared.count_sprung();
                return Ok(());
            }
            None => {}
        }
        keep_end(&mut seen);
        in_this_weather(shared).await;
        to.write_all(piece).await?;
    }
}

/// Server to client.
async fn replies(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    shared: &Shared,
    awaited: &Mutex<Option<Vec<u8>>>,
    asked: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut swallowed = Vec::new();
    let mut left = usize::MAX;
    loop {
        let length = from.read(&mut buffer).await?;
        let piece = buffer.get(..length).unwrap_or_default();
        if piece.is_empty() {
            return Ok(());
        }
        asked.store(false, Ordering::SeqCst);
        if let Some(reply) = awaited.lock().unwrap().as_deref() {
            swallowed.extend_from_slice(piece);
            if contains(&swallowed, reply) {
                shared.count_sprung();
                return Ok(());
            }
            keep_end(&mut swallowed);
            continue;
        }
        if let Some(Trap::Truncate { after }) = shared.spring(|trap| matches!(trap, Trap::Truncate { .. })) {
            left = after;
        }
        in_this_weather(shared).await;
        to.write_all(piece.get(..left).unwrap_or(piece)).await?;
        if left != usize::MAX {
            left = left.saturating_sub(length);
            if left == 0 {
                shared.count_sprung();
                return Ok(());
            }
        }
    }
}

/// Waits as long as the proxy stalls, and its delay.
async fn in_this_weather(shared: &Shared) {
    let mut weather = shared.weather.subscribe();
    let delay = match weather.wait_for(|weather| !weather.stalled).await {
        Ok(weather) => weather.delay,
        Err(_) => Duration::ZERO,
    };
    if !delay.is_zero() {
        pause(delay).await;
    }
}

/// Keeps what a pattern split over two pieces needs.
fn keep_end(seen: &mut Vec<u8>) {
    seen.drain(..seen.len().saturating_sub(1024));
}

fn contains(text: &[u8], pattern: &[u8]) -> bool {
    text.windows(pattern.len()).any(|window| window == pattern)
}
