//! How the target tables of a task have grown, and what was done about it.
//!
//! What must never happen here: rows that have died counted twice, or lost with the end of an attempt.

use super::TaskProgress;
use crate::change::status::{TablePhase, TaskStatus, Time, Upkeep};
use crate::change::{TableName, TargetName};
use crate::sink::store::UpkeepRecord;
use std::collections::{BTreeMap, BTreeSet};

/// A target table.
#[derive(Clone, Debug)]
pub(super) struct TargetUpkeep {
    /// The first of the source tables that feed it: what several feed is told of with that one.
    feeder: TableName,
    upkeep: Upkeep,
    /// What is on record has been taken in.
    loaded: bool,
}

impl TaskProgress {
    /// These tables are fed from here on. Those that were go on as they are.
    pub(super) fn feeds(&mut self, tables: &BTreeMap<&TableName, &TargetName>) {
        let mut before = std::mem::take(&mut self.targets);
        for (feeder, target) in tables {
            if self.targets.contains_key(*target) {
                continue;
            }
            let known = before.remove(*target).filter(|known| known.feeder == **feeder);
            let new = || TargetUpkeep { feeder: (*feeder).clone(), upkeep: Upkeep::default(), loaded: false };
            self.targets.insert((*target).clone(), known.unwrap_or_else(new));
        }
        self.changed.targets.extend(self.targets.keys().cloned());
    }

    /// This table is fed too from here on.
    pub(super) fn feeds_also(&mut self, feeder: &TableName, target: &TargetName) {
        let new = || TargetUpkeep { feeder: feeder.clone(), upkeep: Upkeep::default(), loaded: false };
        self.targets.entry(target.clone()).or_insert_with(new);
        self.changed.targets.insert(target.clone());
    }

    /// The target tables that are fed.
    pub(in crate::task) fn targets(&self) -> BTreeSet<TargetName> {
        self.targets.keys().cloned().collect()
    }

    /// So many row operations on a target table are durable, and left so many dead rows.
    pub(in crate::task) fn applies(&mut self, target: &TargetName, rows: u64, dead: u64) {
        self.rows += rows;
        self.change(target, |one| one.upkeep.dead_rows += dead);
    }

    /// Takes in what is on record. Rows that died in this process are on record from now on, or to be counted with it.
    pub(in crate::task) fn loads(&mut self, target: &TargetName, record: &UpkeepRecord) {
        self.change(target, |one| {
            let upkeep = &mut one.upkeep;
            if !std::mem::replace(&mut one.loaded, true) {
                upkeep.dead_rows += record.dead_rows;
            }
            upkeep.copied_bytes = record.copied_bytes;
            (upkeep.analyzed, upkeep.vacuumed) = (record.analyzed, record.vacuumed);
        });
    }

    /// A target table has so many bytes.
    pub(in crate::task) fn measures(&mut self, target: &TargetName, bytes: u64, now: Time) {
        self.change(target, |one| {
            (one.upkeep.bytes, one.upkeep.measured) = (bytes, now.seconds());
        });
    }

    /// A table was analyzed after its copy.
    pub(in crate::task) fn analyzes(&mut self, target: &TargetName, bytes: u64, now: Time) {
        self.change(target, |one| {
            (one.upkeep.copied_bytes, one.upkeep.analyzed) = (bytes, now.seconds());
        });
    }

    /// A table was vacuumed that had so many dead rows when that began; how many have died meanwhile, and are left for the next time.
    pub(in crate::task) fn vacuums(&mut self, target: &TargetName, dead: u64, now: Time) -> u64 {
        self.change(target, |one| {
            one.upkeep.vacuumed = now.seconds();
            one.upkeep.dead_rows = one.upkeep.dead_rows.saturating_sub(dead);
        });
        self.upkeep(target).map_or(0, |upkeep| upkeep.dead_rows)
    }

    /// How a target table has grown; `None` when it is not fed.
    pub(in crate::task) fn upkeep(&self, target: &TargetName) -> Option<&Upkeep> {
        self.targets.get(target).map(|one| &one.upkeep)
    }

    /// Whether the copy into a target table is durable.
    pub(in crate::task) fn is_copied(&self, target: &TargetName) -> bool {
        let feeder = self.targets.get(target).map(|one| &one.feeder);
        match feeder.and_then(|feeder| self.tables.get(feeder)) {
            Some(TablePhase::CatchingUp | TablePhase::Streaming) => true,
            Some(
                TablePhase::Pending
                | TablePhase::Snapshotting
                | TablePhase::Parked
                | TablePhase::Paused
                | TablePhase::LetGo,
            )
            | None => false,
        }
    }

    fn change(&mut self, target: &TargetName, change: impl FnOnce(&mut TargetUpkeep)) {
        if let Some(one) = self.targets.get_mut(target) {
            change(one);
            self.changed.targets.insert(target.clone());
        }
    }

    /// Tells the status of the target tables that have changed.
    pub(super) fn tell_upkeep(&mut self, status: &mut TaskStatus) {
        for target in std::mem::take(&mut self.changed.targets) {
            let Some(one) = self.targets.get(&target) else { continue };
            if let Some(table) = status.tables.get_mut(&one.feeder.to_string()) {
                table.upkeep.clone_from(&one.upkeep);
            }
        }
    }
}
