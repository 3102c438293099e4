//! What a task that lost a connection, or met an error that passes, may take for granted, and what it shows meanwhile.

use crate::harness::{DEADLINE, Daemon, Mysql, Scene, only_postgres, postgres};
use rowferry::testing::change::status::Phase;

/// Ends the session that streams the log, as an operator would.
async fn end_stream(mysql: &Mysql) {
    let streams = "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    let mut ended = false;
    for row in mysql.sql(streams).await {
        // One that its client has left may be listed a moment longer.
        ended |= mysql.try_sql(&format!("KILL {}", row[0].as_deref().expect("a number"))).await.is_ok();
    }
    assert!(ended, "a session streams the log");
}

#[tokio::test]
async fn a_source_that_came_back_with_other_settings_is_judged_anew() {
    let mysql = Mysql::private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "other_settings").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let daemon = scene.start().await;
    // What was judged good is not any more; only the settings tell.
    mysql.sql("SET GLOBAL binlog_row_image = 'MINIMAL'").await;
    end_stream(&mysql).await;
    let failed = daemon.wait_task("it fails", DEADLINE, |task| task.phase.name() == "Failed").await;
    let Phase::Failed { error, .. } = failed.phase else { unreachable!() };
    assert!(error.contains("binlog_row_image"), "{error}");
}

/// Tables that others make and alter too are looked at, and nothing more is asked while they are as they were.
#[tokio::test]
async fn a_blip_of_a_task_with_tables_of_others_is_no_start() {
    let mysql = Mysql::private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "blip_of_others").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    scene
        .target
        .sql("CREATE SCHEMA blip_of_others; CREATE TABLE blip_of_others.t (id INT PRIMARY KEY, v INT)")
        .await;
    let config = scene.config().task("existing_tables", "\"ignore\"");
    let daemon = scene.start_with(&config).await;
    let lines = |words: &str| daemon.log().matches(words).count();
    for (change, going_on, anew) in
        [("SELECT 1", 1, 0), ("ALTER TABLE blip_of_others.t ALTER v TYPE BIGINT", 1, 1), ("SELECT 1", 2, 1)]
    {
        scene.target.sql(change).await;
        let restarts = daemon.task().await.unwrap().restarts;
        end_stream(&mysql).await;
        daemon
            .wait_task("it is back", DEADLINE, |task| {
                task.restarts > restarts && task.phase.name() == "Synchronizing"
            })
            .await;
        scene.source.sql("INSERT INTO t SELECT COUNT(*) + 1, 1 FROM t").await;
        scene.assert_exact(&daemon, &["t"]).await;
        assert_eq!(lines("going on from the checkpoint"), going_on, "{change}");
        assert_eq!(lines("target tables are others now"), anew, "{change}");
    }
}

#[tokio::test]
async fn a_table_that_goes_during_its_copy_does_not_keep_the_task_from_synchronizing() {
    let scene = Scene::new("gone_in_copy").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE gone LIKE t")
        .await;
    let rows: Vec<String> = (1..=2000).map(|id| format!("({id})")).collect();
    scene.source.sql(&format!("INSERT INTO gone VALUES {}", rows.join(","))).await;
    let slow = "{ parallel = 1, chunk_rows = 10, max_rows_per_second = 200 }";
    let daemon = Daemon::start(&scene.config().task("snapshot", slow));
    let table = "gone_in_copy.gone";
    daemon
        .wait_task("it is being copied", DEADLINE, |task| {
            task.tables.get(table).is_some_and(|table| table.copied_rows >= 50)
        })
        .await;
    scene.source.sql("DROP TABLE gone").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    let task = daemon.task().await.unwrap();
    assert!(!task.tables.contains_key(table), "{task:?}");
}

/// Several units wait for a lock: that the first of them is late is not hidden by what waits to be taken in.
#[tokio::test]
async fn a_task_whose_target_is_locked_is_late_however_much_waits() {
    let scene = Scene::new("lag_locked").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let daemon = scene.start().await;
    daemon.wait_task("it has all there is", DEADLINE, |task| task.lag_millis == Some(0)).await;
    let mut dba = scene.target.session().await;
    dba.sql("BEGIN; LOCK TABLE lag_locked.t IN ACCESS EXCLUSIVE MODE").await;
    let columns: Vec<String> =
        (1..=6).map(|number| format!("ALTER TABLE t ADD COLUMN c{number} INT")).collect();
    scene.source.sql(&columns.join("; ")).await;
    let task = daemon.wait_task("the lock is told", DEADLINE, |task| task.waiting_for.is_some()).await;
    assert!(task.lag_millis.is_some_and(|lag| lag > 0), "{task:?}");
    dba.sql("COMMIT").await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.wait_task("it has all there is", DEADLINE, |task| task.lag_millis == Some(0)).await;
}

/// A large transaction whose later piece is refused for want of room: nothing of it counts, so the pauses grow.
#[tokio::test]
async fn pieces_that_are_rolled_back_count_for_nothing() {
    if only_postgres("the index is made of a function of PL/pgSQL") {
        return;
    }
    let scene = Scene::new("uncounted").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let daemon = scene.start_with(&scene.config().task("apply", "{ batch_rows = 10 }")).await;
    let full = "CREATE FUNCTION room(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \
                $$ BEGIN IF v = 95 THEN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END IF; RETURN v; END $$; \
                CREATE INDEX room ON uncounted.t (room(v))";
    scene.target.sql(full).await;
    let rows: Vec<String> = (1..=100).map(|id| format!("({id}, {id})")).collect();
    scene.source.sql(&format!("INSERT INTO t VALUES {}", rows.join(","))).await;
    let task = daemon
        .wait_task(
            "the pauses have grown",
            DEADLINE,
            |task| matches!(&task.phase, Phase::Retrying { attempt, .. } if *attempt >= 4),
        )
        .await;
    assert_eq!(task.tables["uncounted.t"].inserts, 0, "{task:?}");
    scene.target.sql("DROP INDEX uncounted.room").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(daemon.task().await.unwrap().tables["uncounted.t"].inserts, 100);
}
