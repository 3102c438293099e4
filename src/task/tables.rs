//! The tables a task carries: their current definitions, plans and states, and the binding of table maps to them.
//!
//! What must never happen here: row bytes read with a definition that was not held against their table map.

use super::TaskError;
use super::batch::Renamed;
use super::course::PassedOver;
use super::recorded::{self, Recorded};
use super::sides::Sides;
use super::strangers::{self, Strangers};
use crate::change::state::{CatchUpTarget, TableState};
use crate::change::status::NotCarried;
use crate::change::{
    Affected, FilePosition, Position, RowsEvent, TableMap, TableName, TableNames, TargetName, TransactionId,
};
use crate::schema::HiddenColumns;
use crate::schema::Table;
use crate::schema::binding::{self, BoundTable};
use crate::transform::{Plan, Policies, TableMapping};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How many table ids keep their bindings.
const REMEMBERED: usize = 1024;

/// One carried table.
#[derive(Debug)]
pub struct Carried {
    /// Its current definition.
    pub table: Table,
    /// How it is carried.
    pub mapping: TableMapping,
    /// The plan for that definition.
    pub plan: Plan,
    /// P0: transactions already in its chunks; their events are not for it. `None` once the stream is past them.
    pub p0: Option<Position>,
    /// P1, until it is reached.
    pub p1: Option<CatchUpTarget>,
    /// Its copy has not come to its end.
    pub is_copied: bool,
    /// While there is a P1 ahead: the names that its columns have had since P0, as they are compared.
    pub names: BTreeSet<String>,
    /// Whether rows are always applied convergently (target rows of others, switched-off operations).
    pub always_convergent: bool,
}

impl Carried {
    /// A table as its stored state has it.
    pub fn new(recorded: &Recorded, policies: Policies, always_convergent: bool) -> Result<Self, TaskError> {
        let (table, mapping) = (recorded.table.clone(), recorded.mapping.clone());
        let plan = Plan::compile(&table, &mapping, &mapping.target.columns, &policies)?;
        let (p0, p1, is_copied) = match &recorded.state {
            TableState::CatchingUp { p0, p1 } => (Some(p0.clone()), Some(p1.clone()), false),
            TableState::Snapshotting { p0 } => (Some(p0.clone()), None, true),
            TableState::Pending
            | TableState::Streaming
            | TableState::Aside { .. }
            | TableState::Parked(_)
            | TableState::Paused { .. }
            | TableState::LetGo => (None, None, false),
        };
        let names = recorded.names.clone();
        Ok(Self { table, mapping, plan, p0, p1, is_copied, names, always_convergent })
    }

    /// Whether rows are applied whatever is there.
    pub fn convergent(&self) -> bool {
        self.always_convergent || self.is_before_p1()
    }

    /// Whether chunks may have seen more than the stream has brought.
    pub fn is_before_p1(&self) -> bool {
        self.p1.is_some() || self.is_copied
    }
}

/// All carried tables of a task.
#[derive(Debug)]
pub struct Tables {
    carried: Vec<Carried>,
    /// Another one whenever they are others, or are carried in another way.
    version: u64,
    by_name: HashMap<TableName, usize>,
    names: TableNames,
    /// By table id: the last table map seen under it and what it was bound to.
    bound: HashMap<u64, Binding>,
    /// Selected tables that are not carried.
    strangers: Strangers,
    /// Tables that another stream carries, or that are parked; names as they are compared.
    aside: BTreeSet<TableName>,
    /// Those of them that are parked, each with whether the source had it no more.
    parked: BTreeMap<TableName, bool>,
    /// Those that came and could not be added.
    refused: BTreeSet<TableName>,
    /// Tables that come are added by themselves.
    adds: bool,
    /// Parked tables that are made anew are taken back.
    takes_back: bool,
    /// What has come lately, and is to be added.
    came: Vec<TableName>,
    /// Parked tables that are there again.
    returning: Vec<TableName>,
}

/// Whether it is the name of a table that tools for online schema changes make for a while.
fn is_helper(table: &str) -> bool {
    let ends = ["_new", "_old", "_gho", "_ghc", "_del"];
    table.starts_with('_') && ends.iter().any(|end| table.ends_with(end))
}

#[derive(Debug)]
struct Binding {
    map: Arc<TableMap>,
    /// `None` for a selected table that is not carried.
    table: Option<(usize, Arc<BoundTable>)>,
}

impl Tables {
    /// The tables of a stream, those that it passes over, those that are left out with the reason, and how the source compares names.
    pub fn new(
        carried: Vec<Carried>,
        sides: Option<&Sides>,
        left_out: BTreeMap<TableName, String>,
        names: TableNames,
    ) -> Self {
        let by_name =
            carried.iter().enumerate().map(|(index, one)| (names.folded(&one.table.name), index)).collect();
        let none = Sides::default();
        let sides = sides.unwrap_or(&none);
        let aside = sides.names.iter().map(|name| names.folded(name)).collect();
        let parked = sides.parked.iter().map(|(name, gone)| (names.folded(name), *gone)).collect();
        let refused = left_out.keys().map(|name| names.folded(name)).collect();
        let (bound, strangers) = (HashMap::new(), Strangers::of(left_out));
        Self {
            carried,
            version: 0,
            by_name,
            names,
            bound,
            strangers,
            aside,
            parked,
            refused,
            adds: false,
            takes_back: false,
            came: Vec::new(),
            returning: Vec::new(),
        }
    }

