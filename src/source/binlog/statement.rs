//! What a logged statement means for the stream: framing, DDL that concerns the task, or nothing.
//!
//! What must never happen here: a statement passed over that may have changed a selected table.

use super::query::Query;
use super::refusal::Refusal;
use super::selected::SelectedTables;
use super::xid::Xid;
use crate::change::facts::Flavour;
use crate::schema::ddl::{self, Name, SqlMode, Statement};

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
    },
    /// Changes nothing that is carried.
    Pass,
}

/// How much of a statement goes into an error.
const SHOWN: usize = 300;

/// Judges a statement of a server of this family. `selected` says which tables count.
pub fn judge(query: &Query, flavour: Flavour, selected: &SelectedTables) -> Result<Meaning, Refusal> {
    // These three stand around nearly every transaction: no need to read them as SQL.
    for (word, meaning) in
        [("BEGIN", Meaning::Begin), ("COMMIT", Meaning::Commit), ("ROLLBACK", Meaning::Rollback)]
    {
        if query.is(word) {
            return Ok(meaning);
        }
    }
    let (sql, understood) = query.decoded();
    if !query.says_sql_mode {
        return Err(refuse(&sql, "its sql_mode is not logged, so it cannot be read", REPORT));
    }
    let statement = ddl::read(&sql, SqlMode::of_session(&query.session, flavour));
    let concerned = concerns(&statement, &query.database, selected);
    // A name with unreadable letters may be a selected one.
    if !understood && (concerned || names_something(&statement)) {
        return Err(refuse(
            &sql,
            "it has bytes that its client's character set does not have, so its names cannot be told",
            "repeat such statements with utf8mb4 as character set, and start the task anew behind this place",
        ));
    }
    if concerned && matches!(statement, Statement::AlterTable(_)) && !query.keeps_literals(&sql) {
        return Err(refuse(
            &sql,
            "its session's collation_connection lacks some of its letters, so its literals cannot be told",
            "compare the table's definition with the target's, and copy the table again; give such statements with the same \
             character set for client and connection (SET NAMES utf8mb4)",
        ));
    }
    let meaning = match statement {
        Statement::Begin => Meaning::Begin,
        Statement::Commit => Meaning::Commit,
        Statement::Rollback => Meaning::Rollback,
        Statement::Savepoint(name) => Meaning::Savepoint(name),
        Statement::RollbackTo(name) => Meaning::RollbackTo(name),
        Statement::ReleaseSavepoint(name) => Meaning::Release(name),
        Statement::XaStart => Meaning::XaStart(xid(&sql)?),
        Statement::XaEnd => Meaning::XaEnd,
        Statement::XaCommit { .. } => Meaning::XaFinish { xid: xid(&sql)?, commits: true },
        Statement::XaRollback => Meaning::XaFinish { xid: xid(&sql)?, commits: false },
        Statement::XaPrepare => {
            return Err(refuse(&sql, "XA PREPARE stands in the log as a statement", REPORT));
        }
        Statement::Unknown { why } => {
            return Err(refuse(&sql, &format!("it is not understood ({why})"), REPORT));
        }
        Statement::Dml { tables, .. } if concerned || reaches(query, selected) => {
            let what = if concerned && tables.is_some() { "changes" } else { "may change" };
            return Err(refuse(
                &sql,
                &format!("it {what} a table of this task and is logged as a statement, not as rows"),
                "set binlog_format = ROW for all sessions of the source, and copy the tables it changed again",
            ));
        }
        Statement::DropTable { temporary: true, .. } | Statement::Dml { .. } | Statement::Harmless(_) => {
            Meaning::Pass
        }
        Statement::CreateTable(create) if create.temporary => Meaning::Pass,
        Statement::CreateTable(_) if concerned => Meaning::Ddl { sql, rows_may_follow: true },
        Statement::AlterTable(_)
        | Statement::CreateIndex(_)
        | Statement::DropIndex(_)
        | Statement::RenameTable(_)
        | Statement::DropTable { .. }
        | Statement::TruncateTable(_)
        | Statement::DropDatabase(_)
            if concerned =>
        {
            if query.error_code != 0 {
                return Err(refuse(
                    &sql,
                    &format!(
                        "it ended with error {} at the source after a part of its work",
                        query.error_code
                    ),
                    "compare the table's definition with the target's, and copy the table again",
                ));
            }
            Meaning::Ddl { sql, rows_may_follow: false }
        }
        Statement::CreateTable(_)
        | Statement::AlterTable(_)
        | Statement::CreateIndex(_)
        | Statement::DropIndex(_)
        | Statement::RenameTable(_)
        | Statement::DropTable { .. }
        | Statement::TruncateTable(_)
        | Statement::DropDatabase(_)
        | Statement::CreateDatabase(_)
        | Statement::AlterDatabase(_) => Meaning::Pass,
    };
    Ok(meaning)
}

const REPORT: &str =
    "report the statement: this version does not know it; start the task anew behind this place";

/// Whether a statement concerns, or may concern, a selected table.
fn concerns(statement: &Statement, default_database: &str, selected: &SelectedTables) -> bool {
    let hit = |name: &Name| {
        let database = name.database.as_deref().unwrap_or(default_database);
        // Without any database the statement cannot have succeeded as we read it.
        database.is_empty() || selected.contains(database, &name.table)
    };
    match statement {
        Statement::DropDatabase(database) => selected.may_hold(database),
        _ => statement.tables().is_none_or(|tables| tables.iter().any(hit)),
    }
}

/// Whether a statement touched a database that may hold selected tables. What it names says too little: a trigger, a
/// function or a view takes it to other tables.
fn reaches(query: &Query, selected: &SelectedTables) -> bool {
    query.databases.as_ref().is_none_or(|names| names.iter().any(|name| selected.may_hold(name)))
}

/// Whether the meaning hangs on a name.
fn names_something(statement: &Statement) -> bool {
    match statement {
        Statement::DropDatabase(_) => true,
        _ => statement.tables().is_none_or(|tables| !tables.is_empty()),
    }
}

/// The id that an XA statement names.
fn xid(sql: &str) -> Result<Xid, Refusal> {
    Xid::of_statement(sql).ok_or_else(|| refuse(sql, "its XA id is not in the form that servers log", REPORT))
}

fn refuse(sql: &str, why: &str, remedy: &str) -> Refusal {
    let mut statement: String = sql.chars().take(SHOWN).collect();
    if statement.len() < sql.len() {
        statement.push('…');
    }
    Refusal::Statement { why: why.to_owned(), statement, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests;
