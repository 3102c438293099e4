//! From packets to changes: frames each event, keeps the place in the log, and hands the event to the
//! part that understands its kind.
//!
//! Sequence of a stream: `ROTATE` (made up by the sender, names the file), `FORMAT_DESCRIPTION`,
//! `PREVIOUS_GTIDS`, transactions (see [`transaction`](super::transaction)), `ROTATE` or `STOP`, and again.
//! `HEARTBEAT` comes while nothing else does, and before the first event after skipped transactions.
//!
//! What must never happen here: an event skipped because nobody knew it, or taken in twice.

use super::cursor::Cursor;
use super::event::{self, EventKind, FLAG_ARTIFICIAL, RowsCode};
use super::format::{self, Format};
use super::frame::{self, Checksum, Event, FrameError, Header, Place};
use super::gtid;
use super::gtid_list::GtidList;
use super::heartbeat;
use super::judging::Judging;
use super::mariadb;
use super::payload::{Next, Payload};
use super::query::{self, Query};
use super::refusal::Refusal;
use super::rows;
use super::table_map::{DUMMY_ID, Mapped, TableMaps};
use super::transaction::{End, Naming, Transactions};
use super::xid;
use crate::change::remedy::InConfig;
use crate::change::{Change, Domains, FilePosition, LogFile, Position, RowsEvent, Tag};
use crate::source::SourceError;
use bytes::Bytes;
use std::sync::Arc;

/// The state of one stream.
#[derive(Debug)]
pub struct Framer {
    endpoint: String,
    place: Place,
    /// As agreed with the server until a format description says it for its file.
    checksum: Checksum,
    format: Option<Format>,
    maps: TableMaps,
    transactions: Transactions,
    payload: Option<Payload>,
    no_tag: Tag,
    max_event_bytes: usize,
    /// The file before ended inside a transaction, and the list of what that had is to come.
    behind_crash: bool,
    /// The file that the stream goes on in, and when it was begun.
    known_file: Option<LogFile>,
    judging: Judging,
    /// See [`Framer::only_statements`].
    only_statements: bool,
    /// A statement that cannot be judged yet, and where it ends.
    asking: Option<(Query, End)>,
}

/// What became of [`Framer::inside`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// An event was taken in, or the end was reached.
    Taken,
    /// More of the packet must be [fed](Framer::feed).
    NeedsInput,
}

impl Framer {
    /// A stream that will start at `start`; `checksum` is what the server uses for the events it makes up
    /// before the first format description. `endpoint` names the server in errors.
    pub fn new(
        endpoint: String,
        start: FilePosition,
        naming: Naming,
        checksum: Checksum,
        maps: TableMaps,
        max_event_bytes: usize,
    ) -> Self {
        let mut transactions = Transactions::new(naming);
        transactions.starts_at(start.clone());
        Self {
            endpoint,
            place: Place::new(start),
            checksum,
            format: None,
            maps,
            transactions,
            payload: None,
            no_tag: Tag::from(""),
            max_event_bytes,
            behind_crash: false,
            known_file: None,
            judging: Judging::default(),
            only_statements: false,
            asking: None,
        }
    }

    /// The file ends in the middle of an event, which the server died over (see [`crash`](super::crash)), and a new stream of
    /// what lies after it follows; `checksum` is what the server uses for the events it makes up for that.
    pub fn file_is_cut_off(&mut self, checksum: Checksum, out: &mut Vec<Change>) {
        self.checksum = checksum;
        self.maps.close();
        self.cut_short(out);
    }

    /// With MariaDB's GTIDs: the last transaction of each domain that ended in the stream, else before it.
    pub fn reached(&self) -> &Domains {
        self.transactions.reached()
    }

    /// What is open was never committed.
    fn cut_short(&mut self, out: &mut Vec<Change>) {
        if self.transactions.resume().passes() {
            self.transactions.cut_short(&mut Vec::new());
        } else {
            self.transactions.cut_short(out);
        }
    }

    /// Whether the format description has arrived.
    pub fn has_format(&self) -> bool {
        self.format.is_some()
    }

    /// Where the stream is, for messages.
    pub fn position(&self) -> FilePosition {
        self.place.position()
    }

    /// Takes in one event as it came from the server, without the status byte.
    pub fn event(&mut self, bytes: &Bytes, out: &mut Vec<Change>) -> Result<(), SourceError> {
        let code = bytes.get(4).copied().unwrap_or(0);
        self.framed(bytes, out).map_err(|refusal| self.told(refusal, code))
    }