    /// Selected tables that come are to be added.
    pub fn add_newcomers(&mut self) {
        self.adds = true;
    }

    /// Parked tables that are made anew are taken back.
    pub fn take_back(&mut self) {
        self.takes_back = true;
    }

    /// Another stream carries the table from here on, or none; false when it was not carried.
    pub fn put_aside(&mut self, name: &TableName) -> bool {
        let folded = self.names.folded(name);
        let Some(index) = self.by_name.get(&folded).copied() else { return false };
        self.carried.remove(index);
        self.index();
        self.aside.insert(folded);
        true
    }

    /// A table is carried from here on.
    pub fn take_in(&mut self, one: Carried) {
        let folded = self.names.folded(&one.table.name);
        self.aside.remove(&folded);
        self.parked.remove(&folded);
        self.carried.push(one);
        self.index();
    }

    /// Another number whenever the tables are others, or are carried in another way.
    pub fn version(&self) -> u64 {
        self.version
    }

    fn index(&mut self) {
        self.version += 1;
        let names = self.names;
        let carried = self.carried.iter().enumerate();
        self.by_name = carried.map(|(index, one)| (names.folded(&one.table.name), index)).collect();
        self.bound.clear();
    }

    /// A table that came is not carried, for this reason; without one it is not there any more.
    pub fn leave_out(&mut self, name: TableName, why: Option<String>) {
        self.aside.remove(&self.names.folded(&name));
        match why {
            Some(why) => {
                self.refused.insert(self.names.folded(&name));
                self.strangers.left_out(name, why);
            }
            // Should it be there again, its rows are to be noticed.
            None => self.bound.clear(),
        }
    }

    /// What has come of which nothing is known, and parked tables that are there again, since this was asked last.
    pub fn take_came(&mut self) -> [Vec<TableName>; 2] {
        [std::mem::take(&mut self.came), std::mem::take(&mut self.returning)]
    }

    /// A table has been asked for: its name is passed over, and nothing else is known of it.
    pub fn is_let_in(&mut self, name: &TableName) {
        let folded = self.names.folded(name);
        self.parked.remove(&folded);
        self.refused.remove(&folded);
        self.strangers.gone(|stranger| stranger == name);
        self.aside.insert(folded);
        self.bound.clear();
    }

    /// Whether the table is passed over.
    pub fn is_passed_over(&self, name: &TableName) -> bool {
        self.aside.contains(&self.names.folded(name))
    }

    /// A table is parked, and the source had it no more or not: a statement that makes a table of its name brings it back.
    pub fn is_parked(&mut self, name: &TableName, gone: bool) {
        let folded = self.names.folded(name);
        self.aside.insert(folded.clone());
        self.parked.insert(folded, gone);
    }

    /// A selected table has come that is not carried.
    fn comes(&mut self, name: &TableName) {
        let folded = self.names.folded(name);
        let is_wanted = self.adds && !is_helper(&name.table) && !self.refused.contains(&folded);
        if is_wanted && self.aside.insert(folded) {
            self.came.push(name.clone());
        }
    }

    /// A statement has changed rows of a selected table of this name.
    pub fn is_met(&mut self, name: &TableName) {
        if self.find(name).is_none() {
            self.comes(name);
        }
    }

    /// A statement has made a selected table of this name, or given it to another one; where that only `may` be so there may have been
    /// one before.
    pub fn is_made(&mut self, name: &TableName, may: bool) {
        if self.find(name).is_some() {
            return;
        }
        let folded = self.names.folded(name);
        self.refused.remove(&folded);
        match self.parked.get(&folded) {
            Some(gone) if self.takes_back && (*gone || !may) => {
                self.parked.remove(&folded);
                self.returning.push(name.clone());
            }
            Some(_) => {}
            None => self.comes(name),
        }
    }

    /// Every table.
    pub fn iter(&self) -> impl Iterator<Item = &Carried> {
        self.carried.iter()
    }

    /// One table.
    pub fn get(&self, index: usize) -> Option<&Carried> {
        self.carried.get(index)
    }

    /// The index of a table by name.
    pub fn find(&self, name: &TableName) -> Option<usize> {
        self.by_name.get(&self.names.folded(name)).copied()
    }

    /// Whether a table of this name is carried that a transaction is passed over for.
    pub fn is_carried(&self, name: &TableName, over: &PassedOver) -> bool {
        let one = self.find(name).and_then(|index| self.get(index));
        one.is_some_and(|one| over.has(&one.table.name))
    }

    /// The tables that a statement concerns.
    pub fn concerned(&self, affected: &Affected) -> Vec<usize> {
        let carried = self.carried.iter().enumerate();
        carried
            .filter(|(_, one)| self.names.concerns(affected, &one.table.name))
            .map(|(index, _)| index)
            .collect()
    }

