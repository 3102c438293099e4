//! A copy that is killed half-way goes on where it was: chunks that are durable are not read again.

use crate::harness::{DEADLINE, Daemon, Proxy, Scene};

const CHUNKS: &str = "SELECT string_agg(concat_ws(' ', number, epoch, copied_rows, recorded_at), '; ' ORDER BY number) \
    FROM rowferry.main_chunks";

#[tokio::test]
async fn a_copy_killed_between_chunks_goes_on_at_the_next_one() {
    let scene = Scene::new("copy_killed").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40)); \
             INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 65) \
             SELECT i * 10, CONCAT('row ', i * 10) FROM n",
        )
        .await;
    let proxy = Proxy::start(scene.source.server.port());
    let held = proxy.hold("`id` > 300 AND `id` <= 400");
    let config =
        scene.config_through(Some(&proxy), None).task("snapshot", "{ parallel = 1, chunk_rows = 10 }");
    let daemon = Daemon::start(&config);
    held.wait().await;
    let durable = scene.target.one(CHUNKS).await;
    assert_eq!(durable.split("; ").count(), 3, "{durable}");
    daemon.kill9();
    drop(held);

    // Meanwhile rows move in chunks that are done, in those that are not, and between them.
    scene
        .source
        .sql(
            "UPDATE t SET v = 'changed' WHERE id IN (10, 20, 410, 640); DELETE FROM t WHERE id IN (50, 450); \
             UPDATE t SET id = 55 WHERE id = 550; UPDATE t SET id = 555 WHERE id = 60; INSERT INTO t VALUES (5, 'new'), (655, 'new')",
        )
        .await;
    let again = [proxy.hold("`id` <= 100"), proxy.hold("`id` > 200 AND `id` <= 300")];
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert!(!again.iter().any(crate::harness::Held::is_reached), "a durable chunk was read again");
    let all = scene.target.one(CHUNKS).await;
    assert!(all.starts_with(&durable), "the durable chunks were\n{durable}\nand are\n{all}");
    let rows = scene.target.one("SELECT sum(copied_rows) FROM rowferry.main_chunks").await;
    let told = daemon.task().await.unwrap().tables["copy_killed.t"].copied_rows;
    assert_eq!(rows, told.to_string());
    scene.assert_exact(&daemon, &["t"]).await;
}

/// With several workers a later chunk can be durable before an earlier one: the hole is found.
#[tokio::test]
async fn a_hole_between_durable_chunks_is_copied_after_a_kill() {
    let scene = Scene::new("copy_hole").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40)); \
             INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 65) \
             SELECT i * 10, CONCAT('row ', i * 10) FROM n",
        )
        .await;
    let proxy = Proxy::start(scene.source.server.port());
    let held = [proxy.hold("`id` > 100 AND `id` <= 200"), proxy.hold("`id` > 400 AND `id` <= 500")];
    let config =
        scene.config_through(Some(&proxy), None).task("snapshot", "{ parallel = 2, chunk_rows = 10 }");
    let daemon = Daemon::start(&config);
    for chunk in &held {
        chunk.wait().await;
    }
    let numbers = "SELECT string_agg(number::text, ',' ORDER BY number) FROM rowferry.main_chunks";
    assert_eq!(scene.target.one(numbers).await, "0,2,3");
    daemon.kill9();
    drop(held);
    scene.source.sql("UPDATE t SET v = 'changed' WHERE id IN (150, 250)").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(scene.target.one(numbers).await, "0,1,2,3,4,5,6");
    scene.assert_exact(&daemon, &["t"]).await;
}
