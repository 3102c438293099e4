//! One plan per table version: how every column of a source row becomes a field of a target row.
//!
//! What flows: row images of the log ([`Plan::encode_event`]) and rows of a SELECT ([`Plan::encode_result`]), walked
//! once; what comes out are [`EncodedRows`](crate::change::EncodedRows) of one [`RowLayout`], the same bytes on either way.
//! A column that is not carried is skipped by its width.
//!
//! What must never happen here: a choice made per value that could be made when the plan is compiled, and a row
//! taken whose bytes do not end exactly where its image ends.

pub(super) mod codec;
pub(super) mod computing;
mod event;
mod image;
mod partial;
mod references;
mod result;
#[cfg(test)]
mod tests;
mod told;
mod unfit;
pub(super) mod whole;

use codec::Codec;

use super::encode::temporal::DatePolicy;
use super::encode::text::TextPolicy;
use super::encode::{Fault, WayOut, field};
use super::mapping::{codec_for, is_dated};
use super::typemap::ColumnPolicies;
use super::{TableMapping, TransformError};
use crate::change::policy::{BadText, KeyDates, NulBytes, ZeroDates};
use crate::change::remedy::{AtTarget, InConfig, Remedy, Report};
use crate::change::{FilePosition, RowLayout, TableName, TargetColumn, TargetName, TargetType};
use crate::schema::Table;
use std::ops::Range;
use std::sync::Arc;

/// What the config says of values the target cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policies {
    /// Zero, partial and year-0 dates.
    pub zero_dates: ZeroDates,
    /// The same in keys.
    pub key_dates: KeyDates,
    /// NUL in text and `\u0000` in JSON.
    pub nul_bytes: NulBytes,
    /// Bytes that a text's character set leaves undefined.
    pub bad_text: BadText,
}

/// How the rows of one version of a source table are encoded for one target table.
#[derive(Debug)]
pub struct Plan {
    table: TableName,
    layout: Arc<RowLayout>,
    /// One a source column, in their order, and behind them one each that may be hidden.
    steps: Vec<ColumnStep>,
    /// The source columns that are not hidden.
    columns: usize,
    /// What every row starts with: the number of fields and the constant source tag, if any.
    head: Vec<u8>,
    /// The part of `head` that is the tag's field.
    tag: Range<usize>,
    /// The tag's place in the key.
    tag_slot: Option<usize>,
    /// The key's fields follow one another in the row, in key order.
    key_in_row: bool,
    /// The key's fields lie in the row in key order, with others between or not.
    key_ascending: bool,
}

/// One source column.
#[derive(Debug)]
struct ColumnStep {
    name: String,
    /// `None`: not carried.
    codec: Option<Codec>,
    /// Whether the target column takes NULL.
    nullable: bool,
    /// Its place in the key.
    key_slot: Option<usize>,
    /// Its place among the target's columns that are fed.
    target: Option<usize>,
}

impl ColumnStep {
    fn skipping(name: String) -> Self {
        Self { name, codec: None, nullable: true, key_slot: None, target: None }
    }
}

/// Where the fields of a key were written, by their place in the key.
struct Marks(Vec<Range<usize>>);

impl Marks {
    #[inline]
    fn set(&mut self, slot: usize, range: Range<usize>) {
        if let Some(mark) = self.0.get_mut(slot) {
            *mark = range;
        }
    }

    /// From the first field's start to the last one's end.
    #[inline]
    fn span(&self) -> Range<usize> {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }
}

