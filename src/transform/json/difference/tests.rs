//! Differences as MySQL 9.7 logged them, and the documents it then had.

use super::*;
use crate::transform::json::print_document;

/// `{"a": 1, "bb": [1, 2, {"c": "x"}], "a b": {"d\"e": null}, "pad": "pp…p"}`
const BEFORE: &[u8] = b"\0\x04\0{\0 \0\x01\0!\0\x02\0#\0\x03\0&\0\x03\0\x05\x01\0\x02)\0\0D\0\x0cR\0abba bpad\x03\0\x1b\0\x05\x01\0\x05\x02\0\0\x0d\0\x01\0\x0e\0\x0b\0\x01\0\x0c\x0c\0c\x01x\x01\0\x0e\0\x0b\0\x03\0\x04\0\0d\"e(pppppppppppppppppppppppppppppppppppppppp";

/// The member that makes a difference shorter than the document.
const PAD: &str = r#""pad": "pppppppppppppppppppppppppppppppppppppppp"}"#;

/// Differences, and how the document that they made of `BEFORE` is printed up to `PAD`.
const LOGGED: &[(&[u8], &str)] = &[
        // JSON_SET.
        (b"\0\x03$.a\x03\x05\x02\0", r#"{"a": 2, "bb": [1, 2, {"c": "x"}], "a b": {"d\"e": null}, "#),
        // JSON_REPLACE by a decimal and a date.
        (b"\0\x03$.a\x0a\x0f\xf6\x07\x0b\x02\x80\0\0\x012\0\x07$.bb[0]\x0b\x0f\x0a\x08\0\0\0\0\0\xba\xb2\x19", r#"{"a": 1.50, "bb": ["2024-02-29", 2, {"c": "x"}], "a b": {"d\"e": null}, "#),
        // JSON_SET of new members.
        (b"\x01\x03$.z\x02\x04\x01\x01\x03$.A\x08\x0c\x06\xc3\xa9\xf0\x9f\x98\x80\x01\x05$.ccc\x05\0\0\0\x04\0", r#"{"A": "é😀", "a": 1, "z": true, "bb": [1, 2, {"c": "x"}], "a b": {"d\"e": null}, "ccc": {}, "#),
        // After the end, then what is last by then.
        (b"\x01\x07$.bb[9]\x05\x0f\x0f\x02\0\xff\0\x0a$.bb[last]\x09\x0b\0\0\0\0\0\0\x0c@", r#"{"a": 1, "bb": [1, 2, {"c": "x"}, 3.5], "a b": {"d\"e": null}, "#),
        // A scalar taken for an array of one element.
        (b"\0\x03$.a\x08\x02\x01\0\x07\0\x05\x07\0", r#"{"a": [7], "bb": [1, 2, {"c": "x"}], "a b": {"d\"e": null}, "#),
        // The same, and an element after it.
        (b"\0\x03$.a\x0b\x02\x02\0\x0a\0\x05\x01\0\x05\x08\0", r#"{"a": [1, 8], "bb": [1, 2, {"c": "x"}], "a b": {"d\"e": null}, "#),
        // An element counted from the end.
        (b"\0\x0c$.bb[last-2]\x09\x09\0\0\0\0\x01\0\0\0", r#"{"a": 1, "bb": [4294967296, 2, {"c": "x"}], "a b": {"d\"e": null}, "#),
        // JSON_REMOVE of elements and a member.
        (b"\x02\x07$.bb[0]\x02\x0a$.bb[last]\x02\x07$.\"a b\"", r#"{"a": 1, "bb": [2], "#),
        // Of members.
        (b"\x02\x03$.a\x02\x04$.bb", r#"{"a b": {"d\"e": null}, "#),
        // Names in quotes.
        (b"\0\x0e$.\"a b\".\"d\\\"e\"\x0d\x02\x02\0\x0c\0\x05\x01\0\x0c\x0a\0\x01t\x01\x0a$.\"a b\".\"\"\x02\x04\0\x01\x10$.\"a b\".\"\\u0001\"\x03\x05\x01\0", r#"{"a": 1, "bb": [1, 2, {"c": "x"}], "a b": {"": null, "\u0001": 1, "d\"e": [1, "t"]}, "#),
        // A path into what came before.
        (b"\0\x09$.bb[2].c\x17\0\x01\0\x16\0\x0b\0\x01\0\x02\x0c\0k\x02\0\x0a\0\x05\x01\0\x05\x02\0\0\x0e$.bb[2].c.k[1]\x05\x02\0\0\x04\0", r#"{"a": 1, "bb": [1, 2, {"c": {"k": [1, []]}}], "a b": {"d\"e": null}, "#),
        // Removed and back.
        (b"\x02\x03$.a\x01\x03$.a\x07\x0c\x05again", r#"{"a": "again", "bb": [1, 2, {"c": "x"}], "a b": {"d\"e": null}, "#),
        // Letters that need no quotes.
        (b"\x01\x04$.\xc3\xa9\x03\x05\x01\0\0\x04$.\xc3\xa9\x03\x05\x02\0\x01\x03$._\x03\x05\x03\0\x01\x03$.$\x03\x05\x04\0", r#"{"$": 4, "_": 3, "a": 1, "bb": [1, 2, {"c": "x"}], "é": 2, "a b": {"d\"e": null}, "#),
];

fn printed(before: &[u8], differences: &[u8]) -> Result<String, Fault> {
    let mut document = b"..".to_vec();
    apply(before, differences, &mut document)?;
    let mut out = Vec::new();
    print_document(document.strip_prefix(b"..").unwrap(), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn differences_make_the_documents_the_server_made() {
    for (differences, start) in LOGGED {
        assert_eq!(printed(BEFORE, differences).unwrap(), format!("{start}{PAD}"));
    }
    let start = r#"{"a": 1, "bb": [1, 2, {"c": "x"}], "a b": {"d\"e": null}, "#;
    assert_eq!(printed(BEFORE, b"").unwrap(), format!("{start}{PAD}"));
}

#[test]
fn a_difference_that_does_not_fit_is_refused_with_its_path() {
    for (differences, told) in [
        (&b"\0\x06$.none\x03\x05\x01\0"[..], "REPLACE at $.none"),
        (b"\0\x01$\x03\x05\x01\0", "REPLACE at $)"),
        (b"\0\x05$.a.b\x03\x05\x01\0", "REPLACE at $.a.b"),
        // A scalar is not taken for an array here.
        (b"\0\x06$.a[0]\x03\x05\x01\0", "REPLACE at $.a[0]"),
        (b"\0\x07$.bb[3]\x03\x05\x01\0", "REPLACE at $.bb[3]"),
        (b"\0\x06$.bb.a\x03\x05\x01\0", "REPLACE at $.bb.a"),
        (b"\x01\x03$.a\x03\x05\x01\0", "INSERT at $.a"),
        (b"\x01\x04$[0]\x03\x05\x01\0", "INSERT at $[0]"),
        (b"\x01\x06$.bb.a\x03\x05\x01\0", "INSERT at $.bb.a"),
        (b"\x01\x06$.a[0]\x03\x05\x01\0", "INSERT at $.a[0]"),
        (b"\x01\x08$.none.a\x03\x05\x01\0", "INSERT at $.none.a"),
        (b"\x02\x06$.none", "REMOVE at $.none"),
        (b"\x02\x07$.bb[3]", "REMOVE at $.bb[3]"),
        (b"\x02\x0c$.bb[last-3]", "REMOVE at $.bb[last-3]"),
        (b"\x02\x01$", "REMOVE at $)"),
        // The second one finds nothing any more.
        (b"\x02\x03$.a\x02\x03$.a", "REMOVE at $.a"),
    ] {
        match printed(BEFORE, differences) {
            Err(Fault::Refused(refusal)) => assert!(refusal.why.contains(told), "{told}: {}", refusal.why),
            other => panic!("{told}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_difference_is_malformed() {
    let sound = b"\x01\x03$.z\x03\x05\x01\0\0\x07$.bb[0]\x04\x0c\x02ab";
    let whole = printed(BEFORE, sound).unwrap();
    for end in 1..sound.len() {
        // A cut between the two is sound.
        if end != 9 {
            assert!(printed(BEFORE, &sound[..end]).is_err(), "{end}");
        }
    }
    assert!(whole.contains("\"ab\", 2") && whole.contains("\"z\": 1"), "{whole}");
    for strange in [
        // Operations are 0 to 2.
        &b"\x03\x03$.a\x03\x05\x01\0"[..],
        b"\0\x03$ a\x03\x05\x01\0",
        b"\0\x05$.a.*\x03\x05\x01\0",
        // No value, a type of no value, a byte too many, one too few.
        b"\0\x03$.a\0",
        b"\0\x03$.a\x03\x0d\x01\0",
        b"\0\x03$.a\x04\x05\x01\0\0",
        b"\0\x03$.a\x02\x05\x01",
        // A length that is no length.
        b"\0\xfb$.a",
    ] {
        assert!(matches!(printed(BEFORE, strange), Err(Fault::Malformed(_))), "{strange:?}");
    }
    let deep = [&b"\x02\xfc\x2e\x01$"[..], &b"[0]".repeat(101)[..], &b"\0\0"[..]].concat();
    assert!(matches!(printed(BEFORE, &deep[..4 + 0x12e]), Err(Fault::Malformed(_))));
}

#[test]
fn an_empty_document_is_null_and_has_nothing_to_change() {
    assert_eq!(printed(b"", b"").unwrap(), "null");
    assert!(printed(b"", b"\x02\x03$.a").is_err());
}

#[test]
fn values_that_share_bytes_are_not_copied_for_each() {
    // [x, x, …]: a thousand times the same array of ten thousand bytes.
    let (count, inner) = (1000u16, 10_000u16);
    let header = 4 + count * 3;
    let mut before = vec![2];
    before.extend(count.to_le_bytes());
    before.extend((header + inner).to_le_bytes());
    for _ in 0..count {
        before.push(2);
        before.extend(header.to_le_bytes());
    }
    before.extend([0, 0]);
    before.extend(inner.to_le_bytes());
    before.resize(before.len() + usize::from(inner) - 4, 0);
    assert!(matches!(printed(&before, b"\x02\x04$[0]"), Err(Fault::Malformed(_))));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(raw: Vec<u8>, differences: Vec<u8>, kind in 0u8..16, at in 0usize..16, byte: u8) {
        let _ = printed(BEFORE, &differences);
        let document = [&[kind][..], &raw].concat();
        let _ = printed(&document, b"\x02\x03$.a\x01\x04$[1]\x03\x05\x01\0");
        let mut sound = BEFORE.to_vec();
        sound[at * 7] = byte;
        let _ = printed(&sound, b"\x01\x0a$.\"a b\".x\x03\x05\x01\0\x02\x0a$.bb[last]");
    }
}
