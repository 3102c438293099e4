//! Whether a column gets into a target type, in a key or not: one answer for mappings, DDL, the precheck and plans.

use super::{mapping_error, type_error};
use crate::change::remedy::{AtSource, InConfig, Remedy};
use crate::change::{TableName, TargetType};
use crate::schema::Column;
use crate::transform::TransformError;
use crate::transform::plan::codec::Codec;
use crate::transform::typemap::{ColumnPolicies, Refused, row};

/// Refuses a target type that cannot take a column's values, or that would merge rows because it is in the key.
pub(in crate::transform) fn check_fit(
    table: &TableName,
    column: &Column,
    target: &TargetType,
    in_key: bool,
) -> Result<(), TransformError> {
    let remedy = InConfig::OtherType.into();
    codec_for(table, column, target, in_key, ColumnPolicies::STRICT, remedy).map(|_| ())
}

/// The codec for a column; `remedy` is what the user can do about a target type that cannot take its values.
pub(in crate::transform) fn codec_for(
    table: &TableName,
    column: &Column,
    target: &TargetType,
    in_key: bool,
    policies: ColumnPolicies,
    remedy: Remedy,
) -> Result<Codec, TransformError> {
    let row = row(&column.data_type, policies);
    if let Some(refused) = &row.refused {
        return Err(uncertain(table, &column.name, refused));
    }
    let Some(codec) = row.codec(target) else {
        return Err(type_error(table, column, &target.to_string(), remedy));
    };
    match row.merges {
        Some(why) if in_key => Err(mapping_error(
            table,
            format!("key column {} would merge rows: {why}", column.name),
            InConfig::ExactType.or(InConfig::KeyWithout),
        )),
        Some(_) | None => Ok(codec),
    }
}

fn uncertain(table: &TableName, column: &str, refused: &Refused<'_>) -> TransformError {
    let (why, remedy) = match refused {
        Refused::Charset(charset, why) => {
            (format!("column {column} is in character set {charset}, which {why}"), AtSource::ConvertColumn)
        }
        Refused::Label(label) => (
            format!(
                "the label '{label}' of column {column} holds a question mark, which the source also prints for \
                 characters that its catalog cannot show"
            ),
            AtSource::MendLabel,
        ),
    };
    mapping_error(table, why, remedy.or(Remedy::leave_out_column(&[], column)))
}
