//! Generated columns that row images leave out, as a question to the source: its own expressions over the values of the row.
//!
//! Each column that is needed becomes a variable of its name and type, so that an expression reads there what it reads in the table,
//! and what is stored in the variable is what the column holds (MariaDB stores both in the same way). Only the values of the row go in;
//! [`computable`] says of which expressions they decide everything.
//!
//! What must never happen here: a value that a setting of the session, or a name that has changed, has a part in.

use crate::change::{ComputedRow, Computing};
use crate::schema::ddl::SqlMode;
use crate::schema::ddl::token::{Token, TokenKind, tokenize};
use crate::schema::{BoundColumn, Charset, Column, MySqlType, Table, ValueEnd};
use crate::transform::ddl::computed::decided;
use crate::transform::encode::calendar::Civil;
use crate::transform::encode::{number, numeric, temporal};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A statement is closed when it is this long.
const STATEMENT_BYTES: usize = 1 << 18;

/// Whether the values of a row decide what the generated column `column` of `table` holds, and can be told to the source; else why not.
pub(in crate::transform) fn computable(table: &Table, column: &Column) -> Result<(), String> {
    decided(table, column)?;
    if !is_plain(&table.charset.collation) {
        return Err("the default collation of its table is not known".to_owned());
    }
    let at = table.column_index(&column.name).ok_or("its table does not have it")?;
    let mut needed = Needed::default();
    needed.add(table, at)?;
    for index in &needed.given {
        let given = table.columns.get(*index).ok_or("it reads a column that is not there")?;
        if given.limits.zerofill {
            return Err(format!("it reads column {}, which is ZEROFILL", given.name));
        }
    }
    let all = needed.given.iter().chain(&needed.computed);
    for one in all.filter_map(|index| table.columns.get(*index)) {
        if declared(one).is_none() {
            return Err(format!("column {} is of type {}", one.name, one.data_type));
        }
    }
    for one in needed.computed.iter().filter_map(|index| table.columns.get(*index)) {
        check_text(table, one)?;
    }
    Ok(())
}

/// What is doubtful in the text of an expression although it is settled.
fn check_text(table: &Table, column: &Column) -> Result<(), String> {
    let text = column.generation.as_ref().map_or("", |generation| &generation.expression);
    // The catalog prints strings in utf8mb3.
    if !text.is_ascii() {
        return Err(format!("the expression of {} has letters beyond ASCII", column.name));
    }
    // No catalog has it: what it means hangs on the sql_mode of the statement that it was read from.
    if text.contains("||") {
        return Err(format!("the expression of {} has \"||\"", column.name));
    }
    let tokens = tokenize(text, SqlMode::default())?;
    let compares = tokens.iter().any(|token| {
        let words = ["between", "case", "in", "nullif", "if", "greatest", "least", "field", "elt"];
        token.value.contains(['<', '>', '=']) || words.iter().any(|word| token.is_word(word))
    });
    let text = tokens.iter().any(|token| token.kind == TokenKind::Text);
    let big = |token: &Token<'_>| {
        let named = table.column_index(&token.value).and_then(|index| table.columns.get(index));
        named.filter(|named| {
            matches!(named.data_type, MySqlType::BigInt { .. } | MySqlType::Date | MySqlType::DateTime { .. })
        })
    };
    // A column of whole numbers is compared with a constant text as a whole number, a variable as a double; and so for dates.
    match tokens.iter().find_map(big).filter(|_| compares && text) {
        Some(named) => Err(format!("it may compare column {} with a text", named.name)),
        None => Ok(()),
    }
}

/// The columns that a computation needs.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// Those whose values the images have.
    pub(super) given: Vec<usize>,
    /// Those to be computed, each behind those that it is computed from.
    pub(super) computed: Vec<usize>,
    seen: Vec<usize>,
}

impl Needed {
    /// Adds the generated column `at`, and all that it is computed from.
    pub(super) fn add(&mut self, table: &Table, at: usize) -> Result<(), String> {
        if self.seen.contains(&at) {
            return Ok(());
        }
        self.seen.push(at);
        let column = table.columns.get(at).ok_or("it reads a column that is not there")?;
        if !column.generated {
            self.given.push(at);
            return Ok(());
        }
        let generation = column.generation.as_ref();
        let text =
            &generation.ok_or_else(|| format!("the expression of {} is not known", column.name))?.expression;
        // A word may be none of a column: one value more does no harm.
        for token in tokenize(text, SqlMode::default())? {
            let names = matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
            if let Some(named) = table.column_index(&token.value).filter(|_| names) {
                self.add(table, named)?;
            }
        }
        self.computed.push(at);
        Ok(())
    }
}

