//! What an added column holds in the rows that are there already.
//!
//! The server writes no row events for it (reference manual, "ALTER TABLE Statement"; "Data Type Default Values"), so
//! the value is derived from the definition, or the statement stops the task.

use super::asked::{asked, wide};
use super::literal::{Value, value};
use super::{Issued, calendar};
use crate::change::facts::Flavour;
use crate::change::policy::ZeroDates;
use crate::change::{Asked, Question, TargetColumn, TargetType};
use crate::schema::ddl::{ColumnDefinition, DeclaredDefault};
use crate::schema::{Charset, Column, MySqlType};
use crate::transform::Rules;

/// A column that a statement adds.
pub(super) struct Added<'a> {
    /// As it is declared.
    pub definition: &'a ColumnDefinition,
    /// As the table has it.
    pub column: &'a Column,
    /// What it feeds.
    pub target: &'a TargetColumn,
    /// It is the first TIMESTAMP of the table as it will be.
    pub first_timestamp: bool,
    /// The table's default character set, after the statement.
    pub table_charset: &'a Charset,
}

/// Why there is no value.
#[derive(Debug)]
pub(super) enum Unfilled {
    /// It cannot be had: why.
    Why(String),
    /// The source has to be asked.
    Asks(Box<Question>),
}

impl From<String> for Unfilled {
    fn from(why: String) -> Self {
        Self::Why(why)
    }
}

/// The value in the target type's input form; `None` is NULL. The error says why there is none.
pub(super) fn fill(
    added: &Added<'_>,
    rules: &Rules,
    issued: &Issued<'_>,
) -> Result<Option<String>, Unfilled> {
    let Added { column, target, .. } = added;
    let name = &column.name;
    if column.generated {
        let why = format!("the values of generated column {name} in existing rows cannot be computed yet");
        return Err(why.into());
    }
    if column.auto_increment {
        let why = format!("existing rows get numbers of their own in AUTO_INCREMENT column {name}");
        return Err(why.into());
    }
    match found(added, issued)? {
        Some(found) => shown(found, column, target, rules).map_err(Unfilled::Why),
        None => Ok(None),
    }
}

/// The value; `None` is NULL.
fn found(added: &Added<'_>, issued: &Issued<'_>) -> Result<Option<Value>, Unfilled> {
    let Added { definition, column, .. } = added;
    // The only literal that MySQL takes for such a type is the empty one, outside strict mode, and it is dropped with a warning
    // (seen on 9.7).
    let without = issued.mode.flavour != Some(Flavour::MariaDb)
        && matches!(
            column.data_type,
            MySqlType::Text { .. } | MySqlType::Blob { .. } | MySqlType::Json | MySqlType::Geometry { .. }
        )
        && matches!(
            definition.default,
            DeclaredDefault::Text(_)
                | DeclaredDefault::Number(_)
                | DeclaredDefault::Hex(_)
                | DeclaredDefault::Bit(_)
        );
    let default = if without { &DeclaredDefault::None } else { &definition.default };
    match default {
        DeclaredDefault::Null => Ok(None),
        DeclaredDefault::None if column.nullable => Ok(None),
        DeclaredDefault::None => Ok(Some(implicit(column)?)),
        DeclaredDefault::Now(digits) => now(added, *digits, issued),
        DeclaredDefault::OldTimestamp => old_timestamp(added, issued),
        DeclaredDefault::Expression(text) => match expression(column, text) {
            Some(value) => Ok(Some(value)),
            None => asked(added, issued),
        },
        literal => {
            let bytes = matches!(
                column.data_type,
                MySqlType::Binary { .. } | MySqlType::VarBinary { .. } | MySqlType::Blob { .. }
            );
            if bytes && wide(issued) {
                return asked(added, issued);
            }
            match value(definition, &column.data_type, literal, issued.session.utc_offset_seconds()) {
                Ok(value) => Ok(Some(value)),
                Err(_) => asked(added, issued),
            }
        }
    }
}

/// What a TIMESTAMP NOT NULL without a default gets: with `explicit_defaults_for_timestamp` off, the current time if it is the
/// table's first TIMESTAMP (and has no ON UPDATE of its own), as MySQL 5.6 and 9.7 and MariaDB do; else the zero date.
fn old_timestamp(added: &Added<'_>, issued: &Issued<'_>) -> Result<Option<Value>, Unfilled> {
    let Added { definition, column, first_timestamp, .. } = added;
    if !first_timestamp || definition.on_update || issued.mode.explicit_timestamps == Some(true) {
        return Ok(Some(Value::ZeroDate));
    }
    let MySqlType::Timestamp { fraction, .. } = &column.data_type else {
        return Err(format!("column {} is no TIMESTAMP", column.name).into());
    };
    if issued.mode.explicit_timestamps.is_none() {
        let why = format!(
            "the value of TIMESTAMP column {} in existing rows depends on explicit_defaults_for_timestamp, which the log does not tell",
            column.name
        );
        return Err(why.into());
    }
    now(added, *fraction, issued)
}

