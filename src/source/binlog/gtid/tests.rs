use super::*;

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect::<Vec<u8>>().into()
}

/// Written by MySQL 9.7.4.
const PLAIN: &str = "007933d8a3e69d11f192c802fc000000010700000000000000020600000000000000070000000000000033b82255\
                     e16006fc2c0150620100";
const TAGGED: &str = "027400000002f26661038d029903750222c5034902210304f1030000000204040608626c7565082c0a300c7f821e\
                      2355e1600610a5041283120b";

const SOURCE: &str = "7933d8a3-e69d-11f1-92c8-02fc00000001";

#[test]
fn a_plain_gtid_of_a_real_server_is_read() {
    let event = plain(&bytes(PLAIN), false, &Tag::from("")).unwrap();
    assert_eq!(event.gtid.unwrap().to_string(), format!("{SOURCE}:7"));
    assert_eq!(event.committed_micros, 0x06_60e1_5522_b833);
}

#[test]
fn a_tagged_gtid_of_a_real_server_is_read() {
    let event = tagged(&bytes(TAGGED)).unwrap();
    assert_eq!(event.gtid.unwrap().to_string(), format!("{SOURCE}:blue:1"));
    assert_eq!(event.committed_micros, 0x06_60e1_5523_1e82);
}

#[test]
fn the_original_commit_time_does_not_leak_into_the_immediate_one() {
    let mut raw = bytes(PLAIN).to_vec();
    // The top bit of the seven bytes says that another time follows.
    raw[48] |= 0x80;
    raw.splice(49..49, [1, 2, 3, 4, 5, 6, 7]);
    let event = plain(&raw.into(), false, &Tag::from("")).unwrap();
    assert_eq!(event.committed_micros, 0x06_60e1_5522_b833);
}

#[test]
fn an_old_gtid_event_without_clocks_is_read() {
    let short = bytes(PLAIN).slice(..25);
    let event = plain(&short, false, &Tag::from("")).unwrap();
    assert_eq!(event.committed_micros, 0);
    assert!(plain(&short, true, &Tag::from("")).is_err(), "an anonymous one must have no number");
}

#[test]
fn no_prefix_of_a_gtid_event_panics() {
    for cut in 0..bytes(PLAIN).len() {
        let result = plain(&bytes(PLAIN).slice(..cut), false, &Tag::from(""));
        assert_eq!(result.is_err(), cut < 25 || (26..42).contains(&cut) || (43..49).contains(&cut), "{cut}");
    }
    for cut in 0..bytes(TAGGED).len() {
        assert!(tagged(&bytes(TAGGED).slice(..cut)).is_err(), "{cut}");
    }
}

#[test]
fn a_tagged_gtid_with_a_required_unknown_field_is_refused() {
    // [version 1][size 28][required 13] uuid, number 1, field 12 and then 13.
    let with_required = |required: u8| {
        let mut raw = vec![0x02, 0, required << 1, 0x02];
        raw.extend([0x02; 16]);
        raw.extend([0x04, 0x04, 0x06, 0x00, 12 << 1, 0x00]);
        raw[1] = u8::try_from(raw.len() << 1).unwrap();
        Bytes::from(raw)
    };
    assert!(tagged(&with_required(12)).is_err());
    assert_eq!(tagged(&with_required(3)).unwrap().gtid.unwrap().number(), 1);
}

#[test]
fn malformed_tags_and_numbers_are_refused() {
    for tag in [&b"1x"[..], b"a-b", &[b'a'; 33], b"\xff"] {
        assert!(valid_tag(tag).is_err());
    }
    assert_eq!(&*valid_tag(b"Blue_1").unwrap(), "blue_1");
    assert!(valid_number(0).is_err() && valid_number(u64::MAX).is_err());
}
