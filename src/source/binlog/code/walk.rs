//! The way of one statement through the code that it can call, and through what that calls.
//!
//! What must never happen here: a way that the server may take, and that is not gone.

use super::{ObjectKind, Reached, StoredCode, lower};
use crate::change::TableName;
use crate::change::names::{alike, folded};
use crate::change::remedy::Remedy;
use crate::source::binlog::mentions::Mentions;
use crate::source::binlog::selected::SelectedTables;
use std::collections::BTreeSet;

/// One statement's way through the code.
pub(super) struct Walk<'a> {
    pub(super) code: &'a StoredCode,
    pub(super) selected: &'a SelectedTables,
    pub(super) known: &'a dyn Fn(&TableName) -> bool,
    /// Databases that the log names and to which nothing has led.
    pub(super) unexplained: Vec<&'a str>,
    /// Objects whose bodies were followed.
    pub(super) seen: BTreeSet<usize>,
    /// Tables that may be written, in lower case.
    pub(super) written: BTreeSet<TableName>,
    /// Their databases, as the source compares names: here too many would hide one that nothing leads to.
    pub(super) led_to: BTreeSet<String>,
}

impl Walk<'_> {
    pub(super) fn statement(
        mut self,
        mentions: &Mentions,
        default_database: &str,
        written: Option<&[TableName]>,
    ) -> Reached {
        if let Some(changed) = self.written_changed(mentions, default_database, written) {
            return changed;
        }
        self.explain(mentions, default_database);
        let mut next = self.named(mentions, default_database);
        match written {
            Some(tables) => {
                next.retain(|(index, _)| !self.is_procedure(*index));
                for table in tables {
                    self.write(table, &mut next);
                }
            }
            None => self.write_named(mentions, default_database, &mut next),
        }
        while let Some((index, writes)) = next.pop() {
            if !self.seen.insert(index) {
                continue;
            }
            if let Some(stop) = self.follow(index, writes, &mut next) {
                return stop;
            }
        }
        if let Some(stop) = self.written.iter().find_map(|table| self.cascades_into(table)) {
            return stop;
        }
        let names = self.selected.names();
        match self.unexplained.iter().find(|database| !self.led_to.contains(&names.folded_database(database)))
        {
            Some(database) => Reached::Unknown {
                why: format!(
                    "the log says that it used the database {database}, to which nothing leads that it names or calls"
                ),
                remedy: None,
            },
            None => Reached::Nothing,
        }
    }

    /// A text of this database, which may name others.
    fn explain(&mut self, mentions: &Mentions, database: &str) {
        let names = self.selected.names();
        self.unexplained.retain(|logged| !names.same_database(logged, database) && !mentions.name(logged));
    }

    /// Whether the list no longer holds what a statement may have met.
    fn written_changed(
        &self,
        mentions: &Mentions,
        default_database: &str,
        written: Option<&[TableName]>,
    ) -> Option<Reached> {
        let changed = &self.code.changed;
        // Unknown tables may have referred to what was written, and these to them.
        let mut parents = self.code.cascades.iter().map(|cascade| &cascade.parent);
        let lost = parents.find(|parent| {
            changed.databases.contains(&folded(&parent.database)) && self.leads_to_selected(parent)
        });
        let lost = lost.or_else(|| {
            changed.tables.iter().chain(&changed.keys).find(|table| self.leads_to_selected(table))
        });
        let lost = lost.or_else(|| changed.keys.iter().find(|table| self.is_selected(table)));
        if let Some(table) = lost {
            return Some(gone(&table.to_string()));
        }
        let Some(written) = written else { return self.changed(mentions, default_database, true, true) };
        for table in written.iter().filter(|table| !(self.known)(table)) {
            let names: Vec<TableName> = self.names(table).iter().map(lower).collect();
            if names.iter().any(|name| changed.databases.contains(&name.database)) {
                return Some(gone(&table.to_string()));
            }
            let is_one = |one: &TableName| names.contains(&lower(one));
            let code = changed.code.iter().find(|(kind, code)| match *kind {
                "TRIGGER" => names.iter().any(|name| name.database == folded(&code.database)),
                "VIEW" => is_one(code),
                _ => false,
            });
            let own = changed.tables.iter().find(|table| is_one(table));
            if let Some(what) = own.or(code.map(|(_, name)| name)) {
                return Some(gone(&what.to_string()));
            }
        }
        self.changed(mentions, default_database, false, false)
    }

    /// Whether the list no longer holds what a text may have called, or written; with `calls` it may call procedures.
    fn changed(&self, mentions: &Mentions, default: &str, writes: bool, calls: bool) -> Option<Reached> {
        let changed = &self.code.changed;
        let in_reach = |database: &str| may_use(mentions, default, database);
        let named = |name: &TableName| self.names(name).iter().any(|name| may_name(mentions, default, name));
        let code = changed.code.iter().find(|(kind, name)| match *kind {
            "TRIGGER" => writes && in_reach(&name.database),
            "PROCEDURE" => calls && named(name),
            _ => named(name),
        });
        let table = changed.tables.iter().find(|table| writes && named(table) && !(self.known)(table));
        let code = code.map(|(_, name)| name).or(table).map(ToString::to_string);
        let database = changed.databases.iter().find(|database| in_reach(database)).cloned();
        let what = changed.any.clone().or(code).or(database);
        what.map(|what| gone(&what))
    }

    /// All names that a table or view had since, as far as a name tells: which one had which when does not matter.
    fn names(&self, name: &TableName) -> Vec<TableName> {
        let mut names = vec![name.clone()];
        let mut seen = BTreeSet::from([lower(name)]);
        let mut at = 0;
        while let Some(others) = names.get(at).map(|name| self.code.renamed.get(&lower(name))) {
            let others = others.into_iter().flatten().filter(|other| seen.insert(lower(other)));
            names.extend(others.cloned());
            at += 1;
        }
        names
    }

    fn is_selected(&self, table: &TableName) -> bool {
        self.names(table).iter().any(|name| self.selected.contains(&name.database, &name.table))
    }

    /// Whether foreign keys take a change of this table to a selected one.
    fn leads_to_selected(&self, table: &TableName) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![table.clone()];
        while let Some(table) = next.pop() {
            if !seen.insert(lower(&table)) {
                continue;
            }
            if self.cascades_into(&table).is_some() {
                return true;
            }
            next.extend(self.children(&table));
        }
        false
    }

    /// The tables that refer to this one.
    fn children(&self, table: &TableName) -> Vec<TableName> {
        let names = self.names(table);
        let children = names.iter().filter_map(|name| self.code.children.get(&lower(name)));
        children.flatten().cloned().collect()
    }

    fn is_procedure(&self, index: usize) -> bool {
        self.code.objects.get(index).is_some_and(|object| object.kind == ObjectKind::Procedure)
    }

    /// The routines and views that a text may name.
    fn named(&self, mentions: &Mentions, default_database: &str) -> Vec<(usize, bool)> {
        let named = |name: &TableName| may_name(mentions, default_database, name);
        let nameless = mentions.has_others().then_some("");
        let by_word = &self.code.by_word;
        let candidates: Vec<&Vec<usize>> = match mentions.words() {
            Some(words) => words.chain(nameless).filter_map(|word| by_word.get(word)).collect(),
            None => by_word.values().collect(),
        };
        let mut found: Vec<usize> = candidates
            .into_iter()
            .flatten()
            .copied()
            .filter(|index| self.code.objects.get(*index).is_some_and(|object| named(&object.name)))
            .collect();
        // Views that have another name by now.
        let renamed = self.code.changed.renamed.iter().flat_map(|(from, to)| [from, to]);
        for name in renamed.filter(|name| named(name)).flat_map(|name| self.names(name)) {
            let objects = self.code.by_table.get(&lower(&name)).into_iter().flatten().copied();
            found.extend(objects.filter(|index| {
                self.code
                    .objects
                    .get(*index)
                    .is_some_and(|object| !matches!(object.kind, ObjectKind::Trigger { .. }))
            }));
        }
        found.into_iter().map(|index| (index, false)).collect()
    }

    /// Everything that a text names and that reacts to being written.
    fn write_named(&mut self, mentions: &Mentions, default_database: &str, next: &mut Vec<(usize, bool)>) {
        let tables: Vec<TableName> = self
            .code
            .objects
            .iter()
            .map(|object| match &object.kind {
                ObjectKind::Trigger { on } => on,
                ObjectKind::View | ObjectKind::Union | ObjectKind::Routine | ObjectKind::Procedure => {
                    &object.name
                }
            })
            .chain(self.code.cascades.iter().map(|cascade| &cascade.parent))
            .chain(self.code.changed.renamed.iter().flat_map(|(from, to)| [from, to]))
            .filter(|table| may_name(mentions, default_database, table))
            .cloned()
            .collect();
        for table in &tables {
            self.write(table, next);
        }
    }

    /// A table or view that may be written, with the tables that foreign keys take it to.
    fn write(&mut self, table: &TableName, next: &mut Vec<(usize, bool)>) {
        // One after the other: a chain of keys may be as long as a source has tables.
        let mut tables = vec![table.clone()];
        while let Some(table) = tables.pop() {
            for name in self.names(&table) {
                self.led_to.insert(self.selected.names().folded_database(&name.database));
                let name = lower(&name);
                if !self.written.insert(name.clone()) {
                    continue;
                }
                for index in self.code.by_table.get(&name).into_iter().flatten() {
                    // As something written it is more than what was read before.
                    self.seen.remove(index);
                    next.push((*index, true));
                }
                tables.extend(self.children(&name));
            }
        }
    }

    /// Follows a body; what it comes to when that is not harmless.
    fn follow(&mut self, index: usize, writes: bool, next: &mut Vec<(usize, bool)>) -> Option<Reached> {
        let object = self.code.objects.get(index)?;
        let reads_only = object.kind == ObjectKind::View && !writes;
        let Some(body) = &object.body else {
            let name = &object.name;
            return Some(Reached::Unknown {
                why: format!("the text of {name}, which it calls, is not shown to the user"),
                remedy: Some(Remedy::ShowCode { name: name.clone() }),
            });
        };
        let mentions = Mentions::of(body.as_bytes());
        let database = &object.name.database;
        self.explain(&mentions, database);
        // A body without any of these words changes no rows itself.
        let verbs = ["insert", "update", "delete", "replace", "load", "merge"];
        let reads_only = match object.kind {
            ObjectKind::Routine | ObjectKind::Procedure | ObjectKind::Trigger { .. } => {
                !verbs.iter().any(|verb| mentions.name(verb))
            }
            ObjectKind::View | ObjectKind::Union => reads_only,
        };
        if !reads_only && (self.selected.may_hold(database) || self.selected.may_be_named(&mentions)) {
            return Some(Reached::Selected(object.name.to_string()));
        }
        // No statements are made up here: servers refuse PREPARE and EXECUTE in functions and triggers, and in what these call
        // (error 1336).
        if let Some(changed) = self.changed(&mentions, database, !reads_only, true) {
            return Some(changed);
        }
        next.extend(self.named(&mentions, database));
        if !reads_only {
            self.write_named(&mentions, database, next);
        }
        None
    }

    fn cascades_into(&self, table: &TableName) -> Option<Reached> {
        let child = self.children(table).into_iter().find(|child| self.is_selected(child))?;
        Some(Reached::Selected(format!("a foreign key of {child}")))
    }
}

/// Whether a text of a session with this default database may use that one.
fn may_use(mentions: &Mentions, default_database: &str, database: &str) -> bool {
    alike(database, default_database) || mentions.name(database)
}

/// Whether it may name this table, view or routine.
fn may_name(mentions: &Mentions, default_database: &str, name: &TableName) -> bool {
    mentions.name(&name.table) && may_use(mentions, default_database, &name.database)
}

fn gone(what: &str) -> Reached {
    Reached::Unknown {
        why: format!(
            "{what} has been dropped or changed since, so what it called cannot be looked up any more"
        ),
        remedy: None,
    }
}
