//! `rowferry check` and `rowferry plan`.

use super::out::{self, line};
use super::{CliError, Exit, chosen};
use crate::config::Config;
use crate::precheck::{Item, Report, Verdict};
use crate::task::{self, Planned, TaskError};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;

/// Prints the precheck of each task; 1 when an item fails.
pub async fn check(config: Arc<Config>, json: bool, task: Option<String>) -> Result<Exit, CliError> {
    let mut reports: BTreeMap<String, Report> = BTreeMap::new();
    let mut errors = Vec::new();
    for name in chosen(&config, task)? {
        match task::check(&name, &config).await {
            Ok(report) => drop(reports.insert(name, report)),
            Err(error) => {
                if json {
                    reports.insert(name.clone(), not_asked(&config, &name, &error));
                }
                errors.push(CliError::Task { task: name, error });
            }
        }
    }
    let good = reports.values().all(Report::passed);
    if json {
        let text =
            serde_json::to_string_pretty(&reports).map_err(|error| CliError::Reply(error.to_string()))?;
        out::print(&format!("{text}\n"))?;
    } else {
        let colour = std::io::stdout().is_terminal();
        let mut text = String::new();
        for (name, report) in &reports {
            add_report(&mut text, name, report, colour);
        }
        out::print(&text)?;
    }
    tell_all(errors, if good { Exit::Good } else { Exit::Problem })
}

/// Tells what kept tasks from being asked, when those that could be asked have been; the last error is told by the caller.
pub(super) fn tell_all(mut errors: Vec<CliError>, exit: Exit) -> Result<Exit, CliError> {
    let last = errors.pop();
    for error in errors {
        out::tell(&error.to_string());
    }
    last.map_or(Ok(exit), Err)
}

/// The report of a task of which nothing could be found out: one item says why.
fn not_asked(config: &Config, name: &str, error: &TaskError) -> Report {
    let task = config.tasks.get(name);
    let (code, subject) = match error {
        TaskError::Source(_) => ("source.connect", task.map(|task| task.source.as_str())),
        TaskError::Sink(_) => ("target.connect", task.map(|task| task.target.as_str())),
        TaskError::Transform(_)
        | TaskError::Schema(_)
        | TaskError::Precheck { .. }
        | TaskError::Unsettled { .. }
        | TaskError::CopyAgain { .. }
        | TaskError::Torn { .. }
        | TaskError::OfTable { .. }
        | TaskError::OfGroup { .. }
        | TaskError::Undone { .. }
        | TaskError::Standing { .. }
        | TaskError::Among { .. }
        | TaskError::NotSkipped { .. }
        | TaskError::Gone { .. }
        | TaskError::NotBegun { .. }
        | TaskError::Dropped { .. }
        | TaskError::HalfDropped { .. }
        | TaskError::NotTakenOut { .. }
        | TaskError::Resting
        | TaskError::NotOnRecord { .. }
        | TaskError::NotSelected { .. }
        | TaskError::OnItsWay { .. }
        | TaskError::Rests { .. }
        | TaskError::Unreplaceable { .. }
        | TaskError::Stream { .. }
        | TaskError::Overdue { .. }
        | TaskError::PieceConflict { .. }
        | TaskError::PieceRefused { .. }
        | TaskError::Internal(_) => ("task.check", None),
    };
    Report {
        items: vec![Item {
            code,
            subject: subject.unwrap_or(name).to_owned(),
            verdict: Verdict::Fail,
            why: error.to_string(),
            remedy: Some(error.retry().remedy()),
        }],
    }
}

fn add_report(text: &mut String, name: &str, report: &Report, colour: bool) {
    line!(text, "task {name}");
    for item in &report.items {
        let (word, code) = match item.verdict {
            Verdict::Pass => ("pass", "32"),
            Verdict::Warn => ("WARN", "33"),
            Verdict::Fail => ("FAIL", "31"),
        };
        let word = if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() };
        line!(text, "  {word}  {:<24} {}: {}", item.code, item.subject, item.why);
        if let Some(remedy) = &item.remedy {
            line!(text, "        to mend it: {remedy}");
        }
    }
    let count = |verdict| report.items.iter().filter(|item| item.verdict == verdict).count();
    line!(
        text,
        "  {} passed, {} warnings, {} failed",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Fail)
    );
}

/// Prints the statements that would prepare the target of each task; 1, and every refusal, when its check fails.
pub async fn plan(config: Arc<Config>, task: Option<String>) -> Result<Exit, CliError> {
    let mut exit = Exit::Good;
    let mut errors = Vec::new();
    for name in chosen(&config, task)? {
        let planned = match task::plan(&name, &config).await {
            Ok(planned) => planned,
            // The others may well be planned.
            Err(error) => {
                errors.push(CliError::Task { task: name, error });
                continue;
            }
        };
        match planned {
            Planned::Statements(statements) => {
                let mut text = String::new();
                line!(text, "-- task {name}");
                for statement in statements {
                    line!(text, "{statement};");
                }
                out::print(&text)?;
            }
            Planned::Refused(report) => {
                exit = Exit::Problem;
                let refusals = report.failures().map(|item| {
                    let remedy = item.remedy.as_ref().map(ToString::to_string).unwrap_or_default();
                    format!(
                        "
  - {}: {}. To mend it: {remedy}",
                        item.subject, item.why
                    )
                });
                let refusals: String = refusals.collect();
                out::tell(&format!("task {name} is not planned, since its check fails:{refusals}"));
            }
        }
    }
    tell_all(errors, exit)
}