    /// Goes on after `position`, which may lie after the place where the stream starts (see
    /// [`resume`](super::resume)). Of rows that are held at most `max_held_bytes` stay in memory.
    pub fn take_up(&mut self, position: &Position, max_held_bytes: usize) -> Result<(), SourceError> {
        self.known_file =
            position.file_begun.map(|begun| LogFile { file: position.file.file.clone(), begun });
        let taken_up = self.transactions.take_up(position, max_held_bytes);
        taken_up.map_err(|refusal| self.told(refusal, event::XA_PREPARE))
    }

    /// Whether rows that were held (see `transaction`) are on their way out: [`Framer::hand_out`] comes before anything else.
    pub fn is_handing_out(&self) -> bool {
        self.transactions.is_handing_out()
    }

    /// Hands out the next item of the transaction whose rows were held.
    pub fn hand_out(&mut self, out: &mut Vec<Change>) -> Result<(), SourceError> {
        let handed_out = self.transactions.hand_out(out);
        handed_out.map_err(|refusal| self.told(refusal, event::XA_PREPARE))
    }

    /// Whether a compressed transaction is being read: [`Framer::inside`] comes before the next packet.
    pub fn is_inside_payload(&self) -> bool {
        self.payload.is_some()
    }

    /// Takes in the next event of the compressed transaction.
    pub fn inside(&mut self, out: &mut Vec<Change>) -> Result<Inside, SourceError> {
        let Some(mut payload) = self.payload.take() else { return Ok(Inside::Taken) };
        let code = event::PAYLOAD;
        match payload.next() {
            Ok(Next::Event(event)) => {
                let kind = EventKind::of(event.header.code, event.header.flags);
                if !kind.may_be_compressed() {
                    let why = format!("event {} stands inside it", event::name(event.header.code));
                    return Err(self.told(Refusal::contradiction(why), code));
                }
                let end = End { position: self.place.position(), timestamp: payload.header().timestamp };
                self.dispatch(kind, &event, end, out)
                    .map_err(|refusal| self.told(refusal, event.header.code))?;
                self.payload = Some(payload);
                Ok(Inside::Taken)
            }
            Ok(Next::NeedsInput) => {
                self.payload = Some(payload);
                Ok(Inside::NeedsInput)
            }
            Ok(Next::End) if self.transactions.is_inside() => {
                let why = "its last event does not end the transaction";
                Err(self.told(Refusal::contradiction(why), code))
            }
            Ok(Next::End) => Ok(Inside::Taken),
            Err(error) => Err(self.told(error.into(), code)),
        }
    }

    /// Begins a compressed transaction of which maybe only the first bytes have come, without the status byte; `start` is all of
    /// them, at least [`payload::HEAD_BYTES`](super::payload::HEAD_BYTES), and `whole` says that the packet ends with them.
    pub fn payload_starts(&mut self, start: &Bytes, whole: bool) -> Result<(), SourceError> {
        self.open_payload(start, whole).map_err(|refusal| self.told(refusal, event::PAYLOAD))
    }

    /// Takes in more bytes of the packet that holds the compressed transaction; `last` says that it ends with them.
    pub fn feed(&mut self, bytes: Bytes, last: bool) -> Result<(), SourceError> {
        let Some(payload) = &mut self.payload else { return Ok(()) };
        payload.feed(bytes, last).map_err(|error| self.told(error.into(), event::PAYLOAD))
    }

    fn open_payload(&mut self, start: &Bytes, whole: bool) -> Result<(), Refusal> {
        if self.format.is_none() {
            return Err(Refusal::contradiction("it came before the format description"));
        }
        let (mut payload, used) = Payload::open(start, self.checksum, self.max_event_bytes)?;
        self.transactions.require_named()?;
        self.place.pass(payload.header());
        payload.feed(start.slice(used..), whole)?;
        self.payload = Some(payload);
        Ok(())
    }

    fn told(&self, refusal: Refusal, code: u8) -> SourceError {
        let mut position = self.place.position().to_string();
        if let Some(name) = self.transactions.current() {
            position = format!("{position} (transaction {name})");
        }
        refusal.told(&self.endpoint, event::name(code), position)
    }

