//! Checked reading of the fields of a packet: no length sent by the server can reach past its end.

/// What is left of a packet. Every method gives `None` when the packet is too short; integers are little-endian
/// (`page_protocol_basic_dt_integers`, `page_protocol_basic_dt_strings` of the MySQL internals docs).
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A string that ends with a zero byte, or with the packet.
    pub fn until_zero(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0);
        let (text, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        text
    }

    /// A length-encoded integer; `None` also for the marks of NULL (`fb`) and errors (`ff`).
    pub fn integer(&mut self) -> Option<u64> {
        match self.u8()? {
            small @ 0..=0xFA => Some(u64::from(small)),
            0xFC => self.u16().map(u64::from),
            0xFD => self.array::<3>().map(|[a, b, c]| u64::from(u32::from_le_bytes([a, b, c, 0]))),
            0xFE => self.array().map(u64::from_le_bytes),
            0xFB | 0xFF => None,
        }
    }

    /// A length-encoded string.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.integer()?).ok()?;
        self.bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_size_are_read() {
        for (bytes, value) in [
            (&b"\xFA"[..], 250),
            (b"\xFC\xFB\x00", 251),
            (b"\xFD\x01\x02\x03", 0x03_0201),
            (b"\xFE\x01\0\0\0\x01\0\0\0", 0x1_0000_0001),
        ] {
            let mut fields = Fields(bytes);
            assert_eq!(fields.integer(), Some(value));
            assert!(fields.0.is_empty());
        }
    }

    #[test]
    fn a_length_past_the_end_gives_nothing() {
        assert_eq!(Fields(b"\x05abcd").string(), None);
        assert_eq!(Fields(b"\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFx").string(), None);
        assert_eq!(Fields(b"\xFC\x01").integer(), None);
        assert_eq!(Fields(b"\xFB").integer(), None);
        assert_eq!(Fields(b"ab").u32(), None);
    }

    #[test]
    fn a_string_without_its_zero_ends_with_the_packet() {
        let mut fields = Fields(b"ab\0cd");
        assert_eq!(
            (fields.until_zero(), fields.until_zero(), fields.until_zero()),
            (&b"ab"[..], &b"cd"[..], &b""[..])
        );
    }
}
