//! Row images that leave columns out, made whole before they are read as all others are.
//!
//! MariaDB (seen on 11.8) leaves generated columns out of what it logs of updates and deletes, and of the inserts of REPLACE, whatever
//! `binlog_row_image` says; with FULL_NODUP it leaves out of an image after also what has not changed. The latter stands in the image
//! before, the former the source computes from the image itself ([`computing`](super::computing)).
//!
//! What must never happen here: a value taken from anywhere but the images of the row. What misses more than this is left as it is, and
//! refused when it is read.

use super::Plan;
use super::computing::{Needed, Statements, computable, logged, of_row};
use crate::change::remedy::{Remedy, Report};
use crate::change::{ComputedRow, Computing, RowsEvent, RowsKind, TableName};
use crate::schema::{BoundTable, Column, Table, ValueEnd};
use crate::transform::TransformError;
use crate::transform::cursor::Cursor;
use crate::transform::encode::Fault;
use crate::transform::encode::compressed::inflated;
use bytes::Bytes;
use std::borrow::Cow;

/// How much of its rows an event has.
#[derive(Debug)]
pub enum Images<'e> {
    /// Every column that is visible.
    Whole,
    /// Less, and the rest can be had.
    Incomplete(Incomplete<'e>),
    /// Less than can be carried.
    Lacking,
}

/// An event whose images leave out what can be had.
#[derive(Debug)]
pub struct Incomplete<'e> {
    event: &'e RowsEvent,
    table: &'e Table,
    bound: &'e BoundTable,
    images: Vec<Vec<Slot<'e>>>,
    asked: Vec<usize>,
    computing: Option<Computing>,
}

/// A column of an image.
#[derive(Clone, Copy, Debug)]
enum Slot<'e> {
    /// NULL, or never looked at.
    Null,
    /// Its bytes, with their length.
    There(&'e [u8]),
    /// To be computed.
    Asked,
}

impl Plan {
    /// What the images of `event` leave out. `table` is the definition that this plan was compiled for.
    ///
    /// # Errors
    /// [`TransformError::Mapping`] for a column that is left out and cannot be computed, [`TransformError::Ddl`] where its expression is
    /// not known any more, [`TransformError::Malformed`].
    pub fn images<'e>(
        &self,
        table: &'e Table,
        bound: &'e BoundTable,
        event: &'e RowsEvent,
    ) -> Result<Images<'e>, TransformError> {
        let has = |bits: &Bytes, at: usize| bits.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        let both = event.kind.has_both_images();
        let lacks = |at: usize| !has(&event.columns, at) || (both && !has(&event.columns_after, at));
        if !(0..self.columns).any(lacks) {
            return Ok(Images::Whole);
        }
        if event.kind == RowsKind::PartialUpdate || table.columns.len() != self.columns {
            return Ok(Images::Lacking);
        }
        let generated = |at: usize| table.columns.get(at).is_some_and(|column| column.generated);
        let is_key = |at: usize| self.steps.get(at).is_some_and(|step| step.key_slot.is_some());
        // What has not changed stands in the image before; generated columns, but for the key, need not be anywhere.
        if (0..self.columns).any(|at| !has(&event.columns, at) && (!generated(at) || is_key(at))) {
            return Ok(Images::Lacking);
        }
        let mut asked = Vec::new();
        for (at, (step, column)) in self.steps.iter().zip(&table.columns).enumerate() {
            let last = if both { &event.columns_after } else { &event.columns };
            let missing = !has(last, at) && column.generated;
            if event.kind != RowsKind::Delete && missing && step.codec.is_some() {
                computable(table, column).map_err(|why| unlike(table, column, &why, event))?;
                asked.push(at);
            }
        }
        let mut incomplete = Incomplete { event, table, bound, images: Vec::new(), asked, computing: None };
        incomplete.read(&has).map_err(|fault| malformed(&table.name, event, &fault))?;
        incomplete.ask()?;
        Ok(Images::Incomplete(incomplete))
    }
}

