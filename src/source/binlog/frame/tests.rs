use super::*;

fn raw(code: u8, log_pos: u32, body: &[u8], checksum: bool) -> Vec<u8> {
    let length = HEADER_LENGTH + body.len() + if checksum { CHECKSUM_LENGTH } else { 0 };
    let mut bytes = 1_700_000_000_u32.to_le_bytes().to_vec();
    bytes.push(code);
    bytes.extend(97_u32.to_le_bytes());
    bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
    bytes.extend(log_pos.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes.extend(body);
    if checksum {
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
    }
    bytes
}

fn place(offset: u64) -> Place {
    Place::new(FilePosition { file: "binlog.000007".into(), offset })
}

fn at(log_pos: u32, length: u32) -> Header {
    Header { timestamp: 0, code: 2, server_id: 97, length, log_pos, flags: 0 }
}

#[test]
fn an_event_is_cut_into_header_and_body() {
    for checksum in [Checksum::None, Checksum::Crc32] {
        let bytes = Bytes::from(raw(16, 1234, b"12345678", checksum == Checksum::Crc32));
        let event = event(&bytes, checksum).unwrap();
        assert_eq!((event.header.code, event.header.log_pos), (16, 1234));
        assert_eq!(event.header.timestamp, 1_700_000_000);
        assert_eq!(event.body, Bytes::from_static(b"12345678"));
    }
}

#[test]
fn an_xid_event_of_a_real_server_passes_its_checksum() {
    // Written by MySQL 9.7.4 at offset 1955 of its first file.
    let bytes = Bytes::from_static(REAL_XID);
    let event = event(&bytes, Checksum::Crc32).unwrap();
    assert_eq!(event.header.code, 16);
    assert_eq!(event.header.log_pos, 1986);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let good = raw(16, 1234, b"12345678", true);
    for byte in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[byte] ^= 1 << bit;
            assert!(
                matches!(event(&Bytes::from(bad), Checksum::Crc32), Err(FrameError::Damaged(_))),
                "{byte}.{bit}"
            );
        }
    }
}

#[test]
fn no_prefix_of_an_event_panics_or_passes() {
    for checksum in [Checksum::None, Checksum::Crc32] {
        let good = Bytes::from(raw(16, 1234, b"12345678", checksum == Checksum::Crc32));
        for cut in 0..good.len() {
            assert!(event(&good.slice(..cut), checksum).is_err(), "{cut}");
        }
    }
    // A length field that agrees with the cut does not help.
    for length in 0..HEADER_LENGTH + CHECKSUM_LENGTH {
        let mut short = raw(16, 1234, b"", true);
        short.truncate(length);
        if let Some(field) = short.get_mut(9..13) {
            field.copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        }
        assert!(event(&Bytes::from(short), Checksum::Crc32).is_err(), "{length}");
    }
}

#[test]
fn offsets_go_on_beyond_four_gibibytes() {
    let mut here = place(0xffff_ff00);
    here.pass(&at(0xffff_ff80, 0x80));
    assert_eq!(here.position().offset, 0xffff_ff80);
    here.pass(&at(0x10, 0x90));
    assert_eq!(here.position().offset, 0x1_0000_0010);
    here.pass(&at(0x1010, 0x1000));
    assert_eq!(here.position().offset, 0x1_0000_1010);
    // Events that were skipped leave a gap.
    here.pass(&at(0x9000, 0x100));
    assert_eq!(here.position().offset, 0x1_0000_9000);
}

#[test]
fn events_made_up_by_the_sender_do_not_move_the_place() {
    let mut here = place(5000);
    here.pass(&at(0, 100));
    assert_eq!(here.position().offset, 5000);
}

#[test]
fn heartbeats_move_forward_only() {
    let mut here = place(0x1_0000_5000);
    here.reach_low(0x6000);
    assert_eq!(here.position().offset, 0x1_0000_6000);
    here.reach_low(0x4000);
    assert_eq!(here.position().offset, 0x1_0000_6000);
    here.reach(0x2_0000_0000);
    here.reach(0x1000);
    assert_eq!(here.position().offset, 0x2_0000_0000);
}

#[test]
fn a_rotation_starts_the_next_file() {
    let mut here = place(999);
    here.rotate("binlog.000008", 4);
    assert_eq!(here.position().to_string(), "binlog.000008:4");
    assert_eq!(here.file(), "binlog.000008");
}

const REAL_XID: &[u8] = &[
    0x14, 0x2f, 0x03, 0x6b, 0x10, 0x61, 0x00, 0x00, 0x00, 0x1f, 0x00, 0x00, 0x00, 0xc2, 0x07, 0x00, 0x00,
    0x00, 0x00, 0x2b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x5c, 0x18, 0x36,
];
