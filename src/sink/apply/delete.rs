//! Deleting keys, and finding out which of them were (not) there.

use super::arrays::{ArrayParam, RawValue, columns};
use super::plan::{Expect, WriteStep};
use super::statements::StatementKind;
use super::{Applier, ApplyError, Drift, statements, types};
use crate::change::RowLayout;
use crate::sink::{Session, SinkError};
use futures_util::TryStreamExt;
use std::pin::pin;
use std::sync::Arc;
use tokio_postgres::Statement;
use tokio_postgres::types::Type;

/// The step's keys as one array per key column.
pub(super) fn params(session: &Session, step: &WriteStep<'_>) -> Result<Vec<ArrayParam>, SinkError> {
    let types = types::key_arrays(&step.changes.layout).unwrap_or_default();
    columns(&types, step.keys())
        .map_err(|_| session.unexpected("deleting rows", "an encoded key is malformed"))
}

/// Deletes the keys in `params` and compares what was found with what the step expects.
pub(super) async fn run(
    session: &Session,
    step: &WriteStep<'_>,
    statement: Statement,
    params: Vec<ArrayParam>,
) -> Result<Drift, ApplyError> {
    let doing = || format!("deleting from {}", step.changes.target());
    let failed = |error| session.error(&doing(), error);
    let client = session.client();
    if step.expect == Expect::Either {
        client.execute_raw(&statement, &params).await.map_err(failed)?;
        return Ok(Drift::default());
    }
    let types = types::key_arrays(&step.changes.layout).unwrap_or_default();
    let mut found: Vec<ArrayParam> = types.iter().map(|(element, _)| ArrayParam::new(element)).collect();
    let mut count = 0_usize;
    let mut rows = pin!(client.query_raw(&statement, &params).await.map_err(failed)?);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        count += 1;
        for (column, array) in found.iter_mut().enumerate() {
            let RawValue(value) = row.try_get(column).map_err(failed)?;
            array
                .push_value(value)
                .map_err(|_| session.unexpected(&doing(), "a key is longer than an array can hold"))?;
        }
    }
    let mut drift = Drift::default();
    if step.expect == Expect::Present {
        drift.missing = u64::try_from(step.len().saturating_sub(count)).unwrap_or(u64::MAX);
    } else {
        drift.existing = u64::try_from(count).unwrap_or(u64::MAX);
    }
    if drift.missing > 0 {
        let sql = statements::lacking_key(&step.changes.layout);
        let params: Vec<&ArrayParam> = params.iter().chain(&found).collect();
        drift.example =
            printed(session, &sql, &types, &params).await?.map(|key: String| format!("missing {key}"));
    } else if drift.existing > 0 {
        let sql = statements::any_key(&step.changes.layout);
        let params: Vec<&ArrayParam> = found.iter().collect();
        drift.example =
            printed(session, &sql, &types, &params).await?.map(|key: String| format!("existing {key}"));
    }
    Ok(drift)
}

impl Applier {
    /// Deletes keys in the session's open transaction, whether they are there or not.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn delete_keys(
        &mut self,
        session: &Session,
        layout: &Arc<RowLayout>,
        keys: impl Iterator<Item = &'_ [u8]>,
    ) -> Result<(), SinkError> {
        let statement = self.statements.get(session, layout, StatementKind::Delete(Expect::Either)).await?;
        let types = types::key_arrays(layout).unwrap_or_default();
        let params = columns(&types, keys)
            .map_err(|_| session.unexpected("deleting rows", "an encoded key is malformed"))?;
        let deleted = session.client().execute_raw(&statement, &params).await;
        deleted.map_err(|error| session.error(&format!("deleting from {}", layout.target), error))?;
        Ok(())
    }
}

/// Has the server print one of the keys in `params`, which hold the key columns' types once or twice over.
pub(super) async fn printed(
    session: &Session,
    sql: &str,
    types: &[(Type, Type)],
    params: &[&ArrayParam],
) -> Result<Option<String>, SinkError> {
    let failed = |error| session.error("printing a key", error);
    let arrays: Vec<Type> = types.iter().cycle().take(params.len()).map(|(_, array)| array.clone()).collect();
    let statement = session.client().prepare_typed(sql, &arrays).await.map_err(failed)?;
    let mut rows =
        pin!(session.client().query_raw(&statement, params.iter().copied()).await.map_err(failed)?);
    let mut text = None;
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        text = Some(row.try_get(0).map_err(failed)?);
    }
    Ok(text)
}
