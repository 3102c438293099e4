//! Rows as JSON, for people and for who puts them right by hand: each value exactly, or its bytes.

use super::codec::Codec;
use super::told;
use crate::change::{RowLayout, TargetType};
use crate::transform::charset::Decoder;
use crate::transform::encode::calendar::Civil;
use crate::transform::encode::{number, numeric, temporal};
use crate::transform::json;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How the bytes of a value are spelled.
pub(super) enum Spelling<'a> {
    /// As in a row image of the log; in the format before MySQL 5.6.4 or not.
    Logged { old_format: bool },
    /// As in a result row, with what its text is in.
    Result { decoder: Option<&'a Decoder> },
}

/// The values of an encoded row by the names that `name` gives the target's columns.
pub(super) fn of_row(layout: &RowLayout, row: &[u8], name: impl Fn(&str) -> String) -> Value {
    let mut fields = row.get(2..).unwrap_or_default();
    let mut values = serde_json::Map::new();
    for column in &layout.columns {
        let Some((length, rest)) = fields.split_first_chunk::<4>() else { break };
        // A negative length is NULL.
        let value = if let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) {
            let (bytes, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            fields = behind;
            of_field(&column.data_type, bytes)
        } else {
            fields = rest;
            Value::Null
        };
        values.insert(name(&column.name), value);
    }
    Value::Object(values)
}

/// A field of COPY binary, without its length. What has no plain form stands as its bytes.
pub(super) fn of_field(data_type: &TargetType, field: &[u8]) -> Value {
    plain(data_type, field).unwrap_or_else(|| hex(field))
}

fn plain(data_type: &TargetType, field: &[u8]) -> Option<Value> {
    Some(match data_type {
        TargetType::Boolean => Value::Bool(*field.first()? != 0),
        TargetType::Smallint => json!(i16::from_be_bytes(*field.first_chunk()?)),
        TargetType::Integer => json!(i32::from_be_bytes(*field.first_chunk()?)),
        TargetType::Bigint => json!(i64::from_be_bytes(*field.first_chunk()?)),
        TargetType::Varchar(_) | TargetType::Text | TargetType::Json => text(field)?,
        TargetType::Jsonb => text(field.get(1..)?)?,
        TargetType::Bit(_) => {
            let (bits, bytes) = field.split_first_chunk::<4>()?;
            let bits = usize::try_from(i32::from_be_bytes(*bits)).ok()?;
            let bit =
                |at: usize| if bytes.get(at / 8)? << (at % 8) & 0x80 == 0 { Some('0') } else { Some('1') };
            Value::String((0..bits).map(bit).collect::<Option<String>>()?)
        }
        TargetType::Time(_) | TargetType::Interval(_) => {
            Value::String(clock(i64::from_be_bytes(*field.first_chunk()?)))
        }
        TargetType::Real
        | TargetType::Double
        | TargetType::Numeric(_)
        | TargetType::Date
        | TargetType::Timestamp(_)
        | TargetType::TimestampTz(_) => {
            Value::String(told::shown(data_type, field)?.trim_matches('\'').to_owned())
        }
        TargetType::Bytea
        | TargetType::RealArray
        | TargetType::Uuid
        | TargetType::Inet
        | TargetType::Geometry
        | TargetType::Other(_) => return None,
    })
}

/// A value for which there is no field.
pub(super) fn of_refused(codec: &Codec, raw: &[u8], spelling: &Spelling<'_>) -> Value {
    readable(codec, raw, spelling).unwrap_or_else(|| hex(raw))
}

fn readable(codec: &Codec, raw: &[u8], spelling: &Spelling<'_>) -> Option<Value> {
    let logged = matches!(spelling, Spelling::Logged { .. });
    let old = matches!(spelling, Spelling::Logged { old_format: true });
    let mut out = Vec::new();
    match codec {
        Codec::Signed(_) => return Some(json!(number::signed(raw).ok()?)),
        Codec::Unsigned(_) => return Some(json!(number::unsigned(raw).ok()?)),
        Codec::Date(_) if logged => return Some(civil(&temporal::logged_date(raw).ok()?)),
        Codec::DateTime(_) if old => return Some(civil(&temporal::logged_old_datetime(raw).ok()?)),
        Codec::DateTime(_) if logged => return Some(civil(&temporal::logged_datetime(raw).ok()?)),
        // The only one that has no field is the zero timestamp.
        Codec::Timestamp(_) if logged => return Some(civil(&Civil::default())),
        Codec::Date(_) | Codec::DateTime(_) | Codec::Timestamp(_) => {
            return Some(civil(&temporal::result_civil(raw).ok()?));
        }
        Codec::Decimal { precision, scale } | Codec::DecimalText { precision, scale } if logged => {
            numeric::print_packed(raw, *precision, *scale, &mut out).ok()?;
        }
        Codec::Decimal { .. } | Codec::DecimalText { .. } => out.extend_from_slice(raw),
        Codec::Text { decoder: declared, .. } => {
            let sent = match spelling {
                Spelling::Result { decoder } => *decoder,
                Spelling::Logged { .. } => None,
            };
            sent.unwrap_or(declared).decode(raw, &mut out).ok()?;
        }
        Codec::Json { .. } if logged => json::print_document(raw, &mut out).ok()?,
        Codec::Json { .. } | Codec::JsonText { .. } => out.extend_from_slice(raw),
        _ => return None,
    }
    text(&out)
}

/// A text that the target can read out of JSON: it takes nothing out of a document that has a NUL anywhere.
fn text(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.map(|text| Value::String(text.to_owned()))
}

fn hex(bytes: &[u8]) -> Value {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    json!({ "hex": digits })
}

fn civil(at: &Civil) -> Value {
    let Civil { year, month, day, hour, minute, second, micros } = *at;
    let date = format!("{year:04}-{month:02}-{day:02}");
    Value::String(match (hour, minute, second, micros) {
        (0, 0, 0, 0) => date,
        (_, _, _, 0) => format!("{date} {hour:02}:{minute:02}:{second:02}"),
        _ => format!("{date} {hour:02}:{minute:02}:{second:02}.{micros:06}"),
    })
}

fn clock(micros: i64) -> String {
    let (sign, all) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    let (seconds, fraction) = (all / 1_000_000, all % 1_000_000);
    let text = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { text } else { format!("{text}.{fraction:06}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_as_they_are_or_as_their_bytes() {
        for (data_type, field, expected) in [
            (TargetType::Integer, &(-7_i32).to_be_bytes()[..], json!(-7)),
            (TargetType::Text, "é".as_bytes(), json!("é")),
            (TargetType::Bytea, &[0, 255], json!({ "hex": "00ff" })),
            (TargetType::Text, b"a\0", json!({ "hex": "6100" })),
            (TargetType::Bit(10), &[0, 0, 0, 10, 0b1010_0000, 0b0100_0000], json!("1010000001")),
            (TargetType::Date, &59_i32.to_be_bytes(), json!("2000-02-29")),
            (TargetType::Interval(0), &(-3_661_500_000_i64).to_be_bytes(), json!("-01:01:01.500000")),
            (TargetType::Jsonb, b"\x01{\"a\": 1.10}", json!("{\"a\": 1.10}")),
            (TargetType::Integer, &[1], json!({ "hex": "01" })),
        ] {
            assert_eq!(of_field(&data_type, field), expected, "{data_type:?}");
        }
    }
}
