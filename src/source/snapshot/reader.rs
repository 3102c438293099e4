//! The rows of one SELECT, in the binary protocol, in blocks.
//!
//! Sequence: `COM_STMT_PREPARE` → statement id, column definitions; `COM_STMT_EXECUTE` (no parameters, no
//! cursor: the server sends all rows at its own pace, TCP holds it back) → column definitions, row packets,
//! EOF; `SHOW WARNINGS` when the EOF counts any; `COM_STMT_CLOSE`. Protocol: `page_protocol_command_phase_ps`,
//! `page_protocol_binary_resultset`.
//!
//! What flows out: [`ResultRows`], each a slice of the very block that the socket filled, row packets with
//! their headers between them.
//!
//! What must never happen here: a value looked at, an allocation per row, a warning of the server unheard, a
//! connection that still has rows of this statement on their way used for another.

use crate::change::remedy::Remedy;
use crate::change::rows::ResultColumn;
use crate::change::{ResultRows, Retry, TableName};
use crate::source::wire::{MIN_READ, RowRun, RowScan, Wire, fields::Fields, reply};
use crate::source::{SourceError, SourceErrorKind};
use std::sync::Arc;

const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_CLOSE: u8 = 0x19;

/// A block is not made smaller than this, however little is asked.
const SMALLEST_BLOCK: usize = 64 * 1024;

/// Reads the rows of one SELECT from a pinned connection.
///
/// Dropped before [`ChunkReader::next`] gave `None` or an error, it leaves the connection with unread rows:
/// [`Wire::is_idle`] is then false and every further command on it fails.
#[derive(Debug)]
pub struct ChunkReader<'w> {
    wire: &'w mut Wire,
    table: TableName,
    statement: [u8; 4],
    columns: Arc<[ResultColumn]>,
    run: RowRun,
    ended: bool,
}

impl<'w> ChunkReader<'w> {
    /// Prepares and executes `sql`, a SELECT from `table` without parameters (`?` may only stand in literals).
    ///
    /// # Errors
    /// `SourceErrorKind::TableChanged` when the table or a column is gone, else what the server answers.
    pub async fn open(wire: &'w mut Wire, table: &TableName, sql: &str) -> Result<Self, SourceError> {
        let mut command = Vec::with_capacity(sql.len() + 1);
        command.push(COM_STMT_PREPARE);
        command.extend_from_slice(sql.as_bytes());
        wire.send_command(&command).await?;
        wire.set_busy(true);
        let (statement, parameters, columns) = prepared(wire, table).await?;
        for count in [parameters, columns].into_iter().filter(|count| *count > 0) {
            definitions(wire, table, u64::from(count)).await?;
        }
        let mut reader = Self {
            wire,
            table: table.clone(),
            statement,
            columns: Arc::new([]),
            run: RowRun::default(),
            ended: false,
        };
        if parameters > 0 || columns == 0 {
            let message =
                format!("copying {table}: a statement with {parameters} parameters and {columns} columns");
            return Err(reader.wire.protocol(message));
        }
        reader.execute().await?;
        Ok(reader)
    }

    /// The next rows: a block of about `max_bytes`, less at the end of the result or of a block, more when a
    /// single row is larger; `None` after the last row.
    ///
    /// A block keeps about `max_bytes` of memory until it is dropped; it is used again for a later one when it
    /// is dropped before that is asked for.
    ///
    /// # Errors
    /// `SourceErrorKind::TableChanged`, `SourceErrorKind::Connection`, `SourceErrorKind::Server` (also for a warning
    /// of the server), `SourceErrorKind::Protocol`. Rows handed out before do not make a chunk then.
    pub async fn next(&mut self, max_bytes: usize) -> Result<Option<ResultRows>, SourceError> {
        while !self.ended {
            match self.wire.inbox().scan_rows(&mut self.run, max_bytes) {
                Ok(RowScan::Full) => return Ok(Some(self.hand_out())),
                Ok(RowScan::Other) if !self.run.rows.is_empty() => return Ok(Some(self.hand_out())),
                Ok(RowScan::Other) => {
                    let packet = self.wire.read_packet().await?;
                    match packet.first() {
                        // A row of more than 16 MiB, joined from its parts: a block of its own.
                        Some(0x00) => {
                            let whole = 0..packet.len();
                            return Ok(Some(ResultRows {
                                buffer: packet,
                                rows: std::iter::once(whole).collect(),
                                columns: self.columns.clone(),
                            }));
                        }
                        Some(0xFE) if packet.len() < 9 => self.finish(&packet).await?,
                        _ => return Err(self.failed(&packet).await),
                    }
                }
                Ok(RowScan::Incomplete) => {
                    let inbox = self.wire.inbox();
                    if self.run.rows.is_empty() {
                        let block = max_bytes.max(SMALLEST_BLOCK).saturating_sub(inbox.received());
                        let room = inbox.missing().max(block);
                        self.wire.receive(room).await?;
                    } else if inbox.room() < MIN_READ {
                        // The block is full: moving its rows to a larger one would copy them.
                        return Ok(Some(self.hand_out()));
                    } else {
                        self.wire.receive_into_room().await?;
                    }
                }
                Err(error) => return Err(self.wire.misframed(&error)),
            }
        }
        Ok(None)
    }

    fn hand_out(&mut self) -> ResultRows {
        let run = std::mem::take(&mut self.run);
        self.run.rows.reserve(run.rows.len());
        ResultRows {
            buffer: self.wire.inbox().take_run(run.bytes),
            rows: run.rows,
            columns: self.columns.clone(),
        }
    }

