//! `TRANSACTION_PAYLOAD_EVENT`: a transaction's events compressed with zstd, inflated as a stream.
//!
//! `[field number][length][value]…[0]` and then the payload, numbers length-encoded
//! (`libs/mysql/binlog/event/codecs/binary.cpp`). The events inside have no checksum and no position.
//!
//! What must never happen here: more than one event and one block held at a time, or a payload that ends
//! early or yields other than it declares being taken for whole.

use super::cursor::{Cursor, Malformed};
use super::event::HEADER_LENGTH;
use super::frame::{self, Checksum, Event, FrameError};
use bytes::{Bytes, BytesMut};
use std::io::Read;

/// A payload being taken apart.
pub struct Payload {
    inflated: Box<dyn Read + Send>,
    buffer: BytesMut,
    /// Bytes that, by the event's own word, are still to come out of `inflated`.
    left: u64,
    /// The largest event that is accepted.
    max_event_bytes: usize,
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload").field("left", &self.left).finish_non_exhaustive()
    }
}

const END_MARK: u64 = 0;
const PAYLOAD_SIZE: u64 = 1;
const COMPRESSION: u64 = 2;
const INFLATED_SIZE: u64 = 3;
const ZSTD: u64 = 0;
const UNCOMPRESSED: u64 = 255;
/// How much is inflated at a time.
const BLOCK: usize = 256 * 1024;

impl Payload {
    /// Reads the event's fields and prepares to inflate.
    pub fn open(body: &Bytes, max_event_bytes: usize) -> Result<Self, Malformed> {
        let mut at = Cursor::new(body);
        let (mut size, mut compression, mut inflated_size) = (None, None, None);
        loop {
            let field = at.packed("field number")?;
            if field == END_MARK {
                break;
            }
            let length = at.packed_length("field length")?;
            let value = at.take(length, "field")?;
            let mut value = Cursor::new(&value);
            match field {
                PAYLOAD_SIZE => size = Some(value.packed("payload size")?),
                COMPRESSION => compression = Some(value.packed("compression")?),
                INFLATED_SIZE => inflated_size = Some(value.packed("uncompressed size")?),
                unknown => return Err(Malformed::new(format!("its field {unknown} is not known"))),
            }
        }
        let payload = at.rest();
        if size.map(usize::try_from) != Some(Ok(payload.len())) {
            return Err(Malformed::new("its payload is not as long as it says"));
        }
        let broken =
            |error: std::io::Error| Malformed::new(format!("its payload cannot be inflated: {error}"));
        let source = std::io::Cursor::new(payload);
        let (inflated, left): (Box<dyn Read + Send>, _) = match (compression, inflated_size) {
            (Some(ZSTD), Some(left)) => {
                (Box::new(zstd::stream::read::Decoder::with_buffer(source).map_err(broken)?), left)
            }
            (Some(UNCOMPRESSED), left) => {
                let whole = u64::try_from(source.get_ref().len()).unwrap_or(u64::MAX);
                (Box::new(source), left.unwrap_or(whole))
            }
            (Some(other), _) => return Err(Malformed::new(format!("compression {other} is not known"))),
            (None, _) => return Err(Malformed::new("it does not say how it is compressed")),
        };
        if left == 0 {
            return Err(Malformed::new("it holds no events"));
        }
        Ok(Self { inflated, buffer: BytesMut::new(), left, max_event_bytes })
    }

    /// The next event; `None` when the payload is used up.
    pub fn next(&mut self) -> Result<Option<Event>, Malformed> {
        if self.buffer.is_empty() && self.left == 0 {
            // There must be nothing behind the declared size, and the last block's checksum must hold.
            self.fill(1, true)?;
            return if self.buffer.is_empty() {
                Ok(None)
            } else {
                Err(Malformed::new("its payload is longer than it says"))
            };
        }
        self.fill(HEADER_LENGTH, false)?;
        let start = Bytes::copy_from_slice(self.buffer.get(..HEADER_LENGTH).unwrap_or_default());
        let header = frame::header(&start)?;
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length < HEADER_LENGTH || length > self.max_event_bytes {
            return Err(Malformed::new(format!("an event inside says it has {length} bytes")));
        }
        self.fill(length, false)?;
        let bytes = self.buffer.split_to(length).freeze();
        match frame::event(&bytes, Checksum::None) {
            Ok(event) => Ok(Some(event)),
            Err(FrameError::Damaged(why)) => Err(Malformed(why)),
            Err(FrameError::Malformed(error)) => Err(error),
        }
    }

