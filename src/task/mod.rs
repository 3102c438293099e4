//! Joins the rooms: one task from its precheck to its stream. The only place where source, transform and sink meet.
//!
//! Sequence of [`run`]: gather facts and judge them; take ownership; settle P0 and definitions, make targets; copy; record
//! P1; follow the log. Every step starts from what is durable, so running it again after any error goes on where it was.
//!
//! What must never happen here: the target written before the precheck has passed and the task is owned.

mod applier;
mod auditing;
mod batch;
mod builder;
mod cause;
mod channel;
mod context;
mod control;
mod copy;
mod course;
mod courtesy;
mod dropping;
mod during_copy;
mod ending;
mod error;
mod family;
mod gather;
mod going_on;
mod group;
mod handoff;
mod inspect;
mod memory;
mod moved;
mod pace;
mod parking;
mod passed;
mod pausing;
mod prepare;
mod progress;
mod quarantine;
mod recorded;
mod renamed;
mod request;
mod resume;
mod side;
mod sides;
mod skipping;
mod stages;
mod strangers;
mod stream;
mod tables;
mod targets;
mod tell;
mod translate;
mod translator;
mod unfollowed;
mod upkeep;
mod verify;
mod waiting;

pub use auditing::{asked, record_asked};
pub use cause::record as record_cause;
pub use control::change;
pub use dropping::drop_task;
pub use error::TaskError;
pub use inspect::{Planned, check, plan, stored};
pub use memory::Memory;
pub use pausing::{pause, resting};
pub use progress::{Progress, TaskProgress};
pub use skipping::{command as skip_command, skip, told as told_standing};
pub use verify::{Verifying, verify};

use crate::change::remedy::{AtTarget, Remedy};
use crate::change::state::{Checkpoint, TableState};
use crate::change::{Retry, TableName};
use crate::config::Config;
use crate::precheck::{self, Report};
use crate::sink::store::Stored;
use crate::sink::{Owner, Session, SinkErrorKind, owner, store};
use crate::source::server::Server;
use crate::status::now;
use context::Context;
use during_copy::Halfway;
use gather::Gathered;
use moved::Moved;
use passed::Passed;
use prepare::ReadyGroup;
use recorded::Known;
use sides::Sides;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs a task until `stop` or an error.
///
/// # Errors
/// What stopped it; the supervisor decides by `retry()` what follows.
pub async fn run(
    config: Arc<Config>,
    progress: Progress,
    stop: CancellationToken,
    memory: Arc<Memory>,
) -> Result<(), TaskError> {
    let mut passed = memory.passed();
    let mut moved = None;
    loop {
        let context = Context::new(&config, &progress)?;
        let goes_on = passed.take();
        let ready = async {
            match &goes_on {
                Some(passed) => going_on::go_on(&context, passed).await.map(Ready::of),
                None => Box::pin(start(&context, &memory, moved.take(), &stop)).await,
            }
        };
        let ready = tokio::select! {
            // Until the stream runs there is nothing to drain: a chunk at work is copied again.
            biased;
            () = stop.cancelled() => return Ok(()),
            ready = ready => ready,
        };
        let ended = match ready {
            Ok(Ready::Streams(started)) => {
                Box::pin(follow(&context, *started, memory.clone(), stop.clone())).await
            }
            Ok(Ready::Anew(met)) => {
                moved = met;
                continue;
            }
            Err(error) => Err(error),
        };
        match ended {
            Ok(Followed::GoesOn) => {}
            // Who judges all anew may know better why, or that it is not so.
            Err(error) if goes_on.is_some() && error.retry() != Retry::AfterBackoff => {
                memory.forget_passed();
                tracing::info!(task = context.name, %error, "everything is judged anew");
            }
            Err(error) => {
                if !error.is_of_circumstances() {
                    memory.forget_passed();
                }
                return Err(error);
            }
            Ok(Followed::Stopped) => return Ok(()),
        }
    }
}

/// How following the log has ended.
enum Followed {
    /// As it was told to.
    Stopped,
    /// A table is put aside, and the others go on; or transactions are taken one by one.
    GoesOn,
}

