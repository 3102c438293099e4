//! What a comparison of source and target has found.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a key differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The source has the row, the target has none of its key.
    Missing,
    /// Both have the key, with other values.
    Different,
    /// The target has the row, the source has none of its key.
    Extra,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Extra => "extra",
        })
    }
}

/// A key that differs: the values of the target's key columns as the target prints them, in key order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferingKey {
    /// How.
    pub difference: Difference,
    /// The key.
    pub key: Vec<String>,
}

/// What a comparison of one table has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every row that was looked at is equal.
    Equal,
    /// Rows differ.
    Different,
    /// Rows differed, and all of them are put right.
    Repaired,
    /// No row is known to differ, but some could not be held still for long enough to say.
    Undecided,
    /// The table was not compared.
    NotCompared,
}

impl Outcome {
    /// Its name in records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::Repaired => "repaired",
            Self::Undecided => "undecided",
            Self::NotCompared => "not_compared",
        }
    }

    /// The one of this name.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Equal, Self::Different, Self::Repaired, Self::Undecided, Self::NotCompared];
        all.into_iter().find(|outcome| outcome.word() == word)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(rows: &u64) -> bool {
    *rows == 0
}

/// The comparison of one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableVerdict {
    /// The source table.
    pub table: String,
    /// The target table.
    pub target: String,
    /// What it has come to.
    pub outcome: Outcome,
    /// Why it was not compared, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Rows of the source that were compared.
    pub rows: u64,
    /// Keys that the target lacks.
    pub missing: u64,
    /// Keys with other values.
    pub different: u64,
    /// Keys that only the target has.
    pub extra: u64,
    /// Keys that could not be held still for long enough.
    pub undecided: u64,
    /// Rows in quarantine, which the target cannot hold: they are not counted as differing.
    #[serde(default, skip_serializing_if = "is_none")]
    pub quarantined: u64,
    /// More rows may differ: they were too many in one range of keys.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// Of those that differed, the ones that were put right.
    pub repaired: u64,
    /// The target's key columns, in key order.
    pub key_columns: Vec<String>,
    /// Keys that differ, the first so many.
    pub keys: Vec<DifferingKey>,
    /// What was not looked for, a sentence each.
    pub not_looked_for: Vec<String>,
    /// The checkpoint that the last rows were compared at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

impl TableVerdict {
    /// Of a table of which nothing has been looked at.
    pub fn new(table: String, target: String) -> Self {
        Self {
            table,
            target,
            outcome: Outcome::NotCompared,
            why: None,
            rows: 0,
            missing: 0,
            different: 0,
            extra: 0,
            undecided: 0,
            quarantined: 0,
            at_least: false,
            repaired: 0,
            key_columns: Vec::new(),
            keys: Vec::new(),
            not_looked_for: Vec::new(),
            position: None,
            seconds: 0.0,
        }
    }

    /// Keys that differ, of all kinds.
    pub fn differences(&self) -> u64 {
        self.missing.saturating_add(self.different).saturating_add(self.extra)
    }

    /// Counts a key that differs; of the first `listed` of them the key is kept.
    pub fn differs(&mut self, found: DifferingKey, listed: usize) {
        match found.difference {
            Difference::Missing => self.missing += 1,
            Difference::Different => self.different += 1,
            Difference::Extra => self.extra += 1,
        }
        if self.keys.len() < listed {
            self.keys.push(found);
        }
    }

    /// What the counts come to.
    pub fn of_counts(&self) -> Outcome {
        match (self.differences(), self.undecided) {
            _ if self.at_least => Outcome::Different,
            (0, 0) => Outcome::Equal,
            (0, _) => Outcome::Undecided,
            (found, 0) if found == self.repaired => Outcome::Repaired,
            _ => Outcome::Different,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_equal_only_when_nothing_differs_and_nothing_is_open() {
        let mut verdict = TableVerdict::new("a.t".into(), "a.t".into());
        assert_eq!(verdict.of_counts(), Outcome::Equal);
        verdict.undecided = 1;
        assert_eq!(verdict.of_counts(), Outcome::Undecided);
        let found = |difference| DifferingKey { difference, key: vec!["1".into()] };
        verdict.differs(found(Difference::Missing), 1);
        verdict.differs(found(Difference::Extra), 1);
        assert_eq!((verdict.of_counts(), verdict.keys.len()), (Outcome::Different, 1));
        verdict.repaired = 2;
        assert_eq!(verdict.of_counts(), Outcome::Different, "one is open");
        verdict.undecided = 0;
        assert_eq!(verdict.of_counts(), Outcome::Repaired);
        verdict.repaired = 1;
        assert_eq!(verdict.of_counts(), Outcome::Different);
    }
}