    fn framed(&mut self, bytes: &Bytes, out: &mut Vec<Change>) -> Result<(), Refusal> {
        if bytes.len() > self.max_event_bytes {
            return Err(Refusal::event(
                format!("it has {} bytes and at most {} fit", bytes.len(), self.max_event_bytes),
                InConfig::MemoryLimit,
            ));
        }
        if Payload::starts(bytes) {
            return self.open_payload(bytes, true);
        }
        let header = frame::header(bytes).map_err(FrameError::from)?;
        let kind = EventKind::of(header.code, header.flags);
        if kind == EventKind::FormatDescription {
            return self.format_description(bytes, &header, out);
        }
        let event = frame::event(bytes, self.checksum)?;
        if kind == EventKind::Refused {
            self.place.pass(&header);
            if self.only_statements {
                return Ok(());
            }
            let (why, remedy) = event::refusal(header.code);
            return Err(Refusal::event(why, remedy));
        }
        if self.format.is_none()
            && kind != EventKind::Rotate
            && kind != EventKind::Heartbeat
            && kind != EventKind::HeartbeatV2
        {
            return Err(Refusal::contradiction("it came before the format description"));
        }
        match kind {
            // A rotation's own place is in the old file.
            EventKind::Rotate => return self.rotate(&event),
            EventKind::Heartbeat | EventKind::HeartbeatV2 => return self.heartbeat(kind, &event, out),
            _ if header.flags & FLAG_ARTIFICIAL == 0 => self.place.pass(&header),
            _ => {}
        }
        let end = End { position: self.place.position(), timestamp: header.timestamp };
        self.dispatch(kind, &event, end, out)
    }

    fn dispatch(
        &mut self,
        kind: EventKind,
        event: &Event,
        end: End,
        out: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        self.transactions.reach(&end.position)?;
        if !self.transactions.resume().passes() {
            return self.take_in(kind, event, end, out);
        }
        // Taken in before the stream was taken up.
        self.take_in(kind, event, end, &mut Vec::new())
    }

    fn take_in(
        &mut self,
        kind: EventKind,
        event: &Event,
        end: End,
        out: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        let short_id = self.format.as_ref().is_some_and(|format| format.has_short_id(event.header.code));
        match kind {
            EventKind::Gtid | EventKind::AnonymousGtid => {
                let anonymous = kind == EventKind::AnonymousGtid;
                self.transactions.named(gtid::plain(&event.body, anonymous, &self.no_tag)?)
            }
            EventKind::GtidTagged => self.transactions.named(gtid::tagged(&event.body)?),
            EventKind::MariaDbGtid => {
                self.transactions.named(mariadb::gtid(&event.body, event.header.server_id)?)
            }
            EventKind::Query => self.query(self.read_query(event, 0)?, end, out),
            EventKind::CompressedQuery => {
                let mut query = self.read_query(event, 0)?;
                query.text = mariadb::inflate(&query.text, self.max_event_bytes)?;
                self.query(query, end, out)
            }
            EventKind::ExecuteLoadQuery => self.query(self.read_query(event, query::LOAD_FIXED)?, end, out),
            EventKind::Xid => {
                self.maps.close();
                self.transactions.commit(end, out)
            }
            EventKind::XaPrepare => {
                self.maps.close();
                let prepare = xid::prepare_event(&mut Cursor::new(&event.body))?;
                self.transactions.xa_prepare(&prepare, end, out)
            }
            EventKind::TableMap => {
                self.transactions.require_open()?;
                Ok(self.maps.open(&event.body, short_id)?)
            }
            EventKind::Rows(code) => self.rows(code, event, short_id, None, end.position, out),
            EventKind::CompressedRows(code) => {
                let inflate = Some(self.max_event_bytes);
                self.rows(code, event, short_id, inflate, end.position, out)
            }
            EventKind::GtidList => self.gtid_list(event),
            EventKind::Stop => self.transactions.between_files(),
            EventKind::PreviousGtids | EventKind::Skip => Ok(()),
            EventKind::FormatDescription
            | EventKind::Payload
            | EventKind::Rotate
            | EventKind::Heartbeat
            | EventKind::HeartbeatV2
            | EventKind::Refused => Err(Refusal::contradiction("it came where it cannot be")),
        }
    }

    fn format_description(
        &mut self,
        bytes: &Bytes,
        header: &Header,
        out: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        let format = format::read(bytes)?;
        if format.after_start {
            self.judging.server_started(header.server_id);
        }
        // The server has started since. That it died before is told by its list of transactions, with MariaDB's GTIDs.
        if format.after_start && self.transactions.is_inside() {
            self.cut_short(out);
            self.transactions.starts_at(self.place.position());
            self.behind_crash = true;
        }
        self.transactions.between_files()?;
        self.maps.close();
        self.checksum = format.checksum;
        self.format = Some(format);
        self.place.pass(header);
        if header.timestamp != 0 && !self.transactions.resume().is_before_file(&self.place.position().file) {
            let file = LogFile { file: self.place.position().file, begun: header.timestamp };
            let known = self.known_file.as_ref().filter(|known| known.file == file.file);
            if known.is_some_and(|known| *known != file) {
                return Err(Refusal::reset_log());
            }
            out.push(Change::LogFile(file));
        }
        Ok(())
    }

