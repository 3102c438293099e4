//! One group's way: its copy, its stream up to the main stream, and what becomes of it where it cannot be carried.
//!
//! What must never happen here: a table that readers have dropped or emptied, a table left half copied where they look for it.

use super::Ended;
use super::meet::{Guest, Visit};
use crate::change::policy::DdlPolicy;
use crate::change::state::{TableState, Trouble};
use crate::change::{FilePosition, Retry, TableName, TargetName};
use crate::config::ExistingTables;
use crate::config::types::Selection;
use crate::sink::store::{Stored, StoredTable};
use crate::sink::{Owner, catalog, ddl};
use crate::source::server::Server;
use crate::status::now;
use crate::task::applier::Memory;
use crate::task::context::Context;
use crate::task::recorded::{self, Known};
use crate::task::{TaskError, gather, group, prepare, refuse_failures, schema_sync, stream, tell, waiting};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The first pause before a group is tried again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// How often it is looked for a table that is not there.
const GONE_TRIES: u32 = 4;

/// A group of tables on its way to the main stream.
pub(super) struct Lane {
    /// The main stream's surroundings.
    pub main: Context,
    /// The main stream's ownership.
    pub owner: Arc<Owner>,
    /// Its number.
    pub side: u32,
    /// Its tables.
    pub tables: BTreeSet<TableName>,
    /// The main stream.
    pub visits: mpsc::Sender<Visit>,
    /// Where the main stream is.
    pub main_at: watch::Receiver<Option<FilePosition>>,
    /// The number of the last side stream.
    pub last: Arc<AtomicU32>,
}

