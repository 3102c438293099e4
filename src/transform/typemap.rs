//! Which target type a MySQL type becomes, and what happens to values when the user wants another.

use super::rules::Rules;
use crate::change::TargetType;
use crate::change::policy::{TimeAs, TinyInt1};
use crate::schema::MySqlType;

mod parse;

pub use parse::parse_target_type;

/// What a target type does to the values of a source type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Every value has one exact form, and different values stay different.
    Exact,
    /// Values that fit are exact; others are an error when they come.
    Checked,
    /// Different values may become one.
    Lossy,
    /// No value can be carried.
    No,
}

/// The type a column gets when the config names none; `None` for a type that is not carried.
///
/// A key column keeps `TINYINT(1)` a number whatever `tinyint1` says: as booleans its values would merge.
pub fn default_type(source: &MySqlType, in_key: bool, rules: &Rules) -> Option<TargetType> {
    Some(match source {
        MySqlType::TinyInt { unsigned: false, display_one: true }
            if rules.tinyint1 == TinyInt1::Boolean && !in_key =>
        {
            TargetType::Boolean
        }
        MySqlType::TinyInt { .. } | MySqlType::SmallInt { unsigned: false } => TargetType::Smallint,
        MySqlType::SmallInt { unsigned: true }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { unsigned: false }
        | MySqlType::Year => TargetType::Integer,
        MySqlType::Int { unsigned: true } | MySqlType::BigInt { unsigned: false } => TargetType::Bigint,
        MySqlType::BigInt { unsigned: true } => TargetType::Numeric(Some((20, 0))),
        MySqlType::Decimal { precision, scale } => {
            TargetType::Numeric(Some((u16::from(*precision), u16::from(*scale))))
        }
        MySqlType::Float => TargetType::Real,
        MySqlType::Double => TargetType::Double,
        MySqlType::Bit { bits } => TargetType::Bit(u32::from(*bits)),
        MySqlType::Date => TargetType::Date,
        MySqlType::Time { fraction, .. } => match rules.time {
            TimeAs::Interval => TargetType::Interval(*fraction),
            TimeAs::Time => TargetType::Time(*fraction),
        },
        MySqlType::DateTime { fraction, .. } => TargetType::Timestamp(*fraction),
        MySqlType::Timestamp { fraction, .. } => TargetType::TimestampTz(*fraction),
        // The target has no varchar(0).
        MySqlType::Char { length, .. } | MySqlType::VarChar { length, .. } => {
            TargetType::Varchar(Some((*length).max(1)))
        }
        MySqlType::Text { .. } | MySqlType::Enum { .. } | MySqlType::Set { .. } => TargetType::Text,
        MySqlType::Binary { .. } | MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => TargetType::Bytea,
        MySqlType::Json => TargetType::Jsonb,
        MySqlType::Geometry { .. } if rules.postgis => TargetType::Geometry,
        MySqlType::Geometry { .. } => TargetType::Bytea,
        MySqlType::Vector { .. } => TargetType::RealArray,
        MySqlType::Unknown { .. } => return None,
    })
}

