//! The reader of a declared type: `information_schema.COLUMNS.COLUMN_TYPE` and the type part of a
//! column definition in DDL text become a [`MySqlType`].
//!
//! Follows the MySQL reference manual, "Data Types", and the server's grammar rule `type` (sql/sql_yacc.yy):
//! synonyms, default lengths and the widening of `TEXT(n)` and of too long VARCHARs are as the server does them.
//!
//! What must never happen here: a spelling that is not understood being taken for one that is. It becomes
//! [`MySqlType::Unknown`].

use super::charset::{Defaults, charset, charset_of_collation, is_wide, max_bytes_per_char};
use super::column::{Charset, MySqlType};
use super::table::Limits;
use token::{Token, Tokens};

mod token;

/// Reads a type as `information_schema` prints it, or as DDL text declares it under a `sql_mode` without
/// `NO_BACKSLASH_ESCAPES`.
///
/// `declared` is the type with its own attributes (`UNSIGNED`, `ZEROFILL`, `CHARACTER SET x`, `COLLATE y`,
/// `BINARY`, …) and nothing of the column's options. `charset` is the column's, or the table's default when the
/// text does not name one; attributes in the text win over it. MariaDB's `JSON` is an alias of `LONGTEXT` in
/// DDL text: the caller who knows the flavour translates it before.
pub fn parse(declared: &str, charset: &Charset) -> MySqlType {
    parse_with(declared, charset, true, None)
}

/// As [`parse`]; `backslash_escapes` is false when the text was written under `NO_BACKSLASH_ESCAPES`. `defaults` are those of the
/// session that declares the type, for character sets without a collation; what information_schema shows has none.
pub fn parse_with(
    declared: &str,
    charset: &Charset,
    backslash_escapes: bool,
    defaults: Option<Defaults<'_>>,
) -> MySqlType {
    read(declared, charset, backslash_escapes, defaults)
        .unwrap_or_else(|| MySqlType::Unknown { declared: declared.trim().to_owned() })
}

fn named(defaults: Option<Defaults<'_>>, set: &str, collation: Option<&str>) -> Charset {
    match defaults {
        Some(defaults) => defaults.charset(set, collation),
        None => charset(set, collation),
    }
}

/// What the declaration of a number allows; nothing special for what is none.
pub fn limits(declared: &str) -> Limits {
    let Some(mut tokens) = Tokens::read(declared, true) else { return Limits::default() };
    let Some(first) = tokens.word() else { return Limits::default() };
    let fractional = ["float", "float4", "double", "real", "float8"].contains(&first.as_str());
    tokens.take("precision");
    let digits = match tokens.numbers().as_deref() {
        Some([digits, places]) if fractional => u8::try_from(*digits).ok().zip(u8::try_from(*places).ok()),
        _ => None,
    };
    let mut limits = Limits { digits, unsigned: first == "serial", zerofill: false };
    while let Some(word) = tokens.word() {
        limits.zerofill |= word == "zerofill";
        limits.unsigned |= word == "unsigned" || word == "zerofill";
    }
    limits
}

/// What the words after a type say.
struct Attributes {
    unsigned: bool,
    byte: bool,
    charset: Option<Charset>,
}

fn attributes(
    tokens: &mut Tokens,
    inherited: &Charset,
    defaults: Option<Defaults<'_>>,
) -> Option<Attributes> {
    let mut found = Attributes { unsigned: false, byte: false, charset: None };
    let (mut set, mut collation, mut binary) = (None, None, false);
    while let Some(word) = tokens.word() {
        match word.as_str() {
            "unsigned" | "zerofill" => found.unsigned = true,
            "signed" => {}
            "byte" => found.byte = true,
            "binary" => binary = true,
            "ascii" => set = Some("latin1".to_owned()),
            "unicode" => set = Some("ucs2".to_owned()),
            "charset" => set = Some(name(tokens)?),
            "character" | "char" if tokens.take("set") => set = Some(name(tokens)?),
            "collate" => collation = Some(name(tokens)?),
            _ => return None,
        }
    }
    found.charset = match (set, collation) {
        (Some(set), collation) => {
            let mut chosen = named(defaults, &set, collation.as_deref());
            if binary && collation.is_none() && chosen.name != "binary" {
                chosen.collation = format!("{}_bin", chosen.name);
            }
            Some(chosen)
        }
        (None, Some(collation)) => Some(
            charset_of_collation(&collation)
                .unwrap_or_else(|| named(defaults, &inherited.name, Some(&collation))),
        ),
        (None, None) if binary => {
            let name = charset(&inherited.name, Some("")).name;
            let collation = if name == "binary" { name.clone() } else { format!("{name}_bin") };
            Some(Charset { name, collation })
        }
        (None, None) => None,
    };
    Some(found)
}

