//! XA transactions that are prepared and not ended: logged, invisible, and not taken in whatever the position says.
//!
//! Their rows stand in the log at XA PREPARE, and XA COMMIT has none. Until it comes they are held by who reads the
//! stream; after a restart they must be read again, so a position remembers each with the place from which that works.
//!
//! What must never happen here: a prepared transaction forgotten before its end has been taken in.

use super::domain::Domains;
use super::gtid::GtidSet;
use super::position::FilePosition;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// What the end of a transaction means for a prepared one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XaStep {
    /// It was prepared. With or without selected rows: an end must be told from that of a transaction never seen.
    Prepared {
        /// Its id as the log spells it, `X'gtrid',X'bqual',format`.
        xid: Arc<str>,
        /// A place in this server's files from which on it can be read: the end of the transaction before it.
        start: FilePosition,
    },
    /// A prepared one was committed or rolled back.
    Ended {
        /// Its id.
        xid: Arc<str>,
        /// Who committed it, where that must be remembered (see [`CommittedXa`]).
        committed: Option<Committer>,
    },
}

/// Which session committed a prepared transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committer {
    /// The one that prepared it.
    Preparer,
    /// Another one, or it is not known.
    Another,
}

/// How a prepared transaction is read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadAgain {
    /// MySQL with GTIDs: its own GTID is left out of the set that is taken in, so the server sends it once more.
    #[serde(rename = "named")]
    Gtid(GtidSet),
    /// MariaDB: what had been taken in before it; on the server of that time the place where it ended says it exactly.
    #[serde(rename = "behind")]
    After {
        /// The last transaction of each domain before it.
        domains: Domains,
        /// Identity of the server `file` belongs to.
        server: String,
        /// The end of the transaction before it.
        file: FilePosition,
    },
    /// MySQL without GTIDs: the end of the transaction before it.
    From(FilePosition),
}

/// One prepared transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedXa {
    /// Its id as the log spells it.
    pub xid: Arc<str>,
    /// How to get its rows again.
    pub again: ReadAgain,
}

/// The prepared transactions of a position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct XaState {
    /// Those whose end has not been taken in, in the order in which they were prepared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prepared: Vec<PreparedXa>,
    /// Of a position that a copy started at: an XA COMMIT up to this place, on the same server, of a transaction that
    /// was prepared before the position brings nothing: the copy has seen its rows. `None` when there is none such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_until: Option<FilePosition>,
    /// Those last committed by MariaDB's log.
    #[serde(default, skip_serializing_if = "CommittedXa::is_empty")]
    pub committed: CommittedXa,
}

/// The prepared transactions that were last committed as far as the log tells, for MariaDB may list them again after a restart,
/// and what is done then comes into the log as a second end. It logs an XA COMMIT before its engine is asked, and does not look at
/// the engine's answer (`xacommit_handlerton` in `handler.cc`):
///
/// - Another session's, while the one that prepared is still taking its leave, does nothing in the engine (`trans_xa_detach` comes
///   before `ha_close_connection` in `xa.cc` and `sql_class.cc`). The restart may come much later.
/// - Any, when the server dies in between. Those stand at the end of the log before the second end, so few are enough.
///
/// This is part of every position that is stored, so it has to be small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedXa {
    /// By another session than the one that prepared; oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    by_another: VecDeque<Arc<str>>,
    /// By the session that prepared; oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    by_preparer: VecDeque<Arc<str>>,
}

impl CommittedXa {
    /// So many that another session committed are remembered.
    pub const BY_ANOTHER: usize = 64;
    /// So many of the others are remembered.
    pub const BY_PREPARER: usize = 16;

    /// True when none is remembered.
    pub fn is_empty(&self) -> bool {
        self.by_another.is_empty() && self.by_preparer.is_empty()
    }

    /// Whether this one is remembered.
    pub fn contains(&self, xid: &str) -> bool {
        self.by_another.iter().chain(&self.by_preparer).any(|one| **one == *xid)
    }

