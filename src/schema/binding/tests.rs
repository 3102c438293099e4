use super::*;
use crate::schema::ColumnDefault;
use ValueEnd::{Fixed, Prefixed};

fn charset(name: &str) -> Charset {
    Charset { name: name.into(), collation: format!("{name}_bin") }
}

fn column(name: &str, data_type: MySqlType, nullable: bool) -> Column {
    Column {
        name: name.into(),
        data_type,
        nullable,
        default: ColumnDefault::None,
        generated: false,
        generation: None,
        auto_increment: false,
        limits: crate::schema::Limits::default(),
    }
}

/// The table whose map a MySQL 9.7 wrote with `binlog_row_metadata=FULL`.
fn table() -> Table {
    let utf8 = || charset("utf8mb4");
    let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    let columns = vec![
        column("id", MySqlType::BigInt { unsigned: true }, false),
        column("y", MySqlType::Year, true),
        column("b1", MySqlType::Bit { bits: 1 }, true),
        column("b9", MySqlType::Bit { bits: 9 }, true),
        column("b64", MySqlType::Bit { bits: 64 }, true),
        column("d", MySqlType::Decimal { precision: 12, scale: 2 }, true),
        column("f", MySqlType::Float, true),
        column("dd", MySqlType::Double, true),
        column("e", MySqlType::Enum { labels: labels(&["a", "b"]), charset: utf8() }, true),
        column("s", MySqlType::Set { labels: labels(&["x", "y", "z"]), charset: utf8() }, true),
        column("c", MySqlType::Char { length: 10, charset: utf8() }, true),
        column("c255", MySqlType::Char { length: 255, charset: utf8() }, true),
        column("c1", MySqlType::Char { length: 3, charset: charset("latin1") }, true),
        column("bi", MySqlType::Binary { length: 200 }, true),
        column("v", MySqlType::VarChar { length: 300, charset: utf8() }, true),
        column("vb", MySqlType::VarBinary { length: 20 }, true),
        column("t", MySqlType::Text { length_bytes: 1, charset: utf8() }, true),
        column("lt", MySqlType::Text { length_bytes: 4, charset: utf8() }, true),
        column("bl", MySqlType::Blob { length_bytes: 2 }, true),
        column("j", MySqlType::Json, true),
        column("g", MySqlType::Geometry { kind: "geometry".into() }, true),
        column("p", MySqlType::Geometry { kind: "point".into() }, true),
        column("ve", MySqlType::Vector { dimensions: 3 }, true),
        column("ti", MySqlType::Time { fraction: 3, old_format: false }, true),
        column("dt", MySqlType::DateTime { fraction: 6, old_format: false }, true),
        column("ts", MySqlType::Timestamp { fraction: 2, old_format: false }, true),
        column("u2", MySqlType::VarChar { length: 5, charset: charset("ucs2") }, true),
        column("gen", MySqlType::Int { unsigned: false }, true),
        column("inv", MySqlType::Int { unsigned: false }, true),
    ];
    Table {
        name: TableName::new("db", "tm"),
        columns,
        primary_key: vec![0],
        unique_keys: vec![],
        foreign_keys: vec![],
        hidden: crate::schema::HiddenColumns::default(),
        charset: utf8(),
    }
}

/// What the server wrote for it.
fn map() -> TableMap {
    let optional: &[&[u8]] = &[
        b"\x01\x01\xf0",
        b"\x03\x15\xfc\xff\x00\xfc\xff\x00\x08\x3f\xfc\xff\x00\x3f\xfc\xff\x00\xfc\xff\x00\x3f\x3f\x23",
        b"\x07\x02\x00\x01",
        b"\x0d\x01\x03",
        b"\x04\x55\x02id\x01y\x02b1\x02b9\x03b64\x01d\x01f\x02dd\x01e\x01s\x01c\x04c255\x02c1\x02bi\x01v\x02vb\x01t\x02lt\x02bl\x01j\x01g\x01p\x02ve\x02ti\x02dt\x02ts\x02u2\x03gen\x03inv",
        b"\x0a\x03\xfc\xff\x00",
        b"\x05\x07\x03\x01x\x01y\x01z",
        b"\x06\x05\x02\x01a\x01b",
        b"\x08\x01\x00",
        b"\x0c\x04\xff\xff\xff\xf0",
    ];
    let mut optional = optional.concat();
    // The names' length, counted.
    let names = optional.windows(4).position(|bytes| bytes == b"\x04\x55\x02i").unwrap();
    let end = optional.windows(4).position(|bytes| bytes == b"\x0a\x03\xfc\xff").unwrap();
    optional[names + 1] = u8::try_from(end - names - 2).unwrap();
    let two = |low: u8, high: u8| u16::from_le_bytes([low, high]);
    TableMap {
        table_id: 1,
        name: TableName::new("db", "tm"),
        types: vec![
            8, 13, 16, 16, 16, 246, 4, 5, 254, 254, 254, 254, 254, 254, 15, 15, 252, 252, 252, 245, 255, 255,
            242, 19, 18, 17, 15, 3, 3,
        ],
        metadata: vec![
            0,
            0,
            two(1, 0),
            two(1, 1),
            two(0, 8),
            two(12, 2),
            4,
            8,
            two(0xf7, 1),
            two(0xf8, 1),
            two(0xfe, 0x28),
            two(0xce, 0xfc),
            two(0xfe, 3),
            two(0xfe, 200),
            1200,
            20,
            1,
            4,
            2,
            4,
            4,
            4,
            4,
            3,
            6,
            2,
            10,
            0,
            0,
        ],
        nullable: vec![0xfe, 0xff, 0xff, 0x1f],
        optional: optional.into(),
    }
}

