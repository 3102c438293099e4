//! Where the stream is: binlog file and offset on one server, and which transactions have been taken in.

use super::domain::{DomainGtid, Domains};
use super::event::{Boundary, LogFile};
use super::facts::Flavour;
use super::gtid::{Gtid, GtidSet};
use super::prepared::{ReadAgain, XaState, XaStep};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A place in one server's binlog. Meaningful only together with that server's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FilePosition {
    /// The binlog file's name, e.g. `binlog.000042`.
    pub file: Arc<str>,
    /// Bytes from the start of that file; the end of the last event taken in.
    pub offset: u64,
}

/// Where the first event of a binlog file lies, after the file's magic number.
const FIRST_EVENT: u64 = 4;

impl FilePosition {
    /// Orders two places of the *same* server. `None` when the base names differ or a suffix is no
    /// number: such files cannot be ordered and guessing would lose rows.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        let (base_a, number_a) = split_suffix(&self.file)?;
        let (base_b, number_b) = split_suffix(&other.file)?;
        (base_a == base_b).then(|| number_a.cmp(&number_b).then(self.offset.cmp(&other.offset)))
    }

    /// Whether this place is at `other` or after it; false when they cannot be ordered.
    pub fn reaches(&self, other: &Self) -> bool {
        self.order(other).is_some_and(Ordering::is_ge)
    }
}

/// `binlog.000042` → (`binlog`, 42). The number may have more than six digits (MySQL goes on to 7).
fn split_suffix(file: &str) -> Option<(&str, u64)> {
    let (base, digits) = file.rsplit_once('.')?;
    Some((base, digits.parse().ok()?))
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

/// One transaction's identifier, of either family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransactionId {
    /// Of MySQL.
    MySql(Gtid),
    /// Of MariaDB.
    MariaDb(DomainGtid),
}

#[cfg(test)]
impl TransactionId {
    /// Its number within its source or domain.
    pub fn number(&self) -> u64 {
        match self {
            Self::MySql(gtid) => gtid.number,
            Self::MariaDb(gtid) => gtid.sequence,
        }
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(gtid) => gtid.fmt(f),
            Self::MariaDb(gtid) => gtid.fmt(f),
        }
    }
}

/// How a source tells which transactions have been taken in; chosen when a task starts, and its for life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// MySQL with GTIDs: every transaction taken in; resuming asks for all others, on any server of that history.
    Gtids(GtidSet),
    /// MariaDB: the last transaction of each domain; resuming asks for what follows them.
    Domains(Domains),
    /// MySQL without GTIDs: the file position says it, on this one server.
    Files,
}

impl Taken {
    /// MySQL's set, where that is what counts.
    pub fn gtids(&self) -> Option<&GtidSet> {
        match self {
            Self::Gtids(gtids) => Some(gtids),
            Self::Domains(_) | Self::Files => None,
        }
    }

    /// MariaDB's position, where that is what counts.
    pub fn domains(&self) -> Option<&Domains> {
        match self {
            Self::Domains(domains) => Some(domains),
            Self::Gtids(_) | Self::Files => None,
        }
    }

    /// The family of the servers that tell it so.
    pub fn flavour(&self) -> Flavour {
        match self {
            Self::Gtids(_) | Self::Files => Flavour::MySql,
            Self::Domains(_) => Flavour::MariaDb,
        }
    }

    /// Adds one transaction that ended.
    pub fn add(&mut self, id: &TransactionId) {
        match (self, id) {
            (Self::Gtids(set), TransactionId::MySql(gtid)) => set.add(gtid),
            (Self::Domains(domains), TransactionId::MariaDb(gtid)) => domains.advance(*gtid),
            // It has a GTID, but none that counts here: the file position moves.
            (Self::Files | Self::Gtids(_) | Self::Domains(_), _) => {}
        }
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gtids(gtids) => gtids.fmt(f),
            Self::Domains(domains) => domains.fmt(f),
            Self::Files => Ok(()),
        }
    }
}

/// How far a task has come in its source's binlog. What is at or before it has been taken in whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Identity of the server `file` belongs to (`server_uuid`, see `source::server`); file positions of different
    /// identities are never compared.
    pub server: String,
    /// File and offset on that server.
    pub file: FilePosition,
    /// When that file was begun, seconds since 1970 UTC by its own header: a file of the same name with another time is
    /// another file. `None` until the stream has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_begun: Option<u32>,
    /// Which transactions have been taken in.
    pub taken: Taken,
    /// Prepared XA transactions: they lie before this position and have not been taken in.
    #[serde(default, skip_serializing_if = "XaState::is_empty")]
    pub xa: XaState,
}

impl Position {
    /// Moves past one transaction (or standalone statement) that ended at `boundary`. One that was only prepared is not
    /// taken in by that: where GTIDs make up a set it stays out of it, elsewhere it is remembered how to read it again.
    pub fn advance(&mut self, boundary: &Boundary) {
        let older = match &boundary.xa {
            None => None,
            Some(XaStep::Prepared { xid, start }) => {
                let again = match (&self.taken, &boundary.gtid) {
                    (Taken::Gtids(_), Some(TransactionId::MySql(gtid))) => {
                        let mut own = GtidSet::default();
                        own.add(gtid);
                        ReadAgain::Gtid(own)
                    }
                    (Taken::Domains(before), _) => ReadAgain::After {
                        domains: before.clone(),
                        server: self.server.clone(),
                        file: start.clone(),
                    },
                    (Taken::Gtids(_) | Taken::Files, _) => ReadAgain::From(start.clone()),
                };
                self.xa.prepare(xid, again)
            }
            Some(XaStep::Ended { xid, committed }) => {
                if let Some(by) = committed {
                    self.xa.committed.add(xid, *by);
                }
                self.xa.end(xid)
            }
        };
        if let (Taken::Gtids(set), Some(ReadAgain::Gtid(ended))) = (&mut self.taken, &older) {
            set.union(ended);
        }
        let stays_out =
            matches!((&self.taken, &boundary.xa), (Taken::Gtids(_), Some(XaStep::Prepared { .. })));
        if let (false, Some(id)) = (stays_out, &boundary.gtid) {
            self.taken.add(id);
        }
        self.move_to(boundary.file.clone());
        if self.xa.seen_until.as_ref().is_some_and(|seen| self.file.reaches(seen)) {
            self.xa.seen_until = None;
        }
    }

