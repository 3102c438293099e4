//! `rowferry status`: asks the running daemon over HTTP, or reads the checkpoints when none runs.

use super::ask::{self, Answer};
use super::out::{self, line};
use super::{CliError, ConfigFile, Exit, load};
use crate::change::status::{Model, Phase, TablePhase, TaskStatus, Time};
use crate::config::{self, Config};
use crate::status::{not_ready, now, words};
use crate::task;
use std::time::{Duration, Instant};

/// What a script waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Awaited {
    /// Every task is Synchronizing.
    Synchronizing,
    /// As /readyz has it: none is late either, and no table is parked.
    Ready,
}

/// How often it is looked.
const LOOKING: Duration = Duration::from_millis(500);

/// Waits until all tasks are as awaited, and prints the status then; 1 when that does not come. A daemon that does not answer may be starting.
pub async fn wait(
    file: &ConfigFile,
    json: bool,
    awaited: Awaited,
    patience: Duration,
) -> Result<Exit, CliError> {
    let config = config::load_without_secrets(&file.path)?;
    let begun = Instant::now();
    has_listener(&config)?;
    loop {
        let is_over = begun.elapsed() >= patience;
        let answer = match ask::model(&config).await {
            Err(error) if is_over => return Err(error),
            answer => answer.unwrap_or(Answer::Nobody),
        };
        if let Answer::Mine(model) = &answer {
            let is_good = |task: &TaskStatus| match awaited {
                Awaited::Synchronizing => matches!(task.phase, Phase::Synchronizing | Phase::Dropped),
                Awaited::Ready => not_ready(task, now()).is_none(),
            };
            // One that has just begun, or has not taken in the config yet, does not know all of them.
            let good = config.tasks.keys().all(|name| model.tasks.get(name).is_some_and(is_good));
            // Somebody has to mend it: that is not waited for.
            let ends = |task: &TaskStatus| matches!(task.phase, Phase::Failed { .. } | Phase::Paused);
            let failed = model.tasks.values().any(ends);
            if good || failed || is_over {
                show(model, json, true, "")?;
                return Ok(if good { Exit::Good } else { Exit::Problem });
            }
        } else if is_over {
            let who = if let Answer::Another(who) = answer {
                who
            } else {
                "no daemon answers for this config".to_owned()
            };
            out::tell(&format!("{who}, {} s long", patience.as_secs()));
            return Ok(Exit::Problem);
        }
        tokio::time::sleep(LOOKING.min(patience.saturating_sub(begun.elapsed()))).await;
    }
}

/// Prints the status; 1 when a task is not well. Secrets are read only when no daemon answers and the targets have to be asked.
pub async fn status(file: &ConfigFile, json: bool, watch: bool) -> Result<Exit, CliError> {
    let config = config::load_without_secrets(&file.path)?;
    loop {
        let (model, live) = match ask::model(&config).await? {
            Answer::Mine(model) => (model, true),
            Answer::Nobody => (stored(file).await?, false),
            Answer::Another(who) => {
                // On standard error, so that JSON stays JSON.
                out::tell(&who);
                (stored(file).await?, false)
            }
        };
        show(&model, json, live, if watch { "\x1b[2J\x1b[H" } else { "" })?;
        if watch {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        }
        let good = live && model.tasks.values().all(|task| not_ready(task, now()).is_none());
        return Ok(if good { Exit::Good } else { Exit::Problem });
    }
}

fn show(model: &Model, json: bool, live: bool, clear: &str) -> Result<(), CliError> {
    if json {
        let text = serde_json::to_string_pretty(model).map_err(|error| CliError::Reply(error.to_string()))?;
        out::print(&format!("{text}\n"))
    } else {
        out::print(&format!("{clear}{}", text(model, live, now())))
    }
}

/// 0 when the daemon serves, whatever its tasks do; else 1. What a container's health check needs, without a shell.
pub async fn alive(config: &Config) -> Result<Exit, CliError> {
    has_listener(config)?;
    match ask::identity(config).await? {
        Answer::Mine(_) => {
            out::print("alive\n")?;
            return Ok(Exit::Good);
        }
        Answer::Nobody => out::tell(&format!("nobody listens on {}", config.daemon.listen)),
        Answer::Another(who) => out::tell(&who),
    }
    Ok(Exit::Problem)
}

fn has_listener(config: &Config) -> Result<(), CliError> {
    if config.daemon.listen.is_empty() {
        return Err(CliError::Reply("[daemon] listen is empty, so there is nobody to ask".to_owned()));
    }
    Ok(())
}

/// What the targets hold of each task.
async fn stored(file: &ConfigFile) -> Result<Model, CliError> {
    let config = &load(file)?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let mut model = Model { version, config: config.identity(), ..Model::default() };
    for name in config.tasks.keys() {
        let status =
            task::stored(name, config).await.map_err(|error| CliError::Task { task: name.clone(), error })?;
        model.tasks.insert(name.clone(), status);
    }
    Ok(model)
}