async fn follow(
    context: &Context,
    started: Started,
    memory: Arc<Memory>,
    stop: CancellationToken,
) -> Result<Followed, TaskError> {
    let Started { source, owner, checkpoint, tables, sides } = started;
    let kept = memory.clone();
    context.progress.step(|progress, now| progress.follows(checkpoint.position.to_string(), now));
    let run_sides = side::run_sides(context.clone(), owner.clone(), memory.clone());
    let company = stream::Company::Main(sides, run_sides);
    let following = stream::follow(
        context,
        source,
        owner.clone(),
        ReadyGroup { checkpoint, tables },
        memory,
        stop,
        company,
    );
    match Box::pin(following).await {
        Ok(()) => Ok(Followed::Stopped),
        Err(error) => goes_on_otherwise(context, &owner, &kept, error).await.map(|()| Followed::GoesOn),
    }
}

/// Puts the table aside that the stream cannot carry; the error where that is not all there is to it. It is on record then what of the log
/// makes it, where that is one transaction, which may take another attempt to find out.
async fn goes_on_otherwise(
    context: &Context,
    owner: &Owner,
    memory: &Memory,
    error: TaskError,
) -> Result<(), TaskError> {
    let error = match &error {
        TaskError::CopyAgain { table, why } => match copy_again(context, owner, table, why).await {
            Ok(()) => return Err(error),
            // Its rows cannot be taken out.
            Err(other) => other,
        },
        _ => error,
    };
    if parking::park(context, owner, &error).await? {
        return Ok(());
    }
    match &error {
        TaskError::Among { until, .. } if memory.takes_singly(until) => return Ok(()),
        TaskError::Standing { standing, error } => {
            // It quotes the source, which has what no text here can hold.
            let (text, at) = (error.to_string().replace('\0', "\u{fffd}"), now().seconds());
            match owner.store().record_standing(owner.session(), standing, &text, at).await {
                Err(unrecorded) if unrecorded.retry() == Retry::AfterBackoff => {
                    return Err(unrecorded.into());
                }
                Err(unrecorded) => {
                    tracing::warn!(task = context.name, %unrecorded, "what the task stands at is not on record");
                }
                Ok(()) => {}
            }
        }
        _ => {}
    }
    Err(error)
}

/// The stream has met a statement that lies between P0 and P1 and may have changed what chunks have read.
async fn copy_again(context: &Context, owner: &Owner, table: &TableName, why: &str) -> Result<(), TaskError> {
    tracing::warn!(
        task = context.name,
        %table,
        why,
        "a table changed while it was copied; its copy starts over"
    );
    let stored = owner.store().load(owner.session()).await?;
    let tables = prepare::known(context, &stored)?;
    let mut keys = Vec::new();
    for one in tables.values() {
        keys.extend(one.table.foreign_keys.iter().map(|key| (one.name().clone(), key.parent.clone())));
    }
    // What its rows have been referred to by is not known either.
    let below = side::below(table, &keys);
    prepare::start_over(context, owner, &tables, |recorded| below.contains(recorded.name()), why).await
}

/// How the way to the stream has ended.
enum Ready {
    /// All is there for it.
    Streams(Box<Started>),
    /// All is judged anew: a table was put aside on it, or the stream has to come past what the copy has met.
    Anew(Option<Moved>),
}

impl Ready {
    fn of(started: Option<Started>) -> Self {
        started.map_or(Self::Anew(None), |started| Self::Streams(Box::new(started)))
    }
}

/// All that the stream needs.
struct Started {
    source: stream::Source,
    owner: Arc<Owner>,
    checkpoint: Checkpoint,
    tables: Known,
    sides: Sides,
}

