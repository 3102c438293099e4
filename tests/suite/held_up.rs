//! What the target keeps the task from, told while it lasts; afterwards the task goes on by itself.

use crate::harness::{DEADLINE, Daemon, Scene};
use rowferry::testing::change::status::Phase;

#[tokio::test]
async fn a_lock_on_a_target_table_is_told_with_its_holder() {
    let scene = Scene::new("held_by_lock").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let daemon = scene.start().await;
    let mut dba = scene.target.session().await;
    dba.sql("SET application_name = 'a DBA'; BEGIN; LOCK TABLE held_by_lock.t").await;
    scene.source.sql("UPDATE t SET v = 2").await;
    daemon
        .wait_task("the holder is named", DEADLINE, |task| {
            task.waiting_for.as_deref().is_some_and(|what| {
                what.contains("it waits for the lock of held_by_lock.t") && what.contains("application a DBA")
            })
        })
        .await;
    assert!(daemon.log().contains("which process"), "{}", daemon.log());
    dba.sql("COMMIT").await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.wait_task("it waits no more", DEADLINE, |task| task.waiting_for.is_none()).await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}

/// Waits until the status names the DBA's lock.
async fn names_the_lock(daemon: &Daemon, table: &str) {
    daemon
        .wait_task("the holder is named", DEADLINE, |task| {
            task.waiting_for.as_deref().is_some_and(|what| {
                what.contains(&format!("it waits for the lock of {table}"))
                    && what.contains("application a DBA")
            })
        })
        .await;
    assert!(daemon.log().contains("waits for the target, which works at one statement"), "{}", daemon.log());
}

#[tokio::test]
async fn what_holds_up_a_start_is_told_with_its_holder() {
    let scene = Scene::new("held_start").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    scene
        .target
        .sql("CREATE SCHEMA held_start; CREATE TABLE held_start.t (id integer PRIMARY KEY, v integer)")
        .await;
    let config = scene.config().task("existing_tables", "\"clear\"").task("initial", "[\"data\"]");
    let mut dba = scene.target.session().await;
    // The precheck asks whether there are rows in a table that was made ready.
    dba.sql("SET application_name = 'a DBA'; BEGIN; LOCK TABLE held_start.t IN ACCESS EXCLUSIVE MODE").await;
    let daemon = Daemon::start(&config);
    names_the_lock(&daemon, "held_start.t").await;
    // What is there is emptied.
    dba.sql("COMMIT; BEGIN; LOCK TABLE held_start.t IN SHARE MODE").await;
    daemon.wait_phase("SchemaSync", DEADLINE).await;
    names_the_lock(&daemon, "held_start.t").await;
    dba.sql("COMMIT").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    let task = daemon.task().await.unwrap();
    assert_eq!((task.restarts, task.waiting_for), (0, None));
}

#[tokio::test]
async fn a_copy_that_gets_no_rows_says_so() {
    let scene = Scene::new("held_copy").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let mut other = scene.source.session().await;
    other.sql("LOCK TABLES t WRITE").await;
    let daemon = Daemon::start(&scene.config());
    daemon
        .wait_task("the source is named", DEADLINE, |task| {
            task.waiting_for.as_deref() == Some("source src, which sends no rows")
        })
        .await;
    other.sql("UNLOCK TABLES").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_row_that_no_partition_takes_waits_for_one() {
    let scene = Scene::new("held_by_partition").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let table = "CREATE SCHEMA held_by_partition; CREATE TABLE held_by_partition.t (id integer PRIMARY KEY, v integer)";
    let (low, high) = if scene.target.server.is_greenplum() {
        (
            " DISTRIBUTED BY (id) PARTITION BY RANGE (id) (PARTITION low START (0) END (100))",
            "ALTER TABLE held_by_partition.t ADD PARTITION high START (100) END (200)",
        )
    } else {
        (
            " PARTITION BY RANGE (id); CREATE TABLE held_by_partition.low PARTITION OF held_by_partition.t FOR VALUES FROM (0) TO (100)",
            "CREATE TABLE held_by_partition.high PARTITION OF held_by_partition.t FOR VALUES FROM (100) TO (200)",
        )
    };
    scene.target.sql(&format!("{table}{low}")).await;
    let daemon = scene.start_with(&scene.config().task("existing_tables", "\"clear\"")).await;
    assert!(daemon.log().contains("it has no default partition"), "{}", daemon.log());
    scene.source.sql("INSERT INTO t VALUES (2, 2), (150, 3)").await;
    daemon
        .wait_task("it says what is missing", DEADLINE, |task| {
            matches!(&task.phase, Phase::Retrying { error, .. }
                if error.contains("no partition") && error.contains("a partition for this row"))
        })
        .await;
    scene.target.sql(high).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_and_tried_again() {
    let scene = Scene::new("held_too_long").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let daemon = scene.start_with(&scene.config().task("apply", "{ statement_timeout = \"2s\" }")).await;
    let mut dba = scene.target.session().await;
    dba.sql("BEGIN; LOCK TABLE held_too_long.t").await;
    scene.source.sql("UPDATE t SET v = 2").await;
    daemon.wait_task("it was ended more than once", DEADLINE, |task| task.restarts >= 2).await;
    assert!(daemon.log().contains("statement timeout"), "{}", daemon.log());
    // A change of the table's definition may take as long as it likes.
    scene.source.sql("ALTER TABLE t ADD COLUMN w INT").await;
    dba.sql("COMMIT").await;
    scene.assert_exact(&daemon, &["t"]).await;
}
