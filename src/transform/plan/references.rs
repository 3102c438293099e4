//! The values of a row event that foreign keys of other tables refer to.
//!
//! What must never happen here: a row whose values have changed left out.

use super::event::{Met, Walk};
use super::{Place, Plan};
use crate::change::cascade::KeyChange;
use crate::change::{RowsEvent, RowsKind};
use crate::schema::BoundTable;
use crate::schema::ValueEnd;
use crate::schema::binding::code;
use crate::transform::TransformError;
use crate::transform::encode::{Fault, field};
use std::ops::Range;

/// One image: per wanted source column its field.
#[derive(Default)]
struct Image {
    buffer: Vec<u8>,
    /// By source column; empty where it is not wanted.
    fields: Vec<Range<usize>>,
}

/// The field of NULL.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

impl Image {
    /// The fields of these columns, and whether one of them is NULL.
    fn of(&self, columns: &[usize]) -> Option<(Vec<u8>, bool)> {
        let (mut fields, mut null) = (Vec::new(), false);
        for column in columns {
            let field =
                self.buffer.get(self.fields.get(*column)?.clone()).filter(|field| !field.is_empty())?;
            null |= field == NULL.as_slice();
            fields.extend_from_slice(field);
        }
        Some((fields, null))
    }
}

impl Plan {
    /// Where the values of a source column lie in the layout's columns.
    pub fn layout_index(&self, source: usize) -> Option<usize> {
        self.steps.get(source).and_then(|step| step.target)
    }

    /// What an event has changed in each of these lists of source columns: rows that are gone, and rows that have other values there.
    /// Where one was NULL before nothing has referred to it.
    ///
    /// # Errors
    /// As [`Plan::encode_event`](super::Plan::encode_event).
    pub fn referenced(
        &self,
        bound: &BoundTable,
        event: &RowsEvent,
        lists: &[&[usize]],
    ) -> Result<Vec<Vec<KeyChange>>, TransformError> {
        let all = bound.columns.len();
        let malformed = |why: &str| TransformError::Malformed {
            table: self.table.clone(),
            why: format!("event at {}: {why}", event.position),
        };
        let missing = || malformed("it has not all of its columns");
        let before = self.width(&event.columns, all).ok_or_else(missing)?;
        let after = if event.kind.has_both_images() { &event.columns_after } else { &event.columns };
        let after = self.width(after, all).ok_or_else(missing)?;
        let mut changes = vec![Vec::new(); lists.len()];
        if event.kind == RowsKind::Insert {
            return Ok(changes);
        }
        let mut walk = Walk::new(self, bound, (before, after), &event.rows);
        let walked = walk.changes(event, lists, &mut changes);
        walked.map_err(|(fault, step)| {
            self.fault(fault, step, &walk.key_in_words(), Place::Event(&event.position))
        })?;
        Ok(changes)
    }
}

impl<'p> Walk<'p, '_> {
    fn changes(
        &mut self,
        event: &RowsEvent,
        lists: &[&[usize]],
        changes: &mut [Vec<KeyChange>],
    ) -> Result<(), Met<'p>> {
        let wanted = |column: usize| lists.iter().any(|list| list.contains(&column));
        let (mut before, mut after) = (Image::default(), Image::default());
        while !self.cursor.is_empty() {
            self.width = self.widths.0;
            self.fields(&wanted, None, &mut before)?;
            if event.kind.has_both_images() {
                self.width = self.widths.1;
                let types = (event.kind == RowsKind::PartialUpdate).then_some(event.table.types.as_slice());
                self.fields(&wanted, types, &mut after)?;
            }
            for (list, changes) in lists.iter().zip(&mut *changes) {
                let lacks = || (Fault::Internal("a column that a key refers to has no value"), None);
                let (old, null) = before.of(list).ok_or_else(lacks)?;
                if null {
                    continue;
                }
                let new = match event.kind {
                    RowsKind::Delete | RowsKind::Insert => None,
                    RowsKind::Update | RowsKind::PartialUpdate => Some(after.of(list).ok_or_else(lacks)?.0),
                };
                if new.as_ref() != Some(&old) {
                    changes.push(KeyChange { old, new });
                }
            }
        }
        Ok(())
    }

    /// Takes in one image. `types` are given of an after image that may have differences in place of JSON documents.
    fn fields(
        &mut self,
        wanted: &impl Fn(usize) -> bool,
        types: Option<&[u8]>,
        image: &mut Image,
    ) -> Result<(), Met<'p>> {
        let whole = |fault| (fault, None);
        self.image = self.cursor.clone();
        let mut differ = Vec::new();
        if let Some(types) = types {
            match self.cursor.packed().map_err(whole)? {
                0 => {}
                1 => {
                    let documents: usize = types.iter().map(|kind| usize::from(*kind == code::JSON)).sum();
                    differ = self.cursor.take(documents.div_ceil(8)).map_err(whole)?.to_vec();
                }
                _ => return Err(whole(Fault::Malformed("an update has options that are not known"))),
            }
        }
        image.buffer.clear();
        image.fields.clear();
        let mut document = 0;
        let columns = self.columns()?;
        for (index, (step, bound, null)) in columns.enumerate() {
            let met = |fault| (fault, Some(step));
            let is_json = types.and_then(|types| types.get(index)) == Some(&code::JSON);
            let differs =
                is_json && differ.get(document / 8).is_some_and(|byte| byte >> (document % 8) & 1 == 1);
            document += usize::from(is_json);
            let start = image.buffer.len();
            if null {
                if wanted(index) {
                    field::null(&mut image.buffer);
                }
            } else {
                let end = if differs { ValueEnd::Prefixed(4) } else { bound.wire };
                let raw = self.cursor.value(end).map_err(met)?;
                if let (true, Some(codec)) = (wanted(index), &step.codec) {
                    codec.logged(raw, bound.old_format, &mut image.buffer).map_err(met)?;
                }
            }
            image.fields.push(start..image.buffer.len());
        }
        Ok(())
    }
}
