//! The optional metadata of a table map (`binlog_row_metadata`): as much as the server sends is compared with
//! the definition. Fields follow `Table_map_event::Optional_metadata_field_type`; a field that is not
//! known is an error.

use super::super::collation::{BINARY, charset_of, same};
use super::super::{Charset, MySqlType, Table};
use super::code;
use crate::change::TableMap;
use crate::change::names::alike;

/// A column (or `"(all)"`) and what does not fit.
type Mismatch = (String, String);

/// How MariaDB names hidden columns.
const HIDDEN: &[u8] = b"DB_ROW_HASH_";

const SIGNEDNESS: u8 = 1;
const DEFAULT_CHARSET: u8 = 2;
const COLUMN_CHARSET: u8 = 3;
const COLUMN_NAME: u8 = 4;
const SET_LABELS: u8 = 5;
const ENUM_LABELS: u8 = 6;
const GEOMETRY_TYPE: u8 = 7;
const SIMPLE_PRIMARY_KEY: u8 = 8;
const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
const LABEL_DEFAULT_CHARSET: u8 = 10;
const LABEL_COLUMN_CHARSET: u8 = 11;
const COLUMN_VISIBILITY: u8 = 12;
const VECTOR_DIMENSION: u8 = 13;

/// Compares every field of the block with `table`. The number of columns is already known to be right.
pub(super) fn check(table: &Table, map: &TableMap) -> Result<(), Mismatch> {
    let mut block = Reader { rest: &map.optional };
    while let Some(field) = block.byte() {
        let value = block
            .packed()
            .and_then(|length| block.bytes(length))
            .ok_or_else(|| whole("the optional metadata ends inside a field"))?;
        let mut value = Reader { rest: value };
        match field {
            SIGNEDNESS => signedness(table, map, &value)?,
            DEFAULT_CHARSET => text_charsets(table, map, |columns| default_charset(columns, &value))?,
            COLUMN_CHARSET => text_charsets(table, map, |columns| column_charsets(columns, &value))?,
            COLUMN_NAME => names(table, &mut value)?,
            SET_LABELS => labels(table, &mut value, |data_type| match data_type {
                MySqlType::Set { labels, charset } => Some((labels, charset)),
                _ => None,
            })?,
            ENUM_LABELS => labels(table, &mut value, |data_type| match data_type {
                MySqlType::Enum { labels, charset } => Some((labels, charset)),
                _ => None,
            })?,
            LABEL_DEFAULT_CHARSET => default_charset(&label_columns(table), &value)?,
            LABEL_COLUMN_CHARSET => column_charsets(&label_columns(table), &value)?,
            SIMPLE_PRIMARY_KEY => primary_key(table, &mut value, false)?,
            PRIMARY_KEY_WITH_PREFIX => primary_key(table, &mut value, true)?,
            VECTOR_DIMENSION => dimensions(table, &mut value)?,
            // Neither changes what the bytes of a row mean.
            GEOMETRY_TYPE | COLUMN_VISIBILITY => {}
            _ => return Err(whole(&format!("the optional metadata has a field of unknown type {field}"))),
        }
    }
    Ok(())
}

fn whole(why: &str) -> Mismatch {
    ("(all)".to_owned(), why.to_owned())
}

/// One bit a numeric column, most significant first. Servers of today count YEAR among them, and an older
/// one may not: the definition must fit at least one way of counting.
fn signedness(table: &Table, map: &TableMap, value: &Reader<'_>) -> Result<(), Mismatch> {
    let check = |with_year: bool| {
        let mut bit = 0;
        for (column, type_code) in table.columns.iter().zip(&map.types) {
            let declared = match (&column.data_type, *type_code) {
                (
                    MySqlType::TinyInt { unsigned, .. }
                    | MySqlType::SmallInt { unsigned }
                    | MySqlType::MediumInt { unsigned }
                    | MySqlType::Int { unsigned }
                    | MySqlType::BigInt { unsigned },
                    _,
                ) => Some(*unsigned),
                (_, code::YEAR) if !with_year => continue,
                (_, code::NEWDECIMAL | code::FLOAT | code::DOUBLE | code::YEAR) => None,
                (
                    MySqlType::Unknown { .. },
                    code::TINY | code::SHORT | code::INT24 | code::LONG | code::LONGLONG,
                ) => None,
                _ => continue,
            };
            let byte = value.rest.get(bit / 8).ok_or_else(|| whole("the signedness bits are too few"))?;
            let unsigned = byte << (bit % 8) & 0x80 != 0;
            bit += 1;
            if declared.is_some_and(|declared| declared != unsigned) {
                let word = if unsigned { "unsigned" } else { "signed" };
                return Err((column.name.clone(), format!("it is {word} in the log")));
            }
        }
        Ok(())
    };
    check(true).or_else(|first| check(false).map_err(|_| first))
}

