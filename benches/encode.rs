//! Decode and encode of a table of 12 mixed columns, from row events and from result rows: rows a second on one
//! core.
#![allow(clippy::expect_used, clippy::as_conversions, clippy::cast_possible_truncation)]

use divan::counter::ItemsCount;
use rowferry::testing::change::policy::{BadText, KeyDates, NulBytes, Operations, ZeroDates};
use rowferry::testing::change::rows::ResultColumn;
use rowferry::testing::change::{
    EncodedRows, FilePosition, ResultRows, RowsEvent, RowsKind, TableMap, TableName, TargetColumn,
    TargetName, TargetTable, TargetType,
};
use rowferry::testing::schema::{BoundTable, Charset, Column, ColumnDefault, MySqlType, Table, bind};
use rowferry::testing::transform::{ColumnMapping, Plan, Policies, TableMapping};
use std::sync::Arc;

fn main() {
    divan::main();
}

const ROWS: usize = 10_000;
const ALL: Operations = Operations { insert: true, update: true, delete: true, alter_table: true };

/// The columns: name, type, target type, type code and metadata of the table map, type code and flags of a result.
fn columns() -> Vec<(&'static str, MySqlType, TargetType, u8, u16, u8, u16)> {
    let charset = || Charset { name: "utf8mb4".into(), collation: "utf8mb4_0900_ai_ci".into() };
    let varchar = |length| MySqlType::VarChar { length, charset: charset() };
    let labels = ["new", "paid", "sent", "closed"].map(String::from).to_vec();
    vec![
        ("id", MySqlType::BigInt { unsigned: false }, TargetType::Bigint, 8, 0, 8, 0),
        ("customer", MySqlType::Int { unsigned: false }, TargetType::Integer, 3, 0, 3, 0),
        (
            "flags",
            MySqlType::TinyInt { unsigned: false, display_one: false },
            TargetType::Smallint,
            1,
            0,
            1,
            0,
        ),
        (
            "amount",
            MySqlType::Decimal { precision: 12, scale: 2 },
            TargetType::Numeric(Some((12, 2))),
            246,
            0x020c,
            246,
            0,
        ),
        (
            "created",
            MySqlType::DateTime { fraction: 6, old_format: false },
            TargetType::Timestamp(6),
            18,
            6,
            12,
            0,
        ),
        (
            "changed",
            MySqlType::Timestamp { fraction: 0, old_format: false },
            TargetType::TimestampTz(0),
            17,
            0,
            7,
            0,
        ),
        ("email", varchar(60), TargetType::Varchar(Some(60)), 15, 240, 253, 0),
        ("city", varchar(40), TargetType::Varchar(Some(40)), 15, 160, 253, 0),
        ("note", varchar(200), TargetType::Varchar(Some(200)), 15, 800, 253, 0),
        ("weight", MySqlType::Double, TargetType::Double, 5, 8, 5, 0),
        ("due", MySqlType::Date, TargetType::Date, 10, 0, 10, 0),
        ("state", MySqlType::Enum { labels, charset: charset() }, TargetType::Text, 254, 0x01f7, 254, 256),
    ]
}

struct Case {
    plan: Plan,
    bound: BoundTable,
    map: Arc<TableMap>,
}