/// The statements for rows, which give the values of some columns.
#[derive(Debug)]
pub(super) struct Statements<'a> {
    table: &'a Table,
    needed: &'a Needed,
    head: String,
    tail: String,
    done: Vec<String>,
    open: String,
}

impl<'a> Statements<'a> {
    /// Statements that give the values of `asked`; `None` where a column cannot be declared.
    pub(super) fn of(table: &'a Table, needed: &'a Needed, asked: &[usize]) -> Option<Self> {
        let mut head = "BEGIN NOT ATOMIC".to_owned();
        for column in needed.given.iter().chain(&needed.computed) {
            let column = table.columns.get(*column)?;
            // Writing to a String cannot fail.
            let _ = write!(head, " DECLARE {} {};", quoted(&column.name), declared(column)?);
        }
        let mut tail = String::new();
        for index in &needed.computed {
            let column = table.columns.get(*index)?;
            let _ = write!(tail, ", {}=({})", quoted(&column.name), column.generation.as_ref()?.expression);
        }
        let shown: Option<Vec<String>> =
            asked.iter().map(|index| table.columns.get(*index).map(shown)).collect();
        let _ = write!(tail, "; SELECT {};", shown?.join(", "));
        Some(Self { table, needed, open: head.clone(), head, tail, done: Vec::new() })
    }

    /// Adds a row, of which `value` gives the bytes of a column, and whether they are of the format before 5.6.4; `None` where a value
    /// cannot be told.
    pub(super) fn add<'v>(&mut self, value: impl Fn(usize) -> Option<(Cow<'v, [u8]>, bool)>) -> Option<()> {
        // A row needs no column at all where its expressions are constants.
        let mut row = " SET @rowferry=NULL".to_owned();
        for index in &self.needed.given {
            let column = self.table.columns.get(*index)?;
            let literal = match value(*index) {
                Some((raw, old_format)) => literal(column, &raw, old_format)?,
                None => "NULL".to_owned(),
            };
            let _ = write!(row, ", {}={literal}", quoted(&column.name));
        }
        row.push_str(&self.tail);
        if self.open.len() + row.len() > STATEMENT_BYTES && self.open.len() > self.head.len() {
            self.close();
        }
        self.open.push_str(&row);
        Some(())
    }

    fn close(&mut self) {
        let mut statement = std::mem::replace(&mut self.open, self.head.clone());
        statement.push_str(" END");
        self.done.push(statement);
    }

    /// The whole question.
    pub(super) fn finish(mut self) -> Computing {
        if self.open.len() > self.head.len() {
            self.close();
        }
        Computing { collation: self.table.charset.collation.clone(), statements: self.done }
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A column's type as a variable is declared; `None` for one that takes no part.
fn declared(column: &Column) -> Option<String> {
    let limits = column.limits;
    let unsigned = |unsigned: bool| if unsigned { " UNSIGNED" } else { "" };
    let of = |charset: &Charset| {
        let plain = is_plain(&charset.name) && is_plain(&charset.collation) && charset.is_collation_known();
        plain.then(|| format!(" CHARACTER SET {} COLLATE {}", charset.name, charset.collation))
    };
    let digits = limits.digits.map_or(String::new(), |(all, behind)| format!("({all},{behind})"));
    Some(match &column.data_type {
        MySqlType::TinyInt { unsigned: is, .. } => format!("TINYINT{}", unsigned(*is)),
        MySqlType::SmallInt { unsigned: is } => format!("SMALLINT{}", unsigned(*is)),
        MySqlType::MediumInt { unsigned: is } => format!("MEDIUMINT{}", unsigned(*is)),
        MySqlType::Int { unsigned: is } => format!("INT{}", unsigned(*is)),
        MySqlType::BigInt { unsigned: is } => format!("BIGINT{}", unsigned(*is)),
        MySqlType::Decimal { precision, scale } => {
            format!("DECIMAL({precision},{scale}){}", unsigned(limits.unsigned))
        }
        MySqlType::Float => format!("FLOAT{digits}{}", unsigned(limits.unsigned)),
        MySqlType::Double => format!("DOUBLE{digits}{}", unsigned(limits.unsigned)),
        MySqlType::Bit { bits } => format!("BIT({bits})"),
        MySqlType::Year => "YEAR".to_owned(),
        MySqlType::Char { length, charset } => format!("CHAR({length}){}", of(charset)?),
        MySqlType::VarChar { length, charset } => format!("VARCHAR({length}){}", of(charset)?),
        MySqlType::Text { length_bytes, charset } => format!("{}TEXT{}", size(*length_bytes), of(charset)?),
        MySqlType::Binary { length } => format!("BINARY({length})"),
        MySqlType::VarBinary { length } => format!("VARBINARY({length})"),
        MySqlType::Blob { length_bytes } => format!("{}BLOB", size(*length_bytes)),
        MySqlType::Enum { labels, charset } => format!("ENUM({}){}", listed(labels), of(charset)?),
        MySqlType::Set { labels, charset } => format!("SET({}){}", listed(labels), of(charset)?),
        MySqlType::Date => "DATE".to_owned(),
        MySqlType::DateTime { fraction, .. } => format!("DATETIME({fraction})"),
        MySqlType::Time { .. }
        | MySqlType::Timestamp { .. }
        | MySqlType::Json
        | MySqlType::Geometry { .. }
        | MySqlType::Vector { .. }
        | MySqlType::Uuid
        | MySqlType::Inet4
        | MySqlType::Inet6
        | MySqlType::Unknown { .. } => return None,
    })
}

fn size(length_bytes: u8) -> &'static str {
    match length_bytes {
        1 => "TINY",
        2 => "",
        3 => "MEDIUM",
        _ => "LONG",
    }
}

