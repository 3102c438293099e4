//! New tables of a task that flows already: what keeps one of them from being carried is no reason to stop the others.
//!
//! What must never happen here: a table that flows already taken for a new one, or a new one left out in silence.

use super::{Item, Report, Subject, Verdict};
use crate::change::TableName;
use crate::change::remedy::Restart;
use crate::transform::{TableMapping, TransformError};
use std::collections::{BTreeMap, BTreeSet};

/// Judgements about a server that hang on what is to be copied from it.
const OF_COPIES: [&str; 2] = ["source.xa", "source.log_filter"];

/// The new matches of globs that failing items are about, each with why it cannot be carried. None at a first start: there everything must
/// be as it should.
pub fn refused(subject: &Subject<'_>, report: &Report) -> BTreeMap<TableName, Item> {
    let mut refused = BTreeMap::new();
    let Some(resuming) = subject.resuming.filter(|resuming| !resuming.tables.is_empty()) else {
        return refused;
    };
    // Who has named a table is there to read the error; one that a glob finds may come at night.
    let named = |table: &TableName| subject.task.tables.patterns.contains(&table.to_string());
    let new = subject.mappings.iter().filter(|(table, _)| !resuming.tables.contains(table) && !named(table));
    let new: Vec<_> = new.collect();
    let about = about(new.iter().copied());
    for item in report.failures() {
        for table in about.get(&item.subject).into_iter().flatten() {
            refused.entry((*table).clone()).or_insert_with(|| item.clone());
        }
        if OF_COPIES.contains(&item.code) {
            for (table, _) in &new {
                refused.entry(table.clone()).or_insert_with(|| item.clone());
            }
        }
    }
    refused
}

/// The subjects of items that are about tables, each with those that it is about.
pub fn about<'a>(
    mappings: impl IntoIterator<Item = &'a (TableName, Result<TableMapping, TransformError>)>,
) -> BTreeMap<String, BTreeSet<&'a TableName>> {
    let mut about: BTreeMap<String, BTreeSet<&TableName>> = BTreeMap::new();
    for (table, mapping) in mappings {
        about.entry(table.to_string()).or_default().insert(table);
        if let Ok(mapping) = mapping {
            about.entry(mapping.target.name.to_string()).or_default().insert(table);
            about.entry(mapping.target.name.schema.clone()).or_default().insert(table);
        }
    }
    about
}

/// Says of each table that is left out why.
pub fn tell(left_out: &BTreeMap<TableName, Item>, report: &mut Report) {
    for (table, item) in left_out {
        report.add(
            "source.not_carried",
            table.to_string(),
            Verdict::Warn,
            format!("it is new, and not carried: {}", item.why),
            match &item.remedy {
                Some(remedy) => remedy.clone().also(Restart::Daemon),
                None => Restart::Daemon.into(),
            },
        );
    }
}
