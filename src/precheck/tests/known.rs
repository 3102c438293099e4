//! What is wrong with tables on record.

use super::*;
use crate::change::remedy::InConfig;

fn name(table: &str) -> TableName {
    TableName::new("shop", table)
}

/// What is refused where these of four tables are on record and these items fail.
fn refused_of(on_record: &[&str], failing: &[(&'static str, &str)]) -> Vec<String> {
    let mapping = |table: &str| {
        let error = TransformError::Internal { table: name(table), why: String::new() };
        (name(table), Err(error))
    };
    let mappings: Vec<_> = ["a", "b", "c", "d"].into_iter().map(mapping).collect();
    let resuming = Resuming {
        position: position("binlog.000004", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        file_begun: None,
        file_size: None,
        copied: crate::change::GtidSet::default(),
        tables: on_record.iter().map(|table| name(table)).collect::<BTreeSet<_>>(),
    };
    let mut report = Report::default();
    report.add("target.column", "shop.d", Verdict::Warn, "it is odd", InConfig::Tables);
    for (code, subject) in failing {
        report.add(code, *subject, Verdict::Fail, "it is wrong", InConfig::Tables);
    }
    let refused = on_record::refused(Some(&resuming), &mappings, &report);
    refused.iter().map(|(table, items)| format!("{table} {}", items.len())).collect()
}

#[test]
fn what_is_about_tables_on_record_is_refused_of_these() {
    let failing = [("target.column", "shop.a"), ("target.owner", "shop.a"), ("target.table", "shop.c")];
    assert_eq!(refused_of(&["a", "b", "c"], &failing), ["shop.a 2", "shop.c 1"]);
    assert!(refused_of(&["a", "b"], &[]).is_empty());
}

#[test]
fn where_more_is_wrong_than_tables_on_record_all_is_to_be_mended_first() {
    for other in [
        ("target.schema", "shop"),
        ("source.purged", "source src"),
        ("target.column", "shop.d"),
        ("target.shared", "shop.a"),
    ] {
        let failing = [("target.column", "shop.a"), other];
        assert!(refused_of(&["a", "b", "c"], &failing).is_empty(), "{other:?}");
    }
}

#[test]
fn where_no_table_would_go_on_none_is_refused() {
    let failing = [("target.privileges", "shop.a"), ("target.privileges", "shop.b")];
    assert!(refused_of(&["a", "b"], &failing).is_empty());
    assert_eq!(refused_of(&["a", "b", "c"], &failing).len(), 2);
}
