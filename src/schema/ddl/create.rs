//! CREATE TABLE and CREATE INDEX, DROP INDEX.

use super::clause::Clause;
use super::cursor::{Cursor, Unreadable};
use super::keys;
use super::option::in_place;
use super::statement::{AlterStep, AlterTable, CreateTable, Statement};

/// CREATE TABLE after `TABLE`.
pub(super) fn create_table(
    cursor: &mut Cursor<'_, '_>,
    temporary: bool,
    or_replace: bool,
) -> Result<Statement, Unreadable> {
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    let table = cursor.table()?;
    let mut create = CreateTable {
        table,
        temporary,
        if_not_exists,
        or_replace,
        like: None,
        select: cursor.any(|token| token.is_word("SELECT")),
        start_transaction: false,
    };
    if cursor.word("LIKE") {
        create.like = Some(cursor.table()?);
        return if cursor.at_end() {
            Ok(Statement::CreateTable(create))
        } else {
            Err(cursor.expected("nothing more"))
        };
    }
    if cursor.at_symbol('(') {
        let mut inside = cursor.group_reader()?;
        if inside.word("LIKE") {
            create.like = Some(inside.table()?);
        }
    }
    while !cursor.at_end() {
        if cursor.at_symbol('(') {
            cursor.group()?;
        } else if cursor.words(&["START", "TRANSACTION"]) {
            create.start_transaction = true;
        } else if let Some(token) = cursor.next() {
            // `CREATE TABLE t TABLE x` and `… VALUES ROW(…)` are queries too.
            create.select |= token.is_word("TABLE") || token.is_word("VALUES");
        }
    }
    Ok(Statement::CreateTable(create))
}

/// CREATE INDEX after `CREATE [OR REPLACE] [ONLINE|OFFLINE]`; `None` when it is none.
pub(super) fn create_index(
    cursor: &mut Cursor<'_, '_>,
    or_replace: bool,
) -> Option<Result<Statement, Unreadable>> {
    let mut ahead = *cursor;
    ahead.one_of(&["ONLINE", "OFFLINE"]);
    let unique = ahead.word("UNIQUE");
    if !unique {
        ahead.one_of(&["FULLTEXT", "SPATIAL", "VECTOR"]);
    }
    if !ahead.word("INDEX") {
        return None;
    }
    *cursor = ahead;
    Some(index(cursor, unique, or_replace))
}

fn index(cursor: &mut Cursor<'_, '_>, unique: bool, or_replace: bool) -> Result<Statement, Unreadable> {
    cursor.words(&["IF", "NOT", "EXISTS"]);
    let name = cursor.name()?;
    if cursor.one_of(&["USING", "TYPE"]).is_some() {
        cursor.name()?;
    }
    cursor.need_word("ON")?;
    let table = cursor.table()?;
    lock_wait(cursor)?;
    let columns = keys::columns(cursor)?;
    let mut steps = Vec::new();
    if or_replace {
        steps.push(AlterStep::DropIndex { name: name.clone(), constraint: false });
    }
    steps.push(if unique {
        AlterStep::AddUnique { name: Some(name), columns }
    } else {
        AlterStep::Other(Clause::Index)
    });
    // Only the index's own options are left.
    algorithm(*cursor, &mut steps);
    cursor.skip_clause()?;
    if !cursor.at_end() {
        return Err(cursor.expected("nothing more"));
    }
    Ok(Statement::CreateIndex(plain_alter(table, steps)))
}

/// DROP INDEX after `INDEX`.
pub(super) fn drop_index(cursor: &mut Cursor<'_, '_>) -> Result<Statement, Unreadable> {
    cursor.words(&["IF", "EXISTS"]);
    let name = cursor.name()?;
    cursor.need_word("ON")?;
    let table = cursor.table()?;
    // WAIT, ALGORITHM and LOCK are left.
    let mut steps = vec![drop_key(name, false)];
    algorithm(*cursor, &mut steps);
    cursor.skip_clause()?;
    if !cursor.at_end() {
        return Err(cursor.expected("nothing more"));
    }
    Ok(Statement::DropIndex(plain_alter(table, steps)))
}

/// The ALGORITHM among the options that are left, if it is one that does not copy the table.
fn algorithm(mut options: Cursor<'_, '_>, steps: &mut Vec<AlterStep>) {
    while !options.at_end() {
        if in_place(&mut options) {
            steps.push(AlterStep::Other(Clause::InPlace));
        } else if options.word("ALGORITHM") {
            steps.push(AlterStep::Other(Clause::Option("ALGORITHM")));
        } else {
            options.next();
        }
    }
}

/// The step that drops an index of this name: the primary key's name is PRIMARY.
pub(super) fn drop_key(name: String, constraint: bool) -> AlterStep {
    if name.eq_ignore_ascii_case("PRIMARY") {
        AlterStep::DropPrimaryKey
    } else {
        AlterStep::DropIndex { name, constraint }
    }
}

fn plain_alter(table: super::Name, steps: Vec<AlterStep>) -> AlterTable {
    AlterTable { table, if_exists: false, ignore: false, steps, rename_to: None, other_table: None }
}

/// MariaDB's `WAIT n` and `NOWAIT`.
pub(super) fn lock_wait(cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    if cursor.word("NOWAIT") {
        return Ok(());
    }
    if cursor.word("WAIT") {
        return cursor.next().map(drop).ok_or_else(|| cursor.expected("a number"));
    }
    Ok(())
}
