//! Judgements over made-up facts.

use super::*;
use crate::change::facts::{Flavour, FoundTable, SourceTableFacts, TargetKind};
use crate::change::{TargetColumn, TargetName, TargetTable, TargetType};
use crate::transform::ColumnMapping;
use std::collections::{BTreeMap, BTreeSet};

/// Makes one fact bad.
type Spoil<T> = fn(&mut T);

fn task(extra: &str) -> TaskConfig {
    let text = format!(
        "[source.s]\nurl = \"mysql://u@h\"\n[target.t]\nurl = \"postgresql://u@h/d\"\n[task.a]\nsource = \"s\"\ntarget = \"t\"\ntables = [\"shop.*\"]\n{extra}\n"
    );
    crate::config::parse("t", &text, &|_| None).unwrap().tasks.remove("a").unwrap()
}

fn good_source() -> SourceFacts {
    let orders = SourceTableFacts {
        versioned: false,
        estimated_rows: 3,
        engine: "InnoDB".into(),
        has_key: true,
        prefix_key: false,
        readable: true,
    };
    SourceFacts {
        flavour: Flavour::MySql,
        version: "9.7.0".into(),
        version_number: 90_700,
        server_uuid: Some("u".into()),
        log_bin: true,
        binlog_format: "ROW".into(),
        binlog_row_image: "FULL".into(),
        binlog_row_value_options: String::new(),
        native_foreign_keys: false,
        only_logged: Vec::new(),
        never_logged: Vec::new(),
        logs_received: true,
        receives: Some(false),
        sync_binlog: 1,
        gtid_mode_on: true,
        gtid_executed: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9".parse().unwrap(),
        gtid_purged: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-4".parse().unwrap(),
        domains: crate::change::Domains::default(),
        domains_purged: None,
        log_end: None,
        lower_case_table_names: 0,
        prepared_xa: Some(0),
        missing_privileges: BTreeSet::new(),
        settings: BTreeMap::new(),
        tables: BTreeMap::from([(TableName::new("shop", "orders"), orders)]),
    }
}

fn good_target() -> TargetFacts {
    TargetFacts {
        kind: TargetKind::PostgreSql,
        version: "PostgreSQL 15".into(),
        version_number: 150_000,
        encoding: "UTF8".into(),
        database: "d".into(),
        records_made: false,
        can_create_schema: true,
        schemas: BTreeMap::new(),
        tables: BTreeMap::new(),
        session_stable: true,
        on_conflict: true,
        copy_on_conflict: false,
        postgis: false,
        connections: Vec::new(),
        statements: Vec::new(),
        refused_storage: BTreeMap::new(),
    }
}

fn mapping() -> TableMapping {
    TableMapping {
        source: TableName::new("shop", "orders"),
        target: TargetTable {
            name: TargetName { schema: "shop".into(), table: "orders".into() },
            columns: vec![TargetColumn { name: "id".into(), data_type: TargetType::Bigint, nullable: false }],
            primary_key: vec!["id".into()],
            distribution: None,
            storage: None,
        },
        columns: vec![ColumnMapping { source: 0, target: 0 }],
        source_tag: None,
    }
}

/// The report on tables of which nothing else is known.
fn judged(
    task: &TaskConfig,
    source: &SourceFacts,
    target: &TargetFacts,
    mappings: &[(TableName, Result<TableMapping, TransformError>)],
    resuming: Option<&Resuming>,
) -> Report {
    let subject = Subject {
        task,
        source,
        target,
        mappings,
        definitions: &[],
        rivals: &[],
        deviations: &[],
        resuming,
        beside: false,
    };
    check(&subject)
}

fn failures(
    task: &TaskConfig,
    source: &SourceFacts,
    target: &TargetFacts,
    resuming: Option<&Resuming>,
) -> Vec<&'static str> {
    let mappings = vec![(TableName::new("shop", "orders"), Ok(mapping()))];
    let report = judged(task, source, target, &mappings, resuming);
    for item in report.failures() {
        assert!(item.remedy.is_some() && !item.why.is_empty(), "{item:?}");
    }
    report.failures().map(|item| item.code).collect()
}

fn existing() -> FoundTable {
    FoundTable {
        table: mapping().target,
        has_rows: true,
        append_optimized: false,
        primary_key_name: Some("orders_pkey".into()),
        unique_indexes: vec![],
        unique_statements: vec![],
        writable: true,
        truncatable: true,
        owned: true,
        unlogged: false,
        without_default_partition: false,
        loose_columns: Vec::new(),
        active: vec![],
        fed_by: None,
        checks: Vec::new(),
        filled: Vec::new(),
    }
}

