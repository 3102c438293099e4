//! Writing fields of COPY binary: `[i32 length][bytes]`, NULL as length −1 (PostgreSQL docs, COPY, "Tuples").

// The letters are the bytes of a value, in order.
#![allow(clippy::many_single_char_names)]

use super::{Fault, WayOut};
use crate::change::remedy::InConfig;

/// NULL.
#[inline]
pub(crate) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1i32).to_be_bytes());
}

/// A field of one byte.
#[inline]
pub(crate) fn one(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&[0, 0, 0, 1, value]);
}

/// A field of two bytes.
#[inline]
pub(crate) fn two(out: &mut Vec<u8>, value: [u8; 2]) {
    let [a, b] = value;
    out.extend_from_slice(&[0, 0, 0, 2, a, b]);
}

/// A field of four bytes.
#[inline]
pub(crate) fn four(out: &mut Vec<u8>, value: [u8; 4]) {
    let [a, b, c, d] = value;
    out.extend_from_slice(&[0, 0, 0, 4, a, b, c, d]);
}

/// A field of eight bytes.
#[inline]
pub(crate) fn eight(out: &mut Vec<u8>, value: [u8; 8]) {
    let [a, b, c, d, e, f, g, h] = value;
    out.extend_from_slice(&[0, 0, 0, 8, a, b, c, d, e, f, g, h]);
}

/// A field of any bytes.
#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, value: &[u8]) -> Result<(), Fault> {
    let length = length(value.len())?;
    out.reserve(value.len() + 4);
    out.extend_from_slice(&length);
    out.extend_from_slice(value);
    Ok(())
}

/// Starts a field whose length is not known yet; [`close`] it with what this gives.
#[inline]
pub(crate) fn open(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len()
}

/// Ends the field started at `start` by writing its length in front.
#[inline]
pub(crate) fn close(out: &mut [u8], start: usize) -> Result<(), Fault> {
    let length = length(out.len().saturating_sub(start))?;
    let place = start.checked_sub(4).and_then(|at| out.get_mut(at..start));
    place.ok_or(Fault::Malformed("a field was closed that is not open"))?.copy_from_slice(&length);
    Ok(())
}

#[inline]
fn length(bytes: usize) -> Result<[u8; 4], Fault> {
    i32::try_from(bytes).map(i32::to_be_bytes).map_err(|_| too_long())
}

#[cold]
fn too_long() -> Fault {
    Fault::refused(
        "the value is larger than PostgreSQL's limit of 1 GB",
        WayOut::Carry(InConfig::LeaveColumnOut),
    )
}
