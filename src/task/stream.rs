//! Following the log: reader, builder and applier as one pipeline, until told to stop or until one of them fails.
//!
//! Reader → (bounded by bytes) → builder → (one unit) → applier. While the applier works on one unit the next waits
//! and the one after is filled. The builder hands on a batch that is not full only when the applier is idle: an idle stream
//! applies at once, a busy one fills its batches.
//!
//! What must never happen here: a stage's end taken for success while another failed.

use super::TaskError;
use super::applier::{Applying, Memory};
use super::builder::Builder;
use super::channel;
use super::context::Context;
use super::ending::{Ending, Stage};
use super::handoff;
use super::prepare::Recorded;
use super::tables::{Carried, Tables};
use super::translate::Translate;
use super::vacuum;
use crate::change::facts::Cascades;
use crate::change::state::Checkpoint;
use crate::change::status::{Phase, SILENT_SECONDS, TablePhase, now_seconds};
use crate::change::{Change, FilePosition, Position, TableName, Taken};
use crate::schema::Table;
use crate::sink::Owner;
use crate::sink::batch::{BatchLimits, Ready};
use crate::sink::held_up::held_up;
use crate::source::binlog::BinlogStream;
use crate::source::server::Server;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Heartbeats asked of the source: an idle source reaches P1 only by one.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// Silence after which the source counts as lost.
const SILENCE: Duration = Duration::from_secs(20);
/// Stream items taken from the connection at a time.
const BLOCK_BYTES: usize = 1 << 20;
/// The checkpoint advances at least this often over traffic that selects nothing.
const POSITION_EVERY: Duration = Duration::from_secs(3);
/// Under uninterrupted traffic a batch that is not full waits at most this long for an idle applier to get it.
const LINGER: Duration = Duration::from_millis(100);
/// How often ownership is checked.
const OWNER_EVERY: Duration = Duration::from_secs(5);
/// A statement of the applying session that takes so long is told. (The session's `statement_timeout` ends it in the end.)
const LONG_STATEMENT: Duration = Duration::from_secs(5);
/// How often lag and phase are told.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What the stream has to know of the source server.
#[derive(Debug)]
pub struct Source {
    /// A session for questions, of use until the stream is open.
    pub server: Server,
    /// It folds table names.
    pub fold: bool,
    /// What it makes of foreign keys that cascade.
    pub cascades: Cascades,
    /// Selected tables that are not carried, and why.
    pub left_out: BTreeMap<TableName, String>,
    /// When the file that the checkpoint lies in was begun, as the source has told or as it was.
    pub file_begun: Option<u32>,
}

