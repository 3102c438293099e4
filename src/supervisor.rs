//! Runs the tasks: starts each, starts it over after errors that may pass, leaves it failed after others, stops all.
//!
//! What must never happen here: a task that ends without its status saying so, or an error that ends the daemon.

use crate::change::Retry;
use crate::change::status::Phase;
use crate::config::Config;
use crate::status::Board;
use crate::task::{self, TaskError};
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

/// Rows that the task has made durable by now. A checkpoint alone, which moves over what nobody waits for, is not what an attempt
/// is for.
fn durable_rows(board: &Board, name: &str) -> u64 {
    board.task(name, |task| task.durable_rows)
}

/// Runs every task of `config` until `stop`, then waits for all to drain. Returns when the last has ended.
pub async fn run(config: Arc<Config>, board: Board, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut names = HashMap::new();
    for name in config.tasks.keys() {
        let handle = tasks.spawn(supervise(name.clone(), config.clone(), board.clone(), stop.clone()));
        names.insert(handle.id(), name.clone());
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            let name = names.get(&error.id()).map_or("", String::as_str);
            let remedy = "restart the daemon, and please report it with the log".to_owned();
            fail(name, &board, format!("the task's supervisor ended abnormally: {error}"), remedy);
        }
    }
}

async fn supervise(name: String, config: Arc<Config>, board: Board, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let memory = Arc::new(task::Memory::default());
    loop {
        let (started, done_before) = (Instant::now(), durable_rows(&board, &name));
        // A task of its own: a panic in it becomes an error here instead of a silent end.
        let run = tokio::spawn(task::run(
            name.clone(),
            config.clone(),
            board.clone(),
            stop.clone(),
            memory.clone(),
        ));
        let ended = match run.await {
            Ok(ended) => ended,
            Err(error) => Err(TaskError::Internal(format!("the task ended abnormally: {error}"))),
        };
        let error = match ended {
            Ok(()) => {
                board.enter(&name, Phase::Stopped);
                tracing::info!(task = name, "stopped");
                return;
            }
            Err(error) => error,
        };
        match error.retry() {
            Retry::AfterBackoff => {
                let good = started.elapsed() > GOOD_RUN || durable_rows(&board, &name) > done_before;
                let pause = backoff.after(good);
                let attempt = backoff.attempt;
                tracing::warn!(task = name, attempt, pause_ms = pause.as_millis(), "{error}; trying again");
                board.enter(&name, Phase::Retrying { error: error.to_string(), attempt });
                board.task(&name, |status| {
                    status.restarts += 1;
                    status.waiting_for =
                        error.owner().map(|owner| format!("another owner to let go of it: {owner}"));
                });
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => {}
                }
                if stop.is_cancelled() {
                    board.enter(&name, Phase::Stopped);
                    return;
                }
            }
            Retry::AfterFix { remedy } => {
                fail(&name, &board, error.to_string(), remedy);
                return;
            }
            Retry::Never => {
                let remedy = "this cannot be mended from outside: please report it with the log".to_owned();
                fail(&name, &board, error.to_string(), remedy);
                return;
            }
        }
    }
}

fn fail(name: &str, board: &Board, error: String, remedy: String) {
    tracing::error!(task = name, remedy, "failed: {error}");
    board.enter(name, Phase::Failed { error, remedy });
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
