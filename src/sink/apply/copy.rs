//! COPY binary into a table (PostgreSQL docs, COPY, "Binary Format").
//!
//! An error inside COPY surfaces when it is finished; after it the connection is of no use
//! (rust-postgres issue 789).

use super::ApplyError;
use super::plan::{Expect, Step};
use super::statements::{Kind, Statements};
use crate::change::{EncodedRows, TargetName};
use crate::sink::{Session, SinkError};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use std::pin::pin;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;

/// Bytes sent as one message: few enough to stay in cache, many enough that messages do not count.
const MESSAGE_BYTES: usize = 512 << 10;

/// Signature, flags, length of the header's extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Sends rows through a COPY statement. Answers with the number of rows that the server says went in.
pub(super) async fn send<'a>(
    session: &Session,
    statement: &Statement,
    rows: impl Iterator<Item = &'a [u8]>,
) -> Result<u64, tokio_postgres::Error> {
    let mut sink = pin!(session.client().copy_in::<_, Bytes>(statement).await?);
    let mut buffer = BytesMut::with_capacity(MESSAGE_BYTES);
    buffer.put_slice(HEADER);
    for row in rows {
        if buffer.len() + row.len() > MESSAGE_BYTES && !buffer.is_empty() {
            sink.feed(buffer.split().freeze()).await?;
            buffer.reserve(MESSAGE_BYTES.max(row.len()));
        }
        buffer.put_slice(row);
    }
    buffer.put_i16(-1);
    sink.feed(buffer.freeze()).await?;
    sink.finish().await
}

/// Does a [`super::plan::Act::Copy`].
pub(super) async fn step(
    session: &Session,
    statements: &mut Statements,
    step: &Step<'_>,
) -> Result<(), ApplyError> {
    let target = step.changes.target();
    let statement = statements.get(session, &step.changes.layout, Kind::CopyTable).await?;
    match send(session, &statement, step.rows()).await {
        Ok(count) => Ok(complete(session, target, step.len(), count)?),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) && step.expect == Expect::Absent => {
            let words = error.as_db_error().and_then(|db| db.detail().or(Some(db.message())));
            Err(ApplyError::Conflict { table: target.clone(), message: words.unwrap_or_default().to_owned() })
        }
        Err(error) => Err(session.error(&format!("copying into {target}"), error).into()),
    }
}

/// Copies a run of snapshot rows into a table that holds none of their keys.
pub(super) async fn chunk(
    session: &Session,
    statements: &mut Statements,
    run: &EncodedRows,
) -> Result<u64, SinkError> {
    let target = &run.layout.target;
    let statement = statements.get(session, &run.layout, Kind::CopyTable).await?;
    let count = send(session, &statement, rows_of(run))
        .await
        .map_err(|error| session.error(&format!("copying into {target}"), error))?;
    complete(session, target, run.spans.len(), count)?;
    Ok(count)
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
    Err(SinkError::Table {
        endpoint: session.label().to_owned(),
        table: target.to_string(),
        why: format!("of {sent} rows copied it took in {count}"),
        remedy: "drop the triggers and rules of the target table".into(),
    })
}
