use super::*;

fn decode(name: &str, raw: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    Decoder::of(name).unwrap().decode(raw, &mut out).ok()?;
    Some(String::from_utf8(out).unwrap())
}

#[test]
fn text_comes_out_as_the_server_converts_it() {
    // SELECT CONVERT(CONVERT(x'…' USING cs) USING utf8mb4)
    for (charset, raw, text) in [
        ("utf8mb4", &b"\xf0\x9f\x98\x80"[..], "😀"),
        ("utf8mb3", b"\xe4\xb8\xad", "中"),
        ("latin1", b"a\x80\x81\x8d\x8f\x90\x9d\xff", "a€\u{81}\u{8d}\u{8f}\u{90}\u{9d}ÿ"),
        ("cp1251", b"\xcf\xf0", "Пр"),
        ("koi8r", b"\xf0", "П"),
        ("greek", b"\xe1", "α"),
        ("tis620", b"\xa1", "ก"),
        ("gbk", b"\xd6\xd0x\xce\xc4", "中x文"),
        ("gb18030", b"\xd6\xd0\x84\x31\xa4\x37", "中\u{fffd}"),
        ("gb18030", b"\xa6\xd9", "\u{e78d}"),
        ("gb2312", b"\xa1\xaa\xd6\xd0\xa1\xa4", "―中・"),
        ("sjis", b"\x81\x60\xb1\x93\xfa", "〜ｱ日"),
        ("cp932", b"\x81\x60\x87\x40", "～①"),
        ("ujis", b"\xa1\xc1\xc6\xfc\x8e\xb1\x8f\xb0\xa1\xf5\xa1", "〜日ｱ丂\u{e000}"),
        ("euckr", b"\xc7\xd1", "한"),
        ("ucs2", b"\x4e\x2d\0a", "中a"),
        ("utf16", b"\xd8\x3d\xde\0\0a", "😀a"),
        ("utf16le", b"\x3d\xd8\0\xdea\0", "😀a"),
        ("utf32", b"\0\x01\xf6\0", "😀"),
        ("ascii", b"abc", "abc"),
    ] {
        assert_eq!(decode(charset, raw).as_deref(), Some(text), "{charset} {raw:02X?}");
    }
}

#[test]
fn what_a_character_set_leaves_undefined_is_refused() {
    for (charset, raw) in [
        ("utf8mb4", &b"a\xff"[..]),
        ("utf8mb4", b"\xed\xa0\x80"),
        ("ascii", b"\x80"),
        ("cp1251", b"\x98"),
        ("hebrew", b"\xa1"),
        ("gbk", b"\x80"),
        ("gbk", b"\x80a"),
        ("gbk", b"\xa2\xab"),
        ("gbk", b"\xd6"),
        ("gb2312", b"\x81\x40"),
        ("sjis", b"\x87\x40"),
        ("cp932", b"\x80"),
        ("ujis", b"\xad\xa1"),
        ("ujis", b"\x8f\xb0"),
        ("ucs2", b"\xd8\x3d\xde\0"),
        ("ucs2", b"a"),
        ("utf16", b"\xd8\x3d"),
        ("utf16", b"\0a\0"),
        ("utf32", b"\0\x11\0\0"),
        ("utf32", b"\0\0a"),
    ] {
        assert_eq!(decode(charset, raw), None, "{charset} {raw:02X?}");
    }
}

