//! The commands and the listener, as a user or a service manager meets them.

use crate::harness::{
    Config, DEADLINE, Daemon, PostgresDatabase, Rows, Scene, eventually, on_greenplum, postgres, rowferry,
    run_folder,
};
use rowferry::testing::change::GtidSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test]
async fn the_effective_config_masks_secrets_and_reads_back() {
    let password_file = run_folder().join("commands.pw");
    std::fs::write(&password_file, "hush-file\n").unwrap();
    let config = Config::new("mysql://repl:hush-url@db1:3307", "postgresql://loader@adb/dw", &["shop.*", "!shop.tmp"])
        .target("password_file", &format!("{password_file:?}"))
        .task("schemas", "{ shop = \"Shop DW\" }")
        .task("initial", "[\"schema\"]")
        .task("start_position", "\"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77\"")
        .task("operations", "[\"insert\", \"delete\"]")
        .task("memory_limit", "\"100MB\"")
        .task("snapshot", "{ chunk_rows = 7 }")
        .more("[task.main.table.\"shop.order_*\"]\ncolumns = { \"a b\" = \"c\" }\ntypes = { x = \"boolean\" }\nstorage = \"fillfactor=90\"");
    let first = rowferry(&["config", "-c", &config.file()]).await;
    assert_eq!((first.code, first.stderr.as_str()), (0, ""));
    assert!(!first.stdout.contains("hush"), "{}", first.stdout);
    assert_eq!(first.stdout.matches("\"***\"").count(), 2, "{}", first.stdout);
    for line in [
        "chunk_rows = 7",
        "batch_rows = 20000",
        "existing_tables = \"error\"",
        "port = 3307",
        "shutdown_grace = \"30s\"",
    ] {
        assert!(first.stdout.contains(line), "{line} is not in {}", first.stdout);
    }
    let again = run_folder().join("commands-again.toml");
    std::fs::write(&again, &first.stdout).unwrap();
    let second = rowferry(&["config", "-c", again.to_str().unwrap()]).await;
    assert_eq!(second.stdout, first.stdout, "{}", second.stderr);
}

/// Everything about the tables of a database, but for what rowferry keeps for itself.
async fn definitions(target: &PostgresDatabase<'_>) -> Rows {
    target
        .sql(
            "SELECT n.nspname, c.relname, c.relkind, c.reloptions, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), \
               a.attnotnull, pg_get_expr(d.adbin, d.adrelid), pg_get_indexdef(c.oid) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
             WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'rowferry', 'gp_toolkit') ORDER BY 1, 2, 5",
        )
        .await
}

#[tokio::test]
async fn the_plan_is_exactly_what_run_makes() {
    let scene = Scene::new("commands_plan").await;
    let empty = postgres().await.database("commands_planned").await;
    scene
        .source
        .sql(
            "CREATE TABLE Orders (Id BIGINT UNSIGNED AUTO_INCREMENT, `Weird \"Name` ENUM('a','b') NOT NULL, note TEXT, secret BLOB, \
               paid TINYINT(1), amount DECIMAL(20,4) DEFAULT 1, at TIMESTAMP(3) NULL, day DATE NOT NULL, PRIMARY KEY (Id)); \
             CREATE TABLE pairs (b INT, a VARCHAR(20), PRIMARY KEY (a, b)); INSERT INTO pairs VALUES (1, 'x')",
        )
        .await;
    let config = scene.config().task("schemas", "{ commands_plan = \"Shop DW\" }").more(
        "[task.main.table.\"commands_plan.Orders\"]\ntarget = \"orders all\"\ncolumns = { note = \"remark\" }\n\
         exclude_columns = [\"secret\"]\ntypes = { paid = \"boolean\" }\nstorage = \"fillfactor=80\"",
    );
    let plan = rowferry(&["plan", "-c", &config.file()]).await;
    assert_eq!((plan.code, plan.stderr.as_str()), (0, ""), "{plan:?}");
    assert_eq!(definitions(&scene.target).await, Rows::new(), "plan writes nothing");
    assert_eq!(
        scene.target.one("SELECT count(*) FROM pg_namespace WHERE nspname IN ('rowferry', 'Shop DW')").await,
        "0"
    );
    empty.sql(&plan.stdout).await;
    let planned = definitions(&empty).await;
    assert!(planned.len() > 9, "{planned:?}");

    let daemon = scene.start_with(&config).await;
    assert_eq!(definitions(&scene.target).await, planned, "{}", plan.stdout);
    let rest = rowferry(&["plan", "-c", daemon.config_path().to_str().unwrap()]).await;
    assert!(rest.code == 0 && !rest.stdout.contains("CREATE"), "{rest:?}");
}

