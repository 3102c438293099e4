//! What a statement does to rows beside what its row events say: proven harmless, carried exactly, or told.
//!
//! Each case is a table of its own, and a task of its own, so that one daemon tries them all. A case that is carried must end
//! with equal tables; one that is not must fail with an error that names the table.

mod keys;
mod partitions;
mod types;

use crate::harness::{Config, DEADLINE, Daemon, Mysql, Scene, eventually, postgres};
use rowferry::change::status::Phase;

/// One statement on one table.
pub struct Case {
    /// The table's name.
    pub table: &'static str,
    /// Its columns and what stands behind them, and statements that fill it (`{t}` is its name).
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
    for case in cases {
        outcome(&scene, &daemon, case).await;
    }
}

async fn outcome(scene: &Scene<'_>, daemon: &Daemon, case: &Case) {
    let Case { table, statement, outcome, .. } = case;
    let phase = async || daemon.status().await.and_then(|model| Some(model.tasks.get(*table)?.phase.clone()));
    match outcome {
        Outcome::Carried | Outcome::Refused => {
            let mut last = String::new();
            eventually(DEADLINE, &format!("{table} is equal after {statement}"), async || {
                if let Some(Phase::Failed { error, .. }) = phase().await {
                    panic!("{table}: {statement}: {error}");
                }
                match scene.equal(table).await {
                    Ok(_) => true,
                    Err(why) => {
                        last = why;
                        false
                    }
                }
            })
            .await;
        }
        Outcome::Told(words) => {
            eventually(DEADLINE, &format!("{table} stops at {statement}"), async || {
                let Some(Phase::Failed { error, remedy }) = phase().await else { return false };
                assert!(error.contains(words), "{table}: {error}");
                assert!(
                    error.contains(&format!("{}.{table}", scene.source.name)),
                    "{table} is not named: {error}"
                );
                assert!(!remedy.is_empty(), "{error}");
                true
            })
            .await;
        }
    }
}