    /// Remembers one, as the last.
    pub fn add(&mut self, xid: &Arc<str>, by: Committer) {
        self.forget(xid);
        let (list, most) = match by {
            Committer::Another => (&mut self.by_another, Self::BY_ANOTHER),
            Committer::Preparer => (&mut self.by_preparer, Self::BY_PREPARER),
        };
        list.push_back(xid.clone());
        while list.len() > most {
            list.pop_front();
        }
    }

    /// An id that is prepared again is that of another transaction.
    pub fn forget(&mut self, xid: &str) {
        for list in [&mut self.by_another, &mut self.by_preparer] {
            list.retain(|one| **one != *xid);
        }
    }
}

impl XaState {
    /// True when nothing is prepared, expected or remembered.
    pub fn is_empty(&self) -> bool {
        self.prepared.is_empty() && self.seen_until.is_none() && self.committed.is_empty()
    }

    /// Remembers a prepared one. Gives what was known under its id, if that was another: it is gone, for ids of prepared
    /// transactions differ at any time.
    pub fn prepare(&mut self, xid: &Arc<str>, again: ReadAgain) -> Option<ReadAgain> {
        self.committed.forget(xid);
        // Read again after a restart: it keeps its turn.
        if self.prepared.iter().any(|one| one.xid == *xid && one.again == again) {
            return None;
        }
        let older = self.end(xid);
        self.prepared.push(PreparedXa { xid: xid.clone(), again });
        older
    }

    /// Forgets one that has ended.
    pub fn end(&mut self, xid: &str) -> Option<ReadAgain> {
        let at = self.prepared.iter().position(|one| *one.xid == *xid)?;
        Some(self.prepared.remove(at).again)
    }
}

#[cfg(test)]
#[allow(clippy::unnecessary_wraps, reason = "what they make is optional where it goes")]
mod tests {
    use super::*;
    use crate::change::{Boundary, Gtid, Position, Taken, TransactionId};

    fn at(offset: u64) -> FilePosition {
        FilePosition { file: "b.000001".into(), offset }
    }

    fn position(taken: Taken) -> Position {
        Position { server: "s".into(), file: at(4), file_begun: None, taken, xa: XaState::default() }
    }

    fn prepared(xid: &str, start: u64) -> Option<XaStep> {
        Some(XaStep::Prepared { xid: xid.into(), start: at(start) })
    }

    fn ended(xid: &str) -> Option<XaStep> {
        Some(XaStep::Ended { xid: xid.into(), committed: None })
    }

    fn advance(position: &mut Position, gtid: Option<TransactionId>, offset: u64, xa: Option<XaStep>) {
        position.advance(&Boundary { gtid, file: at(offset), committed_micros: 0, xa });
    }

    const SOURCE: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn gtid(number: u64) -> Option<TransactionId> {
        Some(TransactionId::MySql(Gtid { source: SOURCE.parse().unwrap(), tag: "".into(), number }))
    }

