//! Tells a session with a server process of its own from one behind a pooler that shares processes between
//! transactions: there advisory locks, pins and temporary tables do not hold.

use super::{Session, SinkError};
use crate::config::types::TargetEndpoint;
use tokio_postgres::types::Type;

const DOING: &str = "looking for a pooler";

/// Whether every statement of `session` runs on one server process of its own. A pooler that shares processes
/// between transactions gives the idle process of `session` to a second client that asks, or moves `session` to
/// another one while that client holds a transaction open; either shows. The advisory lock shows one that resets
/// its processes in between.
pub(super) async fn is_own(endpoint: &TargetEndpoint, session: &Session) -> Result<bool, SinkError> {
    // Any number will do: it is held for milliseconds and is of this session alone.
    let key = i64::from(session.backend_pid()) << 20 | 0x5f_e12;
    let taken: bool = ask(session, "SELECT pg_catalog.pg_try_advisory_lock($1)", Some(key)).await?;
    let second = Session::connect(endpoint, "rowferry/pooler").await?;
    // No query in it: on Greenplum that would hold one of the role's places in its resource queue, and ours would wait for it.
    second.client().batch_execute("BEGIN").await.map_err(|error| second.error(DOING, error))?;
    let (again, released) = tokio::try_join!(
        ask::<i32>(session, "SELECT pg_catalog.pg_backend_pid()", None),
        ask::<bool>(session, "SELECT pg_catalog.pg_advisory_unlock($1)", Some(key))
    )?;
    second.client().batch_execute("ROLLBACK").await.map_err(|error| second.error(DOING, error))?;
    Ok(taken && released && again == session.backend_pid())
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
