//! That a task is paused, or was dropped, over restarts: records that its owner makes and takes away. Each lies in a table that comes with
//! the first of its kind. That a task was dropped stays when all else that is on record of it goes.

use super::{Names, Store, tables};
use crate::change::state::Rest;
use crate::sink::{Session, SinkError};
use tokio_postgres::types::Type;

/// What is to be known of a task before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BeforeRun {
    /// What keeps it from running.
    pub rest: Option<Rest>,
    /// There is a record of what it could not get past.
    pub has_skips: bool,
    /// There may be rows in quarantine.
    pub has_quarantine: bool,
}

/// What keeps a task from running; `None` when it may run.
///
/// # Errors
/// What the server answers.
pub async fn resting(session: &Session, task: &str) -> Result<Option<Rest>, SinkError> {
    Ok(before_run(session, task).await?.rest)
}

/// What is to be known of a task before it runs.
///
/// # Errors
/// What the server answers.
pub(in crate::sink) async fn before_run(session: &Session, task: &str) -> Result<BeforeRun, SinkError> {
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    let (has_skips, has_quarantine) =
        (found.contains_key(&names.skips), found.contains_key(&names.quarantine));
    let mut rest = None;
    if found.contains_key(&names.dropped) {
        rest = since(session, &names.dropped).await?.map(Rest::Dropped);
    }
    if rest.is_none() && found.contains_key(&names.pause) {
        rest = since(session, &names.pause).await?.map(Rest::Paused);
    }
    Ok(BeforeRun { rest, has_skips, has_quarantine })
}

async fn since(session: &Session, table: &str) -> Result<Option<u64>, SinkError> {
    const DOING: &str = "asking whether the task is paused or dropped";
    let failed = |error| session.error(DOING, error);
    let sql = format!("SELECT since FROM {table} ORDER BY since LIMIT 1");
    let rows = session.client().query_typed(&sql, &[]).await.map_err(failed)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let since: i64 = row.try_get(0).map_err(failed)?;
    u64::try_from(since).map(Some).map_err(|_| session.unexpected(DOING, "a time before 1970"))
}

impl Store {
    /// Records what keeps the task from running. Must not run inside a transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn record_rest(&self, session: &Session, rest: Rest) -> Result<(), SinkError> {
        const DOING: &str = "recording that the task is paused or dropped";
        let failed = |error| session.error(DOING, error);
        let (table, since) = match rest {
            Rest::Paused(since) => (&self.names.pause, since),
            Rest::Dropped(since) => (&self.names.dropped, since),
        };
        let storage = if session.dialect().distributed {
            " WITH (appendonly=false) DISTRIBUTED BY (since)"
        } else {
            ""
        };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {table} (since bigint NOT NULL, PRIMARY KEY (since)){storage}"
        );
        session.client().batch_execute(&sql).await.map_err(failed)?;
        let since = i64::try_from(since).map_err(|_| session.unexpected(DOING, "a time out of range"))?;
        let sql = format!("INSERT INTO {table} (since) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM {table})");
        session.client().execute_typed(&sql, &[(&since, Type::INT8)]).await.map_err(failed)?;
        Ok(())
    }

    /// The task is not paused any more. There must be such a record; must not run inside a transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn forget_pause(&self, session: &Session) -> Result<(), SinkError> {
        let deleted = session.client().batch_execute(&format!("DELETE FROM {}", self.names.pause)).await;
        deleted.map_err(|error| session.error("forgetting that the task was paused", error))
    }
}

/// A dropped task may begin anew. There must be such a record.
///
/// # Errors
/// What the server answers.
pub async fn forget_drop(session: &Session, task: &str) -> Result<(), SinkError> {
    let dropped = session.client().batch_execute(&format!("DROP TABLE {}", Names::new(task).dropped)).await;
    dropped.map_err(|error| session.error("forgetting that the task was dropped", error))
}
