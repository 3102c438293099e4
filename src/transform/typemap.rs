//! The table of type pairs: what a MySQL type becomes by itself, and which codec carries it into a type that is asked for.
//!
//! What must never happen here: a pair for which a value of the source has not exactly one value of the target, apart from
//! what the policies decide.

use super::charset::{self, Decoder};
use super::encode::address::Address;
use super::encode::label::Labels;
use super::encode::number::IntegerTarget;
use super::encode::temporal::DatePolicy;
use super::encode::text::TextPolicy;
use super::plan::codec::Codec;
use super::rules::Rules;
use crate::change::TargetType;
use crate::change::policy::{TimeAs, TinyInt1, ZeroDates};
use crate::schema::{Charset, MySqlType};
use std::collections::HashSet;

mod parse;

pub(super) use parse::parse_target_type;

/// What becomes of a column's values that its target cannot hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColumnPolicies {
    pub(super) text: TextPolicy,
    pub(super) dates: DatePolicy,
}

impl ColumnPolicies {
    /// For where no value is encoded. Which pairs there are does not depend on policies.
    pub(super) const STRICT: Self = Self {
        text: TextPolicy::STRICT,
        dates: DatePolicy { zero_dates: ZeroDates::Error, nullable: false, in_key: None },
    };
}

/// The row of one MySQL type.
pub(super) struct Row<'a> {
    /// The target type where the config names none; `None` for a type that is not carried.
    pub(super) default: Option<TargetType>,
    /// Why the type is not carried into any target type.
    pub(super) refused: Option<Refused<'a>>,
    /// Why different values may become one, in words: such a column cannot be part of a key.
    pub(super) merges: Option<String>,
    codec: Box<Codecs<'a>>,
}

/// The codec for each target type that has one.
type Codecs<'a> = dyn Fn(&TargetType) -> Option<Codec> + 'a;

/// What of a declaration makes its values uncertain.
pub(super) enum Refused<'a> {
    /// A character set that is not decoded, and why.
    Charset(&'a str, &'static str),
    /// A label that may not be the real one: `information_schema` prints labels in utf8mb3, and a question mark for every
    /// character outside of it (seen on 9.7; SHOW CREATE TABLE does the same). Rows of the log hold the number only, so what
    /// such a mark stands for cannot be known. Character sets of which every code has its utf8mb3 are not in doubt.
    Label(&'a str),
}

impl<'a> Row<'a> {
    fn new(default: TargetType, codec: impl Fn(&TargetType) -> Option<Codec> + 'a) -> Self {
        Self { default: Some(default), refused: None, merges: None, codec: Box::new(codec) }
    }

    /// The codec into a target type; `None` when the two do not go together.
    pub(super) fn codec(&self, target: &TargetType) -> Option<Codec> {
        (self.codec)(target)
    }
}

/// The type a column gets when the config names none; `None` for a type that is not carried.
pub(super) fn default_type(source: &MySqlType, rules: &Rules) -> Option<TargetType> {
    let default = row(source, ColumnPolicies::STRICT).default?;
    let truth = matches!(source, MySqlType::TinyInt { unsigned: false, display_one: true });
    Some(match default {
        TargetType::Smallint if truth && rules.tinyint1 == TinyInt1::Boolean => TargetType::Boolean,
        TargetType::Interval(digits) if rules.time == TimeAs::Time => TargetType::Time(digits),
        default => default,
    })
}

