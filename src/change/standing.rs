//! What of a source's log a task cannot get past, and what it is told to pass over. A statement that is a transaction of its own is one
//! here too.
//!
//! What must never happen here: one transaction taken for another.

use super::gtid::{Gtid, GtidSet};
use super::{DomainGtid, FilePosition, Position, TableName, TransactionId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A transaction of a log, by all that tells it from others. Prints as what `rowferry skip` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// Identity of the server that `begun` and `told` belong to.
    pub server: String,
    /// Its identifier, where the source has them.
    pub gtid: Option<TransactionId>,
    /// Where the event ends that begins it; of a statement that stands alone, where that ends.
    pub begun: FilePosition,
    /// The place in it that the error names.
    pub told: FilePosition,
}

impl TransactionPlace {
    /// Whether it is the one that begins there. Only the same place on the same server tells: a server that was made anew may give a GTID
    /// to another transaction. After a failover the task stands there once more.
    pub fn is(&self, server: &str, gtid: Option<&TransactionId>, begun: &FilePosition) -> bool {
        self.server == server && self.begun == *begun && self.gtid.as_ref() == gtid
    }

    /// Whether both are one transaction.
    pub fn is_same(&self, other: &Self) -> bool {
        self.is(&other.server, other.gtid.as_ref(), &other.begun)
    }

    /// Whether it is the one that somebody means.
    pub fn is_named(&self, name: &TransactionName) -> bool {
        match name {
            TransactionName::Gtid(gtid) => self.gtid.as_ref() == Some(gtid),
            TransactionName::Place(place) => self.begun == *place || self.told == *place,
        }
    }

    /// Whether what lies at or before `position` holds it.
    pub fn is_passed(&self, position: &Position) -> bool {
        // A place on another server says nothing; there a transaction comes again or not by its GTID.
        let is_comparable = position.server == self.server || position.taken.gtids().is_some();
        is_comparable && position.holds(self.gtid.as_ref(), &self.begun)
    }
}

impl fmt::Display for TransactionPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.gtid {
            Some(gtid) => gtid.fmt(f),
            None => self.told.fmt(f),
        }
    }
}

/// A transaction that a task cannot get past, and the table for which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The transaction.
    pub place: TransactionPlace,
    /// The one table that it is about, as the task has it on record; `None` where it is about more.
    pub table: Option<TableName>,
}

/// How somebody names a transaction: by its GTID, or by a place in the log's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionName {
    /// `uuid:n`, `uuid:tag:n`, or MariaDB's `domain-server-sequence`.
    Gtid(TransactionId),
    /// `file:offset`
    Place(FilePosition),
}

/// A text names no transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" names no transaction of a log: it has the form uuid:number, domain-server-sequence (MariaDB) or file:offset, as \
     rowferry status prints it"
)]
pub struct TransactionNameError {
    /// The text.
    pub text: String,
}

impl FromStr for TransactionName {
    type Err = TransactionNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || TransactionNameError { text: text.to_owned() };
        if let Ok(gtid) = text.parse::<TransactionId>() {
            return Ok(Self::Gtid(gtid));
        }
        let (file, offset) = text.rsplit_once(':').ok_or_else(error)?;
        let offset = offset.parse().map_err(|_| error())?;
        if file.is_empty() || file.contains([':', ',']) {
            return Err(error());
        }
        Ok(Self::Place(FilePosition { file: file.into(), offset }))
    }
}

impl FromStr for TransactionId {
    type Err = TransactionNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(gtid) = text.parse::<DomainGtid>() {
            return Ok(Self::MariaDb(gtid));
        }
        let error = || TransactionNameError { text: text.to_owned() };
        let set: GtidSet = text.parse().map_err(|_| error())?;
        let mut all = set.intervals();
        match (all.next(), all.next()) {
            (Some((source, tag, [(first, end)])), None) if first.checked_add(1) == Some(*end) => {
                Ok(Self::MySql(Gtid { source: *source, tag: tag.clone(), number: *first }))
            }
            _ => Err(error()),
        }
    }
}

impl fmt::Display for TransactionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gtid(gtid) => gtid.fmt(f),
            Self::Place(place) => place.fmt(f),
        }
    }
}

impl Serialize for TransactionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TransactionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Taken, XaState};

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn at(offset: u64) -> FilePosition {
        FilePosition { file: "b.000002".into(), offset }
    }

    fn place(gtid: Option<&str>) -> TransactionPlace {
        let gtid = gtid.map(|gtid| gtid.parse().unwrap());
        TransactionPlace { server: "a".into(), gtid, begun: at(200), told: at(300) }
    }

    #[test]
    fn names_are_read_in_the_form_that_they_are_printed_in() {
        for text in
            [&format!("{UUID}:7"), &format!("{UUID}:blue:7"), "0-1-2", "binlog.000042:1337", "a.b-c:4"]
        {
            assert_eq!(text.parse::<TransactionName>().unwrap().to_string(), *text);
        }
        let upper = format!("{}:7", UUID.to_uppercase());
        assert_eq!(upper.parse::<TransactionName>().unwrap().to_string(), format!("{UUID}:7"));
        for text in ["", "7", ":7", "binlog.000042", "binlog.000042:x", &format!("{UUID}:1-7"), "0-1-2,1-1-1"]
        {
            assert!(text.parse::<TransactionName>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_same_place_on_the_same_server_tells() {
        let (known, gtid) = (place(Some("0-1-2")), "0-1-2".parse().unwrap());
        assert!(known.is("a", Some(&gtid), &at(200)));
        assert!(!known.is("a", Some(&gtid), &at(201)), "a GTID that was given twice");
        assert!(!known.is("a", None, &at(200)));
        assert!(!known.is("b", Some(&gtid), &at(200)), "a GTID of a server that was made anew");
        let unnamed = place(None);
        assert!(unnamed.is("a", None, &at(200)) && !unnamed.is("b", None, &at(200)));
    }

    #[test]
    fn it_is_named_by_all_that_is_told_of_it() {
        let gtid = format!("{UUID}:7");
        for (name, is) in
            [(gtid.as_str(), true), ("b.000002:200", true), ("b.000002:300", true), ("b.000002:250", false)]
        {
            assert_eq!(place(Some(&gtid)).is_named(&name.parse().unwrap()), is, "{name}");
        }
        assert_eq!(place(Some(&gtid)).to_string(), gtid);
        assert_eq!(place(None).to_string(), "b.000002:300");
    }

    #[test]
    fn it_is_passed_by_its_gtid_or_its_place() {
        let position = |taken, server: &str, offset| Position {
            server: server.into(),
            file: at(offset),
            file_begun: None,
            taken,
            xa: XaState::default(),
        };
        let gtids = |text: &str| Taken::Gtids(text.parse().unwrap());
        let known = place(Some(&format!("{UUID}:7")));
        assert!(known.is_passed(&position(gtids(&format!("{UUID}:1-7")), "b", 4)));
        assert!(!known.is_passed(&position(gtids(&format!("{UUID}:1-6")), "a", 900)));
        let unnamed = place(None);
        assert!(unnamed.is_passed(&position(Taken::Files, "a", 200)));
        assert!(!unnamed.is_passed(&position(Taken::Files, "a", 199)));
        assert!(!unnamed.is_passed(&position(Taken::Files, "b", 900)));
    }
}
