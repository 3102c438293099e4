//! DATE, TIME, DATETIME and TIMESTAMP.
//!
//! Row images hold packed numbers (`my_time_packed` and the "2" formats in MySQL's `my_time.cc`, or those of
//! before 5.6.4), binary result rows hold fields of known width (MySQL protocol, "Binary Protocol Value").
//! Both are read into [`Civil`] or [`Span`]; PostgreSQL counts days and microseconds from 2000-01-01. A TIMESTAMP
//! of a result row is read as UTC: the session's time zone is pinned to that.

// The letters are the bytes of a value, in order.
#![allow(clippy::many_single_char_names)]

use super::calendar::{Civil, DAY_MICROS, POSTGRES_EPOCH_MICROS};
use super::{Fault, WayOut, field, stand_in};
use crate::change::policy::{KeyDates, ZeroDates};
use crate::change::remedy::InConfig;

/// What happens to a date PostgreSQL cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatePolicy {
    /// The policy of the config.
    pub(crate) zero_dates: ZeroDates,
    /// Whether the target column takes NULL.
    pub(crate) nullable: bool,
    /// What the config says of keys, where the column is in the key.
    pub(crate) in_key: Option<KeyDates>,
}

/// A TIME value: microseconds, negative ones too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) i64);

/// Largest TIME, 838:59:59.999999, and what MariaDB's packing can hold beyond it is refused.
const SPAN_LIMIT: i64 = (838 * 3600 + 59 * 60 + 60) * 1_000_000;

const SHORT: Fault = Fault::Malformed("a temporal value has a length its type does not have");

// ---- row images ----

/// DATE of a row image: day, month and year in 5, 4 and 15 bits.
#[inline]
pub(crate) fn logged_date(raw: &[u8]) -> Result<Civil, Fault> {
    let [a, b, c] = *raw else { return Err(SHORT) };
    let packed = u32::from_le_bytes([a, b, c, 0]);
    Ok(Civil { year: packed >> 9, month: packed >> 5 & 15, day: packed & 31, ..Civil::default() })
}

/// A fraction of 0 to 3 bytes in microseconds.
#[inline]
fn fraction(raw: &[u8]) -> Result<u32, Fault> {
    let micros = match *raw {
        [] => 0,
        [a] => u32::from(a) * 10_000,
        [a, b] => u32::from(u16::from_be_bytes([a, b])) * 100,
        [a, b, c] => u32::from_be_bytes([0, a, b, c]),
        _ => return Err(SHORT),
    };
    if micros < 1_000_000 {
        Ok(micros)
    } else {
        Err(Fault::Malformed("a second's fraction is a second or more"))
    }
}

/// DATETIME2: 40 bits big-endian, the sign on top: years and months as one number, then days, hours, minutes
/// and seconds in 17, 5, 5, 6 and 6 bits.
#[inline]
pub(crate) fn logged_datetime(raw: &[u8]) -> Result<Civil, Fault> {
    let Some(([a, b, c, d, e], rest)) = raw.split_first_chunk() else { return Err(SHORT) };
    let micros = fraction(rest)?;
    let packed = u64::from_be_bytes([0, 0, 0, *a, *b, *c, *d, *e])
        .checked_sub(0x80_0000_0000)
        .ok_or(Fault::Malformed("a DATETIME is negative"))?;
    Ok(civil_of_packed(packed, micros))
}

/// The parts of a packed date and time without its fraction.
#[inline]
pub(crate) fn civil_of_packed(packed: u64, micros: u32) -> Civil {
    let bits = |shift: u32, mask: u64| u32::try_from(packed >> shift & mask).unwrap_or(0);
    let year_month = bits(22, 0x3_ffff);
    Civil {
        year: year_month / 13,
        month: year_month % 13,
        day: bits(17, 31),
        hour: bits(12, 31),
        minute: bits(6, 63),
        second: bits(0, 63),
        micros,
    }
}

/// DATETIME of before 5.6.4: YYYYMMDDhhmmss as a number.
#[inline]
pub(crate) fn logged_old_datetime(raw: &[u8]) -> Result<Civil, Fault> {
    let raw = <[u8; 8]>::try_from(raw).map_err(|_| SHORT)?;
    let value = u64::from_le_bytes(raw);
    let part = |unit: u64, modulus: u64| u32::try_from(value / unit % modulus).unwrap_or(u32::MAX);
    Ok(Civil {
        year: part(10_000_000_000, u64::MAX),
        month: part(100_000_000, 100),
        day: part(1_000_000, 100),
        hour: part(10_000, 100),
        minute: part(100, 100),
        second: part(1, 100),
        micros: 0,
    })
}

