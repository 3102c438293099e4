//! The source is killed or shut down and comes back: between transactions, in one that is on its way into the target, and while
//! it writes one into its log.

use crate::harness::{DEADLINE, Daemon, Kind, Mysql, Scene, eventually, on_every_kind, postgres};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinHandle;

/// How the server goes.
#[derive(Clone, Copy, Debug)]
enum End {
    /// kill -9.
    Killed,
    /// In good order.
    ShutDown,
}

impl End {
    fn begins(self, mysql: &Mysql) {
        match self {
            Self::Killed => mysql.kill(),
            Self::ShutDown => mysql.signal("TERM"),
        }
    }

    async fn ends(self, mysql: &Mysql) {
        match self {
            Self::Killed => {}
            Self::ShutDown => mysql.wait_shut_down().await,
        }
    }
}

fn database(behaviour: &str, kind: Kind) -> String {
    format!("{behaviour}_{}", kind.name())
}

/// Writes transactions on two tables until told to stop, whatever becomes of the connection.
fn write(url: String, database: String, stop: Arc<AtomicBool>) -> JoinHandle<u64> {
    tokio::spawn(async move {
        use mysql_async::prelude::Queryable;
        let mut round = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut connection) = mysql_async::Conn::from_url(format!("{url}/{database}")).await else {
                tokio::task::yield_now().await;
                continue;
            };
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                let transaction = format!(
                    "BEGIN; INSERT INTO t VALUES ({round}, 1); UPDATE t SET v = v + 1 WHERE id > {round} - 5; \
                     INSERT INTO u SELECT id, v FROM t WHERE id = {round}; DELETE FROM t WHERE id = {round} - 9; COMMIT"
                );
                if connection.query_drop(transaction).await.is_err() {
                    break;
                }
            }
        }
        round
    })
}

async fn between_transactions(kind: Kind) {
    let mysql = kind.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, &database("dies_between", kind)).await;
    let tables = "CREATE TABLE t (id BIGINT PRIMARY KEY, v INT) ENGINE = InnoDB; CREATE TABLE u LIKE t";
    scene.source.sql(tables).await;
    let daemon = scene.start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = write(mysql.url(), scene.source.name.clone(), stop.clone());
    let arrived = format!("SELECT count(*) FROM {}.u", scene.source.name);
    for end in [End::Killed, End::ShutDown, End::Killed] {
        let before: u64 = scene.target.one(&arrived).await.parse().unwrap();
        eventually(DEADLINE, "transactions arrive", async || {
            scene.target.one(&arrived).await.parse::<u64>().unwrap() > before + 30
        })
        .await;
        end.begins(&mysql);
        end.ends(&mysql).await;
        mysql.restart().await;
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 90);
    scene.assert_exact(&daemon, &["t", "u"]).await;
    assert!(daemon.task().await.unwrap().restarts > 0, "the daemon has not noticed");
}

on_every_kind!(slow a_source_that_goes_between_transactions_is_followed_on, between_transactions);

/// Rows of 1 kB each, doubled so often.
async fn fill(session: &mut crate::harness::MysqlSession, table: &str, doublings: u32) {
    session.sql(&format!("INSERT INTO {table} VALUES (0, REPEAT('x', 1000), 0)")).await;
    for doubled in 0..doublings {
        let copy = format!("INSERT INTO {table} SELECT id + (1 << {doubled}), v, n FROM {table}");
        session.sql(&copy).await;
    }
}

/// Larger than what is on its way at any time; the last part of it waits for a lock in the target when the source goes.
async fn in_a_large_transaction(kind: Kind) {
    let mysql = kind.private(&["--max-allowed-packet=64M"]).await;
    let name = database("dies_inside", kind);
    let scene = Scene::on(&mysql, postgres().await, &name).await;
    let mut session = scene.source.session().await;
    session
        .sql("CREATE TABLE first (id INT PRIMARY KEY, v TEXT, n INT) ENGINE = InnoDB; CREATE TABLE second LIKE first")
        .await;
    fill(&mut session, "first", 8).await;
    fill(&mut session, "second", 14).await;
    let config = scene
        .config()
        .task("memory_limit", "\"32MiB\"")
        .task("apply", "{ batch_rows = 100, batch_bytes = \"1MiB\" }");
    let daemon = scene.start_with(&config).await;
    for (round, end) in (1..).zip([End::Killed, End::ShutDown]) {
        let mut lock = scene.target.session().await;
        lock.sql(&format!("BEGIN; LOCK TABLE {name}.second IN SHARE ROW EXCLUSIVE MODE")).await;
        let large = format!(
            "BEGIN; UPDATE first SET n = {round}; UPDATE second SET n = {round}; DELETE FROM second WHERE id % 7 = {round}; COMMIT"
        );
        scene.source.sql(&large).await;
        scene.target.wait_applier_locked().await;
        let restarts = daemon.task().await.unwrap().restarts;
        end.begins(&mysql);
        // What has been received goes on into the target, and there it ends. (MariaDB does not go before somebody takes what
        // it is sending, which may be all of the transaction then.)
        lock.sql("COMMIT").await;
        end.ends(&mysql).await;
        daemon.wait_task("the daemon notices", DEADLINE, |task| task.restarts > restarts).await;
        let seen = format!("SELECT count(*) FROM {name}.first WHERE n = {round}");
        let count = scene.target.one(&seen).await;
        assert!(["0", "256"].contains(&count.as_str()), "part of the transaction shows: {count}");
        mysql.restart().await;
        scene.assert_exact(&daemon, &["first", "second"]).await;
        assert_eq!(scene.target.one(&seen).await, "256");
    }
}

