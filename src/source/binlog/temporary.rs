//! Temporary tables of the source's sessions, by the statements that make them: a name then means them and not the table that
//! others see.
//!
//! A statement's header tells that it used some temporary table of its session (`LOG_EVENT_THREAD_SPECIFIC_F`), but in a stored
//! procedure it tells so of every statement after the first one that did (seen on 5.6, 9.7 and MariaDB: `ALTER TABLE` of a table
//! that others see). So the names count. A session that began before the stream may have tables that were never seen here;
//! what then means one of two tables is not decided. A session that logs rows does not log what becomes of its temporary tables,
//! nor does one that logs nothing (`sql_log_bin`), so one that is known here may be gone or have another name: a statement means it
//! only where its header says so too, and nothing else explains that. The other way round, where the header says
//! so and the session is not known to have, or have had, any temporary table, there is one whose making was not logged.
//!
//! What must never happen here: a statement on the table that others see taken for one on a temporary table; growth without
//! bound.

use super::mentions::Mentions;
use super::query::{Query, SessionKey};
use super::selected::SelectedTables;
use crate::change::TableName;
use crate::change::facts::Flavour;
use crate::schema::ddl::{DmlKind, Name, Statement};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// How many names are kept.
const REMEMBERED: usize = 4096;

/// How many sessions are kept that have no temporary table any more.
const EMPTIED: usize = 1024;

/// The temporary tables that are known, by session. Of databases that are not selected too: they may be renamed.
#[derive(Debug, Default)]
pub struct TemporaryTables {
    names: HashMap<SessionKey, BTreeSet<TableName>>,
    /// How many they are.
    count: usize,
    /// Sessions that had some and have none, the last to lose it at the end. One that is forgotten is decided less, not wrongly.
    emptied: VecDeque<SessionKey>,
    /// Sessions of this server with higher numbers began when the stream was open.
    known_behind: Option<SessionKey>,
}

/// Which table a statement means where it names a selected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The one that others see.
    Shared,
    /// The session's own.
    Temporary,
    /// One of them.
    Either,
}

impl TemporaryTables {
    /// The stream is open: sessions of the server with numbers above this one's begin later.
    pub fn know_behind(&mut self, own: SessionKey) {
        self.known_behind = Some(own);
    }

    /// From here on nothing is known of any session that is there.
    pub fn forget(&mut self) {
        self.names.clear();
        self.emptied.clear();
        self.count = 0;
        self.known_behind = None;
    }

    /// The server has started anew: all of its sessions are gone, and numbers begin at the start.
    pub fn server_started(&mut self, server: u32) {
        self.names.retain(|(other, _), _| *other != server);
        self.emptied.retain(|(other, _)| *other != server);
        self.count = self.names.values().map(BTreeSet::len).sum();
        if self.known_behind.is_some_and(|(known, _)| known == server) {
            self.known_behind = Some((server, 0));
        }
    }

    /// Whether the session has a temporary table of that name.
    pub fn has(&self, session: SessionKey, name: &TableName) -> bool {
        self.names.get(&session).is_some_and(|names| names.contains(name))
    }

    /// Whether all temporary tables that the session has are known.
    fn knows_all(&self, session: SessionKey) -> bool {
        self.known_behind.is_some_and(|known| known.0 == session.0 && known.1 < session.1)
    }

    /// Whether temporary tables that are known explain that the header tells of one: in a procedure it does so after them.
    fn explains(&self, session: SessionKey) -> bool {
        self.names.contains_key(&session) || self.emptied.contains(&session)
    }

