//! P0 and P1: where a copy group's stream starts, and how far it must come before its tables are exact.
//!
//! How a commit goes through MySQL (`MYSQL_BIN_LOG::ordered_commit` in sql/binlog.cc, since 5.6):
//!
//! 1. flush stage, under `LOCK_log`: the group gets its GTIDs and is written to the log. From here on `SHOW BINARY LOG
//!    STATUS`, which takes `LOCK_log` and reports what is written, lies after it.
//! 2. sync stage: fsync. Then the semi-sync plugin waits (`AFTER_SYNC`): possibly for seconds, everything still invisible.
//! 3. commit stage, `process_commit_stage_queue`: one transaction after the other commits in the engines and becomes
//!    visible; when *all* of the group are, `Gtid_state::update_commit_group` adds their GTIDs to `gtid_executed`. With
//!    `binlog_order_commits=OFF` each session does the same for itself in `finish_commit`, in the same order: engine, then GTID.
//! 4. the semi-sync plugin waits (`AFTER_COMMIT`).
//!
//! So *written* comes before *visible*, and *visible* before *in `gtid_executed`*. Both gaps were held open for
//! seconds on 9.7: the first by semi-sync without a replica, the second by a group whose second member commits a large
//! FULLTEXT document (`fts_commit` tokenizes inside the engine commit).
//!
//! - **P0** must not be after anything invisible.
//! - **P1** must not be before anything visible: it is the log's end, never `gtid_executed`, on every server.
//!
//! Which P0 that is hangs on the server:
//!
//! - *MySQL 5.7 and later with GTIDs*: `gtid_executed`, never the log's end.
//! - *MySQL without GTIDs, and 5.6*, whose `gtid_executed` grows when a transaction is written: the start of the file
//!   being written (with GTIDs, what its `PREVIOUS_GTIDS` names). A new file begins only when every transaction of the old
//!   one is through the engine (`MYSQL_BIN_LOG::new_file_impl` waits until `get_prep_xids()` is 0), so all before it is
//!   visible. What the copy has seen of that file is streamed again, convergently. Where it can be proven that everything up
//!   to the log's end is visible, that end is P0 instead (see [`visible`](super::visible)).
//! - *MariaDB*: what `START TRANSACTION WITH CONSISTENT SNAPSHOT` tells in `Binlog_snapshot_file` and `_position`, which
//!   the server moves together with what a snapshot sees. Its log's end and `gtid_binlog_pos` lie after a transaction that
//!   waits for a replica, and a new file may begin while transactions of the old one are not through the engine (which is what
//!   its `BINLOG_CHECKPOINT` events are for).
//!
//! XA is the exception to *visible before in `gtid_executed`*: XA PREPARE has a GTID of its own and its rows stay
//! invisible until XA COMMIT, whose event carries none. XA COMMIT itself goes as above, and until the engine is through with
//! it XA RECOVER lists the transaction (held open by semi-sync on 9.7 and MariaDB 10.11, by the session that prepared it and
//! by another one). So a copy waits twice: after a position P until each transaction that XA RECOVER lists is gone, and after
//! the end of the log, E, likewise. By the first everything prepared before P has ended; by the second every XA COMMIT up to E
//! is visible. A copy that starts now has those rows, and the stream from P takes an XA COMMIT up to E of a transaction
//! that it has not seen prepared for seen. Later ones stop the stream: before 9.7 a prepared transaction is listed a moment
//! *after* its GTID is in `gtid_executed`, so one may slip through the first wait (never through the second, since its
//! XA COMMIT can only come when it is listed).

use super::codes::{DENIED, NO_LOG, XA_RECOVER_DENIED};
use super::{Server, TextRows, text};
use crate::change::Retry;
use crate::change::facts::Flavour;
use crate::change::remedy::{AtSource, Grantee, InConfig, Remedy};
use crate::change::state::CatchUpTarget;
use crate::change::{Domains, FilePosition, GtidSet, Position, TableName, Taken, XaState};
use crate::source::{SourceError, SourceErrorKind, binlog};
use std::time::{Duration, Instant};

/// How long P0 waits for prepared XA transactions to end.
const XA_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const XA_PAUSE: Duration = Duration::from_millis(100);
/// Where the first event of a binlog file starts, after the magic number.
const FILE_START: u64 = 4;

impl Server {
    /// P0: everything at or before it is visible to a SELECT that starts later.
    ///
    /// With GTIDs its file position is only a lower bound for what the stream will show: the start of the file being
    /// written. The log's end would not do, for it may lie after a transaction that is not in the set; the log does not
    /// move to the next file before all of the present one are committed in the engines.
    ///
    /// # Errors
    /// `SourceErrorKind::Unsupported` when the source does not log, `SourceErrorKind::Waits` when prepared XA transactions do not end
    /// within a minute;
    /// `SourceErrorKind::Server` when they cannot be asked for.
    pub async fn stream_start(&mut self) -> Result<Position, SourceError> {
        self.stream_start_within(XA_PATIENCE).await
    }

