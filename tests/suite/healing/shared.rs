//! Target tables that several source tables feed, and those whose rows are kept: a copy touches its own rows only.

use super::rows;
use crate::harness::{DEADLINE, Daemon, Scene, eventually};

/// Rows per feeder and the sum of `w`, of a table that two feed.
async fn fed(scene: &Scene<'_>, name: &str) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(concat_ws(':', right(src, 1), n, s), ' ' ORDER BY src), '') \
         FROM (SELECT src, count(*) AS n, sum(w) AS s FROM {name}.both GROUP BY src) AS f"
    );
    scene.target.one(&sql).await
}

async fn becomes(scene: &Scene<'_>, daemon: &Daemon, wanted: &str) {
    let name = &scene.source.name;
    eventually(DEADLINE * 2, "the table is as wanted", async || {
        daemon.assert_alive();
        fed(scene, name).await == wanted
            && daemon.task().await.is_some_and(|task| !task.tables.values().any(|table| table.aside))
    })
    .await;
}

fn feeders(scene: &Scene<'_>, tables: &[&str]) -> String {
    let name = &scene.source.name;
    let section = |table: &&str| {
        format!("[task.main.table.\"{name}.{table}\"]\ntarget = \"both\"\nsource_column = \"src\"\n")
    };
    tables.iter().map(section).collect()
}

#[tokio::test]
async fn feeders_of_one_table_are_copied_again_beside_each_other() {
    let scene = Scene::new("healing_feeders").await;
    scene.source.sql(&rows("a", 200)).await;
    scene.source.sql(&rows("b", 100)).await;
    let config = scene.config().healing().more(&feeders(&scene, &["a", "b"]));
    let daemon = scene.start_with(&config).await;
    becomes(&scene, &daemon, "a:200:20100 b:100:5050").await;
    // Both at once, and neither may take the other's copy or rows.
    scene
        .source
        .sql("TRUNCATE a; TRUNCATE b; INSERT INTO a VALUES (1, 'x', 7); INSERT INTO b VALUES (1, 'y', 8)")
        .await;
    becomes(&scene, &daemon, "a:1:7 b:1:8").await;
    scene.source.sql("UPDATE a SET w = 9; INSERT INTO b VALUES (2, 'z', 1)").await;
    becomes(&scene, &daemon, "a:1:9 b:2:9").await;
}

#[tokio::test]
async fn a_feeder_that_comes_takes_nothing_from_the_others() {
    for existing in ["clear", "error"] {
        let scene = Scene::new(&format!("healing_comes_{existing}")).await;
        scene.source.sql(&rows("a", 200)).await;
        let config = scene.config().healing().task("existing_tables", &format!("{existing:?}"));
        let config = config.more(&feeders(&scene, &["a", "b"]));
        let daemon = scene.start_with(&config).await;
        scene.source.sql(&rows("b", 100)).await;
        becomes(&scene, &daemon, "a:200:20100 b:100:5050").await;
    }
}

#[tokio::test]
async fn rows_whose_deletes_are_not_carried_stay_when_their_table_is_copied_again() {
    let scene = Scene::new("healing_kept").await;
    scene.source.sql(&rows("t", 100)).await;
    let config = scene.config().healing().task("operations", "[\"insert\", \"update\", \"alter_table\"]");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("DELETE FROM t WHERE id > 50; UPDATE t SET w = 0 WHERE id = 1; REPAIR TABLE t").await;
    scene.source.sql("INSERT INTO t VALUES (1000, 'new', 1)").await;
    let state = "SELECT count(*) || ' ' || sum(w) FROM healing_kept.t";
    eventually(DEADLINE * 2, "the copy is in place", async || {
        scene.target.one(state).await == "101 5050" && daemon.log().contains("the copy has taken its place")
    })
    .await;
}

#[tokio::test]
async fn a_feeder_whose_copy_is_given_up_takes_nothing_from_one_on_another_stream() {
    let scene = Scene::new("healing_streams").await;
    scene.source.sql(&rows("t", 10)).await;
    let slow = "{ parallel = 1, chunk_rows = 50, max_rows_per_second = 200 }";
    let config = scene.config().healing().task("snapshot", slow);
    let daemon = scene.start_with(&config.more(&feeders(&scene, &["a", "b"]))).await;
    // It makes the table that both feed, and is long on its way.
    scene.source.sql(&rows("a", 3000)).await;
    let a = "healing_streams.a";
    daemon
        .wait_task("the copy begins", DEADLINE, |task| {
            task.tables.get(a).is_some_and(|table| table.copied_rows > 0)
        })
        .await;
    scene.source.sql(&rows("b", 20)).await;
    super::carried(&scene, &daemon, "b").await;
    scene.source.sql("DROP TABLE a; UPDATE b SET w = w + 1").await;
    becomes(&scene, &daemon, "b:20:230").await;
    scene.source.sql("DELETE FROM b WHERE id > 10").await;
    becomes(&scene, &daemon, "b:10:65").await;
}

#[tokio::test]
async fn a_table_that_comes_for_the_target_of_another_one_is_left_out() {
    for existing in ["clear", "ignore"] {
        let scene = Scene::new(&format!("healing_taken_{existing}")).await;
        scene.source.sql(&rows("t", 30)).await;
        let name = &scene.source.name;
        let sections = format!("[task.main.table.\"{name}.t_copy\"]\ntarget = \"t\"\n");
        let config =
            scene.config().healing().task("existing_tables", &format!("{existing:?}")).more(&sections);
        let daemon = scene.start_with(&config).await;
        scene.source.sql(&rows("t_copy", 5)).await;
        daemon
            .wait_task("it is left out", DEADLINE, |task| {
                task.not_carried.named.values().any(|why| why.contains("both would write the same rows"))
            })
            .await;
        scene.source.sql("UPDATE t SET w = 1 WHERE id > 3; INSERT INTO t_copy VALUES (77, 'x', 1)").await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
}

#[tokio::test]
async fn a_refused_row_of_one_feeder_parks_that_one() {
    let scene = Scene::new("healing_one_feeder").await;
    scene.source.sql(&rows("a", 20)).await;
    scene.source.sql(&rows("b", 10)).await;
    let daemon = scene.start_with(&scene.config().healing().more(&feeders(&scene, &["a", "b"]))).await;
    scene.target.sql("ALTER TABLE healing_one_feeder.both ADD CONSTRAINT small CHECK (w < 100)").await;
    scene
        .source
        .sql("BEGIN; UPDATE b SET w = 50 WHERE id = 1; UPDATE a SET w = 1000 WHERE id = 3; COMMIT")
        .await;
    let trouble = super::parked(&scene, &daemon, "a").await;
    assert!(trouble.error.contains("small"), "{trouble:?}");
    scene.source.sql("UPDATE b SET w = 51 WHERE id = 2").await;
    becomes(&scene, &daemon, "a:20:210 b:10:153").await;
}
