//! A row of the target whose source row has no form there, and that nothing keeps: comparing tells it, and never deletes it.

use super::{config, ids, kept};
use crate::harness::{DEADLINE, Scene};
use crate::verify::verdicts;
use rowferry::testing::change::verdict::Outcome;

#[tokio::test]
async fn a_row_of_another_policy_differs_and_is_not_deleted() {
    let scene = Scene::new("quarantine_policy").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO t VALUES (1, 'one'), (2, 'a\\0b'), (3, 'three')")
        .await;
    let daemon = scene.start_with(&config(&scene).task("nul_bytes", "\"strip\"")).await;
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    daemon.reconfigure(&config(&scene));
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    // What else differs is put right.
    scene.target.sql("DELETE FROM quarantine_policy.t WHERE id = 1; INSERT INTO quarantine_policy.t VALUES (9, 'nine')").await;
    for (arguments, differences, repaired) in [(&[][..], 3, 0), (&["--repair"], 3, 2), (&["--repair"], 1, 0)]
    {
        let verdict = &verdicts(&daemon, arguments).await["t"];
        let found = (verdict.outcome, verdict.differences(), verdict.different, verdict.repaired);
        assert_eq!(found, (Outcome::Different, differences, 1, repaired), "{verdict:?}");
    }
    assert_eq!((ids(&scene, "t").await.as_str(), kept(&scene).await.as_str()), ("1,2,3", ""));
    scene.source.sql("UPDATE t SET v = 'c\\0d' WHERE id = 2").await;
    scene.wait_applied(&daemon).await;
    let verdict = &verdicts(&daemon, &["--repair"]).await["t"];
    assert_eq!(
        (verdict.outcome, verdict.quarantined, kept(&scene).await.as_str()),
        (Outcome::Equal, 1, "id = 2")
    );
}

#[tokio::test]
async fn a_row_whose_update_is_not_carried_is_not_deleted() {
    let scene = Scene::new("quarantine_operations").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))").await;
    let daemon = scene.start_with(&config(&scene).task("operations", "[\"insert\", \"delete\"]")).await;
    scene
        .source
        .sql("INSERT INTO t VALUES (1, 'one'), (2, 'two'); UPDATE t SET v = '\\0' WHERE id = 2")
        .await;
    scene.wait_applied(&daemon).await;
    let verdict = &verdicts(&daemon, &["--repair"]).await["t"];
    assert_eq!((verdict.outcome, verdict.repaired), (Outcome::Equal, 0), "{verdict:?}");
    assert_eq!(ids(&scene, "t").await, "1,2");
}
