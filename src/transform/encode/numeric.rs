//! DECIMAL and whole numbers into PostgreSQL's `numeric`.
//!
//! The field is `[i16 groups][i16 weight][i16 sign][i16 dscale]` and groups of four decimal digits, the
//! first worth 10000^weight; PostgreSQL itself sends no leading and no trailing zero group and gives zero no
//! group, weight 0 and no sign (`numeric_send`, `strip_var` in `numeric.c`). Both readers here write that form, so equal
//! numbers of one column have equal bytes.

use super::Fault;
use crate::schema::binding::decimal_width;

/// Groups a 65-digit number can have: 17, and one more when the point does not fall on a group.
const GROUPS: usize = 20;
/// ASCII digits on either side of the point.
const DIGITS: usize = 72;

const MALFORMED: Fault = Fault::Malformed("a DECIMAL holds no decimal number");
const TOO_LONG: Fault = Fault::Internal("a number has more groups of digits than any can have");
const POWERS: [u64; 4] = [1, 10, 100, 1000];

/// The groups of a number, most significant first, zeros and all.
struct Number {
    groups: [u16; GROUPS],
    count: usize,
    /// Groups before the point.
    whole: usize,
}

impl Number {
    fn new() -> Self {
        Self { groups: [0; GROUPS], count: 0, whole: 0 }
    }

    #[inline]
    fn push(&mut self, group: impl TryInto<u16>) {
        match (self.groups.get_mut(self.count), group.try_into()) {
            (Some(place), Ok(group)) => {
                *place = group;
                self.count += 1;
            }
            // More than there can be: writing fails.
            _ => self.count = GROUPS + 1,
        }
    }

    /// The groups of a whole number below 10^20, `count` of them at most.
    #[inline]
    fn push_integer(&mut self, mut value: u64) {
        let mut groups = [0u64; 5];
        let mut used = 0;
        for place in groups.iter_mut().rev() {
            if value == 0 {
                break;
            }
            *place = value % 10_000;
            value /= 10_000;
            used += 1;
        }
        for group in groups.iter().skip(groups.len() - used) {
            self.push(*group);
        }
        self.whole = self.count;
    }

    /// `digits` fraction digits (at most 18) given as a whole number.
    #[inline]
    fn push_fraction(&mut self, value: u64, digits: u32) {
        let groups = digits.div_ceil(4);
        // The last group is filled up with zeros on its right.
        let pad = groups * 4 - digits;
        let value = u128::from(value) * 10u128.pow(pad);
        if let Ok(value) = u64::try_from(value) {
            for index in (0..groups).rev() {
                self.push(value / 10_000u64.pow(index) % 10_000);
            }
        } else {
            for index in (0..groups).rev() {
                self.push(value / 10_000u128.pow(index) % 10_000);
            }
        }
    }

    #[inline]
    fn write(&self, negative: bool, dscale: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
        let groups = self.groups.get(..self.count).ok_or(TOO_LONG)?;
        let leading = groups.iter().take_while(|group| **group == 0).count();
        let trailing = groups.iter().rev().take_while(|group| **group == 0).count();
        let kept = groups.get(leading..groups.len() - trailing).unwrap_or_default();
        let small = |value: usize| i16::try_from(value).map_err(|_| TOO_LONG);
        let weight = if kept.is_empty() { 0 } else { small(self.whole)? - small(leading)? - 1 };
        let sign = if negative && !kept.is_empty() { 0x4000i16 } else { 0 };
        let mut bytes = [0u8; 12 + 2 * GROUPS];
        let header = [small(8 + 2 * kept.len())?, small(kept.len())?, weight, sign, i16::from(dscale)];
        // The field length's upper half is always zero.
        for (place, value) in bytes.iter_mut().skip(2).zip(header.into_iter().flat_map(i16::to_be_bytes)) {
            *place = value;
        }
        for (place, value) in bytes.iter_mut().skip(12).zip(kept.iter().copied().flat_map(u16::to_be_bytes)) {
            *place = value;
        }
        out.extend_from_slice(bytes.get(..12 + 2 * kept.len()).ok_or(TOO_LONG)?);
        Ok(())
    }
}

/// A whole number.
#[inline]
pub(crate) fn write_integer(negative: bool, value: u64, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut number = Number::new();
    number.push_integer(value);
    number.write(negative, 0, out)
}

/// DECIMAL from its text in a result row, which must have exactly `scale` fraction digits.
pub(crate) fn from_text(raw: &[u8], scale: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
    let (negative, whole, fraction) = split_text(raw, scale)?;
    number_of_digits(whole, fraction)?.write(negative, scale, out)
}

/// Sign, digits before and digits after the point.
fn split_text(raw: &[u8], scale: u8) -> Result<(bool, &[u8], &[u8]), Fault> {
    let (negative, digits) = match raw.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, raw),
    };
    let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
        Some(point) => (digits.get(..point).unwrap_or_default(), digits.get(point + 1..).unwrap_or_default()),
        None => (digits, &[][..]),
    };
    if fraction.len() != usize::from(scale) || whole.is_empty() || whole.len() > DIGITS {
        return Err(Fault::Malformed("a DECIMAL does not have the declared number of fraction digits"));
    }
    Ok((negative, whole, fraction))
}

