//! ROLLBACK TO in transactions that are larger than a batch: parts of them are handed on, and nothing that was taken back may be
//! in any.

use crate::harness::{Kind, Scene, on_every_kind, postgres};

on_every_kind!(large_transactions_go_back_to_a_savepoint, back_to_a_savepoint);

/// Servers log ROLLBACK TO only with something that cannot be taken back; the savepoints they log always.
async fn back_to_a_savepoint(kind: Kind) {
    let mixes = !matches!(kind, Kind::Gtids97 | Kind::Gtids56);
    let scene =
        Scene::on(kind.shared().await, postgres().await, &format!("savepoints_{}", kind.name())).await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(500)); CREATE TABLE u (id INT PRIMARY KEY, n INT); \
             CREATE TABLE beside (n INT) ENGINE = MyISAM; INSERT INTO u VALUES (1, 0), (2, 0); \
             INSERT INTO t SELECT 1 + a.d + 10 * b.d + 100 * c.d, REPEAT('x', 400) FROM \
               (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) AS a, \
               (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) AS b, \
               (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) AS c",
        )
        .await;
    let source = &scene.source.name;
    let config = scene
        .config()
        .task("tables", &format!("[\"{source}.t\", \"{source}.u\"]"))
        .task("apply", "{ batch_rows = 10, batch_bytes = \"64KiB\" }");
    let daemon = scene.start_with(&config).await;
    let beside = if mixes { "INSERT INTO beside VALUES (1);" } else { "" };
    let large = |text: &str| format!("UPDATE t SET v = REPEAT('{text}', 400)");
    for text in [
        // After parts that were handed on, with parts after it, more than once.
        format!(
            "BEGIN; {}; SAVEPOINT a; {}; {beside} SAVEPOINT b; {}; ROLLBACK TO b; UPDATE u SET n = n + 1; ROLLBACK TO a; \
             UPDATE u SET n = n + 10 WHERE id = 1; COMMIT",
            large("a"),
            large("b"),
            large("c")
        ),
        // Before the first row; what is taken back is nearly all.
        format!(
            "BEGIN; SAVEPOINT a; {}; {beside} ROLLBACK TO a; DELETE FROM t WHERE id = 1; COMMIT",
            large("d")
        ),
        // Kept, and rolled back as a whole.
        format!("BEGIN; {}; SAVEPOINT a; {}; {beside} COMMIT", large("e"), large("f")),
        format!("BEGIN; {}; SAVEPOINT a; {}; {beside} ROLLBACK", large("g"), large("h")),
    ] {
        scene.source.sql(&text).await;
    }
    scene.assert_exact(&daemon, &["t", "u"]).await;
    let query = format!("SELECT string_agg(n::text, ' ' ORDER BY id) FROM {source}.u");
    assert_eq!(scene.target.one(&query).await, "10 0");
}
