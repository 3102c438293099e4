//! Rows that statements have changed, which the log does not hold: those tables are copied again, the others go on.

use super::{carried, parked, rows};
use crate::harness::{Mysql, Scene, mariadb, mysql56, mysql97, pause, postgres, rowferry};
use std::time::Duration;

async fn sources() -> [(&'static str, &'static Mysql); 3] {
    [("97", mysql97().await), ("56", mysql56().await), ("maria", mariadb().await)]
}

async fn fill(scene: &Scene<'_>, tables: &[&str]) {
    for table in tables {
        let values: Vec<String> = (1..=20).map(|id| format!("({id}, 'row {id}', {id})")).collect();
        scene
            .source
            .sql(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(40), w INT); INSERT INTO {table} VALUES {}",
                values.join(", ")
            ))
            .await;
    }
}

/// What is copied again by itself, once each.
fn copied_again(log: &str, table: &str) -> usize {
    let of_table = |line: &&str| line.contains("the table is copied again") && line.contains(table);
    log.lines().filter(of_table).count()
}

#[tokio::test]
async fn tables_that_statements_change_are_copied_again() {
    for (kind, mysql) in sources().await {
        let scene = Scene::on(mysql, postgres().await, &format!("heal_statement_{kind}")).await;
        fill(&scene, &["changed", "calm"]).await;
        let daemon = scene.start_with(&scene.config().healing()).await;
        scene
            .source
            .sql(
                "SET SESSION binlog_format = STATEMENT; UPDATE changed SET w = w + 100 WHERE id < 5; \
                 DELETE FROM changed WHERE id = 7; SET SESSION binlog_format = ROW; UPDATE calm SET w = 1 WHERE id = 1",
            )
            .await;
        scene.wait_applied(&daemon).await;
        carried(&scene, &daemon, "changed").await;
        scene.assert_exact(&daemon, &["changed", "calm"]).await;
        assert!(copied_again(&daemon.log(), "changed") > 0, "{}", daemon.log());
        assert_eq!(copied_again(&daemon.log(), "calm"), 0, "{}", daemon.log());
        // As if nothing had been.
        scene.source.sql("UPDATE changed SET w = 9 WHERE id = 1").await;
        scene.assert_exact(&daemon, &["changed", "calm"]).await;
    }
}

/// Under MIXED a transaction holds rows of one statement and another one as its text; here in both orders, and taken back.
#[tokio::test]
async fn transactions_of_rows_and_statements_are_whole_for_the_others() {
    for (kind, mysql) in sources().await {
        let scene = Scene::on(mysql, postgres().await, &format!("heal_mixed_{kind}")).await;
        fill(&scene, &["ahead", "behind", "back", "calm"]).await;
        let daemon = scene.start_with(&scene.config().healing()).await;
        scene
            .source
            .sql(
                "SET SESSION binlog_format = MIXED; \
                 BEGIN; UPDATE calm SET v = UUID() WHERE id = 1; UPDATE ahead SET v = UUID(); UPDATE ahead SET w = 7 WHERE id = 3; \
                 UPDATE calm SET v = UUID() WHERE id = 2; COMMIT; \
                 BEGIN; UPDATE behind SET w = 7 WHERE id = 3; UPDATE behind SET v = UUID(); UPDATE calm SET v = UUID() WHERE id = 3; COMMIT; \
                 BEGIN; UPDATE calm SET v = UUID() WHERE id = 4; SAVEPOINT s; UPDATE back SET w = 5; ROLLBACK TO s; \
                 UPDATE calm SET v = UUID() WHERE id = 5; COMMIT",
            )
            .await;
        scene.wait_applied(&daemon).await;
        for table in ["ahead", "behind", "back"] {
            carried(&scene, &daemon, table).await;
        }
        scene.assert_exact(&daemon, &["ahead", "behind", "back", "calm"]).await;
        assert_eq!(copied_again(&daemon.log(), "calm"), 0, "{}", daemon.log());
        let task = daemon.task().await.unwrap();
        assert_eq!(task.restarts, 0, "{}", daemon.log());
    }
}

/// Pieces of a transaction that is larger than a batch are in the target already when the statement comes.
#[tokio::test]
async fn a_statement_behind_pieces_of_its_transaction() {
    let scene = Scene::new("heal_pieces").await;
    scene.source.sql(&rows("large", 5000)).await;
    scene.source.sql(&rows("calm", 50)).await;
    let config = scene.config().healing().task("apply", "{ batch_rows = 100 }");
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql(
            "SET SESSION binlog_format = MIXED; BEGIN; UPDATE calm SET v = UUID(); UPDATE large SET v = UUID(); \
             UPDATE large SET w = 7 WHERE id = 3; UPDATE calm SET v = UUID() WHERE id = 2; COMMIT",
        )
        .await;
    scene.wait_applied(&daemon).await;
    carried(&scene, &daemon, "large").await;
    scene.assert_exact(&daemon, &["large", "calm"]).await;
}

