//! MariaDB: which transactions lie before a place in its log, by reading the file.
//!
//! The server tells it (`BINLOG_GTID_POS`), but not of a file in which it meets an event that is larger than
//! `max_allowed_packet` on its way to the place. Here only the events that count are taken whole, the others pass by in pieces.

use super::ahead::by_place;
use super::event::HEADER_LENGTH;
use super::event::{self, EventKind};
use super::frame::{self, Checksum, Header, Place};
use super::gtid_list::GtidList;
use super::refusal::Refusal;
use super::{dump, format, framer, mariadb};
use crate::change::facts::Flavour;
use crate::change::{Domains, FilePosition, TransactionId};
use crate::source::wire::Wire;
use crate::source::{SameServer, SourceError, SourceErrorKind};
use bytes::Bytes;
use std::time::Duration;

const HEARTBEAT: Duration = Duration::from_millis(100);

/// The last transaction of each domain before `place`; `None` when no event ends there.
///
/// # Errors
/// As [`BinlogStream::open`](super::BinlogStream::open), and when the file is damaged.
pub async fn domains_before(to: &SameServer, place: &FilePosition) -> Result<Option<Domains>, SourceError> {
    let (mut wire, _) = to.connect().await?;
    let dump::Opened { checksum, server_id, .. } = dump::prepare(&mut wire, HEARTBEAT, 0).await?;
    let start = FilePosition { file: place.file.clone(), offset: frame::FIRST_EVENT };
    dump::start(&mut wire, server_id, &by_place(start.clone(), Flavour::MariaDb)).await?;
    let mut read = Read { place: Place::new(start), checksum, domains: Domains::default() };
    loop {
        let (bytes, code) = next(&mut wire, &read).await?;
        read.take(&bytes, code).map_err(|refusal| {
            refusal.told(wire.label(), event::name(code), read.place.position().to_string())
        })?;
        let reached = read.place.position();
        if reached.file != place.file || reached.offset > place.offset {
            return Ok(None);
        }
        if reached.offset == place.offset {
            return Ok(Some(read.domains));
        }
    }
}

/// The next event and its code: whole, or its header when nothing else of it counts.
async fn next(wire: &mut Wire, read: &Read) -> Result<(Bytes, u8), SourceError> {
    const STATUS_AND_HEADER: usize = 1 + HEADER_LENGTH;
    let label = wire.label().to_owned();
    let peeked = tokio::time::timeout(dump::PATIENCE_AT_START, wire.peek(STATUS_AND_HEADER)).await;
    let Ok(peeked) = peeked else {
        return Err(SourceErrorKind::Silent {
            seconds: dump::PATIENCE_AT_START.as_secs(),
            heartbeat_seconds: HEARTBEAT.as_secs(),
        }
        .at(label));
    };
    let (_, come) = peeked?;
    let head = match come.split_first() {
        Some((0, event)) => Some(Bytes::copy_from_slice(event)),
        _ => None,
    };
    let code = head.as_ref().and_then(|head| head.get(4)).copied().unwrap_or(0);
    match head {
        Some(head) if !Read::takes(code) => {
            while !wire.read_piece().await?.1 {}
            Ok((head, code))
        }
        _ => {
            let packet = wire.read_packet().await?;
            match packet.first() {
                Some(0) => Ok((packet.slice(1..), code)),
                _ => Err(dump::failure(wire, &packet, read.place.position().to_string())),
            }
        }
    }
}

/// How far the file has been read.
struct Read {
    place: Place,
    checksum: Checksum,
    domains: Domains,
}

impl Read {
    /// Whether more of such an event counts than its header.
    fn takes(code: u8) -> bool {
        matches!(
            EventKind::of(code, 0),
            EventKind::FormatDescription | EventKind::Rotate | EventKind::GtidList | EventKind::MariaDbGtid
        )
    }

    fn take(&mut self, bytes: &Bytes, code: u8) -> Result<(), Refusal> {
        let header: Header = frame::header(bytes).map_err(frame::FrameError::from)?;
        match EventKind::of(code, header.flags) {
            EventKind::FormatDescription => self.checksum = format::read(bytes)?.checksum,
            // The file's own last event is passed; one that the sender makes up leads to a file.
            EventKind::Rotate if header.flags & event::FLAG_ARTIFICIAL != 0 => {
                let event = frame::event(bytes, self.checksum)?;
                let (file, offset) = framer::rotation(&event.body)?;
                self.place.rotate(&file, offset);
                return Ok(());
            }
            EventKind::GtidList => {
                let event = frame::event(bytes, self.checksum)?;
                self.domains = GtidList::read(&event.body)?.last();
            }
            EventKind::MariaDbGtid => {
                let event = frame::event(bytes, self.checksum)?;
                if let Some(TransactionId::MariaDb(gtid)) = mariadb::gtid(&event.body, header.server_id)?.gtid
                {
                    self.domains.advance(gtid);
                }
            }
            // All is sent up to there.
            EventKind::Heartbeat => self.place.reach_low(header.log_pos),
            _ => {}
        }
        if header.flags & event::FLAG_ARTIFICIAL == 0 {
            self.place.pass(&header);
        }
        Ok(())
    }
}
