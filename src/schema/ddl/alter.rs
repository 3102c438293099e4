//! ALTER TABLE (reference manual, "ALTER TABLE Statement" and "ALTER TABLE Partition Operations"; MariaDB's likewise).
//!
//! Steps that change a definition are read whole; of the others only where they end. A step that is on no list makes
//! the whole statement unreadable.

use super::clause::Clause;
use super::column::{default, definition};
use super::create::{drop_key, lock_wait};
use super::cursor::{Cursor, Unreadable};
use super::data_type::{charset, collation};
use super::keys::table_element;
use super::option::options;
use super::partition::partition_operation;
use super::statement::{AlterStep, AlterTable, DeclaredDefault, Place};

/// ALTER TABLE after `TABLE`.
pub(super) fn alter_table(cursor: &mut Cursor<'_, '_>, ignore: bool) -> Result<AlterTable, Unreadable> {
    let if_exists = cursor.words(&["IF", "EXISTS"]);
    let table = cursor.table()?;
    lock_wait(cursor)?;
    let mut alter =
        AlterTable { table, if_exists, ignore, steps: Vec::new(), rename_to: None, other_table: None };
    while !cursor.at_end() {
        step(&mut alter, cursor)?;
        // Partitioning follows the last step without a comma.
        if !cursor.at_end() && !cursor.at_word("PARTITION") && !cursor.at_word("REMOVE") {
            cursor.need_symbol(',')?;
            if cursor.at_end() {
                return Err("a comma at the end".into());
            }
        }
    }
    Ok(alter)
}

fn step(alter: &mut AlterTable, cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    let verb = cursor.one_of(&["ADD", "CHANGE", "MODIFY", "DROP", "ALTER", "RENAME", "CONVERT"]);
    let found = match verb {
        Some("ADD") => return add(alter, cursor),
        Some("CHANGE") => change(cursor)?,
        Some("MODIFY") => modify(cursor)?,
        Some("DROP") => drop_part(cursor)?,
        Some("ALTER") => alter_part(cursor)?,
        Some("RENAME") => match rename(alter, cursor)? {
            Some(found) => found,
            None => return Ok(()),
        },
        Some(_) => convert(alter, cursor)?,
        None => return other(alter, cursor),
    };
    alter.steps.push(found);
    Ok(())
}

fn add(alter: &mut AlterTable, cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    if cursor.word("PARTITION") {
        alter.steps.push(AlterStep::Other(Clause::AddPartition));
        return rest(cursor);
    }
    if cursor.words(&["SYSTEM", "VERSIONING"]) {
        alter.steps.push(AlterStep::Other(Clause::SystemVersioning));
        return Ok(());
    }
    if let Some(step) = period(cursor)? {
        alter.steps.push(step);
        return Ok(());
    }
    if let Some(key) = table_element(cursor)? {
        alter.steps.push(key);
        return Ok(());
    }
    cursor.word("COLUMN");
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    if !cursor.at_symbol('(') {
        let name = cursor.name()?;
        let column = definition(name, cursor)?;
        let place = place(cursor)?;
        alter.steps.push(AlterStep::AddColumn { column, place, if_not_exists });
        return Ok(());
    }
    let mut list = cursor.group_reader()?;
    loop {
        if let Some(key) = table_element(&mut list)? {
            alter.steps.push(key);
        } else {
            let name = list.name()?;
            let column = definition(name, &mut list)?;
            alter.steps.push(AlterStep::AddColumn { column, place: Place::Default, if_not_exists });
        }
        if list.at_end() {
            return Ok(());
        }
        list.need_symbol(',')?;
    }
}

/// MariaDB: `PERIOD [IF NOT EXISTS] FOR name (start, end)`, after ADD.
fn period(cursor: &mut Cursor<'_, '_>) -> Result<Option<AlterStep>, Unreadable> {
    let mut ahead = *cursor;
    if !ahead.word("PERIOD") {
        return Ok(None);
    }
    ahead.words(&["IF", "NOT", "EXISTS"]);
    // Else it is a column of that name.
    if !ahead.word("FOR") {
        return Ok(None);
    }
    *cursor = ahead;
    if cursor.name()?.eq_ignore_ascii_case("SYSTEM_TIME") {
        cursor.group()?;
        return Ok(Some(AlterStep::Other(Clause::SystemVersioning)));
    }
    let mut columns = cursor.group_reader()?;
    let start = columns.name()?;
    columns.need_symbol(',')?;
    Ok(Some(AlterStep::AddPeriod { columns: [start, columns.name()?] }))
}

