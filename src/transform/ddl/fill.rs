//! What an added column holds in the rows that are there already.
//!
//! The server writes no row events for it (reference manual, "ALTER TABLE Statement"; "Data Type Default Values"), so
//! the value is derived from the definition, or the statement stops the task.

use super::literal::{Value, value};
use super::{Issued, calendar};
use crate::change::policy::ZeroDates;
use crate::change::{TargetColumn, TargetType};
use crate::schema::ddl::{ColumnDefinition, DeclaredDefault};
use crate::schema::{Column, MySqlType};
use crate::transform::Rules;

/// The value in the target type's input form; `None` is NULL. The error says why there is none.
pub(super) fn fill(
    definition: &ColumnDefinition,
    column: &Column,
    target: &TargetColumn,
    rules: &Rules,
    issued: &Issued<'_>,
) -> Result<Option<String>, String> {
    let name = &column.name;
    if column.generated {
        return Err(format!("the values of generated column {name} in existing rows cannot be computed yet"));
    }
    if column.auto_increment {
        return Err(format!("existing rows get numbers of their own in AUTO_INCREMENT column {name}"));
    }
    let found = match &definition.default {
        DeclaredDefault::Null => return Ok(None),
        DeclaredDefault::None if column.nullable => return Ok(None),
        DeclaredDefault::None => implicit(column)?,
        DeclaredDefault::Now(digits) => now(column, *digits, issued)?,
        DeclaredDefault::OldTimestamp => {
            return Err(format!("the value of TIMESTAMP column {name} in existing rows is not certain"));
        }
        DeclaredDefault::Expression(text) => expression(column, text)?,
        literal => value(definition, &column.data_type, literal, issued.session.utc_offset_seconds())?,
    };
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
        MySqlType::Geometry { .. } | MySqlType::Vector { .. } | MySqlType::Unknown { .. } => {
            return Err(format!("NOT NULL column {} has no default", column.name));
        }
    })
}

/// `CURRENT_TIMESTAMP`: the time at which the statement began, for every row.
fn now(column: &Column, digits: u8, issued: &Issued<'_>) -> Result<Value, String> {
    let unknown = |what: &str| format!("existing rows get the current time in {}, and {what}", column.name);
    let (seconds, micros) =
        issued.session.started.ok_or_else(|| unknown("the log does not say when the statement began"))?;
    let (fraction, local) = match &column.data_type {
        MySqlType::Timestamp { fraction, .. } => (*fraction, false),
        MySqlType::DateTime { fraction, .. } => (*fraction, true),
        _ => return Err(unknown("it is no column of date and time")),
    };
    if fraction != digits {
        return Err(unknown("it is rounded"));
    }
    let offset = if local {
        let why = "that depends on the time zone of the session";
        issued.session.utc_offset_seconds().ok_or_else(|| unknown(why))?
    } else {
        0
    };
    let shown = i64::try_from(seconds).ok().and_then(|at| calendar::date_time(at + i64::from(offset)));
    let mut text = shown.ok_or_else(|| unknown("it is out of range"))?;
    if fraction > 0 {
        let micros = micros.ok_or_else(|| unknown("the log does not say its microseconds"))?;
        let micros = format!("{micros:06}");
        text.push('.');
        text.push_str(micros.get(..usize::from(fraction)).unwrap_or_default());
    }
    Ok(if local { Value::DateTime(text) } else { Value::Instant(text) })
}

/// The few expressions that give every row the same value.
fn expression(column: &Column, text: &str) -> Result<Value, String> {
    let plain: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    match (&column.data_type, plain.to_ascii_lowercase().as_str()) {
        (MySqlType::Json, "json_array()") => Ok(Value::Json("[]".into())),
        (MySqlType::Json, "json_object()") => Ok(Value::Json("{}".into())),
        _ => Err(format!(
            "the default of column {} is the expression {text}, which may give every row a value of its own",
            column.name
        )),
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
        (Value::Text(text), T::Text | T::Varchar(_)) => Some(text.clone()),
        (Value::Bytes(bytes), T::Bytea) => {
            Some(bytes.iter().fold("\\x".to_owned(), |text, byte| format!("{text}{byte:02x}")))
        }
        (Value::Date(date), T::Date) => Some(date.clone()),
        (Value::Date(date), T::Timestamp(_)) => Some(format!("{date} 00:00:00")),
        (Value::DateTime(time), T::Timestamp(_)) => Some(time.clone()),
        (Value::Instant(time), T::TimestampTz(_)) => Some(format!("{time}+00")),
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
