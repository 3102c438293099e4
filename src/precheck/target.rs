//! Items about the target.

use super::{Report, Subject, Verdict};
use crate::change::facts::{FoundTable, TargetKind};
use crate::change::remedy::copy_table_again;
use crate::change::shape::Distribution;
use crate::change::{TargetColumn, TargetName, TargetType};
use crate::config::ExistingTables;
use crate::sink::quote::identifier;
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
        "use PostgreSQL 12 or later, Greenplum 6 or 7, or AnalyticDB for PostgreSQL 6.0 or 7.0",
    );
    report.require(
        "target.encoding",
        &name,
        facts.encoding == "UTF8",
        format!("the database's encoding is {}", facts.encoding),
        "create the database with ENCODING 'UTF8'",
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
        "connect to the server itself, or to a pooler in session mode",
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
            "GRANT USAGE, CREATE ON SCHEMA rowferry TO the user".to_owned()
        } else {
            format!("GRANT CREATE ON DATABASE {} TO the user", identifier(&facts.database))
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
                format!(
                    "map the database to another schema: schemas = {{ {} = \"…\" }} of the task",
                    toml_key(&mapping.source.database)
                ),
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
            format!("GRANT USAGE, CREATE ON SCHEMA {quoted} TO the user")
        } else {
            let database = identifier(&facts.database);
            format!(
                "CREATE SCHEMA {quoted} AUTHORIZATION the user, or GRANT CREATE ON DATABASE {database} TO the user"
            )
        };
        report.require("target.schema", schema, good, why, remedy);
    }
}

/// A name as a key of the config.
pub(super) fn toml_key(name: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { toml_text(name) }
}

/// A text as the config takes it.
pub(super) fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
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
                "give each a source_column, or targets of their own, or identifier_case = \"preserve\" where only case tells them apart",
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
            Some(found) => existing(subject, report, mapping, others, found, mine),
            None if mine => report.add(
                "target.table",
                target.to_string(),
                Verdict::Fail,
                "the table this task filled is gone",
                format!(
                    "restore it, or {}",
                    copy_table_again(&mapping.source, "drop what is left of its target")
                ),
            ),
            None if subject.task.initial_schema => {
                report.add("target.table", target.to_string(), Verdict::Pass, "it will be created", "");
            }
            None => report.add(
                "target.table",
                target.to_string(),
                Verdict::Fail,
                "it is missing, and \"schema\" is not in initial",
                "create it, or add \"schema\" to initial",
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
    report.add(
        "target.shared",
        one.target.name.to_string(),
        Verdict::Fail,
        why,
        "make them alike (columns, types, exclude_columns, primary_key), or give each a target of its own",
    );
}