on_every_kind!(slow a_source_that_goes_in_a_large_transaction_is_followed_on, in_a_large_transaction);

/// Bytes that the large transaction below has in the log.
const LARGE: u64 = 128 << 20;

/// Kills the server while it writes a large transaction into its log, of which some has arrived there. Gives the place and
/// the file in which that is.
async fn kill_while_it_writes(mysql: &Mysql, scene: &Scene<'_>) -> (std::path::PathBuf, u64) {
    for _ in 0..20 {
        let end = mysql.log_end().await;
        let file = mysql.data_file(&end.file);
        let mut session = scene.source.session().await;
        session.sql("BEGIN").await;
        session.sql("INSERT INTO big SELECT id + 1000 * (1 + n), REPEAT('x', 1000000), n FROM seed").await;
        let commit = tokio::spawn(async move { session.try_sql("COMMIT").await });
        // No look may be missed: the whole of it takes a fraction of a second.
        let (watched, enough) = (file.clone(), end.offset + (8 << 20));
        tokio::task::spawn_blocking(move || {
            let started = std::time::Instant::now();
            while std::fs::metadata(&watched).unwrap().len() < enough {
                assert!(started.elapsed() < DEADLINE, "nothing is written");
            }
        })
        .await
        .unwrap();
        mysql.signal("STOP");
        if std::fs::metadata(&file).unwrap().len() < end.offset + LARGE / 2 {
            mysql.kill();
            commit.await.unwrap().unwrap_err();
            return (file, end.offset);
        }
        mysql.signal("CONT");
        commit.await.unwrap().unwrap();
        scene.source.sql("DELETE FROM big").await;
    }
    panic!("the server was too fast each time");
}

/// The end of the last whole event: `[…9 bytes][length u32]…`.
fn last_whole_event(file: &Path, from: u64) -> u64 {
    let mut bytes = Vec::new();
    std::fs::File::open(file).unwrap().read_to_end(&mut bytes).unwrap();
    let mut at = usize::try_from(from).unwrap();
    while let Some(length) = bytes.get(at + 9..at + 13) {
        let next = at + usize::try_from(u32::from_le_bytes(length.try_into().unwrap())).unwrap();
        if next > bytes.len() {
            break;
        }
        at = next;
    }
    u64::try_from(at).unwrap()
}

async fn in_its_log(kind: Kind, behaviour: &str, cut: impl FnOnce(&Path, u64)) {
    let mysql = kind.private(&["--max-allowed-packet=64M"]).await;
    let scene = Scene::on(&mysql, postgres().await, &database(behaviour, kind)).await;
    let tables = "CREATE TABLE big (id INT PRIMARY KEY, v LONGTEXT, n INT) ENGINE = InnoDB; \
        CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB; CREATE TABLE seed (id INT PRIMARY KEY, n INT) ENGINE = InnoDB; \
        INSERT INTO seed VALUES (0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1)";
    scene.source.sql(tables).await;
    for doubled in 3..7 {
        let copy = format!("INSERT INTO seed SELECT id + (1 << {doubled}), n FROM seed");
        scene.source.sql(&copy).await;
    }
    let config = scene.config().task("apply", "{ batch_rows = 3 }");
    let daemon: Daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO t VALUES (1); INSERT INTO big VALUES (1, 'a', 1)").await;
    scene.assert_exact(&daemon, &["big", "t", "seed"]).await;
    let (file, end) = kill_while_it_writes(&mysql, &scene).await;
    cut(&file, end);
    mysql.restart().await;
    assert_eq!(scene.source.one("SELECT COUNT(*) FROM big WHERE id > 999").await, "0", "it was committed");
    scene.source.sql("INSERT INTO t VALUES (2); UPDATE big SET n = 2").await;
    scene.assert_exact(&daemon, &["big", "t", "seed"]).await;
    // Another start with the end of that file before it, and a copy.
    daemon.restart();
    scene.source.sql("FLUSH LOGS; INSERT INTO t VALUES (3); INSERT INTO big VALUES (1000, 'b', 2)").await;
    scene.assert_exact(&daemon, &["big", "t", "seed"]).await;
}

async fn in_the_middle_of_an_event(kind: Kind) {
    in_its_log(kind, "dies_writing", |_, _| {}).await;
}

on_every_kind!(slow a_source_that_dies_while_it_writes_its_log_is_followed_on, in_the_middle_of_an_event);

/// Its log then ends in a transaction without an end, which the server sends.
async fn behind_an_event(kind: Kind) {
    in_its_log(kind, "dies_behind", |file, end| {
        let whole = last_whole_event(file, end);
        assert!(whole > end + (1 << 20), "nothing of the transaction is in the log");
        std::fs::File::options().write(true).open(file).unwrap().set_len(whole).unwrap();
    })
    .await;
}

on_every_kind!(slow a_source_that_dies_between_two_events_is_followed_on, behind_an_event);
