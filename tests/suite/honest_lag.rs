//! Lag and readiness are true or not told: while commits fail, while the source is silent, and while a task waits.

use crate::harness::{DEADLINE, Daemon, Proxy, Scene, eventually, mysql97, only_postgres, postgres};
use std::time::Duration;

async fn is_ready(daemon: &Daemon) -> bool {
    daemon.get("/readyz").await.is_some_and(|(code, _)| code == 200)
}

#[tokio::test]
async fn a_task_is_not_ready_before_what_failed_is_committed() {
    if only_postgres("the index is made of a function of PL/pgSQL") {
        return;
    }
    let scene = Scene::new("lag_failing").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let daemon = scene.start().await;
    let full = "CREATE FUNCTION room(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \
                $$ BEGIN IF v = 0 THEN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END IF; RETURN v; END $$; \
                CREATE INDEX room ON lag_failing.t (room(v))";
    scene.target.sql(full).await;
    scene.source.sql("INSERT INTO t VALUES (1, 1)").await;
    eventually(DEADLINE, "the task is ready", async || is_ready(&daemon).await).await;

    scene.source.sql("INSERT INTO t VALUES (2, 0)").await;
    daemon.wait_task("a commit fails", DEADLINE, |task| task.restarts > 0).await;
    let mut behind = 10;
    eventually(DEADLINE, "four attempts fail", async || {
        behind += 1;
        scene.source.sql(&format!("INSERT INTO t VALUES ({behind}, 1)")).await;
        let (code, why) = daemon.get("/readyz").await.expect("the daemon answers");
        assert!(code == 503 && why.contains("no room") || why.contains("Prechecking"), "{code}: {why}");
        let task = daemon.task().await.expect("the daemon answers");
        assert_ne!(task.lag_millis, Some(0), "{task:?}");
        task.restarts >= 4
    })
    .await;
    scene.target.sql("DROP INDEX lag_failing.room").await;
    eventually(DEADLINE, "the task is ready again", async || is_ready(&daemon).await).await;
    scene.wait_applied(&daemon).await;
    scene.assert_equal("t").await;
}

#[tokio::test]
async fn nothing_is_told_of_a_source_that_is_silent() {
    let scene = Scene::new("lag_silent").await;
    let proxy = Proxy::start(scene.source.server.port());
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let daemon = scene.start_with(&scene.config_through(Some(&proxy), None)).await;
    daemon.wait_task("it has all there is", DEADLINE, |task| task.lag_millis == Some(0)).await;
    assert!(is_ready(&daemon).await);

    proxy.stall();
    scene.source.sql("INSERT INTO t VALUES (1)").await;
    let silent = Duration::from_secs(10);
    daemon.wait_task("the lag is not known", silent, |task| task.lag_millis.is_none()).await;
    let (code, why) = daemon.get("/readyz").await.expect("the daemon answers");
    assert!(code == 503 && why.contains("nothing heard from the source"), "{code}: {why}");
    let (_, metrics) = daemon.get("/metrics").await.expect("the daemon answers");
    assert!(!metrics.contains("rowferry_task_lag_milliseconds{"), "{metrics}");
    assert!(metrics.contains("rowferry_task_ready{task=\"main\"} 0"), "{metrics}");
    let waits = |words: &str| words.contains("the source, of which nothing was heard");
    daemon.wait_task("it says so", DEADLINE, |task| task.waiting_for.as_deref().is_some_and(waits)).await;
    proxy.mend();
    eventually(DEADLINE, "the task is ready again", async || is_ready(&daemon).await).await;
    scene.wait_applied(&daemon).await;
    scene.assert_equal("t").await;
}

#[tokio::test]
async fn a_task_that_waits_says_for_what() {
    let scene = Scene::on(mysql97().await, postgres().await, "lag_waiting").await;
    let proxy = Proxy::start(scene.source.server.port());
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    proxy.stall();
    let config = scene.config_through(Some(&proxy), None);
    let waits_for = async |daemon: &Daemon, what: &str| {
        let told = |words: &str| words.contains(what);
        daemon.wait_task(what, DEADLINE, |task| task.waiting_for.as_deref().is_some_and(told)).await
    };
    let first = Daemon::start(&config);
    waits_for(&first, "an answer of source src").await;
    proxy.mend();
    first.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(first.task().await.and_then(|task| task.waiting_for), None);

    let second = Daemon::start(&config);
    waits_for(&second, "another owner to let go of it: process ").await;
    first.kill9();
    second.wait_phase("Synchronizing", DEADLINE).await;
}
