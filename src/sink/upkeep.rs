//! Upkeep of target tables: sizes, ANALYZE and VACUUM, each outside of any transaction of ours.
//!
//! On Greenplum both take a lock that deletes of the same table wait for (seen on 6.24: ShareUpdateExclusive against the
//! Exclusive of UPDATE and DELETE), COPY does not. What must never happen here: a queue behind a lock that is not had,
//! for writers would queue behind it; [`open`] bounds the wait.

use super::{Session, SinkError};
use crate::change::TargetName;
use crate::config::types::TargetEndpoint;
use crate::quote::qualified;
use std::collections::BTreeMap;
use tokio_postgres::types::Type;

/// What a table takes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes with indexes and long values, of all segments.
    pub bytes: u64,
    /// Rows, as ANALYZE or VACUUM last estimated them.
    pub rows: u64,
}

/// A session that waits only seconds for a lock.
pub async fn open(endpoint: &TargetEndpoint, application_name: &str) -> Result<Session, SinkError> {
    Session::connect_with(endpoint, application_name, &[("lock_timeout", "5s")]).await
}

/// The sizes of those tables that exist. A partitioned table's own size is nothing.
pub async fn sizes(
    session: &Session,
    tables: &[TargetName],
) -> Result<BTreeMap<TargetName, Size>, SinkError> {
    const SIZES: &str = "\
        SELECT n.nspname::text, c.relname::text, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::int8 \
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') \
        AND (n.nspname::text, c.relname::text) IN (SELECT u.s, u.t FROM unnest($1::text[], $2::text[]) AS u(s, t))";
    let failed = |error| session.error("measuring tables", error);
    let schemas: Vec<&str> = tables.iter().map(|name| name.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|name| name.table.as_str()).collect();
    let rows = session
        .client()
        .query_typed(SIZES, &[(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)])
        .await
        .map_err(failed)?;
    let mut sizes = BTreeMap::new();
    for row in &rows {
        let name =
            TargetName { schema: row.try_get(0).map_err(failed)?, table: row.try_get(1).map_err(failed)? };
        // NULL for a table that went away in between.
        let bytes: Option<i64> = row.try_get(2).map_err(failed)?;
        let rows: i64 = row.try_get(3).map_err(failed)?;
        let [bytes, rows] = [bytes.unwrap_or(0), rows].map(|number| u64::try_from(number).unwrap_or(0));
        sizes.insert(name, Size { bytes, rows });
    }
    Ok(sizes)
}

/// Whether the user may ANALYZE and VACUUM a table: who may not is only warned, and both do nothing.
pub async fn is_allowed(session: &Session, table: &TargetName) -> Result<bool, SinkError> {
    let maintain = if session.dialect().version_number >= 170_000 {
        " OR has_table_privilege(c.oid, 'MAINTAIN')"
    } else {
        ""
    };
    let sql = format!(
        "SELECT pg_has_role(c.relowner, 'USAGE') OR (SELECT pg_has_role(d.datdba, 'USAGE') FROM pg_database d \
         WHERE d.datname = current_database()){maintain} FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname::text = $1 AND c.relname::text = $2"
    );
    let failed = |error| session.error("asking who owns a table", error);
    let (schema, name) = (&table.schema, &table.table);
    let rows = session.client().query_typed(&sql, &[(schema, Type::TEXT), (name, Type::TEXT)]).await;
    let rows = rows.map_err(failed)?;
    rows.first().map_or(Ok(false), |row| row.try_get(0).map_err(failed))
}

/// `ANALYZE`.
pub async fn analyze(session: &Session, table: &TargetName) -> Result<(), SinkError> {
    run(session, "ANALYZE", table).await
}

/// `VACUUM`.
pub async fn vacuum(session: &Session, table: &TargetName) -> Result<(), SinkError> {
    run(session, "VACUUM", table).await
}

async fn run(session: &Session, what: &str, table: &TargetName) -> Result<(), SinkError> {
    let sql = format!("{what} {}", qualified(table));
    session
        .client()
        .batch_execute(&sql)
        .await
        .map_err(|error| session.error(&format!("{what} {table}"), error))
}
