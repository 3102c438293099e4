//! P0 and P1: where a copy group's stream starts, and how far it must come before its tables are exact.
//!
//! How a commit goes through MySQL (`MYSQL_BIN_LOG::ordered_commit` in sql/binlog.cc, since 5.6):
//!
//! 1. flush stage, under `LOCK_log`: the group gets its GTIDs and is written to the log. From here on `SHOW BINARY LOG
//!    STATUS`, which takes `LOCK_log` and reports what is written, lies behind it.
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
//! - **P0** must not be behind anything invisible: it is `gtid_executed`, never the log's end.
//! - **P1** must not be before anything visible: it is the log's end, never `gtid_executed`.
//!
//! XA is the exception to *visible before in `gtid_executed`*: XA PREPARE has a GTID of its own and its rows stay
//! invisible until XA COMMIT, whose event carries none. P0 is therefore taken between two looks at `XA RECOVER` that both
//! find nothing. Before 9.7 a prepared transaction is listed a moment *after* its GTID is in `gtid_executed`, so one may
//! slip through both looks: the stream must stop at an XA COMMIT whose rows it has not seen.

use super::{Server, text};
use crate::change::facts::Flavour;
use crate::change::state::CatchUpTarget;
use crate::change::{FilePosition, GtidSet, Position};
use crate::source::SourceError;
use std::time::{Duration, Instant};

/// How long P0 waits for prepared XA transactions to end.
const XA_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const XA_PAUSE: Duration = Duration::from_millis(500);
/// Where the first event of a binlog file starts, behind the magic number.
const FILE_START: u64 = 4;

impl Server {
    /// P0: everything at or before it is visible to a SELECT that starts later.
    ///
    /// Its GTID set is what the stream starts from. Its file position is only a lower bound for what the stream will
    /// show: the start of the file being written. The log's end would not do, for it may lie behind a transaction that
    /// is not in the set; the log does not move to the next file before all of the present one are committed in the engines.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] when the source does not log or has no GTIDs, when prepared XA transactions do not
    /// end within a minute; [`SourceError::Server`] when they cannot be asked for.
    pub async fn stream_start(&mut self) -> Result<Position, SourceError> {
        self.stream_start_within(XA_PATIENCE).await
    }

    /// As [`Server::stream_start`], waiting up to `patience` for prepared XA transactions to end.
    pub async fn stream_start_within(&mut self, patience: Duration) -> Result<Position, SourceError> {
        self.require_gtids().await?;
        let deadline = Instant::now() + patience;
        loop {
            let before = self.prepared_xa().await?;
            if before.is_empty() {
                let server = self.server_uuid().await?;
                let file = self.log_position().await?;
                let gtids = self.gtid_executed().await?;
                if self.prepared_xa().await?.is_empty() {
                    let file = FilePosition { file: file.file, offset: FILE_START };
                    return Ok(Position { server, file, gtids });
                }
            }
            if Instant::now() >= deadline {
                let shown = before.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
                return Err(self.unsupported(
                    format!(
                        "{} prepared XA transaction(s) ({shown}) have not ended within {} s: their rows are logged but not visible, so a copy cannot start",
                        before.len(),
                        patience.as_secs()
                    ),
                    "end them with XA COMMIT or XA ROLLBACK (XA RECOVER CONVERT XID lists them)",
                ));
            }
            tokio::time::sleep(XA_PAUSE).await;
        }
    }

    /// P1: not before anything that a SELECT has seen until now.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] when the source does not log; what the server answers.
    pub async fn log_end(&mut self) -> Result<CatchUpTarget, SourceError> {
        let file = self.log_position().await?;
        Ok(CatchUpTarget { server: self.server_uuid().await?, file })
    }