/// What becomes of the values of `source` in `target`.
pub fn fit(source: &MySqlType, target: &TargetType) -> Fit {
    match source {
        MySqlType::TinyInt { .. }
        | MySqlType::SmallInt { .. }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { .. }
        | MySqlType::BigInt { .. } => fit_integer(source, target),
        MySqlType::Year => match target {
            TargetType::Smallint | TargetType::Integer | TargetType::Bigint | TargetType::Text => Fit::Exact,
            TargetType::Varchar(length) => text_fit(4, *length),
            TargetType::Numeric(None) => Fit::Exact,
            _ => Fit::No,
        },
        MySqlType::Decimal { precision, scale } => match target {
            TargetType::Numeric(None) | TargetType::Text => Fit::Exact,
            TargetType::Numeric(Some((digits, places))) => {
                let whole = u16::from(*precision) - u16::from(*scale).min(u16::from(*precision));
                if *places < u16::from(*scale) {
                    Fit::Lossy
                } else if digits.saturating_sub(*places) >= whole {
                    Fit::Exact
                } else {
                    Fit::Checked
                }
            }
            // Sign, digits and a point.
            TargetType::Varchar(length) => text_fit(u32::from(*precision) + 3, *length),
            TargetType::Real | TargetType::Double => Fit::Lossy,
            _ => Fit::No,
        },
        MySqlType::Float => match target {
            TargetType::Real | TargetType::Double => Fit::Exact,
            TargetType::Text => Fit::Exact,
            TargetType::Numeric(_) => Fit::Lossy,
            _ => Fit::No,
        },
        MySqlType::Double => match target {
            TargetType::Double | TargetType::Text => Fit::Exact,
            TargetType::Real | TargetType::Numeric(_) => Fit::Lossy,
            _ => Fit::No,
        },
        MySqlType::Bit { bits } => match target {
            TargetType::Bit(wide) if *wide == u32::from(*bits) => Fit::Exact,
            TargetType::Boolean if *bits == 1 => Fit::Exact,
            TargetType::Smallint => at_most(u32::from(*bits), 15),
            TargetType::Integer => at_most(u32::from(*bits), 31),
            TargetType::Bigint => at_most(u32::from(*bits), 63),
            TargetType::Numeric(_) | TargetType::Text | TargetType::Bytea => Fit::Exact,
            _ => Fit::No,
        },
        MySqlType::Date
        | MySqlType::Time { .. }
        | MySqlType::DateTime { .. }
        | MySqlType::Timestamp { .. } => fit_temporal(source, target),
        MySqlType::Char { length, .. } | MySqlType::VarChar { length, .. } => fit_text(Some(*length), target),
        MySqlType::Text { .. } => fit_text(None, target),
        MySqlType::Enum { labels, .. } | MySqlType::Set { labels, .. } => match target {
            TargetType::Text | TargetType::Varchar(None) => label_fit(labels),
            TargetType::Varchar(Some(_)) => match label_fit(labels) {
                Fit::Exact => Fit::Checked,
                other => other,
            },
            _ => Fit::No,
        },
        MySqlType::Binary { length: 16 } if *target == TargetType::Uuid => Fit::Exact,
        MySqlType::VarBinary { length: 16 } if *target == TargetType::Uuid => Fit::Checked,
        MySqlType::Binary { .. } | MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => match target {
            TargetType::Bytea => Fit::Exact,
            _ => Fit::No,
        },
        MySqlType::Json => match target {
            TargetType::Json | TargetType::Jsonb | TargetType::Text => Fit::Exact,
            TargetType::Varchar(_) => Fit::Checked,
            _ => Fit::No,
        },
        MySqlType::Geometry { .. } => match target {
            TargetType::Bytea | TargetType::Geometry => Fit::Exact,
            _ => Fit::No,
        },
        MySqlType::Vector { .. } => match target {
            TargetType::RealArray => Fit::Exact,
            _ => Fit::No,
        },
        MySqlType::Unknown { .. } => Fit::No,
    }
}

fn at_most(needed: u32, offered: u32) -> Fit {
    if needed <= offered { Fit::Exact } else { Fit::Checked }
}

/// Text of at most `longest` characters in `varchar(length)`.
fn text_fit(longest: u32, length: Option<u32>) -> Fit {
    length.map_or(Fit::Exact, |length| at_most(longest, length))
}

/// Bits that a signed number needs to hold every value, and decimal digits of the longest.
pub(super) fn integer_size(source: &MySqlType) -> Option<(u32, u16)> {
    let (bits, unsigned, digits) = match source {
        MySqlType::TinyInt { unsigned, .. } => (8, *unsigned, 3),
        MySqlType::SmallInt { unsigned } => (16, *unsigned, 5),
        MySqlType::MediumInt { unsigned } => (24, *unsigned, if *unsigned { 8 } else { 7 }),
        MySqlType::Int { unsigned } => (32, *unsigned, 10),
        MySqlType::BigInt { unsigned } => (64, *unsigned, if *unsigned { 20 } else { 19 }),
        _ => return None,
    };
    Some((bits + u32::from(unsigned), digits))
}

fn fit_integer(source: &MySqlType, target: &TargetType) -> Fit {
    let Some((bits, digits)) = integer_size(source) else { return Fit::No };
    match target {
        TargetType::Boolean => Fit::Lossy,
        TargetType::Smallint => at_most(bits, 16),
        TargetType::Integer => at_most(bits, 32),
        TargetType::Bigint => at_most(bits, 64),
        TargetType::Numeric(None) | TargetType::Text => Fit::Exact,
        TargetType::Numeric(Some((precision, scale))) => {
            at_most(u32::from(digits), u32::from(precision.saturating_sub(*scale)))
        }
        TargetType::Varchar(length) => text_fit(u32::from(digits) + 1, *length),
        TargetType::Double if bits <= 53 => Fit::Exact,
        TargetType::Real if bits <= 24 => Fit::Exact,
        TargetType::Double | TargetType::Real => Fit::Lossy,
        _ => Fit::No,
    }
}