    /// Which table a statement means.
    pub fn meant(
        &self,
        statement: &Statement,
        query: &Query,
        flavour: Flavour,
        selected: &SelectedTables,
    ) -> Means {
        let session = query.session_key();
        let full = |name: &Name| query.full_name(name, selected);
        match statement {
            Statement::AlterTable(alter) | Statement::CreateIndex(alter) | Statement::DropIndex(alter) => {
                self.of_one(&full(&alter.table), query)
            }
            Statement::TruncateTable(table) => self.of_one(&full(table), query),
            Statement::OptimizeTable(tables) | Statement::RepairTable(tables) => {
                let all = tables.iter().map(|table| self.of_one(&full(table), query));
                combined(all)
            }
            // MySQL renames only what others see. MariaDB does not flag the statement, so what is known here is no proof.
            Statement::RenameTable(pairs) if flavour == Flavour::MariaDb => {
                let mut own = self.names.get(&session).cloned().unwrap_or_default();
                combined(pairs.iter().map(|(from, to)| {
                    if own.remove(&full(from)) {
                        own.insert(full(to));
                        Means::Either
                    } else {
                        Means::Shared
                    }
                }))
            }
            _ => Means::Shared,
        }
    }

    /// Which table a statement means that changes rows of this one, which it names.
    pub fn written(&self, name: &TableName, kind: DmlKind, query: &Query, text: &Mentions) -> Means {
        let Some(own) = self.names.get(&query.session_key()).filter(|own| own.contains(name)) else {
            return Means::Shared;
        };
        if !query.session.uses_temporary {
            return Means::Shared;
        }
        // MySQL 9.7 and MariaDB 10.11 flag these always.
        let may_be_another =
            kind == DmlKind::DeleteJoined || own.iter().any(|other| other != name && text.name(&other.table));
        if may_be_another { Means::Either } else { Means::Temporary }
    }

    fn of_one(&self, name: &TableName, query: &Query) -> Means {
        let session = query.session_key();
        if !query.session.uses_temporary {
            Means::Shared
        } else if self.has(session, name) {
            Means::Temporary
        } else if self.knows_all(session) && self.explains(session) {
            Means::Shared
        } else {
            Means::Either
        }
    }

    /// Takes in what a statement does to its session's temporary tables.
    pub fn note(
        &mut self,
        statement: &Statement,
        query: &Query,
        flavour: Flavour,
        selected: &SelectedTables,
    ) {
        if query.error_code != 0 {
            return;
        }
        let session = query.session_key();
        let full = |name: &Name| query.full_name(name, selected);
        match statement {
            Statement::CreateTable(create) if create.temporary => {
                self.add(session, full(&create.table));
            }
            Statement::DropTable { tables, temporary: true, .. } => {
                for table in tables {
                    self.remove(session, &full(table));
                }
            }
            Statement::AlterTable(alter) => {
                if let Some(to) = &alter.rename_to
                    && self.remove(session, &full(&alter.table))
                {
                    self.add(session, full(to));
                }
            }
            Statement::RenameTable(pairs) if flavour == Flavour::MariaDb => {
                for (from, to) in pairs {
                    if self.remove(session, &full(from)) {
                        self.add(session, full(to));
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, session: SessionKey, name: TableName) {
        if self.count >= REMEMBERED {
            self.forget();
        }
        if self.names.entry(session).or_default().insert(name) {
            self.count = self.count.saturating_add(1);
        }
    }

    fn remove(&mut self, session: SessionKey, name: &TableName) -> bool {
        let Some(names) = self.names.get_mut(&session) else { return false };
        let removed = names.remove(name);
        if names.is_empty() {
            self.names.remove(&session);
            self.emptied.retain(|other| *other != session);
            if self.emptied.len() >= EMPTIED {
                self.emptied.pop_front();
            }
            self.emptied.push_back(session);
        }
        self.count = self.count.saturating_sub(usize::from(removed));
        removed
    }
}

/// What several names come to.
fn combined(all: impl Iterator<Item = Means>) -> Means {
    let mut found = None;
    for one in all {
        match found {
            None => found = Some(one),
            Some(before) if before == one => {}
            Some(_) => return Means::Either,
        }
    }
    found.unwrap_or(Means::Shared)
}
