//! Rows in quarantine are told: by the status, metrics and page, when no daemon runs, and by comparisons.

use super::{config, count, kept};
use crate::harness::{DEADLINE, Scene, rowferry};
use crate::verify::verdicts;
use rowferry::testing::change::verdict::Outcome;

#[tokio::test]
async fn rows_in_quarantine_are_told_and_no_difference() {
    let scene = Scene::new("quarantine_told").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT); INSERT INTO t VALUES (1, 'one', 1)")
        .await;
    let daemon = scene.start_with(&config(&scene)).await;
    scene.target.sql("ALTER TABLE quarantine_told.t ADD CONSTRAINT small CHECK (n > 0)").await;
    scene.source.sql("INSERT INTO t VALUES (2, 'a\\0b', 1), (3, 'three', -1), (4, 'four', 4)").await;
    daemon.wait_task("the rows are counted", DEADLINE, |task| count(task, "t") == 2).await;
    let (_, metrics) = daemon.get("/metrics").await.unwrap();
    let labels = "{task=\"main\",table=\"quarantine_told.t\"}";
    for line in [
        format!("rowferry_quarantined_rows{labels} 2"),
        format!("rowferry_sink_quarantined_rows_total{labels} 2"),
    ] {
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    let (_, page) = daemon.get("/").await.unwrap();
    assert!(page.contains("2 rows in quarantine"), "{page}");
    assert!(daemon.log().contains("a row is in quarantine"));
    // What is missing is found as ever, and what is in quarantine is left there.
    scene.target.sql("DELETE FROM quarantine_told.t WHERE id = 4").await;
    for arguments in [&[][..], &["--repair"], &[]] {
        let verdict = &verdicts(&daemon, arguments).await["t"];
        assert_eq!(verdict.quarantined, 2, "{verdict:?}");
    }
    let verdict = &verdicts(&daemon, &[]).await["t"];
    assert_eq!((verdict.outcome, kept(&scene).await.as_str()), (Outcome::Equal, "id = 2; id = 3"));
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    let path = daemon.config_path().into_os_string().into_string().unwrap();
    let said = rowferry(&["status", "-c", &path]).await;
    assert!(said.stdout.contains("2 rows in quarantine"), "{said:?}");
    daemon.restart();
    daemon.wait_task("the rows are counted again", DEADLINE * 2, |task| count(task, "t") == 2).await;
    scene.source.sql("UPDATE t SET v = 'two', n = id").await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.wait_task("nothing is left", DEADLINE, |task| count(task, "t") == 0).await;
}