fn listed(labels: &[String]) -> String {
    let quoted = labels.iter().map(|label| format!("'{}'", label.replace('\\', "\\\\").replace('\'', "''")));
    quoted.collect::<Vec<_>>().join(",")
}

/// The bytes of a value of a row image as SQL.
fn literal(column: &Column, raw: &[u8], old_format: bool) -> Option<String> {
    Some(match &column.data_type {
        MySqlType::TinyInt { unsigned, .. }
        | MySqlType::SmallInt { unsigned }
        | MySqlType::MediumInt { unsigned }
        | MySqlType::Int { unsigned }
        | MySqlType::BigInt { unsigned } => {
            if *unsigned {
                number::unsigned(raw).ok()?.to_string()
            } else {
                number::signed(raw).ok()?.to_string()
            }
        }
        MySqlType::Enum { .. } | MySqlType::Set { .. } => number::unsigned(raw).ok()?.to_string(),
        MySqlType::Year => number::logged_year(raw).ok()?.to_string(),
        MySqlType::Decimal { precision, scale } => {
            let mut text = Vec::new();
            numeric::print_packed(raw, *precision, *scale, &mut text).ok()?;
            String::from_utf8(text).ok()?
        }
        // With an exponent it is a double to the server, and all its digits are there.
        MySqlType::Float => format!("{:e}", f64::from(f32::from_le_bytes(raw.try_into().ok()?))),
        MySqlType::Double => format!("{:e}", f64::from_le_bytes(raw.try_into().ok()?)),
        MySqlType::Bit { .. } => {
            raw.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)).to_string()
        }
        MySqlType::Char { charset, .. }
        | MySqlType::VarChar { charset, .. }
        | MySqlType::Text { charset, .. } => format!("_{} {}", charset.name, hex(raw)),
        MySqlType::Binary { .. } | MySqlType::VarBinary { .. } | MySqlType::Blob { .. } => hex(raw),
        MySqlType::Date => civil(&temporal::logged_date(raw).ok()?),
        MySqlType::DateTime { .. } if old_format => civil(&temporal::logged_old_datetime(raw).ok()?),
        MySqlType::DateTime { .. } => civil(&temporal::logged_datetime(raw).ok()?),
        MySqlType::Time { .. }
        | MySqlType::Timestamp { .. }
        | MySqlType::Json
        | MySqlType::Geometry { .. }
        | MySqlType::Vector { .. }
        | MySqlType::Uuid
        | MySqlType::Inet4
        | MySqlType::Inet6
        | MySqlType::Unknown { .. } => return None,
    })
}

/// As the server reads it, whatever day it is.
fn civil(at: &Civil) -> String {
    let Civil { year, month, day, hour, minute, second, micros } = *at;
    format!("'{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}'")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2 + 3);
    text.push_str("x'");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    text
}

