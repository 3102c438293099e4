//! ALTER TABLE (reference manual, "ALTER TABLE Statement" and "ALTER TABLE Partition Operations"; MariaDB's likewise).
//!
//! Steps that change a definition are read whole; of the others only where they end. A step that is on no list makes
//! the whole statement unreadable.

use super::column::{default, definition};
use super::create::{drop_key, lock_wait};
use super::cursor::{Cursor, Unreadable};
use super::data_type::{charset, collation};
use super::keys::table_element;
use super::statement::{AlterStep, AlterTable, DeclaredDefault, Place};
use super::token::TokenKind;

/// ALTER TABLE behind `TABLE`.
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
    let unique = |step: &AlterStep| {
        matches!(step, AlterStep::AddUnique { .. } | AlterStep::AddPrimaryKey { .. })
            || matches!(step, AlterStep::AddColumn { column, .. } | AlterStep::ChangeColumn { column, .. }
                if column.key != super::InlineKey::None)
    };
    if ignore && alter.steps.iter().any(unique) {
        // Rows that offend the new key are deleted, and no event says so.
        alter.steps.push(AlterStep::MovesRows("ALTER IGNORE TABLE with a unique key"));
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
        alter.steps.push(AlterStep::Neutral("ADD PARTITION"));
        return rest(cursor);
    }
    if cursor.at_words(&["SYSTEM", "VERSIONING"]) || cursor.at_words(&["PERIOD", "FOR"]) {
        return Err("system versioning is not followed".into());
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
        return cursor.name().map(|_| AlterStep::Neutral("DROP FOREIGN KEY"));
    }
    if cursor.one_of(&["INDEX", "KEY", "CONSTRAINT"]).is_some() {
        cursor.words(&["IF", "EXISTS"]);
        return cursor.name().map(drop_key);
    }
    if cursor.word("CHECK") {
        return cursor.name().map(|_| AlterStep::Neutral("DROP CHECK"));
    }
    if cursor.word("PARTITION") {
        rest(cursor)?;
        return Ok(AlterStep::MovesRows("DROP PARTITION"));
    }
    if cursor.at_words(&["SYSTEM", "VERSIONING"]) || cursor.at_words(&["PERIOD", "FOR"]) {
        return Err("system versioning is not followed".into());
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
            Some(_) => Ok(AlterStep::Neutral("ALTER INDEX")),
            None => Err(cursor.expected("VISIBLE or INVISIBLE")),
        };
    }
    if cursor.one_of(&["CHECK", "CONSTRAINT"]).is_some() {
        cursor.name()?;
        cursor.word("NOT");
        cursor.need_word("ENFORCED")?;
        return Ok(AlterStep::Neutral("ALTER CHECK"));
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
        Some(_) => Ok(AlterStep::Neutral("ALTER COLUMN")),
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
        return Ok(AlterStep::MovesRows("CONVERT PARTITION"));
    }
    if cursor.word("TABLE") {
        alter.other_table = Some(cursor.table()?);
        rest(cursor)?;
        return Ok(AlterStep::MovesRows("CONVERT TABLE"));
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

/// Partition operations of a statement of their own: their words, and whether they move rows.
const PARTITION_STEPS: &[(&[&str], &str, bool)] = &[
    (&["REORGANIZE", "PARTITION"], "REORGANIZE PARTITION", false),
    (&["COALESCE", "PARTITION"], "COALESCE PARTITION", false),
    (&["REBUILD", "PARTITION"], "REBUILD PARTITION", false),
    (&["ANALYZE", "PARTITION"], "ANALYZE PARTITION", false),
    (&["CHECK", "PARTITION"], "CHECK PARTITION", false),
    (&["OPTIMIZE", "PARTITION"], "OPTIMIZE PARTITION", false),
    (&["REPAIR", "PARTITION"], "REPAIR PARTITION", false),
    (&["PARTITION", "BY"], "PARTITION BY", false),
    (&["REMOVE", "PARTITIONING"], "REMOVE PARTITIONING", false),
    (&["UPGRADE", "PARTITIONING"], "UPGRADE PARTITIONING", false),
    (&["SECONDARY_LOAD"], "SECONDARY_LOAD", false),
    (&["SECONDARY_UNLOAD"], "SECONDARY_UNLOAD", false),
    (&["TRUNCATE", "PARTITION"], "TRUNCATE PARTITION", true),
    (&["DISCARD", "PARTITION"], "DISCARD PARTITION TABLESPACE", true),
    (&["IMPORT", "PARTITION"], "IMPORT PARTITION TABLESPACE", true),
    (&["DISCARD", "TABLESPACE"], "DISCARD TABLESPACE", true),
    (&["IMPORT", "TABLESPACE"], "IMPORT TABLESPACE", true),
];

fn other(alter: &mut AlterTable, cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    if let Some((_, what, moves)) = PARTITION_STEPS.iter().find(|(words, ..)| cursor.words(words)) {
        alter.steps.push(if *moves { AlterStep::MovesRows(what) } else { AlterStep::Neutral(what) });
        return rest(cursor);
    }
    if cursor.words(&["EXCHANGE", "PARTITION"]) {
        cursor.name()?;
        cursor.need_word("WITH")?;
        cursor.need_word("TABLE")?;
        alter.other_table = Some(cursor.table()?);
        alter.steps.push(AlterStep::MovesRows("EXCHANGE PARTITION"));
        return rest(cursor);
    }
    let plain: Option<&'static str> = if cursor.word("FORCE") {
        Some("FORCE")
    } else if cursor.words(&["ENABLE", "KEYS"]) || cursor.words(&["DISABLE", "KEYS"]) {
        Some("KEYS")
    } else if cursor.words(&["WITH", "VALIDATION"]) || cursor.words(&["WITHOUT", "VALIDATION"]) {
        Some("VALIDATION")
    } else if cursor.words(&["ORDER", "BY"]) {
        order(cursor)?;
        Some("ORDER BY")
    } else if cursor.at_word("WAIT") || cursor.at_word("NOWAIT") {
        lock_wait(cursor)?;
        Some("WAIT")
    } else {
        None
    };
    if let Some(what) = plain {
        alter.steps.push(AlterStep::Neutral(what));
        return Ok(());
    }
    options(alter, cursor)
}