fn text(model: &Model, live: bool, now: Time) -> String {
    let mut text = String::new();
    if live {
        let up = words::duration(now.seconds_since(model.started));
        line!(text, "rowferry {} (up {up})", model.version);
    } else {
        line!(text, "no daemon answers for this config; this is what the targets hold");
    }
    for (name, task) in &model.tasks {
        add_task(&mut text, name, task, live, now);
    }
    text
}

fn add_task(text: &mut String, name: &str, task: &TaskStatus, live: bool, now: Time) {
    let state = match (live, task.position.is_some()) {
        (_, _) if task.phase == Phase::Dropped => "dropped, by command",
        (false, _) if task.phase == Phase::Paused => "paused, and not running",
        (true, _) => task.phase.name(),
        (false, true) => "not running",
        (false, false) => "never ran",
    };
    line!(text, "\ntask {name}: {state}");
    match &task.phase {
        Phase::Failed { error, remedy } => line!(text, "  {error}\n  to mend it: {remedy}"),
        Phase::Retrying { error, attempt } => line!(text, "  {error} (attempt {attempt})"),
        Phase::Prechecking
        | Phase::SchemaSync
        | Phase::Snapshot
        | Phase::CatchingUp
        | Phase::Synchronizing
        | Phase::Paused
        | Phase::Dropped
        | Phase::Stopped => {}
    }
    if let Some(cause) = task.first_cause() {
        let ago = words::duration(now.seconds_since(cause.since));
        line!(text, "  what stopped it first, {ago} ago: {}", cause.error);
        if !cause.remedy.is_empty() {
            line!(text, "  to mend that: {}", cause.remedy);
        }
    }
    for words in [words::stands(task), words::skipped(task, now)].into_iter().flatten() {
        line!(text, "  {words}");
    }
    if let Some(what) = &task.waiting_for {
        line!(text, "  waits for {what}");
    }
    if let Some(failed) = &task.not_committed {
        line!(text, "  not committed yet: {}", failed.error);
    }
    let of = |name: &str, server: &str| format!("{name} {server}").trim_end().to_owned();
    line!(text, "  {} → {}", of(&task.source, &task.source_server), of(&task.target, &task.target_server));
    if let Some(position) = &task.position {
        line!(text, "  applied  {position}");
    }
    if live {
        line!(
            text,
            "  {}, {} transactions in {} commits, {} restarts",
            words::lag(task),
            task.transactions,
            task.batches,
            task.restarts
        );
    }
    if let Some(words) = words::not_carried(&task.not_carried) {
        line!(text, "  {words}");
    }
    if let Some(words) = words::not_followed(task) {
        line!(text, "  {words}");
    }
    let width = task.tables.keys().map(String::len).max().unwrap_or(0);
    for (table, status) in &task.tables {
        let what = match &status.phase {
            TablePhase::Pending => "pending".to_owned(),
            TablePhase::Snapshotting => {
                format!("copying, {} of about {} rows", status.copied_rows, status.estimated_rows)
            }
            TablePhase::CatchingUp => format!("catching up, {} rows copied", status.copied_rows),
            TablePhase::Streaming if status.catching_up_from.is_some() => {
                words::paused(status, now).unwrap_or_default()
            }
            TablePhase::Streaming if live => format!(
                "streaming, {} inserts, {} updates, {} deletes",
                status.inserts, status.updates, status.deletes
            ),
            TablePhase::Streaming => "streaming".to_owned(),
            TablePhase::Parked => "parked".to_owned(),
            TablePhase::Paused => words::paused(status, now).unwrap_or_else(|| "paused".to_owned()),
            TablePhase::LetGo => "not carried any more, by command".to_owned(),
        };
        let beside = if status.aside { ", beside the others" } else { "" };
        line!(text, "  {table:width$} → {}  {what}{beside}", status.target);
        if let Some(what) = &status.waiting_for {
            line!(text, "  {:width$}   waits for {what}", "");
        }
        if let Some(trouble) = &status.trouble {
            line!(text, "  {:width$}   {}", "", trouble.error);
            line!(text, "  {:width$}   what helps: {}", "", trouble.remedy);
        }
        if let Some(upkeep) = words::upkeep(&status.upkeep, now) {
            line!(text, "  {:width$}   {upkeep}", "");
        }
        if let Some(verified) = words::verified(task, table, now) {
            line!(text, "  {:width$}   {verified}", "");
        }
        if let Some(words) = words::quarantined(status) {
            line!(text, "  {:width$}   {words}", "");
        }
        if let Some(drift) = words::drift(status) {
            line!(text, "  {:width$}   {drift}", "");
        }
    }
}