    /// Moves to a place after it where no transaction is open.
    pub fn move_to(&mut self, file: FilePosition) {
        if self.file.file != file.file {
            self.file_begun = None;
        }
        self.file = file;
    }

    /// A log file starts, or the stream was taken up inside one. Name and time of a file go together: the time of one beside a
    /// place in another would look like a log that was reset.
    pub fn begin_file(&mut self, file: &LogFile) {
        self.enter_file(&file.file);
        self.file_begun = Some(file.begun);
    }

    /// As [`Self::begin_file`], without the file's time: this is no place to go on from.
    pub fn enter_file(&mut self, file: &Arc<str>) {
        if self.file.file != *file {
            self.move_to(FilePosition { file: file.clone(), offset: FIRST_EVENT });
        }
    }

    /// Whether a transaction lies at or before this position: by its GTID where GTIDs tell, else by the place of one of its
    /// events on the same server.
    pub fn holds(&self, id: Option<&TransactionId>, at: &FilePosition) -> bool {
        match (&self.taken, id) {
            (Taken::Gtids(set), Some(TransactionId::MySql(gtid))) => set.contains(gtid),
            (Taken::Gtids(_), _) => false,
            // Numbers of a domain need not rise without gtid_strict_mode, places in one server's files do.
            (Taken::Domains(_) | Taken::Files, _) => self.file.reaches(at),
        }
    }

    /// Whether everything at or before `other` is at or before this position too.
    pub fn includes(&self, other: &Self) -> bool {
        match (&self.taken, &other.taken) {
            (Taken::Gtids(have), Taken::Gtids(wanted)) => wanted.is_subset_of(have),
            // A start that was given as GTIDs has no place; the stream is past it from the beginning.
            _ => {
                self.server == other.server && (other.file.file.is_empty() || self.file.reaches(&other.file))
            }
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.taken.to_string();
        if taken.is_empty() { write!(f, "{}", self.file) } else { write!(f, "{taken} ({})", self.file) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, offset: u64) -> FilePosition {
        FilePosition { file: file.into(), offset }
    }

    fn position(taken: Taken, offset: u64) -> Position {
        Position {
            server: "s".into(),
            file: at("b.000001", offset),
            file_begun: None,
            taken,
            xa: XaState::default(),
        }
    }

    #[test]
    fn files_are_ordered_by_number_not_by_text() {
        assert_eq!(at("b.999999", 9).order(&at("b.1000000", 4)), Some(Ordering::Less));
        assert_eq!(at("b.000002", 9).order(&at("b.000002", 4)), Some(Ordering::Greater));
    }

    #[test]
    fn files_with_different_base_names_have_no_order() {
        assert_eq!(at("a.000001", 4).order(&at("b.000002", 4)), None);
        assert_eq!(at("noext", 4).order(&at("noext", 4)), None);
        assert!(!at("a.000001", 4).reaches(&at("b.000002", 4)));
    }

    #[test]
    fn what_a_position_holds_is_told_by_gtids_only_where_they_are_a_set() {
        let set: GtidSet = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".parse().unwrap();
        let gtid = |number| {
            let (source, tag) = ("3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(), "".into());
            TransactionId::MySql(Gtid { source, tag, number })
        };
        let by_gtid = position(Taken::Gtids(set), 100);
        assert!(by_gtid.holds(Some(&gtid(5)), &at("b.000009", 4)));
        assert!(!by_gtid.holds(Some(&gtid(6)), &at("b.000001", 4)));
        let by_place = position(Taken::Files, 100);
        assert!(by_place.holds(None, &at("b.000001", 100)) && !by_place.holds(None, &at("b.000001", 101)));
        // 0-1-3 has a higher number than 0-2-2 and was logged before it.
        let domains = position(Taken::Domains("0-2-2".parse().unwrap()), 100);
        let late = TransactionId::MariaDb("0-1-3".parse().unwrap());
        assert!(domains.holds(Some(&late), &at("b.000001", 90)));
        assert!(!domains.holds(Some(&late), &at("b.000001", 190)));
    }

    #[test]
    fn the_time_of_a_file_stands_beside_its_own_name_only() {
        let mut position = position(Taken::Files, 100);
        let log_file = |file: &str, begun| LogFile { file: file.into(), begun };
        position.begin_file(&log_file("b.000001", 7));
        assert_eq!((position.file.clone(), position.file_begun), (at("b.000001", 100), Some(7)));
        position.begin_file(&log_file("b.000002", 8));
        assert_eq!((position.file.clone(), position.file_begun), (at("b.000002", 4), Some(8)));
        position.move_to(at("b.000002", 300));
        assert_eq!(position.file_begun, Some(8));
        position.move_to(at("b.000003", 300));
        assert_eq!(position.file_begun, None);
    }

    #[test]
    fn a_place_on_another_server_includes_nothing() {
        let mut other = position(Taken::Files, 4);
        assert!(position(Taken::Files, 9).includes(&other));
        other.server = "another".into();
        assert!(!position(Taken::Files, 9).includes(&other));
    }
}
