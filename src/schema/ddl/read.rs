//! What a statement of the log is (reference manual, "SQL Statements"; server source, `sql/sql_yacc.yy`).

use super::alter::alter_table;
use super::code::stored_code;
use super::create::{create_index, create_table, drop_index, lock_wait};
use super::cursor::{Cursor, Unreadable};
use super::dml::{begun, dml, names};
use super::statement::{Name, Statement};
use super::token::{SqlMode, head, tokenize};

/// Reads a statement. What is not understood to the end is [`Statement::Unknown`].
///
/// MariaDB cuts all of `SET STATEMENT sql_mode=… FOR …` up under the `sql_mode` that the session had before, and logs the one
/// that was set (seen on 10.11). MySQL has the hint `SET_VAR(sql_mode=…)` in the middle of a text. So such a text is read under
/// every mode, and where that makes a difference it is not understood.
pub fn read(sql: &str, mode: SqlMode) -> Statement {
    let statement = read_under(sql, mode);
    if !sets_sql_mode(sql, mode) {
        return statement;
    }
    if mode.every_reading().into_iter().all(|other| read_under(sql, other) == statement) {
        return statement;
    }
    Statement::Unknown {
        why: "it sets the sql_mode under which the rest was read, or does not".into(),
        tables: None,
    }
}

/// Whether the text begins with SET STATEMENT and sets `sql_mode` there, however it is cut up, or may do so in a hint.
fn sets_sql_mode(sql: &str, mode: SqlMode) -> bool {
    let first = sql.trim_start().get(..3).unwrap_or_default();
    let may_begin = first.eq_ignore_ascii_case("SET") || first.starts_with("/*");
    let lower = if may_begin || sql.contains("/*+") { sql.to_ascii_lowercase() } else { return false };
    if !lower.contains("sql_mode") {
        return false;
    }
    if lower.contains("set_var") {
        return true;
    }
    let begins = |mode| Cursor::new(&head(sql, mode, 2), sql, mode).at_words(&["SET", "STATEMENT"]);
    may_begin && (begins(mode) || mode.every_reading().into_iter().any(begins))
}

/// How many tokens of a text are looked at before all of them are: more than stand before a name in any statement.
pub(super) const HEAD: usize = 4096;

fn read_under(sql: &str, mode: SqlMode) -> Statement {
    if let Some(found) = by_head(Cursor::new(&head(sql, mode, HEAD), sql, mode)) {
        return found;
    }
    let tokens = match tokenize(sql, mode) {
        Ok(tokens) => tokens,
        Err(why) => return Statement::Unknown { why, tables: None },
    };
    let end = tokens.iter().rposition(|token| !token.is_symbol(';')).map_or(0, |last| last + 1);
    let mut cursor = Cursor::new(tokens.get(..end).unwrap_or_default(), sql, mode);
    match statement(&mut cursor.clone()) {
        Ok(statement) => statement,
        Err(why) => Statement::Unknown { why, tables: about(&mut cursor) },
    }
}

