//! Where the builder is in the log: the transaction at work, what of it is passed over, and whose rows the batch has that is being filled.
//!
//! What must never happen here: rows passed over of another transaction than somebody has named; one called passed over before the
//! checkpoint that lies after it.

use super::TaskError;
use crate::change::{FilePosition, TableName, TransactionId, TransactionPlace};
use crate::sink::store::Skip;
use std::collections::BTreeSet;

/// Whose part of a transaction is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PassedOver {
    /// Nobody's.
    #[default]
    Nothing,
    /// That of these tables, named as the task has them on record.
    Tables(BTreeSet<TableName>),
    /// That of every table.
    All,
}

impl PassedOver {
    /// Whether it is that of this table, named as the task has it on record.
    pub fn has(&self, table: &TableName) -> bool {
        match self {
            Self::Nothing => false,
            Self::Tables(tables) => tables.contains(table),
            Self::All => true,
        }
    }

    /// Whether it is nobody's.
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    fn add(&mut self, table: Option<&TableName>) {
        match (&mut *self, table) {
            (Self::All, _) => {}
            (_, None) => *self = Self::All,
            (Self::Tables(tables), Some(table)) => drop(tables.insert(table.clone())),
            (Self::Nothing, Some(table)) => *self = Self::Tables(BTreeSet::from([table.clone()])),
        }
    }
}

/// A transaction by its GTID and where the event ends that begins it.
#[derive(Debug)]
struct Open {
    gtid: Option<TransactionId>,
    begun: FilePosition,
}

/// Whose rows a batch has.
#[derive(Debug, Default)]
enum Filled {
    #[default]
    Nobodys,
    One(TransactionPlace),
    Several,
}

/// Where the builder is. Of a side stream nothing is named and nothing passed over.
#[derive(Debug, Default)]
pub struct Course {
    /// The server whose log it is; `None` on a side stream.
    server: Option<String>,
    /// What is to be passed over.
    asked: Vec<Skip>,
    open: Option<Open>,
    over: PassedOver,
    /// What of `asked` is the transaction at work.
    met: Vec<Skip>,
    has_rows: bool,
    filled: Filled,
    /// What was met and lies before the end of the batch that is being filled.
    passed: Vec<Skip>,
    /// Up to here each transaction with rows has a batch of its own.
    singly: Option<FilePosition>,
}

impl Course {
    /// That of a main stream that follows this server's log.
    pub fn of_main(server: String, asked: Vec<Skip>, singly: Option<FilePosition>) -> Self {
        Self { server: Some(server), asked, singly, ..Self::default() }
    }

    /// A transaction begins.
    pub fn begins(&mut self, gtid: Option<TransactionId>, begun: FilePosition) {
        let Some(server) = &self.server else { return };
        if !self.asked.is_empty() {
            let is_met = |skip: &&Skip| skip.standing.place.is(server, gtid.as_ref(), &begun);
            self.met.clear();
            self.over = PassedOver::Nothing;
            for skip in self.asked.iter().filter(is_met) {
                let Some(asked) = &skip.asked else { continue };
                self.over.add(asked.table.as_ref());
                // Of one that was said twice both are done with.
                self.met.push(skip.clone());
            }
        }
        self.open = Some(Open { gtid, begun });
    }

    /// What of the transaction at work is passed over.
    pub fn over(&self) -> &PassedOver {
        &self.over
    }

    /// Rows of the transaction at work are taken in.
    pub fn takes_rows(&mut self) {
        self.has_rows = true;
    }

    /// The rows of the transaction at work are taken back.
    pub fn gives_up_rows(&mut self) {
        self.has_rows = false;
    }

    /// The transaction at work ends at this place.
    pub fn ends(&mut self, end: &FilePosition) {
        if std::mem::take(&mut self.has_rows) {
            self.filled = match std::mem::take(&mut self.filled) {
                Filled::Nobodys => self.place(end).map_or(Filled::Several, Filled::One),
                Filled::One(_) | Filled::Several => Filled::Several,
            };
        }
        // Of one that a statement stands in before its rows the end is still to come.
        if self.open.as_ref().is_some_and(|open| end.reaches(&open.begun)) {
            self.passed.append(&mut self.met);
        }
        self.met.clear();
        self.over = PassedOver::Nothing;
        self.open = None;
    }

