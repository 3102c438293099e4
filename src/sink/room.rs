//! How many connections and statements the target lets a task have. Writes nothing.
//!
//! What must never happen here: a task stopped by what cannot be asked; it is then not known, and nothing is said of it.

use super::{Session, SinkError, ddl};
use crate::change::facts::Limit;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// Limits on connections; those of the task itself are not counted as used. Neither a role's nor a database's limit holds for a
/// superuser, and what is reserved for superusers is theirs.
const CONNECTIONS: &str = "\
WITH me AS (SELECT r.oid, r.rolname, r.rolsuper, r.rolconnlimit FROM pg_roles r WHERE r.rolname = current_user), \
 others AS (SELECT a.usename, a.datname FROM pg_stat_activity a \
  WHERE a.datid IS NOT NULL AND coalesce(a.application_name, '') NOT LIKE $1) \
SELECT 'max_connections of the server', current_setting('max_connections')::int8 - CASE WHEN me.rolsuper THEN 0 ELSE \
  (SELECT coalesce(sum(s.setting::int8), 0)::int8 FROM pg_settings s \
   WHERE s.name IN ('superuser_reserved_connections', 'reserved_connections')) END, \
  (SELECT count(*) FROM others) FROM me \
UNION ALL SELECT 'the connection limit of role ' || me.rolname, me.rolconnlimit::int8, \
  (SELECT count(*) FROM others WHERE others.usename = me.rolname) \
  FROM me WHERE me.rolconnlimit >= 0 AND NOT me.rolsuper \
UNION ALL SELECT 'the connection limit of database ' || d.datname, d.datconnlimit::int8, \
  (SELECT count(*) FROM others WHERE others.datname = d.datname) \
  FROM me, pg_database d WHERE d.datname = current_database() AND d.datconnlimit >= 0 AND NOT me.rolsuper";

/// Statements at a time of the role's resource queue (it does not hold for superusers), or transactions of its resource group.
const STATEMENTS: &str = "\
SELECT 'ACTIVE_STATEMENTS of resource queue ' || q.rsqname, q.rsqcountlimit::int8, 0::int8 \
 FROM pg_roles r JOIN pg_resqueue q ON q.oid = r.rolresqueue \
 WHERE r.rolname = current_user AND NOT r.rolsuper AND q.rsqcountlimit >= 0 \
  AND current_setting('gp_resource_manager') = 'queue' \
UNION ALL SELECT 'CONCURRENCY of resource group ' || g.rsgname, c.value::int8, 0::int8 \
 FROM pg_roles r JOIN pg_resgroup g ON g.oid = r.rolresgroup \
 JOIN pg_resgroupcapability c ON c.resgroupid = g.oid AND c.reslimittype = 1 \
 WHERE r.rolname = current_user AND current_setting('gp_resource_manager') LIKE 'group%'";

/// The limits on connections of the session's role.
pub(super) async fn connections(session: &Session, task: &str) -> Vec<Limit> {
    let own = format!("rowferry/{}/%", task.replace(['\\', '%', '_'], "_"));
    ask(session, CONNECTIONS, Some(&own)).await
}

/// The limits on statements at a time, which Greenplum has.
pub(super) async fn statements(session: &Session) -> Vec<Limit> {
    if session.dialect().distributed { ask(session, STATEMENTS, None).await } else { Vec::new() }
}

async fn ask(session: &Session, sql: &str, own: Option<&String>) -> Vec<Limit> {
    let answer = match &own {
        Some(own) => session.client().query_typed(sql, &[(own, Type::TEXT)]).await,
        None => session.client().query_typed(sql, &[]).await,
    };
    let limits = answer.and_then(|rows| rows.iter().map(limit).collect::<Result<Vec<_>, _>>());
    limits.unwrap_or_else(|error| {
        let error = session.error("asking how many connections there may be", error);
        tracing::debug!(%error, "it is not known how many connections or statements the target allows");
        Vec::new()
    })
}

fn limit(row: &Row) -> Result<Limit, tokio_postgres::Error> {
    let [most, used] =
        [row.try_get::<_, i64>(1)?, row.try_get(2)?].map(|number| u64::try_from(number).unwrap_or(0));
    Ok(Limit { name: row.try_get(0)?, most, used })
}

/// Which of these `storage` texts the target refuses, and its words: each is tried on a table that is rolled back.
///
/// # Errors
/// When the connection is lost.
pub async fn refused_storage(
    session: &Session,
    texts: impl Iterator<Item = &str>,
) -> Result<BTreeMap<String, String>, SinkError> {
    let mut refused = BTreeMap::new();
    for text in texts {
        if refused.contains_key(text) {
            continue;
        }
        let with = ddl::render::with_storage(Some(text), session.dialect());
        let sql = format!("BEGIN; CREATE TEMPORARY TABLE rowferry_storage (c integer){with}; ROLLBACK");
        let tried = session.client().batch_execute(&sql).await;
        let Err(error) = tried else { continue };
        let words = error.as_db_error().map(|db| (db.code().code().to_owned(), db.message().to_owned()));
        let Some((state, message)) = words else { return Err(session.error("trying storage", error)) };
        session
            .client()
            .batch_execute("ROLLBACK")
            .await
            .map_err(|error| session.error("trying storage", error))?;
        // Who may not make temporary tables is told of that elsewhere.
        if state != "42501" {
            refused.insert(text.to_owned(), message);
        }
    }
    Ok(refused)
}
