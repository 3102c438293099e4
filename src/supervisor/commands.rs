//! What a daemon is told while it runs: to take in its config anew, and to change what a task does with tables.
//!
//! What must never happen here: a task stopped whose section and servers have not changed.

use super::{Running, State, Supervisor};
use crate::change::TableName;
use crate::change::command::{Change, Failure, Pausing, Reply};
use crate::change::status::Phase;
use crate::config::{self, Config, ConfigError};
use crate::task::{self, Progress, TaskError, TaskProgress};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How long a task that is starting is waited for before somebody who asks is told to try again.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long tasks that begin by a reload are waited for until their records are as the config says.
const TAKING: Duration = Duration::from_secs(10);

impl Supervisor {
    /// Takes in the config file as it is now, and says what that has changed once it is on record. Tasks that are as they were go on; those
    /// that have failed are tried again.
    ///
    /// # Errors
    /// When the file cannot be used: everything goes on as it was.
    pub async fn reload(&self) -> Result<(Arc<Config>, Vec<String>), ConfigError> {
        let mut state = self.state.lock().await;
        let config = Arc::new(config::load(Path::new(&state.config.file))?);
        let mut lines = restart_takes(&state.config, &config);
        let mut begun = Vec::new();
        state.config = config.clone();
        let gone: Vec<String> =
            state.tasks.keys().filter(|name| !config.tasks.contains_key(*name)).cloned().collect();
        for name in gone {
            self.end(&mut state, &name).await;
            self.board.forget(&name);
            lines.push(format!("task {name} is no more: it is stopped"));
        }
        for name in config.tasks.keys() {
            let line = match state.tasks.get(name) {
                None => "is new: it starts",
                Some(running) if !same(&running.config, &config, name) => "starts over with its new settings",
                Some(running) if running.progress.ask(has_failed) => "is tried again",
                Some(_) => continue,
            };
            self.end(&mut state, name).await;
            let running = Running::begin(name, &config, &self.board, &self.stop);
            begun.push((name.clone(), running.memory.clone(), running.progress.clone()));
            state.tasks.insert(name.clone(), running);
            lines.push(format!("task {name} {line}"));
        }
        self.board.reload(config.identity());
        drop(state);
        lines.extend(self.taken(&begun).await);
        if lines.is_empty() {
            lines.push("nothing has changed".to_owned());
        }
        Ok((config, lines))
    }

    /// Waits until tasks that have begun have their records as their config says: a table that is taken out and put in again right after
    /// is then another one. Says of which that is not so yet.
    async fn taken(&self, begun: &[(String, Arc<task::Memory>, Progress)]) -> Vec<String> {
        let until = Instant::now() + TAKING;
        let mut lines = Vec::new();
        for (name, memory, progress) in begun {
            let ended = || progress.ask(has_ended);
            while !memory.is_taken() && !ended() && !self.stop.is_cancelled() && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if !memory.is_taken() {
                let phase = progress.ask(|progress| progress.phase().name());
                lines.push(format!("task {name} is {phase}: what its config says is not on record yet"));
            }
        }
        lines
    }

    async fn end(&self, state: &mut State, name: &str) {
        let Some(mut running) = state.tasks.remove(name) else { return };
        running.stop.cancel();
        let grace = state.config.daemon.shutdown_grace;
        if tokio::time::timeout(grace, &mut running.ended).await.is_err() {
            tracing::warn!(
                task = name,
                ?grace,
                "not drained in time: what is not durable will be read again"
            );
            running.ended.abort();
        }
    }

