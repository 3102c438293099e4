//! Row events: images one after the other, each a NULL bitmap and the values that are not NULL (MySQL internals,
//! "Rows_event").

use super::told::KeyWords;
use super::{ColumnStep, Marks, Place, Plan};
use crate::change::policy::Operations;
use crate::change::remedy::{Remedy, Scope};
use crate::change::{Came, EncodedRows, FilePosition, RowOp, RowSpan, RowsEvent, RowsKind};
use crate::schema::{BoundColumn, BoundTable};
use crate::transform::TransformError;
use crate::transform::cursor::Cursor;
use crate::transform::encode::Fault;
use std::ops::Range;

/// A fault and the column it was met in.
pub(super) type Met<'p> = (Fault, Option<&'p ColumnStep>);

impl Plan {
    /// Appends the rows of `event` to `out`, whose layout must be this plan's. `bound` is what
    /// [`bind`](crate::schema::bind) made of the event's table map and the table this plan was compiled for.
    /// Kinds of events that `operations` leaves out give no rows. On an error `out` is as it was.
    ///
    /// # Errors
    /// [`TransformError::Value`] for a value that cannot be carried, [`TransformError::Malformed`] for bytes that do not end
    /// where they must, [`TransformError::Mapping`] for an event without full row images.
    pub fn encode_event(
        &self,
        bound: &BoundTable,
        event: &RowsEvent,
        operations: &Operations,
        out: &mut EncodedRows,
    ) -> Result<(), TransformError> {
        self.encode(bound, event, *operations, false, out)
    }

    /// The same, but rows that have no form in the target are no error: what they hold is kept in their place, as [`RowOp`] says.
    ///
    /// # Errors
    /// As [`Plan::encode_event`], with [`TransformError::Value`] for a key that cannot be carried alone.
    pub fn encode_event_keeping(
        &self,
        bound: &BoundTable,
        event: &RowsEvent,
        operations: &Operations,
        out: &mut EncodedRows,
    ) -> Result<(), TransformError> {
        self.encode(bound, event, *operations, true, out)
    }

    fn encode(
        &self,
        bound: &BoundTable,
        event: &RowsEvent,
        operations: Operations,
        keeping: bool,
        out: &mut EncodedRows,
    ) -> Result<(), TransformError> {
        if !operations.carry(event.kind) {
            return Ok(());
        }
        let malformed = |why: &str| TransformError::Malformed {
            table: self.table.clone(),
            why: format!("event at {}: {why}", event.position),
        };
        if !(self.columns..=self.steps.len()).contains(&bound.columns.len()) || self.columns == 0 {
            return Err(malformed("its table map has another number of columns than the plan"));
        }
        let after = if event.kind.has_both_images() { &event.columns_after } else { &event.columns };
        let all = bound.columns.len();
        let (Some(before), Some(after)) = (self.width(&event.columns, all), self.width(after, all)) else {
            return Err(TransformError::Ddl {
                table: self.table.clone(),
                kind: "statement_dml",
                statement: format!("rows in the event that ends at {}", event.position),
                why: "they are logged without all of their columns".to_owned(),
                remedy: Remedy::SetVariable {
                    variable: "binlog_row_image",
                    value: "FULL",
                    scope: Scope::Sessions,
                }
                .and(Remedy::CopyNamedTable),
            });
        };
        let (spans, bytes) = (out.spans.len(), out.buffer.len());
        if event.kind != RowsKind::Delete {
            // Lengths grow to four bytes and narrow numbers to wider ones.
            out.buffer.reserve(event.rows.len().saturating_mul(3) / 2);
        }
        let mut walk = Walk::new(self, bound, (before, after), &event.rows);
        if keeping {
            walk = walk.keeping(&event.position);
        }
        let walked = match event.kind {
            RowsKind::Insert => walk.inserts(out),
            RowsKind::Update => walk.updates(out),
            RowsKind::PartialUpdate => walk.partial_updates(&event.table.types, out),
            RowsKind::Delete => walk.deletes(out),
        };
        walked.map_err(|(fault, step)| {
            out.spans.truncate(spans);
            out.buffer.truncate(bytes);
            self.fault(fault, step, &walk.key_in_words(), Place::Event(&event.position))
        })
    }
}

