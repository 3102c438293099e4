//! Batches: where the stream is cut into target transactions.
//!
//! The sequence per source transaction: rows are encoded into [`BatchBuilder::run`], then
//! [`BatchBuilder::commit`]. Only whole transactions get into a batch that is committed; the open
//! one's rows are kept apart until then. A transaction that alone exceeds the limits leaves in pieces
//! ([`BatchEnd::Open`]), which the target takes in one transaction of its own.
//!
//! What must never happen here: a position that stands for rows that are not in its batch, or not in an earlier
//! one.

use super::compact::{Compacted, Compactor};
use crate::change::{Boundary, EncodedRows, FilePosition, LogFile, Position, RowLayout};
use std::sync::Arc;

/// Empty runs kept for their buffers.
const SPARE_RUNS: usize = 16;

/// A bigger buffer is not kept.
const SPARE_RUN_BYTES: usize = 256 << 10;

/// From so many bytes on, a run is left for another one of its table: a buffer that grows for ever is copied and laid out in
/// fresh memory again and again.
const RUN_BYTES: usize = 512 << 10;

/// When a batch is full: `apply.batch_rows`, `apply.batch_bytes`.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Row operations.
    pub rows: usize,
    /// Bytes held.
    pub bytes: usize,
}

/// What may be taken out of a [`BatchBuilder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Nothing has moved since the last batch.
    Nothing,
    /// Only the position has moved: worth a batch when the checkpoint's timer says so.
    Position,
    /// Whole transactions with rows: take them as soon as the target is free.
    Rows,
    /// The limits are reached: take the whole transactions before anything else is put in.
    Full,
    /// The open transaction alone has reached the limits: take a piece of it.
    Piece,
}

/// How a batch ends.
#[derive(Clone, Debug)]
pub enum BatchEnd {
    /// At the end of a source transaction: commit, and this is the checkpoint's position.
    Commit(Box<Position>),
    /// Inside a transaction: keep the target transaction open for the next batch.
    Open,
}

/// What is applied together.
#[derive(Debug)]
pub struct Batch {
    /// The rows.
    pub changes: Compacted,
    /// Whether it is committed, and as what.
    pub end: BatchEnd,
    /// It goes on where a piece left off: the target transaction is open and holds earlier pieces. When it fails,
    /// streaming restarts at the checkpoint, for the earlier pieces are not kept.
    pub continues: bool,
    /// Source transactions that end in it, those without selected rows included.
    pub transactions: u64,
    /// When the source committed the last of them: microseconds since 1970 UTC; 0 when it did not say.
    pub committed_micros: u64,
}

/// A stream that was taken up by GTIDs, as long as it may still be passing over transactions that the position includes: who
/// went on from a place before those would get them again. A position without its file's time is gone on from by GTIDs.
#[derive(Debug)]
struct Unplaced {
    /// They all lie before this place.
    until: FilePosition,
    /// The file that the stream is in.
    file: Option<LogFile>,
}

/// Collects row operations and cuts them at transaction ends.
#[derive(Debug)]
pub struct BatchBuilder {
    limits: BatchLimits,
    position: Position,
    whole: Compactor,
    transactions: u64,
    /// The log went on without a transaction, to another file above all: recorded even when nothing follows, for old files
    /// are purged.
    moved: bool,
    committed_micros: u64,
    /// Runs of the open transaction, in source order.
    open: Vec<EncodedRows>,
    /// Rows and bytes of all of them but the last, which may still grow.
    settled_rows: usize,
    settled_bytes: usize,
    /// A piece of the open (or just ended) transaction has been taken.
    pumping: bool,
    /// A pumped transaction has ended: its last batch must not take in another.
    pumped: bool,
    unplaced: Option<Unplaced>,
    spare: Vec<EncodedRows>,
}

impl BatchBuilder {
    /// Starts after `position`.
    pub fn new(limits: BatchLimits, position: Position) -> Self {
        Self {
            limits,
            position,
            whole: Compactor::new(),
            transactions: 0,
            moved: false,
            committed_micros: 0,
            open: Vec::new(),
            settled_rows: 0,
            settled_bytes: 0,
            pumping: false,
            pumped: false,
            unplaced: None,
            spare: Vec::new(),
        }
    }

    /// The stream was taken up by GTIDs, and what they stand for lies before `until` in the server's log: before that no place is
    /// one to go on from.
    pub fn taken_up_by_gtids(&mut self, until: FilePosition) {
        self.unplaced = Some(Unplaced { until, file: None });
    }

