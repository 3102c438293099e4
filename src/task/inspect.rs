//! What can be asked of a task without running it: its precheck, its plan, and what is on record of it. Writes nothing.

use super::context::Context;
use super::progress::Progress;
use super::targets;
use super::{TaskError, ask, gather, skipping, tell};
use crate::change::TableName;
use crate::change::state::{Rest, TableState};
use crate::change::status::{Phase, TaskStatus};
use crate::config::{Config, ExistingTables};
use crate::precheck::Report;
use crate::sink::ddl::{self, Clear};
use crate::sink::{Session, catalog, store};
use crate::status::{Board, now};
use crate::transform::map_table;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The precheck of a task; writes nothing.
///
/// # Errors
/// When a server cannot be asked.
pub async fn check(name: &str, config: &Arc<Config>) -> Result<Report, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let (_, _, mut gathered) = ask(&context, &format!("rowferry/{name}/check")).await?;
    Ok(gather::judge(&context, &mut gathered))
}

/// What would be done to a task's targets.
#[derive(Debug)]
pub enum Planned {
    /// These statements.
    Statements(Vec<String>),
    /// Nothing: the task's precheck fails, and this is all of it.
    Refused(Report),
}

/// The statements that would make a task's targets; writes nothing.
///
/// # Errors
/// When a server cannot be asked.
pub async fn plan(name: &str, config: &Arc<Config>) -> Result<Planned, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let (mut server, session, mut gathered) = ask(&context, &format!("rowferry/{name}/plan")).await?;
    let report = gather::judge(&context, &mut gathered);
    if !report.passed() {
        return Ok(Planned::Refused(report));
    }
    let stored = store::peek(&session, name).await?;
    let is_fed = |name: &TableName| {
        let known = stored.as_ref().and_then(|stored| stored.tables.get(name));
        // One that has only just come has no target yet.
        known.is_some_and(|known| known.state != TableState::Pending && !known.mapping.is_null())
    };
    let mut mappings = Vec::new();
    // What other tables of the task feed already is neither made nor emptied, and what several will feed is so once.
    let mut targets = BTreeSet::new();
    for (name, table) in stored.iter().flat_map(|stored| &stored.tables) {
        if is_fed(name) {
            targets.insert(table.target.clone());
        }
    }
    for table in server.tables(&context.task().tables).await? {
        if !is_fed(&table.name) && !gathered.left_out.contains_key(&table.name) {
            let mapping = map_table(&table, &context.rules(&table.name))?;
            if targets.insert(mapping.target.name.clone()) {
                mappings.push(mapping);
            }
        }
    }
    let task = context.task();
    let mut wanted = Vec::new();
    for mapping in &mappings {
        let clear = if task.existing_tables == ExistingTables::Clear
            && task.initial_data
            && catalog::shape(&session, &mapping.target.name).await?.is_some()
        {
            targets::cleared(&context, &session, mapping).await?
        } else {
            Clear::Nothing
        };
        wanted.push((&mapping.target, clear));
    }
    Ok(Planned::Statements(ddl::planned(&session, &wanted, task.initial_schema).await?))
}

/// What the target holds of a task that may not be running; writes nothing.
///
/// # Errors
/// When the target cannot be asked or its records cannot be read.
pub async fn stored(name: &str, config: &Arc<Config>) -> Result<TaskStatus, TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let session = Session::connect(context.target(), &format!("rowferry/{name}/status")).await?;
    let mut status = TaskStatus { phase: Phase::Stopped, ..TaskStatus::new(now()) };
    context.task().source.clone_into(&mut status.source);
    context.task().target.clone_into(&mut status.target);
    match store::resting(&session, name).await? {
        Some(Rest::Paused(since)) => (status.phase, status.since) = (Phase::Paused, since),
        Some(Rest::Dropped(since)) => {
            (status.phase, status.since) = (Phase::Dropped, since);
            return Ok(status);
        }
        None => {}
    }
    let Some(stored) = store::peek(&session, name).await? else { return Ok(status) };
    status.cause = stored.cause;
    status.verified = stored.verified;
    status.skips = skipping::passed(&stored.skips);
    let head = stored.checkpoint.as_ref().map(|checkpoint| &checkpoint.position);
    status.stands = head
        .and_then(|head| skipping::standing(&stored.skips, head))
        .map(|skip| skipping::told(&skip.standing));
    status.position = stored.checkpoint.as_ref().map(|checkpoint| checkpoint.position.to_string());
    let committed = stored.committed_at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    status.committed = committed.map_or(0, |since| since.as_secs());
    for (table, record) in &stored.tables {
        if record.state == TableState::Pending {
            continue;
        }
        let target = match record.mapping {
            serde_json::Value::Null => context.target_name(table),
            _ => record.target.clone(),
        };
        let copied: i64 = record.chunks.iter().map(|chunk| chunk.rows).sum();
        let mut told = tell::table(&target, &record.state, u64::try_from(copied).unwrap_or(0), 0);
        told.quarantined = stored.quarantined.get(table).copied().unwrap_or(0);
        status.tables.insert(table.to_string(), told);
    }
    tell::count(&mut status, &stored.counts);
    Ok(status)
}
