//! The text of logged statements, from the client's character set to UTF-8.
//!
//! What must never happen here: a byte that is not understood passing for a letter unnoticed.

use encoding_rs::Encoding;
use mysql_common::collations::{Collation, CollationId};
use std::borrow::Cow;

/// Decodes `bytes` as a client sent them. The flag is false when a byte or the character set is not
/// understood; U+FFFD then stands for what could not be read. Without a collation the text is taken as UTF-8.
pub fn decode(bytes: &[u8], collation: Option<u16>) -> (String, bool) {
    let charset = charset(collation);
    match how(&charset) {
        How::Utf8 => match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), true),
            Err(_) => (String::from_utf8_lossy(bytes).into_owned(), false),
        },
        How::Ascii => {
            let known = bytes.is_ascii() && charset != "swe7";
            (bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{fffd}' }).collect(), known)
        }
        How::With(encoding) => {
            let (text, broken) = encoding.decode_without_bom_handling(bytes);
            (text.into_owned(), !broken && belongs(bytes, &charset))
        }
    }
}

/// Whether characters of two bytes are of this set, where it is read with the tables of a larger one.
fn belongs(bytes: &[u8], charset: &str) -> bool {
    let belongs: fn(u8, u8) -> bool = match charset {
        "gb2312" => |lead, trail| (0xa1..=0xf7).contains(&lead) && trail >= 0xa1,
        "big5" => |lead, _| (0xa1..=0xf9).contains(&lead),
        _ => return true,
    };
    let mut rest = bytes.iter();
    while let Some(lead) = rest.next() {
        if !lead.is_ascii() && !rest.next().is_some_and(|trail| belongs(*lead, *trail)) {
            return false;
        }
    }
    true
}

/// Whether literals of a statement are what its text says. The server converts them to `collation_connection`'s character set,
/// and what that lacks becomes `?` without an error (reference manual, "Connection Character Sets and Collations").
pub fn keeps(text: &str, collation: Option<u16>) -> bool {
    if text.is_ascii() {
        return true;
    }
    match charset(collation).as_ref() {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" | "binary" => true,
        "utf8mb3" | "utf8" | "ucs2" => text.chars().all(|letter| u32::from(letter) <= 0xffff),
        other => match how(other) {
            How::With(encoding) => !encoding.encode(text).2,
            How::Utf8 | How::Ascii => false,
        },
    }
}

/// Whether a byte that is not understood stands for nothing but itself: every ASCII byte near it is that sign.
pub fn stands_alone(collation: Option<u16>) -> bool {
    let charset = charset(collation);
    match how(&charset) {
        How::Utf8 => true,
        How::Ascii => ["armscii8", "dec8", "geostd8", "hp8", "keybcs2", "macce", "cp850", "cp852", "ascii"]
            .contains(&charset.as_ref()),
        How::With(encoding) => encoding.is_single_byte(),
    }
}

/// MySQL's name of a collation's character set; without one the text is taken as UTF-8.
fn charset(collation: Option<u16>) -> Cow<'static, str> {
    match collation {
        None => "utf8mb4".into(),
        // MariaDB's numbers for its UCA 14.0.0 collations (10.10 and later), 256 for each character set.
        Some(2048..2304) => "utf8mb3".into(),
        Some(2304..2560) => "utf8mb4".into(),
        Some(2560..2816) => "ucs2".into(),
        Some(2816..3072) => "utf16".into(),
        Some(3072..3328) => "utf32".into(),
        Some(id) => Collation::resolve(CollationId::from(id)).charset().to_owned().into(),
    }
}

