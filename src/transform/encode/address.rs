//! MariaDB's UUID, INET4 and INET6: bytes in row images, text in result rows.

use super::{Fault, field};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A type that holds so many bytes and has a text of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Uuid,
    Inet4,
    Inet6,
}

const NO_ADDRESS: Fault = Fault::Malformed("a text is no UUID or address");

impl Address {
    fn width(self) -> usize {
        match self {
            Self::Uuid | Self::Inet6 => 16,
            Self::Inet4 => 4,
        }
    }

    /// Characters of the longest text.
    pub(crate) fn longest(self) -> u32 {
        match self {
            Self::Uuid => 36,
            Self::Inet4 => 15,
            Self::Inet6 => 39,
        }
    }

    /// A value of a row image, in the order of its text (seen on 10.11 and 11.8, whatever the order of storage), without zero bytes at the
    /// end.
    pub(crate) fn logged(self, raw: &[u8], as_text: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut bytes = [0; 16];
        let whole = bytes.get_mut(..self.width()).and_then(|whole| whole.get_mut(..raw.len()));
        whole.ok_or(Fault::Malformed("a UUID or address is longer than its type"))?.copy_from_slice(raw);
        self.write(bytes, as_text, out)
    }

    /// A value of a result row.
    pub(crate) fn result(self, raw: &[u8], as_text: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        let text = std::str::from_utf8(raw).map_err(|_| NO_ADDRESS)?;
        let mut bytes = [0; 16];
        match self {
            Self::Uuid => {
                let digits: String = text.split('-').collect();
                let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32);
                bytes = number.ok_or(NO_ADDRESS)?.to_be_bytes();
            }
            Self::Inet4 => {
                let address: Ipv4Addr = text.parse().map_err(|_| NO_ADDRESS)?;
                for (place, byte) in bytes.iter_mut().zip(address.octets()) {
                    *place = byte;
                }
            }
            Self::Inet6 => bytes = text.parse::<Ipv6Addr>().map_err(|_| NO_ADDRESS)?.octets(),
        }
        self.write(bytes, as_text, out)
    }

    fn write(self, bytes: [u8; 16], as_text: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        if as_text {
            return field::bytes(out, self.print(bytes).as_bytes());
        }
        let raw = bytes.get(..self.width()).unwrap_or_default();
        // `[family][bits][is a network][bytes]` (`network_send`); of another machine's families PostgreSQL has its own numbers.
        let head: &[u8] = match self {
            Self::Uuid => &[],
            Self::Inet4 => &[2, 32, 0, 4],
            Self::Inet6 => &[3, 128, 0, 16],
        };
        let start = field::open(out);
        out.extend_from_slice(head);
        out.extend_from_slice(raw);
        field::close(out, start)
    }

    /// As the source prints it.
    fn print(self, bytes: [u8; 16]) -> String {
        match self {
            Self::Uuid => {
                let digits = format!("{:032x}", u128::from_be_bytes(bytes));
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
                parts.map(|part| digits.get(part).unwrap_or_default()).join("-")
            }
            Self::Inet4 => {
                let [a, b, c, d, ..] = bytes;
                Ipv4Addr::new(a, b, c, d).to_string()
            }
            Self::Inet6 => inet6(Ipv6Addr::from(bytes)),
        }
    }
}

/// The longest run of zeros is left out, also one of a single zero, and what stands for an address of the older kind ends as such
/// (`Inet6::to_string`).
fn inet6(address: Ipv6Addr) -> String {
    let words = address.segments();
    let mut gap = 0..0;
    let mut run = 0;
    for (at, word) in words.iter().enumerate() {
        run = if *word == 0 { run + 1 } else { 0 };
        if run > gap.len() {
            gap = at + 1 - run..at + 1;
        }
    }
    if gap == (0..6) || (gap == (0..5) && words[5] == 0xffff) {
        let [.., a, b, c, d] = address.octets();
        let mapped = if gap.len() == 5 { "ffff:" } else { "" };
        return format!("::{mapped}{a}.{b}.{c}.{d}");
    }
    let mut text = String::new();
    for (at, word) in words.iter().enumerate() {
        if gap.contains(&at) {
            if at == gap.start {
                text.push_str(if at == 0 { "::" } else { ":" });
            }
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{word:x}");
        if at < 7 {
            text.push(':');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_bytes_and_the_text_of_the_source() {
        for (kind, text, logged) in [
            (Address::Inet4, "10.1.2.3", &[10, 1, 2, 3][..]),
            (Address::Inet4, "10.0.0.0", &[10]),
            (Address::Inet4, "0.0.0.0", &[]),
            (
                Address::Uuid,
                "123e4567-e89b-12d3-a456-426655440000",
                b"\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x55\x44",
            ),
            (Address::Inet6, "::", &[]),
            (Address::Inet6, "::1", b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),
            (Address::Inet6, "::0.1.0.2", b"\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x02"),
            (Address::Inet6, "::ffff:0.0.0.0", b"\0\0\0\0\0\0\0\0\0\0\xff\xff"),
            (Address::Inet6, "1::2:3:4:5:6:7", b"\0\x01\0\0\0\x02\0\x03\0\x04\0\x05\0\x06\0\x07"),
            (Address::Inet6, "1:2:3:4:5:6:7::", b"\0\x01\0\x02\0\x03\0\x04\0\x05\0\x06\0\x07"),
            (Address::Inet6, "::2:3:4:5:6:7:8", b"\0\0\0\x02\0\x03\0\x04\0\x05\0\x06\0\x07\0\x08"),
            (Address::Inet6, "0:1::1:0:0:1", b"\0\0\0\x01\0\0\0\0\0\x01\0\0\0\0\0\x01"),
            (Address::Inet6, "2001:db8::", b"\x20\x01\x0d\xb8"),
        ] {
            let mut printed = Vec::new();
            kind.logged(logged, true, &mut printed).unwrap();
            assert_eq!(printed.get(4..), Some(text.as_bytes()), "{text}");
            for as_text in [true, false] {
                let (mut of_log, mut of_text) = (Vec::new(), Vec::new());
                kind.logged(logged, as_text, &mut of_log).unwrap();
                kind.result(text.as_bytes(), as_text, &mut of_text).unwrap();
                assert_eq!(of_log, of_text, "{text}");
            }
        }
        assert!(Address::Inet4.logged(&[1; 5], false, &mut Vec::new()).is_err());
        for text in ["", "1.2.3", "123e4567", "1:2"] {
            for kind in [Address::Uuid, Address::Inet4, Address::Inet6] {
                assert!(kind.result(text.as_bytes(), false, &mut Vec::new()).is_err(), "{text}");
            }
        }
    }
}
