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
    /// Exact for the values that fit; the others are an error when they come.
    Checked,
    /// Different values become one.
    Merging,
    /// It cannot be carried.
    No,
}

/// The type a column gets when the config names none; `None` for a type that is not carried.
pub fn default_type(source: &MySqlType, rules: &Rules) -> Option<TargetType> {
    Some(match source {
        MySqlType::TinyInt { unsigned: false, display_one: true } if rules.tinyint1 == TinyInt1::Boolean => {
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
        MySqlType::Binary { .. }
        | MySqlType::VarBinary { .. }
        | MySqlType::Blob { .. }
        | MySqlType::Geometry { .. } => TargetType::Bytea,
        MySqlType::Json => TargetType::Jsonb,
        MySqlType::Vector { .. } => TargetType::RealArray,
        MySqlType::Unknown { .. } => return None,
    })
}

/// What becomes of the values of `source` in `target`: exactly the pairs that [`Plan`](super::Plan) can encode.
pub fn fit(source: &MySqlType, target: &TargetType) -> Fit {
    match source {
        MySqlType::TinyInt { .. }
        | MySqlType::SmallInt { .. }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { .. }
        | MySqlType::BigInt { .. } => fit_integer(source, target),
        MySqlType::Year => match target {
            TargetType::Smallint
            | TargetType::Integer
            | TargetType::Bigint
            | TargetType::Numeric(None)
            | TargetType::Text => Fit::Exact,
            TargetType::Numeric(Some((precision, scale))) => exact_if(precision.saturating_sub(*scale) >= 4),
            TargetType::Varchar(length) => exact_if(length.is_none_or(|length| length > 4)),
            _ => Fit::No,
        },
        MySqlType::Decimal { precision, scale } => match target {
            TargetType::Numeric(None) | TargetType::Text => Fit::Exact,
            TargetType::Numeric(Some((digits, places))) => {
                let whole = precision.saturating_sub(*scale);
                exact_if(*places >= u16::from(*scale) && digits.saturating_sub(*places) >= u16::from(whole))
            }
            // Sign, point and a zero before it.
            TargetType::Varchar(length) => {
                exact_if(length.is_none_or(|length| length >= u32::from(*precision) + 3))
            }
            _ => Fit::No,
        },
        MySqlType::Float => exact_if(matches!(target, TargetType::Real | TargetType::Double)),
        MySqlType::Double => exact_if(*target == TargetType::Double),
        MySqlType::Bit { bits } => match target {
            TargetType::Bit(wide) => exact_if(*wide == u32::from(*bits)),
            TargetType::Boolean => exact_if(*bits == 1),
            _ => Fit::No,
        },
        MySqlType::Date => exact_if(*target == TargetType::Date),
        MySqlType::Time { fraction, .. } => match target {
            TargetType::Interval(digits) => exact_if(digits >= fraction),
            // Spans beyond a day have no time of day.
            TargetType::Time(digits) if digits >= fraction => Fit::Checked,
            _ => Fit::No,
        },
        MySqlType::DateTime { fraction, .. } => match target {
            TargetType::Timestamp(digits) => exact_if(digits >= fraction),
            _ => Fit::No,
        },
        MySqlType::Timestamp { fraction, .. } => match target {
            TargetType::TimestampTz(digits) => exact_if(digits >= fraction),
            _ => Fit::No,
        },
        MySqlType::Char { length, .. } | MySqlType::VarChar { length, .. } => {
            exact_if(holds_text(target, Some(*length)))
        }
        MySqlType::Text { .. } => exact_if(holds_text(target, None)),
        MySqlType::Enum { labels, .. } => {
            let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
            label_fit(labels, holds_text(target, u32::try_from(longest).ok()))
        }
        MySqlType::Set { labels, .. } => {
            let longest: usize = labels.iter().map(|label| label.chars().count() + 1).sum();
            label_fit(labels, holds_text(target, u32::try_from(longest.saturating_sub(1)).ok()))
        }
        MySqlType::Binary { length } => {
            exact_if(*target == TargetType::Bytea || (*length == 16 && *target == TargetType::Uuid))
        }
        MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => exact_if(*target == TargetType::Bytea),
        MySqlType::Json => exact_if(matches!(
            target,
            TargetType::Jsonb | TargetType::Json | TargetType::Text | TargetType::Varchar(None)
        )),
        MySqlType::Geometry { .. } => exact_if(matches!(target, TargetType::Bytea | TargetType::Geometry)),
        MySqlType::Vector { .. } => exact_if(*target == TargetType::RealArray),
        MySqlType::Unknown { .. } => Fit::No,
    }
}

fn exact_if(exact: bool) -> Fit {
    if exact { Fit::Exact } else { Fit::No }
}

/// Whether every text of at most `length` characters (`None`: any) fits the target.
fn holds_text(target: &TargetType, length: Option<u32>) -> bool {
    match target {
        TargetType::Text | TargetType::Varchar(None) => true,
        TargetType::Varchar(Some(room)) => length.is_some_and(|length| length <= *room),
        _ => false,
    }
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
        // Anything but 0 and 1 is an error.
        TargetType::Boolean if bits <= 9 => Fit::Checked,
        TargetType::Smallint => exact_if(bits <= 16),
        TargetType::Integer => exact_if(bits <= 32),
        TargetType::Bigint => exact_if(bits <= 64),
        TargetType::Numeric(None) | TargetType::Text => Fit::Exact,
        TargetType::Numeric(Some((precision, scale))) => exact_if(precision.saturating_sub(*scale) >= digits),
        TargetType::Varchar(length) => exact_if(length.is_none_or(|length| length > u32::from(digits))),
        _ => Fit::No,
    }
}