/// A value as the target's input; `None` is NULL.
fn shown(
    found: Value,
    column: &Column,
    target: &TargetColumn,
    rules: &Rules,
) -> Result<Option<String>, String> {
    let name = &column.name;
    if found == Value::ZeroDate {
        return match rules.zero_dates {
            ZeroDates::Null if target.nullable => Ok(None),
            ZeroDates::Null | ZeroDates::Error => {
                Err(format!("existing rows get a zero date in column {name}"))
            }
        };
    }
    // What the source stores as a single comes as that single, whatever holds it at the target.
    let found = match found {
        Value::Number(number)
            if column.data_type == MySqlType::Float && target.data_type == TargetType::Double =>
        {
            Value::Number(
                widened(&number).ok_or_else(|| format!("the default of column {name} is no single"))?,
            )
        }
        other => other,
    };
    let rendered = render(&found, &target.data_type).ok_or_else(|| {
        format!("the value of column {name} in existing rows cannot be written as {} yet", target.data_type)
    })?;
    if rendered.contains('\0') {
        return Err(format!("the default of column {name} holds a NUL, which the target's text cannot"));
    }
    Ok(Some(rendered))
}

/// What a NOT NULL column without a default gets.
fn implicit(column: &Column) -> Result<Value, String> {
    Ok(match &column.data_type {
        MySqlType::TinyInt { .. }
        | MySqlType::SmallInt { .. }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { .. }
        | MySqlType::BigInt { .. }
        | MySqlType::Decimal { .. }
        | MySqlType::Float
        | MySqlType::Double => Value::Number("0".into()),
        MySqlType::Bit { bits } => Value::Bits("0".repeat(usize::from(*bits))),
        MySqlType::Year => Value::Year(0),
        MySqlType::Date | MySqlType::DateTime { .. } | MySqlType::Timestamp { .. } => Value::ZeroDate,
        MySqlType::Time { .. } => Value::Time("00:00:00".into()),
        MySqlType::Char { .. }
        | MySqlType::VarChar { .. }
        | MySqlType::Text { .. }
        | MySqlType::Set { .. } => Value::Text(String::new()),
        MySqlType::Enum { labels, .. } => Value::Text(labels.first().cloned().unwrap_or_default()),
        MySqlType::Binary { length } => Value::Bytes(vec![0; usize::try_from(*length).unwrap_or(0)]),
        MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => Value::Bytes(Vec::new()),
        // Seen on MySQL 9.7: the document null, not SQL's NULL.
        MySqlType::Json => Value::Json("null".into()),
        // Seen on MariaDB 10.11 and 11.8.
        MySqlType::Uuid => Value::Address("00000000-0000-0000-0000-000000000000".into()),
        MySqlType::Inet4 => Value::Address("0.0.0.0".into()),
        MySqlType::Inet6 => Value::Address("::".into()),
        MySqlType::Geometry { .. } | MySqlType::Vector { .. } | MySqlType::Unknown { .. } => {
            return Err(format!("NOT NULL column {} has no default", column.name));
        }
    })
}

/// `CURRENT_TIMESTAMP`: the time at which the statement began, for every row.
fn now(added: &Added<'_>, digits: u8, issued: &Issued<'_>) -> Result<Option<Value>, Unfilled> {
    let column = added.column;
    let unknown = |what: &str| format!("existing rows get the current time in {}, and {what}", column.name);
    let (fraction, local) = match &column.data_type {
        MySqlType::Timestamp { fraction, .. } => (*fraction, false),
        MySqlType::DateTime { fraction, .. } => (*fraction, true),
        _ => return asked(added, issued),
    };
    let (seconds, micros) =
        issued.session.started.ok_or_else(|| unknown("the log does not say when the statement began"))?;
    // MariaDB gives it the digits of the column, whatever is written.
    let digits = if issued.mode.flavour == Some(Flavour::MariaDb) { fraction } else { digits };
    if digits > fraction {
        return Err(unknown("it is rounded").into());
    }
    let seconds = i64::try_from(seconds).map_err(|_| unknown("it is out of range"))?;
    let utc = if local { issued.session.utc_offset_seconds() } else { Some(0) };
    let mut text = match utc {
        Some(offset) => {
            calendar::date_time(seconds + i64::from(offset)).ok_or_else(|| unknown("it is out of range"))?
        }
        None => local_time(seconds, issued).map_err(|unfilled| match unfilled {
            Unfilled::Why(why) => Unfilled::Why(unknown(&why)),
            asks @ Unfilled::Asks(_) => asks,
        })?,
    };
    if digits > 0 {
        let micros = micros.ok_or_else(|| unknown("the log does not say its microseconds"))?;
        let micros = format!("{micros:06}");
        text.push('.');
        text.push_str(micros.get(..usize::from(digits)).unwrap_or_default());
    }
    Ok(Some(if local { Value::DateTime(text) } else { Value::Instant(text) }))
}

