//! Partition operations of ALTER TABLE: their clauses, and what REORGANIZE declares.

use super::clause::Clause;
use super::cursor::{Cursor, Unreadable};

/// Partition operations of a statement of their own, but REORGANIZE, by their words.
const STEPS: &[(&[&str], Clause)] = &[
    (&["COALESCE", "PARTITION"], Clause::CoalescePartition),
    (&["REBUILD", "PARTITION"], Clause::RebuildPartition),
    (&["ANALYZE", "PARTITION"], Clause::AnalyzePartition),
    (&["CHECK", "PARTITION"], Clause::CheckPartition),
    (&["OPTIMIZE", "PARTITION"], Clause::OptimizePartition),
    (&["REPAIR", "PARTITION"], Clause::RepairPartition),
    (&["PARTITION", "BY"], Clause::PartitionBy),
    (&["REMOVE", "PARTITIONING"], Clause::RemovePartitioning),
    (&["UPGRADE", "PARTITIONING"], Clause::UpgradePartitioning),
    (&["SECONDARY_LOAD"], Clause::Secondary),
    (&["SECONDARY_UNLOAD"], Clause::Secondary),
    (&["TRUNCATE", "PARTITION"], Clause::TruncatePartition),
    (&["DISCARD", "PARTITION"], Clause::DiscardTablespace),
    (&["IMPORT", "PARTITION"], Clause::ImportTablespace),
    (&["DISCARD", "TABLESPACE"], Clause::DiscardTablespace),
    (&["IMPORT", "TABLESPACE"], Clause::ImportTablespace),
];

/// Takes the words of a partition operation, if one comes next.
pub(super) fn partition_operation(cursor: &mut Cursor<'_, '_>) -> Result<Option<Clause>, Unreadable> {
    if cursor.words(&["REORGANIZE", "PARTITION"]) {
        return Ok(Some(Clause::ReorganizePartition { takes_all: takes_all(*cursor)? }));
    }
    Ok(STEPS.iter().find(|(words, _)| cursor.words(words)).map(|(_, clause)| clause.clone()))
}

/// Whether each value has a place in the partitions that REORGANIZE declares, after its words: ranges up to MAXVALUE, or none
/// declared (HASH, KEY).
fn takes_all(mut cursor: Cursor<'_, '_>) -> Result<bool, Unreadable> {
    while !cursor.word("INTO") {
        if cursor.next().is_none() {
            return Ok(true);
        }
    }
    let mut partitions = cursor.group_reader()?;
    let mut unbounded = false;
    while !partitions.at_end() {
        partitions.need_word("PARTITION")?;
        partitions.name()?;
        if !partitions.words(&["VALUES", "LESS", "THAN"]) {
            return Ok(false);
        }
        unbounded = partitions.word("MAXVALUE");
        if !unbounded && partitions.at_symbol('(') {
            let mut bounds = partitions.group_reader()?;
            unbounded = !bounds.at_end();
            while !bounds.at_end() {
                unbounded &= bounds.word("MAXVALUE");
                bounds.skip_clause()?;
                bounds.symbol(',');
            }
        }
        // What a bound in parentheses left, options and subpartitions.
        partitions.skip_clause()?;
        partitions.symbol(',');
    }
    Ok(unbounded)
}