/// Follows the log from `checkpoint`.
///
/// # Errors
/// The first error of any stage.
pub async fn follow(
    context: &Context,
    source: Source,
    owner: Arc<Owner>,
    checkpoint: Checkpoint,
    tables: BTreeMap<TableName, (Table, Recorded)>,
    memory: Arc<Memory>,
    stop: CancellationToken,
) -> Result<(), TaskError> {
    let task = context.task();
    let policies = context.policies();
    let Source { mut server, fold, cascades, left_out, file_begun } = source;
    let (uuid, flavour) = (server.identity().to_owned(), server.flavour());
    let mut start = checkpoint.position.clone();
    if start.server != uuid && start.taken == Taken::Files {
        return Err(TaskError::Stream {
            why: format!(
                "the source is another server now ({} instead of {}), and a place in one server's files means nothing on another",
                uuid, start.server
            ),
            position: start.to_string(),
            remedy: "connect to the server the task was copied from, or copy again; with GTIDs (gtid_mode = ON) a task survives such a change".to_owned(),
        });
    }
    let same_server = start.server == uuid;
    if !same_server {
        tracing::info!(
            task = context.name,
            was = start.server,
            now = uuid,
            "following another server of the same history"
        );
        start.server.clone_from(&uuid);
        // A place in the other server's files.
        start.xa.seen_until = None;
    }
    // What lies before the set's file position may still be to come (logged but not executed when it was recorded, or
    // another server's files): only the stream itself tells where in the files it is.
    // MariaDB's domains are better resumed by a place, as long as the file is still the one that was read.
    let by_place = match start.taken {
        Taken::Files => true,
        Taken::Gtids(_) => false,
        // If it is there no more by now the server says so, and the next attempt asks anew.
        Taken::Domains(_) => same_server && start.file_begun.is_some() && file_begun == start.file_begun,
    };
    if !by_place {
        start.file = FilePosition { file: "".into(), offset: 0 };
        start.file_begun = None;
    }
    let mut carried = Vec::new();
    let mut recorded = BTreeMap::new();
    for (name, (table, record)) in tables {
        carried.push(Carried::new(
            table,
            record.mapping.clone(),
            policies,
            &record.state,
            context.always_convergent(),
        )?);
        recorded.insert(name, record);
    }
    let targets =
        recorded.iter().map(|(name, record)| (name.clone(), record.mapping.target.name.clone())).collect();
    let limits = BatchLimits { rows: task.apply.batch_rows, bytes: task.apply.batch_bytes };
    let mut builder = Builder::new(
        Tables::new(carried, left_out, fold),
        Translate::new(context.clone(), flavour, cascades, fold),
        policies,
        task.operations,
        limits,
        start.clone(),
    );
    let request = handoff::request(context, fold, start, HEARTBEAT, SILENCE);
    let stream = BinlogStream::open(request).await?;
    // Asked when the stream is open, so that no reset of the log slips in between; a later one breaks the stream.
    let end = server.log_end().await?.file;
    if same_server {
        still_the_same_log(server, &checkpoint.position, &end).await?;
    } else {
        server.close().await;
    }
    tracing::info!(task = context.name, position = %checkpoint.position, "following the log");
    if let (false, Taken::Domains(_)) = (by_place, &checkpoint.position.taken) {
        // The precheck has found all that the position names in this server's log.
        builder.taken_up_by_names(end);
    }

    let (idle, is_idle) = watch::channel(false);
    let (blocks, received) = channel::bounded(task.memory_limit / 8);
    let (units, queue) = mpsc::channel(1);
    let applying = Applying::open(context.clone(), owner.clone(), checkpoint, recorded, memory, idle).await?;

    let at_work = applying.at_work();
    let mut stages: JoinSet<Result<Stage, TaskError>> = JoinSet::new();
    stages.spawn(read(context.clone(), stream, blocks, stop.clone()));
    stages.spawn(build(context.clone(), builder, received, units, is_idle));
    stages.spawn(async move { applying.run(queue).await.map(|()| Stage::Applier) });
    stages.spawn(vacuum::tend(context.clone(), owner.clone(), targets));
    let mut own = every(OWNER_EVERY);
    let mut tell = every(TELL_EVERY);
    // What the reader or the builder cannot get past is told when all that was whole before it is durable.
    let mut ending = Ending::default();
    let mut held_up = None;
    loop {
        tokio::select! {
            ended = stages.join_next() => match ended {
                Some(Ok(Ok(stage))) => {
                    ending.add(stage);
                    if let Some(outcome) = ending.outcome(stop.is_cancelled()) {
                        return outcome;
                    }
                }
                None => return Err(TaskError::Internal("the stream ended without an error".to_owned())),
                Some(Ok(Err(error))) => return Err(error),
                Some(Err(error)) => return Err(TaskError::Internal(format!("a stage ended abnormally: {error}"))),
            },
            _ = own.tick() => {
                owner.check().await?;
                let pid = *at_work.borrow();
                held_up = held_up_by(&owner, pid, held_up.is_some(), &context.name).await;
            }
            _ = tell.tick() => {
                // Synchronizing is told when the tables' transitions are durable, not when they are built.
                let synchronizing = context.board.task(&context.name, |task| {
                    task.tables.values().all(|table| table.phase == TablePhase::Streaming)
                });
                context.enter(if synchronizing { Phase::Synchronizing } else { Phase::CatchingUp });
                context.board.task(&context.name, |task| {
                    let silent = task.silent_seconds().filter(|silent| *silent > SILENT_SECONDS);
                    let silent = silent.map(|silent| format!("the source, of which nothing was heard for {silent} s"));
                    task.waiting_for = silent.or_else(|| held_up.clone());
                });
            }
        }
    }
}

/// What the applying session has been working at for long, in words; said in the log when that is news. While it works nothing
/// else would tell of it: a lock that somebody holds on a target table, a segment that does not answer.
async fn held_up_by(owner: &Owner, at_work: Option<i32>, known: bool, task: &str) -> Option<String> {
    let held_up = match held_up(owner.session(), at_work?).await {
        Ok(held_up) => held_up.filter(|held_up| held_up.seconds >= LONG_STATEMENT.as_secs())?,
        Err(error) => {
            tracing::debug!(task, %error, "it is not known what the target works at");
            return None;
        }
    };
    if !known {
        tracing::warn!(task, "waits for {held_up}");
    }
    Some(held_up.to_string())
}

/// Ticks that keep their distance: those missed while something else was done do not come in a burst behind it.
fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

