//! Items about the target.

use super::existing::Existing;
use super::{Report, Subject, Verdict};
use crate::change::TargetName;
use crate::change::facts::TargetKind;
use crate::change::remedy::{AtTarget, Connect, InConfig, Remedy};
use crate::quote::{identifier, toml_key};
use crate::transform::TableMapping;
use std::collections::BTreeMap;

/// The server's settings and privileges.
pub fn server(subject: &Subject<'_>, report: &mut Report) {
    let facts = subject.target;
    let name = format!("target {}", subject.task.target);
    let supported = match facts.kind {
        TargetKind::PostgreSql => facts.version_number >= 120_000,
        // By the PostgreSQL they are built on: 9.4 is Greenplum 6 and AnalyticDB 6.0.
        TargetKind::Greenplum | TargetKind::AnalyticDb => facts.version_number >= 90_400,
    };
    report.require(
        "target.version",
        &name,
        supported,
        format!("the server is {}", facts.version.split(" on ").next().unwrap_or_default()),
        Connect::Supported,
    );
    report.require(
        "target.encoding",
        &name,
        facts.encoding == "UTF8",
        format!("the database's encoding is {}", facts.encoding),
        AtTarget::CreateUtf8Database,
    );
    report.require(
        "target.session",
        &name,
        facts.session_stable,
        if facts.session_stable {
            "sessions keep their locks"
        } else {
            "the connection goes through a pooler that switches sessions between transactions"
        },
        Connect::WithoutPooler,
    );
    state_schema(subject, report, &name);
    schemas(subject, report);
}

/// Where the task keeps its records. Once its tables are there, nothing is made any more.
fn state_schema(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.target;
    let there = facts.schemas.get("rowferry");
    let good = facts.records_made || there.copied().unwrap_or(facts.can_create_schema);
    report.require(
        "target.state_schema",
        name,
        good,
        if good {
            "the state schema \"rowferry\" can be used"
        } else {
            "the user may not create (in) schema \"rowferry\""
        },
        if there.is_some() {
            Remedy::grant(&["USAGE", "CREATE"], "SCHEMA rowferry")
        } else {
            create_in(&facts.database)
        },
    );
}

/// The schemas of the target tables. What they must allow hangs on what is to be made in them: a table that is there, or that
/// the task has made, asks nothing of its schema any more.
fn schemas(subject: &Subject<'_>, report: &mut Report) {
    let facts = subject.target;
    let distributed = facts.kind != TargetKind::PostgreSql;
    let mut schemas: BTreeMap<&String, (&TableMapping, bool)> = BTreeMap::new();
    for mapping in subject.mappings.iter().filter_map(|(_, mapping)| mapping.as_ref().ok()) {
        let followed = subject.resuming.is_some_and(|resuming| resuming.tables.contains(&mapping.source));
        let missing = !followed && !facts.tables.contains_key(&mapping.target.name);
        let (_, makes) = schemas.entry(&mapping.target.name.schema).or_insert((mapping, false));
        *makes |= missing && subject.task.initial_schema;
    }
    for (schema, (mapping, makes)) in schemas {
        if schema.starts_with("pg_") || (distributed && schema.starts_with("gp_")) {
            report.add(
                "target.schema",
                schema,
                Verdict::Fail,
                "the server keeps names with this prefix for schemas of its own",
                Remedy::OtherSchema { database: toml_key(&mapping.source.database) },
            );
            continue;
        }
        let there = facts.schemas.get(schema).copied();
        let (good, why) = match (there, makes) {
            (Some(_), false) | (Some(true), true) => (true, "the schema exists"),
            (Some(false), true) => (false, "the user may not create tables in the schema"),
            (None, true) if facts.can_create_schema => (true, "the schema will be created"),
            (None, true) => (false, "the schema is missing, and the user may not create it"),
            // Said of its tables.
            (None, false) => continue,
        };
        let quoted = identifier(schema);
        let remedy = if there.is_some() {
            Remedy::grant(&["USAGE", "CREATE"], format!("SCHEMA {quoted}"))
        } else {
            Remedy::run(format!("CREATE SCHEMA {quoted} AUTHORIZATION the user"))
                .or(create_in(&facts.database))
        };
        report.require("target.schema", schema, good, why, remedy);
    }
}

