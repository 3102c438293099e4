//! Two tasks of one daemon feed one target table: whatever one of them does again touches its own rows only.

use super::rows;
use crate::harness::{Config, DEADLINE, Daemon, Output, Scene, eventually, pause, rowferry};
use rowferry::testing::change::status::{TablePhase, TaskStatus};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Task `main` carries `a` and what begins so, `second` carries `b`.
struct Two {
    scene: Scene<'static>,
    daemon: Daemon,
    config: Config,
}

impl Two {
    async fn begin(name: &str, tagged: bool) -> Self {
        Self::begin_with(name, tagged, "SELECT 1", &format!("\"{name}.a*\"")).await
    }

    /// As [`Self::begin`], with more tables at the source and these selected.
    async fn begin_with(name: &str, tagged: bool, more: &str, selected: &str) -> Self {
        let scene = Scene::new(name).await;
        scene.source.sql(more).await;
        let (ours, tag, existing) =
            if tagged { ("*", "source_column = \"src\"\n", "error") } else { ("a", "", "ignore") };
        scene.source.sql(&rows("a", 600)).await;
        scene.source.sql(&rows("b", 400)).await;
        if !tagged {
            scene.source.sql("UPDATE b SET id = id + 100000").await;
        }
        // A copy lasts long enough for whoever looks seldom to see it half done.
        let second = format!(
            "[task.main.table.\"{name}.{ours}\"]\ntarget = \"both\"\n{tag}\
             [task.second]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"{name}.b\"]\nexisting_tables = {existing:?}\n\
             snapshot = {{ chunk_rows = 50, max_rows_per_second = 250 }}\n\
             [task.second.table.\"{name}.b\"]\ntarget = \"both\"\n{tag}"
        );
        let config = scene.config().healing().task("tables", &format!("[{selected}]"));
        let config = config.task("snapshot", "{ chunk_rows = 50, max_rows_per_second = 250 }");
        let config = config.task("existing_tables", &format!("{existing:?}")).more(&second);
        let daemon = Daemon::start(&config);
        Self { scene, daemon, config }
    }

    /// As [`Self::begin`]; both carry their tables.
    async fn start(name: &str, tagged: bool) -> Self {
        let two = Self::begin(name, tagged).await;
        two.streams().await;
        two
    }

    /// Waits until both copies have begun, and neither has ended.
    async fn is_copying(&self) {
        eventually(DEADLINE, "both are copied", async || {
            self.daemon.status().await.is_some_and(|status| {
                let half = |task: &TaskStatus| {
                    task.tables.values().any(|table| (50..350).contains(&table.copied_rows))
                };
                status.tasks.len() == 2 && status.tasks.values().all(half)
            })
        })
        .await;
    }

    /// Waits until both tasks carry all their tables.
    async fn streams(&self) {
        let streams = |task: &TaskStatus| {
            task.phase.name() == "Synchronizing"
                && task.tables.values().all(|table| table.phase == TablePhase::Streaming && !table.aside)
        };
        let all = async || {
            self.daemon.assert_alive();
            let status = self.daemon.status().await;
            status.is_some_and(|status| status.tasks.len() == 2 && status.tasks.values().all(streams))
        };
        let waited = eventually(DEADLINE * 2, "both tasks carry their tables", all);
        let waited = tokio::time::timeout(DEADLINE, waited).await;
        assert!(waited.is_ok(), "{:#?}\n{}", self.daemon.status().await, self.daemon.log_tail());
    }

    /// Waits until the copy of a table has begun once more than it had.
    async fn copies_again(&self, table: &str, before: usize) {
        eventually(DEADLINE, "it is copied again", async || self.copies(table) > before).await;
    }

    /// How often the copy of a table has begun.
    fn copies(&self, table: &str) -> usize {
        let table = format!("table={}.{table} ", self.scene.source.name);
        let log = self.daemon.log();
        log.lines()
            .filter(|line| line.contains("the copy of a table begins") && line.contains(&table))
            .count()
    }