impl Plan {
    /// Compiles a plan. `target_columns` are the actual columns of the target table, in the order `mapping`'s target
    /// indexes mean (for a table just created: those of `mapping.target`).
    ///
    /// # Errors
    /// [`TransformError::Type`] for a pair of types that cannot be carried exactly, [`TransformError::Mapping`] for a mapping
    /// that does not fit the tables or a key that could merge rows.
    pub fn compile(
        table: &Table,
        mapping: &TableMapping,
        target_columns: &[TargetColumn],
        policies: &Policies,
    ) -> Result<Self, TransformError> {
        let misfit = |why: String| TransformError::Mapping {
            table: table.name.clone(),
            why,
            remedy: Report::Fault.into(),
        };
        let target = |index: usize| {
            target_columns.get(index).ok_or_else(|| misfit(format!("there is no target column {index}")))
        };
        let mut columns = Vec::with_capacity(mapping.columns.len() + 1);
        let mut head = Vec::new();
        let fields = mapping.columns.len() + usize::from(mapping.source_tag.is_some());
        let count = i16::try_from(fields).map_err(|_| misfit("it has more than 32767 columns".into()))?;
        head.extend_from_slice(&count.to_be_bytes());
        if let Some((index, tag)) = &mapping.source_tag {
            let column = target(*index)?;
            if !matches!(column.data_type, TargetType::Text | TargetType::Varchar(_)) {
                return Err(TransformError::Type {
                    table: table.name.clone(),
                    column: "(source_column)".into(),
                    source_type: "text".into(),
                    target_type: column.data_type.to_string(),
                    remedy: unfit(),
                });
            }
            field::bytes(&mut head, tag.as_bytes())
                .map_err(|_| misfit("the source tag is too long".into()))?;
            columns.push(column.clone());
        }
        let mut steps: Vec<ColumnStep> = table
            .columns
            .iter()
            .map(|column| ColumnStep::skipping(column.name.clone()))
            .chain((0..table.hidden.most).map(|_| ColumnStep::skipping(String::new())))
            .collect();
        let key_slot = |name: &str| mapping.target.primary_key.iter().position(|key| key == name);
        let mut last = None;
        for carried in &mapping.columns {
            let (Some(step), Some(source)) =
                (steps.get_mut(carried.source), table.columns.get(carried.source))
            else {
                return Err(misfit(format!("there is no source column {}", carried.source)));
            };
            if last.is_some_and(|last| last >= carried.source) {
                return Err(misfit("its columns are not carried in the source's order".into()));
            }
            last = Some(carried.source);
            let column = target(carried.target)?;
            step.key_slot = key_slot(&column.name);
            let in_key = step.key_slot.is_some();
            // A policy that was changed makes NULLs for a column that was made NOT NULL: the target says whether it is that still.
            let zero_is_null = policies.zero_dates == ZeroDates::Null && is_dated(&source.data_type);
            step.nullable = (column.nullable || zero_is_null) && !in_key;
            let column_policies = ColumnPolicies {
                // Two keys must not become one by losing their NULs.
                text: if in_key {
                    TextPolicy::STRICT
                } else {
                    TextPolicy { nul_bytes: policies.nul_bytes, bad_text: policies.bad_text }
                },
                dates: DatePolicy {
                    zero_dates: policies.zero_dates,
                    nullable: step.nullable,
                    in_key: in_key.then_some(policies.key_dates),
                },
            };
            step.codec =
                Some(codec_for(&table.name, source, &column.data_type, in_key, column_policies, unfit())?);
            step.target = Some(columns.len());
            columns.push(column.clone());
        }
        let mut key = Vec::with_capacity(mapping.target.primary_key.len());
        for name in &mapping.target.primary_key {
            let index = columns.iter().position(|column| column.name == *name);
            key.push(index.ok_or_else(|| misfit(format!("its key column {name} is not carried")))?);
        }
        let pairs = || key.iter().zip(key.iter().skip(1));
        let tag_slot = mapping
            .source_tag
            .as_ref()
            .and_then(|(index, _)| target_columns.get(*index))
            .and_then(|column| key_slot(&column.name));
        Ok(Self {
            table: table.name.clone(),
            steps,
            columns: table.columns.len(),
            tag: 2..head.len(),
            head,
            tag_slot,
            key_in_row: pairs().all(|(a, b)| a + 1 == *b),
            key_ascending: pairs().all(|(a, b)| a < b),
            layout: Arc::new(RowLayout { target: mapping.target.name.clone(), columns, key }),
        })
    }

