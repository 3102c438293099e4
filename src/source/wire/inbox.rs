//! Framing: received bytes in, packets out, without copying them.
//!
//! What flows: the socket appends to one block; packets are split off it as shared slices. A packet longer
//! than 16 MiB − 1 comes in parts, which are joined here. Protocol: "MySQL Packets" in the MySQL internals docs
//! (`page_protocol_basic_packets`).
//!
//! What must never happen here: a sequence number that does not fit passing unnoticed, a length from the server
//! trusted beyond [`MAX_PACKET`], an allocation per packet.

use bytes::{Buf, Bytes, BytesMut};
use std::ops::Range;

/// Bytes of a packet's header: three of length, one of sequence.
pub const HEADER: usize = 4;
/// A part of this length is followed by another part of the same packet.
pub const FULL_PART: usize = 0xFF_FFFF;
/// The longest logical packet accepted: MySQL's own limit of 1 GiB and room for what frames an event.
pub const MAX_PACKET: usize = (1 << 30) + (1 << 16);
/// Bytes of a fresh block.
pub const BLOCK: usize = 256 * 1024;
/// A read with less room than this is not worth a system call.
pub const MIN_READ: usize = 16 * 1024;

/// What is wrong with the bytes received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A packet was lost, doubled or cut.
    #[error("packet number {got} came where {expected} was due")]
    Sequence {
        /// The number due.
        expected: u8,
        /// The number in the packet's header.
        got: u8,
    },
    /// The parts of one packet grew past [`MAX_PACKET`].
    #[error("a packet of more than {MAX_PACKET} bytes")]
    TooLong,
}

/// Where a scan for rows stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowScan {
    /// The run is as long as was asked.
    Full,
    /// The next packet is not received whole yet.
    Incomplete,
    /// The next packet is no row, or a row in several parts: take it with [`Inbox::take`].
    Other,
}

/// Whole row packets that lie at the start of the inbox, found but not yet taken.
#[derive(Debug, Default)]
pub struct RowRun {
    /// The payloads, as ranges from the start of the inbox.
    pub rows: Vec<Range<usize>>,
    /// Bytes of the run, headers included.
    pub bytes: usize,
}

/// Received bytes that nobody has taken yet.
#[derive(Debug)]
pub struct Inbox {
    data: BytesMut,
    /// Size of the allocation behind `data`.
    block: usize,
    /// The sequence number the next packet must carry.
    sequence: u8,
    /// The parts of a long packet taken so far.
    parts: Option<BytesMut>,
    /// A packet is being taken in pieces.
    pieces: Option<Pieces>,
    /// What was found wrong; nothing after it can be trusted.
    broken: Option<FrameError>,
}

/// The rest of a packet that is taken in pieces.
#[derive(Debug, Clone, Copy)]
struct Pieces {
    /// Bytes left of the part.
    left: usize,
    /// Another part follows it.
    more: bool,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            data: BytesMut::with_capacity(BLOCK),
            block: BLOCK,
            sequence: 0,
            parts: None,
            pieces: None,
            broken: None,
        }
    }
}