#[test]
fn a_table_map_with_full_metadata_binds() {
    let bound = bind(&table(), &map()).unwrap();
    let wires: Vec<ValueEnd> = bound.columns.iter().map(|column| column.wire).collect();
    assert_eq!(
        wires,
        [
            Fixed(8),
            Fixed(1),
            Fixed(1),
            Fixed(2),
            Fixed(8),
            Fixed(6),
            Fixed(4),
            Fixed(8),
            Fixed(1),
            Fixed(1),
            Prefixed(1),
            Prefixed(2),
            Prefixed(1),
            Prefixed(1),
            Prefixed(2),
            Prefixed(1),
            Prefixed(1),
            Prefixed(4),
            Prefixed(2),
            Prefixed(4),
            Prefixed(4),
            Prefixed(4),
            Prefixed(4),
            Fixed(5),
            Fixed(8),
            Fixed(5),
            Prefixed(1),
            Fixed(4),
            Fixed(4),
        ]
    );
    assert!(bound.columns.iter().all(|column| !column.old_format));
}

#[test]
fn every_contradiction_names_its_column() {
    type Change = fn(&mut Table);
    let changes: [(&str, Change); 17] = [
        ("id", |t| t.columns[0].data_type = MySqlType::BigInt { unsigned: false }),
        ("id", |t| t.columns[0].data_type = MySqlType::Int { unsigned: true }),
        ("b9", |t| t.columns[3].data_type = MySqlType::Bit { bits: 10 }),
        ("d", |t| t.columns[5].data_type = MySqlType::Decimal { precision: 12, scale: 3 }),
        ("e", |t| {
            t.columns[8].data_type =
                MySqlType::Enum { labels: vec!["a".into(), "c".into()], charset: charset("utf8mb4") }
        }),
        ("s", |t| {
            t.columns[9].data_type = MySqlType::Set { labels: vec!["x".into()], charset: charset("utf8mb4") }
        }),
        ("c", |t| t.columns[10].data_type = MySqlType::Char { length: 11, charset: charset("utf8mb4") }),
        ("c1", |t| t.columns[12].data_type = MySqlType::Char { length: 3, charset: charset("latin2") }),
        ("bi", |t| t.columns[13].data_type = MySqlType::Char { length: 50, charset: charset("utf8mb4") }),
        ("v", |t| t.columns[14].data_type = MySqlType::VarChar { length: 299, charset: charset("utf8mb4") }),
        ("bl", |t| t.columns[18].data_type = MySqlType::Blob { length_bytes: 3 }),
        ("ve", |t| t.columns[22].data_type = MySqlType::Vector { dimensions: 4 }),
        ("dt", |t| t.columns[24].data_type = MySqlType::DateTime { fraction: 5, old_format: false }),
        ("gen", |t| t.columns[27].name = "other".into()),
        ("inv", |t| t.columns[28].nullable = false),
        ("(all)", |t| t.primary_key = vec![1]),
        ("inv", |t| {
            t.columns.pop();
        }),
    ];
    for (index, (name, change)) in changes.into_iter().enumerate() {
        let mut table = table();
        change(&mut table);
        let error = bind(&table, &map()).unwrap_err();
        let SchemaError::Contradiction { column, .. } = error else { panic!("{error}") };
        let expected = match index {
            13 => "other",
            16 => "(all)",
            _ => name,
        };
        assert_eq!(column, expected, "change {index}");
    }
}

