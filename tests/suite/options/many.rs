//! Many-to-one and one-to-many.

use crate::harness::{Config, DEADLINE, Daemon, Scene, rowferry};
use rowferry::testing::change::status::Phase;

#[tokio::test]
async fn several_tables_feed_one_with_a_column_that_tells_them_apart() {
    let scene = Scene::new("options_merge").await;
    scene
        .source
        .sql(
            "CREATE TABLE orders_1 (id INT PRIMARY KEY, v INT); CREATE TABLE orders_2 LIKE orders_1; \
              INSERT INTO orders_1 VALUES (1, 11), (2, 12); INSERT INTO orders_2 VALUES (1, 21)",
        )
        .await;
    let config = scene
        .config()
        .more("[task.main.table.\"options_merge.orders_*\"]\ntarget = \"orders\"\nsource_column = \"src\"");
    let plan = rowferry(&["plan", "-c", &config.file()]).await;
    assert_eq!(plan.stdout.matches("CREATE TABLE").count(), 1, "{plan:?}");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("UPDATE orders_2 SET v = 22 WHERE id = 1; DELETE FROM orders_1 WHERE id = 1; INSERT INTO orders_2 VALUES (2, 23)").await;
    scene.wait_applied(&daemon).await;
    let rows = "SELECT src, id, v FROM options_merge.orders ORDER BY 1, 2";
    let expected = [
        "main:options_merge.orders_1|2|12",
        "main:options_merge.orders_2|1|22",
        "main:options_merge.orders_2|2|23",
    ];
    assert_eq!(scene.seen(rows).await, expected);

    // A third one that comes later is copied beside them, whatever was said of existing tables.
    for existing in ["error", "clear"] {
        daemon.terminate();
        daemon.exit_code(DEADLINE).await;
        let table = format!("orders_{existing}");
        scene
            .source
            .sql(&format!("CREATE TABLE {table} LIKE orders_1; INSERT INTO {table} VALUES (1, 31)"))
            .await;
        daemon.reconfigure(&config.clone().task("existing_tables", &format!("{existing:?}")));
        daemon.restart();
        daemon.wait_phase("Synchronizing", DEADLINE).await;
        scene.wait_applied(&daemon).await;
    }
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.extend(["clear", "error"].map(|name| format!("main:options_merge.orders_{name}|1|31")));
    assert_eq!(scene.seen(rows).await, expected);
    let drift = daemon.task().await.unwrap().tables.values().map(|table| table.drift).sum::<u64>();
    assert_eq!(drift, 0);
}

#[tokio::test]
async fn tables_that_feed_one_must_be_alike() {
    let scene = Scene::new("options_unlike").await;
    scene
        .source
        .sql("CREATE TABLE orders_1 (id INT PRIMARY KEY, v INT); CREATE TABLE orders_2 (id INT PRIMARY KEY, v BIGINT)")
        .await;
    let more = "[task.main.table.\"options_unlike.orders_*\"]\ntarget = \"orders\"\nsource_column = \"src\"";
    let output = rowferry(&["check", "-c", &scene.config().more(more).file()]).await;
    assert!(
        output.code == 1
            && output.stdout.contains("column v is integer for options_unlike.orders_1 and bigint"),
        "{output:?}"
    );
    let more = format!("{more}\ntypes = {{ v = \"bigint\" }}");
    let output = rowferry(&["check", "-c", &scene.config().more(&more).file()]).await;
    assert_eq!(output.code, 0, "{output:?}");
}

