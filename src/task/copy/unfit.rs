//! Rows of a copy that the target cannot hold: they go into quarantine, in the transaction of their chunk.
//!
//! What has no form in the target is found while rows are encoded. What the target refuses ends a COPY: the chunk is read once more then,
//! and its rows are tried before they are written.
//!
//! Where the stream has gone on since the copy began, keys of the table may be in quarantine, and rows in the target that are older than
//! those of the chunk: a row that a chunk writes takes its key out of quarantine, and one that does not fit takes the target's row away.
//!
//! What must never happen here: a chunk called written that left out a row which is not kept; a key with a row in the target and one in
//! quarantine.

use super::{Connections, CopyTable, Worker, execute};
use crate::change::state::ChunkRecord;
use crate::change::{Came, EncodedRows, ResultRows, Unfit};
use crate::sink::apply::{Applier, Trial, UnfitRow};
use crate::sink::compact::Compactor;
use crate::sink::store::KeyedUnfit;
use crate::sink::{Owner, Session, SinkError};
use crate::source::snapshot::ChunkReader;
use crate::task::context::Context;
use crate::task::{TaskError, quarantine};
use crate::transform::{Plan, TransformError};
use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

/// The table for such rows is there where they are kept, and how many are in it is known.
pub(super) async fn open(
    context: &Context,
    owner: &Owner,
    tables: &mut [CopyTable],
) -> Result<(), TaskError> {
    let (session, store) = (owner.session(), owner.store());
    if tables.iter().any(|copied| copied.keeps_unfit) {
        store.make_quarantine(session).await?;
    }
    let mut stored = store.quarantined_keys(session).await?;
    for copied in tables {
        let keys = stored.remove(&copied.table.name).unwrap_or_default();
        let count = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        *copied.kept() = keys;
        quarantine::tell_count(context, &copied.table.name, |status| status.quarantined = count);
    }
    Ok(())
}

/// What a chunk does to the quarantine.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Rows that are put in.
    pub(super) unfit: Vec<KeyedUnfit>,
    /// Keys that are taken out.
    released: Vec<Vec<u8>>,
}

impl Aside {
    /// These rows are written: their keys are in quarantine no more.
    pub(super) fn release(&mut self, copied: &CopyTable, encoded: &EncodedRows) {
        let kept = copied.kept();
        if kept.is_empty() {
            return;
        }
        let keys = encoded.spans.iter().filter_map(|span| encoded.buffer.get(span.key.clone()));
        self.released.extend(keys.filter(|key| kept.contains(*key)).map(<[u8]>::to_vec));
    }
}

impl CopyTable {
    /// The keys that are in quarantine.
    fn kept(&self) -> MutexGuard<'_, HashSet<Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encodes rows; those that have no form in the target go to `unfit`, where they are kept.
    pub(super) fn encode(
        &self,
        rows: &ResultRows,
        encoded: &mut EncodedRows,
        unfit: &mut Vec<KeyedUnfit>,
    ) -> Result<(), TaskError> {
        match self.plan.encode_result(rows, encoded) {
            Err(TransformError::Value { .. }) if self.keeps_unfit => {
                self.plan.encode_result_keeping(rows, encoded)?;
                let taken = encoded.take_unfit();
                unfit.extend(taken.map_err(|error| {
                    TaskError::Internal(format!("what is kept of a row of {}: {error}", self.table.name))
                })?);
                Ok(())
            }
            encoded => Ok(encoded?),
        }
    }

    /// What is kept of a row that the target refuses.
    fn unfit(&self, row: &[u8], refused: &UnfitRow) -> Unfit {
        let layout = self.plan.layout();
        let image = Plan::row_in_words(layout, row, ToOwned::to_owned);
        Unfit {
            source: self.table.name.clone(),
            key: quarantine::key_in_words(layout, &image, ToOwned::to_owned),
            came: Came::Copy,
            position: None,
            error: refused.error.clone(),
            row: image.to_string(),
        }
    }
}

/// Takes the rows that the target refuses out of those that are to be written, in the open transaction.
async fn leave_out(
    session: &Session,
    applier: &mut Applier,
    copied: &CopyTable,
    encoded: &mut EncodedRows,
    unfit: &mut Vec<KeyedUnfit>,
) -> Result<(), SinkError> {
    let mut compactor = Compactor::new();
    compactor.push(&mut encoded.clone());
    let changes = compactor.finish();
    let most = quarantine::MOST + 1;
    let found = applier.unfit(session, &changes, Trial::Chunk(copied.existing), |_| true, most).await?;
    let mut out: HashSet<&[u8]> = HashSet::new();
    for refused in &found {
        let Some(table) = changes.tables.get(refused.table) else { continue };
        let key = table.key(refused.at);
        unfit.push((key.to_vec(), copied.unfit(table.row(refused.at), refused)));
        out.insert(key);
    }
    let EncodedRows { buffer, spans, .. } = encoded;
    spans.retain(|span| buffer.get(span.key.clone()).is_none_or(|key| !out.contains(key)));
    Ok(())
}

