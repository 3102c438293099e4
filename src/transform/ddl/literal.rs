//! Literal defaults as the values they give a column (reference manual, "Literal Values", and the section of each type).
//!
//! The server has accepted the statement, so a literal fits its type; what is read here is only its value. A spelling
//! that is not plainly one value is refused.

use super::calendar::days;
use crate::schema::MySqlType;
use crate::schema::charset::is_wide;
use crate::schema::ddl::{ColumnDefinition, DeclaredDefault};
use crate::transform::charset::has;

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number as decimal text.
    Number(String),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Bits as `0` and `1`, most significant first, as many as the type has.
    Bits(String),
    /// `YYYY-MM-DD`
    Date(String),
    /// `YYYY-MM-DD HH:MM:SS[.f]` without a zone.
    DateTime(String),
    /// The same, in UTC.
    Instant(String),
    /// A date with a zero part.
    ZeroDate,
    /// `[-]H:MM:SS[.f]`
    Time(String),
    /// 0 or 1901 to 2155.
    Year(u16),
    /// A document.
    Json(String),
    /// A UUID or an address of the Internet, as the source prints it.
    Address(String),
}

pub(super) type Why = String;

/// The value of a literal in a column. `utc_offset_seconds` is the session's time zone, if it is known.
pub(super) fn value(
    column: &ColumnDefinition,
    data_type: &MySqlType,
    literal: &DeclaredDefault,
    utc_offset_seconds: Option<i32>,
) -> Result<Value, Why> {
    let refused = || format!("the default of {} is not plainly one value", column.name);
    let found = match data_type {
        MySqlType::TinyInt { .. }
        | MySqlType::SmallInt { .. }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { .. }
        | MySqlType::BigInt { .. } => number(literal, 0).map(Value::Number),
        MySqlType::Decimal { scale, .. } => number(literal, usize::from(*scale)).map(Value::Number),
        MySqlType::Float | MySqlType::Double => float(column, literal).map(Value::Number),
        MySqlType::Bit { bits } => bit(literal, usize::from(*bits)).map(Value::Bits),
        MySqlType::Year => year(literal).map(Value::Year),
        MySqlType::Date => dated(literal).and_then(|text| date(&text)),
        MySqlType::DateTime { fraction, .. } => dated(literal).and_then(|text| date_time(&text, *fraction)),
        MySqlType::Timestamp { fraction, .. } => {
            match dated(literal).and_then(|text| date_time(&text, *fraction)) {
                Some(Value::DateTime(local)) => {
                    let offset = utc_offset_seconds.ok_or_else(|| {
                        format!("the default of {} depends on the time zone of the session", column.name)
                    })?;
                    in_utc(&local, offset).map(Value::Instant)
                }
                other => other,
            }
        }
        MySqlType::Time { fraction, .. } => plain(literal).and_then(|text| time(&text, *fraction)),
        MySqlType::Char { charset, .. }
        | MySqlType::VarChar { charset, .. }
        | MySqlType::Text { charset, .. }
            if is_wide(&charset.name) && radix_bytes(literal).is_some() =>
        {
            None
        }
        // What the column's set lacks becomes another letter there, and some sets give letters back as others.
        MySqlType::Char { length, charset } => text(literal)
            .map(|text| text.trim_end_matches(' ').to_owned())
            .filter(|text| fits(text, *length) && has(&charset.name, text))
            .map(Value::Text),
        MySqlType::VarChar { length, charset } => {
            text(literal).filter(|text| fits(text, *length) && has(&charset.name, text)).map(Value::Text)
        }
        MySqlType::Text { charset, .. } => {
            text(literal).filter(|text| has(&charset.name, text)).map(Value::Text)
        }
        MySqlType::Enum { labels, .. } => {
            written(literal).and_then(|text| label(labels, text)).map(Value::Text)
        }
        MySqlType::Set { labels, .. } => written(literal).and_then(|text| set(labels, text)).map(Value::Text),
        MySqlType::Binary { length } => bytes(literal).map(|mut bytes| {
            bytes.resize(usize::try_from(*length).unwrap_or(bytes.len()), 0);
            Value::Bytes(bytes)
        }),
        MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => bytes(literal).map(Value::Bytes),
        // The server writes numbers in its own way (1.50 becomes 1.5), which is not followed here.
        MySqlType::Json => {
            text(literal).filter(|text| !text.contains(|c: char| c.is_ascii_digit())).map(Value::Json)
        }
        // They have several spellings.
        MySqlType::Uuid | MySqlType::Inet4 | MySqlType::Inet6 => None,
        MySqlType::Geometry { .. } | MySqlType::Vector { .. } | MySqlType::Unknown { .. } => None,
    };
    found.ok_or_else(refused)
}

fn fits(text: &str, length: u32) -> bool {
    u32::try_from(text.chars().count()).is_ok_and(|characters| characters <= length)
}