#[tokio::test]
async fn the_plan_of_existing_tables_is_what_the_config_says() {
    let scene = Scene::new("commands_plan_existing").await;
    scene.source.sql("CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT PRIMARY KEY)").await;
    scene
        .target
        .sql("CREATE SCHEMA commands_plan_existing; CREATE TABLE commands_plan_existing.a (id integer PRIMARY KEY)")
        .await;
    let plan = async |config: Config| rowferry(&["plan", "-c", &config.file()]).await;
    let clear = plan(scene.config().task("existing_tables", "\"clear\"")).await;
    assert!(clear.stdout.contains("TRUNCATE") && clear.stdout.contains("CREATE TABLE"), "{clear:?}");
    let ignore = plan(scene.config().task("existing_tables", "\"ignore\"")).await;
    assert!(!ignore.stdout.contains("TRUNCATE") && ignore.stdout.contains("CREATE TABLE"), "{ignore:?}");
    // What is not to be made is not planned, and nothing is emptied without a copy.
    let follow = scene.config().task("initial", "[]").task("start_position", "\"now\"");
    let none = plan(follow.task("existing_tables", "\"clear\"")).await;
    assert!(!none.stdout.contains("CREATE") && !none.stdout.contains("TRUNCATE"), "{none:?}");
    // Tables that cannot be carried are told as such, all of them.
    scene.source.sql("CREATE TABLE c (id INT); CREATE TABLE d (id INT PRIMARY KEY) ENGINE = MyISAM").await;
    let refused = plan(scene.config()).await;
    assert!(refused.code == 1 && refused.stdout.is_empty(), "{refused:?}");
    for table in ["commands_plan_existing.a", "commands_plan_existing.c", "commands_plan_existing.d"] {
        assert!(refused.stderr.contains(table), "{table}: {refused:?}");
    }
}

/// Whose rows are emptied is the plan's to say as well.
#[tokio::test]
async fn the_plan_of_a_table_that_others_feed_takes_their_rows_no_more_than_the_task() {
    let name = "commands_plan_shared";
    let scene = Scene::new(name).await;
    let plain = "CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b LIKE a; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)";
    scene.source.sql(plain).await;
    let section = |task: &str, table: &str, more: &str| {
        format!("[task.{task}.table.\"{name}.{table}\"]\ntarget = \"a\"\n{more}\n")
    };
    let tag = "source_column = \"src\"";
    let main = |tables: &str| scene.config().task("tables", tables).task("existing_tables", "\"clear\"");
    let only_a = format!("[\"{name}.a\"]");
    let daemon = scene.start_with(&main(&only_a).more(&section("main", "a", tag))).await;
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    // Another table of the same task joins.
    let both = main(&format!("[\"{name}.a\", \"{name}.b\"]"));
    let joins = both.more(&section("main", "a", tag)).more(&section("main", "b", tag));
    let joins = rowferry(&["plan", "-c", &joins.file()]).await;
    assert!(joins.code == 0 && !joins.stdout.contains("TRUNCATE"), "{joins:?}");
    assert!(!joins.stdout.contains("DELETE") && !joins.stdout.contains("CREATE"), "{joins:?}");
    // Another task does.
    let other = |more: &str| {
        let task = format!(
            "[task.other]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"{name}.b\"]\nexisting_tables = \"clear\"\n"
        );
        main(&only_a).more(&section("main", "a", tag)).more(&task).more(&section("other", "b", more)).file()
    };
    let tagged = rowferry(&["plan", "-c", &other(tag)]).await;
    let delete = format!("DELETE FROM \"{name}\".\"a\" WHERE \"src\" = 'other:{name}.b'");
    assert!(tagged.stdout.contains(&delete) && !tagged.stdout.contains("TRUNCATE"), "{tagged:?}");
    let refused = rowferry(&["plan", "-c", &other("")]).await;
    assert!(refused.code == 1 && refused.stderr.contains("its primary key is (src, id)"), "{refused:?}");
}