fn existing(
    subject: &Subject<'_>,
    report: &mut Report,
    mapping: &TableMapping,
    others: &[&TableMapping],
    found: &FoundTable,
    mine: bool,
) {
    // What another feeder's DDL has made of a column already.
    let made_by_other = |found: &TargetColumn| {
        let columns = others.iter().flat_map(|other| &other.target.columns);
        columns.into_iter().any(|column| column.name == found.name && column.data_type == found.data_type)
    };
    let name = mapping.target.name.to_string();
    let without_copy = !subject.task.initial_data;
    // Who leaves "schema" out of initial has made the tables; that they are there is no accident.
    let made_ready = !subject.task.initial_schema && !found.has_rows;
    // Rows of others are told from this task's own.
    let shared = mapping.source_tag.is_some() && found.fed_by.is_some();
    if subject.task.existing_tables == ExistingTables::Error
        && !(mine || without_copy || made_ready || shared)
    {
        report.add(
            "target.exists",
            &name,
            Verdict::Fail,
            "the table exists already, and existing_tables = \"error\"",
            "drop or rename it, or choose existing_tables = \"clear\" (its rows go) or \"ignore\" (its rows stay)",
        );
        return;
    }
    let mut good = true;
    let mut fail = |code, why: String, remedy: String| {
        good = false;
        report.add(code, &name, Verdict::Fail, why, remedy);
    };
    if !found.writable {
        fail(
            "target.privileges",
            "the user may not write to it".to_owned(),
            format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {name} TO the user, and USAGE on its schema"
            ),
        );
    }
    if !found.active.is_empty() {
        fail(
            "target.active",
            format!("{} would act on replicated rows", found.active.join(", ")),
            "drop them: the source has done their work already".to_owned(),
        );
    }
    if found.unlogged {
        fail(
            "target.unlogged",
            "it is UNLOGGED (or a partition of it is): a crash of the server empties it, and the task would go on as if nothing were missing".to_owned(),
            format!("ALTER TABLE {name} SET LOGGED (before PostgreSQL 9.5 make it anew); what a crash has emptied is to be copied again"),
        );
    }
    if !found.loose_columns.is_empty() {
        fail(
            "target.collation",
            format!(
                "its primary key has a nondeterministic collation ({}), which takes keys for one that the source tells apart",
                found.loose_columns.join(", ")
            ),
            format!(
                "ALTER TABLE {name} ALTER COLUMN {} TYPE … COLLATE \"C\" (or another deterministic collation)",
                found.loose_columns.first().map_or("", String::as_str)
            ),
        );
    }
    if !found.unique_indexes.is_empty() {
        fail(
            "target.unique",
            format!(
                "unique indexes beside the primary key ({}) are violated for moments while rows move",
                found.unique_indexes.join(", ")
            ),
            "make them non-unique".to_owned(),
        );
    }
    // An append-optimized or randomly distributed table can have none; what is to be done is said where that is judged.
    let keyless = found.append_optimized
        || matches!(&found.table.distribution, Some(Distribution::By(columns)) if columns.is_empty());
    if found.table.primary_key != mapping.target.primary_key && !keyless {
        fail(
            "target.primary_key",
            format!(
                "its primary key is ({}), wanted is ({})",
                found.table.primary_key.join(", "),
                mapping.target.primary_key.join(", ")
            ),
            "give it that primary key, or set primary_key for the table".to_owned(),
        );
    }
    if mine {
        // Its columns change with the checkpoint, so they are as recorded; a number of fewer digits would round in silence.
        for column in &mapping.target.columns {
            match found.table.columns.iter().find(|other| other.name == column.name) {
                None => fail(
                    "target.column",
                    format!("column {} is gone", column.name),
                    "restore it, or drop the task's state and copy again".to_owned(),
                ),
                Some(other)
                    if other.data_type != column.data_type
                        && exactly_known(&other.data_type)
                        && !made_by_other(other) =>
                {
                    fail(
                        "target.column",
                        format!(
                            "column {} has become {}, made was {}",
                            column.name, other.data_type, column.data_type
                        ),
                        format!("ALTER TABLE {name} ALTER COLUMN {} TYPE {}", column.name, column.data_type),
                    );
                }
                Some(_) => {}
            }
        }
    } else {
        for column in &mapping.target.columns {
            match found.table.columns.iter().find(|other| other.name == column.name) {
                None => fail(
                    "target.column",
                    format!("column {} is missing", column.name),
                    format!("ALTER TABLE {name} ADD COLUMN {} {}", column.name, column.data_type),
                ),
                Some(other) if other.data_type != column.data_type => fail(
                    "target.column",
                    format!("column {} is {}, wanted is {}", column.name, other.data_type, column.data_type),
                    format!("set types for the table to {}, or alter the column", other.data_type),
                ),
                Some(other) if column.nullable && !other.nullable => fail(
                    "target.column",
                    format!("column {} is NOT NULL, but NULL can come", column.name),
                    format!("ALTER TABLE {name} ALTER COLUMN {} DROP NOT NULL", column.name),
                ),
                Some(_) => {}
            }
        }
        for column in &found.table.columns {
            let fed = mapping.target.columns.iter().any(|other| other.name == column.name);
            if !column.nullable && !fed && !found.filled.contains(&column.name) {
                fail(
                    "target.column",
                    format!("column {} is NOT NULL and nothing fills it", column.name),
                    format!("ALTER TABLE {name} ALTER COLUMN {} DROP NOT NULL", column.name),
                );
            }
        }
    }
    let unfed = |name: &&String| !mapping.target.columns.iter().any(|column| column.name == **name);
    let filled: Vec<&str> = found.filled.iter().filter(unfed).map(String::as_str).collect();
    if !filled.is_empty() {
        report.add(
            "target.default",
            &name,
            Verdict::Warn,
            format!(
                "nothing of the source feeds {}: the default of the column is taken, again whenever a row is written anew",
                filled.join(", ")
            ),
            "drop the column, or live with that",
        );
    }
    if found.without_default_partition {
        let default = if subject.target.version_number >= 120_000 {
            format!("CREATE TABLE … PARTITION OF {name} DEFAULT")
        } else {
            format!("ALTER TABLE {name} ADD DEFAULT PARTITION others")
        };
        report.add(
            "target.partitions",
            &name,
            Verdict::Warn,
            "it has no default partition: a row that no other takes holds the task up until there is one for it",
            format!("{default}, or see to it that partitions are made in time"),
        );
    }
    if !found.checks.is_empty() {
        report.add(
            "target.check",
            &name,
            Verdict::Warn,
            format!("a row that its CHECK constraints ({}) refuse stops the task", found.checks.join(", ")),
            format!("ALTER TABLE {name} DROP CONSTRAINT {}", found.checks.first().map_or("", String::as_str)),
        );
    }
    if good {
        let why = match (mine, subject.task.existing_tables) {
            (true, _) => "it is this task's",
            (false, ExistingTables::Error) if shared => {
                "another task has made it; this one's rows are told apart"
            }
            (false, ExistingTables::Clear) => "it exists and will be emptied once",
            (false, ExistingTables::Ignore | ExistingTables::Error) => "it exists; its rows stay",
        };
        report.add("target.table", &name, Verdict::Pass, why, "");
    }
}

/// Whether a found type is one that mappings name in the same way.
fn exactly_known(found: &TargetType) -> bool {
    !matches!(found, TargetType::Other(_) | TargetType::Geometry)
}
