//! A document that is being changed: taken apart along the paths that lead to changes, untouched bytes elsewhere.
//!
//! What comes out is a binary document again, whose containers are all of the large format where they were taken apart:
//! it is printed and thrown away.

use super::binary::{self, CUT, Container, LARGE_ARRAY, LARGE_OBJECT, LITERAL, NULL, OVERLAP};
use crate::transform::encode::Fault;
use std::borrow::Cow;

/// A value of a document.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// As it was logged.
    Untouched {
        /// Its type.
        kind: u8,
        /// Its bytes, without what lies after it.
        bytes: &'a [u8],
    },
    /// An array taken apart.
    Array(Vec<Node<'a>>),
    /// An object taken apart, its keys in the server's order.
    Object(Vec<(Cow<'a, [u8]>, Node<'a>)>),
}

/// How MySQL orders the keys of an object: by length, then by bytes (`Json_key_comparator` in `json_dom.cc`).
pub(super) fn find_key(members: &[(Cow<'_, [u8]>, Node<'_>)], key: &[u8]) -> Result<usize, usize> {
    members.binary_search_by(|(known, _)| known.len().cmp(&key.len()).then_with(|| (**known).cmp(key)))
}

impl<'a> Node<'a> {
    /// A value of type `kind` that starts at the front of `from`.
    pub(super) fn read(kind: u8, from: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self::Untouched { kind, bytes: binary::whole(kind, from)? })
    }

    /// A whole document. An empty one is JSON null.
    pub(super) fn document(raw: &'a [u8]) -> Result<Self, Fault> {
        match raw.split_first() {
            Some((kind, value)) => Self::read(*kind, value),
            None => Ok(Self::Untouched { kind: LITERAL, bytes: &[NULL] }),
        }
    }

    /// Takes a container apart; leaves anything else alone. What that allocates is bounded by the container's bytes, since it
    /// opens only with entries for all the values it claims: a node of 32 bytes for an entry of 5 (an array of the large
    /// format: 6.4 times its bytes) or 3 (of the small one), a member of 56 for 11 or 7.
    pub(super) fn take_apart(&mut self) -> Result<(), Fault> {
        let Self::Untouched { kind, bytes } = *self else { return Ok(()) };
        let Some(container) = Container::open(kind, bytes)? else { return Ok(()) };
        // Every value of a sound container has bytes of its own.
        let mut budget = container.size();
        let mut value = |index| {
            let (kind, from) = container.value(index)?;
            let node = Self::read(kind, from)?;
            if let Self::Untouched { bytes, .. } = node {
                budget = budget.checked_sub(bytes.len()).ok_or(OVERLAP)?;
            }
            Ok(node)
        };
        // Not collected through a Result, which hides how many come: the room would be doubled up to that.
        *self = if container.is_object {
            let mut members = Vec::with_capacity(container.count);
            for index in 0..container.count {
                members.push((Cow::Borrowed(container.key(index)?), value(index)?));
            }
            Self::Object(members)
        } else {
            let mut values = Vec::with_capacity(container.count);
            for index in 0..container.count {
                values.push(value(index)?);
            }
            Self::Array(values)
        };
        Ok(())
    }

    /// Makes room for one more in what was taken apart: an eighth, where a vector by itself would double.
    pub(super) fn make_room<T>(parts: &mut Vec<T>) {
        if parts.len() == parts.capacity() {
            parts.reserve_exact(parts.len() / 8 + 1);
        }
    }

    /// Appends it as a document of its own.
    pub(super) fn write_document(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.push(self.kind());
        self.write(out)
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Untouched { kind, .. } => *kind,
            Self::Array(_) => LARGE_ARRAY,
            Self::Object(_) => LARGE_OBJECT,
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        const VALUE_ENTRY: usize = 5;
        const KEY_ENTRY: usize = 6;
        let start = out.len();
        match self {
            Self::Untouched { bytes, .. } => {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            Self::Array(values) => {
                out.extend_from_slice(&length(values.len())?);
                out.extend_from_slice(&[0; 4]);
                let entries = out.len();
                out.resize(entries + values.len() * VALUE_ENTRY, 0);
                for (index, value) in values.iter().enumerate() {
                    value.write_entry(start, entries + index * VALUE_ENTRY, out)?;
                }
            }
            Self::Object(members) => {
                out.extend_from_slice(&length(members.len())?);
                out.extend_from_slice(&[0; 4]);
                let entries = out.len() + members.len() * KEY_ENTRY;
                let mut key_at = entries + members.len() * VALUE_ENTRY - start;
                for (key, _) in members {
                    let size = u16::try_from(key.len()).map_err(|_| TOO_LONG)?;
                    out.extend_from_slice(&length(key_at)?);
                    out.extend_from_slice(&size.to_le_bytes());
                    key_at += key.len();
                }
                out.resize(entries + members.len() * VALUE_ENTRY, 0);
                for (key, _) in members {
                    out.extend_from_slice(key);
                }
                for (index, (_, value)) in members.iter().enumerate() {
                    value.write_entry(start, entries + index * VALUE_ENTRY, out)?;
                }
            }
        }
        let size = length(out.len() - start)?;
        put(out, start + 4, &size)
    }

    /// Writes the value and its entry, which has its place at `entry` in the container that starts at `start`.
    fn write_entry(&self, start: usize, entry: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        let kind = self.kind();
        put(out, entry, &[kind])?;
        match self {
            Self::Untouched { bytes, .. } if binary::is_inline(kind, true) => put(out, entry + 1, bytes),
            _ => {
                let offset = length(out.len() - start)?;
                put(out, entry + 1, &offset)?;
                self.write(out)
            }
        }
    }
}