#[tokio::test]
async fn several_tasks_of_one_daemon_go_to_several_targets_and_into_one_table() {
    let scene = Scene::new("options_tasks").await;
    let second = crate::harness::postgres().await.database("options_tasks_second").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 10); CREATE TABLE u LIKE t; INSERT INTO u VALUES (1, 11)")
        .await;
    second
        .sql("CREATE SCHEMA options_tasks; CREATE TABLE options_tasks.t (src text, id integer, v integer, PRIMARY KEY (src, id))")
        .await;
    let mut more = format!("[target.second]\nurl = {:?}\ntls = \"disable\"\n", second.url());
    for table in ["t", "u"] {
        more += &format!(
            "[task.{table}]\nsource = \"src\"\ntarget = \"second\"\ntables = [\"options_tasks.{table}\"]\nexisting_tables = \"ignore\"\n\
             [task.{table}.table.\"options_tasks.{table}\"]\ntarget = \"t\"\nsource_column = \"src\"\n"
        );
    }
    let daemon = Daemon::start(&scene.config().more(&more));
    let ready = async || {
        crate::harness::eventually(DEADLINE, "all three tasks are ready", async || {
            daemon.get("/readyz").await.is_some_and(|(code, _)| code == 200)
                && daemon.status().await.is_some_and(|model| model.tasks.len() == 3)
        })
        .await;
    };
    ready().await;
    scene.source.sql("INSERT INTO t VALUES (2, 20); UPDATE u SET v = 12; INSERT INTO u VALUES (5, 50); DELETE FROM u WHERE id = 5").await;
    crate::harness::eventually(DEADLINE, "both tables arrive in one", async || {
        let rows = second.sql("SELECT src, id, v FROM options_tasks.t ORDER BY 1, 2").await;
        let rows: Vec<String> =
            rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join("|")).collect();
        rows == ["t:options_tasks.t|1|10", "t:options_tasks.t|2|20", "u:options_tasks.u|1|12"]
    })
    .await;
    crate::harness::eventually(DEADLINE, "the first task carries both", async || {
        scene.seen("SELECT count(*) FROM options_tasks.t").await == ["2"]
            && scene.seen("SELECT v FROM options_tasks.u").await == ["12"]
    })
    .await;
    for table in ["t", "u"] {
        scene.assert_equal(table).await;
    }
    // One that fails leaves the others alone.
    second.sql("DROP TABLE options_tasks.t").await;
    scene.source.sql("INSERT INTO t VALUES (3, 30)").await;
    crate::harness::eventually(DEADLINE, "only the task without its table fails", async || {
        let Some(model) = daemon.status().await else { return false };
        model.tasks["t"].phase.name() == "Failed" && model.tasks["main"].phase.name() == "Synchronizing"
    })
    .await;
    crate::harness::eventually(DEADLINE, "the other goes on", async || {
        scene.seen("SELECT count(*) FROM options_tasks.t").await == ["3"]
    })
    .await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
}

/// Each gives the column to its own rows, whatever the other has given to all before.
#[tokio::test]
async fn a_column_that_tables_of_one_target_get_in_turn_is_filled_for_each() {
    let scene = Scene::new("options_added").await;
    scene
        .source
        .sql(
            "CREATE TABLE orders_1 (id INT PRIMARY KEY, v INT); CREATE TABLE orders_2 LIKE orders_1; \
             CREATE TABLE orders_3 LIKE orders_1; \
             INSERT INTO orders_1 VALUES (1, 11); INSERT INTO orders_2 VALUES (1, 21); INSERT INTO orders_3 VALUES (1, 31)",
        )
        .await;
    let more = "[task.main.table.\"options_added.orders_*\"]\ntarget = \"orders\"\nsource_column = \"src\"";
    let daemon = scene.start_with(&scene.config().more(more)).await;
    scene
        .source
        .sql(
            "ALTER TABLE orders_1 ADD c INT DEFAULT 5; UPDATE orders_1 SET c = 6; INSERT INTO orders_1 (id) VALUES (2)",
        )
        .await;
    scene.wait_applied(&daemon).await;
    // One is ahead of the others now, which is no reason not to start.
    daemon.start_again().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene
        .source
        .sql(
            "INSERT INTO orders_2 (id) VALUES (9); ALTER TABLE orders_2 ADD c INT DEFAULT 7; \
             INSERT INTO orders_3 (id) VALUES (9); ALTER TABLE orders_3 ADD c INT",
        )
        .await;
    scene.wait_applied(&daemon).await;
    let rows =
        scene.seen("SELECT right(src, 1), id, coalesce(c, -1) FROM options_added.orders ORDER BY 1, 2").await;
    assert_eq!(rows, ["1|1|6", "1|2|5", "2|1|7", "2|9|7", "3|1|-1", "3|9|-1"]);
}

