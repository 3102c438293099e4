//! Tables whose rows change together, by foreign keys that the source follows without a word in its log: which keys a stream follows,
//! and what an event on a parent comes to.
//!
//! Before P1 the rows of a copy may be newer than the event. A row that refers to a value that has gone has come later then, by an event
//! of its own, which is still to come and puts it right. Two things have no such event, and the copy starts over for them: a row that
//! a foreign key itself has given a value that went earlier, and a row whose parent was deleted by a foreign key before the copy read it.
//!
//! What must never happen here: an event on a parent that changes rows of a carried table and is not followed.

use super::TaskError;
use super::tables::{Carried, Tables};
use super::translator::Translator;
use crate::change::cascade::{Cascade, CascadeGraph, CascadeKey, CascadeMember, KeyChange, KeyEffect};
use crate::change::{FilePosition, Position, References, RowsEvent, RowsKind, TableName, TransactionId};
use crate::schema::BoundTable;
use crate::transform::cascade::{self, KeyTable};
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Of so many values of a key it is remembered that they have gone since P0.
const REMEMBERED: usize = 1 << 20;

/// The keys of a stream.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// What it was made for: [`Tables::version`].
    version: Option<u64>,
    graph: Arc<CascadeGraph>,
    /// By the index of a carried table, which is its number in the graph too: per key the source columns that it refers to.
    parents: HashMap<usize, Vec<Vec<usize>>>,
    /// Carried tables that cannot follow a key, and why.
    torn: BTreeMap<TableName, String>,
    /// Per table and key what has gone since P0.
    gone: HashMap<(TableName, String), Gone>,
    /// Tables that are not caught up, of which the stream has begun no later than their copies.
    whole: HashSet<TableName>,
    hasher: RandomState,
}

/// Values that a key has found, while the copy of its table is not caught up.
#[derive(Debug, Default)]
struct Gone {
    values: HashSet<u64>,
    /// Some that are not known.
    others: bool,
}

/// An event on its way along the keys.
struct Event<'a> {
    tables: &'a Tables,
    /// Copies can start over.
    copies: bool,
    gtid: Option<&'a TransactionId>,
    at: &'a FilePosition,
    untouched: BTreeSet<usize>,
    seen: HashSet<(usize, usize, KeyEffect, bool)>,
}

impl Family {
    /// One of a stream that begins at a place with these tables.
    pub(super) fn beginning(start: &Position, tables: &Tables) -> Self {
        let is_whole =
            |p0: &Position| (&start.taken, &start.file) == (&p0.taken, &p0.file) || !start.includes(p0);
        let whole = tables.iter().filter(|one| one.p0.as_ref().is_some_and(is_whole));
        Self { whole: whole.map(|one| one.table.name.clone()).collect(), ..Self::default() }
    }