impl Inbox {
    /// The number the next packet must carry, in either direction.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Sets the number the next packet must carry.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// True when every byte received has been taken.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.parts.is_none() && self.pieces.is_none()
    }

    /// Where received bytes are to be appended.
    pub fn tail(&mut self) -> &mut BytesMut {
        &mut self.data
    }

    /// Bytes received and not taken.
    pub fn received(&self) -> usize {
        self.data.len()
    }

    /// Bytes that can be received without making room.
    pub fn room(&self) -> usize {
        self.data.capacity() - self.data.len()
    }

    /// Bytes still missing until the packet at the start of the inbox, or its header, is whole.
    pub fn missing(&self) -> usize {
        let whole =
            self.data.first_chunk::<HEADER>().map_or(HEADER, |header| HEADER + payload_length(*header));
        whole.saturating_sub(self.data.len())
    }

    /// Makes room for at least `bytes` more. Uses the current block again when nobody holds a slice of it any
    /// more; a block grown for a huge packet is given back instead.
    pub fn make_room(&mut self, bytes: usize) {
        let bytes = bytes.max(MIN_READ);
        if self.room() >= bytes {
            return;
        }
        let needed = self.data.len() + bytes;
        let oversized = self.block > 4 * BLOCK && self.block > 4 * needed;
        if !oversized && self.data.try_reclaim(bytes) {
            return;
        }
        // Not `reserve`: it doubles a block that is nearly large enough, again and again.
        self.block = needed.max(BLOCK);
        let mut fresh = BytesMut::with_capacity(self.block);
        fresh.extend_from_slice(&self.data);
        self.data = fresh;
    }

    /// Takes the next logical packet if it is received whole.
    ///
    /// # Errors
    /// [`FrameError`], from then on always the same; the connection is of no use.
    pub fn take(&mut self) -> Result<Option<Bytes>, FrameError> {
        match &self.broken {
            Some(error) => Err(error.clone()),
            None => self.take_next().inspect_err(|error| self.broken = Some(error.clone())),
        }
    }

    fn take_next(&mut self) -> Result<Option<Bytes>, FrameError> {
        loop {
            let Some(header) = self.data.first_chunk::<HEADER>().copied() else { return Ok(None) };
            let length = payload_length(header);
            if self.data.len() < HEADER + length {
                return Ok(None);
            }
            self.data.advance(HEADER);
            let part = self.data.split_to(length);
            self.count(header, part.first().copied())?;
            let more = length == FULL_PART;
            match self.parts.take() {
                None if !more => return Ok(Some(part.freeze())),
                None => self.parts = Some(BytesMut::from(&part[..])),
                Some(mut joined) => {
                    if joined.len() + length > MAX_PACKET {
                        return Err(FrameError::TooLong);
                    }
                    joined.extend_from_slice(&part);
                    if !more {
                        return Ok(Some(joined.freeze()));
                    }
                    self.parts = Some(joined);
                }
            }
        }
    }

    /// The length of the next packet's first part, and as much of it as has come.
    pub fn peek(&self) -> Option<(usize, &[u8])> {
        let (header, rest) = self.data.split_first_chunk::<HEADER>()?;
        let length = payload_length(*header);
        Some((length, rest.get(..length).unwrap_or(rest)))
    }

    /// Takes what has come of the next packet, and later of its rest, without waiting for all of it: a piece, and whether
    /// the packet ends with it. `None` when nothing has come. Once begun, to be called until the packet has ended.
    ///
    /// # Errors
    /// [`FrameError`]; the connection is of no use afterwards.
    pub fn take_piece(&mut self) -> Result<Option<(Bytes, bool)>, FrameError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let pieces = match self.pieces {
            Some(pieces) if pieces.left > 0 => pieces,
            _ => {
                let Some(header) = self.data.first_chunk::<HEADER>().copied() else { return Ok(None) };
                let first = self.data.get(HEADER).copied().filter(|_| self.pieces.is_none());
                self.data.advance(HEADER);
                self.count(header, first).inspect_err(|error| self.broken = Some(error.clone()))?;
                let left = payload_length(header);
                Pieces { left, more: left == FULL_PART }
            }
        };
        let piece = self.data.split_to(pieces.left.min(self.data.len())).freeze();
        let left = pieces.left - piece.len();
        let ended = left == 0 && !pieces.more;
        self.pieces = (!ended).then_some(Pieces { left, more: pieces.more });
        Ok((ended || !piece.is_empty()).then_some((piece, ended)))
    }

    /// Extends `run` over the whole packets at its end that are rows of the binary protocol (they start with
    /// `00`), until it holds `max_bytes`.
    ///
    /// # Errors
    /// [`FrameError`]; the connection is of no use afterwards.
    pub fn scan_rows(&mut self, run: &mut RowRun, max_bytes: usize) -> Result<RowScan, FrameError> {
        let mut sequence = self.sequence;
        let mut at = run.bytes;
        let end = loop {
            if at >= max_bytes {
                break RowScan::Full;
            }
            let Some((header, rest)) = self.data.get(at..).and_then(<[u8]>::split_first_chunk::<HEADER>)
            else {
                break RowScan::Incomplete;
            };
            let length = payload_length(*header);
            if length == FULL_PART {
                break RowScan::Other;
            }
            let Some(payload) = rest.get(..length) else { break RowScan::Incomplete };
            if payload.first() != Some(&0) {
                break RowScan::Other;
            }
            let got = header[3];
            if got != sequence {
                return Err(FrameError::Sequence { expected: sequence, got });
            }
            sequence = sequence.wrapping_add(1);
            let start = at + HEADER;
            at = start + length;
            run.rows.push(start..at);
        };
        run.bytes = at;
        self.sequence = sequence;
        Ok(end)
    }

    /// Takes the bytes of a run found by [`Inbox::scan_rows`]; its ranges then point into them.
    pub fn take_run(&mut self, bytes: usize) -> Bytes {
        self.data.split_to(bytes.min(self.data.len())).freeze()
    }

    fn count(&mut self, header: [u8; HEADER], first: Option<u8>) -> Result<(), FrameError> {
        let got = header[3];
        // A server that gives a connection up says so in an ERR packet numbered from its own side (after
        // `wait_timeout` or at shutdown): its words are worth more than the wrong number.
        let farewell = first == Some(0xFF) && self.parts.is_none();
        if got != self.sequence && !farewell {
            return Err(FrameError::Sequence { expected: self.sequence, got });
        }
        self.sequence = got.wrapping_add(1);
        Ok(())
    }
}