    /// Waits until each row of the source, and no other, is in the target with its values.
    async fn equal(&self, tables: &[&str], tagged: bool) {
        let name = &self.scene.source.name;
        let tag = |table: &str| {
            let task = if table == "b" { "second" } else { "main" };
            if tagged { format!("'{task}:{name}.{table}' AS src, ") } else { String::new() }
        };
        let (mut wanted, mut is) = (Vec::new(), Vec::new());
        eventually(DEADLINE * 2, "the target is as the source", async || {
            self.daemon.assert_alive();
            let union: Vec<_> =
                tables.iter().map(|table| format!("SELECT {}id, v, w FROM {table}", tag(table))).collect();
            wanted = self.scene.source.sql(&union.join(" UNION ALL ")).await.into_iter().flatten().collect();
            let columns = if tagged { "src, id, v, w" } else { "id, v, w" };
            is = self
                .scene
                .target
                .sql(&format!("SELECT {columns} FROM {name}.both"))
                .await
                .into_iter()
                .flatten()
                .collect();
            wanted.sort();
            is.sort();
            wanted == is
        })
        .await;
    }

    async fn resync(&self, task: &str, table: &str) -> Output {
        let table = format!("{}.{table}", self.scene.source.name);
        let config = self.daemon.config_path().into_os_string().into_string().unwrap();
        rowferry(&["resync", "-c", &config, "--task", task, &table]).await
    }

    async fn reload(&self) {
        let config = self.daemon.config_path().into_os_string().into_string().unwrap();
        let told = rowferry(&["reload", "-c", &config]).await;
        assert_eq!(told.code, 0, "{told:?}");
    }
}

/// What makes a table of `main` be copied once more.
const CAUSES: [&str; 5] = ["command", "statement", "replaced", "parked", "added"];

/// Everything that is done again of `a` while both are written to, with a kill in the middle of each.
async fn each_cause(name: &str, tagged: bool) {
    let two = Two::start(name, tagged).await;
    two.equal(&["a", "b"], tagged).await;
    let Two { scene, daemon, .. } = &two;
    let stop = AtomicBool::new(false);
    let writing = async {
        let (mut session, mut number) = (scene.source.session().await, 0);
        while !stop.load(Relaxed) {
            number += 1;
            let (id, other) = (number % 600 + 1, number % 400 + 1 + if tagged { 0 } else { 100_000 });
            session
                .sql(&format!(
                    "BEGIN; UPDATE a SET w = w + 1 WHERE id = {id}; UPDATE b SET w = w - 1 WHERE id = {other}; COMMIT; \
                     DELETE FROM b WHERE id = {other}; INSERT INTO b VALUES ({other}, 'n{number}', {number})"
                ))
                .await;
            pause(Duration::from_millis(10)).await;
        }
    };
    let doing = async {
        for cause in CAUSES {
            let (table, before) = if cause == "added" { ("a_2", 0) } else { ("a", two.copies("a")) };
            match cause {
                "command" => {
                    let told = two.resync("main", "a").await;
                    assert_eq!(told.code, 0, "{told:?}");
                }
                "statement" => {
                    scene.source.sql("REPAIR TABLE a").await;
                }
                "replaced" => {
                    scene
                        .source
                        .sql("CREATE TABLE x LIKE a; INSERT INTO x SELECT * FROM a; RENAME TABLE a TO y, x TO a; DROP TABLE y")
                        .await;
                }
                "parked" => {
                    scene
                        .target
                        .sql(&format!("ALTER TABLE {name}.both ADD CONSTRAINT c CHECK (v <> 'bad')"))
                        .await;
                    scene.source.sql("UPDATE a SET v = 'bad' WHERE id = 300").await;
                    super::parked(scene, daemon, "a").await;
                    scene.target.sql(&format!("ALTER TABLE {name}.both DROP CONSTRAINT c")).await;
                    let told = two.resync("main", "a").await;
                    assert_eq!(told.code, 0, "{told:?}");
                }
                _ => {
                    scene.source.sql(&rows("a_2", 600)).await;
                }
            }
            two.copies_again(table, before).await;
            daemon.kill9();
            daemon.restart();
            two.streams().await;
        }
        stop.store(true, Relaxed);
    };
    // `a` has the same keys all the time, and `b` all but one.
    let reading = async {
        let count = format!(
            "SELECT count(*) FILTER (WHERE src LIKE '%.a'), count(*) FILTER (WHERE src LIKE '%.b') FROM {name}.both"
        );
        let mut session = scene.target.session().await;
        while !stop.load(Relaxed) {
            let seen: Vec<usize> = session
                .sql(&count)
                .await
                .concat()
                .into_iter()
                .flatten()
                .map(|n| n.parse().unwrap())
                .collect();
            assert!(seen[0] == 600 && (399..=400).contains(&seen[1]), "a reader sees {seen:?} rows");
            pause(Duration::from_millis(5)).await;
        }
    };
    tokio::join!(writing, doing, reading);
    two.equal(&["a", "a_2", "b"], tagged).await;
}

