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

/// The event around a body, with its checksum.
fn event(body: &[u8]) -> Bytes {
    let mut bytes = vec![0, 0, 0, 0, PAYLOAD, 1, 0, 0, 0];
    bytes.extend(u32::try_from(HEADER_LENGTH + body.len() + CHECKSUM_LENGTH).unwrap().to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes.into()
}

/// The kinds of the events inside, when the event comes in pieces of `piece` bytes; the largest buffer held.
fn in_pieces(bytes: &Bytes, piece: usize, max: usize) -> Result<(Vec<u8>, usize), FrameError> {
    let first = bytes.slice(..bytes.len().min(HEAD_BYTES.max(piece)));
    let (mut payload, used) = Payload::open(&first, Checksum::Crc32, max)?;
    payload.feed(first.slice(used..), first.len() == bytes.len())?;
    let mut rest = bytes.slice(first.len()..);
    let (mut codes, mut held) = (Vec::new(), 0);
    loop {
        match payload.next()? {
            Next::Event(event) => codes.push(event.header.code),
            Next::NeedsInput => {
                assert!(!rest.is_empty(), "it wants more than there is");
                let next = rest.split_to(piece.min(rest.len()));
                payload.feed(next, rest.is_empty())?;
            }
            Next::End => return Ok((codes, held)),
        }
        held = held.max(payload.buffer.len());
    }
}

fn codes(body: &Bytes, max: usize) -> Result<Vec<u8>, FrameError> {
    let bytes = event(body);
    in_pieces(&bytes, bytes.len(), max).map(|(codes, _)| codes)
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
        let bytes = event(&body);
        for piece in [1, 7, 1000, 100_000] {
            let (codes, held) = in_pieces(&bytes, piece, 1 << 20).unwrap();
            assert!(codes.len() == 3000 && held <= BLOCK + 800, "{} events, {held} bytes held", codes.len());
        }
    }
}

/// The commit must not get out of a packet whose checksum has not been compared.
#[test]
fn a_damaged_payload_never_yields_its_last_event() {
    let events: Vec<u8> = (0..300).flat_map(|n| inner(100 + n % 700)).collect();
    for compression in [0, 255] {
        let good = event(&declared(&events, u64::try_from(events.len()).unwrap(), compression));
        for piece in [1, 999, good.len()] {
            let mut bad = good.to_vec();
            let last = bad.len() - 1;
            bad[last] ^= 1;
            let bad = Bytes::from(bad);
            let first = bad.slice(..bad.len().min(HEAD_BYTES.max(piece)));
            let (mut payload, used) = Payload::open(&first, Checksum::Crc32, 1 << 20).unwrap();
            let mut rest = bad.slice(first.len()..);
            let mut failed = payload.feed(first.slice(used..), rest.is_empty()).is_err();
            let mut seen = 0;
            while !failed {
                match payload.next().unwrap() {
                    Next::Event(_) => seen += 1,
                    Next::NeedsInput => {
                        let next = rest.split_to(piece.min(rest.len()));
                        failed = payload.feed(next, rest.is_empty()).is_err();
                    }
                    Next::End => panic!("the damage was not noticed"),
                }
            }
            assert!(seen < 300, "the last event got out");
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