fn case() -> Case {
    let columns = columns();
    let name = TableName::new("shop", "orders");
    let table = Table {
        name: name.clone(),
        columns: columns
            .iter()
            .map(|(name, data_type, ..)| Column {
                name: (*name).into(),
                data_type: data_type.clone(),
                nullable: *name != "id",
                default: ColumnDefault::None,
                generated: false,
                generation: None,
                auto_increment: false,
                limits: rowferry::testing::schema::Limits::default(),
            })
            .collect(),
        primary_key: vec![0],
        unique_keys: vec![],
        foreign_keys: vec![],
        hidden: rowferry::testing::schema::HiddenColumns::default(),
        charset: Charset { name: "utf8mb4".into(), collation: "utf8mb4_0900_ai_ci".into() },
    };
    let target: Vec<TargetColumn> = columns
        .iter()
        .map(|(name, _, data_type, ..)| TargetColumn {
            name: (*name).into(),
            data_type: data_type.clone(),
            nullable: *name != "id",
        })
        .collect();
    let mapping = TableMapping {
        source: name.clone(),
        target: TargetTable {
            name: TargetName { schema: "shop".into(), table: "orders".into() },
            columns: target.clone(),
            primary_key: vec!["id".into()],
            distribution: None,
            storage: None,
        },
        columns: (0..columns.len()).map(|index| ColumnMapping { source: index, target: index }).collect(),
        source_tag: None,
    };
    let policies = Policies {
        zero_dates: ZeroDates::Null,
        key_dates: KeyDates::Error,
        nul_bytes: NulBytes::Error,
        bad_text: BadText::Error,
    };
    let map = Arc::new(TableMap {
        table_id: 1,
        name,
        types: columns.iter().map(|column| column.3).collect(),
        metadata: columns.iter().map(|column| column.4).collect(),
        nullable: vec![0xfe, 0x0f],
        optional: bytes::Bytes::new(),
    });
    let bound = bind(&table, &map).expect("the table map fits");
    let plan = Plan::compile(&table, &mapping, &target, &policies).expect("the types fit");
    Case { plan, bound, map }
}

const CITIES: [&str; 4] = ["Wolfenbüttel", "Hangzhou", "São Paulo", "Springfield"];

fn sized(text: &str, prefix: usize, row: &mut Vec<u8>) {
    row.extend_from_slice(&(text.len() as u32).to_le_bytes()[..prefix]);
    row.extend_from_slice(text.as_bytes());
}

/// One row image; every seventh row has a NULL.
fn image(id: usize) -> Vec<u8> {
    let mut row = Vec::new();
    let null = id.is_multiple_of(7);
    row.extend_from_slice(&[0, if null { 0xf1 } else { 0xf0 }]);
    row.extend_from_slice(&(id as u64).to_le_bytes());
    row.extend_from_slice(&(id as u32 * 17).to_le_bytes());
    row.push((id % 100) as u8);
    // 10 digits before the point: 1 and 9; 2 after.
    row.push(0x80);
    row.extend_from_slice(&(id as u32 * 31).to_be_bytes());
    row.push((id % 100) as u8);
    // 2023-07-15 12:34:56.
    let packed: u64 = ((2023 * 13 + 7) << 22) | (15 << 17) | (12 << 12) | (34 << 6) | (id as u64 % 60);
    row.extend_from_slice(&(packed + 0x80_0000_0000).to_be_bytes()[3..]);
    row.extend_from_slice(&(id as u32 % 1_000_000).to_be_bytes()[1..]);
    row.extend_from_slice(&(1_700_000_000 + id as u32).to_be_bytes());
    sized(&format!("customer{id}@example.com"), 1, &mut row);
    sized(CITIES[id % 4], 1, &mut row);
    if !null {
        sized("left at the door, please ring twice", 2, &mut row);
    }
    row.extend_from_slice(&(f64::from(id as u32) / 3.0).to_le_bytes());
    row.extend_from_slice(&((2024 << 9 | 2 << 5 | (1 + id as u32 % 28)).to_le_bytes())[..3]);
    row.push((1 + id % 4) as u8);
    row
}

