//! `rowferry check` and `rowferry plan`.

use super::{CliError, Exit, chosen};
use crate::config::Config;
use crate::precheck::{Report, Verdict};
use crate::task;
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
            Err(error) => errors.push(CliError::Task { task: name, error }),
        }
    }
    let good = reports.values().all(Report::passed);
    if json && (errors.is_empty() || !reports.is_empty()) {
        let text =
            serde_json::to_string_pretty(&reports).map_err(|error| CliError::Reply(error.to_string()))?;
        println!("{text}");
    } else if !json {
        let colour = std::io::stdout().is_terminal();
        for (name, report) in &reports {
            print_report(name, report, colour);
        }
    }
    // The tasks that can be judged have been; the last error is told by the caller.
    let last = errors.pop();
    for error in errors {
        eprintln!("rowferry: {error}");
    }
    match last {
        Some(error) => Err(error),
        None => Ok(if good { Exit::Good } else { Exit::Problem }),
    }
}

fn print_report(name: &str, report: &Report, colour: bool) {
    println!("task {name}");
    for item in &report.items {
        let (word, code) = match item.verdict {
            Verdict::Pass => ("pass", "32"),
            Verdict::Warn => ("WARN", "33"),
            Verdict::Fail => ("FAIL", "31"),
        };
        let word = if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() };
        println!("  {word}  {:<24} {}: {}", item.code, item.subject, item.why);
        if !item.remedy.is_empty() {
            println!("        to mend it: {}", item.remedy);
        }
    }
    let count = |verdict| report.items.iter().filter(|item| item.verdict == verdict).count();
    println!(
        "  {} passed, {} warnings, {} failed",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Fail)
    );
}

/// Prints the statements that would prepare the target of each task.
pub async fn plan(config: Arc<Config>, task: Option<String>) -> Result<Exit, CliError> {
    for name in chosen(&config, task)? {
        let statements =
            task::plan(&name, &config).await.map_err(|error| CliError::Task { task: name.clone(), error })?;
        println!("-- task {name}");
        for statement in statements {
            println!("{statement};");
        }
    }
    Ok(Exit::Good)
}
