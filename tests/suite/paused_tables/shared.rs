//! A paused table and what it has in common with others: a target table that several feed, keys that refer to
//! it.

use super::{is_paused, pause, resume};
use crate::harness::{DEADLINE, Daemon, Scene, eventually, only_postgres};
use crate::healing::{carried, rows};
use rowferry::testing::change::status::Phase;

/// Rows per feeder and the sum of `w`, of a table that two feed.
async fn fed(scene: &Scene<'_>) -> String {
    let name = &scene.source.name;
    let sql = format!(
        "SELECT coalesce(string_agg(concat_ws(':', right(src, 1), n, s), ' ' ORDER BY src), '') \
         FROM (SELECT src, count(*) AS n, sum(w) AS s FROM {name}.both GROUP BY src) AS f"
    );
    scene.target.one(&sql).await
}

async fn becomes(scene: &Scene<'_>, daemon: &Daemon, wanted: &str) {
    eventually(DEADLINE, "the table is as wanted", async || {
        daemon.assert_alive();
        fed(scene).await == wanted
    })
    .await;
}

#[tokio::test]
async fn one_of_two_feeders_is_paused_and_the_other_goes_on() {
    let scene = Scene::new("paused_feeder").await;
    scene.source.sql(&rows("a", 20)).await;
    scene.source.sql(&rows("b", 10)).await;
    let section = |table: &str| {
        format!("[task.main.table.\"paused_feeder.{table}\"]\ntarget = \"both\"\nsource_column = \"src\"\n")
    };
    let config = scene.config().healing().more(&section("a")).more(&section("b"));
    let daemon = scene.start_with(&config).await;
    becomes(&scene, &daemon, "a:20:210 b:10:55").await;
    pause(&scene, &daemon, "a").await;
    scene.source.sql("UPDATE a SET w = 0; DELETE FROM a WHERE id > 10; UPDATE b SET w = w + 1").await;
    becomes(&scene, &daemon, "a:20:210 b:10:65").await;
    // Both get a column, one of them only later.
    scene.source.sql("ALTER TABLE b ADD COLUMN n INT DEFAULT 3; INSERT INTO b VALUES (11, 'x', 35, 4)").await;
    becomes(&scene, &daemon, "a:20:210 b:11:100").await;
    scene.source.sql("ALTER TABLE a ADD COLUMN n INT DEFAULT 5; INSERT INTO a VALUES (50, 'y', 7, 8)").await;
    daemon.restart();
    is_paused(&scene, &daemon, "a").await;
    scene.source.sql("UPDATE b SET w = w + 1 WHERE id = 1").await;
    becomes(&scene, &daemon, "a:20:210 b:11:101").await;
    resume(&scene, &daemon, "a").await;
    carried(&scene, &daemon, "a").await;
    becomes(&scene, &daemon, "a:11:7 b:11:101").await;
    let n = "SELECT string_agg(concat_ws(':', right(src, 1), n, c), ' ' ORDER BY src, n) FROM \
             (SELECT src, n, count(*) AS c FROM paused_feeder.both GROUP BY src, n) AS f";
    assert_eq!(scene.target.one(n).await, "a:5:10 a:8:1 b:3:10 b:4:1");
    scene.source.sql("DELETE FROM a WHERE id = 50; UPDATE b SET w = 0 WHERE id = 11").await;
    becomes(&scene, &daemon, "a:10:0 b:11:66").await;
    let task = daemon.task().await.unwrap();
    assert!(task.tables.values().all(|table| table.drift == 0), "{task:?}");
}

/// The target is to have none of these keys, and the check refuses them. Where somebody makes one all the
/// same, rows that lack their parents stop the task, with what helps; nothing is lost.
#[tokio::test]
async fn a_key_of_the_target_that_refers_to_a_paused_table_is_told() {
    if only_postgres("Greenplum checks no foreign keys") {
        return;
    }
    let scene = Scene::new("paused_parent").await;
    scene.source.sql(&rows("parent", 5)).await;
    scene.source.sql(&rows("child", 5)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    scene
        .target
        .sql("ALTER TABLE paused_parent.child ADD CONSTRAINT of FOREIGN KEY (id) REFERENCES paused_parent.parent (id)")
        .await;
    pause(&scene, &daemon, "parent").await;
    scene.source.sql("INSERT INTO parent VALUES (6, 'six', 6); INSERT INTO child VALUES (6, 'six', 6)").await;
    let task =
        daemon.wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. })).await;
    let Phase::Failed { error, remedy } = &task.phase else { panic!("{task:?}") };
    assert!(error.contains("paused_parent.child") && remedy.contains("drop the foreign keys"), "{task:?}");
    scene.target.sql("ALTER TABLE paused_parent.child DROP CONSTRAINT of").await;
    super::done(&scene, &daemon, "reload", &[], "is tried again").await;
    is_paused(&scene, &daemon, "parent").await;
    scene.assert_exact(&daemon, &["child"]).await;
    resume(&scene, &daemon, "parent").await;
    carried(&scene, &daemon, "parent").await;
    scene.assert_exact(&daemon, &["parent", "child"]).await;
}

/// What somebody has made wider in the target meanwhile is taken over, as at a start of the task.
#[tokio::test]
async fn columns_that_were_widened_while_a_table_was_paused_take_its_rows() {
    let scene = Scene::new("paused_wider").await;
    scene.source.sql(&rows("t", 5)).await;
    scene.source.sql(&rows("u", 5)).await;
    scene.source.sql(&format!("{}; UPDATE many SET id = id + 10000", rows("many", 5000))).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    pause(&scene, &daemon, "t").await;
    scene.target.sql("ALTER TABLE paused_wider.t ALTER COLUMN w TYPE bigint").await;
    scene.source.sql("INSERT INTO t SELECT id, v, w FROM many; UPDATE t SET w = 7 WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE u SET w = 7").await;
    scene.assert_exact(&daemon, &["u"]).await;
    let table = super::oid(&scene, "t").await;
    resume(&scene, &daemon, "t").await;
    carried(&scene, &daemon, "t").await;
    scene.source.sql("INSERT INTO t VALUES (9, 'nine', 9)").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(super::oid(&scene, "t").await, table, "it was copied");
}

/// What the target cannot hold stays in quarantine while the table is paused, and comes out by the row that fits.
#[tokio::test]
async fn rows_in_quarantine_rest_with_their_table() {
    let scene = Scene::new("paused_unfit").await;
    scene.source.sql(&rows("t", 5)).await;
    scene.source.sql(&rows("u", 5)).await;
    let config = scene.config().healing().task("bad_rows", "\"quarantine\"");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO t VALUES (6, '\\0', 6), (7, '\\0', 7)").await;
    scene.wait_applied(&daemon).await;
    pause(&scene, &daemon, "t").await;
    scene.source.sql("UPDATE t SET v = 'fits' WHERE id > 5; INSERT INTO t VALUES (8, '\\0', 8)").await;
    scene.source.sql("UPDATE u SET w = 2; DELETE FROM t WHERE id = 7").await;
    scene.assert_exact(&daemon, &["u"]).await;
    daemon.restart();
    let status = is_paused(&scene, &daemon, "t").await;
    assert_eq!(status.quarantined, 2, "{status:?}");
    resume(&scene, &daemon, "t").await;
    let task = carried(&scene, &daemon, "t").await;
    assert_eq!(task.tables["paused_unfit.t"].quarantined, 1, "{task:?}");
    scene.source.sql("DELETE FROM t WHERE id = 8").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}
