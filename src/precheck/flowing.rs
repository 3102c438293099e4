//! Tables that flow: what somebody did to one of them while nobody looked is no reason to stop the others.
//!
//! What must never happen here: a failing item that is about more than tables taken for one that is not; a table given up that one statement would mend.

use super::{IN_FLIGHT, Item, Report};
use crate::change::TableName;
use crate::transform::{TableMapping, TransformError};
use std::collections::{BTreeMap, BTreeSet};

/// What a copy mends, and a table that waits for a hand does not lose by. Whatever else is wrong, such as a right that is missing, is better
/// mended before the task goes on: nothing has to be copied again then.
const OF_TABLES: [&str; 3] = ["target.table", "target.column", "target.primary_key"];

/// The tables of `flowing` whose targets failing items are about, each with those. None where one is about anything else, which is to be
/// mended first, and none where no table would be left to go on: what is mended then has cost no copy.
pub fn refused<'a>(
    flowing: &BTreeSet<TableName>,
    mappings: &'a [(TableName, Result<TableMapping, TransformError>)],
    report: &'a Report,
) -> BTreeMap<&'a TableName, Vec<&'a Item>> {
    let mut refused: BTreeMap<&TableName, Vec<&Item>> = BTreeMap::new();
    // What passes by itself is waited for behind that.
    for item in report.failures().filter(|item| item.code != IN_FLIGHT) {
        let is_fed = |mapping: &TableMapping| item.subject == mapping.target.name.to_string();
        let feeds = mappings.iter().filter(|(_, mapping)| mapping.as_ref().is_ok_and(is_fed));
        let about: Vec<&TableName> = feeds.map(|(table, _)| table).collect();
        let all_flow = !about.is_empty() && about.iter().all(|table| flowing.contains(*table));
        if !OF_TABLES.contains(&item.code) || !all_flow {
            return BTreeMap::new();
        }
        for table in about {
            refused.entry(table).or_default().push(item);
        }
    }
    let goes_on = mappings.iter().any(|(table, _)| flowing.contains(table) && !refused.contains_key(table));
    if goes_on { refused } else { BTreeMap::new() }
}
