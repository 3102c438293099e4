//! A log file that ends where its server died: in the middle of an event.
//!
//! MySQL cuts such an end off at its next start (`binlog::Binlog_recovery`). MariaDB leaves it, and answers whoever reads so far
//! with an error, again and again. What was written of the last transaction was never committed: engines commit after the log.
//! So the stream goes on with the next file.
//!
//! The server answers the same when the length of an event inside the file is damaged, and then whole transactions may stand
//! after it. So the next file's first events are looked at before the stream goes on in it: it must be the first after a start
//! of the server, and its list of transactions must have none that this stream has not seen end. A server that recovers from a
//! crash reads the file as we do and lists what it found whole; one that was stopped in good order lists all that it logged.
//!
//! What must never happen here: a file left early while transactions follow in it.

use super::event::{self, EventKind};
use super::gtid_list::GtidList;
use super::refusal::Refusal;
use super::{BinlogStream, dump, format, frame};
use crate::change::remedy::{Because, Remedy};
use crate::change::{Domains, FilePosition, Position, Taken, XaState};
use crate::source::SourceError;
use crate::source::wire::Wire;

impl BinlogStream {
    /// Streams on after the present file; false when that cannot be. What had been handed out of the transaction in which the
    /// file ends is taken back.
    ///
    /// # Errors
    /// When the next file does not follow by a crash.
    pub(super) async fn go_on_behind_crash(
        &mut self,
        out: &mut Vec<crate::change::Change>,
    ) -> Result<bool, SourceError> {
        let place = self.framer.position();
        // A server that begins in this file once more would do so for ever.
        if self.cut_off.as_ref() == Some(&place.file) {
            return Ok(false);
        }
        let (mut wire, _) = self.endpoint.connect().await?;
        let Some(next) = file_behind(&mut wire, &place.file).await? else { return Ok(false) };
        tracing::warn!(
            source = wire.label(),
            at = %place,
            next,
            "the log file ends inside an event: if the source died there, that transaction was never committed, and the next \
             file tells"
        );
        let beginning = self.beginning(wire, &next).await?;
        beginning.follows_crash(self.framer.reached()).map_err(|refusal| {
            refusal.told(self.wire.label(), event::name(event::GTID_LIST), place.to_string())
        })?;
        let (mut wire, _) = self.endpoint.connect().await?;
        let dump::Opened { checksum, .. } = dump::prepare(&mut wire, self.heartbeat, self.server_id).await?;
        self.by_gtids = self.by_gtids && !beginning.list.is_at(self.framer.reached());
        let start = go_on_at(&next, self.by_gtids.then(|| self.framer.reached()));
        dump::start(&mut wire, self.server_id, &start).await?;
        self.framer.file_is_cut_off(checksum, out);
        self.cut_off = Some(place.file);
        self.wire = wire;
        Ok(true)
    }

    /// Reads a file up to its list of transactions.
    async fn beginning(&self, mut wire: Wire, file: &str) -> Result<Beginning, SourceError> {
        let dump::Opened { mut checksum, .. } =
            dump::prepare(&mut wire, self.heartbeat, self.server_id).await?;
        dump::start(&mut wire, self.server_id, &go_on_at(file, None)).await?;
        let mut after_start = false;
        loop {
            let packet = dump::first(&mut wire, self.heartbeat).await?;
            if packet.first() != Some(&0) {
                return Err(dump::failure(&wire, &packet, file.to_owned()));
            }
            let bytes = packet.slice(1..);
            let code = bytes.get(4).copied().unwrap_or(0);
            let told = |refusal: Refusal| refusal.told(wire.label(), event::name(code), file.to_owned());
            match EventKind::of(code, 0) {
                EventKind::FormatDescription => {
                    let format = format::read(&bytes).map_err(|error| told(error.into()))?;
                    (checksum, after_start) = (format.checksum, format.after_start);
                }
                EventKind::GtidList => {
                    let event = frame::event(&bytes, checksum).map_err(|error| told(error.into()))?;
                    let list = GtidList::read(&event.body).map_err(|error| told(error.into()))?;
                    return Ok(Beginning { after_start, list });
                }
                EventKind::Rotate | EventKind::Skip | EventKind::Heartbeat | EventKind::HeartbeatV2 => {}
                _ => return Err(told(Refusal::contradiction("no list of transactions stands before it"))),
            }
        }
    }
}

/// How a file begins.
#[derive(Debug)]
struct Beginning {
    /// It is the first after a start of the server.
    after_start: bool,
    /// What the log held before.
    list: GtidList,
}

impl Beginning {
    /// That the file before, in which a stream came to `reached`, was cut off by a crash and has nothing more.
    fn follows_crash(&self, reached: &Domains) -> Result<(), Refusal> {
        if !self.after_start {
            return Err(Refusal::event(
                "the file before it ends inside an event, and the server went on without dying",
                Remedy::CopyTask(Because::Damaged),
            ));
        }
        self.list.beyond(reached).map_or(Ok(()), |lost| Err(Refusal::lost_in_file(lost)))
    }
}

/// Where to ask the server to go on: at the start of the next file, which is exact. Or after `reached`, where the stream was
/// begun by GTIDs and the log had not come to all of them: then the server leaves out what they still tell of. It does not begin
/// in the file before again, for the next one's list has nothing beyond `reached` by the server's own rule.
fn go_on_at(next: &str, reached: Option<&Domains>) -> Position {
    let (file, offset) = if reached.is_some() { ("", 0) } else { (next, frame::FIRST_EVENT) };
    Position {
        server: String::new(),
        file: FilePosition { file: file.into(), offset },
        file_begun: None,
        taken: Taken::Domains(reached.cloned().unwrap_or_default()),
        xa: XaState::default(),
    }
}

/// The file that follows another in the server's own list.
pub(super) async fn file_behind(wire: &mut Wire, file: &str) -> Result<Option<String>, SourceError> {
    let label = wire.label().to_owned();
    let rows = dump::answered(label, "SHOW BINARY LOGS", wire.query("SHOW BINARY LOGS")).await?;
    let mut names = rows.iter().filter_map(|row| row.first()?.as_deref()).map(String::from_utf8_lossy);
    Ok(names.by_ref().find(|name| name == file).and_then(|_| names.next()).map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::super::gtid_list::tests::body;
    use super::*;

    #[test]
    fn a_file_is_left_early_only_when_the_next_one_knows_of_nothing_more_in_it() {
        let follows = |after_start: bool, list: &[&str]| {
            let beginning = Beginning { after_start, list: GtidList::read(&body(list)).unwrap() };
            beginning.follows_crash(&"0-1-5,1-1-7".parse().unwrap())
        };
        assert_eq!(follows(true, &["0-1-5", "1-1-7"]), Ok(()));
        let Err(Refusal::Event { why, .. }) = follows(true, &["0-1-6", "1-1-7"]) else { panic!() };
        assert!(why.contains("0-1-6"), "{why}");
        let Err(Refusal::Event { why, .. }) = follows(false, &["0-1-5", "1-1-7"]) else { panic!() };
        assert!(why.contains("without dying"), "{why}");
    }

    #[test]
    fn a_stream_that_was_begun_by_gtids_goes_on_by_gtids() {
        let reached: Domains = "0-1-91,1-1-5".parse().unwrap();
        let by_place = go_on_at("b.000002", None);
        assert!(dump::is_by_place(&by_place) && by_place.file.to_string() == "b.000002:4");
        let by_gtids = go_on_at("b.000002", Some(&reached));
        assert!(!dump::is_by_place(&by_gtids) && by_gtids.taken == Taken::Domains(reached));
    }
}
