//! `rowferry audit`, and the entries of what is done without a daemon.

use super::check::tell_all;
use super::out::{self, line};
use super::{CliError, Exit, chosen};
use crate::change::command::{Asked, AskedOutcome, Asker, printable};
use crate::change::status::TaskStatus;
use crate::config::Config;
use crate::control::user_name;
use crate::status::{now, words};
use crate::task::{self, TaskError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Shows what each task has counted and tells, and the last entries of what was asked of it.
pub async fn audit(
    config: &Arc<Config>,
    task: Option<String>,
    json: bool,
    last: u32,
) -> Result<Exit, CliError> {
    let (mut all, mut errors) = (BTreeMap::new(), Vec::new());
    for name in chosen(config, task)? {
        let told = task::stored(&name, config).await;
        match (told, task::asked(&name, config, last).await) {
            (Ok(told), Ok(asked)) => drop(all.insert(name, (told, asked))),
            (Err(error), _) | (_, Err(error)) => errors.push(CliError::Task { task: name, error }),
        }
    }
    if json {
        let all: BTreeMap<String, Value> =
            all.into_iter().map(|(name, found)| (name, json_of(&found))).collect();
        let text = serde_json::to_string_pretty(&all).map_err(|error| CliError::Reply(error.to_string()))?;
        out::print(&format!("{text}\n"))?;
        return tell_all(errors, Exit::Good);
    }
    let mut text = String::new();
    for (name, (told, entries)) in &all {
        line!(text, "task {name}");
        for told in words::told(told, now()) {
            line!(text, "  {told}");
        }
        if entries.is_empty() {
            line!(text, "  nothing was asked of it");
        }
        for entry in entries {
            let Asked { at, asker, command, outcome, said, .. } = entry;
            line!(text, "  {} {} {command}, {asker}", words::moment(*at), outcome.word());
            for said in said.lines() {
                line!(text, "    {said}");
            }
        }
    }
    out::print(&text)?;
    tell_all(errors, Exit::Good)
}

fn json_of((told, asked): &(TaskStatus, Vec<Asked>)) -> Value {
    let tables = told.tables.iter().map(|(name, table)| {
        let counted = json!({
            "drift": table.drift,
            "drift_example": table.drift_example,
            "quarantined": table.quarantined,
            "verified": told.verified.get(name),
        });
        (name.clone(), counted)
    });
    let tables: serde_json::Map<String, Value> = tables.collect();
    json!({ "passed": told.statements_passed, "skipped": told.skips, "tables": tables, "asked": asked })
}

/// Does something to a task, and has that on record with who runs this program.
pub async fn recorded<T>(
    config: &Arc<Config>,
    task: &str,
    command: &str,
    doing: impl Future<Output = Result<T, TaskError>>,
    said: impl FnOnce(&T) -> (AskedOutcome, String),
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
    record(config, &entry(AskedOutcome::Begun, String::new())).await;
    let done = doing.await;
    let (outcome, said) = match &done {
        Ok(done) => said(done),
        Err(error) => (AskedOutcome::NotDone, printable(&error.to_string())),
    };
    record(config, &entry(outcome, said)).await;
    done
}

async fn record(config: &Arc<Config>, asked: &Asked) {
    if let Err(why) = task::record_asked(config, asked).await {
        out::tell(&format!("what was asked of task {} is not on record: {why}", asked.task));
    }
}
