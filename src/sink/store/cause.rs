//! What stopped a task first since it last kept its tables equal: who looks after restarts sees the cause, and not what follows from it.
//!
//! It lies in a table that comes with the first such record and goes with the task, and is written by whoever found the task stopped: it
//! owns nothing by then, and what it writes decides nothing.
//!
//! What must never happen here: an error about this that stops a task.

use super::{Names, Store, tables};
use crate::change::status::Cause;
use crate::sink::{Session, SinkError};
use tokio_postgres::types::Type;

/// Records what stopped a task, where nothing is on record of that yet; whether there are records of the task at all.
///
/// # Errors
/// What the server answers.
pub async fn record_cause(session: &Session, task: &str, cause: &Cause) -> Result<bool, SinkError> {
    const DOING: &str = "recording what stopped the task";
    let failed = |error| session.error(DOING, error);
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if !found.contains_key(&names.position) {
        return Ok(false);
    }
    let table = &names.cause;
    if !found.contains_key(table) {
        let storage = if session.dialect().distributed {
            " WITH (appendonly=false) DISTRIBUTED BY (since)"
        } else {
            ""
        };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {table} (since bigint NOT NULL, error text NOT NULL, remedy text NOT NULL, \
             recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (since)){storage}"
        );
        session.client().batch_execute(&sql).await.map_err(failed)?;
    }
    let since = i64::try_from(cause.since).map_err(|_| session.unexpected(DOING, "a time out of range"))?;
    let sql = format!(
        "INSERT INTO {table} (since, error, remedy) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM {table})"
    );
    let client = session.client();
    client
        .execute_typed(&sql, &[(&since, Type::INT8), (&cause.error, Type::TEXT), (&cause.remedy, Type::TEXT)])
        .await
        .map_err(failed)?;
    Ok(true)
}

/// What is on record of that. The task must have the table.
pub(super) async fn read(session: &Session, names: &Names) -> Result<Option<Cause>, SinkError> {
    const DOING: &str = "reading what stopped the task";
    let failed = |error| session.error(DOING, error);
    let sql = format!("SELECT since, error, remedy FROM {} ORDER BY since LIMIT 1", names.cause);
    let rows = session.client().query_typed(&sql, &[]).await.map_err(failed)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let since: i64 = row.try_get(0).map_err(failed)?;
    let since = u64::try_from(since).map_err(|_| session.unexpected(DOING, "a time before 1970"))?;
    let (error, remedy) = (row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
    Ok(Some(Cause { error, remedy, since }))
}

impl Store {
    /// The task keeps its tables equal again. There must be such a record; must not run inside a transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn forget_cause(&self, session: &Session) -> Result<(), SinkError> {
        let deleted = session.client().batch_execute(&format!("DELETE FROM {}", self.names.cause)).await;
        deleted.map_err(|error| session.error("forgetting what stopped the task", error))
    }
}
