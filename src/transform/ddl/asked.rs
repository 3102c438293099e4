//! Defaults whose value the source is asked for, in a session set as the statement's was.
//!
//! MariaDB stores the default in a variable of the column's type, which is what it does with the column. MySQL has no such thing for
//! a user who only reads: it evaluates the expression and tells its type, and converts what goes into columns of date and time by the
//! casts that are the same code as storing; the rest is [`store`](super::store). Seen equal on MySQL 5.6 and 9.7 and MariaDB 10.11
//! (`tests/suite/add_column`).

use super::constant::{Needs, needs};
use super::fill::{Added, Unfilled};
use super::kept::changed_when_kept;
use super::literal::{self, Value};
use super::store::{Given, casts_as_stored, stored};
use super::time_of_day::may_become_date;
use super::{Issued, decimal::Decimal};
use crate::change::facts::Flavour;
use crate::change::{AnsweredValue, Asked, Literals, Question, ValueKind};
use crate::schema::ddl::token::{Token, TokenKind, tokenize};
use crate::schema::ddl::{ColumnDefinition, DeclaredDefault};
use crate::schema::{Charset, Column, MySqlType, charset, collation};

/// The value of the default of `column`; `None` is NULL.
pub(super) fn asked(added: &Added<'_>, issued: &Issued<'_>) -> Result<Option<Value>, Unfilled> {
    let Added { definition, column, .. } = added;
    let sql = match &definition.default {
        DeclaredDefault::Expression(text) => text.clone(),
        DeclaredDefault::Now(0) => "CURRENT_TIMESTAMP".to_owned(),
        DeclaredDefault::Now(digits) => format!("CURRENT_TIMESTAMP({digits})"),
        literal => written(literal, issued)
            .ok_or_else(|| format!("the default of {} is not plainly one value", column.name))?,
    };
    let needs = needs(&sql, issued.mode, issued.session).map_err(|why| {
        format!("existing rows get the value of the expression {sql} in column {}: {why}", column.name)
    })?;
    let asking = Asking { definition, column, table_charset: added.table_charset, issued, sql, needs };
    asking.check()?;
    let value = match issued.mode.flavour {
        Some(Flavour::MariaDb) => asking.variable()?,
        _ if asking.is_temporal() => asking.cast()?,
        _ => asking.evaluated()?,
    };
    if value.is_none() && !column.nullable {
        return Err(asking.uncertain("it is NULL, and the column takes none").into());
    }
    Ok(value)
}

/// A literal as SQL.
fn written(literal: &DeclaredDefault, issued: &Issued<'_>) -> Option<String> {
    let hex = |bytes: Vec<u8>| {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("x'{digits}'")
    };
    match literal {
        DeclaredDefault::Text(text) => Some(quoted(text, issued)),
        DeclaredDefault::Number(number) => Some(number.clone()),
        DeclaredDefault::Hex(_) => literal::radix_bytes(literal).map(hex),
        // MariaDB takes it for a number.
        DeclaredDefault::Bit(digits) => Some(format!("b'{digits}'")),
        _ => None,
    }
}

fn quoted(text: &str, issued: &Issued<'_>) -> String {
    let doubled = text.replace('\'', "''");
    let escaped = if issued.mode.no_backslash_escapes { doubled } else { doubled.replace('\\', "\\\\") };
    format!("'{escaped}'")
}

struct Asking<'a> {
    definition: &'a ColumnDefinition,
    column: &'a Column,
    table_charset: &'a Charset,
    issued: &'a Issued<'a>,
    sql: String,
    needs: Needs,
}

