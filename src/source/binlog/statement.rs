//! What a logged statement means for the stream: framing, DDL that concerns the task, or nothing.
//!
//! A statement that cannot touch a selected table passes, understood or not. One that is understood names its tables. Else it
//! reaches what the log says it used (`databases`, MySQL), its session's default database, and everything its text names, by
//! itself or through the code it calls (see [`code`](super::code)).
//!
//! `reach` is what a statement that is not carried as it is may have changed.
//!
//! What must never happen here: a statement passed over that may have changed a selected table.

mod reach;

use super::mentions::Mentions;
use super::query::Query;
use super::refusal::Refusal;
use super::selected::{FILE_NAME, SelectedTables};
use super::temporary::{Means, TemporaryTables};
use super::text;
use super::watch::Watch;
use super::xid::Xid;
use crate::change::facts::Flavour;
use crate::change::remedy::{AtSource, Compare, Remedy, Report, Restart};
use crate::change::{Affected, Doubt, TableName};
use crate::schema::ddl::{self, DmlKind, Name, SqlMode, Statement};
use std::cell::OnceCell;

/// What a statement does to the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Opens a transaction.
    Begin,
    /// Commits the open one.
    Commit,
    /// Rolls the open one back.
    Rollback,
    /// Sets a mark in the open transaction.
    Savepoint(String),
    /// Goes back to a mark.
    RollbackTo(String),
    /// Takes a mark away.
    Release(String),
    /// Opens an XA transaction.
    XaStart(Xid),
    /// The XA transaction takes no more changes.
    XaEnd,
    /// Commits an XA transaction that was prepared before, or rolls it back.
    XaFinish {
        /// Its id.
        xid: Xid,
        /// It is committed.
        commits: bool,
    },
    /// Concerns, or may concern, a selected table.
    Ddl {
        /// The decoded text.
        sql: String,
        /// CREATE TABLE: it may stand in a transaction in which the rows of its SELECT follow. MySQL 8.0.21 says so by
        /// START TRANSACTION; 5.6 and MariaDB by nothing but its place.
        rows_may_follow: bool,
        /// Why it cannot be carried, if it concerns a table that is carried.
        doubt: Option<Doubt>,
    },
    /// May have changed rows of selected tables, and the log does not hold them.
    Doubtful {
        /// Why it cannot be carried.
        doubt: Doubt,
        /// What it may have changed.
        affected: Affected,
        /// A selected table that it has made.
        made: Option<TableName>,
    },
    /// Changes nothing that is carried.
    Pass,
    /// Is not known to change nothing, but reaches nothing that is carried.
    OutOfReach,
    /// What it reaches hangs on the source's stored code, which is to be looked up.
    Ask,
}

/// What statements are judged by.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The family of servers.
    pub flavour: Flavour,
    /// The tables that count.
    pub selected: &'a SelectedTables,
    /// The sessions' own tables.
    pub temporary: &'a TemporaryTables,
    /// What stored code is known.
    pub watch: &'a Watch,
    /// The code was looked up for this very statement.
    pub asked: bool,
}

/// A statement as it was read.
#[derive(Debug)]
pub struct Read {
    /// Its text.
    pub sql: String,
    /// Every byte of it was understood, but for some in strings.
    understood: bool,
    /// There are bytes in its strings that were not.
    unclear_strings: bool,
    /// What it is.
    pub statement: Statement,
    /// What it is when its text is UTF-8, where that is another reading.
    other: Option<Statement>,
}

/// How much of a statement goes into an error.
const SHOWN: usize = 300;

/// Three that stand around nearly every transaction: no need to read them as SQL.
pub fn framing(query: &Query) -> Option<Meaning> {
    let words = [("BEGIN", Meaning::Begin), ("COMMIT", Meaning::Commit), ("ROLLBACK", Meaning::Rollback)];
    words.into_iter().find(|(word, _)| query.is(word)).map(|(_, meaning)| meaning)
}

/// Reads a statement.
pub fn read(query: &Query, flavour: Flavour) -> Read {
    let mode = SqlMode::of_session(&query.session, flavour);
    let (sql, all) = query.decoded();
    let understood = all
        || (text::stands_alone(query.session.client_collation)
            && !ddl::token::stands_in_code(&sql, mode, char::REPLACEMENT_CHARACTER));
    let statement = ddl::read(&sql, mode);
    let other = query.as_utf8(&sql).map(|text| ddl::read(text, mode));
    Read { sql, understood, unclear_strings: understood && !all, statement, other }
}