/// The whole way to the stream. Where the copy has met another definition the log is followed up to now first.
async fn start(
    context: &Context,
    memory: &Arc<Memory>,
    moved: Option<Moved>,
    stop: &CancellationToken,
) -> Result<Ready, TaskError> {
    context.progress.step(TaskProgress::prechecks);
    memory.forget_passed();
    let (mut server, session, mut gathered) = ask(context, &owner::application(&context.name)).await?;
    if store::resting(&session, &context.name).await?.is_some() {
        return Err(TaskError::Resting);
    }
    tell::servers(context, &gathered);
    cause::tell(context, memory, &gathered);
    let report = gather::judge(context, &mut gathered);
    for item in report.items.iter().filter(|item| item.verdict == crate::precheck::Verdict::Warn) {
        tracing::warn!(
            task = context.name,
            code = item.code,
            subject = item.subject,
            remedy = item.remedy.as_ref().map(tracing::field::display),
            "{}",
            item.why
        );
    }
    let failed = report.failures().count();
    tracing::info!(
        task = context.name,
        source = gathered.source.version,
        target = gathered.target.version,
        items = report.items.len(),
        failed,
        "the precheck has {}",
        if failed == 0 { "passed" } else { "failed" }
    );
    let refused = parking::refused(context, &gathered, &report);
    let pid = session.backend_pid();
    if !refused.is_empty() {
        let parking = parking::park_refused(context, session, &gathered, refused);
        let parked = waiting::at_target(context, pid, Box::pin(parking)).await?;
        return if parked { Ok(Ready::Anew(None)) } else { Err(refusal(&report)?) };
    }
    refuse_failures(&report)?;
    let (owner, stored) =
        waiting::at_target(context, pid, Box::pin(take(context, session, &mut server, &gathered))).await?;
    memory.has_taken();
    let stored = add_beside(context, &owner, stored, &mut gathered).await?;
    let ReadyGroup { checkpoint, mut tables } =
        schema_sync(context, &mut server, &owner, &stored, &mut gathered).await?;
    tell::tables(context, memory, &tables, &gathered, &stored);
    if moved.is_none() {
        match group::copy(context, &mut server, &owner, &stored, &checkpoint, &mut tables).await {
            Ok(None) => {}
            Ok(moved) => return Ok(Ready::Anew(moved)),
            Err(error) if parking::park(context, &owner, &error).await? => return Ok(Ready::Anew(None)),
            Err(error) => return Err(error),
        }
    }
    waiting::at_target(context, pid, group::renew_p1(context, &mut server, &owner, &mut tables)).await?;
    let source = stream::Source::new(server, &gathered, gathered.reasons());
    if let Some(moved) = moved {
        let prepared = ReadyGroup { checkpoint, tables };
        let halfway = Halfway { source, prepared, sides: Some(Sides::of(&stored)) };
        let advanced = during_copy::advance(context, &owner, halfway, moved, memory, stop);
        return match Box::pin(advanced).await {
            Ok(()) => Ok(Ready::Anew(None)),
            Err(error) => goes_on_otherwise(context, &owner, memory, error).await.map(|()| Ready::Anew(None)),
        };
    }
    if let Some(passed) = Passed::new(context, gathered, &owner, &tables).await? {
        memory.has_passed(passed);
    }
    tell::others(context, &stored);
    let sides = Sides::of(&stored);
    Ok(Ready::Streams(Box::new(Started { source, owner, checkpoint, tables, sides })))
}

/// Where tables flow already, those that have come are copied beside them.
async fn add_beside(
    context: &Context,
    owner: &Owner,
    stored: Stored,
    gathered: &mut Gathered,
) -> Result<Stored, TaskError> {
    let known = prepare::known(context, &stored)?;
    let new = gathered.mappings.iter().filter(|(name, _)| !known.contains_key(name));
    let mut new: BTreeSet<TableName> = new.map(|(name, _)| name.clone()).collect();
    // Those that were made while nobody looked.
    new.append(&mut gathered.returned);
    let flows = stored.tables.values().any(|table| table.state != TableState::Pending);
    if stored.checkpoint.is_none() || !flows || new.is_empty() || !context.task().initial_data {
        return Ok(stored);
    }
    prepare::put_aside(context, owner, Sides::of(&stored).last() + 1, &new).await?;
    gathered.mappings.retain(|(name, _)| !new.contains(name));
    Ok(owner.store().load(owner.session()).await?)
}

/// Sessions at both servers, and what they say of all that the precheck judges.
async fn ask(context: &Context, application: &str) -> Result<(Server, Session, Gathered), TaskError> {
    let (mut server, session) = connect(context, application).await?;
    let gathering = Box::pin(gather::gather(context, &mut server, &session, None));
    let gathered = waiting::at_target(context, session.backend_pid(), gathering).await?;
    Ok((server, session, gathered))
}

