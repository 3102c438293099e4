//! What has tables copied beside the stream while a run goes on: statements that the log does not tell, tables that come, tables that are
//! told to be copied again, tables that are parked and come back, and tables that are paused and resumed.

use crate::harness::{DEADLINE, Daemon, Scene, eventually_some, pause, rowferry};
use crate::load::Dice;
use rowferry::testing::change::status::TablePhase;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Rows of a table that comes.
const ROWS: u32 = 400;

/// What was done.
#[derive(Debug, Default)]
pub struct Healing {
    /// Tables that have come.
    came: Vec<String>,
    /// Those of them that have met a row that the target refuses.
    parked: BTreeSet<String>,
    /// The last table that is to meet one.
    refused: Option<String>,
    /// The last table that was paused, if it was.
    paused: Option<String>,
    /// Pauses and resumes that may still be waiting for their answers.
    asked: Vec<JoinHandle<()>>,
    turns: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl Healing {
    /// Does the next of them, and waits for a moment.
    pub async fn disturb(&mut self, scene: &Scene<'_>, daemon: &Daemon, dice: &mut Dice) {
        let tables = ["items", "parts", "names", "audit"];
        self.turns += 1;
        let what = match self.turns % 6 {
            1 => {
                self.comes(scene).await;
                "added"
            }
            2 => {
                // What it does to an InnoDB table is nothing, which the log does not tell.
                scene.source.sql(&format!("REPAIR TABLE {}", dice.pick(&tables))).await;
                "copied again by statement"
            }
            3 => {
                self.is_refused(scene, dice).await;
                "parked"
            }
            4 => {
                let table = *dice.pick(&tables);
                command(told(scene, daemon, "resync", table));
                "copied again by command"
            }
            5 => self.rests(scene, daemon, dice).await,
            _ => {
                if let Some(name) = self.refused.take() {
                    // It may not be there yet, or not be parked yet: then this is a copy again by command.
                    let mended = format!("ALTER TABLE {}.{name} DROP CONSTRAINT wanted", scene.target.test());
                    let _not_there_yet = scene.target.try_sql(&mended).await;
                    command(told(scene, daemon, "resync", &name));
                }
                "parked ones brought back"
            }
        };
        *self.counts.entry(what).or_default() += 1;
        pause(Duration::from_millis(dice.below(1_500))).await;
    }

    async fn comes(&mut self, scene: &Scene<'_>) {
        let name = format!("came_{}", self.came.len());
        let values: Vec<String> = (1..=ROWS).map(|id| format!("({id}, 'row {id}', {id})")).collect();
        scene
            .source
            .sql(&format!(
                "CREATE TABLE {name} (id INT PRIMARY KEY, v VARCHAR(40), w INT); INSERT INTO {name} VALUES {}; \
                 UPDATE {name} SET w = w + 1 WHERE id % 3 = 0; DELETE FROM {name} WHERE id % 7 = 0",
                values.join(", ")
            ))
            .await;
        self.came.push(name);
    }

    /// A table that has come is paused, or goes on if it was; rows come to it all the while.
    async fn rests(&mut self, scene: &Scene<'_>, daemon: &Daemon, dice: &mut Dice) -> &'static str {
        if let Some(name) = self.paused.take() {
            self.asked.push(command(told(scene, daemon, "resume", &name)));
            scene.source.sql(&format!("UPDATE {name} SET w = w + 1 WHERE id > 200")).await;
            return "resumed";
        }
        if self.came.is_empty() {
            self.comes(scene).await;
        }
        let name = dice.pick(&self.came).clone();
        self.asked.push(command(told(scene, daemon, "pause", &name)));
        scene
            .source
            .sql(&format!("UPDATE {name} SET w = w + 1 WHERE id > 100; DELETE FROM {name} WHERE id = 5"))
            .await;
        self.paused = Some(name);
        "paused"
    }

    /// A row comes that the target's owner does not want; he changes his mind later.
    async fn is_refused(&mut self, scene: &Scene<'_>, dice: &mut Dice) {
        if self.came.is_empty() {
            return self.comes(scene).await;
        }
        let index = usize::try_from(dice.below(u64::try_from(self.came.len()).unwrap_or(1))).unwrap_or(0);
        let name = self.came[index].clone();
        let target = format!("{}.{name}", scene.target.test());
        // It may not be there yet.
        let refused = format!("ALTER TABLE {target} ADD CONSTRAINT wanted CHECK (w <> -7)");
        if scene.target.try_sql(&refused).await.is_ok() {
            self.parked.insert(name.clone());
        }
        self.refused = Some(name.clone());
        scene
            .source
            .sql(&format!("UPDATE {name} SET w = -7 WHERE id = 1; UPDATE {name} SET w = 8 WHERE id = 2"))
            .await;
    }

    /// Every table that has come is carried in the end, and equal.
    pub async fn settle(&mut self, scene: &Scene<'_>, daemon: &Daemon) {
        // None is to come when its table is found to be carried.
        for asked in self.asked.drain(..) {
            let _killed_before_it_answered = asked.await;
        }
        for name in &self.came {
            let target = format!("{}.{name}", scene.target.test());
            scene.source.sql(&format!("UPDATE {name} SET w = 9 WHERE id = 1")).await;
            let key = format!("{}.{name}", scene.source.name);
            eventually_some(DEADLINE * 10, &format!("{key} is carried"), async || {
                let task = daemon.task().await?;
                let table = task.tables.get(&key)?;
                if table.phase == TablePhase::Parked {
                    let mended = format!("ALTER TABLE IF EXISTS {target} DROP CONSTRAINT IF EXISTS wanted");
                    scene.target.sql(&mended).await;
                    let command = told(scene, daemon, "resync", name);
                    rowferry(&command.iter().map(String::as_str).collect::<Vec<_>>()).await;
                }
                if table.phase == TablePhase::Paused {
                    let command = told(scene, daemon, "resume", name);
                    rowferry(&command.iter().map(String::as_str).collect::<Vec<_>>()).await;
                }
                (table.phase == TablePhase::Streaming && !table.aside).then_some(())
            })
            .await;
        }
        let task = daemon.task().await.unwrap_or_default();
        let parked = task.tables.iter().find(|(_, table)| table.phase == TablePhase::Parked);
        assert!(parked.is_none(), "{parked:?}\n{}", daemon.log_tail());
    }

    /// Compares the tables that have come.
    pub async fn compare(&self, scene: &Scene<'_>) {
        for name in &self.came {
            scene.assert_equal(name).await;
        }
    }

    pub fn summary(&self) -> String {
        let mut text = String::from("after them tables were");
        for (what, count) in &self.counts {
            let _ = write!(text, " {what} {count}×,");
        }
        let _ = write!(text, " {} of those that came were refused a row", self.parked.len());
        text
    }
}

/// Gives a command to the daemon, which may be killed before it answers.
fn command(words: Vec<String>) -> JoinHandle<()> {
    tokio::spawn(async move { drop(rowferry(&words.iter().map(String::as_str).collect::<Vec<_>>()).await) })
}

fn told(scene: &Scene<'_>, daemon: &Daemon, command: &str, table: &str) -> Vec<String> {
    let config = daemon.config_path().to_string_lossy().into_owned();
    let command = [command, "-c", &config, "--task", "main"].map(str::to_owned);
    [&command[..], &[format!("{}.{table}", scene.source.name)]].concat()
}
