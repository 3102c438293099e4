//! A table that was paused ends equal, by its own place in the log and without a copy, from every kind of
//! source.

use super::{held, is_paused, oid, pause, resume};
use crate::harness::{DEADLINE, Kind, MysqlSession, Scene, on_every_kind, postgres};
use crate::healing::carried;

async fn scene(kind: Kind, name: &str) -> Scene<'static> {
    let (mysql, postgres) = tokio::join!(kind.shared(), postgres());
    let scene = Scene::on(mysql, postgres, &format!("{name}_{}", kind.name())).await;
    for table in ["a", "b"] {
        scene
            .source
            .sql(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(40), w INT); \
                 INSERT INTO {table} VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, 'four', 4)"
            ))
            .await;
    }
    scene
}

/// Rows of both tables, within one transaction where that can be.
async fn write(scene: &Scene<'_>, round: u32) {
    let key = round * 10;
    scene
        .source
        .sql(&format!(
            "BEGIN; INSERT INTO a (id, w) VALUES ({key}, 1), ({}, 2); INSERT INTO b (id, w) VALUES ({key}, 1); \
             UPDATE a SET w = w + 1 WHERE id <= 3; UPDATE b SET w = w + 1; COMMIT; \
             UPDATE a SET id = {} WHERE id = {key}; DELETE FROM a WHERE id = {}; INSERT INTO a (id, w) VALUES ({key}, 7)",
            key + 1,
            key + 2,
            key + 1,
        ))
        .await;
}

async fn goes_on(kind: Kind) {
    let scene = scene(kind, "paused_exact").await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    write(&scene, 1).await;
    pause(&scene, &daemon, "a").await;
    let place = is_paused(&scene, &daemon, "a").await.paused.unwrap();
    let (before, table) = (held(&scene, "a").await, oid(&scene, "a").await);
    write(&scene, 2).await;
    scene.source.sql("ALTER TABLE a ADD COLUMN n INT DEFAULT 5; UPDATE a SET n = 6 WHERE id = 1").await;
    scene.source.sql("ALTER TABLE b ADD COLUMN m INT DEFAULT 4; UPDATE b SET m = 6 WHERE id = 1").await;
    scene.assert_exact(&daemon, &["b"]).await;
    assert_eq!(held(&scene, "a").await, before, "something was applied to a paused table");
    daemon.restart();
    assert_eq!(is_paused(&scene, &daemon, "a").await.paused, Some(place.clone()));
    write(&scene, 3).await;
    scene.source.sql("ALTER TABLE a CHANGE v name VARCHAR(40); UPDATE a SET name = 'x' WHERE id = 2").await;
    scene.assert_exact(&daemon, &["b"]).await;
    daemon.start_again().await;
    assert_eq!(is_paused(&scene, &daemon, "a").await.paused, Some(place));
    assert_eq!(held(&scene, "a").await, before);
    resume(&scene, &daemon, "a").await;
    write(&scene, 4).await;
    let task = carried(&scene, &daemon, "a").await;
    let status = &task.tables[&format!("{}.a", scene.source.name)];
    assert!(status.paused.is_none() && status.trouble.is_none(), "{status:?}");
    write(&scene, 5).await;
    scene.assert_exact(&daemon, &["a", "b"]).await;
    assert_eq!(oid(&scene, "a").await, table, "it was copied: {}", daemon.log_tail());
    daemon.restart();
    write(&scene, 6).await;
    scene.assert_exact(&daemon, &["a", "b"]).await;
}

on_every_kind!(a_paused_table_goes_on_from_its_place, goes_on);

/// Ends what `prepared` has prepared, in its own session: MariaDB lets no other do that.
async fn end(prepared: &mut MysqlSession, step: &str) {
    prepared.sql(step).await;
}

