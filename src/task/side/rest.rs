//! How long a table rests between copies of it that nobody has asked for.
//!
//! A table to which statements happen again and again that only a copy mends would be copied all the time. The first copy begins at once
//! and so does the next; after that the table rests for as long as its last copy took, then twice as long, up to four times: so that it
//! is copied for a fifth of the time at most. A table that was left alone for long begins anew.
//!
//! What must never happen here: a rest that only a restart ends.

use crate::change::TableName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Copies in a row that no rest comes between.
const FREE: u32 = 2;
/// The longest rest, as so many times what the last copy took.
const TIMES: u32 = 4;
/// No rest is longer.
const LONGEST: Duration = Duration::from_secs(3600);
/// A copy is in a row with the one before that ended so many times what that took ago, or less.
const IN_A_ROW: u32 = 20;
/// Reckoned for that as if it had taken so long at least.
const SHORT: Duration = Duration::from_secs(15);

/// The last copies of tables.
#[derive(Debug, Default)]
pub(in crate::task) struct Rests {
    last: BTreeMap<TableName, Last>,
    /// Tables whose copy runs, or comes to its end.
    running: BTreeSet<TableName>,
}

#[derive(Debug)]
struct Last {
    in_a_row: u32,
    took: Duration,
    ended: Instant,
}

impl Rests {
    /// Nothing is copied.
    pub(super) fn none_runs(&mut self) {
        self.running.clear();
    }

    /// Tables are copied together from now on.
    pub(super) fn begins(&mut self, tables: &BTreeSet<TableName>) {
        self.running.extend(tables.iter().cloned());
    }

    /// A table has left those that it was copied with, and is to be copied by itself.
    pub(super) fn leaves(&mut self, table: &TableName) {
        self.running.remove(table);
    }

    /// Tables were copied together, which took so long.
    pub(super) fn copied(&mut self, tables: &BTreeSet<TableName>, took: Duration, now: Instant) {
        self.last.retain(|_, last| last.is_near(now));
        for table in tables {
            self.running.remove(table);
            let in_a_row = self.last.get(table).map_or(0, |last| last.in_a_row) + 1;
            self.last.insert(table.clone(), Last { in_a_row, took, ended: now });
        }
    }

    /// How long tables still rest before they are copied together, and how many copies there were in a row.
    pub(super) fn left(&self, tables: &BTreeSet<TableName>, now: Instant) -> Option<(Duration, u32)> {
        let of = |table| {
            if self.running.contains(table) {
                return Some((Duration::from_millis(1), 1));
            }
            let last = self.last.get(table).filter(|last| last.is_near(now))?;
            let times = last.in_a_row.saturating_sub(FREE - 1).min(TIMES);
            let rest = last.took.saturating_mul(times).min(LONGEST);
            let left = rest.checked_sub(now.saturating_duration_since(last.ended))?;
            Some((left, last.in_a_row))
        };
        tables.iter().filter_map(of).max().filter(|(left, _)| !left.is_zero())
    }

    /// Somebody has asked for the table.
    pub(super) fn end(&mut self, table: &TableName) {
        self.last.remove(table);
    }
}

impl Last {
    fn is_near(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.ended) <= self.took.max(SHORT).saturating_mul(IN_A_ROW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(names: &[&str]) -> BTreeSet<TableName> {
        names.iter().map(|name| TableName::new("shop", *name)).collect()
    }

    #[test]
    fn a_table_that_is_copied_again_and_again_rests_longer_each_time() {
        let (mut rests, mut now, took) = (Rests::default(), Instant::now(), Duration::from_secs(10));
        let table = group(&["t"]);
        let mut waited = Vec::new();
        for _ in 0..8 {
            let left = rests.left(&table, now).map_or(0, |(left, _)| left.as_secs());
            waited.push(left);
            now += Duration::from_secs(left) + took;
            rests.copied(&table, took, now);
        }
        assert_eq!(waited, [0, 0, 10, 20, 30, 40, 40, 40]);
        let left =
            rests.left(&table, now + Duration::from_secs(15)).map(|(left, copies)| (left.as_secs(), copies));
        assert_eq!(left, Some((25, 8)), "what has passed counts");
        assert_eq!(rests.left(&group(&["u"]), now), None);
        assert!(rests.left(&group(&["t", "u"]), now).is_some(), "together with one that rests");
        assert_eq!(rests.left(&table, now + Duration::from_secs(301)), None, "it was left alone");
        rests.end(&group(&["t"]).pop_first().unwrap());
        assert_eq!(rests.left(&table, now), None, "somebody has asked for it");
    }

    #[test]
    fn a_table_whose_copy_comes_to_its_end_is_not_copied_beside_that() {
        let (mut rests, now, table) = (Rests::default(), Instant::now(), group(&["t"]));
        rests.begins(&table);
        assert!(rests.left(&table, now).is_some());
        rests.copied(&table, Duration::from_secs(1), now);
        assert_eq!(rests.left(&table, now), None);
        rests.begins(&table);
        rests.leaves(table.first().unwrap());
        assert_eq!(rests.left(&table, now), None, "it is to be copied by itself");
        rests.begins(&table);
        rests.none_runs();
        assert_eq!(rests.left(&table, now), None, "it was cut off");
    }

    #[test]
    fn no_rest_is_longer_than_an_hour() {
        let (mut rests, now) = (Rests::default(), Instant::now());
        for _ in 0..5 {
            rests.copied(&group(&["t"]), Duration::from_secs(7200), now);
        }
        assert_eq!(rests.left(&group(&["t"]), now).unwrap().0, LONGEST);
    }
}