#[test]
fn good_servers_pass() {
    assert_eq!(failures(&task(""), &good_source(), &good_target(), None), Vec::<&str>::new());
    let partial = SourceFacts { binlog_row_value_options: "PARTIAL_JSON".into(), ..good_source() };
    assert_eq!(failures(&task(""), &partial, &good_target(), None), Vec::<&str>::new());
}

#[test]
fn each_bad_fact_of_the_source_fails_by_its_code() {
    let spoilers: Vec<(&str, Spoil<SourceFacts>)> = vec![
        ("source.log_bin", |f| f.log_bin = false),
        ("source.binlog_format", |f| f.binlog_format = "STATEMENT".into()),
        ("source.binlog_row_image", |f| f.binlog_row_image = "MINIMAL".into()),
        ("source.binlog_row_value_options", |f| f.binlog_row_value_options = "PARTIAL_JSON,LESS".into()),
        ("source.log_filter", |f| f.never_logged = vec!["other".into(), "shop".into()]),
        ("source.log_filter", |f| f.only_logged = vec!["other".into()]),
        ("source.log_filter", |f| (f.lower_case_table_names, f.never_logged) = (1, vec!["Shop".into()])),
        ("source.log_replica_updates", |f| (f.logs_received, f.receives) = (false, Some(true))),
        ("source.xa", |f| f.prepared_xa = None),
        ("source.privileges", |f| f.missing_privileges = BTreeSet::from(["REPLICATION SLAVE".to_owned()])),
        ("source.primary_key", |f| f.tables.values_mut().for_each(|t| t.has_key = false)),
        ("source.select", |f| f.tables.values_mut().for_each(|t| t.readable = false)),
        ("source.engine", |f| f.tables.values_mut().for_each(|t| t.engine = "MyISAM".into())),
    ];
    for (code, spoil) in spoilers {
        let mut facts = good_source();
        spoil(&mut facts);
        assert_eq!(failures(&task(""), &facts, &good_target(), None), vec![code]);
    }
}

#[test]
fn what_a_log_may_lack_is_told_where_it_need_not() {
    let warnings = |spoil: Spoil<SourceFacts>| {
        let mut source = good_source();
        spoil(&mut source);
        let (task, target) = (task(""), good_target());
        let mappings = vec![(TableName::new("shop", "orders"), Ok(mapping()))];
        let report = judged(&task, &source, &target, &mappings, None);
        assert!(report.passed(), "{report:?}");
        let told = report.items.into_iter().filter(|item| item.verdict == Verdict::Warn);
        told.map(|item| item.code).collect::<Vec<_>>()
    };
    assert!(warnings(|_| ()).is_empty());
    assert_eq!(warnings(|f| f.sync_binlog = 0), ["source.sync_binlog"]);
    assert_eq!(warnings(|f| f.never_logged = vec!["other".into()]), ["source.log_filter"]);
    // Letter by letter where names are.
    assert_eq!(warnings(|f| f.never_logged = vec!["Shop".into()]), ["source.log_filter"]);
    assert_eq!(warnings(|f| f.only_logged = vec!["shop".into()]), ["source.log_filter"]);
    assert!(warnings(|f| (f.logs_received, f.receives) = (false, Some(false))).is_empty());
    let hidden = warnings(|f| (f.logs_received, f.receives) = (false, None));
    assert_eq!(hidden, ["source.log_replica_updates"]);
}

