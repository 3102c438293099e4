//! What MySQL makes of a value that is stored in a column (reference manual, "Data Types", and `sql/field.cc`, whose `store` functions
//! are followed here for values that fit).
//!
//! The server refuses a default that does not fit, and lets pass what it calls notes: digits rounded, blanks cut off. So what does not
//! fit here was misread, or an expression's value was clipped outside strict mode: it is refused. MariaDB is asked itself (see
//! [`asked`](super::asked)).

use super::decimal::Decimal;
use super::literal::{self, Value, Why};
use super::retype::most_bytes;
use crate::schema::charset::{is_wide, max_bytes_per_char};
use crate::schema::ddl::DeclaredDefault;
use crate::schema::{Column, MySqlType};
use crate::transform::charset::{Decoder, merges};

/// A value before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    /// A whole number.
    Integer(i128),
    /// An exact number as it is printed.
    Exact(String),
    /// A double.
    Real(f64),
    /// Text.
    Text(String),
    /// A hexadecimal or binary literal: bytes, or a number where a number is wanted.
    Hybrid(Vec<u8>),
    /// Bytes without a character set.
    Bytes(Vec<u8>),
    /// A date, a time or both, as printed.
    Temporal(String),
    /// A document, as printed.
    Json(String),
}

impl Given {
    /// What a literal default says; `None` for what is none.
    pub(super) fn of(literal: &DeclaredDefault) -> Option<Self> {
        Some(match literal {
            DeclaredDefault::Text(text) => Self::Text(text.clone()),
            DeclaredDefault::Number(number) if number.contains(['e', 'E']) => {
                Self::Real(number.parse().ok()?)
            }
            DeclaredDefault::Number(number) if number.contains('.') => Self::Exact(number.clone()),
            DeclaredDefault::Number(number) => Self::Integer(number.parse().ok()?),
            DeclaredDefault::Hex(_) | DeclaredDefault::Bit(_) => Self::Hybrid(literal::radix_bytes(literal)?),
            _ => return None,
        })
    }

    /// As an exact number.
    fn exact(&self) -> Option<Decimal> {
        match self {
            Self::Integer(number) => Decimal::parse(&number.to_string()),
            Self::Exact(text) | Self::Text(text) => Decimal::parse(text),
            // The shortest text that is this double.
            Self::Real(number) => Decimal::parse(&format!("{number:e}")),
            Self::Hybrid(bytes) => {
                let mut number = 0_u128;
                for byte in bytes {
                    number = number.checked_mul(256)?.checked_add(u128::from(*byte))?;
                }
                (number <= u128::from(u64::MAX)).then(|| Decimal::parse(&number.to_string())).flatten()
            }
            Self::Bytes(_) | Self::Temporal(_) | Self::Json(_) => None,
        }
    }

    /// As it is printed.
    fn printed(&self) -> Option<String> {
        match self {
            Self::Integer(number) => Some(number.to_string()),
            Self::Exact(text) => literal::number_text(text),
            // Others are printed with an exponent, or not, as the column's length has it.
            Self::Real(number) => {
                let plain = number.abs();
                (plain < 1e15 && (plain >= 1e-4 || plain == 0.0)).then(|| number.to_string())
            }
            Self::Text(text) | Self::Temporal(text) | Self::Json(text) => Some(text.clone()),
            Self::Hybrid(_) | Self::Bytes(_) => None,
        }
    }
}

