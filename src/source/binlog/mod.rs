//! The binlog of a source as a stream of changes.
//!
//! Sequence: `dump` asks the server, `frame` cuts and checks what comes, `framer` keeps the place and sorts
//! events by kind, `transaction` makes items of them. Rows are slices of the packets they came in.
//!
//! What must never happen here: an event, statement or transaction passed over because it was not understood;
//! a value looked at; an item handed out whose event was not whole.

mod ahead;
pub(super) mod begun;
pub mod code;
mod crash;
mod cursor;
mod dump;
mod event;
mod format;
mod frame;
mod framer;
#[doc(hidden)]
pub mod fuzzing;
mod gtid;
mod gtid_list;
mod heartbeat;
mod held;
mod judging;
mod mariadb;
mod mentions;
mod numbered;
mod payload;
mod prepared;
mod query;
mod refusal;
mod resume;
mod rows;
mod selected;
mod statement;
mod table_map;
mod temporary;
mod text;
mod transaction;
mod watch;
mod xid;

pub(super) use numbered::domains_before;

pub use begun::file_begun;

use crate::change::remedy::InConfig;
use crate::change::{Change, Position, TableNames};
use crate::config::types::Selection;
use crate::source::wire::Wire;
use crate::source::{SameServer, SourceError, SourceErrorKind};
use bytes::Bytes;
use framer::{Framer, Inside};
use payload::{HEAD_BYTES, Payload};
use selected::SelectedTables;
use std::sync::Arc;
use std::time::Duration;
use table_map::TableMaps;
use transaction::Naming;

/// What is streamed, from where, and how.
#[derive(Clone, Debug)]
pub struct StreamRequest {
    /// The server.
    pub endpoint: SameServer,
    /// The replica id to use there; 0 chooses a random free one.
    pub server_id: u32,
    /// Everything after it is sent. With MySQL's GTIDs `start.file` only stands in messages until the server names a file;
    /// with MariaDB's domains its place is taken where it names a file, so it must be one of this very server's files.
    pub start: Position,
    /// The tables whose rows and DDL are handed out.
    pub selection: Selection,
    /// How the source compares names of databases and tables.
    pub names: TableNames,
    /// How often the server shall speak up when it has nothing to send.
    pub heartbeat: Duration,
    /// For how long nothing at all may come; several times `heartbeat`.
    pub read_timeout: Duration,
    /// The largest event that is accepted, compressed or not.
    pub max_event_bytes: usize,
    /// Rows of prepared XA transactions that may stay in memory; what is more goes into a file.
    pub max_held_bytes: usize,
    /// Only statements on selected tables are of interest: rows are not handed out, and statements that cannot be carried are
    /// handed out with those that can. For a part of the log whose changes are known to be visible.
    pub only_statements: bool,
}

/// A running stream. After an error it is of no use.
#[derive(Debug)]
pub struct BinlogStream {
    endpoint: SameServer,
    /// The replica id in use.
    server_id: u32,
    wire: Wire,
    framer: Framer,
    heartbeat: Duration,
    read_timeout: Duration,
    /// What was asked for, for errors that come before the server names a file.
    start: String,
    /// What came while the stream was opened.
    early: Vec<Change>,
    /// Found after items that had to be handed out first.
    failed: Option<SourceError>,
    /// MariaDB was asked for what follows GTIDs: it leaves out what had been taken in.
    by_gtids: bool,
    max_event_bytes: usize,
    /// The last file that was left because it is cut off.
    cut_off: Option<Arc<str>>,
}

/// What became of one try to read on.
enum ReadStep {
    /// An event was taken in, whether or not an item came of it.
    Taken,
    /// The next event has not been received whole.
    NothingReceived,
}

/// A compressed transaction from this size on is inflated while it comes.
const LARGE_PAYLOAD: usize = 512 << 10;

