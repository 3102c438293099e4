//! Existing tables that cannot hold what the source holds.

use super::{layout, scene};
use crate::harness::{DEADLINE, rowferry};

#[tokio::test]
async fn tables_that_are_spread_or_kept_wrongly_are_refused_by_name() {
    let Some(scene) = scene("on_gp_existing").await else { return };
    scene.source.sql("CREATE TABLE t (id INT, v INT, PRIMARY KEY (id))").await;
    let config = scene.config().task("existing_tables", "\"ignore\"");
    scene.target.sql("CREATE SCHEMA on_gp_existing").await;
    for (made, code, words) in [
        ("DISTRIBUTED RANDOMLY", "target.distribution", "randomly"),
        ("DISTRIBUTED BY (v)", "target.distribution", "holds v"),
        ("WITH (appendonly=true) DISTRIBUTED BY (id)", "target.storage", "append-optimized"),
        (
            "WITH (appendonly=true, orientation=column) DISTRIBUTED BY (id)",
            "target.storage",
            "append-optimized",
        ),
    ] {
        let create = format!("CREATE TABLE on_gp_existing.t (id integer NOT NULL, v integer) {made}");
        scene.target.sql(&format!("DROP TABLE IF EXISTS on_gp_existing.t; {create}")).await;
        let output = rowferry(&["check", "-c", &config.file()]).await;
        let line = output.stdout.lines().find(|line| line.contains("FAIL") && line.contains(code));
        let line = line.unwrap_or_else(|| panic!("{made}: {}", output.stdout));
        assert!(output.code == 1 && line.contains(words) && line.contains("on_gp_existing.t"), "{line}");
    }
    scene.target.sql("DROP TABLE on_gp_existing.t").await;
    scene
        .target
        .sql("CREATE TABLE on_gp_existing.t (id integer PRIMARY KEY, v integer) DISTRIBUTED REPLICATED")
        .await;
    let output = rowferry(&["check", "-c", &config.file()]).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
    assert!(output.stdout.contains("does not understand INSERT … ON CONFLICT"), "{}", output.stdout);
    scene.target.sql("DROP TABLE on_gp_existing.t").await;
    let stored = config.more("[task.main.table.\"on_gp_existing.t\"]\nstorage = \"appendoptimized=true\"");
    let output = rowferry(&["check", "-c", &stored.file()]).await;
    assert!(output.code == 1 && output.stdout.contains("target.storage"), "{}", output.stdout);
}

/// Dropping a distribution column makes the table RANDOMLY and drops its primary key, without a word.
#[tokio::test]
async fn a_dropped_distribution_column_is_not_overlooked() {
    let Some(scene) = scene("on_gp_dropped").await else { return };
    scene
        .source
        .sql("CREATE TABLE t (a INT, b INT, v INT, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 1, 1), (1, 2, 2)")
        .await;
    let config = scene.config().more("[task.main.table.\"on_gp_dropped.t\"]\ndistributed_by = [\"b\"]");
    let daemon = scene.start_with(&config).await;
    assert_eq!(layout(&scene, "t").await, "h p b");
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    // Somebody drops it, and puts it back.
    scene.target.sql("ALTER TABLE on_gp_dropped.t DROP COLUMN b").await;
    scene.target.sql("ALTER TABLE on_gp_dropped.t ADD COLUMN b integer").await;
    assert_eq!(layout(&scene, "t").await, "h p ");
    daemon.restart();
    let task = daemon.wait_task("the task is refused", DEADLINE, |task| task.phase.name() == "Failed").await;
    let told = format!("{:?}", task.phase);
    assert!(
        told.contains("distributed randomly") && told.contains(r#"SET DISTRIBUTED BY (\"a\", \"b\")"#),
        "{told}"
    );
}

/// One place in its resource queue is enough for a role: nothing it does needs two statements at once.
#[tokio::test]
async fn a_role_with_one_place_in_its_resource_queue_is_told_and_gets_on() {
    let Some(scene) = scene("on_gp_queue").await else { return };
    let name = "rowferry_test_queue";
    let drop = format!("DROP OWNED BY {name}; DROP ROLE {name}; DROP RESOURCE QUEUE {name}");
    // What an earlier run left; each in a transaction of its own, as queues want.
    for sql in [format!("DROP ROLE IF EXISTS {name}"), format!("DROP RESOURCE QUEUE {name}")] {
        scene.target.session().await.try_sql(&sql).await.ok();
    }
    scene.target.sql(&format!("CREATE RESOURCE QUEUE {name} WITH (ACTIVE_STATEMENTS=1)")).await;
    scene.target.sql(&format!("CREATE ROLE {name} LOGIN RESOURCE QUEUE {name}")).await;
    scene.target.sql(&format!("GRANT ALL ON DATABASE {} TO {name}", scene.target.name)).await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    let url = scene.target.url().replace("gpadmin", name);
    let config = scene.config().target("url", &format!("{url:?}"));
    let output = rowferry(&["check", "-c", &config.file()]).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
    let words = format!("ACTIVE_STATEMENTS of resource queue {name} allows 1: they wait for each other");
    assert!(
        output.stdout.contains("target.statements") && output.stdout.contains(&words),
        "{}",
        output.stdout
    );
    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO t SELECT id + 2, v FROM t; UPDATE t SET v = v + 1").await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    for sql in drop.split("; ") {
        scene.target.sql(sql).await;
    }
}