    fn gtid_list(&mut self, event: &Event) -> Result<(), Refusal> {
        let is_of_file = event.header.flags & FLAG_ARTIFICIAL == 0;
        if is_of_file && std::mem::take(&mut self.behind_crash) {
            let list = GtidList::read(&event.body)?;
            if let Some(lost) = list.beyond(self.transactions.reached()) {
                return Err(Refusal::lost_in_file(lost));
            }
        }
        Ok(())
    }

    fn rotate(&mut self, event: &Event) -> Result<(), Refusal> {
        // Where the log itself has none at the end of a file, the server may have died there, maybe inside a transaction: how
        // the next file begins tells.
        let is_cut = event.header.flags & FLAG_ARTIFICIAL != 0 && self.transactions.is_inside();
        if !is_cut {
            self.transactions.between_files()?;
        }
        self.maps.close();
        let (name, offset) = rotation(&event.body)?;
        self.place.rotate(&name, offset);
        if !is_cut {
            self.transactions.starts_at(self.place.position());
        }
        Ok(())
    }

    fn heartbeat(&mut self, kind: EventKind, event: &Event, out: &mut Vec<Change>) -> Result<(), Refusal> {
        let (file, offset) = if kind == EventKind::Heartbeat {
            (event.body.clone(), None)
        } else {
            let (file, offset) = heartbeat::fields(&event.body)?;
            (file, Some(offset))
        };
        if self.place.has_just_left(&file) {
            return Ok(());
        }
        if *file != *self.place.file().as_bytes() {
            let file = String::from_utf8_lossy(&file).into_owned();
            return Err(Refusal::contradiction(format!("a heartbeat speaks of another file, '{file}'")));
        }
        match offset {
            Some(offset) => self.place.reach(offset),
            None => self.place.reach_low(event.header.log_pos),
        }
        if !self.transactions.is_inside() {
            let place = self.place.position();
            self.transactions.starts_at(place.clone());
            if !self.transactions.resume().is_ahead(&place) {
                out.push(Change::Heartbeat(place));
            }
        }
        Ok(())
    }

    fn rows(
        &mut self,
        code: RowsCode,
        event: &Event,
        short_id: bool,
        inflate: Option<usize>,
        position: FilePosition,
        out: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        self.transactions.require_open()?;
        let mut at = Cursor::new(&event.body);
        let header = rows::header(&mut at, code.version_two, short_id)?;
        let passes =
            self.only_statements || self.transactions.resume().passes() && !self.transactions.is_xa();
        match self.maps.find(header.table_id) {
            Some(Mapped::Unselected) => {}
            Some(Mapped::Selected(_)) if passes => {}
            Some(Mapped::Selected(table)) => {
                let table = Arc::clone(table);
                let mut body = rows::body(&mut at, code, table.types.len())?;
                if let Some(most) = inflate {
                    body.rows = mariadb::inflate(&body.rows, most)?;
                }
                let rows::RowsBody { columns, columns_after, rows } = body.owned();
                let (kind, references) = (code.kind, header.references);
                let event = RowsEvent { table, kind, columns, columns_after, rows, references, position };
                self.transactions.rows(event, out)?;
            }
            None if header.table_id == DUMMY_ID && header.ends_statement => {}
            None => return Err(no_map(header.table_id)),
        }
        if header.ends_statement {
            self.maps.close();
        }
        Ok(())
    }
}

/// File and offset of a `ROTATE_EVENT`.
pub fn rotation(body: &Bytes) -> Result<(String, u64), Refusal> {
    let mut at = Cursor::new(body);
    let offset = at.u64("offset")?;
    let name = std::str::from_utf8(&at.rest()).map(str::to_owned).ok();
    let name = name.filter(|name| !name.is_empty() && !name.contains('\0'));
    Ok((name.ok_or_else(|| Refusal::contradiction("it names no file"))?, offset))
}

fn no_map(id: u64) -> Refusal {
    Refusal::contradiction(format!("no table map came before it for table number {id}"))
}

mod statements;

#[cfg(test)]
mod tests;
