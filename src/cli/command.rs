//! `rowferry reload`, `pause`, `resume`, `resync`, `add` and `drop`: the running daemon is told; where none runs, what is on record of the task is changed.

use super::ask::{self, Answer};
use super::{CliError, ConfigFile, Exit, chosen, load, out, table_names};
use crate::change::command::{Change, Command, Pausing, Reply};
use crate::config::{self, Config};
use crate::control;
use crate::task;
use std::path::{Path, PathBuf};

/// Has the daemon take in its config anew.
pub async fn reload(file: &ConfigFile) -> Result<Exit, CliError> {
    let config = config::load_without_secrets(&file.path)?;
    match socket(&config).await? {
        Some(path) => tell(&path, &Command::Reload).await,
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
    if let Some(path) = socket(&config).await? {
        return tell(&path, &Command::Tables { task, tables: names, change }).await;
    }
    let config = load(file)?;
    let name = one(&config, task)?;
    let lines = task::change(&name, &config, change, &names).await;
    let lines = lines.map_err(|error| CliError::Task { task: name.clone(), error })?;
    show(&lines)?;
    Ok(Exit::Good)
}

/// Pauses a task, or resumes it.
pub async fn pause(file: &ConfigFile, task: Option<String>, pausing: Pausing) -> Result<Exit, CliError> {
    let config = config::load_without_secrets(&file.path)?;
    if let Some(path) = socket(&config).await? {
        return tell(&path, &Command::Task { task, pausing }).await;
    }
    let config = load(file)?;
    let name = one(&config, task)?;
    let line = task::pause(&name, &config, pausing).await;
    show(&[line.map_err(|error| CliError::Task { task: name.clone(), error })?])?;
    Ok(Exit::Good)
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

async fn tell(path: &Path, command: &Command) -> Result<Exit, CliError> {
    let told = control::tell(path, command).await;
    let Reply { lines, failure } =
        told.map_err(|source| CliError::Socket { path: path.display().to_string(), source })?;
    show(&lines)?;
    match failure {
        None => Ok(Exit::Good),
        Some(failure) => {
            out::tell(&format!("rowferry: {}", failure.error));
            Ok(if failure.temporary { Exit::Temporary } else { Exit::Problem })
        }
    }
}

fn show(lines: &[String]) -> Result<(), CliError> {
    for line in lines {
        out::print(&format!("{line}\n"))?;
    }
    Ok(())
}
