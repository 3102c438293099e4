//! One column's way from MySQL's bytes to its field, chosen when the plan is compiled.

use crate::change::policy::NulBytes;
use crate::schema::BoundColumn;
use crate::transform::charset::Decoder;
use crate::transform::encode::address::Address;
use crate::transform::encode::label::Labels;
use crate::transform::encode::number::IntegerTarget;
use crate::transform::encode::temporal::DatePolicy;
use crate::transform::encode::text::TextPolicy;
use crate::transform::encode::{Fault, binary, compressed, field, number, numeric, temporal, text};
use crate::transform::json;

/// How a column is carried.
#[derive(Debug)]
pub(in crate::transform) enum Codec {
    Signed(IntegerTarget),
    Unsigned(IntegerTarget),
    Year(IntegerTarget),
    Decimal {
        precision: u8,
        scale: u8,
    },
    DecimalText {
        precision: u8,
        scale: u8,
    },
    Float,
    /// DOUBLE, or FLOAT into `double precision`.
    Double,
    Bit(u8),
    BitBoolean,
    Date(DatePolicy),
    DateTime(DatePolicy),
    Timestamp(DatePolicy),
    Interval,
    Time,
    Text {
        decoder: Decoder,
        policy: TextPolicy,
    },
    /// BINARY(n): n.
    Padded(usize),
    Bytes,
    Enum(Box<Labels>),
    Set(Box<Labels>),
    Json {
        jsonb: bool,
        nul: NulBytes,
    },
    /// Text in UTF-8 that is a document: MariaDB's JSON. Whether it is one says the target.
    JsonText {
        jsonb: bool,
        nul: NulBytes,
    },
    Geometry,
    Vector,
    /// UUID, INET4 and INET6, as such or as the text that the source prints.
    Address {
        kind: Address,
        as_text: bool,
    },
}

/// The version byte in front of a `jsonb` field (`jsonb_recv`).
const JSONB_VERSION: u8 = 1;

impl Codec {
    /// Appends the field for a value of a row image whose columns are `bound` so.
    #[inline]
    pub(super) fn of_image(&self, raw: &[u8], bound: BoundColumn, out: &mut Vec<u8>) -> Result<(), Fault> {
        if bound.compressed {
            return self.logged(&compressed::inflated(raw)?, bound.old_format, out);
        }
        self.logged(raw, bound.old_format, out)
    }