enum How {
    Utf8,
    /// Only the ASCII part is known to us. (`swe7` has letters in the places of some ASCII signs.)
    Ascii,
    With(&'static Encoding),
}

/// Client character sets by MySQL's name. Those with two-byte units cannot be a client's.
fn how(charset: &str) -> How {
    How::With(match charset {
        "utf8mb4" | "utf8mb3" | "utf8" | "binary" => return How::Utf8,
        // MySQL's latin1 is windows-1252, and both give the five gaps their C1 control characters.
        "latin1" => encoding_rs::WINDOWS_1252,
        "latin2" => encoding_rs::ISO_8859_2,
        "latin5" => encoding_rs::WINDOWS_1254,
        "latin7" => encoding_rs::ISO_8859_13,
        "cp1250" => encoding_rs::WINDOWS_1250,
        "cp1251" => encoding_rs::WINDOWS_1251,
        "cp1256" => encoding_rs::WINDOWS_1256,
        "cp1257" => encoding_rs::WINDOWS_1257,
        "cp866" => encoding_rs::IBM866,
        "koi8r" => encoding_rs::KOI8_R,
        "koi8u" => encoding_rs::KOI8_U,
        "greek" => encoding_rs::ISO_8859_7,
        "hebrew" => encoding_rs::ISO_8859_8,
        "tis620" => encoding_rs::WINDOWS_874,
        "macroman" => encoding_rs::MACINTOSH,
        "gbk" | "gb2312" => encoding_rs::GBK,
        "gb18030" => encoding_rs::GB18030,
        "big5" => encoding_rs::BIG5,
        "sjis" | "cp932" => encoding_rs::SHIFT_JIS,
        "ujis" | "eucjpms" => encoding_rs::EUC_JP,
        "euckr" => encoding_rs::EUC_KR,
        _ => return How::Ascii,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_the_connection_lacks_are_noticed() {
        const LATIN1: u16 = 8;
        const UTF8MB3: u16 = 33;
        const SWE7: u16 = 10;
        for (text, collation, kept) in [
            ("é €", LATIN1, true),
            ("中", LATIN1, false),
            ("中", UTF8MB3, true),
            ("😀", UTF8MB3, false),
            ("😀", 255, true),
            ("a'b", SWE7, true),
            ("é", SWE7, false),
            ("中", 2100, true),
            ("😀", 2100, false),
            ("😀", 2400, true),
        ] {
            assert_eq!(keeps(text, Some(collation)), kept, "{text} {collation}");
        }
        assert!(keeps("😀", None));
    }

    #[test]
    fn text_is_read_in_the_clients_character_set() {
        for (bytes, collation, text) in [
            (&b"gr\xc3\xb6\xc3\x9fe"[..], Some(255), "größe"),
            (b"gr\xc3\xb6\xc3\x9fe", Some(33), "größe"),
            (b"gr\xc3\xb6\xc3\x9fe", None, "größe"),
            (b"gr\xf6\xdfe \x80", Some(8), "größe €"),
            // The second byte of this character is a backslash.
            (b"\x95\x5c", Some(28), "昞"),
            (b"\x83\x5c", Some(13), "ソ"),
        ] {
            assert_eq!(decode(bytes, collation), (text.to_owned(), true));
        }
    }

    #[test]
    fn a_set_is_not_read_with_the_letters_of_a_larger_one() {
        const BIG5: u16 = 1;
        const GB2312: u16 = 24;
        for (bytes, collation, known) in [
            (&b"'\xd6\xd0'"[..], GB2312, true),
            (b"'\xd6\x5c'", GB2312, false),
            (b"'\x81\xa1'", GB2312, false),
            (b"'\xa4\xa4\xa4\x5c'", BIG5, true),
            (b"'\x87\x5c'", BIG5, false),
            (b"'\xfa\x5c'", BIG5, false),
        ] {
            assert_eq!(decode(bytes, Some(collation)).1, known, "{bytes:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_understood_are_told() {
        for (bytes, collation) in [
            (&b"\xff"[..], Some(255)),
            (b"\xff", Some(63)),
            (b"\x81", Some(28)),
            (b"caf\x82", Some(4)),
            (b"[x]", Some(10)),
            (b"caf\xc3\xa9", Some(60000)),
        ] {
            let (_, known) = decode(bytes, collation);
            assert!(!known, "{bytes:?}");
        }
        assert_eq!(decode(b"plain", Some(60000)), ("plain".to_owned(), true));
    }
}
