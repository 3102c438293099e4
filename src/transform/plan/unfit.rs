//! Rows that have no form in the target, of which the task keeps what they hold: in the place of the row lies an [`Unfit`].
//!
//! What must never happen here: a row kept whose key is not known exactly, for nothing would take it out again.

use super::event::{Met, Walk};
use super::image::{self, Spelling};
use super::result::Column;
use super::{Marks, Place, Plan};
use crate::change::{Came, EncodedRows, FilePosition, RowLayout, RowOp, RowSpan, Unfit};
use crate::transform::cursor::Cursor;
use crate::transform::encode::{Fault, compressed};
use std::ops::Range;

impl Plan {
    /// An encoded row as a JSON object, by the names that `name` gives the target's columns.
    pub fn row_in_words(layout: &RowLayout, row: &[u8], name: impl Fn(&str) -> String) -> serde_json::Value {
        image::of_row(layout, row, name)
    }

    /// Appends what is kept of a row.
    fn keep(
        &self,
        met: Met<'_>,
        (key, place): (String, Place<'_>),
        (came, row): (Came, serde_json::Value),
        out: &mut Vec<u8>,
    ) -> Result<Range<usize>, Fault> {
        let position = match place {
            Place::Copy => None,
            Place::Event(end) => Some(end.to_string()),
        };
        let error = self.fault(met.0, met.1, &key, place).to_string();
        let row = row.to_string();
        let unfit = Unfit { source: self.table.clone(), key, came, position, error, row };
        let start = out.len();
        serde_json::to_writer(&mut *out, &unfit)
            .map_err(|_| Fault::Internal("a row that does not fit cannot be written as JSON"))?;
        Ok(start..out.len())
    }

    /// Keeps a row of a result, the encoding of which has failed after `start`.
    #[cold]
    pub(super) fn keep_result<'p>(
        &'p self,
        columns: &[Column<'p>],
        row: &[u8],
        (met, start): (Met<'p>, usize),
        out: &mut EncodedRows,
    ) -> Result<(), Met<'p>> {
        let met = keepable(met)?;
        out.buffer.truncate(start);
        let mut marks = self.marks();
        let (key, values) = self.result_image(columns, row, &mut marks, &mut out.buffer)?;
        let words = self.key_of_result(columns, row);
        let kept = self.keep(met, (words, Place::Copy), (Came::Copy, values), &mut out.buffer);
        let row = kept.map_err(|fault| (fault, None))?;
        out.spans.push(RowSpan { op: RowOp::InsertUnfit, key, row });
        Ok(())
    }

    /// Appends the key of a result row and gives all that it holds.
    fn result_image<'p>(
        &'p self,
        columns: &[Column<'p>],
        row: &[u8],
        marks: &mut Marks,
        out: &mut Vec<u8>,
    ) -> Result<(Range<usize>, serde_json::Value), Met<'p>> {
        let mut cursor = Cursor::new(row);
        let head = cursor.take(1).and_then(|_| cursor.take((columns.len() + 9) / 8));
        let nulls = head.map_err(|fault| (fault, None))?;
        let bits = nulls.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)).skip(2);
        let mut scratch = Vec::new();
        self.start_row(marks, &mut scratch);
        let mut values = serde_json::Map::new();
        for (column, null) in columns.iter().zip(bits) {
            let (step, at) = (column.step, scratch.len());
            let mut value = serde_json::Value::Null;
            if null {
                Self::write_null(step, &mut scratch)
                    .or_else(|fault| not_of_key(fault, step.key_slot))
                    .map_err(|fault| (fault, Some(step)))?;
            } else {
                let raw = column.value(&mut cursor).map_err(|fault| (fault, Some(step)))?;
                let decoder = column.decoder.as_ref();
                value = match column.codec.result(raw, decoder, &mut scratch) {
                    Ok(()) => self.field(step, scratch.get(at + 4..).unwrap_or_default()),
                    Err(fault) => {
                        not_of_key(fault, step.key_slot).map_err(|fault| (fault, Some(step)))?;
                        image::of_refused(column.codec, raw, &Spelling::Result { decoder })
                    }
                };
            }
            values.insert(step.name.clone(), value);
            if let Some(slot) = step.key_slot {
                marks.set(slot, at..scratch.len());
            }
        }
        let start = out.len();
        for mark in &marks.0 {
            out.extend_from_slice(scratch.get(mark.clone()).unwrap_or_default());
        }
        Ok((start..out.len(), serde_json::Value::Object(values)))
    }

    /// A field of a column, which has been encoded.
    fn field(&self, step: &super::ColumnStep, field: &[u8]) -> serde_json::Value {
        match step.target.and_then(|at| self.layout.columns.get(at)) {
            Some(column) => image::of_field(&column.data_type, field),
            None => serde_json::Value::Null,
        }
    }
}