const TOO_LONG: Fault = Fault::Malformed("a JSON document is longer than any can be");

fn length(length: usize) -> Result<[u8; 4], Fault> {
    u32::try_from(length).map(u32::to_le_bytes).map_err(|_| TOO_LONG)
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) -> Result<(), Fault> {
    out.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())).ok_or(CUT)?.copy_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An array of the large format that holds `count` small numbers.
    fn numbers(count: usize) -> Vec<u8> {
        let mut array = [length(count).unwrap(), length(8 + 5 * count).unwrap()].concat();
        for number in 0..count {
            array.extend_from_slice(&[binary::INT32]);
            array.extend_from_slice(&length(number).unwrap());
        }
        array
    }

    #[test]
    fn what_is_taken_apart_has_room_for_what_it_holds_and_no_more() {
        for count in [100_001, 0] {
            let bytes = numbers(count);
            let mut node = Node::read(LARGE_ARRAY, &bytes).unwrap();
            node.take_apart().unwrap();
            let Node::Array(mut values) = node else { panic!("{node:?}") };
            assert_eq!((values.len(), values.capacity()), (count, count));
            assert!(size_of_val(&*values) <= 7 * bytes.len());
            Node::make_room(&mut values);
            assert_eq!(values.capacity(), count + count / 8 + 1);
        }
        let members = b"\x02\0\x14\0\x12\0\x01\0\x13\0\x01\0\x05\x01\0\x05\x02\0ab";
        let mut node = Node::read(binary::SMALL_OBJECT, members).unwrap();
        node.take_apart().unwrap();
        let Node::Object(members) = node else { panic!("{node:?}") };
        assert_eq!((members.len(), members.capacity()), (2, 2));
    }

    #[test]
    fn a_count_that_its_bytes_cannot_hold_is_refused_before_room_is_made() {
        let mut bytes = numbers(10);
        bytes[..4].copy_from_slice(&length(11).unwrap());
        assert!(Node::read(LARGE_ARRAY, &bytes).is_err());
        bytes[..4].copy_from_slice(&[255; 4]);
        let mut lying = Node::Untouched { kind: LARGE_ARRAY, bytes: &bytes };
        assert!(lying.take_apart().is_err());
    }
}
