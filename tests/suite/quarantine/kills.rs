//! kill -9 while rows go into quarantine and out of it. `ROWFERRY_QUARANTINE_KILLS` makes it long.

use super::config;
use crate::harness::{Scene, pause};
use std::time::Duration;

const KEYS: u32 = 40;

#[tokio::test]
async fn kills_neither_lose_a_row_nor_have_it_twice() {
    let kills: u32 =
        std::env::var("ROWFERRY_QUARANTINE_KILLS").map_or(3, |text| text.parse().expect("a number"));
    let scene = Scene::new("quarantine_kills").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT)").await;
    let daemon = scene.start_with(&config(&scene)).await;
    scene.target.sql("ALTER TABLE quarantine_kills.t ADD CONSTRAINT small CHECK (n > 0)").await;
    let mut writer = scene.source.session().await;
    for round in 0..kills * 10 {
        for step in 0..15 {
            let id = (round * 7 + step * 13) % KEYS;
            let (v, n) = match (round + step) % 4 {
                0 => ("a\\0b", 1),
                1 => ("v", -1),
                _ => ("v", 1),
            };
            let write = format!("REPLACE INTO t VALUES ({id}, '{v}', {n})");
            let other = (id + 5) % KEYS;
            let statement = match step % 5 {
                0 => format!("DELETE FROM t WHERE id = {id}"),
                1 => format!("BEGIN; {write}; UPDATE t SET n = -n WHERE id = {other}; COMMIT"),
                _ => write,
            };
            writer.sql(&statement).await;
        }
        if round % 10 == 4 {
            // At another moment of a batch each time.
            pause(Duration::from_millis(u64::from(round % 17) * 3)).await;
            daemon.restart();
        }
    }
    scene.wait_applied(&daemon).await;
    let bad = "v LIKE '%\\0%' OR n <= 0";
    let list = |what: &str| format!("SELECT COALESCE(GROUP_CONCAT(id ORDER BY id), '') FROM t WHERE {what}");
    let kept = "SELECT coalesce(string_agg(substr(row_key, 6), ',' ORDER BY substr(row_key, 6)::int), '') FROM rowferry.main_quarantine";
    assert_eq!(scene.target.one(kept).await, scene.source.one(&list(bad)).await);
    assert_eq!(super::ids(&scene, "t").await, scene.source.one(&list(&format!("NOT ({bad})"))).await);
    // Each row that is kept is the source's, and so is what is there.
    let image =
        "SELECT count(*) FROM rowferry.main_quarantine WHERE row_key <> ('id = ' || (row_image->>'id'))";
    assert_eq!(scene.target.one(image).await, "0");
    scene.source.sql("UPDATE t SET v = 'v', n = id + 1").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(super::kept(&scene).await, "");
}
