//! Values that JSON itself does not have: decimals, dates and times, and anything else as base64.

use super::super::encode::{Fault, numeric, temporal};
use super::print::quoted;
use crate::schema::binding::code;
use std::io::Write;

/// Appends an opaque value of a field type (`MYSQL_TYPE_*`).
pub(super) fn print(field_type: u8, data: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match field_type {
        code::NEWDECIMAL => {
            let Some(([precision, scale], packed)) = data.split_first_chunk() else {
                return Err(Fault::Malformed("a decimal in a JSON document is cut short"));
            };
            numeric::print_packed(packed, *precision, *scale, out)
        }
        code::DATE | code::TIME | code::DATETIME | code::TIMESTAMP => temporal_value(field_type, data, out),
        // A string that a function result left as it was.
        code::VAR_STRING => {
            quoted(data, out);
            Ok(())
        }
        _ => {
            base64(field_type, data, out);
            Ok(())
        }
    }
}

/// Eight bytes little-endian: the packed value times 2^24 and microseconds (`my_time_packed`).
fn temporal_value(field_type: u8, data: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    const STRANGE: Fault = Fault::Malformed("a date or time in a JSON document is malformed");
    let value = i64::from_le_bytes(<[u8; 8]>::try_from(data).map_err(|_| STRANGE)?);
    let packed = value.unsigned_abs();
    let micros = u32::try_from(packed & 0xff_ffff).map_err(|_| STRANGE)?;
    let parts = temporal::civil_of_packed(packed >> 24, micros);
    out.push(b'"');
    // Writing into a `Vec` cannot fail.
    let _ = match field_type {
        code::DATE => write!(out, "{:04}-{:02}-{:02}", parts.year, parts.month, parts.day),
        code::TIME => {
            let sign = if value < 0 { "-" } else { "" };
            // A span's hours have ten bits.
            let hours = packed >> 36 & 0x3ff;
            write!(out, "{sign}{hours:02}:{:02}:{:02}.{micros:06}", parts.minute, parts.second)
        }
        _ => write!(out, "{parts}"),
    };
    out.push(b'"');
    Ok(())
}

/// `"base64:type<field type>:<data>"`; a line break, escaped, after every 76 characters that are not the last
/// (`base64_encode` in MySQL's `base64_encode.cc`).
fn base64(field_type: u8, data: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const LINE: usize = 76;
    let _ = write!(out, "\"base64:type{field_type}:");
    out.reserve(data.len() / 3 * 4 + data.len() / 50 + 8);
    for (index, group) in data.chunks(3).enumerate() {
        if index > 0 && index * 4 % LINE == 0 {
            out.extend_from_slice(b"\\n");
        }
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for place in 0..4 {
            let sextet = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            // Three bytes fill four places, two fill three, one fills two.
            out.push(if place <= group.len() { ALPHABET.get(sextet).copied().unwrap_or(b'=') } else { b'=' });
        }
    }
    out.push(b'"');
}
