//! The tables that UPDATE and DELETE of several tables join, and which of them they write.
//!
//! What must never happen here: a table that is written left out. What is not read to the end is `None`.

use super::cursor::Cursor;
use super::statement::Name;
use super::token::TokenKind;
use crate::change::names::alike;

/// A table with the name under which the statement speaks of it.
struct Reference {
    table: Name,
    alias: Option<String>,
}

const JOINS: [&str; 8] = ["INNER", "CROSS", "LEFT", "RIGHT", "OUTER", "NATURAL", "FULL", "STRAIGHT_JOIN"];

/// How deep parentheses may stand around tables: as many levels as nobody writes by hand, and few enough for any stack.
const DEEPEST: usize = 64;

/// What comes after the tables or assignments. RETURNING is not among them: MySQL takes it for a name, and MariaDB does not have
/// it where there are several tables.
const ENDS: [&str; 3] = ["WHERE", "ORDER", "LIMIT"];

/// `a JOIN b … SET a.x = …`: what SET assigns to.
pub(super) fn updated(mut cursor: Cursor<'_, '_>) -> Option<Vec<Name>> {
    let references = references(&mut cursor, DEEPEST)?;
    if !cursor.word("SET") {
        return None;
    }
    let mut targets = Vec::new();
    loop {
        let path = path(&mut cursor)?;
        cursor.symbol(':');
        if !cursor.symbol('=') {
            return None;
        }
        // A column without its table may be of any.
        let Some((_, [.., table])) = path.split_last() else { return Some(all(references)) };
        targets.push(table.clone());
        let mut depth = 0_usize;
        loop {
            let Some(token) = cursor.peek() else { return named(references, &targets) };
            if depth == 0 && token.is_symbol(',') {
                cursor.next();
                break;
            }
            if depth == 0 && ENDS.iter().any(|word| token.is_word(word)) {
                return named(references, &targets);
            }
            if token.is_symbol('(') {
                depth += 1;
            } else if token.is_symbol(')') {
                depth = depth.checked_sub(1)?;
            }
            cursor.next();
        }
    }
}

/// `a, b FROM …` and `FROM a, b USING …`.
pub(super) fn deleted(mut cursor: Cursor<'_, '_>) -> Option<Vec<Name>> {
    let first = cursor.word("FROM");
    let mut targets = Vec::new();
    loop {
        // `t`, `db.t`, `t.*`
        let mut path = path(&mut cursor)?;
        targets.push(path.pop()?);
        if cursor.symbol('.') && !cursor.symbol('*') {
            return None;
        }
        if !cursor.symbol(',') {
            break;
        }
    }
    if !cursor.word(if first { "USING" } else { "FROM" }) {
        return None;
    }
    let references = references(&mut cursor, DEEPEST)?;
    let ended = cursor.at_end() || ENDS.iter().any(|word| cursor.at_word(word));
    if ended { named(references, &targets) } else { None }
}

/// `a`, `a.b`, `a.b.c`; a dot before `*` is left.
fn path(cursor: &mut Cursor<'_, '_>) -> Option<Vec<String>> {
    let mut path = vec![cursor.name().ok()?];
    while cursor.at_symbol('.') && !cursor.symbol_follows('*') {
        cursor.next();
        path.push(cursor.name().ok()?);
    }
    Some(path)
}

fn all(references: Vec<Reference>) -> Vec<Name> {
    references.into_iter().map(|reference| reference.table).collect()
}

/// The tables that the statement speaks of by these names.
fn named(references: Vec<Reference>, targets: &[String]) -> Option<Vec<Name>> {
    let is = |reference: &Reference, target: &String| {
        // Where case matters these may be two: more is written then, never less.
        alike(reference.alias.as_ref().unwrap_or(&reference.table.table), target)
    };
    let found = |target: &String| references.iter().any(|reference| is(reference, target));
    if !targets.iter().all(found) {
        return None;
    }
    let written =
        references.into_iter().filter(|reference| targets.iter().any(|target| is(reference, target)));
    Some(written.map(|reference| reference.table).collect())
}

/// `levels` of parentheses may follow.
fn references(cursor: &mut Cursor<'_, '_>, levels: usize) -> Option<Vec<Reference>> {
    let mut found = Vec::new();
    loop {
        reference(cursor, &mut found, levels)?;
        loop {
            if cursor.symbol(',') || cursor.word("JOIN") {
                break;
            }
            if cursor.one_of(&JOINS).is_some() {
                // STRAIGHT_JOIN stands alone.
                if !cursor.at_word("JOIN") && !JOINS.iter().any(|join| cursor.at_word(join)) {
                    break;
                }
            } else if cursor.word("ON") {
                condition(cursor)?;
            } else if cursor.word("USING") {
                cursor.group().ok()?;
            } else {
                return Some(found);
            }
        }
    }
}

/// One table, or several in parentheses; a query there is not written.
fn reference(cursor: &mut Cursor<'_, '_>, found: &mut Vec<Reference>, levels: usize) -> Option<()> {
    if cursor.at_symbol('(') {
        let mut inside = cursor.group_reader().ok()?;
        let is_query = ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| inside.at_word(word));
        if !is_query {
            found.extend(references(&mut inside, levels.checked_sub(1)?)?);
            if !inside.at_end() {
                return None;
            }
        }
        alias(cursor);
        if cursor.at_symbol('(') {
            cursor.group().ok()?;
        }
        return Some(());
    }
    let table = cursor.table().ok()?;
    // JSON_TABLE(…) and other functions.
    if cursor.at_symbol('(') {
        cursor.group().ok()?;
        alias(cursor);
        return Some(());
    }
    if cursor.word("PARTITION") {
        cursor.group().ok()?;
    }
    let alias = alias(cursor);
    while cursor.one_of(&["USE", "FORCE", "IGNORE"]).is_some() {
        cursor.one_of(&["INDEX", "KEY"])?;
        if cursor.word("FOR") {
            while cursor.one_of(&["JOIN", "ORDER", "GROUP", "BY"]).is_some() {}
        }
        cursor.group().ok()?;
    }
    found.push(Reference { table, alias });
    Some(())
}

/// Words after a table that are no alias of it.
const NO_ALIAS: [&str; 13] = [
    "JOIN",
    "ON",
    "USING",
    "SET",
    "WHERE",
    "ORDER",
    "LIMIT",
    "RETURNING",
    "PARTITION",
    "USE",
    "FORCE",
    "IGNORE",
    "FOR",
];

fn alias(cursor: &mut Cursor<'_, '_>) -> Option<String> {
    if cursor.word("AS") {
        return cursor.name().ok();
    }
    let token = cursor.peek()?;
    let is_name = token.kind == TokenKind::Quoted
        || (token.kind == TokenKind::Word && !NO_ALIAS.iter().chain(&JOINS).any(|word| token.is_word(word)));
    if is_name { cursor.name().ok() } else { None }
}

/// Up to the next table or the end of the references.
fn condition(cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let mut depth = 0_usize;
    while let Some(token) = cursor.peek() {
        let ends = token.is_symbol(',')
            || ["JOIN", "SET", "ON"].iter().chain(&ENDS).chain(&JOINS).any(|word| token.is_word(word));
        // These two are functions as well.
        let is_function = (token.is_word("LEFT") || token.is_word("RIGHT")) && cursor.symbol_follows('(');
        let ends = ends && !is_function;
        if depth == 0 && ends {
            return Some(());
        }
        if token.is_symbol('(') {
            depth += 1;
        } else if token.is_symbol(')') {
            depth = depth.checked_sub(1)?;
        }
        cursor.next();
    }
    Some(())
}
