//! What is wrong with tables on record.

use super::*;
use crate::change::remedy::InConfig;
use crate::precheck::restarting::Begun;

fn name(table: &str) -> TableName {
    TableName::new("shop", table)
}

/// What is refused where these of four tables flow, those have begun before, and these items fail.
fn refused_of(flowing: &[&str], begun: &[&str], failing: &[(&'static str, &str)]) -> Vec<String> {
    let feeding = |table: &str| {
        let mut mapping = mapping();
        mapping.target.name.table = table.to_owned();
        (name(table), Ok(mapping))
    };
    let mut mappings: Vec<_> = ["a", "b", "c", "d"].into_iter().map(feeding).collect();
    // One whose name another one's target has.
    let mut elsewhere = mapping();
    elsewhere.target.name.table = "b".into();
    mappings.push((name("elsewhere"), Ok(elsewhere)));
    let named = |tables: &[&str]| tables.iter().map(|table| name(table)).collect::<BTreeSet<_>>();
    let mut report = Report::default();
    report.add("target.column", "shop.d", Verdict::Warn, "it is odd", InConfig::Tables);
    report.add(IN_FLIGHT, "source s", Verdict::Fail, "it is on its way", InConfig::Tables);
    for (code, subject) in failing {
        report.add(code, *subject, Verdict::Fail, "it is wrong", InConfig::Tables);
    }
    let begun = Begun { before: &named(begun), taken_out: &named(&["d"]) };
    let refused = restarting::refused(&named(flowing), &begun, &mappings, &report);
    refused.iter().map(|(table, items)| format!("{table} {}", items.len())).collect()
}

#[test]
fn what_is_wrong_with_targets_is_refused_of_those_who_feed_them() {
    let failing = [("target.column", "shop.a"), ("target.primary_key", "shop.a"), ("target.table", "shop.c")];
    assert_eq!(refused_of(&["a", "b", "c"], &[], &failing), ["shop.a 2", "shop.c 1"]);
    let both = refused_of(&["a", "b", "elsewhere"], &[], &[("target.table", "shop.b")]);
    assert_eq!(both, ["shop.b 1", "shop.elsewhere 1"]);
    assert!(refused_of(&["a", "b"], &[], &[]).is_empty());
}

#[test]
fn where_more_is_wrong_all_is_to_be_mended_first() {
    for other in [
        ("target.schema", "shop"),
        ("source.purged", "source src"),
        ("target.privileges", "shop.a"),
        ("target.shared", "shop.a"),
        // No rows of theirs are there yet.
        ("target.column", "shop.d"),
        ("target.column", "shop.b"),
    ] {
        let failing = [("target.column", "shop.a"), other];
        assert!(refused_of(&["a", "b", "c"], &[], &failing).is_empty(), "{other:?}");
    }
}

#[test]
fn where_no_table_would_go_on_none_is_refused() {
    let failing = [("target.table", "shop.a"), ("target.table", "shop.c")];
    assert!(refused_of(&["a", "c"], &[], &failing).is_empty());
    assert_eq!(refused_of(&["a", "b", "c"], &[], &failing).len(), 2);
}

#[test]
fn what_a_statement_brings_about_is_refused_of_one_that_has_begun_before_and_of_its_company_nothing() {
    for code in ["target.shared", "target.column"] {
        let both = refused_of(&["a", "b"], &["elsewhere"], &[(code, "shop.b")]);
        assert_eq!(both, ["shop.elsewhere 1"], "{code}");
    }
    // A table of somebody else's may have its target's name by now.
    for code in ["target.exists", "target.privileges", "target.table"] {
        assert!(refused_of(&["a"], &["c"], &[(code, "shop.c")]).is_empty(), "{code}");
    }
    // It is not the task's, and nothing replaces it.
    assert_eq!(refused_of(&["a"], &["d"], &[("target.exists", "shop.d")]), ["shop.d 1"]);
}