/// `ORDER BY a, b DESC`: its commas are its own as long as no other step can begin behind them.
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

/// Table options with one value that change neither rows nor columns.
const OPTIONS: &[&str] = &[
    "ALGORITHM",
    "LOCK",
    "COMMENT",
    "ENCRYPTION",
    "COMPRESSION",
    "AUTO_INCREMENT",
    "AUTOEXTEND_SIZE",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "TABLE_CHECKSUM",
    "DELAY_KEY_WRITE",
    "ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "PASSWORD",
    "ROW_FORMAT",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "TABLESPACE",
    "STORAGE",
    "TRANSACTIONAL",
    "PAGE_CHECKSUM",
    "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL",
    "ENCRYPTED",
    "ENCRYPTION_KEY_ID",
    "IETF_QUOTES",
];

/// Options with blanks between them, to the next comma.
fn options(alter: &mut AlterTable, cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    loop {
        let step = option(cursor)?;
        alter.steps.push(step);
        // Within one comma the character set and its collation are one step.
        let ends = cursor.at_end()
            || cursor.at_symbol(',')
            || cursor.at_word("PARTITION")
            || cursor.at_words(&["REMOVE", "PARTITIONING"]);
        if ends {
            return Ok(());
        }
    }
}

fn option(cursor: &mut Cursor<'_, '_>) -> Result<AlterStep, Unreadable> {
    if cursor.one_of(&["ENGINE", "TYPE"]).is_some() {
        cursor.symbol('=');
        let engine = cursor.name_or_text()?;
        let transactions = engine.eq_ignore_ascii_case("INNODB");
        return Ok(if transactions { AlterStep::Neutral("ENGINE") } else { AlterStep::Engine(engine) });
    }
    if let Some(option) = cursor.one_of(OPTIONS) {
        cursor.symbol('=');
        value(cursor)?;
        return Ok(AlterStep::Neutral(option));
    }
    if cursor.words(&["DATA", "DIRECTORY"]) || cursor.words(&["INDEX", "DIRECTORY"]) {
        cursor.symbol('=');
        value(cursor)?;
        return Ok(AlterStep::Neutral("DIRECTORY"));
    }
    if cursor.word("UNION") {
        cursor.symbol('=');
        cursor.group()?;
        return Ok(AlterStep::MovesRows("UNION"));
    }
    if cursor.word("CONNECTION") {
        cursor.symbol('=');
        value(cursor)?;
        return Ok(AlterStep::MovesRows("CONNECTION"));
    }
    cursor.word("DEFAULT");
    if let Some(name) = charset(cursor)? {
        cursor.word("DEFAULT");
        let charset = Some(name).filter(|name| name != "default");
        return Ok(AlterStep::DefaultCharset { charset, collation: collation(cursor)? });
    }
    if let Some(collation) = collation(cursor)? {
        return Ok(AlterStep::DefaultCharset { charset: None, collation: Some(collation) });
    }
    Err(cursor.expected("a step of ALTER TABLE"))
}

fn value(cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    match cursor.next() {
        Some(token) if token.kind != TokenKind::Symbol => Ok(()),
        _ => Err(cursor.expected("a value")),
    }
}
