//! Several tables that feed one.

use super::*;

/// Two feeders of one table; the second has a column more, and `v` in another type.
fn verdicts(followed: &[&str]) -> Vec<&'static str> {
    let mut facts = good_source();
    let one = facts.tables.values().next().unwrap().clone();
    facts.tables.insert(TableName::new("shop", "orders2"), one);
    let v = |data_type| TargetColumn { name: "v".into(), data_type, nullable: true };
    let mut first = mapping();
    first.source_tag = Some((0, "a:shop.orders".into()));
    first.target.columns.push(v(TargetType::Integer));
    let mut second = mapping();
    second.source = TableName::new("shop", "orders2");
    second.source_tag = Some((0, "a:shop.orders2".into()));
    second.target.columns.push(v(TargetType::Bigint));
    second.target.columns.push(TargetColumn {
        name: "more".into(),
        data_type: TargetType::Text,
        nullable: true,
    });
    let mut target = good_target();
    let mut found = existing();
    found.table = second.target.clone();
    target.tables.insert(found.table.name.clone(), found);
    let mappings = vec![(first.source.clone(), Ok(first)), (second.source.clone(), Ok(second))];
    let resuming = Resuming {
        position: position("binlog.000004", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        file_begun: None,
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: followed.iter().map(|&table| TableName::new("shop", table)).collect(),
    };
    let task = task("");
    let report = judged(&task, &facts, &target, &mappings, Some(&resuming));
    report.failures().map(|item| item.code).collect()
}

#[test]
fn feeders_that_are_followed_may_be_ahead_of_one_another_by_ddl() {
    assert_eq!(verdicts(&["orders", "orders2"]), Vec::<&str>::new());
}

#[test]
fn a_new_feeder_must_be_like_those_that_are_followed() {
    assert!(verdicts(&["orders"]).contains(&"target.shared"));
}