/// The table.
pub(super) fn row(source: &MySqlType, policies: ColumnPolicies) -> Row<'_> {
    use MySqlType as M;
    use TargetType as T;
    let ColumnPolicies { text: texts, dates } = policies;
    let nul = texts.nul_bytes;
    match source {
        M::TinyInt { unsigned, .. } => Row::new(T::Smallint, |to| integer(8, *unsigned, to)),
        M::SmallInt { unsigned } => {
            Row::new(if *unsigned { T::Integer } else { T::Smallint }, |to| integer(16, *unsigned, to))
        }
        M::MediumInt { unsigned } => Row::new(T::Integer, |to| integer(24, *unsigned, to)),
        M::Int { unsigned } => {
            Row::new(if *unsigned { T::Bigint } else { T::Integer }, |to| integer(32, *unsigned, to))
        }
        M::BigInt { unsigned } => {
            let default = if *unsigned { T::Numeric(Some((20, 0))) } else { T::Bigint };
            Row::new(default, |to| integer(64, *unsigned, to))
        }
        M::Year => Row::new(T::Integer, |to| whole_number(12, to).map(Codec::Year)),
        M::Decimal { precision, scale } => {
            let default = T::Numeric(Some((u16::from(*precision), u16::from(*scale))));
            Row::new(default, |to| decimal(*precision, *scale, to))
        }
        M::Float => Row::new(T::Real, |to| match to {
            T::Real => Some(Codec::Float),
            T::Double => Some(Codec::Double),
            _ => None,
        }),
        M::Double => Row::new(T::Double, |to| (*to == T::Double).then_some(Codec::Double)),
        M::Bit { bits } => Row::new(T::Bit(u32::from(*bits)), |to| match to {
            T::Bit(length) if *length == u32::from(*bits) => Some(Codec::Bit(*bits)),
            T::Boolean if *bits == 1 => Some(Codec::BitBoolean),
            _ => None,
        }),
        M::Date => Row::new(T::Date, move |to| (*to == T::Date).then_some(Codec::Date(dates))),
        M::Time { fraction, .. } => Row::new(T::Interval(*fraction), |to| match to {
            T::Interval(digits) if digits >= fraction => Some(Codec::Interval),
            // Spans beyond a day have no time of day: an error when they come.
            T::Time(digits) if digits >= fraction => Some(Codec::Time),
            _ => None,
        }),
        M::DateTime { fraction, .. } => Row::new(T::Timestamp(*fraction), move |to| match to {
            T::Timestamp(digits) if digits >= fraction => Some(Codec::DateTime(dates)),
            _ => None,
        }),
        M::Timestamp { fraction, .. } => Row::new(T::TimestampTz(*fraction), move |to| match to {
            T::TimestampTz(digits) if digits >= fraction => Some(Codec::Timestamp(dates)),
            // The same instant as clocks show it in UTC, which is the same number.
            T::Timestamp(digits) if digits >= fraction => Some(Codec::Timestamp(dates)),
            _ => None,
        }),
        // The target has no varchar(0).
        M::Char { length, charset } | M::VarChar { length, charset } => {
            text(T::Varchar(Some((*length).max(1))), Some(*length), charset, texts)
        }
        // So MariaDB declares its JSON.
        M::Text { length_bytes: 4, charset } if charset.collation == "utf8mb4_bin" => {
            let as_text = text(T::Text, None, charset, texts);
            Row::new(T::Text, move |to| match to {
                T::Jsonb => Some(Codec::JsonText { jsonb: true, nul }),
                T::Json => Some(Codec::JsonText { jsonb: false, nul }),
                to => as_text.codec(to),
            })
        }
        M::Text { charset, .. } => text(T::Text, None, charset, texts),
        M::Binary { length } => Row::new(T::Bytea, |to| match (to, usize::try_from(*length)) {
            (T::Bytea, Ok(length)) => Some(Codec::Padded(length)),
            (T::Uuid, Ok(16)) => Some(Codec::Padded(16)),
            _ => None,
        }),
        M::VarBinary { .. } | M::Blob { .. } => {
            Row::new(T::Bytea, |to| (*to == T::Bytea).then_some(Codec::Bytes))
        }
        M::Enum { labels, charset } => {
            let longest = labels.iter().map(|label| label.chars().count()).max();
            labelled(labels, charset, longest.unwrap_or(0), Codec::Enum)
        }
        M::Set { labels, charset } => {
            let all: usize = labels.iter().map(|label| label.chars().count() + 1).sum();
            labelled(labels, charset, all.saturating_sub(1), Codec::Set)
        }
        M::Json => Row::new(T::Jsonb, move |to| match to {
            T::Jsonb => Some(Codec::Json { jsonb: true, nul }),
            T::Json | T::Text | T::Varchar(None) => Some(Codec::Json { jsonb: false, nul }),
            _ => None,
        }),
        M::Geometry { .. } => {
            Row::new(T::Bytea, |to| matches!(to, T::Bytea | T::Geometry).then_some(Codec::Geometry))
        }
        M::Vector { .. } => Row::new(T::RealArray, |to| (*to == T::RealArray).then_some(Codec::Vector)),
        M::Uuid => address(T::Uuid, Address::Uuid),
        M::Inet4 => address(T::Inet, Address::Inet4),
        M::Inet6 => address(T::Inet, Address::Inet6),
        M::Unknown { .. } => Row { default: None, refused: None, merges: None, codec: Box::new(|_| None) },
    }
}

fn address(default: TargetType, kind: Address) -> Row<'static> {
    let own = default.clone();
    Row::new(default, move |to| {
        let as_text = takes_text(to, Some(kind.longest()));
        (as_text || *to == own).then_some(Codec::Address { kind, as_text })
    })
}