/// Text or number as written.
fn plain(literal: &DeclaredDefault) -> Option<String> {
    match literal {
        DeclaredDefault::Text(text) | DeclaredDefault::Number(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// The same where a date is wanted: the first zeros of a number do not count, and the century is another.
fn dated(literal: &DeclaredDefault) -> Option<String> {
    let zeros =
        matches!(literal, DeclaredDefault::Number(number) if number.len() > 1 && number.starts_with('0'));
    plain(literal).filter(|_| !zeros)
}

/// A decimal number with at most `scale` digits after the point, without needless zeros.
fn number(literal: &DeclaredDefault, scale: usize) -> Option<String> {
    match literal {
        DeclaredDefault::Hex(digits) => u64::from_str_radix(digits, 16).ok().map(|number| number.to_string()),
        DeclaredDefault::Bit(digits) => u64::from_str_radix(digits, 2).ok().map(|number| number.to_string()),
        DeclaredDefault::Text(_) | DeclaredDefault::Number(_) => decimal(&plain(literal)?, scale),
        _ => None,
    }
}

fn decimal(text: &str, scale: usize) -> Option<String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > scale {
        return None;
    }
    let mut number = String::new();
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        number.push('-');
    }
    number.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        number.push('.');
        number.push_str(fraction);
    }
    Some(number)
}

/// FLOAT and DOUBLE: the shortest text that is this very value. `FLOAT(m,d)` rounds, which is not followed. Of an exact number zero has no
/// sign; whether the zero of a double and of a text has one hangs on more.
fn float(column: &ColumnDefinition, literal: &DeclaredDefault) -> Option<String> {
    let text = match literal {
        DeclaredDefault::Text(_) | DeclaredDefault::Number(_) => plain(literal)?,
        DeclaredDefault::Hex(_) | DeclaredDefault::Bit(_) => number(literal, 0)?,
        _ => return None,
    };
    let wide: f64 = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'))
        .then(|| text.parse().ok())
        .flatten()?;
    if !wide.is_finite() || (column.declared.contains(',') && wide.fract() != 0.0) {
        return None;
    }
    if wide == 0.0 && wide.is_sign_negative() {
        let exact = matches!(literal, DeclaredDefault::Number(number) if !number.contains(['e', 'E']));
        return exact.then(|| "0".to_owned());
    }
    Some(wide.to_string())
}

fn bit(literal: &DeclaredDefault, width: usize) -> Option<String> {
    let number = match literal {
        DeclaredDefault::Text(_) => return None,
        other => number(other, 0)?.parse::<u64>().ok()?,
    };
    let bits = format!("{number:0width$b}");
    (bits.len() == width).then_some(bits)
}

fn year(literal: &DeclaredDefault) -> Option<u16> {
    let text = plain(literal)?;
    let year: u16 = text.parse().ok()?;
    let zero = year == 0 && (text.len() == 4 || matches!(literal, DeclaredDefault::Number(_)));
    (zero || (text.len() == 4 && (1901..=2155).contains(&year))).then_some(year)
}

/// Digits of a fixed number at a fixed place.
fn digits(text: &str, from: usize, length: usize) -> Option<i64> {
    let part = text.get(from..from + length)?;
    part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten()
}

pub(super) fn date(text: &str) -> Option<Value> {
    if text == "0" {
        return Some(Value::ZeroDate);
    }
    let (year, month, day) = if text.len() == 8 {
        (digits(text, 0, 4)?, digits(text, 4, 2)?, digits(text, 6, 2)?)
    } else if text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-") {
        (digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?)
    } else {
        return None;
    };
    if year == 0 || month == 0 || day == 0 {
        return Some(Value::ZeroDate);
    }
    days(year, month, day)?;
    Some(Value::Date(format!("{year:04}-{month:02}-{day:02}")))
}

pub(super) fn date_time(text: &str, fraction: u8) -> Option<Value> {
    let (day, rest) = match text.split_at_checked(10) {
        Some((day, rest)) => (day, rest),
        None => (text, ""),
    };
    let day = match date(day)? {
        Value::Date(day) => day,
        zero => return Some(zero),
    };
    if rest.is_empty() {
        return Some(Value::DateTime(format!("{day} 00:00:00")));
    }
    let clock = rest.strip_prefix(' ').or_else(|| rest.strip_prefix('T'))?;
    let (clock, places) = clock.split_once('.').unwrap_or((clock, ""));
    let plain = clock.len() == 8 && clock.get(2..3) == Some(":") && clock.get(5..6) == Some(":");
    let (hour, minute, second) = (digits(clock, 0, 2)?, digits(clock, 3, 2)?, digits(clock, 6, 2)?);
    if !plain || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(Value::DateTime(format!("{day} {clock}{}", places_of(places, fraction)?)))
}

