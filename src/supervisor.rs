//! Runs the tasks: starts each, starts it over after errors that may pass, leaves it failed after others, stops all.
//!
//! What must never happen here: a task that ends without its status saying so, or an error that ends the daemon.

use crate::change::Retry;
use crate::change::status::{Board, Phase};
use crate::config::Config;
use crate::task::{self, TaskError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The first pause after an error.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// An attempt that held this long makes the next pause a first one again.
const GOOD_RUN: Duration = Duration::from_secs(60);

/// Runs every task of `config` until `stop`, then waits for all to drain. Returns when the last has ended.
pub async fn run(config: Arc<Config>, board: Board, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    for name in config.tasks.keys() {
        tasks.spawn(supervise(name.clone(), config.clone(), board.clone(), stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task's supervisor ended abnormally");
        }
    }
}

async fn supervise(name: String, config: Arc<Config>, board: Board, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    let mut attempt: u32 = 0;
    let memory = Arc::new(task::Memory::default());
    loop {
        let started = Instant::now();
        let durable = commits(&board, &name);
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
                // What came forward has no cause to be waited out: its server was there until just now.
                if started.elapsed() > GOOD_RUN || commits(&board, &name) > durable {
                    pause = FIRST_PAUSE;
                    attempt = 0;
                }
                attempt += 1;
                tracing::warn!(task = name, attempt, pause_ms = pause.as_millis(), "{error}; trying again");
                board.enter(&name, Phase::Retrying { error: error.to_string(), attempt });
                board.task(&name, |status| status.restarts += 1);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
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

/// Target transactions committed by the task so far.
fn commits(board: &Board, name: &str) -> u64 {
    board.read().tasks.get(name).map_or(0, |task| task.batches)
}

fn fail(name: &str, board: &Board, error: String, remedy: String) {
    tracing::error!(task = name, remedy, "failed: {error}");
    board.enter(name, Phase::Failed { error, remedy });
}
