//! Tables on record: what is wrong with one of them at a restart is no reason to stop the others.
//!
//! What must never happen here: a failing item that is about more than tables taken for one that is not; a table given up that one statement
//! would mend.

use super::{IN_FLIGHT, Item, Report};
use crate::change::TableName;
use crate::transform::{TableMapping, TransformError};
use std::collections::{BTreeMap, BTreeSet};

/// What a copy mends of tables that flow. Whatever else is wrong with these, such as a right that is missing, is better mended before the task
/// goes on: nothing has to be copied again then.
const OF_TABLES: [&str; 3] = ["target.table", "target.column", "target.primary_key"];

/// What a statement of the source may bring about of a table that has begun before.
const OF_BEGUN: [&str; 3] = ["target.shared", "target.column", "target.primary_key"];

/// Tables that have begun before and have no rows yet.
#[derive(Debug)]
pub struct Begun<'a> {
    /// All of them.
    pub before: &'a BTreeSet<TableName>,
    /// Those whose target table was taken out again: one of its name is somebody else's, and no copy would replace it.
    pub taken_out: &'a BTreeSet<TableName>,
}

/// The tables that failing items are about, each with those: of tables that flow what a copy mends, and of those that have begun before and
/// have no rows yet what a statement of the source may bring about. None where an item is about anything else, which is to be mended first,
/// and none where no table would be left to go on: what is mended then has cost no copy.
pub fn refused<'a>(
    flowing: &BTreeSet<TableName>,
    begun: &Begun<'_>,
    mappings: &'a [(TableName, Result<TableMapping, TransformError>)],
    report: &'a Report,
) -> BTreeMap<&'a TableName, Vec<&'a Item>> {
    let mut refused: BTreeMap<&TableName, Vec<&Item>> = BTreeMap::new();
    // What passes by itself is waited for after that.
    for item in report.failures().filter(|item| item.code != IN_FLIGHT) {
        let is_fed = |mapping: &TableMapping| item.subject == mapping.target.name.to_string();
        let feeds = mappings.iter().filter(|(_, mapping)| mapping.as_ref().is_ok_and(is_fed));
        let about: Vec<&TableName> = feeds.map(|(table, _)| table).collect();
        let has_begun = |table: &&&TableName| match item.code {
            "target.exists" => begun.taken_out.contains(**table),
            code => OF_BEGUN.contains(&code) && begun.before.contains(**table),
        };
        let begun: Vec<&TableName> = about.iter().filter(has_begun).copied().collect();
        let is_of_flowing = OF_TABLES.contains(&item.code)
            && !about.is_empty()
            && about.iter().all(|table| flowing.contains(*table));
        // What tables that flow share with one that has not begun was good without that.
        let chosen = match begun.is_empty() {
            false => begun,
            true if is_of_flowing => about,
            true => return BTreeMap::new(),
        };
        for table in chosen {
            refused.entry(table).or_default().push(item);
        }
    }
    let goes_on = mappings.iter().any(|(table, _)| flowing.contains(table) && !refused.contains_key(table));
    if goes_on { refused } else { BTreeMap::new() }
}