#[test]
fn prepared_xa_transactions_matter_only_where_a_copy_starts() {
    let mappings = vec![(TableName::new("shop", "orders"), Ok(mapping()))];
    let resuming = Resuming {
        position: position("binlog.000004", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        file_begun: None,
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    let verdict = |prepared, resuming: Option<&Resuming>| {
        let source = SourceFacts { prepared_xa: prepared, ..good_source() };
        let (task, target) = (task(""), good_target());
        let report = judged(&task, &source, &target, &mappings, resuming);
        report.items.iter().find(|item| item.code == "source.xa").unwrap().verdict
    };
    for resuming in [None, Some(&resuming)] {
        assert_eq!(verdict(Some(0), resuming), Verdict::Pass);
    }
    assert_eq!((verdict(Some(2), None), verdict(None, None)), (Verdict::Warn, Verdict::Fail));
    let going_on = (verdict(Some(2), Some(&resuming)), verdict(None, Some(&resuming)));
    assert_eq!(going_on, (Verdict::Pass, Verdict::Pass));
}

#[test]
fn a_start_that_the_source_has_purged_is_refused() {
    let early = task("initial = [\"schema\"]\nstart_position = \"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3\"");
    assert_eq!(failures(&early, &good_source(), &good_target(), None), vec!["source.purged"]);
    let late = task("initial = [\"schema\"]\nstart_position = \"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-12\"");
    assert_eq!(failures(&late, &good_source(), &good_target(), None), vec!["source.history"]);
    let mut target = good_target();
    target.tables.insert(mapping().target.name, existing());
    let resuming = |gtids: &str| Resuming {
        position: position("binlog.000004", gtids),
        file_begun: None,
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    let old = resuming("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-2");
    assert_eq!(failures(&task(""), &good_source(), &target, Some(&old)), vec!["source.purged"]);
    let good = resuming("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5");
    assert!(failures(&task(""), &good_source(), &target, Some(&good)).is_empty());
}

fn position(file: &str, gtids: &str) -> crate::change::Position {
    let file = crate::change::FilePosition { file: file.into(), offset: 100 };
    let taken = crate::change::Taken::Gtids(gtids.parse().unwrap());
    crate::change::Position {
        server: "u".into(),
        file,
        file_begun: None,
        taken,
        xa: crate::change::XaState::default(),
    }
}

#[test]
fn a_source_that_lacks_what_chunks_hold_is_refused() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, existing());
    let mut resuming = Resuming {
        position: position("binlog.000004", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        file_begun: None,
        file_size: None,
        copied: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-8".parse().unwrap(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    assert!(failures(&task(""), &good_source(), &target, Some(&resuming)).is_empty());
    resuming.copied = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-12".parse().unwrap();
    assert_eq!(failures(&task(""), &good_source(), &target, Some(&resuming)), vec!["source.history"]);
}

#[test]
fn a_log_that_ends_before_the_checkpoint_is_another_log() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, existing());
    let mut facts = good_source();
    facts.log_end = Some(position("binlog.000004", "").file);
    let mut resuming = Resuming {
        position: position("binlog.000004", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        file_begun: None,
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    assert!(failures(&task(""), &facts, &target, Some(&resuming)).is_empty());
    resuming.position.file.file = "binlog.000005".into();
    assert_eq!(failures(&task(""), &facts, &target, Some(&resuming)), vec!["source.reset"]);
    resuming.position.server = "another".into();
    assert!(failures(&task(""), &facts, &target, Some(&resuming)).is_empty());
}

#[test]
fn a_task_stays_with_the_names_its_log_had() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, existing());
    let mut facts = good_source();
    let mut resuming = Resuming {
        position: position("binlog.000004", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        file_begun: None,
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    facts.gtid_mode_on = false;
    assert_eq!(failures(&task(""), &facts, &target, Some(&resuming)), vec!["source.gtid_mode"]);
    // Places can be asked for on a server with GTIDs too, but on no other one.
    facts.gtid_mode_on = true;
    facts.server_uuid = Some("u".into());
    resuming.position.taken = crate::change::Taken::Files;
    assert!(failures(&task(""), &facts, &target, Some(&resuming)).is_empty());
    facts.server_uuid = Some("another".into());
    assert_eq!(failures(&task(""), &facts, &target, Some(&resuming)), vec!["source.identity"]);
}

#[test]
fn a_file_begun_at_another_time_is_another_file() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, existing());
    let mut facts = good_source();
    facts.server_uuid = Some("u".into());
    facts.log_end = Some(position("binlog.000004", "").file);
    let mut resuming = Resuming {
        position: position("binlog.000004", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        file_begun: Some(1_700_000_000),
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    resuming.position.file_begun = Some(1_700_000_000);
    assert!(failures(&task(""), &facts, &target, Some(&resuming)).is_empty());
    // A restored one has lost its end and goes on in the next file.
    facts.log_end = Some(position("binlog.000005", "").file);
    resuming.file_size = Some(100);
    assert!(failures(&task(""), &facts, &target, Some(&resuming)).is_empty());
    resuming.file_size = Some(99);
    assert_eq!(failures(&task(""), &facts, &target, Some(&resuming)), vec!["source.reset"]);
    (resuming.file_size, resuming.file_begun) = (None, Some(1_700_000_009));
    assert_eq!(failures(&task(""), &facts, &target, Some(&resuming)), vec!["source.reset"]);
}

#[test]
fn a_file_that_is_gone_is_missed_where_only_files_count() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, existing());
    let facts = good_source();
    let mut resuming = Resuming {
        position: position("binlog.000004", ""),
        file_begun: Some(5),
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    resuming.position.taken = crate::change::Taken::Files;
    resuming.position.file_begun = Some(5);
    assert!(failures(&task(""), &facts, &target, Some(&resuming)).is_empty());
    resuming.file_begun = None;
    assert_eq!(failures(&task(""), &facts, &target, Some(&resuming)), vec!["source.purged"]);
}

#[test]
fn mariadbs_domains_count_where_its_place_is_not_there() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, existing());
    let mut facts = good_source();
    facts.flavour = Flavour::MariaDb;
    facts.version_number = 101_100;
    facts.domains = "0-1-50,7-1-9".parse().unwrap();
    facts.domains_purged = Some("0-1-20,7-1-5".parse().unwrap());
    let mut resuming = Resuming {
        position: position("binlog.000004", ""),
        file_begun: None,
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    let with = |resuming: &mut Resuming, domains: &str| {
        resuming.position.taken = crate::change::Taken::Domains(domains.parse().unwrap());
        failures(&task(""), &facts, &target, Some(resuming))
    };
    assert!(with(&mut resuming, "0-1-20,7-1-5").is_empty());
    assert_eq!(with(&mut resuming, "0-1-19,7-1-5"), vec!["source.purged"]);
    assert_eq!(with(&mut resuming, "0-1-30"), vec!["source.purged"]);
    assert_eq!(with(&mut resuming, "0-1-51,7-1-9"), vec!["source.history"]);
    assert_eq!(with(&mut resuming, "0-1-30,7-1-9,8-1-1"), vec!["source.history"]);
    // Its very place is there: numbers say nothing.
    (resuming.position.file_begun, resuming.file_begun) = (Some(5), Some(5));
    assert!(with(&mut resuming, "0-1-9999").is_empty());
}

#[test]
fn a_followed_table_whose_target_column_was_changed_is_refused() {
    let mut target = good_target();
    let mut found = existing();
    found.table.columns[0].data_type = TargetType::Integer;
    target.tables.insert(mapping().target.name, found);
    let resuming = Resuming {
        position: position("binlog.000004", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        file_begun: None,
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: BTreeSet::from([TableName::new("shop", "orders")]),
    };
    assert_eq!(failures(&task(""), &good_source(), &target, Some(&resuming)), vec!["target.column"]);
}

#[test]
fn existing_target_tables_are_judged_by_the_chosen_handling() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, existing());
    assert_eq!(failures(&task(""), &good_source(), &target, None), vec!["target.exists"]);
    assert!(failures(&task("existing_tables = \"clear\""), &good_source(), &target, None).is_empty());
    assert!(failures(&task("existing_tables = \"ignore\""), &good_source(), &target, None).is_empty());
    let spoilers: Vec<(&str, Spoil<FoundTable>)> = vec![
        ("target.privileges", |t| t.writable = false),
        ("target.active", |t| t.active = vec!["trigger x".into()]),
        ("target.unlogged", |t| t.unlogged = true),
        ("target.collation", |t| t.loose_columns = vec!["id".into()]),
        ("target.unique", |t| {
            (t.unique_indexes, t.unique_statements) = (vec!["u".into()], vec!["DROP INDEX u".into()]);
        }),
        ("target.primary_key", |t| t.table.primary_key.clear()),
        ("target.column", |t| t.table.columns.clear()),
        ("target.column", |t| t.table.columns[0].data_type = TargetType::Text),
        ("target.column", |t| {
            t.table.columns.push(TargetColumn {
                name: "more".into(),
                data_type: TargetType::Text,
                nullable: false,
            });
        }),
    ];
    for (code, spoil) in spoilers {
        let mut found = existing();
        spoil(&mut found);
        target.tables.insert(mapping().target.name, found);
        assert_eq!(
            failures(&task("existing_tables = \"ignore\""), &good_source(), &target, None),
            vec![code]
        );
    }
}

#[test]
fn two_tables_into_one_need_a_source_column() {
    let mut facts = good_source();
    let one = facts.tables.values().next().unwrap().clone();
    facts.tables.insert(TableName::new("shop", "orders2"), one);
    let mut second = mapping();
    second.source = TableName::new("shop", "orders2");
    let mappings = vec![
        (TableName::new("shop", "orders"), Ok(mapping())),
        (TableName::new("shop", "orders2"), Ok(second)),
    ];
    let task = task("");
    let report = judged(&task, &facts, &good_target(), &mappings, None);
    assert_eq!(report.failures().map(|item| item.code).collect::<Vec<_>>(), vec!["target.shared"]);
}

mod greenplum;
mod remedies;
mod room;
mod shared;
mod troubled;