impl Plan {
    /// How many columns an image has, of `all` of which the set `bits` says whether they are there: those that are hidden may be
    /// missing.
    pub(super) fn width(&self, bits: &[u8], all: usize) -> Option<usize> {
        let is_there = |at: &usize| bits.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        (0..self.columns).all(|at| is_there(&at)).then(|| (0..all).filter(is_there).count())
    }
}

pub(super) struct Walk<'p, 'e> {
    pub(super) plan: &'p Plan,
    pub(super) bound: &'p BoundTable,
    pub(super) cursor: Cursor<'e>,
    /// Columns of images before and after.
    pub(super) widths: (usize, usize),
    /// Columns of the image at hand.
    pub(super) width: usize,
    /// Where the image at hand begins.
    pub(super) image: Cursor<'e>,
    marks: Marks,
    /// Rows without a form are kept: the end of their event.
    pub(super) keeps: Option<&'e FilePosition>,
}

impl<'p, 'e> Walk<'p, 'e> {
    pub(super) fn new(plan: &'p Plan, bound: &'p BoundTable, widths: (usize, usize), rows: &'e [u8]) -> Self {
        let cursor = Cursor::new(rows);
        let (image, marks) = (cursor.clone(), plan.marks());
        Self { plan, bound, image, cursor, widths, width: widths.0, marks, keeps: None }
    }

    /// The key of the image at hand.
    #[cold]
    pub(super) fn key_in_words(&mut self) -> String {
        let mut words = KeyWords::default();
        self.cursor = self.image.clone();
        for (step, bound, null) in self.columns().into_iter().flatten() {
            let Some(raw) = (if null { Some(None) } else { self.cursor.value(bound.wire).ok().map(Some) })
            else {
                break;
            };
            words.add(self.plan, step, raw, |codec, raw, out| codec.of_image(raw, bound, out));
        }
        words.join(self.plan)
    }