/// Takes the task, and loads what is durable of it as it is to be gone on with.
async fn take(
    context: &Context,
    session: Session,
    server: &mut Server,
    gathered: &Gathered,
) -> Result<(Arc<Owner>, Stored), TaskError> {
    // As it is now: another owner may have moved it since the facts were gathered.
    let (owner, mut stored) = Owner::take_with(session, &context.name).await?;
    pausing::refuse_resting(&owner, &stored).await?;
    let owner = Arc::new(owner);
    prepare::forget_unselected(context, &owner, &mut stored).await?;
    let widened = prepare::record_widened(context, &owner, &stored, gathered).await?;
    if prepare::begun_elsewhere(context, server, &owner, &stored).await? || widened {
        stored = owner.store().load(owner.session()).await?;
    }
    Ok((owner, stored))
}

/// Sessions at both servers. Where neither can be had the source's error is told.
async fn connect(context: &Context, application: &str) -> Result<(Server, Session), TaskError> {
    let task = context.task();
    let source = Box::pin(Server::connect(context.source()));
    let target = Box::pin(Session::connect(context.target(), application));
    let (server, session) = tokio::join!(
        waiting::patiently(context, format!("an answer of source {}", task.source), source),
        waiting::patiently(context, format!("an answer of target {}", task.target), target)
    );
    Ok((server?, session?))
}

fn refuse_failures(report: &Report) -> Result<(), TaskError> {
    if report.passed() { Ok(()) } else { Err(refusal(report)?) }
}

/// What a report that has not passed refuses.
fn refusal(report: &Report) -> Result<TaskError, TaskError> {
    let summary: Vec<String> =
        report.failures().map(|item| format!("{}: {}", item.subject, item.why)).collect();
    if report.failures().all(|item| item.code == precheck::IN_FLIGHT) {
        return Ok(TaskError::Unsettled { why: summary.join("; ") });
    }
    let remedy = Remedy::all(report.failures().filter_map(|item| item.remedy.clone()));
    let remedy = remedy.ok_or_else(|| TaskError::missing("what mends a failed item"))?;
    Ok(TaskError::Precheck { summary: summary.join("; "), remedy })
}

/// Settles P0 and definitions and makes the targets of tables that are not followed yet.
async fn schema_sync(
    context: &Context,
    server: &mut Server,
    owner: &Owner,
    stored: &Stored,
    gathered: &mut Gathered,
) -> Result<ReadyGroup, TaskError> {
    let known = prepare::known(context, stored)?;
    if stored.checkpoint.is_none() && !known.is_empty() {
        return Err(SinkErrorKind::State {
            task: context.name.clone(),
            why: "there are tables on record but no checkpoint, so it is not known up to where they are"
                .to_owned(),
            remedy: AtTarget::RestoreRecords.or(Remedy::copy_task()),
        }
        .at(&context.task().target)
        .into());
    }
    let is_new = |name: &TableName| !known.contains_key(name);
    let nothing_new = gathered.mappings.iter().all(|(name, _)| !is_new(name));
    if let (Some(checkpoint), true) = (&stored.checkpoint, nothing_new) {
        tracing::info!(task = context.name, position = %checkpoint.position, "resuming from the checkpoint");
        return Ok(ReadyGroup { checkpoint: checkpoint.clone(), tables: known });
    }
    context.progress.step(TaskProgress::makes_targets);
    let mut settled = waiting::waits(context, server.waits(), async {
        let start = handoff::start_position(context, server, stored).await?;
        // Its stream makes it large.
        Box::pin(handoff::settle(context, server, gathered.source.names(), start.as_ref())).await
    })
    .await?;
    settled.tables.retain(|(table, _)| gathered.has_judged(&table.name));
    tracing::info!(task = context.name, position = %settled.position, tables = settled.tables.len(), "P0: definitions are settled");
    // Without a copy nothing is read that could be ahead of P0, but what the target holds may be: apply convergently up to now.
    let p1 = if context.task().initial_data { None } else { Some(server.log_end().await?) };
    let pid = owner.session().backend_pid();
    // Tasks that start at once may want the same schemas, and feeders of one table that table.
    let shared =
        gathered.mappings.iter().filter(|(name, _)| !known.contains_key(name)).any(|(_, mapping)| {
            mapping.as_ref().is_ok_and(|mapping| {
                mapping.source_tag.is_some() || !gathered.target.tables.contains_key(&mapping.target.name)
            })
        });
    let prepared = prepare::prepare(context, owner, settled, stored.checkpoint.clone(), known, p1, shared);
    waiting::at_target(context, pid, Box::pin(prepared)).await
}