impl Asking<'_> {
    fn uncertain(&self, why: &str) -> String {
        format!("the value of the default {} of column {} is not certain: {why}", self.sql, self.column.name)
    }

    fn is_temporal(&self) -> bool {
        matches!(
            self.column.data_type,
            MySqlType::Date
                | MySqlType::Time { .. }
                | MySqlType::DateTime { .. }
                | MySqlType::Timestamp { .. }
        )
    }

    /// Whether it is a literal like `TIME '10:11:12'` in a column of times: it gets no date on its way there.
    fn stays_time(&self) -> Result<bool, String> {
        let tokens = tokenize(&self.sql, self.issued.mode)?;
        let literal =
            |word: &Token<'_>, text: &Token<'_>| word.is_word("time") && text.kind == TokenKind::Text;
        let is_literal = matches!(tokens.as_slice(), [word, text] if literal(word, text));
        Ok(is_literal && matches!(self.column.data_type, MySqlType::Time { .. }))
    }

    fn is_bytes(&self) -> bool {
        matches!(
            self.column.data_type,
            MySqlType::Binary { .. } | MySqlType::VarBinary { .. } | MySqlType::Blob { .. }
        )
    }

    /// Whether the log tells what the value hangs on.
    fn check(&self) -> Result<(), String> {
        // MySQL keeps the text of an expression with escapes, and reads it again under NO_BACKSLASH_ESCAPES.
        let mode = self.issued.mode;
        let again = mode.no_backslash_escapes
            && mode.flavour != Some(Flavour::MariaDb)
            && matches!(self.definition.default, DeclaredDefault::Expression(_));
        if again {
            let escaped = |letter: char| letter.is_ascii_control() || letter == '\\' || letter == '\'';
            let tokens = tokenize(&self.sql, mode)?;
            if tokens.iter().any(|token| token.kind == TokenKind::Text && token.value.contains(escaped)) {
                return Err(
                    self.uncertain("under NO_BACKSLASH_ESCAPES the source escapes what is in its strings")
                );
            }
        }
        // What is equal, and which letters are, hangs on it.
        let labelled = matches!(self.column.data_type, MySqlType::Enum { .. } | MySqlType::Set { .. });
        let own = match &self.column.data_type {
            MySqlType::Enum { charset, .. } | MySqlType::Set { charset, .. } => charset,
            _ => self.table_charset,
        };
        let expression = matches!(self.definition.default, DeclaredDefault::Expression(_));
        let of_maria = mode.flavour == Some(Flavour::MariaDb);
        if !own.is_collation_known() && (labelled || (expression && of_maria)) {
            return Err(self.uncertain("the log does not tell the collation"));
        }
        if expression && let Some(what) = changed_when_kept(&self.sql, mode)? {
            return Err(self.uncertain(&format!("the source keeps {what}")));
        }
        if of_maria && may_become_date(&self.sql, mode, &self.column.data_type) {
            return Err(self.uncertain("a time of the day may become a date, as old_mode has it"));
        }
        let session = self.issued.session;
        let (started, micros) = match session.started {
            Some((_, micros)) => (true, micros.is_some()),
            None => (false, false),
        };
        let instant = matches!(self.column.data_type, MySqlType::Timestamp { .. });
        let clock = self.needs.clock || self.needs.day && self.is_temporal() && !self.stays_time()?;
        if clock && !started {
            return Err(self.uncertain("the log does not say when the statement began"));
        }
        if self.needs.micros && !micros {
            return Err(self.uncertain("the log does not say its microseconds"));
        }
        if ((clock && self.needs.zone) || instant) && session.time_zone.is_none() {
            return Err(self.uncertain("the log does not say the time zone of the session"));
        }
        Ok(())
    }

    /// The answer to a question, or the question.
    fn answer(&self, asked: Asked) -> Result<&[AnsweredValue], Unfilled> {
        let session = self.issued.session;
        let same_server = self.is_system() && (self.needs.zone || self.is_temporal());
        let question = Question { session: session.clone(), asked, literals: self.literals(), same_server };
        match self.issued.answers.get(&question) {
            Some(Ok(values)) => Ok(values),
            Some(Err(why)) => Err(self.uncertain(why).into()),
            None => Err(Unfilled::Asks(Box::new(question))),
        }
    }

    /// An expression is kept as text and read again: on MariaDB for the new table, in whose character set its literals then are; on
    /// MySQL in the character set that they had, and in its default collation.
    fn literals(&self) -> Option<Literals> {
        if !matches!(self.definition.default, DeclaredDefault::Expression(_)) {
            return None;
        }
        if self.issued.mode.flavour != Some(Flavour::MariaDb) {
            let set = self.issued.session.connection_collation.and_then(collation::charset_of)?;
            return Some(Literals::Charset(known(set).to_owned()));
        }
        let Charset { name, collation } = self.table_charset;
        let of_mysql = collation.is_empty() || collation.contains("_0900_");
        Some(match of_mysql {
            true => Literals::Charset(name.clone()),
            false => Literals::Collation(collation.clone()),
        })
    }

    /// Answers as text; `None` for NULL.
    fn texts(&self, asked: Asked) -> Result<Vec<Option<String>>, Unfilled> {
        let answered = self.answer(asked)?;
        let text = |value: &AnsweredValue| value.text.clone().map(String::from_utf8).transpose();
        let texts: Result<Vec<_>, _> = answered.iter().map(text).collect();
        texts.map_err(|_| self.uncertain("the source does not answer in UTF-8").into())
    }

    fn one_text(&self, asked: Asked) -> Result<Option<String>, Unfilled> {
        Ok(self.texts(asked)?.into_iter().next().flatten())
    }

    /// MariaDB: stored in a variable.
    fn variable(&self) -> Result<Option<Value>, Unfilled> {
        let shown = match &self.column.data_type {
            MySqlType::Float | MySqlType::Double => "v*1e0",
            MySqlType::Bit { .. } => "v+0",
            MySqlType::Char { .. }
            | MySqlType::VarChar { .. }
            | MySqlType::Text { .. }
            | MySqlType::Enum { .. }
            | MySqlType::Set { .. } => "HEX(CONVERT(v USING utf8mb4))",
            MySqlType::Binary { .. } | MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => "HEX(v)",
            _ => "v",
        };
        let asked = Asked::Stored {
            data_type: self.variable_type()?,
            expression: self.sql.clone(),
            shown: vec![shown.to_owned()],
        };
        let Some(text) = self.one_text(asked)? else { return Ok(None) };
        let value = match &self.column.data_type {
            MySqlType::TinyInt { .. }
            | MySqlType::SmallInt { .. }
            | MySqlType::MediumInt { .. }
            | MySqlType::Int { .. }
            | MySqlType::BigInt { .. }
            | MySqlType::Decimal { .. } => {
                Decimal::parse(&text).map(|number| Value::Number(number.to_string()))
            }
            MySqlType::Float | MySqlType::Double => {
                text.parse::<f64>().ok().map(|number| Value::Number(number.to_string()))
            }
            MySqlType::Bit { bits } => {
                let width = usize::from(*bits);
                text.parse::<u64>().ok().map(|number| Value::Bits(format!("{number:0width$b}")))
            }
            MySqlType::Year => text.parse().ok().map(Value::Year),
            MySqlType::Char { .. } => {
                unhex_text(&text).map(|text| Value::Text(text.trim_end_matches(' ').to_owned()))
            }
            MySqlType::VarChar { .. }
            | MySqlType::Text { .. }
            | MySqlType::Enum { .. }
            | MySqlType::Set { .. } => unhex_text(&text).map(Value::Text),
            MySqlType::Binary { .. } | MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => {
                unhex(&text).map(Value::Bytes)
            }
            MySqlType::Uuid | MySqlType::Inet4 | MySqlType::Inet6 => Some(Value::Address(text.clone())),
            other => temporal(&text, other),
        };
        self.unambiguous(value.ok_or_else(|| self.unreadable(&text))?).map(Some)
    }

    /// The column's type as a variable is declared.
    fn variable_type(&self) -> Result<String, String> {
        let labels = |labels: &[String]| {
            labels.iter().map(|label| quoted(label, self.issued)).collect::<Vec<_>>().join(",")
        };
        Ok(match &self.column.data_type {
            MySqlType::Char { length, charset } => format!("CHAR({length}) {}", set(charset)),
            MySqlType::VarChar { length, charset } => format!("VARCHAR({length}) {}", set(charset)),
            MySqlType::Text { charset, .. } => format!("LONGTEXT {}", set(charset)),
            MySqlType::Enum { labels: all, charset } => format!("ENUM({}) {}", labels(all), set(charset)),
            MySqlType::Set { labels: all, charset } => format!("SET({}) {}", labels(all), set(charset)),
            MySqlType::Binary { length } => format!("BINARY({length})"),
            MySqlType::VarBinary { length } => format!("VARBINARY({length})"),
            MySqlType::Blob { .. } => "LONGBLOB".to_owned(),
            MySqlType::Json
            | MySqlType::Geometry { .. }
            | MySqlType::Vector { .. }
            | MySqlType::Unknown { .. } => {
                return Err(self.uncertain("its type is none of a variable"));
            }
            _ => self.definition.declared.clone(),
        })
    }

    fn unreadable(&self, text: &str) -> Unfilled {
        self.uncertain(&format!("\"{text}\" cannot be read")).into()
    }

    /// MySQL, types of date and time: what the cast to the type gives.
    fn cast(&self) -> Result<Option<Value>, Unfilled> {
        let column = &self.column.data_type;
        let sql = match self.given()? {
            None => return Ok(None),
            // A literal of bytes is text here.
            Some(Given::Hybrid(bytes)) => match String::from_utf8(bytes) {
                Ok(text) if text.is_ascii() => quoted(&text, self.issued),
                _ => return Err(self.uncertain("it is no text").into()),
            },
            Some(given) if casts_as_stored(&given, column) => self.sql.clone(),
            Some(_) => return Err(self.uncertain("its type is another than the column's").into()),
        };
        let as_type = |name: &str, fraction: u8| format!("CAST(({sql}) AS {name}({fraction}))");
        let cast = match column {
            MySqlType::Time { fraction, .. } => as_type("TIME", *fraction),
            MySqlType::DateTime { fraction, .. } => as_type("DATETIME", *fraction),
            MySqlType::Timestamp { fraction, .. } => {
                return self.cast_instant(&as_type("DATETIME", *fraction), *fraction);
            }
            _ => format!("CAST(({sql}) AS DATE)"),
        };
        let text = self.one_text(Asked::Values(vec![cast]))?;
        let text = text.ok_or_else(|| self.uncertain("the source makes NULL of it"))?;
        temporal(&text, column).map(Some).ok_or_else(|| self.unreadable(&text))
    }

    /// TIMESTAMP: local time that is taken for an instant, which must lead back to it.
    fn cast_instant(&self, local: &str, fraction: u8) -> Result<Option<Value>, Unfilled> {
        let instant = format!("UNIX_TIMESTAMP({local})");
        let back = format!("CAST(FROM_UNIXTIME({instant}) AS DATETIME({fraction}))");
        let texts = self.texts(Asked::Values(vec![local.to_owned(), instant, back]))?;
        let [Some(local), Some(instant), back] = texts.as_slice() else {
            return Err(self.uncertain("the source makes NULL of it").into());
        };
        if temporal(local, &self.column.data_type) == Some(Value::ZeroDate) {
            return Ok(Some(Value::ZeroDate));
        }
        if back.as_ref() != Some(local) {
            return Err(self.uncertain("there is no such local time").into());
        }
        let (seconds, places) = instant.split_once('.').unwrap_or((instant, ""));
        // What is later than a TIMESTAMP can be becomes zero; newer servers know a second for it all the same.
        let shown = seconds.parse::<i64>().ok().filter(|seconds| (1..=i64::from(i32::MAX)).contains(seconds));
        let shown = shown.and_then(super::calendar::date_time).ok_or_else(|| self.unreadable(instant))?;
        let point = if places.is_empty() { "" } else { "." };
        self.unambiguous(Value::Instant(format!("{shown}{point}{places}"))).map(Some)
    }

    /// Which of two instants of the same local time is meant depends, in the time zone `SYSTEM`, on the season in which the server
    /// was started (`my_system_gmt_sec` begins at the offset it had then; seen on MySQL 5.6 and 9.7).
    fn unambiguous(&self, value: Value) -> Result<Value, Unfilled> {
        let Value::Instant(text) = &value else { return Ok(value) };
        if !self.is_system() {
            return Ok(value);
        }
        let seconds = super::calendar::seconds(text).ok_or_else(|| self.unreadable(text))?;
        let around = [0, -1800, 1800, -3600, 3600, -7200, 7200].map(|offset| seconds + offset);
        let asked = around.iter().filter(|at| **at > 0).map(|at| format!("FROM_UNIXTIME({at})")).collect();
        let shown = self.texts(Asked::Values(asked))?;
        match shown.split_first() {
            Some((Some(local), others)) if !others.contains(&Some(local.clone())) => Ok(value),
            _ => Err(self.uncertain("its local time is there twice in the session's time zone").into()),
        }
    }

    fn is_system(&self) -> bool {
        let zone = self.issued.session.time_zone.as_deref();
        zone.is_some_and(|zone| zone.eq_ignore_ascii_case("SYSTEM"))
    }

    /// MySQL, other types: what the expression gives, stored.
    fn evaluated(&self) -> Result<Option<Value>, Unfilled> {
        let Some(given) = self.given()? else { return Ok(None) };
        match (&given, &self.column.data_type) {
            (Given::Text(text), MySqlType::Enum { labels, charset }) => {
                return self.equal_label(text, labels, charset).map(|label| Some(Value::Text(label)));
            }
            (Given::Text(text), MySqlType::Set { labels, charset }) => {
                let parts = text.split(',').filter(|part| !part.is_empty());
                let found = parts.map(|part| self.equal_label(part, labels, charset));
                let found = found.collect::<Result<Vec<_>, _>>()?;
                let ordered = labels.iter().filter(|label| found.contains(label)).map(String::as_str);
                return Ok(Some(Value::Text(ordered.collect::<Vec<_>>().join(","))));
            }
            _ => {}
        }
        let given = match given {
            // The bytes of a text are those of the character set of its session.
            Given::Text(_) if self.is_bytes() => {
                let hex = self.one_text(Asked::Values(vec![format!("HEX({})", self.sql)]))?;
                let bytes = hex.as_deref().and_then(unhex);
                Given::Bytes(bytes.ok_or_else(|| self.uncertain("the source makes NULL of it"))?)
            }
            Given::Text(_) if self.column.data_type == MySqlType::Json => {
                let document = self.one_text(Asked::Values(vec![format!("CAST({} AS JSON)", self.sql)]))?;
                Given::Json(document.ok_or_else(|| self.uncertain("the source makes NULL of it"))?)
            }
            Given::Text(_) if matches!(self.column.data_type, MySqlType::Bit { .. }) && self.is_wide() => {
                return Err(self.uncertain("it depends on the character set of its session").into());
            }
            other => other,
        };
        let literal = Given::of(&self.definition.default).is_some();
        Ok(Some(stored(&given, self.column, literal || self.issued.mode.strict)?))
    }

    /// The first label that is equal to a text in the column's collation.
    fn equal_label(&self, text: &str, labels: &[String], charset: &Charset) -> Result<String, Unfilled> {
        if let Some(label) = literal::label(labels, text) {
            return Ok(label);
        }
        let of_set =
            |text: &String| format!("CONVERT({} USING {})", quoted(text, self.issued), known(&charset.name));
        // A default collation was filled in, and is not that of every server.
        let filled_in = charset.collation.is_empty() || charset.collation.contains("_0900_");
        let collate = if filled_in { String::new() } else { format!(" COLLATE {}", charset.collation) };
        let all = labels.iter().map(of_set).collect::<Vec<_>>().join(", ");
        let sql = format!("FIELD({}{collate}, {all})", of_set(&text.trim_end_matches(' ').to_owned()));
        let place = self.one_text(Asked::Values(vec![sql]))?;
        let place = place.and_then(|place| place.parse::<usize>().ok()?.checked_sub(1));
        let label = place.and_then(|place| labels.get(place));
        label.cloned().ok_or_else(|| self.uncertain("it is none of the labels").into())
    }

    fn is_wide(&self) -> bool {
        wide(self.issued)
    }

    /// What the default is before it is stored; `None` is NULL.
    fn given(&self) -> Result<Option<Given>, Unfilled> {
        if let Some(given) = Given::of(&self.definition.default) {
            return Ok(Some(given));
        }
        let values = self.answer(Asked::Values(vec![format!("({})", self.sql)]))?;
        let [AnsweredValue { kind, text }] = values else {
            return Err(self.uncertain("the source does not answer with one value").into());
        };
        let Some(bytes) = text.clone() else { return Ok(None) };
        if *kind == ValueKind::Bytes {
            return Ok(Some(Given::Bytes(bytes)));
        }
        let text =
            String::from_utf8(bytes).map_err(|_| self.uncertain("the source does not answer in UTF-8"))?;
        Ok(Some(match kind {
            ValueKind::Integer => Given::Integer(text.parse().map_err(|_| self.unreadable(&text))?),
            ValueKind::Decimal => Given::Exact(text),
            ValueKind::Real => {
                // As text a double may have fewer places; the product of one has them all.
                let whole = self.one_text(Asked::Values(vec![format!("({})*1e0", self.sql)]))?;
                let number = whole.as_deref().and_then(|text| text.parse().ok());
                Given::Real(number.ok_or_else(|| self.unreadable(&text))?)
            }
            ValueKind::Text => Given::Text(text),
            ValueKind::Date | ValueKind::Time | ValueKind::DateTime => Given::Temporal(text),
            ValueKind::Json => Given::Json(text),
            ValueKind::Bytes | ValueKind::Other => {
                return Err(self.uncertain("its type is not known").into());
            }
        }))
    }
}

