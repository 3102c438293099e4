//! `rowferry verify`.

use super::check::tell_all;
use super::out::{self, line};
use super::{CliError, ConfigFile, Exit, audit, chosen, load, table_names};
use crate::change::command::{AskedOutcome, printable};
use crate::change::verdict::{Outcome, TableVerdict};
use crate::task::{self, TaskError, Verifying};
use std::collections::BTreeMap;

/// Keys of a table that are listed.
const LISTED: usize = 100;

/// What to compare, and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Config.
    #[command(flatten)]
    config: ConfigFile,
    /// Only this task; needed with tables where there are several.
    #[arg(long)]
    task: Option<String>,
    /// Put right in the target what differs.
    #[arg(long)]
    repair: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Read so many rows a second at most; 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rows_per_second: u64,
    /// List so many keys of a table that differ.
    #[arg(long, value_name = "N", default_value_t = LISTED)]
    keys: usize,
    /// Only these tables, as `database.table`; all that are carried where none is named.
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
}

/// Compares the tables of each task; 1 when rows differ, or when a table could not be compared.
pub async fn verify(arguments: Arguments) -> Result<Exit, CliError> {
    let config = load(&arguments.config)?;
    let tasks = chosen(&config, arguments.task)?;
    if tasks.len() > 1 && !arguments.tables.is_empty() {
        return Err(CliError::WhichTask { known: tasks.join(", ") });
    }
    let verifying = Verifying {
        tables: table_names(&arguments.tables)?,
        repair: arguments.repair,
        rows_per_second: arguments.rows_per_second,
        listed: arguments.keys,
    };
    let mut errors = Vec::new();
    let mut all: BTreeMap<String, Vec<TableVerdict>> = BTreeMap::new();
    for name in tasks {
        let told = |verdict: &TableVerdict| {
            if arguments.json { Ok(()) } else { out::print(&text(verdict)) }
        };
        let mut printed = Ok(());
        let verdicts = task::verify(&name, &config, &verifying, |verdict| {
            if printed.is_ok() {
                printed = told(verdict);
            }
        });
        let compared = if arguments.repair {
            let command = ["verify --repair".to_owned(), arguments.tables.join(" ")].join(" ");
            Box::pin(audit::recorded(&config, &name, command.trim_end(), verdicts, put_right)).await
        } else {
            Box::pin(verdicts).await
        };
        let (verdicts, failed) = match compared {
            Ok(done) => done,
            Err(error) => (Vec::new(), Some(error)),
        };
        printed?;
        errors.extend(failed.map(|error| CliError::Task { task: name.clone(), error }));
        all.insert(name, verdicts);
    }
    if arguments.json {
        let text = serde_json::to_string_pretty(&all).map_err(|error| CliError::Reply(error.to_string()))?;
        out::print(&format!("{text}\n"))?;
    }
    let mut outcomes = all.values().flatten().map(|verdict| verdict.outcome);
    let good = outcomes.all(|outcome| matches!(outcome, Outcome::Equal | Outcome::Repaired));
    tell_all(errors, if good { Exit::Good } else { Exit::Problem })
}

/// What a repair has done, for the record; a line for each table where it has.
fn put_right((verdicts, failed): &(Vec<TableVerdict>, Option<TaskError>)) -> (AskedOutcome, String) {
    let repaired = verdicts.iter().filter(|verdict| verdict.repaired > 0);
    let mut lines: Vec<String> =
        repaired.map(|verdict| format!("{}: {} rows put right", verdict.table, verdict.repaired)).collect();
    lines.extend(failed.as_ref().map(ToString::to_string));
    let lines: Vec<String> = lines.iter().map(|line| printable(line)).collect();
    (if failed.is_none() { AskedOutcome::Done } else { AskedOutcome::NotDone }, lines.join("\n"))
}

/// One table, for people.
fn text(verdict: &TableVerdict) -> String {
    let mut text = String::new();
    let TableVerdict { table, rows, missing, different, extra, undecided, repaired, seconds, .. } = verdict;
    let least = if verdict.at_least { "at least " } else { "" };
    let found = format!("{least}{missing} missing, {different} different, {extra} extra");
    let said = match verdict.outcome {
        Outcome::Equal => format!("equal, {rows} rows in {seconds:.1} s"),
        Outcome::Different if *repaired > 0 => {
            format!("DIFFERENT: {found} of {rows} rows; {repaired} put right")
        }
        Outcome::Different => format!("DIFFERENT: {found} of {rows} rows"),
        Outcome::Repaired => format!("put right: {found} of {rows} rows"),
        Outcome::Undecided => format!("equal but for {undecided} rows that did not hold still, of {rows}"),
        Outcome::NotCompared => {
            format!("not compared: {}", verdict.why.as_deref().unwrap_or("it is not known why"))
        }
    };
    line!(text, "{table}: {said}");
    if *undecided > 0 && verdict.outcome == Outcome::Different {
        line!(text, "  and {undecided} rows did not hold still");
    }
    if let quarantined @ 1.. = verdict.quarantined {
        line!(text, "  and {quarantined} rows in quarantine, which the target cannot hold");
    }
    for found in &verdict.keys {
        let columns = verdict.key_columns.iter().zip(&found.key);
        let key: Vec<String> = columns.map(|(column, value)| format!("{column}={value}")).collect();
        line!(text, "  {} {}", found.difference, key.join(", "));
    }
    let listed = u64::try_from(verdict.keys.len()).unwrap_or(u64::MAX);
    if let more @ 1.. = verdict.differences().saturating_sub(listed) {
        line!(text, "  and {more} more");
    }
    for what in &verdict.not_looked_for {
        line!(text, "  not looked for: {what}");
    }
    text
}
