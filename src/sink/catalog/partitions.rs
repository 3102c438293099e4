//! Partitioned tables that do not take every row.

use super::{DOING, Entry};
use crate::sink::{Session, SinkError};
use std::collections::BTreeMap;
use tokio_postgres::types::Type;

/// Partitions below others count too. Rows are spread by hash over all.
const DECLARED: &str = "\
SELECT c.oid FROM pg_class c WHERE c.oid = ANY($1) AND c.relkind = 'p' AND EXISTS (SELECT 1 FROM pg_partition_tree(c.oid) t \
 JOIN pg_partitioned_table p ON p.partrelid = t.relid WHERE p.partstrat <> 'h' AND p.partdefid = 0)";

/// Greenplum 6 has partitions of its own.
const GREENPLUM_6: &str = "\
SELECT p.parrelid FROM pg_partition p WHERE p.parrelid = ANY($1) AND NOT p.paristemplate AND p.parkind <> 'h' \
 AND NOT EXISTS (SELECT 1 FROM pg_partition_rule r WHERE r.paroid = p.oid AND r.parisdefault)";

/// Notes which of the tables have no default partition.
pub(super) async fn partitions(
    session: &Session,
    oids: &Vec<u32>,
    entries: &mut BTreeMap<u32, Entry>,
) -> Result<(), SinkError> {
    let declared = session.dialect().version_number >= 120_000;
    if oids.is_empty() || !(declared || session.dialect().distributed) {
        return Ok(());
    }
    let sql = if declared { DECLARED } else { GREENPLUM_6 };
    let failed = |error| session.error(DOING, error);
    let rows = session.client().query_typed(sql, &[(oids, Type::OID_ARRAY)]).await.map_err(failed)?;
    for row in &rows {
        let oid: u32 = row.try_get(0).map_err(failed)?;
        if let Some(entry) = entries.get_mut(&oid) {
            entry.found.without_default_partition = true;
        }
    }
    Ok(())
}
