//! What the command says where there is nothing to compare, and that it needs no daemon.

use super::{assert_verified, verdicts, verify};
use crate::harness::{DEADLINE, Mysql, Scene, postgres};
use rowferry::testing::change::verdict::Outcome;

#[tokio::test]
async fn it_works_without_a_daemon_and_names_what_it_cannot_compare() {
    // While no daemon runs nobody brings the checkpoint to where others move the log's end.
    let mysql = Mysql::private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "verify_commands").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO t VALUES (1, 'a'); \
             CREATE TABLE p (id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO p VALUES (1, 'a')",
        )
        .await;
    let config = scene.config().healing();
    let daemon = scene.start_with(&config).await;
    // Nothing is compared that is none of the task's.
    let told = verify(&daemon, &["nowhere.t"]).await;
    assert!(told.code == 1 && told.stderr.contains("nowhere.t is not on record"), "{told:?}");
    let told = verify(&daemon, &["t"]).await;
    assert!(told.code == 2 && told.stderr.contains("database.table"), "{told:?}");
    assert_verified(&daemon).await;

    scene.source.sql("UPDATE p SET v = 'a\\0b'").await;
    crate::healing::parked(&scene, &daemon, "p").await;
    let said = verdicts(&daemon, &[]).await;
    assert_eq!(said["t"].outcome, Outcome::Equal);
    assert_eq!(said["p"].outcome, Outcome::NotCompared);
    assert!(
        said["p"].why.as_ref().is_some_and(|why| why.contains("parked") && why.contains("NUL")),
        "{said:?}"
    );
    scene.wait_applied(&daemon).await;

    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    scene.target.sql(&format!("DELETE FROM {}.t", scene.source.name)).await;
    let table = format!("{}.t", scene.source.name);
    let said = verdicts(&daemon, &[&table, "--repair"]).await;
    assert_eq!((said.len(), said["t"].outcome, said["t"].missing), (1, Outcome::Repaired, 1), "{said:?}");
    let told = verify(&daemon, &[&table]).await;
    assert!(told.code == 0 && told.stdout.contains(&format!("{table}: equal, 1 rows")), "{told:?}");
}

#[tokio::test]
async fn a_task_that_has_not_begun_has_nothing_to_compare() {
    let scene = Scene::new("verify_not_begun").await;
    scene.source.sql("CREATE TABLE t (id INT, v INT)").await;
    // No primary key: its check fails.
    let daemon = crate::harness::Daemon::start(&scene.config());
    daemon.wait_phase("Failed", DEADLINE).await;
    let told = verify(&daemon, &[]).await;
    assert_eq!(told.code, 75, "{told:?}");
    assert!(told.stderr.contains("has not begun"), "{told:?}");
}