/// A computed column in the form that [`logged`] reads.
fn shown(column: &Column) -> String {
    let name = quoted(&column.name);
    match &column.data_type {
        MySqlType::Bit { .. } | MySqlType::Enum { .. } | MySqlType::Set { .. } => format!("{name}+0"),
        // With all digits.
        MySqlType::Float | MySqlType::Double => format!("CAST({name} AS DOUBLE)"),
        MySqlType::Char { .. }
        | MySqlType::VarChar { .. }
        | MySqlType::Text { .. }
        | MySqlType::Binary { .. }
        | MySqlType::VarBinary { .. }
        | MySqlType::Blob { .. } => format!("HEX({name})"),
        _ => name,
    }
}

/// Appends a computed value as a row image has it; `None` for a text that is none of the column's type.
pub(super) fn logged(column: &Column, bound: BoundColumn, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text = std::str::from_utf8(text).ok()?;
    let wire = bound.wire;
    let width = |bytes: usize| match wire {
        ValueEnd::Fixed(width) => Some(usize::from(width)).filter(|width| *width <= bytes),
        ValueEnd::Prefixed(_) => None,
    };
    match &column.data_type {
        MySqlType::TinyInt { unsigned: false, .. }
        | MySqlType::SmallInt { unsigned: false }
        | MySqlType::MediumInt { unsigned: false }
        | MySqlType::Int { unsigned: false }
        | MySqlType::BigInt { unsigned: false } => {
            out.extend_from_slice(text.parse::<i64>().ok()?.to_le_bytes().get(..width(8)?)?);
        }
        MySqlType::TinyInt { .. }
        | MySqlType::SmallInt { .. }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { .. }
        | MySqlType::BigInt { .. }
        | MySqlType::Enum { .. }
        | MySqlType::Set { .. } => {
            out.extend_from_slice(text.parse::<u64>().ok()?.to_le_bytes().get(..width(8)?)?);
        }
        MySqlType::Bit { .. } => {
            let bytes = text.parse::<u64>().ok()?.to_be_bytes();
            out.extend_from_slice(bytes.get(bytes.len() - width(8)?..)?);
        }
        MySqlType::Year => {
            let year = text.parse::<u16>().ok()?;
            out.push(if year == 0 { 0 } else { u8::try_from(year.checked_sub(1900)?).ok()? });
        }
        MySqlType::Date => {
            let mut parts = text.split('-').map(|part| part.parse::<u32>().ok());
            let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
            if year > 9999 || month > 12 || day > 31 || parts.next().is_some() {
                return None;
            }
            out.extend_from_slice((day | month << 5 | year << 9).to_le_bytes().get(..3)?);
        }
        MySqlType::Float => out.extend_from_slice(&text.parse::<f32>().ok()?.to_le_bytes()),
        MySqlType::Double => out.extend_from_slice(&text.parse::<f64>().ok()?.to_le_bytes()),
        MySqlType::Decimal { precision, scale } => {
            numeric::pack_text(text.as_bytes(), *precision, *scale, out).ok()?;
        }
        MySqlType::Char { .. }
        | MySqlType::VarChar { .. }
        | MySqlType::Text { .. }
        | MySqlType::Binary { .. }
        | MySqlType::VarBinary { .. }
        | MySqlType::Blob { .. } => {
            let ValueEnd::Prefixed(prefix) = wire else { return None };
            // Of a compressed one the first byte says that it is not.
            let marked = bound.compressed && !text.is_empty();
            let length = u32::try_from(text.len() / 2 + usize::from(marked)).ok()?.to_le_bytes();
            let (length, beyond) = length.split_at_checked(prefix.into())?;
            if beyond.iter().any(|byte| *byte != 0) {
                return None;
            }
            out.extend_from_slice(length);
            out.extend(marked.then_some(0));
            for digits in text.as_bytes().chunks(2) {
                let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 2)?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
            }
        }
        MySqlType::Time { .. }
        | MySqlType::DateTime { .. }
        | MySqlType::Timestamp { .. }
        | MySqlType::Json
        | MySqlType::Geometry { .. }
        | MySqlType::Vector { .. }
        | MySqlType::Uuid
        | MySqlType::Inet4
        | MySqlType::Inet6
        | MySqlType::Unknown { .. } => return None,
    }
    Some(())
}

/// The values of a row that has `columns` computed ones.
pub(super) fn of_row(rows: &[ComputedRow], row: usize, columns: usize) -> Option<&ComputedRow> {
    rows.get(row).filter(|values| values.len() == columns)
}
