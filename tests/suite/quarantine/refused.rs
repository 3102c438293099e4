//! Rows that the target refuses for what they hold, on the stream.

use super::{config, count, ids, kept};
use crate::harness::{DEADLINE, Scene, only_postgres};

#[tokio::test]
async fn rows_that_the_target_refuses_are_found_among_others_and_kept() {
    let scene = Scene::new("quarantine_refused").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT); CREATE TABLE u (id INT PRIMARY KEY, n INT)")
        .await;
    let daemon = scene.start_with(&config(&scene)).await;
    scene.target.sql("ALTER TABLE quarantine_refused.t ADD CONSTRAINT small CHECK (n > 0)").await;
    let rows: Vec<String> =
        (1..=300).map(|id| format!("({id}, 'v', {})", if id % 100 == 7 { -id } else { id })).collect();
    let rows = rows.join(", ");
    // By COPY, with another table in the batch.
    scene.source.sql(&format!("BEGIN; INSERT INTO u VALUES (1, 1); INSERT INTO t VALUES {rows}; INSERT INTO u VALUES (2, -2); COMMIT")).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(kept(&scene).await, "id = 107; id = 207; id = 7");
    assert_eq!(
        (
            scene.assert_equal("u").await,
            scene.target.one("SELECT count(*) FROM quarantine_refused.t").await.as_str()
        ),
        (2, "297")
    );
    let row = "SELECT (row_image->>'n') || ' ' || change || ' ' || (error LIKE '%\"small\"%')::text \
        FROM rowferry.main_quarantine WHERE row_key = 'id = 207'";
    assert_eq!(scene.target.one(row).await, "-207 insert true");
    let task = daemon.wait_task("the rows are counted", DEADLINE, |task| count(task, "t") == 3).await;
    assert_eq!(task.tables["quarantine_refused.t"].quarantined_ever, 3);
    // As arrays: an update, together with rows that have no form. What is in quarantine already is out of the way.
    scene
        .source
        .sql("BEGIN; UPDATE t SET n = -n WHERE id IN (7, 10); UPDATE t SET v = '\\0' WHERE id = 11; DELETE FROM t WHERE id = 107; COMMIT")
        .await;
    scene.wait_applied(&daemon).await;
    assert_eq!(kept(&scene).await, "id = 10; id = 11; id = 207");
    scene.source.sql("UPDATE t SET n = ABS(n), v = 'v'").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert_eq!(kept(&scene).await, "");
}

#[tokio::test]
async fn rows_of_a_transaction_in_pieces_are_kept() {
    let scene = Scene::new("quarantine_pieces").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let daemon = scene.start_with(&config(&scene).task("apply", "{ batch_rows = 100 }")).await;
    scene.target.sql("ALTER TABLE quarantine_pieces.t ADD CONSTRAINT small CHECK (n > 0)").await;
    let rows = |sign: i32| -> String {
        let rows: Vec<String> =
            (1..=450).map(|id| format!("({id}, {})", if id % 200 == 0 { sign * id } else { id })).collect();
        rows.join(", ")
    };
    scene
        .source
        .sql(&format!("BEGIN; INSERT INTO t VALUES {}; UPDATE t SET n = -1 WHERE id = 3; COMMIT", rows(-1)))
        .await;
    scene.wait_applied(&daemon).await;
    assert_eq!(kept(&scene).await, "id = 200; id = 3; id = 400");
    assert_eq!(scene.target.one("SELECT count(*) FROM quarantine_pieces.t").await, "447");
    scene.source.sql("UPDATE t SET n = id").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(kept(&scene).await, "");
}

#[tokio::test]
async fn a_value_that_another_unique_key_of_the_target_refuses_is_kept() {
    if only_postgres("a unique key without the distribution's columns is not of Greenplum") {
        return;
    }
    let scene = Scene::new("quarantine_unique").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))").await;
    let daemon = scene.start_with(&config(&scene)).await;
    scene.target.sql("ALTER TABLE quarantine_unique.t ADD CONSTRAINT one_each UNIQUE (v)").await;
    scene.source.sql("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'a')").await;
    scene.wait_applied(&daemon).await;
    assert_eq!((kept(&scene).await.as_str(), ids(&scene, "t").await.as_str()), ("id = 3", "1,2"));
    scene.source.sql("UPDATE t SET v = 'c' WHERE id = 3").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(kept(&scene).await, "");
}