/// Judges a statement.
pub fn judge(query: &Query, read: Read, around: &Surroundings<'_>) -> Result<Meaning, Refusal> {
    let judge = Judge { query, sql: &read.sql, around, text: OnceCell::new() };
    if !query.says_sql_mode {
        // How the text is to be read is not known, so nothing that it seems to be counts.
        return Ok(judge.unknown("its sql_mode is not logged, so it cannot be read"));
    }
    if judge.has_two_meanings(&read) {
        return Ok(judge.two_meanings(&read));
    }
    let concerned = judge.concerns(&read.statement);
    let by_file = read.sql.contains(FILE_NAME) || query.database.starts_with(FILE_NAME);
    if concerned && by_file && names_something(&read.statement) {
        return Ok(judge.may_reach("it may name a selected table by its file (`#mysql50#…`)", Compare::Meant));
    }
    // A name with unreadable letters may be a selected one.
    if !read.understood && names_something(&read.statement) {
        return Ok(judge.unknown(
            "it has bytes that its client's character set does not have, so its names cannot be told",
        ));
    }
    if judge.lacks_database(&read.statement) {
        return Ok(judge.unknown(NO_DATABASE));
    }
    let mut doubt = None;
    if concerned && matches!(read.statement, Statement::AlterTable(_)) && !query.keeps_literals(&read.sql) {
        doubt = Some(judge.doubt(
            "its session's collation_connection lacks some of its letters, so its literals cannot be told",
            Compare::Definition.and(Remedy::CopyNamedTable).also(AtSource::StateInOneCharset),
        ));
    }
    if concerned && read.unclear_strings {
        doubt = Some(judge.doubt(
            "it has bytes that its client's character set does not have, so its strings cannot be told",
            Compare::Definition.and(Remedy::CopyNamedTable),
        ));
    }
    if concerned {
        match around.temporary.meant(&read.statement, query, around.flavour, around.selected) {
            Means::Shared => {}
            Means::Temporary => return Ok(Meaning::Pass),
            Means::Either => doubt = Some(judge.doubt(EITHER, Compare::DefinitionAndRows)),
        }
    }
    let xid = |sql: &str| judge.xid(sql);
    let meaning = match read.statement {
        Statement::Begin => Meaning::Begin,
        Statement::Commit => Meaning::Commit,
        Statement::Rollback => Meaning::Rollback,
        Statement::Savepoint(name) => Meaning::Savepoint(name),
        Statement::RollbackTo(name) => Meaning::RollbackTo(name),
        Statement::ReleaseSavepoint(name) => Meaning::Release(name),
        Statement::XaStart => Meaning::XaStart(xid(&read.sql)?),
        Statement::XaEnd => Meaning::XaEnd,
        Statement::XaCommit { .. } => Meaning::XaFinish { xid: xid(&read.sql)?, commits: true },
        Statement::XaRollback => Meaning::XaFinish { xid: xid(&read.sql)?, commits: false },
        Statement::XaPrepare => {
            return Err(judge.refuse("XA PREPARE stands in the log as a statement", report()));
        }
        // The task says so, if one of its tables is among them.
        Statement::Unknown { tables: Some(_), .. } if concerned => {
            Meaning::Ddl { sql: read.sql, rows_may_follow: false, doubt }
        }
        Statement::Unknown { tables: Some(_), .. } => Meaning::OutOfReach,
        Statement::Unknown { why, tables: None } => {
            return Ok(judge.unknown(&format!("it is not understood ({why})")));
        }
        Statement::Dml { kind, tables } => return Ok(judge.dml(kind, tables.as_deref())),
        // With its SELECT in it the statement made the rows itself, and called what that calls.
        Statement::CreateTable(create) if create.select => {
            let reached = judge.indirect(Some(&[]));
            if create.temporary || !concerned || reached == Meaning::Ask {
                return Ok(reached);
            }
            if let Meaning::Doubtful { doubt, affected, .. } = reached {
                let made = Some(judge.query.full_name(&create.table, judge.selected()));
                return Ok(Meaning::Doubtful { doubt, affected, made });
            }
            Meaning::Ddl { sql: read.sql, rows_may_follow: true, doubt }
        }
        Statement::DropTable { temporary: true, .. } | Statement::Harmless(_) => Meaning::Pass,
        Statement::CreateTable(create) if create.temporary => Meaning::Pass,
        Statement::CreateTable(_) if concerned => {
            Meaning::Ddl { sql: read.sql, rows_may_follow: true, doubt }
        }
        Statement::AlterTable(_)
        | Statement::CreateIndex(_)
        | Statement::DropIndex(_)
        | Statement::RenameTable(_)
        | Statement::DropTable { .. }
        | Statement::TruncateTable(_)
        | Statement::OptimizeTable(_)
        | Statement::RepairTable(_)
        | Statement::DropDatabase(_)
            if concerned =>
        {
            if query.error_code != 0 {
                doubt = Some(judge.doubt(
                    &format!(
                        "it ended with error {} at the source after a part of its work",
                        query.error_code
                    ),
                    Compare::Definition.and(Remedy::CopyNamedTable),
                ));
            }
            Meaning::Ddl { sql: read.sql, rows_may_follow: false, doubt }
        }
        Statement::CreateTable(_)
        | Statement::AlterTable(_)
        | Statement::CreateIndex(_)
        | Statement::DropIndex(_)
        | Statement::RenameTable(_)
        | Statement::DropTable { .. }
        | Statement::TruncateTable(_)
        | Statement::OptimizeTable(_)
        | Statement::RepairTable(_)
        | Statement::DropDatabase(_)
        | Statement::CreateDatabase(_)
        | Statement::AlterDatabase(_) => Meaning::Pass,
    };
    Ok(meaning)
}

