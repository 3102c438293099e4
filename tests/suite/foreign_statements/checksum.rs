//! pt-table-checksum: it writes sums of carried tables into a database of its own, by statements that read those tables.

use super::{CARRIED, goes_on};
use crate::harness::{DEADLINE, Kind, Scene, on_every_kind, postgres};
use std::process::Stdio;

/// As the tool writes them (3.2.1, seen in the log of 9.7).
async fn imitated(kind: Kind) {
    let mysql = kind.shared().await;
    let name = format!("checksum_{}", kind.name());
    let scene = Scene::on(mysql, postgres().await, &name).await;
    scene.source.sql(CARRIED).await;
    let other = mysql.database(&format!("percona_{}", kind.name())).await;
    let daemon = scene.start().await;
    let percona = &other.name;
    let mut session = mysql.session().await;
    session
        .sql(&format!(
            "SET SESSION binlog_format = 'STATEMENT', sql_mode = ''; USE {percona}; \
             CREATE TABLE IF NOT EXISTS `{percona}`.`checksums` (db CHAR(64) NOT NULL, tbl CHAR(64) NOT NULL, chunk INT NOT NULL, \
             chunk_time FLOAT NULL, chunk_index VARCHAR(200) NULL, lower_boundary TEXT NULL, upper_boundary TEXT NULL, this_crc CHAR(40) NOT NULL, \
             this_cnt INT NOT NULL, master_crc CHAR(40) NULL, master_cnt INT NULL, ts TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
             PRIMARY KEY (db, tbl, chunk), INDEX ts_db_tbl (ts, db, tbl)) ENGINE=InnoDB DEFAULT CHARSET=utf8; USE {name}; \
             DELETE FROM `{percona}`.`checksums` WHERE db = '{name}' AND tbl = 't'; \
             REPLACE INTO `{percona}`.`checksums` (db, tbl, chunk, chunk_index, lower_boundary, upper_boundary, this_cnt, this_crc) \
             SELECT '{name}', 't', '1', NULL, NULL, NULL, COUNT(*) AS cnt, COALESCE(LOWER(CONV(BIT_XOR(CAST(CRC32(CONCAT_WS('#', `id`, \
             convert(`v` using utf8mb4), CONCAT(ISNULL(`v`)))) AS UNSIGNED)), 10, 16)), 0) AS crc FROM `{name}`.`t` /*checksum table*/; \
             UPDATE `{percona}`.`checksums` SET chunk_time = '0.001', master_crc = 'a', master_cnt = '2' WHERE db = '{name}' AND tbl = 't' AND chunk = '1'"
        ))
        .await;
    goes_on(&scene, &daemon, "pt-table-checksum's statements").await;
}

on_every_kind!(its_statements_stop_nothing, imitated);

async fn real(kind: Kind) {
    let mysql = kind.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, &format!("real_checksum_{}", kind.name())).await;
    scene.source.sql(CARRIED).await;
    let many = (3..500).map(|id| format!("({id}, 'v{id}')")).collect::<Vec<_>>().join(", ");
    scene.source.sql(&format!("INSERT INTO t VALUES {many}")).await;
    let daemon = scene.start().await;
    for _ in 0..2 {
        let mut tool = tokio::process::Command::new("pt-table-checksum");
        tool.arg(format!("h=127.0.0.1,P={},u=root", mysql.port()));
        tool.args([
            "--databases",
            &scene.source.name,
            "--replicate",
            "percona.checksums",
            "--chunk-size",
            "100",
        ]);
        tool.args([
            "--no-check-binlog-format",
            "--no-check-replication-filters",
            "--recursion-method",
            "none",
        ]);
        let output = tool.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(DEADLINE, output).await.expect("it ends").expect("it is installed");
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let rows = mysql.one("SELECT SUM(this_cnt) FROM percona.checksums").await;
        assert_eq!(rows, scene.source.one("SELECT COUNT(*) FROM t").await, "{told}");
        goes_on(&scene, &daemon, "pt-table-checksum").await;
    }
}

#[tokio::test]
async fn the_tool_itself_stops_nothing_on_mysql_9_7() {
    real(Kind::Gtids97).await;
}

#[tokio::test]
async fn the_tool_itself_stops_nothing_on_mysql_5_6() {
    real(Kind::Files56).await;
}

#[tokio::test]
async fn the_tool_itself_stops_nothing_on_mariadb() {
    real(Kind::Maria).await;
}
