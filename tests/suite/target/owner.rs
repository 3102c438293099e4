//! Takeovers.

use super::{at, connect, endpoint, source};
use crate::harness::{
    DEADLINE, PostgresDatabase, Proxy, eventually, eventually_some, on_greenplum, postgres,
};
use rowferry::testing::change::Retry;
use rowferry::testing::change::state::ChunkRecord;
use rowferry::testing::config::types::TargetEndpoint;
use rowferry::testing::sink::{Owner, SinkError, SinkErrorKind};

/// Ends the session that holds the owner's lock, as a network or an administrator would; the owner does not know.
async fn cut_lock(database: &PostgresDatabase<'_>, owner: &Owner) {
    let pid = owner.session().backend_pid();
    database.sql(&format!("SELECT pg_terminate_backend({pid})")).await;
    eventually(DEADLINE, "the lock's session ends", async || {
        database.one(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")).await == "0"
    })
    .await;
}

#[tokio::test]
async fn a_second_owner_is_told_who_holds_the_task() {
    let database = postgres().await.database("second_owner").await;
    let first = Owner::take(&endpoint(&database), "shop").await.unwrap();
    let error = Owner::take(&endpoint(&database), "shop").await.map(|_| ()).unwrap_err();
    assert_eq!(error.retry(), Retry::AfterBackoff);
    let SinkErrorKind::Owned { owner, .. } = &error.kind else { panic!("{error}") };
    for part in [
        format!("process {} on host", std::process::id()),
        format!("server process {}", first.session().backend_pid()),
        "rowferry/shop/owner".to_owned(),
        "127.0.0.1".to_owned(),
    ] {
        assert!(owner.contains(&part), "{part} in {owner}");
    }
    first.check().await.unwrap();
    Owner::take(&endpoint(&database), "other").await.unwrap();
    drop(first);
    let second = eventually_some(DEADLINE, "the task is free", async || {
        Owner::take(&endpoint(&database), "shop").await.ok()
    })
    .await;
    assert_eq!(second.store().epoch(), 2);
}

#[tokio::test]
async fn a_takeover_ends_the_writers_that_the_earlier_owner_left() {
    let database = postgres().await.database("left_writers").await;
    database.sql("CREATE TABLE t (id int PRIMARY KEY)").await;
    let first = Owner::take(&endpoint(&database), "shop").await.unwrap();
    let (worker, stranger) = (connect(&database).await, connect(&database).await);
    first.register(&worker, "apply").await.unwrap();
    let head = first.store().start(&worker, &at(4)).await.unwrap();
    worker.client().batch_execute("BEGIN; INSERT INTO public.t VALUES (1)").await.unwrap();
    first.store().advance(&worker, &head, &at(5)).await.unwrap();
    // A record whose process number was given to somebody else since.
    database
        .sql(&format!(
            "INSERT INTO rowferry.shop_owner SELECT 1, 9, 'old', {}, '2001-01-01', 'h', 1",
            stranger.backend_pid()
        ))
        .await;
    cut_lock(&database, &first).await;
    let second = Owner::take(&endpoint(&database), "shop").await.unwrap();
    assert!(worker.client().batch_execute("COMMIT").await.is_err());
    assert_eq!(database.one("SELECT count(*) FROM t").await, "0");
    stranger.client().batch_execute("SELECT 1").await.unwrap();
    let stored = second.store().load(second.session()).await.unwrap().checkpoint.unwrap();
    assert_eq!((stored.epoch, stored.sequence, &stored.position), (2, 2, &at(4)));
    assert_eq!(database.one("SELECT count(*) FROM rowferry.shop_owner").await, "1", "old records are gone");
    second.store().advance(second.session(), &stored, &at(5)).await.unwrap();
}

#[tokio::test]
async fn a_session_that_registers_while_the_task_is_taken_is_ended_too() {
    let database = postgres().await.database("registers_late").await;
    let first = Owner::take(&endpoint(&database), "shop").await.unwrap();
    let late = connect(&database).await;
    cut_lock(&database, &first).await;
    let proxy = Proxy::start(database.server.port());
    // What was on record has been read by then.
    let ends = proxy.hold("pg_terminate_backend");
    let to = TargetEndpoint { host: "127.0.0.1".into(), port: proxy.port(), ..database.endpoint() };
    let takeover = tokio::spawn(async move { Owner::take(&to, "shop").await });
    ends.wait().await;
    let pid = late.backend_pid();
    database
        .sql(&format!(
            "INSERT INTO rowferry.shop_owner SELECT 1, 9, 'late', {pid}, backend_start, 'h', 1 \
             FROM pg_stat_activity WHERE pid = {pid}"
        ))
        .await;
    drop(ends);
    let second = takeover.await.unwrap().unwrap();
    assert!(late.client().batch_execute("SELECT 1").await.is_err());
    assert_eq!(second.store().epoch(), 2);
}

#[tokio::test]
async fn an_owner_that_lost_the_task_unnoticed_can_write_nothing_more() {
    let database = postgres().await.database("lost_unnoticed").await;
    let first = Owner::take(&endpoint(&database), "shop").await.unwrap();
    // Never registered, so the takeover cannot end it: only the epoch is left to keep it out.
    let worker = connect(&database).await;
    let head = first.store().start(&worker, &at(4)).await.unwrap();
    cut_lock(&database, &first).await;
    let second = Owner::take(&endpoint(&database), "shop").await.unwrap();
    let chunk = ChunkRecord { number: 0, after: None, upto: None, rows: 1 };
    let stale = first.store();
    for result in [
        stale.advance(&worker, &head, &at(5)).await.map(|_| ()),
        stale.start(&worker, &at(5)).await.map(|_| ()),
        stale.record_chunk(&worker, &source("t"), &chunk).await,
    ] {
        assert!(result.as_ref().is_err_and(SinkError::is_moved), "{result:?}");
    }
    let error = first.check().await.unwrap_err();
    assert!(matches!(error.kind, SinkErrorKind::Connection { .. }), "{error}");
    assert!(first.register(&worker, "late").await.is_err());
    let stored = second.store().load(second.session()).await.unwrap();
    assert_eq!(stored.checkpoint.unwrap().position, at(4));
}

#[tokio::test]
async fn a_raised_epoch_is_noticed_by_the_owner_that_still_has_its_session() {
    let database = postgres().await.database("raised_epoch").await;
    let owner = Owner::take(&endpoint(&database), "shop").await.unwrap();
    database
        .sql("INSERT INTO rowferry.shop_owner SELECT epoch + 1, 0, role, backend_pid, backend_start, host, process_id FROM rowferry.shop_owner")
        .await;
    assert!(owner.check().await.is_err_and(|error| error.is_moved()));
    let worker = connect(&database).await;
    assert!(owner.register(&worker, "apply").await.is_err_and(|error| error.is_moved()));
}

#[tokio::test]
async fn a_checkpoint_in_flight_and_a_takeover_cannot_both_succeed() {
    let database = postgres().await.database("in_flight").await;
    let first = Owner::take(&endpoint(&database), "shop").await.unwrap();
    let worker = connect(&database).await;
    let head = first.store().start(&worker, &at(4)).await.unwrap();
    worker.client().batch_execute("BEGIN").await.unwrap();
    first.store().advance(&worker, &head, &at(5)).await.unwrap();
    cut_lock(&database, &first).await;
    // The unregistered writer holds the next sequence number: the takeover waits for it and then sees its commit.
    let to = endpoint(&database);
    let takeover = tokio::spawn(async move { Owner::take(&to, "shop").await });
    // On Greenplum it is a segment's process that waits.
    let session = if on_greenplum() { "a.sess_id = l.mppsessionid" } else { "a.pid = l.pid" };
    let waiting = format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON {session} \
         WHERE a.datname = current_database() AND l.locktype = 'transactionid' AND NOT l.granted"
    );
    eventually(DEADLINE, "the takeover waits", async || database.one(&waiting).await == "1").await;
    worker.client().batch_execute("COMMIT").await.unwrap();
    let error = takeover.await.unwrap().map(|_| ()).unwrap_err();
    assert!(error.is_moved(), "{error}");
    let second = eventually_some(DEADLINE, "the task is free", async || {
        Owner::take(&endpoint(&database), "shop").await.ok()
    })
    .await;
    let stored = second.store().load(second.session()).await.unwrap().checkpoint.unwrap();
    assert_eq!((stored.sequence, stored.position), (3, at(5)));
}
