//! What is known of the source's stored code while its log is read: the list as it was looked up, and what statements did to it.
//!
//! A list that was read at a time T with the log's end E behind it is true of a statement at place P
//!
//! - when P is behind E, until a statement between E and P defines code: a statement that used a trigger, a function or a view
//!   holds its metadata lock until it is logged, so what it used could not be dropped before T;
//! - when P is before E, but for what statements between P and E dropped or changed. These are read ahead (see `ahead`).
//!
//! What must never happen here: a list trusted for a statement that it may not be true of.

use super::code::{Changed, StoredCode};
use super::mentions::Mentions;
use super::query::Query;
use crate::change::TableName;
use crate::change::facts::Flavour;
use crate::schema::ddl::{self, Name, SqlMode, Statement};
use std::collections::BTreeSet;

/// How many new tables are remembered.
const REMEMBERED: usize = 4096;

/// The list, and what came since.
#[derive(Debug, Default)]
pub struct Watch {
    /// As last looked up; `None` when it may not be true any more.
    pub code: Option<StoredCode>,
    /// Tables whose creation was seen, in lower case: nothing can have a trigger on them that was not seen either.
    new_tables: BTreeSet<TableName>,
}

impl Watch {
    /// Takes in a statement of the log.
    pub fn note(&mut self, statement: &Statement, sql: &str, query: &Query, flavour: Flavour) {
        let full = |name: &Name| lower(name, query);
        match statement {
            Statement::Dml { .. }
            | Statement::TruncateTable(_)
            | Statement::RepairTable(_)
            | Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Savepoint(_)
            | Statement::ReleaseSavepoint(_)
            | Statement::RollbackTo(_)
            | Statement::XaStart
            | Statement::XaEnd
            | Statement::XaPrepare
            | Statement::XaCommit { .. }
            | Statement::XaRollback
            | Statement::CreateIndex(_)
            | Statement::DropIndex(_)
            | Statement::CreateDatabase(_)
            | Statement::AlterDatabase(_)
            | Statement::DropTable { temporary: true, .. } => {}
            Statement::CreateTable(create) if create.temporary => {}
            Statement::CreateTable(create) => {
                // It may have foreign keys, or unite others.
                if may_refer(sql) {
                    self.forget();
                }
                if query.error_code == 0 && !create.if_not_exists && self.new_tables.len() < REMEMBERED {
                    self.new_tables.insert(full(&create.table));
                }
            }
            // What the list still has of them is more than there is.
            Statement::DropTable { tables, .. } => {
                for table in tables {
                    self.new_tables.remove(&full(table));
                }
            }
            Statement::AlterTable(alter) => {
                if let Some(to) = &alter.rename_to {
                    self.moved(&full(&alter.table), &full(to));
                } else if may_refer(sql) {
                    self.forget();
                }
            }
            Statement::RenameTable(pairs) => {
                for (from, to) in pairs {
                    self.moved(&full(from), &full(to));
                }
            }
            Statement::DropDatabase(database) => {
                let database = database.to_lowercase();
                self.new_tables.retain(|table| table.database != database);
            }
            Statement::Harmless(_) => {
                if let Some(change) = ddl::code_change(sql, SqlMode::of_session(&query.session, flavour))
                    && change.kind != "EVENT"
                {
                    self.forget();
                    if change.kind == "TRIGGER" {
                        self.new_tables.clear();
                    }
                }
            }
            Statement::Unknown { .. } => {
                self.forget();
                self.new_tables.clear();
            }
        }
    }

    /// Those of the tables that a statement writes of which something is to be found out.
    pub fn older(&self, written: &[TableName]) -> Vec<TableName> {
        let is_new = |table: &TableName| {
            let lower = TableName::new(table.database.to_lowercase(), table.table.to_lowercase());
            self.new_tables.contains(&lower)
        };
        written.iter().filter(|table| !is_new(table)).cloned().collect()
    }

    fn forget(&mut self) {
        self.code = None;
    }

    /// A table has another name: what is known of the one may go for the other.
    fn moved(&mut self, from: &TableName, to: &TableName) {
        self.forget();
        self.new_tables.remove(from);
        self.new_tables.remove(to);
    }
}

impl Changed {
    /// Takes in a statement between the one that is asked about and the reading of the list.
    pub fn note(&mut self, query: &Query, flavour: Flavour) {
        let (sql, _) = query.decoded();
        let mode = SqlMode::of_session(&query.session, flavour);
        let statement = ddl::read(&sql, mode);
        let mut all = |tables: &[&Name]| {
            self.tables.extend(tables.iter().map(|name| lower(name, query)));
        };
        match &statement {
            Statement::DropTable { tables, temporary: false, .. } => all(&tables.iter().collect::<Vec<_>>()),
            Statement::AlterTable(alter) => {
                all(&std::iter::once(&alter.table).chain(&alter.rename_to).collect::<Vec<_>>());
            }
            Statement::RenameTable(pairs) => {
                all(&pairs.iter().flat_map(|(from, to)| [from, to]).collect::<Vec<_>>());
            }
            Statement::CreateTable(create) if create.or_replace => all(&[&create.table]),
            Statement::Harmless(_) => match ddl::code_change(&sql, mode) {
                None => {}
                Some(change) if !change.replaces || change.kind == "EVENT" => {}
                Some(ddl::CodeChange { kind, name: Some(name), .. }) if kind != "TRIGGER" => {
                    self.code.insert(name.table);
                }
                Some(change) => self.anything(&format!("a {}", change.kind)),
            },
            Statement::DropDatabase(database) => self.anything(&format!("database {database}")),
            Statement::Unknown { .. } => self.anything("something (by a statement that is not understood)"),
            _ => {}
        }
    }

    fn anything(&mut self, what: &str) {
        self.any.get_or_insert_with(|| what.to_owned());
    }
}

fn lower(name: &Name, query: &Query) -> TableName {
    let database = name.database.as_deref().unwrap_or(&query.database);
    TableName::new(database.to_lowercase(), name.table.to_lowercase())
}

/// Whether a definition may have a foreign key or unite other tables.
fn may_refer(sql: &str) -> bool {
    let mentions = Mentions::of(sql.as_bytes());
    ["references", "foreign", "union", "engine"].iter().any(|word| mentions.name(word))
}
