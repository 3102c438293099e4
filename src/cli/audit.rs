//! `rowferry audit`, and the entries of what is done without a daemon.

use super::out::{self, line};
use super::{CliError, Exit, chosen};
use crate::change::command::{Asked, AskedOutcome, Asker};
use crate::config::Config;
use crate::control::user_name;
use crate::status::{now, words};
use crate::task::{self, TaskError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Shows the last entries of each task.
pub async fn audit(
    config: &Arc<Config>,
    task: Option<String>,
    json: bool,
    last: u32,
) -> Result<Exit, CliError> {
    let mut all = BTreeMap::new();
    for name in chosen(config, task)? {
        let asked = task::asked(&name, config, last).await;
        let asked = asked.map_err(|error| CliError::Task { task: name.clone(), error })?;
        all.insert(name, asked);
    }
    if json {
        let text = serde_json::to_string_pretty(&all).map_err(|error| CliError::Reply(error.to_string()))?;
        out::print(&format!("{text}\n"))?;
        return Ok(Exit::Good);
    }
    let mut text = String::new();
    for (name, entries) in &all {
        line!(text, "task {name}{}", if entries.is_empty() { ": nothing was asked of it" } else { "" });
        for entry in entries {
            let Asked { at, asker, command, outcome, said, .. } = entry;
            line!(text, "  {} {} {command}, {asker}", words::moment(*at), outcome.word());
            for said in said.lines() {
                line!(text, "    {said}");
            }
        }
    }
    out::print(&text)?;
    Ok(Exit::Good)
}

/// Does something to a task, and has that on record with who runs this program.
pub async fn recorded<T>(
    config: &Arc<Config>,
    task: &str,
    command: &str,
    doing: impl Future<Output = Result<T, TaskError>>,
    said: impl FnOnce(&T) -> String,
) -> Result<T, TaskError> {
    let asker = Asker {
        name: user_name(nix::unistd::getuid().as_raw()),
        way: format!("by a process of his own ({})", std::process::id()),
    };
    let entry = |outcome: AskedOutcome, said: String| Asked {
        at: now().seconds(),
        task: task.to_owned(),
        asker: asker.to_string(),
        command: command.to_owned(),
        outcome,
        said,
    };
    task::record_asked(config, &entry(AskedOutcome::Begun, String::new())).await;
    let done = doing.await;
    let last = match &done {
        Ok(done) => entry(AskedOutcome::Done, said(done)),
        Err(error) => entry(AskedOutcome::NotDone, error.to_string()),
    };
    task::record_asked(config, &last).await;
    done
}