fn place(cursor: &mut Cursor<'_, '_>) -> Result<Place, Unreadable> {
    if cursor.word("FIRST") {
        return Ok(Place::First);
    }
    if cursor.word("AFTER") {
        return cursor.name().map(Place::After);
    }
    Ok(Place::Default)
}

fn change(cursor: &mut Cursor<'_, '_>) -> Result<AlterStep, Unreadable> {
    cursor.word("COLUMN");
    let if_exists = cursor.words(&["IF", "EXISTS"]);
    let from = cursor.name()?;
    let name = cursor.name()?;
    let column = definition(name, cursor)?;
    Ok(AlterStep::ChangeColumn { from, column, place: place(cursor)?, if_exists })
}

fn modify(cursor: &mut Cursor<'_, '_>) -> Result<AlterStep, Unreadable> {
    cursor.word("COLUMN");
    let if_exists = cursor.words(&["IF", "EXISTS"]);
    let from = cursor.name()?;
    let column = definition(from.clone(), cursor)?;
    Ok(AlterStep::ChangeColumn { from, column, place: place(cursor)?, if_exists })
}

fn drop_part(cursor: &mut Cursor<'_, '_>) -> Result<AlterStep, Unreadable> {
    if cursor.words(&["PRIMARY", "KEY"]) {
        return Ok(AlterStep::DropPrimaryKey);
    }
    if cursor.words(&["FOREIGN", "KEY"]) {
        cursor.words(&["IF", "EXISTS"]);
        return cursor.name().map(|name| AlterStep::DropForeignKey { name });
    }
    if let Some(kind) = cursor.one_of(&["INDEX", "KEY", "CONSTRAINT"]) {
        cursor.words(&["IF", "EXISTS"]);
        return cursor.name().map(|name| drop_key(name, kind == "CONSTRAINT"));
    }
    if cursor.word("CHECK") {
        return cursor.name().map(|_| AlterStep::Other(Clause::DropCheck));
    }
    if cursor.word("PARTITION") {
        rest(cursor)?;
        return Ok(AlterStep::Other(Clause::DropPartition));
    }
    if cursor.words(&["SYSTEM", "VERSIONING"]) {
        return Ok(AlterStep::Other(Clause::SystemVersioning));
    }
    let mut ahead = *cursor;
    if ahead.word("PERIOD") {
        ahead.words(&["IF", "EXISTS"]);
        if ahead.word("FOR") {
            *cursor = ahead;
            let of_system = cursor.name()?.eq_ignore_ascii_case("SYSTEM_TIME");
            return Ok(AlterStep::Other(if of_system {
                Clause::SystemVersioning
            } else {
                Clause::DropPeriod
            }));
        }
    }
    cursor.word("COLUMN");
    let if_exists = cursor.words(&["IF", "EXISTS"]);
    let name = cursor.name()?;
    cursor.one_of(&["RESTRICT", "CASCADE"]);
    Ok(AlterStep::DropColumn { name, if_exists })
}

fn alter_part(cursor: &mut Cursor<'_, '_>) -> Result<AlterStep, Unreadable> {
    if cursor.one_of(&["INDEX", "KEY"]).is_some() {
        cursor.words(&["IF", "EXISTS"]);
        cursor.name()?;
        cursor.word("NOT");
        return match cursor.one_of(&["VISIBLE", "INVISIBLE", "IGNORED"]) {
            Some(_) => Ok(AlterStep::Other(Clause::AlterIndex)),
            None => Err(cursor.expected("VISIBLE or INVISIBLE")),
        };
    }
    if cursor.one_of(&["CHECK", "CONSTRAINT"]).is_some() {
        cursor.name()?;
        cursor.word("NOT");
        cursor.need_word("ENFORCED")?;
        return Ok(AlterStep::Other(Clause::AlterCheck));
    }
    cursor.word("COLUMN");
    cursor.words(&["IF", "EXISTS"]);
    let column = cursor.name()?;
    if cursor.words(&["DROP", "DEFAULT"]) {
        return Ok(AlterStep::SetDefault { column, default: DeclaredDefault::None });
    }
    if cursor.words(&["SET", "DEFAULT"]) {
        return Ok(AlterStep::SetDefault { column, default: default(cursor)? });
    }
    cursor.need_word("SET")?;
    match cursor.one_of(&["VISIBLE", "INVISIBLE"]) {
        Some(_) => Ok(AlterStep::Other(Clause::Visibility)),
        None => Err(cursor.expected("VISIBLE or INVISIBLE")),
    }
}

