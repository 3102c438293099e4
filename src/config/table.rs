//! The options of a table's section.

use super::section::{Problems, Section};
use super::types::{BadRows, DDL_POLICIES, DdlPolicy, Distributed, TableOptions};
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// The choices of `bad_rows`.
pub(super) const BAD_ROWS: [(&str, BadRows); 2] =
    [("park", BadRows::Park), ("quarantine", BadRows::Quarantine)];

/// What is left of a table's section once its target is known.
pub(super) fn finish(
    mut section: Section,
    target: Option<String>,
    source_column: Option<String>,
    problems: &mut Problems,
) -> TableOptions {
    let distributed_by = section.take("distributed_by").and_then(|value| {
        let distributed = match &value {
            Value::String(word) if word == "replicated" => Some(Distributed::Replicated),
            Value::Array(items) => {
                let names: Option<Vec<_>> =
                    items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                let good = |names: &Vec<_>| {
                    !names.is_empty() && names.iter().collect::<BTreeSet<_>>().len() == names.len()
                };
                names.filter(good).map(Distributed::By)
            }
            _ => None,
        };
        if distributed.is_none() {
            problems.add(
                section.key("distributed_by"),
                Some(&value.to_string()),
                "must be a list of columns, each once, or \"replicated\"",
                "write e.g. [\"id\"], or leave it out for the primary key",
            );
        }
        distributed
    });
    let options = TableOptions {
        target,
        columns: section.string_map("columns", problems),
        exclude_columns: section.strings("exclude_columns", problems).unwrap_or_default(),
        primary_key: section.strings("primary_key", problems),
        distributed_by,
        types: section.string_map("types", problems),
        source_column,
        storage: section.string("storage", problems),
        ddl_policy: ddl_policy(section.table("ddl_policy", problems), problems),
        bad_rows: section.choice("bad_rows", &BAD_ROWS, problems),
    };
    section.finish(problems);
    options
}

/// Whether what a statement does can be passed over, or be done at the target.
fn passes(kind: &str, policy: DdlPolicy) -> bool {
    match kind {
        "drop_column" | "truncate_table" => true,
        "drop_table" | "drop_database" | "rename_table" => policy == DdlPolicy::Apply,
        _ => false,
    }
}

/// Policies by what a statement does.
pub(super) fn ddl_policy(section: Option<Section>, problems: &mut Problems) -> BTreeMap<String, DdlPolicy> {
    let mut policies = BTreeMap::new();
    let Some(mut section) = section else { return policies };
    let choices = [
        ("recopy", DdlPolicy::Recopy),
        ("park", DdlPolicy::Park),
        ("stop", DdlPolicy::Stop),
        ("ignore", DdlPolicy::Ignore),
        ("apply", DdlPolicy::Apply),
    ];
    for name in DDL_POLICIES {
        match section.choice(name, &choices, problems) {
            Some(policy @ (DdlPolicy::Ignore | DdlPolicy::Apply)) if !passes(name, policy) => problems.add(
                section.key(name),
                None,
                "it cannot be passed over or done at the target: the log does not tell what it did to the rows",
                "use \"recopy\", \"park\" or \"stop\"",
            ),
            Some(policy) => {
                policies.insert(name.to_owned(), policy);
            }
            None => {}
        }
    }
    section.finish(problems);
    policies
}
