//! How a task gets on, and what follows from it: its phase, when it is Synchronizing, whether an attempt got somewhere, what failed and
//! is not committed yet, and the upkeep of its target tables. It outlives the attempts at the task.
//!
//! Pure: no lock, no clock and no display. [`Progress`] is what the parts of a task share; it tells the board after each step.
//!
//! What must never happen here: a task called Synchronizing, or all of the source's called durable, that is not.

mod shared;
#[cfg(test)]
mod tests;
mod upkeep;

pub use shared::Progress;

use crate::change::state::Rest;
use crate::change::status::{NotCommitted, Phase, Reached, SILENT_SECONDS, TablePhase, TaskStatus, Time};
use crate::change::{Position, TableName, TargetName};
use std::collections::{BTreeMap, BTreeSet};
use upkeep::TargetUpkeep;

/// How a task gets on.
#[derive(Debug, Default)]
pub struct TaskProgress {
    phase: Phase,
    /// Seconds since 1970 when the phase was entered.
    since: u64,
    /// What the phase cannot go on without.
    waiting_for: Option<String>,
    /// The carried tables.
    tables: BTreeMap<TableName, TablePhase>,
    /// The tables that these feed.
    targets: BTreeMap<TargetName, TargetUpkeep>,
    /// The durable position as text.
    position: Option<String>,
    /// Up to when the target has all that the source has.
    reached: Reached,
    /// Seconds since 1970 when the source was last heard of; 0 for never.
    heard: u64,
    /// What could not be committed, until it is.
    not_committed: Option<NotCommitted>,
    /// When this attempt began.
    begun: Time,
    /// Rows made durable by this attempt, by the copy and by the stream.
    rows: u64,
    /// What is to be told yet.
    changed: Changed,
}

/// Tables of which something has changed since it was told.
#[derive(Debug, Default)]
struct Changed {
    tables: BTreeSet<TableName>,
    targets: BTreeSet<TargetName>,
}

/// What a run of stream items ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The source has nothing further.
    Nothing,
    /// The source pauses, or passes over what has been taken in: then too it sends a heartbeat.
    Pause,
    /// Something came; the source committed the last of it then.
    Transaction(u64),
}

/// What a target transaction has made durable together with its checkpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed<'a> {
    /// The checkpoint's.
    pub position: &'a Position,
    /// When the source committed the last of it, in microseconds since 1970; 0 when it does not say.
    pub source_micros: u64,
    /// Tables that have reached P1 with it.
    pub caught_up: &'a [TableName],
    /// It is more than a checkpoint after what was passed over.
    pub work: bool,
}

impl TaskProgress {
    /// A task of which nothing is known yet.
    fn new(now: Time) -> Self {
        Self { since: now.seconds(), ..Self::default() }
    }

    /// The phase.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// An attempt at the task begins.
    pub fn begins_attempt(&mut self, now: Time) {
        (self.rows, self.begun) = (0, now);
    }

    /// Whether the target has all that the source had when this attempt began: what stopped an earlier one is over.
    pub(super) fn is_past_its_start(&self) -> bool {
        self.phase == Phase::Synchronizing && self.reached.is_past(self.begun)
    }

    /// Whether this attempt has made a row durable. A checkpoint alone, which moves over what nobody waits for, is not what an
    /// attempt is for.
    pub fn got_somewhere(&self) -> bool {
        self.rows > 0
    }

    /// Both servers are asked, and what they say is judged.
    pub(super) fn prechecks(&mut self, now: Time) {
        self.enter(Phase::Prechecking, now);
    }

    /// Definitions are settled, and target tables are made.
    pub(super) fn makes_targets(&mut self, now: Time) {
        self.enter(Phase::SchemaSync, now);
    }

    /// Tables are copied.
    pub(super) fn copies(&mut self, now: Time) {
        self.enter(Phase::Snapshot, now);
    }

