//! Foreign keys through which rows change that the source does not log: which are followed, and why others cannot be.
//!
//! What must never happen here: a key that cannot be followed passed without the user's word for it.

use super::{Report, Subject, Verdict};
use crate::change::TableName;
use crate::change::policy::{BadRows, DdlPolicy};
use crate::change::remedy::{AtSource, InConfig, Remedy};
use crate::config::{ExistingTables, TaskConfig};
use crate::schema::{ForeignKey, Table};
use crate::transform::TableMapping;
use crate::transform::cascade::{self, KeyRules, KeyTable};
use std::collections::BTreeMap;

const CODE: &str = "source.cascades";

/// What the config of a task says about the foreign keys of a table.
pub fn rules(task: &TaskConfig, table: &TableName) -> KeyRules {
    let options = task.options(table);
    let bad_rows = options.and_then(|options| options.bad_rows).unwrap_or(task.bad_rows);
    let truncate = options.and_then(|options| options.ddl_policy.get("truncate_table")).copied();
    let truncate = truncate.unwrap_or_else(|| task.ddl_policy_or_default("truncate_table"));
    KeyRules {
        operations: task.operations,
        zero_dates: task.zero_dates,
        nul_bytes: task.nul_bytes,
        foreign_rows: task.existing_tables == ExistingTables::Ignore || truncate == DdlPolicy::Ignore,
        quarantines: bad_rows == BadRows::Quarantine,
    }
}

/// A key that cannot be followed.
struct Refused<'a> {
    table: &'a TableName,
    key: &'a ForeignKey,
    why: String,
}

impl Refused<'_> {
    fn name(&self) -> String {
        cascade::name(self.table, self.key)
    }
}

/// Those of all tables, or of those that do not flow yet.
fn refused<'a>(subject: &Subject<'a>, all: bool) -> Vec<Refused<'a>> {
    let names = subject.source.names();
    let mappings: BTreeMap<TableName, &TableMapping> = subject
        .mappings
        .iter()
        .filter_map(|(name, mapping)| Some((names.folded(name), mapping.as_ref().ok()?)))
        .collect();
    let definitions: BTreeMap<TableName, &Table> =
        subject.definitions.iter().map(|table| (names.folded(&table.name), table)).collect();
    let one = |name: &TableName| {
        let name = names.folded(name);
        let (table, mapping) = (*definitions.get(&name)?, *mappings.get(&name)?);
        Some(KeyTable { table, mapping, rules: rules(subject.task, &table.name) })
    };
    let mut refused = Vec::new();
    for table in subject.definitions {
        // What became of one that flows comes through the stream. What is wrong with another one is said of that.
        let flows = subject.resuming.is_some_and(|resuming| resuming.tables.contains(&table.name));
        let Some(child) = one(&table.name).filter(|_| all || !flows) else { continue };
        for key in &table.foreign_keys {
            if let Err(why) = cascade::follow(child, key, one(&key.parent)) {
                refused.push(Refused { table: &table.name, key, why });
            }
        }
    }
    refused
}

/// Judges all keys at once.
pub fn judge(subject: &Subject<'_>, report: &mut Report) {
    idle(subject, report);
    if !subject.source.cascades().silent {
        return;
    }
    let accepted = &subject.task.accept_cascades;
    let refused = refused(subject, false);
    let (known, open): (Vec<_>, Vec<_>) =
        refused.into_iter().partition(|one| cascade::accepts(accepted, &one.name()));
    let source = format!("source {}", subject.task.source);
    let told = |some: &[&Refused<'_>]| {
        let each: Vec<String> = some.iter().map(|one| format!("{}: {}", one.name(), one.why)).collect();
        each.join("; ")
    };
    if !known.is_empty() {
        report.add(
            CODE,
            &source,
            Verdict::Warn,
            format!(
                "the server does not log what these foreign keys do, and the target does not follow, as accept_cascades says: {}",
                told(&known.iter().collect::<Vec<_>>())
            ),
            AtSource::RemoveCascades,
        );
    }
    let mut items: BTreeMap<String, Vec<&Refused<'_>>> = BTreeMap::new();
    for one in &open {
        // One thing to mend for the user, but where each table has its own fate.
        let together = subject.resuming.is_none() && !subject.beside;
        let about = if together { source.clone() } else { one.table.to_string() };
        items.entry(about).or_default().push(one);
    }
    // A list that holds only some of them would replace the one before it.
    let mut list = accepted.clone();
    for one in &open {
        let name = cascade::escaped(&one.name());
        if !list.contains(&name) {
            list.push(name);
        }
    }
    for (about, some) in items {
        let select =
            some.iter().any(|one| !subject.definitions.iter().any(|table| table.name == one.key.parent));
        let accept = Remedy::AcceptCascades { cascades: list.clone(), look_up: false };
        let remedy = AtSource::RemoveCascades.or(accept);
        report.add(
            CODE,
            about,
            Verdict::Fail,
            format!(
                "the server does not log what foreign keys with cascades do, and these the target cannot follow exactly: {}",
                told(&some)
            ),
            if select { InConfig::SelectParents.or(remedy) } else { remedy },
        );
    }
}

/// What is not followed although the server does not log it, in words.
pub fn not_followed(subject: &Subject<'_>) -> Vec<String> {
    if !subject.source.cascades().silent {
        return Vec::new();
    }
    refused(subject, true).iter().map(|one| format!("{}: {}", one.name(), one.why)).collect()
}

/// Words of `accept_cascades` that name no key.
fn idle(subject: &Subject<'_>, report: &mut Report) {
    for accepted in &subject.task.accept_cascades {
        let names = |table: &Table| {
            let mut keys = table.foreign_keys.iter();
            keys.any(|key| cascade::accepts(std::slice::from_ref(accepted), &cascade::name(&table.name, key)))
        };
        if !subject.definitions.iter().any(names) {
            report.add(
                CODE,
                format!("task {}", subject.task.name),
                Verdict::Warn,
                format!("accept_cascades names {accepted}, and no selected table has such a foreign key with a cascade"),
                InConfig::CascadeName,
            );
        }
    }
}
