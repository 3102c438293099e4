//! What a statement that is not carried as it is may have changed: the tables that it names, else those in the databases that it may
//! reach.
//!
//! What must never happen here: less than what it can reach.

use super::super::code::Reached;
use super::super::selected::FILE_NAME;
use super::super::temporary::Means;
use super::{EITHER, Judge, Meaning, NO_DATABASE, STATEMENT_DML, UNKNOWN, report};
use crate::change::remedy::{Compare, Remedy, Scope};
use crate::change::{Affected, Doubt, TableName};
use crate::schema::ddl::{self, Beginning, DmlKind, Name, SqlMode};

impl Judge<'_> {
    /// A statement of which only the text and the log's word are known.
    pub(super) fn unknown(&self, why: &str) -> Meaning {
        let database = &self.query.database;
        let logged = self.logged_databases();
        let reason = if self.selected().may_hold(database) {
            Some(format!("its session's database {database} holds selected tables"))
        } else if self.selected().may_be_named(self.text()) {
            Some("it may name a database that holds selected tables".to_owned())
        } else if logged == Some(true) {
            Some("the log says that it used a database that holds selected tables".to_owned())
        } else {
            None
        };
        match reason {
            Some(reason) => self.may_reach(&format!("{why}, and {reason}"), report()),
            None if logged == Some(false) => Meaning::OutOfReach,
            None => match self.beginning() {
                Beginning::AlterTable => Meaning::OutOfReach,
                // It writes nothing that is there, but may call something.
                Beginning::Create => self.by_code(UNKNOWN, why, Some(&[]), report()),
                Beginning::Other => self.by_code(UNKNOWN, why, None, report()),
            },
        }
    }

    fn beginning(&self) -> Beginning {
        if !self.query.says_sql_mode {
            return Beginning::Other;
        }
        ddl::beginning(self.sql, SqlMode::of_session(&self.query.session, self.around.flavour))
    }

    /// A statement that changes rows by itself.
    pub(super) fn dml(&self, kind: DmlKind, tables: Option<&[Name]>) -> Meaning {
        let written: Option<Vec<TableName>> = tables
            .map(|tables| tables.iter().map(|table| self.query.full_name(table, self.selected())).collect());
        if written.iter().flatten().any(|name| name.database.is_empty()) {
            return self.unknown(NO_DATABASE);
        }
        let is_selected = |name: &&TableName| self.selected().contains(&name.database, &name.table);
        let mut written = written;
        let mut is_either = false;
        if let Some(names) = &mut written {
            let temporary = self.around.temporary;
            let means = |name: &TableName| {
                // A long text is not searched for what does not matter.
                if temporary.has(self.query.session_key(), name) {
                    temporary.written(name, kind, self.query, self.text())
                } else {
                    Means::Shared
                }
            };
            is_either = names.iter().any(|name| is_selected(&name) && means(name) == Means::Either);
            // What is the session's own has no triggers and is nobody else's.
            names.retain(|name| means(name) != Means::Temporary);
        }
        if let Some(name) = written.iter().flatten().find(is_selected) {
            let plain = matches!(
                kind,
                DmlKind::Insert | DmlKind::Replace | DmlKind::Load | DmlKind::Update | DmlKind::Delete
            ) && written.as_ref().is_some_and(|written| written.len() == 1);
            let what = if plain { "changes" } else { "may change" };
            let doubt = if is_either {
                self.doubt(EITHER, Compare::DefinitionAndRows)
            } else {
                let why = format!(
                    "it {what} {name}, a table of this task, and is logged as a statement, not as rows"
                );
                self.doubt(&why, by_rows())
            };
            let touched = written.iter().flatten().filter(is_selected).cloned().collect();
            return self.touches(touched, Doubt { kind: STATEMENT_DML, ..doubt }, written.as_deref());
        }
        match kind {
            // They write nothing themselves.
            DmlKind::Other if written.is_none() => self.indirect(Some(&[])),
            // Servers log what a procedure does, not that it is called.
            DmlKind::Call => self.unknown("it calls a procedure, which may do anything"),
            // The text could not be read as far as the table.
            _ if written.is_none() => self.unknown("it changes rows, and which table's is not understood"),
            _ => self.indirect(written.as_deref()),
        }
    }

    /// A statement that writes selected tables itself, and others by what it calls.
    fn touches(&self, touched: Vec<TableName>, doubt: Doubt, written: Option<&[TableName]>) -> Meaning {
        let affected = match self.indirect(written) {
            Meaning::Ask => return Meaning::Ask,
            Meaning::Doubtful { affected: Affected::Databases(mut names), .. } => {
                names.extend(touched.into_iter().map(|table| table.database));
                Affected::Databases(names)
            }
            Meaning::Doubtful { affected, .. } => affected.and(&touched),
            _ => Affected::Tables(touched),
        };
        Meaning::Doubtful { doubt, affected, made: None }
    }

    /// A statement that writes none of the selected tables itself, but may do so by what it calls.
    pub(super) fn indirect(&self, written: Option<&[TableName]>) -> Meaning {
        if self.logged_databases() == Some(false) {
            return Meaning::OutOfReach;
        }
        self.by_code(STATEMENT_DML, "it is logged as a statement, not as rows", written, by_rows())
    }

    /// Whether the databases that the log names for it may hold selected tables; `None` where it names none.
    fn logged_databases(&self) -> Option<bool> {
        let names = self.query.databases.as_ref().filter(|names| !names.is_empty())?;
        Some(names.iter().any(|name| self.selected().may_hold(name)))
    }

    /// Decides by the source's stored code.
    fn by_code(
        &self,
        kind: &'static str,
        why: &str,
        written: Option<&[TableName]>,
        remedy: Remedy,
    ) -> Meaning {
        if self.selected().is_none() {
            return Meaning::OutOfReach;
        }
        let Some(code) = self.around.watch.code() else { return Meaning::Ask };
        let known = |table: &TableName| self.around.watch.knows(table);
        let database = self.selected().folded_database(&self.query.database);
        let logged = self.logged_and_selected();
        let reached = code.reach(self.text(), &database, written, &known, self.selected(), logged.clone());
        // Where the log names databases, it names all in which rows were changed.
        let affected = if self.logged_databases().is_some() {
            databases(logged.into_iter().map(str::to_owned).collect())
        } else {
            Affected::Any
        };
        let told = |why: &str, remedy: Remedy| {
            let doubt = Doubt { kind, ..self.doubt(why, remedy) };
            Meaning::Doubtful { doubt, affected, made: None }
        };
        match reached {
            Reached::Nothing => Meaning::OutOfReach,
            // What the list says may be out of date.
            _ if !self.around.asked => Meaning::Ask,
            Reached::Selected(by) => {
                told(&format!("{why}, and it may change tables of this task through {by}"), remedy)
            }
            Reached::Unknown { why: unknown, remedy: None } => told(&format!("{why}, and {unknown}"), remedy),
            // So that it can be told whether such statements reach a table of this task.
            Reached::Unknown { why: unknown, remedy: Some(more) } => {
                told(&format!("{why}, and {unknown}"), more.or(remedy))
            }
        }
    }

    /// The databases with selected tables that the log names.
    fn logged_and_selected(&self) -> Vec<&str> {
        let logged = self.query.databases.iter().flatten().map(String::as_str);
        logged.filter(|name| self.selected().may_hold(name)).collect()
    }

    /// What is to be taken for a change of every table in the databases that the statement may reach: by its text, and where the log does
    /// not say which it used, by what that may call.
    pub(super) fn may_reach(&self, why: &str, remedy: impl Into<Remedy>) -> Meaning {
        let remedy = remedy.into();
        let database = &self.query.database;
        let default = Some(database.as_str()).filter(|name| self.selected().may_hold(name));
        let mut affected = self.selected().named_in(self.text());
        if let Affected::Databases(mut names) = affected {
            names.extend(self.logged_and_selected().into_iter().chain(default).map(str::to_owned));
            // Which table has that name as its file's is not known.
            affected = if self.sql.contains(FILE_NAME) { Affected::Any } else { databases(names) };
        }
        if self.logged_databases().is_none() {
            match self.by_code(UNKNOWN, why, None, remedy.clone()) {
                Meaning::Ask => return Meaning::Ask,
                Meaning::Doubtful { .. } => affected = Affected::Any,
                _ => {}
            }
        }
        Meaning::Doubtful { doubt: self.doubt(why, remedy), affected, made: None }
    }
}

/// All tables in these databases. Which one is meant by a file's name is not known.
fn databases(names: Vec<String>) -> Affected {
    if names.iter().any(|name| name.starts_with(FILE_NAME)) {
        return Affected::Any;
    }
    Affected::Databases(names)
}

/// What to do about a statement that is logged in place of its rows.
fn by_rows() -> Remedy {
    Remedy::SetVariable { variable: "binlog_format", value: "ROW", scope: Scope::Sessions }
        .and(Compare::CopyChanged)
}
