//! Compaction: many operations on a key become the one write that has their effect.
//!
//! Runs of [`EncodedRows`] come in, in source order; [`Compacted`] goes out: per key what the target is
//! expected to hold before the batch (what the key's *first* operation implies) and what it shall hold after it
//! (what its *last* one leaves). A key that an update changed comes as a delete of the old and an arrival of
//! the new key, so chains, swaps and moves there and back need nothing special.
//!
//! Keys are compared by their bytes. Layouts that write the same target table under the same key columns share
//! one key space, so a row that wanders from one source table to another within a many-to-one mapping is one key here.
//!
//! What must never happen here: an operation overtaking another on the same key, a row copied per operation
//! for no need (rows stay in their buffers; [`RowRef`]s point at them).

mod space;
#[cfg(test)]
mod tests;

use crate::change::{EncodedRows, RowLayout, TargetName};
use space::{KeySpace, same_space};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Takes in runs of rows and keeps the last image of each key.
#[derive(Debug, Default)]
pub struct Compactor {
    spaces: Vec<KeySpace>,
    /// Where a layout's rows go, found by the layout's address (the space keeps the layout alive, so the
    /// address stays its own).
    routes: HashMap<usize, Route>,
    operations: usize,
    weight_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Route {
    space: usize,
    layout: usize,
}

impl Compactor {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the rows out of `run` and leaves it empty. A small run is copied to its neighbours and keeps its
    /// capacity for the next use; a big one's buffers are taken over.
    pub fn push(&mut self, run: &mut EncodedRows) {
        if run.spans.is_empty() {
            run.buffer.clear();
            return;
        }
        let address = Arc::as_ptr(&run.layout).addr();
        let route = match self.routes.get(&address) {
            Some(route) => *route,
            None => self.add_route(address, &run.layout),
        };
        self.operations += run.spans.len();
        let space = &mut self.spaces[route.space];
        let before = space.weight_bytes();
        space.push(route.layout, run);
        self.weight_bytes += space.weight_bytes() - before;
    }

    fn add_route(&mut self, address: usize, layout: &Arc<RowLayout>) -> Route {
        let known = self.spaces.iter().position(|space| same_space(space.first_layout(), layout));
        let space = known.unwrap_or_else(|| {
            self.spaces.push(KeySpace::new());
            self.spaces.len() - 1
        });
        let layout = self.spaces[space].add_layout(layout);
        let route = Route { space, layout };
        self.routes.insert(address, route);
        route
    }

    /// Operations taken in; an update that changed the key counts as two.
    pub fn operations(&self) -> usize {
        self.operations
    }

    /// Whether nothing was taken in.
    pub fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// Bytes held: rows (also those that a later one replaced), spans and the key table.
    pub fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// Sorts the keys into what has to be written.
    pub fn finish(self) -> Compacted {
        Compacted {
            #[cfg(test)]
            operations: self.operations,
            tables: self.spaces.into_iter().flat_map(KeySpace::finish).collect(),
        }
    }
}

/// A compacted batch. Cheap to keep for another try: nothing of it is used up by applying it.
#[derive(Debug, Default)]
pub struct Compacted {
    /// One entry per layout that has at least one operation, in the order of first appearance.
    pub tables: Vec<TableChanges>,
    #[cfg(test)]
    operations: usize,
}

impl Compacted {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Operations taken in; an update that changed the key counts as two.
    #[cfg(test)]
    pub fn operations(&self) -> usize {
        self.operations
    }
}

/// One row or key in the buffers of a [`TableChanges`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowRef {
    chunk: usize,
    span: usize,
}

/// Operations of the source that went into a table of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationCounts {
    /// Rows inserted.
    pub inserts: u64,
    /// Rows updated, those whose key changed included.
    pub updates: u64,
    /// Rows deleted.
    pub deletes: u64,
}

/// What a batch does to one table, by what its first operation on a key implies and its last one leaves.
/// Each key is in exactly one of the four groups of exactly one [`TableChanges`]; a group is sorted by key bytes.
#[derive(Debug)]
pub struct TableChanges {
    /// The rows' columns and key.
    pub layout: Arc<RowLayout>,
    /// What the source did.
    pub counts: OperationCounts,
    /// Absent before, present after: rows.
    pub new: Vec<RowRef>,
    /// Present before and after: rows.
    pub changed: Vec<RowRef>,
    /// Present before, absent after: keys.
    pub gone: Vec<RowRef>,
    /// Absent before and after: keys. Nothing to write when the target agrees; a target that holds such a key has drifted.
    pub never: Vec<RowRef>,
    /// Those of `gone` and `never` that the source has a row of, which does not fit: an [`Unfit`](crate::change::Unfit) lies in its place.
    pub unfit: Vec<RowRef>,
    chunks: Arc<Vec<EncodedRows>>,
}

impl TableChanges {
    /// The target table.
    pub fn target(&self) -> &TargetName {
        &self.layout.target
    }

    /// The key's fields, in key order.
    pub fn key(&self, at: RowRef) -> &[u8] {
        let chunk = &self.chunks[at.chunk];
        &chunk.buffer[chunk.spans[at.span].key.clone()]
    }

    /// The row: `[i16 field count]` and the fields.
    pub fn row(&self, at: RowRef) -> &[u8] {
        let chunk = &self.chunks[at.chunk];
        &chunk.buffer[chunk.spans[at.span].row.clone()]
    }

    /// The target has no row of the keys that are `known`, whatever the source's operations imply of the time before. Gives those that
    /// the batch is about.
    pub fn lacks(&mut self, known: impl Fn(&[u8]) -> bool) -> Vec<RowRef> {
        let touched: Vec<RowRef> = [&self.new, &self.changed, &self.gone, &self.never]
            .into_iter()
            .flatten()
            .filter(|at| known(self.key(**at)))
            .copied()
            .collect();
        let is_known: HashSet<RowRef> = touched.iter().copied().collect();
        self.new.extend(self.changed.extract_if(.., |at| is_known.contains(at)));
        self.never.extend(self.gone.extract_if(.., |at| is_known.contains(at)));
        self.sort();
        touched
    }

    /// These rows do not fit: their keys have none in the target afterwards.
    pub fn leave_out(&mut self, rows: &[RowRef]) {
        let rows: HashSet<&RowRef> = rows.iter().collect();
        self.never.extend(self.new.extract_if(.., |at| rows.contains(at)));
        self.gone.extend(self.changed.extract_if(.., |at| rows.contains(at)));
        self.sort();
    }

    fn sort(&mut self) {
        let groups = [&mut self.new, &mut self.changed, &mut self.gone, &mut self.never].map(std::mem::take);
        let [new, changed, gone, never] = groups.map(|mut group| {
            group.sort_unstable_by(|&a, &b| self.key(a).cmp(self.key(b)));
            group
        });
        (self.new, self.changed, self.gone, self.never) = (new, changed, gone, never);
    }
}