    async fn execute(&mut self) -> Result<(), SourceError> {
        let mut command = vec![COM_STMT_EXECUTE];
        command.extend_from_slice(&self.statement);
        // No cursor; the iteration count is always 1.
        command.extend_from_slice(&[0, 1, 0, 0, 0]);
        self.wire.set_busy(false);
        self.wire.send_command(&command).await?;
        self.wire.set_busy(true);
        let packet = self.wire.read_packet().await?;
        let count = if packet.first() == Some(&0) { None } else { Fields(&packet).integer() };
        let Some(count) = count else { return Err(self.failed(&packet).await) };
        self.columns = definitions(self.wire, &self.table, count).await?.into();
        Ok(())
    }

    /// The end of the result.
    async fn finish(&mut self, packet: &[u8]) -> Result<(), SourceError> {
        let ended =
            reply::eof(packet).ok_or_else(|| self.wire.protocol("an EOF packet that is too short"))?;
        if ended.more_results() {
            return Err(self.wire.protocol(format!("copying {}: a SELECT with a second result", self.table)));
        }
        self.ended = true;
        self.wire.set_busy(false);
        let warning = if ended.warnings > 0 { self.first_warning().await? } else { None };
        self.close().await?;
        match warning {
            Some(warning) => Err(warning),
            None => Ok(()),
        }
    }

    /// The first warning that is more than a note or a remark on old syntax. A boundary that the server could
    /// not compare or a value that it could not convert is told by a warning only, and would be a row lost or
    /// changed.
    async fn first_warning(&mut self) -> Result<Option<SourceError>, SourceError> {
        // Deprecated syntax, deprecated character set names.
        const REMARKS: [u16; 5] = [1287, 1681, 3719, 3720, 3778];
        for row in self.wire.query("SHOW WARNINGS").await? {
            let [Some(level), Some(code), Some(message)] = row.as_slice() else {
                return Err(self.wire.protocol("SHOW WARNINGS does not have three columns"));
            };
            let code =
                std::str::from_utf8(code).ok().and_then(|code| code.parse::<u16>().ok()).unwrap_or(u16::MAX);
            if level.eq_ignore_ascii_case(b"note") || REMARKS.contains(&code) {
                continue;
            }
            let message = String::from_utf8_lossy(message).into_owned();
            return Ok(Some(
                SourceErrorKind::Server {
                    doing: format!("copying {}: warning", self.table),
                    code,
                    state: "01000".to_owned(),
                    retry: Retry::fix(Remedy::MendUnreadable { table: self.table.to_string() }),
                    message,
                }
                .at(self.wire.label()),
            ));
        }
        Ok(None)
    }

    /// An ERR packet ends the statement and leaves the connection in order.
    async fn failed(&mut self, packet: &[u8]) -> SourceError {
        let error = failed(self.wire, &self.table, packet);
        if self.wire.is_idle() {
            self.ended = true;
            if let Err(close_error) = self.close().await {
                tracing::debug!(%close_error, "the statement could not be closed after an error");
            }
        }
        error
    }

    /// Frees the statement at the server, which does not answer.
    async fn close(&mut self) -> Result<(), SourceError> {
        let mut command = vec![COM_STMT_CLOSE];
        command.extend_from_slice(&self.statement);
        self.wire.send_command(&command).await
    }
}

/// Reads the answer to `COM_STMT_PREPARE`: statement id, number of parameters and columns.
async fn prepared(wire: &mut Wire, table: &TableName) -> Result<([u8; 4], u16, u16), SourceError> {
    let packet = wire.read_packet().await?;
    let mut fields = Fields(&packet);
    if fields.u8() != Some(0) {
        return Err(failed(wire, table, &packet));
    }
    match (fields.u32(), fields.u16(), fields.u16()) {
        (Some(statement), Some(columns), Some(parameters)) => {
            Ok((statement.to_le_bytes(), parameters, columns))
        }
        _ => Err(wire.protocol("an answer to PREPARE that is too short")),
    }
}

/// Reads column definitions and the EOF after them.
async fn definitions(
    wire: &mut Wire,
    table: &TableName,
    count: u64,
) -> Result<Vec<ResultColumn>, SourceError> {
    let mut columns = Vec::new();
    for _ in 0..count {
        let packet = wire.read_packet().await?;
        match definition(&packet) {
            Some(column) => columns.push(column),
            None => return Err(failed(wire, table, &packet)),
        }
    }
    let packet = wire.read_packet().await?;
    match reply::eof(&packet) {
        Some(_) => Ok(columns),
        None => Err(failed(wire, table, &packet)),
    }
}

/// Reads a `ColumnDefinition41`.
fn definition(packet: &[u8]) -> Option<ResultColumn> {
    let mut fields = Fields(packet);
    // Catalog, database, table and column under their alias and their own name.
    for _ in 0..6 {
        fields.string()?;
    }
    // Length of the rest.
    fields.integer()?;
    let collation = fields.u16()?;
    // Display length.
    fields.u32()?;
    Some(ResultColumn { type_code: fields.u8()?, flags: fields.u16()?, collation })
}

/// The error that a packet stands for which is none of the expected: the table changed, or whatever else the
/// server says.
fn failed(wire: &mut Wire, table: &TableName, packet: &[u8]) -> SourceError {
    match wire.failed(&format!("copying {table}"), packet) {
        // Unknown database, column, table, index, partition; definition changed; statement to be prepared anew.
        SourceError {
            endpoint,
            kind:
                SourceErrorKind::Server {
                    code: code @ (1049 | 1051 | 1054 | 1109 | 1146 | 1176 | 1412 | 1615 | 1735),
                    message,
                    ..
                },
        } => SourceErrorKind::TableChanged { table: table.clone(), why: format!("error {code}: {message}") }
            .at(endpoint),
        other => other,
    }
}

#[cfg(test)]
mod tests;
