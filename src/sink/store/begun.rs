//! How far comparisons of source and target have come, so that they go on there after a restart.
//!
//! It lies in a table that comes with the first comparison and goes with the task. What is written there decides nothing but where a
//! comparison goes on; where it cannot be read, that begins anew.
//!
//! What must never happen here: an error about this that stops a task.

use super::{Names, tables};
use crate::change::TableName;
use crate::sink::{Session, SinkError};
use std::collections::BTreeMap;
use tokio_postgres::types::{ToSql, Type};

/// A parameter.
type Typed<'a> = (&'a (dyn ToSql + Sync), Type);

const DOING: &str = "recording how far a comparison has come";

/// Records it of a table, in the place of what was on record. Must not run inside a transaction.
///
/// # Errors
/// What the server answers.
pub async fn record_begun(
    session: &Session,
    task: &str,
    table: &TableName,
    begun: &str,
) -> Result<(), SinkError> {
    let failed = |error| session.error(DOING, error);
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if !found.contains_key(&names.position) {
        return Ok(());
    }
    let into = &names.begun;
    if !found.contains_key(into) {
        let storage = if session.dialect().distributed {
            " WITH (appendonly=false) DISTRIBUTED BY (source_database, source_table)"
        } else {
            ""
        };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {into} (source_database text NOT NULL, source_table text NOT NULL, number bigint NOT NULL, \
             begun text NOT NULL, PRIMARY KEY (source_database, source_table, number)){storage}"
        );
        session.client().batch_execute(&sql).await.map_err(failed)?;
    }
    let insert = format!(
        "INSERT INTO {into} (source_database, source_table, number, begun) SELECT $1, $2, coalesce((SELECT max(number) FROM {into} \
         WHERE source_database = $1 AND source_table = $2), 0) + 1, $3"
    );
    let client = session.client();
    let values: [Typed<'_>; 3] =
        [(&table.database, Type::TEXT), (&table.table, Type::TEXT), (&begun, Type::TEXT)];
    client.execute_typed(&insert, &values).await.map_err(failed)?;
    // The earlier ones: should this not come to be, the latest is still what counts.
    let delete = format!(
        "DELETE FROM {into} WHERE source_database = $1 AND source_table = $2 AND number < (SELECT max(number) FROM {into} \
         WHERE source_database = $1 AND source_table = $2)"
    );
    let named: [Typed<'_>; 2] = [(&table.database, Type::TEXT), (&table.table, Type::TEXT)];
    client.execute_typed(&delete, &named).await.map_err(failed)?;
    Ok(())
}

/// Forgets it of a table whose comparison has ended.
///
/// # Errors
/// What the server answers.
pub async fn forget_begun(session: &Session, task: &str, table: &TableName) -> Result<(), SinkError> {
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if !found.contains_key(&names.begun) {
        return Ok(());
    }
    let sql = format!("DELETE FROM {} WHERE source_database = $1 AND source_table = $2", names.begun);
    let named: [Typed<'_>; 2] = [(&table.database, Type::TEXT), (&table.table, Type::TEXT)];
    session.client().execute_typed(&sql, &named).await.map_err(|error| session.error(DOING, error))?;
    Ok(())
}

/// What is on record of it, by source table as [`TableName`] prints it.
///
/// # Errors
/// What the server answers.
pub async fn begun(session: &Session, task: &str) -> Result<BTreeMap<String, String>, SinkError> {
    const READING: &str = "reading how far comparisons have come";
    let failed = |error| session.error(READING, error);
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if !found.contains_key(&names.begun) {
        return Ok(BTreeMap::new());
    }
    let sql = format!("SELECT source_database, source_table, begun FROM {} ORDER BY number", names.begun);
    let rows = session.client().query_typed(&sql, &[]).await.map_err(failed)?;
    rows.iter()
        .map(|row| {
            let text = |column: usize| row.try_get::<_, String>(column).map_err(failed);
            Ok((TableName { database: text(0)?, table: text(1)? }.to_string(), text(2)?))
        })
        .collect()
}
