//! The options of a table's section.

use super::section::{Problems, Section};
use super::types::{Distributed, TableOptions};
use std::collections::BTreeSet;
use toml::Value;

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
        ddl_policy: super::task::ddl_policy(section.table("ddl_policy", problems), problems),
    };
    section.finish(problems);
    options
}
