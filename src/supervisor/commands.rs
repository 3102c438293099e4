//! What a daemon is told while it runs: to take in its config anew, to pause or drop a task, and to change what one does with tables.
//!
//! What must never happen here: a task stopped whose section and servers have not changed, a change that the log does not tell of, with who
//! asked for it.

use super::{Running, State, Supervisor};
use crate::change::TableName;
use crate::change::command::{
    Asked, AskedOutcome, Asker, Change, Command, Failure, Pausing, Reason, Reply, printable,
};
use crate::change::status::Phase;
use crate::config::{self, Config};
use crate::status::now;
use crate::task::{self, Progress, TaskError, TaskProgress};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::MutexGuard;

/// How long a task that is starting is waited for before somebody who asks is told to try again.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a drop may take; what is left then goes with the next.
const DROPPING: Duration = Duration::from_secs(100);

/// How long tasks that begin by a reload are waited for until their records are as the config says.
const TAKING: Duration = Duration::from_secs(10);

/// Lines that are answered, each with the task that it is about.
pub(super) type Lines = Vec<(Option<String>, String)>;

impl Supervisor {
    /// Does what somebody asks for. The log and the tasks' targets have who it was, what it was and what has become of it.
    pub async fn obey(&self, command: Command, asker: &Asker) -> Reply {
        tracing::info!(task = command.task(), %asker, "asked: {command}");
        if let Err((_, failure)) = self.goes_on() {
            return Reply { lines: Vec::new(), failure };
        }
        // A task that is not known has no target.
        let config = self.config().await;
        let about = command.task().filter(|task| config.tasks.contains_key(*task)).map(str::to_owned);
        let entry = |task: String, outcome: AskedOutcome, said: String| Asked {
            at: now().seconds(),
            task,
            asker: asker.to_string(),
            command: command.to_string(),
            outcome,
            said,
        };
        if let Some(task) = &about {
            record(&config, entry(task.clone(), AskedOutcome::Begun, String::new())).await;
        }
        let (lines, failure) = match &command {
            Command::Reload => self.reload().await,
            Command::Task { task, pausing } => self.pause(task, *pausing).await,
            Command::Skip { task, position, table } => self.skip(task, position, table.as_ref()).await,
            Command::DropTask { task, remove_rows } => self.drop_task(task, *remove_rows).await,
            Command::Tables { task, tables, change } => self.change(task, *change, tables.clone()).await,
        };
        let mut by_task: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (task, line) in &lines {
            let line = printable(line);
            tracing::info!(task, %asker, "{line}");
            if let Some(task) = task {
                by_task.entry(task.clone()).or_default().push(line);
            }
        }
        let mut outcome = AskedOutcome::Done;
        if let Some(failure) = &failure {
            let error = printable(&failure.error);
            tracing::error!(task = command.task(), %asker, "not done: {error}");
            outcome = AskedOutcome::NotDone;
            if let Some(task) = about {
                by_task.entry(task).or_default().push(error);
            }
        }
        // A reload may have brought tasks, and taken some away.
        let after = self.config().await;
        let recording = by_task.into_iter().map(|(task, lines)| {
            let config = if after.tasks.contains_key(&task) { &after } else { &config };
            record(config, entry(task, outcome, lines.join("\n")))
        });
        join_all(recording).await;
        Reply { lines: lines.into_iter().map(|(_, line)| line).collect(), failure }
    }

    /// Whether it is not stopping: what is told to it then is not done any more.
    fn goes_on(&self) -> Result<(), (Lines, Option<Failure>)> {
        if self.stop.is_cancelled() {
            return Err(refused("the daemon is stopping".to_owned(), Reason::Temporary));
        }
        Ok(())
    }

