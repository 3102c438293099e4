//! Rows that may exist: written whatever is there, and counted where that is not as expected.

use super::arrays::{ArrayParam, columns};
use super::plan::{Expect, WriteStep};
use super::{ApplyError, Drift, types};
use crate::sink::{Session, SinkError};
use futures_util::TryStreamExt;
use std::pin::pin;
use tokio_postgres::Statement;

/// The step's rows as one array per column.
pub(super) fn params(session: &Session, step: &WriteStep<'_>) -> Result<Vec<ArrayParam>, SinkError> {
    let types = types::row_arrays(&step.changes.layout).unwrap_or_default();
    // A row starts with its number of fields.
    let fields = step.rows().map(|row| row.get(2..).unwrap_or_default());
    columns(&types, fields).map_err(|_| session.unexpected("writing rows", "an encoded row is malformed"))
}

/// Runs a merge. It answers per row with NULL, or with the key's text when the row was unexpectedly (not) there.
pub(super) async fn run(
    session: &Session,
    step: &WriteStep<'_>,
    statement: Statement,
    params: Vec<ArrayParam>,
) -> Result<Drift, ApplyError> {
    let failed = |error| session.error(&format!("writing to {}", step.changes.target()), error);
    let client = session.client();
    let mut drift = Drift::default();
    let (count, what) = match step.expect {
        Expect::Either => {
            client.execute_raw(&statement, &params).await.map_err(failed)?;
            return Ok(drift);
        }
        Expect::Present => (&mut drift.missing, "missing"),
        Expect::Absent => (&mut drift.existing, "existing"),
    };
    let mut rows = pin!(client.query_raw(&statement, &params).await.map_err(failed)?);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        if let Some(key) = row.try_get::<_, Option<&str>>(0).map_err(failed)? {
            *count += 1;
            drift.example.get_or_insert_with(|| format!("{what} {key}"));
        }
    }
    Ok(drift)
}
