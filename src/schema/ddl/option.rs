//! Table options of ALTER TABLE.

use super::clause::Clause;
use super::cursor::{Cursor, Unreadable};
use super::data_type::{charset, collation};
use super::statement::{AlterStep, AlterTable};
use super::token::TokenKind;

/// Table options with one value that say how rows are stored, protected or counted, and nothing of what they hold.
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
pub(super) fn options(alter: &mut AlterTable, cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
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
        return Ok(AlterStep::Other(Clause::Engine(cursor.name_or_text()?)));
    }
    if in_place(cursor) {
        return Ok(AlterStep::Other(Clause::InPlace));
    }
    if let Some(option) = cursor.one_of(OPTIONS) {
        cursor.symbol('=');
        value(cursor)?;
        return Ok(AlterStep::Other(Clause::Option(option)));
    }
    if cursor.words(&["DATA", "DIRECTORY"]) || cursor.words(&["INDEX", "DIRECTORY"]) {
        cursor.symbol('=');
        value(cursor)?;
        return Ok(AlterStep::Other(Clause::Option("DIRECTORY")));
    }
    if cursor.word("UNION") {
        cursor.symbol('=');
        cursor.group()?;
        return Ok(AlterStep::Other(Clause::Union));
    }
    if cursor.word("CONNECTION") {
        cursor.symbol('=');
        value(cursor)?;
        return Ok(AlterStep::Other(Clause::Connection));
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

/// Takes an ALGORITHM that does not copy the table row by row, if one comes next.
pub(super) fn in_place(cursor: &mut Cursor<'_, '_>) -> bool {
    let mut ahead = *cursor;
    if !ahead.word("ALGORITHM") {
        return false;
    }
    ahead.symbol('=');
    let found = ahead.one_of(&["INPLACE", "INSTANT", "NOCOPY"]).is_some();
    if found {
        *cursor = ahead;
    }
    found
}

fn value(cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    match cursor.next() {
        Some(token) if token.kind != TokenKind::Symbol => Ok(()),
        _ => Err(cursor.expected("a value")),
    }
}
