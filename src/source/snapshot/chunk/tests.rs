use super::*;
use crate::schema::table::UniqueKey;
use crate::schema::{Charset, Column, ColumnDefault, column_type};

fn table(columns: &[(&str, &str)], primary_key: &[usize], unique_keys: Vec<UniqueKey>) -> Table {
    let charset = Charset { name: "latin1".into(), collation: "latin1_swedish_ci".into() };
    Table {
        name: TableName::new("sh`op", "t"),
        columns: columns
            .iter()
            .map(|(name, declared)| Column {
                name: (*name).into(),
                data_type: column_type::parse(declared, &charset),
                nullable: false,
                default: ColumnDefault::None,
                generated: false,
                generation: None,
                auto_increment: false,
                limits: crate::schema::Limits::default(),
            })
            .collect(),
        primary_key: primary_key.to_vec(),
        unique_keys,
        foreign_keys: Vec::new(),
        hidden: crate::schema::HiddenColumns::default(),
        charset,
    }
}

#[test]
fn the_bound_query_names_the_last_row_of_a_chunk() {
    let table = table(&[("v", "int"), ("id", "bigint unsigned"), ("n`m", "char(3)")], &[2, 1], vec![]);
    let key = ChunkKey::of(&table, &[2, 1]).unwrap();
    assert_eq!(
        key.bound_query(None, 100).unwrap(),
        "SELECT CONCAT('_latin1 x''', HEX(`n``m`), ''''), CAST(`id` + 0 AS CHAR) FROM `sh``op`.`t` \
         FORCE INDEX (`PRIMARY`) ORDER BY `n``m`, `id` LIMIT 1 OFFSET 99"
    );
}

#[test]
fn the_chunk_query_lists_its_columns() {
    let table = table(&[("id", "int"), ("v", "text")], &[0], vec![]);
    let key = ChunkKey::of(&table, &[0]).unwrap();
    assert_eq!(
        key.chunk_query(&["v", "id"], Some(&["5".into()]), None).unwrap(),
        "SELECT `v`, `id` FROM `sh``op`.`t` FORCE INDEX (`PRIMARY`) WHERE `id` > 5"
    );
    assert_eq!(
        key.chunk_query(&["id"], None, None).unwrap(),
        "SELECT `id` FROM `sh``op`.`t` FORCE INDEX (`PRIMARY`)"
    );
}

#[test]
fn a_unique_key_is_read_along_its_own_index() {
    let unique = UniqueKey { name: "u".into(), columns: vec![1] };
    let table = table(&[("id", "int"), ("code", "varbinary(8)")], &[0], vec![unique]);
    let key = ChunkKey::of(&table, &[1]).unwrap();
    assert!(key.bound_query(None, 1).unwrap().contains("FORCE INDEX (`u`) ORDER BY `code` LIMIT 1 OFFSET 0"));
    assert_eq!(ChunkKey::of(&table, &[0, 1]), None);
}

#[test]
fn an_unchecked_key_type_makes_one_chunk() {
    let table = table(&[("id", "xmltype")], &[0], vec![]);
    assert_eq!(ChunkKey::of(&table, &[0]), None);
    assert_eq!(ChunkKey::of(&table, &[]), None);
    assert_eq!(whole_table_query(&table.name, &["id"]), "SELECT `id` FROM `sh``op`.`t`");
}

#[test]
fn a_bound_of_another_key_is_refused() {
    let table = table(&[("id", "int")], &[0], vec![]);
    let key = ChunkKey::of(&table, &[0]).unwrap();
    let bound = vec!["1".to_owned(), "2".to_owned()];
    assert_eq!(key.bound_query(Some(&bound), 10).unwrap_err().found, 2);
    assert_eq!(key.chunk_query(&["id"], None, Some(&bound)).unwrap_err().expected, 1);
}

#[test]
fn a_double_keeps_every_bit_in_its_literal() {
    let table = table(&[("d", "double")], &[0], vec![]);
    let key = ChunkKey::of(&table, &[0]).unwrap();
    for value in [0.0, -0.1, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 4.9e-324, 16_777_217.0, 0.1 + 0.2] {
        let literals = key.literals(vec![format!("{value}")]).unwrap();
        let literal = literals.first().unwrap();
        assert!(literal.contains('e'), "{literal} would be read as a DECIMAL");
        assert_eq!(literal.parse::<f64>().unwrap().to_bits(), value.to_bits());
    }
    assert_eq!(key.literals(vec!["nan".into()]), None);
    assert_eq!(key.literals(vec!["1; DROP TABLE t".into()]), None);
    assert_eq!(key.literals(vec![]), None);
}
