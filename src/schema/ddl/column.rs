//! One column definition (reference manual, "CREATE TABLE Statement", `column_definition`; MariaDB's likewise).

use super::cursor::{Cursor, Unreadable};
use super::data_type::{collation, data_type};
use super::statement::{ColumnDefinition, DeclaredDefault, InlineKey};
use super::token::TokenKind;
use crate::change::facts::Flavour;
use crate::schema::Generation;
use crate::schema::charset::introduces_ascii;

/// Takes what follows a column's name. Stops before `,`, `)`, FIRST, AFTER and PARTITION/REMOVE, which belong to
/// others; anything else that is not a column's attribute is an error.
pub(super) fn definition(name: String, cursor: &mut Cursor<'_, '_>) -> Result<ColumnDefinition, Unreadable> {
    let serial = cursor.at_word("SERIAL");
    let mut column = ColumnDefinition {
        name,
        declared: data_type(cursor)?,
        nullable: serial.then_some(false),
        default: DeclaredDefault::None,
        on_update: false,
        generated: None,
        auto_increment: serial,
        key: if serial { InlineKey::Unique } else { InlineKey::None },
        cascades: false,
    };
    while !ends(cursor) {
        attribute(&mut column, cursor)?;
    }
    if column.declared.starts_with("timestamp") && column.nullable != Some(true) {
        old_timestamp(&mut column, cursor.mode.explicit_timestamps);
    }
    Ok(column)
}

/// The reading of a TIMESTAMP that was not declared NULL (reference manual, `explicit_defaults_for_timestamp`).
fn old_timestamp(column: &mut ColumnDefinition, explicit: Option<bool>) {
    match explicit {
        Some(true) => column.nullable = Some(column.nullable.unwrap_or(true)),
        Some(false) => {
            column.nullable = Some(false);
            if column.default == DeclaredDefault::None && column.generated.is_none() {
                column.default = DeclaredDefault::OldTimestamp;
            }
        }
        // With a default it is the same either way. Without one, what it gets may be the current time.
        None => {
            let bare = column.default == DeclaredDefault::None && column.generated.is_none();
            if column.nullable == Some(false) && bare {
                column.default = DeclaredDefault::OldTimestamp;
            }
        }
    }
}

fn ends(cursor: &Cursor<'_, '_>) -> bool {
    cursor.at_end()
        || cursor.at_symbol(',')
        || cursor.at_symbol(')')
        || ["FIRST", "AFTER", "PARTITION", "REMOVE"].iter().any(|word| cursor.at_word(word))
}

fn attribute(column: &mut ColumnDefinition, cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    if cursor.words(&["NOT", "NULL"]) {
        column.nullable = Some(false);
    } else if cursor.word("NULL") {
        column.nullable = Some(true);
    } else if cursor.word("DEFAULT") {
        column.default = match default(cursor)? {
            DeclaredDefault::Text(text) if text.is_empty() && cursor.mode.empty_is_null => {
                DeclaredDefault::Null
            }
            default => default,
        };
    } else if cursor.words(&["ON", "UPDATE"]) {
        now(cursor)?.ok_or_else(|| cursor.expected("CURRENT_TIMESTAMP"))?;
        column.on_update = true;
    } else if cursor.word("AUTO_INCREMENT") {
        column.auto_increment = true;
    } else if cursor.words(&["SERIAL", "DEFAULT", "VALUE"]) {
        column.auto_increment = true;
        column.nullable = Some(false);
        column.key = InlineKey::Unique;
    } else if cursor.words(&["PRIMARY", "KEY"]) || cursor.word("KEY") {
        column.key = InlineKey::Primary;
    } else if cursor.word("UNIQUE") {
        cursor.word("KEY");
        if column.key == InlineKey::None {
            column.key = InlineKey::Unique;
        }
    } else if let Some(collation) = collation(cursor)? {
        column.declared.push_str(" collate ");
        column.declared.push_str(&collation);
    } else if cursor.words(&["GENERATED", "ALWAYS", "AS"]) || cursor.word("AS") {
        // `AS ROW START` and `AS ROW END` belong to MariaDB's system versioning.
        let expression = cursor.group()?;
        let stored =
            cursor.one_of(&["VIRTUAL", "STORED", "PERSISTENT"]).is_some_and(|word| word != "VIRTUAL");
        column.generated = Some(Generation { stored, expression });
    } else if cursor.word("REFERENCES") {
        column.cascades |= references(cursor)?;
    } else if cursor.word("COMPRESSED") {
        // How values are stored; MariaDB's log says it of each table.
        if cursor.symbol('=') {
            cursor.name()?;
        }
    } else {
        plain_attribute(cursor)?;
    }
    Ok(())
}

