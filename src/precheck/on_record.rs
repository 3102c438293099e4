//! Tables on record: what somebody did to one of them while nobody looked is no reason to stop the others.
//!
//! What must never happen here: a failing item that is about more than tables taken for one that is not.

use super::{Item, Report, Resuming};
use crate::change::TableName;
use crate::transform::{TableMapping, TransformError};
use std::collections::BTreeMap;

/// Said of a table, but about what the config makes of several.
const OF_CONFIG: &str = "target.shared";

/// The tables on record that the failing items are about, each with those. None where one is about anything else, which is to be mended
/// first, and none where no table would be left to go on: what is mended then has cost no copy.
pub fn refused<'a>(
    resuming: Option<&Resuming>,
    mappings: &'a [(TableName, Result<TableMapping, TransformError>)],
    report: &'a Report,
) -> BTreeMap<&'a TableName, Vec<&'a Item>> {
    let is_known = |table: &TableName| resuming.is_some_and(|resuming| resuming.tables.contains(table));
    let mut refused: BTreeMap<&TableName, Vec<&Item>> = BTreeMap::new();
    for item in report.failures() {
        let is_about = |table: &TableName, mapping: &Result<TableMapping, TransformError>| {
            item.subject == table.to_string()
                || mapping.as_ref().is_ok_and(|mapping| item.subject == mapping.target.name.to_string())
        };
        let about: Vec<&TableName> = mappings
            .iter()
            .filter(|(table, mapping)| is_about(table, mapping))
            .map(|(table, _)| table)
            .collect();
        if item.code == OF_CONFIG || about.is_empty() || !about.iter().all(|table| is_known(table)) {
            return BTreeMap::new();
        }
        for table in about {
            refused.entry(table).or_default().push(item);
        }
    }
    let goes_on = mappings.iter().any(|(table, _)| is_known(table) && !refused.contains_key(table));
    if goes_on { refused } else { BTreeMap::new() }
}
