//! What is known of the source's stored code while its log is read: the list as it was looked up, and what statements did to it.
//!
//! A list that was read at a time T with the log's end E behind it is true of a statement at place P
//!
//! - when P is behind E, until a statement between E and P defines code: a statement that used a trigger, a function or a view
//!   holds its metadata lock until it is logged, so what it used could not be dropped before T;
//! - when P is before E, but for what statements between P and E dropped or changed. These are read ahead (see `ahead`).
//!
//! What must never happen here: a list trusted for a statement that it may not be true of.

use super::code::{Changed, Kind, Object, StoredCode};
use super::mentions::{Mentions, words};
use super::query::Query;
use crate::change::TableName;
use crate::change::facts::Flavour;
use crate::schema::ddl::{self, CodeChange, Name, SqlMode, Statement};
use std::collections::{BTreeMap, BTreeSet};

/// How many new tables are remembered.
const REMEMBERED: usize = 4096;
/// How many definitions of code are remembered, and of what length at most.
const DEFINITIONS: usize = 1000;
const DEFINITION_BYTES: usize = 16 << 10;

/// The list, and what came since.
#[derive(Debug, Default)]
pub struct Watch {
    /// As last looked up; `None` when it may not be true any more.
    pub code: Option<StoredCode>,
    /// Tables whose creation was seen, in lower case: nothing can have a trigger on them that was not seen either.
    new_tables: BTreeSet<TableName>,
    /// Code by its name in lower case, as statements defined it.
    defined: BTreeMap<TableName, Object>,
}

impl Watch {
    /// What code of this name was when a statement defined it.
    pub fn defined(&self, name: &TableName) -> Option<Object> {
        self.defined.get(name).cloned()
    }

    /// A statement defines code, or takes it away.
    fn code(&mut self, change: CodeChange, sql: &str, query: &Query) {
        self.forget();
        if let Some(on) = &change.on {
            self.new_tables.remove(&lower(on, query));
        } else if change.kind == "TRIGGER" && change.creates {
            self.new_tables.clear();
        }
        let Some(name) = change.name.map(|name| lower(&name, query)) else {
            self.defined.clear();
            return;
        };
        self.defined.remove(&name);
        let kind = match (change.kind, change.on) {
            ("TRIGGER", Some(on)) => Kind::Trigger { on: lower(&on, query) },
            // A package has two texts, and ALTER of a routine has none.
            ("TRIGGER", None) | ("PACKAGE", _) => return,
            ("VIEW", _) => Kind::View,
            _ if change.alters => return,
            _ => Kind::Routine,
        };
        let whole = change.creates && !change.if_not_exists && query.error_code == 0;
        if whole && self.defined.len() < DEFINITIONS && sql.len() <= DEFINITION_BYTES {
            self.defined.insert(name.clone(), Object { kind, name, body: Some(sql.to_owned()) });
        }
    }

    /// Takes in a statement of the log.
    pub fn note(&mut self, statement: &Statement, sql: &str, query: &Query, flavour: Flavour) {
        let full = |name: &Name| lower(name, query);
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
                    self.code(change, sql, query);
                }
            }
            Statement::Unknown { .. } => {
                self.forget();
                if !only_adds(sql, query, flavour) {
                    self.new_tables.clear();
                    self.defined.clear();
                }
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
        // Triggers go with it.
        self.defined.retain(|_, object| !matches!(&object.kind, Kind::Trigger { on } if on == from));
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
            // What else it may change matters to nobody who writes the table.
            Statement::AlterTable(alter) if alter.rename_to.is_some() || may_refer(&sql) => {
                all(&std::iter::once(&alter.table).chain(&alter.rename_to).collect::<Vec<_>>());
                if may_drop_key(&sql) {
                    self.anything("a foreign key");
                }
            }
            Statement::RenameTable(pairs) => {
                all(&pairs.iter().flat_map(|(from, to)| [from, to]).collect::<Vec<_>>());
            }
            Statement::CreateTable(create) if create.or_replace => all(&[&create.table]),
            Statement::Harmless(_) => {
                if let Some(change) = ddl::code_change(&sql, mode)
                    && change.kind != "EVENT"
                {
                    self.code(change, query);
                }
            }
            Statement::DropDatabase(database) => {
                self.databases.insert(database.to_lowercase());
            }
            Statement::Unknown { .. } if ddl::alters_table(&sql, mode) => {
                if may_refer(&sql) {
                    self.anything("a table's definition");
                }
            }
            Statement::Unknown { .. } if only_adds(&sql, query, flavour) => {}
            Statement::Unknown { .. } => self.anything("something (by a statement that is not understood)"),
            _ => {}
        }
    }

    fn code(&mut self, change: CodeChange, query: &Query) {
        let Some(name) = change.name.map(|name| lower(&name, query)) else {
            self.anything("something that has no name");
            return;
        };
        // ALTER of a routine leaves its body alone.
        let replaces = change.replaces && (!change.alters || change.kind == "VIEW");
        if replaces && !self.created.contains(&name) {
            let names = if change.kind == "TRIGGER" { &mut self.triggers } else { &mut self.code };
            names.insert(name.clone());
        }
        if change.creates && !change.if_not_exists {
            self.created.insert(name);
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

/// Whether a definition may have a foreign key, take another name, or unite other tables.
fn may_refer(sql: &str) -> bool {
    let mentions = Mentions::of(sql.as_bytes());
    ["references", "foreign", "constraint", "union", "engine", "rename"]
        .iter()
        .any(|word| mentions.name(word))
}

fn may_drop_key(sql: &str) -> bool {
    let mentions = Mentions::of(sql.as_bytes());
    mentions.name("drop") && (mentions.name("foreign") || mentions.name("constraint"))
}

/// Whether a statement that is not understood takes nothing away and changes no code: it begins with CREATE, and replaces nothing,
/// or with ALTER TABLE.
fn only_adds(sql: &str, query: &Query, flavour: Flavour) -> bool {
    let mode = SqlMode::of_session(&query.session, flavour);
    let mut words = words(sql.as_bytes());
    let creates = sql.trim_start().get(..7).is_some_and(|head| head.eq_ignore_ascii_case("CREATE "));
    (creates && !words.any(|word| word == "replace")) || ddl::alters_table(sql, mode)
}
