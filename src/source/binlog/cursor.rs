//! Reading little-endian fields off an event's bytes, every read checked.
//!
//! What must never happen here: a panic over bytes that end too early.

use bytes::Bytes;

/// The bytes of an event contradict its format: cut short, or a field out of its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Malformed {
    /// A contradiction in a sentence.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// A place in a run of bytes that only moves forward.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// The next `count` bytes, looked at in place. `what` names the field for the error.
    pub fn read(&mut self, count: usize, what: &str) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count);
        let Some(slice) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return Err(Malformed(format!("it ends inside its {what}")));
        };
        self.at = self.at.saturating_add(count);
        Ok(slice)
    }

    /// The next `count` bytes as a slice that shares the event's memory.
    pub fn take(&mut self, count: usize, what: &str) -> Result<Bytes, Malformed> {
        let from = self.at;
        self.read(count, what)?;
        Ok(self.bytes.slice(from..self.at))
    }

    /// All that is left, sharing the event's memory.
    pub fn rest(&mut self) -> Bytes {
        let from = self.at.min(self.bytes.len());
        self.at = self.bytes.len();
        self.bytes.slice(from..)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Malformed> {
        let slice = self.read(N, what)?;
        slice.first_chunk().copied().ok_or_else(|| Malformed(format!("it ends inside its {what}")))
    }

    /// One byte.
    pub fn u8(&mut self, what: &str) -> Result<u8, Malformed> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// Two bytes.
    pub fn u16(&mut self, what: &str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self, what: &str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self, what: &str) -> Result<u64, Malformed> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// `count` bytes (at most 8) as one number.
    pub fn uint(&mut self, count: usize, what: &str) -> Result<u64, Malformed> {
        let slice = self.read(count, what)?;
        let mut wide = [0_u8; 8];
        for (to, from) in wide.iter_mut().zip(slice) {
            *to = *from;
        }
        Ok(u64::from_le_bytes(wide))
    }

    /// A length-encoded integer (client/server protocol, `Protocol::LengthEncodedInteger`).
    pub fn packed(&mut self, what: &str) -> Result<u64, Malformed> {
        match self.u8(what)? {
            byte @ 0..=250 => Ok(u64::from(byte)),
            252 => self.uint(2, what),
            253 => self.uint(3, what),
            254 => self.u64(what),
            251 | 255 => Err(Malformed(format!("its {what} is no length-encoded number"))),
        }
    }

    /// A length-encoded integer that counts bytes or things held in memory.
    pub fn packed_length(&mut self, what: &str) -> Result<usize, Malformed> {
        usize::try_from(self.packed(what)?).map_err(|_| Malformed(format!("its {what} is out of range")))
    }

    /// A variable-length integer of the server's serialization library: the number of trailing one bits
    /// of the first byte says how many bytes follow (`libs/mysql/serialization/variable_length_integers.h`).
    pub fn varlen(&mut self, what: &str) -> Result<u64, Malformed> {
        let first = self.u8(what)?;
        let more = first.trailing_ones();
        if more == 8 {
            return self.u64(what);
        }
        let count = usize::try_from(more).unwrap_or(8);
        let high = self.uint(count, what)?;
        // The first byte keeps its upper `7 - more` bits as the lowest of the number.
        let low_bits = 7_u32.saturating_sub(more);
        let low = u64::from(first).checked_shr(more + 1).unwrap_or(0);
        Ok(low | high.checked_shl(low_bits).unwrap_or(0))
    }

    /// The signed form of [`Cursor::varlen`], of which only numbers not below zero are expected here.
    pub fn varlen_signed(&mut self, what: &str) -> Result<u64, Malformed> {
        let raw = self.varlen(what)?;
        if raw & 1 == 1 {
            return Err(Malformed(format!("its {what} is negative")));
        }
        Ok(raw >> 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_encoded_numbers_of_every_width_are_read() {
        for (bytes, value) in [
            (vec![250_u8], 250_u64),
            (vec![252, 0x34, 0x12], 0x1234),
            (vec![253, 1, 2, 3], 0x03_0201),
            (vec![254, 1, 0, 0, 0, 0, 0, 0, 0x80], 0x8000_0000_0000_0001),
        ] {
            let bytes = Bytes::from(bytes);
            assert_eq!(Cursor::new(&bytes).packed("x"), Ok(value));
            for cut in 0..bytes.len() {
                assert!(Cursor::new(&bytes.slice(..cut)).packed("x").is_err());
            }
        }
        assert!(Cursor::new(&Bytes::from_static(&[251])).packed("x").is_err());
    }

    #[test]
    fn serialized_numbers_of_every_width_are_read() {
        // From the server's documentation of the format: 0x41 in one byte is 0x82, and 65535 in three.
        for (bytes, value) in [
            (vec![0x82_u8], 0x41_u64),
            (vec![0x00], 0),
            (vec![0xfe], 127),
            (vec![0x01, 0x02], 128),
            (vec![0xfb, 0xff, 0x07], 65535),
            (vec![0xff, 1, 2, 3, 4, 5, 6, 7, 8], 0x0807_0605_0403_0201),
            (vec![0x7f, 1, 0, 0, 0, 0, 0, 0x80], 0x80_0000_0000_0001),
        ] {
            let bytes = Bytes::from(bytes);
            assert_eq!(Cursor::new(&bytes).varlen("x"), Ok(value), "{bytes:?}");
            for cut in 0..bytes.len() {
                assert!(Cursor::new(&bytes.slice(..cut)).varlen("x").is_err());
            }
        }
        assert!(Cursor::new(&Bytes::from_static(&[0x02])).varlen_signed("x").is_err());
        assert_eq!(Cursor::new(&Bytes::from_static(&[0x04])).varlen_signed("x"), Ok(1));
    }

    #[test]
    fn taking_more_than_there_is_names_the_field() {
        let bytes = Bytes::from_static(b"abc");
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(cursor.take(2, "name").map(|b| b.to_vec()), Ok(b"ab".to_vec()));
        assert_eq!(cursor.take(2, "name"), Err(Malformed("it ends inside its name".into())));
        assert!(cursor.take(usize::MAX, "name").is_err());
        assert_eq!(cursor.rest(), Bytes::from_static(b"c"));
        assert_eq!(cursor.remaining(), 0);
    }
}
