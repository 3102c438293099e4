//! MySQL global transaction identifiers and sets of them.
//!
//! Text form: `uuid[:tag]:first-last[:…][,…]` (MySQL reference manual, "GTID Format and Storage";
//! tags since 8.3). Intervals are kept sorted, disjoint and never adjacent, so equal sets are equal values.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The 16 bytes of a server's UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// A GTID tag: empty, or up to 32 lower-case letters, digits and underscores.
pub type Tag = Arc<str>;

/// One transaction's identifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gtid {
    /// The server on which the transaction was first committed.
    pub source: Uuid,
    /// Its tag; empty for an untagged one.
    pub tag: Tag,
    /// Its number, from 1.
    pub number: u64,
}

/// A set of transactions.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GtidSet {
    /// Per source and tag: half-open intervals `[start, end)`, sorted, not touching.
    intervals: BTreeMap<(Uuid, Tag), Vec<(u64, u64)>>,
}

/// A GTID set's text was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a GTID set: {why}")]
pub struct GtidSetError {
    /// The offending part.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl GtidSet {
    /// True when no transaction is in the set.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Adds one transaction.
    pub fn add(&mut self, gtid: &Gtid) {
        self.add_interval(gtid.source, &gtid.tag, gtid.number, gtid.number.saturating_add(1));
    }

    /// Adds `[start, end)`.
    fn add_interval(&mut self, source: Uuid, tag: &Tag, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let list = self.intervals.entry((source, tag.clone())).or_default();
        // The common case: the next number of the last interval.
        if let Some(last) = list.last_mut()
            && last.1 == start
        {
            last.1 = end;
            return;
        }
        let from = list.partition_point(|interval| interval.1 < start);
        let to = list.partition_point(|interval| interval.0 <= end);
        let mut merged = (start, end);
        for interval in list.get(from..to).unwrap_or_default() {
            merged.0 = merged.0.min(interval.0);
            merged.1 = merged.1.max(interval.1);
        }
        list.splice(from..to, [merged]);
    }

    /// True when the transaction is in the set.
    pub fn contains(&self, gtid: &Gtid) -> bool {
        self.intervals
            .get(&(gtid.source, gtid.tag.clone()))
            .is_some_and(|list| covers(list, gtid.number, gtid.number.saturating_add(1)))
    }

    /// True when every transaction of this set is in `other`.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.intervals.iter().all(|(key, list)| {
            other
                .intervals
                .get(key)
                .is_some_and(|theirs| list.iter().all(|interval| covers(theirs, interval.0, interval.1)))
        })
    }

    /// Adds every transaction of `other`.
    pub fn union(&mut self, other: &Self) {
        for ((source, tag), list) in &other.intervals {
            for interval in list {
                self.add_interval(*source, tag, interval.0, interval.1);
            }
        }
    }

    /// The transactions of this set that are not in `other`.
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for (key, list) in &self.intervals {
            let theirs = other.intervals.get(key).map(Vec::as_slice).unwrap_or_default();
            for &(start, end) in list {
                let mut from = start;
                for &(a, b) in theirs.iter().filter(|i| i.1 > start && i.0 < end) {
                    left.add_interval(key.0, &key.1, from, a.min(end));
                    from = from.max(b);
                }
                left.add_interval(key.0, &key.1, from, end);
            }
        }
        left
    }

    /// The intervals as `(source, tag, [start, end))`, in order: what `COM_BINLOG_DUMP_GTID` sends.
    pub fn intervals(&self) -> impl Iterator<Item = (&Uuid, &Tag, &[(u64, u64)])> {
        self.intervals.iter().map(|((source, tag), list)| (source, tag, list.as_slice()))
    }
}

