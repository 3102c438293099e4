//! The live status model: told by those who run tasks, read by those who ask.
//!
//! What must never happen here: an answer for those who tell. What a task does is decided by what it holds itself.

use super::clock::now;
use crate::change::status::{Model, Phase, TaskStatus};
use std::sync::{Arc, PoisonError, RwLock};

/// The shared, live model.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<RwLock<Model>>);

impl Board {
    /// A board for a daemon that starts now.
    pub fn new() -> Self {
        let board = Self::default();
        board.change(|model| {
            env!("CARGO_PKG_VERSION").clone_into(&mut model.version);
            model.started = now().seconds();
        });
        board
    }

    /// A copy of the model, with the lag as it is now.
    pub fn read(&self) -> Model {
        let mut model = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let now = now();
        for task in model.tasks.values_mut() {
            task.lag_millis = task.lag(now);
        }
        model
    }

    /// Changes the model.
    pub fn change<R>(&self, change: impl FnOnce(&mut Model) -> R) -> R {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes one task; creates it when new.
    pub fn task<R>(&self, name: &str, change: impl FnOnce(&mut TaskStatus) -> R) -> R {
        self.change(|model| {
            let task = model.tasks.entry(name.to_owned()).or_insert_with(|| TaskStatus::new(now()));
            change(task)
        })
    }

    /// Enters a phase; whether it is another than before.
    pub fn enter(&self, name: &str, phase: Phase) -> bool {
        self.task(name, |task| {
            let news = task.phase != phase;
            if news {
                task.since = now().seconds();
                task.phase = phase;
                task.waiting_for = None;
            }
            news
        })
    }
}