#[tokio::test]
async fn the_check_prints_json_and_passes_a_resumed_task() {
    let scene = Scene::new("commands_check").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let json = async |config: &str| {
        let output = rowferry(&["check", "--json", "-c", config]).await;
        let report: serde_json::Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output.code, report)
    };
    let (code, report) = json(&scene.config().file()).await;
    let items = report["main"]["items"].as_array().unwrap();
    assert!(code == 0 && items.len() > 10, "{report}");
    for item in items {
        assert_eq!(item["verdict"], "pass", "{item}");
        assert!(item["code"].is_string() && item["subject"].is_string() && item["why"].is_string(), "{item}");
    }

    let daemon = scene.start().await;
    let path = daemon.config_path();
    let (code, report) = json(path.to_str().unwrap()).await;
    assert!(code == 0 && report.to_string().contains("it is this task's"), "{report}");
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    assert_eq!(json(path.to_str().unwrap()).await.0, 0);

    // Its table dropped, its rows cannot be followed any more.
    scene.target.sql("DROP TABLE commands_check.t").await;
    let (code, report) = json(path.to_str().unwrap()).await;
    let failed: Vec<_> =
        report["main"]["items"].as_array().unwrap().iter().filter(|item| item["verdict"] == "fail").collect();
    assert!(code == 1 && failed.len() == 1 && failed[0]["why"].to_string().contains("is gone"), "{failed:?}");
    assert!(failed[0]["remedy"].to_string().contains("copy commands_check.t again"), "{failed:?}");
}

#[tokio::test]
async fn the_status_is_told_by_the_daemon_and_else_by_the_checkpoint() {
    let scene = Scene::new("commands_status").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)").await;
    let never = rowferry(&["status", "-c", &scene.config().file()]).await;
    assert_eq!((never.code, never.stderr.as_str()), (1, ""), "{never:?}");
    assert!(never.stdout.contains("task main: never ran"), "{never:?}");

    let daemon = scene.start().await;
    scene
        .source
        .sql("INSERT INTO t VALUES (3); UPDATE t SET id = 4 WHERE id = 1; DELETE FROM t WHERE id = 2")
        .await;
    scene.wait_applied(&daemon).await;
    let path = daemon.config_path();
    let path = path.to_str().unwrap();
    let live = rowferry(&["status", "-c", path]).await;
    assert_eq!((live.code, live.stderr.as_str()), (0, ""), "{live:?}");
    for words in [
        "task main: Synchronizing",
        "MySQL 9.",
        if on_greenplum() { "Greenplum Database 6" } else { "PostgreSQL 1" },
        "commands_status.t",
        "1 inserts, 1 updates, 1 deletes",
    ] {
        assert!(live.stdout.contains(words), "{words} is not in {}", live.stdout);
    }
    let json = rowferry(&["status", "--json", "-c", path]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["tasks"]["main"]["phase"], "synchronizing");
    assert_eq!(json["tasks"]["main"]["tables"]["commands_status.t"]["copied_rows"], 2);
    let position = json["tasks"]["main"]["position"].as_str().unwrap().split(" (").next().unwrap().to_owned();

    daemon.kill9();
    let stored = rowferry(&["status", "-c", path]).await;
    assert_eq!((stored.code, stored.stderr.as_str()), (1, ""), "{stored:?}");
    for words in
        ["no daemon answers for this config", "task main: not running", "commands_status.t", "streaming"]
    {
        assert!(stored.stdout.contains(words), "{words} is not in {}", stored.stdout);
    }
    let json = rowferry(&["status", "--json", "-c", path]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["tasks"]["main"]["phase"], "stopped");
    let set = |text: &str| text.split(" (").next().unwrap().parse::<GtidSet>().unwrap();
    let durable = set(json["tasks"]["main"]["position"].as_str().unwrap());
    assert!(set(&position).is_subset_of(&durable), "{position} is not within {durable}");
}

