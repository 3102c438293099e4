//! `initial` and `start_position`.

use crate::harness::{DEADLINE, Daemon, Scene, rowferry};

#[tokio::test]
async fn without_data_only_what_comes_after_now_is_carried() {
    let scene = Scene::new("options_schema").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 10), (2, 20)")
        .await;
    let config = scene.config().task("initial", "[\"schema\"]").task("start_position", "\"now\"");
    let daemon = scene.start_with(&config).await;
    let rows = "SELECT * FROM options_schema.t ORDER BY id";
    assert_eq!(scene.seen(rows).await, Vec::<String>::new());
    scene.source.sql("INSERT INTO t VALUES (3, 30); UPDATE t SET v = 31 WHERE id = 3").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.seen(rows).await, ["3|31"]);
    // `now` is when the task first ran, not each time it starts.
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (4, 40)").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.seen(rows).await, ["3|31", "4|40"]);
}

#[tokio::test]
async fn a_gtid_set_starts_behind_exactly_its_transactions() {
    let scene = Scene::new("options_gtid").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 10)").await;
    let before = scene.source.one("SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')").await;
    scene
        .source
        .sql("INSERT INTO t VALUES (2, 20); UPDATE t SET v = 11 WHERE id = 1; INSERT INTO t VALUES (5, 50)")
        .await;
    // The tables are there, as a dump taken at that position left them.
    scene
        .target
        .sql(
            "CREATE SCHEMA options_gtid; CREATE TABLE options_gtid.t (id integer PRIMARY KEY, v integer); \
              INSERT INTO options_gtid.t VALUES (1, 10)",
        )
        .await;
    let config = scene.config().task("initial", "[]").task("start_position", &format!("{before:?}"));
    let check = rowferry(&["check", "-c", &config.file()]).await;
    assert_eq!(check.code, 0, "{check:?}");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("DELETE FROM t WHERE id = 5").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("t").await, 2);
    let drift = daemon.task().await.unwrap().tables["options_gtid.t"].drift;
    assert_eq!(drift, 0);
}

#[tokio::test]
async fn a_statement_behind_the_start_position_stops_the_task() {
    let scene = Scene::new("options_gtid_ddl").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let before = scene.source.one("SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')").await;
    scene
        .source
        .sql("INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN v INT; INSERT INTO t VALUES (2, 2)")
        .await;
    let config =
        scene.config().task("initial", "[\"schema\"]").task("start_position", &format!("{before:?}"));
    let daemon = Daemon::start(&config);
    let task = daemon.wait_task("the task has failed", DEADLINE, |task| task.phase.name() == "Failed").await;
    let words = format!("{:?}", task.phase);
    assert!(words.contains("ADD COLUMN v") && words.contains("choose a start_position after"), "{words}");
}

#[tokio::test]
async fn without_schema_and_data_missing_tables_are_told() {
    let scene = Scene::new("options_nothing").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let config = scene.config().task("initial", "[]").task("start_position", "\"now\"");
    let output = rowferry(&["check", "-c", &config.file()]).await;
    assert!(output.code == 1 && output.stdout.contains("add \"schema\" to initial"), "{output:?}");
}

#[tokio::test]
async fn the_copy_keeps_to_its_rate() {
    let scene = Scene::new("options_rate").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY); \
              INSERT INTO t (id) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT i FROM n")
        .await;
    let config =
        scene.config().task("snapshot", "{ parallel = 4, chunk_rows = 20, max_rows_per_second = 200 }");
    let started = std::time::Instant::now();
    let _daemon = scene.start_with(&config).await;
    assert!(started.elapsed().as_millis() > 2900, "600 rows at 200 a second took {:?}", started.elapsed());
    assert_eq!(scene.assert_equal("t").await, 600);
}

#[tokio::test]
async fn a_transaction_far_above_the_memory_limit_is_carried_whole() {
    let scene = Scene::new("options_memory").await;
    scene.source.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT)").await;
    let config = scene
        .config()
        .task("memory_limit", "\"32MiB\"")
        .task("apply", "{ batch_rows = 100, batch_bytes = \"64KiB\" }")
        .task("snapshot", "{ parallel = 2 }");
    let daemon = scene.start_with(&config).await;
    let resident = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    // 200 MiB in one transaction, of rows of 64 KiB, right after one that selects nothing.
    let other = scene.source.server.database("options_memory_other").await;
    other.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut session = scene.source.session().await;
    session
        .sql("SET SESSION cte_max_recursion_depth = 10000; BEGIN; INSERT INTO t (v) WITH RECURSIVE n (i) AS \
              (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3200) SELECT REPEAT(CHAR(65 + i % 26), 65536) FROM n")
        .await;
    let mut elsewhere = other.session().await;
    let (committed, commits) =
        (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::Ordering::Relaxed);
    let unselected = async {
        while !committed.load(commits) {
            elsewhere.sql("REPLACE INTO t VALUES (1)").await;
        }
    };
    tokio::join!(unselected, async {
        session.sql("COMMIT").await;
        committed.store(true, commits);
    });
    scene.wait_applied(&daemon).await;
    // Whole, each row in its place.
    let target = "SELECT count(*), sum(length(v)), sum(id * ascii(v)) FROM options_memory.t";
    let source = "SELECT CONCAT_WS('|', COUNT(*), SUM(LENGTH(v)), SUM(id * ASCII(v))) FROM t";
    assert_eq!(scene.seen(target).await, [scene.source.one(source).await]);
    // memory_limit, 64 MiB, and a small multiple of the largest event.
    assert!(resident() <= 32 + 64 + 16, "{} MiB were resident\n{}", resident(), daemon.log_tail());
}