/// A second in the session's time zone.
fn local_time(seconds: i64, issued: &Issued<'_>) -> Result<String, Unfilled> {
    if issued.session.time_zone.is_none() {
        return Err("that depends on the time zone of the session, which the log does not say"
            .to_owned()
            .into());
    }
    let text = ask(issued, format!("FROM_UNIXTIME({seconds})"))?;
    if text.len() == 19 { Ok(text) } else { Err("the source has no local time for it".to_owned().into()) }
}

/// The source's answer to an expression that hangs on the session's time zone.
fn ask(issued: &Issued<'_>, expression: String) -> Result<String, Unfilled> {
    let session = issued.session;
    let question = Question {
        session: session.clone(),
        asked: Asked::Values(vec![expression]),
        literals: None,
        same_server: session.time_zone.as_deref().is_some_and(|zone| zone.eq_ignore_ascii_case("SYSTEM")),
    };
    let values = match issued.answers.get(&question) {
        None => return Err(Unfilled::Asks(Box::new(question))),
        Some(Err(why)) => return Err(why.clone().into()),
        Some(Ok(values)) => values,
    };
    let text = values.first().and_then(|value| value.text.clone());
    let text = text.and_then(|text| String::from_utf8(text).ok());
    text.ok_or_else(|| "the source has no answer".to_owned().into())
}

/// Expressions whose value needs no asking.
fn expression(column: &Column, text: &str) -> Option<Value> {
    let plain: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    match (&column.data_type, plain.to_ascii_lowercase().as_str()) {
        (MySqlType::Json, "json_array()") => Some(Value::Json("[]".into())),
        (MySqlType::Json, "json_object()") => Some(Value::Json("{}".into())),
        _ => None,
    }
}

/// A value in a target type's input form; `None` where there is no exact one.
#[allow(clippy::match_same_arms)] // a table of pairs
fn render(value: &Value, target: &TargetType) -> Option<String> {
    use TargetType as T;
    match (value, target) {
        (Value::Number(number), T::Boolean) => match number.as_str() {
            "0" => Some("false".into()),
            "1" => Some("true".into()),
            _ => None,
        },
        (Value::Number(number), T::Smallint | T::Integer | T::Bigint | T::Numeric(_) | T::Double) => {
            Some(number.clone())
        }
        // The source rounds to a double and then to a single, so the text must be that of the single.
        (Value::Number(number), T::Real) => single(number),
        (Value::Bits(bits), T::Bit(_)) => Some(bits.clone()),
        (Value::Bits(bits), T::Boolean) if bits.len() == 1 => {
            Some(if bits == "1" { "true" } else { "false" }.into())
        }
        (Value::Text(text), T::Text | T::Varchar(_))
        | (Value::Address(text), T::Text | T::Varchar(_) | T::Uuid | T::Inet) => Some(text.clone()),
        (Value::Bytes(bytes), T::Bytea) => {
            Some(bytes.iter().fold("\\x".to_owned(), |text, byte| format!("{text}{byte:02x}")))
        }
        (Value::Date(date), T::Date) => Some(date.clone()),
        (Value::Date(date), T::Timestamp(_)) => Some(format!("{date} 00:00:00")),
        (Value::DateTime(time), T::Timestamp(_)) => Some(time.clone()),
        (Value::Instant(time), T::TimestampTz(_)) => Some(format!("{time}+00")),
        (Value::Instant(time), T::Timestamp(_)) => Some(time.clone()),
        (Value::Time(time), T::Interval(_)) => Some(time.clone()),
        (Value::Time(time), T::Time(_)) => {
            let hours: Option<u16> = time.split(':').next().and_then(|hours| hours.parse().ok());
            hours.filter(|hours| *hours < 24 && !time.starts_with('-')).map(|_| time.clone())
        }
        (Value::Year(year), T::Smallint | T::Integer | T::Bigint) => Some(year.to_string()),
        (Value::Json(document), T::Jsonb) => Some(document.clone()),
        // `json` keeps a text as it is, and the server prints a document in its own way.
        (Value::Json(document), T::Json) if ["null", "[]", "{}"].contains(&document.as_str()) => {
            Some(document.clone())
        }
        _ => None,
    }
}

/// The shortest text of a number as a single.
fn single(number: &str) -> Option<String> {
    nearest(number).map(|narrow| narrow.to_string())
}

/// The shortest text of the double that is a number's nearest single.
fn widened(number: &str) -> Option<String> {
    nearest(number).map(|narrow| f64::from(narrow).to_string())
}

#[allow(clippy::as_conversions, clippy::cast_possible_truncation)] // no other way from f64 to the nearest f32
fn nearest(number: &str) -> Option<f32> {
    let narrow = number.parse::<f64>().ok()? as f32;
    narrow.is_finite().then_some(narrow)
}
