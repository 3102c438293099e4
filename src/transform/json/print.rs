//! Numbers and strings as MySQL prints them, and the last check of a document's text before it is sent.

use super::super::encode::{Fault, text};
use crate::change::policy::NulBytes;
use std::io::Write;

/// A string in quotes, escaped as `double_quote` in `json_dom.cc` does it.
pub(super) fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\') {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((special, tail)) = tail.split_first() else { break };
        match special {
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(special >> 4), digit(special & 15)]);
            }
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// A signed number.
pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    // Writing into a `Vec` cannot fail.
    let _ = write!(out, "{value}");
}

/// An unsigned number.
pub(super) fn unsigned(value: u64, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

/// A double: the fewest digits that give it back, an even last one where two do equally well; plain up to 15 digits before and 14 zeros after the point,
/// else with an exponent that has no plus (`my_gcvt` in MySQL's `dtoa.cc` with its full width); `.0` when
/// neither point nor exponent shows that it is no integer.
pub(super) fn double(value: f64, out: &mut Vec<u8>) -> Result<(), Fault> {
    if !value.is_finite() {
        return Err(Fault::Malformed("a JSON number is not finite"));
    }
    let mut buffer = [0u8; 32];
    let (digits, count, exponent) = scientific(value.abs(), None, &mut buffer)?;
    let mut digits = digits.get(..count).unwrap_or_default();
    // Two texts of the fewest digits can be equally near; then MySQL takes the even one and `{:e}` the larger.
    let mut exact = [0u8; 32];
    if exact_digits(value, exponent) == Some(count + 1) {
        let (nearby, _, _) = scientific(value.abs(), Some(count), &mut exact)?;
        let nearby = nearby.get(..count).unwrap_or_default();
        if nearby.last().is_some_and(|last| last % 2 == 0) && gives_back(nearby, exponent, value.abs()) {
            digits = nearby;
        }
    }
    // Where the point stands, counted from the first digit.
    let point = exponent + 1;
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let length = i32::try_from(count).unwrap_or(0);
    if point < -14 || (point > 15 && length <= point) {
        out.extend_from_slice(digits.get(..1).unwrap_or_default());
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(digits.get(1..).unwrap_or_default());
        }
        let _ = write!(out, "e{exponent}");
        return Ok(());
    }
    let before = usize::try_from(point).unwrap_or(0);
    if before == 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + usize::try_from(-point).unwrap_or(0), b'0');
        out.extend_from_slice(digits);
    } else if before < count {
        out.extend_from_slice(digits.get(..before).unwrap_or_default());
        out.push(b'.');
        out.extend_from_slice(digits.get(before..).unwrap_or_default());
    } else {
        out.extend_from_slice(digits);
        out.resize(out.len() + before - count, b'0');
        out.extend_from_slice(b".0");
    }
    Ok(())
}

/// The digits of a number in scientific notation without the point, how many they are, and the exponent. So many
/// digits after the first as `precision` says, or the fewest that give the number back.
fn scientific(
    value: f64,
    precision: Option<usize>,
    digits: &mut [u8; 32],
) -> Result<(&[u8], usize, i32), Fault> {
    let mut text = [0u8; 32];
    let mut rest = text.as_mut_slice();
    // Never longer than `d.` with 18 digits and `e-324`.
    let _ = match precision {
        Some(precision) => write!(rest, "{value:.precision$e}"),
        None => write!(rest, "{value:e}"),
    };
    let unused = rest.len();
    let text = text.get(..text.len() - unused).unwrap_or_default();
    let split = text.iter().position(|byte| *byte == b'e').unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at_checked(split).unwrap_or((text, &[]));
    let exponent = std::str::from_utf8(exponent.get(1..).unwrap_or_default())
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or(Fault::Malformed("a JSON number has no exponent"))?;
    let mut count = 0;
    for (place, digit) in digits.iter_mut().zip(mantissa.iter().filter(|byte| **byte != b'.')) {
        *place = *digit;
        count += 1;
    }
    Ok((digits, count, exponent))
}

/// Whether digits read back as the number: below a power of two the next number is nearer than above.
fn gives_back(digits: &[u8], exponent: i32, value: f64) -> bool {
    let mut text = [0u8; 32];
    let mut rest = text.as_mut_slice();
    let behind = exponent + 1 - i32::try_from(digits.len()).unwrap_or(0);
    let written = rest.write_all(digits).and_then(|()| write!(rest, "e{behind}"));
    let unused = rest.len();
    let text = text.get(..text.len() - unused).unwrap_or_default();
    written.is_ok() && std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) == Some(value)
}

/// How many digits the number has when it is written out in full, for one with a fraction: an odd number times
/// 2^-n has n digits after the point.
fn exact_digits(value: f64, exponent: i32) -> Option<usize> {
    const FRACTION_BITS: i32 = 52;
    let bits = value.to_bits();
    let biased = i32::try_from(bits >> FRACTION_BITS & 0x7ff).ok()?;
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    // Numbers too small for the leading 1 have far more digits than matter here.
    let mantissa = if biased == 0 { return None } else { fraction | 1 << FRACTION_BITS };
    let twos = i32::try_from(mantissa.trailing_zeros()).ok()?;
    let behind = -(biased - 1023 - FRACTION_BITS + twos);
    if behind > 0 { usize::try_from(behind + exponent + 1).ok() } else { None }
}

/// Appends a document's text as it came in a result row, checked.
pub(crate) fn write_text(raw: &[u8], nul: NulBytes, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    out.extend_from_slice(raw);
    check_text(start, nul, out)
}

/// Checks the document's text from `start` to the end: it must be UTF-8, and `\u0000`, which no `jsonb` can hold,
/// follows the policy.
pub(crate) fn check_text(start: usize, nul: NulBytes, out: &mut Vec<u8>) -> Result<(), Fault> {
    let text = out.get(start..).unwrap_or_default();
    if !text::is_plain(text) && std::str::from_utf8(text).is_err() {
        return Err(Fault::Malformed("a JSON document is not UTF-8"));
    }
    match find_nul(text) {
        None => Ok(()),
        Some(at) => replace_nul(start + at, nul, out),
    }
}

const NUL_ESCAPE: &[u8] = b"\\u0000";

/// The first `\u0000` that is not itself escaped. Every backslash of a document starts an escape.
fn find_nul(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.iter().position(|byte| *byte == b'\\') {
        at += found;
        if text.get(at..)?.starts_with(NUL_ESCAPE) {
            return Some(at);
        }
        at += 2;
    }
    None
}

#[cold]
fn replace_nul(first: usize, policy: NulBytes, out: &mut Vec<u8>) -> Result<(), Fault> {
    let with: &[u8] = match policy {
        NulBytes::Error => return Err(text::nul_refused()),
        NulBytes::Strip => b"",
        NulBytes::Replace => "\u{fffd}".as_bytes(),
    };
    // What is put in is shorter, so everything moves to the front.
    let mut from = first;
    let mut to = first;
    loop {
        if let Some(place) = out.get_mut(to..to + with.len()) {
            place.copy_from_slice(with);
        }
        to += with.len();
        from += NUL_ESCAPE.len();
        let next = find_nul(out.get(from..).unwrap_or_default()).map_or(out.len(), |at| from + at);
        out.copy_within(from..next, to);
        to += next - from;
        if next == out.len() {
            out.truncate(to);
            return Ok(());
        }
        from = next;
    }
}
