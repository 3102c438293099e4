//! What somebody asks of the tables while the task runs: whether it can be, and what the main stream does for it.
//!
//! What must never happen here: an answer that says done before it is durable.

use super::manager::Manager;
use super::meet::{Asked, Visit};
use crate::change::TableName;
use crate::change::command::Change;
use crate::change::remedy::{InConfig, Remedy};
use crate::change::state::TableState;
use crate::sink::Owner;
use crate::sink::store::{self, AskedSkip, Stored, StoredTable};
use crate::status::now;
use crate::task::request::Request;
use crate::task::{TaskError, targets};
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::oneshot;

impl Manager {
    /// Does what is asked, as far as it can be done, and answers.
    pub(super) async fn does(&self, request: Request) {
        let Request { change, tables, mut answer, begun } = request;
        if answer.is_closed() {
            return;
        }
        begun.store(true, Relaxed);
        let mut lines = Vec::new();
        let mut failed = self.can(change, &tables).await.err();
        for table in tables.iter().filter(|_| failed.is_none()) {
            let done = tokio::select! {
                done = self.one(change, table) => done,
                // Nobody is told of the rest, so it is not done.
                () = answer.closed() => return,
            };
            match done {
                Ok(line) => {
                    tracing::info!(task = self.context.name, %table, "by command: {line}");
                    lines.push(format!("{table}: {line}"));
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let _asker_has_gone = answer.send((lines, failed));
    }

    /// Nothing is done where one of the tables cannot be changed.
    async fn can(&self, change: Change, tables: &[TableName]) -> Result<(), TaskError> {
        let stored = self.owner.store().load(self.owner.session()).await?;
        for table in tables {
            let known = stored.tables.get(table);
            let change = meets_skipped(&self.owner, &self.context.name, change, table, known).await?;
            if let (Change::Pause, Some(other)) = (change, hangs_on(&stored, table)) {
                let why = "rows of other tables change with its rows, by foreign keys";
                tracing::info!(task = self.context.name, %table, %other, "it is not paused: {why}");
                return Err(TaskError::Rests {
                    table: table.clone(),
                    why,
                    remedy: InConfig::PauseTask.into(),
                });
            }
            check(&self.context, &self.owner, (change, true), table, known).await?;
        }
        Ok(())
    }

    async fn one(&self, change: Change, table: &TableName) -> Result<&'static str, TaskError> {
        let stored = self.owner.store().load(self.owner.session()).await?;
        self.memory.rests().end(table);
        let known = stored.tables.get(table);
        let change = meets_skipped(&self.owner, &self.context.name, change, table, known).await?;
        let what = match (change, known.map(|known| &known.state)) {
            (Change::Pause, state) if may_pause(&self.context.name, table, state, true)? => {
                Asked::Pause { since: now().seconds() }
            }
            (Change::Resume, Some(TableState::Paused { .. })) => Asked::Resume,
            (Change::Resume, _) => return Ok(NOT_PAUSED),
            (Change::Pause, _) | (Change::Add, Some(TableState::Paused { .. })) => {
                return Ok(PAUSED_ALREADY);
            }
            (Change::Add | Change::Resync, Some(TableState::Aside { within, .. })) => {
                return Ok(on_its_way(within));
            }
            (Change::Drop { remove_rows: false }, Some(TableState::LetGo)) => {
                return Ok("it is not carried");
            }
            (
                Change::Add,
                Some(TableState::Snapshotting { .. } | TableState::CatchingUp { .. } | TableState::Streaming),
            ) => return Ok("it is carried already"),
            (Change::Add, None | Some(TableState::LetGo | TableState::Pending))
            | (Change::Resync, Some(TableState::LetGo)) => Asked::LetIn,
            (Change::Add | Change::Resync, _) => Asked::Again,
            (Change::Drop { remove_rows }, _) => Asked::LetGo { remove_rows },
        };
        let (heard, done) = oneshot::channel();
        let sent = self.visits.send(Visit::Asked { table: table.clone(), what, heard }).await;
        match (sent, done.await, what) {
            (Ok(()), Ok(_), Asked::LetIn) => Ok("it is copied beside the others"),
            (Ok(()), Ok(_), Asked::Again) => Ok("it is copied again"),
            (Ok(()), Ok(_), Asked::Pause { .. }) => Ok(PAUSED),
            (Ok(()), Ok(true), Asked::Resume) => Ok(RESUMED),
            (Ok(()), Ok(false), Asked::Resume) => Ok(NOT_PAUSED),
            (Ok(()), Ok(_), Asked::Beside { .. }) => Ok("it is copied again, with others"),
            (Ok(()), Ok(gone), Asked::LetGo { remove_rows }) => Ok(dropped(remove_rows, gone)),
            _ => {
                let why = "the task starts over, and it is not known whether it was done";
                Err(TaskError::Unsettled { why: why.to_owned() })
            }
        }
    }
}

/// What has become of a table that is dropped, whose rows were to go or not, and are gone or not.
pub(in crate::task) fn dropped(remove_rows: bool, gone: bool) -> &'static str {
    match (remove_rows, gone) {
        (true, true) => "it is not carried any more, and its rows are gone",
        (true, false) => {
            "it is not carried any more; its rows stay, for they cannot be told from others or taken out (see the log)"
        }
        (false, _) => "it is not carried any more; its target table stays",
    }
}

pub(in crate::task) const PAUSED: &str = "it is paused, and stays so until it is resumed";
pub(in crate::task) const PAUSED_ALREADY: &str = "it is paused already";
pub(in crate::task) const NOT_PAUSED: &str = "it is not paused";
/// Whether the log holds what comes next for it the side stream finds out.
pub(in crate::task) const RESUMED: &str =
    "it goes on from where it was, or is copied again where the source's log has that no more";

/// What is said of a table that has not come up with the others yet.
pub(in crate::task) fn on_its_way(within: &TableState) -> &'static str {
    match within {
        TableState::Streaming => "it is on its way to the others, and goes on",
        _ => "its copy is on its way, and goes on",
    }
}

