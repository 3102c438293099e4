//! Tables, logs of operations on them, and the model they are compared with.

use crate::harness::PostgresDatabase;
use futures_util::TryStreamExt;
use rowferry::testing::change::{
    EncodedRows, RowLayout, RowOp, RowSpan, TargetColumn, TargetName, TargetType,
};
use rowferry::testing::sink::{Compacted, Compactor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Operations: what, on which key, with which value. A value divisible by 7 is written as NULL.
pub type Log = Vec<(RowOp, i64, i64)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `id`, then the value.
    OneKey,
    /// The key is (`region`, `id`), in columns around the value.
    TwoKeys,
    /// `region` and `id` are the key and all there is.
    OnlyKeys,
    /// As `OneKey`, in two partitions.
    Partitioned,
}

impl Shape {
    pub fn create(self, name: &str) -> String {
        let columns = match self {
            Self::OneKey | Self::Partitioned => "id bigint PRIMARY KEY, v text",
            Self::TwoKeys => {
                "id bigint NOT NULL, v text, region varchar(40) NOT NULL, PRIMARY KEY (region, id)"
            }
            Self::OnlyKeys => "id bigint NOT NULL, region varchar(40) NOT NULL, PRIMARY KEY (region, id)",
        };
        let partition = |n| {
            format!(
                "; CREATE TABLE public.{name}_{n} PARTITION OF public.{name} \
                 FOR VALUES WITH (MODULUS 2, REMAINDER {n})"
            )
        };
        let rest = match self {
            Self::Partitioned => format!(" PARTITION BY HASH (id){}{}", partition(0), partition(1)),
            Self::OneKey | Self::TwoKeys | Self::OnlyKeys => String::new(),
        };
        format!("CREATE TABLE public.{name} ({columns}){rest}")
    }
}

