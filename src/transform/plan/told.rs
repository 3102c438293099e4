//! Keys in words, for messages: what finds a row in either server.

use super::codec::Codec;
use super::{ColumnStep, Plan};
use crate::change::TargetType;
use crate::transform::ddl::calendar;
use crate::transform::encode::Fault;
use crate::transform::encode::calendar::POSTGRES_EPOCH_MICROS;

/// Longer texts are cut.
const SHOWN_CHARACTERS: usize = 60;

/// The parts of a key that were met, with their places in it.
#[derive(Default)]
pub(super) struct KeyWords(Vec<(usize, String)>);

impl KeyWords {
    /// A column of the row (`None`: NULL), which `encode` makes a field of.
    pub(super) fn add(
        &mut self,
        plan: &Plan,
        step: &ColumnStep,
        raw: Option<&[u8]>,
        encode: impl FnOnce(&Codec, &[u8], &mut Vec<u8>) -> Result<(), Fault>,
    ) {
        let (Some(slot), Some(codec)) = (step.key_slot, &step.codec) else { return };
        let target = plan.layout.key.get(slot).and_then(|index| plan.layout.columns.get(*index));
        let value = raw.zip(target).map_or_else(
            || "NULL".to_owned(),
            |(raw, target)| {
                let mut field = Vec::new();
                match encode(codec, raw, &mut field) {
                    Ok(()) => words(&target.data_type, field.get(4..).unwrap_or_default()),
                    // Only text is readable as it comes; what is wrong with another value says the message itself.
                    Err(_) if matches!(codec, Codec::Text { .. }) => text(raw),
                    Err(_) => "this value".to_owned(),
                }
            },
        );
        self.0.push((slot, format!("{} = {value}", step.name)));
    }

    /// All of them in key order.
    pub(super) fn join(mut self, plan: &Plan) -> String {
        self.0.sort();
        let missing = self.0.len() + usize::from(plan.tag_slot.is_some()) < plan.layout.key.len();
        let known: Vec<String> = self.0.into_iter().map(|(_, words)| words).collect();
        match (known.is_empty(), missing) {
            (true, _) => "a key that cannot be read".to_owned(),
            (false, true) => format!("{}, …", known.join(", ")),
            (false, false) => known.join(", "),
        }
    }
}

/// A field of COPY binary as SQL would show it.
fn words(data_type: &TargetType, field: &[u8]) -> String {
    shown(data_type, field).unwrap_or_else(|| {
        let hex: String = field.iter().take(SHOWN_CHARACTERS / 2).map(|byte| format!("{byte:02x}")).collect();
        format!("x'{hex}{}'", if field.len() * 2 > SHOWN_CHARACTERS { "…" } else { "" })
    })
}

pub(super) fn shown(data_type: &TargetType, field: &[u8]) -> Option<String> {
    Some(match data_type {
        TargetType::Boolean => (*field.first()? != 0).to_string(),
        TargetType::Smallint => i16::from_be_bytes(*field.first_chunk()?).to_string(),
        TargetType::Integer => i32::from_be_bytes(*field.first_chunk()?).to_string(),
        TargetType::Bigint => i64::from_be_bytes(*field.first_chunk()?).to_string(),
        TargetType::Real => f32::from_be_bytes(*field.first_chunk()?).to_string(),
        TargetType::Double => f64::from_be_bytes(*field.first_chunk()?).to_string(),
        TargetType::Numeric(_) => numeric(field)?,
        TargetType::Varchar(_) | TargetType::Text => text(field),
        TargetType::Date => {
            let days = i64::from(i32::from_be_bytes(*field.first_chunk()?));
            let time = calendar::date_time(days * 86_400 + POSTGRES_EPOCH_MICROS / 1_000_000)?;
            format!("'{}'", time.get(..10)?)
        }
        TargetType::Timestamp(_) | TargetType::TimestampTz(_) => {
            let micros = i64::from_be_bytes(*field.first_chunk()?) + POSTGRES_EPOCH_MICROS;
            let time = calendar::date_time(micros.div_euclid(1_000_000))?;
            let zone = if matches!(data_type, TargetType::TimestampTz(_)) { "+00" } else { "" };
            match micros.rem_euclid(1_000_000) {
                0 => format!("'{time}{zone}'"),
                fraction => format!("'{time}.{fraction:06}{zone}'"),
            }
        }
        TargetType::Bit(_)
        | TargetType::Bytea
        | TargetType::Time(_)
        | TargetType::Interval(_)
        | TargetType::Json
        | TargetType::Jsonb
        | TargetType::RealArray
        | TargetType::Uuid
        | TargetType::Inet
        | TargetType::Geometry
        | TargetType::Other(_) => return None,
    })
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let more = if text.chars().nth(SHOWN_CHARACTERS).is_some() { "…" } else { "" };
    let start: String = text.chars().take(SHOWN_CHARACTERS).collect();
    format!("'{}{more}'", start.escape_debug())
}

/// `[digits i16][weight i16][sign u16][scale i16]`, then groups of four decimal digits (`numeric_send`).
fn numeric(field: &[u8]) -> Option<String> {
    let mut words = field.chunks_exact(2).map(|pair| Some(i16::from_be_bytes(*pair.first_chunk()?)));
    let mut next = || words.next().flatten();
    let (count, weight, sign, scale) = (next()?, next()?, next()?, next()?);
    let groups: Vec<i16> = (0..count).map_while(|_| next()).collect();
    let group = |power: i16| {
        let index = usize::try_from(weight.checked_sub(power)?).ok()?;
        groups.get(index).copied()
    };
    let whole: String =
        (0..=weight.max(0)).rev().map(|power| format!("{:04}", group(power).unwrap_or(0))).collect();
    let behind: String =
        (1..=scale.div_euclid(4) + 1).map(|place| format!("{:04}", group(-place).unwrap_or(0))).collect();
    let whole = whole.trim_start_matches('0');
    let behind = behind.get(..usize::try_from(scale).ok()?)?;
    Some(format!(
        "{}{}{}{behind}",
        if sign == 0 { "" } else { "-" },
        if whole.is_empty() { "0" } else { whole },
        if behind.is_empty() { "" } else { "." }
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_shown_as_they_are_written_in_sql() {
        for (data_type, field, expected) in [
            (TargetType::Integer, &(-7_i32).to_be_bytes()[..], "-7"),
            (TargetType::Text, b"a\0'b", "'a\\0\\'b'"),
            (TargetType::Bytea, &[0, 255], "x'00ff'"),
            (TargetType::Date, &59_i32.to_be_bytes(), "'2000-02-29'"),
            (TargetType::Timestamp(0), &(-1_i64).to_be_bytes(), "'1999-12-31 23:59:59.999999'"),
            (TargetType::TimestampTz(0), &0_i64.to_be_bytes(), "'2000-01-01 00:00:00+00'"),
            // 18446744073709551615
            (
                TargetType::Numeric(None),
                &[0, 5, 0, 4, 0, 0, 0, 0, 7, 0x34, 0x1a, 0x58, 2, 0xe1, 3, 0xbb, 6, 0x4f],
                "18446744073709551615",
            ),
            // -12.5 and 0.001
            (TargetType::Numeric(None), &[0, 2, 0, 0, 0x40, 0, 0, 1, 0, 12, 0x13, 0x88], "-12.5"),
            (TargetType::Numeric(None), &[0, 1, 0xff, 0xff, 0, 0, 0, 3, 0, 10], "0.001"),
        ] {
            assert_eq!(words(&data_type, field), expected);
        }
    }
}
