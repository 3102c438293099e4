//! MySQL's binary JSON into the text MySQL itself prints; and, before that, logged changes of a document into the changed
//! document ([`difference`]).
//!
//! What flows: one binary document (`json_binary.h`), walked once, its text appended to a field. The text of a result
//! row comes from the server's printer, so every detail is imitated: the spaces, the shortest digits of a
//! double and its `.0`, six digits of a fraction in temporal values, base64 of opaque ones
//! (`wrapper_to_string` in `json_dom.cc`).
//!
//! What must never happen here: work out of proportion to the document's length, whatever its offsets say.

mod binary;
mod difference;
mod opaque;
mod path;
mod print;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use difference::apply as apply_differences;
pub(crate) use print::{check_text, write_text};

use super::encode::Fault;
use binary::{
    CUT, Container, DOUBLE, INT16, INT32, INT64, LITERAL, OPAQUE, OVERLAP, STRANGE, STRING, UINT16, UINT32,
    UINT64, sized,
};
use print::{double, integer, quoted, unsigned};

/// The server's own limit (`JSON_DOCUMENT_MAX_DEPTH`).
const MAX_DEPTH: usize = 100;

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

impl Walk {
    fn spend(&mut self, amount: usize) -> Result<(), Fault> {
        self.budget = self.budget.checked_sub(amount).ok_or(OVERLAP)?;
        Ok(())
    }

    /// A value of type `kind` that starts at the front of `from`.
    fn value(&mut self, kind: u8, from: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        match kind {
            LITERAL..=DOUBLE => scalar(kind, from, out),
            STRING => {
                let (text, _) = sized(from)?;
                self.spend(text.len())?;
                quoted(text, out);
                Ok(())
            }
            OPAQUE => {
                let (field_type, rest) = from.split_first().ok_or(CUT)?;
                let (data, _) = sized(rest)?;
                self.spend(data.len())?;
                opaque::print(*field_type, data, out)
            }
            _ => self.container(&Container::open(kind, from)?.ok_or(STRANGE)?, depth + 1, out),
        }
    }

    /// An object or array.
    fn container(&mut self, container: &Container<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Malformed("a JSON document is nested deeper than 100 levels"));
        }
        out.push(if container.is_object { b'{' } else { b'[' });
        for index in 0..container.count {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            self.spend(1)?;
            if container.is_object {
                let key = container.key(index)?;
                self.spend(key.len())?;
                quoted(key, out);
                out.extend_from_slice(b": ");
            }
            let (kind, value) = container.value(index)?;
            self.value(kind, value, depth, out)?;
        }
        out.push(if container.is_object { b'}' } else { b']' });
        Ok(())
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
