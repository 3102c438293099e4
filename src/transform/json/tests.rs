use super::binary::{SMALL_ARRAY, SMALL_OBJECT};
use super::*;
use crate::change::policy::NulBytes;

fn printed(raw: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    print_document(raw, &mut out).ok()?;
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn number(value: f64) -> String {
    let mut out = Vec::new();
    double(value, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn doubles_are_printed_as_the_server_prints_them() {
    // SELECT CAST(JSON_ARRAY(…) AS CHAR) on MySQL 9.7.
    for (value, text) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-12.5, "-12.5"),
        (0.1, "0.1"),
        (1e15, "1e15"),
        (1e14, "100000000000000.0"),
        (999_999_999_999_999.0, "999999999999999.0"),
        (1_234_567_890_123_456.0, "1.234567890123456e15"),
        (12_345_678_901_234_567.0, "1.2345678901234568e16"),
        (1e16, "1e16"),
        (1e22, "1e22"),
        (1e-5, "0.00001"),
        (1e-15, "0.000000000000001"),
        (1.5e-15, "0.0000000000000015"),
        (1e-16, "1e-16"),
        (8.881_784_197_001_252e-16, "8.881784197001252e-16"),
        (f64::MAX, "1.7976931348623157e308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (f64::from_bits(1), "5e-324"),
        // Two shortest texts are equally near: the even one.
        (2f64.powi(-25), "0.000000029802322387695312"),
        (94_136_262_176_906.0 + 0.625, "94136262176906.62"),
        (-1_669_760_939_663_944.0 - 0.25, "-1669760939663944.2"),
        // A power of two, where only the upper one reads back.
        (2f64.powi(-24), "0.00000005960464477539063"),
    ] {
        let ours = number(value);
        assert_eq!(ours, text, "{value:e}");
        assert_eq!(ours.parse::<f64>().unwrap().to_bits(), value.to_bits());
    }
}

/// A document that is one small array, put together after `json_binary.h`.
fn small_array(entries: &[(u8, [u8; 2])], values: &[u8]) -> Vec<u8> {
    let size = u16::try_from(4 + entries.len() * 3 + values.len()).unwrap();
    let mut raw = vec![SMALL_ARRAY];
    raw.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
    raw.extend(size.to_le_bytes());
    for (kind, value) in entries {
        raw.push(*kind);
        raw.extend(value);
    }
    raw.extend(values);
    raw
}

#[test]
fn containers_scalars_and_strings_are_printed() {
    // Offsets count from after the type byte.
    let first = 4 + 5 * 3;
    let offset = |at: u16| (first + at).to_le_bytes();
    let mut values = 70_000i32.to_le_bytes().to_vec();
    values.extend(1.5f64.to_le_bytes());
    values.extend(b"\x08x\n\x01\"\\\xc3\xa4y");
    let raw = small_array(
        &[
            (INT16, (-1i16).to_le_bytes()),
            (INT32, offset(0)),
            (DOUBLE, offset(4)),
            (STRING, offset(12)),
            (LITERAL, [1, 0]),
        ],
        &values,
    );
    assert_eq!(printed(&raw).unwrap(), r#"[-1, 70000, 1.5, "x\n\u0001\"\\äy", true]"#);
    // {"k": null, "": {}}: keys by length.
    let object = [
        SMALL_OBJECT,
        2,
        0,
        23,
        0,
        18,
        0,
        0,
        0,
        18,
        0,
        1,
        0,
        SMALL_OBJECT,
        19,
        0,
        LITERAL,
        0,
        0,
        b'k',
        0,
        0,
        4,
        0,
    ];
    assert_eq!(printed(&object).unwrap(), r#"{"": {}, "k": null}"#);
    assert_eq!(printed(b"").unwrap(), "null");
}

#[test]
fn opaque_values_are_printed() {
    let opaque = |field_type: u8, data: &[u8]| {
        let mut raw = vec![OPAQUE, field_type, u8::try_from(data.len()).unwrap()];
        raw.extend(data);
        printed(&raw).unwrap()
    };
    // 1.50 as decimal(10,2), -0.5 as decimal(3,2).
    assert_eq!(opaque(246, &[3, 2, 0x81, 50]), "1.50");
    assert_eq!(opaque(246, &[2, 2, 0x4d]), "-0.50");
    let packed = |clock: i64, micros: i64| ((clock << 24) + micros).to_le_bytes();
    let day = |y: i64, m: i64, d: i64| ((y * 13 + m) << 5 | d) << 17;
    assert_eq!(opaque(10, &packed(day(2020, 1, 2), 0)), "\"2020-01-02\"");
    assert_eq!(
        opaque(12, &packed(day(2020, 1, 2) | 3 << 12 | 4 << 6 | 5, 6)),
        "\"2020-01-02 03:04:05.000006\""
    );
    assert_eq!(opaque(11, &packed(100 << 12, 1)), "\"100:00:00.000001\"");
    let negative = -((838i64 << 12 | 0x3b << 6 | 0x3b) << 24);
    assert_eq!(opaque(11, &negative.to_le_bytes()), "\"-838:59:59.000000\"");
    assert_eq!(opaque(16, &[10]), "\"base64:type16:Cg==\"");
    assert_eq!(opaque(252, &[b'A'; 57]), format!("\"base64:type252:{}\"", "QUFB".repeat(19)));
    assert_eq!(opaque(252, &[b'A'; 58]), format!("\"base64:type252:{}\\nQQ==\"", "QUFB".repeat(19)));
    assert_eq!(opaque(253, b"x\"y"), r#""x\"y""#);
}

#[test]
fn nul_escapes_follow_the_policy() {
    let check = |text: &str, policy| {
        let mut out = b"..".to_vec();
        write_text(text.as_bytes(), policy, &mut out).ok()?;
        assert_eq!(&out[..2], b"..");
        Some(String::from_utf8(out[2..].to_vec()).unwrap())
    };
    for (text, stripped, replaced) in [
        (r#""\u0000""#, r#""""#, "\"\u{fffd}\""),
        (
            r#"["a\u0000b\u0000", "\\u0000", "\\\u0000"]"#,
            r#"["ab", "\\u0000", "\\"]"#,
            "[\"a\u{fffd}b\u{fffd}\", \"\\\\u0000\", \"\\\\\u{fffd}\"]",
        ),
    ] {
        assert_eq!(check(text, NulBytes::Error), None);
        assert_eq!(check(text, NulBytes::Strip).as_deref(), Some(stripped));
        assert_eq!(check(text, NulBytes::Replace).as_deref(), Some(replaced));
    }
    let sound = r#"["\\u0000", "\u0001"]"#;
    assert_eq!(check(sound, NulBytes::Error).as_deref(), Some(sound));
}

#[test]
fn values_that_share_bytes_do_not_multiply() {
    // An array whose elements all are one other array, fifty levels deep, would be 4^50 values.
    let mut raw = vec![SMALL_ARRAY];
    let levels = 50u16;
    for level in 0..levels {
        let next = 16u16;
        raw.extend(4u16.to_le_bytes());
        raw.extend((16 * (levels - level)).to_le_bytes());
        for _ in 0..4 {
            raw.push(SMALL_ARRAY);
            raw.extend(next.to_le_bytes());
        }
    }
    raw.extend([0; 64]);
    assert_eq!(printed(&raw), None);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_printer_panic(raw: Vec<u8>, kind in 0u8..16) {
        let mut document = vec![kind];
        document.extend(&raw);
        printed(&document);
        printed(&raw);
    }

    #[test]
    fn printed_doubles_read_back(bits: u64) {
        let value = f64::from_bits(bits);
        if value.is_finite() {
            proptest::prop_assert_eq!(number(value).parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}