/// Attributes that change neither rows nor how they are logged.
fn plain_attribute(cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    if cursor.one_of(&["VISIBLE", "INVISIBLE"]).is_some()
        || cursor.words(&["NOT", "SECONDARY"])
        || cursor.words(&["NOT", "ENFORCED"])
        || cursor.word("ENFORCED")
    {
        return Ok(());
    }
    if cursor.word("COMMENT") {
        return text(cursor);
    }
    if cursor.one_of(&["ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE"]).is_some() {
        cursor.symbol('=');
        return text(cursor);
    }
    if cursor.one_of(&["COLUMN_FORMAT", "STORAGE"]).is_some() {
        return cursor.name().map(drop);
    }
    if cursor.one_of(&["SRID", "REF_SYSTEM_ID"]).is_some() {
        cursor.symbol('=');
        return match cursor.next() {
            Some(token) if token.kind == TokenKind::Number => Ok(()),
            _ => Err(cursor.expected("a number")),
        };
    }
    if cursor.word("CONSTRAINT") {
        if !cursor.at_word("CHECK") {
            cursor.name()?;
        }
        cursor.need_word("CHECK")?;
        return cursor.group().map(drop);
    }
    if cursor.word("CHECK") {
        return cursor.group().map(drop);
    }
    Err(cursor.expected("a column attribute"))
}

fn text(cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    cursor.text_literal().map(drop).ok_or_else(|| cursor.expected("a string"))
}

/// `REFERENCES t (c) MATCH … ON DELETE … ON UPDATE …`, after the first word. Whether an action changes rows.
fn references(cursor: &mut Cursor<'_, '_>) -> Result<bool, Unreadable> {
    let mut cascades = false;
    cursor.table()?;
    if cursor.at_symbol('(') {
        cursor.group()?;
    }
    if cursor.word("MATCH") {
        cursor.name()?;
    }
    loop {
        let mut action = *cursor;
        if !(action.words(&["ON", "DELETE"]) || action.words(&["ON", "UPDATE"])) {
            return Ok(cascades);
        }
        let changes = changes_rows(&mut action);
        if !(changes || action.word("RESTRICT") || action.words(&["NO", "ACTION"])) {
            return Ok(cascades);
        }
        cascades |= changes;
        *cursor = action;
    }
}

/// Takes an action of a foreign key that changes rows, if one comes next.
fn changes_rows(cursor: &mut Cursor<'_, '_>) -> bool {
    cursor.word("CASCADE") || cursor.words(&["SET", "NULL"]) || cursor.words(&["SET", "DEFAULT"])
}

/// Whether an action of the foreign key that is declared up to the next comma changes rows.
pub(super) fn cascades(mut clause: Cursor<'_, '_>) -> Result<bool, Unreadable> {
    while !clause.at_end() && !clause.at_symbol(',') {
        if clause.at_symbol('(') {
            clause.group()?;
        } else if clause.words(&["ON", "DELETE"]) || clause.words(&["ON", "UPDATE"]) {
            if changes_rows(&mut clause) {
                return Ok(true);
            }
        } else {
            clause.next();
        }
    }
    Ok(false)
}

/// What stands after DEFAULT.
pub(super) fn default(cursor: &mut Cursor<'_, '_>) -> Result<DeclaredDefault, Unreadable> {
    if cursor.word("NULL") {
        return Ok(DeclaredDefault::Null);
    }
    if let Some(truth) = cursor.one_of(&["TRUE", "FALSE"]) {
        return Ok(DeclaredDefault::Number(if truth == "TRUE" { "1" } else { "0" }.into()));
    }
    if let Some(digits) = now(cursor)? {
        return Ok(DeclaredDefault::Now(digits));
    }
    if cursor.at_symbol('(') {
        let mut inside = *cursor;
        let written = cursor.group()?;
        let mut inside = inside.group_reader()?;
        // MySQL takes whatever stands in parentheses for an expression, whose value need not fit. To MariaDB a literal there is that
        // literal.
        if cursor.mode.flavour != Some(Flavour::MariaDb) {
            return Ok(DeclaredDefault::Expression(written));
        }
        inside = inside.peeled();
        // Two groups side by side, or more of something else.
        if inside.at_symbol('(') {
            return Ok(DeclaredDefault::Expression(written));
        }
        let literal = default(&mut inside);
        return Ok(match literal {
            Ok(literal) if inside.at_end() => literal,
            Ok(_) | Err(_) => DeclaredDefault::Expression(written),
        });
    }
    let sign = if cursor.symbol('-') {
        "-"
    } else {
        cursor.symbol('+');
        ""
    };
    let start = *cursor;
    let Some(token) = cursor.next() else { return Err(cursor.expected("a default")) };
    match token.kind {
        TokenKind::Number => Ok(DeclaredDefault::Number(format!("{sign}{}", token.value))),
        _ if !sign.is_empty() => Err("a sign before something that is no number".into()),
        // To MariaDB x'31' is a string and 0x31 a number.
        TokenKind::Hex if cursor.mode.flavour == Some(Flavour::MariaDb) => {
            Ok(DeclaredDefault::Expression(start.text_until(cursor)))
        }
        TokenKind::Hex => Ok(DeclaredDefault::Hex(token.value.clone().into_owned())),
        TokenKind::Bit => Ok(DeclaredDefault::Bit(token.value.clone().into_owned())),
        TokenKind::Text => {
            let mut value = token.value.clone().into_owned();
            while let Some(more) = cursor.text_literal() {
                value.push_str(&more);
            }
            let written = start.text_until(cursor);
            // `N'…'` is made of the bytes that the client sent.
            let national = written.starts_with(['n', 'N']) && !value.is_ascii();
            Ok(if national { DeclaredDefault::Expression(written) } else { DeclaredDefault::Text(value) })
        }
        TokenKind::Word => word_default(&token.value, &start, cursor),
        TokenKind::Quoted | TokenKind::Symbol => Err(format!("\"{}\" as a default", token.value)),
    }
}