/// TIMESTAMP2: seconds since 1970 big-endian and a fraction. Gives microseconds since 1970; `None` is the zero
/// date. The seconds are unsigned: servers that go past 2038 do it that way.
#[inline]
pub(crate) fn logged_timestamp(raw: &[u8]) -> Result<Option<i64>, Fault> {
    let Some((seconds, rest)) = raw.split_first_chunk::<4>() else { return Err(SHORT) };
    let seconds = u32::from_be_bytes(*seconds);
    let micros = fraction(rest)?;
    // MariaDB has instants within the first second of 1970.
    Ok((seconds != 0 || micros != 0).then(|| i64::from(seconds) * 1_000_000 + i64::from(micros)))
}

/// TIMESTAMP of before 5.6.4: little-endian, no fraction.
#[inline]
pub(crate) fn logged_old_timestamp(raw: &[u8]) -> Result<Option<i64>, Fault> {
    let seconds = u32::from_le_bytes(<[u8; 4]>::try_from(raw).map_err(|_| SHORT)?);
    Ok((seconds != 0).then(|| i64::from(seconds) * 1_000_000))
}

/// TIME2: 24 bits of clock and a fraction of 0 to 24 bits, together one number with an offset that makes it
/// positive. So a negative time must be negated as that one number: −0.01 s of a TIME(2) is 7FFFFF.FF.
#[inline]
pub(crate) fn logged_time(raw: &[u8]) -> Result<Span, Fault> {
    // The value as a number of fraction units, with the fraction's bits below the clock's.
    let (packed, bits, unit) = match *raw {
        [a, b, c] => (i64::from(u32::from_be_bytes([0, a, b, c])), 0, 0),
        [a, b, c, d] => (i64::from(u32::from_be_bytes([a, b, c, d])), 8, 10_000),
        [a, b, c, d, e] => (i64::from_be_bytes([0, 0, 0, a, b, c, d, e]), 16, 100),
        [a, b, c, d, e, f] => (i64::from_be_bytes([0, 0, a, b, c, d, e, f]), 24, 1),
        _ => return Err(SHORT),
    };
    let signed = packed - (0x80_0000 << bits);
    let magnitude = signed.abs();
    let fraction = (magnitude & ((1 << bits) - 1)) * unit;
    span_of_parts(signed < 0, magnitude >> bits, fraction)
}

/// A span from its packed clock (hours, minutes, seconds in 10, 6 and 6 bits) and microseconds.
#[inline]
pub(crate) fn span_of_parts(negative: bool, clock: i64, micros: i64) -> Result<Span, Fault> {
    let (hour, minute, second) = (clock >> 12 & 0x3ff, clock >> 6 & 63, clock & 63);
    span(negative, hour, minute, second, micros)
}

#[inline]
fn span(negative: bool, hour: i64, minute: i64, second: i64, micros: i64) -> Result<Span, Fault> {
    if minute > 59 || second > 59 || micros > 999_999 {
        return Err(Fault::Malformed("a TIME has more than 59 minutes or seconds"));
    }
    let total = (hour * 3600 + minute * 60 + second) * 1_000_000 + micros;
    if total > SPAN_LIMIT {
        return Err(Fault::Malformed("a TIME is longer than 838:59:59"));
    }
    Ok(Span(if negative { -total } else { total }))
}

/// TIME of before 5.6.4: hhmmss as a signed number of three bytes.
#[inline]
pub(crate) fn logged_old_time(raw: &[u8]) -> Result<Span, Fault> {
    let [a, b, c] = *raw else { return Err(SHORT) };
    let value = i64::from(i32::from_le_bytes([0, a, b, c]) >> 8);
    let magnitude = value.abs();
    span(value < 0, magnitude / 10_000, magnitude / 100 % 100, magnitude % 100, 0)
}

// ---- result rows ----

/// DATE, DATETIME or TIMESTAMP of a result row: 0, 4, 7 or 11 bytes; what is not there is zero.
#[inline]
pub(crate) fn result_civil(raw: &[u8]) -> Result<Civil, Fault> {
    let mut parts = [0; 11];
    match (raw.len(), parts.get_mut(..raw.len())) {
        (0 | 4 | 7 | 11, Some(place)) => place.copy_from_slice(raw),
        _ => return Err(SHORT),
    }
    let [y0, y1, month, day, hour, minute, second, m0, m1, m2, m3] = parts;
    Ok(Civil {
        year: u16::from_le_bytes([y0, y1]).into(),
        month: month.into(),
        day: day.into(),
        hour: hour.into(),
        minute: minute.into(),
        second: second.into(),
        micros: u32::from_le_bytes([m0, m1, m2, m3]),
    })
}

