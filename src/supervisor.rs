//! Runs the tasks: starts each, starts it over after errors that may pass, leaves it failed after others, stops all.
//!
//! What must never happen here: a task that ends without its status saying so, or an error that ends the daemon.

use crate::change::Retry;
use crate::change::remedy::{Remedy, Report};
use crate::config::Config;
use crate::status::Board;
use crate::task::{self, Progress, TaskError, TaskProgress};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The first pause after an error.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// An attempt that held this long makes the next pause a first one again, and so does one that got something durable.
const GOOD_RUN: Duration = Duration::from_secs(60);

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

/// Runs every task of `config` until `stop`, then waits for all to drain. Returns when the last has ended.
pub async fn run(config: Arc<Config>, board: Board, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut known = HashMap::new();
    for name in config.tasks.keys() {
        let progress = Progress::new(name, board.clone());
        let handle = tasks.spawn(supervise(progress.clone(), config.clone(), stop.clone()));
        known.insert(handle.id(), progress);
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && let Some(progress) = known.get(&error.id())
        {
            let remedy = &Report::AndRestart.into();
            fail(progress, format!("the task's supervisor ended abnormally: {error}"), remedy);
        }
    }
}

async fn supervise(progress: Progress, config: Arc<Config>, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let memory = Arc::new(task::Memory::default());
    let name = progress.task();
    loop {
        let started = Instant::now();
        progress.step(|progress, _| progress.begins_attempt());
        // A task of its own: a panic in it becomes an error here instead of a silent end.
        let run = tokio::spawn(task::run(config.clone(), progress.clone(), stop.clone(), memory.clone()));
        let ended = match run.await {
            Ok(ended) => ended,
            Err(error) => Err(TaskError::Internal(format!("the task ended abnormally: {error}"))),
        };
        let error = match ended {
            Ok(()) => {
                progress.step(TaskProgress::stops);
                tracing::info!(task = name, "stopped");
                return;
            }
            Err(error) => error,
        };
        match error.retry() {
            Retry::AfterBackoff => {
                let good = started.elapsed() > GOOD_RUN || progress.ask(TaskProgress::got_somewhere);
                let pause = backoff.after(good);
                retry(&progress, &error, backoff.attempt, pause);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => {}
                }
                if stop.is_cancelled() {
                    progress.step(TaskProgress::stops);
                    return;
                }
            }
            Retry::AfterFix { remedy } => {
                fail(&progress, error.to_string(), &remedy);
                return;
            }
            Retry::Never => {
                fail(&progress, error.to_string(), &Report::WithLog.into());
                return;
            }
        }
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
