//! Columns dropped under load, one after the other: nobody has to do anything, whatever the policy.

use super::{carried, rows};
use crate::harness::{Comparison, Scene, pause};
use crate::load::Dice;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const TABLES: u64 = 10;
const COLUMNS: [&str; 3] = ["a", "b", "c"];

async fn thirty(policy: &str) {
    let scene = Scene::new(&format!("heal_thirty_{policy}")).await;
    for table in 0..TABLES {
        let name = format!("t{table}");
        scene.source.sql(&rows(&name, 200)).await;
        scene
            .source
            .sql(&format!(
                "ALTER TABLE {name} ADD a INT DEFAULT 1, ADD b INT DEFAULT 2, ADD c VARCHAR(9) DEFAULT 'c'"
            ))
            .await;
    }
    let policies = format!("{{ drop_column = \"{policy}\" }}");
    let daemon = scene.start_with(&scene.config().healing().task("ddl_policy", &policies)).await;
    let stop = AtomicBool::new(false);
    let mut writer = scene.source.session().await;
    let mut dice = Dice::of(12, 1);
    let mut written = 0;
    let writing = async {
        while !stop.load(Relaxed) {
            let (table, id) = (dice.below(TABLES), dice.below(300) + 1);
            writer
                .sql(&format!(
                    "REPLACE INTO t{table} (id, v, w) VALUES ({id}, 'new', {written}); UPDATE t{table} SET w = w + 1 WHERE id % 50 = {}; \
                     DELETE FROM t{table} WHERE id = {}",
                    dice.below(50),
                    dice.below(300) + 1
                ))
                .await;
            written += 1;
        }
    };
    let dropping = async {
        for column in COLUMNS {
            for table in 0..TABLES {
                scene.source.sql(&format!("ALTER TABLE t{table} DROP COLUMN {column}")).await;
                pause(Duration::from_millis(30)).await;
            }
        }
        stop.store(true, Relaxed);
    };
    tokio::join!(writing, dropping);
    assert!(written > 30, "no load: {written}");
    scene.wait_applied(&daemon).await;
    for table in 0..TABLES {
        carried(&scene, &daemon, &format!("t{table}")).await;
        let name = format!("{}.t{table}", scene.source.name);
        let compared = Comparison::new(&name, &name).target_may_have_more();
        compared.run(scene.source.server, &scene.target).await.unwrap();
    }
    let columns = format!(
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = '{}' AND table_name LIKE 't_' AND column_name IN ('a', 'b', 'c')",
        scene.source.name
    );
    let kept = if policy == "ignore" { TABLES * 3 } else { 0 };
    assert_eq!(scene.target.one(&columns).await, kept.to_string(), "{policy}");
}

#[tokio::test]
async fn thirty_columns_are_dropped_under_load_and_stay() {
    thirty("ignore").await;
}

#[tokio::test]
async fn thirty_columns_are_dropped_under_load_and_go() {
    thirty("apply").await;
}

#[tokio::test]
async fn thirty_columns_are_dropped_under_load_and_their_tables_copied_again() {
    thirty("recopy").await;
}
