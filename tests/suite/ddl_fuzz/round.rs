//! A round: many cases side by side, each a task of one daemon, so that a statement that stops one says nothing of the others.

use super::case::Case;
use super::server::Server;
use super::statements::Statement;
use crate::harness::{
    Comparison, Config, DEADLINE, Daemon, Mysql, Postgres, PostgresDatabase, eventually_some, pause, rowferry,
};
use crate::load::Dice;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use rowferry::testing::change::state::Trouble;
use rowferry::testing::change::status::{Model, Phase, TablePhase, TaskStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// Cases that talk to the server at the same time.
const ABREAST: usize = 8;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken none of its statements, or no table.
    Refused,
    /// The table was not carried at all: the daemon's words.
    Unready(String),
    /// The daemon stopped at something: its words.
    Told(String),
    /// As [`Self::Told`], and a copy that somebody asked for has mended it.
    ByHand(String),
    /// As [`Self::Told`], but the words name neither the table nor the statement.
    Unnamed(String),
    /// Source and target are equal, so many rows.
    Equal(usize),
    /// The source has the table no more, and the daemon has said so.
    Gone,
    /// They are not, and nobody said so.
    Different(String),
    /// The daemon did not come to an end, died or panicked.
    Hung(String),
    /// The comparison itself failed.
    Broken(String),
}

/// Where rounds are played.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The source.
    pub server: Server,
    /// It.
    pub mysql: &'a Mysql,
    /// The target.
    pub postgres: &'a Postgres,
    /// The target's database.
    pub name: &'a str,
}

