//! A key as the target prints it, as literals of the source.
//!
//! What must never happen here: a literal of another key.

use crate::change::TargetType;
use crate::change::policy::KeyDates;
use crate::schema::{Column, MySqlType};
use crate::transform::mapping::is_dated;
use crate::transform::stands_for;

/// The source's literal for a value of a key column that the target, whose column is of type `target`, prints as `text`. `None` when
/// none is known: the value is then of no row of the source.
pub fn literal(column: &Column, target: &TargetType, text: &str) -> Option<String> {
    match &column.data_type {
        MySqlType::TinyInt { .. }
        | MySqlType::SmallInt { .. }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { .. }
        | MySqlType::BigInt { .. }
        | MySqlType::Decimal { .. }
        | MySqlType::Year => match (target, text) {
            (TargetType::Boolean, "true") => Some("1".to_owned()),
            (TargetType::Boolean, "false") => Some("0".to_owned()),
            _ => is_number(text).then(|| text.to_owned()),
        },
        MySqlType::Float | MySqlType::Double => {
            let value: f64 = text.parse().ok()?;
            // The exponent marks it as a double and not a DECIMAL.
            value.is_finite().then(|| format!("{value:e}"))
        }
        MySqlType::Bit { .. } if *target == TargetType::Boolean => match text {
            "true" => Some("1".to_owned()),
            "false" => Some("0".to_owned()),
            _ => None,
        },
        MySqlType::Bit { .. } => u64::from_str_radix(text, 2).ok().map(|number| number.to_string()),
        MySqlType::Enum { labels, .. } => {
            let place = if text.is_empty() {
                Some(0)
            } else {
                labels.iter().position(|label| label == text).map(|at| at + 1)
            };
            place.map(|number| number.to_string())
        }
        MySqlType::Set { labels, .. } => {
            let members = text.split(',').filter(|member| !member.is_empty());
            let bits = members
                .map(|member| labels.iter().position(|label| label == member))
                .map(|at| 1u64.checked_shl(u32::try_from(at?).ok()?));
            bits.sum::<Option<u64>>().map(|number| number.to_string())
        }
        MySqlType::Date
        | MySqlType::DateTime { .. }
        | MySqlType::Timestamp { .. }
        | MySqlType::Time { .. } => {
            let behind = text.strip_suffix(" BC").map(behind_stand_in);
            let text = match &behind {
                Some(date) => date.as_ref()?,
                None => text,
            };
            let text = text.strip_suffix("+00").unwrap_or(text);
            let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b' ');
            (!text.is_empty() && text.bytes().all(plain)).then(|| format!("'{text}'"))
        }
        MySqlType::Char { .. } | MySqlType::VarChar { .. } => {
            Some(format!("_utf8mb4 x'{}'", hex(text.as_bytes())))
        }
        MySqlType::Binary { .. } | MySqlType::VarBinary { .. } => {
            let digits = match target {
                TargetType::Uuid => text.replace('-', ""),
                _ => text.strip_prefix("\\x")?.to_owned(),
            };
            digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| format!("x'{digits}'"))
        }
        // `inet` as text ends with the width of its network, which is that of one address.
        MySqlType::Uuid | MySqlType::Inet4 | MySqlType::Inet6 => {
            let text = text.split('/').next().unwrap_or_default();
            let plain = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b':' | b'.');
            (!text.is_empty() && text.bytes().all(plain)).then(|| format!("'{text}'"))
        }
        // They are no keys.
        MySqlType::Text { .. }
        | MySqlType::Blob { .. }
        | MySqlType::Json
        | MySqlType::Geometry { .. }
        | MySqlType::Vector { .. }
        | MySqlType::Unknown { .. } => None,
    }
}

/// A date before Christ stands for one that the target has not; what follows the date is the time of the day.
fn behind_stand_in(text: &str) -> Option<String> {
    let (date, time) = text.split_at_checked(text.find(' ').unwrap_or(text.len()))?;
    let mut parts = date.splitn(3, '-').map(str::parse::<u32>);
    let mut part = || parts.next()?.ok();
    let date = stands_for(part()?, part()?, part()?)?;
    Some(format!("{date}{time}"))
}

/// Whether what the target prints of a column of type `target` is known as a literal of the source's column.
pub fn is_known(column: &Column, target: &TargetType) -> bool {
    use TargetType as T;
    let as_text = matches!(target, T::Text | T::Varchar(_));
    match &column.data_type {
        MySqlType::TinyInt { .. }
        | MySqlType::SmallInt { .. }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { .. }
        | MySqlType::BigInt { .. }
        | MySqlType::Decimal { .. }
        | MySqlType::Year => {
            as_text || matches!(target, T::Boolean | T::Smallint | T::Integer | T::Bigint | T::Numeric(_))
        }
        MySqlType::Float | MySqlType::Double => matches!(target, T::Real | T::Double),
        MySqlType::Bit { .. } => matches!(target, T::Bit(_) | T::Boolean),
        MySqlType::Enum { .. }
        | MySqlType::Set { .. }
        | MySqlType::Char { .. }
        | MySqlType::VarChar { .. } => as_text,
        MySqlType::Date => matches!(target, T::Date),
        MySqlType::DateTime { .. } => matches!(target, T::Timestamp(_)),
        MySqlType::Timestamp { .. } => matches!(target, T::TimestampTz(_) | T::Timestamp(_)),
        MySqlType::Time { .. } => matches!(target, T::Interval(_) | T::Time(_)),
        MySqlType::Binary { .. } => matches!(target, T::Bytea | T::Uuid),
        MySqlType::VarBinary { .. } => matches!(target, T::Bytea),
        MySqlType::Uuid => as_text || matches!(target, T::Uuid),
        MySqlType::Inet4 | MySqlType::Inet6 => as_text || matches!(target, T::Inet),
        MySqlType::Text { .. }
        | MySqlType::Blob { .. }
        | MySqlType::Json
        | MySqlType::Geometry { .. }
        | MySqlType::Vector { .. }
        | MySqlType::Unknown { .. } => false,
    }
}

/// Whether source and target order the values of a key column alike: a range of one is then the range of the other.
pub fn is_ordered_alike(column: &Column, target: &TargetType, dates: KeyDates) -> bool {
    if dates == KeyDates::Bc && is_dated(&column.data_type) {
        // 2024-00-10 comes before all dates of the target.
        return false;
    }
    // MariaDB orders UUIDs by their time.
    let by_text = matches!(
        column.data_type,
        MySqlType::Char { .. }
            | MySqlType::VarChar { .. }
            | MySqlType::Enum { .. }
            | MySqlType::Set { .. }
            | MySqlType::Uuid
    );
    let as_text = matches!(
        target,
        TargetType::Varchar(_)
            | TargetType::Text
            | TargetType::Json
            | TargetType::Jsonb
            | TargetType::RealArray
            | TargetType::Geometry
            | TargetType::Other(_)
    );
    !by_text && !as_text
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let of_digits = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    of_digits && digits.starts_with(|first: char| first.is_ascii_digit()) && digits.matches('.').count() <= 1
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
