//! From a packet of the dump to one checked event, and where in the log that event ends.
//!
//! A packet is `[status u8][event]`; an event is `[header, 19 bytes][body][CRC32, 4 bytes unless off]`
//! (`libs/mysql/binlog/event/binlog_event.h`). Inside a compressed transaction there is no checksum.
//!
//! What must never happen here: an event going on whose checksum was not compared although it has one.

use super::cursor::{Cursor, Malformed};
use super::event::HEADER_LENGTH;
use crate::change::FilePosition;
use bytes::Bytes;
use std::sync::Arc;

/// How events are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// `binlog_checksum = NONE`.
    None,
    /// `binlog_checksum = CRC32`.
    Crc32,
}

/// Length of the checksum after an event.
pub const CHECKSUM_LENGTH: usize = 4;

/// The common header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// When the statement started, seconds since 1970 UTC.
    pub timestamp: u32,
    /// Type code.
    pub code: u8,
    /// `server_id` of the server on which it was first logged.
    pub server_id: u32,
    /// Length of the whole event, header and checksum included.
    pub length: u32,
    /// Lower 32 bits of the offset after the event; 0 when it is not from the file.
    pub log_pos: u32,
    /// `LOG_EVENT_*_F`.
    pub flags: u16,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its header.
    pub header: Header,
    /// What lies between header and checksum.
    pub body: Bytes,
}

/// Why a packet is no event.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Length or checksum are wrong: the bytes changed or got lost between the server's disk and us.
    Damaged(String),
    /// The format itself is not followed.
    Malformed(Malformed),
}

impl From<Malformed> for FrameError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

/// Reads the common header.
pub fn header(event: &Bytes) -> Result<Header, Malformed> {
    let mut at = Cursor::new(event);
    let timestamp = at.u32("header")?;
    let code = at.u8("header")?;
    let server_id = at.u32("header")?;
    let length = at.u32("header")?;
    let log_pos = at.u32("header")?;
    let flags = at.u16("header")?;
    Ok(Header { timestamp, code, server_id, length, log_pos, flags })
}

/// Checks an event's length and checksum and cuts it into header and body.
pub fn event(bytes: &Bytes, checksum: Checksum) -> Result<Event, FrameError> {
    let header = header(bytes)?;
    if usize::try_from(header.length) != Ok(bytes.len()) {
        return Err(FrameError::Damaged(format!(
            "it says it has {} bytes and {} arrived",
            header.length,
            bytes.len()
        )));
    }
    let end = match checksum {
        Checksum::None => bytes.len(),
        Checksum::Crc32 => {
            verify(bytes)?;
            bytes.len().saturating_sub(CHECKSUM_LENGTH)
        }
    };
    if end < HEADER_LENGTH {
        return Err(FrameError::Damaged("it is shorter than a header".to_owned()));
    }
    Ok(Event { header, body: bytes.slice(HEADER_LENGTH..end) })
}

/// Compares the CRC32 at the end of an event with its bytes.
pub fn verify(bytes: &Bytes) -> Result<(), FrameError> {
    let Some((covered, stored)) = bytes.split_last_chunk::<CHECKSUM_LENGTH>() else {
        return Err(FrameError::Damaged("it is shorter than its checksum".to_owned()));
    };
    let (stored, computed) = (u32::from_le_bytes(*stored), crc32fast::hash(covered));
    if stored == computed {
        return Ok(());
    }
    Err(FrameError::Damaged(format!("its checksum is {stored:08x} and its bytes give {computed:08x}")))
}

/// The place in the log up to which events were taken in.
#[derive(Clone, Debug)]
pub struct Place {
    file: Arc<str>,
    offset: u64,
    /// The file before, while nothing of this one has come.
    left: Option<Arc<str>>,
}

/// Where the first event of a file lies, after the file's magic number.
pub const FIRST_EVENT: u64 = 4;

impl Place {
    /// Starts at a known position.
    pub fn new(position: FilePosition) -> Self {
        Self { file: position.file, offset: position.offset, left: None }
    }

    /// As a value.
    pub fn position(&self) -> FilePosition {
        FilePosition { file: Arc::clone(&self.file), offset: self.offset }
    }

    /// Moves past an event from the file. Its header holds only 32 bits of the offset, so in files over
    /// 4 GiB the first offset is taken that is not before the event's own length from here.
    pub fn pass(&mut self, header: &Header) {
        if header.log_pos == 0 {
            return;
        }
        self.left = None;
        let earliest = self.offset.saturating_add(u64::from(header.length));
        // Where the server stripped the checksum the event is longer in its file: never move backwards.
        self.offset = at_or_behind(earliest, header.log_pos);
    }

    /// Goes to the start of another file.
    pub fn rotate(&mut self, file: &str, offset: u64) {
        if *self.file != *file {
            self.left = Some(std::mem::replace(&mut self.file, file.into()));
        }
        self.offset = offset.max(FIRST_EVENT);
    }

    /// Whether it is the file that was left for this one, of which nothing has come yet: the sender may still be at its end.
    pub fn has_just_left(&self, file: &[u8]) -> bool {
        self.left.as_ref().is_some_and(|left| left.as_bytes() == file)
    }

    /// Moves to where a heartbeat says the sender is: it skipped what we have. `offset` is whole.
    pub fn reach(&mut self, offset: u64) {
        self.offset = self.offset.max(offset);
    }

    /// The same with only the lower 32 bits known.
    pub fn reach_low(&mut self, low: u32) {
        let candidate = at_or_behind(self.offset, low);
        // A jump of nearly 4 GiB is a heartbeat from before this place, not one from far after it.
        if candidate.saturating_sub(self.offset) < 1 << 31 {
            self.offset = candidate;
        }
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// The smallest number not below `earliest` whose lower 32 bits are `low`.
fn at_or_behind(earliest: u64, low: u32) -> u64 {
    const WRAP: u64 = 1 << 32;
    let candidate = (earliest & !(WRAP - 1)) | u64::from(low);
    if candidate < earliest { candidate.saturating_add(WRAP) } else { candidate }
}

#[cfg(test)]
mod tests;