impl Ground<'_> {
    /// Plays all cases; an outcome for each. The dice decide what the round itself does.
    pub async fn play(&self, cases: &mut [Case], mut dice: Dice) -> Vec<Outcome> {
        let Self { server, mysql, postgres, name } = *self;
        let target = postgres.database(name).await;
        mysql.sql("DROP DATABASE IF EXISTS fence; CREATE DATABASE fence").await;
        let made: Vec<bool> = stream::iter(cases.iter_mut())
            .map(|case| async move {
                let fence = format!("fence.f{}", case.number);
                mysql
                    .sql(&format!(
                        "CREATE TABLE {fence} (id INT PRIMARY KEY, n INT); INSERT INTO {fence} VALUES (1, 0)"
                    ))
                    .await;
                case.prepare(mysql, server).await
            })
            .buffered(ABREAST)
            .collect()
            .await;
        // MySQL 5.6 is read from the start of its current file.
        mysql.sql("FLUSH LOGS").await;
        let mut outcomes: BTreeMap<u64, Outcome> = BTreeMap::new();
        let mut playing: Vec<&mut Case> = Vec::new();
        for (case, made) in cases.iter_mut().zip(made) {
            if made {
                playing.push(case);
            } else {
                outcomes.insert(case.number, Outcome::Refused);
            }
        }
        let order: Vec<u64> = playing.iter().map(|case| case.number).collect();
        if !playing.is_empty() {
            let daemon = Daemon::start(&config(mysql, &target, &order));
            if let Err(words) = self.follow(&daemon, &target, playing, &mut outcomes, &mut dice).await {
                for number in &order {
                    outcomes.entry(*number).or_insert_with(|| Outcome::Hung(words.clone()));
                }
            }
            if let Some(panic) = panic_in(&daemon.log()) {
                for number in &order {
                    outcomes.insert(*number, Outcome::Hung(panic.clone()));
                }
            }
        }
        cases.iter().map(|case| outcomes.remove(&case.number).expect("an outcome for each")).collect()
    }

    async fn follow(
        &self,
        daemon: &Daemon,
        target: &PostgresDatabase<'_>,
        mut cases: Vec<&mut Case>,
        outcomes: &mut BTreeMap<u64, Outcome>,
        dice: &mut Dice,
    ) -> Result<(), String> {
        let Self { server, mysql, .. } = *self;
        let names: BTreeMap<u64, String> = names(cases.iter().map(|case| case.number)).collect();
        let ready = settled(daemon, |status| {
            (status.tasks.len() == names.len() && status.tasks.values().all(is_settled))
                .then(|| status.clone())
        })
        .await?;
        cases.retain(|case| match refusal(&ready.tasks[&names[&case.number]]) {
            Some(words) => outcomes.insert(case.number, Outcome::Unready(words)).is_some(),
            None => true,
        });
        // A daemon that starts again in the middle reads the rest under the definitions that it has kept.
        let again = dice.percent(15);
        let run = stream::iter(cases.iter_mut()).map(|case| async move { case.run(mysql, server).await });
        let mut run = run.buffer_unordered(ABREAST);
        let mut done = 0;
        while let Some(()) = run.next().await {
            done += 1;
            if again && done == 3 {
                daemon.restart();
            }
        }
        drop(run);
        if cases.is_empty() {
            return Ok(());
        }
        let fences: Vec<String> =
            cases.iter().map(|case| format!("UPDATE fence.f{} SET n = 1", case.number)).collect();
        mysql.sql(&format!("BEGIN; {}; COMMIT", fences.join("; "))).await;
        self.wait_fences(daemon, target, &cases, &names, outcomes).await?;
        if super::number("HEAL", 0) > 0 {
            self.copy_again(daemon, &cases, &names, outcomes).await?;
        }
        for case in cases {
            let is_gone = mysql.one(&is_there(case)).await == "0";
            if outcomes.contains_key(&case.number) {
                continue;
            }
            if is_gone {
                let task =
                    daemon.status().await.and_then(|status| status.tasks.get(&names[&case.number]).cloned());
                let carried = task.is_none_or(|task| task.tables.contains_key(&table_of(case)));
                let outcome = if carried {
                    Outcome::Different("the source has no such table, and nobody said so".to_owned())
                } else {
                    Outcome::Gone
                };
                outcomes.insert(case.number, outcome);
                continue;
            }
            let compared = AssertUnwindSafe(equal(mysql, target, &case.database)).catch_unwind();
            let outcome = match tokio::time::timeout(DEADLINE, compared).await {
                Ok(Ok(Ok(rows))) => Outcome::Equal(rows),
                Ok(Ok(Err(words))) => Outcome::Different(words),
                Ok(Err(panic)) => Outcome::Broken(words_of(&*panic)),
                Err(elapsed) => Outcome::Broken(elapsed.to_string()),
            };
            let idle = case.accepted() == 0;
            outcomes.insert(
                case.number,
                if idle && matches!(outcome, Outcome::Equal(_)) { Outcome::Refused } else { outcome },
            );
        }
        Ok(())
    }

    /// Has every table copied again of which something was told: what a copy mends is to be mended without being asked.
    async fn copy_again(
        &self,
        daemon: &Daemon,
        cases: &[&mut Case],
        names: &BTreeMap<u64, String>,
        outcomes: &mut BTreeMap<u64, Outcome>,
    ) -> Result<(), String> {
        let config = daemon.config_path().into_os_string().into_string().expect("a path of ours");
        let mut waiting = Vec::new();
        for case in cases {
            let Some(Outcome::Told(words)) = outcomes.get(&case.number) else { continue };
            let task = &names[&case.number];
            let asked = rowferry(&["resync", "-c", &config, "--task", task, &table_of(case)]).await;
            if asked.code == 0 {
                waiting.push((case, words.clone()));
            }
        }
        let start = Instant::now();
        while !waiting.is_empty() && start.elapsed() < DEADLINE {
            alive(daemon)?;
            let Some(status) = daemon.status().await else { continue };
            waiting.retain(|(case, words)| {
                let task = status.tasks.get(&names[&case.number]);
                let table = task.and_then(|task| task.tables.get(&table_of(case)));
                if table.is_some_and(|table| table.phase == TablePhase::Streaming && !table.aside) {
                    outcomes.insert(case.number, Outcome::ByHand(words.clone()));
                    return false;
                }
                // Nobody can read it at the source, for all that is to come.
                let fails =
                    start.elapsed() > DEADLINE / 3 && table.is_some_and(|table| table.trouble.is_some());
                !fails && table.is_some_and(|table| table.phase != TablePhase::Parked)
            });
            pause(Duration::from_millis(50)).await;
        }
        for (case, words) in waiting {
            outcomes.insert(case.number, Outcome::Hung(format!("copied again by hand: {words}")));
        }
        Ok(())
    }

    /// Waits until each case's task has failed, or applied what was written last.
    async fn wait_fences(
        &self,
        daemon: &Daemon,
        target: &PostgresDatabase<'_>,
        cases: &[&mut Case],
        names: &BTreeMap<u64, String>,
        outcomes: &mut BTreeMap<u64, Outcome>,
    ) -> Result<(), String> {
        let mut waiting: BTreeSet<u64> = cases.iter().map(|case| case.number).collect();
        let start = Instant::now();
        while !waiting.is_empty() {
            alive(daemon)?;
            // In this order: what is aside when its last change is passed over is told before that is applied.
            let passed = passed(target, &waiting).await;
            if let Some(status) = daemon.status().await {
                for case in cases {
                    let task = status.tasks.get(&names[&case.number]);
                    // Parked before its last change has passed it may come back.
                    let is_over = passed.contains(&case.number) || task.is_some_and(has_failed);
                    let outcome = task.and_then(|task| told(task, case));
                    // One that the source has again is taken back when the stream is near, which may be after the last change.
                    let returns = matches!(outcome, Some(Outcome::Gone))
                        && self.mysql.one(&is_there(case)).await != "0";
                    if let Some(outcome) = outcome.filter(|_| !returns)
                        && is_over
                        && waiting.remove(&case.number)
                    {
                        outcomes.insert(case.number, outcome);
                    }
                }
                waiting.retain(|number| {
                    // A table that is being copied again is not yet what it will be.
                    let task = status.tasks.get(&names[number]);
                    !(passed.contains(number) && task.is_some_and(all_stream))
                });
            }
            if start.elapsed() > DEADLINE {
                let status = daemon.status().await;
                for case in cases.iter().filter(|case| waiting.contains(&case.number)) {
                    let last = status.as_ref().and_then(|status| status.tasks.get(&names[&case.number]));
                    let trouble = last
                        .into_iter()
                        .flat_map(|task| task.tables.values())
                        .find_map(|table| table.trouble.clone());
                    let outcome = if let Some(trouble) = trouble.as_ref().filter(|trouble| trouble.gone) {
                        let log = lines_of(daemon, &names[&case.number], 40);
                        let words = format!("{}\nnobody took it back\n{log}", trouble.error);
                        Outcome::Different(words)
                    } else if let Some(trouble) = trouble {
                        named(format!("{} Remedy: {}", trouble.error, trouble.remedy), case)
                    } else {
                        let lines = lines_of(daemon, &names[&case.number], 12);
                        Outcome::Hung(format!("not within {DEADLINE:?}: {last:?}\n{lines}"))
                    };
                    outcomes.insert(case.number, outcome);
                }
                return Ok(());
            }
            pause(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// A task for each case; the config's own one is the first case's.
fn config(mysql: &Mysql, target: &PostgresDatabase<'_>, cases: &[u64]) -> Config {
    let tables = |number: u64| format!("[\"fz{number:03}.t\", \"fence.f{number}\"]");
    let mut config = Config::new(&mysql.url(), &target.url(), &[]).daemon("log_level", "\"info\"");
    if super::number("HEAL", 0) > 0 {
        config = config.healing();
    }
    for (number, name) in names(cases.iter().copied()) {
        let rest = [
            ("tables", tables(number)),
            ("snapshot", "{ parallel = 1 }".to_owned()),
            ("memory_limit", "\"64MiB\"".to_owned()),
        ];
        if name == "main" {
            config = rest.iter().fold(config, |config, (key, value)| config.task(key, value));
        } else {
            let rest: String = rest.iter().map(|(key, value)| format!("\n{key} = {value}")).collect();
            config = config.more(&format!("[task.{name}]\nsource = \"src\"\ntarget = \"dst\"{rest}"));
        }
    }
    config
}

/// The tasks' names.
fn names(cases: impl Iterator<Item = u64>) -> impl Iterator<Item = (u64, String)> {
    cases
        .enumerate()
        .map(|(index, number)| (number, if index == 0 { "main".to_owned() } else { format!("c{number}") }))
}

async fn settled<T>(daemon: &Daemon, look: impl Fn(&Model) -> Option<T>) -> Result<T, String> {
    let waited = eventually_some(DEADLINE * 2, "all tasks are settled", async || match alive(daemon) {
        Ok(()) => daemon.status().await.as_ref().and_then(&look).map(Ok),
        Err(words) => Some(Err(words)),
    });
    match AssertUnwindSafe(waited).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let tasks = daemon.status().await.map(|status| status.tasks).unwrap_or_default();
            let mut words = format!("{} ({} tasks)", words_of(&*panic), tasks.len());
            for (name, task) in tasks.iter().filter(|(_, task)| !is_settled(task)) {
                words.push_str(&format!("\n{name}: {:?}, {} restarts", task.phase, task.restarts));
            }
            Err(words)
        }
    }
}

/// The last lines that the daemon's log has of a task.
fn lines_of(daemon: &Daemon, task: &str, last: usize) -> String {
    let (own, log) = (format!("task=\"{task}\""), daemon.log());
    let mut lines: Vec<&str> = log.lines().filter(|line| line.contains(&own)).collect();
    lines.split_off(lines.len().saturating_sub(last)).join("\n")
}

fn alive(daemon: &Daemon) -> Result<(), String> {
    match daemon.ended() {
        Some(code) => Err(format!("the daemon ended with code {code}: {}", daemon.log_tail())),
        None => Ok(()),
    }
}

/// The words of a task that has failed, or one of whose tables has been taken out.
fn failure(task: &TaskStatus) -> Option<String> {
    if let Phase::Failed { error, remedy } = &task.phase {
        return Some(format!("{error} Remedy: {remedy}"));
    }
    parked(task).map(|trouble| format!("{} Remedy: {}", trouble.error, trouble.remedy))
}

fn has_failed(task: &TaskStatus) -> bool {
    matches!(task.phase, Phase::Failed { .. })
}

fn parked(task: &TaskStatus) -> Option<&Trouble> {
    let mut parked = task.tables.values().filter(|table| table.phase == TablePhase::Parked);
    parked.find_map(|table| table.trouble.as_ref())
}

/// What a task has said of its case.
fn told(task: &TaskStatus, case: &Case) -> Option<Outcome> {
    if !has_failed(task) && parked(task).is_some_and(|trouble| trouble.gone) {
        return Some(Outcome::Gone);
    }
    failure(task).map(|words| named(words, case))
}

fn named(words: String, case: &Case) -> Outcome {
    if is_named(&words, case) { Outcome::Told(words) } else { Outcome::Unnamed(words) }
}

fn table_of(case: &Case) -> String {
    format!("{}.t", case.database)
}

fn is_there(case: &Case) -> String {
    format!(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{}' AND table_name = 't' AND table_type = 'BASE TABLE'",
        case.database
    )
}

/// As [`failure`], or those of a task that has tried its copy in vain.
fn refusal(task: &TaskStatus) -> Option<String> {
    match &task.phase {
        Phase::Retrying { error, .. } => (task.restarts > 3).then(|| format!("it tries in vain: {error}")),
        _ => failure(task),
    }
}

fn is_settled(task: &TaskStatus) -> bool {
    task.phase == Phase::Synchronizing || refusal(task).is_some()
}

fn all_stream(task: &TaskStatus) -> bool {
    matches!(task.phase, Phase::Synchronizing)
        && task.tables.values().all(|table| table.phase == TablePhase::Streaming && !table.aside)
}

/// Whether the words say which table or which statement they are about.
fn is_named(words: &str, case: &Case) -> bool {
    let database = &case.database;
    let starts = case.script.steps.iter().flat_map(|step| &step.statements).map(Statement::text);
    let mut starts = starts.map(|text| text.chars().take(24).collect::<String>());
    words.contains(&format!("{database}."))
        || words.contains(&format!("{database}`"))
        || starts.any(|start| words.contains(&start))
}

/// The cases whose last change has arrived.
async fn passed(target: &PostgresDatabase<'_>, waiting: &BTreeSet<u64>) -> BTreeSet<u64> {
    if waiting.is_empty() {
        return BTreeSet::new();
    }
    let fences: Vec<String> =
        waiting.iter().map(|number| format!("SELECT {number} FROM fence.f{number} WHERE n = 1")).collect();
    let rows = target.sql(&fences.join(" UNION ALL ")).await;
    rows.into_iter().flatten().flatten().filter_map(|number| number.parse().ok()).collect()
}

async fn equal(mysql: &Mysql, target: &PostgresDatabase<'_>, database: &str) -> Result<usize, String> {
    let table = format!("{database}.t");
    Comparison::new(&table, &table).target_may_have_more().run(mysql, target).await
}

fn panic_in(log: &str) -> Option<String> {
    let start = log.find("panicked at")?;
    Some(log[start..].lines().take(3).collect::<Vec<_>>().join(" "))
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap_or_else(|| "a panic".to_owned())
}
