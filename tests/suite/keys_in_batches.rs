//! What happens to keys within one batch, in one transaction and in many: swaps, chains, there and back, gone and again.
//!
//! A lock on the target's tables keeps the applier at an earlier batch until all of it is read, so that it is one batch.

use crate::harness::{DEADLINE, Daemon, Mysql, Scene};

/// Rows 1 to 100 before.
const CHANGES: &[&str] = &[
    // A swap.
    "UPDATE t SET id = -1 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; UPDATE t SET id = 2 WHERE id = -1",
    // Three keys in a ring.
    "UPDATE t SET id = -6 WHERE id = 60; UPDATE t SET id = 60 WHERE id = 61; UPDATE t SET id = 61 WHERE id = 62; \
     UPDATE t SET id = 62 WHERE id = -6",
    // A chain, each onto the key that the one before has left.
    "DELETE FROM t WHERE id = 20; UPDATE t SET id = id + 1 WHERE id BETWEEN 10 AND 19 ORDER BY id DESC",
    // Gone and again under the same key, once and twice.
    "DELETE FROM t WHERE id = 30; INSERT INTO t VALUES (30, 'again')",
    "DELETE FROM t WHERE id = 31; INSERT INTO t VALUES (31, 'again'); DELETE FROM t WHERE id = 31",
    "REPLACE INTO t VALUES (32, 'replaced'); INSERT INTO t VALUES (33, 'x') ON DUPLICATE KEY UPDATE v = 'updated'",
    // New and gone, once and twice, with an update and a move between.
    "INSERT INTO t VALUES (200, 'short'); DELETE FROM t WHERE id = 200",
    "INSERT INTO t VALUES (201, 'short'); DELETE FROM t WHERE id = 201; INSERT INTO t VALUES (201, 'stays')",
    "INSERT INTO t VALUES (202, 'a'); UPDATE t SET v = 'b' WHERE id = 202; UPDATE t SET id = 203 WHERE id = 202; \
     DELETE FROM t WHERE id = 203",
    "INSERT INTO t VALUES (204, 'moves on'); UPDATE t SET id = 205 WHERE id = 204",
    // There and back, with and without a change on the way.
    "UPDATE t SET id = 300 WHERE id = 40; UPDATE t SET id = 40 WHERE id = 300",
    "UPDATE t SET id = 301 WHERE id = 41; UPDATE t SET v = 'was away' WHERE id = 301; UPDATE t SET id = 41 WHERE id = 301",
    // Onto a key just left, and left for another.
    "DELETE FROM t WHERE id = 50; UPDATE t SET id = 50 WHERE id = 51; INSERT INTO t VALUES (51, 'behind it')",
    "UPDATE t SET id = 302 WHERE id = 70; DELETE FROM t WHERE id = 302",
    "UPDATE t SET v = 'last words' WHERE id = 80; DELETE FROM t WHERE id = 80",
];

/// Runs `writes` while the target's `tables` are locked, and lets go when the daemon has read all of it.
async fn in_one_batch(scene: &Scene<'_>, daemon: &Daemon, tables: &[&str], writes: &str) {
    let mut lock = scene.target.session().await;
    let names = tables.iter().map(|table| format!("{}.{table}", scene.source.name)).collect::<Vec<_>>();
    lock.sql(&format!("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "))).await;
    // A batch of its own, which waits for the lock.
    scene.source.sql(&format!("INSERT INTO {} VALUES (1000000, 'before the batch')", tables[0])).await;
    scene.target.wait_applier_locked().await;
    let before = daemon.task().await.unwrap();
    scene.source.sql(writes).await;
    let end = log_end(scene.source.server).await;
    daemon
        .wait_task("all of it is read", DEADLINE, |task| {
            task.source_position.as_deref().map(place).is_some_and(|place| place >= end)
        })
        .await;
    lock.sql("COMMIT").await;
    scene.wait_applied(daemon).await;
    let after = daemon.task().await.unwrap();
    let (batches, transactions) = (after.batches - before.batches, after.transactions - before.transactions);
    // The one that waited, the one that all of this is for, and what the checkpoint's timer may have added.
    assert!(batches <= 4, "{transactions} transactions came in {batches} batches");
    assert_eq!(after.restarts, 0);
}

