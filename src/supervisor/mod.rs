//! Runs the tasks: starts each, starts it over after errors that may pass, leaves it failed after others, stops all. `commands` does what
//! a daemon is told while it runs.
//!
//! What must never happen here: a task that ends without its status saying so, or an error that ends the daemon.

mod commands;
mod skip;

use crate::change::Retry;
use crate::change::remedy::{Remedy, Report};
use crate::change::status::Cause;
use crate::config::Config;
use crate::status::{Board, now};
use crate::task::{self, Progress, TaskError, TaskProgress};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The first pause after an error.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// An attempt that held this long makes the next pause a first one again, and so does one that got something durable.
const GOOD_RUN: Duration = Duration::from_secs(60);

/// Seconds of failed attempts after which it is put on record what keeps the task.
const LASTING: u64 = 60;

/// Failed attempts in a row.
#[derive(Debug, Default)]
struct Backoff {
    attempt: u32,
}

impl Backoff {
    /// The pause after a failed attempt; `good` when the attempt had got somewhere before it failed.
    fn after(&mut self, good: bool) -> Duration {
        self.attempt = if good { 1 } else { self.attempt.saturating_add(1) };
        let doublings = self.attempt.saturating_sub(1).min(16);
        FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE)
    }
}

/// The tasks of a daemon.
pub struct Supervisor {
    board: Board,
    stop: CancellationToken,
    /// What else is to follow a config that is taken in.
    taken_in: Box<dyn Fn(&Config) + Send + Sync>,
    /// One command or reload at a time.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<Config>,
    tasks: BTreeMap<String, Running>,
}

/// A task under supervision.
#[derive(Debug)]
struct Running {
    /// What it runs by.
    config: Arc<Config>,
    stop: CancellationToken,
    progress: Progress,
    memory: Arc<task::Memory>,
    ended: JoinHandle<()>,
}

impl Supervisor {
    /// Starts every task of `config`; they run until `stop`. Each config that is taken in later is shown to `taken_in`.
    pub fn start(
        config: Arc<Config>,
        board: Board,
        stop: CancellationToken,
        taken_in: impl Fn(&Config) + Send + Sync + 'static,
    ) -> Self {
        let begin = |name: &String| (name.clone(), Running::begin(name, &config, &board, &stop));
        let tasks = config.tasks.keys().map(begin).collect();
        Self { board, stop, taken_in: Box::new(taken_in), state: Mutex::new(State { config, tasks }) }
    }

    /// The config that it goes by now.
    pub async fn config(&self) -> Arc<Config> {
        self.state.lock().await.config.clone()
    }

    /// Waits until all tasks have drained, after the stop.
    pub async fn drained(&self) {
        let tasks = std::mem::take(&mut self.state.lock().await.tasks);
        for running in tasks.into_values() {
            running.has_ended().await;
        }
    }
}

impl Running {
    fn begin(name: &str, config: &Arc<Config>, board: &Board, stop: &CancellationToken) -> Self {
        let progress = Progress::new(name, board.clone());
        let memory = Arc::new(task::Memory::default());
        let stop = stop.child_token();
        let supervised = supervise(progress.clone(), config.clone(), stop.clone(), memory.clone());
        let watched = progress.clone();
        let ended = tokio::spawn(async move {
            // A task of its own: a panic in it becomes an error here instead of a silent end.
            if let Err(error) = AbortOnDropHandle::new(tokio::spawn(supervised)).await {
                let remedy = &Report::AndRestart.into();
                fail(&watched, format!("the task's supervisor ended abnormally: {error}"), remedy);
            }
        });
        Self { config: config.clone(), stop, progress, memory, ended }
    }

    async fn has_ended(self) {
        if let Err(error) = self.ended.await {
            tracing::error!(task = self.progress.task(), %error, "the task's supervisor ended abnormally");
        }
    }
}

