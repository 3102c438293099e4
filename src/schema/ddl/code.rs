//! Stored code: views, routines, triggers, events. Their bodies are not read; what is read is which one a statement defines,
//! alters or drops.

use super::cursor::Cursor;
use super::read::{HEAD, set_statement};
use super::statement::Name;
use super::token::{SqlMode, head, tokenize};

/// What a statement does to stored code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeChange {
    /// `VIEW`, `FUNCTION`, `TRIGGER`, ….
    pub kind: &'static str,
    /// Its name, where it can be read.
    pub name: Option<Name>,
    /// Of a new trigger, its table.
    pub on: Option<Name>,
    /// It is there after the statement.
    pub creates: bool,
    /// `ALTER`
    pub alters: bool,
    /// What had that name before is gone, or is another now.
    pub replaces: bool,
    /// `IF NOT EXISTS`: it may have been there before, and be another than the text says.
    pub if_not_exists: bool,
}

/// What a statement does to views, routines, triggers and events; `None` when it is about something else.
pub fn code_change(sql: &str, mode: SqlMode) -> Option<CodeChange> {
    let tokens = head(sql, mode, HEAD);
    let mut cursor = Cursor::new(&tokens, sql, mode);
    let mut settings = cursor;
    while set_statement(&mut settings).ok()?.is_some() {
        cursor = settings;
    }
    let replaces = !cursor.at_word("CREATE") || cursor.at_words(&["CREATE", "OR", "REPLACE"]);
    let (creates, alters) = (!cursor.at_word("DROP"), cursor.at_word("ALTER"));
    let kind = stored_code(&mut cursor, true)?;
    cursor.word("BODY");
    cursor.words(&["IF", "EXISTS"]);
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    let name = cursor.table().ok();
    let mut on = None;
    if kind == "TRIGGER" {
        while !cursor.at_end() && !cursor.word("ON") {
            cursor.next();
        }
        on = cursor.table().ok();
    }
    Some(CodeChange { kind, name, on, creates, alters, replaces, if_not_exists })
}

/// How a statement begins that need not be understood further on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// `ALTER TABLE`: it is about one table's definition, and runs no code of others.
    AlterTable,
    /// `CREATE`, without REPLACE anywhere: what is there stays.
    Create,
    /// Anything else.
    Other,
}

/// The longest text whose beginning is looked for: it is cut up in many ways.
const LONGEST: usize = 1 << 20;

/// How a statement begins, after any `SET STATEMENT … FOR`, and in whatever way it is cut up.
pub fn beginning(sql: &str, mode: SqlMode) -> Beginning {
    let begins = |mode| {
        let Ok(tokens) = tokenize(sql, mode) else { return Beginning::Other };
        let mut cursor = Cursor::new(&tokens, sql, mode);
        while cursor.words(&["SET", "STATEMENT"]) {
            let mut depth = 0_usize;
            while depth > 0 || !cursor.word("FOR") {
                let Some(token) = cursor.next() else { return Beginning::Other };
                if token.is_symbol('(') {
                    depth += 1;
                } else if token.is_symbol(')') {
                    depth = depth.saturating_sub(1);
                }
            }
        }
        if cursor.at_word("CREATE") && !cursor.any(|token| token.is_word("REPLACE")) {
            return Beginning::Create;
        }
        if !cursor.word("ALTER") {
            return Beginning::Other;
        }
        cursor.one_of(&["ONLINE", "OFFLINE"]);
        cursor.word("IGNORE");
        if cursor.word("TABLE") { Beginning::AlterTable } else { Beginning::Other }
    };
    if sql.len() > LONGEST {
        return Beginning::Other;
    }
    let found = begins(mode);
    if found == Beginning::Other || mode.every_reading().into_iter().all(|other| begins(other) == found) {
        found
    } else {
        Beginning::Other
    }
}

/// Views, routines, triggers, events: statements with a body that may hold anything and does nothing yet.
///
/// Materialized views of MySQL 9.7 are among them only where that is asked for: what else they may do is not known yet.
pub(super) fn stored_code(cursor: &mut Cursor<'_, '_>, materialized: bool) -> Option<&'static str> {
    cursor.one_of(&["CREATE", "ALTER", "DROP"])?;
    cursor.words(&["OR", "REPLACE"]);
    loop {
        if cursor.word("ALGORITHM") {
            cursor.symbol('=').then_some(())?;
            cursor.name().ok()?;
        } else if cursor.word("DEFINER") {
            cursor.symbol('=').then_some(())?;
            account(cursor)?;
        } else if cursor.words(&["SQL", "SECURITY"]) {
            cursor.name().ok()?;
        } else if !(cursor.word("AGGREGATE") || (materialized && cursor.word("MATERIALIZED"))) {
            break;
        }
    }
    if !cursor.words(&["JSON", "RELATIONAL", "DUALITY"]) {
        cursor.words(&["JSON", "DUALITY"]);
    }
    cursor.one_of(&["VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE", "LIBRARY"])
}

/// `'user'@'host'`, `CURRENT_USER()`, a role.
fn account(cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.name_or_text().ok()?;
    if cursor.symbol('@') {
        cursor.name_or_text().ok()?;
    } else if cursor.at_symbol('(') {
        cursor.group().ok()?;
    }
    Some(())
}