/// What a statement may be about whose beginning says that it is about a table and its indexes, and nothing else: every name in it.
fn about(cursor: &mut Cursor<'_, '_>) -> Option<Vec<Name>> {
    while set_statement(cursor).ok()?.is_some() {}
    let all = *cursor;
    let verb = cursor.one_of(&["ALTER", "CREATE", "DROP", "TRUNCATE", "OPTIMIZE", "REPAIR"])?;
    cursor.words(&["OR", "REPLACE"]);
    cursor.one_of(&["ONLINE", "OFFLINE", "NO_WRITE_TO_BINLOG", "LOCAL"]);
    cursor.one_of(&["IGNORE", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
    let is_one = match verb {
        "CREATE" | "DROP" => cursor.word("INDEX"),
        _ => cursor.one_of(&["TABLES", "TABLE"]).is_some() || verb == "TRUNCATE",
    };
    cursor.word("IF");
    cursor.word("NOT");
    cursor.word("EXISTS");
    cursor.table().ok().filter(|_| is_one)?;
    names(all)
}

/// A statement that its beginning decides, whatever stands after: rows may be many, and the body of stored code may be in another
/// language.
fn by_head(mut cursor: Cursor<'_, '_>) -> Option<Statement> {
    let mut settings = cursor;
    while set_statement(&mut settings).ok()?.is_some() {
        cursor = settings;
    }
    let code = || stored_code(&mut cursor.clone(), false).map(Statement::Harmless);
    begun(cursor).or_else(code)
}

fn statement(cursor: &mut Cursor<'_, '_>) -> Result<Statement, Unreadable> {
    let mut settings = *cursor;
    while set_statement(&mut settings)?.is_some() {
        *cursor = settings;
    }
    if let Some(transaction) = transaction(cursor) {
        let found = transaction?;
        return if cursor.at_end() { Ok(found) } else { Err(cursor.expected("nothing more")) };
    }
    if let Some(found) = dml(cursor) {
        return Ok(found);
    }
    if let Some(found) = definition(cursor) {
        return found;
    }
    if let Some(found) = repair(cursor) {
        return found;
    }
    if let Some(kind) = stored_code(&mut cursor.clone(), false) {
        return Ok(Statement::Harmless(kind));
    }
    if let Some(kind) = harmless(*cursor) {
        if cursor.any(|token| token.is_symbol(';')) {
            return Err("more than one statement".into());
        }
        return Ok(Statement::Harmless(kind));
    }
    match cursor.peek() {
        Some(_) => Err(cursor.expected("a statement that is known")),
        None => Err("no statement, only a comment".into()),
    }
}

/// Settings of `SET STATEMENT` that the log does not tell and that decide what a statement means.
const UNTOLD: &[&str] = &["character_set", "collation", "old_mode"];

/// MariaDB logs `SET STATEMENT x=y, … FOR …` as written. The event's own settings are those that were set, so the values need not
/// be read.
pub(super) fn set_statement(cursor: &mut Cursor<'_, '_>) -> Result<Option<()>, Unreadable> {
    if !cursor.words(&["SET", "STATEMENT"]) {
        return Ok(None);
    }
    let mut depth = 0_usize;
    let mut at_name = true;
    loop {
        if depth == 0 && cursor.word("FOR") {
            return Ok(Some(()));
        }
        let token = cursor.next().ok_or("SET STATEMENT without FOR")?;
        if at_name {
            let name = token.value.to_ascii_lowercase();
            if UNTOLD.iter().any(|untold| name.contains(untold)) {
                return Err(format!(
                    "SET STATEMENT sets {name}, and the log does not tell how the rest was read"
                ));
            }
        }
        at_name = depth == 0 && token.is_symbol(',');
        if token.is_symbol('(') {
            depth += 1;
        } else if token.is_symbol(')') {
            depth = depth.saturating_sub(1);
        }
    }
}

fn transaction(cursor: &mut Cursor<'_, '_>) -> Option<Result<Statement, Unreadable>> {
    let verb = cursor.one_of(&["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA"]);
    Some(match verb {
        Some("BEGIN") => {
            cursor.word("WORK");
            Ok(Statement::Begin)
        }
        Some("COMMIT") => {
            completion(cursor);
            Ok(Statement::Commit)
        }
        Some("ROLLBACK") => {
            cursor.word("WORK");
            if cursor.word("TO") {
                cursor.word("SAVEPOINT");
                cursor.name().map(Statement::RollbackTo)
            } else {
                completion(cursor);
                Ok(Statement::Rollback)
            }
        }
        Some("SAVEPOINT") => cursor.name().map(Statement::Savepoint),
        Some("RELEASE") => {
            cursor.need_word("SAVEPOINT").and_then(|()| cursor.name()).map(Statement::ReleaseSavepoint)
        }
        Some(_) => xa(cursor),
        None if cursor.words(&["START", "TRANSACTION"]) => {
            while !cursor.at_end() {
                cursor.next();
            }
            Ok(Statement::Begin)
        }
        None => return None,
    })
}

/// `WORK AND NO CHAIN NO RELEASE` and parts of it.
fn completion(cursor: &mut Cursor<'_, '_>) {
    while cursor.one_of(&["WORK", "AND", "NO", "CHAIN", "RELEASE"]).is_some() {}
}

fn xa(cursor: &mut Cursor<'_, '_>) -> Result<Statement, Unreadable> {
    let verb = cursor.one_of(&["START", "BEGIN", "END", "PREPARE", "COMMIT", "ROLLBACK"]);
    // The xid: up to three literals with commas.
    let mut one_phase = false;
    while !cursor.at_end() {
        if cursor.words(&["ONE", "PHASE"]) {
            one_phase = true;
        } else {
            cursor.next();
        }
    }
    Ok(match verb {
        Some("START" | "BEGIN") => Statement::XaStart,
        Some("END") => Statement::XaEnd,
        Some("PREPARE") => Statement::XaPrepare,
        Some("COMMIT") => Statement::XaCommit { one_phase },
        Some("ROLLBACK") => Statement::XaRollback,
        _ => return Err("an XA statement that is not known".into()),
    })
}

/// Statements about tables, indexes and databases.
fn definition(cursor: &mut Cursor<'_, '_>) -> Option<Result<Statement, Unreadable>> {
    let mut ahead = *cursor;
    let found = match ahead.one_of(&["ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE"])? {
        "ALTER" => alter(&mut ahead),
        "CREATE" => create(&mut ahead),
        "DROP" => drop_object(&mut ahead),
        "RENAME" if ahead.one_of(&["TABLES", "TABLE"]).is_some() => Some(rename(&mut ahead)),
        "RENAME" => None,
        _ => Some(truncate(&mut ahead)),
    }?;
    *cursor = ahead;
    Some(found.and_then(
        |statement| {
            if cursor.at_end() { Ok(statement) } else { Err(cursor.expected("nothing more")) }
        },
    ))
}

fn alter(cursor: &mut Cursor<'_, '_>) -> Option<Result<Statement, Unreadable>> {
    let mut ahead = *cursor;
    ahead.one_of(&["ONLINE", "OFFLINE"]);
    let ignore = ahead.word("IGNORE");
    if ahead.word("TABLE") {
        *cursor = ahead;
        return Some(alter_table(cursor, ignore).map(Statement::AlterTable));
    }
    if cursor.one_of(&["DATABASE", "SCHEMA"]).is_some() {
        return Some(alter_database(cursor));
    }
    None
}

fn alter_database(cursor: &mut Cursor<'_, '_>) -> Result<Statement, Unreadable> {
    let options = ["DEFAULT", "CHARACTER", "CHARSET", "CHAR", "COLLATE", "ENCRYPTION", "READ", "COMMENT"];
    let at_option = |cursor: &Cursor<'_, '_>| options.iter().any(|word| cursor.at_word(word));
    let name = if at_option(cursor) { None } else { Some(cursor.name()?) };
    if !at_option(cursor) {
        return Err(cursor.expected("an option of a database"));
    }
    rest(cursor);
    Ok(Statement::AlterDatabase(name))
}

fn rest(cursor: &mut Cursor<'_, '_>) {
    while cursor.next().is_some() {}
}

fn create(cursor: &mut Cursor<'_, '_>) -> Option<Result<Statement, Unreadable>> {
    let or_replace = cursor.words(&["OR", "REPLACE"]);
    if let Some(index) = create_index(cursor, or_replace) {
        return Some(index);
    }
    let mut ahead = *cursor;
    if or_replace && ahead.word("SEQUENCE") {
        // It drops what has that name, table or sequence (seen on 10.11); the rest makes no table.
        ahead.words(&["IF", "NOT", "EXISTS"]);
        let name = ahead.table();
        rest(&mut ahead);
        *cursor = ahead;
        return Some(name.map(|table| Statement::DropTable {
            tables: vec![table],
            temporary: false,
            if_exists: true,
        }));
    }
    let temporary = ahead.word("TEMPORARY");
    ahead.word("EXTERNAL");
    if ahead.word("TABLE") {
        *cursor = ahead;
        return Some(create_table(cursor, temporary, or_replace));
    }
    if cursor.one_of(&["DATABASE", "SCHEMA"]).is_some() {
        cursor.words(&["IF", "NOT", "EXISTS"]);
        let name = cursor.name();
        rest(cursor);
        // OR REPLACE (MariaDB) drops the database first.
        return Some(name.map(if or_replace { Statement::DropDatabase } else { Statement::CreateDatabase }));
    }
    None
}

fn drop_object(cursor: &mut Cursor<'_, '_>) -> Option<Result<Statement, Unreadable>> {
    let mut ahead = *cursor;
    ahead.one_of(&["ONLINE", "OFFLINE"]);
    if ahead.word("INDEX") {
        *cursor = ahead;
        return Some(drop_index(cursor));
    }
    let mut ahead = *cursor;
    let temporary = ahead.word("TEMPORARY");
    if ahead.one_of(&["TABLES", "TABLE"]).is_some() {
        *cursor = ahead;
        return Some(drop_table(cursor, temporary));
    }
    if cursor.one_of(&["DATABASE", "SCHEMA"]).is_some() {
        cursor.words(&["IF", "EXISTS"]);
        return Some(cursor.name().map(Statement::DropDatabase));
    }
    None
}

fn drop_table(cursor: &mut Cursor<'_, '_>, temporary: bool) -> Result<Statement, Unreadable> {
    let if_exists = cursor.words(&["IF", "EXISTS"]);
    let tables = cursor.tables()?;
    lock_wait(cursor)?;
    cursor.one_of(&["RESTRICT", "CASCADE"]);
    Ok(Statement::DropTable { tables, temporary, if_exists })
}

fn rename(cursor: &mut Cursor<'_, '_>) -> Result<Statement, Unreadable> {
    cursor.words(&["IF", "EXISTS"]);
    let mut pairs: Vec<(Name, Name)> = Vec::new();
    loop {
        let from = cursor.table()?;
        lock_wait(cursor)?;
        cursor.need_word("TO")?;
        pairs.push((from, cursor.table()?));
        if !cursor.symbol(',') {
            return Ok(Statement::RenameTable(pairs));
        }
    }
}

fn truncate(cursor: &mut Cursor<'_, '_>) -> Result<Statement, Unreadable> {
    cursor.word("TABLE");
    let table = cursor.table()?;
    lock_wait(cursor)?;
    Ok(Statement::TruncateTable(table))
}

/// After CREATE, ALTER, DROP: objects that are no tables.
const OBJECTS: &[(&[&str], &str)] = &[
    (&["USER"], "USER"),
    (&["ROLE"], "ROLE"),
    (&["SERVER"], "SERVER"),
    (&["TABLESPACE"], "TABLESPACE"),
    (&["UNDO", "TABLESPACE"], "TABLESPACE"),
    (&["LOGFILE", "GROUP"], "LOGFILE GROUP"),
    (&["SPATIAL", "REFERENCE", "SYSTEM"], "SPATIAL REFERENCE SYSTEM"),
    (&["RESOURCE", "GROUP"], "RESOURCE GROUP"),
    (&["SEQUENCE"], "SEQUENCE"),
    (&["TEMPORARY", "SEQUENCE"], "SEQUENCE"),
    (&["INSTANCE"], "INSTANCE"),
];

/// Whole beginnings of statements that change no rows and no definitions.
const HARMLESS: &[(&[&str], &str)] = &[
    (&["GRANT"], "GRANT"),
    (&["REVOKE"], "REVOKE"),
    (&["SET", "PASSWORD"], "SET PASSWORD"),
    (&["SET", "DEFAULT", "ROLE"], "SET DEFAULT ROLE"),
    (&["SET", "RESOURCE", "GROUP"], "SET RESOURCE GROUP"),
    (&["RENAME", "USER"], "USER"),
    (&["FLUSH"], "FLUSH"),
    (&["INSTALL", "PLUGIN"], "PLUGIN"),
    (&["INSTALL", "SONAME"], "PLUGIN"),
    (&["INSTALL", "COMPONENT"], "COMPONENT"),
    (&["UNINSTALL", "PLUGIN"], "PLUGIN"),
    (&["UNINSTALL", "SONAME"], "PLUGIN"),
    (&["UNINSTALL", "COMPONENT"], "COMPONENT"),
    (&["CHECKSUM", "TABLE"], "CHECKSUM TABLE"),
    (&["LOAD", "INDEX"], "LOAD INDEX"),
    (&["CACHE", "INDEX"], "CACHE INDEX"),
];

fn harmless(mut cursor: Cursor<'_, '_>) -> Option<&'static str> {
    if cursor.one_of(&["CREATE", "ALTER", "DROP"]).is_some() {
        cursor.words(&["OR", "REPLACE"]);
        return OBJECTS.iter().find(|(words, _)| cursor.words(words)).map(|(_, kind)| *kind);
    }
    if let Some((_, kind)) = HARMLESS.iter().find(|(words, _)| cursor.words(words)) {
        return Some(kind);
    }
    // ANALYZE gathers statistics and CHECK reads.
    let maintenance = cursor.one_of(&["ANALYZE", "OPTIMIZE", "CHECK"])?;
    cursor.one_of(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
    cursor.one_of(&["TABLES", "TABLE", "VIEW"]).map(|_| maintenance)
}

/// OPTIMIZE copies rows as they are: InnoDB does it as ALTER TABLE … FORCE (`ha_innobase::optimize` answers
/// HA_ADMIN_TRY_ALTER), inside each partition, so that rows in a wrong one stay there. REPAIR rebuilds a table of MyISAM and
/// Aria from what can be read of it, and moves or removes rows that lie in a wrong partition
/// (`ha_partition::check_misplaced_rows`). Only a view has nothing to lose.
fn repair(cursor: &mut Cursor<'_, '_>) -> Option<Result<Statement, Unreadable>> {
    let mut ahead = *cursor;
    let verb = ahead.one_of(&["REPAIR", "OPTIMIZE"])?;
    ahead.one_of(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
    let found = match ahead.one_of(&["TABLES", "TABLE", "VIEW"])? {
        "VIEW" => Ok(Statement::Harmless("REPAIR VIEW")),
        _ if verb == "OPTIMIZE" => {
            let tables = ahead.tables();
            lock_wait(&mut ahead).and(tables).map(Statement::OptimizeTable)
        }
        _ => ahead.tables().map(Statement::RepairTable),
    };
    while ahead
        .one_of(&["QUICK", "EXTENDED", "USE_FRM", "FORCE", "FOR", "UPGRADE", "FROM", "MYSQL"])
        .is_some()
    {}
    if found.as_ref().is_ok_and(|statement| matches!(statement, Statement::Harmless(_))) {
        rest(&mut ahead);
    }
    *cursor = ahead;
    Some(
        found
            .and_then(|found| if cursor.at_end() { Ok(found) } else { Err(cursor.expected("nothing more")) }),
    )
}