#[test]
fn types_of_before_5_6_4_are_marked() {
    let table = Table {
        columns: vec![
            column("a", MySqlType::Time { fraction: 0, old_format: false }, false),
            column("b", MySqlType::DateTime { fraction: 0, old_format: false }, false),
            column("c", MySqlType::Timestamp { fraction: 0, old_format: false }, false),
        ],
        ..table()
    };
    let map = TableMap {
        types: vec![code::TIME, code::DATETIME, code::TIMESTAMP],
        metadata: vec![0; 3],
        nullable: vec![0],
        optional: bytes::Bytes::new(),
        ..map()
    };
    let bound = bind(&table, &map).unwrap();
    assert!(bound.columns.iter().all(|column| column.old_format));
    let widths: Vec<ValueEnd> = bound.columns.iter().map(|column| column.wire).collect();
    assert_eq!(widths, [ValueEnd::Fixed(3), ValueEnd::Fixed(8), ValueEnd::Fixed(4)]);
}

#[test]
fn geometry_among_the_character_columns_binds_too() {
    // MariaDB counts it: latin1, then binary for the geometry, then utf8mb4.
    let table = Table {
        columns: vec![
            column("a", MySqlType::VarChar { length: 3, charset: charset("latin1") }, false),
            column("g", MySqlType::Geometry { kind: "point".into() }, false),
            column("b", MySqlType::VarChar { length: 3, charset: charset("utf8mb4") }, false),
        ],
        ..table()
    };
    let map = |optional: &'static [u8]| TableMap {
        types: vec![15, 255, 15],
        metadata: vec![3, 4, 12],
        nullable: vec![0],
        optional: bytes::Bytes::from_static(optional),
        ..map()
    };
    assert!(bind(&table, &map(b"\x03\x03\x08\x3f\x2d")).is_ok());
    assert!(bind(&table, &map(b"\x03\x02\x08\x2d")).is_ok());
    assert!(bind(&table, &map(b"\x02\x05\x2d\x00\x08\x01\x3f")).is_ok());
    assert!(bind(&table, &map(b"\x03\x03\x08\x3f\x3f")).is_err());
    assert!(bind(&table, &map(b"\x03\x03\x08\x3f")).is_err(), "cut short");
    assert!(bind(&table, &map(b"\x63\x00")).is_err(), "a field of unknown type");
}

proptest::proptest! {
    #[test]
    fn no_optional_metadata_makes_binding_panic(optional: Vec<u8>) {
        let _ = bind(&table(), &TableMap { optional: optional.into(), ..map() });
    }
}

#[test]
fn hidden_columns_are_taken_where_the_definition_may_have_them_and_nothing_else_is() {
    let table = |least: usize, most: usize| Table {
        name: TableName::new("db", "h"),
        columns: vec![column("id", MySqlType::Int { unsigned: false }, false)],
        primary_key: vec![0],
        unique_keys: vec![],
        foreign_keys: vec![],
        hidden: crate::schema::HiddenColumns { least, most, keys: most },
        charset: charset("utf8mb4"),
    };
    let map = |types: &[u8], nullable: u8, optional: &'static [u8]| TableMap {
        types: types.to_vec(),
        metadata: vec![0; types.len()],
        nullable: vec![nullable],
        optional: bytes::Bytes::from_static(optional),
        ..super::tests::map()
    };
    let fits = |table: &Table, map: &TableMap| bind(table, map).map(|bound| bound.columns.len()).ok();
    let one = map(&[code::LONG, code::LONGLONG], 2, b"");
    assert_eq!(fits(&table(1, 1), &one), Some(2));
    assert_eq!(fits(&table(1, 1), &map(&[code::LONG, code::LONGLONG], 0, b"")), Some(2));
    assert_eq!(fits(&table(0, 64), &one), Some(2));
    assert_eq!(fits(&table(0, 0), &one), None, "a column that was added unseen");
    assert_eq!(fits(&table(2, 2), &one), None);
    assert_eq!(fits(&table(1, 1), &map(&[code::LONG], 0, b"")), None);
    assert_eq!(fits(&table(1, 1), &map(&[code::LONG, code::LONG], 2, b"")), None, "another type");
    let named = |name| map(&[code::LONG, code::LONGLONG], 2, name);
    assert_eq!(fits(&table(1, 1), &named(b"\x04\x11\x02id\x0dDB_ROW_HASH_1")), Some(2));
    assert_eq!(fits(&table(1, 1), &named(b"\x04\x05\x02id\x01x")), None);
}
