//! Passing over the one transaction that a task cannot get past, when somebody says so: what is on record of that, how it comes there
//! while nobody runs the task, and how it is told.
//!
//! What must never happen here: a word taken for another transaction than the one that stands, or for a table that would not be whole in
//! any other respect.

use super::TaskError;
use super::context::Context;
use super::pausing;
use super::progress::Progress;
use crate::change::remedy::{InConfig, Remedy};
use crate::change::state::TableState;
use crate::change::status::{Skipped, Skips, Stands};
use crate::change::{Position, Standing, TableName, TransactionName};
use crate::config::Config;
use crate::sink::store::{self, Skip, Stored, StoredTable};
use crate::sink::{Owner, Store};
use crate::status::{Board, now};
use std::sync::Arc;

/// Has a task that nobody runs pass over the transaction that it stands at, for one table or for all, when it runs again. Says what becomes
/// of it.
///
/// # Errors
/// When that is not what it stands at, when it cannot go on behind it, when a daemon runs the task, or when the target cannot be asked.
pub async fn skip(
    name: &str,
    config: &Arc<Config>,
    asked: &TransactionName,
    table: Option<&TableName>,
) -> Result<String, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    pausing::refuse_dropped(&context).await?;
    let owner = Owner::take(context.target(), name).await?;
    let (session, records) = (owner.session(), owner.store());
    let stored = records.load(session).await?;
    let Some(head) = &stored.checkpoint else { return Err(TaskError::NotBegun { task: name.to_owned() }) };
    let skips = store::skips(session, name).await?;
    let Some(skip) = standing(&skips, &head.position) else {
        return Err(refused(
            format!("task {name} stands at no transaction of the log"),
            InConfig::NameWhatStands,
        ));
    };
    let place = &skip.standing.place;
    if !place.is_named(asked) {
        let why = format!("task {name} stands at {place}, not at {asked}");
        return Err(refused(why, command(config, name, &skip.standing)));
    }
    let table = table.map(|table| on_record(&stored, table));
    let table = table.as_ref();
    may_pass(name, &stored, table)?;
    records.record_skip(session, skip.number, table, now().seconds()).await?;
    if stored_cause(&records, &owner).await? {
        records.forget_cause(session).await?;
    }
    let of = table.map_or_else(String::new, |table| format!(" for {table} alone"));
    Ok(format!(
        "task {name} passes over {place}{of}, and goes on behind it: what it did is not in the target by that"
    ))
}

/// The command by which a task passes over what it stands at.
pub fn command(config: &Config, task: &str, standing: &Standing) -> Remedy {
    Remedy::Skip {
        file: config.file.clone(),
        position: standing.place.to_string(),
        task: task.to_owned(),
        table: standing.table.clone(),
    }
}

/// Whether something is on record of what stopped the task: it is got past.
async fn stored_cause(records: &Store, owner: &Owner) -> Result<bool, TaskError> {
    let stored = store::peek(owner.session(), records.task()).await?;
    Ok(stored.is_some_and(|stored| stored.cause.is_some()))
}

/// The table as it is on record. Where a database's name has a dot nobody can tell by what was written where it ends.
fn on_record(stored: &Stored, table: &TableName) -> TableName {
    let written = table.to_string();
    let mut same = stored.tables.keys().filter(|known| known.to_string() == written);
    match (same.next(), same.next()) {
        (Some(one), None) => one.clone(),
        _ => table.clone(),
    }
}

