//! What is known of the source's stored code while its log is read: the list as it was looked up, and what statements did to it.
//!
//! A list that was read at a time T, with the log's end E noted after it, is true of a statement at place P
//!
//! - when P is after E, until a statement between E and P defines code: a statement that used a trigger, a function or a view
//!   holds its metadata lock until it is logged, so what it used could not be dropped before T;
//! - when P is before E, but for what statements between P and E dropped or changed. These are read ahead (see `ahead`).
//!
//! What must never happen here: a list trusted for a statement that it may not be true of.

use super::code::{Changed, CodeName, Object, ObjectKind, StoredCode};
use super::mentions::Mentions;
use super::query::Query;
use super::selected::SelectedTables;
use crate::change::facts::Flavour;
use crate::change::names::folded;
use crate::change::{FilePosition, TableName};
use crate::schema::ddl::{self, Beginning, CodeChange, Name, SqlMode, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How many new tables are remembered.
const REMEMBERED: usize = 4096;
/// How many definitions of code are remembered, and of what length at most.
const DEFINITIONS: usize = 1000;
const DEFINITION_BYTES: usize = 16 << 10;

/// How long a list is believed. What sessions define without logging it (`sql_log_bin`) is in a later one.
const AGE: Duration = Duration::from_secs(60);

/// The list, and what came since.
#[derive(Debug, Default)]
pub struct Watch {
    /// As last looked up, and when; `None` when it may not be true any more.
    code: Option<(StoredCode, Instant)>,
    /// Tables whose creation was seen, and that of each trigger on them.
    new_tables: BTreeSet<TableName>,
    /// Code as statements defined it.
    defined: BTreeMap<CodeName, Object>,
}

impl Watch {
    /// The list, if it may be believed of a statement that ends where the stream is.
    pub fn code(&self) -> Option<&StoredCode> {
        let (code, read) = self.code.as_ref()?;
        (code.is_ahead() || read.elapsed() < AGE).then_some(code)
    }

    /// Takes in a list that was read just now.
    pub fn looked_up(&mut self, code: StoredCode) {
        self.code = Some((code, Instant::now()));
    }

    /// The stream has come there.
    pub fn is_at(&mut self, place: &FilePosition) {
        if let Some((code, _)) = &mut self.code {
            code.is_at(place);
        }
    }

    /// Code as statements of the stream have defined it and left it.
    pub fn defined(&self) -> &BTreeMap<CodeName, Object> {
        &self.defined
    }

    /// A statement defines code, or takes it away.
    fn defines(&mut self, change: &CodeChange, sql: &str, query: &Query, selected: &SelectedTables) {
        // ALTER leaves the body of a routine alone.
        if change.alters && change.kind != "VIEW" {
            return;
        }
        self.forget();
        let on = change.on.as_ref().map(|on| query.full_name(on, selected));
        if change.kind == "TRIGGER" && change.creates && on.is_none() {
            self.new_tables.clear();
        }
        let Some(key) = code_name(change, query, selected) else {
            self.defined.clear();
            return;
        };
        self.defined.remove(&key);
        let kind = match (change.kind, on.clone()) {
            ("TRIGGER", Some(on)) => ObjectKind::Trigger { on },
            // A package has two texts.
            ("TRIGGER", None) | ("PACKAGE", _) => return,
            ("VIEW", _) => ObjectKind::View,
            ("PROCEDURE", _) => ObjectKind::Procedure,
            _ => ObjectKind::Routine,
        };
        let whole = change.creates && !change.if_not_exists && query.error_code == 0;
        if whole && self.defined.len() < DEFINITIONS && sql.len() <= DEFINITION_BYTES {
            let name = key.1.clone();
            self.defined.insert(key, Object { kind, name, body: Some(sql.to_owned()) });
        } else if let Some(on) = on {
            self.new_tables.remove(&on);
        }
    }

    /// Takes in a statement of the log.
    pub fn note(
        &mut self,
        statement: &Statement,
        sql: &str,
        query: &Query,
        flavour: Flavour,
        selected: &SelectedTables,
    ) {
        let full = |name: &Name| query.full_name(name, selected);
        match statement {
            Statement::Dml { .. }
            | Statement::TruncateTable(_)
            | Statement::OptimizeTable(_)
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
                for table in tables.iter().map(full) {
                    self.new_tables.remove(&table);
                    self.without_triggers(&table);
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
                let database = selected.folded_database(database);
                self.new_tables.retain(|table| table.database != database);
                self.defined.retain(|(_, name), _| name.database != database);
            }
            Statement::Harmless(_) | Statement::Unknown { .. }
                if ddl::code_change(sql, SqlMode::of_session(&query.session, flavour)).is_some() =>
            {
                if let Some(change) = ddl::code_change(sql, SqlMode::of_session(&query.session, flavour))
                    && change.kind != "EVENT"
                {
                    self.defines(&change, sql, query, selected);
                }
            }
            Statement::Harmless(_) => {}
            Statement::Unknown { .. } => {
                self.forget();
                let mode = SqlMode::of_session(&query.session, flavour);
                if ddl::beginning(sql, mode) == Beginning::Other {
                    tracing::debug!(statement = sql, "what is known of new tables and of code is forgotten");
                    self.new_tables.clear();
                    self.defined.clear();
                }
            }
        }
    }

    /// Whether all that a table's triggers were is known, whatever became of them: its creation was seen and each of theirs. A view
    /// has none.
    pub fn knows(&self, table: &TableName) -> bool {
        self.new_tables.contains(table) || self.defined.contains_key(&("VIEW", table.clone()))
    }

    fn without_triggers(&mut self, table: &TableName) {
        self.defined.retain(|_, object| !matches!(&object.kind, ObjectKind::Trigger { on } if on == table));
    }

    /// What the last statement did to tables is not known for sure.
    pub fn doubt(&mut self) {
        self.forget();
        self.new_tables.clear();
        self.defined.clear();
    }

    fn forget(&mut self) {
        self.code = None;
    }

    /// A table has another name: what is known of the one may go for the other.
    fn moved(&mut self, from: &TableName, to: &TableName) {
        self.forget();
        // Triggers go with it.
        self.without_triggers(to);
        for object in self.defined.values_mut() {
            if let ObjectKind::Trigger { on } = &mut object.kind
                && on == from
            {
                on.clone_from(to);
            }
        }
        self.defined.remove(&("VIEW", to.clone()));
        if let Some(view) = self.defined.remove(&("VIEW", from.clone())) {
            self.defined.insert(("VIEW", to.clone()), Object { name: to.clone(), ..view });
        }
        self.new_tables.remove(to);
        if self.new_tables.remove(from) {
            self.new_tables.insert(to.clone());
        }
    }
}

impl Changed {
    /// Takes in a statement between the one that is asked about and the reading of the list.
    pub fn note(&mut self, query: &Query, flavour: Flavour, selected: &SelectedTables) {
        let (sql, _) = query.decoded();
        let mode = SqlMode::of_session(&query.session, flavour);
        let statement = ddl::read(&sql, mode);
        let full = |name: &Name| query.full_name(name, selected);
        match &statement {
            Statement::DropTable { tables, temporary: false, .. } => {
                self.tables.extend(tables.iter().map(full));
            }
            // What else it may change matters to nobody who writes the table.
            Statement::AlterTable(alter) => {
                if let Some(to) = &alter.rename_to {
                    self.renamed.push((full(&alter.table), full(to)));
                }
                if may_drop_key(&sql) {
                    self.keys.insert(full(&alter.table));
                }
                if may_unite(&sql) {
                    self.tables.insert(full(&alter.table));
                }
                // That it may become a partition, and its triggers go.
                self.tables.extend(alter.other_table.as_ref().map(full));
            }
            Statement::RenameTable(pairs) => {
                self.renamed.extend(pairs.iter().map(|(from, to)| (full(from), full(to))));
            }
            Statement::CreateTable(create) if create.or_replace => {
                self.tables.insert(full(&create.table));
            }
            Statement::Harmless(_) | Statement::Unknown { .. } if ddl::code_change(&sql, mode).is_some() => {
                if let Some(change) = ddl::code_change(&sql, mode)
                    && change.kind != "EVENT"
                {
                    self.code(&change, query, selected);
                }
            }
            Statement::DropDatabase(database) => {
                self.databases.insert(folded(&selected.folded_database(database)));
            }
            Statement::Unknown { .. } => match ddl::beginning(&sql, mode) {
                Beginning::AlterTable if may_refer(&sql) || may_swap(&sql) => {
                    self.anything("a table's definition");
                }
                Beginning::AlterTable | Beginning::Create => {}
                Beginning::Other => self.anything("something (by a statement that is not understood)"),
            },
            _ => {}
        }
    }

    fn code(&mut self, change: &CodeChange, query: &Query, selected: &SelectedTables) {
        let Some(name) = code_name(change, query, selected) else {
            self.anything("something that has no name");
            return;
        };
        // ALTER of a routine leaves its body alone.
        let replaces = change.replaces && (!change.alters || change.kind == "VIEW");
        if replaces && !self.created.contains(&name) {
            self.code.insert(name.clone());
        }
        if change.creates && !change.if_not_exists {
            self.created.insert(name);
        }
    }

    fn anything(&mut self, what: &str) {
        self.any.get_or_insert_with(|| what.to_owned());
    }
}

/// Names of tables, views and triggers may differ by case, those of routines never do.
fn code_name(change: &CodeChange, query: &Query, selected: &SelectedTables) -> Option<CodeName> {
    let mut name = query.full_name(change.name.as_ref()?, selected);
    if !matches!(change.kind, "VIEW" | "TRIGGER") {
        name.table = folded(&name.table);
    }
    Some((change.kind, name))
}

fn mentions_any(sql: &str, words: &[&str]) -> bool {
    let mentions = Mentions::of(sql.as_bytes());
    words.iter().any(|word| mentions.name(word))
}

/// Whether a definition may have a foreign key, take another name, or unite other tables.
fn may_refer(sql: &str) -> bool {
    may_unite(sql) || mentions_any(sql, &["references", "foreign", "constraint", "rename"])
}

/// Whether it may make a MERGE table, or other tables its parts.
fn may_unite(sql: &str) -> bool {
    mentions_any(sql, &["union", "merge", "mrg_myisam"])
}

/// Whether a table may become a part of another, or the other way round.
fn may_swap(sql: &str) -> bool {
    mentions_any(sql, &["convert", "exchange"])
}

fn may_drop_key(sql: &str) -> bool {
    mentions_any(sql, &["drop"]) && mentions_any(sql, &["foreign", "constraint"])
}

#[cfg(test)]
mod tests;
