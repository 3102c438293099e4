//! `TRANSACTION_PAYLOAD_EVENT`: a transaction's events compressed with zstd, inflated as a stream.
//!
//! `[field number][length][value]…[0]` and then the payload, numbers length-encoded
//! (`libs/mysql/binlog/event/codecs/binary.cpp`). The events inside have no checksum and no position.
//!
//! Such an event holds a whole transaction, so it may be as large as one: it is inflated while it is received, and its
//! checksum, which comes last, is compared before the last event inside (the commit) is handed out.
//!
//! What must never happen here: more than one event and one block held at a time, or a payload that ends
//! early or yields other than it declares being taken for whole.

use super::cursor::{Cursor, Malformed};
use super::event::{HEADER_LENGTH, PAYLOAD};
use super::frame::{self, CHECKSUM_LENGTH, Checksum, Event, FrameError, Header};
use bytes::{Buf, Bytes, BytesMut};
use zstd::stream::raw::{Decoder, Operation};

/// A payload being taken apart.
pub struct Payload {
    /// The event's own header.
    header: Header,
    arriving: Arriving,
    /// All of the event has come, and its checksum holds.
    ended: bool,
    /// `None` for a payload that is not compressed.
    decoder: Option<Decoder<'static>>,
    /// Received and not inflated.
    input: Bytes,
    /// The decoder is at the end of a frame: nothing of it is missing.
    between_frames: bool,
    buffer: BytesMut,
    /// Bytes that, by the event's own word, are still to come out.
    left: u64,
    /// The largest event that is accepted.
    max_event_bytes: usize,
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload").field("left", &self.left).finish_non_exhaustive()
    }
}

/// What [`Payload::next`] found.
#[derive(Debug)]
pub enum Next {
    /// An event of the transaction.
    Event(Event),
    /// More must be [`fed`](Payload::feed) first.
    NeedsInput,
    /// All of it has been handed out.
    End,
}

const END_MARK: u64 = 0;
const PAYLOAD_SIZE: u64 = 1;
const COMPRESSION: u64 = 2;
const INFLATED_SIZE: u64 = 3;
const ZSTD: u64 = 0;
const UNCOMPRESSED: u64 = 255;
/// How much is inflated at a time.
const BLOCK: usize = 256 * 1024;
/// The event's header and its fields are never longer than this; what comes after is payload.
pub const HEAD_BYTES: usize = 128;

/// The bytes of the event that have not come yet, and its checksum.
struct Arriving {
    /// Bytes of payload.
    payload: usize,
    checksum: Checksum,
    computed: crc32fast::Hasher,
    stored: Vec<u8>,
}

impl Payload {
    /// Whether a packet that starts so holds a payload event.
    pub fn starts(event: &[u8]) -> bool {
        event.get(4) == Some(&PAYLOAD)
    }

    /// Reads the event's header and fields from its first bytes ([`HEAD_BYTES`] of them, or all) and prepares to inflate.
    /// Returns how many bytes of `start` are used; what is after them is to be [`fed`](Self::feed).
    pub fn open(
        start: &[u8],
        checksum: Checksum,
        max_event_bytes: usize,
    ) -> Result<(Self, usize), Malformed> {
        let head = Bytes::copy_from_slice(start.get(..HEAD_BYTES).unwrap_or(start));
        let header = frame::header(&head)?;
        let mut at = Cursor::new(&head);
        at.read(HEADER_LENGTH, "header")?;
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
        let used = head.len().saturating_sub(at.remaining());
        let tail = match checksum {
            Checksum::None => 0,
            Checksum::Crc32 => CHECKSUM_LENGTH,
        };
        let whole = usize::try_from(header.length).unwrap_or(usize::MAX);
        let payload = whole.checked_sub(used).and_then(|rest| rest.checked_sub(tail));
        let Some(payload) = payload.filter(|payload| size.map(usize::try_from) == Some(Ok(*payload))) else {
            return Err(Malformed::new("its payload is not as long as it says"));
        };
        let (decoder, left) = match (compression, inflated_size) {
            (Some(ZSTD), Some(left)) => {
                let decoder = Decoder::new().map_err(|error| broken(&error))?;
                (Some(decoder), left)
            }
            (Some(UNCOMPRESSED), left) => {
                (None, left.unwrap_or_else(|| u64::try_from(payload).unwrap_or(u64::MAX)))
            }
            (Some(other), _) => return Err(Malformed::new(format!("compression {other} is not known"))),
            (None, _) => return Err(Malformed::new("it does not say how it is compressed")),
        };
        if left == 0 {
            return Err(Malformed::new("it holds no events"));
        }
        let mut computed = crc32fast::Hasher::new();
        computed.update(head.get(..used).unwrap_or_default());
        let arriving = Arriving { payload, checksum, computed, stored: Vec::new() };
        let payload = Self {
            header,
            arriving,
            ended: false,
            decoder,
            input: Bytes::new(),
            between_frames: true,
            buffer: BytesMut::new(),
            left,
            max_event_bytes,
        };
        Ok((payload, used))
    }