/// A character set or collation name: bare or quoted.
fn name(tokens: &mut Tokens) -> Option<String> {
    match tokens.rest.next()? {
        Token::Word(word) => Some(word),
        Token::Text(text) => Some(text.to_ascii_lowercase()),
        Token::Open | Token::Close | Token::Comma => None,
    }
}

/// The value of a string literal, quotes included; `None` when it is none.
pub fn unquote(literal: &str) -> Option<String> {
    let quote = literal.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    let (value, rest) = token::quoted(literal.get(1..)?, quote, true)?;
    rest.is_empty().then_some(value)
}

/// A type before its attributes are known.
enum TypeDraft {
    Done(MySqlType),
    Integer(u8, bool),
    Number(MySqlType),
    Char(u64),
    VarChar(u64),
    /// Length prefix, and the declared length of `TEXT(n)`.
    Text(u8, u64),
    Enum(Vec<String>),
    Set(Vec<String>),
}

fn read(
    declared: &str,
    inherited: &Charset,
    backslash_escapes: bool,
    defaults: Option<Defaults<'_>>,
) -> Option<MySqlType> {
    let mut tokens = Tokens::read(declared, backslash_escapes)?;
    let mut first = tokens.word()?;
    let mut own_charset = charset(&inherited.name, Some(&inherited.collation));
    if first == "national" || first == "nchar" || first == "nvarchar" {
        own_charset = named(defaults, "utf8mb3", None);
        first = match first.as_str() {
            "national" => tokens
                .word()
                .filter(|w| ["char", "character", "varchar", "varcharacter"].contains(&w.as_str()))?,
            "nchar" => "char".to_owned(),
            _ => "varchar".to_owned(),
        };
    }
    let draft = draft(&first, &mut tokens)?;
    let (old_format, of_bytes) = (tokens.old_format, tokens.bytes);
    let attributes = attributes(&mut tokens, &own_charset, defaults)?;
    if tokens.rest.next().is_some() {
        return None;
    }
    let charset = attributes.charset.clone().unwrap_or(own_charset);
    // Labels that are written as bytes are read as ASCII.
    if of_bytes && is_wide(&charset.name) {
        return None;
    }
    let bytes = attributes.byte || charset.name == "binary";
    let plain = attributes.charset.is_none() && !attributes.byte;
    let declared_type = match draft {
        TypeDraft::Done(done) if plain && !attributes.unsigned => done,
        // The grammar takes and ignores UNSIGNED and ZEROFILL behind YEAR.
        TypeDraft::Done(MySqlType::Year) if plain => MySqlType::Year,
        TypeDraft::Number(number) if plain => number,
        TypeDraft::Integer(size, display_one) if plain => integer(size, display_one, attributes.unsigned)?,
        _ if attributes.unsigned => return None,
        TypeDraft::Char(length) => {
            let length = u32::try_from(length).ok().filter(|length| *length <= 255)?;
            if bytes { MySqlType::Binary { length } } else { MySqlType::Char { length, charset } }
        }
        TypeDraft::VarChar(length) => varying(length, charset, bytes)?,
        TypeDraft::Text(length_bytes, length) => text(length_bytes, length, charset, bytes)?,
        TypeDraft::Enum(labels) => MySqlType::Enum { labels: trimmed(labels, &charset), charset },
        TypeDraft::Set(labels) => MySqlType::Set { labels: trimmed(labels, &charset), charset },
        TypeDraft::Done(_) | TypeDraft::Number(_) | TypeDraft::Integer(..) => return None,
    };
    if old_format { old_temporal(&declared_type) } else { Some(declared_type) }
}