    #[test]
    fn in_a_set_a_prepared_transaction_is_a_hole_until_it_ends() {
        let mut at = position(Taken::Gtids(GtidSet::default()));
        let taken = |position: &Position| position.taken.to_string().replace(SOURCE, "");
        advance(&mut at, gtid(1), 10, None);
        advance(&mut at, gtid(2), 20, prepared("a", 10));
        advance(&mut at, gtid(3), 30, prepared("b", 20));
        advance(&mut at, gtid(4), 40, None);
        assert_eq!(taken(&at), ":1:4");
        // Sent again after a restart.
        advance(&mut at, gtid(2), 20, prepared("a", 10));
        assert_eq!((taken(&at).as_str(), at.xa.prepared.len()), (":1:4", 2));
        let stored = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&stored).unwrap(), at);
        advance(&mut at, gtid(5), 50, ended("b"));
        assert_eq!(taken(&at), ":1:3-5");
        // Another one of its id: the source has lost it, and the set goes on.
        advance(&mut at, gtid(6), 60, prepared("a", 50));
        assert_eq!(taken(&at), ":1-5");
        advance(&mut at, gtid(7), 70, ended("a"));
        assert_eq!(taken(&at), ":1-7");
        assert!(at.xa.is_empty() && !serde_json::to_string(&at).unwrap().contains("xa"));
    }

    #[test]
    fn elsewhere_the_oldest_says_where_to_read_again() {
        let mut places = position(Taken::Files);
        advance(&mut places, None, 20, prepared("a", 10));
        advance(&mut places, None, 30, prepared("b", 20));
        advance(&mut places, None, 40, ended("a"));
        assert_eq!(places.xa.prepared, [PreparedXa { xid: "b".into(), again: ReadAgain::From(at(20)) }]);
        let mut domains = position(Taken::Domains("0-1-5".parse().unwrap()));
        let id = |text: &str| Some(TransactionId::MariaDb(text.parse().unwrap()));
        advance(&mut domains, id("0-1-6"), 20, prepared("a", 10));
        advance(&mut domains, id("1-1-1"), 30, None);
        assert_eq!(domains.taken.to_string(), "0-1-6,1-1-1");
        let after = ReadAgain::After { domains: "0-1-5".parse().unwrap(), server: "s".into(), file: at(10) };
        assert_eq!(domains.xa.prepared[0].again, after);
        let stored = serde_json::to_string(&domains).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&stored).unwrap(), domains);
    }

    #[test]
    fn a_committed_one_is_remembered_until_its_id_is_prepared_again_or_others_push_it_out() {
        let mut at = position(Taken::Domains(Domains::default()));
        let committed = |xid: &str, by| Some(XaStep::Ended { xid: xid.into(), committed: Some(by) });
        let known = |position: &Position| {
            let stored = serde_json::to_string(position).unwrap();
            assert_eq!(serde_json::from_str::<Position>(&stored).unwrap(), *position);
            ["a", "b"].map(|xid| position.xa.committed.contains(xid))
        };
        advance(&mut at, None, 10, committed("a", Committer::Another));
        advance(&mut at, None, 20, committed("b", Committer::Preparer));
        assert_eq!(known(&at), [true, true]);
        advance(&mut at, None, 30, prepared("a", 20));
        assert_eq!(known(&at), [false, true]);
        advance(&mut at, None, 40, committed("a", Committer::Another));
        for number in 0..CommittedXa::BY_ANOTHER + CommittedXa::BY_PREPARER {
            advance(&mut at, None, 50, committed(&number.to_string(), Committer::Preparer));
        }
        assert_eq!(known(&at), [true, false], "those of the one kind do not push out those of the other");
        for number in 0..CommittedXa::BY_ANOTHER {
            advance(&mut at, None, 60, committed(&number.to_string(), Committer::Another));
        }
        assert_eq!(known(&at), [false, false]);
        let longest = format!("X'{}',X'{}',4294967295", "f".repeat(128), "f".repeat(128));
        for number in 0..200 {
            let (by, xid) =
                ([Committer::Another, Committer::Preparer][number % 2], format!("{longest}{number}"));
            advance(&mut at, None, 70, committed(&xid, by));
        }
        assert!(serde_json::to_string(&at).unwrap().len() < 24 << 10);
    }

    #[test]
    fn a_position_stored_before_committed_ones_were_remembered_is_read() {
        let stored = r#"{"server":"s","file":{"file":"b.1","offset":4},"taken":{"domains":"0-1-5"},
            "xa":{"seen_until":{"file":"b.1","offset":9}}}"#;
        let position: Position = serde_json::from_str(stored).unwrap();
        assert!(position.xa.committed.is_empty() && position.xa.seen_until.is_some());
    }

    #[test]
    fn what_a_copy_has_seen_is_forgotten_behind_it() {
        let mut position = position(Taken::Files);
        position.xa.seen_until = Some(at(30));
        advance(&mut position, None, 20, None);
        assert!(!position.xa.is_empty());
        advance(&mut position, None, 30, None);
        assert!(position.xa.is_empty());
    }
}
