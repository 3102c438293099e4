//! What the status says of a task when it starts: its servers and tables.

use super::context::Context;
use super::gather::Gathered;
use super::memory::Memory;
use super::progress::TaskProgress;
use super::recorded::Known;
use crate::change::state::TableState;
use crate::change::status::{NotCarried, PausedTable, TablePhase, TableStatus, TaskStatus, Upkeep};
use crate::change::{Position, TableName, TargetName};
use crate::sink::store::{Counts, Stored};

/// Which servers they are.
pub(super) fn servers(context: &Context, gathered: &Gathered) {
    let flavour = match gathered.source.flavour {
        crate::change::facts::Flavour::MySql => "MySQL",
        crate::change::facts::Flavour::MariaDb => "MariaDB",
    };
    context.progress.step_and_tell(TaskProgress::hears, |task| {
        context.task().source.clone_into(&mut task.source);
        context.task().target.clone_into(&mut task.target);
        task.source_server = format!("{flavour} {}", gathered.source.version);
        // PostgreSQL goes on with the machine and the compiler.
        let version = gathered.target.version.split(" on ").next();
        version.unwrap_or_default().clone_into(&mut task.target_server);
    });
}

/// What is carried, and how far each table is. Counters go on over restarts of the task.
pub(super) fn tables(
    context: &Context,
    memory: &Memory,
    tables: &Known,
    gathered: &Gathered,
    stored: &Stored,
) {
    // Of what is peeked at alone.
    let counts = gathered.stored.as_ref().map(|stored| stored.counts.clone()).unwrap_or_default();
    memory.records_statements(counts.passed);
    let statuses = tables.iter().map(|(name, recorded)| {
        let chunks = stored
            .tables
            .get(name)
            .filter(|stored| stored.state == recorded.state)
            .map(|stored| stored.chunks.as_slice());
        let copied: i64 = chunks.unwrap_or_default().iter().map(|chunk| chunk.rows).sum();
        let estimated = gathered.source.tables.get(name).map_or(0, |facts| facts.estimated_rows);
        (
            name.to_string(),
            table(recorded.target(), &recorded.state, u64::try_from(copied).unwrap_or(0), estimated),
        )
    });
    let statuses: Vec<_> = statuses.collect();
    let (left_out, not_followed) = (gathered.reasons(), gathered.unfollowed());
    let carried = carried(tables);
    context.progress.step_and_tell(
        |progress, _| progress.carries(carried),
        |task| {
            // What is selected and there is carried from here on, but what the precheck has left out.
            task.not_carried = NotCarried::new(&left_out);
            task.not_followed.clone_from(&not_followed);
            task.tables.retain(|name, _| statuses.iter().any(|(carried, _)| carried == name));
            for (name, mut status) in statuses {
                // Counters go on over restarts of the task.
                if let Some(before) = task.tables.get(&name) {
                    (status.inserts, status.updates, status.deletes) =
                        (before.inserts, before.updates, before.deletes);
                    (status.drift, status.drift_example) = (before.drift, before.drift_example.clone());
                    (status.quarantined, status.quarantined_ever) =
                        (before.quarantined, before.quarantined_ever);
                    status.copied_rows = status
                        .copied_rows
                        .max(if status.phase == TablePhase::Snapshotting { 0 } else { before.copied_rows });
                }
                task.tables.insert(name, status);
            }
            count(task, &counts);
        },
    );
}

/// What was counted before this process began, where it has not counted on from there.
pub(super) fn count(task: &mut TaskStatus, counts: &Counts) {
    task.statements_passed = task.statements_passed.max(counts.passed);
    for (target, (rows, example)) in &counts.drift {
        let target = target.to_string();
        // The first of several that feed it, as where they are counted.
        let Some(status) = task.tables.values_mut().find(|status| status.target == target) else { continue };
        if status.drift < *rows {
            (status.drift, status.drift_example) = (*rows, example.clone());
        }
    }
}

/// The tables that the main stream does not carry, as they are on record.
pub(super) fn others(context: &Context, stored: &Stored) {
    context.progress.tell(|task| {
        for (name, table) in &stored.tables {
            if !table.state.is_of_main() && table.state != TableState::Pending {
                moved(task, name, &table.target, &table.state);
            }
        }
    });
}

