//! Rows of a log and of a result into rows of the target: any bytes give rows or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rowferry::testing::change::policy::{NulBytes, Operations, ZeroDates};
use rowferry::testing::change::rows::ResultColumn;
use rowferry::testing::change::{
    EncodedRows, FilePosition, ResultRows, RowsEvent, RowsKind, TableMap, TableName, TargetColumn,
    TargetName, TargetTable, TargetType,
};
use rowferry::testing::schema::{
    BoundTable, Charset, Column, ColumnDefault, HiddenColumns, Limits, MySqlType, Table, bind,
};
use rowferry::testing::transform::{ColumnMapping, Plan, Policies, TableMapping};
use std::sync::{Arc, LazyLock};

struct Case {
    plan: Plan,
    bound: BoundTable,
    map: Arc<TableMap>,
    found: Arc<[ResultColumn]>,
}

/// A column: its type, the target's, code and metadata in a table map, code and flags in a result.
type Kind = (MySqlType, TargetType, u8, u16, u8, u16);

fn charset(name: &str, collation: &str) -> Charset {
    Charset { name: name.into(), collation: collation.into() }
}

fn kinds() -> Vec<Kind> {
    let utf8 = || charset("utf8mb4", "utf8mb4_0900_ai_ci");
    let labels = ["a", "b", "c"].map(String::from).to_vec();
    vec![
        (MySqlType::BigInt { unsigned: true }, TargetType::Numeric(Some((20, 0))), 8, 0, 8, 32),
        (MySqlType::MediumInt { unsigned: false }, TargetType::Integer, 9, 0, 9, 0),
        (
            MySqlType::Decimal { precision: 30, scale: 7 },
            TargetType::Numeric(Some((30, 7))),
            246,
            0x071e,
            246,
            0,
        ),
        (MySqlType::Float, TargetType::Real, 4, 4, 4, 0),
        (MySqlType::Double, TargetType::Double, 5, 8, 5, 0),
        (MySqlType::Bit { bits: 13 }, TargetType::Bit(13), 16, 0x0105, 16, 32),
        (MySqlType::Year, TargetType::Smallint, 13, 0, 13, 32),
        (MySqlType::Date, TargetType::Date, 10, 0, 10, 0),
        (MySqlType::Time { fraction: 3, old_format: false }, TargetType::Interval(3), 19, 3, 11, 0),
        (MySqlType::DateTime { fraction: 6, old_format: false }, TargetType::Timestamp(6), 18, 6, 12, 0),
        (MySqlType::Timestamp { fraction: 2, old_format: false }, TargetType::TimestampTz(2), 17, 2, 7, 0),
        (MySqlType::VarChar { length: 60, charset: utf8() }, TargetType::Varchar(Some(60)), 15, 240, 253, 0),
        (
            MySqlType::VarChar { length: 60, charset: charset("gbk", "gbk_chinese_ci") },
            TargetType::Varchar(Some(60)),
            15,
            120,
            253,
            0,
        ),
        (MySqlType::Binary { length: 16 }, TargetType::Bytea, 254, 0x10fe, 254, 0),
        (MySqlType::Blob { length_bytes: 2 }, TargetType::Bytea, 252, 2, 252, 0),
        (
            MySqlType::Enum { labels: labels.clone(), charset: utf8() },
            TargetType::Text,
            254,
            0x01f7,
            254,
            256,
        ),
        (MySqlType::Set { labels, charset: utf8() }, TargetType::Text, 254, 0x01f8, 254, 2048),
        (MySqlType::Json, TargetType::Jsonb, 245, 4, 245, 0),
    ]
}

static CASE: LazyLock<Case> = LazyLock::new(|| {
    let kinds = kinds();
    let name = TableName::new("d", "t");
    let columns = kinds.iter().enumerate().map(|(index, kind)| Column {
        name: format!("c{index}"),
        data_type: kind.0.clone(),
        nullable: index > 0,
        default: ColumnDefault::None,
        generated: false,
        generation: None,
        auto_increment: false,
        limits: Limits::default(),
    });
    let table = Table {
        name: name.clone(),
        columns: columns.collect(),
        primary_key: vec![0],
        unique_keys: vec![],
        foreign_keys: vec![],
        hidden: HiddenColumns::default(),
        charset: charset("utf8mb4", "utf8mb4_0900_ai_ci"),
    };
    let target: Vec<TargetColumn> = kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| TargetColumn {
            name: format!("c{index}"),
            data_type: kind.1.clone(),
            nullable: index > 0,
        })
        .collect();
    let mapping = TableMapping {
        source: name.clone(),
        target: TargetTable {
            name: TargetName { schema: "d".into(), table: "t".into() },
            columns: target.clone(),
            primary_key: vec!["c0".into()],
            distribution: None,
            storage: None,
        },
        columns: (0..kinds.len()).map(|index| ColumnMapping { source: index, target: index }).collect(),
        source_tag: None,
    };
    let policies = Policies { zero_dates: ZeroDates::Null, nul_bytes: NulBytes::Strip };
    let map = Arc::new(TableMap {
        table_id: 1,
        name,
        types: kinds.iter().map(|kind| kind.2).collect(),
        metadata: kinds.iter().map(|kind| kind.3).collect(),
        nullable: vec![0xfe, 0xff, 0x03],
        optional: bytes::Bytes::new(),
    });
    let found = kinds.iter().map(|kind| ResultColumn {
        type_code: kind.4,
        flags: kind.5,
        collation: if matches!(kind.4, 253 | 254) { 255 } else { 63 },
    });
    Case {
        bound: bind(&table, &map).expect("the table map fits"),
        plan: Plan::compile(&table, &mapping, &target, &policies).expect("the types fit"),
        found: found.collect(),
        map,
    }
});

fuzz_target!(|data: (u8, &[u8], &[u8])| {
    let (options, present, rows) = data;
    let case = &*CASE;
    let mut out = EncodedRows::new(case.plan.layout().clone());
    if options & 0x80 != 0 {
        let rows = ResultRows {
            buffer: rows.to_vec().into(),
            rows: std::iter::once(0..rows.len()).collect(),
            columns: case.found.clone(),
        };
        let _ = case.plan.encode_result(&rows, &mut out);
        return;
    }
    let kind = match options % 4 {
        0 => RowsKind::Insert,
        1 => RowsKind::Update,
        2 => RowsKind::PartialUpdate,
        _ => RowsKind::Delete,
    };
    let all = bytes::Bytes::from_static(&[0xff, 0xff, 0xff]);
    let columns = if present.is_empty() { all.clone() } else { present.to_vec().into() };
    let event = RowsEvent {
        table: case.map.clone(),
        kind,
        columns_after: if kind.has_both_images() { all } else { bytes::Bytes::new() },
        columns,
        rows: rows.to_vec().into(),
        references: rowferry::testing::change::References::Followed,
        position: FilePosition { file: "b.000001".into(), offset: 4 },
    };
    let operations = Operations { insert: true, update: true, delete: true, alter_table: true };
    let _ = case.plan.encode_event(&case.bound, &event, &operations, &mut out);
    // What is written must be whole: spans lie in the buffer, one after the other.
    for span in &out.spans {
        assert!(span.key.end <= out.buffer.len() && span.row.end <= out.buffer.len());
    }
});
