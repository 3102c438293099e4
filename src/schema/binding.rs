//! Binding a table map of the log to the known definition of its table.
//!
//! What flows: a [`TableMap`] and the [`Table`] that should describe it; out comes how wide each column's
//! values are in row images. Type codes and metadata follow MySQL's `Table_map_event` and
//! `Field::save_field_metadata()`; the optional block (`binlog_row_metadata`) is compared as far as the server
//! sends it.
//!
//! What must never happen here: a row image read under a definition it was not written with. Whatever the
//! table map says is compared; what does not fit is an error that names the column.

mod optional;
#[cfg(test)]
mod tests;

use super::charset::max_bytes_per_char;
use super::{Charset, Column, MySqlType, SchemaError, Table};
use crate::change::{TableMap, TableName};

/// A table map that was found to fit a definition: what reading its row images needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundTable {
    /// The source table.
    pub name: TableName,
    /// One a column, in the order of the row images; hidden ones are the last.
    pub columns: Vec<BoundColumn>,
}

/// How one column's values lie in row images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundColumn {
    /// Where a value ends.
    pub wire: ValueEnd,
    /// A temporal value in the format before MySQL 5.6.4 (`old_format` of the column's type).
    pub old_format: bool,
    /// Values are as MariaDB compresses them (COMPRESSED).
    pub compressed: bool,
}

/// How the end of a value in a row image is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueEnd {
    /// Always this many bytes.
    Fixed(u8),
    /// A little-endian length of 1 to 4 bytes, then so many bytes.
    Prefixed(u8),
}

/// Type codes of the log (`enum_field_types` in MySQL's `field_types.h`).
pub mod code {
    #![allow(missing_docs)]
    pub const TINY: u8 = 1;
    pub const SHORT: u8 = 2;
    pub const LONG: u8 = 3;
    pub const FLOAT: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const TIMESTAMP: u8 = 7;
    pub const LONGLONG: u8 = 8;
    pub const INT24: u8 = 9;
    pub const DATE: u8 = 10;
    pub const TIME: u8 = 11;
    pub const DATETIME: u8 = 12;
    pub const YEAR: u8 = 13;
    pub const NEWDATE: u8 = 14;
    pub const VARCHAR: u8 = 15;
    pub const BIT: u8 = 16;
    pub const TIMESTAMP2: u8 = 17;
    pub const DATETIME2: u8 = 18;
    pub const TIME2: u8 = 19;
    pub const BLOB_COMPRESSED: u8 = 140;
    pub const VARCHAR_COMPRESSED: u8 = 141;
    pub const VECTOR: u8 = 242;
    pub const JSON: u8 = 245;
    pub const NEWDECIMAL: u8 = 246;
    pub const ENUM: u8 = 247;
    pub const SET: u8 = 248;
    pub const TINY_BLOB: u8 = 249;
    pub const BLOB: u8 = 252;
    pub const VAR_STRING: u8 = 253;
    pub const STRING: u8 = 254;
    pub const GEOMETRY: u8 = 255;
}

/// Compares `map` with `table` and says how to read the map's row images. `table` must be the definition
/// at the map's position; a table map that contradicts it in any way is [`SchemaError::Contradiction`].
/// A column whose temporal values have the old format is accepted and marked.
pub fn bind(table: &Table, map: &TableMap) -> Result<BoundTable, SchemaError> {
    let contradiction = |column: &str, why: String| SchemaError::Contradiction {
        table: table.name.clone(),
        column: column.to_owned(),
        why,
    };
    let hidden = map.types.len().saturating_sub(table.columns.len());
    let expected = (table.hidden.least..=table.hidden.most).contains(&hidden);
    if map.types.len() != table.columns.len() + hidden || map.metadata.len() != map.types.len() || !expected {
        let first = table.columns.get(map.types.len()).map_or("(all)", |column| &column.name);
        return Err(contradiction(
            first,
            format!(
                "it has {} columns, the definition {}",
                map.types.len(),
                table.columns.len() + table.hidden.least
            ),
        ));
    }
    let mut columns = Vec::with_capacity(map.types.len());
    for (index, (column, (&type_code, &metadata))) in
        table.columns.iter().zip(map.types.iter().zip(&map.metadata)).enumerate()
    {
        columns
            .push(bind_column(column, type_code, metadata).map_err(|why| contradiction(&column.name, why))?);
        let nullable = map.nullable.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1);
        if nullable != column.nullable {
            let word = |nullable| if nullable { "takes NULL" } else { "is NOT NULL" };
            return Err(contradiction(
                &column.name,
                format!("it {} in the log and {} in the definition", word(nullable), word(column.nullable)),
            ));
        }
    }
    for index in table.columns.len()..map.types.len() {
        if map.types.get(index) != Some(&code::LONGLONG) {
            return Err(contradiction("(all)", "it has a column more, which is not a hidden one".to_owned()));
        }
        columns.push(BoundColumn { wire: ValueEnd::Fixed(8), old_format: false, compressed: false });
    }
    optional::check(table, map).map_err(|(column, why)| contradiction(&column, why))?;
    Ok(BoundTable { name: table.name.clone(), columns })
}

