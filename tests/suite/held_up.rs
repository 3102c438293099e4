//! What the target keeps the task from, told while it lasts; afterwards the task goes on by itself.

use crate::harness::{DEADLINE, Scene};
use rowferry::change::status::Phase;

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
