//! Tables that several sources feed.

use super::{connect, target};
use crate::harness::{DEADLINE, WAITS_FOR_LOCK, eventually, postgres};
use rowferry::testing::sink::ddl;

/// A copy worker that was given up may have its COMMIT on the way.
#[tokio::test]
async fn rows_that_are_about_to_be_committed_are_taken_out_too() {
    let database = postgres().await.database("taken_out").await;
    database
        .sql("CREATE TABLE t (id integer PRIMARY KEY, tag text); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
        .await;
    let mut worker = database.session().await;
    worker.sql("BEGIN; INSERT INTO t VALUES (3, 'a')").await;
    let session = connect(&database).await;
    let taking_out = tokio::spawn(async move {
        session.client().batch_execute("BEGIN").await.unwrap();
        let tagged = ddl::Clear::Tagged { column: "tag".into(), tag: "a".into() };
        ddl::clear(&session, &target("public", "t"), &tagged).await.unwrap();
        session.client().batch_execute("COMMIT").await.unwrap();
    });
    eventually(DEADLINE, "it waits for the worker", async || {
        assert!(!taking_out.is_finished(), "it has not waited");
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity a WHERE datname = current_database() AND {WAITS_FOR_LOCK}"
        );
        database.one(&waiting).await == "1"
    })
    .await;
    worker.sql("COMMIT").await;
    taking_out.await.unwrap();
    assert_eq!(database.one("SELECT string_agg(id::text, ' ') FROM t").await, "2");
}
