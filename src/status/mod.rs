//! The live status model, and what the daemon's HTTP listener answers from it and nothing else: page, JSON, metrics, health.
//!
//! What must never happen here: a secret in an answer, or an answer that calls a stalled task ready.

mod board;
mod clock;
mod metrics;
mod page;
pub mod words;

pub use board::Board;
pub use clock::now;

use crate::change::Retry;
use crate::change::remedy::InConfig;
use crate::change::status::{Model, Phase, SILENT_SECONDS, TablePhase, TableStatus, TaskStatus, Time};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

/// Milliseconds a task may be late before it is not ready: behind a long backlog, or held up by a lock or a stopped target.
pub const LATE_MILLIS: u64 = 60_000;

/// The listener cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// `daemon.listen`
        address: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl StatusError {
    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Listen { .. } => Retry::fix(InConfig::Listen),
        }
    }
}

/// Binds the listener, so that a taken address is told at once.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind(address: &str) -> Result<TcpListener, StatusError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StatusError::Listen { address: address.to_owned(), source })
}

/// The paths for who only looks.
pub fn router(board: Board) -> Router {
    Router::new()
        .route("/", get(async |State(board): State<Board>| Html(page::render(&board.read(), now()))))
        .route("/api/status", get(async |State(board): State<Board>| axum::Json(board.read())))
        .route("/api/config", get(async |State(board): State<Board>| axum::Json(board.config())))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async |State(board): State<Board>, uri: Uri| ready(&board.read(), &uri)))
        .route("/metrics", get(async |State(board): State<Board>| scrape(&board)))
        .with_state(board)
}

/// 200 when every task is Synchronizing and hears its source, with all its tables (`?tables=ignore`: whatever becomes of single ones); else
/// 503 naming those that are not.
fn ready(model: &Model, uri: &Uri) -> Response {
    let now = now();
    let tables = !uri.query().unwrap_or_default().split('&').any(|part| part == "tables=ignore");
    let why = |task: &TaskStatus| if tables { not_ready(task, now) } else { stream_not_ready(task, now) };
    let late: Vec<String> = model
        .tasks
        .iter()
        .filter_map(|(name, task)| why(task).map(|why| format!("{name}: {why}\n")))
        .collect();
    if late.is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, late.concat()).into_response()
    }
}

/// Why a task is not ready, if it is not.
pub fn not_ready(task: &TaskStatus, now: Time) -> Option<String> {
    stream_not_ready(task, now).or_else(|| resting(task)).or_else(|| held_up(task, now))
}

/// As [`not_ready`], whatever becomes of single tables.
fn stream_not_ready(task: &TaskStatus, now: Time) -> Option<String> {
    match &task.phase {
        Phase::Synchronizing => match (&task.not_committed, task.lag_millis, task.silent_seconds(now)) {
            (Some(failed), ..) => Some(format!("what failed is not committed yet: {}", failed.error)),
            (None, None, Some(silent)) if silent > SILENT_SECONDS => {
                Some(format!("nothing heard from the source for {silent} s"))
            }
            (None, None, _) => Some("Synchronizing, and it is not known yet how late".to_owned()),
            (None, Some(late), _) if late > LATE_MILLIS => {
                Some(format!("what was last applied was committed {} s ago", late / 1000))
            }
            (None, Some(_), _) => None,
        },
        Phase::Failed { error, .. } | Phase::Retrying { error, .. } => {
            Some(format!("{}: {error}", task.phase.name()))
        }
        Phase::Prechecking
        | Phase::SchemaSync
        | Phase::Snapshot
        | Phase::CatchingUp
        | Phase::Paused
        | Phase::Stopped => Some(match &task.waiting_for {
            Some(what) => format!("{}, waits for {what}", task.phase.name()),
            None => task.phase.name().to_owned(),
        }),
        // Nobody is to wait for it.
        Phase::Dropped => None,
    }
}

/// A table that is copied beside the others and has not got on for long, in a sentence.
fn held_up(task: &TaskStatus, now: Time) -> Option<String> {
    let late = |table: &TableStatus| {
        let since = table.trouble.as_ref().filter(|_| table.aside).map(|trouble| trouble.since);
        since.is_some_and(|since| now.seconds_since(since) * 1000 > LATE_MILLIS * 5)
    };
    let (name, table) = task.tables.iter().find(|(_, table)| late(table))?;
    let why = table.trouble.as_ref().map(|trouble| trouble.error.as_str()).unwrap_or_default();
    Some(format!("{name}, which is copied beside the others, does not get on: {why}"))
}

/// The tables that are parked, or else paused, or else catching up with the others, in a sentence.
fn resting(task: &TaskStatus) -> Option<String> {
    let all = |is: fn(&TableStatus) -> bool, word: &str| {
        let tables = task.tables.iter().filter(|(_, table)| is(table));
        match tables.map(|(name, _)| name.as_str()).collect::<Vec<_>>().as_slice() {
            [] => None,
            [one] => Some(format!("{one} is {word}")),
            [first, more @ ..] => Some(format!("{first} and {} more tables are {word}", more.len())),
        }
    };
    all(|table| table.phase == TablePhase::Parked, "parked")
        .or_else(|| all(|table| table.phase == TablePhase::Paused, "paused"))
        .or_else(|| all(|table| table.catching_up_from.is_some(), "catching up with the others"))
}

fn scrape(board: &Board) -> Response {
    match metrics::render(board) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
                .into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::status::NotCommitted;

    #[test]
    fn a_task_is_ready_only_when_it_synchronizes_and_hears_its_source() {
        let now = Time::from_micros(1_000_000_000);
        let mut task = TaskStatus::new(now);
        assert!(not_ready(&task, now).is_some());
        task.phase = Phase::Synchronizing;
        task.heard = now.seconds();
        assert!(not_ready(&task, now).is_some_and(|why| why.contains("not known yet")));
        task.lag_millis = Some(0);
        assert_eq!(not_ready(&task, now), None);
        task.not_committed = Some(NotCommitted { error: "disk full".into(), until: None });
        assert!(not_ready(&task, now).is_some_and(|why| why.contains("disk full")));
        task.not_committed = None;
        task.lag_millis = Some(LATE_MILLIS + 1);
        assert!(not_ready(&task, now).is_some_and(|why| why.contains("60 s ago")));
        task.lag_millis = None;
        task.heard -= SILENT_SECONDS + 5;
        assert!(not_ready(&task, now).is_some_and(|why| why.contains("nothing heard")));
        task.phase = Phase::Failed { error: "gone".into(), remedy: "mend".into() };
        assert!(not_ready(&task, now).is_some_and(|why| why.contains("gone")));
    }
}