fn fit_temporal(source: &MySqlType, target: &TargetType) -> Fit {
    let keeps = |fraction: u8, digits: u8| if digits >= fraction { Fit::Exact } else { Fit::Lossy };
    match (source, target) {
        (MySqlType::Date, TargetType::Date | TargetType::Timestamp(_)) => Fit::Exact,
        (MySqlType::DateTime { fraction, .. }, TargetType::Timestamp(digits))
        | (
            MySqlType::Timestamp { fraction, .. },
            TargetType::TimestampTz(digits) | TargetType::Timestamp(digits),
        )
        | (MySqlType::Time { fraction, .. }, TargetType::Interval(digits)) => keeps(*fraction, *digits),
        (MySqlType::Time { fraction, .. }, TargetType::Time(digits)) => match keeps(*fraction, *digits) {
            // Spans beyond a day have no time of day.
            Fit::Exact => Fit::Checked,
            other => other,
        },
        (MySqlType::DateTime { .. } | MySqlType::Timestamp { .. }, TargetType::Date) => Fit::Lossy,
        (_, TargetType::Text) => Fit::Exact,
        (_, TargetType::Varchar(length)) => text_fit(32, *length),
        _ => Fit::No,
    }
}

fn fit_text(length: Option<u32>, target: &TargetType) -> Fit {
    match target {
        TargetType::Text | TargetType::Varchar(None) => Fit::Exact,
        TargetType::Varchar(Some(longest)) => length.map_or(Fit::Checked, |length| at_most(length, *longest)),
        // They drop what does not count in them: case, blanks, the order of keys.
        TargetType::Uuid | TargetType::Json | TargetType::Jsonb => Fit::Lossy,
        _ => Fit::No,
    }
}

/// Labels as text: number 0 is '' as well, and so is an empty SET.
fn label_fit(labels: &[String]) -> Fit {
    let merges = labels.iter().any(String::is_empty)
        || labels
            .iter()
            .enumerate()
            .any(|(at, label)| labels.iter().skip(at + 1).any(|other| other == label));
    if merges { Fit::Lossy } else { Fit::Exact }
}

/// Character sets in which different bytes are one Unicode character (seen by converting every code of MySQL 9.7 and
/// MariaDB 10.11): as a key's text they would merge rows.
pub(super) fn merging_charset(source: &MySqlType) -> Option<&str> {
    match source {
        MySqlType::Char { charset, .. }
        | MySqlType::VarChar { charset, .. }
        | MySqlType::Text { charset, .. }
        | MySqlType::Enum { charset, .. }
        | MySqlType::Set { charset, .. } => {
            ["cp932", "eucjpms"].contains(&charset.name.as_str()).then_some(charset.name.as_str())
        }
        _ => None,
    }
}

/// How MySQL writes a type, for messages.
pub(super) fn declared(source: &MySqlType) -> String {
    let unsigned = |name: &str, unsigned: bool| {
        if unsigned { format!("{name} UNSIGNED") } else { name.to_owned() }
    };
    let fraction = |name: &str, digits: u8| {
        if digits == 0 { name.to_owned() } else { format!("{name}({digits})") }
    };
    match source {
        MySqlType::TinyInt { unsigned: sign, .. } => unsigned("TINYINT", *sign),
        MySqlType::SmallInt { unsigned: sign } => unsigned("SMALLINT", *sign),
        MySqlType::MediumInt { unsigned: sign } => unsigned("MEDIUMINT", *sign),
        MySqlType::Int { unsigned: sign } => unsigned("INT", *sign),
        MySqlType::BigInt { unsigned: sign } => unsigned("BIGINT", *sign),
        MySqlType::Decimal { precision, scale } => format!("DECIMAL({precision},{scale})"),
        MySqlType::Float => "FLOAT".into(),
        MySqlType::Double => "DOUBLE".into(),
        MySqlType::Bit { bits } => format!("BIT({bits})"),
        MySqlType::Year => "YEAR".into(),
        MySqlType::Date => "DATE".into(),
        MySqlType::Time { fraction: digits, .. } => fraction("TIME", *digits),
        MySqlType::DateTime { fraction: digits, .. } => fraction("DATETIME", *digits),
        MySqlType::Timestamp { fraction: digits, .. } => fraction("TIMESTAMP", *digits),
        MySqlType::Char { length, .. } => format!("CHAR({length})"),
        MySqlType::VarChar { length, .. } => format!("VARCHAR({length})"),
        MySqlType::Text { .. } => "TEXT".into(),
        MySqlType::Binary { length } => format!("BINARY({length})"),
        MySqlType::VarBinary { length } => format!("VARBINARY({length})"),
        MySqlType::Blob { .. } => "BLOB".into(),
        MySqlType::Enum { .. } => "ENUM".into(),
        MySqlType::Set { .. } => "SET".into(),
        MySqlType::Json => "JSON".into(),
        MySqlType::Geometry { kind } => kind.to_uppercase(),
        MySqlType::Vector { dimensions } => format!("VECTOR({dimensions})"),
        MySqlType::Unknown { declared } => declared.clone(),
    }
}

#[cfg(test)]
mod tests;
