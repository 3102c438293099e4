//! Several hundred statements of each server's grammar in a database that is not selected, under every format of the log.

use super::{CARRIED, goes_on};
use crate::harness::{Daemon, Kind, Scene, postgres, run_folder};
use std::collections::BTreeSet;

const COMMON: &str = include_str!("statements/common.sql");
const MYSQL97: &str = include_str!("statements/mysql97.sql");
const MARIADB: &str = include_str!("statements/mariadb.sql");

/// Runs every statement of the lists in one session; gives those that the server took.
async fn run<'a>(scene: &Scene<'_>, daemon: &Daemon, lists: &[&'a str], format: &str) -> BTreeSet<&'a str> {
    let mysql = scene.source.server;
    let (selected, other) = (&scene.source.name, format!("{}_{}", scene.source.name, format.to_lowercase()));
    let file = run_folder().join(format!("{other}.load"));
    std::fs::write(&file, "9000\tloaded\n9001\tmore\n").unwrap();
    let uuid = format!("6a3e5a11-0000-4000-{:04x}-{:012x}", format.len(), std::process::id());
    let mut session = mysql.database(&other).await.session().await;
    session.sql(&format!("USE {other}; SET NAMES utf8mb4; SET SESSION binlog_format = {format}")).await;
    let mut taken = BTreeSet::new();
    let mut refused = Vec::new();
    for line in lists.iter().flat_map(|list| list.lines()) {
        let sql = line
            .replace("$sel", selected)
            .replace("$other", &other)
            .replace("$file", file.to_str().unwrap())
            .replace("$uuid", &uuid);
        // What was dropped here without having been there may have been on any table of the database: what came before must not
        // be judged by that.
        if line.starts_with("DROP TRIGGER IF EXISTS nothing") {
            scene.wait_applied(daemon).await;
        }
        match session.try_sql(&sql).await {
            Ok(_) => {
                taken.insert(line);
            }
            Err(error) => refused.push(format!("{line}\n    {error}")),
        }
    }
    eprintln!("{format}: {} taken, {} refused:\n{}", taken.len(), refused.len(), refused.join("\n"));
    goes_on(scene, daemon, format).await;
    mysql.sql(&format!("DROP DATABASE {other}")).await;
    goes_on(scene, daemon, "DROP DATABASE").await;
    taken
}

async fn passes(kind: Kind, lists: &[&str], formats: &[&str], least: usize) {
    // Some statements are about the server.
    let mysql = kind.private(&["--secure-file-priv="]).await;
    let scene = Scene::on(&mysql, postgres().await, &format!("foreign_{}", kind.name())).await;
    scene.source.sql(CARRIED).await;
    if kind != Kind::Maria {
        mysql.sql("SET GLOBAL log_bin_trust_function_creators = 1").await;
    }
    let daemon = scene.start().await;
    let mut taken = BTreeSet::new();
    for format in formats {
        taken.extend(run(&scene, &daemon, lists, format).await);
    }
    assert!(taken.len() >= least, "the server took {} statements only", taken.len());
    // Once more, from the log's own words, read by a new stream.
    daemon.restart();
    scene.source.sql("INSERT INTO t VALUES (5000, 'restarted')").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert!(daemon.log().contains("they reach no table of this task"), "nothing was told of what passed");
}

const FORMATS: [&str; 3] = ["ROW", "STATEMENT", "MIXED"];

#[tokio::test]
async fn of_mysql_9_7() {
    passes(Kind::Gtids97, &[COMMON, MYSQL97], &FORMATS, 300).await;
}

#[tokio::test]
async fn of_mysql_9_7_by_file_positions() {
    passes(Kind::Files97, &[COMMON, MYSQL97], &["MIXED", "STATEMENT"], 300).await;
}

#[tokio::test]
async fn of_mysql_5_6() {
    passes(Kind::Files56, &[COMMON], &FORMATS, 230).await;
}

#[tokio::test]
async fn of_mysql_5_6_with_gtids() {
    passes(Kind::Gtids56, &[COMMON], &["STATEMENT"], 200).await;
}

#[tokio::test]
async fn of_mariadb() {
    passes(Kind::Maria, &[COMMON, MARIADB], &FORMATS, 350).await;
}
