//! Which rows of a batch the target does not take for what they hold: found by writing it in pieces, each half as large as the one that
//! failed, inside a savepoint that is rolled back. All of the batch is written, as it would be and in that order, for a row may be refused
//! for want of another.
//!
//! Rows go as arrays, never by COPY: a session is of no use after a COPY that failed. What must never happen here: anything of this
//! left in the transaction; a refusal for another reason than what a row holds taken for one.

use super::plan::{self, Act, Expect, WriteStep};
use super::statements::{StatementKind, Statements};
use super::{Applier, ApplyError, Existing, Mode, Strategy, Way, arrays, pipeline, types};
use crate::change::RowLayout;
use crate::sink::compact::{Compacted, RowRef, TableChanges};
use crate::sink::{Session, SinkError, SinkErrorKind};
use std::sync::Arc;

/// Rows that are tried in one statement at first.
const PIECE_ROWS: usize = 1000;
/// The same in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// A row that is not taken.
#[derive(Debug)]
pub struct UnfitRow {
    /// The table's place in the batch.
    pub table: usize,
    /// The row.
    pub at: RowRef,
    /// What the target says.
    pub error: String,
}

/// How the rows that are looked through were to be written.
#[derive(Clone, Copy)]
pub enum Trial<'a> {
    /// As a chunk of a copy.
    Chunk(Existing),
    /// As a batch.
    Batch(&'a (dyn Fn(&RowLayout) -> Mode + Sync), Way),
}

impl Applier {
    /// The rows of `changes` that the target refuses for what they hold, of the tables that are `kept`; `most` of each table at most.
    /// None where it refuses something else: a delete, or a row of a table that is not kept. Runs inside the session's open transaction
    /// and leaves nothing in it.
    ///
    /// # Errors
    /// What the target answers to anything but such a row. The transaction is lost then.
    pub async fn unfit(
        &mut self,
        session: &Session,
        changes: &Compacted,
        trial: Trial<'_>,
        kept: impl Fn(&RowLayout) -> bool,
        most: usize,
    ) -> Result<Vec<UnfitRow>, SinkError> {
        let mut manners = Vec::with_capacity(changes.tables.len());
        for table in &changes.tables {
            manners.push(match trial {
                Trial::Chunk(_) => (Mode::Exact, Strategy::DeleteCopy),
                Trial::Batch(mode_of, _) => {
                    let mode = mode_of(&table.layout);
                    (mode, self.strategy(session, table, mode).await?)
                }
            });
        }
        let way = match trial {
            Trial::Chunk(_) => Way::Direct,
            Trial::Batch(_, way) => way,
        };
        let mut steps = plan::plan(&changes.tables, &manners, way);
        // As they are done: see `Applier::apply`.
        steps.sort_by_key(|step| !step.at_once());
        let is_writable = |step: &WriteStep<'_>| types::row_arrays(&step.changes.layout).is_some();
        let mut looking = Looking {
            session,
            statements: &mut self.statements,
            most,
            is_whole: steps.iter().all(is_writable),
            found: Vec::new(),
        };
        execute(session, "SAVEPOINT rowferry_probe").await?;
        let mut ends = looking.delete(&steps).await?;
        for step in steps.iter().filter(|step| step.act != Act::Delete && is_writable(step)) {
            if !ends {
                break;
            }
            let kinds: &[StatementKind] = match (trial, manners.get(step.table).map(|manner| manner.1)) {
                (Trial::Chunk(Existing::Fresh), _) => &[StatementKind::InsertArrays],
                (Trial::Chunk(Existing::Keep), _) => &[StatementKind::KeepArrays],
                (_, Some(Strategy::Upsert)) => &[StatementKind::MergeArrays(Expect::Either)],
                // What may be there has been deleted, or is a conflict that is no matter of values.
                (_, Some(Strategy::DeleteCopy)) => &[StatementKind::KeepArrays],
                (_, Some(Strategy::UpdateInsert) | None) => {
                    &[StatementKind::UpdateArrays, StatementKind::KeepArrays]
                }
            };
            ends = looking.write(step, kinds, kept(&step.changes.layout)).await?;
        }
        let Looking { found, .. } = looking;
        execute(session, "ROLLBACK TO SAVEPOINT rowferry_probe; RELEASE SAVEPOINT rowferry_probe").await?;
        Ok(if ends { found } else { Vec::new() })
    }
}

