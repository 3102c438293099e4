//! What was asked of tasks: by whom, when, what, and what has become of it.
//!
//! It lies in one table for all tasks of a database, `rowferry.audit`, which comes with the first entry and outlives the tasks. Entries are
//! added and never changed; what they say decides nothing, and who no longer wants them may delete them.
//!
//! What must never happen here: an error about this that keeps a command from being done.

use super::tables;
use crate::change::command::{Asked, AskedOutcome};
use crate::sink::ddl::DDL_LOCK;
use crate::sink::{Session, SinkError};
use tokio_postgres::types::{ToSql, Type};

/// Adds an entry; false where there is no schema `rowferry` to hold it. Must not run inside a transaction.
///
/// # Errors
/// What the server answers.
pub async fn record_asked(session: &Session, asked: &Asked) -> Result<bool, SinkError> {
    const DOING: &str = "recording what was asked";
    let failed = |error| session.error(DOING, error);
    let (client, table) = (session.client(), tables::audit());
    let Some(found) = tables::existing(session).await? else { return Ok(false) };
    if !found.contains_key(&table) {
        let storage =
            if session.dialect().distributed { " WITH (appendonly=false) DISTRIBUTED BY (task)" } else { "" };
        let make = format!(
            "BEGIN; SELECT pg_advisory_xact_lock({DDL_LOCK}); CREATE TABLE IF NOT EXISTS {table} (asked_at bigint NOT NULL, \
             task text NOT NULL, asker text NOT NULL, command text NOT NULL, outcome text NOT NULL, said text NOT NULL, \
             recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()){storage}; COMMIT"
        );
        client.batch_execute(&make).await.map_err(failed)?;
    }
    let at = i64::try_from(asked.at).map_err(|_| session.unexpected(DOING, "a time out of range"))?;
    let insert = format!(
        "INSERT INTO {table} (asked_at, task, asker, command, outcome, said) VALUES ($1, $2, $3, $4, $5, $6)"
    );
    let outcome = asked.outcome.word();
    let values: [(&(dyn ToSql + Sync), Type); 6] = [
        (&at, Type::INT8),
        (&asked.task, Type::TEXT),
        (&asked.asker, Type::TEXT),
        (&asked.command, Type::TEXT),
        (&outcome, Type::TEXT),
        (&asked.said, Type::TEXT),
    ];
    client.execute_typed(&insert, &values).await.map_err(failed)?;
    Ok(true)
}

/// The last entries about a task, the latest at the end; none where nothing was ever asked.
///
/// # Errors
/// What the server answers.
pub async fn asked(session: &Session, task: &str, last: u32) -> Result<Vec<Asked>, SinkError> {
    const DOING: &str = "reading what was asked";
    let failed = |error| session.error(DOING, error);
    let found = tables::existing(session).await?.unwrap_or_default();
    let table = tables::audit();
    if !found.contains_key(&table) {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT asked_at, task, asker, command, outcome, said FROM {table} WHERE task = $1 ORDER BY recorded_at DESC LIMIT $2"
    );
    let last = i64::from(last);
    let rows = session.client().query_typed(&sql, &[(&task, Type::TEXT), (&last, Type::INT8)]).await;
    let mut all = Vec::new();
    for row in rows.map_err(failed)?.iter().rev() {
        let text = |column: usize| row.try_get::<_, String>(column).map_err(failed);
        let at: i64 = row.try_get(0).map_err(failed)?;
        let outcome = AskedOutcome::of(&text(4)?);
        all.push(Asked {
            at: u64::try_from(at).map_err(|_| session.unexpected(DOING, "a time before 1970"))?,
            task: text(1)?,
            asker: text(2)?,
            command: text(3)?,
            outcome: outcome.ok_or_else(|| session.unexpected(DOING, "an outcome of no kind"))?,
            said: text(5)?,
        });
    }
    Ok(all)
}