fn integer(bits: u8, unsigned: bool, to: &TargetType) -> Option<Codec> {
    let codec = if unsigned { Codec::Unsigned } else { Codec::Signed };
    // Anything but 0 and 1 is an error when it comes.
    if *to == TargetType::Boolean {
        return (bits == 8).then_some(codec(IntegerTarget::Boolean));
    }
    // What is beyond a bigint is an error when it comes.
    if unsigned && bits == 64 && *to == TargetType::Bigint {
        return Some(codec(IntegerTarget::Bigint));
    }
    whole_number(if unsigned { bits } else { bits - 1 }, to).map(codec)
}

/// The way into an integer-like target for numbers of so many bits without the sign.
fn whole_number(bits: u8, to: &TargetType) -> Option<IntegerTarget> {
    match to {
        TargetType::Smallint if bits <= 15 => Some(IntegerTarget::Smallint),
        TargetType::Integer if bits <= 31 => Some(IntegerTarget::Integer),
        TargetType::Bigint if bits <= 63 => Some(IntegerTarget::Bigint),
        TargetType::Numeric(None) => Some(IntegerTarget::Numeric),
        TargetType::Numeric(Some((precision, scale))) if precision.saturating_sub(*scale) >= digits(bits) => {
            Some(IntegerTarget::Numeric)
        }
        TargetType::Text | TargetType::Varchar(None) => Some(IntegerTarget::Text),
        // With a sign.
        TargetType::Varchar(Some(length)) if *length > digits(bits).into() => Some(IntegerTarget::Text),
        _ => None,
    }
}

/// Decimal digits of the largest number of so many bits, 64 at most: the logarithm of 2 is a little more than 0.3.
pub(super) fn digits(bits: u8) -> u16 {
    u16::from(bits) * 3 / 10 + 1
}

fn decimal(precision: u8, scale: u8, to: &TargetType) -> Option<Codec> {
    match to {
        TargetType::Numeric(None) => Some(Codec::Decimal { precision, scale }),
        TargetType::Numeric(Some((wide, behind)))
            if *behind >= scale.into()
                && wide.checked_sub(*behind)? >= precision.checked_sub(scale)?.into() =>
        {
            Some(Codec::Decimal { precision, scale })
        }
        // Sign, point and a zero before it come on top.
        TargetType::Varchar(Some(length)) if *length < u32::from(precision) + 3 => None,
        TargetType::Text | TargetType::Varchar(_) => Some(Codec::DecimalText { precision, scale }),
        _ => None,
    }
}

/// Texts of at most `length` characters (`None`: any).
fn text(default: TargetType, length: Option<u32>, charset: &Charset, policy: TextPolicy) -> Row<'_> {
    let decoder = Decoder::of(&charset.name);
    Row {
        default: Some(default),
        refused: decoder.err().map(|why| Refused::Charset(&charset.name, why)),
        merges: charset::merges(&charset.name)
            .then(|| format!("different characters of {} are one in Unicode", charset.name)),
        codec: Box::new(move |to| {
            let decoder = decoder.ok().filter(|_| takes_text(to, length))?;
            Some(Codec::Text { decoder, policy })
        }),
    }
}

/// Texts of at most `longest` characters, made of labels: they are in UTF-8 already, and so tell their labels apart.
fn labelled<'a>(
    labels: &'a [String],
    charset: &'a Charset,
    longest: usize,
    codec: fn(Box<Labels>) -> Codec,
) -> Row<'a> {
    let undecoded = Decoder::of(&charset.name).err().map(|why| Refused::Charset(&charset.name, why));
    let sure = matches!(charset.name.as_str(), "utf8mb3" | "latin1" | "ascii");
    let doubtful = labels.iter().find(|label| !sure && label.contains('?'));
    // Number 0 is '' as well, and so is an empty SET.
    let mut seen = HashSet::from([""]);
    let merges = labels.iter().any(|label| !seen.insert(label));
    Row {
        default: Some(TargetType::Text),
        refused: undecoded.or(doubtful.map(|label| Refused::Label(label))),
        merges: merges.then(|| "one of its labels is the empty string or there twice".to_owned()),
        codec: Box::new(move |to| {
            takes_text(to, u32::try_from(longest).ok()).then(|| codec(Box::new(Labels::new(labels))))
        }),
    }
}

/// Whether every text of at most `length` characters (`None`: any) fits the target.
fn takes_text(to: &TargetType, length: Option<u32>) -> bool {
    match to {
        TargetType::Text | TargetType::Varchar(None) => true,
        TargetType::Varchar(Some(room)) => length.is_some_and(|length| length <= *room),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