#[tokio::test]
async fn sigterm_drains_and_the_next_start_goes_on_there() {
    let scene = Scene::new("commands_drain").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT); CREATE TABLE u LIKE t")
        .await;
    let daemon = scene.start().await;
    let open = Arc::new(AtomicBool::new(true));
    let (mut session, writing) = (scene.source.session().await, open.clone());
    let writer = tokio::spawn(async move {
        let mut count = 0;
        while writing.load(Ordering::Relaxed) {
            session
                .sql("BEGIN; INSERT INTO t (v) VALUES (1), (2); INSERT INTO u (v) VALUES (3); COMMIT")
                .await;
            count += 1;
        }
        count
    });
    for _ in 0..3 {
        let seen = scene.target.one("SELECT count(*) FROM commands_drain.u").await;
        eventually(DEADLINE, "rows arrive", async || {
            scene.target.one("SELECT count(*) FROM commands_drain.u").await != seen
        })
        .await;
        daemon.terminate();
        assert_eq!(daemon.exit_code(DEADLINE).await, 0, "{}", daemon.log_tail());
        assert!(daemon.log_tail().contains("drained"), "{}", daemon.log_tail());
        let counts =
            "SELECT (SELECT count(*) FROM commands_drain.t) = 2 * (SELECT count(*) FROM commands_drain.u)";
        assert_eq!(scene.target.one(counts).await, "t", "half a transaction is visible");
        daemon.restart();
    }
    open.store(false, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 3);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    for table in ["t", "u"] {
        scene.assert_equal(table).await;
    }
    let drift: u64 = daemon.task().await.unwrap().tables.values().map(|table| table.drift).sum();
    assert_eq!(drift, 0, "nothing came twice");
}

#[tokio::test]
async fn sigterm_during_the_copy_ends_at_once_and_the_copy_goes_on_later() {
    let scene = Scene::new("commands_stop_copy").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT); \
             INSERT INTO t (v) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n",
        )
        .await;
    let slow = |rate: u32| {
        let snapshot = format!("{{ parallel = 1, chunk_rows = 50, max_rows_per_second = {rate} }}");
        scene.config().task("snapshot", &snapshot)
    };
    let daemon = Daemon::start(&slow(100));
    let task = daemon
        .wait_task("two chunks are durable", DEADLINE, |task| {
            task.tables.values().any(|table| table.copied_rows > 100)
        })
        .await;
    assert_eq!(task.phase.name(), "Snapshot");
    daemon.signal("INT");
    assert_eq!(daemon.exit_code(DEADLINE).await, 0, "{}", daemon.log_tail());
    let copied: u64 = scene.target.one("SELECT count(*) FROM commands_stop_copy.t").await.parse().unwrap();
    assert!((100..900).contains(&copied), "{copied}");
    daemon.reconfigure(&slow(0));
    daemon.restart();
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(task.tables["commands_stop_copy.t"].copied_rows, 900);
    assert_eq!(scene.assert_equal("t").await, 900);
}

