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
        // The rows may be changed after the named query: WITH … UPDATE, WITH … DELETE.
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

/// A statement that changes rows of one table, by its beginning alone; `None` where more of it has to be read.
pub(super) fn begun(mut cursor: Cursor<'_, '_>) -> Option<Statement> {
    if cursor.at_words(&["LOAD", "INDEX"]) {
        return None;
    }
    let verb =
        cursor.one_of(&["INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "CALL", "DO", "SELECT", "VALUES"]);
    let (kind, tables) = match verb? {
        "INSERT" => (DmlKind::Insert, Some(insert(&mut cursor)?)),
        "REPLACE" => (DmlKind::Replace, Some(insert(&mut cursor)?)),
        "LOAD" => (DmlKind::Load, Some(load(&mut cursor)?)),
        "UPDATE" => {
            modifiers(&mut cursor);
            (DmlKind::Update, Some(vec![one_updated(&mut cursor)?]))
        }
        "DELETE" => {
            delete_modifiers(&mut cursor);
            (DmlKind::Delete, Some(vec![one_deleted(&mut cursor)?]))
        }
        "CALL" => (DmlKind::Call, None),
        _ => (DmlKind::Other, None),
    };
    // What seems to end soon may go on, where this is not all of the text.
    cursor.next();
    cursor.next();
    if cursor.at_end() { None } else { Some(Statement::Dml { kind, tables }) }
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
    match one_updated(cursor) {
        Some(table) => Some(vec![table]),
        None => updated(whole).or_else(|| names(whole)),
    }
}

/// The table, where SET follows it or its alias.
fn one_updated(cursor: &mut Cursor<'_, '_>) -> Option<Name> {
    let table = cursor.table().ok()?;
    let mut ahead = *cursor;
    alias(&mut ahead);
    (ahead.at_word("SET") || cursor.at_word("SET")).then_some(table)
}

fn delete_modifiers(cursor: &mut Cursor<'_, '_>) {
    // The last is a name in other statements.
    while cursor.one_of(&["LOW_PRIORITY", "IGNORE", "QUICK"]).is_some() {}
}

fn delete(cursor: &mut Cursor<'_, '_>) -> (DmlKind, Option<Vec<Name>>) {
    delete_modifiers(cursor);
    let whole = *cursor;
    match one_deleted(cursor) {
        Some(table) => (DmlKind::Delete, Some(vec![table])),
        None => (DmlKind::DeleteJoined, deleted(whole).or_else(|| names(whole))),
    }
}

/// The table after FROM, where it is the only one.
fn one_deleted(cursor: &mut Cursor<'_, '_>) -> Option<Name> {
    if !cursor.word("FROM") {
        return None;
    }
    let table = cursor.table().ok()?;
    let plain = |cursor: &Cursor<'_, '_>| {
        cursor.at_end()
            || ["WHERE", "ORDER", "LIMIT", "RETURNING", "PARTITION", "FOR", "BEFORE"]
                .iter()
                .any(|word| cursor.at_word(word))
    };
    let mut ahead = *cursor;
    // After USING stand the tables of which that one is a name.
    if !ahead.at_word("USING") {
        alias(&mut ahead);
    }
    (plain(cursor) || plain(&ahead)).then_some(table)
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
pub(super) fn names(mut cursor: Cursor<'_, '_>) -> Option<Vec<Name>> {
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
