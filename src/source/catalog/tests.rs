use super::*;
use globset::{Glob, GlobSet, GlobSetBuilder};

fn selection() -> Selection {
    let include = GlobSetBuilder::new().add(Glob::new("shop.*").unwrap()).build().unwrap();
    Selection { patterns: vec!["shop.*".into()], include, exclude: GlobSet::empty() }
}

fn rows(rows: &[&[&str]]) -> TextRows {
    rows.iter()
        .map(|row| row.iter().map(|value| (*value != "NULL").then(|| (*value).to_owned())).collect())
        .collect()
}

fn read(columns: &[&[&str]], indexes: &[&[&str]]) -> Result<Vec<CatalogTable>, Contradiction> {
    let tables = rows(&[
        &["shop", "t", "InnoDB", "42", "utf8mb4_0900_ai_ci"],
        &["other", "t", "InnoDB", "1", "utf8mb4_0900_ai_ci"],
    ]);
    assemble(Flavour::MySql, &selection(), tables, rows(columns), rows(indexes))
}

fn column<'a>(ordinal: &'a str, name: &'a str, nullable: &'a str, privileges: &'a str) -> [&'a str; 11] {
    ["shop", "t", ordinal, name, "NULL", nullable, "int", "NULL", "NULL", "", privileges]
}

#[test]
fn keys_are_in_key_order_and_columns_in_ordinal_order() {
    let found = read(
        &[
            &column("2", "b", "NO", "select"),
            &column("1", "a", "NO", "insert,select"),
            &column("3", "c", "NO", "select"),
        ],
        &[
            &["shop", "t", "PRIMARY", "2", "a", "NULL", "YES"],
            &["shop", "t", "PRIMARY", "1", "B", "NULL", "YES"],
            &["shop", "t", "u", "1", "c", "NULL", "YES"],
        ],
    )
    .unwrap();
    let [entry] = found.as_slice() else { panic!("{found:?}") };
    let names: Vec<&str> = entry.table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(entry.table.primary_key, [1, 0]);
    assert_eq!(entry.table.unique_keys, [UniqueKey { name: "u".into(), columns: vec![2] }]);
    assert!(entry.readable);
    assert_eq!((entry.engine.as_str(), entry.estimated_rows), ("InnoDB", 42));
}

#[test]
fn prefixes_expressions_nullable_columns_and_invisible_indexes_make_no_key() {
    let found = read(
        &[&column("1", "a", "NO", "select"), &column("2", "n", "YES", "select")],
        &[
            &["shop", "t", "PRIMARY", "1", "a", "10", "YES"],
            &["shop", "t", "u1", "1", "n", "NULL", "YES"],
            &["shop", "t", "u2", "1", "NULL", "NULL", "YES"],
            &["shop", "t", "u3", "1", "a", "NULL", "NO"],
            &["shop", "t", "u4", "1", "a", "NULL", "YES"],
            &["shop", "t", "u4", "2", "n", "NULL", "YES"],
        ],
    )
    .unwrap();
    let [entry] = found.as_slice() else { panic!("{found:?}") };
    assert!(entry.table.primary_key.is_empty() && entry.table.unique_keys.is_empty());
}

#[test]
fn a_hidden_column_makes_a_table_unreadable() {
    let readable = |columns: &[&[&str]]| read(columns, &[]).unwrap().first().unwrap().readable;
    assert!(!readable(&[&column("1", "a", "NO", "select"), &column("3", "c", "NO", "select")]));
    assert!(!readable(&[&column("1", "a", "NO", "select"), &column("2", "b", "NO", "insert,update")]));
    assert!(readable(&[&column("1", "a", "NO", "select"), &column("2", "b", "NO", "select")]));
}

#[test]
fn an_index_over_an_unknown_column_means_that_the_table_changed() {
    let changed =
        read(&[&column("1", "a", "NO", "select")], &[&["shop", "t", "PRIMARY", "1", "gone", "NULL", "YES"]]);
    assert_eq!(changed.unwrap_err().0, TableName::new("shop", "t"));
}