/// The column was made by hand first. With rows of others about, nobody can say whose it is.
#[tokio::test]
async fn a_column_that_was_made_at_the_target_first_is_filled_where_that_is_sure() {
    for (existing, fails) in [("error", false), ("ignore", true)] {
        let scene = Scene::new(&format!("options_made_{existing}")).await;
        let name = scene.source.name.clone();
        scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)").await;
        let daemon =
            scene.start_with(&scene.config().task("existing_tables", &format!("{existing:?}"))).await;
        scene
            .target
            .sql(&format!("ALTER TABLE {name}.t ADD c integer; ALTER TABLE {name}.t ADD d integer"))
            .await;
        scene.source.sql("ALTER TABLE t ADD d INT; INSERT INTO t VALUES (3, 3)").await;
        scene.wait_applied(&daemon).await;
        scene.source.sql("ALTER TABLE t ADD c INT NOT NULL DEFAULT 5; INSERT INTO t VALUES (4, 4, 4)").await;
        if fails {
            let status = daemon.wait_phase("Failed", DEADLINE).await;
            assert!(format!("{:?}", status.phase).contains("column c exists already"), "{status:?}");
        } else {
            scene.wait_applied(&daemon).await;
            let rows = scene.seen(&format!("SELECT id, c FROM {name}.t ORDER BY 1")).await;
            assert_eq!(rows, ["1|5", "2|5", "3|5", "4|4"]);
        }
    }
}

/// NOT NULL at one source says nothing of the rows of another that has not got the column yet.
#[tokio::test]
async fn a_not_null_column_that_one_of_several_tables_gets_first_does_not_stop_the_others() {
    let scene = Scene::new("options_not_null").await;
    scene
        .source
        .sql("CREATE TABLE orders_1 (id INT PRIMARY KEY); CREATE TABLE orders_2 LIKE orders_1; INSERT INTO orders_1 VALUES (1)")
        .await;
    let more =
        "[task.main.table.\"options_not_null.orders_*\"]\ntarget = \"orders\"\nsource_column = \"src\"";
    let config = scene.config().more(more);
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql("ALTER TABLE orders_1 ADD c INT NOT NULL DEFAULT 5; INSERT INTO orders_2 VALUES (1)")
        .await;
    scene.wait_applied(&daemon).await;
    daemon.start_again().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene
        .source
        .sql("INSERT INTO orders_2 VALUES (2); ALTER TABLE orders_2 ADD c INT NOT NULL DEFAULT 6; INSERT INTO orders_2 VALUES (3, 7)")
        .await;
    scene.wait_applied(&daemon).await;
    let rows = scene.seen("SELECT right(src, 1), id, c FROM options_not_null.orders ORDER BY 1, 2").await;
    assert_eq!(rows, ["1|1|5", "2|1|6", "2|2|6", "2|3|7"]);
}

/// Two tasks of one daemon, `main` for table `t` and `other` for table `u`, which feed one table without a column that tells
/// their rows apart.
struct TwoTasks {
    scene: Scene<'static>,
    daemon: Daemon,
    alone: Config,
    both: Config,
}