fn create_in(database: &str) -> Remedy {
    Remedy::grant(&["CREATE"], format!("DATABASE {}", identifier(database)))
}

/// The target tables.
pub fn tables(subject: &Subject<'_>, report: &mut Report) {
    let mut feeders: BTreeMap<&TargetName, Vec<&TableMapping>> = BTreeMap::new();
    for mapping in subject.mappings.iter().filter_map(|(_, mapping)| mapping.as_ref().ok()) {
        feeders.entry(&mapping.target.name).or_default().push(mapping);
    }
    for (target, mappings) in feeders {
        if mappings.len() > 1 && mappings.iter().any(|mapping| mapping.source_tag.is_none()) {
            let names: Vec<String> = mappings.iter().map(|mapping| mapping.source.to_string()).collect();
            report.add(
                "target.shared",
                target.to_string(),
                Verdict::Fail,
                format!(
                    "{} feed the same table, and equal keys of theirs would overwrite each other",
                    names.join(" and ")
                ),
                InConfig::OneFeeder,
            );
            continue;
        }
        let Some((mapping, others)) = mappings.split_first() else { continue };
        let followed = |mapping: &TableMapping| {
            subject.resuming.is_some_and(|resuming| resuming.tables.contains(&mapping.source))
        };
        for other in others {
            // Of two that are followed one may be ahead by DDL that is still to come for the other.
            if !(followed(mapping) && followed(other)) {
                alike(mapping, other, report);
            }
        }
        let mine = subject
            .resuming
            .is_some_and(|resuming| mappings.iter().any(|mapping| resuming.tables.contains(&mapping.source)));
        match subject.target.tables.get(target) {
            Some(found) => Existing { subject, mapping, others, found, mine }.judge(report),
            None if mine => report.add(
                "target.table",
                target.to_string(),
                Verdict::Fail,
                "the table this task filled is gone",
                AtTarget::Restore.or(Remedy::Resync { table: mapping.source.clone() }),
            ),
            None if subject.task.initial_schema => {
                report.pass("target.table", target.to_string(), "it will be created");
            }
            None => report.add(
                "target.table",
                target.to_string(),
                Verdict::Fail,
                "it is missing, and \"schema\" is not in initial",
                AtTarget::CreateTable.or(InConfig::InitialSchema),
            ),
        }
    }
}

/// Tables that feed one must agree on its columns and key.
fn alike(one: &TableMapping, other: &TableMapping, report: &mut Report) {
    let columns = |mapping: &TableMapping| {
        let described = mapping.target.columns.iter().map(|column| {
            (
                column.name.clone(),
                format!("{}{}", column.data_type, if column.nullable { "" } else { " not null" }),
            )
        });
        described.collect::<BTreeMap<_, _>>()
    };
    let (left, right) = (columns(one), columns(other));
    let differing = left.keys().chain(right.keys()).find(|name| left.get(*name) != right.get(*name));
    let missing = || "missing".to_owned();
    let why = if let Some(name) = differing {
        let of = |side: &BTreeMap<String, String>| side.get(name).cloned().unwrap_or_else(missing);
        format!("column {name} is {} for {} and {} for {}", of(&left), one.source, of(&right), other.source)
    } else if one.target.primary_key != other.target.primary_key {
        let key = |mapping: &TableMapping| mapping.target.primary_key.join(", ");
        format!("its key is ({}) for {} and ({}) for {}", key(one), one.source, key(other), other.source)
    } else {
        return;
    };
    report.add("target.shared", one.target.name.to_string(), Verdict::Fail, why, InConfig::LikeFeeders);
}