    /// Appends the field for a value of a row image. `old_format` tells temporal values of before MySQL 5.6.4.
    #[inline]
    pub(super) fn logged(&self, raw: &[u8], old_format: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Year(target) => number::write_signed(number::logged_year(raw)?, *target, out),
            Self::Decimal { precision, scale } => numeric::from_packed(raw, *precision, *scale, out),
            Self::DecimalText { precision, scale } => {
                let start = field::open(out);
                numeric::print_packed(raw, *precision, *scale, out)?;
                field::close(out, start)
            }
            Self::Date(policy) => temporal::write_date(temporal::logged_date(raw)?, *policy, out),
            Self::DateTime(policy) if old_format => {
                temporal::write_datetime(temporal::logged_old_datetime(raw)?, *policy, out)
            }
            Self::DateTime(policy) => temporal::write_datetime(temporal::logged_datetime(raw)?, *policy, out),
            Self::Timestamp(policy) if old_format => {
                temporal::write_instant(temporal::logged_old_timestamp(raw)?, *policy, out)
            }
            Self::Timestamp(policy) => {
                temporal::write_instant(temporal::logged_timestamp(raw)?, *policy, out)
            }
            Self::Interval => {
                temporal::write_interval(logged_time(raw, old_format)?, out);
                Ok(())
            }
            Self::Time => temporal::write_time(logged_time(raw, old_format)?, out),
            Self::Text { decoder, policy } => text::write(raw, decoder, *policy, out),
            Self::Padded(length) => binary::padded(raw, *length, out),
            Self::Address { kind, as_text } => kind.logged(raw, *as_text, out),
            Self::Enum(labels) => labels.logged_enum(raw, out),
            Self::Set(labels) => labels.logged_set(raw, out),
            Self::Json { jsonb, nul } => {
                let start = field::open(out);
                if *jsonb {
                    out.push(JSONB_VERSION);
                }
                let text = out.len();
                json::print_document(raw, out)?;
                json::check_text(text, *nul, out)?;
                field::close(out, start)
            }
            Self::JsonText { jsonb, nul } => json_text(raw, *jsonb, *nul, out),
            Self::Signed(_)
            | Self::Unsigned(_)
            | Self::Float
            | Self::Double
            | Self::Bit(_)
            | Self::BitBoolean
            | Self::Bytes
            | Self::Geometry
            | Self::Vector => self.shared(raw, out),
        }
    }

    /// Appends the field for a value of a result row. `decoder` is that of the character set the text was
    /// sent in.
    #[inline]
    pub(super) fn result(
        &self,
        raw: &[u8],
        decoder: Option<&Decoder>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match self {
            Self::Year(target) => number::write_unsigned(number::unsigned(raw)?, *target, out),
            Self::Decimal { scale, .. } => numeric::from_text(raw, *scale, out),
            Self::DecimalText { scale, .. } => {
                let start = field::open(out);
                numeric::print_text(raw, *scale, out)?;
                field::close(out, start)
            }
            Self::Date(policy) => temporal::write_date(temporal::result_civil(raw)?, *policy, out),
            Self::DateTime(policy) => temporal::write_datetime(temporal::result_civil(raw)?, *policy, out),
            Self::Timestamp(policy) => {
                let civil = temporal::result_civil(raw)?;
                // The session's zone is UTC: the instant is the clock's reading.
                temporal::write_datetime(civil, *policy, out)
            }
            Self::Interval => {
                temporal::write_interval(temporal::result_time(raw)?, out);
                Ok(())
            }
            Self::Time => temporal::write_time(temporal::result_time(raw)?, out),
            Self::Text { decoder: declared, policy } => {
                text::write(raw, decoder.unwrap_or(declared), *policy, out)
            }
            Self::Padded(length) if raw.len() == *length => field::bytes(out, raw),
            Self::Padded(_) => Err(Fault::Malformed("a BINARY value does not have the column's length")),
            Self::Address { kind, as_text } => kind.result(raw, *as_text, out),
            Self::Enum(labels) => with_text(raw, decoder, |text| labels.result_enum(text, out)),
            Self::Set(labels) => with_text(raw, decoder, |text| labels.result_set(text, out)),
            Self::Json { jsonb, nul } | Self::JsonText { jsonb, nul } => json_text(raw, *jsonb, *nul, out),
            Self::Signed(_)
            | Self::Unsigned(_)
            | Self::Float
            | Self::Double
            | Self::Bit(_)
            | Self::BitBoolean
            | Self::Bytes
            | Self::Geometry
            | Self::Vector => self.shared(raw, out),
        }
    }

    /// What both sides of the source spell alike.
    #[inline]
    fn shared(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Signed(target) => number::write_signed(number::signed(raw)?, *target, out),
            Self::Unsigned(target) => number::write_unsigned(number::unsigned(raw)?, *target, out),
            Self::Float => number::float(raw, out),
            Self::Double => number::double(raw, out),
            Self::Bit(bits) => number::bit(raw, *bits, out),
            Self::BitBoolean => number::bit_boolean(raw, out),
            Self::Geometry => binary::geometry(raw, out),
            Self::Vector => binary::vector(raw, out),
            _ => field::bytes(out, raw),
        }
    }
}

/// A document as text.
fn json_text(raw: &[u8], jsonb: bool, nul: NulBytes, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = field::open(out);
    if jsonb {
        out.push(JSONB_VERSION);
    }
    json::write_text(raw, nul, out)?;
    field::close(out, start)
}

#[inline]
fn logged_time(raw: &[u8], old_format: bool) -> Result<temporal::Span, Fault> {
    if old_format { temporal::logged_old_time(raw) } else { temporal::logged_time(raw) }
}

/// Gives a label's text in UTF-8. Labels that are not plain ASCII in a character set other than UTF-8 are decoded
/// into a buffer of their own; only a session that leaves text unconverted sends such.
#[inline]
fn with_text(
    raw: &[u8],
    decoder: Option<&Decoder>,
    write: impl FnOnce(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    match decoder {
        None | Some(Decoder::Utf8) => write(raw),
        Some(decoder) if decoder.keeps_ascii() && text::is_plain(raw) => write(raw),
        Some(decoder) => {
            let mut text = Vec::with_capacity(raw.len() * 3);
            decoder.decode(raw, &mut text)?;
            write(&text)
        }
    }
}