fn payload_length([low, middle, high, _]: [u8; HEADER]) -> usize {
    usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16
}

/// The header of a part of `length` bytes; `length` is at most [`FULL_PART`].
pub fn header(length: usize, sequence: u8) -> [u8; HEADER] {
    let [low, middle, high, ..] = length.to_le_bytes();
    [low, middle, high, sequence]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
        [&header(payload.len(), sequence)[..], payload].concat()
    }

    fn receive(inbox: &mut Inbox, bytes: &[u8]) {
        for piece in bytes.chunks(MIN_READ) {
            inbox.make_room(piece.len());
            inbox.tail().extend_from_slice(piece);
        }
    }

    #[test]
    fn packets_come_out_as_they_went_in_however_the_bytes_are_cut() {
        let stream = [packet(0, b"one"), packet(1, b""), packet(2, &vec![7; 70_000])].concat();
        for cut in [1, 3, 4, 5, 4096] {
            let mut inbox = Inbox::default();
            let mut taken = Vec::new();
            for piece in stream.chunks(cut) {
                receive(&mut inbox, piece);
                while let Some(packet) = inbox.take().unwrap() {
                    taken.push(packet);
                }
            }
            assert_eq!(taken, [b"one".to_vec(), Vec::new(), vec![7; 70_000]], "cut every {cut} bytes");
            assert!(inbox.is_empty());
            assert_eq!(inbox.sequence(), 3);
        }
    }

    #[test]
    fn a_packet_in_parts_is_joined_also_when_its_last_part_is_empty() {
        for tail in [0_usize, 5] {
            let payload: Vec<u8> = (0..2 * FULL_PART + tail).map(|at| at.to_le_bytes()[0]).collect();
            let mut inbox = Inbox::default();
            inbox.set_sequence(255);
            for (sequence, part) in [
                (255, &payload[..FULL_PART]),
                (0, &payload[FULL_PART..2 * FULL_PART]),
                (1, &payload[2 * FULL_PART..]),
            ] {
                assert_eq!(inbox.take(), Ok(None));
                receive(&mut inbox, &packet(sequence, part));
            }
            assert_eq!(inbox.take().unwrap().unwrap(), payload);
            receive(&mut inbox, &packet(2, b"next"));
            assert_eq!(inbox.take().unwrap().unwrap(), &b"next"[..]);
        }
    }

    #[test]
    fn a_packet_taken_in_pieces_is_whole_however_the_bytes_are_cut() {
        for tail in [0_usize, 5] {
            let payload: Vec<u8> = (0..FULL_PART + tail).map(|at| at.to_le_bytes()[0]).collect();
            let stream =
                [packet(0, &payload[..FULL_PART]), packet(1, &payload[FULL_PART..]), packet(2, b"next")]
                    .concat();
            for cut in [100_003, 4_000_000, stream.len()] {
                let mut inbox = Inbox::default();
                let (mut taken, mut ended) = (Vec::new(), false);
                for bytes in stream.chunks(cut) {
                    receive(&mut inbox, bytes);
                    while !ended && let Some((piece, last)) = inbox.take_piece().unwrap() {
                        taken.extend_from_slice(&piece);
                        ended = last;
                    }
                }
                assert!(ended && taken == payload, "cut every {cut} bytes");
                assert_eq!(inbox.take().unwrap().unwrap(), &b"next"[..]);
            }
        }
        let mut inbox = Inbox::default();
        receive(&mut inbox, &packet(4, b"wrong"));
        assert_eq!(inbox.take_piece(), Err(FrameError::Sequence { expected: 0, got: 4 }));
        assert!(inbox.take().is_err(), "what is after it cannot be trusted");
    }

    #[test]
    fn a_packet_out_of_sequence_is_an_error_but_a_farewell_is_heard() {
        let mut inbox = Inbox::default();
        receive(&mut inbox, &packet(3, b"row"));
        for _ in 0..2 {
            assert_eq!(inbox.take(), Err(FrameError::Sequence { expected: 0, got: 3 }));
        }
        let mut inbox = Inbox::default();
        inbox.set_sequence(1);
        receive(&mut inbox, &packet(0, b"\xFF\xbf\x0f#HY000too long idle"));
        assert!(inbox.take().unwrap().is_some());
        let mut inbox = Inbox::default();
        receive(&mut inbox, &packet(9, b"\0row"));
        let error = inbox.scan_rows(&mut RowRun::default(), 1).unwrap_err();
        assert_eq!(error, FrameError::Sequence { expected: 0, got: 9 });
    }

    #[test]
    fn a_scan_stops_at_the_size_asked_at_a_cut_row_and_at_what_is_no_row() {
        let mut inbox = Inbox::default();
        let stream =
            [packet(0, b"\0aa"), packet(1, b"\0bbb"), packet(2, b"\0c"), packet(3, b"\xFE\0\0\0\0")].concat();
        let mut run = RowRun::default();
        receive(&mut inbox, &stream[..stream.len() - 10]);
        assert_eq!(inbox.scan_rows(&mut run, 1).unwrap(), RowScan::Full);
        assert_eq!((run.rows.len(), run.bytes), (1, 7));
        assert_eq!(inbox.scan_rows(&mut run, usize::MAX).unwrap(), RowScan::Incomplete);
        assert_eq!(run.rows.len(), 2);
        receive(&mut inbox, &stream[stream.len() - 10..]);
        assert_eq!(inbox.scan_rows(&mut run, usize::MAX).unwrap(), RowScan::Other);
        let taken = inbox.take_run(run.bytes);
        let rows: Vec<&[u8]> = run.rows.iter().map(|row| &taken[row.clone()]).collect();
        assert_eq!(rows, [&b"\0aa"[..], b"\0bbb", b"\0c"]);
        assert_eq!(inbox.take().unwrap().unwrap(), &b"\xFE\0\0\0\0"[..]);
    }

    #[test]
    fn a_block_is_used_again_when_nobody_holds_a_slice_of_it() {
        let mut inbox = Inbox::default();
        let stream = [packet(0, &vec![1; 100_000]), packet(1, &vec![2; 100_000])].concat();
        receive(&mut inbox, &stream);
        let first = inbox.take().unwrap().unwrap();
        let home = first.as_ptr();
        inbox.take().unwrap().unwrap();
        drop(first);
        inbox.make_room(200_000);
        receive(&mut inbox, &packet(2, &vec![3; 100_000]));
        assert_eq!(inbox.take().unwrap().unwrap().as_ptr(), home);
    }

    #[test]
    fn a_slice_that_is_kept_is_never_overwritten() {
        let mut inbox = Inbox::default();
        let mut kept = Vec::new();
        for round in 0..50_u8 {
            receive(&mut inbox, &packet(round, &vec![round; 40_000]));
            kept.push(inbox.take().unwrap().unwrap());
        }
        for (round, packet) in (0..50_u8).zip(&kept) {
            assert!(packet.iter().all(|byte| *byte == round));
        }
    }
}
