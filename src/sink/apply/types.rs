//! The wire types of target columns.
//!
//! Parameters are declared by type OID, never by a name in a cast: `$1::bit[]` would mean `bit(1)[]`
//! and cut keys short (PostgreSQL docs, "Bit String Types").

use crate::change::{RowLayout, TargetType};
use tokio_postgres::types::Type;

/// A column's type and the array type over it; `None` where no array of it can be unnested into rows.
pub(super) fn array_of(column: &TargetType) -> Option<(Type, Type)> {
    Some(match column {
        TargetType::Boolean => (Type::BOOL, Type::BOOL_ARRAY),
        TargetType::Smallint => (Type::INT2, Type::INT2_ARRAY),
        TargetType::Integer => (Type::INT4, Type::INT4_ARRAY),
        TargetType::Bigint => (Type::INT8, Type::INT8_ARRAY),
        TargetType::Numeric(_) => (Type::NUMERIC, Type::NUMERIC_ARRAY),
        TargetType::Real => (Type::FLOAT4, Type::FLOAT4_ARRAY),
        TargetType::Double => (Type::FLOAT8, Type::FLOAT8_ARRAY),
        TargetType::Bit(_) => (Type::BIT, Type::BIT_ARRAY),
        TargetType::Varchar(_) => (Type::VARCHAR, Type::VARCHAR_ARRAY),
        TargetType::Text => (Type::TEXT, Type::TEXT_ARRAY),
        TargetType::Bytea => (Type::BYTEA, Type::BYTEA_ARRAY),
        TargetType::Date => (Type::DATE, Type::DATE_ARRAY),
        TargetType::Timestamp(_) => (Type::TIMESTAMP, Type::TIMESTAMP_ARRAY),
        TargetType::TimestampTz(_) => (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
        TargetType::Time(_) => (Type::TIME, Type::TIME_ARRAY),
        TargetType::Interval(_) => (Type::INTERVAL, Type::INTERVAL_ARRAY),
        TargetType::Json => (Type::JSON, Type::JSON_ARRAY),
        TargetType::Jsonb => (Type::JSONB, Type::JSONB_ARRAY),
        TargetType::Uuid => (Type::UUID, Type::UUID_ARRAY),
        TargetType::Inet => (Type::INET, Type::INET_ARRAY),
        // unnest() takes an array of arrays apart down to its elements; the others' OIDs differ per database.
        TargetType::RealArray | TargetType::Geometry | TargetType::Other(_) => return None,
    })
}

/// The columns' types, in the order of a row's fields; `None` when one of them has no array.
pub(super) fn row_arrays(layout: &RowLayout) -> Option<Vec<(Type, Type)>> {
    layout.columns.iter().map(|column| array_of(&column.data_type)).collect()
}

/// The same of the key's columns, in key order.
pub(super) fn key_arrays(layout: &RowLayout) -> Option<Vec<(Type, Type)>> {
    layout.key.iter().map(|&index| layout.columns.get(index).and_then(|c| array_of(&c.data_type))).collect()
}
