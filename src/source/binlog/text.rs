//! The text of logged statements, from the client's character set to UTF-8.
//!
//! What must never happen here: a byte that is not understood passing for a letter unnoticed.

use encoding_rs::Encoding;
use mysql_common::collations::{Collation, CollationId};

/// Decodes `bytes` as a client sent them. The flag is false when a byte or the character set is not
/// understood; U+FFFD then stands for what could not be read. Without a collation the text is taken as UTF-8.
pub fn decode(bytes: &[u8], collation: Option<u16>) -> (String, bool) {
    let collation = collation.map(|id| Collation::resolve(CollationId::from(id)));
    let charset = collation.as_ref().map_or("utf8mb4", |collation| collation.charset());
    match how(charset) {
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
            (text.into_owned(), !broken)
        }
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