    /// As [`Server::stream_start`], waiting up to `patience` for prepared XA transactions to end.
    pub async fn stream_start_within(&mut self, patience: Duration) -> Result<Position, SourceError> {
        let deadline = Instant::now() + patience;
        let mut position = self.visible_position().await?;
        position.xa.seen_until = Some(self.prepared_seen_by(deadline, patience).await?);
        Ok(position)
    }

    /// Waits twice for prepared XA transactions, as above; gives the place up to which an XA COMMIT has been seen.
    pub(super) async fn prepared_seen(&mut self) -> Result<FilePosition, SourceError> {
        self.prepared_seen_by(Instant::now() + XA_PATIENCE, XA_PATIENCE).await
    }

    async fn prepared_seen_by(
        &mut self,
        deadline: Instant,
        patience: Duration,
    ) -> Result<FilePosition, SourceError> {
        self.prepared_end(deadline, patience).await?;
        let end = self.log_position().await?;
        self.prepared_end(deadline, patience).await?;
        Ok(end)
    }

    /// As [`Server::stream_start`], for a task that copies nothing: no XA transaction is prepared there, for its rows would
    /// come from nowhere.
    ///
    /// # Errors
    /// As [`Server::stream_start`].
    pub async fn stream_start_alone(&mut self) -> Result<Position, SourceError> {
        let deadline = Instant::now() + XA_PATIENCE;
        loop {
            let before = self.prepared_xa().await?;
            let position = self.visible_position().await?;
            let behind = self.prepared_xa().await?;
            if before.is_empty() && behind.is_empty() {
                self.waits.send_replace(None);
                return Ok(position);
            }
            self.wait_for_xa(if behind.is_empty() { &before } else { &behind }, deadline, XA_PATIENCE)
                .await?;
        }
    }

    /// Waits until each XA transaction that is prepared now has ended and what it did is visible.
    async fn prepared_end(&mut self, deadline: Instant, patience: Duration) -> Result<(), SourceError> {
        let mut left = self.prepared_xa().await?;
        if !left.is_empty() {
            tracing::warn!(
                source = self.label(),
                prepared = shown(&left),
                "the copy waits for prepared XA transactions to end: their rows are logged but not visible"
            );
        }
        while !left.is_empty() {
            self.wait_for_xa(&left, deadline, patience).await?;
            let listed = self.prepared_xa().await?;
            left.retain(|id| listed.contains(id));
        }
        self.waits.send_replace(None);
        Ok(())
    }

    /// Waits a little and tells so, unless the time is up.
    async fn wait_for_xa(
        &self,
        left: &[XaRow],
        deadline: Instant,
        patience: Duration,
    ) -> Result<(), SourceError> {
        if Instant::now() >= deadline {
            return Err(SourceErrorKind::Waits { what: format!(
                    "{} prepared XA transaction(s) ({}) have not ended within {} s: their rows are logged but not visible, so a copy \
                     cannot start; end them with XA COMMIT or XA ROLLBACK (XA RECOVER CONVERT XID lists them)",
                    left.len(),
                    shown(left),
                    patience.as_secs()
                ) }.at(self.label()));
        }
        let what = format!(
            "{} prepared XA transaction(s) ({}) to end by XA COMMIT or XA ROLLBACK: their rows are logged but not visible",
            left.len(),
            shown(left)
        );
        self.waits.send_if_modified(|told| {
            let news = told.as_ref() != Some(&what);
            *told = Some(what);
            news
        });
        tokio::time::sleep(XA_PAUSE).await;
        Ok(())
    }

    /// A position before which nothing is invisible but prepared XA transactions.
    async fn visible_position(&mut self) -> Result<Position, SourceError> {
        let server = self.identity().to_owned();
        if self.flavour == Flavour::MariaDb {
            let (file, domains) = self.consistent_snapshot().await?;
            return Ok(Position {
                server,
                file,
                file_begun: None,
                taken: Taken::Domains(domains),
                xa: XaState::default(),
            });
        }
        let file = FilePosition { file: self.log_position().await?.file, offset: FILE_START };
        let taken = if !self.has_gtids().await? {
            Taken::Files
        } else if self.server_version().executed_is_visible() {
            Taken::Gtids(self.gtid_executed().await?)
        } else {
            Taken::Gtids(self.previous_gtids(&file.file).await?)
        };
        Ok(Position { server, file, file_begun: None, taken, xa: XaState::default() })
    }