    /// For one command at a time.
    pub(super) async fn state(&self) -> Result<MutexGuard<'_, State>, (Lines, Option<Failure>)> {
        let state = self.state.lock().await;
        self.goes_on()?;
        Ok(state)
    }

    /// Takes in the config file as it is now, and says what that has changed once it is on record. Tasks that are as they were go on; those
    /// that have failed are tried again. Everything goes on as it was when the file cannot be used.
    async fn reload(&self) -> (Lines, Option<Failure>) {
        let mut state = match self.state().await {
            Ok(state) => state,
            Err(stopping) => return stopping,
        };
        let config = match config::load(Path::new(&state.config.file)) {
            Ok(config) => Arc::new(config),
            Err(error) => {
                return refused(
                    format!("{}; everything goes on as it was", error.with_remedy()),
                    Reason::Refused,
                );
            }
        };
        let mut lines = restart_takes(&state.config, &config);
        let mut begun = Vec::new();
        state.config = config.clone();
        (self.taken_in)(&config);
        let gone: Vec<String> =
            state.tasks.keys().filter(|name| !config.tasks.contains_key(*name)).cloned().collect();
        for name in gone {
            self.end(&mut state, &name).await;
            self.board.forget(&name);
            let line = format!("task {name} is no more: it is stopped");
            lines.push((Some(name), line));
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
            lines.push((Some(name.clone()), format!("task {name} {line}")));
        }
        self.board.reload(config.identity());
        drop(state);
        lines.extend(self.taken(&begun).await);
        if lines.is_empty() {
            lines.push((None, "nothing has changed".to_owned()));
        }
        (lines, None)
    }

    /// Waits until tasks that have begun have their records as their config says: a table that is taken out and put in again right after
    /// is then another one. Says of which that is not so yet.
    async fn taken(&self, begun: &[(String, Arc<task::Memory>, Progress)]) -> Lines {
        let until = Instant::now() + TAKING;
        let mut lines = Vec::new();
        for (name, memory, progress) in begun {
            let ended = || progress.ask(has_ended);
            while !memory.is_taken() && !ended() && !self.stop.is_cancelled() && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if !memory.is_taken() {
                let phase = progress.ask(|progress| progress.phase().name());
                let line = format!("task {name} is {phase}: what its config says is not on record yet");
                lines.push((Some(name.clone()), line));
            }
        }
        lines
    }

    pub(super) async fn end(&self, state: &mut State, name: &str) {
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
    async fn pause(&self, name: &str, pausing: Pausing) -> (Lines, Option<Failure>) {
        let mut state = match self.state().await {
            Ok(state) => state,
            Err(stopping) => return stopping,
        };
        let running = match known(&state, name) {
            Ok(running) => running,
            Err(unknown) => return unknown,
        };
        let (config, phase) =
            (running.config.clone(), running.progress.ask(|progress| progress.phase().clone()));
        match (pausing, phase) {
            (Pausing::Pause, Phase::Paused) => return done(name, format!("task {name} is paused already")),
            (Pausing::Resume, Phase::Paused | Phase::Dropped) | (Pausing::Pause, _) => {}
            (Pausing::Resume, _) => return done(name, format!("task {name} is not paused")),
        }
        self.end(&mut state, name).await;
        let pausing = Box::pin(task::pause(name, &config, pausing));
        let pausing = tokio::time::timeout(PATIENCE, pausing).await;
        // What is on record decides what becomes of it.
        self.begin(&mut state, name, &config);
        outcome(name, pausing.map(|done| done.map(|line| vec![line])))
    }

    /// Ends a task for good. Nothing is left of it but that, when this answers.
    async fn drop_task(&self, name: &str, remove_rows: bool) -> (Lines, Option<Failure>) {
        let mut state = match self.state().await {
            Ok(state) => state,
            Err(stopping) => return stopping,
        };
        let config = match known(&state, name) {
            Ok(running) => running.config.clone(),
            Err(unknown) => return unknown,
        };
        self.end(&mut state, name).await;
        let dropping = Box::pin(task::drop_task(name, &config, remove_rows));
        let dropping = tokio::select! {
            dropping = tokio::time::timeout(DROPPING, dropping) => dropping,
            () = self.stop.cancelled() => {
                return refused("the daemon stops: drop it once more".to_owned(), Reason::Temporary);
            }
        };
        self.board.forget(name);
        self.begin(&mut state, name, &config);
        outcome(name, dropping)
    }

    pub(super) fn begin(&self, state: &mut State, name: &str, config: &Arc<Config>) {
        let begun = Running::begin(name, config, &self.board, &self.stop);
        state.tasks.insert(name.to_owned(), begun);
    }

    /// Changes what a task does with tables.
    async fn change(&self, name: &str, change: Change, tables: Vec<TableName>) -> (Lines, Option<Failure>) {
        let mut state = match self.state().await {
            Ok(state) => state,
            Err(stopping) => return stopping,
        };
        let running = match known(&state, name) {
            Ok(running) => running,
            Err(unknown) => return unknown,
        };
        if running.progress.ask(has_ended) {
            // Its records are free, and what is changed may be what it failed for; so may what the config says by now.
            let config = match config::load(Path::new(&state.config.file)) {
                Ok(config) if config.tasks.contains_key(name) => Arc::new(config),
                Ok(_) => {
                    return refused(format!("the config has no task {name} any more"), Reason::UnknownTask);
                }
                Err(error) => return refused(error.with_remedy(), Reason::Refused),
            };
            let changing = task::change(name, &config, change, &tables);
            let Ok(done) = tokio::time::timeout(PATIENCE, Box::pin(changing)).await else {
                let seconds = PATIENCE.as_secs();
                return refused(
                    format!("nothing was changed: the target took more than {seconds} s"),
                    Reason::Temporary,
                );
            };
            if done.is_ok() {
                self.end(&mut state, name).await;
                self.begin(&mut state, name, &config);
            }
            return outcome(name, Ok(done));
        }
        let waiting = running.memory.ask(change, tables);
        let progress = running.progress.clone();
        drop(state);
        match tokio::time::timeout(PATIENCE, waiting.answer).await {
            Ok(Ok((lines, failed))) => {
                let lines = lines.into_iter().map(|line| (Some(name.to_owned()), line)).collect();
                (lines, failed.map(|error| failure(&error)))
            }
            Ok(Err(_)) => refused(
                format!("task {name} starts over, and it is not known whether it was done"),
                Reason::Temporary,
            ),
            Err(_) if waiting.begun.load(Relaxed) => {
                let seconds = PATIENCE.as_secs();
                refused(
                    format!("not done within {seconds} s, and it is not known whether it will be"),
                    Reason::Temporary,
                )
            }
            Err(_) => {
                let phase = progress.ask(|progress| progress.phase().name());
                refused(
                    format!(
                        "nothing was changed: task {name} is {phase}, and can do it when its stream runs"
                    ),
                    Reason::Temporary,
                )
            }
        }
    }
}