/// The log that a position of this server lies in was not reset since the precheck: a copy may take hours, and names that came
/// anew since then would be taken for known. The file itself may be gone (purged): what is then missing the server says.
async fn still_the_same_log(
    server: Server,
    position: &Position,
    end: &FilePosition,
) -> Result<(), TaskError> {
    let Some(was) = position.file_begun else {
        server.close().await;
        return Ok(());
    };
    let begun = server.file_begun(&position.file.file).await?;
    if begun.is_none_or(|now| now == was) && end.order(&position.file) != Some(std::cmp::Ordering::Less) {
        return Ok(());
    }
    Err(TaskError::Stream {
        why: "the source's log was reset while the task was starting, and what came before that is lost".to_owned(),
        position: position.to_string(),
        remedy: "drop the task's tables in schema rowferry and copy again; RESET MASTER (RESET BINARY LOGS AND GTIDS) takes away what has not been carried".to_owned(),
    })
}

/// Reads until told to stop; what was read is handed on.
async fn read(
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
        context.board.task(&context.name, |task| {
            task.heard = now_seconds();
            task.statements_passed += passed;
        });
        let sending = blocks.send(changes);
        tokio::pin!(sending);
        let sent = loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(Stage::Reader),
                sent = &mut sending => break sent,
                // It is not listened to while the target is behind: that is no silence of the source.
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    context.board.task(&context.name, |task| task.heard = now_seconds());
                }
            }
        };
        if sent.is_err() {
            // The builder has ended, with an error of its own.
            return Ok(Stage::Reader);
        }
    }
}

/// Builds units until the reader ends, then closes what is whole.
async fn build(
    context: Context,
    mut builder: Builder<Translate>,
    mut blocks: channel::Receiver,
    units: mpsc::Sender<super::batch::Unit>,
    mut idle: watch::Receiver<bool>,
) -> Result<Stage, TaskError> {
    let mut position = every(POSITION_EVERY);
    let mut handed_on = Instant::now();
    let mut ends = Ends::default();
    loop {
        // Blocks come first below, so that a stream that is behind fills its batches. These two keep a stream that never
        // pauses from holding back what it has.
        let waited = handed_on.elapsed();
        let free = units.capacity() == 1 && *idle.borrow();
        match builder.state() {
            Ready::Rows if waited > LINGER && free => builder.close(),
            Ready::Position if waited > POSITION_EVERY => builder.close(),
            Ready::Nothing | Ready::Position | Ready::Rows | Ready::Full | Ready::Piece => {}
        }
        while let Some(unit) = builder.next_ready() {
            handed_on = Instant::now();
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
                for change in block.changes.drain(..) {
                    if let Err(error) = builder.take(change).await {
                        hand_on_all(&mut builder, &units).await;
                        return Ok(Stage::BuilderMet(error));
                    }
                    while let Some(unit) = builder.next_ready() {
                        handed_on = Instant::now();
                        if units.send(unit).await.is_err() {
                            return Ok(Stage::Builder);
                        }
                    }
                }
                let received = std::mem::take(&mut builder.received_bytes);
                let not_carried = builder.not_carried();
                // What was taken in is durable, as far as it has rows.
                let durable = matches!(builder.state(), Ready::Nothing | Ready::Position) && *idle.borrow() && units.capacity() == 1;
                context.board.task(&context.name, |task| {
                    task.received_bytes += received;
                    if let Some(not_carried) = not_carried {
                        task.not_carried = not_carried;
                    }
                    if let Some(last) = last {
                        task.source_position = Some(last);
                    }
                    match end {
                        End::Nothing if durable => {
                            task.reached.all();
                            task.not_committed = None;
                        }
                        End::Nothing | End::Pause => {}
                        End::Transaction(committed_micros) => {
                            task.reached.not_all();
                            // Else the applier says how late it is.
                            if durable {
                                task.reached.transaction(committed_micros);
                            }
                        }
                    }
                });
            }
            // Nothing more is there to be taken in, and the applier has nothing to do.
            () = until_wanted(&units, &mut idle), if has_rows => builder.close(),
            _ = position.tick(), if builder.state() == Ready::Position => builder.close(),
        }
    }
    hand_on_all(&mut builder, &units).await;
    Ok(Stage::Builder)
}

/// Closes what is whole and hands it on, up to an applier that has ended.
async fn hand_on_all(builder: &mut Builder<Translate>, units: &mpsc::Sender<super::batch::Unit>) {
    builder.close();
    while let Some(unit) = builder.next_ready() {
        if units.send(unit).await.is_err() {
            return;
        }
    }
}

/// Ready when no unit waits and the applier has nothing to do; for ever pending when it is gone.
async fn until_wanted(units: &mpsc::Sender<super::batch::Unit>, idle: &mut watch::Receiver<bool>) {
    if units.reserve().await.is_err() || idle.wait_for(|idle| *idle).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What a run of stream items ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
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