/// A table that would meet, on its way from where it was paused, what somebody has had passed over is copied instead: its stream knows
/// nothing of that, and what was done by hand instead may be in the target.
///
/// # Errors
/// What the target answers.
pub(in crate::task) async fn meets_skipped(
    owner: &Owner,
    task: &str,
    change: Change,
    table: &TableName,
    known: Option<&StoredTable>,
) -> Result<Change, TaskError> {
    let (Change::Resume, Some(TableState::Paused { since, .. })) = (change, known.map(|known| &known.state))
    else {
        return Ok(change);
    };
    let meets = store::skips(owner.session(), task).await?.into_iter().any(|skip| {
        let concerns = |asked: AskedSkip| asked.table.is_none_or(|asked| asked == *table);
        skip.asked.is_some_and(concerns) && skip.passed.is_none_or(|passed| passed >= *since)
    });
    Ok(if meets { Change::Resync } else { change })
}

/// Whether a table can be paused, of a task that runs or not; false where it is already.
///
/// # Errors
/// Why it cannot.
pub(in crate::task) fn may_pause(
    task: &str,
    table: &TableName,
    state: Option<&TableState>,
    runs: bool,
) -> Result<bool, TaskError> {
    let table = table.clone();
    match state {
        Some(TableState::Streaming) => Ok(true),
        // Its own stream does not run either, and may be what the task has failed for.
        Some(TableState::Aside { within, .. }) if !runs && **within == TableState::Streaming => Ok(true),
        Some(TableState::Paused { .. }) => Ok(false),
        Some(TableState::Snapshotting { .. } | TableState::CatchingUp { .. } | TableState::Aside { .. }) => {
            Err(TaskError::OnItsWay { table })
        }
        Some(TableState::Parked(_)) => {
            let remedy = Remedy::Resync { table: table.clone() };
            Err(TaskError::Rests { table, why: "it is parked, so nothing is applied to it", remedy })
        }
        Some(TableState::LetGo) => {
            Err(TaskError::Rests { table, why: "it is not carried", remedy: InConfig::NameATable.into() })
        }
        None | Some(TableState::Pending) => Err(TaskError::NotOnRecord { table, task: task.to_owned() }),
    }
}

/// Whether what is asked of a table can be done, of a task that runs or not.
///
/// # Errors
/// Why it cannot.
pub(in crate::task) async fn check(
    context: &crate::task::context::Context,
    owner: &Owner,
    (change, runs): (Change, bool),
    table: &TableName,
    known: Option<&StoredTable>,
) -> Result<(), TaskError> {
    let task = context.name.clone();
    if !context.task().tables.contains(&table.database, &table.table) {
        return Err(TaskError::NotSelected { table: table.clone(), task });
    }
    match (change, known) {
        (Change::Add, _) => Ok(()),
        (Change::Pause, known) => {
            may_pause(&task, table, known.map(|known| &known.state), runs).map(|_is_to_be| ())
        }
        (Change::Drop { .. }, Some(StoredTable { state: TableState::Aside { .. }, .. })) => {
            Err(TaskError::OnItsWay { table: table.clone() })
        }
        (_, None | Some(StoredTable { state: TableState::Pending, .. })) => {
            Err(TaskError::NotOnRecord { table: table.clone(), task })
        }
        (Change::Resync, Some(known)) if !matches!(known.state, TableState::Aside { .. }) => {
            targets::is_replaceable(context, owner, table, known).await
        }
        (Change::Resync | Change::Resume | Change::Drop { .. }, Some(_)) => Ok(()),
    }
}

/// A table that is carried whose rows change with those of this one.
fn hangs_on(stored: &Stored, table: &TableName) -> Option<TableName> {
    let carried = stored.tables.iter().filter(|(name, other)| {
        *name != table && matches!(other.state, TableState::Streaming | TableState::CatchingUp { .. })
    });
    let mut refers = carried.filter(|(_, other)| {
        let keys =
            other.schemas.last().map(|schema| schema.table.foreign_keys.as_slice()).unwrap_or_default();
        keys.iter().any(|key| key.parent == *table)
    });
    refers.next().map(|(name, _)| name.clone())
}