pub fn field(bytes: &[u8]) -> Vec<u8> {
    [&i32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn column(name: &str, data_type: TargetType) -> TargetColumn {
    TargetColumn { name: name.into(), data_type, nullable: false }
}

pub fn layout(name: &str, shape: Shape) -> Arc<RowLayout> {
    let (id, v) = (column("id", TargetType::Bigint), column("v", TargetType::Text));
    let region = column("region", TargetType::Varchar(Some(40)));
    let (columns, key) = match shape {
        Shape::OneKey | Shape::Partitioned => (vec![id, v], vec![0]),
        Shape::TwoKeys => (vec![id, v, region], vec![2, 0]),
        Shape::OnlyKeys => (vec![id, region], vec![1, 0]),
    };
    let target = TargetName { schema: "public".into(), table: name.into() };
    Arc::new(RowLayout { target, columns, key })
}

pub fn two_columns(name: &str, id: TargetType, value: &str, data_type: TargetType) -> Arc<RowLayout> {
    let target = TargetName { schema: "public".into(), table: name.into() };
    Arc::new(RowLayout { target, columns: vec![column("id", id), column(value, data_type)], key: vec![0] })
}

fn region(key: i64) -> String {
    format!("r'{key}")
}

fn text(value: i64) -> Option<String> {
    (value % 7 != 0).then(|| format!("{value} ä\\ {}", "x".repeat(usize::try_from(value % 50).unwrap())))
}

/// The operations as encoded rows.
pub fn run(layout: &Arc<RowLayout>, log: &Log) -> EncodedRows {
    let mut run = EncodedRows::new(Arc::clone(layout));
    for &(op, key, value) in log {
        let fields: Vec<Vec<u8>> = layout
            .columns
            .iter()
            .map(|column| match &*column.name {
                "id" => field(&key.to_be_bytes()),
                "region" => field(region(key).as_bytes()),
                _ => text(value).map_or((-1_i32).to_be_bytes().to_vec(), |text| field(text.as_bytes())),
            })
            .collect();
        let start = run.buffer.len();
        for &index in &layout.key {
            run.buffer.extend_from_slice(&fields[index]);
        }
        let end = run.buffer.len();
        if op != RowOp::Delete {
            run.buffer.extend_from_slice(&i16::try_from(fields.len()).unwrap().to_be_bytes());
            run.buffer.extend(fields.concat());
        }
        run.spans.push(RowSpan { op, key: start..end, row: end..run.buffer.len() });
    }
    run
}

/// Adds a row whose key is its first field, of `key_bytes`.
pub fn push(run: &mut EncodedRows, op: RowOp, fields: &[u8], key_bytes: usize) {
    let start = run.buffer.len();
    let columns = i16::try_from(run.layout.columns.len()).unwrap();
    run.buffer.extend_from_slice(&columns.to_be_bytes());
    run.buffer.extend_from_slice(fields);
    let key = start + 2..start + 2 + key_bytes;
    run.spans.push(RowSpan { op, key, row: start..run.buffer.len() });
}

pub fn finish(mut run: EncodedRows) -> Compacted {
    let mut compactor = Compactor::new();
    compactor.push(&mut run);
    compactor.finish()
}

pub fn compacted(layout: &Arc<RowLayout>, log: &Log) -> Compacted {
    finish(run(layout, log))
}

/// What a table holds: per key its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model(BTreeMap<i64, Option<String>>);

impl Model {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn apply(&mut self, log: &Log) {
        for &(op, key, value) in log {
            if op == RowOp::Delete {
                self.0.remove(&key);
            } else {
                self.0.insert(key, text(value));
            }
        }
    }

    /// Keys that the first operation expects and are not there, and the other way round.
    pub fn drift(&self, log: &Log) -> (u64, u64) {
        let mut first = BTreeMap::new();
        for &(op, key, _) in log {
            first.entry(key).or_insert(matches!(op, RowOp::Update | RowOp::Delete));
        }
        let count = |present: bool| {
            first
                .iter()
                .filter(move |(key, expected)| **expected == present && self.0.contains_key(key) != present)
        };
        (count(true).count().try_into().unwrap(), count(false).count().try_into().unwrap())
    }

    /// The table's rows. Values are left out where it has no column for them, here as in the comparison.
    pub async fn read(database: &PostgresDatabase<'_>, name: &str, shape: Shape) -> Self {
        let (value, region) = match shape {
            Shape::OneKey | Shape::Partitioned => ("v", "NULL"),
            Shape::TwoKeys => ("v", "region"),
            Shape::OnlyKeys => ("NULL", "region"),
        };
        let rows = database.sql(&format!("SELECT id, {value}, {region} FROM public.{name}")).await;
        let mut model = BTreeMap::new();
        for row in rows {
            let key: i64 = row[0].as_deref().unwrap().parse().unwrap();
            if region != "NULL" {
                assert_eq!(row[2].as_deref(), Some(&*self::region(key)));
            }
            model.insert(key, row[1].clone());
        }
        Self(model)
    }
}

/// Random operations on few keys. `consistent`: as a source that holds `model` could have logged them.
pub fn random_log(seed: u64, size: usize, shape: Shape, model: &Model, consistent: bool) -> Log {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i64::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut now = model.clone();
    let mut log = Log::new();
    while log.len() < size {
        let (key, other) = (next(size * 2), next(size * 2));
        // Without a value column every value must read as NULL.
        let value = if shape == Shape::OnlyKeys { 0 } else { next(1000) };
        let (here, there) = (now.0.contains_key(&key), now.0.contains_key(&other));
        let step: Log = match (next(4), consistent) {
            (0, false) => vec![(RowOp::Insert, key, value)],
            (1, false) => vec![(RowOp::Update, key, value)],
            (2, false) => vec![(RowOp::Delete, key, 0)],
            (_, false) => vec![(RowOp::Delete, key, 0), (RowOp::Arrive, other, value)],
            (_, true) if !here => vec![(RowOp::Insert, key, value)],
            (0, true) => vec![(RowOp::Delete, key, 0)],
            (1, true) if !there => vec![(RowOp::Delete, key, 0), (RowOp::Arrive, other, value)],
            (_, true) => vec![(RowOp::Update, key, value)],
        };
        now.apply(&step);
        log.extend(step);
    }
    log
}

/// Two equal tables with a column, and a part of the key, of every type; `source` has rows.
pub const EVERY_TYPE: &str = "\
CREATE TABLE public.source (a boolean, b smallint, c integer, d bigint, e numeric(20), f numeric(12,3), g real, \
 h double precision, i bit(5), j varchar(9), k text, l bytea, m date, n timestamp(3), o timestamptz(6), p time(2), \
 q interval(6), r json, s jsonb, t uuid, u real[]); \
INSERT INTO public.source VALUES \
 (true, -1, 2, -3, 18446744073709551615, -12.340, 'NaN', 1e300, B'00101', 'ünï', '', '\\x00ff', '0001-01-01', \
  '2024-02-29 01:02:03.004', '1970-01-01 00:00:00.000001+00', '23:59:59.99', '-838:59:59.000001', '{\"a\": 1}', \
  '{\"b\": [1.50, null]}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,2.5}'), \
 (false, 0, 0, 0, 0, 0, 0, 0, B'00000', '', 'x', '', '9999-12-31', 'infinity', '-infinity', '0:0', '0', 'null', \
  'null', '00000000-0000-0000-0000-000000000000', '{}'), \
 (false, 1, 0, 0, 100000000000, 100.5, -0.5, 0.1, B'11111', 'quote''', E'back\\\\slash', '\\x5c', '2000-01-01', \
  '2000-01-01', '2000-01-01', '1:0', '1 mon', '[]', '[]', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{0}'), \
 (true, 2, 0, 0, 7, 7.7, 7, 7, B'00111', 'seven', 'seven', '\\x07', '2007-07-07', '2007-07-07', '2007-07-07', \
  '7:07', '7 days', '7', '7', '07070707-0707-0707-0707-070707070707', '{7}'); \
CREATE TABLE public.target (LIKE public.source); \
ALTER TABLE public.target ADD PRIMARY KEY (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, s, t)";

/// The columns of [`EVERY_TYPE`], with or without the one that no array can hold, as a list and as a layout.
pub fn every_type(name: &str, only_arrays: bool) -> (String, Arc<RowLayout>) {
    use TargetType as T;
    let mut types = vec![
        T::Boolean,
        T::Smallint,
        T::Integer,
        T::Bigint,
        T::Numeric(Some((20, 0))),
        T::Numeric(Some((12, 3))),
        T::Real,
        T::Double,
        T::Bit(5),
        T::Varchar(Some(9)),
        T::Text,
        T::Bytea,
        T::Date,
        T::Timestamp(3),
        T::TimestampTz(6),
        T::Time(2),
        T::Interval(6),
        T::Jsonb,
        T::Uuid,
    ];
    let key = (0..types.len()).collect();
    let mut names: Vec<&str> = "a b c d e f g h i j k l m n o p q s t".split(' ').collect();
    if !only_arrays {
        types.push(T::RealArray);
        names.push("u");
    }
    let target = TargetName { schema: "public".into(), table: name.into() };
    let columns = names.iter().zip(types).map(|(name, data_type)| column(name, data_type)).collect();
    (names.join(", "), Arc::new(RowLayout { target, columns, key }))
}

/// The rows of `source` as the server itself encodes them.
pub async fn rows_of_server(
    database: &PostgresDatabase<'_>,
    columns: &str,
    layout: &Arc<RowLayout>,
) -> EncodedRows {
    let session = database.session().await;
    let copy = format!("COPY (SELECT {columns} FROM public.source) TO STDOUT (FORMAT binary)");
    let messages: Vec<bytes::Bytes> =
        session.client().copy_out(&copy).await.unwrap().try_collect().await.unwrap();
    let bytes = messages.concat();
    let mut run = EncodedRows::new(Arc::clone(layout));
    // After the 19 bytes of the header; a field count of -1 ends it.
    let mut rest = &bytes[19..];
    while rest[..2] != [0xff, 0xff] {
        let mut at = 2;
        let mut key_end = 0;
        for index in 0..layout.columns.len() {
            let length = i32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
            at += 4 + usize::try_from(length).unwrap_or(0);
            if index + 1 == layout.key.len() {
                key_end = at;
            }
        }
        let start = run.buffer.len();
        run.buffer.extend_from_slice(&rest[..at]);
        let (key, row) = (start + 2..start + key_end, start..start + at);
        run.spans.push(RowSpan { op: RowOp::Insert, key, row });
        rest = &rest[at..];
    }
    run
}
