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
    },
}

/// How a prepared transaction is read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadAgain {
    /// MySQL with GTIDs: this one, its name, is left out of the set that is taken in, so the server sends it once more.
    Named(GtidSet),
    /// MariaDB: what had been taken in before it; on the server of that time the place where it ended says it exactly.
    Behind {
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
pub struct Prepared {
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
    pub prepared: Vec<Prepared>,
    /// Of a position that a copy started at: an XA COMMIT up to this place, on the same server, of a transaction that
    /// was prepared before the position brings nothing: the copy has seen its rows. `None` when there is none such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_until: Option<FilePosition>,
}

impl XaState {
    /// True when nothing is prepared or expected.
    pub fn is_empty(&self) -> bool {
        self.prepared.is_empty() && self.seen_until.is_none()
    }

    /// Remembers a prepared one. Gives what was known under its id, if that was another: it is gone, for ids of prepared
    /// transactions differ at any time.
    pub fn prepare(&mut self, xid: &Arc<str>, again: ReadAgain) -> Option<ReadAgain> {
        // Read again after a restart: it keeps its turn.
        if self.prepared.iter().any(|one| one.xid == *xid && one.again == again) {
            return None;
        }
        let older = self.end(xid);
        self.prepared.push(Prepared { xid: xid.clone(), again });
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
        Some(XaStep::Ended { xid: xid.into() })
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
        assert_eq!(places.xa.prepared, [Prepared { xid: "b".into(), again: ReadAgain::From(at(20)) }]);
        let mut domains = position(Taken::Domains("0-1-5".parse().unwrap()));
        let id = |text: &str| Some(TransactionId::MariaDb(text.parse().unwrap()));
        advance(&mut domains, id("0-1-6"), 20, prepared("a", 10));
        advance(&mut domains, id("1-1-1"), 30, None);
        assert_eq!(domains.taken.to_string(), "0-1-6,1-1-1");
        let behind =
            ReadAgain::Behind { domains: "0-1-5".parse().unwrap(), server: "s".into(), file: at(10) };
        assert_eq!(domains.xa.prepared[0].again, behind);
        let stored = serde_json::to_string(&domains).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&stored).unwrap(), domains);
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
