//! What holds on Greenplum and AnalyticDB only.

use super::*;
use crate::change::shape::Distribution;

fn cluster() -> TargetFacts {
    TargetFacts {
        kind: TargetKind::Greenplum,
        version: "PostgreSQL 9.4.26 (Greenplum Database 6.24.3)".into(),
        version_number: 90_426,
        on_conflict: false,
        ..good_target()
    }
}

/// What fails of a task that takes over the table `orders` as `spoil` leaves it.
fn taking_over(spoil: Spoil<FoundTable>) -> Vec<&'static str> {
    let mut found = existing();
    found.table.distribution = Some(Distribution::By(vec!["id".into()]));
    spoil(&mut found);
    let mut target = cluster();
    target.tables.insert(mapping().target.name, found);
    failures(&task("existing_tables = \"ignore\""), &good_source(), &target, None)
}

#[test]
fn greenplum_6_is_a_target_and_5_is_none() {
    assert!(failures(&task(""), &good_source(), &cluster(), None).is_empty());
    let old = TargetFacts { version_number: 80_323, ..cluster() };
    assert_eq!(failures(&task(""), &good_source(), &old, None), ["target.version"]);
    let plain = TargetFacts { kind: TargetKind::PostgreSql, ..cluster() };
    assert_eq!(failures(&task(""), &good_source(), &plain, None), ["target.version"]);
}

#[test]
fn a_table_must_be_a_heap_spread_by_columns_of_its_primary_key() {
    assert_eq!(taking_over(|_| {}), Vec::<&str>::new());
    assert_eq!(
        taking_over(|found| found.table.distribution = Some(Distribution::Replicated)),
        Vec::<&str>::new()
    );
    let cases: [(Spoil<FoundTable>, &str); 4] = [
        (|found| found.table.distribution = Some(Distribution::By(Vec::new())), "target.distribution"),
        (|found| found.table.distribution = Some(Distribution::By(vec!["v".into()])), "target.distribution"),
        (|found| found.table.distribution = None, "target.distribution"),
        (|found| found.append_optimized = true, "target.storage"),
    ];
    for (spoil, code) in cases {
        assert_eq!(taking_over(spoil), [code]);
    }
}

#[test]
fn storage_that_would_take_no_primary_key_is_refused() {
    for (storage, good) in [
        ("fillfactor=70", true),
        ("appendonly=false", true),
        ("appendonly = true", false),
        ("fillfactor=70, APPENDOPTIMIZED=TRUE", false),
        ("orientation=column", false),
    ] {
        let mut wanted = mapping();
        wanted.target.storage = Some(storage.into());
        let mappings = vec![(TableName::new("shop", "orders"), Ok(wanted))];
        let (task, source, target) = (task(""), good_source(), cluster());
        let report = judged(&task, &source, &target, &mappings, None);
        assert_eq!(report.passed(), good, "{storage}");
    }
}

#[test]
fn schema_names_that_the_server_keeps_for_itself_are_refused() {
    for (schema, kind, good) in [
        ("gp_shop", TargetKind::Greenplum, false),
        ("gp_shop", TargetKind::PostgreSql, true),
        ("pg_shop", TargetKind::PostgreSql, false),
    ] {
        let mut wanted = mapping();
        wanted.target.name.schema = schema.into();
        let mappings = vec![(TableName::new("shop", "orders"), Ok(wanted))];
        let target = TargetFacts { kind, version_number: 150_000, ..good_target() };
        let (task, source) = (task(""), good_source());
        let report = judged(&task, &source, &target, &mappings, None);
        assert_eq!(report.passed(), good, "{schema} {kind:?}");
    }
}
