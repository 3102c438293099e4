//! Rows of a SELECT in the binary protocol: a zero byte, the NULL bitmap with an offset of two bits, the values that are not
//! NULL (MySQL protocol, "Binary Protocol Resultset Row").

use super::codec::Codec;
use super::told::KeyWords;
use super::{ColumnStep, Marks, Place, Plan};
use crate::change::rows::ResultColumn;
use crate::change::{EncodedRows, ResultRows, RowOp, RowSpan};
use crate::schema::binding::code;
use crate::schema::collation;
use crate::transform::TransformError;
use crate::transform::charset::Decoder;
use crate::transform::cursor::Cursor;
use crate::transform::encode::Fault;

const UNSIGNED_FLAG: u16 = 32;
const ENUM_FLAG: u16 = 256;
const SET_FLAG: u16 = 2048;

/// How one column of the result is read.
pub(super) struct Column<'p> {
    pub(super) step: &'p ColumnStep,
    pub(super) codec: &'p Codec,
    /// Bytes of a value; `None`: its length stands before it.
    width: Option<usize>,
    /// What its text is in.
    pub(super) decoder: Option<Decoder>,
}

impl Column<'_> {
    /// The bytes of its value at the cursor.
    #[inline]
    pub(super) fn value<'e>(&self, cursor: &mut Cursor<'e>) -> Result<&'e [u8], Fault> {
        match self.width {
            Some(width) => cursor.take(width),
            None => cursor.sized(),
        }
    }
}

impl Plan {
    /// Appends `rows`, the answer to a SELECT of exactly [`Plan::select_columns`], to `out`, whose layout must be this
    /// plan's. Every row is an [`RowOp::Insert`]. On an error `out` is as it was.
    ///
    /// Text may come converted to utf8mb4 (`character_set_results = utf8mb4`) or as it is stored
    /// (`character_set_results = NULL`): the collation in the result's column definition tells. Only the latter shows
    /// a byte the character set leaves undefined; the server converts it to a question mark. The copy's sessions
    /// therefore ask for the latter.
    ///
    /// # Errors
    /// [`TransformError::Changed`] when the result's columns are not those of the plan: the table was altered under
    /// the copy. Otherwise as [`Plan::encode_event`].
    pub fn encode_result(&self, rows: &ResultRows, out: &mut EncodedRows) -> Result<(), TransformError> {
        self.encode_rows(rows, false, out)
    }

    /// The same, but rows that have no form in the target are no error: what they hold is kept in their place, as [`RowOp`] says.
    ///
    /// # Errors
    /// As [`Plan::encode_result`], with [`TransformError::Value`] for a key that cannot be carried alone.
    pub fn encode_result_keeping(
        &self,
        rows: &ResultRows,
        out: &mut EncodedRows,
    ) -> Result<(), TransformError> {
        self.encode_rows(rows, true, out)
    }

    fn encode_rows(
        &self,
        rows: &ResultRows,
        keeping: bool,
        out: &mut EncodedRows,
    ) -> Result<(), TransformError> {
        let columns = self.result_columns(&rows.columns)?;
        let (spans, bytes) = (out.spans.len(), out.buffer.len());
        out.spans.reserve(rows.rows.len());
        out.buffer.reserve(rows.buffer.len().saturating_mul(3) / 2);
        let mut marks = self.marks();
        for range in &rows.rows {
            let row = rows.buffer.get(range.clone()).unwrap_or_default();
            let start = out.buffer.len();
            let taken = match self.result_row(&columns, row, &mut marks, out) {
                Err(met) if keeping => self.keep_result(&columns, row, (met, start), out),
                taken => taken,
            };
            if let Err((fault, step)) = taken {
                out.spans.truncate(spans);
                out.buffer.truncate(bytes);
                return Err(self.fault(fault, step, &self.key_of_result(&columns, row), Place::Copy));
            }
        }
        Ok(())
    }

