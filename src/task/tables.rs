//! The tables a task carries: their current definitions, plans and states, and the binding of table maps to them.
//!
//! What must never happen here: row bytes read with a definition that was not held against their table map.

use super::TaskError;
use super::recorded::Recorded;
use super::strangers::{self, Strangers};
use crate::change::state::{CatchUpTarget, TableState};
use crate::change::status::NotCarried;
use crate::change::{
    Affected, FilePosition, Position, RowsEvent, TableMap, TableName, TableNames, TransactionId,
};
use crate::schema::HiddenColumns;
use crate::schema::Table;
use crate::schema::binding::{self, BoundTable};
use crate::transform::{Plan, Policies, TableMapping};
use std::collections::{BTreeMap, HashMap};
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
    /// Transactions already in its chunks: their events are not for it. `None` once the stream is past them.
    pub from: Option<Position>,
    /// P1, until it is reached.
    pub until: Option<CatchUpTarget>,
    /// Whether rows are always applied convergently (target rows of others, switched-off operations).
    pub always_convergent: bool,
}

impl Carried {
    /// A table as its stored state has it.
    pub fn new(recorded: &Recorded, policies: Policies, always_convergent: bool) -> Result<Self, TaskError> {
        let (table, mapping) = (recorded.table.clone(), recorded.mapping.clone());
        let plan = Plan::compile(&table, &mapping, &mapping.target.columns, &policies)?;
        let (from, until) = match &recorded.state {
            TableState::CatchingUp { from, until } => (Some(from.clone()), Some(until.clone())),
            TableState::Snapshotting { from } => (Some(from.clone()), None),
            TableState::Pending | TableState::Streaming => (None, None),
        };
        Ok(Self { table, mapping, plan, from, until, always_convergent })
    }

    /// Whether rows are applied whatever is there.
    pub fn convergent(&self) -> bool {
        self.always_convergent || self.until.is_some()
    }
}

/// All carried tables of a task.
#[derive(Debug)]
pub struct Tables {
    carried: Vec<Carried>,
    by_name: HashMap<TableName, usize>,
    names: TableNames,
    /// By table id: the last table map seen under it and what it was bound to.
    bound: HashMap<u64, Binding>,
    /// Selected tables that are not carried.
    strangers: Strangers,
}

#[derive(Debug)]
struct Binding {
    map: Arc<TableMap>,
    /// `None` for a selected table that is not carried.
    table: Option<(usize, Arc<BoundTable>)>,
}

impl Tables {
    /// The tables of a task, those that are left out with the reason, and how the source compares names.
    pub fn new(carried: Vec<Carried>, left_out: BTreeMap<TableName, String>, names: TableNames) -> Self {
        let by_name =
            carried.iter().enumerate().map(|(index, one)| (names.folded(&one.table.name), index)).collect();
        Self { carried, by_name, names, bound: HashMap::new(), strangers: Strangers::of(left_out) }
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
        let from = self.carried.get(index).and_then(|one| one.from.as_ref());
        from.is_some_and(|from| from.holds(gtid, at))
    }

    fn bind_anew(
        &mut self,
        map: &Arc<TableMap>,
        index: Option<usize>,
    ) -> Result<Option<(usize, Arc<BoundTable>)>, TaskError> {
        let table = if let Some(index) = index {
            let one = self.carried.get_mut(index).ok_or_else(|| TaskError::missing(&map.name))?;
            let bound = binding::bind(&one.table, map)?;
            // What a statement has left open is settled by the first rows behind it.
            let hidden = bound.columns.len().saturating_sub(one.table.columns.len());
            one.table.hidden = HiddenColumns { least: hidden, most: hidden, ..one.table.hidden };
            Some((index, Arc::new(bound)))
        } else {
            if self.strangers.met(&map.name) {
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
        (one.table, one.mapping, one.plan) = (table, mapping, plan);
        self.bound.clear();
        Ok(())
    }

    /// Marks what `position` has passed: returns the tables that reach P1 here.
    pub fn passed(&mut self, position: &Position) -> Vec<TableName> {
        let mut reached = Vec::new();
        for one in &mut self.carried {
            if one.from.as_ref().is_some_and(|from| position.includes(from)) {
                one.from = None;
            }
            let there = one.until.as_ref().is_some_and(|until| until.is_reached(position));
            if there && one.from.is_none() {
                one.until = None;
                reached.push(one.table.name.clone());
            }
        }
        reached
    }

    /// Whether any table has not reached P1, or is skipping what its chunks hold.
    pub fn catching_up(&self) -> bool {
        self.carried.iter().any(|one| one.until.is_some() || one.from.is_some())
    }
}