    /// Inflates until `wanted` bytes are in the buffer. At `end` the payload may be over instead.
    fn fill(&mut self, wanted: usize, end: bool) -> Result<(), Malformed> {
        while self.buffer.len() < wanted {
            let from = self.buffer.len();
            // Grow by what is needed at once, or a block, but not beyond what was declared.
            let step = usize::try_from(self.left).unwrap_or(usize::MAX).clamp(1, BLOCK);
            self.buffer.resize(from.saturating_add(step), 0);
            let target = self.buffer.get_mut(from..).unwrap_or_default();
            let count = self
                .inflated
                .read(target)
                .map_err(|error| Malformed::new(format!("its payload cannot be inflated: {error}")))?;
            self.buffer.truncate(from.saturating_add(count));
            if count == 0 {
                return if end { Ok(()) } else { Err(Malformed::new("its payload ends inside an event")) };
            }
            match self.left.checked_sub(u64::try_from(count).unwrap_or(u64::MAX)) {
                Some(left) => self.left = left,
                None if end => return Ok(()),
                None => return Err(Malformed::new("its payload is longer than it says")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole transaction as MySQL 9.7.4 compressed it.
    const REAL: &str = "0201000301c90101990028b52ffd20c985040072081d27902b8d0178777777f77f77a725d0caa2f9436d93d90e\
                        682ada8b5ebc0b4378ff9c283440a49429ffbfdbf0bf01dcc63c1ccb22fd8ca3ae538aff21e036761cad9ea94f\
                        54b0fae2d2e9fc73e37f05b88d49200fe738636d3a9a0a05033a128e5757d2e50a2dc0894ee4879fa60e1cf99f\
                        c26d2c0a002e4586ab6cdb8a38a776008b83a3c2120fdc07461e8017";

    fn bytes(hex: &str) -> Bytes {
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect::<Vec<u8>>().into()
    }

    fn codes(body: &Bytes, max: usize) -> Result<Vec<u8>, Malformed> {
        let mut payload = Payload::open(body, max)?;
        let mut codes = Vec::new();
        while let Some(event) = payload.next()? {
            codes.push(event.header.code);
        }
        Ok(codes)
    }

    fn declared(inner: &[u8], size: u64, compression: u8) -> Bytes {
        let packed = match compression {
            0 => zstd::encode_all(inner, 3).unwrap(),
            _ => inner.to_vec(),
        };
        let mut body = vec![2, 1, compression];
        if compression == 255 {
            body = vec![2, 3, 252, 255, 0];
        }
        body.extend([3, 9, 254]);
        body.extend(size.to_le_bytes());
        body.extend([1, 9, 254]);
        body.extend(u64::try_from(packed.len()).unwrap().to_le_bytes());
        body.push(0);
        body.extend(packed);
        body.into()
    }

    fn inner(length: usize) -> Vec<u8> {
        let mut event = vec![0; length];
        event[4] = 16;
        event[9..13].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        event
    }

    #[test]
    fn a_payload_of_a_real_server_yields_its_events() {
        assert_eq!(codes(&bytes(REAL), 1 << 20), Ok(vec![2, 19, 30, 16]));
    }

    #[test]
    fn no_prefix_of_a_payload_panics_or_passes() {
        let real = bytes(REAL);
        for cut in 0..real.len() {
            assert!(codes(&real.slice(..cut), 1 << 20).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_payload_cut_short_behind_correct_fields_breaks() {
        let events = inner(5000);
        let whole = zstd::encode_all(&events[..], 3).unwrap();
        for cut in 0..whole.len() {
            let mut body = vec![2, 1, 0, 3, 3, 252, 0x88, 0x13, 1, 9, 254];
            body.extend(u64::try_from(cut).unwrap().to_le_bytes());
            body.push(0);
            body.extend(&whole[..cut]);
            assert!(codes(&body.into(), 1 << 20).is_err(), "{cut}");
        }
    }

    #[test]
    fn many_events_are_inflated_piece_by_piece() {
        let events: Vec<u8> = (0..3000).flat_map(|n| inner(100 + n % 700)).collect();
        let size = u64::try_from(events.len()).unwrap();
        for compression in [0, 255] {
            let body = declared(&events, size, compression);
            assert_eq!(codes(&body, 1 << 20).unwrap().len(), 3000);
            let mut payload = Payload::open(&body, 1 << 20).unwrap();
            while payload.next().unwrap().is_some() {
                assert!(payload.buffer.len() <= BLOCK + 800);
            }
        }
    }

    #[test]
    fn a_payload_that_is_not_what_it_says_is_refused() {
        let events = inner(100);
        assert_eq!(codes(&declared(&events, 100, 0), 100), Ok(vec![16]));
        assert!(codes(&declared(&events, 99, 0), 1000).is_err(), "longer than it says");
        assert!(codes(&declared(&events, 101, 0), 1000).is_err(), "shorter than it says");
        assert!(codes(&declared(&events, 100, 0), 99).is_err(), "an event over the limit");
        assert!(codes(&declared(&[], 0, 0), 1000).is_err(), "nothing in it");
        assert!(codes(&declared(&events, 100, 7), 1000).is_err(), "unknown compression");
        assert!(codes(&declared(&inner(100)[..50], 50, 0), 1000).is_err(), "half an event");
    }
}