fn rename(alter: &mut AlterTable, cursor: &mut Cursor<'_, '_>) -> Result<Option<AlterStep>, Unreadable> {
    let part = cursor.one_of(&["COLUMN", "INDEX", "KEY"]);
    if let Some(part) = part {
        let if_exists = cursor.words(&["IF", "EXISTS"]);
        let from = cursor.name()?;
        cursor.need_word("TO")?;
        let to = cursor.name()?;
        return Ok(Some(if part == "COLUMN" {
            AlterStep::RenameColumn { from, to, if_exists }
        } else {
            AlterStep::RenameIndex { from, to }
        }));
    }
    if cursor.one_of(&["TO", "AS"]).is_none() {
        cursor.symbol('=');
    }
    alter.rename_to = Some(cursor.table()?);
    Ok(None)
}

fn convert(alter: &mut AlterTable, cursor: &mut Cursor<'_, '_>) -> Result<AlterStep, Unreadable> {
    // MariaDB: a partition becomes a table or a table a partition.
    if cursor.word("PARTITION") {
        cursor.name()?;
        cursor.words(&["TO", "TABLE"]);
        alter.other_table = Some(cursor.table()?);
        rest(cursor)?;
        return Ok(AlterStep::Other(Clause::ConvertPartition));
    }
    if cursor.word("TABLE") {
        alter.other_table = Some(cursor.table()?);
        rest(cursor)?;
        return Ok(AlterStep::Other(Clause::ConvertTable));
    }
    cursor.need_word("TO")?;
    let name = charset(cursor)?.ok_or_else(|| cursor.expected("CHARACTER SET"))?;
    // The word DEFAULT is read as a name.
    let charset = Some(name).filter(|name| name != "default");
    Ok(AlterStep::ConvertCharset { charset, collation: collation(cursor)? })
}

/// Skips the rest of the statement, which has its own commas.
fn rest(cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    while !cursor.at_end() {
        cursor.skip_clause()?;
        cursor.symbol(',');
    }
    Ok(())
}

fn other(alter: &mut AlterTable, cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    if let Some(clause) = partition_operation(cursor)? {
        alter.steps.push(AlterStep::Other(clause));
        return rest(cursor);
    }
    if cursor.words(&["EXCHANGE", "PARTITION"]) {
        cursor.name()?;
        cursor.need_word("WITH")?;
        cursor.need_word("TABLE")?;
        alter.other_table = Some(cursor.table()?);
        alter.steps.push(AlterStep::Other(Clause::ExchangePartition));
        return rest(cursor);
    }
    let plain = if cursor.word("FORCE") {
        Some(Clause::Force)
    } else if cursor.words(&["ENABLE", "KEYS"]) || cursor.words(&["DISABLE", "KEYS"]) {
        Some(Clause::Keys)
    } else if cursor.words(&["WITH", "VALIDATION"]) || cursor.words(&["WITHOUT", "VALIDATION"]) {
        Some(Clause::Validation)
    } else if cursor.words(&["ORDER", "BY"]) {
        order(cursor)?;
        Some(Clause::OrderBy)
    } else if cursor.at_word("WAIT") || cursor.at_word("NOWAIT") {
        lock_wait(cursor)?;
        Some(Clause::LockWait)
    } else {
        None
    };
    if let Some(clause) = plain {
        alter.steps.push(AlterStep::Other(clause));
        return Ok(());
    }
    options(alter, cursor)
}

/// `ORDER BY a, b DESC`: its commas are its own as long as no other step can begin after them.
fn order(cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    loop {
        cursor.table()?;
        if cursor.symbol('.') {
            cursor.name()?;
        }
        cursor.one_of(&["ASC", "DESC"]);
        let mut item = *cursor;
        if !item.symbol(',') || item.table().is_err() {
            return Ok(());
        }
        item.one_of(&["ASC", "DESC"]);
        if !(item.at_end() || item.at_symbol(',') || item.at_symbol('.')) {
            return Ok(());
        }
        cursor.symbol(',');
    }
}
