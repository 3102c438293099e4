//! What the precheck finds at a restart, which happens at night too: one table's trouble stays one table's.

use super::{carried, parked, rows};
use crate::harness::{DEADLINE, Scene, rowferry};

/// What somebody does to a target table while nobody looks, and what is told of it.
const HARMS: [(&str, &str, &str); 5] = [
    ("gone", "DROP TABLE {}", "is gone"),
    ("narrow", "ALTER TABLE {} DROP COLUMN v", "column v is gone"),
    ("other", "ALTER TABLE {} ALTER COLUMN w TYPE smallint", "smallint"),
    (
        "more",
        "ALTER TABLE {} ADD COLUMN x int NOT NULL DEFAULT 1; ALTER TABLE {} ALTER COLUMN x DROP DEFAULT",
        "\"x\"",
    ),
    ("keyless", "ALTER TABLE {} DROP CONSTRAINT keyless_pkey", "primary key is ()"),
];

#[tokio::test]
async fn a_target_table_that_was_changed_meanwhile_is_parked_and_the_others_go_on() {
    let scene = Scene::new("healing_restarted").await;
    scene.source.sql(&rows("u", 10)).await;
    for (table, ..) in HARMS {
        scene.source.sql(&rows(table, 10)).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    for (table, harm, _) in HARMS {
        scene.target.sql(&harm.replace("{}", &format!("healing_restarted.{table}"))).await;
        scene
            .source
            .sql(&format!("INSERT INTO {table} VALUES (11, 'new', 11); UPDATE u SET w = w + 1"))
            .await;
    }
    daemon.restart();
    for (table, _, told) in HARMS {
        let trouble = parked(&scene, &daemon, table).await;
        assert!(trouble.error.contains(told), "{table}: {trouble:?}");
        assert!(
            trouble.remedy.contains(&format!("rowferry resync -c CONFIG healing_restarted.{table}")),
            "{trouble:?}"
        );
    }
    scene.assert_exact(&daemon, &["u"]).await;
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    // Its remedy says so.
    scene.target.sql("ALTER TABLE healing_restarted.more ALTER COLUMN x DROP NOT NULL").await;
    for (table, ..) in HARMS {
        let done = rowferry(&["resync", "-c", &config, &format!("healing_restarted.{table}")]).await;
        assert_eq!(done.code, 0, "{done:?}");
        carried(&scene, &daemon, table).await;
    }
    scene.target.sql("ALTER TABLE healing_restarted.more DROP COLUMN x").await;
    scene.assert_exact(&daemon, &["u", "gone", "narrow", "other", "more", "keyless"]).await;
}