    /// A chunk of so many rows is durable.
    pub(super) fn copies_rows(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// These tables are copied, and their P1 is recorded.
    pub(super) fn records_p1(&mut self, tables: &[TableName], now: Time) {
        for name in tables {
            self.set(name, TablePhase::CatchingUp);
        }
        self.enter(Phase::CatchingUp, now);
    }

    /// The attempt failed with an error that may pass by itself.
    pub fn retries(&mut self, error: String, attempt: u32, waiting_for: Option<String>, now: Time) {
        self.enter(Phase::Retrying { error, attempt }, now);
        self.waiting_for = waiting_for;
    }

    /// The task failed with an error that somebody must mend.
    pub fn fails(&mut self, error: String, remedy: String, now: Time) {
        self.enter(Phase::Failed { error, remedy }, now);
    }

    /// The task does not run until it is told to.
    pub fn rests(&mut self, rest: Rest, now: Time) {
        let (phase, since) = match rest {
            Rest::Paused(since) => (Phase::Paused, since),
            Rest::Dropped(since) => (Phase::Dropped, since),
        };
        self.enter(phase, now);
        self.since = since;
    }

    /// The task has ended as it was told to.
    pub fn stops(&mut self, now: Time) {
        self.enter(Phase::Stopped, now);
    }

    fn enter(&mut self, phase: Phase, now: Time) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now.seconds();
            self.waiting_for = None;
        }
    }

    /// The phase cannot go on without this.
    pub(super) fn waits_for(&mut self, what: Option<String>) {
        self.waiting_for = what;
    }

    /// A step has ended that may have waited for `what`; `alone` when no other step waits beside it.
    pub(super) fn waited_for(&mut self, what: &str, alone: bool) {
        self.waiting_for.take_if(|told| alone || told == what);
    }

    /// These tables are carried from here on, each into its target.
    pub(super) fn carries(&mut self, tables: Vec<(TableName, TargetName, TablePhase)>) {
        let targets = tables.iter().map(|(name, target, _)| (name, target));
        self.feeds(&targets.collect());
        self.tables = tables.into_iter().map(|(name, _, phase)| (name, phase)).collect();
        self.changed.tables.extend(self.tables.keys().cloned());
    }

    /// This table is carried too, or again, into that target.
    pub(super) fn carries_also(&mut self, name: &TableName, target: &TargetName, phase: TablePhase) {
        self.tables.insert(name.clone(), phase);
        self.changed.tables.insert(name.clone());
        self.feeds_also(name, target);
    }

    /// This table is carried by this stream no more.
    pub(super) fn lets_go(&mut self, name: &TableName) {
        self.tables.remove(name);
        self.changed.tables.remove(name);
    }

    fn set(&mut self, name: &TableName, phase: TablePhase) {
        if let Some(table) = self.tables.get_mut(name) {
            *table = phase;
            self.changed.tables.insert(name.clone());
        }
    }

    /// The log is followed from this position.
    pub(super) fn follows(&mut self, position: String, now: Time) {
        self.reached.not_all();
        // Another place than the last attempt left: nothing is known of when the source was there.
        if self.position.as_ref() != Some(&position) {
            self.reached = Reached::default();
        }
        self.position = Some(position);
        self.hears(now);
    }

    /// The source was heard of.
    pub(super) fn hears(&mut self, now: Time) {
        self.heard = now.seconds();
    }

    /// Something has come that ends so, and is not taken in yet, which may take long.
    pub(super) fn receives(&mut self, end: End) {
        if let End::Transaction(_) = end {
            self.reached.not_all();
        }
    }

    /// What ends so is taken in; `durable` when none of it waits for the applier, which else says how late it is.
    pub(super) fn takes_in(&mut self, end: End, durable: bool, now: Time) {
        match end {
            End::Nothing if durable => {
                self.reached.all(now);
                self.not_committed = None;
            }
            End::Transaction(source_micros) if durable => self.reached.transaction(source_micros, now),
            End::Nothing | End::Pause | End::Transaction(_) => {}
        }
    }

    /// A target transaction with a checkpoint is durable.
    pub(super) fn commits(&mut self, committed: &Committed<'_>, now: Time) {
        self.position = Some(committed.position.to_string());
        self.reached.transaction(committed.source_micros, now);
        // A batch of another attempt may end before the one that failed, which is then still to come. Where that is not known it is
        // the first that comes: everything before it was durable.
        let passed = |failed: &mut NotCommitted| match &failed.until {
            Some(until) => committed.position.file.reaches(until),
            None => committed.work,
        };
        self.not_committed.take_if(passed);
        for table in committed.caught_up {
            self.set(table, TablePhase::Streaming);
        }
    }

    /// Something could not be committed. The task is not ready before it is, whatever is tried meanwhile.
    pub(super) fn cannot_commit(&mut self, failed: NotCommitted) {
        self.not_committed = Some(failed);
    }

    /// How it stands while the stream runs. Synchronizing is told when the tables' transitions are durable, not when they are built.
    pub(super) fn looks(&mut self, held_up: Option<String>, now: Time) {
        let streaming = self.tables.values().all(|phase| *phase == TablePhase::Streaming);
        let copied = self.tables.values().any(|phase| *phase == TablePhase::Snapshotting);
        self.enter(
            match (streaming, copied) {
                (true, _) => Phase::Synchronizing,
                // It only comes up with what the copy has met.
                (_, true) => Phase::Snapshot,
                _ => Phase::CatchingUp,
            },
            now,
        );
        let silent = now.seconds_since(self.heard);
        let silent = (self.heard > 0 && silent > SILENT_SECONDS)
            .then(|| format!("the source, of which nothing was heard for {silent} s"));
        self.waiting_for = silent.or(held_up);
    }

    /// Tells the status all of this; of tables what has changed since it was told.
    fn tell(&mut self, status: &mut TaskStatus) {
        self.tell_tables(status);
        status.phase.clone_from(&self.phase);
        status.since = self.since;
        status.waiting_for.clone_from(&self.waiting_for);
        status.position.clone_from(&self.position);
        (status.reached, status.heard) = (self.reached, self.heard);
        status.not_committed.clone_from(&self.not_committed);
        self.tell_upkeep(status);
    }

    /// Tells the status what has changed of the tables since it was told.
    fn tell_tables(&mut self, status: &mut TaskStatus) {
        for name in std::mem::take(&mut self.changed.tables) {
            if let (Some(phase), Some(table)) =
                (self.tables.get(&name), status.tables.get_mut(&name.to_string()))
            {
                table.phase = *phase;
            }
        }
    }
}