    /// Whether a batch ends with the transaction that has ended at this place.
    pub fn closes_at(&self, end: &FilePosition) -> bool {
        let is_alone = || self.singly.as_ref().is_some_and(|until| until.reaches(end));
        !self.passed.is_empty() || !matches!(self.filled, Filled::Nobodys) && is_alone()
    }

    /// Whether something was passed over that is in no batch yet.
    pub fn has_passed(&self) -> bool {
        !self.passed.is_empty()
    }

    /// The transaction at work, with the place in it that an error names.
    pub fn place(&self, told: &FilePosition) -> Option<TransactionPlace> {
        let Open { gtid, begun } = self.open.as_ref()?;
        let (server, gtid, begun) = (self.server.clone()?, gtid.clone(), begun.clone());
        Some(TransactionPlace { server, gtid, begun, told: told.clone() })
    }

    /// The error as that of the transaction at work.
    pub fn stands(&self, error: TaskError, told: &FilePosition) -> TaskError {
        match self.place(told) {
            Some(place) => error.standing_at(place),
            None => error,
        }
    }

    /// For a batch that is handed on: the one transaction whose rows it has, and what it passes over.
    pub fn hands_on(&mut self) -> (Option<TransactionPlace>, Vec<Skip>) {
        let one = match std::mem::take(&mut self.filled) {
            Filled::One(place) => Some(place),
            Filled::Nobodys | Filled::Several => None,
        };
        (one, std::mem::take(&mut self.passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Standing;
    use crate::sink::store::AskedSkip;

    fn at(offset: u64) -> FilePosition {
        FilePosition { file: "binlog.000001".into(), offset }
    }

    fn skip(begun: u64, table: Option<&str>) -> Skip {
        let place =
            TransactionPlace { server: "s".into(), gtid: None, begun: at(begun), told: at(begun + 1) };
        let table = table.map(|table| TableName::new("d", table));
        let asked = Some(AskedSkip { table, at: 1 });
        Skip { number: 1, standing: Standing { place, table: None }, asked, passed: None }
    }

    #[test]
    fn only_the_one_that_was_named_is_passed_over_and_for_its_tables_alone() {
        let asked = vec![skip(20, Some("a")), skip(20, Some("b")), skip(60, None)];
        let mut course = Course::of_main("s".into(), asked, None);
        let (a, c) = (TableName::new("d", "a"), TableName::new("d", "c"));
        for (begun, of_a, of_c, met) in
            [(10, false, false, 0), (20, true, false, 2), (30, false, false, 0), (60, true, true, 1)]
        {
            course.begins(None, at(begun));
            assert_eq!((course.over().has(&a), course.over().has(&c)), (of_a, of_c), "{begun}");
            assert!(!course.has_passed(), "{begun}: its end is to come");
            course.ends(&at(begun + 5));
            assert_eq!((course.hands_on().1.len(), course.over()), (met, &PassedOver::Nothing), "{begun}");
        }
    }

    #[test]
    fn a_batch_names_the_one_transaction_whose_rows_it_has() {
        let mut course = Course::of_main("s".into(), Vec::new(), Some(at(50)));
        let mut takes = |from: u64, rows: bool| {
            course.begins(None, at(from));
            if rows {
                course.takes_rows();
            }
            course.ends(&at(from + 9));
            course.closes_at(&at(from + 9))
        };
        assert!(!takes(10, false));
        assert!(takes(20, true), "each alone up to the end of those that failed together");
        assert_eq!(course.hands_on().0.map(|place| (place.begun, place.told)), Some((at(20), at(29))));
        let mut takes = |from: u64| {
            course.begins(None, at(from));
            course.takes_rows();
            course.ends(&at(from + 9));
            course.closes_at(&at(from + 9))
        };
        assert!(!takes(50) && !takes(60));
        assert_eq!(course.hands_on().0, None);
    }

    #[test]
    fn a_side_stream_names_nothing() {
        let mut course = Course::default();
        course.begins(None, at(20));
        assert_eq!(course.place(&at(25)), None);
    }
}