async fn supervise(
    progress: Progress,
    config: Arc<Config>,
    stop: CancellationToken,
    memory: Arc<task::Memory>,
) {
    let mut backoff = Backoff::default();
    // What has kept the task since it last got somewhere.
    let mut lasting: Option<Cause> = None;
    let name = progress.task();
    // While it runs here it is paused by nobody else.
    let mut is_let_run = false;
    loop {
        let started = Instant::now();
        progress.step_and_tell(TaskProgress::begins_attempt, |status| status.stands = None);
        let asked =
            async { if is_let_run { Ok(None) } else { Box::pin(task::resting(name, &config)).await } };
        let resting = tokio::select! {
            resting = asked => resting,
            () = stop.cancelled() => {
                progress.step(TaskProgress::stops);
                return;
            }
        };
        let ended = match resting {
            Ok(Some(rest)) => {
                progress.step(|progress, now| progress.rests(rest, now));
                tracing::info!(task = name, "{}", progress.ask(|progress| progress.phase().name()));
                stop.cancelled().await;
                return;
            }
            // Where the target cannot be asked the attempt says what is wrong, perhaps with the source; and it does not go on where the
            // task is paused after all.
            asked => {
                is_let_run = asked.is_ok();
                // A task of its own: a panic in it becomes an error here instead of a silent end.
                let run =
                    tokio::spawn(task::run(config.clone(), progress.clone(), stop.clone(), memory.clone()));
                match AbortOnDropHandle::new(run).await {
                    Ok(ended) => ended,
                    Err(error) => Err(TaskError::Internal(format!("the task ended abnormally: {error}"))),
                }
            }
        };
        let error = match ended {
            Ok(()) => {
                progress.step(TaskProgress::stops);
                tracing::info!(task = name, "stopped");
                return;
            }
            Err(error) => error,
        };
        // Somebody else has paused or dropped it.
        is_let_run &= !matches!(error, TaskError::Resting);
        let cause = |remedy: String| Cause { error: error.to_string(), remedy, since: now().seconds() };
        let remedy = match error.retry() {
            Retry::AfterBackoff => {
                let good = started.elapsed() > GOOD_RUN || progress.ask(TaskProgress::got_somewhere);
                let pause = backoff.after(good);
                retry(&progress, &error, backoff.attempt, pause);
                // Who waits for another owner is not stopped.
                lasting = lasting.filter(|_| !good).or_else(|| Some(cause(String::new())));
                let lasts =
                    lasting.as_ref().filter(|_| error.owner().is_none()).filter(|_| !memory.is_caused());
                let resting = async {
                    if let Some(lasts) = lasts.filter(|lasts| now().seconds_since(lasts.since) > LASTING) {
                        task::record_cause(name, &config, &memory, lasts).await;
                    }
                    tokio::time::sleep(pause).await;
                };
                tokio::select! {
                    () = resting => continue,
                    () = stop.cancelled() => {}
                }
                progress.step(TaskProgress::stops);
                return;
            }
            Retry::AfterFix { remedy } => remedy,
            Retry::Never => Report::WithLog.into(),
        };
        let standing = error.standing();
        let remedy = match standing {
            Some(standing) => remedy.or(task::skip_command(&config, name, standing)),
            None => remedy,
        };
        progress.tell(|status| status.stands = standing.map(task::told_standing));
        fail(&progress, error.to_string(), &remedy);
        let cause = cause(remedy.to_string());
        tokio::select! {
            () = task::record_cause(name, &config, &memory, &cause) => {}
            () = stop.cancelled() => {}
        }
        return;
    }
}

fn retry(progress: &Progress, error: &TaskError, attempt: u32, pause: Duration) {
    let pause_ms = pause.as_millis();
    tracing::warn!(task = progress.task(), attempt, pause_ms, "{error}; trying again");
    let owner = error.owner().map(|owner| format!("another owner to let go of it: {owner}"));
    progress.step_and_tell(
        |progress, now| progress.retries(error.to_string(), attempt, owner, now),
        |status| status.restarts += 1,
    );
}

fn fail(progress: &Progress, error: String, remedy: &Remedy) {
    tracing::error!(task = progress.task(), %remedy, "failed: {error}");
    progress.step(|progress, now| progress.fails(error, remedy.to_string(), now));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_over_after_an_attempt_that_got_somewhere() {
        let mut backoff = Backoff::default();
        let pauses = [false, false, false, true, false].map(|good| backoff.after(good).as_millis());
        assert_eq!(pauses, [250, 500, 1000, 250, 500]);
        for _ in 0..100 {
            assert!(backoff.after(false) <= LONGEST_PAUSE);
        }
        assert_eq!(backoff.after(false), LONGEST_PAUSE);
    }
}