    /// MariaDB: where the log was, to the transaction, when a snapshot was opened.
    async fn consistent_snapshot(&mut self) -> Result<(FilePosition, Domains), SourceError> {
        self.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
        let status = self.rows("SHOW STATUS LIKE 'binlog\\_snapshot\\_%'").await?;
        self.rows("COMMIT").await?;
        let value = |name: &str| {
            let row =
                status.iter().find(|row| text(row, 0).is_some_and(|found| found.eq_ignore_ascii_case(name)));
            row.and_then(|row| text(row, 1)).filter(|value| !value.is_empty())
        };
        let (Some(file), Some(offset)) = (value("Binlog_snapshot_file"), value("Binlog_snapshot_position"))
        else {
            return Err(self.no_log());
        };
        let offset: u64 =
            offset.parse().map_err(|_| self.protocol(format!("a snapshot at offset '{offset}'")))?;
        let file = FilePosition { file: file.into(), offset };
        let domains = self.domains_at(&file).await?;
        Ok((file, domains))
    }

    /// What all files before this one hold, by its own `PREVIOUS_GTIDS` event.
    async fn previous_gtids(&mut self, file: &str) -> Result<GtidSet, SourceError> {
        let sql = format!("SHOW BINLOG EVENTS IN '{}' LIMIT 2", file.replace('\'', "''"));
        let rows = self.rows(&sql).await?;
        let event = rows.iter().find(|row| text(row, 2) == Some("Previous_gtids"));
        let Some(event) = event else {
            return Err(self.protocol(format!("file {file} does not say which GTIDs lie before it")));
        };
        let set = text(event, 5).unwrap_or_default();
        set.parse().map_err(|error: crate::change::gtid::GtidSetError| self.protocol(error.to_string()))
    }

    /// Whether nothing that is visible by now lies after a position that [`Server::stream_start`] has just given, but what has
    /// come since. It is not so where P0 is the start of a file.
    pub fn start_is_now(&self, start: &Position) -> bool {
        match start.taken {
            Taken::Gtids(_) => self.server_version().executed_is_visible(),
            Taken::Domains(_) => true,
            Taken::Files => false,
        }
    }

    /// Whether all that the log has up to a position is visible to a SELECT that starts now.
    ///
    /// # Errors
    /// As [`Server::stream_start`].
    pub async fn has_visible(&mut self, until: &Position) -> Result<bool, SourceError> {
        let start = self.stream_start().await?;
        if start.includes(until) {
            return Ok(true);
        }
        if self.start_is_now(&start) {
            return Ok(false);
        }
        Ok(self.later_start(&start).await?.is_some_and(|later| later.includes(until)))
    }

