//! Arrays of column values, built from encoded fields without looking at them.
//!
//! A COPY binary field is the binary form of an array's element, length included (PostgreSQL source,
//! `array_recv` in `arrayfuncs.c`): header `ndim, has nulls, element type`, per dimension `length, lower bound`, then
//! the elements.

use bytes::{BufMut, BytesMut};
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// Where in the header the flag and the length lie.
const HAS_NULLS_AT: usize = 7;
const LENGTH_AT: std::ops::Range<usize> = 12..16;

/// An array parameter in binary.
#[derive(Debug)]
pub(super) struct ArrayParam {
    bytes: Vec<u8>,
    length: i32,
}

/// Encoded fields that end too early: a fault of the encoder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl ArrayParam {
    /// An empty array of elements of this type.
    pub(super) fn new(element: &Type) -> Self {
        let mut bytes = Vec::with_capacity(64);
        for word in [1_u32, 0, element.oid(), 0, 1] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        Self { bytes, length: 0 }
    }

    /// Adds one field with its length in front.
    fn push_field(&mut self, field: &[u8]) {
        self.bytes.extend_from_slice(field);
        self.count();
        if field.first().is_some_and(|byte| byte & 0x80 != 0) {
            self.bytes[HAS_NULLS_AT] = 1;
        }
    }

    /// Adds one value that is not NULL.
    pub(super) fn push_value(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let length = i32::try_from(value.len()).map_err(|_| Malformed)?;
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.count();
        Ok(())
    }

    fn count(&mut self) {
        self.length += 1;
        self.bytes[LENGTH_AT].copy_from_slice(&self.length.to_be_bytes());
    }

    /// Bytes held.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Takes the field at the front of `fields`, its length included.
fn split_field<'a>(fields: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let (length, _) = fields.split_first_chunk::<4>().ok_or(Malformed)?;
    // A negative length is NULL: no bytes follow.
    let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
    let (field, rest) = fields.split_at_checked(length.saturating_add(4)).ok_or(Malformed)?;
    *fields = rest;
    Ok(field)
}

/// One array per column over rows whose fields lie back to back.
pub(super) fn columns<'a>(
    types: &[(Type, Type)],
    rows: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<ArrayParam>, Malformed> {
    let mut arrays: Vec<ArrayParam> = types.iter().map(|(element, _)| ArrayParam::new(element)).collect();
    for mut fields in rows {
        for array in &mut arrays {
            array.push_field(split_field(&mut fields)?);
        }
        if !fields.is_empty() {
            return Err(Malformed);
        }
    }
    Ok(arrays)
}

impl ToSql for ArrayParam {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value of any type as the server sent it.
#[derive(Debug)]
pub(super) struct RawValue<'a>(pub(super) &'a [u8]);

impl<'a> FromSql<'a> for RawValue<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_the_arrays_of_their_columns() {
        let rows: [&[u8]; 2] =
            [&[0, 0, 0, 1, 7, 0, 0, 0, 2, b'a', b'b'], &[0, 0, 0, 1, 8, 0xff, 0xff, 0xff, 0xff]];
        let types = [(Type::CHAR, Type::CHAR_ARRAY), (Type::TEXT, Type::TEXT_ARRAY)];
        let arrays = columns(&types, rows.into_iter()).unwrap();
        let texts = <Vec<Option<String>>>::from_sql(&Type::TEXT_ARRAY, &arrays[1].bytes).unwrap();
        assert_eq!(texts, [Some("ab".to_owned()), None]);
        let numbers = <Vec<Option<i8>>>::from_sql(&Type::CHAR_ARRAY, &arrays[0].bytes).unwrap();
        assert_eq!(numbers, [Some(7), Some(8)]);
        assert_eq!((arrays[0].bytes[HAS_NULLS_AT], arrays[1].bytes[HAS_NULLS_AT]), (0, 1));
    }

    #[test]
    fn a_row_that_ends_early_or_late_is_refused() {
        let types = [(Type::INT4, Type::INT4_ARRAY)];
        for row in [&[0, 0, 0, 4, 1, 2, 3][..], &[0, 0], &[0, 0, 0, 1, 1, 9]] {
            assert_eq!(columns(&types, [row].into_iter()).unwrap_err(), Malformed);
        }
    }
}