    /// The carried table an event is for and its binding; `None` when it is not carried, or its rows are in the chunks already.
    ///
    /// # Errors
    /// When the table map contradicts the known definition.
    pub fn bind(
        &mut self,
        event: &RowsEvent,
        gtid: Option<&TransactionId>,
    ) -> Result<Option<(usize, Arc<BoundTable>)>, TaskError> {
        let map = &event.table;
        let known =
            self.bound.get(&map.table_id).filter(|known| Arc::ptr_eq(&known.map, map) || *known.map == **map);
        let index = match known {
            Some(known) => known.table.as_ref().map(|(index, _)| *index),
            None => self.find(&map.name),
        };
        // Before binding: what lies before the table's P0 may be written under another definition.
        if index.is_some_and(|index| self.skips(index, gtid, &event.position)) {
            return Ok(None);
        }
        match known {
            Some(known) => Ok(known.table.clone()),
            None => self.bind_anew(map, index),
        }
    }

    /// Whether the transaction, of which one event ends at `at`, is in the table's chunks already.
    pub fn skips(&self, index: usize, gtid: Option<&TransactionId>, at: &FilePosition) -> bool {
        let p0 = self.carried.get(index).and_then(|one| one.p0.as_ref());
        p0.is_some_and(|p0| p0.holds(gtid, at))
    }

    fn bind_anew(
        &mut self,
        map: &Arc<TableMap>,
        index: Option<usize>,
    ) -> Result<Option<(usize, Arc<BoundTable>)>, TaskError> {
        let table = if let Some(index) = index {
            let one = self.carried.get_mut(index).ok_or_else(|| TaskError::missing(&map.name))?;
            let bound = binding::bind(&one.table, map)?;
            // What a statement has left open is settled by the first rows after it.
            let hidden = bound.columns.len().saturating_sub(one.table.columns.len());
            one.table.hidden = HiddenColumns { least: hidden, most: hidden, ..one.table.hidden };
            Some((index, Arc::new(bound)))
        } else {
            self.comes(&map.name);
            if !self.aside.contains(&self.names.folded(&map.name)) && self.strangers.met(&map.name) {
                tracing::warn!(table = %map.name, "rows of this table are not carried: {}", strangers::UNKNOWN);
            }
            None
        };
        // A table gets a new id whenever the server opens it anew, so over months the ids have no end.
        if self.bound.len() >= REMEMBERED.max(2 * self.carried.len()) {
            self.bound.clear();
        }
        self.bound.insert(map.table_id, Binding { map: map.clone(), table: table.clone() });
        Ok(table)
    }

    /// The selected tables that are not carried, when they are others than when last asked.
    pub fn not_carried(&mut self) -> Option<NotCarried> {
        self.strangers.take_changed()
    }

    /// These tables are dropped: those that were not carried need not be told any more.
    pub fn dropped(&mut self, affected: &Affected) {
        self.strangers.gone(|name| self.names.concerns(affected, name));
    }

    /// Replaces a table's definition after DDL. Bindings are made anew: the source gives the new version a new id.
    ///
    /// # Errors
    /// When no plan can be made for it.
    pub fn replace(
        &mut self,
        index: usize,
        table: Table,
        mapping: TableMapping,
        policies: Policies,
    ) -> Result<(), TaskError> {
        let plan = Plan::compile(&table, &mapping, &mapping.target.columns, &policies)?;
        let one = self.carried.get_mut(index).ok_or_else(|| TaskError::missing(&table.name))?;
        if one.is_before_p1() {
            one.names.extend(recorded::names(&table));
        }
        (one.table, one.mapping, one.plan) = (table, mapping, plan);
        self.version += 1;
        self.bound.clear();
        Ok(())
    }

    /// A table has another name from here on.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn rename(&mut self, renamed: &Renamed, policies: Policies) -> Result<(), TaskError> {
        let index = self.find(&renamed.from).ok_or_else(|| TaskError::missing(&renamed.from))?;
        self.replace(index, renamed.table.clone(), renamed.mapping.clone(), policies)?;
        self.index();
        Ok(())
    }

    /// The table's rows go to another target from here on, of the same shape.
    pub fn rename_target(&mut self, index: usize, target: &TargetName) {
        if let Some(one) = self.carried.get_mut(index) {
            target.clone_into(&mut one.mapping.target.name);
            one.plan.rename_target(target);
            self.version += 1;
        }
    }

    /// Marks what `position` has passed: returns the tables that reach P1 here.
    pub fn passed(&mut self, position: &Position) -> Vec<TableName> {
        let mut reached = Vec::new();
        for one in &mut self.carried {
            if one.p0.as_ref().is_some_and(|p0| position.includes(p0)) {
                one.p0 = None;
            }
            let there = one.p1.as_ref().is_some_and(|p1| p1.is_reached(position));
            if there && one.p0.is_none() {
                one.p1 = None;
                reached.push(one.table.name.clone());
            }
        }
        reached
    }

    /// Whether any table has not reached P1, or is skipping what its chunks hold.
    pub fn catching_up(&self) -> bool {
        self.carried.iter().any(|one| one.p1.is_some() || one.p0.is_some())
    }
}
