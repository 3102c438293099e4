//! Integers, floating point numbers, YEAR and BIT.
//!
//! Integers are little-endian in row images and in binary result rows alike; only MEDIUMINT (3 and 4 bytes)
//! and YEAR (1 and 2) differ in width, so the width of the bytes at hand decides.

// The letters are the bytes of a value, in order.
#![allow(clippy::many_single_char_names)]

use super::{Fault, WayOut, field, numeric};
use crate::change::remedy::InConfig;

/// What an integer becomes. [`super::super::plan`] allows only pairs whose range fits, except for `Boolean`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntegerTarget {
    Smallint,
    Integer,
    Bigint,
    Numeric,
    Boolean,
    Text,
}

const WIDTH: Fault = Fault::Malformed("an integer has a width that no integer type has");

/// Reads a signed integer of 1, 2, 3, 4 or 8 bytes.
#[inline]
pub(crate) fn signed(raw: &[u8]) -> Result<i64, Fault> {
    Ok(match *raw {
        [a] => i8::from_le_bytes([a]).into(),
        [a, b] => i16::from_le_bytes([a, b]).into(),
        // The shift brings the sign of the highest byte down.
        [a, b, c] => (i32::from_le_bytes([0, a, b, c]) >> 8).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return Err(WIDTH),
    })
}

/// Reads an unsigned integer of 1, 2, 3, 4 or 8 bytes.
#[inline]
pub(crate) fn unsigned(raw: &[u8]) -> Result<u64, Fault> {
    Ok(match *raw {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c] => u32::from_le_bytes([a, b, c, 0]).into(),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return Err(WIDTH),
    })
}

/// Writes a signed integer.
#[inline]
pub(crate) fn write_signed(value: i64, target: IntegerTarget, out: &mut Vec<u8>) -> Result<(), Fault> {
    match target {
        IntegerTarget::Smallint => {
            field::two(out, i16::try_from(value).map_err(|_| out_of_range(value))?.to_be_bytes());
        }
        IntegerTarget::Integer => {
            field::four(out, i32::try_from(value).map_err(|_| out_of_range(value))?.to_be_bytes());
        }
        IntegerTarget::Bigint => field::eight(out, value.to_be_bytes()),
        IntegerTarget::Numeric => numeric::write_integer(value < 0, value.unsigned_abs(), out)?,
        IntegerTarget::Boolean => match value {
            0 => field::one(out, 0),
            1 => field::one(out, 1),
            _ => return Err(not_boolean(value)),
        },
        IntegerTarget::Text => write_text(value < 0, value.unsigned_abs(), out)?,
    }
    Ok(())
}

/// Writes an unsigned integer.
#[inline]
pub(crate) fn write_unsigned(value: u64, target: IntegerTarget, out: &mut Vec<u8>) -> Result<(), Fault> {
    match target {
        IntegerTarget::Numeric => numeric::write_integer(false, value, out),
        IntegerTarget::Text => write_text(false, value, out),
        _ => write_signed(i64::try_from(value).map_err(|_| out_of_range(value))?, target, out),
    }
}

/// Decimal digits of a number on the stack.
fn write_text(negative: bool, mut value: u64, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut digits = [b'0'; 21];
    let mut first = digits.len();
    for (index, place) in digits.iter_mut().enumerate().rev() {
        *place = b'0' + u8::try_from(value % 10).unwrap_or(0);
        first = index;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    if negative && let Some(place) = first.checked_sub(1).and_then(|sign| digits.get_mut(sign)) {
        *place = b'-';
        first -= 1;
    }
    field::bytes(out, digits.get(first..).unwrap_or_default())
}

#[cold]
fn out_of_range(value: impl std::fmt::Display) -> Fault {
    Fault::refused(
        format!("{value} is outside the range of the target column"),
        WayOut::Carry(InConfig::WiderType),
    )
}

#[cold]
fn not_boolean(value: i64) -> Fault {
    Fault::refused(
        format!("{value} is neither 0 nor 1 and the target column is boolean"),
        WayOut::Carry(InConfig::Smallint),
    )
}

/// FLOAT: the same bits in the other byte order.
#[inline]
pub(crate) fn float(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let [a, b, c, d] = *raw else { return Err(Fault::Malformed("a FLOAT is not 4 bytes long")) };
    field::four(out, [d, c, b, a]);
    Ok(())
}

/// DOUBLE, and FLOAT into `double precision`.
#[inline]
pub(crate) fn double(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match *raw {
        [a, b, c, d, e, f, g, h] => field::eight(out, [h, g, f, e, d, c, b, a]),
        [a, b, c, d] => field::eight(out, f64::from(f32::from_le_bytes([a, b, c, d])).to_be_bytes()),
        _ => return Err(Fault::Malformed("a DOUBLE is not 8 bytes long")),
    }
    Ok(())
}

/// The year of a row image: years since 1900, and 0 for 0000.
#[inline]
pub(crate) fn logged_year(raw: &[u8]) -> Result<i64, Fault> {
    match *raw {
        [0] => Ok(0),
        [years] => Ok(1900 + i64::from(years)),
        _ => Err(Fault::Malformed("a YEAR is not 1 byte long")),
    }
}

/// BIT(n): big-endian, right-aligned, in as many bytes as the source likes.
#[inline]
fn bit_value(raw: &[u8]) -> Result<u64, Fault> {
    if raw.len() > 8 {
        return Err(Fault::Malformed("a BIT is longer than 8 bytes"));
    }
    Ok(raw.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// BIT(n) into `bit(n)`: `[i32 number of bits]` and the bits from the left (`bit_send` in `varbit.c`).
pub(crate) fn bit(raw: &[u8], bits: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
    let value = bit_value(raw)?;
    let spare = 64u32.checked_sub(bits.into()).ok_or(Fault::Malformed("a BIT has more than 64 bits"))?;
    if spare > 0 && value.checked_shr(bits.into()).unwrap_or(0) != 0 {
        return Err(Fault::Malformed("a BIT has more bits than declared"));
    }
    let aligned = value.checked_shl(spare).unwrap_or(0).to_be_bytes();
    let start = field::open(out);
    out.extend_from_slice(&i32::from(bits).to_be_bytes());
    out.extend_from_slice(aligned.get(..usize::from(bits.div_ceil(8))).unwrap_or_default());
    field::close(out, start)
}

/// BIT(1) into `boolean`.
pub(crate) fn bit_boolean(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match bit_value(raw)? {
        0 => field::one(out, 0),
        1 => field::one(out, 1),
        _ => return Err(Fault::Malformed("a BIT(1) has more than one bit")),
    }
    Ok(())
}