#[tokio::test]
async fn what_one_of_two_tasks_does_again_leaves_the_others_rows() {
    each_cause("healing_two_tagged", true).await;
}

/// Nothing tells whose a row is: what would take it out does not, and says what helps. That is done here.
#[tokio::test]
async fn rows_that_nothing_tells_apart_stay_and_their_table_is_parked() {
    let two = Two::start("healing_two_bare", false).await;
    let both = ["a", "b"];
    two.equal(&both, false).await;
    let told = two.resync("main", "a").await;
    assert!(told.code == 1 && told.stderr.contains("cannot be told from"), "{told:?}");
    two.equal(&both, false).await;
    let writes = "REPAIR TABLE a; UPDATE b SET w = 3 WHERE id = 100004; UPDATE a SET w = 5 WHERE id = 4; DELETE FROM a WHERE id = 5";
    two.scene.source.sql(writes).await;
    let trouble = super::parked(&two.scene, &two.daemon, "a").await;
    assert!(trouble.remedy.contains("`rowferry reload`), delete its rows from"), "{trouble:?}");
    two.scene.source.sql("INSERT INTO b VALUES (100500, 'new', 1); DELETE FROM b WHERE id = 100001").await;
    let others = "SELECT count(*), sum(id), sum(w) FROM healing_two_bare.both WHERE id > 100000";
    let wanted = two.scene.source.sql("SELECT count(*), sum(id), sum(w) FROM b").await;
    eventually(DEADLINE, "the other task goes on", async || two.scene.target.sql(others).await == wanted)
        .await;
    // As it says.
    two.daemon.reconfigure(
        &two.config.clone().task("tables", "[\"healing_two_bare.a*\", \"!healing_two_bare.a\"]"),
    );
    two.reload().await;
    eventually(DEADLINE, "it is forgotten", async || two.daemon.log().contains("no longer selected")).await;
    two.scene.target.sql("DELETE FROM healing_two_bare.both WHERE id <= 100000").await;
    two.daemon.reconfigure(&two.config);
    two.reload().await;
    two.equal(&both, false).await;
    two.streams().await;
    two.scene.source.sql("UPDATE a SET w = 17 WHERE id > 500; UPDATE b SET w = 18 WHERE id < 100010").await;
    two.equal(&both, false).await;
}

/// What happens to a table of one of two tasks while both make their first copies into one target table.
#[tokio::test]
async fn what_happens_in_the_first_copy_of_one_of_two_tasks_leaves_the_others_rows() {
    for (number, statements) in [
        "ALTER TABLE a MODIFY v VARCHAR(40) COLLATE utf8mb4_bin",
        "REPAIR TABLE a; UPDATE a SET w = 5 WHERE id IN (3, 590)",
        "CREATE TABLE x LIKE a; INSERT INTO x SELECT * FROM a WHERE id > 100; RENAME TABLE a TO y, x TO a; DROP TABLE y",
        "DROP TABLE a; CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(40), w INT); INSERT INTO a VALUES (7, 'new', 8)",
        "ALTER TABLE a ADD COLUMN z INT DEFAULT 4; CREATE TABLE a_2 (id INT PRIMARY KEY, v VARCHAR(40), w INT); \
         INSERT INTO a_2 VALUES (1, 'x', 2)",
    ]
    .into_iter()
    .enumerate()
    {
        let two = Two::begin(&format!("healing_two_first_{number}"), true).await;
        two.is_copying().await;
        two.scene.source.sql(statements).await;
        two.scene.source.sql("UPDATE a SET v = 'late' WHERE id > 300; UPDATE b SET w = w + 1").await;
        if number % 2 == 0 {
            two.daemon.kill9();
            two.daemon.restart();
        }
        let tables: &[&str] = if statements.contains("a_2") { &["a", "a_2", "b"] } else { &["a", "b"] };
        two.equal(tables, true).await;
        two.streams().await;
        two.scene.source.sql("DELETE FROM a WHERE id > 500; UPDATE b SET w = w + 1; INSERT INTO b (id) VALUES (5000)").await;
        two.equal(tables, true).await;
    }
}

