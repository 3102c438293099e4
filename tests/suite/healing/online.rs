//! Tools that change a table's definition while it is written to: they fill another table and give it the name.

use super::carried;
use crate::harness::{Comparison, DEADLINE, Kind, Scene, pause, postgres};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// What the tool is told to change, one after the other.
const CHANGES: [&str; 4] =
    ["ADD COLUMN x INT NOT NULL DEFAULT 5", "ADD INDEX by_w (w)", "MODIFY v VARCHAR(60)", "DROP COLUMN w"];

async fn pt_online_schema_change(scene: &Scene<'_>, change: &str) {
    let mut tool = tokio::process::Command::new("pt-online-schema-change");
    tool.args(["--execute", "--no-version-check", "--recursion-method", "none", "--chunk-size", "100"]);
    tool.args(["--no-check-replication-filters", "--max-load", "", "--critical-load", "", "--alter", change]);
    tool.arg(format!("h=127.0.0.1,P={},u=root,D={},t=t", scene.source.server.port(), scene.source.name));
    let output = tool.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(DEADLINE, output).await.expect("it ends").expect("it is installed");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("Successfully altered"), "{change}: {told}");
}

async fn follows(kind: Kind) {
    let scene =
        Scene::on(kind.shared().await, postgres().await, &format!("healing_online_{}", kind.name())).await;
    for table in ["t", "other"] {
        let values: Vec<String> = (1..=500).map(|id| format!("({id}, 'row {id}', {id})")).collect();
        scene
            .source
            .sql(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(40), w INT); INSERT INTO {table} VALUES {}",
                values.join(", ")
            ))
            .await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    let (stop, written) = (AtomicBool::new(false), AtomicU32::new(0));
    let writing = async {
        let mut session = scene.source.session().await;
        while !stop.load(Relaxed) {
            let number = written.fetch_add(1, Relaxed);
            let (id, old) = (number % 500 + 1, number % 200 + 1);
            // The tool's triggers may make it the victim of a deadlock.
            let written = session
                .try_sql(&format!(
                    "BEGIN; UPDATE t SET v = 'v{number}' WHERE id = {id}; UPDATE other SET w = {number} WHERE id = {id}; \
                     DELETE FROM t WHERE id = {old}; INSERT INTO t (id, v) VALUES ({old}, 'n{number}'); COMMIT"
                ))
                .await;
            if written.is_err() {
                session.sql("ROLLBACK").await;
            }
            pause(Duration::from_millis(5)).await;
        }
    };
    let changing = async {
        for change in CHANGES {
            pt_online_schema_change(&scene, change).await;
            let swapped = daemon.log().matches("the table is copied again").count();
            carried(&scene, &daemon, "t").await;
            assert!(swapped > 0, "{change}: nothing was swapped:\n{}", daemon.log());
        }
        stop.store(true, Relaxed);
    };
    tokio::join!(writing, changing);
    scene.wait_applied(&daemon).await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["other"]).await;
    let names = [scene.source.name.clone() + ".t", scene.target.test().to_owned() + ".t"];
    let compared = Comparison::new(&names[0], &names[1]).target_may_have_more();
    assert_eq!(compared.run(scene.source.server, &scene.target).await, Ok(500));
    let helpers = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND (relname LIKE '\\_t\\_%' OR relname LIKE '%\\_rowferry\\_%')";
    assert_eq!(scene.target.one(helpers).await, "0");
    assert_eq!(
        daemon.log().matches("INFO Synchronizing").count(),
        1,
        "the task left Synchronizing:\n{}",
        daemon.log()
    );
    assert!(written.load(Relaxed) > 50, "nothing was written meanwhile");
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mysql_9_7() {
    follows(Kind::Gtids97).await;
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mysql_5_6() {
    follows(Kind::Files56).await;
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mariadb() {
    follows(Kind::Maria).await;
}