impl TwoTasks {
    /// The first makes the table, and the second finds it; with `follow` both find it and copy nothing.
    async fn start(name: &str, follow: bool) -> Self {
        let scene = Scene::new(name).await;
        scene
            .source
            .sql("CREATE TABLE t (id INT PRIMARY KEY); CREATE TABLE u LIKE t; INSERT INTO t VALUES (1), (2); INSERT INTO u VALUES (11), (12)")
            .await;
        let mut alone = scene.config().task("tables", &format!("[\"{name}.t\"]"));
        let mut how = "existing_tables = \"ignore\"";
        if follow {
            let rows = "(1), (2), (11), (12)";
            let made =
                format!("CREATE TABLE {name}.t (id integer PRIMARY KEY); INSERT INTO {name}.t VALUES {rows}");
            scene.target.sql(&format!("CREATE SCHEMA {name}; {made}")).await;
            how = "initial = []\nstart_position = \"now\"";
            alone = alone.task("initial", "[]").task("start_position", "\"now\"");
        }
        let both = alone.clone().more(&format!(
            "[task.other]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"{name}.u\"]\n{how}\n\
             [task.other.table.\"{name}.u\"]\ntarget = \"t\""
        ));
        let daemon = scene.start_with(&alone).await;
        let tasks = Self { scene, daemon, alone, both };
        tasks.run(&tasks.both).await;
        tasks.reach("both follow", &["1|-", "2|-", "11|-", "12|-"], ["Synchronizing"; 2]).await;
        tasks
    }

    /// Runs with another config.
    async fn run(&self, config: &Config) {
        self.daemon.reconfigure(config);
        self.daemon.start_again().await;
    }

    /// Waits for rows and for the phases of both tasks.
    async fn reach(&self, what: &str, rows: &[&str], phases: [&str; 2]) {
        let query = format!("SELECT id, row_to_json(t)->>'c' FROM {}.t ORDER BY id", self.scene.source.name);
        crate::harness::eventually(DEADLINE, what, async || {
            let Some(model) = self.daemon.status().await else { return false };
            let phase = |task: &str| model.tasks.get(task).map_or("absent", |task| task.phase.name());
            [phase("main"), phase("other")] == phases && self.scene.seen(&query).await == rows
        })
        .await;
    }

    /// Error and remedy of a task that has failed.
    async fn failure(&self, task: &str) -> (String, String) {
        match &self.daemon.status().await.unwrap().tasks[task].phase {
            Phase::Failed { error, remedy } => (error.clone(), remedy.clone()),
            other => panic!("{task} is {other:?}"),
        }
    }
}

/// Whose rows a task fills is decided by who feeds the table, not by what the task was told of existing ones.
#[tokio::test]
async fn a_column_that_another_task_has_brought_keeps_that_ones_values() {
    for (case, follow, fill) in
        [("value", false, " NOT NULL DEFAULT 1"), ("null", false, ""), ("follow", true, " DEFAULT 1")]
    {
        let name = format!("options_brought_{case}");
        let tasks = TwoTasks::start(&name, follow).await;
        let sql = async |text: &str| tasks.scene.source.sql(text).await;
        sql("ALTER TABLE u ADD c INT NOT NULL DEFAULT 5; INSERT INTO u VALUES (13, 7)").await;
        tasks.reach("it is there", &["1|5", "2|5", "11|5", "12|5", "13|7"], ["Synchronizing"; 2]).await;
        // The other's source has it not yet.
        sql("INSERT INTO t VALUES (3)").await;
        let before = ["1|5", "2|5", "3|-", "11|5", "12|5", "13|7"];
        tasks.reach("rows without it come", &before, ["Synchronizing"; 2]).await;
        sql(&format!("ALTER TABLE t ADD c INT{fill}; INSERT INTO t VALUES (4, 8)")).await;
        tasks.reach("nobody can tell the rows apart", &before, ["Failed", "Synchronizing"]).await;
        let (error, remedy) = tasks.failure("main").await;
        assert!(error.contains("column c exists already"), "{error}");
        assert!(remedy.contains("rename its column c"), "{remedy}");

        // As the remedy says.
        tasks.daemon.terminate();
        tasks.daemon.exit_code(DEADLINE).await;
        tasks.scene.target.sql(&format!("ALTER TABLE {name}.t RENAME c TO kept")).await;
        tasks.daemon.reconfigure(&tasks.alone);
        tasks.daemon.restart();
        let value = if fill.is_empty() { "-" } else { "1" };
        let rows: Vec<String> = [1, 2, 3, 4, 11, 12, 13]
            .map(|id| if id == 4 { "4|8".to_owned() } else { format!("{id}|{value}") })
            .to_vec();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        tasks.reach("it is added anew", &rows, ["Synchronizing", "absent"]).await;
        tasks
            .scene
            .target
            .sql(&format!(
                "UPDATE {name}.t SET c = kept WHERE id > 10; ALTER TABLE {name}.t DROP COLUMN kept"
            ))
            .await;
        tasks.run(&tasks.both).await;
        sql("INSERT INTO u VALUES (14, 9)").await;
        let mut rows = [&rows[..4], &["11|5", "12|5", "13|7", "14|9"]].concat();
        tasks.reach("both go on", &rows, ["Synchronizing"; 2]).await;
        sql("INSERT INTO t VALUES (5, 10)").await;
        rows.insert(4, "5|10");
        tasks.reach("both follow again", &rows, ["Synchronizing"; 2]).await;
    }
}