/// As above, where nothing tells whose a row is: a copy cannot start over, which is a matter of that table alone.
#[tokio::test]
async fn a_first_copy_that_cannot_start_over_parks_its_table_alone() {
    let two = Two::begin("healing_two_bare_first", false).await;
    two.scene
        .source
        .sql(
            "CREATE TABLE a_2 (id INT PRIMARY KEY, v VARCHAR(40), w INT); INSERT INTO a_2 VALUES (1, 'x', 2)",
        )
        .await;
    two.is_copying().await;
    two.scene.source.sql("ALTER TABLE a MODIFY w BIGINT").await;
    let trouble = super::parked(&two.scene, &two.daemon, "a").await;
    assert!(
        trouble.error.contains("cannot be told from") && trouble.remedy.contains("delete its rows from"),
        "{trouble:?}"
    );
    two.scene.source.sql("UPDATE b SET w = 3 WHERE id = 100004; UPDATE a_2 SET w = 9").await;
    let others = "SELECT count(*), sum(id), sum(w) FROM healing_two_bare_first.both WHERE id > 100000";
    let wanted = two.scene.source.sql("SELECT count(*), sum(id), sum(w) FROM b").await;
    eventually(DEADLINE, "the other task goes on", async || two.scene.target.sql(others).await == wanted)
        .await;
    super::carried(&two.scene, &two.daemon, "a_2").await;
    two.scene.assert_equal("a_2").await;
}

/// What a first copy cannot go on with when it starts over is no reason to stop the task.
#[tokio::test]
async fn a_table_whose_first_copy_starts_over_and_is_refused_is_parked_alone() {
    let name = "healing_two_wide";
    let patterns = format!("\"{name}.a\", \"{name}.ac\"");
    let two = Two::begin_with(name, true, &rows("ac", 100), &patterns).await;
    two.is_copying().await;
    let Two { scene, daemon, .. } = &two;
    scene.source.sql("ALTER TABLE a MODIFY w BIGINT; UPDATE ac SET w = 7; UPDATE b SET w = 7").await;
    let trouble = super::parked(scene, daemon, "a").await;
    assert!(trouble.error.contains("column w is"), "{trouble:?}");
    two.equal(&["ac", "b"], true).await;
    // Neither a restart nor a connection that is lost makes another thing of it.
    daemon.restart();
    scene.source.sql("UPDATE ac SET w = 8").await;
    super::parked(scene, daemon, "a").await;
    let restarts = daemon.status().await.unwrap().tasks["main"].restarts;
    scene
        .target
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name LIKE 'rowferry/main%'",
        )
        .await;
    daemon.wait_task("it goes on", DEADLINE, |task| task.restarts > restarts).await;
    scene.source.sql("UPDATE ac SET w = 9; UPDATE a SET w = 9").await;
    super::parked(scene, daemon, "a").await;
    two.equal(&["ac", "b"], true).await;
    // What its remedy says.
    scene.target.sql(&format!("ALTER TABLE {name}.both ALTER COLUMN w TYPE bigint")).await;
    scene.source.sql("ALTER TABLE ac MODIFY w BIGINT").await;
    two.equal(&["ac", "b"], true).await;
    let done = two.resync("main", "a").await;
    assert_eq!(done.code, 0, "{done:?}");
    super::carried(scene, daemon, "a").await;
    two.equal(&["a", "ac", "b"], true).await;
}
