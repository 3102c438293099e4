//! A log file that ends where its server died: in the middle of an event.
//!
//! MySQL cuts such an end off at its next start (`binlog::Binlog_recovery`). MariaDB leaves it, and answers whoever reads so far
//! with an error, again and again. What was written of the last transaction was never committed: engines commit behind the log.
//! So the stream goes on with the next file, which must be the first after a start of the server.
//!
//! What must never happen here: a file left early that another did not follow by a crash.

use super::{BinlogStream, dump};
use crate::change::{Domains, FilePosition, Position, Taken, XaState};
use crate::source::SourceError;
use crate::source::wire::Wire;

impl BinlogStream {
    /// Streams on from the start of the file behind the present one; false when there is none.
    pub(super) async fn go_on_behind_crash(&mut self) -> Result<bool, SourceError> {
        let place = self.framer.position();
        let (mut wire, _) = self.endpoint.connect().await?;
        let Some(next) = file_behind(&mut wire, &place.file).await? else { return Ok(false) };
        tracing::warn!(
            source = wire.label(),
            at = %place,
            next,
            "the source died while it wrote its log: the file ends inside a transaction, which was never committed"
        );
        let checksum = dump::prepare(&mut wire, self.heartbeat).await?;
        let file = FilePosition { file: next.as_str().into(), offset: super::frame::FIRST_EVENT };
        let taken = Taken::Domains(Domains::default());
        let start = Position { server: String::new(), file, file_begun: None, taken, xa: XaState::default() };
        dump::start(&mut wire, self.server_id, &start).await?;
        self.framer.file_is_cut_off(checksum);
        self.wire = wire;
        Ok(true)
    }
}

/// The file that follows another in the server's own list.
async fn file_behind(wire: &mut Wire, file: &str) -> Result<Option<String>, SourceError> {
    let rows = wire.query("SHOW BINARY LOGS").await?;
    let mut names = rows.iter().filter_map(|row| row.first()?.as_deref()).map(String::from_utf8_lossy);
    Ok(names.by_ref().find(|name| name == file).and_then(|_| names.next()).map(Into::into))
}
