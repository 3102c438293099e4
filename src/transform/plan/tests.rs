//! Whole plans: both inputs of one value, keys, policies, and bytes that are not what they should be.

use super::*;
use crate::change::policy::Operations;
use crate::change::rows::ResultColumn;
use crate::change::{
    EncodedRows, FilePosition, ResultRows, RowOp, RowsEvent, RowsKind, TableMap, TargetName, TargetTable,
};
use crate::schema::{BoundColumn, BoundTable, Charset, Column, ColumnDefault, MySqlType, ValueEnd};
use crate::transform::ColumnMapping;

mod partial;
mod rows;
mod values;

const ALL: Operations = Operations { insert: true, update: true, delete: true, alter_table: true };
const POLICIES: Policies = Policies {
    zero_dates: ZeroDates::Null,
    key_dates: KeyDates::Error,
    nul_bytes: NulBytes::Error,
    bad_text: BadText::Error,
};

fn utf8() -> Charset {
    Charset { name: "utf8mb4".into(), collation: "utf8mb4_bin".into() }
}

/// A source column and where it goes.
struct Spec {
    data_type: MySqlType,
    target: TargetType,
    wire: ValueEnd,
    found: ResultColumn,
    nullable: bool,
}

fn spec(data_type: MySqlType, target: TargetType, wire: ValueEnd, type_code: u8) -> Spec {
    let unsigned = matches!(
        data_type,
        MySqlType::TinyInt { unsigned: true, .. }
            | MySqlType::SmallInt { unsigned: true }
            | MySqlType::MediumInt { unsigned: true }
            | MySqlType::Int { unsigned: true }
            | MySqlType::BigInt { unsigned: true }
    );
    let text = matches!(
        data_type,
        MySqlType::VarChar { .. } | MySqlType::Char { .. } | MySqlType::Enum { .. } | MySqlType::Set { .. }
    );
    let flags = match data_type {
        MySqlType::Enum { .. } => 256,
        MySqlType::Set { .. } => 2048,
        _ if unsigned => 32,
        _ => 0,
    };
    let found = ResultColumn { type_code, flags, collation: if text { 255 } else { 63 } };
    Spec { data_type, target, wire, found, nullable: true }
}

struct Fixture {
    plan: Plan,
    bound: BoundTable,
    map: Arc<TableMap>,
    found: Arc<[ResultColumn]>,
}

/// A table of columns `c0`, `c1`, … with a key; columns in `skip` are not carried.
fn try_fixture(
    specs: &[Spec],
    key: &[usize],
    skip: &[usize],
    tag: Option<&str>,
    policies: Policies,
) -> Result<Fixture, TransformError> {
    let name = TableName::new("db", "t");
    let columns = specs.iter().enumerate().map(|(index, spec)| Column {
        name: format!("c{index}"),
        data_type: spec.data_type.clone(),
        nullable: spec.nullable && !key.contains(&index),
        default: ColumnDefault::None,
        generated: false,
        generation: None,
        auto_increment: false,
        limits: crate::schema::Limits::default(),
    });
    let table = Table {
        name: name.clone(),
        columns: columns.collect(),
        primary_key: key.to_vec(),
        unique_keys: vec![],
        foreign_keys: vec![],
        hidden: crate::schema::HiddenColumns::default(),
        charset: utf8(),
    };
    let mut target: Vec<TargetColumn> = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| TargetColumn {
            name: format!("c{index}"),
            data_type: spec.target.clone(),
            nullable: spec.nullable && !key.contains(&index),
        })
        .collect();
    let mut primary_key: Vec<String> = key.iter().map(|index| format!("c{index}")).collect();
    let source_tag = tag.map(|tag| {
        target.push(TargetColumn { name: "src".into(), data_type: TargetType::Text, nullable: false });
        primary_key.insert(0, "src".into());
        (target.len() - 1, tag.to_owned())
    });
    let mapping = TableMapping {
        source: name.clone(),
        target: TargetTable {
            name: TargetName { schema: "db".into(), table: "t".into() },
            columns: target.clone(),
            primary_key,
            distribution: None,
            storage: None,
        },
        columns: (0..specs.len())
            .filter(|index| !skip.contains(index))
            .map(|index| ColumnMapping { source: index, target: index })
            .collect(),
        source_tag,
    };
    let carried = specs.iter().enumerate().filter(|(index, _)| !skip.contains(index));
    Ok(Fixture {
        plan: Plan::compile(&table, &mapping, &target, &policies)?,
        bound: BoundTable {
            name: name.clone(),
            columns: specs
                .iter()
                .map(|spec| BoundColumn { wire: spec.wire, old_format: false, compressed: false })
                .collect(),
        },
        map: Arc::new(TableMap {
            table_id: 1,
            name,
            types: vec![],
            metadata: vec![],
            nullable: vec![],
            optional: bytes::Bytes::new(),
        }),
        found: carried.map(|(_, spec)| spec.found).collect(),
    })
}

fn fixture(specs: &[Spec], key: &[usize]) -> Fixture {
    try_fixture(specs, key, &[], None, POLICIES).unwrap()
}

impl Fixture {
    fn event(&self, kind: RowsKind, rows: &[u8]) -> RowsEvent {
        let all = bytes::Bytes::from(vec![0xff; self.bound.columns.len().div_ceil(8)]);
        RowsEvent {
            table: self.map.clone(),
            kind,
            columns: all.clone(),
            columns_after: if kind.has_both_images() { all } else { bytes::Bytes::new() },
            rows: rows.to_vec().into(),
            references: crate::change::References::Followed,
            position: FilePosition { file: "b.000001".into(), offset: 4 },
        }
    }

    fn logged(&self, kind: RowsKind, rows: &[u8]) -> Result<EncodedRows, TransformError> {
        let mut out = EncodedRows::new(self.plan.layout().clone());
        self.plan.encode_event(&self.bound, &self.event(kind, rows), &ALL, &mut out)?;
        Ok(out)
    }

    fn selected(&self, row: &[u8]) -> Result<EncodedRows, TransformError> {
        let rows = ResultRows {
            buffer: row.to_vec().into(),
            rows: std::iter::once(0..row.len()).collect(),
            columns: self.found.clone(),
        };
        let mut out = EncodedRows::new(self.plan.layout().clone());
        self.plan.encode_result(&rows, &mut out)?;
        Ok(out)
    }
}
