//! What the precheck finds at a restart, which happens at night too: one table's trouble stays one table's.

use super::{carried, parked, rows};
use crate::harness::{DEADLINE, Scene, only_postgres, rowferry};

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

/// What a hand mends at once is not worth a copy, and what cannot be copied again must not be given up.
#[tokio::test]
async fn what_no_copy_mends_stops_the_task_until_it_is_mended_and_nothing_is_lost() {
    let scene = Scene::new("healing_stopped").await;
    scene.source.sql(&rows("t", 10)).await;
    scene.source.sql(&rows("u", 10)).await;
    scene.target.sql("CREATE SCHEMA healing_stopped").await;
    let config = scene.config().healing().task("existing_tables", "\"ignore\"");
    let unique = scene.config().healing();
    let keeps = unique.clone().task("ddl_policy", "{ truncate_table = \"ignore\" }");
    let mut harms = vec![
        // A copy would not have what a TRUNCATE has left.
        (&keeps, "DROP CONSTRAINT t_pkey", "ADD PRIMARY KEY (id)"),
        // Rows of others may be in it.
        (&config, "DROP CONSTRAINT t_pkey", "ADD PRIMARY KEY (id)"),
    ];
    if !only_postgres("Greenplum takes no unique column in a table that has rows") {
        harms.push((&unique, "ADD COLUMN x int UNIQUE", "DROP COLUMN x"));
    }
    for (config, harm, mend) in harms {
        scene
            .target
            .sql(
                "DROP SCHEMA healing_stopped CASCADE; DROP SCHEMA IF EXISTS rowferry CASCADE; \
                 CREATE SCHEMA healing_stopped",
            )
            .await;
        let daemon = scene.start_with(config).await;
        daemon.terminate();
        assert_eq!(daemon.exit_code(DEADLINE).await, 0);
        scene.target.sql(&format!("ALTER TABLE healing_stopped.t {harm}")).await;
        scene.source.sql("UPDATE t SET w = w + 1; UPDATE u SET w = w + 1; DELETE FROM t WHERE id < 3").await;
        daemon.restart();
        let task = daemon.wait_phase("Failed", DEADLINE).await;
        assert!(task.tables.values().all(|table| table.trouble.is_none()), "{task:?}");
        scene.target.sql(&format!("ALTER TABLE healing_stopped.t {mend}")).await;
        daemon.restart();
        scene.assert_exact(&daemon, &["t", "u"]).await;
        scene.source.sql("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)").await;
        scene.assert_exact(&daemon, &["t", "u"]).await;
    }
}
