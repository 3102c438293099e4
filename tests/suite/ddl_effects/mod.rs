//! What a statement does to rows beside what its row events say: proven harmless, carried exactly, or told.
//!
//! Each case is a table of its own, and a task of its own, so that one daemon tries them all. A case that is carried must end
//! with equal tables; one that is not must fail with an error that names the table.

mod keys;
mod partitions;
mod types;

use crate::harness::{Config, DEADLINE, Daemon, Mysql, Scene, eventually, postgres, within};
use rowferry::testing::change::status::Phase;

/// One statement on one table.
pub struct Case {
    /// The table's name.
    pub table: &'static str,
    /// Its columns and what stands after them, and statements that fill it (`{t}` is its name).
    pub made: &'static str,
    /// What is set in the session.
    pub session: &'static str,
    /// The statement.
    pub statement: &'static str,
    /// What must come of it.
    pub outcome: Outcome,
}

/// What must come of a statement.
#[derive(Clone, Copy)]
pub enum Outcome {
    /// The tables are equal afterwards.
    Carried,
    /// The task stops, and these words are in its error.
    Told(&'static str),
    /// The source refuses the statement.
    Refused,
}

/// Tries all cases on one server.
pub async fn try_all(mysql: &Mysql, name: &str, cases: &[Case]) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let mut config = Config::new(&mysql.url(), &scene.target.url(), &[&format!("{name}.main")])
        .task("snapshot", "{ parallel = 1 }");
    scene.source.sql("CREATE TABLE main (id INT PRIMARY KEY)").await;
    for Case { table, made, .. } in cases {
        scene.source.sql(&made.replace("{t}", table)).await;
        config = config.more(&format!(
            "[task.{table}]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"{name}.{table}\"]\nsnapshot = {{ parallel = 1 }}"
        ));
    }
    let daemon = Daemon::start(&config);
    eventually(DEADLINE * 2, "every task synchronizes", async || {
        let Some(model) = daemon.status().await else { return false };
        for (task, status) in &model.tasks {
            if let Phase::Failed { error, .. } = &status.phase {
                panic!("{task}: {error}");
            }
        }
        model.tasks.len() > cases.len() && model.tasks.values().all(|task| task.phase == Phase::Synchronizing)
    })
    .await;
    for case in cases {
        let Case { table, session, statement, outcome, .. } = case;
        let statement = statement.replace("{t}", table);
        let ran = scene.source.try_sql(&format!("{session}; {statement}")).await;
        assert_eq!(ran.is_err(), matches!(outcome, Outcome::Refused), "{name}: {statement}: {ran:?}");
    }
    // All at once, so that every case that fails is told.
    let outcomes =
        futures_util::future::join_all(cases.iter().map(|case| outcome(&scene, &daemon, case))).await;
    let failures: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{name}:\n{}", failures.join("\n"));
}

/// Waits for what must come of a case; the error says what came instead.
async fn outcome(scene: &Scene<'_>, daemon: &Daemon, case: &Case) -> Result<(), String> {
    let Case { table, statement, outcome, .. } = case;
    let mut seen = String::new();
    let found = within(DEADLINE, async || {
        let task = daemon.status().await?.tasks.remove(*table)?;
        let failure = match task.phase {
            Phase::Failed { error, remedy } => Some((error, remedy)),
            _ => None,
        };
        match (outcome, failure) {
            (Outcome::Carried | Outcome::Refused, Some((error, _))) => Some(Err(error)),
            (Outcome::Carried | Outcome::Refused, None) => match scene.equal(table).await {
                Ok(_) => Some(Ok(())),
                Err(why) => {
                    seen = why;
                    None
                }
            },
            (Outcome::Told(words), Some((error, remedy))) => {
                let named = error.contains(&format!("{}.{table}", scene.source.name));
                let as_wanted = error.contains(words) && named && !remedy.is_empty();
                Some(if as_wanted { Ok(()) } else { Err(format!("told in other words: {error}; {remedy}")) })
            }
            (Outcome::Told(_), None) => {
                "the task has not stopped".clone_into(&mut seen);
                None
            }
        }
    })
    .await;
    found.unwrap_or(Err(seen)).map_err(|why| format!("{table}: {statement}: {why}"))
}
