//! The paths by which a daemon is told what to do, and the answers. `docs/openapi.json` describes them.

use super::asker::Tokens;
use crate::change::command::{Asker, Change, Command, Pausing, Reason, Reply};
use crate::change::{TableName, TransactionNameError};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// How long a body may be, in bytes; a hundred thousand names need a tenth of it.
const LONGEST: usize = 64 << 20;

/// What the paths lead to.
#[derive(Clone)]
pub struct Control {
    /// Does what somebody asks for.
    pub obey: Arc<dyn Fn(Command, Asker) -> BoxFuture<'static, Reply> + Send + Sync>,
    /// Who may ask on the network.
    pub tokens: Tokens,
}

/// Tables, as a request names them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    /// As `database.table`.
    tables: Vec<String>,
    /// Of a drop: their rows in the target go too.
    #[serde(default)]
    remove_rows: bool,
}

/// What a task is to pass over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Passing {
    /// The transaction, as the status names it.
    position: String,
    /// The one table for which, as `database.table`.
    table: Option<String>,
}

/// What a drop of a task takes along.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    /// The rows in the target.
    #[serde(default)]
    remove_rows: bool,
}

/// The paths.
pub fn router(control: Control) -> Router {
    Router::new()
        .route("/api/openapi.json", get(describe))
        .route("/api/reload", post(reload))
        .route("/api/tasks/{task}", delete(drop_task))
        .route("/api/tasks/{task}/pause", post(pause))
        .route("/api/tasks/{task}/resume", post(resume))
        .route("/api/tasks/{task}/skip", post(skip))
        .route("/api/tasks/{task}/resync", post(resync))
        .route("/api/tasks/{task}/add", post(add))
        .route("/api/tasks/{task}/drop", post(drop_tables))
        .route("/api/tasks/{task}/tables/pause", post(pause_tables))
        .route("/api/tasks/{task}/tables/resume", post(resume_tables))
        .layer(DefaultBodyLimit::max(LONGEST))
        .with_state(control)
}

async fn describe() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../../docs/openapi.json")).into_response()
}

async fn reload(asker: Asker, State(control): State<Control>) -> Response {
    obey(&control, Command::Reload, asker).await
}

async fn pause(asker: Asker, State(control): State<Control>, Path(task): Path<String>) -> Response {
    obey(&control, Command::Task { task, pausing: Pausing::Pause }, asker).await
}

async fn resume(asker: Asker, State(control): State<Control>, Path(task): Path<String>) -> Response {
    obey(&control, Command::Task { task, pausing: Pausing::Resume }, asker).await
}

async fn drop_task(
    asker: Asker,
    State(control): State<Control>,
    Path(task): Path<String>,
    removal: Result<Query<Removal>, QueryRejection>,
) -> Response {
    match removal {
        Ok(Query(Removal { remove_rows })) => {
            obey(&control, Command::DropTask { task, remove_rows }, asker).await
        }
        Err(rejected) => malformed(&rejected.body_text()),
    }
}

async fn resync(
    asker: Asker,
    State(control): State<Control>,
    task: Path<String>,
    body: Body<Tables>,
) -> Response {
    tables(&control, asker, task, body, |_| Change::Resync).await
}

async fn add(
    asker: Asker,
    State(control): State<Control>,
    task: Path<String>,
    body: Body<Tables>,
) -> Response {
    tables(&control, asker, task, body, |_| Change::Add).await
}

async fn pause_tables(
    asker: Asker,
    State(control): State<Control>,
    task: Path<String>,
    body: Body<Tables>,
) -> Response {
    tables(&control, asker, task, body, |_| Change::Pause).await
}

async fn resume_tables(
    asker: Asker,
    State(control): State<Control>,
    task: Path<String>,
    body: Body<Tables>,
) -> Response {
    tables(&control, asker, task, body, |_| Change::Resume).await
}

async fn drop_tables(
    asker: Asker,
    State(control): State<Control>,
    task: Path<String>,
    body: Body<Tables>,
) -> Response {
    tables(&control, asker, task, body, |remove_rows| Change::Drop { remove_rows }).await
}

/// A body, or what is wrong with it. It is read after it is known who asks.
struct Body<T>(Result<T, Response>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let read: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        Ok(Self(read.map(|Json(body)| body).map_err(|rejected| {
            refusal(rejected.status(), &rejected.body_text().replace('\n', " "), Reason::Refused)
        })))
    }
}

async fn skip(
    asker: Asker,
    State(control): State<Control>,
    Path(task): Path<String>,
    Body(body): Body<Passing>,
) -> Response {
    let Passing { position, table } = match body {
        Ok(passing) => passing,
        Err(response) => return response,
    };
    let position = match position.parse() {
        Ok(position) => position,
        Err(error) => return malformed(&TransactionNameError::to_string(&error)),
    };
    let named = table.as_deref().map(|name| TableName::parse(name).ok_or(name));
    match named.transpose() {
        Ok(table) => obey(&control, Command::Skip { task, position, table }, asker).await,
        Err(name) => malformed(&no_table(name)),
    }
}

async fn tables(
    control: &Control,
    asker: Asker,
    Path(task): Path<String>,
    Body(body): Body<Tables>,
    change: impl FnOnce(bool) -> Change,
) -> Response {
    let Tables { tables: named, remove_rows } = match body {
        Ok(tables) => tables,
        Err(response) => return response,
    };
    let change = change(remove_rows);
    if remove_rows && !matches!(change, Change::Drop { .. }) {
        return malformed("remove_rows is for a drop");
    }
    let mut tables = Vec::new();
    for name in &named {
        match TableName::parse(name) {
            Some(table) => tables.push(table),
            None => return malformed(&no_table(name)),
        }
    }
    if tables.is_empty() {
        return malformed("no table is named");
    }
    obey(control, Command::Tables { task, tables, change }, asker).await
}

async fn obey(control: &Control, command: Command, asker: Asker) -> Response {
    let obey = control.obey.clone();
    // In a task of its own: what was begun is done though the asker goes away.
    match tokio::spawn(async move { obey(command, asker).await }).await {
        Ok(reply) => answer(reply),
        Err(error) => answer(Reply::failed(
            format!("the daemon ended it: {error}; it is not known whether it was done"),
            Reason::Temporary,
        )),
    }
}

fn answer(reply: Reply) -> Response {
    let status = match reply.failure.as_ref().map(|failure| failure.reason) {
        None => StatusCode::OK,
        Some(Reason::UnknownTask) => StatusCode::NOT_FOUND,
        Some(Reason::Refused) => StatusCode::CONFLICT,
        Some(Reason::Temporary) => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(reply)).into_response()
}

/// An answer that nothing was done.
pub(super) fn refusal(status: StatusCode, error: &str, reason: Reason) -> Response {
    (status, Json(Reply::failed(error, reason))).into_response()
}

fn no_table(name: &str) -> String {
    format!("{name:?} is no table: write database.table")
}

fn malformed(why: &str) -> Response {
    refusal(StatusCode::BAD_REQUEST, &why.replace('\n', " "), Reason::Refused)
}
