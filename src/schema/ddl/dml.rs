//! Statements that change rows by statement. Only which tables they may write is read; where the text is not plain, every name
//! that may stand for one is given, which is too many and never too few.

use super::cursor::Cursor;
use super::references::{deleted, updated};
use super::statement::{DmlKind, Name, Statement};
use super::token::TokenKind;

/// A statement that begins with a verb of row changes; `None` when it does not.
pub(super) fn dml(cursor: &mut Cursor<'_, '_>) -> Option<Statement> {
    if cursor.at_words(&["LOAD", "INDEX"]) {
        return None;
    }
    let verb = cursor.one_of(&[
        "INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "CALL", "DO", "SELECT", "WITH", "VALUES", "TABLE",
    ]);
    let whole = *cursor;
    let (kind, tables) = match verb {
        Some("INSERT") => (DmlKind::Insert, insert(cursor)),
        Some("REPLACE") => (DmlKind::Replace, insert(cursor)),
        Some("UPDATE") => (DmlKind::Update, update(cursor)),
        Some("DELETE") => delete(cursor),
        Some("LOAD") => (DmlKind::Load, load(cursor)),
        // The rows may be changed behind the named query: WITH … UPDATE, WITH … DELETE.
        Some("WITH") if !writes(cursor) => (DmlKind::Other, None),
        Some("WITH") => match names(whole) {
            Some(names) => (DmlKind::Other, Some(names)),
            None => (DmlKind::Update, None),
        },
        Some("CALL") => (DmlKind::Call, None),
        Some(_) => (DmlKind::Other, None),
        None if cursor.at_symbol('(') => (DmlKind::Other, None),
        None => return None,
    };

    Some(Statement::Dml { kind, tables })
}

fn writes(cursor: &Cursor<'_, '_>) -> bool {
    cursor.any(|token| ["UPDATE", "DELETE", "INSERT", "REPLACE"].iter().any(|verb| token.is_word(verb)))
}

fn modifiers(cursor: &mut Cursor<'_, '_>) {
    while cursor.one_of(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE"]).is_some() {}
}

fn insert(cursor: &mut Cursor<'_, '_>) -> Option<Vec<Name>> {
    modifiers(cursor);
    cursor.word("INTO");
    Some(vec![cursor.table().ok()?])
}

/// One table, with an alias or without one, or several joined in any way.
fn update(cursor: &mut Cursor<'_, '_>) -> Option<Vec<Name>> {
    modifiers(cursor);
    let whole = *cursor;
    if let Ok(table) = cursor.table() {
        let mut ahead = *cursor;
        alias(&mut ahead);
        if ahead.at_word("SET") || cursor.at_word("SET") {
            return Some(vec![table]);
        }
    }
    updated(whole).or_else(|| names(whole))
}

fn delete(cursor: &mut Cursor<'_, '_>) -> (DmlKind, Option<Vec<Name>>) {
    // The last is a name in other statements.
    while cursor.one_of(&["LOW_PRIORITY", "IGNORE", "QUICK"]).is_some() {}
    let whole = *cursor;
    if cursor.word("FROM")
        && let Ok(table) = cursor.table()
    {
        let plain = |cursor: &Cursor<'_, '_>| {
            cursor.at_end()
                || ["WHERE", "ORDER", "LIMIT", "RETURNING", "PARTITION", "FOR", "BEFORE"]
                    .iter()
                    .any(|word| cursor.at_word(word))
        };
        let mut ahead = *cursor;
        // Behind USING stand the tables of which that one is a name.
        if !ahead.at_word("USING") {
            alias(&mut ahead);
        }
        if plain(cursor) || plain(&ahead) {
            return (DmlKind::Delete, Some(vec![table]));
        }
    }
    (DmlKind::DeleteJoined, deleted(whole).or_else(|| names(whole)))
}

fn alias(cursor: &mut Cursor<'_, '_>) {
    cursor.word("AS");
    // Whatever is no name here is no alias either, and the caller finds the wrong word next.
    let _ = cursor.name();
}

fn load(cursor: &mut Cursor<'_, '_>) -> Option<Vec<Name>> {
    while !cursor.at_end() {
        if cursor.words(&["INTO", "TABLE"]) {
            return Some(vec![cursor.table().ok()?]);
        }
        cursor.next();
    }
    None
}

/// Every name from here on, with its database where one is written, and each part by itself. `None` where something other than a
/// name stands before a dot: it may be a database that is written in a way which is not known.
fn names(mut cursor: Cursor<'_, '_>) -> Option<Vec<Name>> {
    let mut found = Vec::new();
    let mut before: Option<String> = None;
    let mut behind_dot = false;
    while let Some(token) = cursor.next() {
        if matches!(token.kind, TokenKind::Word | TokenKind::Quoted) {
            let name = token.value.clone().into_owned();
            found.push(Name { database: before.take().filter(|_| behind_dot), table: name.clone() });
            if behind_dot {
                found.push(Name { database: None, table: name.clone() });
            }
            before = Some(name);
            behind_dot = false;
        } else if token.is_symbol('.') {
            before.as_ref()?;
            behind_dot = true;
        } else {
            before = None;
            behind_dot = false;
        }
    }
    Some(found)
}