impl<'e> Incomplete<'e> {
    /// What the source has to be asked, if anything.
    pub fn computing(&self) -> Option<&Computing> {
        self.computing.as_ref()
    }

    fn read(&mut self, has: &impl Fn(&Bytes, usize) -> bool) -> Result<(), Fault> {
        let mut cursor = Cursor::new(&self.event.rows);
        while !cursor.is_empty() {
            let before = self.image(&mut cursor, &|at| has(&self.event.columns, at))?;
            if self.event.kind != RowsKind::Update {
                self.images.push(before);
                continue;
            }
            let mut after = self.image(&mut cursor, &|at| has(&self.event.columns_after, at))?;
            for (at, slot) in after.iter_mut().enumerate() {
                if !has(&self.event.columns_after, at) && !self.asked.contains(&at) {
                    // Of a generated column nothing is known, and it is not carried.
                    let is_known = has(&self.event.columns, at);
                    *slot = before.get(at).copied().filter(|_| is_known).unwrap_or(Slot::Null);
                }
            }
            // Of it only the key is looked at.
            let before =
                before.into_iter().map(|slot| if let Slot::Asked = slot { Slot::Null } else { slot });
            let before = before.collect();
            self.images.extend([before, after]);
        }
        Ok(())
    }

    fn image(&self, cursor: &mut Cursor<'e>, has: &impl Fn(usize) -> bool) -> Result<Vec<Slot<'e>>, Fault> {
        let there = (0..self.bound.columns.len()).filter(|at| has(*at)).count();
        let nulls = cursor.take(there.div_ceil(8))?;
        let mut nulls = nulls.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        let mut slots = Vec::with_capacity(self.table.columns.len());
        for (at, bound) in self.bound.columns.iter().enumerate() {
            let slot = if !has(at) {
                if self.asked.contains(&at) { Slot::Asked } else { Slot::Null }
            } else if nulls.next().unwrap_or(false) {
                Slot::Null
            } else {
                Slot::There(cursor.measured(bound.wire)?)
            };
            // Hidden ones are left out.
            if at < self.table.columns.len() {
                slots.push(slot);
            }
        }
        Ok(slots)
    }

    fn ask(&mut self) -> Result<(), TransformError> {
        if self.asked.is_empty() {
            return Ok(());
        }
        let internal =
            |why: &str| TransformError::Internal { table: self.table.name.clone(), why: why.to_owned() };
        let mut needed = Needed::default();
        for at in &self.asked {
            needed.add(self.table, *at).map_err(|why| internal(&why))?;
        }
        let statements = Statements::of(self.table, &needed, &self.asked);
        let mut statements =
            statements.ok_or_else(|| internal("a column that is computed has no declaration"))?;
        for image in self.images.iter().filter(|image| is_asked(image)) {
            let value = |at: usize| match image.get(at) {
                Some(Slot::There(measured)) => {
                    let bound = self.bound.columns.get(at)?;
                    let raw = bare(bound.wire, measured);
                    let raw = if bound.compressed { inflated(raw).ok()? } else { Cow::Borrowed(raw) };
                    Some((raw, bound.old_format))
                }
                _ => None,
            };
            statements
                .add(value)
                .ok_or_else(|| internal("a value that something is computed from has no words"))?;
        }
        self.computing = Some(statements.finish());
        Ok(())
    }

    /// The whole event, with the values that the source has computed.
    ///
    /// # Errors
    /// [`TransformError::Malformed`] when they are not those that were asked for.
    pub fn completed(&self, rows: &[ComputedRow]) -> Result<RowsEvent, TransformError> {
        let wrong = || TransformError::Malformed {
            table: self.table.name.clone(),
            why: format!(
                "event at {}: what the source computes of it is not what was asked",
                self.event.position
            ),
        };
        let columns = self.table.columns.len();
        let mut out = Vec::with_capacity(self.event.rows.len() + rows.len() * 16);
        let mut row = 0;
        for image in &self.images {
            let computed = if is_asked(image) {
                row += 1;
                Some(of_row(rows, row - 1, self.asked.len()).ok_or_else(wrong)?)
            } else {
                None
            };
            let nulls = out.len();
            out.resize(nulls + columns.div_ceil(8), 0);
            for (at, slot) in image.iter().enumerate() {
                let is_null = match slot {
                    Slot::Null => true,
                    Slot::There(measured) => {
                        out.extend_from_slice(measured);
                        false
                    }
                    Slot::Asked => {
                        let place = self.asked.iter().position(|asked| *asked == at);
                        let value = place.zip(computed).and_then(|(place, values)| values.get(place));
                        match value.ok_or_else(wrong)? {
                            None => true,
                            Some(text) => {
                                let column = self.table.columns.get(at).zip(self.bound.columns.get(at));
                                let put =
                                    column.and_then(|(column, bound)| logged(column, *bound, text, &mut out));
                                put.ok_or_else(wrong)?;
                                false
                            }
                        }
                    }
                };
                if is_null && let Some(bits) = out.get_mut(nulls + at / 8) {
                    *bits |= 1 << (at % 8);
                }
            }
        }
        if row != rows.len() {
            return Err(wrong());
        }
        let mut all = vec![0_u8; self.bound.columns.len().div_ceil(8)];
        for at in 0..columns {
            if let Some(bits) = all.get_mut(at / 8) {
                *bits |= 1 << (at % 8);
            }
        }
        let all = Bytes::from(all);
        let columns_after = if self.event.kind == RowsKind::Update { all.clone() } else { Bytes::new() };
        Ok(RowsEvent { columns: all, columns_after, rows: out.into(), ..self.event.clone() })
    }

    /// The error for what the source does not compute.
    pub fn refused(&self, why: &str) -> TransformError {
        let column = self.asked.first().and_then(|at| self.table.columns.get(*at));
        match column {
            Some(column) => left_out(&self.table.name, column, why),
            None => TransformError::Mapping {
                table: self.table.name.clone(),
                why: why.to_owned(),
                remedy: Report::Fault.into(),
            },
        }
    }
}

fn is_asked(image: &[Slot<'_>]) -> bool {
    image.iter().any(|slot| matches!(slot, Slot::Asked))
}

/// A value without the length before it.
fn bare(wire: ValueEnd, measured: &[u8]) -> &[u8] {
    match wire {
        ValueEnd::Fixed(_) => measured,
        ValueEnd::Prefixed(bytes) => measured.get(usize::from(bytes)..).unwrap_or_default(),
    }
}

/// The error for a column that was computed so far: where a statement has given a column another name, the definition that a copy reads
/// has the expression again.
fn unlike(table: &Table, column: &Column, why: &str, event: &RowsEvent) -> TransformError {
    if table.columns.iter().all(|column| !column.generated || column.generation.is_some()) {
        return left_out(&table.name, column, why);
    }
    TransformError::Ddl {
        table: table.name.clone(),
        kind: "unknown",
        statement: format!("rows in the event that ends at {}", event.position),
        why: format!("generated column {} is left out of what is logged, and {why}", column.name),
        remedy: Remedy::Resync { table: table.name.clone() },
    }
}

/// The error for a generated column that is not in the log and cannot be computed.
pub(in crate::transform) fn left_out(table: &TableName, column: &Column, why: &str) -> TransformError {
    TransformError::Mapping {
        table: table.clone(),
        why: format!(
            "generated column {} cannot be carried: this source leaves it out of what it logs of updates, and from the other columns it \
             cannot be computed: {why}",
            column.name
        ),
        remedy: Remedy::leave_out_column(&[], &column.name),
    }
}

fn malformed(table: &TableName, event: &RowsEvent, fault: &Fault) -> TransformError {
    let why = match fault {
        Fault::Malformed(why) | Fault::Internal(why) => (*why).to_owned(),
        Fault::Refused(refusal) => refusal.why.clone(),
    };
    TransformError::Malformed { table: table.clone(), why: format!("event at {}: {why}", event.position) }
}
