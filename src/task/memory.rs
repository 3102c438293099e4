//! What a task keeps from one attempt to the next while the process lives.
//!
//! What must never happen here: an attempt that goes on from what an earlier one has judged, for ever.

use super::passed::Passed;
use super::request::{Requests, Waiting};
use super::side::BusySides;
use super::side::rest::Rests;
use crate::change::command::Change;
use crate::change::{FilePosition, TableName};
use crate::sink::apply::Way;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What outlives a restart of the task within this process.
#[derive(Debug, Default)]
pub struct Memory {
    /// Side streams that others wait for, where their tables belong together.
    pub(super) busy: BusySides,
    /// A piece of a large transaction met a row that should have been new: apply by the general way until that transaction is
    /// through.
    general_way: AtomicBool,
    /// One of the transactions up to here, which were applied together, is refused: each is applied alone, so that it is told which.
    singly: Mutex<Option<FilePosition>>,
    /// A piece of a large transaction has rows that the target refuses and that are to be kept: until that transaction is through, rows
    /// are tried before they are written.
    careful: AtomicBool,
    /// How many statements that were passed over are on record.
    statements_recorded: AtomicU64,
    /// What the last whole start has found, and how often the task went on from it since something became durable.
    passed: Mutex<Option<Arc<Passed>>>,
    went_on: AtomicU32,
    /// The task's records are as its config says: what is selected no more is forgotten.
    taken: AtomicBool,
    /// Something is on record of what stopped the task.
    cause: AtomicBool,
    /// What lies between two copies of a table beside the others.
    rests: Mutex<Rests>,
    /// What the task is asked to do with its tables.
    pub(super) requests: Requests,
}

/// How often in a row a task goes on by what an earlier start has judged, before it judges all anew.
const GOING_ON: u32 = 5;

impl Memory {
    /// How many statements that were passed over are on record.
    pub(super) fn statements_recorded(&self) -> u64 {
        self.statements_recorded.load(Ordering::Relaxed)
    }

    /// So many of them are on record by now.
    pub(super) fn records_statements(&self, statements: u64) {
        self.statements_recorded.store(statements, Ordering::Relaxed);
    }

    /// Asks the task to change what it does with tables. The answer comes when it is durable, which takes a stream that runs.
    pub fn ask(&self, change: Change, tables: Vec<TableName>) -> Waiting {
        self.requests.ask(change, tables)
    }

    /// What lies between two copies of a table.
    pub(super) fn rests(&self) -> MutexGuard<'_, Rests> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is on record of what stopped the task, or nothing.
    pub(super) fn has_cause(&self, has: bool) {
        self.cause.store(has, Ordering::Relaxed);
    }

    /// Whether something is.
    pub fn is_caused(&self) -> bool {
        self.cause.load(Ordering::Relaxed)
    }

    /// The task's records are as its config says.
    pub(super) fn has_taken(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }

    /// Whether what is selected no more is forgotten, durably.
    pub fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// What an earlier start has found, where the task may go on from that.
    pub(super) fn passed(&self) -> Option<Arc<Passed>> {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        passed.filter(|_| self.went_on.fetch_add(1, Ordering::Relaxed) < GOING_ON)
    }

    /// What an earlier start has found holds no more.
    pub(super) fn forget_passed(&self) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A whole start has found this.
    pub(super) fn has_passed(&self, passed: Passed) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(passed));
        self.went_on.store(0, Ordering::Relaxed);
    }

    /// Up to where each transaction is applied alone.
    pub(super) fn singly(&self) -> Option<FilePosition> {
        self.singly.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Transactions up to this place are to be applied one by one; false when that was tried in vain.
    pub(super) fn takes_singly(&self, until: &FilePosition) -> bool {
        let mut singly = self.singly.lock().unwrap_or_else(PoisonError::into_inner);
        singly.replace(until.clone()).as_ref() != Some(until)
    }

    /// Everything up to this place of the log is durable.
    pub(super) fn gets_to(&self, place: &FilePosition) {
        let mut singly = self.singly.lock().unwrap_or_else(PoisonError::into_inner);
        if singly.as_ref().is_some_and(|until| place.reaches(until)) {
            *singly = None;
        }
    }

    /// How the next batch is applied.
    pub(super) fn way(&self) -> Way {
        if self.general_way.load(Ordering::Relaxed) { Way::General } else { Way::Direct }
    }

    /// A piece met a row that should have been new; the transaction is read again from its start.
    pub(super) fn piece_met_a_row(&self) {
        self.general_way.store(true, Ordering::Relaxed);
    }

    /// Whether rows are tried before they are written.
    pub(super) fn is_careful(&self) -> bool {
        self.careful.load(Ordering::Relaxed)
    }

    /// A piece has rows that the target refuses; the transaction is read again from its start.
    pub(super) fn piece_has_unfit(&self) {
        self.careful.store(true, Ordering::Relaxed);
    }

    /// That was in vain.
    pub(super) fn is_careful_no_more(&self) {
        self.careful.store(false, Ordering::Relaxed);
    }

    /// A batch is durable, which `ends_pieces` of a large transaction or not: others, that are applied on the way back to it,
    /// say nothing of it.
    pub(super) fn committed(&self, ends_pieces: bool) {
        self.went_on.store(0, Ordering::Relaxed);
        if ends_pieces {
            self.general_way.store(false, Ordering::Relaxed);
            self.careful.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_on_the_way_back_to_a_conflict_do_not_forget_it() {
        let memory = Memory::default();
        assert_eq!(memory.way(), Way::Direct);
        memory.piece_met_a_row();
        memory.committed(false);
        assert_eq!(memory.way(), Way::General, "the pieces would meet the row again, for ever");
        memory.committed(true);
        assert_eq!(memory.way(), Way::Direct);
    }
}