    /// Pauses a task, or has it go on. It has drained, and that is on record, when this answers.
    pub async fn pause(&self, task: Option<String>, pausing: Pausing) -> Reply {
        let mut state = self.state.lock().await;
        let name = match one(&state, task) {
            Ok(name) => name,
            Err(reply) => return reply,
        };
        let Some(running) = state.tasks.get(&name) else {
            return Reply::failed(format!("task {name} is not known any more"), true);
        };
        let (config, is_paused) = (running.config.clone(), running.progress.ask(is_paused));
        match (pausing, is_paused) {
            (Pausing::Pause, true) => return done(format!("task {name} is paused already")),
            (Pausing::Resume, false) => return done(format!("task {name} is not paused")),
            (Pausing::Pause, false) | (Pausing::Resume, true) => {}
        }
        self.end(&mut state, &name).await;
        let pausing = tokio::time::timeout(PATIENCE, Box::pin(task::pause(&name, &config, pausing))).await;
        // What is on record decides what becomes of it.
        let begun = Running::begin(&name, &config, &self.board, &self.stop);
        state.tasks.insert(name.clone(), begun);
        match pausing {
            Ok(Ok(line)) => {
                tracing::info!(task = name, "by command: {line}");
                done(line)
            }
            Ok(Err(error)) => reply((Vec::new(), Some(error))),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                Reply::failed(
                    format!("it is not known whether it was done: the target took more than {seconds} s"),
                    true,
                )
            }
        }
    }

    /// Changes what a task does with tables.
    pub async fn change(&self, task: Option<String>, change: Change, tables: Vec<TableName>) -> Reply {
        let mut state = self.state.lock().await;
        let name = match one(&state, task) {
            Ok(name) => name,
            Err(reply) => return reply,
        };
        let Some(running) = state.tasks.get(&name) else {
            return Reply::failed(format!("task {name} is not known any more"), true);
        };
        if running.progress.ask(has_ended) {
            // Its records are free, and what is changed may be what it failed for; so may what the config says by now.
            let config = match config::load(Path::new(&state.config.file)) {
                Ok(config) if config.tasks.contains_key(&name) => Arc::new(config),
                Ok(_) => return Reply::failed(format!("the config has no task {name} any more"), false),
                Err(error) => return Reply::failed(error.to_string(), false),
            };
            let changing = task::change(&name, &config, change, &tables);
            let Ok(done) = tokio::time::timeout(PATIENCE, changing).await else {
                let seconds = PATIENCE.as_secs();
                return Reply::failed(
                    format!("nothing was changed: the target took more than {seconds} s"),
                    true,
                );
            };
            if done.is_ok() {
                self.end(&mut state, &name).await;
                let begun = Running::begin(&name, &config, &self.board, &self.stop);
                state.tasks.insert(name.clone(), begun);
            }
            return match done {
                Ok(lines) => Reply { lines, failure: None },
                Err(error) => reply((Vec::new(), Some(error))),
            };
        }
        let waiting = running.memory.ask(change, tables);
        let progress = running.progress.clone();
        drop(state);
        match tokio::time::timeout(PATIENCE, waiting.answer).await {
            Ok(Ok(done)) => reply(done),
            Ok(Err(_)) => Reply::failed(
                format!("task {name} starts over, and it is not known whether it was done"),
                true,
            ),
            Err(_) if waiting.begun.load(Relaxed) => {
                let seconds = PATIENCE.as_secs();
                Reply::failed(
                    format!("not done within {seconds} s, and it is not known whether it will be"),
                    true,
                )
            }
            Err(_) => {
                let phase = progress.ask(|progress| progress.phase().name());
                Reply::failed(
                    format!(
                        "nothing was changed: task {name} is {phase}, and can do it when its stream runs"
                    ),
                    true,
                )
            }
        }
    }
}

/// The task that somebody means.
fn one(state: &State, task: Option<String>) -> Result<String, Reply> {
    let known = || state.tasks.keys().cloned().collect::<Vec<_>>().join(", ");
    match task {
        Some(name) if state.tasks.contains_key(&name) => Ok(name),
        Some(name) => Err(Reply::failed(
            format!("there is no task \"{name}\". To mend it: name one of {}.", known()),
            false,
        )),
        None if state.tasks.len() == 1 => Ok(known()),
        None => Err(Reply::failed(
            format!("there are several tasks. To mend it: name one of {} with --task.", known()),
            false,
        )),
    }
}

/// Whether nobody works at the task, and its records are free.
fn has_ended(progress: &TaskProgress) -> bool {
    has_failed(progress) || is_paused(progress)
}

fn has_failed(progress: &TaskProgress) -> bool {
    matches!(progress.phase(), Phase::Failed { .. } | Phase::Stopped)
}

fn is_paused(progress: &TaskProgress) -> bool {
    *progress.phase() == Phase::Paused
}

fn done(line: String) -> Reply {
    Reply { lines: vec![line], failure: None }
}

fn reply((lines, failed): (Vec<String>, Option<TaskError>)) -> Reply {
    let failure = failed.map(|error| Failure {
        temporary: error.retry() == crate::change::Retry::AfterBackoff,
        error: format!("{error}. To mend it: {}.", error.retry().remedy()),
    });
    Reply { lines, failure }
}

/// Whether a task is the same in both, its servers too.
fn same(before: &Config, after: &Config, name: &str) -> bool {
    match (before.tasks.get(name), after.tasks.get(name)) {
        (Some(old), Some(new)) => {
            old == new
                && before.sources.get(&old.source) == after.sources.get(&new.source)
                && before.targets.get(&old.target) == after.targets.get(&new.target)
        }
        _ => false,
    }
}

/// What of `[daemon]` has changed and is not taken in.
fn restart_takes(before: &Config, after: &Config) -> Vec<String> {
    let (old, new) = (&before.daemon, &after.daemon);
    let changed = [
        ("listen", old.listen != new.listen),
        ("log_format", old.log_format != new.log_format),
        ("spill_dir", old.spill_dir != new.spill_dir),
        ("socket", old.socket != new.socket),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(key, _)| format!("daemon.{key} has changed: that takes a restart of the daemon")).collect()
}
