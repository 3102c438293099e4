//! COPY binary into a table (PostgreSQL docs, COPY, "Binary Format").
//!
//! An error inside COPY surfaces when it is finished; after it the connection is of no use
//! (rust-postgres issue 789).

use super::ApplyError;
use super::plan::{Expect, WriteStep};
use super::statements::{StatementKind, Statements};
use crate::change::remedy::AtTarget;
use crate::change::{EncodedRows, TargetName};
use crate::sink::{Session, SinkError, SinkErrorKind};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use std::pin::Pin;
use tokio_postgres::error::SqlState;
use tokio_postgres::{CopyInSink, Error, Statement};

/// Bytes sent as one message: the server takes each in whole before it reads a row of it, and a buffer of twice this size
/// is still one that its allocator keeps at hand.
const MESSAGE_BYTES: usize = 60 << 10;

/// Signature, flags, length of the header's extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A COPY under way. Dropped before [`Copying::finish`] it fails at the server.
pub(super) struct Copying {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    buffer: BytesMut,
}

impl Copying {
    /// Executes a COPY statement.
    pub(super) async fn begin(session: &Session, statement: &Statement) -> Result<Self, Error> {
        let sink = Box::pin(session.client().copy_in(statement).await?);
        let mut buffer = BytesMut::with_capacity(MESSAGE_BYTES);
        buffer.put_slice(HEADER);
        Ok(Self { sink, buffer })
    }

    /// Sends rows; the last of them may stay behind until more come.
    pub(super) async fn rows<'a>(&mut self, rows: impl Iterator<Item = &'a [u8]>) -> Result<(), Error> {
        for row in rows {
            if self.buffer.len() + row.len() > MESSAGE_BYTES && !self.buffer.is_empty() {
                self.sink.feed(self.buffer.split().freeze()).await?;
                self.buffer.reserve(MESSAGE_BYTES.max(row.len()));
            }
            self.buffer.put_slice(row);
        }
        Ok(())
    }

    /// Ends the statement. Answers with the number of rows that the server says went in.
    pub(super) async fn finish(mut self) -> Result<u64, Error> {
        self.buffer.put_i16(-1);
        self.sink.feed(self.buffer.freeze()).await?;
        self.sink.as_mut().finish().await
    }
}

/// Sends rows through a COPY statement. Answers with the number of rows that the server says went in.
pub(super) async fn send<'a>(
    session: &Session,
    statement: &Statement,
    rows: impl Iterator<Item = &'a [u8]>,
) -> Result<u64, Error> {
    let mut copying = Copying::begin(session, statement).await?;
    copying.rows(rows).await?;
    copying.finish().await
}

/// Does a [`super::plan::Act::Copy`].
pub(super) async fn step(
    session: &Session,
    statements: &mut Statements,
    step: &WriteStep<'_>,
) -> Result<(), ApplyError> {
    let target = step.changes.target();
    let statement = statements.get(session, &step.changes.layout, StatementKind::CopyTable).await?;
    match send(session, &statement, step.rows()).await {
        Ok(count) => Ok(complete(session, target, step.len(), count)?),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) && step.expect == Expect::Absent => {
            let words = error.as_db_error().and_then(|db| db.detail().or(Some(db.message())));
            Err(ApplyError::Conflict { table: target.clone(), message: words.unwrap_or_default().to_owned() })
        }
        Err(error) => Err(session.error(&format!("copying into {target}"), error).into()),
    }
}

/// The rows of a run.
pub(super) fn rows_of(run: &EncodedRows) -> impl Iterator<Item = &[u8]> {
    run.spans.iter().map(|span| &run.buffer[span.row.clone()])
}

/// Everything sent must have gone in: a trigger can drop rows in silence.
pub(super) fn complete(
    session: &Session,
    target: &TargetName,
    sent: usize,
    count: u64,
) -> Result<(), SinkError> {
    if usize::try_from(count) == Ok(sent) {
        return Ok(());
    }
    Err(SinkErrorKind::Table {
        table: target.to_string(),
        why: format!("of {sent} rows copied it took in {count}"),
        remedy: AtTarget::DropTriggers.into(),
    }
    .at(session.label()))
}