/// The other way round: who comes first is alone with the column and fills everybody's rows; the second finds it so.
#[tokio::test]
async fn a_column_that_two_tasks_add_in_turn_is_taken_where_every_row_holds_the_right_value_already() {
    const FIVE: &str = " NOT NULL DEFAULT 5";
    for (case, first, second) in [("value", FIVE, FIVE), ("null", "", ""), ("differs", FIVE, "")] {
        let tasks = TwoTasks::start(&format!("options_in_turn_{case}"), false).await;
        let sql = async |text: &str| tasks.scene.source.sql(text).await;
        sql(&format!("ALTER TABLE t ADD c INT{first}")).await;
        tasks.scene.wait_applied(&tasks.daemon).await;
        sql(&format!("ALTER TABLE u ADD c INT{second}; INSERT INTO u VALUES (13, 6)")).await;
        let old =
            if first.is_empty() { ["1|-", "2|-", "11|-", "12|-"] } else { ["1|5", "2|5", "11|5", "12|5"] };
        if first == second {
            let rows = [old.as_slice(), &["13|6"]].concat();
            tasks.reach("the second takes it", &rows, ["Synchronizing"; 2]).await;
        } else {
            tasks.reach("the second stops", &old, ["Synchronizing", "Failed"]).await;
            let (error, _) = tasks.failure("other").await;
            assert!(error.contains("column c exists already and holds other values than NULL"), "{error}");
        }
    }
}

/// The other would write to a column that is no more.
#[tokio::test]
async fn a_column_that_another_task_feeds_is_not_renamed() {
    let name = "options_renamed";
    let tasks = TwoTasks::start(name, false).await;
    let sql = async |text: &str| tasks.scene.source.sql(text).await;
    sql("ALTER TABLE t ADD c INT").await;
    tasks.scene.wait_applied(&tasks.daemon).await;
    sql("ALTER TABLE t RENAME COLUMN c TO d; INSERT INTO t VALUES (3, 4)").await;
    let rows = ["1|-", "2|-", "11|-", "12|-"];
    tasks.reach("the first stops", &rows, ["Failed", "Synchronizing"]).await;
    let (error, remedy) = tasks.failure("main").await;
    assert!(error.contains("task \"other\" feeds the table too"), "{error}");
    assert!(remedy.contains("columns = { NEW_NAME = \"c\" }"), "{remedy}");
    let section = format!("[task.main.table.\"{name}.t\"]\ncolumns = {{ d = \"c\" }}");
    tasks.run(&tasks.both.clone().more(&section)).await;
    let rows = ["1|-", "2|-", "3|4", "11|-", "12|-"];
    tasks.reach("its name is kept", &rows, ["Synchronizing"; 2]).await;
}
