//! Tables of a family that leave the main stream, and keys that come and go.

use super::{TABLES, family};
use crate::harness::{DEADLINE, Daemon, Scene, mariadb, mysql56, rowferry};
use rowferry::testing::change::status::TablePhase;

const MORE: &str = "INSERT INTO a VALUES (81, 81, 'acht', 0), (82, 82, 'more', 0); INSERT INTO b (id, a, k) VALUES (81, 81, 82), (82, 82, 81); \
    INSERT INTO c VALUES (81, 81, 82, 81), (82, 82, 81, 82); INSERT INTO d VALUES (81, 1, 1), (82, 1, 1); INSERT INTO e VALUES (81, 81, 1)";
const WRITES: &str = "UPDATE a SET id = 181, k = 181 WHERE id = 81; DELETE FROM a WHERE id = 82";
const CLEAN: &str = "DELETE FROM a WHERE id IN (181, 82); DELETE FROM e WHERE id = 81";

async fn joined(scene: &Scene<'_>, daemon: &Daemon) {
    // What sends one of them aside comes first.
    scene.wait_applied(daemon).await;
    daemon
        .wait_task("all are on the main stream", DEADLINE * 2, |task| {
            task.tables.len() == TABLES.len()
                && task.tables.values().all(|table| !table.aside && table.phase == TablePhase::Streaming)
        })
        .await;
    scene.wait_applied(daemon).await;
}

/// A table that is copied again brings those with it that its rows change with.
#[tokio::test]
async fn a_family_stays_together_when_one_of_it_is_copied_again() {
    for mysql in [mysql56().await, mariadb().await] {
        let scene = family(mysql, "casc_again").await;
        let daemon = scene.start_with(&scene.config().healing()).await;
        let file = daemon.config_path();
        let file = file.to_str().unwrap();
        for table in ["c", "a", "b", "tree"] {
            scene.source.sql(MORE).await;
            let output = rowferry(&["resync", "-c", file, &format!("{}.{table}", scene.source.name)]).await;
            assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
            scene.source.sql(WRITES).await;
            joined(&scene, &daemon).await;
            for name in TABLES {
                scene.assert_equal(name).await;
            }
            scene.source.sql(CLEAN).await;
            scene.assert_exact(&daemon, &TABLES).await;
        }
    }
}

#[tokio::test]
async fn keys_that_come_and_go_are_followed_from_there_on() {
    for mysql in [mysql56().await, mariadb().await] {
        let scene = family(mysql, "casc_ddl").await;
        let daemon = scene.start_with(&scene.config().healing()).await;
        // Not followed any more, in order with the rows.
        scene.source.sql(MORE).await;
        scene.source.sql("ALTER TABLE e DROP FOREIGN KEY e_d; DELETE FROM a WHERE id = 1; UPDATE a SET id = 300 WHERE id = 4").await;
        joined(&scene, &daemon).await;
        scene.assert_exact(&daemon, &TABLES).await;
        scene.source.sql("DELETE FROM e WHERE da = 1 OR da = 4; ALTER TABLE e ADD CONSTRAINT back FOREIGN KEY (da, dn) REFERENCES d (a, n) ON DELETE CASCADE; DELETE FROM a WHERE id = 2").await;
        joined(&scene, &daemon).await;
        for name in TABLES {
            scene.assert_equal(name).await;
        }
        scene.source.sql("ALTER TABLE b CHANGE a eltern INT; ALTER TABLE a ADD COLUMN more INT FIRST; DELETE FROM a WHERE id = 3").await;
        joined(&scene, &daemon).await;
        for name in TABLES {
            scene.assert_equal(name).await;
        }
        scene.source.sql("UPDATE a SET id = 400 WHERE id = 300").await;
        scene.assert_exact(&daemon, &TABLES).await;
    }
}

/// What its rows change with is not known where the parent is not carried.
#[tokio::test]
async fn a_parked_parent_parks_what_its_rows_change() {
    let scene = family(mariadb().await, "casc_parked").await;
    let name = scene.source.name.clone();
    let config = scene.config().healing().task("ddl_policy", "{ change_values = \"park\" }");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("SET foreign_key_checks = 0; ALTER TABLE a DROP PRIMARY KEY, ADD COLUMN own INT AUTO_INCREMENT PRIMARY KEY, ADD UNIQUE (id)").await;
    let parked = ["a", "b", "c", "d", "e", "word"];
    daemon
        .wait_task("the family is parked", DEADLINE * 2, |task| {
            parked.iter().all(|table| task.tables[&format!("{name}.{table}")].phase == TablePhase::Parked)
        })
        .await;
    scene.source.sql("DELETE FROM tree WHERE id = 2").await;
    scene.wait_applied(&daemon).await;
    scene.assert_equal("tree").await;
    let file = daemon.config_path();
    let tables: Vec<String> = parked.iter().map(|table| format!("{name}.{table}")).collect();
    let mut arguments = vec!["resync", "-c", file.to_str().unwrap()];
    arguments.extend(tables.iter().map(String::as_str));
    let output = rowferry(&arguments).await;
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    joined(&scene, &daemon).await;
    scene.source.sql("DELETE FROM a WHERE id = 2").await;
    scene.assert_exact(&daemon, &TABLES).await;
}