/// TIME of a result row: 0, 8 or 12 bytes: sign, days, hours, minutes, seconds, microseconds.
#[inline]
pub(crate) fn result_time(raw: &[u8]) -> Result<Span, Fault> {
    let mut parts = [0; 12];
    match (raw.len(), parts.get_mut(..raw.len())) {
        (0 | 8 | 12, Some(place)) => place.copy_from_slice(raw),
        _ => return Err(SHORT),
    }
    let [sign, d0, d1, d2, d3, hour, minute, second, m0, m1, m2, m3] = parts;
    let hours = i64::from(u32::from_le_bytes([d0, d1, d2, d3])) * 24 + i64::from(hour);
    span(sign != 0, hours, minute.into(), second.into(), u32::from_le_bytes([m0, m1, m2, m3]).into())
}

// ---- fields ----

/// `date`
#[inline]
pub(crate) fn write_date(value: Civil, policy: DatePolicy, out: &mut Vec<u8>) -> Result<(), Fault> {
    match value.days() {
        Some(days) => field::four(out, days.to_be_bytes()),
        None => match stand_in_days(&value, policy) {
            Some(days) => field::four(out, days.to_be_bytes()),
            None => impossible(value, policy, out)?,
        },
    }
    Ok(())
}

/// `timestamp`
#[inline]
pub(crate) fn write_datetime(value: Civil, policy: DatePolicy, out: &mut Vec<u8>) -> Result<(), Fault> {
    match value.micros_since_2000() {
        Some(micros) => field::eight(out, micros.to_be_bytes()),
        None => match stand_in_micros(&value, policy) {
            Some(micros) => field::eight(out, micros.to_be_bytes()),
            None => impossible(value, policy, out)?,
        },
    }
    Ok(())
}

/// `timestamptz` from microseconds since 1970; `None` is the zero date.
#[inline]
pub(crate) fn write_instant(value: Option<i64>, policy: DatePolicy, out: &mut Vec<u8>) -> Result<(), Fault> {
    match value {
        Some(micros) => field::eight(out, (micros - POSTGRES_EPOCH_MICROS).to_be_bytes()),
        None => match stand_in_micros(&Civil::default(), policy) {
            Some(micros) => field::eight(out, micros.to_be_bytes()),
            None => impossible(Civil::default(), policy, out)?,
        },
    }
    Ok(())
}

#[cold]
fn stand_in_days(value: &Civil, policy: DatePolicy) -> Option<i32> {
    (policy.in_key == Some(KeyDates::Bc)).then(|| stand_in::days(value)).flatten()
}

#[cold]
fn stand_in_micros(value: &Civil, policy: DatePolicy) -> Option<i64> {
    Some(i64::from(stand_in_days(value, policy)?) * DAY_MICROS + value.day_micros()?)
}

#[cold]
fn impossible(value: Civil, policy: DatePolicy, out: &mut Vec<u8>) -> Result<(), Fault> {
    if policy.in_key.is_some() {
        return Err(Fault::refused(
            format!("{value} is no date of the calendar, and this column is in the key"),
            WayOut::KeyPolicy(InConfig::KeyDates),
        ));
    }
    if policy.zero_dates == ZeroDates::Error {
        return Err(Fault::refused(
            format!("{value} is no date of the calendar"),
            WayOut::Policy(InConfig::ZeroDates),
        ));
    }
    if !policy.nullable {
        return Err(Fault::refused(
            format!("{value} is no date of the calendar and the target column is NOT NULL"),
            WayOut::Policy(InConfig::NullDates),
        ));
    }
    field::null(out);
    Ok(())
}

/// `interval`: microseconds, days, months (`interval_send`). Days stay 0, so equal times have equal bytes.
#[inline]
pub(crate) fn write_interval(Span(micros): Span, out: &mut Vec<u8>) {
    let [a, b, c, d, e, f, g, h] = micros.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 16, a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/// `time`: only what is a time of a day; PostgreSQL takes 24:00:00 too.
pub(crate) fn write_time(Span(micros): Span, out: &mut Vec<u8>) -> Result<(), Fault> {
    if !(0..=DAY_MICROS).contains(&micros) {
        let seconds = micros / 1_000_000;
        return Err(Fault::refused(
            format!("a TIME of {seconds} s is no time of a day"),
            WayOut::Carry(InConfig::Interval),
        ));
    }
    field::eight(out, micros.to_be_bytes());
    Ok(())
}
