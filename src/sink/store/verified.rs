//! What the comparisons of source and target have found, for who looks at it after restarts.
//!
//! It lies in a table that comes with the first comparison and goes with the task; what is written there decides nothing but which table
//! is compared next.
//!
//! What must never happen here: an error about this that stops a task.

use super::{Names, tables};
use crate::change::TableName;
use crate::change::status::Verified;
use crate::change::verdict::Outcome;
use crate::sink::{Session, SinkError};
use std::collections::BTreeMap;
use tokio_postgres::types::Type;

/// What is on record by source table, as [`TableName`] prints it.
pub type AllVerified = BTreeMap<String, Verified>;

/// Records what the comparison of a table has come to, in the place of what was on record of it. Must not run inside a transaction.
///
/// # Errors
/// What the server answers.
pub async fn record_verified(
    session: &Session,
    task: &str,
    table: &TableName,
    verified: &Verified,
) -> Result<(), SinkError> {
    const DOING: &str = "recording a comparison";
    let failed = |error| session.error(DOING, error);
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if !found.contains_key(&names.position) {
        return Ok(());
    }
    let into = &names.verified;
    if !found.contains_key(into) {
        let storage = if session.dialect().distributed {
            " WITH (appendonly=false) DISTRIBUTED BY (source_database, source_table)"
        } else {
            ""
        };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {into} (source_database text NOT NULL, source_table text NOT NULL, \
             number bigint NOT NULL, verified_at bigint NOT NULL, outcome text NOT NULL, compared_rows bigint NOT NULL, \
             differences bigint NOT NULL, undecided bigint NOT NULL, differences_ever bigint NOT NULL, \
             repaired_ever bigint NOT NULL, place text, PRIMARY KEY (source_database, source_table, number)){storage}"
        );
        session.client().batch_execute(&sql).await.map_err(failed)?;
    }
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let numbers = [
        verified.at,
        verified.rows,
        verified.differences,
        verified.undecided,
        verified.differences_ever,
        verified.repaired_ever,
    ];
    let [at, rows, differences, undecided, differences_ever, repaired_ever] = numbers.map(number);
    let outcome = verified.outcome.word();
    let insert = format!(
        "INSERT INTO {into} (source_database, source_table, number, verified_at, outcome, compared_rows, differences, undecided, \
         differences_ever, repaired_ever, place) SELECT $1, $2, coalesce((SELECT max(number) FROM {into} \
         WHERE source_database = $1 AND source_table = $2), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10"
    );
    let client = session.client();
    client
        .execute_typed(
            &insert,
            &[
                (&table.database, Type::TEXT),
                (&table.table, Type::TEXT),
                (&at, Type::INT8),
                (&outcome, Type::TEXT),
                (&rows, Type::INT8),
                (&differences, Type::INT8),
                (&undecided, Type::INT8),
                (&differences_ever, Type::INT8),
                (&repaired_ever, Type::INT8),
                (&verified.position, Type::TEXT),
            ],
        )
        .await
        .map_err(failed)?;
    // The earlier ones: should this not come to be, the latest is still what counts.
    let delete = format!(
        "DELETE FROM {into} WHERE source_database = $1 AND source_table = $2 AND number < (SELECT max(number) FROM {into} \
         WHERE source_database = $1 AND source_table = $2)"
    );
    client
        .execute_typed(&delete, &[(&table.database, Type::TEXT), (&table.table, Type::TEXT)])
        .await
        .map_err(failed)?;
    Ok(())
}

/// Vacuums these records where nothing else does it; there must be some. Must not run inside a transaction.
///
/// # Errors
/// What the server answers.
pub async fn vacuum_verified(session: &Session, task: &str) -> Result<(), SinkError> {
    if !session.dialect().distributed {
        return Ok(());
    }
    let names = Names::new(task);
    for table in [names.verified, names.begun] {
        let vacuumed = session.client().batch_execute(&format!("VACUUM {table}")).await;
        vacuumed.map_err(|error| session.error("vacuuming what was compared", error))?;
    }
    Ok(())
}

/// What is on record of comparisons.
///
/// # Errors
/// What the server answers.
pub async fn verified(session: &Session, task: &str) -> Result<AllVerified, SinkError> {
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if found.contains_key(&names.verified) { read(session, &names).await } else { Ok(AllVerified::new()) }
}

/// The same; the task must have the table.
pub(super) async fn read(session: &Session, names: &Names) -> Result<AllVerified, SinkError> {
    const DOING: &str = "reading what was compared";
    let failed = |error| session.error(DOING, error);
    let sql = format!(
        "SELECT source_database, source_table, verified_at, outcome, compared_rows, differences, undecided, differences_ever, \
         repaired_ever, place FROM {} ORDER BY source_database, source_table, number",
        names.verified
    );
    let mut all = AllVerified::new();
    for row in session.client().query_typed(&sql, &[]).await.map_err(failed)? {
        let text = |column: usize| row.try_get::<_, String>(column).map_err(failed);
        let number = |column: usize| -> Result<u64, SinkError> {
            Ok(u64::try_from(row.try_get::<_, i64>(column).map_err(failed)?).unwrap_or(0))
        };
        let outcome = Outcome::of_word(&text(3)?);
        let verified = Verified {
            at: number(2)?,
            outcome: outcome.ok_or_else(|| session.unexpected(DOING, "an outcome of no kind"))?,
            rows: number(4)?,
            differences: number(5)?,
            undecided: number(6)?,
            differences_ever: number(7)?,
            repaired_ever: number(8)?,
            position: row.try_get(9).map_err(failed)?,
        };
        all.insert(TableName { database: text(0)?, table: text(1)? }.to_string(), verified);
    }
    Ok(all)
}
