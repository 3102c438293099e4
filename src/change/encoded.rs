//! Rows ready for the target: COPY binary fields and spans over them.
//!
//! A field is `[i32 length big-endian][bytes]`, NULL is length −1 (PostgreSQL docs, COPY, "Binary
//! Format"). The same bytes feed COPY, key arrays and compaction hashing, so a key's bytes must be equal
//! exactly when the keys are equal in the target.

use super::shape::{TargetColumn, TargetName};
use super::unfit::Unfit;
use std::ops::Range;
use std::sync::Arc;

/// Which target columns a run of encoded rows fills, and which of them are the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLayout {
    /// The target table.
    pub target: TargetName,
    /// The columns in the order of the fields of a row.
    pub columns: Vec<TargetColumn>,
    /// Indexes into `columns`: the primary key, in key order.
    pub key: Vec<usize>,
}

/// What one encoded row means. `Insert` and `Update` carry a row; `Delete` only a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOp {
    /// The key was absent and now has this row.
    Insert,
    /// The key was present, keeps its key, and now has this row.
    Update,
    /// The key was present and is gone. A changed key is a `Delete` of the old and a [`RowOp::Arrive`] of the new.
    Delete,
    /// The new key of an update that changed the key: like `Insert`, but counted as an update.
    Arrive,
    /// As the operation says, but the key has no row in the target from now on: what it has at the source does not fit there. In the
    /// place of the row lies an [`Unfit`] as JSON.
    InsertUnfit,
    /// As above.
    UpdateUnfit,
    /// As above.
    ArriveUnfit,
}

impl RowOp {
    /// Whether the key had a row before.
    pub fn was_present(self) -> bool {
        matches!(self, Self::Update | Self::Delete | Self::UpdateUnfit)
    }

    /// Whether the target has a row of the key afterwards.
    pub fn leaves_row(self) -> bool {
        matches!(self, Self::Insert | Self::Update | Self::Arrive)
    }

    /// Whether it is of a row that does not fit.
    pub fn is_unfit(self) -> bool {
        matches!(self, Self::InsertUnfit | Self::UpdateUnfit | Self::ArriveUnfit)
    }
}

/// Where one row lies in [`EncodedRows::buffer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSpan {
    /// What happened to the key.
    pub op: RowOp,
    /// The key's fields, in key order, lengths included.
    pub key: Range<usize>,
    /// The row: `[i16 field count]` and the fields, as COPY binary has them. Empty for `Delete`, an [`Unfit`] for what does not fit.
    pub row: Range<usize>,
}

/// A run of rows of one table, in source order.
#[derive(Clone, Debug)]
pub struct EncodedRows {
    /// What the fields are.
    pub layout: Arc<RowLayout>,
    /// All bytes; `spans` point into it.
    pub buffer: Vec<u8>,
    /// One a row operation, in source order.
    pub spans: Vec<RowSpan>,
}

impl EncodedRows {
    /// An empty run for `layout`.
    pub fn new(layout: Arc<RowLayout>) -> Self {
        Self { layout, buffer: Vec::new(), spans: Vec::new() }
    }

    /// An empty run for the layout of another, with room for as much and an eighth more.
    pub fn like(other: &Self) -> Self {
        let room = |length: usize| length + length / 8;
        Self {
            layout: other.layout.clone(),
            buffer: Vec::with_capacity(room(other.buffer.len())),
            spans: Vec::with_capacity(room(other.spans.len())),
        }
    }

    /// Takes out the rows that do not fit, each with the bytes of its key.
    ///
    /// # Errors
    /// When there is something else in the place of such a row: a fault of the encoder.
    pub fn take_unfit(&mut self) -> Result<Vec<(Vec<u8>, Unfit)>, serde_json::Error> {
        let mut taken = Vec::new();
        for span in self.spans.extract_if(.., |span| span.op.is_unfit()) {
            let bytes = |range: &Range<usize>| self.buffer.get(range.clone()).unwrap_or_default();
            taken.push((bytes(&span.key).to_vec(), serde_json::from_slice(bytes(&span.row))?));
        }
        Ok(taken)
    }

    /// Takes the rows out and keeps the memory for others.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.spans.clear();
    }

    /// Bytes of the rows in it: what the limits of a batch count. Room that an earlier use has left is none of theirs.
    pub fn used_bytes(&self) -> usize {
        self.buffer.len() + self.spans.len() * size_of::<RowSpan>()
    }

    /// Bytes held: what memory caps count.
    pub fn weight_bytes(&self) -> usize {
        self.buffer.capacity() + self.spans.capacity() * size_of::<RowSpan>()
    }
}
