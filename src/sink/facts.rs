//! Gathers [`TargetFacts`] for the precheck. Reads only: the one thing taken, an advisory lock, is given back.

use super::{Session, SinkError, catalog};
use crate::change::TargetName;
use crate::change::facts::TargetFacts;
use crate::config::types::TargetEndpoint;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

const DOING: &str = "gathering facts about the target";

const DATABASE: &str = "\
SELECT pg_encoding_to_char(d.encoding)::text, has_database_privilege(d.oid, 'CREATE') \
FROM pg_database d WHERE d.datname = current_database()";

const SCHEMAS: &str = "\
SELECT n.nspname::text, has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE') \
FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Asks the target everything the precheck wants to know about it and the `wanted` tables. A second, short
/// session tells whether this one is its own (see [`stable`]).
pub async fn facts(
    endpoint: &TargetEndpoint,
    session: &Session,
    wanted: &[TargetName],
) -> Result<TargetFacts, SinkError> {
    let client = session.client();
    let failed = |error| session.error(DOING, error);
    let rows = client.query_typed(DATABASE, &[]).await.map_err(failed)?;
    let row = rows.first().ok_or_else(|| session.unexpected(DOING, "the database is not in pg_database"))?;
    let (encoding, can_create_schema) = pair::<String>(row).map_err(failed)?;
    let mut schemas = BTreeMap::new();
    for row in &client.query_typed(SCHEMAS, &[]).await.map_err(failed)? {
        let (name, usable) = pair::<String>(row).map_err(failed)?;
        schemas.insert(name, usable);
    }
    let dialect = session.dialect();
    Ok(TargetFacts {
        kind: dialect.kind,
        version: dialect.version.clone(),
        version_number: dialect.version_number,
        encoding,
        can_create_schema,
        schemas,
        tables: catalog::tables(session, wanted).await?,
        session_stable: stable(endpoint, session).await?,
        on_conflict: dialect.on_conflict,
        postgis: dialect.geometry.is_some(),
    })
}

fn pair<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row) -> Result<(T, bool), tokio_postgres::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Whether every statement of `session` runs on one server process of its own. A pooler that shares processes
/// between transactions gives the idle process of `session` to a second client that asks, or moves `session` to
/// another one while that client holds a transaction open; either shows. The advisory lock shows one that resets
/// its processes in between.
async fn stable(endpoint: &TargetEndpoint, session: &Session) -> Result<bool, SinkError> {
    // Any number will do: it is held for milliseconds and by this process alone.
    let key = i64::from(session.backend_pid()) << 20 | 0x5f_e12;
    let taken: bool = ask(session, "SELECT pg_catalog.pg_try_advisory_lock($1)", Some(key)).await?;
    let second = Session::connect(endpoint, "rowferry/facts").await?;
    second.client().batch_execute("BEGIN").await.map_err(|error| second.error(DOING, error))?;
    let other: i32 = ask(&second, "SELECT pg_catalog.pg_backend_pid()", None).await?;
    let again: i32 = ask(session, "SELECT pg_catalog.pg_backend_pid()", None).await?;
    second.client().batch_execute("ROLLBACK").await.map_err(|error| second.error(DOING, error))?;
    let released: bool = ask(session, "SELECT pg_catalog.pg_advisory_unlock($1)", Some(key)).await?;
    Ok(taken && released && again == session.backend_pid() && other != again)
}

async fn ask<T: tokio_postgres::types::FromSqlOwned>(
    session: &Session,
    sql: &str,
    key: Option<i64>,
) -> Result<T, SinkError> {
    let rows = match &key {
        Some(key) => session.client().query_typed(sql, &[(key, Type::INT8)]).await,
        None => session.client().query_typed(sql, &[]).await,
    };
    let rows = rows.map_err(|error| session.error(DOING, error))?;
    let row = rows.first().ok_or_else(|| session.unexpected(DOING, "no row came back"))?;
    row.try_get(0).map_err(|error| session.error(DOING, error))
}