    /// The key of a result row in words.
    #[cold]
    pub(super) fn key_of_result(&self, columns: &[Column<'_>], row: &[u8]) -> String {
        let mut words = KeyWords::default();
        let mut cursor = Cursor::new(row);
        let head = cursor.take(1).and_then(|_| cursor.take((columns.len() + 9) / 8)).unwrap_or_default();
        let nulls = head.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)).skip(2);
        for (column, null) in columns.iter().zip(nulls) {
            let raw = if null { Ok(None) } else { column.value(&mut cursor).map(Some) };
            let Ok(raw) = raw else { break };
            words.add(self, column.step, raw, |codec, raw, out| {
                codec.result(raw, column.decoder.as_ref(), out)
            });
        }
        words.join(self)
    }

    /// Compares what the server says of its result with the plan.
    fn result_columns(&self, found: &[ResultColumn]) -> Result<Vec<Column<'_>>, TransformError> {
        let changed = |column: &str, why: String| TransformError::Changed {
            table: self.table.clone(),
            column: column.to_owned(),
            why,
        };
        let expected = self.carried().count();
        if found.len() != expected {
            return Err(changed("(all)", format!("{} columns came, {expected} were expected", found.len())));
        }
        self.carried()
            .zip(found)
            .map(|((step, codec), found)| {
                let width = codec
                    .result_width(*found)
                    .map_err(|why| changed(&step.name, format!("{why} (type {})", found.type_code)))?;
                let decoder = codec.result_decoder(*found).map_err(|why| changed(&step.name, why))?;
                Ok(Column { step, codec, width, decoder })
            })
            .collect()
    }

    #[inline]
    fn result_row<'p>(
        &'p self,
        columns: &[Column<'p>],
        row: &[u8],
        marks: &mut Marks,
        out: &mut EncodedRows,
    ) -> Result<(), (Fault, Option<&'p ColumnStep>)> {
        let mut cursor = Cursor::new(row);
        let whole = |fault| (fault, None);
        if cursor.take(1).map_err(whole)? != [0] {
            return Err((Fault::Malformed("a result row does not start with a zero byte"), None));
        }
        let nulls = cursor.take((columns.len() + 9) / 8).map_err(whole)?;
        let bits = nulls.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)).skip(2);
        let start = self.start_row(marks, &mut out.buffer);
        for (column, null) in columns.iter().zip(bits) {
            let at = out.buffer.len();
            let met = |fault| (fault, Some(column.step));
            if null {
                Self::write_null(column.step, &mut out.buffer).map_err(met)?;
            } else {
                let raw = column.value(&mut cursor).map_err(met)?;
                column.codec.result(raw, column.decoder.as_ref(), &mut out.buffer).map_err(met)?;
            }
            if let Some(slot) = column.step.key_slot {
                marks.set(slot, at..out.buffer.len());
            }
        }
        if !cursor.is_empty() {
            return Err((Fault::Malformed("a result row goes on after its last column"), None));
        }
        let row = start..out.buffer.len();
        let key = self.key_of_row(marks, &mut out.buffer);
        out.spans.push(RowSpan { op: RowOp::Insert, key, row });
        Ok(())
    }
}

impl Codec {
    /// The width of this codec's values in a result row (`None`: they carry their length), or why the result's
    /// column is not one this codec was chosen for.
    fn result_width(&self, found: ResultColumn) -> Result<Option<usize>, String> {
        let unsigned = found.flags & UNSIGNED_FLAG != 0;
        let labelled = found.flags & (ENUM_FLAG | SET_FLAG);
        let string =
            matches!(found.type_code, code::VARCHAR | code::TINY_BLOB..=code::STRING) && labelled == 0;
        let bytes = found.collation == collation::BINARY;
        let integer = match found.type_code {
            code::TINY => Some(1),
            code::SHORT => Some(2),
            code::LONG | code::INT24 => Some(4),
            code::LONGLONG => Some(8),
            _ => None,
        };
        let (fits, width) = match self {
            Self::Signed(_) => (integer.is_some() && !unsigned, integer),
            Self::Unsigned(_) => (integer.is_some() && unsigned, integer),
            Self::Year(_) => (found.type_code == code::YEAR, Some(2)),
            Self::Decimal { .. } | Self::DecimalText { .. } => (found.type_code == code::NEWDECIMAL, None),
            Self::Float => (found.type_code == code::FLOAT, Some(4)),
            Self::Double => match found.type_code {
                code::FLOAT => (true, Some(4)),
                other => (other == code::DOUBLE, Some(8)),
            },
            Self::Bit(_) | Self::BitBoolean => (found.type_code == code::BIT, None),
            Self::Date(_) => (matches!(found.type_code, code::DATE | code::NEWDATE), None),
            Self::DateTime(_) => (found.type_code == code::DATETIME, None),
            Self::Timestamp(_) => (found.type_code == code::TIMESTAMP, None),
            Self::Interval | Self::Time => (found.type_code == code::TIME, None),
            Self::Text { .. } | Self::JsonText { .. } => (string && !bytes, None),
            // As text.
            Self::Address { .. } => (string, None),
            Self::Padded(_) | Self::Bytes => (string && bytes, None),
            Self::Enum(_) => (found.type_code == code::ENUM || labelled == ENUM_FLAG, None),
            Self::Set(_) => (found.type_code == code::SET || labelled == SET_FLAG, None),
            Self::Json { .. } => (found.type_code == code::JSON, None),
            Self::Geometry => (found.type_code == code::GEOMETRY, None),
            // MariaDB sends its own as bytes.
            Self::Vector => (found.type_code == code::VECTOR || (string && bytes), None),
        };
        if fits { Ok(width) } else { Err("its type is not the one the plan was made for".into()) }
    }

    /// What the result's text is in: UTF-8, or the column's own character set.
    fn result_decoder(&self, found: ResultColumn) -> Result<Option<Decoder>, String> {
        if !matches!(self, Self::Text { .. } | Self::Enum(_) | Self::Set(_)) {
            return Ok(None);
        }
        let charset = collation::charset_of(found.collation)
            .ok_or_else(|| format!("its text comes in the unknown collation {}", found.collation))?;
        Decoder::of(charset)
            .map(Some)
            .map_err(|why| format!("its text comes in the character set {charset}, which {why}"))
    }
}