/// The tables of a side stream, which goes on from this place.
pub(super) fn tables_aside(context: &Context, tables: &Known, gathered: &Gathered, from: &Position) {
    let carried = carried(tables);
    context.progress.step_and_tell(
        |progress, _| progress.carries(carried),
        |task| {
            let is_of_them = |told: &String| tables.keys().any(|name| told.starts_with(&format!("{name}.")));
            task.not_followed.retain(|told| !is_of_them(told));
            task.not_followed.extend(gathered.unfollowed());
            for (name, recorded) in tables {
                let estimated = gathered.source.tables.get(name).map_or(0, |facts| facts.estimated_rows);
                moved(task, name, recorded.read_by_others(), &recorded.state);
                if let Some(status) = task.tables.get_mut(&name.to_string()) {
                    status.estimated_rows = estimated;
                    status.aside = true;
                    // A copy that has come so far is about to take its place.
                    let is_resumed = recorded.state == TableState::Streaming && recorded.place.is_none();
                    status.catching_up_from = is_resumed.then(|| from.to_string());
                }
            }
        },
    );
}

/// A table has left the main stream; without a state it is no more.
pub(super) fn away(task: &mut TaskStatus, name: &TableName, target: &TargetName, state: Option<&TableState>) {
    match state {
        Some(state) => moved(task, name, target, state),
        None => {
            task.tables.remove(&name.to_string());
        }
    }
}

/// A table has another name.
pub(super) fn renamed(task: &mut TaskStatus, from: &TableName, to: &TableName, target: &TargetName) {
    if let Some(mut status) = task.tables.remove(&from.to_string()) {
        status.target = target.to_string();
        task.tables.insert(to.to_string(), status);
    }
}

/// A table has changed streams, or is parked.
pub(super) fn moved(task: &mut TaskStatus, name: &TableName, target: &TargetName, state: &TableState) {
    let fresh = table(target, state, 0, 0);
    let status = task.tables.entry(name.to_string()).or_insert_with(|| fresh.clone());
    (status.phase, status.trouble, status.aside) = (fresh.phase, fresh.trouble, fresh.aside);
    (status.waiting_for, status.target, status.paused) = (None, fresh.target, fresh.paused);
    status.catching_up_from = None;
}

/// The tables as they are on record: where each goes, and how far it is.
pub(super) fn carried(tables: &Known) -> Vec<(TableName, TargetName, TablePhase)> {
    let carried = tables
        .iter()
        .map(|(name, recorded)| (name.clone(), recorded.target().clone(), phase(&recorded.state)));
    carried.collect()
}

/// A table as it is on record.
pub(super) fn table(
    target: &TargetName,
    state: &TableState,
    copied_rows: u64,
    estimated_rows: u64,
) -> TableStatus {
    TableStatus {
        target: target.to_string(),
        phase: phase(state),
        copied_rows,
        estimated_rows,
        inserts: 0,
        updates: 0,
        deletes: 0,
        drift: 0,
        drift_example: None,
        quarantined: 0,
        quarantined_ever: 0,
        trouble: match state {
            TableState::Parked(trouble) => Some(trouble.clone()),
            _ => None,
        },
        paused: match state {
            TableState::Paused { from, since } => {
                Some(PausedTable { since: *since, position: from.to_string() })
            }
            _ => None,
        },
        catching_up_from: None,
        waiting_for: None,
        aside: matches!(state, TableState::Aside { .. }),
        upkeep: Upkeep::default(),
    }
}

fn phase(state: &TableState) -> TablePhase {
    match state {
        TableState::Pending => TablePhase::Pending,
        TableState::Snapshotting { .. } => TablePhase::Snapshotting,
        TableState::CatchingUp { .. } => TablePhase::CatchingUp,
        TableState::Streaming => TablePhase::Streaming,
        TableState::Aside { within, .. } => phase(within),
        TableState::Parked(_) => TablePhase::Parked,
        TableState::Paused { .. } => TablePhase::Paused,
        TableState::LetGo => TablePhase::LetGo,
    }
}
