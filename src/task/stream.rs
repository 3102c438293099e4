//! Following the log: reader, builder and applier as one pipeline, until told to stop or until one of them fails.
//!
//! Reader → (bounded by bytes) → builder → (one unit) → applier. While the applier works on one unit the next waits
//! and the one after is filled. The builder hands on a batch that is not full only when the applier is idle: an idle stream
//! applies at once, a busy one fills its batches.
//!
//! What must never happen here: a stage's end taken for success while another failed.

use super::TaskError;
use super::applier::Applying;
use super::builder::Builder;
use super::channel;
use super::context::Context;
use super::ending::{Ending, Stage};
use super::gather::Gathered;
use super::handoff;
use super::memory::Memory;
use super::prepare::ReadyGroup;
use super::resume::Resume;
use super::side::meet::{Guest, Host, Visit};
use super::sides::{Ask, Sides};
use super::stages::{Building, Role, Until};
use super::tables::{Carried, Tables};
use super::translate::Translate;
use super::waiting::watched;
use super::{pace, skipping, stages, upkeep, verify, waiting};
use crate::change::facts::Cascades;
use crate::change::remedy::{Because, Remedy};
use crate::change::status::NotCommitted;
use crate::change::{FilePosition, Position, TableName, TableNames};
use crate::sink::Owner;
use crate::sink::batch::BatchLimits;
use crate::source::binlog::BinlogStream;
use crate::source::server::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Heartbeats asked of the source: an idle source reaches P1 only by one.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// Silence after which the source counts as lost.
const SILENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether the task is Synchronizing, and what it waits for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What the stream has to know of the source server.
#[derive(Debug)]
pub struct Source {
    /// A session for questions, of use until the stream is open.
    pub server: Server,
    /// How it compares names of tables.
    pub names: TableNames,
    /// What it makes of foreign keys that cascade.
    pub cascades: Cascades,
    /// Selected tables that are not carried, and why.
    pub left_out: BTreeMap<TableName, String>,
    /// When the file that the checkpoint lies in was begun, as the source has told or as it was.
    pub file_begun: Option<u32>,
}

impl Source {
    /// What was gathered of the server of this session.
    pub fn new(server: Server, gathered: &Gathered, left_out: BTreeMap<TableName, String>) -> Self {
        let (names, cascades) = (gathered.source.names(), gathered.source.cascades());
        Self { server, names, cascades, left_out, file_begun: gathered.file_begun }
    }
}

/// How side streams and the main stream reach each other.
pub struct Links {
    /// Where groups are asked for.
    pub asks: mpsc::UnboundedReceiver<Ask>,
    /// Where groups ask for others.
    pub own_asks: mpsc::UnboundedSender<Ask>,
    /// The main stream.
    pub visits: mpsc::Sender<Visit>,
    /// Where it is.
    pub main_at: watch::Receiver<Option<FilePosition>>,
    /// The number of the last side stream.
    pub last: Arc<AtomicU32>,
    /// Groups that are on record.
    pub known: BTreeMap<u32, BTreeSet<TableName>>,
}

/// Runs side streams until told to stop, or an error that nobody can be told of elsewhere.
pub type RunSides = Box<dyn FnOnce(Links, CancellationToken) -> RunningSides + Send + Sync>;

/// Side streams that run.
pub type RunningSides = Pin<Box<dyn Future<Output = Result<Infallible, TaskError>> + Send>>;

/// Who else follows the log for the task.
pub enum Company {
    /// It is the main stream; these tables are aside, and this runs their streams.
    Main(Sides, RunSides),
    /// It is a side stream.
    Side(Guest),
    /// It ends where the log ends now.
    Nobody(Until),
}

/// Follows the log from the checkpoint.
///
/// # Errors
/// The first error of any stage.
pub async fn follow(
    context: &Context,
    source: Source,
    owner: Arc<Owner>,
    prepared: ReadyGroup,
    memory: Arc<Memory>,
    stop: CancellationToken,
    company: Company,
) -> Result<(), TaskError> {
    let opening = open(context, source, &owner, prepared, &company, memory);
    let pipeline = tokio::select! {
        // Nothing is under way that could be drained.
        biased;
        () = stop.cancelled() => return Ok(()),
        pipeline = opening => pipeline?,
    };
    run(context, &owner, pipeline, &stop, company).await
}

