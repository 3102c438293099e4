//! Events and statements that cannot be carried stop the task, with its checkpoint before them, and go on stopping it.

use crate::harness::{DEADLINE, Daemon, Mysql, Scene, mariadb, mariadb118, postgres, rowferry};
use crate::healing::{carried, parked};
use rowferry::testing::change::GtidSet;
use rowferry::testing::change::status::Phase;

/// Waits for Failed and gives error and remedy.
async fn failed(daemon: &Daemon) -> (String, String) {
    match daemon.wait_phase("Failed", DEADLINE).await.phase {
        Phase::Failed { error, remedy } => (error, remedy),
        other => panic!("{other:?}"),
    }
}

async fn executed(scene: &Scene<'_>) -> GtidSet {
    scene.source.one("SELECT @@GLOBAL.gtid_executed").await.parse().unwrap()
}

async fn stopped_by_statement(scene: &Scene<'_>, default_database: &str, statement: &str) {
    let name = &scene.source.name;
    let other = scene.source.server.database(&format!("{name}_other")).await;
    other.sql("CREATE TABLE o (id INT PRIMARY KEY, v INT); INSERT INTO o VALUES (1, 1)").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    let daemon = scene.start().await;
    let before = executed(scene).await;
    scene
        .source
        .sql(&format!("SET SESSION binlog_format = STATEMENT; USE {default_database}; {statement}"))
        .await;
    scene.source.sql("INSERT INTO t VALUES (3, 3)").await;
    let (error, remedy) = failed(&daemon).await;
    assert!(error.contains(statement) && error.contains("binlog."), "{error}");
    assert!(remedy.contains("ROW"), "{remedy}");
    // Other tests write meanwhile: only what is in none of them tells.
    let ours = executed(scene).await.minus(&before);
    let newest = "SELECT gtids FROM rowferry.main_position ORDER BY sequence DESC LIMIT 1";
    let durable: GtidSet = scene.target.one(newest).await.parse().unwrap();
    assert!(!ours.is_subset_of(&durable), "the checkpoint {durable} is past what was refused");
    let rows = format!("SELECT string_agg(id || '=' || v, ',' ORDER BY id) FROM {name}.t");
    assert_eq!(scene.target.one(&rows).await, "1=1,2=2");
    daemon.restart();
    assert!(failed(&daemon).await.0.contains(statement));
}

#[tokio::test]
async fn a_statement_logged_as_such_on_a_selected_table_stops_the_task() {
    let scene = Scene::new("logged_update").await;
    stopped_by_statement(&scene, "logged_update", "UPDATE t SET v = v + 1 WHERE id = 1").await;
}

/// On a server of its own: which tables a join changes is not worked out, so it stops the tasks of other tests too.
#[tokio::test]
async fn a_logged_statement_that_reaches_a_selected_table_from_another_database_stops_the_task() {
    let (mysql, postgres) = tokio::join!(Mysql::private(&[]), postgres());
    let scene = Scene::on(&mysql, postgres, "logged_join").await;
    let statement = "UPDATE o JOIN logged_join.t ON t.id = o.id SET t.v = 7";
    stopped_by_statement(&scene, "logged_join_other", statement).await;
}

/// With all that may stand beside a statement in the log: an AUTO_INCREMENT value, a seed of RAND(), a user variable.
#[tokio::test]
async fn statements_logged_as_such_on_unselected_tables_do_not_stop_the_task() {
    let scene = Scene::new("logged_elsewhere").await;
    let other = scene.source.server.database("logged_elsewhere_other").await;
    other.sql("CREATE TABLE o (id INT AUTO_INCREMENT PRIMARY KEY, v DOUBLE)").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let daemon = scene.start().await;
    other
        .sql(
            "SET SESSION binlog_format = STATEMENT; SET @seven = 7; INSERT INTO o (v) VALUES (1), (RAND()), (@seven); \
             UPDATE o SET v = v + 1; BEGIN; DELETE FROM o WHERE id = 1; REPLACE INTO o VALUES (2, RAND()); COMMIT",
        )
        .await;
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}

/// What is rolled back stays in such a table, and a restart may empty it without a word in the log.
#[tokio::test]
async fn a_carried_table_that_gets_another_engine_stops_the_task() {
    let scene = Scene::new("engine_changes").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let daemon = scene.start().await;
    scene.source.sql("ALTER TABLE t ENGINE = InnoDB; INSERT INTO t VALUES (2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    scene.source.sql("ALTER TABLE t ENGINE = MyISAM; INSERT INTO t VALUES (3)").await;
    let (error, remedy) = failed(&daemon).await;
    assert!(error.contains("MyISAM"), "{error}");
    assert!(remedy.contains("ENGINE = InnoDB"), "{remedy}");
}

/// Its log has the rows of its history too, with columns that the definition does not show.
#[tokio::test]
async fn a_system_versioned_table_is_refused_and_not_left_out() {
    let scene = Scene::on(mariadb().await, postgres().await, "system_versioned").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY); CREATE TABLE v (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
        )
        .await;
    let check = rowferry(&["check", "-c", &scene.config().file()]).await;
    assert_eq!(check.code, 1, "{check:?}");
    assert!(check.stdout.contains("source.system_versioned") && check.stdout.contains("!system_versioned.v"));
}

/// One that becomes system-versioned while it is followed goes on only without its history; what is told helps.
#[tokio::test]
async fn a_table_that_becomes_system_versioned_is_parked_by_name() {
    for mysql in [mariadb().await, mariadb118().await] {
        let name = format!("becomes_versioned_{}", mysql.kind());
        let scene = Scene::on(mysql, postgres().await, &name).await;
        scene
            .source
            .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); CREATE TABLE u LIKE t; INSERT INTO t VALUES (1, 1), (2, 2)")
            .await;
        let daemon = scene.start_with(&scene.config().healing()).await;
        scene
            .source
            .sql("ALTER TABLE t ADD SYSTEM VERSIONING; UPDATE t SET v = 5; DELETE FROM t WHERE id = 2; INSERT INTO u VALUES (1, 1)")
            .await;
        let trouble = parked(&scene, &daemon, "t").await;
        let told = format!("{} {}", trouble.error, trouble.remedy);
        assert!(told.contains("SYSTEM VERSIONING") || told.contains("system-versioned"), "{told}");
        assert!(trouble.remedy.contains("DROP SYSTEM VERSIONING"), "{told}");
        scene.assert_exact(&daemon, &["u"]).await;
        scene.source.sql("DELETE HISTORY FROM t; UPDATE t SET v = 6; ALTER TABLE t DROP SYSTEM VERSIONING; UPDATE t SET v = 7").await;
        let config = daemon.config_path().into_os_string().into_string().unwrap();
        let done = rowferry(&["resync", "-c", &config, &format!("{name}.t")]).await;
        assert_eq!(done.code, 0, "{done:?}");
        carried(&scene, &daemon, "t").await;
        scene.source.sql("INSERT INTO t VALUES (3, 3)").await;
        scene.wait_applied(&daemon).await;
        scene.assert_equal("t").await;
    }
}