fn draft(first: &str, tokens: &mut Tokens) -> Option<TypeDraft> {
    Some(match first {
        "tinyint" | "int1" => {
            let display = tokens.number_or(0)?;
            TypeDraft::Integer(1, display == 1)
        }
        "bool" | "boolean" => TypeDraft::Done(MySqlType::TinyInt { unsigned: false, display_one: true }),
        "smallint" | "int2" => sized_integer(tokens, 2)?,
        "mediumint" | "middleint" | "int3" => sized_integer(tokens, 3)?,
        "int" | "integer" | "int4" => sized_integer(tokens, 4)?,
        "bigint" | "int8" => sized_integer(tokens, 8)?,
        "serial" => TypeDraft::Done(MySqlType::BigInt { unsigned: true }),
        "decimal" | "dec" | "numeric" | "fixed" => TypeDraft::Number(decimal(tokens)?),
        "float" | "float4" => TypeDraft::Number(match tokens.numbers()?.as_slice() {
            [] | [_, _] => MySqlType::Float,
            [precision] if *precision <= 24 => MySqlType::Float,
            [precision] if *precision <= 53 => MySqlType::Double,
            _ => return None,
        }),
        "double" | "real" | "float8" => {
            let _ = first == "double" && tokens.take("precision");
            match tokens.numbers()?.as_slice() {
                [] | [_, _] => TypeDraft::Number(MySqlType::Double),
                _ => return None,
            }
        }
        "bit" => {
            let bits = u8::try_from(tokens.number_or(1)?).ok().filter(|bits| *bits <= 64)?;
            TypeDraft::Done(MySqlType::Bit { bits: bits.max(1) })
        }
        "year" => {
            // MariaDB shows the year of YEAR(2) with two digits, and logs it whole.
            (tokens.number_or(4)? == 4).then_some(TypeDraft::Done(MySqlType::Year))?
        }
        "date" => TypeDraft::Done(MySqlType::Date),
        "time" => TypeDraft::Done(MySqlType::Time { fraction: fraction(tokens)?, old_format: false }),
        "datetime" => TypeDraft::Done(MySqlType::DateTime { fraction: fraction(tokens)?, old_format: false }),
        "timestamp" => {
            TypeDraft::Done(MySqlType::Timestamp { fraction: fraction(tokens)?, old_format: false })
        }
        "char" | "character" => {
            if tokens.take("varying") || tokens.take("varchar") {
                TypeDraft::VarChar(tokens.number_or(u64::MAX)?)
            } else {
                TypeDraft::Char(tokens.number_or(1)?)
            }
        }
        "varchar" | "varcharacter" => TypeDraft::VarChar(tokens.number_or(u64::MAX)?),
        "tinytext" => TypeDraft::Text(1, 0),
        "text" => TypeDraft::Text(2, tokens.number_or(0)?),
        "mediumtext" => TypeDraft::Text(3, 0),
        "longtext" => TypeDraft::Text(4, 0),
        "binary" => {
            let length = u32::try_from(tokens.number_or(1)?).ok().filter(|length| *length <= 255)?;
            TypeDraft::Done(MySqlType::Binary { length })
        }
        "varbinary" => TypeDraft::Done(varying(tokens.number_or(u64::MAX)?, binary(), true)?),
        "tinyblob" => TypeDraft::Done(MySqlType::Blob { length_bytes: 1 }),
        "blob" => TypeDraft::Done(text(2, tokens.number_or(0)?, binary(), true)?),
        "mediumblob" => TypeDraft::Done(MySqlType::Blob { length_bytes: 3 }),
        "longblob" => TypeDraft::Done(MySqlType::Blob { length_bytes: 4 }),
        "long" => {
            if tokens.take("varbinary") {
                TypeDraft::Done(MySqlType::Blob { length_bytes: 3 })
            } else {
                let char_varying =
                    (tokens.take("char") || tokens.take("character")) && !tokens.take("varying");
                if char_varying {
                    return None;
                }
                let _ = tokens.take("varchar") || tokens.take("varcharacter");
                TypeDraft::Text(3, 0)
            }
        }
        "enum" => TypeDraft::Enum(tokens.labels()?),
        "set" => TypeDraft::Set(tokens.labels()?),
        "json" => TypeDraft::Done(MySqlType::Json),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => {
            TypeDraft::Done(MySqlType::Geometry { kind: first.to_owned() })
        }
        "uuid" => TypeDraft::Done(MySqlType::Uuid),
        "inet4" => TypeDraft::Done(MySqlType::Inet4),
        "inet6" => TypeDraft::Done(MySqlType::Inet6),
        "vector" => {
            TypeDraft::Done(MySqlType::Vector { dimensions: u32::try_from(tokens.number_or(2048)?).ok()? })
        }
        _ => return None,
    })
}