/// What becomes of `given` in `column`. `certain` says that text which the column's character set lacks would have been
/// refused: that of a literal always is, another in strict mode.
pub(super) fn stored(given: &Given, column: &Column, certain: bool) -> Result<Value, Why> {
    let value = match &column.data_type {
        MySqlType::TinyInt { unsigned, .. } => integer(given, 8, *unsigned),
        MySqlType::SmallInt { unsigned } => integer(given, 16, *unsigned),
        MySqlType::MediumInt { unsigned } => integer(given, 24, *unsigned),
        MySqlType::Int { unsigned } => integer(given, 32, *unsigned),
        MySqlType::BigInt { unsigned } => integer(given, 64, *unsigned),
        MySqlType::Decimal { precision, scale } => decimal(given, *precision, *scale, column.limits.unsigned),
        MySqlType::Float | MySqlType::Double => real(given, column),
        MySqlType::Bit { bits } => bits_of(given, usize::from(*bits)),
        MySqlType::Year => year(given),
        MySqlType::Char { length, charset } => text(given, &charset.name, certain)
            .and_then(|text| cut(text.trim_end_matches(' '), *length))
            .map(Value::Text),
        MySqlType::VarChar { length, charset } => {
            text(given, &charset.name, certain).and_then(|text| cut(&text, *length)).map(Value::Text)
        }
        MySqlType::Text { length_bytes, charset } => text(given, &charset.name, certain)
            .filter(|text| {
                let width = u64::from(max_bytes_per_char(&charset.name));
                u64::try_from(text.chars().count())
                    .is_ok_and(|count| count * width <= most_bytes(*length_bytes))
            })
            .map(Value::Text),
        MySqlType::Binary { length } => bytes(given).and_then(|mut bytes| {
            let length = usize::try_from(*length).ok()?;
            (bytes.len() <= length).then(|| {
                bytes.resize(length, 0);
                Value::Bytes(bytes)
            })
        }),
        MySqlType::VarBinary { length } => {
            let fits = |bytes: &Vec<u8>| u32::try_from(bytes.len()).is_ok_and(|bytes| bytes <= *length);
            bytes(given).filter(fits).map(Value::Bytes)
        }
        MySqlType::Blob { length_bytes } => {
            let fits = |bytes: &Vec<u8>| {
                u64::try_from(bytes.len()).is_ok_and(|bytes| bytes <= most_bytes(*length_bytes))
            };
            bytes(given).filter(fits).map(Value::Bytes)
        }
        MySqlType::Enum { charset, .. } | MySqlType::Set { charset, .. }
            if is_wide(&charset.name) && matches!(given, Given::Hybrid(_)) =>
        {
            None
        }
        MySqlType::Enum { labels, .. } | MySqlType::Set { labels, .. } if !numbered(given, labels) => None,
        MySqlType::Enum { labels, .. } => one_label(given, labels).map(Value::Text),
        MySqlType::Set { labels, .. } => some_labels(given, labels).map(Value::Text),
        MySqlType::Json => match given {
            Given::Json(document) => Some(Value::Json(document.clone())),
            _ => None,
        },
        MySqlType::Date
        | MySqlType::Time { .. }
        | MySqlType::DateTime { .. }
        | MySqlType::Timestamp { .. }
        | MySqlType::Geometry { .. }
        | MySqlType::Vector { .. }
        | MySqlType::Uuid
        | MySqlType::Inet4
        | MySqlType::Inet6
        | MySqlType::Unknown { .. } => None,
    };
    value.ok_or_else(|| format!("what its default becomes in column {} is not certain", column.name))
}

/// Whole numbers: halves go away from zero, but those of a double to the even number.
fn integer(given: &Given, bits: u32, unsigned: bool) -> Option<Value> {
    let number: i128 = match given {
        Given::Real(number) => format!("{:.0}", number.round_ties_even()).parse().ok()?,
        other => other.exact()?.rounded(0).parse().ok()?,
    };
    let (least, most) = if unsigned {
        (0, (1_i128 << bits) - 1)
    } else {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    };
    // A double has 53 bits.
    let sure = !matches!(given, Given::Real(_)) || number.abs() < 1 << 53;
    (sure && (least..=most).contains(&number)).then(|| Value::Number(number.to_string()))
}

fn decimal(given: &Given, precision: u8, scale: u8, unsigned: bool) -> Option<Value> {
    let text = given.exact()?.rounded(usize::from(scale));
    let whole = text.trim_start_matches('-').split('.').next().unwrap_or_default().trim_start_matches('0');
    let fits = whole.len() <= usize::from(precision.saturating_sub(scale));
    (fits && !(unsigned && text.starts_with('-'))).then_some(Value::Number(text))
}

/// FLOAT and DOUBLE; with digits after the point the server rounds what is after the whole number.
fn real(given: &Given, column: &Column) -> Option<Value> {
    let number = match given {
        Given::Real(number) => *number,
        Given::Text(text) => {
            Decimal::parse(text)?;
            text.trim_matches(' ').parse().ok()?
        }
        other => other.exact()?.to_string().parse::<f64>().ok()?,
    };
    let number = match column.limits.digits {
        Some((digits, places)) => {
            let scale = 10_f64.powi(i32::from(places));
            let rounded = number.floor() + ((number - number.floor()) * scale).round_ties_even() / scale;
            let most = 10_f64.powi(i32::from(digits.saturating_sub(places)));
            (rounded.abs() < most).then_some(rounded)?
        }
        None => number,
    };
    (number.is_finite() && !(column.limits.unsigned && number.is_sign_negative()))
        .then(|| Value::Number(number.to_string()))
}

/// BIT: a number, or the bytes of a string.
fn bits_of(given: &Given, width: usize) -> Option<Value> {
    let bits = match given {
        Given::Integer(number) => format!("{:b}", u64::try_from(*number).ok()?),
        Given::Text(text) if text.is_ascii() => binary(text.as_bytes()),
        Given::Hybrid(bytes) | Given::Bytes(bytes) => binary(bytes),
        _ => return None,
    };
    let bits = bits.trim_start_matches('0');
    (bits.len() <= width).then(|| Value::Bits(format!("{bits:0>width$}")))
}

fn binary(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:08b}")).collect()
}

