//! The type of a column definition, taken out of a statement as text for [`column_type`](crate::schema::column_type).
//!
//! The text is written anew from tokens: no comments, one kind of quotes, no backslash escapes. What the session
//! or the flavour means by a type name (`REAL`, MariaDB's `JSON`) is said in plain words.

use super::cursor::{Cursor, Unreadable};
use super::token::TokenKind;
use crate::change::facts::Flavour;
use crate::schema::charset::introduces_ascii;

/// Takes a type with the attributes that belong to it.
pub(super) fn data_type(cursor: &mut Cursor<'_, '_>) -> Result<String, Unreadable> {
    let mut declared = match cursor.peek() {
        Some(token) if token.kind == TokenKind::Word => token.value.to_ascii_lowercase(),
        _ => return Err(cursor.expected("a type")),
    };
    cursor.next();
    if cursor.mode.oracle {
        oracle(cursor, &mut declared);
    }
    match declared.as_str() {
        "real" if cursor.mode.real_as_float => declared = "float".into(),
        "json" if cursor.mode.flavour == Some(Flavour::MariaDb) => {
            declared = "longtext character set utf8mb4 collate utf8mb4_bin".into();
        }
        "timestamp" if cursor.mode.timestamp_is_datetime => declared = "datetime".into(),
        "double" => follow(cursor, &mut declared, &["precision"]),
        "char" | "character" | "nchar" => follow(cursor, &mut declared, &["varying", "varchar"]),
        "national" => {
            follow(cursor, &mut declared, &["char", "character", "varchar", "varcharacter"]);
            follow(cursor, &mut declared, &["varying"]);
        }
        "long" => {
            // Else it is CHARACTER SET.
            if cursor.words(&["CHAR", "VARYING"]) || cursor.words(&["CHARACTER", "VARYING"]) {
                declared.push_str(" varchar");
            } else {
                follow(cursor, &mut declared, &["varbinary", "varchar", "varcharacter"]);
            }
        }
        _ => {}
    }
    if cursor.at_symbol('(') {
        arguments(cursor, &mut declared)?;
        // MySQL makes YEAR(4) of any.
        if declared.starts_with("year(") && cursor.mode.flavour != Some(Flavour::MariaDb) {
            "year".clone_into(&mut declared);
        }
    }
    loop {
        if let Some(attribute) =
            cursor.one_of(&["unsigned", "signed", "zerofill", "binary", "ascii", "unicode", "byte"])
        {
            declared.push(' ');
            declared.push_str(attribute);
        } else if cursor.mode.flavour == Some(Flavour::MariaDb) && cursor.word("COMPRESSED") {
            // How values are stored; the log says it of each table.
            if cursor.symbol('=') {
                plain_name(cursor)?;
            }
        } else if let Some(charset) = charset(cursor)? {
            declared.push_str(" character set ");
            declared.push_str(&charset);
        } else {
            return Ok(declared);
        }
    }
}

/// MariaDB's `sql_mode=ORACLE` (its documentation, "SQL_MODE=ORACLE", "Synonyms for Basic SQL Types"; the names not listed here
/// stay what they are).
fn oracle(cursor: &Cursor<'_, '_>, declared: &mut String) {
    let meant = match declared.as_str() {
        "date" => "datetime",
        "blob" if !cursor.at_symbol('(') => "longblob",
        "clob" => "longtext",
        "raw" => "varbinary",
        "varchar2" => "varchar",
        "number" if cursor.at_symbol('(') => "decimal",
        "number" => "double",
        _ => return,
    };
    meant.clone_into(declared);
}

fn follow(cursor: &mut Cursor<'_, '_>, declared: &mut String, words: &[&'static str]) {
    if let Some(word) = cursor.one_of(words) {
        declared.push(' ');
        declared.push_str(word);
    }
}

/// `CHARACTER SET x` in its three spellings. The `=` is allowed where it is a table's option.
pub(super) fn charset(cursor: &mut Cursor<'_, '_>) -> Result<Option<String>, Unreadable> {
    if cursor.word("CHARSET") || cursor.words(&["CHARACTER", "SET"]) || cursor.words(&["CHAR", "SET"]) {
        cursor.symbol('=');
        return plain_name(cursor).map(Some);
    }
    Ok(None)
}

/// `COLLATE x`.
pub(super) fn collation(cursor: &mut Cursor<'_, '_>) -> Result<Option<String>, Unreadable> {
    if cursor.word("COLLATE") {
        cursor.symbol('=');
        return plain_name(cursor).map(Some);
    }
    Ok(None)
}

/// The name of a character set or collation, which must be able to stand in a type's text.
fn plain_name(cursor: &mut Cursor<'_, '_>) -> Result<String, Unreadable> {
    let name = cursor.name_or_text()?.to_ascii_lowercase();
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain { Ok(name) } else { Err(format!("\"{name}\" is no character set or collation")) }
}

/// `(…)` after a type: lengths and labels.
fn arguments(cursor: &mut Cursor<'_, '_>, declared: &mut String) -> Result<(), Unreadable> {
    let mut inside = cursor.group_reader()?;
    declared.push('(');
    loop {
        let before = inside;
        let Some(token) = inside.next() else { break };
        match token.kind {
            // `N'…'` is made of the bytes that the client sent.
            TokenKind::Text
                if !token.value.is_ascii() && before.text_until(&inside).starts_with(['n', 'N']) =>
            {
                return Err("a label is written as N'…'".into());
            }
            TokenKind::Text => {
                declared.push('\'');
                declared.push_str(&token.value.replace('\'', "''"));
                declared.push('\'');
            }
            TokenKind::Hex => {
                declared.push_str("0x");
                declared.push_str(&token.value);
            }
            TokenKind::Bit => {
                declared.push_str("b'");
                declared.push_str(&token.value);
                declared.push('\'');
            }
            TokenKind::Word if token.value.starts_with('_') => {
                // An introducer changes what the bytes after it mean, unless they are plain ASCII.
                let set = token.value.to_ascii_lowercase();
                let ascii = inside.peek().is_some_and(|text| text.value.is_ascii());
                if !ascii || !set.strip_prefix('_').is_some_and(introduces_ascii) {
                    return Err(format!("a label is written in character set {}", token.value));
                }
            }
            TokenKind::Number | TokenKind::Word => declared.push_str(&token.value),
            TokenKind::Symbol if token.value == "," => declared.push(','),
            TokenKind::Symbol | TokenKind::Quoted => {
                return Err(format!("\"{}\" inside a type", token.value));
            }
        }
    }
    declared.push(')');
    Ok(())
}