impl BinlogStream {
    /// Connects, asks for the stream, and waits for the log's format description.
    ///
    /// # Errors
    /// Those of [`Wire::connect`]; `SourceErrorKind::Purged` when the server no longer has what follows `start`;
    /// `SourceErrorKind::Server` for what else it answers.
    pub async fn open(request: StreamRequest) -> Result<Self, SourceError> {
        let (mut wire, _) = request.endpoint.connect().await?;
        let selected = SelectedTables::new(request.selection.clone(), request.names).map_err(|error| {
            SourceErrorKind::Definition {
                table: "tables of the task".to_owned(),
                why: error.to_string(),
                remedy: InConfig::Pattern.into(),
            }
            .at(wire.label())
        })?;
        let dump::Opened { checksum, own, server_id } =
            dump::prepare(&mut wire, request.heartbeat, request.server_id).await?;
        dump::register(&mut wire, server_id).await?;
        let origin = resume::origin(&request.start);
        if origin.taken != request.start.taken {
            knows(&request).await?;
        }
        dump::start(&mut wire, server_id, &origin).await?;
        let by_gtids = !dump::is_by_place(&origin);
        let mut framer = Framer::new(
            wire.label().to_owned(),
            origin.file,
            Naming::of(&request.start.taken),
            checksum,
            TableMaps::new(selected),
            request.max_event_bytes,
        );
        framer.take_up(&request.start, request.max_held_bytes)?;
        framer.judging().know_behind(own);
        if request.only_statements {
            framer.only_statements();
        }
        let mut stream = Self {
            endpoint: request.endpoint,
            server_id,
            wire,
            framer,
            heartbeat: request.heartbeat,
            read_timeout: request.read_timeout.max(dump::PATIENCE_AT_START),
            start: request.start.to_string(),
            early: Vec::new(),
            failed: None,
            by_gtids,
            max_event_bytes: request.max_event_bytes,
            cut_off: None,
        };
        let mut early = Vec::new();
        while !stream.framer.has_format() {
            let packet = stream.packet().await?;
            stream.take(&packet, &mut early)?;
        }
        stream.early = early;
        stream.read_timeout = request.read_timeout;
        Ok(stream)
    }

