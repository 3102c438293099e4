//! The copy of a group: primary-key chunks, several at once, each durable with its done record.
//!
//! One planner finds chunk bounds table by table; workers read a chunk, encode it and COPY it. Connections are opened after
//! P0, so everything before P0 is visible to them. A restart plans only what no done record covers.
//!
//! What must never happen here: a chunk's rows committed without its record, a table called copied with a hole in it.

mod unfit;

use super::TaskError;
use super::context::Context;
use super::courtesy::Copying;
use super::pace::Pace;
use super::waiting::{AtTarget, LOOKING, Moves};
use crate::change::EncodedRows;
use crate::change::state::ChunkRecord;
use crate::change::status::TableStatus;
use crate::schema::Table;
use crate::sink::apply::{Applier, Existing, refused};
use crate::sink::compact::Compactor;
use crate::sink::{Owner, Session, SinkError, Store};
use crate::source::server::Server;
use crate::source::snapshot::chunk::whole_table_query;
use crate::source::snapshot::{self, ChunkKey, ChunkReader};
use crate::source::wire::Wire;
use crate::transform::Plan;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinSet;
use unfit::Aside;

/// Bytes of result rows read at a time.
const BLOCK_BYTES: usize = 1 << 20;
/// At least, and of a copy aside, which pauses between blocks.
const SMALL_BLOCK_BYTES: usize = 64 << 10;
/// Of a copy aside while it does pause: so much keeps processors from the main stream for less than half a millisecond.
const PAUSED_BLOCK_BYTES: usize = 16 << 10;

/// How long a chunk of a copy aside may pause in all: until its end nobody redefines its table at the source, and whoever wants to keeps
/// others from it. Rows are wide where that is reached.
const PAUSES_OF_CHUNK: Duration = Duration::from_secs(10);

/// A table to copy.
#[derive(Debug)]
pub struct CopyTable {
    /// Its definition at P0.
    pub table: Table,
    /// The plan for that definition.
    pub plan: Plan,
    /// Source columns by which chunks are ordered: the source's primary key, and where it has none those of the target's key.
    pub key: Vec<usize>,
    /// What to do about rows that are there.
    pub existing: Existing,
    /// Chunks that are durable.
    pub done: Vec<ChunkRecord>,
    /// Rows that the target cannot hold are kept in quarantine.
    pub keeps_unfit: bool,
    /// The keys of those that are.
    pub kept: Mutex<HashSet<Vec<u8>>>,
    /// Rows that are there may be older than those of the chunks: the stream has gone on since the copy began.
    pub advanced: bool,
}

impl CopyTable {
    /// What reads a chunk.
    fn query(&self, chunk: &ChunkRecord) -> Result<String, TaskError> {
        let columns = self.plan.select_columns();
        match ChunkKey::of(&self.table, &self.key) {
            Some(key) => key
                .chunk_query(&columns, chunk.after.as_deref(), chunk.upto.as_deref())
                // A stored bound that is not one of this key: the table's key changed since.
                .map_err(|mismatch| TaskError::CopyAgain {
                    table: self.table.name.clone(),
                    why: mismatch.to_string(),
                }),
            None => Ok(whole_table_query(&self.table.name, &columns)),
        }
    }
}

/// Where the copy of one table is, for the log.
#[derive(Debug, Default)]
struct Tally {
    begun: Option<Instant>,
    rows: u64,
    /// Chunks that are planned and not durable.
    open: usize,
    /// No more chunks will come.
    planned: bool,
}

/// The tables to copy, and where each is.
#[derive(Debug)]
struct Group {
    task: String,
    tables: Vec<CopyTable>,
    tallies: Mutex<Vec<Tally>>,
    moves: Moves,
}

impl Group {
    /// Whether every chunk of every table is durable.
    fn is_copied(&self) -> bool {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().all(|tally| tally.planned && tally.open == 0)
    }

    fn begins(&self, table: usize) {
        self.step(table, |tally, copied| {
            if tally.begun.is_none() {
                tally.begun = Some(Instant::now());
                let done: i64 = copied.done.iter().map(|chunk| chunk.rows).sum();
                tracing::info!(task = self.task, table = %copied.table.name, done_before = done, "the copy of a table begins");
            }
        });
    }

    /// Changes a table's tally, and says when with this its copy has ended.
    fn step(&self, table: usize, change: impl FnOnce(&mut Tally, &CopyTable)) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(tally), Some(copied)) = (tallies.get_mut(table), self.tables.get(table)) else { return };
        change(tally, copied);
        let (true, 0, Some(begun)) = (tally.planned, tally.open, tally.begun) else { return };
        let (rows, took) = (tally.rows, begun.elapsed());
        let rows_per_second = u128::from(rows) * 1000 / took.as_millis().max(1);
        let seconds = took.as_secs_f64();
        tracing::info!(task = self.task, table = %copied.table.name, rows, seconds, rows_per_second, "the copy of a table has ended");
    }
}