/// What the stages begin with.
struct Pipeline {
    stream: BinlogStream,
    builder: Builder<Translate>,
    applying: Applying,
    /// How many units the applier is done with.
    applied: watch::Receiver<u64>,
    /// The log's end when the stream was open: before that it may be passing over what the checkpoint includes.
    end: FilePosition,
}

/// Opens the stream and the applying session.
async fn open(
    context: &Context,
    source: Source,
    owner: &Arc<Owner>,
    prepared: ReadyGroup,
    company: &Company,
    memory: Arc<Memory>,
) -> Result<Pipeline, TaskError> {
    let sides = match company {
        Company::Main(sides, _) => Some(sides),
        Company::Side(_) => None,
        Company::Nobody(until) => until.sides.as_ref(),
    };
    let ReadyGroup { checkpoint, tables } = prepared;
    let task = context.task();
    let policies = context.policies();
    let Source { mut server, names, cascades, left_out, file_begun } = source;
    let flavour = server.flavour();
    let Resume { start, same_server, passes_over } =
        Resume::after(&checkpoint.position, server.identity(), file_begun)?;
    if !same_server {
        let (was, now) = (&checkpoint.position.server, server.identity());
        tracing::info!(task = context.name, was, now, "following another server of the same history");
    }
    let mut carried = Vec::new();
    for recorded in tables.values() {
        carried.push(Carried::new(recorded, policies, context.always_convergent(recorded.name()))?);
    }
    let limits = BatchLimits { rows: task.apply.batch_rows, bytes: task.apply.batch_bytes };
    let mut builder = Builder::new(
        Tables::new(carried, sides, left_out, names),
        Translate::new(context.clone(), flavour, cascades, names, sides.map(|sides| sides.last.clone())),
        policies,
        task.operations,
        limits,
        start.clone(),
    );
    if let Some(error) = builder.torn() {
        return Err(error);
    }
    if sides.is_some() {
        let asked = skipping::asked(context, owner, &start).await?;
        builder.names_transactions(asked, memory.singly());
    }
    let request = handoff::request(context, names, start, HEARTBEAT, SILENCE);
    let stream = BinlogStream::open(request).await?;
    // Asked when the stream is open, so that no reset of the log slips in between; a later one breaks the stream.
    let end = server.log_end().await?.file;
    if same_server {
        still_the_same_log(server, &checkpoint.position, &end).await?;
    } else {
        server.close().await;
    }
    tracing::info!(task = context.name, position = %checkpoint.position, "following the log");
    if passes_over {
        // The precheck has found all that the position holds in this server's log.
        builder.taken_up_by_gtids(end.clone());
    }

    let (done, applied) = watch::channel(0);
    let opening = Applying::open(context.clone(), owner.clone(), checkpoint, tables, memory, done);
    let what = format!("an answer of target {}", task.target);
    let applying = waiting::patiently(context, what, Box::pin(opening)).await?;
    Ok(Pipeline { stream, builder, applying, applied, end })
}