#[tokio::test]
async fn the_listener_serves_health_readiness_metrics_and_the_page() {
    let scene = Scene::new("commands_listener").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)").await;
    let daemon = scene.start().await;
    scene.source.sql("INSERT INTO t VALUES (3), (4), (5); DELETE FROM t WHERE id = 1").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(daemon.get("/healthz").await.unwrap(), (200, "ok\n".to_owned()));
    // How late it is, it knows at the next word from the source.
    eventually(DEADLINE, "it is ready", async || {
        daemon.get("/readyz").await.is_some_and(|answer| answer == (200, "ready\n".to_owned()))
    })
    .await;
    // The health check of the image: it asks where the config says, and does not mind what the tasks do.
    let listening = scene.config().daemon("listen", &format!("\"127.0.0.1:{}\"", daemon.port()));
    let alive = rowferry(&["status", "--alive", "-c", &listening.file()]).await;
    assert_eq!((alive.code, alive.stdout.as_str()), (0, "alive\n"), "{alive:?}");
    let (code, page) = daemon.get("/").await.unwrap();
    assert!(code == 200 && page.contains("commands_listener.t") && page.contains("Synchronizing"), "{page}");
    assert_eq!(daemon.get("/nowhere").await.unwrap().0, 404);

    let (code, text) = daemon.get("/metrics").await.unwrap();
    assert_eq!(code, 200);
    let metrics = parse(&text);
    let value = |metric: &str| *metrics.get(metric).unwrap_or_else(|| panic!("{metric} is not in:\n{text}"));
    let table = "{task=\"main\",table=\"commands_listener.t\"}";
    assert_eq!(value(&format!("rowferry_snapshot_copied_rows_total{table}")), 2.0);
    assert_eq!(value(&format!("rowferry_sink_inserts_total{table}")), 3.0);
    assert_eq!(value(&format!("rowferry_sink_deletes_total{table}")), 1.0);
    assert_eq!(value(&format!("rowferry_sink_drift_rows_total{table}")), 0.0);
    assert_eq!(value("rowferry_task_synchronizing{task=\"main\"}"), 1.0);
    assert_eq!(value("rowferry_task_phase{task=\"main\",phase=\"Synchronizing\"}"), 1.0);
    assert!(value("rowferry_sink_transactions_total{task=\"main\"}") >= 2.0);
    assert!(value("rowferry_source_silence_seconds{task=\"main\"}") < 60.0);
    assert!(value("rowferry_sink_commit_age_seconds{task=\"main\"}") < 60.0);

    // A daemon that hangs is not alive, nor is one that is gone.
    daemon.signal("STOP");
    let hanging = rowferry(&["status", "--alive", "-c", &listening.file()]).await;
    daemon.signal("CONT");
    assert_eq!((hanging.code, hanging.stdout.as_str()), (1, ""), "{hanging:?}");
    daemon.kill9();
    let gone = rowferry(&["status", "--alive", "-c", &listening.file()]).await;
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.stderr.contains("nobody listens"), "{gone:?}");
}

/// The samples of an OpenMetrics text; every line must be one, a comment, or the end.
fn parse(text: &str) -> std::collections::BTreeMap<String, f64> {
    let body = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end: {text}"));
    let mut typed = std::collections::BTreeSet::new();
    let mut samples = std::collections::BTreeMap::new();
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            match words.next() {
                Some("TYPE") => assert!(typed.insert(words.next().unwrap().to_owned()), "twice: {line}"),
                Some("HELP" | "UNIT") => {}
                _ => panic!("no comment of the format: {line}"),
            }
            continue;
        }
        let (metric, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        let name = metric.split('{').next().unwrap();
        let family = name.strip_suffix("_total").unwrap_or(name);
        assert!(typed.contains(family), "a sample before its type: {line}");
        let value = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(samples.insert(metric.to_owned(), value).is_none(), "twice: {line}");
    }
    samples
}

#[tokio::test]
async fn a_daemon_without_a_listener_runs_and_its_status_is_read_from_the_target() {
    let scene = Scene::new("commands_no_listener").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let config = scene.config().daemon("listen", "\"\"");
    let daemon = Daemon::start(&config);
    eventually(DEADLINE, "the row is copied", async || {
        scene.target.try_sql("SELECT * FROM commands_no_listener.t").await.is_ok_and(|rows| rows.len() == 1)
    })
    .await;
    eventually(DEADLINE, "the status says so", async || {
        let output = rowferry(&["status", "-c", daemon.config_path().to_str().unwrap()]).await;
        output.stdout.contains("streaming")
    })
    .await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(Duration::from_secs(40)).await, 0);
}