#[derive(Debug)]
struct Job {
    table: usize,
    chunk: ChunkRecord,
}

/// Copies what is missing of every table.
///
/// # Errors
/// The first error; chunks that are durable stay so.
pub async fn copy(
    context: &Context,
    owner: &Arc<Owner>,
    mut tables: Vec<CopyTable>,
) -> Result<(), TaskError> {
    unfit::open(context, owner, &mut tables).await?;
    let tallies = Mutex::new(tables.iter().map(|_| Tally::default()).collect());
    let group = Arc::new(Group { task: context.name.clone(), tables, tallies, moves: Moves::default() });
    let settings = context.task().snapshot;
    let copying = context.is_aside().then(|| Arc::new(context.courtesy.begins()));
    let (jobs, queue) = mpsc::channel(settings.parallel * 2);
    let queue = Arc::new(AsyncMutex::new(queue));
    let pace = Arc::new(Pace::new(settings.max_rows_per_second));
    let mut parts: JoinSet<Result<(), TaskError>> = JoinSet::new();
    parts.spawn(plan_chunks(context.clone(), group.clone(), jobs));
    for number in 0..settings.parallel {
        let worker = Worker {
            context: context.clone(),
            owner: owner.clone(),
            store: owner.store(),
            group: group.clone(),
            pace: pace.clone(),
            copying: copying.clone(),
            // Each worker holds a block as read, as encoded, and in flight.
            block_bytes: if copying.is_some() {
                SMALL_BLOCK_BYTES
            } else {
                BLOCK_BYTES.min(context.task().memory_limit / settings.parallel / 8).max(SMALL_BLOCK_BYTES)
            },
        };
        parts.spawn(worker.run(number, queue.clone()));
    }
    // The queue's receiver lives in the workers only: when they are gone the planner stops too.
    drop(queue);
    let copied = async {
        let mut lost = None;
        while let Some(part) = parts.join_next().await {
            match part
                .map_err(|error| TaskError::Internal(format!("a copy worker ended abnormally: {error}")))?
            {
                Ok(()) => {}
                // The chunks of the others are worth having, and may have taken hours; what is missing is copied by the next attempt.
                Err(error) if error.is_of_circumstances() => {
                    tracing::warn!(task = context.name, %error, "a part of the copy has ended; the others go on");
                    lost.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        // A worker that never came to a chunk is not missed where the others have copied all.
        if group.is_copied() {
            return Ok(());
        }
        Err(lost.unwrap_or_else(|| TaskError::Internal("the copy has ended with chunks missing".to_owned())))
    };
    tokio::select! {
        copied = copied => copied,
        overdue = group.moves.watch(context) => overdue.map(|never| match never {}),
    }
}

/// Sends the chunks that are not durable, table by table.
async fn plan_chunks(context: Context, group: Arc<Group>, jobs: mpsc::Sender<Job>) -> Result<(), TaskError> {
    let mut server = Server::connect(context.source()).await?;
    for (index, copied) in group.tables.iter().enumerate() {
        let key = ChunkKey::of(&copied.table, &copied.key);
        let (holes, tail) = missing(&copied.done);
        for chunk in holes {
            group.step(index, |tally, _| tally.open += 1);
            if jobs.send(Job { table: index, chunk }).await.is_err() {
                return Ok(());
            }
        }
        let Some(mut chunk) = tail else {
            group.step(index, |tally, _| tally.planned = true);
            continue;
        };
        loop {
            chunk.upto = match &key {
                Some(key) => {
                    let rows = context.task().snapshot.chunk_rows;
                    match server.next_bound(key, chunk.after.as_deref(), rows).await {
                        // It may have been idle for longer than the server likes, while large chunks were copied.
                        Err(error) if error.is_of_connection() => {
                            server = Server::connect(context.source()).await?;
                            server.next_bound(key, chunk.after.as_deref(), rows).await?
                        }
                        bound => bound?,
                    }
                }
                None => None,
            };
            let next =
                ChunkRecord { number: chunk.number + 1, after: chunk.upto.clone(), upto: None, rows: 0 };
            let last = chunk.upto.is_none();
            group.moves.moved();
            group.step(index, |tally, _| {
                tally.open += 1;
                tally.planned = last;
            });
            if jobs.send(Job { table: index, chunk }).await.is_err() || last {
                break;
            }
            chunk = next;
        }
    }
    Ok(())
}

/// What the done records leave: chunks between them, and the chunk from which planning goes on (`None` when the last
/// chunk of the table is done).
fn missing(done: &[ChunkRecord]) -> (Vec<ChunkRecord>, Option<ChunkRecord>) {
    let mut done: Vec<&ChunkRecord> = done.iter().collect();
    done.sort_by_key(|chunk| chunk.number);
    let mut holes = Vec::new();
    let mut number = 0;
    let mut after: Option<Vec<String>> = None;
    for chunk in done {
        if chunk.number > number {
            // Chunks of one table are numbered in key order: what lies between two done ones is one hole.
            holes.push(ChunkRecord { number, after: after.clone(), upto: chunk.after.clone(), rows: 0 });
        }
        number = chunk.number + 1;
        if chunk.upto.is_none() {
            return (holes, None);
        }
        after.clone_from(&chunk.upto);
    }
    (holes, Some(ChunkRecord { number, after, upto: None, rows: 0 }))
}

struct Worker {
    context: Context,
    owner: Arc<Owner>,
    store: Store,
    group: Arc<Group>,
    pace: Arc<Pace>,
    /// Of a copy aside.
    copying: Option<Arc<Copying>>,
    block_bytes: usize,
}

/// What a worker copies with.
struct Connections {
    wire: Wire,
    session: Session,
    at_target: Arc<AtTarget>,
    applier: Applier,
}

impl Worker {
    async fn run(self, number: usize, queue: Arc<AsyncMutex<mpsc::Receiver<Job>>>) -> Result<(), TaskError> {
        let mut connections = self.connect(number).await?;
        loop {
            let job = queue.lock().await.recv().await;
            let Some(mut job) = job else { return Ok(()) };
            let copied = self.group.tables.get(job.table);
            let copied = copied.ok_or_else(|| TaskError::missing("the table of a chunk"))?;
            self.group.begins(job.table);
            let mut read = 0;
            let mut done = self.chunk(&mut connections, copied, &mut job.chunk, &mut read).await;
            if let Err(TaskError::Sink(error)) = &done
                && copied.keeps_unfit
                && error.is_of_row_data()
            {
                self.tell(copied, |status| status.copied_rows = status.copied_rows.saturating_sub(read));
                read = 0;
                connections = self.connect(number).await?;
                done = self.chunk_in_pieces(&mut connections, copied, &mut job.chunk, &mut read).await;
            }
            if let Err(error) = done {
                self.tell(copied, |status| status.copied_rows = status.copied_rows.saturating_sub(read));
                drop(connections);
                return Err(self.with_row(error, number, copied, &job.chunk).await);
            }
            self.group.step(job.table, |tally, _| {
                tally.rows += read;
                tally.open -= 1;
            });
        }
    }

    fn block_bytes(&self) -> usize {
        if self.copying.as_ref().is_some_and(|copying| copying.pauses()) {
            PAUSED_BLOCK_BYTES
        } else {
            self.block_bytes
        }
    }

    async fn connect(&self, number: usize) -> Result<Connections, TaskError> {
        let wire = snapshot::connect(self.context.source()).await?;
        let name = format!("rowferry/{}/copy {number}", self.context.name);
        let (session, applier) = Applier::connect(self.context.target(), &name, &[]).await?;
        self.owner.register(&session, &format!("copy {number}")).await?;
        let at_target = self.group.moves.worker(session.backend_pid());
        Ok(Connections { wire, session, at_target, applier })
    }

    /// The error with the row that it is about, where it is about a row.
    async fn with_row(
        &self,
        error: TaskError,
        number: usize,
        copied: &CopyTable,
        chunk: &ChunkRecord,
    ) -> TaskError {
        let TaskError::Sink(error) = error else { return error };
        if !error.is_of_a_row() {
            return error.into();
        }
        let mut place = "in the copy".to_owned();
        match tokio::time::timeout(LOOKING, self.refused(&error, number, copied, chunk)).await {
            Ok(Ok(Some(key))) => place = format!("the row is {key}, {place}"),
            Ok(Ok(None)) => {}
            // What it is about is told all the same.
            Ok(Err(other)) => {
                tracing::warn!(task = self.context.name, error = %other, "the row is not found");
            }
            Err(_) => tracing::warn!(task = self.context.name, "the row is not found in time"),
        }
        let error = Box::new(error.at(&place).into());
        TaskError::OfTable { table: copied.table.name.clone(), error }
    }

    /// The key of the first row of a chunk that the target refuses for the reason `why`. A COPY goes on while more rows are read, so the
    /// chunk is read once more, and what is read at a time is tried by itself.
    async fn refused(
        &self,
        why: &SinkError,
        number: usize,
        copied: &CopyTable,
        chunk: &ChunkRecord,
    ) -> Result<Option<String>, TaskError> {
        let Connections { mut wire, session, at_target, .. } = self.connect(number).await?;
        let sql = copied.query(chunk)?;
        let mut reader = ChunkReader::open(&mut wire, &copied.table.name, &sql).await?;
        while let Some(rows) = reader.next(self.block_bytes).await? {
            let mut encoded = EncodedRows::new(copied.plan.layout().clone());
            copied.encode(&rows, &mut encoded, &mut Vec::new())?;
            let mut compactor = Compactor::new();
            compactor.push(&mut encoded);
            let changes = compactor.finish();
            let looked = at_target.during(refused(&session, &changes, copied.existing, why)).await?;
            if let Some(refused) = looked {
                return Ok(refused.key(self.owner.session()).await?);
            }
            execute(&session, "ROLLBACK").await?;
            self.group.moves.moved();
            self.pace.spend(u64::try_from(rows.rows.len()).unwrap_or(u64::MAX), &self.group.moves).await;
        }
        Ok(None)
    }

    /// Copies one chunk in one target transaction; `read` counts its rows.
    async fn chunk(
        &self,
        connections: &mut Connections,
        copied: &CopyTable,
        chunk: &mut ChunkRecord,
        read: &mut u64,
    ) -> Result<(), TaskError> {
        let Connections { wire, session, at_target, applier } = connections;
        let name = &copied.table.name;
        let sql = copied.query(chunk)?;
        at_target.during(execute(session, "BEGIN")).await?;
        let mut reader = ChunkReader::open(wire, name, &sql).await?;
        let layout = copied.plan.layout();
        let mut writer = applier.chunk(session, layout, copied.existing);
        let (mut encoded, mut aside) = (EncodedRows::new(layout.clone()), Aside::default());
        let mut block = reader.next(self.block_bytes()).await?;
        let mut begun = Instant::now();
        let mut patience = PAUSES_OF_CHUNK;
        while let Some(rows) = block {
            let count = u64::try_from(rows.rows.len()).unwrap_or(u64::MAX);
            encoded.clear();
            copied.encode(&rows, &mut encoded, &mut aside.unfit)?;
            self.admit(copied, &aside.unfit)?;
            aside.release(copied, &encoded);
            drop(rows);
            // The source sends the next block while the target takes this one.
            let (written, next) =
                tokio::join!(at_target.during(writer.write(&encoded)), reader.next(self.block_bytes()));
            written?;
            block = next?;
            *read += count;
            self.tell(copied, |status| status.copied_rows += count);
            self.group.moves.moved();
            self.pace.spend(count, &self.group.moves).await;
            if let Some(copying) = &self.copying {
                let pause = copying.pause(begun.elapsed()).min(patience);
                patience -= pause;
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                begun = Instant::now();
            }
        }
        at_target.during(writer.finish()).await?;
        self.end(connections, copied, chunk, *read, aside).await
    }

    fn tell(&self, copied: &CopyTable, change: impl FnOnce(&mut TableStatus)) {
        self.context.progress.tell(|task| {
            task.tables.get_mut(&copied.table.name.to_string()).map(change);
        });
    }
}

async fn execute(session: &Session, sql: &str) -> Result<(), SinkError> {
    session.client().batch_execute(sql).await.map_err(|error| session.error(sql, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(number: i64, after: Option<&str>, upto: Option<&str>) -> ChunkRecord {
        let key = |bound: Option<&str>| bound.map(|literal| vec![literal.to_owned()]);
        ChunkRecord { number, after: key(after), upto: key(upto), rows: 0 }
    }

    #[test]
    fn a_fresh_table_is_planned_from_its_start() {
        assert_eq!(missing(&[]), (vec![], Some(chunk(0, None, None))));
    }

    #[test]
    fn holes_between_done_chunks_are_planned_and_planning_goes_on_behind_the_last() {
        let done =
            [chunk(4, Some("40"), Some("50")), chunk(0, None, Some("10")), chunk(1, Some("10"), Some("20"))];
        assert_eq!(
            missing(&done),
            (vec![chunk(2, Some("20"), Some("40"))], Some(chunk(5, Some("50"), None)))
        );
    }

    #[test]
    fn a_hole_at_the_start_is_found() {
        let done = [chunk(1, Some("10"), Some("20"))];
        assert_eq!(missing(&done), (vec![chunk(0, None, Some("10"))], Some(chunk(2, Some("20"), None))));
    }

    #[test]
    fn a_table_whose_last_chunk_is_done_has_only_holes_left() {
        let done = [chunk(0, None, Some("10")), chunk(2, Some("20"), None)];
        assert_eq!(missing(&done), (vec![chunk(1, Some("10"), Some("20"))], None));
        assert_eq!(missing(&[chunk(0, None, None)]), (vec![], None));
    }
}