async fn prepared(kind: Kind) {
    let scene = scene(kind, "paused_xa").await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    let (mut first, mut second) = (scene.source.session().await, scene.source.session().await);
    // One is prepared on this side of the place and committed on the other, one is prepared on the other.
    first
        .sql("XA START 'p1'; INSERT INTO a VALUES (50, 'p', 1); INSERT INTO b VALUES (50, 'p', 1); UPDATE a SET w = 9 WHERE id = 1; XA END 'p1'; XA PREPARE 'p1'")
        .await;
    scene.source.sql("INSERT INTO a VALUES (60, 'c', 1); INSERT INTO b VALUES (60, 'c', 1)").await;
    pause(&scene, &daemon, "a").await;
    second
        .sql("XA START 'p2'; INSERT INTO a VALUES (51, 'q', 1); INSERT INTO b VALUES (51, 'q', 1); XA END 'p2'; XA PREPARE 'p2'")
        .await;
    end(&mut first, "XA COMMIT 'p1'").await;
    daemon.restart();
    is_paused(&scene, &daemon, "a").await;
    resume(&scene, &daemon, "a").await;
    end(&mut second, "XA COMMIT 'p2'").await;
    carried(&scene, &daemon, "a").await;
    scene.assert_exact(&daemon, &["a", "b"]).await;
}

#[tokio::test]
async fn transactions_that_were_prepared_before_are_whole_on_mysql_9_7() {
    prepared(Kind::Gtids97).await;
}

#[tokio::test]
async fn transactions_that_were_prepared_before_are_whole_by_file_positions() {
    prepared(Kind::Files97).await;
}

#[tokio::test]
async fn transactions_that_were_prepared_before_are_whole_on_mariadb() {
    prepared(Kind::Maria).await;
}

/// What no stream carries has the table copied again when its own stream comes to it, as the main one would.
#[tokio::test]
async fn statements_that_only_a_copy_mends_have_it_copied_when_it_is_resumed() {
    let scene = Scene::new("paused_ddl").await;
    let statements = [
        ("truncated", "TRUNCATE truncated; INSERT INTO truncated VALUES (9, 'nine', 9)"),
        ("narrow", "ALTER TABLE narrow MODIFY v VARCHAR(9); UPDATE narrow SET v = 'short'"),
        (
            "anew",
            "DROP TABLE anew; CREATE TABLE anew (id INT PRIMARY KEY, v VARCHAR(40), w INT); INSERT INTO anew VALUES (5, 'x', 6)",
        ),
        (
            "swapped",
            "CREATE TABLE n LIKE swapped; INSERT INTO n VALUES (7, 'n', 7); RENAME TABLE swapped TO o, n TO swapped",
        ),
        ("gone", "DROP TABLE gone"),
    ];
    let tables: Vec<&str> = statements.iter().map(|(table, _)| *table).collect();
    for table in tables.iter().chain(&["other"]) {
        scene.source.sql(&crate::healing::rows(table, 5)).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    super::done(&scene, &daemon, "pause", &tables, "it is paused, and stays so").await;
    let mut before = Vec::new();
    for (table, statement) in statements {
        before.push(held(&scene, table).await);
        scene.source.sql(&format!("UPDATE {table} SET w = 8; {statement}; UPDATE other SET w = w + 1")).await;
    }
    scene.assert_exact(&daemon, &["other"]).await;
    for (table, before) in tables.iter().zip(&before) {
        assert_eq!(held(&scene, table).await, *before, "{table}");
    }
    super::done(&scene, &daemon, "resume", &tables, "it goes on from where it was").await;
    for table in ["truncated", "narrow", "anew", "swapped"] {
        carried(&scene, &daemon, table).await;
    }
    let trouble = crate::healing::parked(&scene, &daemon, "gone").await;
    assert!(trouble.gone, "{trouble:?}");
    scene.source.sql("UPDATE truncated SET w = 1; DELETE FROM swapped; UPDATE anew SET w = 3").await;
    scene.assert_exact(&daemon, &["truncated", "narrow", "anew", "swapped", "other"]).await;
}

/// Then there is no table that the main stream carries, over restarts too.
#[tokio::test]
async fn the_only_table_of_a_task_is_paused() {
    let scene = Scene::new("paused_only").await;
    scene.source.sql(&crate::healing::rows("t", 5)).await;
    let name = &scene.source.name;
    let daemon = scene.start_with(&scene.config().healing().task("tables", &format!("[\"{name}.t\"]"))).await;
    pause(&scene, &daemon, "t").await;
    is_paused(&scene, &daemon, "t").await;
    daemon.restart();
    is_paused(&scene, &daemon, "t").await;
    scene.source.sql("DELETE FROM t WHERE id < 3; INSERT INTO t VALUES (9, 'nine', 9)").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.target.one("SELECT count(*) FROM paused_only.t").await, "5");
    resume(&scene, &daemon, "t").await;
    carried(&scene, &daemon, "t").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}
