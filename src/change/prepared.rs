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
    /// MariaDB: what had been taken in before it.
    Behind(Domains),
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