    /// The event's own header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Takes in the next bytes of the event, to be called when [`Next::NeedsInput`] was given. `last` says that the packet
    /// ends with them: then the event's checksum must hold.
    pub fn feed(&mut self, mut bytes: Bytes, last: bool) -> Result<(), FrameError> {
        let payload = bytes.split_to(self.arriving.payload.min(bytes.len()));
        self.arriving.payload = self.arriving.payload.saturating_sub(payload.len());
        self.arriving.computed.update(&payload);
        self.input = if self.input.is_empty() { payload } else { [&*self.input, &payload].concat().into() };
        self.arriving.stored.extend_from_slice(&bytes);
        let tail = match self.arriving.checksum {
            Checksum::None => 0,
            Checksum::Crc32 => CHECKSUM_LENGTH,
        };
        if self.arriving.stored.len() > tail {
            return Err(FrameError::Damaged("it is longer than it says".to_owned()));
        }
        if !last {
            return Ok(());
        }
        if self.arriving.stored.len() < tail || self.arriving.payload > 0 {
            return Err(FrameError::Damaged("it is shorter than it says".to_owned()));
        }
        if let Some(stored) = self.arriving.stored.first_chunk::<CHECKSUM_LENGTH>() {
            let (stored, computed) = (u32::from_le_bytes(*stored), self.arriving.computed.clone().finalize());
            if stored != computed {
                return Err(FrameError::Damaged(format!(
                    "its checksum is {stored:08x} and its bytes give {computed:08x}"
                )));
            }
        }
        self.ended = true;
        Ok(())
    }

    /// The next event.
    pub fn next(&mut self) -> Result<Next, Malformed> {
        if self.buffer.is_empty() && self.left == 0 {
            return self.end();
        }
        if !self.fill(HEADER_LENGTH)? {
            return Ok(Next::NeedsInput);
        }
        let start = Bytes::copy_from_slice(self.buffer.get(..HEADER_LENGTH).unwrap_or_default());
        let header = frame::header(&start)?;
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length < HEADER_LENGTH || length > self.max_event_bytes {
            return Err(Malformed::new(format!("an event inside says it has {length} bytes")));
        }
        if !self.fill(length)? {
            return Ok(Next::NeedsInput);
        }
        // The last event ends the transaction: not before all of the packet has come and its checksum was compared.
        let is_last = self.left == 0 && self.buffer.len() == length;
        if is_last && !self.ended {
            return Ok(Next::NeedsInput);
        }
        if is_last {
            self.nothing_behind()?;
        }
        let bytes = self.buffer.split_to(length).freeze();
        match frame::event(&bytes, Checksum::None) {
            Ok(event) => Ok(Next::Event(event)),
            Err(FrameError::Damaged(why)) => Err(Malformed(why)),
            Err(FrameError::Malformed(error)) => Err(error),
        }
    }

    fn end(&mut self) -> Result<Next, Malformed> {
        if !self.ended {
            return Ok(Next::NeedsInput);
        }
        self.nothing_behind()?;
        Ok(Next::End)
    }

    /// There must be nothing after the declared size, and the last block's checksum must hold.
    fn nothing_behind(&mut self) -> Result<(), Malformed> {
        let mut one = [0];
        while !self.input.is_empty() || !self.between_frames {
            let (read, written) = self.run(&mut one)?;
            if written > 0 {
                return Err(Malformed::new("its payload is longer than it says"));
            }
            if read == 0 && !self.between_frames {
                return Err(Malformed::new("its payload ends inside a block"));
            }
        }
        Ok(())
    }

    /// Inflates until `wanted` bytes are in the buffer; false when more input is needed for that.
    fn fill(&mut self, wanted: usize) -> Result<bool, Malformed> {
        while self.buffer.len() < wanted {
            if self.left == 0 {
                return Err(Malformed::new("its payload ends inside an event"));
            }
            let from = self.buffer.len();
            // Grow by a block at most, and not beyond what was declared.
            let step = usize::try_from(self.left).unwrap_or(usize::MAX).clamp(1, BLOCK);
            self.buffer.resize(from.saturating_add(step), 0);
            let mut target = self.buffer.split_off(from);
            let result = self.run(&mut target);
            let (read, written) = result?;
            target.truncate(written);
            self.buffer.unsplit(target);
            self.left = self
                .left
                .checked_sub(u64::try_from(written).unwrap_or(u64::MAX))
                .ok_or_else(|| Malformed::new("its payload is longer than it says"))?;
            if read == 0 && written == 0 {
                return if self.ended {
                    Err(Malformed::new("its payload ends inside an event"))
                } else {
                    Ok(false)
                };
            }
        }
        Ok(true)
    }

    /// Inflates into `target`; how many bytes of input were used and how many came out.
    fn run(&mut self, target: &mut [u8]) -> Result<(usize, usize), Malformed> {
        let (read, written) = if let Some(decoder) = &mut self.decoder {
            if self.input.is_empty() && self.between_frames {
                return Ok((0, 0));
            }
            let status = decoder.run_on_buffers(&self.input, target).map_err(|error| broken(&error))?;
            self.between_frames = status.remaining == 0;
            (status.bytes_read, status.bytes_written)
        } else {
            let count = self.input.len().min(target.len());
            if let (Some(from), Some(to)) = (self.input.get(..count), target.get_mut(..count)) {
                to.copy_from_slice(from);
            }
            (count, count)
        };
        self.input.advance(read.min(self.input.len()));
        Ok((read, written))
    }
}

fn broken(error: &std::io::Error) -> Malformed {
    Malformed::new(format!("its payload cannot be inflated: {error}"))
}

#[cfg(test)]
mod tests;