    /// Makes it what the tables are now.
    fn renew(&mut self, tables: &Tables, translator: &impl Translator) {
        if self.version == Some(tables.version()) {
            return;
        }
        self.version = Some(tables.version());
        (self.parents, self.torn) = (HashMap::new(), BTreeMap::new());
        self.graph = Arc::default();
        let all: Vec<&Carried> = tables.iter().collect();
        if all.iter().all(|one| one.table.foreign_keys.is_empty()) {
            self.gone.clear();
            return;
        }
        let member =
            |one: &&Carried| CascadeMember {
                table: one.table.name.clone(),
                layout: one.plan.layout().clone(),
                tag: one.mapping.source_tag.as_ref().and_then(|(at, tag)| {
                    Some((one.mapping.target.columns.get(*at)?.name.clone(), tag.clone()))
                }),
                keys: Vec::new(),
            };
        let mut members: Vec<CascadeMember> = all.iter().map(member).collect();
        let with_rules = |one: &'_ Carried| translator.key_rules(&one.table.name);
        for (index, one) in all.iter().enumerate() {
            for key in &one.table.foreign_keys {
                let parent = tables.find(&key.parent).and_then(|at| Some((at, *all.get(at)?)));
                let child = KeyTable { table: &one.table, mapping: &one.mapping, rules: with_rules(one) };
                let of_parent = parent.map(|(_, parent)| KeyTable {
                    table: &parent.table,
                    mapping: &parent.mapping,
                    rules: with_rules(parent),
                });
                let made = cascade::follow(child, key, of_parent).and_then(|followed| {
                    if (followed.on_delete, followed.on_update) == (KeyEffect::Nothing, KeyEffect::Nothing) {
                        return Ok(None);
                    }
                    let lacks = || "its columns are not carried".to_owned();
                    let (at, parent) = parent.ok_or_else(lacks)?;
                    let own: Option<Vec<usize>> =
                        key.columns.iter().map(|column| one.plan.layout_index(*column)).collect();
                    let other: Option<Vec<usize>> =
                        followed.referenced.iter().map(|column| parent.plan.layout_index(*column)).collect();
                    let made = CascadeKey {
                        name: key.name.clone(),
                        child: index,
                        columns: own.ok_or_else(lacks)?,
                        referenced: other.ok_or_else(lacks)?,
                        padded: followed.padded,
                        on_delete: followed.on_delete,
                        on_update: followed.on_update,
                    };
                    Ok(Some((at, made, followed.referenced)))
                });
                match made {
                    Ok(Some((at, made, referenced))) => {
                        if let Some(member) = members.get_mut(at) {
                            member.keys.push(made);
                            self.parents.entry(at).or_default().push(referenced);
                        }
                    }
                    Ok(None) => {}
                    Err(_) if translator.accepts_cascade(&cascade::name(&one.table.name, key)) => {}
                    Err(why) => {
                        let why = format!("foreign key {} cannot be followed: {why}", key.name);
                        self.torn.insert(one.table.name.clone(), why);
                    }
                }
            }
        }
        self.graph = Arc::new(CascadeGraph { members });
    }

    /// A carried table whose rows change with those of a table that the stream does not carry, or in a way that cannot be followed.
    pub(super) fn torn(&mut self, tables: &Tables, translator: &impl Translator) -> Option<TaskError> {
        self.renew(tables, translator);
        if !translator.cascades_are_silent() {
            return None;
        }
        let (table, why) = self.torn.first_key_value()?;
        Some(TaskError::Torn { table: table.clone(), why: why.clone() })
    }

    /// What an event on a carried table comes to in others.
    ///
    /// # Errors
    /// When the copy of one of them has to start over, and when the event cannot be read.
    pub(super) fn follows(
        &mut self,
        (tables, index): (&Tables, usize),
        translator: &impl Translator,
        bound: &BoundTable,
        event: &RowsEvent,
        gtid: Option<&TransactionId>,
    ) -> Result<Vec<Cascade>, TaskError> {
        self.renew(tables, translator);
        let Some(lists) = self.parents.get(&index) else { return Ok(Vec::new()) };
        if event.references != References::Followed || event.kind == RowsKind::Insert {
            return Ok(Vec::new());
        }
        let one = tables.get(index).ok_or_else(|| TaskError::missing(&event.table.name))?;
        let lists: Vec<&[usize]> = lists.iter().map(Vec::as_slice).collect();
        let found = one.plan.referenced(bound, event, &lists)?;
        let deletes = event.kind == RowsKind::Delete;
        let mut cascades = Vec::new();
        for (number, changes) in found.into_iter().enumerate() {
            if changes.is_empty() {
                continue;
            }
            let graph = self.graph.clone();
            let key = graph.members.get(index).and_then(|member| member.keys.get(number));
            let key = key.ok_or_else(|| TaskError::missing("a foreign key"))?;
            let effect = if deletes { key.on_delete } else { key.on_update };
            if effect == KeyEffect::Nothing {
                continue;
            }
            let mut way = Event {
                tables,
                copies: translator.copies(),
                gtid,
                at: &event.position,
                untouched: BTreeSet::new(),
                seen: HashSet::new(),
            };
            self.goes(&graph, (index, number), effect, Some(&changes), &mut way)?;
            if !way.untouched.contains(&key.child) {
                let untouched = way.untouched;
                cascades.push(Cascade { graph, parent: index, key: number, changes, untouched });
            }
        }
        Ok(cascades)
    }