    fn inserts(&mut self, out: &mut EncodedRows) -> Result<(), Met<'p>> {
        while !self.cursor.is_empty() {
            let start = out.buffer.len();
            let row = match self.row(&mut out.buffer) {
                Ok(row) => row,
                Err(met) => {
                    let (key, row) = self.keep((met, start), Came::Insert, &mut out.buffer)?;
                    out.spans.push(RowSpan { op: RowOp::InsertUnfit, key, row });
                    continue;
                }
            };
            let key = self.plan.key_of_row(&self.marks, &mut out.buffer);
            out.spans.push(RowSpan { op: RowOp::Insert, key, row });
        }
        Ok(())
    }

    fn deletes(&mut self, out: &mut EncodedRows) -> Result<(), Met<'p>> {
        let mut scratch = Vec::new();
        while !self.cursor.is_empty() {
            self.key(&mut scratch)?;
            let start = out.buffer.len();
            out.buffer.extend_from_slice(&scratch);
            out.spans.push(RowSpan { op: RowOp::Delete, key: start..out.buffer.len(), row: start..start });
        }
        Ok(())
    }

    fn updates(&mut self, out: &mut EncodedRows) -> Result<(), Met<'p>> {
        let mut old_key = Vec::new();
        while !self.cursor.is_empty() {
            self.key(&mut old_key)?;
            if self.cursor.is_empty() {
                return Err((Fault::Malformed("an update has no after image"), None));
            }
            self.after(&old_key, out)?;
        }
        Ok(())
    }

    /// The after image of an update, whose row had `old_key`.
    #[inline]
    pub(super) fn after(&mut self, old_key: &[u8], out: &mut EncodedRows) -> Result<(), Met<'p>> {
        let before = out.buffer.len();
        let (key, row, [same, other]) = match self.row(&mut out.buffer) {
            Ok(row) => {
                let key = self.plan.key_of_row(&self.marks, &mut out.buffer);
                (key, row, [RowOp::Update, RowOp::Arrive])
            }
            Err(met) => {
                let (key, row) = self.keep((met, before), Came::Update, &mut out.buffer)?;
                (key, row, [RowOp::UpdateUnfit, RowOp::ArriveUnfit])
            }
        };
        if out.buffer.get(key.clone()) == Some(old_key) {
            out.spans.push(RowSpan { op: same, key, row });
        } else {
            let start = out.buffer.len();
            out.buffer.extend_from_slice(old_key);
            let old = start..out.buffer.len();
            out.spans.push(RowSpan { op: RowOp::Delete, key: old, row: start..start });
            out.spans.push(RowSpan { op: other, key, row });
        }
        Ok(())
    }

    /// The columns of one image in order, with whether each is NULL.
    #[inline]
    pub(super) fn columns(
        &mut self,
    ) -> Result<impl Iterator<Item = (&'p ColumnStep, BoundColumn, bool)> + use<'p, 'e>, Met<'p>> {
        let plan = self.plan;
        let nulls = self.cursor.take(self.width.div_ceil(8)).map_err(|fault| (fault, None))?;
        let bits = nulls.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        Ok(plan
            .steps
            .iter()
            .zip(self.bound.columns.iter().take(self.width))
            .zip(bits)
            .map(|((step, bound), null)| (step, *bound, null)))
    }

    /// Appends the row of one image; its key's places are in `marks`.
    #[inline]
    fn row(&mut self, out: &mut Vec<u8>) -> Result<Range<usize>, Met<'p>> {
        self.image = self.cursor.clone();
        self.width = self.widths.1;
        let start = self.plan.start_row(&mut self.marks, out);
        for (step, bound, null) in self.columns()? {
            let at = out.len();
            if null {
                if step.codec.is_some() {
                    Plan::write_null(step, out).map_err(|fault| (fault, Some(step)))?;
                }
            } else {
                let raw = self.cursor.value(bound.wire).map_err(|fault| (fault, Some(step)))?;
                if let Some(codec) = &step.codec {
                    codec.of_image(raw, bound, out).map_err(|fault| (fault, Some(step)))?;
                }
            }
            if let Some(slot) = step.key_slot {
                self.marks.set(slot, at..out.len());
            }
        }
        Ok(start..out.len())
    }

    /// Puts the key of one image into `scratch`, in key order, and skips the rest of the image.
    #[inline]
    pub(super) fn key(&mut self, scratch: &mut Vec<u8>) -> Result<(), Met<'p>> {
        scratch.clear();
        self.image = self.cursor.clone();
        self.width = self.widths.0;
        if let Some(slot) = self.plan.tag_slot {
            let tag = self.plan.head.get(self.plan.tag.clone());
            let tag = tag.ok_or((Fault::Internal("the plan has no source tag where it says"), None))?;
            scratch.extend_from_slice(tag);
            self.marks.set(slot, 0..scratch.len());
        }
        for (step, bound, null) in self.columns()? {
            let raw = if null {
                None
            } else {
                Some(self.cursor.value(bound.wire).map_err(|fault| (fault, Some(step)))?)
            };
            if let (Some(slot), Some(codec)) = (step.key_slot, &step.codec) {
                let at = scratch.len();
                match raw {
                    Some(raw) => codec.of_image(raw, bound, scratch),
                    None => Plan::write_null(step, scratch),
                }
                .map_err(|fault| (fault, Some(step)))?;
                self.marks.set(slot, at..scratch.len());
            }
        }
        if !self.plan.key_ascending {
            let end = scratch.len();
            for mark in &self.marks.0 {
                scratch.extend_from_within(mark.clone());
            }
            scratch.drain(..end);
        }
        Ok(())
    }
}