/// `file:offset` as numbers.
fn place(text: &str) -> (u64, u64) {
    let (file, offset) = text.rsplit_once(':').expect("file:offset");
    let number = file.rsplit_once('.').expect("name.number").1;
    (number.parse().unwrap(), offset.parse().unwrap())
}

async fn log_end(mysql: &Mysql) -> (u64, u64) {
    let rows = mysql.sql("SHOW BINARY LOG STATUS").await;
    place(&format!("{}:{}", rows[0][0].as_ref().unwrap(), rows[0][1].as_ref().unwrap()))
}

/// `t` with rows from 1 to `rows`.
fn table(name: &str, rows: u32) -> String {
    format!(
        "CREATE TABLE {name} (id INT PRIMARY KEY, v VARCHAR(40)); SET SESSION cte_max_recursion_depth = 100000; \
         INSERT INTO {name} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
         SELECT i, CONCAT('row ', i) FROM n"
    )
}

#[tokio::test]
async fn keys_that_change_in_one_transaction_come_out_right() {
    let scene = Scene::new("keys_one_transaction").await;
    scene.source.sql(&table("t", 100)).await;
    let daemon = scene.start().await;
    let writes = format!(
        "BEGIN; {}; SAVEPOINT s; UPDATE t SET id = id + 1000 ORDER BY id; ROLLBACK TO s; COMMIT",
        CHANGES.join("; ")
    );
    in_one_batch(&scene, &daemon, &["t"], &writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn keys_that_change_in_many_transactions_of_one_batch_come_out_right() {
    let scene = Scene::new("keys_many_transactions").await;
    scene.source.sql(&table("t", 100)).await;
    let daemon = scene.start().await;
    in_one_batch(&scene, &daemon, &["t"], &CHANGES.join("; ")).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// More rows than are sent as arrays: the ways of large batches.
#[tokio::test]
async fn thousands_of_keys_that_shift_and_swap_in_one_batch_come_out_right() {
    let scene = Scene::new("keys_by_thousands").await;
    scene.source.sql(&table("t", 3000)).await;
    let daemon = scene.start().await;
    let writes = "
        UPDATE t SET id = id + 1 ORDER BY id DESC;
        BEGIN; UPDATE t SET id = -id; UPDATE t SET id = 3100 + id, v = CONCAT(v, ' mirrored') ORDER BY id DESC; COMMIT;
        DELETE FROM t WHERE id % 3 = 0; INSERT INTO t SELECT id - 1, 'filled in' FROM t WHERE id % 3 = 1 ON DUPLICATE KEY UPDATE v = 'hit'";
    in_one_batch(&scene, &daemon, &["t"], writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// Keys that a collation takes for equal are different bytes, and a key of several columns moves by one of them.
#[tokio::test]
async fn text_and_composite_keys_that_change_in_a_batch_come_out_right() {
    let scene = Scene::new("keys_of_text").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v VARCHAR(40)); \
             CREATE TABLE c (a INT, b VARCHAR(10), v VARCHAR(40), PRIMARY KEY (b, a)); \
             INSERT INTO t VALUES ('a', 'small'), ('b', 'b'), ('é', 'acute'), ('gone', 'x'); \
             INSERT INTO c VALUES (1, 'x', '1x'), (2, 'x', '2x'), (1, 'y', '1y')",
        )
        .await;
    let daemon = scene.start().await;
    let writes = "
        UPDATE t SET k = 'A' WHERE k = 'a'; UPDATE t SET k = 'E' WHERE k = 'é';
        DELETE FROM t WHERE k = 'gone'; INSERT INTO t VALUES ('GONE', 'y');
        UPDATE t SET k = 'tmp' WHERE k = 'b'; UPDATE t SET k = 'b' WHERE k = 'A'; UPDATE t SET k = 'a' WHERE k = 'tmp';
        UPDATE c SET a = 3 WHERE a = 1 AND b = 'x'; UPDATE c SET a = 1, b = 'x' WHERE b = 'y'; UPDATE c SET b = 'y' WHERE a = 3";
    in_one_batch(&scene, &daemon, &["t", "c"], writes).await;
    scene.assert_exact(&daemon, &["t", "c"]).await;
}
