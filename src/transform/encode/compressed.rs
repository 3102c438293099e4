//! Values of COMPRESSED columns of MariaDB, as row images have them: a byte that says how, the length, and what was made of it
//! (`sql/field_comp.cc`). The empty value has no bytes at all.
//!
//! What must never happen here: a value taken that inflates to another length than it says.

use super::Fault;
use flate2::{Decompress, FlushDecompress, Status};
use std::borrow::Cow;

const BROKEN: Fault = Fault::Malformed("a compressed value cannot be inflated");
/// In the upper half of the first byte.
const NOT_AT_ALL: u8 = 0;
const ZLIB: u8 = 8;
/// The stream has no head and no checksum.
const RAW: u8 = 8;
/// zlib makes no more than so many bytes of one.
const MOST_OF_ONE: usize = 1100;

/// The value itself.
pub(crate) fn inflated(raw: &[u8]) -> Result<Cow<'_, [u8]>, Fault> {
    let Some((head, rest)) = raw.split_first() else { return Ok(Cow::Borrowed(raw)) };
    match head >> 4 {
        NOT_AT_ALL if *head == 0 => return Ok(Cow::Borrowed(rest)),
        ZLIB => {}
        _ => return Err(Fault::Malformed("a value is compressed in a way that is not known")),
    }
    let (length, stream) = rest.split_at_checked(usize::from(head & 7)).ok_or(BROKEN)?;
    if length.is_empty() || length.len() > 4 {
        return Err(BROKEN);
    }
    let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    if length > stream.len().saturating_mul(MOST_OF_ONE) {
        return Err(BROKEN);
    }
    let mut value = Vec::with_capacity(length);
    let mut zlib = Decompress::new(head & RAW == 0);
    // Room for exactly what is declared: more than that cannot come out.
    let status = zlib.decompress_vec(stream, &mut value, FlushDecompress::Finish).map_err(|_| BROKEN)?;
    let used_up = usize::try_from(zlib.total_in()) == Ok(stream.len());
    if status != Status::StreamEnd || value.len() != length || !used_up {
        return Err(BROKEN);
    }
    Ok(Cow::Owned(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_whole_or_not_at_all() {
        // As MariaDB 11.8 logs REPEAT('a', 200) and REPEAT('a', 300).
        for (logged, length) in [
            (&b"\x89\xc8\x4b\x4c\x1c\x1e\0\0"[..], 200),
            (b"\x8a\x01\x2c\x4b\x4c\x1c\x05\xc4\x02\0", 300),
            (b"\0aaa", 3),
            (b"", 0),
        ] {
            assert_eq!(inflated(logged).unwrap().into_owned(), vec![b'a'; length]);
            for cut in 1..logged.len() {
                let cut_off = inflated(&logged[..cut]);
                assert!(length == 3 || cut_off.is_err(), "{cut}");
            }
        }
        for wrong in
            [&b"\x89\xc9\x4b\x4c\x1c\x1e\0\0"[..], b"\x90a", b"\x01a", b"\x88", b"\x8c\xff\xff\xff\xff\0"]
        {
            assert!(inflated(wrong).is_err(), "{wrong:?}");
        }
    }
}
