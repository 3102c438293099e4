//! That a task is paused, over restarts: a record that its owner makes and takes away. It lies in a table that comes with the first pause.

use super::{Names, Store, tables};
use crate::sink::{Session, SinkError};
use tokio_postgres::types::Type;

/// Since when a task is paused, in seconds since 1970; `None` when it is not.
///
/// # Errors
/// What the server answers.
pub async fn paused(session: &Session, task: &str) -> Result<Option<u64>, SinkError> {
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if found.contains_key(&names.pause) { read(session, &names).await } else { Ok(None) }
}

/// The same; the task must have the table.
pub(super) async fn read(session: &Session, names: &Names) -> Result<Option<u64>, SinkError> {
    const DOING: &str = "asking whether the task is paused";
    let failed = |error| session.error(DOING, error);
    let sql = format!("SELECT since FROM {} ORDER BY since LIMIT 1", names.pause);
    let rows = session.client().query_typed(&sql, &[]).await.map_err(failed)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let since: i64 = row.try_get(0).map_err(failed)?;
    u64::try_from(since).map(Some).map_err(|_| session.unexpected(DOING, "a time before 1970"))
}

impl Store {
    /// Records that the task is paused. Must not run inside a transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn record_pause(&self, session: &Session, since: u64) -> Result<(), SinkError> {
        const DOING: &str = "recording that the task is paused";
        let failed = |error| session.error(DOING, error);
        let table = &self.names.pause;
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
