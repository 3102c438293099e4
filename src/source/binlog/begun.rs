//! When a file of the log was begun, by its own first event.

use super::framer::Framer;
use super::selected::SelectedTables;
use super::table_map::TableMaps;
use super::transaction::Naming;
use super::{dump, frame};
use crate::change::{Change, FilePosition};
use crate::source::wire::Wire;
use crate::source::{SameServer, SourceError, SourceErrorKind};

/// When a log file was begun by its own word (seconds since 1970 UTC); `None` when the server has no such file.
///
/// # Errors
/// Those of [`Wire::connect`], and what else the server answers.
pub async fn file_begun(endpoint: &SameServer, file: &str) -> Result<Option<u32>, SourceError> {
    let (wire, _) = endpoint.connect().await?;
    begun(wire, file).await
}

/// As [`file_begun`], asked on a session that is of no use for anything else afterwards.
pub(in crate::source) async fn begun(mut wire: Wire, file: &str) -> Result<Option<u32>, SourceError> {
    let dump::Opened { checksum, server_id, .. } =
        dump::prepare(&mut wire, dump::PATIENCE_AT_START, 0).await?;
    dump::start_file(&mut wire, server_id, file).await?;
    let selected = SelectedTables::none();
    let start = FilePosition { file: file.into(), offset: frame::FIRST_EVENT };
    let mut framer = Framer::new(
        wire.label().to_owned(),
        start,
        Naming::Places,
        checksum,
        TableMaps::new(selected),
        usize::MAX,
    );
    let mut changes = Vec::new();
    while !framer.has_format() {
        let packet = dump::first(&mut wire, dump::PATIENCE_AT_START).await?;
        if packet.first() == Some(&0) {
            framer.event(&packet.slice(1..), &mut changes)?;
            continue;
        }
        return match dump::failure(&wire, &packet, file.to_owned()) {
            SourceError { kind: SourceErrorKind::Purged { .. }, .. } => Ok(None),
            other => Err(other),
        };
    }
    Ok(changes.iter().find_map(|change| match change {
        Change::LogFile(file) => Some(file.begun),
        Change::Begin { .. }
        | Change::Rows(_)
        | Change::Rollback(_)
        | Change::Statement(_)
        | Change::Doubtful(_)
        | Change::Commit(_)
        | Change::Heartbeat(_) => None,
    }))
}