/// Refuses what would not leave tables whole behind the transaction.
fn may_pass(name: &str, stored: &Stored, table: Option<&TableName>) -> Result<(), TaskError> {
    let copied =
        |table: &StoredTable| matches!(table.state, TableState::Snapshotting { .. } | TableState::Pending);
    let Some(table) = table else {
        return match stored.tables.iter().find(|(_, known)| copied(known)) {
            Some((table, _)) => Err(refused(
                format!(
                    "{table} is still being copied, and its copy may hold a part of what the transaction did"
                ),
                Remedy::LeaveOut { table: table.clone() },
            )),
            None => Ok(()),
        };
    };
    let known = stored.tables.get(table);
    let known =
        known.ok_or_else(|| TaskError::NotOnRecord { table: table.clone(), task: name.to_owned() })?;
    let why = match &known.state {
        TableState::Streaming | TableState::CatchingUp { .. } => return Ok(()),
        TableState::Parked(_) => {
            format!("{table} is parked, and the other tables of task {name} are past what it was parked for")
        }
        TableState::Aside { .. } => {
            format!("{table} is copied beside the others, from a place behind the transaction")
        }
        TableState::Paused { .. } => {
            format!("{table} is paused, and the other tables of task {name} do not wait for it")
        }
        TableState::LetGo => format!("{table} is not carried any more"),
        TableState::Pending | TableState::Snapshotting { .. } => {
            format!("{table} is still being copied, and its copy may hold a part of what the transaction did")
        }
    };
    Err(refused(why, Remedy::Resync { table: table.clone() }))
}

fn refused(why: String, remedy: impl Into<Remedy>) -> TaskError {
    TaskError::NotSkipped { why, remedy: remedy.into() }
}

/// What the task stands at, with its checkpoint at `head`.
pub(super) fn standing<'a>(skips: &'a [Skip], head: &Position) -> Option<&'a Skip> {
    skips.last().filter(|last| last.asked.is_none() && !last.standing.place.is_passed(head))
}

/// What a stream that goes on after `start` is to pass over; the status is told what was passed over before.
pub(super) async fn asked(
    context: &Context,
    owner: &Owner,
    start: &Position,
) -> Result<Vec<Skip>, TaskError> {
    if !owner.before_run().has_skips {
        return Ok(Vec::new());
    }
    let mut skips = store::skips(owner.session(), &context.name).await?;
    let passed = passed(&skips);
    context.progress.tell(|task| task.skips = passed);
    skips.retain(|skip| {
        skip.asked.is_some() && skip.passed.is_none() && !skip.standing.place.is_passed(start)
    });
    Ok(skips)
}

/// What was passed over, for the status.
pub(super) fn passed(skips: &[Skip]) -> Skips {
    let done: Vec<&Skip> = skips.iter().filter(|skip| skip.passed.is_some()).collect();
    let done = distinct(done);
    let all = || done.iter().filter_map(|skip| Some(skipped(skip, skip.passed?)));
    Skips { count: u64::try_from(all().count()).unwrap_or(u64::MAX), last: all().next_back() }
}

/// What was said twice is one.
pub(super) fn distinct(skips: Vec<&Skip>) -> Vec<&Skip> {
    let table = |skip: &Skip| skip.asked.as_ref().and_then(|asked| asked.table.clone());
    let mut all: Vec<&Skip> = Vec::new();
    for skip in skips {
        let is_same =
            |other: &&Skip| other.standing.place.is_same(&skip.standing.place) && table(other) == table(skip);
        if !all.iter().any(is_same) {
            all.push(skip);
        }
    }
    all
}

/// A transaction was passed over, and that is durable.
pub(super) fn tell_passed(context: &Context, skip: &Skip) {
    let skipped = skipped(skip, now().seconds());
    let (transaction, table) = (&skipped.what.position, skipped.what.table.as_deref());
    tracing::warn!(
        task = context.name,
        transaction,
        table,
        "passed over by command: what it did is not in the target"
    );
    context.progress.tell(|task| {
        task.skips.count += 1;
        task.skips.last = Some(skipped.clone());
    });
}

fn skipped(skip: &Skip, at: u64) -> Skipped {
    let table = skip.asked.as_ref().and_then(|asked| asked.table.as_ref()).map(ToString::to_string);
    Skipped { what: Stands { position: skip.standing.place.to_string(), table }, at }
}

/// What a task stands at, for the status.
pub fn told(standing: &Standing) -> Stands {
    Stands { position: standing.place.to_string(), table: standing.table.as_ref().map(ToString::to_string) }
}