    /// Looks where an event goes from a key, with the values where they are known.
    fn goes(
        &mut self,
        graph: &Arc<CascadeGraph>,
        (parent, number): (usize, usize),
        effect: KeyEffect,
        changes: Option<&[KeyChange]>,
        way: &mut Event<'_>,
    ) -> Result<(), TaskError> {
        if !way.seen.insert((parent, number, effect, changes.is_some())) {
            return Ok(());
        }
        let key = graph.members.get(parent).and_then(|member| member.keys.get(number));
        let key = key.ok_or_else(|| TaskError::missing("a foreign key"))?;
        let one =
            way.tables.get(key.child).ok_or_else(|| TaskError::missing("the table of a foreign key"))?;
        let copies = way.copies;
        let again = |one: &Carried, what: &str| {
            let (table, why) = (one.table.name.clone(), format!("foreign key {} {what}", key.name));
            if copies { TaskError::CopyAgain { table, why } } else { TaskError::Torn { table, why } }
        };
        let skips = way.tables.skips(key.child, way.gtid, way.at);
        if skips {
            way.untouched.insert(key.child);
        } else if one.is_before_p1() {
            self.before_p1(one, key, effect, changes).map_err(|what| again(one, what))?;
        }
        let onward: Vec<(usize, KeyEffect)> =
            graph.onward(key, effect).map(|(number, _, does)| (number, does)).collect();
        for (next, does) in onward {
            let to = graph.members.get(key.child).and_then(|member| member.keys.get(next));
            let child = to.ok_or_else(|| TaskError::missing("a foreign key"))?.child;
            if way.tables.skips(child, way.gtid, way.at) {
                way.untouched.insert(child);
                continue;
            }
            // Which rows were between is not known: the target may have newer ones, or none.
            if skips || one.is_before_p1() {
                let child = way.tables.get(child).ok_or_else(|| TaskError::missing("a table"))?;
                return Err(again(
                    child,
                    "has changed rows that these refer to, and the copy may not have seen them",
                ));
            }
            self.goes(graph, (key.child, next), does, None, way)?;
        }
        Ok(())
    }

    /// Before P1: what the key finds now must not be what it has itself made later. Gives what is wrong.
    fn before_p1(
        &mut self,
        one: &Carried,
        key: &CascadeKey,
        effect: KeyEffect,
        changes: Option<&[KeyChange]>,
    ) -> Result<(), &'static str> {
        const AGAIN: &str = "has given rows a value again that went while they were copied";
        let name = (one.table.name.clone(), key.name.clone());
        let fresh = self.whole.contains(&one.table.name);
        let hasher = &self.hasher;
        let gone = self.gone.entry(name).or_insert_with(|| Gone { others: !fresh, ..Gone::default() });
        let Some(changes) = changes else {
            gone.others = true;
            return if effect == KeyEffect::Follow { Err(AGAIN) } else { Ok(()) };
        };
        // One value may be written in several ways.
        gone.others |= key.padded.contains(&true);
        for change in changes {
            if let (KeyEffect::Follow, Some(new)) = (effect, &change.new)
                && (gone.others || gone.values.contains(&hasher.hash_one(new)))
            {
                return Err(AGAIN);
            }
            if gone.values.len() < REMEMBERED {
                gone.values.insert(hasher.hash_one(&change.old));
            } else {
                gone.others = true;
            }
        }
        Ok(())
    }
}
