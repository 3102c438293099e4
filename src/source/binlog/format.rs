//! `FORMAT_DESCRIPTION_EVENT`: which server wrote the file, how long fixed parts are, and the checksum.
//!
//! `[binlog version u16][server version, 50 bytes][created u32][header length u8][fixed part length u8]…
//! [checksum algorithm u8][CRC32]`; the last two since MySQL 5.6.1 and MariaDB 5.3
//! (`libs/mysql/binlog/event/control_events.h`, `Format_description_event`).

use super::cursor::{Cursor, Malformed};
use super::event::HEADER_LENGTH;
use super::frame::{self, CHECKSUM_LENGTH, Checksum, FrameError};
use bytes::Bytes;

/// What the following events look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// As the server prints it.
    pub server_version: String,
    /// Whether events have checksums.
    pub checksum: Checksum,
    /// It stands in the first file that the server began after its start. A rotation leaves the field at zero, and so does a
    /// dump that begins inside a file.
    pub after_start: bool,
    /// Fixed part lengths by type code, from code 1.
    lengths: Bytes,
}

impl Format {
    /// The length of a type's fixed part; 0 when the server does not know the type.
    pub fn fixed_length(&self, code: u8) -> u8 {
        usize::from(code).checked_sub(1).and_then(|index| self.lengths.get(index)).copied().unwrap_or(0)
    }

    /// True when table ids of this type have four bytes (servers before 5.1.4).
    pub fn has_short_id(&self, code: u8) -> bool {
        self.fixed_length(code) == 6
    }
}

/// MySQL 5.6 knows kinds up to this code (`PREVIOUS_GTIDS`), later servers more.
const FEWEST_LENGTHS: usize = 35;
const VERSION_LENGTH: usize = 50;
const CHECKSUM_OFF: u8 = 0;
const CHECKSUM_CRC32: u8 = 1;

/// Reads a whole format description event, header included, and checks its checksum by its own word.
pub fn read(bytes: &Bytes) -> Result<Format, FrameError> {
    let header = frame::header(bytes)?;
    if usize::try_from(header.length) != Ok(bytes.len()) {
        return Err(FrameError::Damaged(format!(
            "it says it has {} bytes and {} arrived",
            header.length,
            bytes.len()
        )));
    }
    let mut at = Cursor::new(bytes);
    at.read(HEADER_LENGTH, "header")?;
    let version = at.u16("binlog version")?;
    if version != 4 {
        return Err(Malformed::new(format!("binlog version {version} is not known")).into());
    }
    let text = at.read(VERSION_LENGTH, "server version")?;
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let server_version = String::from_utf8_lossy(text).into_owned();
    if !has_checksums(&server_version) {
        return Err(Malformed::new(format!(
            "server version '{server_version}' is before 5.6.1 and writes no checksum field"
        ))
        .into());
    }
    let after_start = at.u32("creation time")? != 0;
    if usize::from(at.u8("header length")?) != HEADER_LENGTH {
        return Err(Malformed::new("events have another header than binlog version 4 has").into());
    }
    let count = at.remaining().checked_sub(1 + CHECKSUM_LENGTH);
    let count = count.ok_or_else(|| Malformed::new("it ends before its checksum"))?;
    if count < FEWEST_LENGTHS {
        return Err(Malformed::new(format!("it describes only {count} kinds of events")).into());
    }
    let lengths = at.take(count, "fixed part lengths")?;
    let checksum = match at.u8("checksum algorithm")? {
        CHECKSUM_OFF => Checksum::None,
        CHECKSUM_CRC32 => {
            verify(bytes, header.flags)?;
            Checksum::Crc32
        }
        other => return Err(Malformed::new(format!("checksum algorithm {other} is not known")).into()),
    };
    // A copy, so that a long-lived value does not hold on to the packet's memory.
    Ok(Format { server_version, checksum, after_start, lengths: Bytes::copy_from_slice(&lengths) })
}

/// The flag that a file is in use (`LOG_EVENT_BINLOG_IN_USE_F`) is set and cleared in the file without a new
/// checksum: that is always of the event without it.
fn verify(bytes: &Bytes, flags: u16) -> Result<(), FrameError> {
    const IN_USE: u8 = 1;
    const FLAGS_AT: usize = 17;
    if flags & u16::from(IN_USE) == 0 {
        return frame::verify(bytes);
    }
    let mut closed = bytes.to_vec();
    if let Some(low) = closed.get_mut(FLAGS_AT) {
        *low &= !IN_USE;
    }
    frame::verify(&closed.into())
}

/// Whether a server of this version has the checksum fields (5.6.1 and later; all of MariaDB 10).
fn has_checksums(version: &str) -> bool {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    (next(), next(), next()) >= (5, 6, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(version: &str, algorithm: u8) -> Vec<u8> {
        let mut body = 4_u16.to_le_bytes().to_vec();
        let mut text = version.as_bytes().to_vec();
        text.resize(VERSION_LENGTH, 0);
        body.extend(text);
        body.extend([0, 0, 0, 0, 19]);
        let mut lengths = [8; 41];
        (lengths[1], lengths[22]) = (13, 6);
        body.extend(lengths);
        body.push(algorithm);
        let mut bytes = vec![0, 0, 0, 0, 15, 1, 0, 0, 0];
        bytes.extend(u32::try_from(HEADER_LENGTH + body.len() + 4).unwrap().to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(body);
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    #[test]
    fn the_mark_of_a_file_in_use_is_not_covered_by_the_checksum() {
        let mut open = described("9.7.4", 1);
        open[17] |= 1;
        assert!(read(&open.clone().into()).is_ok());
        open[17] |= 2;
        assert!(read(&open.into()).is_err());
    }

    #[test]
    fn lengths_version_and_checksum_are_read() {
        let format = read(&described("9.7.4-2", 1).into()).unwrap();
        assert_eq!((format.server_version.as_str(), format.checksum), ("9.7.4-2", Checksum::Crc32));
        assert_eq!((format.fixed_length(2), format.fixed_length(19), format.fixed_length(42)), (13, 8, 0));
        assert!(format.has_short_id(23) && !format.has_short_id(24));
        assert_eq!(read(&described("10.11.6-MariaDB-log", 0).into()).unwrap().checksum, Checksum::None);
    }

    #[test]
    fn versions_without_checksums_and_unknown_algorithms_are_refused() {
        for (version, algorithm) in [("5.5.62", 0), ("5.6.0", 1), ("9.7.4", 2), ("", 1)] {
            let result = read(&described(version, algorithm).into());
            assert!(matches!(result, Err(FrameError::Malformed(_))), "{version} {algorithm}");
        }
        assert!(has_checksums("5.6.1-m5") && has_checksums("8.0.36"));
    }

    #[test]
    fn a_flipped_bit_and_every_prefix_are_noticed() {
        let good = described("9.7.4-2", 1);
        for cut in 0..good.len() {
            assert!(read(&Bytes::copy_from_slice(&good[..cut])).is_err(), "{cut}");
            let mut short = good[..cut].to_vec();
            if let Some(field) = short.get_mut(9..13) {
                field.copy_from_slice(&u32::try_from(cut).unwrap().to_le_bytes());
            }
            assert!(read(&short.into()).is_err(), "{cut}");
        }
        let mut bad = good.clone();
        bad[30] ^= 1;
        assert!(matches!(read(&bad.into()), Err(FrameError::Damaged(_))));
    }
}