/// One column: its type code and metadata against its declared type.
fn bind_column(column: &Column, type_code: u8, metadata: u16) -> Result<BoundColumn, String> {
    let [low, high] = metadata.to_le_bytes();
    let fixed = |width| BoundColumn { wire: ValueEnd::Fixed(width), old_format: false, compressed: false };
    let old = |width| BoundColumn { wire: ValueEnd::Fixed(width), old_format: true, compressed: false };
    let prefixed =
        |bytes| BoundColumn { wire: ValueEnd::Prefixed(bytes), old_format: false, compressed: false };
    let compressed = |bytes| BoundColumn { compressed: true, ..prefixed(bytes) };
    // A wrong value of the metadata, in words.
    let expect = |what: &str, found: u64, declared: u64| {
        if found == declared {
            Ok(())
        } else {
            Err(format!("its {what} is {found} in the log and {declared} in the definition"))
        }
    };
    let wrong_type = || {
        Err(format!("it has type code {type_code} (metadata {metadata}), which is not {}", column.data_type))
    };
    let bound = match (&column.data_type, type_code) {
        (MySqlType::TinyInt { .. }, code::TINY) | (MySqlType::Year, code::YEAR) => fixed(1),
        (MySqlType::SmallInt { .. }, code::SHORT) => fixed(2),
        (MySqlType::MediumInt { .. }, code::INT24) | (MySqlType::Date, code::DATE | code::NEWDATE) => {
            fixed(3)
        }
        (MySqlType::Int { .. }, code::LONG) => fixed(4),
        (MySqlType::BigInt { .. }, code::LONGLONG) => fixed(8),
        (MySqlType::Float, code::FLOAT) => {
            expect("width in bytes", metadata.into(), 4)?;
            fixed(4)
        }
        (MySqlType::Double, code::DOUBLE) => {
            expect("width in bytes", metadata.into(), 8)?;
            fixed(8)
        }
        (MySqlType::Decimal { precision, scale }, code::NEWDECIMAL) => {
            expect("precision", low.into(), (*precision).into())?;
            expect("scale", high.into(), (*scale).into())?;
            fixed(decimal_width(*precision, *scale).ok_or("its scale is larger than its precision")?)
        }
        (MySqlType::Bit { bits }, code::BIT) => {
            // Engines without bit fields store whole bytes and say so.
            let found = u16::from(low) + 8 * u16::from(high);
            let whole = u16::from(*bits).div_ceil(8);
            if low != 0 || u16::from(high) != whole {
                expect("number of bits", found.into(), (*bits).into())?;
            }
            fixed(high.saturating_add(u8::from(low > 0)))
        }
        (MySqlType::Time { fraction, .. }, code::TIME2) => {
            expect("number of fraction digits", metadata.into(), (*fraction).into())?;
            fixed(3 + fraction_width(*fraction))
        }
        (MySqlType::DateTime { fraction, .. }, code::DATETIME2) => {
            expect("number of fraction digits", metadata.into(), (*fraction).into())?;
            fixed(5 + fraction_width(*fraction))
        }
        (MySqlType::Timestamp { fraction, .. }, code::TIMESTAMP2) => {
            expect("number of fraction digits", metadata.into(), (*fraction).into())?;
            fixed(4 + fraction_width(*fraction))
        }
        (MySqlType::Time { fraction, .. }, code::TIME) => {
            expect("number of fraction digits", 0, (*fraction).into())?;
            old(3)
        }
        (MySqlType::DateTime { fraction, .. }, code::DATETIME) => {
            expect("number of fraction digits", 0, (*fraction).into())?;
            old(8)
        }
        (MySqlType::Timestamp { fraction, .. }, code::TIMESTAMP) => {
            expect("number of fraction digits", 0, (*fraction).into())?;
            old(4)
        }
        (MySqlType::VarChar { length, charset }, code::VARCHAR) => {
            expect("length in bytes", metadata.into(), byte_length(*length, charset))?;
            prefixed(if metadata > 255 { 2 } else { 1 })
        }
        (MySqlType::VarBinary { length }, code::VARCHAR) => {
            expect("length in bytes", metadata.into(), (*length).into())?;
            prefixed(if metadata > 255 { 2 } else { 1 })
        }
        // One byte says how a value is compressed.
        (MySqlType::VarChar { .. } | MySqlType::VarBinary { .. }, code::VARCHAR_COMPRESSED) => {
            let declared = match &column.data_type {
                MySqlType::VarChar { length, charset } => byte_length(*length, charset),
                MySqlType::VarBinary { length } => (*length).into(),
                _ => return wrong_type(),
            };
            expect("length in bytes", metadata.into(), declared + 1)?;
            compressed(if metadata > 255 { 2 } else { 1 })
        }
        (MySqlType::Uuid | MySqlType::Inet6, code::STRING) if low == code::STRING => {
            expect("length in bytes", high.into(), 16)?;
            prefixed(1)
        }
        (MySqlType::Inet4, code::STRING) if low == code::STRING => {
            expect("length in bytes", high.into(), 4)?;
            prefixed(1)
        }
        (MySqlType::Char { .. } | MySqlType::Binary { .. }, code::STRING) => {
            let (real, length) = string_metadata(low, high);
            if real != code::STRING {
                return wrong_type();
            }
            let declared = match &column.data_type {
                MySqlType::Char { length, charset } => byte_length(*length, charset),
                MySqlType::Binary { length } => (*length).into(),
                _ => return wrong_type(),
            };
            expect("length in bytes", length.into(), declared)?;
            prefixed(if length > 255 { 2 } else { 1 })
        }
        (MySqlType::Enum { labels, .. }, code::STRING | code::ENUM) if low == code::ENUM => {
            expect("width in bytes", high.into(), if labels.len() < 256 { 1 } else { 2 })?;
            fixed(high)
        }
        (MySqlType::Set { labels, .. }, code::STRING | code::SET) if low == code::SET => {
            let bytes = labels.len().div_ceil(8);
            expect(
                "width in bytes",
                high.into(),
                if bytes > 4 { 8 } else { u64::try_from(bytes).unwrap_or(8) },
            )?;
            fixed(high)
        }
        (MySqlType::Text { length_bytes, .. } | MySqlType::Blob { length_bytes }, code::BLOB) => {
            expect("length prefix in bytes", metadata.into(), (*length_bytes).into())?;
            prefixed(*length_bytes)
        }
        (MySqlType::Text { length_bytes, .. } | MySqlType::Blob { length_bytes }, code::BLOB_COMPRESSED) => {
            expect("length prefix in bytes", metadata.into(), (*length_bytes).into())?;
            compressed(*length_bytes)
        }
        (MySqlType::Json, code::JSON)
        | (MySqlType::Geometry { .. }, code::GEOMETRY)
        | (MySqlType::Vector { .. }, code::VECTOR) => {
            expect("length prefix in bytes", metadata.into(), 4)?;
            prefixed(4)
        }
        // MariaDB's.
        (MySqlType::Vector { dimensions }, code::VARCHAR) => {
            expect("length in bytes", metadata.into(), u64::from(*dimensions) * 4)?;
            prefixed(if metadata > 255 { 2 } else { 1 })
        }
        // A type that is not known is never carried: its values are only skipped, and where they end the log says.
        (MySqlType::Unknown { declared }, _) => {
            match of_5_3(declared, type_code).or_else(|| wire(type_code, metadata)) {
                Some(wire) => BoundColumn { wire, old_format: false, compressed: false },
                None => return wrong_type(),
            }
        }
        _ => return wrong_type(),
    };
    Ok(bound)
}

