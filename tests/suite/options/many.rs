//! Many-to-one and one-to-many.

use crate::harness::{DEADLINE, Daemon, Scene, rowferry};

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
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    daemon.restart();
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