/// What to do about a statement that this version does not know.
fn report() -> Remedy {
    Report::Statement.also(Compare::Changed.or(Restart::After))
}

/// One statement and what it is held against.
struct Judge<'a> {
    query: &'a Query,
    sql: &'a str,
    around: &'a Surroundings<'a>,
    text: OnceCell<Mentions>,
}

impl Judge<'_> {
    /// What the text may name.
    fn text(&self) -> &Mentions {
        self.text.get_or_init(|| {
            let mut mentions = Mentions::of(&self.query.text);
            // In ASCII both readings are the same.
            if !self.query.text.is_ascii() {
                mentions.add(self.sql.as_bytes());
            }
            mentions
        })
    }

    fn selected(&self) -> &SelectedTables {
        self.around.selected
    }

    /// Whether a statement concerns, or may concern, a selected table by what it names.
    fn concerns(&self, statement: &Statement) -> bool {
        self.selected().concerned(&statement.affected(&self.query.database))
    }

    /// Whether it is read as DDL on a table of no database, as which it cannot have succeeded.
    fn lacks_database(&self, statement: &Statement) -> bool {
        let is_other = match statement {
            Statement::Dml { .. } | Statement::Unknown { .. } => true,
            Statement::DropTable { temporary, .. } => *temporary,
            Statement::CreateTable(create) => create.temporary,
            _ => false,
        };
        let nowhere = |name: &Name| name.full(&self.query.database).database.is_empty();
        !is_other && statement.tables().is_some_and(|tables| tables.iter().any(nowhere))
    }

    /// Whether a kind of statement that servers write themselves names selected tables in one reading and others in another.
    fn has_two_meanings(&self, read: &Read) -> bool {
        let Some(other) = &read.other else { return false };
        let by_server = |statement: &Statement| match statement {
            Statement::DropTable { temporary, .. } => !temporary,
            // It matters only where it takes the place of another.
            Statement::CreateTable(create) => create.or_replace && !create.temporary,
            Statement::TruncateTable(_) => true,
            Statement::Dml { kind, .. } => matches!(kind, DmlKind::Delete | DmlKind::DeleteJoined),
            _ => false,
        };
        (by_server(&read.statement) || by_server(other))
            && read.statement.tables() != other.tables()
            && (self.concerns(&read.statement) || self.concerns(other))
    }

    /// The error for a statement that has two meanings. Where both define tables the task knows whether one of them is carried.
    fn two_meanings(&self, read: &Read) -> Meaning {
        let why = "its names can be read in two ways: in its client's character set and, as servers write some statements \
                   themselves, in UTF-8";
        let remedy = AtSource::StateInUtf8.also(Compare::Meant);
        let creates = matches!(read.statement, Statement::CreateTable(_));
        let defines = |statement: &Statement| match statement {
            Statement::DropTable { .. } | Statement::TruncateTable(_) => !creates,
            Statement::CreateTable(create) => creates && !create.select,
            _ => false,
        };
        match read.other.as_ref().filter(|other| defines(other)).and_then(Statement::tables) {
            Some(names) if read.understood && defines(&read.statement) => {
                let also = names.iter().map(|name| self.query.full_name(name, self.selected())).collect();
                let doubt = Some(Doubt { also, ..self.doubt(why, remedy) });
                Meaning::Ddl { sql: read.sql.clone(), rows_may_follow: creates, doubt }
            }
            _ => self.may_reach(why, remedy),
        }
    }

    /// The id that an XA statement names.
    fn xid(&self, sql: &str) -> Result<Xid, Refusal> {
        Xid::of_statement(sql)
            .ok_or_else(|| self.refuse("its XA id is not in the form that servers log", report()))
    }

    /// What cannot be carried and may be a statement on another table.
    fn doubt(&self, why: &str, remedy: impl Into<Remedy>) -> Doubt {
        let mut statement: String = self.sql.chars().take(SHOWN).collect();
        if statement.len() < self.sql.len() {
            statement.push('…');
        }
        Doubt { kind: UNKNOWN, why: why.to_owned(), statement, remedy: remedy.into(), also: Vec::new() }
    }

    fn refuse(&self, why: &str, remedy: impl Into<Remedy>) -> Refusal {
        let Doubt { why, statement, remedy, .. } = self.doubt(why, remedy);
        Refusal::Statement { why, statement, remedy }
    }
}

/// Keys of `ddl_policy`: what is not understood, and rows that are changed by a statement.
const UNKNOWN: &str = "unknown";
pub const STATEMENT_DML: &str = "statement_dml";

/// Why it is not known which of two tables is meant.
const EITHER: &str = "its session has or had a temporary table, and the log does not tell whether that one is meant or the selected one of that \
     name";

const NO_DATABASE: &str = "its session had no database, and it names a table without one";

/// Whether the meaning hangs on a name.
fn names_something(statement: &Statement) -> bool {
    match statement {
        Statement::DropDatabase(_) => true,
        _ => statement.tables().is_none_or(|tables| !tables.is_empty()),
    }
}

#[cfg(test)]
mod tests;