    /// Where the next rows of the open transaction are encoded to. Valid for one table's event; ask again for the next.
    pub fn run(&mut self, layout: &Arc<RowLayout>) -> &mut EncodedRows {
        let last = self.open.last().filter(|run| Arc::ptr_eq(&run.layout, layout));
        let full = last.filter(|run| run.buffer.len() >= RUN_BYTES);
        if last.is_none() || full.is_some() {
            (self.settled_rows, self.settled_bytes) = self.open_load();
            let run = match (full, self.spare.pop()) {
                // The next will be as full.
                (Some(full), spare) => {
                    self.spare.extend(spare);
                    EncodedRows::like(full)
                }
                (None, Some(mut run)) => {
                    run.layout = Arc::clone(layout);
                    run
                }
                (None, None) => EncodedRows::new(Arc::clone(layout)),
            };
            self.open.push(run);
        }
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    /// The open transaction (or a standalone statement, or a transaction that selects nothing) ended at `boundary`.
    pub fn commit(&mut self, boundary: &Boundary) {
        self.close_runs();
        self.position.advance(boundary);
        self.place();
        self.transactions += 1;
        self.committed_micros = boundary.committed_micros;
        self.pumped = self.pumping;
    }

    /// The open transaction was rolled back at `boundary`: its rows are dropped, the position moves. True when
    /// pieces of it have been taken: the target must roll back what it holds of them.
    pub fn abandon(&mut self, boundary: &Boundary) -> bool {
        self.open.clear();
        (self.settled_rows, self.settled_bytes) = (0, 0);
        self.position.advance(boundary);
        self.place();
        self.transactions += 1;
        std::mem::take(&mut self.pumping)
    }

    /// Whether a piece of the open transaction has been taken.
    pub fn is_pumping(&self) -> bool {
        self.pumping
    }

    /// Rows of the open transaction that are laid out so are dropped.
    pub fn take_back(&mut self, layout: &Arc<RowLayout>) {
        self.open.retain(|run| !Arc::ptr_eq(&run.layout, layout));
        let load = |run: &EncodedRows| (run.spans.len(), run.used_bytes());
        let settled = self.open.iter().rev().skip(1).map(load);
        (self.settled_rows, self.settled_bytes) =
            settled.fold((0, 0), |(rows, bytes), (more, larger)| (rows + more, bytes + larger));
    }

    /// Outside a transaction: the log goes on at `file`, with nothing of ours before it. Never goes back.
    pub fn move_to(&mut self, file: FilePosition) {
        if self.position.file.order(&file).is_none_or(std::cmp::Ordering::is_lt) {
            self.moved = true;
            self.position.move_to(file);
            self.place();
        }
    }

    /// A batch without rows at the position where the whole transactions end, for states that change there.
    pub fn empty(&self) -> Batch {
        Batch {
            changes: Compacted::default(),
            end: BatchEnd::Commit(Box::new(self.position.clone())),
            continues: false,
            transactions: 0,
            committed_micros: 0,
        }
    }

    /// Rows and bytes of the open transaction.
    fn open_load(&self) -> (usize, usize) {
        let (rows, bytes) = self.open.last().map_or((0, 0), |run| (run.spans.len(), run.used_bytes()));
        (self.settled_rows + rows, self.settled_bytes + bytes)
    }

    fn close_runs(&mut self) {
        self.settled_rows = 0;
        self.settled_bytes = 0;
        for mut run in self.open.drain(..) {
            self.whole.push(&mut run);
            if self.spare.len() < SPARE_RUNS && run.buffer.capacity() <= SPARE_RUN_BYTES {
                self.spare.push(run);
            }
        }
    }

    /// What may, or must, be taken now. Ask after every [`Self::commit`] and every event's rows.
    pub fn ready(&self) -> Ready {
        let (open_rows, open_bytes) = self.open_load();
        let over = |rows: usize, bytes: usize| rows >= self.limits.rows || bytes >= self.limits.bytes;
        // Also when those transactions selected nothing: their position must leave before a piece may.
        if self.pumped
            || (self.transactions > 0
                && over(self.whole.operations() + open_rows, self.whole.weight_bytes() + open_bytes))
        {
            Ready::Full
        } else if over(open_rows, open_bytes) {
            Ready::Piece
        } else if !self.whole.is_empty() {
            Ready::Rows
        } else if self.has_moved() {
            Ready::Position
        } else {
            Ready::Nothing
        }
    }

    /// A log file starts, or the stream was taken up inside one.
    pub fn begin_file(&mut self, file: &LogFile) {
        if let Some(unplaced) = &mut self.unplaced {
            unplaced.file = Some(file.clone());
            // Worth no batch of its own: nothing is gone on from there.
            self.position.enter_file(&file.file);
            self.place();
            return;
        }
        self.moved |= self.position.file_begun != Some(file.begun) || self.position.file.file != file.file;
        self.position.begin_file(file);
    }

    /// After what a stream taken up by GTIDs may pass over, the place counts.
    fn place(&mut self) {
        if let Some(unplaced) = self.unplaced.take_if(|one| self.position.file.reaches(&one.until))
            && let Some(file) = unplaced.file.filter(|file| file.file == self.position.file.file)
        {
            self.moved = true;
            self.position.begin_file(&file);
        }
    }

    /// Whether a batch would move the durable position. Never while pieces of the open transaction are out: they would be
    /// committed with it.
    fn has_moved(&self) -> bool {
        self.transactions > 0 || (self.moved && !self.pumping)
    }

    /// Where the whole transactions end.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Takes the whole transactions; `None` when no transaction has ended since the last batch.
    pub fn take(&mut self) -> Option<Batch> {
        if !self.has_moved() {
            return None;
        }
        self.moved = false;
        let continues = self.pumped;
        if continues {
            self.pumping = false;
            self.pumped = false;
        }
        Some(Batch {
            changes: std::mem::take(&mut self.whole).finish(),
            end: BatchEnd::Commit(Box::new(self.position.clone())),
            continues,
            // Of a batch that only goes on to another file nothing was committed by now.
            committed_micros: if self.transactions == 0 { 0 } else { self.committed_micros },
            transactions: std::mem::take(&mut self.transactions),
        })
    }

    /// Takes what there is of the open transaction; `None` when that is nothing or whole transactions wait to
    /// be taken first.
    pub fn take_piece(&mut self) -> Option<Batch> {
        if self.open_load().0 == 0 {
            return None;
        }
        self.cut()
    }

    /// As [`Self::take_piece`], also where there is nothing: what comes next is to find the target transaction open.
    pub fn cut(&mut self) -> Option<Batch> {
        if self.transactions > 0 {
            return None;
        }
        self.close_runs();
        let continues = std::mem::replace(&mut self.pumping, true);
        Some(Batch {
            changes: std::mem::take(&mut self.whole).finish(),
            end: BatchEnd::Open,
            continues,
            transactions: 0,
            committed_micros: self.committed_micros,
        })
    }
}

#[cfg(test)]
mod tests;
