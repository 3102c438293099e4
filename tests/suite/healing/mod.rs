//! Tables that heal themselves, and join, while the others go on.

mod added;
mod copied_again;
mod dropped_columns;
mod latency;
mod on_the_way;
mod online;
mod parked;
mod policies;
mod refused;
mod restarted;
mod sessions;
mod shared;
mod statements;
mod taken_out;
mod told;
mod two_tasks;

use crate::harness::{DEADLINE, Daemon, Scene};
use rowferry::testing::change::state::Trouble;
use rowferry::testing::change::status::{TablePhase, TaskStatus};

/// Rows of a table `name (id INT PRIMARY KEY, v VARCHAR(40), w INT)`.
pub fn rows(table: &str, count: u32) -> String {
    format!(
        "CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(40), w INT); SET cte_max_recursion_depth = 1000000; \
         INSERT INTO {table} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         SELECT i, CONCAT('row ', i), i FROM n"
    )
}

/// Whether the main stream carries a table.
pub fn is_carried(task: &TaskStatus, table: &str) -> bool {
    task.tables.get(table).is_some_and(|status| status.phase == TablePhase::Streaming && !status.aside)
}

/// Waits until a table is parked, and gives what is told of it.
pub async fn parked(scene: &Scene<'_>, daemon: &Daemon, table: &str) -> Trouble {
    let name = format!("{}.{table}", scene.source.name);
    let is_parked = |task: &TaskStatus| {
        let table = task.tables.get(&name);
        table.is_some_and(|table| table.phase == TablePhase::Parked) && task.phase.name() == "Synchronizing"
    };
    let task = daemon.wait_task(&format!("{name} is parked"), DEADLINE * 2, is_parked).await;
    task.tables[&name].trouble.clone().expect("a parked table says why")
}

/// Waits until the main stream carries a table.
pub async fn carried(scene: &Scene<'_>, daemon: &Daemon, table: &str) -> TaskStatus {
    let name = format!("{}.{table}", scene.source.name);
    let what = format!("{name} is carried");
    daemon.wait_task(&what, DEADLINE * 2, |task| is_carried(task, &name)).await
}