/// Groups out of ASCII digits on both sides of the point.
fn number_of_digits(whole: &[u8], fraction: &[u8]) -> Result<Number, Fault> {
    let group = |digits: &[u8]| {
        digits.iter().try_fold(0u64, |value, digit| match digit {
            b'0'..=b'9' => Ok(value * 10 + u64::from(digit - b'0')),
            _ => Err(MALFORMED),
        })
    };
    let mut number = Number::new();
    let (head, groups) = whole.split_at_checked(whole.len() % 4).ok_or(MALFORMED)?;
    if !head.is_empty() {
        number.push(group(head)?);
    }
    for digits in groups.chunks(4) {
        number.push(group(digits)?);
    }
    number.whole = number.count;
    for digits in fraction.chunks(4) {
        let pad = 4usize.checked_sub(digits.len()).and_then(|zeros| POWERS.get(zeros)).ok_or(MALFORMED)?;
        number.push(group(digits)? * pad);
    }
    Ok(number)
}

/// Packs the text of a number with exactly `scale` fraction digits as row images have it.
pub(crate) fn pack_text(raw: &[u8], precision: u8, scale: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
    let (negative, whole, fraction) = split_text(raw, scale)?;
    let width = usize::from(precision.checked_sub(scale).ok_or(MALFORMED)?);
    let leading = whole.iter().take_while(|digit| **digit == b'0').count();
    let whole = whole.get(leading..).unwrap_or_default();
    let zeros = width.checked_sub(whole.len()).ok_or(MALFORMED)?;
    let digits: Vec<u8> =
        std::iter::repeat_n(b'0', zeros).chain(whole.iter().chain(fraction).copied()).collect();
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(MALFORMED);
    }
    let nines = |digits: usize| std::iter::repeat_n(9, digits / 9);
    let scale = usize::from(scale);
    let groups = [width % 9].into_iter().chain(nines(width)).chain(nines(scale)).chain([scale % 9]);
    let (start, mut rest) = (out.len(), digits.as_slice());
    for group in groups {
        let (head, tail) = rest.split_at_checked(group).ok_or(MALFORMED)?;
        rest = tail;
        let value =
            head.iter().fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0')).to_be_bytes();
        let bytes = GROUP_BYTES.get(group).ok_or(MALFORMED)?;
        out.extend_from_slice(value.get(value.len() - bytes..).ok_or(MALFORMED)?);
    }
    let packed = out.get_mut(start..).unwrap_or_default();
    if negative && digits.iter().any(|digit| *digit != b'0') {
        for byte in packed.iter_mut() {
            *byte ^= 0xff;
        }
    }
    if let Some(first) = packed.first_mut() {
        *first ^= 0x80;
    }
    Ok(())
}

/// The packed form of row images: nine digits in four bytes, big-endian, digits left over in fewer bytes at
/// the outer ends, the first bit inverted, all bits inverted when negative (`decimal2bin` in MySQL's `decimal.cc`).
pub(crate) struct Packed {
    bytes: [u8; 32],
    length: usize,
    negative: bool,
}

