//! What a session waits for while it works at one statement, asked by another session.
//!
//! What must never happen here: a wait of its own; what the server does not tell is left out.

use super::{Session, SinkError};
use std::time::Duration;
use tokio_postgres::types::{ToSql, Type};

const DOING: &str = "asking what the applying session waits for";
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// A lock is held in the way where somebody has one on the same thing. (On Greenplum `pg_locks` also shows those of segments,
/// under numbers of processes there.)
const QUESTION: &str = "\
SELECT greatest(extract(epoch FROM clock_timestamp() - a.query_start), 0)::int8, \
 left(regexp_replace(a.query, '\\s+', ' ', 'g'), 60), \
 (SELECT coalesce(w.relation::regclass::text, w.locktype) || ', which process ' || h.pid || ' (application ' \
   || coalesce(nullif(b.application_name, ''), '?') || ', user ' || coalesce(b.usename::text, '?') || ') holds since ' \
   || coalesce(to_char(b.xact_start, 'HH24:MI:SS'), '?') || ': ' || coalesce(left(regexp_replace(b.query, '\\s+', ' ', 'g'), 60), '') \
  FROM pg_locks w JOIN pg_locks h ON h.granted AND h.pid <> w.pid AND h.locktype = w.locktype \
   AND h.database IS NOT DISTINCT FROM w.database AND h.relation IS NOT DISTINCT FROM w.relation \
   AND h.transactionid IS NOT DISTINCT FROM w.transactionid AND h.classid IS NOT DISTINCT FROM w.classid \
   AND h.objid IS NOT DISTINCT FROM w.objid \
  LEFT JOIN pg_stat_activity b ON b.pid = h.pid \
  WHERE w.pid = a.pid AND NOT w.granted ORDER BY b.xact_start LIMIT 1) \
FROM pg_stat_activity a WHERE a.pid = $1 AND a.state = 'active'";

/// A statement that is being worked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUp {
    /// For how long.
    pub seconds: u64,
    /// Its beginning.
    pub statement: String,
    /// The lock it waits for and who holds it, where the server tells.
    pub lock: Option<String>,
}

/// What the server process `pid` works at, asked by `session`; `None` when it is idle, or the server does not say.
///
/// # Errors
/// What the server answers.
pub async fn held_up(session: &Session, pid: i32) -> Result<Option<HeldUp>, SinkError> {
    let values: [(&(dyn ToSql + Sync), Type); 1] = [(&pid, Type::INT4)];
    let asked = session.client().query_typed(QUESTION, &values);
    let Ok(rows) = tokio::time::timeout(PATIENCE, asked).await else { return Ok(None) };
    let failed = |error| session.error(DOING, error);
    let rows = rows.map_err(failed)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let seconds: Option<i64> = row.try_get(0).map_err(failed)?;
    let statement: Option<String> = row.try_get(1).map_err(failed)?;
    Ok(Some(HeldUp {
        seconds: seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0),
        statement: statement.unwrap_or_default(),
        lock: row.try_get(2).map_err(failed)?,
    }))
}

impl std::fmt::Display for HeldUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the target, which works at one statement for {} s ({})", self.seconds, self.statement)?;
        self.lock.as_ref().map_or(Ok(()), |lock| write!(f, "; it waits for the lock of {lock}"))
    }
}
