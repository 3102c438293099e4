//! Items about the target tables of Greenplum and AnalyticDB: how their rows are kept and spread.
//!
//! Both decide silently about exactness: without its distribution key a table loses its primary key, and an
//! append-optimized one never has any.

use super::{Report, Subject, Verdict};
use crate::change::facts::{FoundTable, TargetKind};
use crate::change::remedy::{InConfig, Remedy};
use crate::change::shape::Distribution;
use crate::quote::{identifiers, qualified};
use crate::transform::TableMapping;

/// Tells what the server understands and judges every wanted table, whether it exists or will be made.
pub fn tables(subject: &Subject<'_>, report: &mut Report) {
    let facts = subject.target;
    match facts.kind {
        TargetKind::PostgreSql => return,
        TargetKind::Greenplum | TargetKind::AnalyticDb => {}
    }
    let does = |known: bool| if known { "understands" } else { "does not understand" };
    report.pass("target.apply", format!("target {}", subject.task.target),
        format!(
            "it {} INSERT … ON CONFLICT and {} COPY … DO ON CONFLICT; rows are written by delete and COPY, which needs neither",
            does(facts.on_conflict),
            does(facts.copy_on_conflict)
        ));
    for mapping in subject.mappings.iter().filter_map(|(_, mapping)| mapping.as_ref().ok()) {
        match subject.target.tables.get(&mapping.target.name) {
            Some(found) => existing(mapping, found, report),
            None => wanted(mapping, report),
        }
    }
}

/// Rows of a table that will be made must be able to have a primary key.
fn wanted(mapping: &TableMapping, report: &mut Report) {
    let text = mapping.target.storage.as_deref().unwrap_or_default().to_lowercase();
    let options = text.split(',').filter_map(|option| option.split_once('='));
    let appending = options.map(|(key, value)| (key.trim(), value.trim().trim_matches('\''))).any(
        |(key, value)| match key {
            "appendonly" | "appendoptimized" => !matches!(value, "false" | "off" | "no" | "0"),
            "orientation" => value == "column",
            _ => false,
        },
    );
    if appending {
        report.add(
            "target.storage",
            mapping.target.name.to_string(),
            Verdict::Fail,
            format!("storage = \"{text}\" makes an append-optimized table, which takes no primary key"),
            InConfig::HeapStorage,
        );
    }
}

fn existing(mapping: &TableMapping, found: &FoundTable, report: &mut Report) {
    let name = mapping.target.name.to_string();
    let (quoted, quoted_key) = (qualified(&mapping.target.name), identifiers(&mapping.target.primary_key));
    if found.append_optimized {
        report.add(
            "target.storage",
            &name,
            Verdict::Fail,
            "it is append-optimized: it can have no primary key, and deleted rows stay",
            Remedy::MakeAnew { statement: format!("CREATE TABLE {quoted} (…) WITH (appendonly=false)") },
        );
        return;
    }
    let key = mapping.target.primary_key.join(", ");
    let by = match &found.table.distribution {
        Some(Distribution::By(columns)) => columns,
        Some(Distribution::Replicated) => return differs(mapping, found, report),
        None => {
            report.add(
                "target.distribution",
                &name,
                Verdict::Fail,
                "it has no distribution policy, so it is no table of the segments",
                Remedy::MakeAnew {
                    statement: format!("CREATE TABLE {quoted} (…) DISTRIBUTED BY ({quoted_key})"),
                },
            );
            return;
        }
    };
    let stray = by.iter().find(|column| !mapping.target.primary_key.contains(column));
    let why = match stray {
        None if by.is_empty() => {
            "its rows are distributed randomly, so nothing keeps a key from being there twice".to_owned()
        }
        Some(column) => {
            format!("its distribution key holds {column}, which is not in the primary key ({key})")
        }
        None => return differs(mapping, found, report),
    };
    report.add(
        "target.distribution",
        &name,
        Verdict::Fail,
        why,
        Remedy::Run(vec![
            format!("ALTER TABLE {quoted} SET DISTRIBUTED BY ({quoted_key})"),
            format!("ALTER TABLE {quoted} ADD PRIMARY KEY ({quoted_key}) where that is missing"),
        ]),
    );
}

/// A table that exists keeps its distribution, whatever the config asks for.
fn differs(mapping: &TableMapping, found: &FoundTable, report: &mut Report) {
    let words = |distribution: &Distribution| match distribution {
        Distribution::By(columns) => format!("BY ({})", identifiers(columns)),
        Distribution::Replicated => "REPLICATED".to_owned(),
    };
    if let (Some(wanted), Some(is)) = (&mapping.target.distribution, &found.table.distribution)
        && wanted != is
    {
        report.add(
            "target.distribution",
            mapping.target.name.to_string(),
            Verdict::Warn,
            format!("it is DISTRIBUTED {}, and distributed_by asks for {}", words(is), words(wanted)),
            Remedy::run(format!(
                "ALTER TABLE {} SET DISTRIBUTED {}",
                qualified(&mapping.target.name),
                words(wanted)
            )),
        );
    }
}
