//! The live status model: told by those who run tasks, read by those who ask.
//!
//! What must never happen here: an answer for those who tell. What a task does is decided by what it holds itself.

use super::clock::now;
use crate::change::status::{Identity, Model, TaskStatus};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The shared, live model.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<RwLock<Model>>);

impl Board {
    /// The board of a daemon that starts now and runs this config.
    pub fn new(config: Identity) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let model = Model { version, config, started: now().seconds(), tasks: BTreeMap::new() };
        Self(Arc::new(RwLock::new(model)))
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

    /// Which config the daemon runs.
    pub fn config(&self) -> Identity {
        self.0.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }

    /// A task is no more.
    pub fn forget(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).tasks.remove(name);
    }

    /// The daemon runs this config from here on.
    pub fn reload(&self, config: Identity) {
        let mut model = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let socket = std::mem::take(&mut model.config.socket);
        model.config = Identity { socket, ..config };
    }

    /// The daemon can be told what to do by this local socket.
    pub fn listens_at(&self, socket: String) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).config.socket = socket;
    }

    /// Changes what is told of a task; begins with it when it is new.
    pub fn tell(&self, name: &str, change: impl FnOnce(&mut TaskStatus)) {
        let mut model = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(model.tasks.entry(name.to_owned()).or_insert_with(|| TaskStatus::new(now())));
    }
}
