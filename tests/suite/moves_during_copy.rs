//! Rows that wander while they are copied: from a chunk that is not read yet to one that is, the other way, and back.
//!
//! A held query keeps the copy between two chunks for as long as the writes take.

use crate::harness::{DEADLINE, Daemon, Proxy, Scene};

/// Ten rows a chunk: 10 to 100, 110 to 200, …, 510 to 600.
const ROWS: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40)); \
    INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) \
    SELECT i * 10, CONCAT('row ', i * 10) FROM n";

/// Copies up to 200, makes the writes, and goes on.
async fn written_between_chunks(name: &str, writes: &str) {
    let scene = Scene::new(name).await;
    scene.source.sql(ROWS).await;
    let proxy = Proxy::start(scene.source.server.port());
    let held = proxy.hold("`id` > 200 AND `id` <= 300");
    let config = scene.config_through(Some(&proxy), None);
    let config = config.task("snapshot", "{ parallel = 1, chunk_rows = 10 }");
    let daemon = Daemon::start(&config);
    held.wait().await;
    let copied = scene.target.one("SELECT sum(copied_rows) FROM rowferry.main_chunks").await;
    assert_eq!(copied, "20", "the copy does not stand where the writes mean it to");
    scene.source.sql(writes).await;
    drop(held);
    daemon.wait_phase("Synchronizing", DEADLINE * 2).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_key_moved_from_an_unread_chunk_to_a_read_one_is_not_lost() {
    written_between_chunks("unread_to_read", "UPDATE t SET id = 55 WHERE id = 550").await;
}

#[tokio::test]
async fn a_key_moved_from_a_read_chunk_to_an_unread_one_is_not_doubled() {
    written_between_chunks("read_to_unread", "UPDATE t SET id = 555 WHERE id = 50").await;
}

#[tokio::test]
async fn rows_deleted_and_inserted_elsewhere_during_the_copy_come_out_right() {
    let writes = "
        -- deleted in a read chunk, inserted in an unread one, and the other way round
        BEGIN; DELETE FROM t WHERE id = 20; INSERT INTO t VALUES (520, 'moved from 20') ON DUPLICATE KEY UPDATE v = 'over 520';
               INSERT INTO t VALUES (525, 'row 20'); COMMIT;
        BEGIN; DELETE FROM t WHERE id = 530; INSERT INTO t VALUES (35, 'row 530'); COMMIT;
        -- gone for good, from both sides and from the chunk that is next
        DELETE FROM t WHERE id IN (60, 250, 560);
        -- gone and back with another value
        DELETE FROM t WHERE id IN (70, 570);
        INSERT INTO t VALUES (70, 'again'), (570, 'again');
        -- new and gone again
        INSERT INTO t VALUES (15, 'short'), (515, 'short');
        DELETE FROM t WHERE v = 'short'";
    written_between_chunks("reinserted", writes).await;
}

#[tokio::test]
async fn keys_swapped_between_a_read_and_an_unread_chunk_come_out_right() {
    let writes = "
        BEGIN; UPDATE t SET id = -1 WHERE id = 100; UPDATE t SET id = 100 WHERE id = 500; UPDATE t SET id = 500 WHERE id = -1; COMMIT;
        -- there and back
        UPDATE t SET id = 535 WHERE id = 30; UPDATE t SET v = 'was away' WHERE id = 535; UPDATE t SET id = 30 WHERE id = 535;
        -- through all chunks, highest first and lowest first
        UPDATE t SET id = id + 1000 ORDER BY id DESC;
        UPDATE t SET id = id - 995 ORDER BY id";
    written_between_chunks("swapped_between_chunks", writes).await;
}

/// The target's key is not the one that chunks follow: it goes from a row that is copied to one that is not yet read.
#[tokio::test]
async fn another_unique_key_that_moves_between_chunks_does_not_end_the_copy() {
    let scene = Scene::new("unique_moves").await;
    scene.source.sql(ROWS).await;
    scene.source.sql("ALTER TABLE t ADD code VARCHAR(20) NOT NULL DEFAULT ''; UPDATE t SET code = CONCAT('c', id); ALTER TABLE t ADD UNIQUE (code)").await;
    let proxy = Proxy::start(scene.source.server.port());
    let held = proxy.hold("`id` > 200 AND `id` <= 300");
    let config = scene.config_through(Some(&proxy), None);
    let config = config
        .task("snapshot", "{ parallel = 1, chunk_rows = 10 }")
        .more("[task.main.table.\"unique_moves.t\"]\nprimary_key = [\"code\"]");
    let daemon = Daemon::start(&config);
    held.wait().await;
    scene
        .source
        .sql(
            "UPDATE t SET code = 'free' WHERE id = 50; UPDATE t SET code = 'c50' WHERE id = 550; \
             DELETE FROM t WHERE id = 60; UPDATE t SET code = 'c60', v = 'taken over' WHERE id = 560",
        )
        .await;
    drop(held);
    daemon.wait_phase("Synchronizing", DEADLINE * 2).await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}