/// Where a value of MariaDB's format before 10.0 with a fraction ends: only the definition has its digits (`datetime_hires_bytes` and its
/// like in MariaDB's `field.cc`).
fn of_5_3(declared: &str, type_code: u8) -> Option<ValueEnd> {
    let (_, rest) = declared.split_once('(').filter(|_| declared.contains("mariadb-5.3"))?;
    let digits: usize = rest.split_once(')')?.0.trim().parse().ok()?;
    let widths: [u8; 7] = match type_code {
        code::TIME => [3, 4, 4, 5, 5, 5, 6],
        code::DATETIME => [8, 6, 6, 7, 7, 7, 8],
        code::TIMESTAMP => [4, 5, 5, 6, 6, 7, 7],
        _ => return None,
    };
    widths.get(digits).copied().map(ValueEnd::Fixed)
}

/// Where a value ends, by the log alone.
fn wire(type_code: u8, metadata: u16) -> Option<ValueEnd> {
    let [low, high] = metadata.to_le_bytes();
    Some(match type_code {
        code::TINY | code::YEAR => ValueEnd::Fixed(1),
        code::SHORT => ValueEnd::Fixed(2),
        code::INT24 | code::DATE | code::NEWDATE | code::TIME => ValueEnd::Fixed(3),
        code::LONG | code::TIMESTAMP => ValueEnd::Fixed(4),
        code::LONGLONG | code::DATETIME => ValueEnd::Fixed(8),
        code::FLOAT | code::DOUBLE => ValueEnd::Fixed(low),
        code::NEWDECIMAL => ValueEnd::Fixed(decimal_width(low, high)?),
        code::BIT => ValueEnd::Fixed(high.checked_add(u8::from(low > 0))?),
        code::TIME2 => ValueEnd::Fixed(3 + fraction_width(low)),
        code::DATETIME2 => ValueEnd::Fixed(5 + fraction_width(low)),
        code::TIMESTAMP2 => ValueEnd::Fixed(4 + fraction_width(low)),
        code::VARCHAR | code::VARCHAR_COMPRESSED => ValueEnd::Prefixed(if metadata > 255 { 2 } else { 1 }),
        code::STRING | code::ENUM | code::SET if matches!(low, code::ENUM | code::SET) => {
            ValueEnd::Fixed(high)
        }
        code::STRING => ValueEnd::Prefixed(if string_metadata(low, high).1 > 255 { 2 } else { 1 }),
        code::TINY_BLOB..=code::BLOB | code::BLOB_COMPRESSED | code::GEOMETRY | code::JSON | code::VECTOR
            if (1..=4).contains(&low) =>
        {
            ValueEnd::Prefixed(low)
        }
        _ => return None,
    })
}

