//! The Unicode sets of two and four bytes a unit: `ucs2`, `utf16`, `utf16le`, `utf32`.

use super::{Bad, push};

/// `ucs2`: big-endian, the basic plane only; a surrogate is no character.
pub(super) fn ucs2(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
    let (units, rest) = raw.as_chunks::<2>();
    for (index, unit) in units.iter().enumerate() {
        let unit = u32::from(u16::from_be_bytes(*unit));
        push(char::from_u32(unit).ok_or_else(|| Bad::Undefined { at: index * 2, length: 2 })?, out);
    }
    complete(raw, rest)
}

/// `utf16` and `utf16le`, by how a unit is read.
pub(super) fn utf16(raw: &[u8], unit: impl Fn([u8; 2]) -> u16, out: &mut Vec<u8>) -> Result<(), Bad> {
    let (units, rest) = raw.as_chunks::<2>();
    let mut at = 0;
    for character in char::decode_utf16(units.iter().map(|bytes| unit(*bytes))) {
        let character = character.map_err(|_| Bad::Undefined { at, length: 2 })?;
        at += 2 * character.len_utf16();
        push(character, out);
    }
    complete(raw, rest)
}

/// `utf32`: big-endian.
pub(super) fn utf32(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
    let (units, rest) = raw.as_chunks::<4>();
    for (index, unit) in units.iter().enumerate() {
        let character = char::from_u32(u32::from_be_bytes(*unit));
        push(character.ok_or_else(|| Bad::Undefined { at: index * 4, length: 4 })?, out);
    }
    complete(raw, rest)
}

fn complete(raw: &[u8], rest: &[u8]) -> Result<(), Bad> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Bad::Undefined { at: raw.len() - rest.len(), length: rest.len() })
    }
}
