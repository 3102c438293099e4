//! What only MariaDB logs: its GTIDs and its compressed events.
//!
//! Layouts after `sql/log_event.h` and `sql/log_event.cc` of MariaDB 10.11 (`Gtid_log_event`, `binlog_buf_uncompress`).
//!
//! What must never happen here: a compressed event taken for whole that inflates to another length than it says.

use super::cursor::{Cursor, Malformed};
use super::gtid::{GtidEvent, Opens};
use crate::change::{DomainGtid, TransactionId};
use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

/// No BEGIN and no commit of its own: one statement.
const STANDALONE: u8 = 1;
/// The number of the group commit follows.
const GROUP_COMMIT_ID: u8 = 2;
/// The group is an XA transaction that is prepared; its id follows.
const PREPARED_XA: u8 = 64;
/// The statement ends a prepared XA transaction; its id follows.
const COMPLETED_XA: u8 = 128;
/// In the further flags: engines are counted; an ALTER starts, is done, or is given up.
const START_ALTER: u8 = 2;
const ROLLBACK_ALTER: u8 = 8;

/// Reads `GTID_EVENT`: `[sequence u64][domain u32][flags u8]`, and by the flags the group commit's number, an XA id, and further
/// flags. `server` is the event header's server id.
pub fn gtid(body: &Bytes, server: u32) -> Result<GtidEvent, Malformed> {
    let mut at = Cursor::new(body);
    let sequence = at.u64("sequence number")?;
    let domain = at.u32("domain")?;
    let flags = at.u8("flags")?;
    if sequence == 0 {
        return Err(Malformed::new("its sequence number is 0"));
    }
    if flags & GROUP_COMMIT_ID != 0 {
        at.u64("group commit number")?;
    }
    let mut xid = None;
    if flags & (PREPARED_XA | COMPLETED_XA) != 0 {
        xid = Some(super::xid::read(&mut at)?);
    }
    // Short events are filled up with zeros.
    let more = if at.remaining() > 0 { at.u8("further flags")? } else { 0 };
    let opens = if let (true, Some(xid)) = (flags & PREPARED_XA != 0, xid) {
        Opens::Xa(xid)
    } else if flags & COMPLETED_XA != 0 {
        Opens::Statement
    } else if more & (START_ALTER | ROLLBACK_ALTER) != 0 {
        Opens::VoidStatement
    } else if flags & STANDALONE != 0 {
        Opens::Statement
    } else {
        Opens::Group
    };
    let id = TransactionId::MariaDb(DomainGtid { domain, server, sequence });
    Ok(GtidEvent { gtid: Some(id), committed_micros: 0, opens })
}

/// Inflates the compressed part of an event: `[1 | 000 (zlib) | length of length u4][length, big-endian][zlib stream]`.
///
/// # Errors
/// When the algorithm is not known, the result would be longer than `max` bytes, or it does not come out as declared.
pub fn inflate(part: &Bytes, max: usize) -> Result<Bytes, Malformed> {
    const ALGORITHM: u8 = 0x70;
    const LENGTH_BYTES: u8 = 0x07;
    let mut at = Cursor::new(part);
    let head = at.u8("compression header")?;
    if head & ALGORITHM != 0 {
        return Err(Malformed::new(format!("compression {} is not known", (head & ALGORITHM) >> 4)));
    }
    let count = usize::from(head & LENGTH_BYTES);
    if count == 0 || count > 4 {
        return Err(Malformed::new(format!("its length has {count} bytes")));
    }
    let length = at.read(count, "length")?.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    if length > max {
        return Err(Malformed::new(format!("it inflates to {length} bytes and at most {max} fit")));
    }
    let compressed = at.rest();
    let broken = |why: String| Malformed::new(format!("it cannot be inflated: {why}"));
    let mut inflated = Vec::with_capacity(length);
    let mut zlib = Decompress::new(true);
    // Room for exactly what is declared: more than that cannot come out, and the stream's own checksum is compared.
    let status = zlib
        .decompress_vec(&compressed, &mut inflated, FlushDecompress::Finish)
        .map_err(|error| broken(error.to_string()))?;
    let used_up = usize::try_from(zlib.total_in()) == Ok(compressed.len());
    if status != Status::StreamEnd || inflated.len() != length || !used_up {
        return Err(broken(format!("{} bytes came out where it says {length}", inflated.len())));
    }
    Ok(inflated.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn deflated(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        let length = u16::try_from(plain.len()).unwrap().to_be_bytes();
        [&[0x82_u8][..], &length, &encoder.finish().unwrap()].concat()
    }

    #[test]
    fn a_compressed_part_comes_out_whole_or_not_at_all() {
        let plain: Vec<u8> = (0..2000_u32).flat_map(|n| (n % 7).to_le_bytes()).collect();
        let good = deflated(&plain);
        assert_eq!(inflate(&good.clone().into(), 8000).unwrap(), plain);
        assert!(inflate(&good.clone().into(), 7999).is_err(), "longer than what fits");
        for cut in 0..good.len() {
            assert!(inflate(&Bytes::copy_from_slice(&good[..cut]), 8000).is_err(), "{cut}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(inflate(&longer.into(), 8000).is_err(), "bytes after the stream");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            // Bits that say nothing may differ; whatever else comes out was noticed.
            if let Ok(out) = inflate(&bad.into(), 8000) {
                assert_eq!(out, plain, "{at}");
            }
        }
    }

    #[test]
    fn names_say_what_they_open() {
        let event = |flags: u8, rest: &[u8]| {
            let mut body = 77_u64.to_le_bytes().to_vec();
            body.extend(3_u32.to_le_bytes());
            body.push(flags);
            body.extend(rest);
            gtid(&body.into(), 9)
        };
        let id = TransactionId::MariaDb(DomainGtid { domain: 3, server: 9, sequence: 77 });
        let group = event(4 | 8, &[0; 6]).unwrap();
        assert_eq!((group.gtid, group.opens), (Some(id), Opens::Group));
        assert_eq!(event(2, &[1, 0, 0, 0, 0, 0, 0, 0]).unwrap().opens, Opens::Group);
        assert_eq!(event(1 | 32, &[0; 6]).unwrap().opens, Opens::Statement);
        assert_eq!(event(1 | 32, &[2, 0]).unwrap().opens, Opens::VoidStatement);
        assert_eq!(event(1 | 32, &[4, 5, 0, 0, 0, 0, 0, 0, 0]).unwrap().opens, Opens::Statement);
        assert_eq!(event(1 | 32, &[8, 5, 0, 0, 0, 0, 0, 0, 0]).unwrap().opens, Opens::VoidStatement);
        let xid = [1, 0, 0, 0, 2, 1, b'a', b'b', b'c'];
        assert!(
            matches!(event(64, &xid).unwrap().opens, Opens::Xa(id) if id.to_string() == "X'6162',X'63',1")
        );
        assert_eq!(event(128, &xid).unwrap().opens, Opens::Statement);
        assert!(event(64, &xid[..6]).is_err());
    }
}
