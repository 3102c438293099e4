//! What stored code of the source takes a statement to: triggers, functions, views, foreign keys, as `information_schema` lists
//! them.
//!
//! A statement that is logged as such names the tables that it reads and writes; what it calls may write others. MySQL logs the
//! databases of all tables that were opened for it (read ones too, and none where a foreign key refers to a written one); MariaDB
//! logs none. Where that is not enough the text is followed through the code it can call: a body that may name a selected
//! table, or a database that holds some, may write it.
//!
//! What must never happen here: code that is not known, or whose body is not, taken for harmless.

mod walk;

use super::mentions::{Mentions, words};
use super::selected::SelectedTables;
use crate::change::remedy::Remedy;
use crate::change::{FilePosition, TableName, TableNames};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use walk::Walk;

/// What a thing of the source's is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A function or a package: it runs where it is named.
    Routine,
    /// A procedure: it runs where a body calls it; a statement that changes rows cannot.
    Procedure,
    /// A view: what it names is read, and written when the view is.
    View,
    /// A table of several others (MERGE): written when it is.
    Union,
    /// A trigger: it runs when this table is written.
    Trigger {
        /// The table.
        on: TableName,
    },
}

/// One thing of the source's.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its database and its name.
    pub name: TableName,
    /// Its text; `None` where it is not shown.
    pub body: Option<String>,
}

/// A foreign key whose rules change rows of `child`.
#[derive(Clone, Debug)]
pub struct Cascade {
    /// The table that is referred to.
    pub parent: TableName,
    /// The table that has the key.
    pub child: TableName,
}

/// The word for its kind (`FUNCTION`, `VIEW`, …) and its name: a function and a procedure, or a trigger and a table, may have the
/// same.
pub type CodeName = (&'static str, TableName);

/// All of it.
#[derive(Debug, Default)]
pub struct StoredCode {
    objects: Vec<Object>,
    cascades: Vec<Cascade>,
    /// What runs when a table is written, by its name in lower case.
    by_table: HashMap<TableName, Vec<usize>>,
    /// What refers to a table, by its name in lower case.
    children: HashMap<TableName, Vec<TableName>>,
    /// Routines, views and unions by a word of their names; those without a word under "".
    by_word: HashMap<String, Vec<usize>>,
    /// What the user must be granted to see all; empty when that is so.
    missing: Option<Remedy>,
    /// What statements have changed since the one that is asked about.
    changed: Changed,
    /// The names before and after each renaming, by the other in lower case.
    renamed: HashMap<TableName, Vec<TableName>>,
    /// Where the log ended when it was read, until the stream has come there.
    end: Option<FilePosition>,
}

/// What was dropped or defined anew between a statement and the reading of the list.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// Something that may have been anything.
    pub any: Option<String>,
    /// Routines, views, and triggers (each on some table of its database).
    pub code: BTreeSet<CodeName>,
    /// Tables: their triggers and foreign keys went with them, or may be others.
    pub tables: BTreeSet<TableName>,
    /// Tables that had foreign keys which are gone.
    pub keys: BTreeSet<TableName>,
    /// Databases that are gone with all that was in them, in lower case.
    pub databases: BTreeSet<String>,
    /// Tables and views that have another name: what is known of the one goes for the other.
    pub renamed: Vec<(TableName, TableName)>,
    /// Routines, views and triggers that came meanwhile: what was dropped later was not there before.
    pub created: BTreeSet<CodeName>,
}

/// What a statement comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// No selected table.
    Nothing,
    /// It may write one; how.
    Selected(String),
    /// It is not known; why, and what would tell.
    Unknown {
        /// Why.
        why: String,
        /// What the user can do so that it is known.
        remedy: Option<Remedy>,
    },
}

impl StoredCode {
    /// A list. `missing` is what gives the privileges without which it may lack something.
    pub fn new(objects: Vec<Object>, cascades: Vec<Cascade>, missing: Option<Remedy>) -> Self {
        let mut by_word: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_table: HashMap<TableName, Vec<usize>> = HashMap::new();
        for (index, object) in objects.iter().enumerate() {
            if !matches!(object.kind, ObjectKind::Trigger { .. }) {
                by_word.entry(longest_word(&object.name.table)).or_default().push(index);
            }
            match &object.kind {
                ObjectKind::Trigger { on: table } => by_table.entry(lower(table)).or_default().push(index),
                ObjectKind::View | ObjectKind::Union => {
                    by_table.entry(lower(&object.name)).or_default().push(index);
                }
                ObjectKind::Routine | ObjectKind::Procedure => {}
            }
        }
        let mut children: HashMap<TableName, Vec<TableName>> = HashMap::new();
        for cascade in &cascades {
            children.entry(lower(&cascade.parent)).or_default().push(cascade.child.clone());
        }
        Self { objects, cascades, by_table, children, by_word, missing, ..Self::default() }
    }

    /// The same, where this has changed since; `defined` is code as statements before have defined it, by its name.
    pub fn changed_by(self, mut changed: Changed, defined: &BTreeMap<CodeName, Object>) -> Self {
        let mut objects = self.objects;
        // All of it: it may have gone with its table or its database.
        objects.extend(defined.values().cloned());
        changed.code.retain(|name| !defined.contains_key(name));
        let mut renamed: HashMap<TableName, Vec<TableName>> = HashMap::new();
        for (from, to) in &changed.renamed {
            renamed.entry(lower(from)).or_default().push(to.clone());
            renamed.entry(lower(to)).or_default().push(from.clone());
        }
        Self { changed, renamed, ..Self::new(objects, self.cascades, self.missing) }
    }

    /// The same, read when the log ended there.
    pub fn read_at(self, end: FilePosition) -> Self {
        Self { end: Some(end), ..self }
    }

    /// Whether the list is younger than the statements that the stream comes to.
    pub fn is_ahead(&self) -> bool {
        self.end.is_some()
    }

    /// A statement ends there. Past the end at which the list was read, what was changed before that matters no more.
    pub fn is_at(&mut self, place: &FilePosition) {
        if self.end.as_ref().is_some_and(|end| place.reaches(end)) {
            (self.end, self.changed, self.renamed) = (None, Changed::default(), HashMap::new());
        }
    }

    /// What a statement of a session with this default database may write beside `written`, which it names itself. Without
    /// `written` it may write everything that it names. Of tables that are `known` all triggers are known, also those that are
    /// gone. `logged` are the databases that the log names for it and that may hold selected tables: something must have led there.
    pub fn reach(
        &self,
        text: &Mentions,
        default_database: &str,
        written: Option<&[TableName]>,
        known: &dyn Fn(&TableName) -> bool,
        selected: &SelectedTables,
        logged: Vec<&str>,
    ) -> Reached {
        if self.missing.is_some() {
            return Reached::Unknown {
                why: "what triggers, functions and views it calls is not known, for the user may not see all of them".to_owned(),
                remedy: self.missing.clone(),
            };
        }
        let walk = Walk {
            code: self,
            selected,
            known,
            unexplained: logged,
            seen: BTreeSet::new(),
            written: BTreeSet::new(),
            led_to: BTreeSet::new(),
        };
        walk.statement(text, default_database, written)
    }
}

fn longest_word(name: &str) -> String {
    words(name.as_bytes()).max_by_key(String::len).unwrap_or_default()
}

/// Here names that differ by case alone may be the same ones at every source: more is followed then, never less.
fn lower(name: &TableName) -> TableName {
    TableNames::FOLDED.folded(name)
}

#[cfg(test)]
pub(super) mod tests;
