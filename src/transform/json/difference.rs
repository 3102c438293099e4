//! What an update changed in a document: the log has that instead of the new document where
//! `binlog_row_value_options=PARTIAL_JSON`.
//!
//! What flows: the document before the update and a run of differences, each `[operation u8][path][value]`, path and
//! value after their lengths, no value for a removal (`Json_diff_vector::read_binary` in MySQL's
//! `json_diff.cc`). They are applied in their order, each to what the ones before it made, by the server's rules
//! (`apply_json_diff` there): a path names one value, and scalars are not taken for arrays of one element.
//!
//! What must never happen here: a difference that does not fit and is passed over.

use super::MAX_DEPTH;
use super::path::{self, Leg};
use super::tree::{Node, find_key};
use crate::change::remedy::AtSource;
use crate::transform::cursor::Cursor;
use crate::transform::encode::{Fault, WayOut};
use std::fmt;

/// `enum_json_diff_operation`.
#[derive(Clone, Copy)]
enum Operation {
    /// A value that is there becomes another.
    Replace,
    /// A member that is not there, or an element and all after it move up.
    Insert,
    /// A value that is there goes.
    Remove,
}

/// Appends the document that `differences` make of the document `before`.
///
/// # Errors
/// For bytes that are no differences, and for one that does not fit the document.
pub(crate) fn apply(before: &[u8], differences: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    if differences.is_empty() {
        out.extend_from_slice(before);
        return Ok(());
    }
    let mut root = Node::document(before)?;
    let mut cursor = Cursor::new(differences);
    while !cursor.is_empty() {
        let operation = match cursor.take(1)? {
            [0] => Operation::Replace,
            [1] => Operation::Insert,
            [2] => Operation::Remove,
            _ => return Err(Fault::Malformed("a difference of JSON documents has an unknown operation")),
        };
        let path = cursor.sized()?;
        let value = match operation {
            Operation::Replace | Operation::Insert => Some(value(cursor.sized()?)?),
            Operation::Remove => None,
        };
        let done = change(&mut root, operation, path, value)?;
        if !done {
            return Err(misfit(operation, path));
        }
    }
    root.write_document(out)
}

/// The value of a difference: a document of its own, nothing after it.
fn value(raw: &[u8]) -> Result<Node<'_>, Fault> {
    const STRANGE: Fault = Fault::Malformed("the value of a difference of JSON documents is malformed");
    let (kind, from) = raw.split_first().ok_or(STRANGE)?;
    match Node::read(*kind, from)? {
        Node::Untouched { bytes, .. } if bytes.len() != from.len() => Err(STRANGE),
        node => Ok(node),
    }
}

/// Applies one difference; `false` when it does not fit the document.
fn change<'a>(
    root: &mut Node<'a>,
    operation: Operation,
    path: &'a [u8],
    value: Option<Node<'a>>,
) -> Result<bool, Fault> {
    let legs = path::parse(path).filter(|legs| legs.len() <= MAX_DEPTH);
    let mut legs =
        legs.ok_or(Fault::Malformed("a difference of JSON documents has a path of unknown form"))?;
    // The whole document is never replaced: such an update is logged as the new document.
    let Some(last) = legs.pop() else { return Ok(false) };
    let mut parent = root;
    for leg in &legs {
        let Some(child) = step(parent, leg)? else { return Ok(false) };
        parent = child;
    }
    parent.take_apart()?;
    Ok(match (operation, value, parent, last) {
        (Operation::Replace, Some(value), parent, last) => match step(parent, &last)? {
            Some(old) => {
                *old = value;
                true
            }
            None => false,
        },
        (Operation::Insert, Some(value), Node::Object(members), Leg::Member(key)) => {
            match find_key(members, &key) {
                Ok(_) => false,
                Err(at) => {
                    Node::make_room(members);
                    members.insert(at, (key, value));
                    true
                }
            }
        }
        (Operation::Insert, Some(value), Node::Array(values), Leg::Cell(cell)) => {
            Node::make_room(values);
            values.insert(cell.place(values.len()), value);
            true
        }
        (Operation::Remove, None, Node::Object(members), Leg::Member(key)) => {
            let found = find_key(members, &key);
            found.map(|at| members.remove(at)).is_ok()
        }
        (Operation::Remove, None, Node::Array(values), Leg::Cell(cell)) => {
            let found = cell.existing(values.len());
            found.map(|at| values.remove(at)).is_some()
        }
        _ => false,
    })
}

/// The value that a leg leads to (`seek_exact_path`).
fn step<'n, 'a>(from: &'n mut Node<'a>, leg: &Leg<'_>) -> Result<Option<&'n mut Node<'a>>, Fault> {
    from.take_apart()?;
    Ok(match (from, leg) {
        (Node::Object(members), Leg::Member(key)) => {
            let found = find_key(members, key).ok();
            found.and_then(|at| members.get_mut(at)).map(|(_, value)| value)
        }
        (Node::Array(values), Leg::Cell(cell)) => {
            let found = cell.existing(values.len());
            found.and_then(|at| values.get_mut(at))
        }
        _ => None,
    })
}

#[cold]
fn misfit(operation: Operation, path: &[u8]) -> Fault {
    const SHOWN: usize = 200;
    let path = String::from_utf8_lossy(path.get(..SHOWN).unwrap_or(path)).into_owned();
    Fault::refused(
        format!(
            "the update is logged as a difference ({operation} at {path}) that does not fit the document before it"
        ),
        WayOut::CopyAndLog(AtSource::LogJsonWhole),
    )
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replace => "REPLACE",
            Self::Insert => "INSERT",
            Self::Remove => "REMOVE",
        })
    }
}

#[cfg(test)]
mod tests;
