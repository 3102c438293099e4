//! What a task counts and tells, over restarts: rows that were not as the stream implied, and statements that it passed over because they
//! reach none of its tables.
//!
//! It lies in a table that comes with the first count and goes with the task. Counts are added; now and then their sums take their place.
//! They decide nothing.

use super::{Names, Store};
use crate::change::TargetName;
use crate::sink::{Session, SinkError};
use std::collections::BTreeMap;
use tokio_postgres::types::Type;

/// Rows of a target table that were not as the stream implied.
const DRIFT: &str = "drift";
/// Statements that were passed over.
const PASSED: &str = "passed";

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements that were passed over.
    pub passed: u64,
    /// By target table: rows that were not as the stream implied, and the last of them that was named.
    pub drift: BTreeMap<TargetName, (u64, Option<String>)>,
}

impl Store {
    /// Adds rows of a target table that were not as the stream implied, in the open transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn add_drift(
        &self,
        session: &Session,
        target: &TargetName,
        rows: u64,
        example: Option<&str>,
    ) -> Result<(), SinkError> {
        self.add(session, DRIFT, (&target.schema, &target.table), rows, example).await
    }

    /// Adds statements that were passed over.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn add_passed(&self, session: &Session, statements: u64) -> Result<(), SinkError> {
        self.add(session, PASSED, ("", ""), statements, None).await
    }

    async fn add(
        &self,
        session: &Session,
        kind: &str,
        (schema, table): (&str, &str),
        count: u64,
        example: Option<&str>,
    ) -> Result<(), SinkError> {
        const DOING: &str = "recording counts";
        let failed = |error| session.error(DOING, error);
        let (client, into) = (session.client(), &self.names.counts);
        let storage = if session.dialect().distributed {
            " WITH (appendonly=false) DISTRIBUTED BY (kind, target_schema, target_table)"
        } else {
            ""
        };
        let make = format!(
            "CREATE TABLE IF NOT EXISTS {into} (kind text NOT NULL, target_schema text NOT NULL, target_table text NOT NULL, \
             number bigint NOT NULL, counted bigint NOT NULL, example text){storage}"
        );
        client.batch_execute(&make).await.map_err(failed)?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let insert = format!(
            "INSERT INTO {into} (kind, target_schema, target_table, number, counted, example) SELECT $1, $2, $3, \
             coalesce((SELECT max(number) FROM {into} WHERE kind = $1 AND target_schema = $2 AND target_table = $3), 0) + 1, $4, $5"
        );
        client
            .execute_typed(
                &insert,
                &[
                    (&kind, Type::TEXT),
                    (&schema, Type::TEXT),
                    (&table, Type::TEXT),
                    (&count, Type::INT8),
                    (&example, Type::TEXT),
                ],
            )
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Puts sums in the place of counts, in the open transaction; the task must have the table.
    ///
    /// # Errors
    /// What the server answers.
    pub(super) async fn sum_counts(&self, session: &Session) -> Result<(), SinkError> {
        let table = &self.names.counts;
        let sql = format!(
            "INSERT INTO {table} (kind, target_schema, target_table, number, counted, example) \
             SELECT kind, target_schema, target_table, max(number) + 1, sum(counted)::bigint, \
             (array_agg(example ORDER BY number DESC))[1] FROM {table} GROUP BY kind, target_schema, target_table \
             HAVING count(*) > 1; \
             DELETE FROM {table} USING (SELECT kind AS k, target_schema AS s, target_table AS t, max(number) AS n FROM {table} \
             GROUP BY kind, target_schema, target_table) latest WHERE kind = latest.k AND target_schema = latest.s \
             AND target_table = latest.t AND number < latest.n"
        );
        session.client().batch_execute(&sql).await.map_err(|error| session.error("summing counts", error))
    }
}

/// What is on record of that; the task must have the table.
pub(super) async fn read(session: &Session, names: &Names) -> Result<Counts, SinkError> {
    const DOING: &str = "reading counts";
    let failed = |error| session.error(DOING, error);
    let sql = format!(
        "SELECT kind, target_schema, target_table, counted, example FROM {} ORDER BY number",
        names.counts
    );
    let mut counts = Counts::default();
    for row in session.client().query_typed(&sql, &[]).await.map_err(failed)? {
        let kind: String = row.try_get(0).map_err(failed)?;
        let counted: i64 = row.try_get(3).map_err(failed)?;
        let counted = u64::try_from(counted).map_err(|_| session.unexpected(DOING, "a negative count"))?;
        match kind.as_str() {
            PASSED => counts.passed = counts.passed.saturating_add(counted),
            DRIFT => {
                let schema = row.try_get(1).map_err(failed)?;
                let target = TargetName { schema, table: row.try_get(2).map_err(failed)? };
                let (rows, example) = counts.drift.entry(target).or_default();
                *rows = rows.saturating_add(counted);
                *example = row.try_get::<_, Option<String>>(4).map_err(failed)?.or(example.take());
            }
            _ => return Err(session.unexpected(DOING, "a count of no kind")),
        }
    }
    Ok(counts)
}
