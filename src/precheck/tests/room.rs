//! Limits on connections and statements, and what else may hold a task up.

use super::*;
use crate::change::facts::Limit;

/// Code and verdict of what is told of such a target, but passes.
fn told(resuming: Option<&Resuming>, spoil: Spoil<TargetFacts>) -> Vec<(&'static str, Verdict)> {
    let mut target = good_target();
    spoil(&mut target);
    let (task, source) =
        (task("existing_tables = \"clear\"\nsnapshot = { parallel = 4, groups = 1 }"), good_source());
    let mappings = vec![(TableName::new("shop", "orders"), Ok(mapping()))];
    let report = judged(&task, &source, &target, &mappings, resuming);
    let told = report.items.iter().filter(|item| item.verdict != Verdict::Pass);
    told.map(|item| {
        assert!(item.remedy.is_some(), "{item:?}");
        (item.code, item.verdict)
    })
    .collect()
}

fn limit(most: u64, used: u64) -> Limit {
    Limit { name: "the connection limit of role loader".into(), most, used }
}

#[test]
fn connections_that_never_are_enough_fail_and_those_that_are_in_use_are_told() {
    // Four workers copy, beside the owner.
    assert_eq!(told(None, |target| target.connections = vec![limit(10, 0)]), []);
    // As many on a side stream, beside those.
    let warns = told(None, |target| target.connections = vec![limit(5, 0)]);
    assert_eq!(warns, [("target.connections", Verdict::Warn)]);
    let fails = told(None, |target| target.connections = vec![limit(100, 0), limit(4, 0)]);
    assert_eq!(fails, [("target.connections", Verdict::Fail)]);
    let warns = told(None, |target| target.connections = vec![limit(100, 96)]);
    assert_eq!(warns, [("target.connections", Verdict::Warn)]);
}

#[test]
fn statements_that_wait_for_each_other_are_told() {
    assert_eq!(told(None, |target| target.statements = vec![limit(5, 0)]), []);
    let warns = told(None, |target| target.statements = vec![limit(1, 0)]);
    assert_eq!(warns, [("target.statements", Verdict::Warn)]);
}

#[test]
fn storage_that_the_target_refuses_fails() {
    let mut target = good_target();
    target.refused_storage = BTreeMap::from([("fillfactor=5".to_owned(), "out of bounds".to_owned())]);
    let mut wanted = mapping();
    wanted.target.storage = Some("fillfactor=5".into());
    let (task, source) = (task(""), good_source());
    let mappings = vec![(TableName::new("shop", "orders"), Ok(wanted))];
    let report = judged(&task, &source, &target, &mappings, None);
    let failed: Vec<_> = report.failures().map(|item| (item.code, item.why.clone())).collect();
    assert_eq!(
        failed,
        [("target.storage", "the target makes no table WITH (fillfactor=5): out of bounds".to_owned())]
    );
}

#[test]
fn a_partitioned_table_that_does_not_take_every_row_is_told() {
    let with = |target: &mut TargetFacts| {
        let found = FoundTable { without_default_partition: true, ..existing() };
        target.tables.insert(found.table.name.clone(), found);
    };
    assert_eq!(told(None, with), [("target.partitions", Verdict::Warn)]);
}
