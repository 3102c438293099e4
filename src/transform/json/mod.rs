//! MySQL's binary JSON into the text MySQL itself prints.
//!
//! What flows: one binary document (`json_binary.h`), walked once, its text appended to a field. The text of a result
//! row comes from the server's printer, so every detail is imitated: the spaces, the shortest digits of a
//! double and its `.0`, six digits of a fraction in temporal values, base64 of opaque ones
//! (`wrapper_to_string` in `json_dom.cc`).
//!
//! What must never happen here: work out of proportion to the document's length, whatever its offsets say.

mod opaque;
mod print;
#[cfg(test)]
mod tests;

pub(crate) use print::{check_text, write_text};

use super::encode::Fault;
use print::{double, integer, quoted, unsigned};

/// The server's own limit (`JSON_DOCUMENT_MAX_DEPTH`).
const MAX_DEPTH: usize = 100;

const CUT: Fault = Fault::Malformed("a JSON document ends inside a value");
const STRANGE: Fault = Fault::Malformed("a JSON document holds a value of unknown type");

const SMALL_OBJECT: u8 = 0;
const LARGE_OBJECT: u8 = 1;
const SMALL_ARRAY: u8 = 2;
const LARGE_ARRAY: u8 = 3;
const LITERAL: u8 = 4;
const INT16: u8 = 5;
const UINT16: u8 = 6;
const INT32: u8 = 7;
const UINT32: u8 = 8;
const INT64: u8 = 9;
const UINT64: u8 = 10;
const DOUBLE: u8 = 11;
const STRING: u8 = 12;
const OPAQUE: u8 = 15;

/// Appends the text of a binary document. An empty one is JSON null: old servers store that for a column that
/// was added NOT NULL.
pub(crate) fn print_document(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let Some((kind, value)) = raw.split_first() else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    // Every value of a sound document has bytes of its own.
    let mut walk = Walk { budget: raw.len() };
    walk.value(*kind, value, 0, out)
}

struct Walk {
    /// What may still be visited; values that share bytes run out of it.
    budget: usize,
}

/// The sizes that tell small from large containers.
#[derive(Clone, Copy)]
struct Width {
    /// Bytes of a count, size or offset.
    offset: usize,
}

impl Width {
    fn read(self, from: &[u8], at: usize) -> Result<usize, Fault> {
        let bytes = from.get(at..).and_then(|rest| rest.get(..self.offset)).ok_or(CUT)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
    }
}

impl Walk {
    fn spend(&mut self, amount: usize) -> Result<(), Fault> {
        self.budget = self
            .budget
            .checked_sub(amount)
            .ok_or(Fault::Malformed("parts of a JSON document lie on top of each other"))?;
        Ok(())
    }

    /// A value of type `kind` that starts at the front of `from`.
    fn value(&mut self, kind: u8, from: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        match kind {
            SMALL_OBJECT => self.container(from, Width { offset: 2 }, true, depth + 1, out),
            LARGE_OBJECT => self.container(from, Width { offset: 4 }, true, depth + 1, out),
            SMALL_ARRAY => self.container(from, Width { offset: 2 }, false, depth + 1, out),
            LARGE_ARRAY => self.container(from, Width { offset: 4 }, false, depth + 1, out),
            STRING => {
                let text = self.sized(from)?;
                quoted(text, out);
                Ok(())
            }
            OPAQUE => {
                let (field_type, rest) = from.split_first().ok_or(CUT)?;
                let data = self.sized(rest)?;
                opaque::print(*field_type, data, out)
            }
            _ => scalar(kind, from, out),
        }
    }

    /// An object or array: `[count][size]`, for objects key entries `[offset][u16 length]`, value entries
    /// `[type][offset or the value itself]`, then the keys and values.
    fn container(
        &mut self,
        from: &[u8],
        width: Width,
        object: bool,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Malformed("a JSON document is nested deeper than 100 levels"));
        }
        let count = width.read(from, 0)?;
        let size = width.read(from, width.offset)?;
        let from = from.get(..size).ok_or(CUT)?;
        let key_entry = if object { width.offset + 2 } else { 0 };
        let value_entry = width.offset + 1;
        let header = 2 * width.offset + count * (key_entry + value_entry);
        if header > size {
            return Err(CUT);
        }
        out.push(if object { b'{' } else { b'[' });
        for index in 0..count {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            self.spend(1)?;
            if object {
                let entry = 2 * width.offset + index * key_entry;
                let offset = width.read(from, entry)?;
                let length = Width { offset: 2 }.read(from, entry + width.offset)?;
                self.spend(length)?;
                let key = from.get(offset..).and_then(|rest| rest.get(..length)).ok_or(CUT)?;
                quoted(key, out);
                out.extend_from_slice(b": ");
            }
            let entry = 2 * width.offset + count * key_entry + index * value_entry;
            let kind = *from.get(entry).ok_or(CUT)?;
            let inline = match kind {
                LITERAL | INT16 | UINT16 => true,
                INT32 | UINT32 => width.offset == 4,
                _ => false,
            };
            let at = if inline { entry + 1 } else { width.read(from, entry + 1)? };
            if !inline && at < header {
                return Err(Fault::Malformed("a JSON value lies inside its container's header"));
            }
            self.value(kind, from.get(at..).ok_or(CUT)?, depth, out)?;
        }
        out.push(if object { b'}' } else { b']' });
        Ok(())
    }

    /// Bytes behind their length, which has seven bits a byte, lowest first.
    fn sized<'a>(&mut self, from: &'a [u8]) -> Result<&'a [u8], Fault> {
        let mut length = 0usize;
        for (index, byte) in from.iter().take(5).enumerate() {
            length |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                let data = from.get(index + 1..).and_then(|rest| rest.get(..length)).ok_or(CUT)?;
                self.spend(length)?;
                return Ok(data);
            }
        }
        Err(CUT)
    }
}

/// Literals and numbers.
fn scalar(kind: u8, from: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match kind {
        LITERAL => out.extend_from_slice(match from.first().ok_or(CUT)? {
            0 => b"null",
            1 => b"true",
            2 => b"false",
            _ => return Err(STRANGE),
        }),
        INT16 => integer(i16::from_le_bytes(first(from)?).into(), out),
        UINT16 => unsigned(u16::from_le_bytes(first(from)?).into(), out),
        INT32 => integer(i32::from_le_bytes(first(from)?).into(), out),
        UINT32 => unsigned(u32::from_le_bytes(first(from)?).into(), out),
        INT64 => integer(i64::from_le_bytes(first(from)?), out),
        UINT64 => unsigned(u64::from_le_bytes(first(from)?), out),
        DOUBLE => double(f64::from_le_bytes(first(from)?), out)?,
        _ => return Err(STRANGE),
    }
    Ok(())
}

fn first<const N: usize>(from: &[u8]) -> Result<[u8; N], Fault> {
    from.first_chunk::<N>().copied().ok_or(CUT)
}