impl Packed {
    #[inline]
    pub(crate) fn read(raw: &[u8], precision: u8, scale: u8) -> Result<Self, Fault> {
        let mut bytes = [0; 32];
        let (Some(first), Some(place)) = (raw.first(), bytes.get_mut(..raw.len())) else {
            return Err(MALFORMED);
        };
        if decimal_width(precision, scale).map(usize::from) != Some(raw.len()) {
            return Err(MALFORMED);
        }
        let negative = first & 0x80 == 0;
        let mask = if negative { 0xff } else { 0 };
        for (place, byte) in place.iter_mut().zip(raw) {
            *place = byte ^ mask;
        }
        if let Some(first) = place.first_mut() {
            *first ^= 0x80;
        }
        Ok(Self { bytes, length: raw.len(), negative })
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Bytes of 0 to 9 digits.
const GROUP_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/// Cuts the group of `digits` digits off the front; it must not hold a larger number.
#[inline]
fn take_group(rest: &mut &[u8], digits: u8) -> Result<u64, Fault> {
    let bytes = GROUP_BYTES.get(usize::from(digits)).ok_or(MALFORMED)?;
    let (head, tail) = rest.split_at_checked(*bytes).ok_or(MALFORMED)?;
    *rest = tail;
    let value = head.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    if value < 10u64.pow(digits.into()) { Ok(value) } else { Err(MALFORMED) }
}

/// DECIMAL(precision, scale) from a row image.
#[inline]
pub(crate) fn from_packed(raw: &[u8], precision: u8, scale: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
    let packed = Packed::read(raw, precision, scale)?;
    let whole_digits = precision.checked_sub(scale).ok_or(MALFORMED)?;
    if whole_digits <= 18 && scale <= 18 {
        let mut rest = packed.get();
        let mut whole = 0;
        if !whole_digits.is_multiple_of(9) {
            whole = take_group(&mut rest, whole_digits % 9)?;
        }
        for _ in 0..whole_digits / 9 {
            whole = whole * 1_000_000_000 + take_group(&mut rest, 9)?;
        }
        let mut fraction = 0;
        for _ in 0..scale / 9 {
            fraction = fraction * 1_000_000_000 + take_group(&mut rest, 9)?;
        }
        if !scale.is_multiple_of(9) {
            fraction = fraction * 10u64.pow((scale % 9).into()) + take_group(&mut rest, scale % 9)?;
        }
        let mut number = Number::new();
        number.push_integer(whole);
        number.push_fraction(fraction, scale.into());
        number.write(packed.negative, scale, out)
    } else {
        let digits = AsciiDigits::of(&packed, precision, scale)?;
        number_of_digits(digits.whole(), digits.fraction())?.write(packed.negative, scale, out)
    }
}

/// A packed DECIMAL as ASCII digits, `precision` of them.
struct AsciiDigits {
    bytes: [u8; DIGITS],
    precision: usize,
    point: usize,
}

impl AsciiDigits {
    fn of(packed: &Packed, precision: u8, scale: u8) -> Result<Self, Fault> {
        let whole = precision.checked_sub(scale).ok_or(MALFORMED)?;
        let mut digits = Self { bytes: [b'0'; DIGITS], precision: precision.into(), point: whole.into() };
        let mut rest = packed.get();
        let mut at = 0;
        let mut put = |width: u8| -> Result<(), Fault> {
            let mut value = take_group(&mut rest, width)?;
            let end = at + usize::from(width);
            for place in digits.bytes.get_mut(at..end).ok_or(MALFORMED)?.iter_mut().rev() {
                *place = b'0' + u8::try_from(value % 10).unwrap_or(0);
                value /= 10;
            }
            at = end;
            Ok(())
        };
        put(whole % 9)?;
        for _ in 0..whole / 9 {
            put(9)?;
        }
        for _ in 0..scale / 9 {
            put(9)?;
        }
        put(scale % 9)?;
        Ok(digits)
    }

    fn whole(&self) -> &[u8] {
        self.bytes.get(..self.point).unwrap_or_default()
    }

    fn fraction(&self) -> &[u8] {
        self.bytes.get(self.point..self.precision).unwrap_or_default()
    }
}

/// Prints a packed DECIMAL as MySQL does (`decimal2string`): no leading zeros but one before the
/// point, all `scale` digits after it, no sign on zero.
pub(crate) fn print_packed(raw: &[u8], precision: u8, scale: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
    let packed = Packed::read(raw, precision, scale)?;
    let digits = AsciiDigits::of(&packed, precision, scale)?;
    print_digits(packed.negative, digits.whole(), digits.fraction(), out);
    Ok(())
}

/// Prints the text of a result row the same way (ZEROFILL puts zeros in front there).
pub(crate) fn print_text(raw: &[u8], scale: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
    let (negative, whole, fraction) = split_text(raw, scale)?;
    if !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(MALFORMED);
    }
    print_digits(negative, whole, fraction, out);
    Ok(())
}

fn print_digits(negative: bool, whole: &[u8], fraction: &[u8], out: &mut Vec<u8>) {
    let leading = whole.iter().take_while(|digit| **digit == b'0').count();
    if negative && whole.iter().chain(fraction).any(|digit| *digit != b'0') {
        out.push(b'-');
    }
    match whole.get(leading..) {
        Some(digits) if !digits.is_empty() => out.extend_from_slice(digits),
        _ => out.push(b'0'),
    }
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_printed_the_same() {
        for (text, precision, scale) in [
            ("0", 1, 0),
            ("-1", 1, 0),
            ("0.50", 2, 2),
            ("-0.07", 2, 2),
            ("123456789.000000001", 18, 9),
            ("-12345678901234.567891", 20, 6),
            ("99999999999999999999999999999999999.999999999999999999999999999999", 65, 30),
            ("0.000", 10, 3),
        ] {
            let (mut packed, mut printed) = (Vec::new(), Vec::new());
            pack_text(text.as_bytes(), precision, scale, &mut packed).unwrap();
            print_packed(&packed, precision, scale, &mut printed).unwrap();
            assert_eq!(String::from_utf8(printed).unwrap(), text);
        }
        let mut padded = Vec::new();
        pack_text(b"-000", 3, 0, &mut padded).unwrap();
        assert_eq!(padded, [0x80, 0]);
        for (text, precision, scale) in [("10", 1, 0), ("1", 3, 2), ("1.5", 3, 2), ("a", 1, 0), ("", 1, 0)] {
            assert!(pack_text(text.as_bytes(), precision, scale, &mut Vec::new()).is_err(), "{text}");
        }
    }
}