/// `.ffffff` of at most `fraction` digits; empty when there are none.
fn places_of(places: &str, fraction: u8) -> Option<String> {
    let places = places.trim_end_matches('0');
    if !places.bytes().all(|byte| byte.is_ascii_digit()) || places.len() > usize::from(fraction) {
        return None;
    }
    Some(if places.is_empty() { String::new() } else { format!(".{places}") })
}

/// A local time of a zone as the time in UTC.
fn in_utc(local: &str, offset_seconds: i32) -> Option<String> {
    let day = days(digits(local, 0, 4)?, digits(local, 5, 2)?, digits(local, 8, 2)?)?;
    let clock = digits(local, 11, 2)? * 3600 + digits(local, 14, 2)? * 60 + digits(local, 17, 2)?;
    let utc = super::calendar::date_time(day * 86_400 + clock - i64::from(offset_seconds))?;
    Some(format!("{utc}{}", local.get(19..)?))
}

pub(super) fn time(text: &str, fraction: u8) -> Option<Value> {
    if text == "0" {
        return Some(Value::Time("00:00:00".into()));
    }
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (clock, places) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let (hour, rest) = clock.split_once(':')?;
    let hours = digits(hour, 0, hour.len()).filter(|hours| *hours <= 838)?;
    let plain = rest.len() == 5 && rest.get(2..3) == Some(":");
    let (minute, second) = (digits(rest, 0, 2)?, digits(rest, 3, 2)?);
    if !plain || minute > 59 || second > 59 {
        return None;
    }
    let places = places_of(places, fraction)?;
    Some(Value::Time(format!("{sign}{hours:02}:{minute:02}:{second:02}{places}")))
}

/// Text of a text column. A number is stored as it is printed.
fn text(literal: &DeclaredDefault) -> Option<String> {
    match literal {
        DeclaredDefault::Text(text) => Some(text.clone()),
        DeclaredDefault::Number(number) => number_text(number),
        DeclaredDefault::Hex(_) | DeclaredDefault::Bit(_) => {
            String::from_utf8(bytes(literal)?).ok().filter(|text| text.is_ascii())
        }
        _ => None,
    }
}

/// An exact number as it is printed: zeros after the point count.
pub(super) fn number_text(number: &str) -> Option<String> {
    let places = number.split_once('.').map_or(0, |(_, places)| places.len());
    let canonical = decimal(number, places)?;
    let tail = number.split_once('.').map_or("", |(_, places)| places);
    let whole = canonical.split_once('.').map_or(canonical.as_str(), |(whole, _)| whole);
    Some(if tail.is_empty() { whole.to_owned() } else { format!("{whole}.{tail}") })
}

/// A string. A number as the default of ENUM or SET is a label to MySQL 9.7 and a label's number to MySQL 5.6 and MariaDB.
fn written(literal: &DeclaredDefault) -> Option<&str> {
    match literal {
        DeclaredDefault::Text(text) => Some(text),
        _ => None,
    }
}

/// Bytes of a binary column. A string's bytes depend on the session's character set unless they are ASCII.
fn bytes(literal: &DeclaredDefault) -> Option<Vec<u8>> {
    match literal {
        DeclaredDefault::Hex(_) | DeclaredDefault::Bit(_) => radix_bytes(literal),
        DeclaredDefault::Text(_) | DeclaredDefault::Number(_) => {
            text(literal).filter(|text| text.is_ascii()).map(String::into_bytes)
        }
        _ => None,
    }
}

/// The bytes of a hexadecimal or binary literal.
pub(super) fn radix_bytes(literal: &DeclaredDefault) -> Option<Vec<u8>> {
    let (digits, radix, width) = match literal {
        DeclaredDefault::Hex(digits) => (digits, 16, 2),
        DeclaredDefault::Bit(digits) => (digits, 2, 8),
        _ => return None,
    };
    let padding = (width - digits.len() % width) % width;
    let padded = format!("{}{digits}", "0".repeat(padding));
    let byte = |at| u8::from_str_radix(padded.get(at..at + width)?, radix).ok();
    (0..padded.len()).step_by(width).map(byte).collect()
}

/// A label as it is declared: MySQL finds the first that is equal in the column's collation. `None` where that is not plain.
pub(super) fn label(labels: &[String], text: &str) -> Option<String> {
    let text = text.trim_end_matches(' ');
    if !text.is_ascii() || labels.iter().any(|label| !label.is_ascii()) {
        return None;
    }
    let mut alike = labels.iter().filter(|label| label.eq_ignore_ascii_case(text));
    match (alike.next(), alike.next()) {
        (Some(one), None) => Some(one.clone()),
        _ => None,
    }
}

/// Labels of a set in declared order.
pub(super) fn set(labels: &[String], text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let chosen: Vec<String> = text.split(',').map(|part| label(labels, part)).collect::<Option<_>>()?;
    let ordered: Vec<&str> =
        labels.iter().filter(|label| chosen.contains(label)).map(String::as_str).collect();
    Some(ordered.join(","))
}
