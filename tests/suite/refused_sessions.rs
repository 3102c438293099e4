//! Sessions that log less than the rows, or no rows at all: on a carried table they stop the task, elsewhere they do no harm.

use crate::harness::{DEADLINE, Daemon, Kind, MysqlDatabase, Scene, on_every_kind, postgres, run_folder};
use rowferry::testing::change::status::Phase;

/// Waits for Failed and gives error and remedy.
async fn failed(daemon: &Daemon) -> (String, String) {
    match daemon.wait_phase("Failed", DEADLINE).await.phase {
        Phase::Failed { error, remedy } => (error, remedy),
        other => panic!("{other:?}"),
    }
}

const TABLES: &str = "CREATE TABLE t (id INT PRIMARY KEY, v INT, doc TEXT) ENGINE = InnoDB; INSERT INTO t VALUES (1, 1, 'one'), (2, 2, 'two'); \
    CREATE TABLE narrow (a INT, b INT, PRIMARY KEY (b, a)) ENGINE = InnoDB; INSERT INTO narrow VALUES (1, 1)";

/// Runs a transaction under settings: `refused` between statements that could be carried. The task must stop with the
/// target as it was, and go on doing so.
struct Refused<'a> {
    scene: &'a Scene<'a>,
    settings: &'a str,
    statement: &'a str,
    error: &'a str,
    remedy: &'a str,
}

impl Refused<'_> {
    async fn stops(self, daemon: &Daemon) {
        let Self { scene, settings, statement, error, remedy } = self;
        scene.assert_exact(daemon, &["t", "narrow"]).await;
        let rows = format!(
            "SELECT (SELECT string_agg(t::text, ' ' ORDER BY id) FROM {0}.t t) || (SELECT count(*) FROM {0}.narrow)",
            scene.source.name
        );
        let before = scene.target.one(&rows).await;
        scene
            .source
            .sql(&format!(
                "SET SESSION {settings}; BEGIN; INSERT INTO t VALUES (30, 3, 'before'); {statement}; INSERT INTO narrow VALUES (9, 9); COMMIT"
            ))
            .await;
        scene.source.sql("INSERT INTO t VALUES (40, 4, 'behind'); DELETE FROM narrow").await;
        for _ in 0..2 {
            let (found, advice) = failed(daemon).await;
            assert!(found.contains(error), "{settings}: {statement}: {found}");
            assert!(advice.contains(remedy) && advice.contains("copy"), "{settings}: {statement}: {advice}");
            assert_eq!(scene.target.one(&rows).await, before, "{settings}: {statement}");
            daemon.restart();
        }
    }
}

/// A table that is not carried, in a database that is not.
async fn elsewhere<'a>(scene: &Scene<'a>) -> MysqlDatabase<'a> {
    let other = scene.source.server.database(&format!("{}_other", scene.source.name)).await;
    other
        .sql(
            "CREATE TABLE o (id INT AUTO_INCREMENT PRIMARY KEY, v DOUBLE, doc TEXT) ENGINE = InnoDB; INSERT INTO o (v) VALUES (1), (2)",
        )
        .await;
    other
}

async fn rows_without_all_columns(kind: Kind) {
    let mysql = kind.shared().await;
    let cases = [
        ("MINIMAL", "UPDATE t SET v = 20 WHERE id = 2"),
        ("MINIMAL", "DELETE FROM t WHERE id = 2"),
        ("MINIMAL", "INSERT INTO t (id) VALUES (7)"),
        ("NOBLOB", "UPDATE t SET v = 20 WHERE id = 2"),
    ];
    for (number, (image, refused)) in (1..).zip(cases) {
        let name = format!("image_{}_{number}", kind.name());
        let scene = Scene::on(mysql, postgres().await, &name).await;
        scene.source.sql(TABLES).await;
        let other = elsewhere(&scene).await;
        // Every row goes out at once: what came before the fault is in the target then, not committed.
        let daemon = scene.start_with(&scene.config().task("apply", "{ batch_rows = 1 }")).await;
        let settings = format!("binlog_row_image = {image}");
        other.sql(&format!("SET SESSION {settings}; UPDATE o SET v = 9; DELETE FROM o WHERE id = 1")).await;
        // Here nothing is left out.
        let whole = "INSERT INTO t VALUES (10, 10, 'ten'); INSERT INTO narrow VALUES (3, 3); DELETE FROM narrow WHERE a = 1";
        scene.source.sql(&format!("SET SESSION {settings}; {whole}")).await;
        let error = format!("rows of {name}.t are logged without all of their columns");
        let remedy = "binlog_row_image = FULL";
        let refused =
            Refused { scene: &scene, settings: &settings, statement: refused, error: &error, remedy };
        refused.stops(&daemon).await;
    }
}