#[test]
fn only_sets_that_are_read_exactly_are_supported() {
    for name in ["utf8mb4", "utf8", "latin1", "gbk", "sjis", "ucs2", "hp8"] {
        assert!(Decoder::of(name).is_ok(), "{name}");
    }
    for name in ["big5", "eucjpms", "swe7", "binary", "klingon"] {
        assert!(Decoder::of(name).is_err(), "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic_or_write_anything_but_utf8(raw: Vec<u8>) {
        for name in ["utf8mb4", "ascii", "latin1", "gbk", "gb18030", "gb2312", "sjis", "cp932", "ujis", "euckr", "ucs2", "utf16", "utf16le", "utf32"] {
            decode(name, &raw);
        }
    }

    #[test]
    fn unicode_text_comes_back(text: String) {
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let utf16le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        proptest::prop_assert_eq!(decode("utf16", &utf16), Some(text.clone()));
        proptest::prop_assert_eq!(decode("utf16le", &utf16le), Some(text.clone()));
        proptest::prop_assert_eq!(decode("utf32", &utf32), Some(text.clone()));
        proptest::prop_assert_eq!(decode("utf8mb4", text.as_bytes()), Some(text.clone()));
        // Private characters are among those that the server maps otherwise.
        let strange = |c| matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{9fb4}'..='\u{9fbb}' | '\u{fe10}'..='\u{fe19}');
        if !text.chars().any(strange) {
            let (raw, _, _) = encoding_rs::GB18030.encode(&text);
            proptest::prop_assert_eq!(decode("gb18030", &raw), Some(text.clone()));
        }
    }
}

#[test]
fn sets_with_two_codes_for_one_character_are_known() {
    let single = [
        "armscii8", "ascii", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8",
        "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5",
        "latin7", "macce", "macroman", "tis620",
    ];
    for name in single.into_iter().chain(["gbk", "gb2312", "gb18030", "sjis", "cp932", "euckr", "ujis"]) {
        let (mut seen, mut twice) = (std::collections::BTreeSet::new(), false);
        let one = (0..=0xff_u8).map(|byte| vec![byte]);
        let two = (0x80..=0xff_u8).flat_map(|lead| (0x30..=0xff_u8).map(move |trail| vec![lead, trail]));
        let three =
            (0x80..=0xff_u8).flat_map(|lead| (0x80..=0xff_u8).map(move |trail| vec![0x8f, lead, trail]));
        let four = (0x30..=0x39_u8).flat_map(|second| {
            (0x81..=0xfe_u8)
                .flat_map(move |third| (0x30..=0x39_u8).map(move |fourth| vec![0x84, second, third, fourth]))
        });
        for code in one.chain(two).chain(three).chain(four) {
            let text = decode(name, &code);
            if let Some(text) = text.filter(|text| text.chars().count() == 1) {
                twice |= !seen.insert(text);
            }
        }
        assert_eq!(twice, merges(name), "{name}");
    }
}

#[test]
fn a_set_has_the_characters_that_come_back_from_it() {
    for (charset, text, expected) in [
        ("latin1", "é€", true),
        ("latin1", "漢", false),
        ("latin1", "plain", true),
        ("latin5", "ş", true),
        ("latin5", "€", false),
        ("greek", "α", true),
        ("greek", "€", false),
        ("gbk", "漢", true),
        ("gb2312", "中", true),
        ("gb2312", "漢", false),
        ("utf8mb3", "漢", true),
        ("utf8mb3", "😀", false),
        ("ucs2", "😀", false),
        ("utf16", "😀", true),
        ("utf8mb4", "😀", true),
        ("ascii", "é", false),
        ("sjis", "日", false),
        ("big5", "中", false),
        ("binary", "é", false),
        ("nosuch", "é", false),
    ] {
        assert_eq!(has(charset, text), expected, "{charset} {text}");
    }
}

#[test]
fn what_has_no_meaning_follows_the_policy_and_what_is_around_it_stays() {
    for (charset, raw, replaced, escaped) in [
        ("utf8mb4", &b"a\xc3\xa9\xffb\xe6\xbc"[..], "aé\u{fffd}b\u{fffd}", "aé\\xFFb\\xE6\\xBC"),
        (
            "utf8mb4",
            b"\xf0\x9fa\xed\xa0\x80",
            "\u{fffd}a\u{fffd}\u{fffd}\u{fffd}",
            "\\xF0\\x9Fa\\xED\\xA0\\x80",
        ),
        ("ascii", b"\x80a\xff", "\u{fffd}a\u{fffd}", "\\x80a\\xFF"),
        ("hebrew", b"\xa1\xe0", "\u{fffd}א", "\\xA1א"),
        ("ucs2", b"\0a\xd8\x3d\0b\0", "a\u{fffd}b\u{fffd}", "a\\xD8\\x3Db\\x00"),
        ("utf16", b"\xd8\x3d\0a", "\u{fffd}a", "\\xD8\\x3Da"),
        ("utf16le", b"a\0\x3d\xd8", "a\u{fffd}", "a\\x3D\\xD8"),
        ("utf32", b"\0\x11\0\0\0\0\0a", "\u{fffd}a", "\\x00\\x11\\x00\\x00a"),
        ("gbk", b"\xc4\xe3\xa2\xab\xc4\xe3a\xc4", "你\u{fffd}你a\u{fffd}", "你\\xA2\\xAB你a\\xC4"),
        ("gbk", b"\xff\xc4\xe3", "\u{fffd}你", "\\xFF你"),
    ] {
        for (policy, expected) in [(BadText::Replace, replaced), (BadText::Escape, escaped)] {
            let mut out = b"before ".to_vec();
            Decoder::of(charset).unwrap().decode_by(policy, raw, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("before {expected}"), "{charset} {policy:?}");
        }
        assert_eq!(decode(charset, raw), None, "{charset}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_become_text(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
        for charset in ["utf8mb4", "ascii", "hebrew", "ucs2", "utf16", "utf16le", "utf32", "gbk", "gb18030", "euckr", "ujis", "cp932"] {
            for policy in [BadText::Replace, BadText::Escape] {
                let mut out = Vec::new();
                Decoder::of(charset).unwrap().decode_by(policy, &raw, &mut out).unwrap();
                let text = String::from_utf8(out).unwrap();
                if let Some(exact) = decode(charset, &raw) {
                    proptest::prop_assert_eq!(text, exact);
                }
            }
        }
    }
}