/// The character columns as servers count them: MySQL 9 counts VECTOR, MariaDB counts GEOMETRY, and of types that are not
/// known some are counted. The definition must fit one way of counting.
fn text_charsets(
    table: &Table,
    map: &TableMap,
    check: impl Fn(&[(&str, Expected<'_>)]) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    let columns = |vector: bool, geometry: bool, unknown: bool| -> Vec<(&str, Expected<'_>)> {
        table
            .columns
            .iter()
            .zip(&map.types)
            .filter_map(|(column, type_code)| {
                let expected = match (&column.data_type, *type_code) {
                    (
                        MySqlType::Char { charset, .. }
                        | MySqlType::VarChar { charset, .. }
                        | MySqlType::Text { charset, .. },
                        _,
                    ) => Expected::Text(charset),
                    (
                        MySqlType::Binary { .. }
                        | MySqlType::VarBinary { .. }
                        | MySqlType::Blob { .. }
                        | MySqlType::Uuid
                        | MySqlType::Inet4
                        | MySqlType::Inet6,
                        _,
                    ) => Expected::Bytes,
                    (_, code::VECTOR) | (MySqlType::Vector { .. }, code::VARCHAR) if vector => {
                        Expected::Bytes
                    }
                    (
                        MySqlType::Unknown { .. },
                        code::VARCHAR
                        | code::VARCHAR_COMPRESSED
                        | code::BLOB_COMPRESSED
                        | code::TINY_BLOB..=code::STRING,
                    ) if unknown => Expected::Any,
                    (_, code::GEOMETRY) if geometry => Expected::Bytes,
                    _ => return None,
                };
                Some((column.name.as_str(), expected))
            })
            .collect()
    };
    check(&columns(true, false, true)).or_else(|first| {
        (1..8).find_map(|way| check(&columns(way & 1 == 0, way & 2 != 0, way & 4 == 0)).ok()).ok_or(first)
    })
}

fn label_columns(table: &Table) -> Vec<(&str, Expected<'_>)> {
    table
        .columns
        .iter()
        .filter_map(|column| match &column.data_type {
            MySqlType::Enum { charset, .. } | MySqlType::Set { charset, .. } => {
                Some((column.name.as_str(), Expected::Text(charset)))
            }
            _ => None,
        })
        .collect()
}

/// What a column's collation must be.
#[derive(Clone, Copy)]
enum Expected<'a> {
    Text(&'a Charset),
    Bytes,
    Any,
}

fn collation(column: &str, expected: Expected<'_>, id: usize) -> Result<(), Mismatch> {
    let found = u16::try_from(id).ok().and_then(charset_of);
    let declared = match expected {
        Expected::Any => return Ok(()),
        Expected::Bytes => "binary",
        Expected::Text(charset) => &charset.name,
    };
    match found {
        // An id this version has no name for contradicts nothing, except that it is not binary.
        None if declared != "binary" || id == usize::from(BINARY) => Ok(()),
        Some(found) if same(found, declared) => Ok(()),
        _ => Err((
            column.to_owned(),
            format!("its collation is {id} ({}) in the log, not of {declared}", found.unwrap_or("unknown")),
        )),
    }
}

/// A default collation, then pairs of column and collation for those that differ.
fn default_charset(columns: &[(&str, Expected<'_>)], value: &Reader<'_>) -> Result<(), Mismatch> {
    let mut value = Reader { rest: value.rest };
    let short = || whole("the default collation is cut short");
    let default = value.packed().ok_or_else(short)?;
    let mut ids = vec![default; columns.len()];
    while !value.rest.is_empty() {
        let column = value.packed().ok_or_else(short)?;
        let id = value.packed().ok_or_else(short)?;
        *ids.get_mut(column).ok_or_else(|| whole("a collation is given for a column that is not there"))? =
            id;
    }
    columns.iter().zip(ids).try_for_each(|((name, expected), id)| collation(name, *expected, id))
}

/// One collation a column.
fn column_charsets(columns: &[(&str, Expected<'_>)], value: &Reader<'_>) -> Result<(), Mismatch> {
    let mut value = Reader { rest: value.rest };
    for (name, expected) in columns {
        let id = value.packed().ok_or_else(|| whole("there are fewer collations than character columns"))?;
        collation(name, *expected, id)?;
    }
    if value.rest.is_empty() {
        Ok(())
    } else {
        Err(whole("there are more collations than character columns"))
    }
}

fn names(table: &Table, value: &mut Reader<'_>) -> Result<(), Mismatch> {
    for column in &table.columns {
        let name = value
            .packed()
            .and_then(|length| value.bytes(length))
            .ok_or_else(|| whole("the column names are cut short"))?;
        let name = String::from_utf8_lossy(name);
        // Column names are case-insensitive, and a rename may change nothing but case.
        if !alike(&name, &column.name) {
            return Err((column.name.clone(), format!("it is named {name} in the log")));
        }
    }
    while let Some(name) = value.packed().and_then(|length| value.bytes(length)) {
        if !name.starts_with(HIDDEN) {
            return Err(whole(&format!("it has a column {} more in the log", String::from_utf8_lossy(name))));
        }
    }
    Ok(())
}

fn labels<'t>(
    table: &'t Table,
    value: &mut Reader<'_>,
    of: impl Fn(&'t MySqlType) -> Option<(&'t Vec<String>, &'t Charset)>,
) -> Result<(), Mismatch> {
    for column in &table.columns {
        let Some((declared, charset)) = of(&column.data_type) else { continue };
        let cut = || (column.name.clone(), "its labels are cut short in the log".to_owned());
        let count = value.packed().ok_or_else(cut)?;
        if count != declared.len() {
            return Err((
                column.name.clone(),
                format!("it has {count} labels in the log and {} in the definition", declared.len()),
            ));
        }
        for label in declared {
            let found = value.packed().and_then(|length| value.bytes(length)).ok_or_else(cut)?;
            // Labels come in the column's character set: compared where that is the text itself.
            let comparable = matches!(charset.name.as_str(), "utf8mb4" | "utf8mb3" | "utf8")
                || (label.is_ascii() && found.is_ascii() && !charset.name.starts_with(['u', 's']));
            if comparable && found != label.as_bytes() {
                let found = String::from_utf8_lossy(found);
                return Err((column.name.clone(), format!("its label '{label}' is '{found}' in the log")));
            }
        }
    }
    Ok(())
}

fn primary_key(table: &Table, value: &mut Reader<'_>, with_prefix: bool) -> Result<(), Mismatch> {
    let mut found = Vec::new();
    while !value.rest.is_empty() {
        let cut = || whole("the primary key is cut short");
        found.push(value.packed().ok_or_else(cut)?);
        if with_prefix {
            value.packed().ok_or_else(cut)?;
        }
    }
    let mut declared = table.primary_key.clone();
    found.sort_unstable();
    declared.sort_unstable();
    // A definition without a key is refused elsewhere; here only two keys can contradict each other.
    if declared.is_empty() || found == declared {
        Ok(())
    } else {
        Err(whole("the primary key is over other columns in the log"))
    }
}

fn dimensions(table: &Table, value: &mut Reader<'_>) -> Result<(), Mismatch> {
    for column in &table.columns {
        let MySqlType::Vector { dimensions } = &column.data_type else { continue };
        let found = value.packed().ok_or_else(|| whole("the vector dimensions are cut short"))?;
        if u32::try_from(found).ok() != Some(*dimensions) {
            return Err((
                column.name.clone(),
                format!("it has {found} dimensions in the log, not {dimensions}"),
            ));
        }
    }
    Ok(())
}

/// A bounds-checked reader of the block.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// A length-encoded integer (MySQL protocol, `int<lenenc>`).
    fn packed(&mut self) -> Option<usize> {
        let width = match self.byte()? {
            value @ 0..=250 => return Some(usize::from(value)),
            252 => 2,
            253 => 3,
            254 => 8,
            _ => return None,
        };
        let mut value = [0; 8];
        value.get_mut(..width)?.copy_from_slice(self.bytes(width)?);
        usize::try_from(u64::from_le_bytes(value)).ok()
    }
}
