//! What foreign keys of the source do to rows without a word in its log, as the target is to do it.

use super::shape::TargetName;
use super::{RowLayout, TableName};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What becomes of a row whose key refers to another row, when that one changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyEffect {
    /// Nothing.
    Nothing,
    /// It goes too.
    Delete,
    /// The key's columns become NULL.
    SetNull,
    /// The key's columns get the new values.
    Follow,
}

/// A foreign key between two tables that one stream carries.
#[derive(Clone, Debug)]
pub struct CascadeKey {
    /// The constraint's name.
    pub name: String,
    /// The member whose rows change.
    pub child: usize,
    /// The key's columns: indexes into the child's layout.
    pub columns: Vec<usize>,
    /// The columns that it refers to: indexes into the parent's layout, in the order of `columns`.
    pub referenced: Vec<usize>,
    /// Per column whether values are equal that differ in blanks at their end.
    pub padded: Vec<bool>,
    /// What happens when a row of the parent is deleted.
    pub on_delete: KeyEffect,
    /// What happens when it gets other values in `referenced`.
    pub on_update: KeyEffect,
}

/// A table, as the parent of others and as a child.
#[derive(Clone, Debug)]
pub struct CascadeMember {
    /// The source table.
    pub table: TableName,
    /// Its rows in the target.
    pub layout: Arc<RowLayout>,
    /// In a target of several feeders, the column that tells whose a row is, and what it holds in this one's.
    pub tag: Option<(String, String)>,
    /// The keys that refer to it.
    pub keys: Vec<CascadeKey>,
}

/// Tables and the foreign keys between them that are followed.
#[derive(Clone, Debug, Default)]
pub struct CascadeGraph {
    /// The tables.
    pub members: Vec<CascadeMember>,
}

impl CascadeGraph {
    /// The keys through which a change goes on that has come to their parent through `key` and was `effect` there, with what they do.
    pub fn onward<'a, 'k>(
        &'a self,
        key: &'k CascadeKey,
        effect: KeyEffect,
    ) -> impl Iterator<Item = (usize, &'a CascadeKey, KeyEffect)> + use<'a, 'k> {
        let keys = self.members.get(key.child).map(|member| member.keys.as_slice()).unwrap_or_default();
        keys.iter().enumerate().filter_map(move |(index, next)| {
            let does = match effect {
                KeyEffect::Nothing => KeyEffect::Nothing,
                KeyEffect::Delete => next.on_delete,
                // Only the key's own columns change.
                KeyEffect::SetNull | KeyEffect::Follow
                    if next.referenced.iter().any(|column| key.columns.contains(column)) =>
                {
                    next.on_update
                }
                KeyEffect::SetNull | KeyEffect::Follow => KeyEffect::Nothing,
            };
            (does != KeyEffect::Nothing).then_some((index, next, does))
        })
    }

    /// The target table of a member.
    pub fn target(&self, member: usize) -> Option<&TargetName> {
        self.members.get(member).map(|member| &member.layout.target)
    }
}

/// Values of the columns that a key refers to: their fields back to back, as in [`EncodedRows`](super::EncodedRows).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyChange {
    /// Before. None of them is NULL.
    pub old: Vec<u8>,
    /// After; `None` where the row is gone.
    pub new: Option<Vec<u8>>,
}

/// What one event does through one key.
#[derive(Debug)]
pub struct Cascade {
    /// The tables.
    pub graph: Arc<CascadeGraph>,
    /// The member whose rows the event is about.
    pub parent: usize,
    /// Which of its keys.
    pub key: usize,
    /// All of them deleted, or all of them changed, in the order of the log.
    pub changes: Vec<KeyChange>,
    /// Members that have all of this in their copies already.
    pub untouched: BTreeSet<usize>,
}