fn covers(list: &[(u64, u64)], start: u64, end: u64) -> bool {
    let index = list.partition_point(|interval| interval.1 <= start);
    list.get(index).is_some_and(|interval| interval.0 <= start && end <= interval.1)
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = GtidSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || GtidSetError { text: text.to_owned(), why: "a server UUID has 32 hexadecimal digits" };
        let digits: Vec<u32> = text
            .chars()
            .filter(|c| *c != '-')
            .map(|c| c.to_digit(16))
            .collect::<Option<_>>()
            .ok_or_else(error)?;
        let mut bytes = [0_u8; 16];
        if digits.len() != 32 {
            return Err(error());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            if let [high, low] = pair {
                *byte = u8::try_from(high * 16 + low).map_err(|_| error())?;
            }
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tag.is_empty() {
            write!(f, "{}:{}", self.source, self.number)
        } else {
            write!(f, "{}:{}:{}", self.source, self.tag, self.number)
        }
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous: Option<Uuid> = None;
        for ((source, tag), list) in &self.intervals {
            if previous == Some(*source) {
                write!(f, ":{tag}")?;
            } else {
                if previous.is_some() {
                    f.write_str(",")?;
                }
                write!(f, "{source}")?;
                if !tag.is_empty() {
                    write!(f, ":{tag}")?;
                }
            }
            for (start, end) in list {
                if end - start == 1 {
                    write!(f, ":{start}")?;
                } else {
                    write!(f, ":{start}-{}", end - 1)?;
                }
            }
            previous = Some(*source);
        }
        Ok(())
    }
}

impl fmt::Debug for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GtidSet({self})")
    }
}

impl FromStr for GtidSet {
    type Err = GtidSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let error = |why| GtidSetError { text: part.to_owned(), why };
            let mut fields = part.split(':').map(str::trim);
            let source: Uuid = fields.next().unwrap_or_default().parse()?;
            let mut tag: Tag = Tag::from("");
            let mut any = false;
            for field in fields {
                if field.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    tag = field.to_ascii_lowercase().into();
                    continue;
                }
                let number = |text: &str| match text.trim().parse::<u64>() {
                    Ok(number) if number > 0 && number < u64::MAX => Ok(number),
                    _ => Err(error("a transaction number is a whole number from 1")),
                };
                let (first, last) = match field.split_once('-') {
                    Some((first, last)) => (number(first)?, number(last)?),
                    None => (number(field)?, number(field)?),
                };
                if last < first {
                    return Err(error("an interval ends before it starts"));
                }
                set.add_interval(source, &tag, first, last + 1);
                any = true;
            }
            if !any {
                return Err(error("no interval follows the server UUID"));
            }
        }
        Ok(set)
    }
}

impl Serialize for GtidSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GtidSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(text: &str) -> GtidSet {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn of(numbers: &[u64]) -> GtidSet {
        let source: Uuid = A.parse().unwrap_or(Uuid([0; 16]));
        let mut set = GtidSet::default();
        for number in numbers {
            set.add(&Gtid { source, tag: "".into(), number: *number });
        }
        set
    }

    #[test]
    fn text_round_trips_with_tags_and_gaps() {
        for text in
            ["", &format!("{A}:1-5:7:11-18"), &format!("{A}:1-3:blue:4:green:1-9"), &format!("{A}:red:5")]
        {
            assert_eq!(set(text).to_string(), *text);
        }
        assert_eq!(set(&format!("{A}:5:1-3,\n{A}:4")).to_string(), format!("{A}:1-5"));
    }

    #[test]
    fn bad_text_is_refused_by_name() {
        for text in ["x:1", A, &format!("{A}:0"), &format!("{A}:5-2"), &format!("{A}:1-x")] {
            assert!(text.parse::<GtidSet>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_set_behaves_as_a_set_of_numbers(a in prop::collection::vec(1_u64..40, 0..30), b in prop::collection::vec(1_u64..40, 0..30)) {
            use std::collections::BTreeSet;
            let (x, y): (BTreeSet<_>, BTreeSet<_>) = (a.iter().copied().collect(), b.iter().copied().collect());
            let (p, q) = (of(&a), of(&b));
            prop_assert_eq!(p.is_subset_of(&q), x.is_subset(&y));
            let difference: Vec<u64> = x.difference(&y).copied().collect();
            prop_assert_eq!(p.minus(&q), of(&difference));
            let mut union = p.clone();
            union.union(&q);
            let all: Vec<u64> = x.union(&y).copied().collect();
            prop_assert_eq!(&union, &of(&all));
            prop_assert_eq!(set(&union.to_string()), union);
        }
    }
}
