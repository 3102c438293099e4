//! Statements that change rows by statement. Only which tables they write is read, and only where that is plain.

use super::cursor::Cursor;
use super::statement::{DmlKind, Name, Statement};

/// A statement that begins with a verb of row changes; `None` when it does not.
pub(super) fn dml(cursor: &mut Cursor<'_, '_>) -> Option<Statement> {
    if cursor.at_words(&["LOAD", "INDEX"]) {
        return None;
    }
    let verb = cursor.one_of(&[
        "INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "CALL", "DO", "SELECT", "WITH", "VALUES", "TABLE",
    ]);
    let (kind, table) = match verb {
        Some("INSERT") => (DmlKind::Insert, insert(cursor)),
        Some("REPLACE") => (DmlKind::Replace, insert(cursor)),
        Some("UPDATE") => (DmlKind::Update, update(cursor)),
        Some("DELETE") => (DmlKind::Delete, delete(cursor)),
        Some("LOAD") => (DmlKind::Load, load(cursor)),
        Some("CALL") => (DmlKind::Call, None),
        Some(_) => (DmlKind::Other, None),
        None if cursor.at_symbol('(') => (DmlKind::Other, None),
        None => return None,
    };
    // A query inside may call functions, and these may write anywhere.
    let nested = cursor.any(|token| token.is_word("SELECT") || token.is_word("WITH"));
    let tables = table.filter(|_| !nested).map(|table| vec![table]);
    Some(Statement::Dml { kind, tables })
}

fn modifiers(cursor: &mut Cursor<'_, '_>) {
    while cursor.one_of(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE"]).is_some() {}
}

fn insert(cursor: &mut Cursor<'_, '_>) -> Option<Name> {
    modifiers(cursor);
    cursor.word("INTO");
    cursor.table().ok()
}

fn update(cursor: &mut Cursor<'_, '_>) -> Option<Name> {
    modifiers(cursor);
    let table = cursor.table().ok()?;
    alias(cursor);
    cursor.at_word("SET").then_some(table)
}

fn delete(cursor: &mut Cursor<'_, '_>) -> Option<Name> {
    modifiers(cursor);
    if !cursor.word("FROM") {
        return None;
    }
    let table = cursor.table().ok()?;
    let plain = |cursor: &Cursor<'_, '_>| {
        cursor.at_end()
            || ["WHERE", "ORDER", "LIMIT", "RETURNING", "PARTITION"].iter().any(|word| cursor.at_word(word))
    };
    if !plain(cursor) {
        alias(cursor);
    }
    plain(cursor).then_some(table)
}

fn alias(cursor: &mut Cursor<'_, '_>) {
    if cursor.word("AS") || !cursor.at_word("SET") {
        // Whatever is no name here is no alias either, and the caller finds the wrong word next.
        let _ = cursor.name();
    }
}

fn load(cursor: &mut Cursor<'_, '_>) -> Option<Name> {
    while !cursor.at_end() {
        if cursor.words(&["INTO", "TABLE"]) {
            return cursor.table().ok();
        }
        cursor.next();
    }
    None
}