on_every_kind!(rows_without_all_columns_stop_the_task, rows_without_all_columns);

async fn logged_statements(kind: Kind) {
    // MariaDB's log does not name the databases that a statement touched: it stops the tasks of other tests too.
    let own = if kind == Kind::Maria { Some(kind.private(&[]).await) } else { None };
    let mysql = match &own {
        Some(own) => own,
        None => kind.shared().await,
    };
    let file = run_folder().join(format!("statements_{}.load", kind.name()));
    std::fs::write(&file, "70\t7\tseven\n71\t\\N\t\\N\n").unwrap();
    let load = format!("LOAD DATA INFILE '{}' INTO TABLE", file.display());
    let formats: &[&str] = if kind == Kind::Maria { &["STATEMENT", "MIXED"] } else { &["STATEMENT"] };
    let cases =
        ["UPDATE t SET v = v + 1 WHERE id = 1".to_owned(), format!("{load} t"), "DELETE FROM t".to_owned()];
    let cases = formats.iter().flat_map(|format| cases.iter().map(move |refused| (format, refused)));
    for (number, (format, refused)) in (1..).zip(cases) {
        let name = format!("logged_{}_{number}", kind.name());
        let scene = Scene::on(mysql, postgres().await, &name).await;
        scene.source.sql(TABLES).await;
        let other = elsewhere(&scene).await;
        let daemon = scene.start_with(&scene.config().task("apply", "{ batch_rows = 1 }")).await;
        // With all that may stand beside a statement in the log: an AUTO_INCREMENT value, a seed of RAND(), a user variable, a file.
        if kind != Kind::Maria {
            other
                .sql(&format!(
                "SET SESSION binlog_format = {format}; SET @seven = 7; INSERT INTO o (v) VALUES (1), (RAND()), (@seven); \
                 UPDATE o SET v = v + 1; BEGIN; DELETE FROM o WHERE id = 1; REPLACE INTO o VALUES (2, RAND(), 'x'); COMMIT; {load} o"
                ))
                .await;
        }
        let settings = format!("binlog_format = {format}");
        // The transaction is one of statements, then, from its first on.
        let error = "is logged as a statement, not as rows";
        let remedy = "binlog_format = ROW";
        let told = Refused { scene: &scene, settings: &settings, statement: refused, error, remedy };
        told.stops(&daemon).await;
    }
}

on_every_kind!(logged_statements_stop_the_task_where_they_concern_it, logged_statements);

/// MariaDB's log does not say that it reached a carried table by a trigger; the source's own list of triggers does.
#[tokio::test]
async fn a_statement_of_mariadb_stops_the_task_where_its_trigger_writes_a_carried_table() {
    let mysql = Kind::Maria.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "logged_reaching").await;
    scene.source.sql(TABLES).await;
    let other = elsewhere(&scene).await;
    other.sql("CREATE TRIGGER tr AFTER INSERT ON o FOR EACH ROW DELETE FROM logged_reaching.t").await;
    let daemon = scene.start().await;
    other.sql("SET SESSION binlog_format = STATEMENT; INSERT INTO o (id) VALUES (70)").await;
    let (error, remedy) = failed(&daemon).await;
    assert!(error.contains("may change tables of this task through logged_reaching_other.tr"), "{error}");
    assert!(remedy.contains("binlog_format = ROW"), "{remedy}");
    assert_eq!(scene.target.one("SELECT count(*) FROM logged_reaching.t").await, "2");
}

/// The server takes '中' for '?' there, as the default of the rows that are in the table.
async fn converted_literals(kind: Kind) {
    let scene = Scene::on(kind.shared().await, postgres().await, &format!("literals_{}", kind.name())).await;
    scene.source.sql(TABLES).await;
    let daemon = scene.start().await;
    let statement = "ALTER TABLE t ADD COLUMN w VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT '中'";
    let mut session = scene.source.session().await;
    session.sql("SET character_set_connection = latin1").await;
    session.sql(statement).await;
    session.sql("INSERT INTO t (id) VALUES (3)").await;
    let (error, remedy) = failed(&daemon).await;
    assert!(error.contains(statement) && error.contains("collation_connection"), "{error}");
    assert!(remedy.contains("SET NAMES utf8mb4"), "{remedy}");
    assert_eq!(scene.source.one("SELECT w FROM t WHERE id = 1").await, "?");
    assert_eq!(scene.target.one(&format!("SELECT count(*) FROM literals_{}.t", kind.name())).await, "2");
}

on_every_kind!(literals_that_a_session_converts_with_loss_stop_the_task, converted_literals);