impl Worker {
    /// Copies one chunk whose rows the target does not take, in one target transaction; `read` counts its rows.
    pub(super) async fn chunk_in_pieces(
        &self,
        connections: &mut Connections,
        copied: &CopyTable,
        chunk: &mut ChunkRecord,
        read: &mut u64,
    ) -> Result<(), TaskError> {
        let Connections { wire, session, at_target, applier } = connections;
        let sql = copied.query(chunk)?;
        at_target.during(execute(session, "BEGIN")).await?;
        let mut reader = ChunkReader::open(wire, &copied.table.name, &sql).await?;
        let mut aside = Aside::default();
        while let Some(rows) = reader.next(self.block_bytes()).await? {
            let count = u64::try_from(rows.rows.len()).unwrap_or(u64::MAX);
            let mut encoded = EncodedRows::new(copied.plan.layout().clone());
            copied.encode(&rows, &mut encoded, &mut aside.unfit)?;
            self.admit(copied, &aside.unfit)?;
            let written = async {
                leave_out(session, applier, copied, &mut encoded, &mut aside.unfit).await?;
                let mut writer = applier.chunk(session, copied.plan.layout(), copied.existing);
                writer.write(&encoded).await?;
                writer.finish().await
            };
            at_target.during(written).await?;
            self.admit(copied, &aside.unfit)?;
            aside.release(copied, &encoded);
            *read += count;
            self.tell(copied, |status| status.copied_rows += count);
            self.group.moves.moved();
            self.pace.spend(count, &self.group.moves).await;
        }
        self.end(connections, copied, chunk, *read, aside).await
    }

    /// Whether these rows of a chunk may be kept.
    pub(super) fn admit(&self, copied: &CopyTable, unfit: &[KeyedUnfit]) -> Result<(), TaskError> {
        if unfit.is_empty() {
            return Ok(());
        }
        let rows: Vec<&KeyedUnfit> = unfit.iter().collect();
        let kept = copied.kept();
        let all = rows.iter().filter(|(key, _)| !kept.contains(key)).count().saturating_add(kept.len());
        drop(kept);
        quarantine::admit(&self.context, &copied.table.name, &rows, all)
    }

    /// Makes a chunk durable, with the rows of it that do not fit.
    pub(super) async fn end(
        &self,
        connections: &mut Connections,
        copied: &CopyTable,
        chunk: &mut ChunkRecord,
        read: u64,
        aside: Aside,
    ) -> Result<(), TaskError> {
        let Connections { session, applier, at_target, .. } = connections;
        let (session, name) = (&*session, &copied.table.name);
        let Aside { unfit, released } = aside;
        chunk.rows = i64::try_from(read).unwrap_or(i64::MAX);
        let ended = async {
            if !released.is_empty() {
                self.store.release(session, name, &released).await?;
            }
            if copied.advanced && !unfit.is_empty() {
                let keys = unfit.iter().map(|(key, _)| key.as_slice());
                applier.delete_keys(session, copied.plan.layout(), keys).await?;
            }
            if !unfit.is_empty() {
                self.store.quarantine(session, name, &unfit.iter().collect::<Vec<_>>()).await?;
            }
            self.store.record_chunk(session, name, chunk).await?;
            execute(session, "COMMIT").await
        };
        at_target.during(ended).await?;
        self.group.moves.moved();
        self.context.progress.step(|progress, _| progress.copies_rows(read));
        tracing::debug!(task = self.context.name, table = %name, chunk = chunk.number, rows = read, "chunk copied");
        if !(unfit.is_empty() && released.is_empty()) {
            let mut kept = copied.kept();
            for key in &released {
                kept.remove(key);
            }
            kept.extend(unfit.iter().map(|(key, _)| key.clone()));
            let count = u64::try_from(kept.len()).unwrap_or(u64::MAX);
            quarantine::tell(&self.context, &unfit);
            quarantine::tell_count(&self.context, name, |status| status.quarantined = count);
        }
        Ok(())
    }
}