/// What is reached by a trigger is found; what a statement reaches comes back in one group.
#[tokio::test]
async fn what_a_statement_reaches_through_others_is_copied_again() {
    for (kind, mysql) in sources().await {
        let name = format!("heal_reached_{kind}");
        let scene = Scene::on(mysql, postgres().await, &name).await;
        let other = scene.source.server.database(&format!("{name}_other")).await;
        fill(&scene, &["a", "b"]).await;
        other
            .sql(&format!(
                "CREATE TABLE log (id INT PRIMARY KEY); CREATE TRIGGER fill AFTER INSERT ON log FOR EACH ROW \
                 UPDATE {name}.a, {name}.b SET a.w = NEW.id, b.w = NEW.id WHERE a.id = b.id"
            ))
            .await;
        let daemon = scene.start_with(&scene.config().healing()).await;
        other.sql("SET SESSION binlog_format = STATEMENT; INSERT INTO log VALUES (77)").await;
        scene.wait_applied(&daemon).await;
        for table in ["a", "b"] {
            carried(&scene, &daemon, table).await;
        }
        scene.assert_exact(&daemon, &["a", "b"]).await;
        assert_eq!(scene.target.one(&format!("SELECT sum(w) FROM {name}.b")).await, (77 * 20).to_string());
    }
}

#[tokio::test]
async fn a_statement_that_changes_rows_parks_its_table_where_that_is_wanted() {
    let scene = Scene::new("heal_statement_park").await;
    fill(&scene, &["changed", "calm"]).await;
    let config = scene.config().healing().task("ddl_policy", "{ statement_dml = \"park\" }");
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql("SET SESSION binlog_format = STATEMENT; UPDATE changed SET w = 1; SET SESSION binlog_format = ROW; UPDATE calm SET w = 2")
        .await;
    let trouble = parked(&scene, &daemon, "changed").await;
    assert!(trouble.error.contains("UPDATE changed SET w = 1"), "{trouble:?}");
    assert!(trouble.remedy.contains("binlog_format"), "{trouble:?}");
    scene.assert_exact(&daemon, &["calm"]).await;
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let done = rowferry(&["resync", "-c", &config, "heal_statement_park.changed"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    carried(&scene, &daemon, "changed").await;
    scene.assert_exact(&daemon, &["changed", "calm"]).await;
}

/// What a row lacks of its columns is in the source alone.
#[tokio::test]
async fn tables_whose_rows_are_logged_in_part_are_copied_again() {
    for (kind, mysql) in sources().await {
        let scene = Scene::on(mysql, postgres().await, &format!("heal_image_{kind}")).await;
        fill(&scene, &["partly", "calm"]).await;
        let daemon = scene.start_with(&scene.config().healing()).await;
        scene
            .source
            .sql(
                "SET SESSION binlog_row_image = MINIMAL; \
                 BEGIN; UPDATE calm SET v = 'x', w = 0, id = 50 WHERE id = 1; INSERT INTO partly (id) VALUES (30); COMMIT; \
                 BEGIN; INSERT INTO calm VALUES (60, 'y', 1); UPDATE partly SET w = 7 WHERE id = 3; DELETE FROM partly WHERE id = 4; COMMIT; \
                 SET SESSION binlog_row_image = FULL; UPDATE calm SET w = 9 WHERE id = 2",
            )
            .await;
        scene.wait_applied(&daemon).await;
        for table in ["partly", "calm"] {
            carried(&scene, &daemon, table).await;
        }
        scene.assert_exact(&daemon, &["partly", "calm"]).await;
        assert!(copied_again(&daemon.log(), "partly") > 0, "{}", daemon.log());
        assert_eq!(daemon.task().await.unwrap().restarts, 0, "{}", daemon.log());
    }
}

/// Tables that go when they are on their way again end parked, whatever their copy is at.
#[tokio::test]
async fn tables_that_are_dropped_while_they_are_copied_again_are_parked() {
    let scene = Scene::new("heal_dropped_aside").await;
    let names: Vec<String> = (0..6).map(|number| format!("t{number}")).collect();
    let tables: Vec<&str> = names.iter().map(String::as_str).collect();
    fill(&scene, &tables).await;
    fill(&scene, &["calm"]).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    for (number, table) in (0..).zip(&tables) {
        scene
            .source
            .sql(&format!("SET SESSION binlog_format = STATEMENT; INSERT INTO {table} VALUES (99, 'x', 1)"))
            .await;
        pause(Duration::from_millis(number * 10)).await;
        scene.source.sql(&format!("DROP TABLE {table}")).await;
    }
    scene.source.sql("SET SESSION binlog_format = ROW; UPDATE calm SET w = w + 1").await;
    for table in tables {
        let trouble = parked(&scene, &daemon, table).await;
        assert!(trouble.gone, "{trouble:?}");
    }
    // What the statements called cannot be looked up after the DROP, so it may have been concerned too.
    carried(&scene, &daemon, "calm").await;
    scene.assert_exact(&daemon, &["calm"]).await;
}
