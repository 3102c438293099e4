//! MariaDB's `GTID_LIST_EVENT`: what the log held before the file that it stands at the start of.
//!
//! `[count u32, of which the upper four bits are flags]([domain u32][server u32][sequence u64])…`: of each domain the last
//! transaction of each server, by domain, and the very last of the domain after the others (`Gtid_list_log_event` in
//! `sql/log_event.h`, `rpl_binlog_state::get_gtid_list` in `sql/rpl_gtid.cc`).
//!
//! A server that recovers makes the list of what its log has whole: half a transaction at the end is not in it. One that was
//! stopped in good order makes it of what it has logged.

use super::cursor::{Cursor, Malformed};
use crate::change::{DomainGtid, Domains};
use bytes::Bytes;

/// The flags' place in the count.
const COUNT_BITS: u32 = 28;

/// The list, in the event's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GtidList(Vec<DomainGtid>);

impl GtidList {
    /// Reads the event's body.
    pub fn read(body: &Bytes) -> Result<Self, Malformed> {
        let mut at = Cursor::new(body);
        let count = at.u32("count")? & ((1 << COUNT_BITS) - 1);
        let mut list = Vec::new();
        for _ in 0..count {
            let domain = at.u32("domain")?;
            let server = at.u32("server id")?;
            let sequence = at.u64("sequence number")?;
            list.push(DomainGtid { domain, server, sequence });
        }
        Ok(Self(list))
    }

    /// A transaction that the log held and that is not among those up to `reached`. A stream that was begun by GTIDs may be
    /// before the transactions it was begun with, so the list may be as well. (The rule is the one by which a server looks for
    /// the file to begin in: `contains_all_slave_gtid` in `sql/sql_repl.cc`.)
    pub fn beyond(&self, reached: &Domains) -> Option<DomainGtid> {
        self.last().iter().find(|last| match reached.last(last.domain) {
            None => true,
            Some(ours) => ours != *last && self.holds(ours),
        })
    }

    /// Whether the log has come to each of these, and to nothing after it.
    pub fn is_at(&self, reached: &Domains) -> bool {
        let last = self.last();
        reached.iter().all(|ours| last.last(ours.domain) == Some(ours))
    }

    /// The last transaction of each domain.
    pub fn last(&self) -> Domains {
        let mut last = Domains::default();
        self.0.iter().for_each(|gtid| last.advance(*gtid));
        last
    }

    fn holds(&self, gtid: DomainGtid) -> bool {
        self.0.iter().any(|listed| {
            (listed.domain, listed.server) == (gtid.domain, gtid.server) && listed.sequence >= gtid.sequence
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The body of an event that lists these.
    pub fn body(list: &[&str]) -> Bytes {
        let count = u32::try_from(list.len()).unwrap() | 1 << COUNT_BITS;
        let mut body = count.to_le_bytes().to_vec();
        for gtid in list {
            let gtid: DomainGtid = gtid.parse().unwrap();
            body.extend(gtid.domain.to_le_bytes());
            body.extend(gtid.server.to_le_bytes());
            body.extend(gtid.sequence.to_le_bytes());
        }
        body.into()
    }

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let body = body(&["0-1-5", "7-2-9"]);
        let list = ["0-1-5", "7-2-9"].map(|gtid| gtid.parse().unwrap());
        assert_eq!(GtidList::read(&body), Ok(GtidList(list.to_vec())));
        for cut in 0..body.len() {
            assert!(GtidList::read(&body.slice(..cut)).is_err(), "{cut}");
        }
        assert!(GtidList::read(&vec![0xff; 400].into()).is_err());
    }

    #[test]
    fn what_lies_beyond_is_told_by_the_last_of_each_domain() {
        let beyond = |list: &[&str], reached: &str| {
            let list = GtidList::read(&body(list)).unwrap();
            list.beyond(&reached.parse().unwrap()).map(|gtid| gtid.to_string())
        };
        let at = |list: &[&str]| GtidList::read(&body(list)).unwrap().is_at(&"0-1-5,1-1-7".parse().unwrap());
        assert!(at(&["0-1-9", "0-1-5", "1-1-7", "2-1-1"]));
        assert!(!at(&["0-1-5"]) && !at(&["0-1-5", "1-1-6"]) && !at(&["0-1-5", "0-2-3", "1-1-7"]));
        let some = |gtid: &str| Some(gtid.to_owned());
        assert_eq!(beyond(&["0-1-5", "1-1-7"], "0-1-5,1-1-7,2-1-1"), None);
        assert_eq!(beyond(&["0-1-6", "1-1-7"], "0-1-5,1-1-7"), some("0-1-6"));
        assert_eq!(beyond(&["0-1-5", "1-1-7"], "0-1-5"), some("1-1-7"), "a domain of which nothing was seen");
        assert_eq!(beyond(&[], ""), None);
        // Of two servers: the last one logged is what counts, not the number.
        assert_eq!(beyond(&["0-2-9", "0-1-5"], "0-1-5"), None);
        assert_eq!(beyond(&["0-1-5", "0-2-9"], "0-1-5"), some("0-2-9"));
        assert_eq!(beyond(&["0-1-9", "0-2-3"], "0-1-5"), some("0-2-3"));
        // Begun by GTIDs that the file has not come to.
        assert_eq!(beyond(&["0-1-4"], "0-1-5"), None);
        assert_eq!(beyond(&["0-1-9"], "0-2-3"), None);
    }
}