    /// Appends at least one item to `out`, waiting for it if need be, and then what has already been received, until
    /// the items of this call weigh `max_bytes`.
    ///
    /// May be dropped while it waits: what was appended stays valid and nothing is lost. An error after appended items comes at
    /// the next call, so that everything before it can still be applied.
    ///
    /// # Errors
    /// `SourceErrorKind::Silent` when nothing came for the read timeout, `SourceErrorKind::Connection` when the
    /// connection broke or the bytes were damaged, `SourceErrorKind::Event` and `SourceErrorKind::Statement` for what cannot be carried.
    pub async fn next(&mut self, out: &mut Vec<Change>, max_bytes: usize) -> Result<(), SourceError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let before = out.len();
        out.append(&mut self.early);
        let mut counted = before;
        let mut weight = 0_usize;
        loop {
            match self.step(out, before).await {
                Ok(ReadStep::Taken) => {}
                Ok(ReadStep::NothingReceived) => return Ok(()),
                Err(error) if out.len() > before => {
                    self.failed = Some(error);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            let fresh = out.get(counted..).unwrap_or_default();
            weight = fresh.iter().map(Change::weight_bytes).fold(weight, usize::saturating_add);
            counted = out.len();
            if counted > before && weight >= max_bytes {
                return Ok(());
            }
        }
    }

    /// How many statements have passed since this was asked last that were not known to be harmless, because they reach no
    /// selected table.
    pub fn take_passed(&mut self) -> u64 {
        self.framer.judging().take_passed()
    }

    /// Takes in one event; waits for it only while nothing was appended behind `before`.
    async fn step(&mut self, out: &mut Vec<Change>, before: usize) -> Result<ReadStep, SourceError> {
        if self.framer.is_handing_out() {
            self.framer.hand_out(out)?;
            return Ok(ReadStep::Taken);
        }
        if self.framer.is_asking() {
            let code = Box::pin(self.look_up()).await?;
            self.framer.answer(code, out)?;
            return Ok(ReadStep::Taken);
        }
        let may_wait = out.len() <= before;
        if self.framer.is_inside_payload() {
            if self.framer.inside(out)? == Inside::Taken {
                return Ok(ReadStep::Taken);
            }
            if !may_wait && self.wire.inbox().received() == 0 {
                return Ok(ReadStep::NothingReceived);
            }
            let (piece, last) = self.patiently(async |wire| wire.read_piece().await).await?;
            self.framer.feed(piece, last)?;
            return Ok(ReadStep::Taken);
        }
        let packet = if may_wait {
            if self.is_large_payload().await? {
                return self.begin_payload().await;
            }
            self.packet().await?
        } else {
            let Some(packet) = self.wire.buffered_packet() else { return Ok(ReadStep::NothingReceived) };
            packet
        };
        if dump::is_cut_off(&self.wire, &packet) && self.go_on_behind_crash(out).await? {
            return Ok(ReadStep::Taken);
        }
        self.take(&packet, out)?;
        Ok(ReadStep::Taken)
    }

    /// Whether the next packet is a compressed transaction that is better not held as a whole.
    async fn is_large_payload(&mut self) -> Result<bool, SourceError> {
        self.patiently(async |wire| {
            let (length, come) = wire.peek(1 + HEAD_BYTES).await?;
            let event = come.split_first().filter(|(status, _)| **status == 0).map(|(_, event)| event);
            Ok(length >= LARGE_PAYLOAD && event.is_some_and(Payload::starts))
        })
        .await
    }

    async fn begin_payload(&mut self) -> Result<ReadStep, SourceError> {
        // What was peeked at is there, so this does not wait.
        let (piece, whole) = self.wire.read_piece().await?;
        self.framer.payload_starts(&piece.slice(1..), whole)?;
        Ok(ReadStep::Taken)
    }

    /// The next packet.
    async fn packet(&mut self) -> Result<Bytes, SourceError> {
        self.patiently(async |wire| wire.read_packet().await).await
    }

    /// Reads until there is what was asked for. Silence is when not one byte comes: a large event on a slow line is none.
    async fn patiently<T>(
        &mut self,
        mut read: impl AsyncFnMut(&mut Wire) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        loop {
            let before = self.progress();
            if let Ok(result) = tokio::time::timeout(self.read_timeout, read(&mut self.wire)).await {
                return result;
            }
            if self.progress() == before {
                return Err(SourceErrorKind::Silent {
                    seconds: self.read_timeout.as_secs(),
                    heartbeat_seconds: self.heartbeat.as_secs(),
                }
                .at(self.wire.label()));
            }
        }
    }

    fn progress(&mut self) -> (usize, usize) {
        let inbox = self.wire.inbox();
        (inbox.received(), inbox.missing())
    }

    /// Sorts a packet of the dump by its status byte.
    fn take(&mut self, packet: &Bytes, out: &mut Vec<Change>) -> Result<(), SourceError> {
        match packet.first() {
            Some(0) => self.framer.event(&packet.slice(1..), out),
            // EOF: the server is going down, or its dump thread was killed.
            Some(0xfe) if packet.len() < 9 => Err(SourceErrorKind::Connection {
                doing: format!("stream the binlog at {}", self.framer.position()),
                source: std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the server ended the stream in good order",
                ),
            }
            .at(self.wire.label())),
            Some(_) | None => {
                let named = self.framer.has_format();
                let position = if named { self.framer.position().to_string() } else { self.start.clone() };
                Err(dump::failure(&self.wire, packet, position))
            }
        }
    }
}

/// Whether a server whose stream is to start before `request.start` has what lies there. Else what is passed over would never
/// end.
///
/// # Errors
/// As [`BinlogStream::open`] for a stream from there.
async fn knows(request: &StreamRequest) -> Result<(), SourceError> {
    let (mut wire, _) = request.endpoint.connect().await?;
    let server_id = dump::prepare(&mut wire, request.heartbeat, 0).await?.server_id;
    dump::start(&mut wire, server_id, &request.start).await?;
    let packet = dump::first(&mut wire, request.heartbeat).await?;
    if packet.first() == Some(&0) {
        return Ok(());
    }
    Err(dump::failure(&wire, &packet, request.start.to_string()))
}