/// The name of a set that every server knows.
fn known(set: &str) -> &str {
    if set == "utf8mb3" { "utf8" } else { set }
}

/// Whether the session's literals are in a set in which ASCII is not one byte a character.
pub(super) fn wide(issued: &Issued<'_>) -> bool {
    let set = issued.session.connection_collation.and_then(collation::charset_of);
    set.is_some_and(charset::is_wide)
}

/// The clause of a character set. MySQL's own default collations, which are filled in where none is named, are unknown to MariaDB.
fn set(charset: &Charset) -> String {
    match charset.collation.as_str() {
        _ if !charset.is_collation_known() => format!("CHARACTER SET {}", charset.name),
        collation if collation.is_empty() || collation.contains("_0900_") => {
            format!("CHARACTER SET {}", charset.name)
        }
        collation => format!("CHARACTER SET {} COLLATE {collation}", charset.name),
    }
}

/// A date or time as the source prints it, under UTC.
fn temporal(text: &str, column: &MySqlType) -> Option<Value> {
    match column {
        MySqlType::Date => literal::date(text),
        MySqlType::Time { fraction, .. } => literal::time(text, *fraction),
        MySqlType::DateTime { fraction, .. } => literal::date_time(text, *fraction),
        MySqlType::Timestamp { fraction, .. } => match literal::date_time(text, *fraction)? {
            Value::DateTime(time) => Some(Value::Instant(time)),
            other => Some(other),
        },
        _ => None,
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pair = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}

fn unhex_text(digits: &str) -> Option<String> {
    String::from_utf8(unhex(digits)?).ok()
}
