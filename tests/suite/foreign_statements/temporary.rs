//! Temporary tables with the names of carried ones: what is done to them is not done to the carried ones, and the other way round.

use super::{CARRIED, goes_on, stops};
use crate::harness::{DEADLINE, Kind, Scene, on_every_kind, postgres};

/// A format of the log in which temporary tables are logged.
fn by_statement(kind: Kind) -> &'static str {
    match kind {
        Kind::Gtids97 | Kind::Files97 => "STATEMENT",
        Kind::Gtids56 | Kind::Files56 | Kind::Maria => "MIXED",
    }
}

async fn scene(kind: Kind, name: &str) -> Scene<'static> {
    let scene = Scene::on(kind.shared().await, postgres().await, &format!("{name}_{}", kind.name())).await;
    scene.source.sql(CARRIED).await;
    scene
}

async fn of_a_carried_name(kind: Kind) {
    let scene = scene(kind, "temporary_name").await;
    let daemon = scene.start().await;
    let mut session = scene.source.session().await;
    session
        .sql(&format!(
            "SET SESSION binlog_format = {}; CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, a INT, b INT); INSERT INTO t VALUES (1, 2, 3); \
             ALTER TABLE t CHANGE a b INT, CHANGE b a INT; ALTER TABLE t ADD COLUMN extra INT DEFAULT 5; CREATE INDEX i ON t (extra); \
             UPDATE t SET extra = 6; DROP INDEX i ON t; OPTIMIZE TABLE t; TRUNCATE TABLE t; ALTER TABLE t RENAME TO u; DROP TEMPORARY TABLE u",
            by_statement(kind)
        ))
        .await;
    goes_on(&scene, &daemon, "statements on a temporary table").await;
    // From here on the name means the carried one again.
    session.sql("ALTER TABLE t ADD COLUMN n INT DEFAULT 7").await;
    goes_on_with_columns(&scene, &daemon).await;
}

async fn goes_on_with_columns(scene: &Scene<'_>, daemon: &crate::harness::Daemon) {
    scene.source.sql("INSERT INTO t (id, v) SELECT MAX(id) + 1, 'last' FROM t").await;
    scene.assert_exact(daemon, &["t"]).await;
}

on_every_kind!(statements_on_a_temporary_table_of_a_carried_name_do_nothing, of_a_carried_name);

