//! Gathers [`TargetFacts`] for the precheck. Writes nothing.

use super::{Session, SinkError, catalog, pooler, room, store};
use crate::change::TargetName;
use crate::change::facts::TargetFacts;
use crate::config::types::TargetEndpoint;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Row;

const DOING: &str = "gathering facts about the target";

const DATABASE: &str = "\
SELECT pg_encoding_to_char(d.encoding)::text, has_database_privilege(d.oid, 'CREATE') \
FROM pg_database d WHERE d.datname = current_database()";

const SCHEMAS: &str = "\
SELECT n.nspname::text, has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE') \
FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Asks the target everything the precheck of `task` wants to know about it and the `wanted` tables, of which those in
/// `counted` are asked for rows too. A second, short session tells whether this one has a server process of its own.
pub async fn facts(
    endpoint: &TargetEndpoint,
    session: &Session,
    task: &str,
    wanted: &[TargetName],
    counted: &BTreeSet<TargetName>,
) -> Result<TargetFacts, SinkError> {
    let client = session.client();
    let failed = |error| session.error(DOING, error);
    // Sent together, the first questions of each.
    let (rows, found, tables, records_made, connections, statements) = tokio::join!(
        client.query_typed(DATABASE, &[]),
        client.query_typed(SCHEMAS, &[]),
        catalog::tables(session, wanted, counted),
        store::is_made(session, task),
        room::connections(session, task),
        room::statements(session)
    );
    let rows = rows.map_err(failed)?;
    let row = rows.first().ok_or_else(|| session.unexpected(DOING, "the database is not in pg_database"))?;
    let (encoding, can_create_schema) = pair::<String>(row).map_err(failed)?;
    let mut schemas = BTreeMap::new();
    for row in &found.map_err(failed)? {
        let (name, usable) = pair::<String>(row).map_err(failed)?;
        schemas.insert(name, usable);
    }
    let dialect = session.dialect();
    Ok(TargetFacts {
        kind: dialect.kind,
        version: dialect.version.clone(),
        version_number: dialect.version_number,
        encoding,
        database: endpoint.database.clone(),
        records_made: records_made?,
        can_create_schema,
        schemas,
        tables: tables?,
        session_stable: pooler::is_own(endpoint, session).await?,
        on_conflict: dialect.on_conflict,
        copy_on_conflict: dialect.copy_on_conflict,
        postgis: dialect.geometry.is_some(),
        connections,
        statements,
        refused_storage: BTreeMap::new(),
    })
}

fn pair<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row) -> Result<(T, bool), tokio_postgres::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}