    /// Rows go to another target table from here on, of the same shape.
    pub fn rename_target(&mut self, target: &TargetName) {
        self.layout = Arc::new(RowLayout { target: target.clone(), ..RowLayout::clone(&self.layout) });
    }

    /// The target columns of the encoded rows and their key.
    pub fn layout(&self) -> &Arc<RowLayout> {
        &self.layout
    }

    /// The source columns to select, in the order [`Plan::encode_result`] expects them.
    pub fn select_columns(&self) -> Vec<&str> {
        self.carried().map(|(step, _)| step.name.as_str()).collect()
    }

    fn carried(&self) -> impl Iterator<Item = (&ColumnStep, &Codec)> {
        self.steps.iter().filter_map(|step| step.codec.as_ref().map(|codec| (step, codec)))
    }

    /// Places for the fields of a key.
    fn marks(&self) -> Marks {
        Marks(vec![0..0; self.layout.key.len()])
    }

    /// Starts a row; gives where it starts.
    #[inline]
    fn start_row(&self, marks: &mut Marks, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(&self.head);
        if let Some(slot) = self.tag_slot {
            marks.set(slot, start + self.tag.start..start + self.tag.end);
        }
        start
    }

    /// The key of the row just written: part of it, or a copy after it.
    #[inline]
    fn key_of_row(&self, marks: &Marks, out: &mut Vec<u8>) -> Range<usize> {
        if self.key_in_row {
            return marks.span();
        }
        let start = out.len();
        for mark in &marks.0 {
            out.extend_from_within(mark.clone());
        }
        start..out.len()
    }

    /// NULL for a column; an error when its target takes none.
    #[inline]
    fn write_null(step: &ColumnStep, out: &mut Vec<u8>) -> Result<(), Fault> {
        if !step.nullable {
            return Err(null_refused());
        }
        field::null(out);
        Ok(())
    }

    /// Puts table, column, key and place to a fault.
    #[cold]
    fn fault(&self, fault: Fault, step: Option<&ColumnStep>, key: &str, place: Place<'_>) -> TransformError {
        let column = step.map_or("(all)", |step| &step.name);
        let row = match place {
            Place::Copy => format!("the row with {key} (in the copy)"),
            Place::Event(end) => format!("the row with {key} (in the event that ends at {end})"),
        };
        match fault {
            Fault::Malformed(why) => TransformError::Malformed {
                table: self.table.clone(),
                why: format!("column {column} of {row}: {why}"),
            },
            Fault::Internal(why) => TransformError::Internal {
                table: self.table.clone(),
                why: format!("column {column} of {row}: {why}"),
            },
            Fault::Refused(refusal) => TransformError::Value {
                table: self.table.clone(),
                column: column.to_owned(),
                why: refusal.why,
                row,
                remedy: self.remedy(refusal.way_out, step, place),
            },
        }
    }

    #[cold]
    fn remedy(&self, way_out: WayOut, step: Option<&ColumnStep>, place: Place<'_>) -> Remedy {
        let again = Remedy::Resync { table: self.table.clone() };
        let mend = match place {
            Place::Copy => Remedy::MendValue,
            Place::Event(_) => Remedy::MendValue.and(again.clone()),
        };
        match way_out {
            WayOut::Policy(_) if step.is_some_and(|step| step.key_slot.is_some()) => {
                mend.also(InConfig::KeyWithoutAgain)
            }
            WayOut::Policy(policy) | WayOut::KeyPolicy(policy) => policy.or(mend),
            WayOut::Carry(way) => way.and(again),
            WayOut::Mend => mend,
            WayOut::Copy => again,
            WayOut::CopyAndLog(more) => again.also(more),
        }
    }
}

/// What the user can do about a target column that cannot take the values of its source column.
fn unfit() -> Remedy {
    AtTarget::TypeOfPlan.or(InConfig::LeaveColumnOut)
}

/// Where a row was met.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// In the result of a SELECT.
    Copy,
    /// In the event that ends there.
    Event(&'a FilePosition),
}

#[cold]
fn null_refused() -> Fault {
    Fault::refused("the value is NULL and the target column is NOT NULL", WayOut::Mend)
}
