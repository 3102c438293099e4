//! The parts of a binary document: what lies where, by `json_binary.h`.
//!
//! What must never happen here: a read past the end, or a value taken from its container's own header.

use crate::transform::encode::Fault;

pub(super) const CUT: Fault = Fault::Malformed("a JSON document ends inside a value");
pub(super) const STRANGE: Fault = Fault::Malformed("a JSON document holds a value of unknown type");
pub(super) const OVERLAP: Fault = Fault::Malformed("parts of a JSON document lie on top of each other");

pub(super) const SMALL_OBJECT: u8 = 0;
pub(super) const LARGE_OBJECT: u8 = 1;
pub(super) const SMALL_ARRAY: u8 = 2;
pub(super) const LARGE_ARRAY: u8 = 3;
pub(super) const LITERAL: u8 = 4;
pub(super) const INT16: u8 = 5;
pub(super) const UINT16: u8 = 6;
pub(super) const INT32: u8 = 7;
pub(super) const UINT32: u8 = 8;
pub(super) const INT64: u8 = 9;
pub(super) const UINT64: u8 = 10;
pub(super) const DOUBLE: u8 = 11;
pub(super) const STRING: u8 = 12;
pub(super) const OPAQUE: u8 = 15;

/// The literal null.
pub(super) const NULL: u8 = 0;

/// The sizes that tell small from large containers.
#[derive(Clone, Copy)]
struct Width {
    /// Bytes of a count, size or offset.
    offset: usize,
}

impl Width {
    #[inline]
    fn read(self, from: &[u8], at: usize) -> Result<usize, Fault> {
        let bytes = from.get(at..).and_then(|rest| rest.get(..self.offset)).ok_or(CUT)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
    }
}

/// An object or array: `[count][size]`, for objects key entries `[offset][u16 length]`, value entries
/// `[type][offset or the value itself]`, then the keys and values.
pub(super) struct Container<'a> {
    /// All of it, and nothing after it.
    bytes: &'a [u8],
    width: Width,
    /// How many values it has.
    pub(super) count: usize,
    /// Whether its values have keys.
    pub(super) is_object: bool,
    /// Where its first value entry is.
    entries: usize,
    /// Bytes of counts and entries.
    header: usize,
}

impl<'a> Container<'a> {
    /// The container of type `kind` that starts at the front of `from`; `None` for the type of a scalar.
    #[inline]
    pub(super) fn open(kind: u8, from: &'a [u8]) -> Result<Option<Self>, Fault> {
        let (width, is_object) = match kind {
            SMALL_OBJECT => (Width { offset: 2 }, true),
            LARGE_OBJECT => (Width { offset: 4 }, true),
            SMALL_ARRAY => (Width { offset: 2 }, false),
            LARGE_ARRAY => (Width { offset: 4 }, false),
            _ => return Ok(None),
        };
        let count = width.read(from, 0)?;
        let size = width.read(from, width.offset)?;
        let bytes = from.get(..size).ok_or(CUT)?;
        let key_entry = if is_object { width.offset + 2 } else { 0 };
        let entries = 2 * width.offset + count * key_entry;
        let header = entries + count * (width.offset + 1);
        if header > size {
            return Err(CUT);
        }
        Ok(Some(Self { bytes, width, count, is_object, entries, header }))
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// A key of an object.
    #[inline]
    pub(super) fn key(&self, index: usize) -> Result<&'a [u8], Fault> {
        let entry = 2 * self.width.offset + index * (self.width.offset + 2);
        let offset = self.width.read(self.bytes, entry)?;
        let length = Width { offset: 2 }.read(self.bytes, entry + self.width.offset)?;
        self.bytes.get(offset..).and_then(|rest| rest.get(..length)).ok_or(CUT)
    }

    /// A value's type and the bytes it starts at the front of.
    #[inline]
    pub(super) fn value(&self, index: usize) -> Result<(u8, &'a [u8]), Fault> {
        let entry = self.entries + index * (self.width.offset + 1);
        let kind = *self.bytes.get(entry).ok_or(CUT)?;
        let inline = is_inline(kind, self.width.offset == 4);
        let at = if inline { entry + 1 } else { self.width.read(self.bytes, entry + 1)? };
        if !inline && at < self.header {
            return Err(Fault::Malformed("a JSON value lies inside its container's header"));
        }
        Ok((kind, self.bytes.get(at..).ok_or(CUT)?))
    }
}

/// Whether a value stands in its entry instead of an offset.
#[inline]
pub(super) fn is_inline(kind: u8, large: bool) -> bool {
    match kind {
        LITERAL | INT16 | UINT16 => true,
        INT32 | UINT32 => large,
        _ => false,
    }
}

/// Bytes after their length, which has seven bits a byte, lowest first; and how many bytes both take.
#[inline]
pub(super) fn sized(from: &[u8]) -> Result<(&[u8], usize), Fault> {
    let mut length = 0usize;
    for (index, byte) in from.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let data = from.get(index + 1..).and_then(|rest| rest.get(..length)).ok_or(CUT)?;
            return Ok((data, index + 1 + length));
        }
    }
    Err(CUT)
}

/// The bytes of the value of type `kind` that starts at the front of `from`, without what lies after it.
pub(super) fn whole(kind: u8, from: &[u8]) -> Result<&[u8], Fault> {
    let length = match kind {
        LITERAL => 1,
        INT16 | UINT16 => 2,
        INT32 | UINT32 => 4,
        INT64 | UINT64 | DOUBLE => 8,
        STRING => sized(from)?.1,
        OPAQUE => 1 + sized(from.get(1..).ok_or(CUT)?)?.1,
        _ => Container::open(kind, from)?.ok_or(STRANGE)?.size(),
    };
    from.get(..length).ok_or(CUT)
}
