//! Which tables are not the main stream's, and where a side stream is asked for.
//!
//! What must never happen here: a table that is taken for the main stream's and is another one's.

use crate::change::TableName;
use crate::change::state::TableState;
use crate::sink::store::Stored;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// What is on record of tables that the main stream does not carry.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// The groups by the numbers of their side streams.
    pub groups: BTreeMap<u32, BTreeSet<TableName>>,
    /// All tables that the main stream passes over, parked ones too.
    pub names: BTreeSet<TableName>,
    /// Those of them that are parked, each with whether the source had it no more.
    pub parked: BTreeMap<TableName, bool>,
    /// The number of the last side stream.
    pub last: Arc<AtomicU32>,
}

impl Sides {
    /// Those of a task.
    pub fn of(stored: &Stored) -> Self {
        let mut sides = Self::default();
        for (name, table) in &stored.tables {
            match &table.state {
                TableState::Aside { side, .. } => {
                    sides.groups.entry(*side).or_default().insert(name.clone());
                    sides.names.insert(name.clone());
                }
                TableState::Parked(trouble) => {
                    sides.names.insert(name.clone());
                    sides.parked.insert(name.clone(), trouble.gone);
                }
                TableState::Paused { .. } | TableState::LetGo => {
                    sides.names.insert(name.clone());
                }
                TableState::Pending
                | TableState::Snapshotting { .. }
                | TableState::CatchingUp { .. }
                | TableState::Streaming => {}
            }
        }
        sides.last.store(sides.groups.last_key_value().map_or(0, |(side, _)| *side), Relaxed);
        sides
    }

    /// The number of the last side stream.
    pub fn last(&self) -> u32 {
        self.last.load(Relaxed)
    }
}

/// These tables are on record as aside: a side stream is to carry them.
#[derive(Debug)]
pub struct Ask {
    /// The side stream's number.
    pub side: u32,
    /// Its tables.
    pub tables: BTreeSet<TableName>,
}
