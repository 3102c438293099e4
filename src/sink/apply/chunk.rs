//! A chunk of the first copy on its way into its table.
//!
//! Runs of encoded rows come one after the other. Where the table holds none of the chunk's keys they go through one COPY
//! statement, so that the server works on one run while the next is read; else each goes through staging.
//!
//! What must never happen here: a chunk called written while rows of it are on their way.

use super::statements::{Kind, Statements};
use super::{Existing, Strategy, copy, staging};
use crate::change::{EncodedRows, RowLayout};
use crate::sink::{Session, SinkError};
use std::sync::Arc;
use tokio_postgres::Error;

/// Writes one chunk inside the session's open transaction. Dropped before [`ChunkWriter::finish`], it leaves a
/// session that is of no further use.
pub struct ChunkWriter<'a> {
    pub(super) session: &'a Session,
    pub(super) statements: &'a mut Statements,
    pub(super) strategy: Strategy,
    pub(super) layout: Arc<RowLayout>,
    pub(super) existing: Existing,
    pub(super) copying: Option<copy::Copying>,
    pub(super) sent: usize,
    pub(super) kept: u64,
}

impl ChunkWriter<'_> {
    /// Writes a run of the chunk's rows, which are in the chunk's layout.
    ///
    /// # Errors
    /// What the server answers, of this run or of one before.
    pub async fn write(&mut self, run: &EncodedRows) -> Result<(), SinkError> {
        if run.layout != self.layout {
            return Err(self.session.unexpected("copying a chunk", "rows of another layout"));
        }
        self.sent += run.spans.len();
        if self.existing == Existing::Keep {
            self.kept += staging::keep(self.session, self.statements, run, self.strategy).await?;
            return Ok(());
        }
        let copying = match &mut self.copying {
            Some(copying) => copying,
            none => {
                let statement = self.statements.get(self.session, &self.layout, Kind::CopyTable).await?;
                let begun = copy::Copying::begin(self.session, &statement).await;
                none.insert(begun.map_err(|error| failed(self.session, &self.layout, error))?)
            }
        };
        copying.rows(copy::rows_of(run)).await.map_err(|error| failed(self.session, &self.layout, error))
    }

    /// Waits until the server has taken everything in. Answers with the number of rows that went into the table.
    ///
    /// # Errors
    /// What the server answers, and when it took in fewer rows than were sent.
    pub async fn finish(self) -> Result<u64, SinkError> {
        let Some(copying) = self.copying else { return Ok(self.kept) };
        let written = copying.finish().await.map_err(|error| failed(self.session, &self.layout, error))?;
        copy::complete(self.session, &self.layout.target, self.sent, written)?;
        Ok(written)
    }
}

fn failed(session: &Session, layout: &RowLayout, error: Error) -> SinkError {
    session.error(&format!("copying into {}", layout.target), error)
}
