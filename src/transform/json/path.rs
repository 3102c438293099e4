//! Paths of JSON differences: `$`, then members as `.name` or `."name"` and cells as `[7]` or `[last-7]`.
//!
//! Only what the server writes into its log is read (`Json_path::to_string` in MySQL's `json_path.cc`): no blanks, no
//! wildcards, no ranges.

use std::borrow::Cow;

/// One step from a container to a value in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leg<'a> {
    /// The value with this key.
    Member(Cow<'a, [u8]>),
    /// An element of an array.
    Cell(Cell),
}

/// An element's place, counted from either end (`Json_array_index` in MySQL's `json_path.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    index: u32,
    from_end: bool,
}

impl Cell {
    /// Where a new element goes in an array of this length: at the nearer end when the place lies outside.
    pub(super) fn place(self, length: usize) -> usize {
        let index = usize::try_from(self.index).unwrap_or(usize::MAX);
        if self.from_end { length.saturating_sub(index.saturating_add(1)) } else { index.min(length) }
    }

    /// The element meant in an array of this length.
    pub(super) fn existing(self, length: usize) -> Option<usize> {
        let inside = usize::try_from(self.index).is_ok_and(|index| index < length);
        inside.then(|| self.place(length))
    }
}

/// Reads a path; `None` when it is none, or one the server does not log.
pub(super) fn parse(text: &[u8]) -> Option<Vec<Leg<'_>>> {
    let mut rest = text.strip_prefix(b"$")?;
    let mut legs = Vec::new();
    while let Some((first, tail)) = rest.split_first() {
        let (leg, behind) = match first {
            b'.' if tail.first() == Some(&b'"') => quoted_name(tail)?,
            b'.' => plain_name(tail)?,
            b'[' => cell(tail)?,
            _ => return None,
        };
        legs.push(leg);
        rest = behind;
    }
    Some(legs)
}

/// A name that needs no quotes: an identifier of ECMAScript.
fn plain_name(text: &[u8]) -> Option<(Leg<'_>, &[u8])> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
    let end = text.iter().position(|byte| !plain(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    (!name.is_empty()).then_some((Leg::Member(Cow::Borrowed(name)), rest))
}

/// A name in quotes, escaped as a JSON string is.
fn quoted_name(text: &[u8]) -> Option<(Leg<'_>, &[u8])> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    let (name, rest) = text.split_at_checked(at + 1)?;
    let name = serde_json::from_slice::<String>(name).ok()?;
    Some((Leg::Member(Cow::Owned(name.into_bytes())), rest))
}

fn cell(text: &[u8]) -> Option<(Leg<'_>, &[u8])> {
    let end = text.iter().position(|byte| *byte == b']')?;
    let (place, rest) = text.split_at_checked(end)?;
    let (index, from_end) = match place.strip_prefix(b"last") {
        None => (number(place)?, false),
        Some(b"") => (0, true),
        Some(behind) => (number(behind.strip_prefix(b"-")?)?, true),
    };
    Some((Leg::Cell(Cell { index, from_end }), rest.get(1..)?))
}

fn number(text: &[u8]) -> Option<u32> {
    // `parse` takes a sign, the server writes none.
    let digits = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Leg<'_> {
        Leg::Member(Cow::Borrowed(name.as_bytes()))
    }

    fn at(index: u32, from_end: bool) -> Leg<'static> {
        Leg::Cell(Cell { index, from_end })
    }

    #[test]
    fn paths_of_every_kind_of_leg_are_read() {
        for (text, legs) in [
            ("$", vec![]),
            ("$.a", vec![member("a")]),
            ("$.$_1é[0].b", vec![member("$_1é"), at(0, false), member("b")]),
            ("$[4294967295][last][last-3]", vec![at(u32::MAX, false), at(0, true), at(3, true)]),
            (
                r#"$."a b"."\"\\.[]\n\u0001😀"."".x"#,
                vec![member("a b"), member("\"\\.[]\n\u{1}😀"), member(""), member("x")],
            ),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(legs), "{text}");
        }
    }

    #[test]
    fn what_the_server_does_not_write_is_no_path() {
        for text in [
            "",
            "a",
            "$a",
            "$.",
            "$.a b",
            "$ .a",
            "$.*",
            "$**.a",
            "$[*]",
            "$[0 to 1]",
            "$[",
            "$[]",
            "$[-1]",
            "$[+1]",
            "$[4294967296]",
            "$[last-]",
            "$[last+1]",
            "$[lastly]",
            "$.\"",
            "$.\"a",
            "$.\"a\\",
            "$.\"a\\\"",
            "$.\"\\q\"",
            "$.\"a\"b",
            "$.a\"",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"$.\"\xff\""), None);
    }

    #[test]
    fn places_count_from_either_end_and_stop_at_them() {
        let cell = |index, from_end| Cell { index, from_end };
        for (cell, length, place, existing) in [
            (cell(0, false), 0, 0, None),
            (cell(0, false), 2, 0, Some(0)),
            (cell(1, false), 2, 1, Some(1)),
            (cell(2, false), 2, 2, None),
            (cell(9, false), 2, 2, None),
            (cell(0, true), 2, 1, Some(1)),
            (cell(1, true), 2, 0, Some(0)),
            (cell(2, true), 2, 0, None),
            (cell(0, true), 0, 0, None),
        ] {
            assert_eq!(
                (cell.place(length), cell.existing(length)),
                (place, existing),
                "{cell:?} of {length}"
            );
        }
    }
}