/// In a procedure the log flags every statement after the first that used a temporary table.
async fn behind_one_in_a_procedure(kind: Kind) {
    let scene = scene(kind, "temporary_procedure").await;
    let daemon = scene.start().await;
    let mut session = scene.source.session().await;
    session
        .sql(
            "CREATE PROCEDURE p () BEGIN CREATE TEMPORARY TABLE tmp (id INT); ALTER TABLE t ADD COLUMN n INT NOT NULL DEFAULT 4; \
             INSERT INTO tmp VALUES (1); DROP TEMPORARY TABLE tmp; ALTER TABLE t ADD COLUMN m INT NOT NULL DEFAULT 5; END",
        )
        .await;
    session.sql(&format!("SET SESSION binlog_format = {}; CALL p()", by_statement(kind))).await;
    goes_on_with_columns(&scene, &daemon).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

on_every_kind!(a_statement_on_a_carried_table_behind_a_temporary_one_is_carried, behind_one_in_a_procedure);

/// The session is older than the daemon, so which table it means is not known.
async fn older_than_the_daemon(kind: Kind) {
    let scene = scene(kind, "temporary_older").await;
    let daemon = scene.start().await;
    let mut session = scene.source.session().await;
    session
        .sql(&format!(
            "SET SESSION binlog_format = {}; CREATE TEMPORARY TABLE t (id INT PRIMARY KEY)",
            by_statement(kind)
        ))
        .await;
    goes_on(&scene, &daemon, "a temporary table").await;
    daemon.kill9();
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (70, 'last')").await;
    scene.assert_exact(&daemon, &["t"]).await;
    session.sql("TRUNCATE TABLE t").await;
    stops(&daemon, &["TRUNCATE TABLE t", "temporary"]).await;
}

on_every_kind!(a_session_that_had_temporary_tables_before_is_not_guessed_about, older_than_the_daemon);

/// The log has the statement on the temporary table and not the one that made it.
async fn made_unseen(kind: Kind) {
    if matches!(kind, Kind::Maria) {
        // It logs what becomes of a temporary table only where it has logged the table.
        return;
    }
    let scene = scene(kind, "temporary_unseen").await;
    let daemon = scene.start().await;
    let mut session = scene.source.session().await;
    session
        .sql(&format!(
            "SET SESSION binlog_format = {}; SET sql_log_bin = 0; CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, v VARCHAR(50)); \
             SET sql_log_bin = 1; ALTER TABLE t CHANGE v x VARCHAR(50); DROP TEMPORARY TABLE t",
            by_statement(kind)
        ))
        .await;
    stops(&daemon, &["ALTER TABLE t CHANGE v x", "temporary"]).await;
}

on_every_kind!(a_temporary_table_that_was_made_unseen_is_not_the_carried_one, made_unseen);

/// The log does not tell which table it renames, and what is known of temporary ones may be out of date.
#[tokio::test]
async fn a_rename_of_mariadb_in_a_session_with_a_temporary_table_of_that_name_stops_the_task() {
    let scene = scene(Kind::Maria, "temporary_rename").await;
    let daemon = scene.start().await;
    let mut session = scene.source.session().await;
    session.sql("SET SESSION binlog_format = MIXED; CREATE TEMPORARY TABLE t (id INT); RENAME TABLE t TO other_name").await;
    stops(&daemon, &["RENAME TABLE t", "temporary"]).await;
}

/// The session takes the temporary table away while it logs rows, or nothing, and its statements mean the carried one from then on.
async fn gone_unseen(kind: Kind) {
    let scene = scene(kind, "temporary_gone").await;
    let daemon = scene.start().await;
    let mut session = scene.source.session().await;
    let unseen = match kind {
        // A session that has any keeps its format.
        Kind::Gtids97 | Kind::Files97 => "SET sql_log_bin = 0; DROP TEMPORARY TABLE t; SET sql_log_bin = 1",
        Kind::Gtids56 | Kind::Files56 | Kind::Maria => {
            "SET SESSION binlog_format = ROW; ALTER TABLE t RENAME TO u; DROP TEMPORARY TABLE u"
        }
    };
    session
        .sql(&format!(
            "SET SESSION binlog_format = STATEMENT; CREATE TEMPORARY TABLE t (id INT PRIMARY KEY); {unseen}"
        ))
        .await;
    goes_on(&scene, &daemon, "a temporary table that goes unseen").await;
    session.sql("SET SESSION binlog_format = STATEMENT; UPDATE t SET v = 'x' WHERE id = 1").await;
    stops(&daemon, &["UPDATE t SET", "binlog_format"]).await;
}

on_every_kind!(a_temporary_table_that_went_unseen_hides_no_statement_on_the_carried_one, gone_unseen);

#[tokio::test]
async fn a_sequence_that_takes_the_place_of_a_carried_table_stops_the_task() {
    let scene = scene(Kind::Maria, "sequence_replaces").await;
    let daemon = scene.start().await;
    scene
        .source
        .sql("CREATE SEQUENCE s; ALTER SEQUENCE s RESTART 5; CREATE OR REPLACE SEQUENCE s; DROP SEQUENCE s")
        .await;
    goes_on(&scene, &daemon, "sequences of their own").await;
    scene.source.sql("CREATE OR REPLACE SEQUENCE t").await;
    stops(&daemon, &["CREATE OR REPLACE SEQUENCE t", "drops it"]).await;
}

async fn repaired(kind: Kind) {
    let scene = scene(kind, "repaired").await;
    let daemon = scene.start().await;
    scene.source.sql("ANALYZE TABLE t; CHECK TABLE t; OPTIMIZE TABLE t; CHECKSUM TABLE t").await;
    goes_on(&scene, &daemon, "maintenance").await;
    scene.source.sql("REPAIR TABLE t").await;
    stops(&daemon, &["REPAIR TABLE t"]).await;
}

on_every_kind!(a_repair_of_a_carried_table_stops_the_task, repaired);