/// Carries the group until the main stream takes it over.
///
/// # Errors
/// When nobody can be told what became of it: the target cannot be written, or another process has the task.
pub(super) async fn run(lane: Lane, stop: CancellationToken) -> Result<Ended, TaskError> {
    let mut pause = PAUSES.0;
    let mut tries = 0;
    let memory = Arc::new(Memory::default());
    loop {
        tries += 1;
        let attempt = Box::pin(attempt(&lane, &memory, &stop));
        let error = match attempt.await {
            Ok(ended) => return Ok(ended),
            Err(error) => error,
        };
        if stop.is_cancelled() {
            return Ok(Ended::Stopped);
        }
        let again = match again(&lane, &error).await {
            Ok(again) => again || is_worth_waiting(&error, tries),
            Err(other) if other.retry() == Retry::AfterBackoff && other.is_of_circumstances() => true,
            Err(other) => return Err(other),
        };
        if !again {
            return refused(&lane, error).await;
        }
        tracing::warn!(task = lane.main.name, side = lane.side, %error, pause_ms = pause.as_millis(), "tables aside are tried again");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Ok(Ended::Stopped),
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Whether the group can be tried again after an error; where that means from the start, it is put back there.
async fn again(lane: &Lane, error: &TaskError) -> Result<bool, TaskError> {
    if let TaskError::CopyAgain { .. } = error {
        start_over(lane).await?;
        return Ok(true);
    }
    if let (Some(table), Some(kind)) = (error.table(), error.ddl())
        && lane.main.ddl_policy(table, kind) == DdlPolicy::Recopy
    {
        start_over(lane).await?;
        return Ok(true);
    }
    Ok(error.retry() == Retry::AfterBackoff)
}

/// Whether a table that is not there is waited for: tools that change a table online rename it away and back.
fn is_worth_waiting(error: &TaskError, tries: u32) -> bool {
    matches!(error, TaskError::Gone { .. }) && tries < GONE_TRIES
}

async fn open(lane: &Lane) -> Result<(Arc<Owner>, Stored), TaskError> {
    let owner = lane.owner.aside(lane.main.target(), lane.side).await?;
    owner.store().open_side(owner.session()).await?;
    let stored = owner.store().load(owner.session()).await?;
    Ok((Arc::new(owner), stored))
}

/// Goes on where the group is.
async fn attempt(lane: &Lane, memory: &Arc<Memory>, stop: &CancellationToken) -> Result<Ended, TaskError> {
    let (owner, stored) = open(lane).await?;
    if has_joined(lane, &owner, &stored).await? {
        return Ok(Ended::Joined);
    }
    let tables = stored.tables.keys().cloned().collect();
    let context = lane.main.aside(&tables, replaced(lane, &owner, &stored).await?)?;
    let mut server = Server::connect(context.source()).await?;
    let mut gathered = gather::gather(&context, &mut server, owner.session(), Some(stored.clone())).await?;
    for name in stored.tables.keys() {
        if !gathered.definitions.iter().any(|table| table.name == *name) {
            return Err(TaskError::Gone { table: name.clone() });
        }
    }
    refuse_failures(&gather::judge(&context, &mut gathered))?;
    prepare::begun_elsewhere(&context, &mut server, &owner, &stored).await?;
    let stored = owner.store().load(owner.session()).await?;
    let prepared = schema_sync(&context, &mut server, &owner, &stored, &mut gathered).await?;
    let (checkpoint, mut tables) = (prepared.checkpoint, prepared.tables);
    tell::tables_aside(&context, &tables, &gathered);
    group::copy(&context, &mut server, &owner, &stored, &mut tables).await?;
    let pid = owner.session().backend_pid();
    waiting::at_target(&context, pid, group::renew_p1(&context, &mut server, &owner, &mut tables)).await?;
    let (end, joined) = (stop.child_token(), Arc::new(AtomicBool::new(false)));
    let recorded = tables.values().cloned().collect();
    let (main_at, visits) = (lane.main_at.clone(), lane.visits.clone());
    let guest = Guest::new(lane.side, main_at, visits, recorded, end.clone(), joined.clone());
    let source = stream::Source {
        server,
        names: gathered.source.names(),
        cascades: gathered.source.cascades(),
        left_out: BTreeMap::new(),
        file_begun: gathered.file_begun,
    };
    context.progress.step(|progress, now| progress.follows(checkpoint.position.to_string(), now));
    let company = stream::Company::Side(guest);
    let followed =
        stream::follow(&context, source, owner, checkpoint, tables, memory.clone(), end, company).await;
    if joined.load(Relaxed) {
        return Ok(Ended::Joined);
    }
    followed.map(|()| Ended::Stopped)
}

/// Whether nothing is on record of the group any more: the main stream has taken it over, though the answer to that was lost.
async fn has_joined(lane: &Lane, owner: &Owner, stored: &Stored) -> Result<bool, TaskError> {
    if !stored.tables.is_empty() {
        return Ok(false);
    }
    let session = owner.session();
    prepare::transaction(session, "BEGIN").await?;
    owner.store().close_side(session, lane.side).await?;
    prepare::transaction(session, "COMMIT").await?;
    Ok(true)
}

/// The tables that are copied beside the ones that readers have, with the columns that the task has made in those.
async fn replaced(
    lane: &Lane,
    owner: &Owner,
    stored: &Stored,
) -> Result<BTreeMap<TableName, Vec<String>>, TaskError> {
    let was_carried = |table: &StoredTable| !table.mapping.is_null();
    let known: Vec<(&TableName, &StoredTable)> =
        stored.tables.iter().filter(|(_, table)| was_carried(table)).collect();
    let wanted: Vec<TargetName> = known.iter().map(|(_, table)| table.target.clone()).collect();
    let there = catalog::tables(owner.session(), &wanted, &BTreeSet::new()).await?;
    let mut replaced = BTreeMap::new();
    for (name, table) in known {
        if !there.contains_key(&table.target) {
            continue;
        }
        if lane.main.task().existing_tables == ExistingTables::Ignore {
            return Err(TaskError::Unreplaceable {
                table: name.clone(),
                target: table.target.clone(),
                why: format!(
                    "with existing_tables = \"ignore\" its rows in {} cannot be told from those that were there",
                    table.target
                ),
            });
        }
        let mapping = recorded::mapping(&lane.main, name, table)?;
        let other = owner.store().other_feeder(owner.session(), &table.target).await?;
        if let (Some(other), None) = (other, &mapping.source_tag) {
            return Err(TaskError::Unreplaceable {
                table: name.clone(),
                target: table.target.clone(),
                why: format!("its rows in {} cannot be told from those of task \"{other}\"", table.target),
            });
        }
        replaced.insert(name.clone(), recorded::former(&lane.main, name, table)?);
    }
    Ok(replaced)
}

/// Puts the whole group back to its start. What was copied is dropped, where readers do not have it already.
async fn start_over(lane: &Lane) -> Result<(), TaskError> {
    let (owner, stored) = open(lane).await?;
    let known = prepare::known(&lane.main, &stored)?;
    let (session, store) = (owner.session(), owner.store());
    prepare::transaction(session, "BEGIN").await?;
    drop_copies(&owner, &known).await?;
    for recorded in known.values() {
        recorded.reset(&store, session, &TableState::Pending).await?;
    }
    store.restart_side(session).await?;
    prepare::transaction(session, "COMMIT").await?;
    Ok(())
}

/// Drops copies that readers do not look for: those beside other tables, and tables made here that are not whole.
async fn drop_copies(owner: &Owner, known: &Known) -> Result<(), TaskError> {
    for recorded in known.values() {
        let whole = recorded.state == TableState::Streaming;
        if recorded.place.is_some() {
            ddl::drop_table(owner.session(), recorded.target()).await?;
        } else if recorded.created && !whole {
            let others = known.values().filter(|other| other.name() != recorded.name());
            prepare::drop_or_empty(owner, recorded, others).await?;
        }
    }
    Ok(())
}

/// The group cannot be carried: several tables are tried one by one, one alone is parked, or left out where it is new.
async fn refused(lane: &Lane, error: TaskError) -> Result<Ended, TaskError> {
    let (owner, stored) = open(lane).await?;
    if has_joined(lane, &owner, &stored).await? {
        return Ok(Ended::Joined);
    }
    let known = prepare::known(&lane.main, &stored)?;
    let (session, store) = (owner.session(), owner.store());
    if stored.tables.len() > 1 {
        prepare::transaction(session, "BEGIN").await?;
        drop_copies(&owner, &known).await?;
        let mut groups = BTreeMap::new();
        for name in stored.tables.keys() {
            let side = lane.last.fetch_add(1, Relaxed) + 1;
            store.renumber(session, name, side).await?;
            groups.insert(side, BTreeSet::from([name.clone()]));
        }
        store.close_side(session, lane.side).await?;
        prepare::transaction(session, "COMMIT").await?;
        tracing::warn!(task = lane.main.name, %error, "tables aside are tried one by one");
        return Ok(Ended::Split(groups));
    }
    let remedy = match error.retry() {
        Retry::AfterFix { remedy } => remedy.to_string(),
        Retry::AfterBackoff | Retry::Never => String::new(),
    };
    let trouble = Trouble { error: error.to_string(), remedy, since: now().seconds() };
    for (name, table) in &stored.tables {
        tracing::error!(task = lane.main.name, table = %name, remedy = trouble.remedy, "the table is not carried: {error}");
        prepare::transaction(session, "BEGIN").await?;
        drop_copies(&owner, &known).await?;
        if table.mapping.is_null() {
            store.forget_table(session, name).await?;
            store.close_side(session, lane.side).await?;
            prepare::transaction(session, "COMMIT").await?;
            let why = (!matches!(error, TaskError::Gone { .. })).then(|| trouble.error.clone());
            let _main_has_ended = lane.visits.send(Visit::LeaveOut(name.clone(), why)).await;
            continue;
        }
        let state = TableState::Parked(trouble.clone());
        store.restate(session, name, &state).await?;
        store.close_side(session, lane.side).await?;
        prepare::transaction(session, "COMMIT").await?;
        lane.main.progress.tell(|task| tell::moved(task, name, &table.target, &state));
        // A statement that the main stream meets from here on brings it back.
        let _main_has_ended = lane.visits.send(Visit::Parked(name.clone())).await;
        let comes_back = matches!(error.ddl(), Some("drop_table" | "drop_database" | "rename_table"));
        if (comes_back || matches!(error, TaskError::Gone { .. }))
            && !Server::connect(lane.main.source()).await?.tables(&lane.selection()?).await?.is_empty()
        {
            let side = lane.last.fetch_add(1, Relaxed) + 1;
            prepare::transaction(session, "BEGIN").await?;
            lane.owner.store().renumber(session, name, side).await?;
            prepare::transaction(session, "COMMIT").await?;
            return Ok(Ended::Split(BTreeMap::from([(side, lane.tables.clone())])));
        }
    }
    Ok(Ended::Refused)
}

impl Lane {
    fn selection(&self) -> Result<Selection, TaskError> {
        let selection = Selection::only(&self.tables);
        selection.map_err(|error| TaskError::Internal(format!("a selection of names: {error}")))
    }
}