fn binary() -> Charset {
    Charset { name: "binary".to_owned(), collation: "binary".to_owned() }
}

fn sized_integer(tokens: &mut Tokens, size: u8) -> Option<TypeDraft> {
    tokens.number_or(0)?;
    Some(TypeDraft::Integer(size, false))
}

fn integer(size: u8, display_one: bool, unsigned: bool) -> Option<MySqlType> {
    Some(match size {
        1 => MySqlType::TinyInt { unsigned, display_one },
        2 => MySqlType::SmallInt { unsigned },
        3 => MySqlType::MediumInt { unsigned },
        4 => MySqlType::Int { unsigned },
        8 => MySqlType::BigInt { unsigned },
        _ => return None,
    })
}

fn decimal(tokens: &mut Tokens) -> Option<MySqlType> {
    let (precision, scale) = match tokens.numbers()?.as_slice() {
        [] => (10, 0),
        [precision] => (*precision, 0),
        [precision, scale] => (*precision, *scale),
        _ => return None,
    };
    // DECIMAL(0) is DECIMAL(10).
    let precision = if precision == 0 { 10 } else { precision };
    (precision <= 65 && scale <= 30 && scale <= precision).then_some(())?;
    Some(MySqlType::Decimal { precision: u8::try_from(precision).ok()?, scale: u8::try_from(scale).ok()? })
}

fn fraction(tokens: &mut Tokens) -> Option<u8> {
    u8::try_from(tokens.number_or(0)?).ok().filter(|digits| *digits <= 6)
}

/// VARCHAR and VARBINARY; one too long for a row becomes a TEXT or BLOB outside strict mode
/// (sql_table.cc, `prepare_blob_field`).
fn varying(length: u64, charset: Charset, bytes: bool) -> Option<MySqlType> {
    let width = if bytes { 1 } else { u64::from(max_bytes_per_char(&charset.name)) };
    if length.checked_mul(width)? > 65_535 {
        return text(2, length, charset, bytes);
    }
    let length = u32::try_from(length).ok()?;
    Some(if bytes { MySqlType::VarBinary { length } } else { MySqlType::VarChar { length, charset } })
}

/// `TEXT(n)` and `BLOB(n)` become the smallest type that holds n characters (`get_blob_type_from_length`).
fn text(length_bytes: u8, length: u64, charset: Charset, bytes: bool) -> Option<MySqlType> {
    let width = if bytes { 1 } else { u64::from(max_bytes_per_char(&charset.name)) };
    let length_bytes = match length.checked_mul(width)? {
        0 => length_bytes,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        0x100_0000..=0xffff_ffff => 4,
        _ => return None,
    };
    Some(if bytes { MySqlType::Blob { length_bytes } } else { MySqlType::Text { length_bytes, charset } })
}

/// The server drops trailing spaces of labels, unless they are bytes.
fn trimmed(labels: Vec<String>, charset: &Charset) -> Vec<String> {
    if charset.name == "binary" {
        return labels;
    }
    labels.into_iter().map(|label| label.trim_end_matches(' ').to_owned()).collect()
}

/// The format before 5.6.4. MariaDB's 5.3 format with a fraction is one of its own.
fn old_temporal(declared: &MySqlType) -> Option<MySqlType> {
    match declared {
        MySqlType::Time { fraction: 0, .. } => Some(MySqlType::Time { fraction: 0, old_format: true }),
        MySqlType::DateTime { fraction: 0, .. } => {
            Some(MySqlType::DateTime { fraction: 0, old_format: true })
        }
        MySqlType::Timestamp { fraction: 0, .. } => {
            Some(MySqlType::Timestamp { fraction: 0, old_format: true })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
