//! Statements that do not concern the task: whatever they are, they stop nothing; and those that reach a carried table by a way
//! around stop it.

mod checksum;
mod file_before_copy;
mod grammar;
mod look_up;
mod own_texts;
mod start_again;
mod temporary;
mod uncarried;

use crate::harness::{DEADLINE, Daemon, Scene, failure};

/// One carried table with a few rows.
const CARRIED: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50)) ENGINE = InnoDB; INSERT INTO t VALUES (1, 'one'), (2, 'two')";

/// The task goes on: a row that is written now arrives, and the task was never anywhere but in Synchronizing.
async fn goes_on(scene: &Scene<'_>, daemon: &Daemon, what: &str) {
    scene.source.sql("INSERT INTO t SELECT MAX(id) + 1, 'last' FROM t").await;
    let task = daemon.task().await.expect("the daemon answers");
    if let Some(failure) = failure(&task) {
        panic!("{what}: {failure}");
    }
    scene.assert_exact(daemon, &["t"]).await;
    let task = daemon.task().await.expect("the daemon answers");
    assert_eq!((task.phase.name(), task.restarts), ("Synchronizing", 0), "{what}: {:?}", task.phase);
}

/// The task stops, and says these words.
async fn stops(daemon: &Daemon, words: &[&str]) {
    let task = daemon.wait_task("the task fails", DEADLINE, |task| task.phase.name() == "Failed").await;
    let told = format!("{:?}", task.phase);
    for word in words {
        assert!(told.contains(word), "{word} is missing: {told}");
    }
}
