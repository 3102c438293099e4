//! XA transactions between XA PREPARE and their end: whose rows are held, and which ends are of transactions never seen.
//!
//! Sequence of one: [`HeldXa::keep`] for each row event while its group is open, [`HeldXa::prepared`] at XA PREPARE,
//! [`HeldXa::end`] at XA COMMIT or XA ROLLBACK, whichever session that came from. Small ones stay in memory; above the cap,
//! which all of them share, the one being read goes into a file.
//!
//! What must never happen here: an XA COMMIT taken for one without rows because its XA PREPARE was not read.

use super::held::HeldRows;
use super::refusal::Refusal;
use crate::change::{CommittedXa, Committer, FilePosition, RowsEvent, XaState};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A transaction that is being spilled gives up its memory in pieces of at least this size.
const SPILL_BYTES: usize = 1 << 20;

/// The prepared transactions of a stream, by id as the log spells it.
#[derive(Debug, Default)]
pub struct HeldXa {
    held: HashMap<Arc<str>, Waiting>,
    /// Those of the position where the stream was taken up whose XA PREPARE has not come again yet.
    to_come: HashSet<Arc<str>>,
    seen_until: Option<FilePosition>,
    /// The last that were committed: a second end may come.
    committed: CommittedXa,
    max_bytes: usize,
    bytes: usize,
}

/// A transaction that is prepared.
#[derive(Debug)]
struct Waiting {
    rows: HeldRows,
    /// The session that prepared it, if the log tells.
    session: Option<u32>,
}

/// What an XA COMMIT brings.
#[derive(Debug)]
pub enum Ended {
    /// These rows; and who ended it.
    Held(HeldRows, Committer),
    /// Nothing: its rows lie before the stream and what was copied has them.
    Seen,
    /// It was prepared before the stream, or the copy, began: its rows are nowhere.
    Unknown,
    /// It was prepared before the place where the stream was taken up, and was not sent again.
    Missed,
    /// It was committed before, as far as the log tells.
    Committed,
}

impl HeldXa {
    /// Takes up where a position left off; at most `max_bytes` of rows stay in memory.
    pub fn new(state: &XaState, max_bytes: usize) -> Self {
        Self {
            to_come: state.prepared.iter().map(|one| one.xid.clone()).collect(),
            seen_until: state.seen_until.clone(),
            committed: state.committed.clone(),
            max_bytes,
            ..Self::default()
        }
    }

    /// Adds rows to those of the open group.
    pub fn keep(&mut self, rows: &mut HeldRows, event: RowsEvent) -> Result<(), Refusal> {
        self.counted(rows, |rows| {
            rows.push(event);
            Ok(())
        })?;
        if self.bytes > self.max_bytes && rows.memory_bytes() >= SPILL_BYTES.min(self.max_bytes) {
            self.counted(rows, HeldRows::spill)?;
        }
        Ok(())
    }

    /// Changes the open group's rows.
    pub fn counted(
        &mut self,
        rows: &mut HeldRows,
        change: impl FnOnce(&mut HeldRows) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let before = rows.memory_bytes();
        let changed = change(rows);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(rows.memory_bytes());
        changed
    }

    /// The open group's rows are void, or on their way out.
    pub fn let_go(&mut self, rows: &HeldRows) {
        self.bytes = self.bytes.saturating_sub(rows.memory_bytes());
    }

    /// Bytes in memory of all that is held.
    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// XA PREPARE, of this session if the log tells: the rows wait for the end.
    pub fn prepared(
        &mut self,
        xid: Arc<str>,
        mut rows: HeldRows,
        session: Option<u32>,
    ) -> Result<(), Refusal> {
        if rows.is_spilled() || self.bytes > self.max_bytes && !rows.is_empty() {
            self.counted(&mut rows, HeldRows::spill)?;
        }
        self.to_come.remove(&xid);
        self.committed.forget(&xid);
        // Ids of prepared transactions differ: one of the same id is gone, without a word in the log.
        if let Some(older) = self.held.insert(xid, Waiting { rows, session }) {
            self.let_go(&older.rows);
        }
        Ok(())
    }

    /// XA COMMIT or XA ROLLBACK at `place`, of this session.
    pub fn end(&mut self, xid: &Arc<str>, commits: bool, session: u32, place: &FilePosition) -> Ended {
        if let Some(Waiting { rows, session: preparer }) = self.held.remove(xid) {
            self.let_go(&rows);
            let by = if preparer == Some(session) { Committer::Preparer } else { Committer::Another };
            if commits {
                self.committed.add(xid, by);
            }
            return Ended::Held(rows, by);
        }
        if self.committed.contains(xid) {
            return Ended::Committed;
        }
        if self.to_come.remove(xid) {
            return Ended::Missed;
        }
        if self.seen_until.as_ref().is_some_and(|seen| seen.reaches(place)) {
            return Ended::Seen;
        }
        Ended::Unknown
    }
}
