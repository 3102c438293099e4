//! The stages before the applier: what the reader takes from the log, the builder makes into units.
//!
//! What must never happen here: lag told as none while something that came is not durable.

use super::TaskError;
use super::batch::Unit;
use super::builder::Builder;
use super::channel;
use super::context::Context;
use super::ending::Stage;
use super::pace::every;
use super::progress::{End, TaskProgress};
use super::side::meet::{Guest, Host, Hosts, Next};
use super::sides::Sides;
use super::translate::Translate;
use crate::change::{Change, FilePosition};
use crate::sink::batch::Ready;
use crate::source::binlog::BinlogStream;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Stream items taken from the connection at a time.
const BLOCK_BYTES: usize = 1 << 20;
/// The checkpoint advances at least this often over traffic that selects nothing: who compares source and target waits for it, and holds
/// rows meanwhile.
const POSITION_EVERY: Duration = Duration::from_secs(1);
/// Under uninterrupted traffic a batch that is not full waits at most this long for an idle applier to get it.
const LINGER: Duration = Duration::from_millis(100);

/// Where a stream ends that only brings a copy up to now.
pub(super) struct Until {
    /// The log's end.
    pub(super) place: FilePosition,
    /// Ends the stream.
    pub(super) end: CancellationToken,
    /// Tables that are none of those that are followed; of a main stream.
    pub(super) sides: Option<Sides>,
}

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

/// What a stream is to others of its task.
pub(super) enum Role {
    /// The main stream, which side streams join.
    Main(Host),
    /// A side stream.
    Side(Guest),
    /// Brings a copy up to a place.
    Alone(Until),
}

/// The builder's stage.
pub(super) struct Building {
    pub context: Context,
    pub builder: Builder<Translate>,
    pub units: mpsc::Sender<Unit>,
    pub applied: watch::Receiver<u64>,
    /// As many units as the applier is done with when it has nothing to do.
    pub sent: u64,
    pub handed_on: Instant,
    /// Up to here the stream may be passing over what was taken in before it was opened, and its place says little.
    pub end: FilePosition,
}

impl Building {
    /// Builds units until the reader ends, then closes what is whole.
    pub async fn run(mut self, mut blocks: channel::Receiver, mut role: Role) -> Result<Stage, TaskError> {
        let mut position = every(POSITION_EVERY);
        let mut ends = Ends::default();
        loop {
            // Blocks come first below, so that a stream that is behind fills its batches. These two keep a stream that never
            // pauses from holding back what it has.
            let waited = self.handed_on.elapsed();
            match self.builder.state() {
                Ready::Rows if waited > LINGER && self.is_free() => self.builder.close(),
                Ready::Position if waited > POSITION_EVERY => self.builder.close(),
                Ready::Nothing | Ready::Position | Ready::Rows | Ready::Full | Ready::Piece => {}
            }
            if !self.hand_on().await {
                return Ok(Stage::Builder);
            }
            let has_rows = matches!(self.builder.state(), Ready::Rows | Ready::Full);
            let sent = self.sent;
            tokio::select! {
                biased;
                block = blocks.recv() => {
                    let Some(mut block) = block else { break };
                    let last = block.changes.iter().rev().find_map(place);
                    let end = ends.look(&block.changes);
                    self.context.progress.step(|progress, _| progress.receives(end));
                    for change in block.changes.drain(..) {
                        if let Err(error) = self.builder.take(change).await {
                            self.hand_on_all().await;
                            return Ok(Stage::BuilderMet(error));
                        }
                        if !self.hand_on().await || (!self.builder.is_inside() && !self.meet(&mut role).await) {
                            return Ok(Stage::Builder);
                        }
                    }
                    self.tell(end, last);
                }
                // Nothing more is there to be taken in, and the applier has nothing to do.
                () = until_wanted(&mut self.applied, sent), if has_rows => self.builder.close(),
                _ = position.tick(), if self.builder.state() == Ready::Position => self.builder.close(),
            }
        }
        self.hand_on_all().await;
        Ok(Stage::Builder)
    }

    fn is_free(&self) -> bool {
        self.sent == *self.applied.borrow()
    }

    /// Hands on what is ready; false when the applier has ended.
    async fn hand_on(&mut self) -> bool {
        while let Some(unit) = self.builder.next_ready() {
            self.handed_on = Instant::now();
            self.sent += 1;
            if self.units.send(unit).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Closes what is whole and hands it on, up to an applier that has ended.
    async fn hand_on_all(&mut self) {
        self.builder.close();
        self.hand_on().await;
    }

    /// At a transaction boundary; false when the stream ends here.
    async fn meet(&mut self, role: &mut Role) -> bool {
        if !self.builder.position().file.reaches(&self.end) {
            return true;
        }
        match role {
            Role::Main(host) => {
                let at = &self.builder.position().file;
                host.at.send_replace(Some(at.clone()));
                host.meet(self).await
            }
            Role::Side(guest) => match guest.meet(&mut self.builder).await {
                Next::On => self.hand_on().await,
                Next::Drain => {
                    self.builder.close();
                    if !self.hand_on().await {
                        return false;
                    }
                    until_wanted(&mut self.applied, self.sent).await;
                    guest.arrive(&self.builder).await != Next::End
                }
                Next::End => false,
            },
            Role::Alone(until) if self.builder.position().file.reaches(&until.place) => {
                self.hand_on_all().await;
                until.end.cancel();
                false
            }
            Role::Alone(_) => true,
        }
    }

    fn tell(&mut self, end: End, last: Option<String>) {
        let received = std::mem::take(&mut self.builder.received_bytes);
        let not_carried = self.builder.not_carried();
        // What was taken in is durable, as far as it has rows.
        let durable = matches!(self.builder.state(), Ready::Nothing | Ready::Position) && self.is_free();
        self.context.progress.step_and_tell(
            |progress, now| progress.takes_in(end, durable, now),
            |task| {
                task.received_bytes += received;
                if let Some(not_carried) = not_carried {
                    task.not_carried = not_carried;
                }
                if let Some(last) = last {
                    task.source_position = Some(last);
                }
            },
        );
    }
}

/// For side streams that join.
impl Hosts for Building {
    fn builder(&mut self) -> &mut Builder<Translate> {
        &mut self.builder
    }

    async fn hand_on(&mut self) -> bool {
        Self::hand_on(self).await
    }
}

/// Ready when the applier is done with all that was sent; for ever pending when it is gone.
async fn until_wanted(applied: &mut watch::Receiver<u64>, sent: u64) {
    if applied.wait_for(|applied| *applied == sent).await.is_err() {
        std::future::pending::<()>().await;
    }
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
                Change::Begin { .. } | Change::Rows(_) | Change::Doubtful(_) | Change::LogFile(_) => {
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
        Change::Begin { .. } | Change::Rows(_) | Change::Doubtful(_) | Change::LogFile(_) => None,
    }
}
