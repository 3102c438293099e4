//! Which rows of a batch the target does not take for what they hold: found by writing it in pieces, each half as large as the one that
//! failed, inside a savepoint that is rolled back.
//!
//! Rows go as arrays, never by COPY: a session is of no use after a COPY that failed. What must never happen here: anything of this
//! left in the transaction; a refusal for another reason than what a row holds taken for one.

use super::plan::{self, Act};
use super::statements::{StatementKind, Statements};
use super::{Applier, ApplyError, Existing, Mode, Strategy, Way, arrays, pipeline, types};
use crate::change::RowLayout;
use crate::sink::compact::{Compacted, RowRef, TableChanges};
use crate::sink::{Session, SinkError};
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

impl Applier {
    /// The rows of `changes` that the target refuses for what they hold, of the tables that are `kept`; `most` of them at most. Runs
    /// inside the session's open transaction and leaves nothing in it. `existing` tells whether keys may be there.
    ///
    /// # Errors
    /// What the target answers to anything but such a row. The transaction is lost then.
    pub async fn unfit(
        &mut self,
        session: &Session,
        changes: &Compacted,
        existing: Existing,
        kept: impl Fn(&RowLayout) -> bool,
        most: usize,
    ) -> Result<Vec<UnfitRow>, SinkError> {
        let manners = vec![(Mode::Convergent, Strategy::DeleteCopy); changes.tables.len()];
        let mut steps = plan::plan(&changes.tables, &manners, Way::General);
        steps.retain(|step| kept(&step.changes.layout) && types::row_arrays(&step.changes.layout).is_some());
        execute(session, "SAVEPOINT rowferry_probe").await?;
        let deletes: Vec<_> = steps.iter().filter(|step| step.act == Act::Delete).collect();
        if existing == Existing::Keep && !deletes.is_empty() {
            match pipeline::run(session, &mut self.statements, &deletes).await {
                Ok(_) => {}
                Err(ApplyError::Sink(error)) => return Err(error),
                Err(conflict @ ApplyError::Conflict { .. }) => {
                    return Err(session.unexpected("looking for rows", conflict.to_string()));
                }
            }
        }
        let mut found = Vec::new();
        for step in steps.iter().filter(|step| step.act == Act::Copy) {
            let rows: Vec<RowRef> = step.refs().collect();
            let mut probe =
                Probe { session, statements: &mut self.statements, table: step.table, changes: step.changes };
            probe.all(&rows, most, &mut found).await?;
        }
        execute(session, "ROLLBACK TO SAVEPOINT rowferry_probe; RELEASE SAVEPOINT rowferry_probe").await?;
        Ok(found)
    }
}

/// One table being tried.
struct Probe<'a> {
    session: &'a Session,
    statements: &'a mut Statements,
    table: usize,
    changes: &'a TableChanges,
}

impl Probe<'_> {
    async fn all(
        &mut self,
        rows: &[RowRef],
        most: usize,
        found: &mut Vec<UnfitRow>,
    ) -> Result<(), SinkError> {
        // The next piece lies at the end.
        let mut pieces = pieces(self.changes, rows);
        pieces.reverse();
        while let Some(piece) = pieces.pop() {
            if found.len() >= most {
                return Ok(());
            }
            let Some(error) = self.refusal(piece).await? else { continue };
            if let [at] = piece {
                found.push(UnfitRow { table: self.table, at: *at, error: error.kind.to_string() });
            } else {
                let (first, second) = piece.split_at(piece.len() / 2);
                pieces.extend([second, first]);
            }
        }
        Ok(())
    }

    /// Why the target does not take a piece; `None` when it does.
    async fn refusal(&mut self, piece: &[RowRef]) -> Result<Option<SinkError>, SinkError> {
        let layout: &Arc<RowLayout> = &self.changes.layout;
        let statement = self.statements.get(self.session, layout, StatementKind::InsertArrays).await?;
        let types = types::row_arrays(layout).unwrap_or_default();
        // A row starts with its number of fields.
        let fields = piece.iter().map(|at| self.changes.row(*at).get(2..).unwrap_or_default());
        let params = arrays::columns(&types, fields)
            .map_err(|_| self.session.unexpected("trying rows", "an encoded row is malformed"))?;
        execute(self.session, "SAVEPOINT rowferry_piece").await?;
        let written = self.session.client().execute_raw(&statement, &params).await;
        let error =
            written.err().map(|error| self.session.error(&format!("writing to {}", layout.target), error));
        match error {
            None => {
                execute(self.session, "RELEASE SAVEPOINT rowferry_piece").await?;
                Ok(None)
            }
            Some(error) if error.is_of_row_data() => {
                execute(
                    self.session,
                    "ROLLBACK TO SAVEPOINT rowferry_piece; RELEASE SAVEPOINT rowferry_piece",
                )
                .await?;
                Ok(Some(error))
            }
            Some(error) => Err(error),
        }
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
