//! UPDATE and DELETE take the whole table on Greenplum: what tasks and workers do at once must not wait for one another.

use super::scene;
use crate::harness::{DEADLINE, greenplum};
use crate::target::at;
use rowferry::testing::change::TableName;
use rowferry::testing::change::state::ChunkRecord;
use rowferry::testing::sink::{Owner, Session};
use std::time::Duration;

/// Far less than `lock_timeout`, far more than a statement.
const AT_ONCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn open_transactions_of_tasks_and_copy_workers_do_not_wait_for_one_another() {
    let Some(server) = greenplum().await else { return };
    let database = server.database("gp_locks").await;
    let to = database.endpoint();
    let (one, two) = (Owner::take(&to, "one").await.unwrap(), Owner::take(&to, "two").await.unwrap());
    database.sql("CREATE TABLE t (id int PRIMARY KEY) DISTRIBUTED BY (id)").await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(Session::connect(&to, "suite").await.unwrap());
    }
    let [first, second, third, fourth] = &sessions[..] else { panic!("four sessions") };
    let heads =
        [one.store().start(first, &at(4)).await.unwrap(), two.store().start(second, &at(4)).await.unwrap()];
    for (number, session) in sessions.iter().enumerate() {
        let begin = format!("BEGIN; INSERT INTO public.t VALUES ({number})");
        session.client().batch_execute(&begin).await.unwrap();
    }
    // All four transactions stay open: two checkpoints of two tasks, two chunks of one.
    let writes = async {
        one.store().advance(first, &heads[0], &at(5)).await.unwrap();
        two.store().advance(second, &heads[1], &at(5)).await.unwrap();
        for (number, session) in [(0, third), (1, fourth)] {
            let chunk = ChunkRecord { number, after: None, upto: None, rows: 1 };
            one.store().record_chunk(session, &TableName::new("shop", "t"), &chunk).await.unwrap();
        }
        // A worker that comes, and the owner's check, while those are open.
        one.register(first, "late").await.unwrap();
        one.check().await.unwrap();
    };
    tokio::time::timeout(AT_ONCE, writes).await.expect("one waits for another");
    for session in &sessions {
        session.client().batch_execute("COMMIT").await.unwrap();
    }
    assert_eq!(database.one("SELECT count(*) FROM t").await, "4");
}

#[tokio::test]
async fn pruned_records_give_their_space_back() {
    let Some(server) = greenplum().await else { return };
    let database = server.database("gp_pruned").await;
    let owner = Owner::take(&database.endpoint(), "shop").await.unwrap();
    let session = Session::connect(&database.endpoint(), "suite").await.unwrap();
    let mut head = owner.store().start(&session, &at(4)).await.unwrap();
    let size = "SELECT pg_relation_size('rowferry.shop_position')";
    let mut sizes = Vec::new();
    for round in 0..10_u64 {
        session.client().batch_execute("BEGIN").await.unwrap();
        for offset in 0..500 {
            head = owner.store().advance(&session, &head, &at(5 + round * 500 + offset)).await.unwrap();
        }
        session.client().batch_execute("COMMIT").await.unwrap();
        owner.store().prune(&session, &head).await.unwrap();
        owner.store().vacuum(&session).await.unwrap();
        sizes.push(database.one(size).await.parse::<u64>().unwrap());
    }
    assert_eq!(database.one("SELECT count(*) FROM rowferry.shop_position").await, "101");
    // Without VACUUM every round adds as much as the first; with it what others still see stays for a round or two.
    assert!(sizes[9] < sizes[0] * 5, "{sizes:?}");
}

/// VACUUM and DELETE of one table exclude each other on Greenplum: neither may end the other, whoever comes first.
#[tokio::test]
async fn vacuum_waits_for_its_turn_and_takes_it() {
    let Some(scene) = scene("on_gp_vacuum_waits").await else { return };
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT); \
             INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i, 0 FROM n",
        )
        .await;
    // Greenplum needs no mode = "on".
    let config = scene.config().task("vacuum", "{ threshold = 0.1, min_rows = 100 }");
    let daemon = scene.start_with(&config).await;
    daemon
        .wait_task("the table is analyzed", DEADLINE, |task| {
            task.tables.values().all(|table| table.upkeep.analyzed > 0)
        })
        .await;
    scene.source.sql("UPDATE t SET v = v + 1").await;
    scene.wait_applied(&daemon).await;
    // Rows still go in beside this lock, but no VACUUM.
    let mut other = scene.target.session().await;
    other.sql("BEGIN; LOCK TABLE on_gp_vacuum_waits.t IN SHARE UPDATE EXCLUSIVE MODE").await;
    scene.source.sql("INSERT INTO t VALUES (1000, 1)").await;
    scene.wait_applied(&daemon).await;
    other.sql("COMMIT").await;
    scene.source.sql("UPDATE t SET v = v + 1 WHERE id < 50").await;
    daemon
        .wait_task("the table is vacuumed", DEADLINE, |task| {
            task.tables.values().all(|table| table.upkeep.vacuumed > 0)
        })
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}