/// A default that begins with the word just taken.
fn word_default(
    word: &str,
    start: &Cursor<'_, '_>,
    cursor: &mut Cursor<'_, '_>,
) -> Result<DeclaredDefault, Unreadable> {
    let literal = cursor.peek().map(|token| token.kind);
    if word.starts_with('_') && matches!(literal, Some(TokenKind::Text | TokenKind::Hex | TokenKind::Bit)) {
        let value = default(cursor)?;
        // The introducer says how to take the bytes; ASCII means the same in most sets.
        let set = word.to_ascii_lowercase();
        let plain = matches!(&value, DeclaredDefault::Text(text) if text.is_ascii())
            && set.strip_prefix('_').is_some_and(introduces_ascii);
        return Ok(if plain { value } else { DeclaredDefault::Expression(start.text_until(cursor)) });
    }
    let typed = ["DATE", "TIME", "TIMESTAMP"].iter().any(|name| word.eq_ignore_ascii_case(name));
    if typed && literal == Some(TokenKind::Text) {
        // It is a date, and not its text.
        cursor.next();
        return Ok(DeclaredDefault::Expression(start.text_until(cursor)));
    }
    if cursor.at_symbol('(') {
        cursor.group()?;
        return Ok(DeclaredDefault::Expression(start.text_until(cursor)));
    }
    if word.eq_ignore_ascii_case("CASE") {
        return case(start, cursor);
    }
    // MariaDB takes these without parentheses.
    let bare = ["CURRENT_DATE", "CURRENT_TIME", "CURRENT_USER", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP"];
    if bare.iter().any(|name| word.eq_ignore_ascii_case(name)) {
        return Ok(DeclaredDefault::Expression(word.to_ascii_uppercase()));
    }
    Err(format!("\"{word}\" as a default"))
}

/// `CASE … END`, which MariaDB takes without parentheses, after its first word.
fn case(start: &Cursor<'_, '_>, cursor: &mut Cursor<'_, '_>) -> Result<DeclaredDefault, Unreadable> {
    let mut depth = 1_usize;
    while depth > 0 {
        let token = cursor.next().ok_or("a CASE without its END")?;
        if token.is_word("CASE") {
            depth += 1;
        } else if token.is_word("END") {
            depth -= 1;
        }
    }
    Ok(DeclaredDefault::Expression(start.text_until(cursor)))
}

/// `CURRENT_TIMESTAMP`, `NOW()` and their kin with the digits of a second's fraction; `None` when it is none of them.
fn now(cursor: &mut Cursor<'_, '_>) -> Result<Option<u8>, Unreadable> {
    let bare = cursor.one_of(&["CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"]).is_some();
    let called = !bare && cursor.at_word("NOW") && cursor.symbol_follows('(') && cursor.word("NOW");
    if !bare && !called {
        return Ok(None);
    }
    if !cursor.at_symbol('(') {
        return Ok(Some(0));
    }
    let mut inside = cursor.group_reader()?;
    let Some(digits) = inside.next() else { return Ok(Some(0)) };
    match digits.value.parse::<u8>() {
        Ok(digits) if digits <= 6 && inside.at_end() => Ok(Some(digits)),
        Ok(_) | Err(_) => Err("a time with a wrong fraction".into()),
    }
}
