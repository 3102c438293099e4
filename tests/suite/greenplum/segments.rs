//! A segment's processes that end under a session: its temporary tables are gone while the connection lives on.

use super::scene;
use crate::apply::fixture::{Shape, layout, run};
use crate::harness::{DEADLINE, PostgresDatabase, eventually, eventually_some, greenplum};
use rowferry::testing::change::Retry;
use rowferry::testing::change::RowOp::Insert;
use rowferry::testing::sink::{Applier, Existing, Session, SinkError};
use tokio_postgres::NoTls;

/// Ends the processes that serve a session (`gp_session_id`) on every segment, as a lost segment would. False, and
/// told, where the segments cannot be reached.
async fn end_on_segments(database: &PostgresDatabase<'_>, session: &str) -> bool {
    let primaries = "SELECT hostname, port FROM gp_segment_configuration WHERE role = 'p' AND content >= 0";
    let mut ended = 0;
    for segment in &database.sql(primaries).await {
        let (Some(host), Some(port)) = (&segment[0], &segment[1]) else { panic!("{segment:?}") };
        let mut config = tokio_postgres::Config::new();
        config.host(if host == "localhost" { "127.0.0.1" } else { host }).port(port.parse().unwrap());
        config.user(database.server.user()).dbname(&database.name);
        config.options("-c gp_session_role=utility");
        let Ok((client, connection)) = config.connect(NoTls).await else {
            eprintln!("greenplum: skipped: segment {host}:{port} cannot be reached");
            return false;
        };
        tokio::spawn(connection);
        let theirs = format!("FROM pg_stat_activity WHERE sess_id = {session} AND pid <> pg_backend_pid()");
        let rows = async |what: &str| {
            let sql = format!("SELECT {what} {theirs}");
            client.simple_query(&sql).await.unwrap().iter().filter(|m| is_row(m)).count()
        };
        ended += rows("pg_terminate_backend(pid)").await;
        eventually(DEADLINE, "the processes end", async || rows("1").await == 0).await;
    }
    assert!(ended > 0, "session {session} has no processes on the segments");
    true
}

fn is_row(message: &tokio_postgres::SimpleQueryMessage) -> bool {
    matches!(message, tokio_postgres::SimpleQueryMessage::Row(_))
}

async fn open(database: &PostgresDatabase<'_>) -> (Session, Applier) {
    Applier::connect(&database.endpoint(), "suite", &[]).await.unwrap()
}

/// A transaction that keeps the rows that are there; it needs staging.
async fn keep(
    (session, applier): &mut (Session, Applier),
    keys: std::ops::Range<i64>,
) -> Result<u64, SinkError> {
    let layout = layout("t", Shape::TwoKeys);
    let rows = run(&layout, &keys.map(|key| (Insert, key, key)).collect());
    let client = session.client();
    client.batch_execute("BEGIN").await.map_err(|error| session.error("BEGIN", error))?;
    let mut chunk = applier.chunk(session, &layout, Existing::Keep);
    chunk.write(&rows).await?;
    let written = chunk.finish().await?;
    client.batch_execute("COMMIT").await.map_err(|error| session.error("COMMIT", error))?;
    Ok(written)
}

#[tokio::test]
async fn staging_that_went_with_a_segment_is_noticed_before_it_is_used() {
    let Some(server) = greenplum().await else { return };
    let database = server.database("gp_staging").await;
    database.sql(&Shape::TwoKeys.create("t")).await;
    let mut writer = open(&database).await;
    assert_eq!(keep(&mut writer, 0..10).await.unwrap(), 10);
    let id: String = writer.0.client().query_one("SHOW gp_session_id", &[]).await.unwrap().get(0);
    if !end_on_segments(&database, &id).await {
        return;
    }
    // The loss is noticed by the first statement that goes to the segments; here by one between batches.
    let lost = writer.0.client().batch_execute("SELECT count(*) FROM public.t").await;
    assert!(lost.is_err(), "the session did not lose its processes");
    let staging = "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()";
    let left: i64 = writer.0.client().query_one(staging, &[]).await.unwrap().get(0);
    assert_eq!(left, 0, "the connection lives on, and so does its temporary table");
    assert_eq!(keep(&mut writer, 5..20).await.unwrap(), 10);
}

#[tokio::test]
async fn a_batch_that_loses_its_segments_is_done_by_a_new_session() {
    let Some(server) = greenplum().await else { return };
    let database = server.database("gp_lost_batch").await;
    database.sql(&Shape::TwoKeys.create("t")).await;
    let mut writer = open(&database).await;
    assert_eq!(keep(&mut writer, 0..10).await.unwrap(), 10);
    let id: String = writer.0.client().query_one("SHOW gp_session_id", &[]).await.unwrap().get(0);
    if !end_on_segments(&database, &id).await {
        return;
    }
    let error = keep(&mut writer, 5..20).await.unwrap_err();
    assert_eq!(error.retry(), Retry::AfterBackoff, "{error}");
    drop(writer);
    let written = eventually_some(DEADLINE, "a new session works", async || {
        keep(&mut open(&database).await, 5..20).await.ok()
    })
    .await;
    assert_eq!(written, 10);
    assert_eq!(database.one("SELECT count(*) || ' ' || count(DISTINCT id) FROM t").await, "20 20");
}

#[tokio::test]
async fn a_task_that_loses_its_segments_in_the_stream_goes_on_and_ends_equal() {
    let Some(scene) = scene("on_gp_segments").await else { return };
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT); \
             INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, 0 FROM n",
        )
        .await;
    let daemon = scene.start().await;
    let applier = "SELECT sess_id FROM pg_stat_activity WHERE application_name = 'rowferry/main/apply' \
                   AND datname = current_database()";
    for round in 1..=3 {
        scene.source.sql("UPDATE t SET v = v + 1").await;
        scene.assert_exact(&daemon, &["t"]).await;
        let session = eventually_some(DEADLINE, "the applier is there", async || {
            scene.target.sql(applier).await.into_iter().flatten().next().flatten()
        })
        .await;
        if !end_on_segments(&scene.target, &session).await {
            return;
        }
        let new = 1000 + round;
        scene
            .source
            .sql(&format!(
                "BEGIN; DELETE FROM t WHERE id = {round}; UPDATE t SET v = v + 1; INSERT INTO t VALUES ({new}, 1); COMMIT"
            ))
            .await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
    assert!(daemon.task().await.unwrap().restarts >= 1, "no loss was noticed");
}