/// Runs the stages until told to stop or until one of them fails.
async fn run(
    context: &Context,
    owner: &Arc<Owner>,
    pipeline: Pipeline,
    stop: &CancellationToken,
    company: Company,
) -> Result<(), TaskError> {
    let Pipeline { stream, mut builder, mut applying, applied, end } = pipeline;
    let (blocks, received) = channel::bounded(context.task().memory_limit / 8);
    let (units, queue) = mpsc::channel(1);
    let at_work = applying.at_work();
    let mut stages: JoinSet<Result<Stage, TaskError>> = JoinSet::new();
    stages.spawn(stages::read(context.clone(), stream, blocks, stop.clone()));
    let mut sides = None;
    let is_main = matches!(company, Company::Main(..));
    let role = match company {
        Company::Side(guest) => Role::Side(guest),
        Company::Nobody(until) => Role::Alone(until),
        Company::Main(known, run_sides) => {
            let (visits, visitors) = mpsc::channel(16);
            let (asks, asked) = mpsc::unbounded_channel();
            let (at, main_at) = watch::channel(None);
            let last = known.last;
            applying.tell_of_asides(asks.clone());
            if context.adds_tables() {
                builder.add_newcomers();
            }
            if context.task().initial_data {
                builder.take_back();
            }
            let links = Links {
                asks: asked,
                own_asks: asks,
                visits,
                main_at,
                last: last.clone(),
                known: known.groups,
            };
            let running = run_sides(links, stop.child_token());
            sides = Some(AbortOnDropHandle::new(tokio::spawn(running)));
            Role::Main(Host::new(visitors, at, last))
        }
    };
    let building = Building {
        context: context.clone(),
        builder,
        units,
        applied,
        sent: 0,
        handed_on: Instant::now(),
        end,
    };
    stages.spawn(building.run(received, role));
    stages.spawn(async move { applying.run(queue).await.map(|()| Stage::Applier) });
    let mut upkeep = AbortOnDropHandle::new(tokio::spawn(upkeep::run(context.clone(), owner.clone())));
    let mut upkeep_runs = true;
    // It never ends by itself.
    let compares = (is_main && context.task().verify.continuous).then_some(context.task().verify);
    let _comparing = compares
        .map(|how| AbortOnDropHandle::new(tokio::spawn(verify::continuous::run(context.clone(), how))));
    let held_up = Mutex::new(None);
    let watched = watched(context, owner, at_work, &held_up);
    tokio::pin!(watched);
    let mut look = pace::every(LOOK_EVERY);
    // What the reader or the builder cannot get past is told when all that was whole before it is durable.
    let mut ending = Ending::default();
    let ended = loop {
        tokio::select! {
            ended = stages.join_next() => match ended {
                Some(Ok(Ok(stage))) => {
                    ending.add(stage);
                    if let Some(outcome) = ending.outcome(stop.is_cancelled()) {
                        break outcome;
                    }
                }
                None => break Err(TaskError::Internal("the stream ended without an error".to_owned())),
                Some(Ok(Err(error))) => break Err(error),
                Some(Err(error)) => break Err(TaskError::Internal(format!("a stage ended abnormally: {error}"))),
            },
            Err(error) = &mut watched => break Err(error),
            ended = async { match &mut sides { Some(sides) => sides.await, None => std::future::pending().await } } => {
                break match ended {
                    Ok(Ok(never)) => match never {},
                    Ok(Err(error)) => Err(error),
                    Err(error) => Err(TaskError::Internal(format!("side streams ended abnormally: {error}"))),
                };
            }
            ended = &mut upkeep, if upkeep_runs => {
                upkeep_runs = false;
                if let Err(error) = ended {
                    tracing::error!(task = context.name, %error, "no upkeep of target tables until the task starts again");
                }
            }
            _ = look.tick() => {
                let held_up = held_up.lock().unwrap_or_else(PoisonError::into_inner).clone();
                context.progress.step(|progress, now| progress.looks(held_up, now));
            }
        }
    };
    if let Err(TaskError::Source(error)) = &ended
        && error.is_out_of_room()
    {
        // It comes again with every attempt, and none is ready before it has passed.
        let failed = NotCommitted { error: error.to_string(), until: None };
        context.progress.step(|progress, _| progress.cannot_commit(failed));
    }
    // Their sessions end with them: the next attempt must not find the task owned by this one.
    if let Some(sides) = sides.take() {
        sides.abort();
    }
    stages.shutdown().await;
    ended
}

/// The log that a position of this server lies in was not reset since the precheck: a copy may take hours, and GTIDs that came
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
        why: "the source's log was reset while the task was starting, and what came before that is lost"
            .to_owned(),
        position: position.to_string(),
        remedy: Remedy::CopyTask(Because::ResetNow),
    })
}
