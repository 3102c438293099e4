//! `rowferry reload`, `pause`, `resume`, `skip`, `resync`, `add` and `drop`: the running daemon is told; where none runs, what is on record of the task is changed.

use super::ask::{self, Answer};
use super::{CliError, ConfigFile, Exit, audit, chosen, load, out, table_names};
use crate::change::TransactionName;
use crate::change::command::{AskedOutcome, Change, Command, Pausing, Reason, Reply, printable};
use crate::config::{self, Config};
use crate::control::client;
use crate::task;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Has the daemon take in its config anew.
pub async fn reload(file: &ConfigFile) -> Result<Exit, CliError> {
    let config = config::load_without_secrets(&file.path)?;
    match socket(&config).await? {
        Some(path) => tell(&path, ("POST", "/api/reload"), "").await,
        None => Err(CliError::NoDaemon),
    }
}

/// Changes what a task does with tables.
pub async fn tables(
    file: &ConfigFile,
    task: Option<String>,
    tables: Vec<String>,
    change: Change,
) -> Result<Exit, CliError> {
    let names = table_names(&tables)?;
    let config = config::load_without_secrets(&file.path)?;
    let name = one(&config, task)?;
    if let Some(path) = socket(&config).await? {
        let (what, body) = match change {
            Change::Resync => ("resync", json!({ "tables": tables })),
            Change::Add => ("add", json!({ "tables": tables })),
            Change::Pause => ("tables/pause", json!({ "tables": tables })),
            Change::Resume => ("tables/resume", json!({ "tables": tables })),
            Change::Drop { remove_rows } => ("drop", json!({ "tables": tables, "remove_rows": remove_rows })),
        };
        let request = format!("{}/{what}", path_of(&name));
        return tell(&path, ("POST", &request), &body.to_string()).await;
    }
    let config = load(file)?;
    let command = Command::Tables { task: name.clone(), tables: names.clone(), change };
    done(&config, &command, &name, task::change(&name, &config, change, &names)).await
}

/// Pauses a task, or resumes it.
pub async fn pause(file: &ConfigFile, task: Option<String>, pausing: Pausing) -> Result<Exit, CliError> {
    let config = config::load_without_secrets(&file.path)?;
    let name = one(&config, task)?;
    if let Some(path) = socket(&config).await? {
        let what = match pausing {
            Pausing::Pause => "pause",
            Pausing::Resume => "resume",
        };
        return tell(&path, ("POST", &format!("{}/{what}", path_of(&name))), "").await;
    }
    let config = load(file)?;
    let command = Command::Task { task: name.clone(), pausing };
    let pausing = async { task::pause(&name, &config, pausing).await.map(|line| vec![line]) };
    done(&config, &command, &name, pausing).await
}

/// Ends a task for good.
pub async fn drop_task(file: &ConfigFile, task: String, remove_rows: bool) -> Result<Exit, CliError> {
    let config = config::load_without_secrets(&file.path)?;
    let name = one(&config, Some(task))?;
    if let Some(path) = socket(&config).await? {
        let request = format!("{}?remove_rows={remove_rows}", path_of(&name));
        return tell(&path, ("DELETE", &request), "").await;
    }
    let config = load(file)?;
    let command = Command::DropTask { task: name.clone(), remove_rows };
    done(&config, &command, &name, task::drop_task(&name, &config, remove_rows)).await
}

/// What is done without a daemon, by whoever runs this.
async fn done(
    config: &Arc<Config>,
    command: &Command,
    name: &str,
    doing: impl Future<Output = Result<Vec<String>, task::TaskError>>,
) -> Result<Exit, CliError> {
    let command = command.to_string();
    let recorded = audit::recorded(config, name, &command, doing, |lines| {
        (AskedOutcome::Done, lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n"))
    });
    let lines = Box::pin(recorded).await;
    show(&lines.map_err(|error| CliError::Task { task: name.to_owned(), error })?)?;
    Ok(Exit::Good)
}

/// Has a task pass over the transaction that it has failed at.
pub async fn skip(
    file: &ConfigFile,
    task: Option<String>,
    position: &str,
    table: Option<String>,
) -> Result<Exit, CliError> {
    let position: TransactionName = position.parse()?;
    let named = table_names(table.as_slice())?.pop();
    let config = config::load_without_secrets(&file.path)?;
    let name = one(&config, task)?;
    if let Some(path) = socket(&config).await? {
        let body = json!({ "position": position.to_string(), "table": table }).to_string();
        return tell(&path, ("POST", &format!("{}/skip", path_of(&name))), &body).await;
    }
    let config = load(file)?;
    let command = Command::Skip { task: name.clone(), position: position.clone(), table: named.clone() };
    let skipping =
        async { task::skip(&name, &config, &position, named.as_ref()).await.map(|line| vec![line]) };
    done(&config, &command, &name, skipping).await
}

/// Where a task is asked for things.
fn path_of(task: &str) -> String {
    format!("/api/tasks/{}", utf8_percent_encode(task, NON_ALPHANUMERIC))
}

/// The one task that a command is about.
fn one(config: &Config, task: Option<String>) -> Result<String, CliError> {
    match (task, config.tasks.len()) {
        (None, 1) => Ok(chosen(config, None)?.concat()),
        (None, _) => Err(CliError::WhichTask { known: chosen(config, None)?.join(", ") }),
        (task, _) => Ok(chosen(config, task)?.concat()),
    }
}

/// Where the daemon of this config can be told what to do; `None` when none runs.
async fn socket(config: &Config) -> Result<Option<PathBuf>, CliError> {
    if let Some(path) = &config.daemon.socket {
        return Ok(tokio::net::UnixStream::connect(path).await.is_ok().then(|| path.clone()));
    }
    match ask::identity(config).await? {
        Answer::Mine(identity) if !identity.socket.is_empty() => Ok(Some(identity.socket.into())),
        Answer::Mine(_) => Err(CliError::NoSocket),
        Answer::Nobody => Ok(None),
        Answer::Another(who) => Err(CliError::Reply(who)),
    }
}

async fn tell(path: &Path, request: (&str, &str), body: &str) -> Result<Exit, CliError> {
    let told = client::tell(path, request, body).await;
    if told.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut) {
        out::tell(
            "rowferry: the daemon takes too long; its log, and rowferry audit, tell what becomes of it",
        );
        return Ok(Exit::Temporary);
    }
    let Reply { lines, failure } =
        told.map_err(|source| CliError::Socket { path: path.display().to_string(), source })?;
    show(&lines)?;
    match failure {
        None => Ok(Exit::Good),
        Some(failure) => {
            out::tell(&format!("rowferry: {}", failure.error));
            Ok(if failure.reason == Reason::Temporary { Exit::Temporary } else { Exit::Problem })
        }
    }
}

fn show(lines: &[String]) -> Result<(), CliError> {
    for line in lines {
        out::print(&format!("{line}\n"))?;
    }
    Ok(())
}