/// A batch being tried. What is asked of it answers with whether it is worth going on.
struct Looking<'a> {
    session: &'a Session,
    statements: &'a mut Statements,
    most: usize,
    /// Every table of it is written.
    is_whole: bool,
    found: Vec<UnfitRow>,
}

impl Looking<'_> {
    async fn delete(&mut self, steps: &[WriteStep<'_>]) -> Result<bool, SinkError> {
        let deletes: Vec<_> = steps.iter().filter(|step| step.act == Act::Delete).collect();
        match pipeline::run(self.session, self.statements, &deletes).await {
            Ok(_) => Ok(true),
            // Other rows hang on one that goes: no row of the batch is to blame.
            Err(ApplyError::Sink(error)) if error.is_of_row_data() => Ok(false),
            Err(ApplyError::Sink(error)) => Err(error),
            Err(conflict @ ApplyError::Conflict { .. }) => {
                Err(self.session.unexpected("looking for rows", conflict.to_string()))
            }
        }
    }

    async fn write(
        &mut self,
        step: &WriteStep<'_>,
        kinds: &[StatementKind],
        kept: bool,
    ) -> Result<bool, SinkError> {
        const FOREIGN_KEY: &str = "23503";
        let rows: Vec<RowRef> = step.refs().collect();
        // The next piece lies at the end.
        let mut pieces = pieces(step.changes, &rows);
        pieces.reverse();
        let mut count = self.found.iter().filter(|row| row.table == step.table).count();
        while let Some(piece) = pieces.pop() {
            if count >= self.most {
                return Ok(true);
            }
            let Some(error) = self.refusal(step.changes, kinds, piece).await? else { continue };
            let is_of_another = matches!(
                &error.kind,
                SinkErrorKind::Server { state, .. } if state == FOREIGN_KEY && !self.is_whole
            );
            if !kept || is_of_another {
                return Ok(false);
            }
            if let [at] = piece {
                self.found.push(UnfitRow { table: step.table, at: *at, error: error.kind.to_string() });
                count += 1;
            } else {
                let (first, second) = piece.split_at(piece.len() / 2);
                pieces.extend([second, first]);
            }
        }
        Ok(true)
    }

    /// Why the target does not take a piece; `None` when it does.
    async fn refusal(
        &mut self,
        changes: &TableChanges,
        kinds: &[StatementKind],
        piece: &[RowRef],
    ) -> Result<Option<SinkError>, SinkError> {
        let layout: &Arc<RowLayout> = &changes.layout;
        let types = types::row_arrays(layout).unwrap_or_default();
        // A row starts with its number of fields.
        let fields = piece.iter().map(|at| changes.row(*at).get(2..).unwrap_or_default());
        let params = arrays::columns(&types, fields)
            .map_err(|_| self.session.unexpected("trying rows", "an encoded row is malformed"))?;
        execute(self.session, "SAVEPOINT rowferry_piece").await?;
        for kind in kinds {
            let statement = self.statements.get(self.session, layout, *kind).await?;
            let Err(error) = self.session.client().execute_raw(&statement, &params).await else { continue };
            let error = self.session.error(&format!("writing to {}", layout.target), error);
            if !error.is_of_row_data() {
                return Err(error);
            }
            execute(self.session, "ROLLBACK TO SAVEPOINT rowferry_piece; RELEASE SAVEPOINT rowferry_piece")
                .await?;
            return Ok(Some(error));
        }
        execute(self.session, "RELEASE SAVEPOINT rowferry_piece").await?;
        Ok(None)
    }
}

/// Rows in pieces that one statement takes.
fn pieces<'r>(changes: &TableChanges, mut rows: &'r [RowRef]) -> Vec<&'r [RowRef]> {
    let mut pieces = Vec::new();
    while !rows.is_empty() {
        let mut bytes = 0;
        let fits = |at: &&RowRef| {
            bytes += changes.row(**at).len();
            bytes <= PIECE_BYTES
        };
        let count = rows.iter().take(PIECE_ROWS).take_while(fits).count().max(1);
        let (piece, rest) = rows.split_at(count);
        pieces.push(piece);
        rows = rest;
    }
    pieces
}

async fn execute(session: &Session, sql: &str) -> Result<(), SinkError> {
    session.client().batch_execute(sql).await.map_err(|error| session.error(sql, error))
}