    /// Every transaction that is committed and visible.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn gtid_executed(&mut self) -> Result<GtidSet, SourceError> {
        self.gtid_set("SELECT @@GLOBAL.gtid_executed").await
    }

    /// The transactions that are no longer in the log.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn gtid_purged(&mut self) -> Result<GtidSet, SourceError> {
        self.gtid_set("SELECT @@GLOBAL.gtid_purged").await
    }

    /// The identity that file positions belong to.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] on MariaDB, which has none; what the server answers.
    pub async fn server_uuid(&mut self) -> Result<String, SourceError> {
        if self.flavour == Flavour::MariaDb {
            return Err(self.unsupported(
                "MariaDB as a source is not built yet",
                "use a MySQL source with gtid_mode = ON for now",
            ));
        }
        let rows = self.rows("SELECT @@GLOBAL.server_uuid").await?;
        match rows.first().and_then(|row| text(row, 0)) {
            Some(uuid) if !uuid.is_empty() => Ok(uuid.to_owned()),
            _ => Err(self.protocol("no server_uuid")),
        }
    }

    /// The end of the log: the file being written and the bytes in it.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] when the source does not log; [`SourceError::Server`] without REPLICATION CLIENT.
    pub(super) async fn log_position(&mut self) -> Result<FilePosition, SourceError> {
        match self.rows(self.log_status_query()).await?.first() {
            Some(row) => self.file_position(row),
            None => Err(self.unsupported(
                "the source writes no binlog",
                "start it with log_bin and binlog_format = ROW, and restart it",
            )),
        }
    }

    pub(super) fn log_status_query(&self) -> &'static str {
        match self.flavour {
            Flavour::MySql if self.version_number >= 80_200 => "SHOW BINARY LOG STATUS",
            Flavour::MySql | Flavour::MariaDb => "SHOW MASTER STATUS",
        }
    }

    pub(super) fn file_position(&self, row: &[Option<String>]) -> Result<FilePosition, SourceError> {
        let offset = text(row, 1).and_then(|offset| offset.parse().ok());
        match (text(row, 0), offset) {
            (Some(file), Some(offset)) => Ok(FilePosition { file: file.into(), offset }),
            _ => Err(self.protocol("a binlog status without file and position")),
        }
    }

    async fn require_gtids(&mut self) -> Result<(), SourceError> {
        let uuid = self.server_uuid().await?;
        let rows = self.rows("SELECT @@GLOBAL.gtid_mode").await?;
        let mode = rows.first().and_then(|row| text(row, 0)).unwrap_or_default();
        if mode.eq_ignore_ascii_case("ON") {
            return Ok(());
        }
        Err(self.unsupported(
            format!("gtid_mode is {mode} on server {uuid}; a source without GTIDs is not built yet"),
            "set gtid_mode = ON and enforce_gtid_consistency = ON at the source",
        ))
    }

    /// The ids of the prepared XA transactions.
    pub(super) async fn prepared_xa(&mut self) -> Result<Vec<String>, SourceError> {
        let sql = match self.flavour {
            Flavour::MySql if self.version_number >= 50_705 => "XA RECOVER CONVERT XID",
            Flavour::MySql => "XA RECOVER",
            Flavour::MariaDb => "XA RECOVER FORMAT='SQL'",
        };
        match self.query(sql).await {
            // Ids are for people here; before CONVERT XID they are bytes of any kind.
            Ok(rows) => Ok(rows
                .iter()
                .map(|row| row.get(3).and_then(Option::as_deref).unwrap_or_default())
                .map(|id| String::from_utf8_lossy(id).into_owned())
                .collect()),
            Err(error @ SourceError::Server { code: XA_RECOVER_DENIED, .. }) => {
                let remedy = format!("GRANT XA_RECOVER_ADMIN ON *.* TO '{}'", self.user);
                Err(Self::with_remedy(error, remedy))
            }
            Err(error) => Err(error),
        }
    }

    async fn gtid_set(&mut self, sql: &str) -> Result<GtidSet, SourceError> {
        let rows = self.rows(sql).await?;
        let set = rows.first().and_then(|row| text(row, 0)).unwrap_or_default();
        set.parse().map_err(|error: crate::change::gtid::GtidSetError| self.protocol(error.to_string()))
    }
}

/// `ER_XAER_RMERR`: what XA RECOVER answers without XA_RECOVER_ADMIN (8.0 on).
pub(super) const XA_RECOVER_DENIED: u16 = 1401;