/// YEAR: two digits are of 1970 to 2069; the number 0 is the year 0, the text '0' is 2000.
fn year(given: &Given) -> Option<Value> {
    let (number, zero) = match given {
        Given::Text(text) => {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            (digits.then(|| text.parse::<u16>().ok()).flatten()?, text.len() == 4)
        }
        Given::Integer(_) | Given::Hybrid(_) => (given.exact()?.rounded(0).parse().ok()?, true),
        _ => return None,
    };
    Some(Value::Year(match number {
        0 if zero => 0,
        0..=69 => 2000 + number,
        70..=99 => 1900 + number,
        1901..=2155 => number,
        _ => return None,
    }))
}

fn text(given: &Given, charset: &str, certain: bool) -> Option<String> {
    match given {
        // Bytes are taken for text of the column's character set; of wide characters the first lacks its zeros.
        Given::Hybrid(bytes) | Given::Bytes(bytes) => {
            let wide = match charset {
                "utf16" | "ucs2" | "utf16le" => 2,
                "utf32" => 4,
                _ => 1,
            };
            let mut padded = vec![0; (wide - bytes.len() % wide) % wide];
            padded.extend(bytes);
            let mut decoded = Vec::new();
            Decoder::of(charset).ok()?.decode(&padded, &mut decoded).ok()?;
            String::from_utf8(decoded).ok()
        }
        other => {
            let text = other.printed()?;
            // A character that the set does not have becomes a question mark outside strict mode; some sets give one of
            // their characters back as another.
            let kept = text.is_ascii() || charset == "utf8mb4" || (certain && !merges(charset));
            kept.then_some(text)
        }
    }
}

/// Text in so many characters; blanks that are too much are cut off.
fn cut(text: &str, length: u32) -> Option<String> {
    let length = usize::try_from(length).ok()?;
    let end = text.char_indices().nth(length).map_or(text.len(), |(end, _)| end);
    let (kept, rest) = text.split_at_checked(end)?;
    rest.chars().all(|character| character == ' ').then(|| kept.to_owned())
}

fn bytes(given: &Given) -> Option<Vec<u8>> {
    match given {
        Given::Hybrid(bytes) | Given::Bytes(bytes) => Some(bytes.clone()),
        other => other.printed().filter(|text| text.is_ascii()).map(String::into_bytes),
    }
}

fn ascii(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii())
}

/// Whether a number can be told from what a label looks like.
fn numbered(given: &Given, labels: &[String]) -> bool {
    !matches!(given, Given::Integer(_)) || labels.iter().all(|label| label.is_ascii())
}

/// A number is the number of a label, but MySQL 9.7 takes that of a literal default for the label itself.
fn one_label(given: &Given, labels: &[String]) -> Option<String> {
    match given {
        Given::Text(text) => literal::label(labels, text),
        Given::Hybrid(bytes) => literal::label(labels, ascii(bytes)?),
        Given::Integer(number) => {
            let numbered = labels.get(usize::try_from(*number).ok()?.checked_sub(1)?)?;
            let named = literal::label(labels, &number.to_string());
            named.is_none_or(|named| named == *numbered).then(|| numbered.clone())
        }
        _ => None,
    }
}

/// The same with a number whose bits are labels.
fn some_labels(given: &Given, labels: &[String]) -> Option<String> {
    match given {
        Given::Text(text) => literal::set(labels, text),
        Given::Hybrid(bytes) => literal::set(labels, ascii(bytes)?),
        Given::Integer(number) => {
            let bits = u64::try_from(*number).ok()?;
            if labels.len() < 64 && bits >> labels.len() != 0 {
                return None;
            }
            let chosen = labels.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
            let numbered = chosen.map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(",");
            let named = literal::set(labels, &number.to_string());
            named.is_none_or(|named| named == numbered).then_some(numbered)
        }
        _ => None,
    }
}

/// Whether the cast of a value to a type of date and time is what storing makes of it.
pub(super) fn casts_as_stored(given: &Given, column: &MySqlType) -> bool {
    // The server rounds what it reads to microseconds, and then again.
    let few_places = |text: &str| {
        let places = text.rsplit_once('.').map_or("", |(_, places)| places);
        places.chars().take_while(char::is_ascii_digit).count() <= 6
    };
    match given {
        Given::Integer(_) => true,
        Given::Exact(text) | Given::Text(text) => few_places(text),
        Given::Temporal(text) => {
            let (dated, timed) = (text.contains('-') && text.len() >= 10, text.contains(':'));
            match column {
                MySqlType::Time { .. } => timed && !dated,
                // Without a fraction nothing is rounded up to the next day.
                MySqlType::Date => dated && !text.contains('.'),
                _ => dated,
            }
        }
        Given::Real(_) | Given::Hybrid(_) | Given::Bytes(_) | Given::Json(_) => false,
    }
}