/// The task of that name.
pub(super) fn known<'a>(state: &'a State, name: &str) -> Result<&'a Running, (Lines, Option<Failure>)> {
    state.tasks.get(name).ok_or_else(|| {
        let known: Vec<&str> = state.tasks.keys().map(String::as_str).collect();
        let known = known.join(", ");
        refused(format!("there is no task \"{name}\". To mend it: name one of {known}."), Reason::UnknownTask)
    })
}

/// Has an entry on record; the log tells where that cannot be.
async fn record(config: &Arc<Config>, asked: Asked) {
    if let Err(why) = task::record_asked(config, &asked).await {
        tracing::warn!(task = asked.task, "what was asked is not on record: {why}");
    }
}

/// Whether nobody works at the task, and its records are free.
fn has_ended(progress: &TaskProgress) -> bool {
    has_failed(progress) || matches!(progress.phase(), Phase::Paused | Phase::Dropped)
}

fn has_failed(progress: &TaskProgress) -> bool {
    matches!(progress.phase(), Phase::Failed { .. } | Phase::Stopped)
}

fn done(name: &str, line: String) -> (Lines, Option<Failure>) {
    (vec![(Some(name.to_owned()), line)], None)
}

pub(super) fn refused(error: String, reason: Reason) -> (Lines, Option<Failure>) {
    (Lines::new(), Some(Failure { error, reason }))
}

/// What has become of something that the target was to do in time.
pub(super) fn outcome(
    name: &str,
    done: Result<Result<Vec<String>, TaskError>, tokio::time::error::Elapsed>,
) -> (Lines, Option<Failure>) {
    match done {
        Ok(Ok(lines)) => (lines.into_iter().map(|line| (Some(name.to_owned()), line)).collect(), None),
        Ok(Err(error)) => (Lines::new(), Some(failure(&error))),
        Err(_) => refused(
            "it is not known whether it was done: the target takes too long".to_owned(),
            Reason::Temporary,
        ),
    }
}

fn failure(error: &TaskError) -> Failure {
    let retry = error.retry();
    let temporary = retry == crate::change::Retry::AfterBackoff;
    Failure {
        error: format!("{error}. To mend it: {}.", retry.remedy()),
        reason: if temporary { Reason::Temporary } else { Reason::Refused },
    }
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
fn restart_takes(before: &Config, after: &Config) -> Lines {
    let (old, new) = (&before.daemon, &after.daemon);
    let changed = [
        ("listen", old.listen != new.listen),
        ("log_format", old.log_format != new.log_format),
        ("spill_dir", old.spill_dir != new.spill_dir),
        ("socket", old.socket != new.socket),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    let told = |key: &str| format!("daemon.{key} has changed: that takes a restart of the daemon");
    changed.map(|(key, _)| (None, told(key))).collect()
}
