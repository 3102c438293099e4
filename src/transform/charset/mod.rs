//! MySQL's character sets into UTF-8.
//!
//! What flows: text as the source stores it (row images are always in the column's character set), appended as
//! UTF-8 to a field. A character set is decoded only where this gives, byte for byte, what the source's own
//! conversion gives; others are refused by name before anything is copied.
//!
//! What must never happen here: a byte sequence that the source does not define becoming a character.

mod multibyte;
mod single_byte;
mod wide;

use super::encode::{Fault, WayOut};
use crate::change::policy::BadText;
use crate::change::remedy::InConfig;

/// Whether different texts of a character set can be the same text in Unicode, so that keys could merge.
pub(crate) fn merges(name: &str) -> bool {
    matches!(name, "armscii8" | "sjis" | "cp932" | "ujis")
}

/// Whether a character set (MySQL's name) has every character of a text; no where that is not known.
pub(crate) fn has(name: &str, text: &str) -> bool {
    if text.is_ascii() {
        return true;
    }
    let basic = || text.chars().all(|character| u32::from(character) <= 0xffff);
    match Decoder::of(name) {
        Ok(Decoder::Utf8) => name == "utf8mb4" || basic(),
        Ok(Decoder::Ucs2) => basic(),
        Ok(Decoder::Utf16 | Decoder::Utf16Le | Decoder::Utf32) => true,
        Ok(Decoder::SingleByte(table)) => text.chars().all(|character| {
            character.is_ascii() || table.iter().any(|code| u32::from(*code) == u32::from(character))
        }),
        Ok(Decoder::Multibyte(set)) => !merges(name) && multibyte::has(text, set),
        Ok(Decoder::Ascii) | Err(_) => false,
    }
}

/// How one character set is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decoder {
    /// `utf8mb4` and `utf8mb3`: checked, copied.
    Utf8,
    /// `ascii`: bytes from 80 on are undefined.
    Ascii,
    /// A table for bytes from 80 on.
    SingleByte(&'static [u16; 128]),
    /// Two bytes a character, big-endian, no surrogates.
    Ucs2,
    /// Big-endian.
    Utf16,
    /// Little-endian.
    Utf16Le,
    /// Big-endian.
    Utf32,
    /// One of the East Asian sets.
    Multibyte(&'static multibyte::Multibyte),
}

impl Decoder {
    /// The decoder of a character set by MySQL's name, or why there is none.
    pub(crate) fn of(name: &str) -> Result<Self, &'static str> {
        Ok(match name {
            "utf8mb4" | "utf8mb3" | "utf8" => Self::Utf8,
            "ascii" => Self::Ascii,
            "ucs2" => Self::Ucs2,
            "utf16" => Self::Utf16,
            "utf16le" => Self::Utf16Le,
            "utf32" => Self::Utf32,
            "binary" => return Err("means bytes, not text"),
            "swe7" => return Err("gives national letters the codes of ASCII punctuation"),
            _ => match single_byte::high_half(name) {
                Some(table) => Self::SingleByte(table),
                None => Self::Multibyte(multibyte::by_name(name)?),
            },
        })
    }

    /// Whether bytes below 80 always stand for themselves, so that plain ASCII needs no decoding.
    #[inline]
    pub(crate) fn keeps_ascii(&self) -> bool {
        match self {
            Self::Utf8 | Self::Ascii | Self::SingleByte(_) | Self::Multibyte(_) => true,
            Self::Ucs2 | Self::Utf16 | Self::Utf16Le | Self::Utf32 => false,
        }
    }

    /// Appends `raw` as UTF-8. Fails, with part of the text appended, where the character set defines nothing.
    pub(crate) fn decode(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        self.decode_by(BadText::Error, raw, out)
    }

    /// As [`Self::decode`], with what is to become of bytes that the character set leaves undefined.
    #[inline]
    pub(crate) fn decode_by(&self, policy: BadText, raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.defined(raw, out) {
            Ok(()) => Ok(()),
            Err(bad) => self.go_on(policy, bad, raw, out),
        }
    }

    #[cold]
    fn go_on(&self, policy: BadText, first: Bad, raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut done = 0;
        let mut bad = first;
        loop {
            let (at, length) = match bad {
                Bad::Undefined { at, length } => (done + at, length.max(1)),
                Bad::Malformed(why) => return Err(Fault::Malformed(why)),
            };
            match policy {
                BadText::Error => return Err(undefined(raw, at)),
                BadText::Replace => push(char::REPLACEMENT_CHARACTER, out),
                BadText::Escape => {
                    for byte in raw.iter().skip(at).take(length) {
                        out.extend_from_slice(format!("\\x{byte:02X}").as_bytes());
                    }
                }
            }
            done = at + length;
            match self.defined(raw.get(done..).unwrap_or_default(), out) {
                Ok(()) => return Ok(()),
                Err(next) => bad = next,
            }
        }
    }

    /// Appends `raw` up to the first bytes that mean nothing.
    #[inline]
    fn defined(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
        match self {
            Self::Utf8 => match std::str::from_utf8(raw) {
                Ok(text) => {
                    out.extend_from_slice(text.as_bytes());
                    Ok(())
                }
                Err(error) => {
                    let at = error.valid_up_to();
                    out.extend_from_slice(raw.get(..at).unwrap_or_default());
                    Err(Bad::Undefined { at, length: error.error_len().unwrap_or(raw.len() - at) })
                }
            },
            Self::Ascii => {
                let at = raw.iter().position(|byte| !byte.is_ascii()).unwrap_or(raw.len());
                out.extend_from_slice(raw.get(..at).unwrap_or_default());
                if at == raw.len() { Ok(()) } else { Err(Bad::Undefined { at, length: 1 }) }
            }
            Self::SingleByte(table) => single_byte(raw, table, out),
            Self::Ucs2 => wide::ucs2(raw, out),
            Self::Utf16 => wide::utf16(raw, u16::from_be_bytes, out),
            Self::Utf16Le => wide::utf16(raw, u16::from_le_bytes, out),
            Self::Utf32 => wide::utf32(raw, out),
            Self::Multibyte(set) => multibyte::decode(raw, set, out),
        }
    }
}

/// What ends the decoding of a text.
#[derive(Debug)]
enum Bad {
    /// So many bytes at an offset are no character. What is before them has been appended.
    Undefined { at: usize, length: usize },
    /// The text is no text of its type.
    Malformed(&'static str),
}

fn single_byte(raw: &[u8], table: &[u16; 128], out: &mut Vec<u8>) -> Result<(), Bad> {
    out.reserve(raw.len() * 3);
    for (at, byte) in raw.iter().enumerate() {
        if byte.is_ascii() {
            out.push(*byte);
        } else {
            let unicode = table.get(usize::from(byte & 0x7f)).copied().unwrap_or(0);
            match char::from_u32(unicode.into()) {
                Some(character) if unicode != 0 => push(character, out),
                _ => return Err(Bad::Undefined { at, length: 1 }),
            }
        }
    }
    Ok(())
}

/// Appends one character.
#[inline]
fn push(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The error for bytes that mean nothing from `at` on.
#[cold]
fn undefined(raw: &[u8], at: usize) -> Fault {
    let bytes = raw.get(at..).unwrap_or_default();
    let bytes = bytes.get(..4).unwrap_or(bytes);
    Fault::refused(
        format!(
            "the bytes {bytes:02X?} at offset {at} of the text are no character of the column's character set"
        ),
        WayOut::Policy(InConfig::BadText),
    )
}

#[cfg(test)]
mod tests;
