//! Looking up the source's stored code for a statement of the log, and reading on from there to where the log ended then: what was
//! dropped or changed meanwhile is in the list no more.
//!
//! What must never happen here: the log taken for read up to that end when it was not.

use super::code::{Changed, StoredCode};
use super::event::EventKind;
use super::frame::{self, Checksum, Place};
use super::query::{self, Query};
use super::refusal::Refusal;
use super::selected::SelectedTables;
use super::{BinlogStream, crash, dump, event, format, framer, mariadb};
use crate::change::facts::Flavour;
use crate::change::{FilePosition, Position, Taken, XaState};
use crate::source::SourceError;
use crate::source::server::Server;
use crate::source::wire::Wire;
use bytes::Bytes;
use std::cmp::Ordering;
use std::time::Duration;

/// An idle source tells by this that there is nothing more.
const HEARTBEAT: Duration = Duration::from_millis(20);

impl BinlogStream {
    /// The source's code, as far as it is true of a statement that ends where the stream is.
    pub(super) async fn look_up(&mut self) -> Result<StoredCode, SourceError> {
        let from = self.framer.position();
        let mut server = Server::connect(&self.endpoint).await?;
        let flavour = server.flavour();
        let code = server.stored_code().await?;
        let end = server.log_end().await?.file;
        server.close().await;
        let unknown = |what: &str| Changed { any: Some(what.to_owned()), ..Changed::default() };
        match from.order(&end) {
            Some(Ordering::Equal | Ordering::Greater) => return Ok(code),
            Some(Ordering::Less) if u32::try_from(from.offset).is_ok() => {}
            // The command that asks for a place has 32 bits for it.
            Some(Ordering::Less) => {
                return Ok(self.changed_by(code, unknown("something beyond 4 GiB of a log file")));
            }
            None => return Ok(self.changed_by(code, unknown("something in a log of another name"))),
        }
        tracing::debug!(source = self.wire.label(), %from, %end, "reading ahead for statements that change stored code");
        let changed = self.changed_between(from, &end, flavour).await?;
        Ok(self.changed_by(code, changed).read_at(end))
    }

    fn changed_by(&mut self, code: StoredCode, changed: Changed) -> StoredCode {
        code.changed_by(changed, self.framer.judging().defined())
    }

    async fn read_from(
        &self,
        place: FilePosition,
        flavour: Flavour,
    ) -> Result<(Wire, Checksum), SourceError> {
        let (mut wire, _) = self.endpoint.connect().await?;
        let dump::Opened { checksum, server_id, .. } = dump::prepare(&mut wire, HEARTBEAT, 0).await?;
        dump::start(&mut wire, server_id, &by_place(place, flavour)).await?;
        Ok((wire, checksum))
    }

    async fn changed_between(
        &self,
        from: FilePosition,
        end: &FilePosition,
        flavour: Flavour,
    ) -> Result<Changed, SourceError> {
        let (mut wire, mut checksum) = self.read_from(from.clone(), flavour).await?;
        let mut place = Place::new(from);
        let mut changed = Changed::default();
        loop {
            let packet = dump::first(&mut wire, dump::PATIENCE_AT_START).await?;
            if dump::is_cut_off(&wire, &packet) {
                // The stream looks closer when it comes there, and goes on no further where the server did not die.
                let (mut other, _) = self.endpoint.connect().await?;
                let next = crash::file_behind(&mut other, place.file()).await?;
                if let Some(next) = next {
                    place.rotate(&next, frame::FIRST_EVENT);
                    (wire, checksum) = self.read_from(place.position(), flavour).await?;
                    continue;
                }
            }
            if packet.first() != Some(&0) {
                return Err(dump::failure(&wire, &packet, place.position().to_string()));
            }
            let bytes = packet.slice(1..);
            let code = bytes.get(4).copied().unwrap_or(0);
            let (selected, most) = (self.framer.selected(), self.max_event_bytes);
            let taken = take(&bytes, &mut place, &mut checksum, &mut changed, (flavour, selected), most);
            taken.map_err(|refusal| {
                refusal.told(wire.label(), event::name(code), place.position().to_string())
            })?;
            if matches!(place.position().order(end), Some(Ordering::Equal | Ordering::Greater)) {
                return Ok(changed);
            }
        }
    }
}

/// Takes in an event.
fn take(
    bytes: &Bytes,
    place: &mut Place,
    checksum: &mut Checksum,
    changed: &mut Changed,
    (flavour, selected): (Flavour, &SelectedTables),
    most: usize,
) -> Result<(), Refusal> {
    let header = frame::header(bytes).map_err(frame::FrameError::from)?;
    let kind = EventKind::of(header.code, header.flags);
    match kind {
        EventKind::FormatDescription => {
            *checksum = format::read(bytes)?.checksum;
            place.pass(&header);
        }
        EventKind::Rotate => {
            let event = frame::event(bytes, *checksum)?;
            let (file, offset) = framer::rotation(&event.body)?;
            place.rotate(&file, offset);
        }
        // All is sent up to there.
        EventKind::Heartbeat => place.reach_low(header.log_pos),
        EventKind::Query | EventKind::CompressedQuery => {
            let event = frame::event(bytes, *checksum)?;
            place.pass(&header);
            let mut query: Query = query::read(&event.header, &event.body, 0, flavour)?;
            if kind == EventKind::CompressedQuery {
                query.text = mariadb::inflate(&query.text, most)?;
            }
            changed.note(&query, flavour, selected);
        }
        // A compressed transaction has rows: what changes code stands alone.
        _ if header.flags & event::FLAG_ARTIFICIAL == 0 => place.pass(&header),
        _ => {}
    }
    Ok(())
}

/// A place alone: whatever GTIDs transactions have, the stream is asked for from there.
pub(super) fn by_place(file: FilePosition, flavour: Flavour) -> Position {
    let taken = match flavour {
        Flavour::MySql => Taken::Files,
        Flavour::MariaDb => Taken::Domains(crate::change::Domains::default()),
    };
    Position { server: String::new(), file, file_begun: None, taken, xa: XaState::default() }
}