/// CHAR and BINARY hide their length's two upper bits, inverted, in the type byte
/// (`Field_string::do_save_field_metadata`): gives the real type and the length in bytes.
fn string_metadata(low: u8, high: u8) -> (u8, u16) {
    let upper = u16::from((low & 0x30) ^ 0x30) << 4;
    (low | 0x30, upper | u16::from(high))
}

/// Bytes of a value of `DECIMAL(precision, scale)`: four for nine digits, fewer for the digits left over
/// (`decimal_bin_size` in MySQL's `decimal.cc`).
pub fn decimal_width(precision: u8, scale: u8) -> Option<u8> {
    const LEFT_OVER: [u8; 9] = [0, 1, 1, 2, 2, 3, 3, 4, 4];
    let digits = |count: u8| {
        LEFT_OVER.get(usize::from(count % 9)).and_then(|rest| (count / 9).checked_mul(4)?.checked_add(*rest))
    };
    digits(precision.checked_sub(scale)?)?.checked_add(digits(scale)?)
}

/// Bytes of a second's fraction with so many digits.
fn fraction_width(digits: u8) -> u8 {
    digits.min(6).div_ceil(2)
}

fn byte_length(characters: u32, charset: &Charset) -> u64 {
    u64::from(characters) * u64::from(max_bytes_per_char(&charset.name))
}
