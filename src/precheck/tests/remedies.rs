//! What items print.

use super::*;

fn remedies(task: &TaskConfig, source: &SourceFacts, target: &TargetFacts, code: &str) -> Vec<String> {
    let mappings = vec![(TableName::new("shop", "orders"), Ok(mapping()))];
    let report = judged(task, source, target, &mappings, None);
    let items = report.items.into_iter().filter(|item| item.code == code);
    items.filter_map(|item| item.remedy).map(|remedy| remedy.to_string()).collect()
}

#[test]
fn truncate_is_asked_for_where_the_table_is_to_be_emptied() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, FoundTable { truncatable: false, ..existing() });
    let told = |extra: &str| remedies(&task(extra), &good_source(), &target, "target.privileges");
    assert!(told("existing_tables = \"clear\"").iter().all(|remedy| remedy.contains("TRUNCATE ON")));
    assert_eq!(told("existing_tables = \"clear\"").len(), 1);
    assert!(told("existing_tables = \"ignore\"").is_empty());
}

#[test]
fn another_owner_is_told() {
    let mut target = good_target();
    target.tables.insert(mapping().target.name, FoundTable { owned: false, ..existing() });
    let told = remedies(&task("existing_tables = \"ignore\""), &good_source(), &target, "target.owner");
    assert_eq!(told, ["ALTER TABLE \"shop\".\"orders\" OWNER TO the user"]);
}

#[test]
fn a_reserved_schema_is_mapped_by_the_name_of_its_database() {
    let mut reserved = mapping();
    reserved.target.name.schema = "pg_shop".into();
    let mappings = vec![(TableName::new("shop", "orders"), Ok(reserved))];
    let (task, source, target) = (task(""), good_source(), good_target());
    let report = judged(&task, &source, &target, &mappings, None);
    let item = report.failures().find(|item| item.code == "target.schema").unwrap();
    let remedy = item.remedy.as_ref().unwrap().to_string();
    assert!(remedy.contains("schemas = { shop = "), "{item:?}");
}
