//! The table of type pairs: what a changed column type does to the values that are there.

use super::Issued;
use crate::schema::charset::max_bytes_per_char;
use crate::schema::ddl::effect::{Changed, Effect};
use crate::schema::{Charset, Column, MySqlType};
use crate::transform::typemap::digits;
use std::collections::BTreeSet;

const NARROWED: Effect = Effect::Values(Changed::Narrowed);
const RELABELLED: Effect = Effect::Values(Changed::Relabelled);
const RECODED: Effect = Effect::Values(Changed::Recoded);
const CONVERTED: Effect = Effect::Values(Changed::Converted);

/// What of the session decides what becomes of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// Trailing blanks of CHAR are there for whoever reads it, and what is stored anew has them (seen on MySQL 5.6 and 9.7 and
    /// MariaDB 10.11).
    pads_char: bool,
    /// Labels that are equal to the server are an error, not a warning.
    strict: bool,
}

impl Context {
    pub(super) fn of(issued: &Issued<'_>) -> Self {
        Self { pads_char: issued.mode.pads_char, strict: issued.mode.strict }
    }
}

/// Compares the declarations of one column before and after.
pub(super) fn retype(before: &Column, after: &Column, context: Context) -> Effect {
    let effect = types(&before.data_type, &after.data_type);
    if !matches!(effect, Effect::Nothing | Effect::Definition) {
        return effect;
    }
    if let Some(changed) = on_the_way(&before.data_type, &after.data_type, context) {
        return Effect::Values(changed);
    }
    // FLOAT(M,D) and DOUBLE(M,D) round, in strict mode too, and a single is no longer one when it is rounded as a double.
    let rounds = match (before.limits.digits, after.limits.digits) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some((digits, places)), Some((more_digits, more_places))) => {
            before.data_type != after.data_type
                || more_places < places
                || more_digits.saturating_sub(more_places) < digits.saturating_sub(places)
        }
    };
    if rounds {
        CONVERTED
    } else if after.limits.unsigned && !before.limits.unsigned {
        NARROWED
    } else {
        effect
    }
}

/// What the session does to values that are read and stored anew.
fn on_the_way(old: &MySqlType, new: &MySqlType, context: Context) -> Option<Changed> {
    use MySqlType as T;
    match (old, new) {
        (T::Char { .. }, T::Char { .. }) => None,
        (T::Char { .. }, _) if context.pads_char => Some(Changed::Padded),
        // A value goes by its label, and the first that is equal to it in the new collation is taken (seen on MySQL 5.6 and
        // MariaDB 10.11).
        (T::Enum { charset: from, .. }, T::Enum { labels, charset: to })
        | (T::Set { charset: from, .. }, T::Set { labels, charset: to })
            if from != to && !context.strict && !differ(labels) =>
        {
            Some(Changed::Converted)
        }
        _ => None,
    }
}

/// Whether labels are different in every collation.
fn differ(labels: &[String]) -> bool {
    let mut seen = BTreeSet::new();
    labels.iter().all(|label| label.is_ascii() && seen.insert(label.trim_end().to_ascii_lowercase()))
}

/// Compares two types.
#[allow(clippy::match_same_arms)] // a table of pairs
fn types(old: &MySqlType, new: &MySqlType) -> Effect {
    use MySqlType as T;
    if old == new {
        return Effect::Nothing;
    }
    if let Some(old) = integer(old) {
        return match (integer(new), new) {
            (Some(new), _) => integers(old, new),
            (None, T::Decimal { precision, scale }) => {
                let (bits, unsigned) = old;
                let digits = digits(bits - u8::from(!unsigned));
                widens_if(digits <= u16::from(precision.saturating_sub(*scale)))
            }
            (None, _) => CONVERTED,
        };
    }
    match (old, new) {
        (T::Decimal { precision: p, scale: s }, T::Decimal { precision, scale }) => {
            widens_if(scale >= s && precision.saturating_sub(*scale) >= p.saturating_sub(*s))
        }
        (T::Float, T::Double) => Effect::Definition,
        (T::Double, T::Float) => NARROWED,
        (T::Time { fraction: old, .. }, T::Time { fraction: new, .. })
        | (T::DateTime { fraction: old, .. }, T::DateTime { fraction: new, .. })
        | (T::Timestamp { fraction: old, .. }, T::Timestamp { fraction: new, .. }) => {
            if old == new {
                Effect::Nothing
            } else {
                widens_if(new > old)
            }
        }
        (T::Date, T::DateTime { .. }) => Effect::Definition,
        (
            T::Char { charset: from, .. } | T::VarChar { charset: from, .. } | T::Text { charset: from, .. },
            T::Char { charset: to, .. } | T::VarChar { charset: to, .. } | T::Text { charset: to, .. },
        ) => texts(old, new, from, to),
        (T::Binary { length: old } | T::VarBinary { length: old }, T::VarBinary { length: new }) => {
            widens_if(new >= old)
        }
        (T::Binary { length } | T::VarBinary { length }, T::Blob { length_bytes }) => {
            widens_if(u64::from(*length) <= most_bytes(*length_bytes))
        }
        (T::Blob { length_bytes: old }, T::Blob { length_bytes: new }) => widens_if(new >= old),
        (T::Blob { .. }, T::VarBinary { .. }) => NARROWED,
        (T::Enum { labels: from, charset: old }, T::Enum { labels: to, charset: new }) => {
            if !holds(old, new) {
                RECODED
            } else if from == to {
                Effect::Nothing
            } else if to.starts_with(from) {
                Effect::Definition
            } else if from.iter().all(|label| to.contains(label)) {
                RELABELLED
            } else {
                NARROWED
            }
        }
        (T::Set { labels: from, charset: old }, T::Set { labels: to, charset: new }) => {
            if !holds(old, new) {
                RECODED
            } else if from == to {
                Effect::Nothing
            } else if to.starts_with(from) {
                Effect::Definition
            } else if from.iter().all(|label| to.contains(label)) {
                // A set is printed in the order of its labels: its text changes with them.
                CONVERTED
            } else {
                NARROWED
            }
        }
        (T::Enum { labels, charset: from }, T::VarChar { length, charset: to }) => {
            let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
            let fits = u64::try_from(longest).is_ok_and(|longest| longest <= u64::from(*length));
            if holds(from, to) { widens_if(fits) } else { RECODED }
        }
        (T::Geometry { .. }, T::Geometry { kind }) if kind == "geometry" => Effect::Definition,
        _ => CONVERTED,
    }
}

