//! Tables are compared for as long as the task runs, and what is found is told, kept over restarts, and put right where that is wanted.

use crate::harness::{DEADLINE, Daemon, Scene, eventually, rowferry};
use rowferry::testing::change::status::Verified;
use rowferry::testing::change::verdict::Outcome;

const EVER: &str = "{ mode = \"continuous\", rows_per_second = 0, pause = \"1s\" }";
const REPAIRING: &str = "{ mode = \"continuous\", rows_per_second = 0, pause = \"1s\", repair = true }";

/// Waits until what is told of the comparisons of a table is so.
async fn verified(daemon: &Daemon, table: &str, is_so: impl Fn(&Verified) -> bool) -> Verified {
    let what = format!("{table} is compared");
    let task = daemon.wait_task(&what, DEADLINE, |task| task.verified.get(table).is_some_and(&is_so)).await;
    task.verified[table].clone()
}

#[tokio::test]
async fn a_difference_is_found_told_and_kept_over_a_restart() {
    let scene = Scene::new("verify_ever").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    scene.source.sql("CREATE TABLE u (id INT PRIMARY KEY, v INT); INSERT INTO u VALUES (1, 1)").await;
    let daemon = scene.start_with(&scene.config().task("verify", EVER)).await;
    verified(&daemon, "verify_ever.t", |told| told.outcome == Outcome::Equal && told.rows == 2).await;
    verified(&daemon, "verify_ever.u", |told| told.outcome == Outcome::Equal).await;
    scene.source.sql("SET sql_log_bin = 0; INSERT INTO t VALUES (3, 3)").await;
    let told = verified(&daemon, "verify_ever.t", |told| told.outcome == Outcome::Different).await;
    assert_eq!((told.differences, told.open(), told.repaired_ever), (1, 1, 0), "{told:?}");
    assert!(daemon.log().contains("source and target differ"), "{}", daemon.log_tail());
    let metrics = daemon.get("/metrics").await.unwrap().1;
    let open = "rowferry_verify_open_rows{task=\"main\",table=\"verify_ever.t\"} 1";
    assert!(metrics.contains(open), "{metrics}");
    let page = daemon.get("/").await.unwrap().1;
    assert!(page.contains("1 ROWS DIFFER"), "{page}");
    // The stream goes on all the while.
    scene.source.sql("INSERT INTO u VALUES (2, 2)").await;
    scene.assert_exact(&daemon, &["u"]).await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let told = rowferry(&["status", "-c", &config]).await;
    assert!(told.stdout.contains("1 ROWS DIFFER"), "{told:?}");
    let ever = daemon.task().await.is_none();
    assert!(ever, "it has ended");
    daemon.reconfigure(&scene.config().task("verify", REPAIRING));
    daemon.start_again().await;
    let told = verified(&daemon, "verify_ever.t", |told| told.repaired_ever == 1).await;
    assert!(told.differences_ever >= 2, "what was told before counts: {told:?}");
    verified(&daemon, "verify_ever.t", |told| told.outcome == Outcome::Equal).await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

#[tokio::test]
async fn a_comparison_goes_on_where_a_kill_broke_it_off_and_others_have_their_turn_before() {
    let scene = Scene::new("verify_goes_on").await;
    scene.source.sql(&crate::healing::rows("t", 45_000)).await;
    scene.source.sql("CREATE TABLE u (id INT PRIMARY KEY, v INT); INSERT INTO u VALUES (1, 1)").await;
    let slowly = "{ mode = \"continuous\", rows_per_second = 2000, pause = \"1s\" }";
    let daemon = scene.start_with(&scene.config().task("verify", slowly)).await;
    // Some way, which takes seconds, is on record.
    let some_way = "SELECT count(*) FROM rowferry.main_begun WHERE begun LIKE '%along_source%'";
    eventually(DEADLINE, "a part is compared", async || {
        scene.target.try_sql(some_way).await.is_ok_and(|rows| rows[0][0].as_deref() == Some("1"))
    })
    .await;
    daemon.kill9();
    let spoilt = format!("UPDATE {}.t SET w = -1 WHERE id IN (1, 44999)", scene.source.name);
    scene.target.sql(&spoilt).await;
    daemon.restart();
    let task = daemon
        .wait_task("u has its turn", DEADLINE, |task| task.verified.contains_key("verify_goes_on.u"))
        .await;
    assert!(!task.verified.contains_key("verify_goes_on.t"), "{:?}", task.verified);
    // All of it was compared, and what was spoilt behind its back is for the next one.
    let told = verified(&daemon, "verify_goes_on.t", |_| true).await;
    assert_eq!((told.outcome, told.rows, told.differences), (Outcome::Different, 45_000, 1), "{told:?}");
    daemon.reconfigure(&scene.config().task("verify", EVER));
    daemon.start_again().await;
    verified(&daemon, "verify_goes_on.t", |told| told.rows == 45_000 && told.differences == 2).await;
    assert_eq!(scene.target.one(some_way).await, "0");
}

/// `ROWFERRY_REPAIR_KILLS` makes it long.
#[tokio::test]
async fn a_repair_that_is_killed_leaves_rows_as_they_were_or_right() {
    let scene = Scene::new("verify_killed").await;
    scene.source.sql(&crate::healing::rows("t", 5_000)).await;
    let daemon = scene.start_with(&scene.config().task("verify", REPAIRING)).await;
    let kills: u64 = std::env::var("ROWFERRY_REPAIR_KILLS").map_or(4, |text| text.parse().unwrap());
    let (mut round, mut inside) = (0, 0);
    while inside < kills {
        assert!(round < kills * 4, "{inside} of {round} kills have come in the middle of a repair");
        round += 1;
        let name = &scene.source.name;
        scene
            .target
            .sql(&format!(
                "UPDATE {name}.t SET w = -1 WHERE id % 2 = 0; DELETE FROM {name}.t WHERE id % 5 = 0"
            ))
            .await;
        scene.source.sql(&format!("UPDATE t SET v = 'round {round}' WHERE id % 3 = 0")).await;
        let wrong = format!("SELECT count(*) FROM {name}.t WHERE w = -1");
        let at_work = async || scene.target.one(&wrong).await.parse::<u64>().unwrap() < 2_000;
        eventually(DEADLINE, "rows are put right", at_work).await;
        // Sooner or later in its work.
        crate::harness::pause(std::time::Duration::from_millis(round % 7 * 5)).await;
        daemon.kill9();
        inside += u64::from(scene.target.one(&wrong).await != "0");
        daemon.start_again().await;
    }
    // By a comparison that has ended since: what the stream met of rows that a hand had taken is drift, and rightly told.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // The first to end may have been begun before the last kill, and go on behind rows that were changed after it had passed them.
    let first = verified(&daemon, "verify_killed.t", |told| told.at > since).await;
    let is_equal = |told: &Verified| told.at > first.at && told.outcome == Outcome::Equal;
    verified(&daemon, "verify_killed.t", is_equal).await;
    scene.wait_applied(&daemon).await;
    scene.assert_equal("t").await;
}
