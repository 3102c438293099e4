//! Partitioned tables that do not take every row.

/// Partitions below others count too. Rows are spread by hash over all.
const DECLARED: &str = "\
SELECT c.oid FROM pg_class c WHERE c.oid = ANY($1) AND c.relkind = 'p' AND EXISTS (SELECT 1 FROM pg_partition_tree(c.oid) t \
 JOIN pg_partitioned_table p ON p.partrelid = t.relid WHERE p.partstrat <> 'h' AND p.partdefid = 0)";

/// Greenplum 6 has partitions of its own.
const GREENPLUM_6: &str = "\
SELECT p.parrelid FROM pg_partition p WHERE p.parrelid = ANY($1) AND NOT p.paristemplate AND p.parkind <> 'h' \
 AND NOT EXISTS (SELECT 1 FROM pg_partition_rule r WHERE r.paroid = p.oid AND r.parisdefault)";

/// The question which tables have no default partition, where there are partitions.
pub(super) fn question(declared: bool, distributed: bool) -> Option<&'static str> {
    match (declared, distributed) {
        (true, _) => Some(DECLARED),
        (false, true) => Some(GREENPLUM_6),
        (false, false) => None,
    }
}