/// Labels as text: number 0 is '' as well, and so is an empty SET.
fn label_fit(labels: &[String], holds: bool) -> Fit {
    let merges = labels.iter().any(String::is_empty)
        || labels
            .iter()
            .enumerate()
            .any(|(at, label)| labels.iter().skip(at + 1).any(|other| other == label));
    match (holds, merges) {
        (false, _) => Fit::No,
        (true, true) => Fit::Merging,
        (true, false) => Fit::Exact,
    }
}

/// The column's character set when different bytes of it are one Unicode character: as a key's text they would merge
/// rows. Labels are told apart by their texts already.
pub(super) fn merging_charset(source: &MySqlType) -> Option<&str> {
    charset_of(source).filter(|charset| !is_labelled(source) && super::charset::merges(charset))
}

/// Whether values are labels of a list.
pub(super) fn is_labelled(source: &MySqlType) -> bool {
    matches!(source, MySqlType::Enum { .. } | MySqlType::Set { .. })
}

/// A label that may not be the real one: `information_schema` prints labels in utf8mb3, and a question mark for every
/// character outside of it (seen on 9.7; SHOW CREATE TABLE does the same). Rows of the log hold the number only, so
/// what such a mark stands for cannot be known. Character sets of which every code has its utf8mb3 are not in doubt.
pub(super) fn doubtful_label(source: &MySqlType) -> Option<&str> {
    let (MySqlType::Enum { labels, charset } | MySqlType::Set { labels, charset }) = source else {
        return None;
    };
    let sure = matches!(charset.name.as_str(), "utf8mb3" | "latin1" | "ascii");
    labels.iter().map(String::as_str).find(|label| !sure && label.contains('?'))
}

/// The character set of a text type.
pub(super) fn charset_of(source: &MySqlType) -> Option<&str> {
    match source {
        MySqlType::Char { charset, .. }
        | MySqlType::VarChar { charset, .. }
        | MySqlType::Text { charset, .. }
        | MySqlType::Enum { charset, .. }
        | MySqlType::Set { charset, .. } => Some(&charset.name),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