impl<'p, 'e> Walk<'p, 'e> {
    /// Rows that have no form in the target are kept; `end` is the end of their event.
    pub(super) fn keeping(mut self, end: &'e FilePosition) -> Self {
        self.keeps = Some(end);
        self
    }

    /// Keeps the image at hand, the encoding of which has failed after `start`. Gives its key and what is kept.
    #[cold]
    pub(super) fn keep(
        &mut self,
        (met, start): (Met<'p>, usize),
        came: Came,
        out: &mut Vec<u8>,
    ) -> Result<(Range<usize>, Range<usize>), Met<'p>> {
        let Some(end) = self.keeps else { return Err(met) };
        let met = keepable(met)?;
        out.truncate(start);
        let (image, width) = (self.image.clone(), self.width);
        let mut key = Vec::new();
        self.cursor = image.clone();
        let widths = self.widths;
        self.widths.0 = width;
        let keyed = self.key(&mut key);
        self.widths = widths;
        keyed?;
        let behind = self.cursor.clone();
        let words = self.key_in_words();
        self.cursor = image;
        let values = self.values()?;
        self.cursor = behind;
        let at = start..start + key.len();
        out.extend_from_slice(&key);
        let kept = self.plan.keep(met, (words, Place::Event(end)), (came, values), out);
        Ok((at, kept.map_err(|fault| (fault, None))?))
    }

    /// What the image at the cursor holds.
    fn values(&mut self) -> Result<serde_json::Value, Met<'p>> {
        let mut values = serde_json::Map::new();
        let mut scratch = Vec::new();
        for (step, bound, null) in self.columns()? {
            let raw = if null {
                None
            } else {
                Some(self.cursor.value(bound.wire).map_err(|fault| (fault, Some(step)))?)
            };
            let Some(codec) = &step.codec else { continue };
            scratch.clear();
            let old_format = bound.old_format;
            let value = match raw {
                None => serde_json::Value::Null,
                Some(raw) if codec.of_image(raw, bound, &mut scratch).is_ok() => {
                    self.plan.field(step, scratch.get(4..).unwrap_or_default())
                }
                Some(raw) => {
                    let plain = if bound.compressed { compressed::inflated(raw) } else { Ok(raw.into()) };
                    let plain = plain.map_err(|fault| (fault, Some(step)))?;
                    image::of_refused(codec, &plain, &Spelling::Logged { old_format })
                }
            };
            values.insert(step.name.clone(), value);
        }
        Ok(serde_json::Value::Object(values))
    }
}

/// What is wrong with a row where it can be kept: it is readable, and its key has a form in the target.
fn keepable(met: Met<'_>) -> Result<Met<'_>, Met<'_>> {
    match met {
        (Fault::Refused(_), Some(step)) if step.key_slot.is_none() => Ok(met),
        _ => Err(met),
    }
}

/// A value without a form that is none of the key's.
fn not_of_key(fault: Fault, slot: Option<usize>) -> Result<(), Fault> {
    if slot.is_none() && matches!(fault, Fault::Refused(_)) { Ok(()) } else { Err(fault) }
}
