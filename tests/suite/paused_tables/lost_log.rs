//! The source's log has not what comes next for a paused table: it is copied again, and says so.

use super::{is_paused, oid, pause, resume};
use crate::harness::{DEADLINE, Kind, Mysql, Scene, eventually, postgres};
use crate::healing::carried;

/// Files that a stream still has open stay.
pub async fn purge(mysql: &Mysql) {
    let newest = mysql.log_end().await.file;
    eventually(DEADLINE, "older files are gone", async || {
        mysql.sql(&format!("PURGE BINARY LOGS TO '{newest}'")).await;
        mysql.sql("SHOW BINARY LOGS").await[0][0].as_deref() == Some(&*newest)
    })
    .await;
}

async fn purged(kind: Kind) {
    let mysql = kind.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, &format!("paused_purged_{}", kind.name())).await;
    for table in ["a", "b"] {
        scene
            .source
            .sql(&format!("CREATE TABLE {table} (id INT PRIMARY KEY, w INT) ENGINE = InnoDB; INSERT INTO {table} VALUES (1, 1), (2, 2)"))
            .await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    pause(&scene, &daemon, "a").await;
    let before = oid(&scene, "a").await;
    scene.source.sql("INSERT INTO a VALUES (3, 3); DELETE FROM a WHERE id = 1; FLUSH LOGS").await;
    scene.source.sql("INSERT INTO a VALUES (4, 4); UPDATE b SET w = 5; FLUSH LOGS; UPDATE b SET w = 6").await;
    scene.assert_exact(&daemon, &["b"]).await;
    purge(&mysql).await;
    // The others do not miss it, over a restart either.
    daemon.restart();
    is_paused(&scene, &daemon, "a").await;
    scene.source.sql("UPDATE b SET w = 7").await;
    scene.assert_exact(&daemon, &["b"]).await;
    resume(&scene, &daemon, "a").await;
    carried(&scene, &daemon, "a").await;
    scene.source.sql("UPDATE a SET w = 9 WHERE id = 4").await;
    scene.assert_exact(&daemon, &["a", "b"]).await;
    let log = daemon.log();
    let told = format!("{}.a: copied again, for the source's log has not what comes next", scene.source.name);
    assert!(log.contains(&told), "{log}");
    assert_ne!(oid(&scene, "a").await, before);
}

#[tokio::test]
async fn a_purged_log_of_mysql_9_7_has_it_copied() {
    purged(Kind::Gtids97).await;
}

#[tokio::test]
async fn a_purged_log_read_by_file_positions_has_it_copied() {
    purged(Kind::Files97).await;
}

#[tokio::test]
async fn a_purged_log_of_mysql_5_6_has_it_copied() {
    purged(Kind::Files56).await;
}

#[tokio::test]
async fn a_purged_log_of_mariadb_has_it_copied() {
    purged(Kind::Maria).await;
}

/// Where it cannot be copied again it is parked, with what helps.
#[tokio::test]
async fn what_cannot_be_copied_again_is_parked() {
    let mysql = Kind::Gtids97.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "paused_stuck").await;
    scene.source.sql(&crate::healing::rows("a", 5)).await;
    scene.source.sql(&crate::healing::rows("b", 5)).await;
    let config = scene.config().healing().task("existing_tables", "\"ignore\"");
    let daemon = scene.start_with(&config).await;
    pause(&scene, &daemon, "a").await;
    scene.source.sql("UPDATE a SET w = 7; UPDATE b SET w = 7; FLUSH LOGS; UPDATE b SET w = 8").await;
    scene.wait_applied(&daemon).await;
    purge(&mysql).await;
    resume(&scene, &daemon, "a").await;
    let trouble = crate::healing::parked(&scene, &daemon, "a").await;
    assert!(trouble.error.contains("existing_tables = \"ignore\""), "{trouble:?}");
    scene.source.sql("UPDATE b SET w = 9").await;
    scene.assert_exact(&daemon, &["b"]).await;
}