    /// Waits until statements that define these tables and are logged have ended: they hold the tables until then.
    ///
    /// # Errors
    /// What the server answers, other than that there is no such table, or that it is none of the user's (a selected table may
    /// be renamed to or from a database that the task has nothing to do with; the statement holds both names alike).
    pub async fn wait_for_statement(&mut self, tables: &[TableName]) -> Result<(), SourceError> {
        const NO_SUCH_TABLE: u16 = 1146;
        const NO_SUCH_DATABASE: u16 = 1049;
        const DATABASE_DENIED: u16 = 1044;
        const TABLE_DENIED: u16 = 1142;
        for name in tables {
            let quoted = |part: &str| part.replace('`', "``");
            let sql = format!("SELECT 1 FROM `{}`.`{}` LIMIT 0", quoted(&name.database), quoted(&name.table));
            match self.rows(&sql).await {
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.code(),
                        Some(NO_SUCH_TABLE | NO_SUCH_DATABASE | DATABASE_DENIED | TABLE_DENIED)
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// P1: not before anything that a SELECT has seen until now.
    ///
    /// # Errors
    /// `SourceErrorKind::Unsupported` when the source does not log; what the server answers.
    pub async fn log_end(&mut self) -> Result<CatchUpTarget, SourceError> {
        let file = self.log_position().await?;
        Ok(CatchUpTarget { server: self.identity().to_owned(), file })
    }

    /// Every transaction that is committed and visible.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn gtid_executed(&mut self) -> Result<GtidSet, SourceError> {
        self.gtid_set("SELECT @@GLOBAL.gtid_executed").await
    }

    /// MariaDB: the last transaction of each domain in the log, visible or not.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn domains_logged(&mut self) -> Result<Domains, SourceError> {
        self.domains("SELECT @@GLOBAL.gtid_binlog_pos").await
    }

    /// MariaDB: the last transaction of each domain before a place in its files.
    ///
    /// # Errors
    /// `SourceErrorKind::Unsupported` when it has no such place; what else the server answers.
    pub async fn domains_at(&mut self, place: &FilePosition) -> Result<Domains, SourceError> {
        let sql = format!("SELECT BINLOG_GTID_POS('{}', {})", place.file.replace('\'', "''"), place.offset);
        let rows = self.rows(&sql).await?;
        if rows.first().and_then(|row| text(row, 0)).is_some() {
            return self.domains_in(&rows);
        }
        // So it answers also where an event on the way there is larger than max_allowed_packet.
        let size = self.log_file_size(&place.file).await?;
        if size.is_some_and(|size| size >= place.offset)
            && let Some(domains) = binlog::domains_before(&self.to, place).await?
        {
            return Ok(domains);
        }
        Err(self.unsupported(format!("its log has no place {place}"), InConfig::StartPositionPlace))
    }

    /// The end of the log: the file being written and the bytes in it.
    ///
    /// # Errors
    /// `SourceErrorKind::Unsupported` when the source does not log; `SourceErrorKind::Server` without REPLICATION CLIENT.
    pub(super) async fn log_position(&mut self) -> Result<FilePosition, SourceError> {
        match self.rows(self.log_status_query()).await?.first() {
            Some(row) => self.file_position(row),
            None => Err(self.no_log()),
        }
    }

    /// How many bytes a file of the log has; `None` when the server has no such file, or does not tell.
    ///
    /// # Errors
    /// What the server answers, other than that a privilege is missing.
    pub async fn log_file_size(&mut self, file: &str) -> Result<Option<u64>, SourceError> {
        let files = match self.rows("SHOW BINARY LOGS").await {
            Ok(files) => files,
            // The precheck has its say about these.
            Err(error) if matches!(error.code(), Some(DENIED | NO_LOG)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let row = files.iter().find(|row| text(row, 0) == Some(file));
        Ok(row.and_then(|row| text(row, 1)).and_then(|size| size.parse().ok()))
    }

    fn no_log(&self) -> SourceError {
        self.unsupported("the source writes no binlog", AtSource::TurnOnLog)
    }

    pub(super) fn log_status_query(&self) -> &'static str {
        self.server_version().log_status_query()
    }

    pub(super) fn file_position(&self, row: &[Option<String>]) -> Result<FilePosition, SourceError> {
        let offset = text(row, 1).and_then(|offset| offset.parse().ok());
        match (text(row, 0), offset) {
            (Some(file), Some(offset)) => Ok(FilePosition { file: file.into(), offset }),
            _ => Err(self.protocol("a binlog status without file and position")),
        }
    }

    /// Whether every transaction of a MySQL server gets a GTID.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn has_gtids(&mut self) -> Result<bool, SourceError> {
        let rows = self.rows("SELECT @@GLOBAL.gtid_mode").await?;
        Ok(rows.first().and_then(|row| text(row, 0)).is_some_and(|mode| mode.eq_ignore_ascii_case("ON")))
    }

    /// The prepared XA transactions, as XA RECOVER lists them: `[format][length of gtrid][length of bqual][both]`.
    pub(super) async fn prepared_xa(&mut self) -> Result<Vec<XaRow>, SourceError> {
        let sql = self.server_version().xa_recover_query();
        match self.query(sql).await {
            Ok(rows) => Ok(rows
                .iter()
                .map(|row| row.iter().map(|part| part.as_deref().unwrap_or_default().to_vec()).collect())
                .collect()),
            Err(mut error) => {
                if let SourceErrorKind::Server { code: XA_RECOVER_DENIED, retry, .. } = &mut error.kind {
                    *retry = Retry::fix(Remedy::Grant {
                        privileges: vec!["XA_RECOVER_ADMIN".to_owned()],
                        on: "*.*".to_owned(),
                        to: Grantee::Named(self.user.clone()),
                    });
                }
                Err(error)
            }
        }
    }

    async fn domains(&mut self, sql: &str) -> Result<Domains, SourceError> {
        let rows = self.rows(sql).await?;
        self.domains_in(&rows)
    }

    pub(super) fn domains_in(&self, rows: &TextRows) -> Result<Domains, SourceError> {
        let domains = rows.first().and_then(|row| text(row, 0)).unwrap_or_default();
        domains.parse().map_err(|error: crate::change::domain::DomainsError| self.protocol(error.to_string()))
    }

    async fn gtid_set(&mut self, sql: &str) -> Result<GtidSet, SourceError> {
        let rows = self.rows(sql).await?;
        let set = rows.first().and_then(|row| text(row, 0)).unwrap_or_default();
        set.parse().map_err(|error: crate::change::gtid::GtidSetError| self.protocol(error.to_string()))
    }
}

/// A row of XA RECOVER.
pub(super) type XaRow = Vec<Vec<u8>>;

/// A few ids for people; before CONVERT XID they are bytes of any kind.
fn shown(listed: &[XaRow]) -> String {
    let ids = listed.iter().take(3).map(|row| row.get(3).map(Vec::as_slice).unwrap_or_default());
    ids.map(String::from_utf8_lossy).collect::<Vec<_>>().join(", ")
}
