//! Which codec carries a MySQL type into a target type: only pairs where every value of the source has exactly one
//! value of the target, apart from what the policies decide.

use super::codec::Codec;
use crate::change::TargetType;
use crate::change::policy::NulBytes;
use crate::schema::MySqlType;
use crate::transform::charset::Decoder;
use crate::transform::encode::label::Labels;
use crate::transform::encode::number::IntegerTarget;
use crate::transform::encode::temporal::DatePolicy;

/// A character set that cannot be decoded exactly.
pub(super) struct RefusedCharset {
    pub(super) charset: String,
    pub(super) why: &'static str,
}

/// The codec for a pair of types; `None` when there is none.
pub(super) fn codec(
    source: &MySqlType,
    target: &TargetType,
    nul: NulBytes,
    dates: DatePolicy,
) -> Result<Option<Codec>, RefusedCharset> {
    Ok(match source {
        MySqlType::TinyInt { unsigned, .. } => integer(*unsigned, 8, target),
        MySqlType::SmallInt { unsigned } => integer(*unsigned, 16, target),
        MySqlType::MediumInt { unsigned } => integer(*unsigned, 24, target),
        MySqlType::Int { unsigned } => integer(*unsigned, 32, target),
        MySqlType::BigInt { unsigned } => integer(*unsigned, 64, target),
        MySqlType::Year => integer_target(12, 4, target).map(Codec::Year),
        MySqlType::Decimal { precision, scale } => decimal(*precision, *scale, target),
        MySqlType::Float => match target {
            TargetType::Real => Some(Codec::Float),
            TargetType::Double => Some(Codec::Double),
            _ => None,
        },
        MySqlType::Double => (*target == TargetType::Double).then_some(Codec::Double),
        MySqlType::Bit { bits } => match target {
            TargetType::Bit(length) if *length == u32::from(*bits) => Some(Codec::Bit(*bits)),
            TargetType::Boolean if *bits == 1 => Some(Codec::BitBoolean),
            _ => None,
        },
        MySqlType::Date => (*target == TargetType::Date).then_some(Codec::Date(dates)),
        MySqlType::Time { fraction, .. } => match target {
            TargetType::Interval(digits) if digits >= fraction => Some(Codec::Interval),
            TargetType::Time(digits) if digits >= fraction => Some(Codec::Time),
            _ => None,
        },
        MySqlType::DateTime { fraction, .. } => match target {
            TargetType::Timestamp(digits) if digits >= fraction => Some(Codec::DateTime(dates)),
            _ => None,
        },
        MySqlType::Timestamp { fraction, .. } => match target {
            TargetType::TimestampTz(digits) if digits >= fraction => Some(Codec::Timestamp(dates)),
            _ => None,
        },
        MySqlType::Char { length, charset } | MySqlType::VarChar { length, charset } => {
            text_fits(target, Some(*length)).then_some(text(&charset.name, nul)?)
        }
        MySqlType::Text { charset, .. } => text_fits(target, None).then_some(text(&charset.name, nul)?),
        MySqlType::Binary { length } => match (target, usize::try_from(*length)) {
            (TargetType::Bytea, Ok(length)) => Some(Codec::Padded(length)),
            (TargetType::Uuid, Ok(16)) => Some(Codec::Padded(16)),
            _ => None,
        },
        MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => {
            (*target == TargetType::Bytea).then_some(Codec::Bytes)
        }
        MySqlType::Enum { labels, .. } => {
            let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
            text_fits(target, u32::try_from(longest).ok()).then(|| Codec::Enum(Box::new(Labels::new(labels))))
        }
        MySqlType::Set { labels, .. } => {
            let longest: usize = labels.iter().map(|label| label.chars().count() + 1).sum();
            text_fits(target, u32::try_from(longest.saturating_sub(1)).ok())
                .then(|| Codec::Set(Box::new(Labels::new(labels))))
        }
        MySqlType::Json => match target {
            TargetType::Jsonb => Some(Codec::Json { jsonb: true, nul }),
            TargetType::Json | TargetType::Text | TargetType::Varchar(None) => {
                Some(Codec::Json { jsonb: false, nul })
            }
            _ => None,
        },
        MySqlType::Geometry { .. } => {
            matches!(target, TargetType::Bytea | TargetType::Geometry).then_some(Codec::Geometry)
        }
        MySqlType::Vector { .. } => (*target == TargetType::RealArray).then_some(Codec::Vector),
        MySqlType::Unknown { .. } => None,
    })
}

fn integer(unsigned: bool, bits: u8, target: &TargetType) -> Option<Codec> {
    let digits = match bits {
        8 => 3,
        16 => 5,
        24 if unsigned => 8,
        24 => 7,
        32 => 10,
        _ if unsigned => 20,
        _ => 19,
    };
    let codec = if unsigned { Codec::Unsigned } else { Codec::Signed };
    // One bit less for the sign.
    let bits = if unsigned { bits } else { bits - 1 };
    if *target == TargetType::Boolean {
        return (bits <= 8).then_some(codec(IntegerTarget::Boolean));
    }
    integer_target(bits, digits, target).map(codec)
}

/// The way into an integer-like target for numbers of so many bits without sign and so many decimal digits.
fn integer_target(bits: u8, digits: u16, target: &TargetType) -> Option<IntegerTarget> {
    match target {
        TargetType::Smallint if bits <= 15 => Some(IntegerTarget::Smallint),
        TargetType::Integer if bits <= 31 => Some(IntegerTarget::Integer),
        TargetType::Bigint if bits <= 63 => Some(IntegerTarget::Bigint),
        TargetType::Numeric(None) => Some(IntegerTarget::Numeric),
        TargetType::Numeric(Some((precision, scale))) if precision.saturating_sub(*scale) >= digits => {
            Some(IntegerTarget::Numeric)
        }
        TargetType::Text => Some(IntegerTarget::Text),
        // With a sign.
        TargetType::Varchar(length) if length.is_none_or(|length| length > digits.into()) => {
            Some(IntegerTarget::Text)
        }
        _ => None,
    }
}

fn decimal(precision: u8, scale: u8, target: &TargetType) -> Option<Codec> {
    match target {
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

/// Whether a text of at most `length` characters (`None`: any) fits the target.
fn text_fits(target: &TargetType, length: Option<u32>) -> bool {
    match target {
        TargetType::Text | TargetType::Varchar(None) => true,
        TargetType::Varchar(Some(room)) => length.is_some_and(|length| length <= *room),
        _ => false,
    }
}

fn text(charset: &str, nul: NulBytes) -> Result<Codec, RefusedCharset> {
    match Decoder::of(charset) {
        Ok(decoder) => Ok(Codec::Text { decoder, nul }),
        Err(why) => Err(RefusedCharset { charset: charset.to_owned(), why }),
    }
}
