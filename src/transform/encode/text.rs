//! Text: CHAR, VARCHAR and TEXT in any character set, checked and turned into UTF-8 in one go.

use super::{Fault, WayOut, field};
use crate::change::policy::{BadText, NulBytes};
use crate::change::remedy::InConfig;
use crate::transform::charset::Decoder;

/// What becomes of text that the target cannot hold as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextPolicy {
    pub(crate) nul_bytes: NulBytes,
    pub(crate) bad_text: BadText,
}

impl TextPolicy {
    /// Every such text is an error.
    pub(crate) const STRICT: Self = Self { nul_bytes: NulBytes::Error, bad_text: BadText::Error };
}

/// Appends one text field.
#[inline]
pub(crate) fn write(
    raw: &[u8],
    decoder: &Decoder,
    policy: TextPolicy,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    if decoder.keeps_ascii() && is_plain(raw) {
        return field::bytes(out, raw);
    }
    let start = field::open(out);
    decoder.decode_by(policy.bad_text, raw, out)?;
    nul_bytes(start, policy.nul_bytes, out)?;
    field::close(out, start)
}

/// Whether all bytes are ASCII and none is NUL: then they need neither decoding nor a policy.
#[inline]
pub(crate) fn is_plain(raw: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = raw.as_chunks::<8>();
    // A byte of zero borrows from above when one is taken from each; a false alarm needs a high bit somewhere.
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_le_bytes(*word);
        odd | word | word.wrapping_sub(ONES)
    });
    odd & HIGH == 0 && rest.iter().all(|byte| (1..0x80).contains(byte))
}

/// Carries out the policy for U+0000, which no text of PostgreSQL can hold, on what was appended from `start` on.
#[inline]
fn nul_bytes(start: usize, policy: NulBytes, out: &mut Vec<u8>) -> Result<(), Fault> {
    let written = out.get(start..).unwrap_or_default();
    if written.contains(&0) { replace_nul(start, policy, out) } else { Ok(()) }
}

#[cold]
fn replace_nul(start: usize, policy: NulBytes, out: &mut Vec<u8>) -> Result<(), Fault> {
    match policy {
        NulBytes::Error => return Err(nul_refused()),
        NulBytes::Strip => {
            let mut at = 0;
            out.retain(|byte| {
                at += 1;
                at <= start || *byte != 0
            });
        }
        NulBytes::Replace => {
            // From the back, so that what is still to be moved is moved once.
            let more = out.iter().skip(start).filter(|byte| **byte == 0).count() * 2;
            let mut from = out.len();
            let mut to = from + more;
            out.resize(to, 0);
            while from > start && from < to {
                from -= 1;
                let byte = out.get(from).copied().unwrap_or(0);
                let text: &[u8] = if byte == 0 { "\u{fffd}".as_bytes() } else { &[byte] };
                to -= text.len();
                if let Some(place) = out.get_mut(to..to + text.len()) {
                    place.copy_from_slice(text);
                }
            }
        }
    }
    Ok(())
}

#[cold]
pub(crate) fn nul_refused() -> Fault {
    Fault::refused("the text holds a NUL, which PostgreSQL cannot store", WayOut::Policy(InConfig::NulBytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_or_a_high_byte_anywhere_is_seen() {
        for length in 0..40 {
            let plain = vec![b'a'; length];
            assert!(is_plain(&plain));
            for at in 0..length {
                for byte in [0, 0x80, 0xff] {
                    let mut odd = plain.clone();
                    odd[at] = byte;
                    assert!(!is_plain(&odd), "{byte} at {at} of {length}");
                }
            }
        }
    }

    fn nul(text: &[u8], policy: NulBytes) -> Result<Vec<u8>, Fault> {
        let mut out = vec![0, 9, 0];
        write(text, &Decoder::Utf8, TextPolicy { nul_bytes: policy, ..TextPolicy::STRICT }, &mut out)?;
        assert_eq!(out[..3], [0, 9, 0], "what was there stays");
        assert_eq!(out[3..7], u32::try_from(out.len() - 7).unwrap().to_be_bytes());
        Ok(out[7..].to_vec())
    }

    #[test]
    fn nul_bytes_follow_the_policy() {
        for text in [&b"\0"[..], b"a\0b", b"\0\0ab\0", b"ab\0\0", "ä\0ö".as_bytes()] {
            let clean = String::from_utf8(text.to_vec()).unwrap();
            assert!(matches!(nul(text, NulBytes::Error), Err(Fault::Refused(_))));
            assert_eq!(nul(text, NulBytes::Strip).unwrap(), clean.replace('\0', "").as_bytes());
            assert_eq!(nul(text, NulBytes::Replace).unwrap(), clean.replace('\0', "\u{fffd}").as_bytes());
        }
    }
}
