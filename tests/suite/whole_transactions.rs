//! Once synchronizing, the target never shows half of a source transaction: transfers whose sum never changes.

use crate::harness::{DEADLINE, Daemon, Scene};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Three tables; what one gains another loses, and each transaction leaves one line in the book.
const TABLES: &str = "CREATE TABLE giro (id INT PRIMARY KEY, balance INT NOT NULL); \
    CREATE TABLE deposit (id INT PRIMARY KEY, balance INT NOT NULL); \
    CREATE TABLE book (id INT AUTO_INCREMENT PRIMARY KEY, moved INT NOT NULL); \
    INSERT INTO giro WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i, 100 FROM n; \
    INSERT INTO deposit SELECT * FROM giro";

/// What any reader must always see: 40000 in all, and as much in `deposit` as the book says.
const SEEN: &str = "SELECT (SELECT sum(balance) FROM {}.giro) + (SELECT sum(balance) FROM {}.deposit) || ' ' || \
    (SELECT sum(balance) FROM {}.deposit) - (SELECT coalesce(sum(moved), 0) FROM {}.book)";

/// Looks as often as it can until told to stop; gives how often the answer was another than the one before.
async fn watch(scene: &Scene<'_>, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<usize> {
    let mut reader = scene.target.session().await;
    let (query, deposit) = (
        SEEN.replace("{}", &scene.source.name),
        format!("SELECT sum(balance) FROM {}.deposit", scene.source.name),
    );
    tokio::spawn(async move {
        let (mut changes, mut last) = (0, String::new());
        while !stop.load(Ordering::Relaxed) {
            let seen = reader.one(&query).await;
            assert_eq!(seen, "40000 20000", "a reader saw part of a transaction");
            let now = reader.one(&deposit).await;
            changes += usize::from(now != last);
            last = now;
        }
        changes
    })
}

async fn transfers(name: &str, apply: &str, rounds: usize, transfer: &str) {
    let scene = Scene::new(name).await;
    scene.source.sql(TABLES).await;
    let daemon: Daemon = scene.start_with(&scene.config().task("apply", apply)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let watching = watch(&scene, stop.clone()).await;
    let mut writer = scene.source.session().await;
    for round in 1..=rounds {
        writer.sql(&transfer.replace("{round}", &round.to_string())).await;
    }
    scene.wait_applied(&daemon).await;
    stop.store(true, Ordering::Relaxed);
    let changes = tokio::time::timeout(DEADLINE, watching).await.unwrap().unwrap();
    assert!(changes > 1, "the reader saw only {changes} states");
    scene.assert_exact(&daemon, &["giro", "deposit", "book"]).await;
}

#[tokio::test]
async fn a_reader_never_sees_part_of_a_transfer() {
    let transfer = "BEGIN; UPDATE giro SET balance = balance - {round} WHERE id = 1 + {round} % 200; \
        INSERT INTO book (moved) VALUES ({round}); \
        UPDATE deposit SET balance = balance + {round} WHERE id = 1 + {round} % 7; COMMIT; \
        BEGIN; DELETE FROM giro WHERE id = 3; ROLLBACK";
    transfers("transfers", "{ batch_rows = 10 }", 300, transfer).await;
}

/// 401 rows a transaction, ten rows a batch: each goes to the target in pieces.
#[tokio::test]
async fn a_reader_never_sees_part_of_a_transaction_that_comes_in_pieces() {
    let transfer = "BEGIN; UPDATE giro SET balance = balance - 1; INSERT INTO book (moved) VALUES (200); \
        UPDATE deposit SET balance = balance + 1; COMMIT";
    transfers("transfers_in_pieces", "{ batch_rows = 10 }", 15, transfer).await;
}

/// The same without luck: a lock holds up the last piece while a reader looks.
#[tokio::test]
async fn the_first_pieces_are_not_seen_while_the_last_one_waits() {
    let scene = Scene::new("waiting_piece").await;
    scene.source.sql(TABLES).await;
    let daemon = scene.start_with(&scene.config().task("apply", "{ batch_rows = 10 }")).await;
    let mut lock = scene.target.session().await;
    lock.sql("BEGIN; LOCK TABLE waiting_piece.deposit IN SHARE ROW EXCLUSIVE MODE").await;
    scene
        .source
        .sql(
            "BEGIN; UPDATE giro SET balance = balance - 1; INSERT INTO book (moved) VALUES (200); \
             UPDATE deposit SET balance = balance + 1; COMMIT",
        )
        .await;
    scene.target.wait_applier_locked().await;
    assert_eq!(scene.target.one(&SEEN.replace("{}", "waiting_piece")).await, "40000 20000");
    assert_eq!(scene.target.one("SELECT sum(balance) FROM waiting_piece.giro").await, "20000");
    lock.sql("COMMIT").await;
    scene.assert_exact(&daemon, &["giro", "deposit", "book"]).await;
    assert_eq!(scene.target.one("SELECT sum(balance) FROM waiting_piece.giro").await, "19800");
}

/// A large transaction that is rolled back after a savepoint, and one that leaves the keys where others were.
#[tokio::test]
async fn large_transactions_that_move_keys_come_whole() {
    let transfer = "BEGIN; UPDATE giro SET id = id + 1 ORDER BY id DESC; UPDATE deposit SET id = -id; \
        SAVEPOINT s; UPDATE giro SET balance = 0 WHERE id < 5; ROLLBACK TO s; \
        UPDATE giro SET balance = balance - 2; INSERT INTO book (moved) VALUES (400); \
        UPDATE deposit SET balance = balance + 2; COMMIT";
    transfers("moving_transfers", "{ batch_rows = 50 }", 6, transfer).await;
}

/// Its earlier pieces are gone when the row is met, so it is read again, and must not run into the row again.
#[tokio::test]
async fn a_row_that_is_there_already_does_not_stop_a_large_transaction() {
    let scene = Scene::new("met_in_pieces").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let daemon = scene.start_with(&scene.config().task("apply", "{ batch_rows = 100 }")).await;
    scene.target.sql("INSERT INTO met_in_pieces.t VALUES (5000, 0)").await;
    scene
        .source
        .sql(
            "SET SESSION cte_max_recursion_depth = 20000; \
             INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i, i FROM n",
        )
        .await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("t").await, 10_000);
    assert_eq!(daemon.drift().await, 1);
}
