//! What the parts of a task share of its progress.
//!
//! What must never happen here: a step that the board is not told.

use super::TaskProgress;
use crate::change::TableName;
use crate::change::status::{Phase, TaskStatus, Time};
use crate::status::{Board, now};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The progress of a task, and the board that is told of it.
#[derive(Clone, Debug)]
pub struct Progress {
    task: Arc<str>,
    state: Arc<Mutex<TaskProgress>>,
    board: Board,
    /// It is that of a side stream of these tables, which tells of them only.
    aside: Option<Arc<[String]>>,
}

impl Progress {
    /// That of a task that has not begun.
    pub fn new(task: &str, board: Board) -> Self {
        let progress = Self {
            task: task.into(),
            state: Arc::new(Mutex::new(TaskProgress::new(now()))),
            board,
            aside: None,
        };
        progress.step(|_, _| {});
        progress
    }

    /// That of a side stream of these tables of the task.
    pub fn aside<'a>(&self, tables: impl IntoIterator<Item = &'a TableName>) -> Self {
        let tables = tables.into_iter().map(TableName::to_string).collect();
        Self { state: Arc::new(Mutex::new(TaskProgress::new(now()))), aside: Some(tables), ..self.clone() }
    }

    /// The task's name.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// What follows from how it stands.
    pub fn ask<R>(&self, ask: impl FnOnce(&TaskProgress) -> R) -> R {
        ask(&self.lock())
    }

    /// Takes a step, and tells it.
    pub fn step<R>(&self, step: impl FnOnce(&mut TaskProgress, Time) -> R) -> R {
        self.step_and_tell(step, |_| {})
    }

    /// Takes a step, and tells it together with what is only told.
    pub fn step_and_tell<R>(
        &self,
        step: impl FnOnce(&mut TaskProgress, Time) -> R,
        tell: impl FnOnce(&mut TaskStatus),
    ) -> R {
        let mut state = self.lock();
        let before = state.phase.name();
        let result = step(&mut state, now());
        let (phase, on_its_way) = (state.phase.name(), is_on_its_way(&state.phase));
        if let Some(tables) = &self.aside {
            self.tell_of_tables(|status| {
                tell(status);
                state.tell_tables(status);
                for name in tables.iter() {
                    if let Some(table) = status.tables.get_mut(name) {
                        table.waiting_for = state.waiting_for.clone().filter(|_| table.aside);
                    }
                }
            });
            return result;
        }
        self.board.tell(&self.task, |status| {
            tell(status);
            state.tell(status);
        });
        drop(state);
        if on_its_way && phase != before {
            tracing::info!(task = &*self.task, "{phase}");
        }
        result
    }

    /// Tells what nothing follows from.
    pub fn tell(&self, tell: impl FnOnce(&mut TaskStatus)) {
        if self.aside.is_some() { self.tell_of_tables(tell) } else { self.board.tell(&self.task, tell) }
    }

    /// Looks at what is told of the task, and may tell of it.
    pub fn ask_status<R: Default>(&self, ask: impl FnOnce(&mut TaskStatus) -> R) -> R {
        let mut answer = R::default();
        self.board.tell(&self.task, |status| answer = ask(status));
        answer
    }

    /// Tells of the tables; what is told of the task is left as it is.
    fn tell_of_tables(&self, tell: impl FnOnce(&mut TaskStatus)) {
        self.board.tell(&self.task, |status| {
            let mut aside =
                TaskStatus { tables: std::mem::take(&mut status.tables), ..TaskStatus::default() };
            tell(&mut aside);
            status.tables = aside.tables;
        });
    }

    fn lock(&self) -> MutexGuard<'_, TaskProgress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a phase lies on a task's way to Synchronizing. Of the others the supervisor says more in the log.
fn is_on_its_way(phase: &Phase) -> bool {
    match phase {
        Phase::Prechecking
        | Phase::SchemaSync
        | Phase::Snapshot
        | Phase::CatchingUp
        | Phase::Synchronizing => true,
        Phase::Retrying { .. } | Phase::Failed { .. } | Phase::Paused | Phase::Dropped | Phase::Stopped => {
            false
        }
    }
}
