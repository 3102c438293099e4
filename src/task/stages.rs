//! The stages before the applier: what the reader takes from the log, the builder makes into units.
//!
//! What must never happen here: lag told as none while something that came is not durable.

use super::TaskError;
use super::batch::Unit;
use super::builder::Builder;
use super::channel;
use super::context::Context;
use super::ending::Stage;
use super::progress::TaskProgress;
use super::stream::every;
use super::translate::Translate;
use crate::change::{Change, FilePosition};
use crate::sink::batch::Ready;
use crate::source::binlog::BinlogStream;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Stream items taken from the connection at a time.
const BLOCK_BYTES: usize = 1 << 20;
/// The checkpoint advances at least this often over traffic that selects nothing.
const POSITION_EVERY: Duration = Duration::from_secs(3);
/// Under uninterrupted traffic a batch that is not full waits at most this long for an idle applier to get it.
const LINGER: Duration = Duration::from_millis(100);

/// Reads until told to stop; what was read is handed on.
pub(super) async fn read(
    context: Context,
    mut stream: BinlogStream,
    blocks: channel::Sender,
    stop: CancellationToken,
) -> Result<Stage, TaskError> {
    loop {
        let mut changes = Vec::new();
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Stage::Reader),
            read = stream.next(&mut changes, BLOCK_BYTES) => if let Err(error) = read {
                // What came before it is whole as far as it goes; the builder takes what is.
                let _builder_has_ended = blocks.send(changes).await;
                return Ok(Stage::ReaderMet(error.into()));
            },
        }
        let passed = stream.take_passed();
        context.progress.step_and_tell(TaskProgress::hears, |task| task.statements_passed += passed);
        let sending = blocks.send(changes);
        tokio::pin!(sending);
        let sent = loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(Stage::Reader),
                sent = &mut sending => break sent,
                // It is not listened to while the target is behind: that is no silence of the source.
                () = tokio::time::sleep(Duration::from_secs(1)) => context.progress.step(TaskProgress::hears),
            }
        };
        if sent.is_err() {
            // The builder has ended, with an error of its own.
            return Ok(Stage::Reader);
        }
    }
}

/// Builds units until the reader ends, then closes what is whole.
pub(super) async fn build(
    context: Context,
    mut builder: Builder<Translate>,
    mut blocks: channel::Receiver,
    units: mpsc::Sender<Unit>,
    mut applied: watch::Receiver<u64>,
) -> Result<Stage, TaskError> {
    let mut position = every(POSITION_EVERY);
    let mut handed_on = Instant::now();
    let mut ends = Ends::default();
    // As many units as the applier is done with when it has nothing to do.
    let mut sent: u64 = 0;
    loop {
        // Blocks come first below, so that a stream that is behind fills its batches. These two keep a stream that never
        // pauses from holding back what it has.
        let waited = handed_on.elapsed();
        let free = sent == *applied.borrow();
        match builder.state() {
            Ready::Rows if waited > LINGER && free => builder.close(),
            Ready::Position if waited > POSITION_EVERY => builder.close(),
            Ready::Nothing | Ready::Position | Ready::Rows | Ready::Full | Ready::Piece => {}
        }
        while let Some(unit) = builder.next_ready() {
            handed_on = Instant::now();
            sent += 1;
            if units.send(unit).await.is_err() {
                return Ok(Stage::Builder);
            }
        }
        let has_rows = matches!(builder.state(), Ready::Rows | Ready::Full);
        tokio::select! {
            biased;
            block = blocks.recv() => {
                let Some(mut block) = block else { break };
                let last = block.changes.iter().rev().find_map(place);
                let end = ends.look(&block.changes);
                context.progress.step(|progress, _| progress.receives(end));
                for change in block.changes.drain(..) {
                    if let Err(error) = builder.take(change).await {
                        hand_on_all(&mut builder, &units).await;
                        return Ok(Stage::BuilderMet(error));
                    }
                    while let Some(unit) = builder.next_ready() {
                        handed_on = Instant::now();
                        sent += 1;
                        if units.send(unit).await.is_err() {
                            return Ok(Stage::Builder);
                        }
                    }
                }
                let received = std::mem::take(&mut builder.received_bytes);
                let not_carried = builder.not_carried();
                // What was taken in is durable, as far as it has rows.
                let durable = matches!(builder.state(), Ready::Nothing | Ready::Position) && sent == *applied.borrow();
                context.progress.step_and_tell(|progress, now| progress.takes_in(end, durable, now), |task| {
                    task.received_bytes += received;
                    if let Some(not_carried) = not_carried {
                        task.not_carried = not_carried;
                    }
                    if let Some(last) = last {
                        task.source_position = Some(last);
                    }
                });
            }
            // Nothing more is there to be taken in, and the applier has nothing to do.
            () = until_wanted(&mut applied, sent), if has_rows => builder.close(),
            _ = position.tick(), if builder.state() == Ready::Position => builder.close(),
        }
    }
    hand_on_all(&mut builder, &units).await;
    Ok(Stage::Builder)
}

/// Closes what is whole and hands it on, up to an applier that has ended.
async fn hand_on_all(builder: &mut Builder<Translate>, units: &mpsc::Sender<Unit>) {
    builder.close();
    while let Some(unit) = builder.next_ready() {
        if units.send(unit).await.is_err() {
            return;
        }
    }
}

/// Ready when the applier is done with all that was sent; for ever pending when it is gone.
async fn until_wanted(applied: &mut watch::Receiver<u64>, sent: u64) {
    if applied.wait_for(|applied| *applied == sent).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What a run of stream items ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The source has nothing further.
    Nothing,
    /// The source pauses, or passes over what has been taken in: then too it sends a heartbeat.
    Pause,
    /// Something came; the source committed the last of it then.
    Transaction(u64),
}

/// Looks at runs for their end.
#[derive(Debug, Default)]
struct Ends {
    /// The place that the last item named, if that was a heartbeat.
    heartbeat: Option<FilePosition>,
}

impl Ends {
    fn look(&mut self, changes: &[Change]) -> End {
        let before = self.heartbeat.take();
        let mut committed = None;
        for change in changes {
            self.heartbeat = None;
            match change {
                Change::Heartbeat(file) => self.heartbeat = Some(file.clone()),
                Change::Commit(boundary) | Change::Rollback(boundary) => {
                    committed = Some(boundary.committed_micros);
                }
                Change::Statement(event) => committed = Some(event.boundary.committed_micros),
                Change::Begin { .. } | Change::Rows(_) | Change::LogFile(_) => {
                    committed = committed.or(Some(0));
                }
            }
        }
        match committed {
            Some(committed_micros) => End::Transaction(committed_micros),
            // One that passes over transactions gets on from heartbeat to heartbeat.
            None if self.heartbeat.is_some() && self.heartbeat == before => End::Nothing,
            None => End::Pause,
        }
    }
}

fn place(change: &Change) -> Option<String> {
    match change {
        Change::Commit(boundary) | Change::Rollback(boundary) => Some(boundary.file.to_string()),
        Change::Heartbeat(file) => Some(file.to_string()),
        Change::Statement(event) => Some(event.boundary.file.to_string()),
        Change::Begin { .. } | Change::Rows(_) | Change::LogFile(_) => None,
    }
}
