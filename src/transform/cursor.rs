//! Reading row bytes without ever reading past their end.

use crate::schema::ValueEnd;
use crate::transform::encode::Fault;

/// What is left of some bytes.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) =
            self.rest.split_at_checked(count).ok_or(Fault::Malformed("the row ends inside a value"))?;
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) =
            self.rest.split_first_chunk().ok_or(Fault::Malformed("the row ends inside a length"))?;
        self.rest = rest;
        Ok(*head)
    }

    /// The bytes of one value of a row image.
    #[inline]
    pub(super) fn value(&mut self, wire: ValueEnd) -> Result<&'a [u8], Fault> {
        let length = match wire {
            ValueEnd::Fixed(width) => return self.take(width.into()),
            ValueEnd::Prefixed(1) => {
                let [length] = self.array()?;
                u32::from(length)
            }
            ValueEnd::Prefixed(2) => u16::from_le_bytes(self.array()?).into(),
            ValueEnd::Prefixed(3) => {
                let [a, b, c] = self.array()?;
                u32::from_le_bytes([a, b, c, 0])
            }
            ValueEnd::Prefixed(_) => u32::from_le_bytes(self.array()?),
        };
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// The bytes of one value of a row image together with its length.
    pub(super) fn measured(&mut self, wire: ValueEnd) -> Result<&'a [u8], Fault> {
        let from = self.rest;
        self.value(wire)?;
        Ok(from.get(..from.len() - self.rest.len()).unwrap_or(from))
    }

    /// The bytes of one value of a result row that stand after their length (MySQL protocol,
    /// `string<lenenc>`; the one-byte lengths of temporal values are the same thing).
    #[inline]
    pub(super) fn sized(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.packed()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A length-encoded number (MySQL protocol, `int<lenenc>`).
    #[inline]
    pub(super) fn packed(&mut self) -> Result<u64, Fault> {
        let [first] = self.array()?;
        Ok(match first {
            0..=250 => first.into(),
            252 => u16::from_le_bytes(self.array()?).into(),
            253 => {
                let [a, b, c] = self.array()?;
                u32::from_le_bytes([a, b, c, 0]).into()
            }
            254 => u64::from_le_bytes(self.array()?),
            _ => return Err(Fault::Malformed("a length starts with a byte that no length starts with")),
        })
    }
}
