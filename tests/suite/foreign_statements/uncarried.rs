//! Tables that a glob matches and that are not carried, since they came later: nothing that is done to them stops the task.

use super::{CARRIED, goes_on, stops};
use crate::harness::{DEADLINE, Daemon, Kind, Mysql, Scene, on_every_kind, postgres};

/// Statements of MariaDB that are not understood.
const ODD: &[&str] = &[
    "ALTER TABLE x ADD COLUMN s DATE, ADD COLUMN e DATE, ADD PERIOD FOR p (s, e), ADD UNIQUE (id, p WITHOUT OVERLAPS)",
    "ALTER TABLE x ADD COLUMN n INT DEFAULT (NEXT VALUE FOR seq)",
    "ALTER TABLE x ENGINE = MyISAM, DATA_FILE_ODD = 'x'",
];

#[tokio::test]
async fn statements_that_are_not_understood_stop_nothing_but_on_carried_tables() {
    for kind in ["mariadb", "mariadb118"] {
        let mysql = Mysql::start(kind, &[]).await;
        let scene = Scene::on(&mysql, postgres().await, "uncarried_odd").await;
        scene.source.sql(CARRIED).await;
        scene.source.sql("CREATE SEQUENCE seq").await;
        let daemon = scene.start().await;
        scene.source.sql("CREATE TABLE late (id INT PRIMARY KEY) ENGINE = InnoDB").await;
        for odd in ODD {
            let late = odd.replace("TABLE x", "TABLE late");
            scene.source.sql(&format!("SET sql_mode = 'IGNORE_BAD_TABLE_OPTIONS'; {late}")).await;
            goes_on(&scene, &daemon, &late).await;
        }
        let own = ODD[2].replace("TABLE x", "TABLE t");
        scene.source.sql(&format!("SET sql_mode = 'IGNORE_BAD_TABLE_OPTIONS'; {own}")).await;
        stops(&daemon, &["is not understood", "DATA_FILE_ODD"]).await;
    }
}

/// The session is older than the daemon, so what it means is not known; but neither of both tables is carried.
async fn of_an_older_session(kind: Kind) {
    let name = format!("uncarried_older_{}", kind.name());
    let scene = Scene::on(kind.shared().await, postgres().await, &name).await;
    scene.source.sql(CARRIED).await;
    let mut session = scene.source.session().await;
    let format = if matches!(kind, Kind::Gtids97 | Kind::Files97) { "STATEMENT" } else { "MIXED" };
    session.sql(&format!("SET SESSION binlog_format = {format}; CREATE TEMPORARY TABLE late (id INT)")).await;
    let daemon = scene.start().await;
    goes_on(&scene, &daemon, "before").await;
    daemon.kill9();
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    session.sql("ALTER TABLE late ADD COLUMN n INT; TRUNCATE TABLE late").await;
    goes_on(&scene, &daemon, "a temporary table of an older session").await;
}

on_every_kind!(a_temporary_table_of_an_older_session_is_of_no_carried_name, of_an_older_session);

/// A part of its work is done and logged with its error; none of it on a carried table.
#[tokio::test]
async fn a_statement_that_failed_halfway_stops_nothing_where_its_tables_are_not_carried() {
    let scene = Scene::on(Kind::Files56.shared().await, postgres().await, "uncarried_halfway").await;
    scene.source.sql(CARRIED).await;
    let daemon = scene.start().await;
    scene.source.sql("CREATE TABLE late (id INT PRIMARY KEY)").await;
    let mut session = scene.source.session().await;
    session.try_sql("DROP TABLE late, missing").await.unwrap_err();
    goes_on(&scene, &daemon, "a DROP TABLE of two").await;
    session.try_sql("DROP TABLE t, missing").await.unwrap_err();
    stops(&daemon, &["DROP TABLE"]).await;
}

/// The most memory that the daemon has had, in KiB.
fn peak(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A million short rows in a statement on a database that nobody carries: its words and signs are not taken in.
#[tokio::test]
async fn a_long_statement_elsewhere_needs_little_memory() {
    for kind in ["mysql97", "mariadb"] {
        let mysql = Mysql::start(kind, &["--max-allowed-packet=64M"]).await;
        let scene = Scene::on(&mysql, postgres().await, "uncarried_long").await;
        scene.source.sql(CARRIED).await;
        scene.source.sql("CREATE DATABASE away; CREATE TABLE away.x (a INT)").await;
        let daemon = scene.start().await;
        goes_on(&scene, &daemon, "before").await;
        let before = peak(&daemon);
        let rows = "(1),".repeat(1 << 20);
        scene
            .source
            .sql(&format!("SET SESSION binlog_format = STATEMENT; INSERT INTO away.x VALUES {rows}(1)"))
            .await;
        goes_on(&scene, &daemon, "a long statement").await;
        let more = peak(&daemon).saturating_sub(before) >> 10;
        assert!(more < 64, "{kind}: {more} MiB");
    }
}
