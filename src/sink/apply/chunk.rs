//! A chunk of the first copy on its way into its table.
//!
//! Runs of encoded rows come one after the other. Where the table holds none of the chunk's keys they go through COPY, so
//! that the server works on one run while the next is read; else each goes through staging.
//!
//! What the server refuses is told only where a COPY ends (the client hands nothing on before), and the chunk of a table
//! without a key to cut it by is all of the table: a COPY ends every [`COPY_BYTES`], and the next goes on in the same
//! transaction.
//!
//! What must never happen here: a chunk called written while rows of it are on their way.

use super::statements::{StatementKind, Statements};
use super::{Existing, Strategy, copy, staging};
use crate::change::{EncodedRows, RowLayout};
use crate::sink::{Session, SinkError};
use std::sync::Arc;
use tokio_postgres::Error;

/// Bytes of rows that go through one COPY, more or less: 120 MB of small rows took PostgreSQL 15 as long so as through one.
const COPY_BYTES: usize = 16 << 20;

/// Writes one chunk inside the session's open transaction. Dropped before [`ChunkWriter::finish`], it leaves a
/// session that is of no further use.
pub struct ChunkWriter<'a> {
    pub(super) session: &'a Session,
    pub(super) statements: &'a mut Statements,
    pub(super) strategy: Strategy,
    pub(super) layout: Arc<RowLayout>,
    pub(super) existing: Existing,
    pub(super) copying: Option<copy::Copying>,
    /// Rows and bytes sent through the COPY under way.
    pub(super) sent: Sent,
    /// Rows that went into the table.
    pub(super) written: u64,
}

/// What one COPY has been sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) rows: usize,
    bytes: usize,
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
        if self.existing == Existing::Keep {
            self.written += staging::keep(self.session, self.statements, run, self.strategy).await?;
            return Ok(());
        }
        let copying = match &mut self.copying {
            Some(copying) => copying,
            none => {
                let statement =
                    self.statements.get(self.session, &self.layout, StatementKind::CopyTable).await?;
                let begun = copy::Copying::begin(self.session, &statement).await;
                none.insert(begun.map_err(|error| failed(self.session, &self.layout, error))?)
            }
        };
        let sent = copying.rows(copy::rows_of(run)).await;
        sent.map_err(|error| failed(self.session, &self.layout, error))?;
        self.sent.rows += run.spans.len();
        self.sent.bytes += copy::rows_of(run).map(<[u8]>::len).sum::<usize>();
        if self.sent.bytes < COPY_BYTES { Ok(()) } else { self.end_copy().await }
    }

    /// Waits until the server has taken in what was sent.
    async fn end_copy(&mut self) -> Result<(), SinkError> {
        let Some(copying) = self.copying.take() else { return Ok(()) };
        let written = copying.finish().await.map_err(|error| failed(self.session, &self.layout, error))?;
        copy::complete(self.session, &self.layout.target, std::mem::take(&mut self.sent).rows, written)?;
        self.written += written;
        Ok(())
    }

    /// Waits until the server has taken everything in. Answers with the number of rows that went into the table.
    ///
    /// # Errors
    /// What the server answers, and when it took in fewer rows than were sent.
    pub async fn finish(mut self) -> Result<u64, SinkError> {
        self.end_copy().await?;
        Ok(self.written)
    }
}

fn failed(session: &Session, layout: &RowLayout, error: Error) -> SinkError {
    session.error(&format!("copying into {}", layout.target), error)
}