fn widens_if(widens: bool) -> Effect {
    if widens { Effect::Definition } else { NARROWED }
}

/// Bits of an integer type, and whether it has no sign.
fn integer(of: &MySqlType) -> Option<(u8, bool)> {
    match of {
        MySqlType::TinyInt { unsigned, .. } => Some((8, *unsigned)),
        MySqlType::SmallInt { unsigned } => Some((16, *unsigned)),
        MySqlType::MediumInt { unsigned } => Some((24, *unsigned)),
        MySqlType::Int { unsigned } => Some((32, *unsigned)),
        MySqlType::BigInt { unsigned } => Some((64, *unsigned)),
        _ => None,
    }
}

fn integers((old_bits, old_unsigned): (u8, bool), (new_bits, new_unsigned): (u8, bool)) -> Effect {
    match (old_unsigned, new_unsigned) {
        _ if (old_bits, old_unsigned) == (new_bits, new_unsigned) => Effect::Nothing,
        (true, true) | (false, false) => widens_if(new_bits >= old_bits),
        (true, false) => widens_if(new_bits > old_bits),
        // Negative values have no place in an unsigned type.
        (false, true) => NARROWED,
    }
}

/// Most bytes that a length of so many bytes can say.
pub(super) fn most_bytes(length_bytes: u8) -> u64 {
    (1_u64 << (8 * u32::from(length_bytes).min(4))) - 1
}

fn texts(old: &MySqlType, new: &MySqlType, from: &Charset, to: &Charset) -> Effect {
    use MySqlType as T;
    if !holds(from, to) {
        return RECODED;
    }
    let old_width = u64::from(max_bytes_per_char(&from.name));
    let new_width = u64::from(max_bytes_per_char(&to.name));
    match (old, new) {
        (T::Char { length: old, .. }, T::Char { length: new, .. } | T::VarChar { length: new, .. })
        | (T::VarChar { length: old, .. }, T::VarChar { length: new, .. }) => widens_if(new >= old),
        (T::Char { length, .. } | T::VarChar { length, .. }, T::Text { length_bytes, .. }) => {
            widens_if(u64::from(*length) * new_width <= most_bytes(*length_bytes))
        }
        (T::Text { length_bytes: old, .. }, T::Text { length_bytes: new, .. }) => {
            if from.name == to.name {
                if old == new { Effect::Nothing } else { widens_if(new > old) }
            } else {
                widens_if(most_bytes(*old) / old_width * new_width <= most_bytes(*new))
            }
        }
        // CHAR drops trailing blanks, VARCHAR has a length that TEXT had not.
        _ => NARROWED,
    }
}

/// Whether every character of one set exists in another.
fn holds(from: &Charset, to: &Charset) -> bool {
    const WHOLE: [&str; 5] = ["utf8mb4", "utf16", "utf16le", "utf32", "gb18030"];
    // Sets with characters outside the first 65,536 of Unicode.
    const WIDE: [&str; 6] = ["utf8mb4", "utf16", "utf16le", "utf32", "gb18030", "binary"];
    const BASIC: [&str; 2] = ["utf8mb3", "ucs2"];
    from.name == to.name
        || (from.name != "binary"
            && (from.name == "ascii"
                || WHOLE.contains(&to.name.as_str())
                || (BASIC.contains(&to.name.as_str()) && !WIDE.contains(&from.name.as_str()))))
}
