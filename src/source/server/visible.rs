//! The end of the log as P0, where it can be proven that everything before it is visible: on MySQL without GTIDs, and on 5.6,
//! whose `gtid_executed` grows when a transaction is written.
//!
//! Without the proof P0 is the start of the file being written, and whatever stops a task in that file stops a new one.
//!
//! The proof, for the log's end E: a transaction that is logged before E and not visible is in InnoDB's list of transactions
//! (`information_schema.INNODB_TRX`, which takes PROCESS) until it becomes visible, with rows that it has changed, and its session
//! is at work on the commit. (InnoDB takes it off the list together with making it visible, `trx_commit_in_memory`; other engines
//! have no such moment: their rows are visible before they are logged.) So
//!
//! 1. E is noted, and with GTIDs `gtid_executed` before it;
//! 2. a transaction of our own is begun, which the list must show: the server keeps the list for a tenth of a second, and longer
//!    while others ask, so an older one would prove nothing;
//! 3. each transaction on it that has changed rows is waited for, until it is gone, or its session is asleep: then it is not
//!    committing, and what it may have committed meanwhile is through.
//!
//! Prepared XA transactions are waited for as with any P0. DDL is in no such list: who uses this position reads the file up to it
//! for statements on selected tables and waits for their ends by the tables' metadata locks.
//!
//! What must never happen here: a position after anything invisible.

use super::codes::DENIED;
use super::{Server, text};
use crate::change::{Position, Taken, XaState};
use crate::source::SourceError;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long transactions are waited for before the start of the file has to do.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the list may take to show our own transaction.
const LISTED: Duration = Duration::from_secs(2);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A transaction and its session.
type Running = (String, String);

impl Server {
    /// A later P0 than `start`, which [`Server::stream_start`] gave: the log's end by now. `None` where it cannot be proven that all
    /// before it is visible.
    ///
    /// # Errors
    /// As [`Server::stream_start`], other than that a privilege is missing.
    pub async fn later_start(&mut self, start: &Position) -> Result<Option<Position>, SourceError> {
        let taken = match start.taken {
            Taken::Files => Taken::Files,
            Taken::Gtids(_) => Taken::Gtids(self.gtid_executed().await?),
            Taken::Domains(_) => return Ok(None),
        };
        let end = self.log_position().await?;
        if !self.all_visible().await? {
            tracing::debug!(
                source = self.label(),
                "P0 stays the start of the log file: what is being committed goes on"
            );
            return Ok(None);
        }
        // With GTIDs the file position is a lower bound only.
        let file = if taken == Taken::Files { end } else { start.file.clone() };
        let mut position =
            Position { file, taken, file_begun: None, xa: XaState::default(), ..start.clone() };
        if start.xa.seen_until.is_none() {
            // Nothing is copied: no transaction may be prepared across this place.
            let none_prepared = self.prepared_xa().await?.is_empty();
            return Ok(none_prepared.then_some(position));
        }
        position.xa.seen_until = Some(self.prepared_seen().await?);
        Ok(Some(position))
    }

    /// Whether everything that was logged when this was called is visible; false when that cannot be said.
    async fn all_visible(&mut self) -> Result<bool, SourceError> {
        self.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
        let visible = self.no_commit_under_way().await;
        self.rows("COMMIT").await?;
        match visible {
            Err(error) if error.code() == Some(DENIED) => Ok(false),
            other => other,
        }
    }

    async fn no_commit_under_way(&mut self) -> Result<bool, SourceError> {
        let own = self.rows("SELECT CONNECTION_ID()").await?;
        let own = own.first().and_then(|row| text(row, 0)).unwrap_or_default().to_owned();
        let begun = Instant::now();
        let mut left: BTreeSet<Running> = loop {
            let (listed, shows_own) = self.running(&own).await?;
            if shows_own {
                break listed;
            }
            if begun.elapsed() > LISTED {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        };
        let begun = Instant::now();
        while !left.is_empty() {
            // One that is asleep may wake up and commit, but nothing that is logged before E.
            let sessions = self.rows("SHOW PROCESSLIST").await?;
            let asleep: BTreeSet<&str> = sessions
                .iter()
                .filter(|row| text(row, 4) == Some("Sleep"))
                .filter_map(|row| text(row, 0))
                .collect();
            left.retain(|(_, session)| !asleep.contains(session.as_str()));
            if left.is_empty() {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
            let (listed, _) = self.running(&own).await?;
            left.retain(|one| listed.contains(one));
        }
        Ok(true)
    }

    /// The transactions that have changed rows, by number and session, and whether that of session `own` is listed. Those without
    /// a session are the server's own, or prepared ones that were recovered.
    async fn running(&mut self, own: &str) -> Result<(BTreeSet<Running>, bool), SourceError> {
        let rows = self
            .rows("SELECT trx_id, trx_mysql_thread_id, trx_rows_modified FROM information_schema.INNODB_TRX")
            .await?;
        let shows_own = rows.iter().any(|row| text(row, 1) == Some(own));
        let running = rows.iter().filter_map(|row| {
            let (number, session, changed) = (text(row, 0)?, text(row, 1)?, text(row, 2)?);
            (changed != "0" && session != "0" && session != own)
                .then(|| (number.to_owned(), session.to_owned()))
        });
        Ok((running.collect(), shows_own))
    }
}