/// The same row in the binary protocol.
fn result(id: usize, row: &mut Vec<u8>) {
    let null = id.is_multiple_of(7);
    // Bit 8 + 2 of the bitmap.
    row.extend_from_slice(&[0, 0, if null { 4 } else { 0 }]);
    row.extend_from_slice(&(id as u64).to_le_bytes());
    row.extend_from_slice(&(id as u32 * 17).to_le_bytes());
    row.push((id % 100) as u8);
    sized(&format!("{}.{:02}", id * 31, id % 100), 1, row);
    row.extend_from_slice(&[11, 0xe7, 7, 7, 15, 12, 34, (id % 60) as u8]);
    row.extend_from_slice(&(id as u32 % 1_000_000).to_le_bytes());
    row.extend_from_slice(&[7, 0xe7, 7, 11, 14, 22, 13, (id % 60) as u8]);
    sized(&format!("customer{id}@example.com"), 1, row);
    sized(CITIES[id % 4], 1, row);
    if !null {
        sized("left at the door, please ring twice", 1, row);
    }
    row.extend_from_slice(&(f64::from(id as u32) / 3.0).to_le_bytes());
    row.extend_from_slice(&[4, 0xe8, 7, 2, (1 + id % 28) as u8]);
    sized(["new", "paid", "sent", "closed"][id % 4], 1, row);
}

fn events(case: &Case, per_event: usize, kind: RowsKind) -> Vec<RowsEvent> {
    let ids: Vec<usize> = (1..=ROWS).collect();
    let all = bytes::Bytes::from_static(&[0xff, 0x0f]);
    ids.chunks(per_event)
        .map(|ids| RowsEvent {
            table: case.map.clone(),
            kind,
            columns: all.clone(),
            columns_after: if kind == RowsKind::Update { all.clone() } else { bytes::Bytes::new() },
            rows: ids
                .iter()
                .flat_map(|id| match kind {
                    RowsKind::Update => [image(*id), image(*id)].concat(),
                    _ => image(*id),
                })
                .collect::<Vec<u8>>()
                .into(),
            references: rowferry::testing::change::References::Followed,
            position: FilePosition { file: "binlog.000001".into(), offset: 4 },
        })
        .collect()
}

fn run_events(bencher: divan::Bencher<'_, '_>, per_event: usize, kind: RowsKind) {
    let case = case();
    let events = events(&case, per_event, kind);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        // A batch: one buffer for many events.
        let mut rows = EncodedRows::new(case.plan.layout().clone());
        for event in &events {
            case.plan.encode_event(&case.bound, event, &ALL, &mut rows).expect("the rows are sound");
        }
        rows
    });
}

#[divan::bench(args = [1, 50, 1000])]
fn inserts(bencher: divan::Bencher<'_, '_>, rows_per_event: usize) {
    run_events(bencher, rows_per_event, RowsKind::Insert);
}

#[divan::bench(args = [1, 50])]
fn updates(bencher: divan::Bencher<'_, '_>, rows_per_event: usize) {
    run_events(bencher, rows_per_event, RowsKind::Update);
}

#[divan::bench(args = [1, 50])]
fn deletes(bencher: divan::Bencher<'_, '_>, rows_per_event: usize) {
    run_events(bencher, rows_per_event, RowsKind::Delete);
}

/// Every event into rows of its own, as when each is sent on by itself.
#[divan::bench(args = [1, 50])]
fn inserts_apart(bencher: divan::Bencher<'_, '_>, rows_per_event: usize) {
    let case = case();
    let events = events(&case, rows_per_event, RowsKind::Insert);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for event in &events {
            let mut rows = EncodedRows::new(case.plan.layout().clone());
            case.plan.encode_event(&case.bound, event, &ALL, &mut rows).expect("the rows are sound");
            divan::black_box(&rows);
        }
    });
}

#[divan::bench]
fn result_rows(bencher: divan::Bencher<'_, '_>) {
    let case = case();
    let mut buffer = Vec::new();
    let mut ranges = Vec::new();
    for id in 1..=ROWS {
        let start = buffer.len();
        result(id, &mut buffer);
        ranges.push(start..buffer.len());
    }
    let found = columns().into_iter().map(|column| ResultColumn {
        type_code: column.5,
        flags: column.6,
        collation: 255,
    });
    let rows = ResultRows { buffer: buffer.into(), rows: ranges, columns: found.collect() };
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut out = EncodedRows::new(case.plan.layout().clone());
        case.plan.encode_result(&rows, &mut out).expect("the rows are sound");
        out
    });
}
