//! Prepared while a copy takes P0 or P1.

use super::{by_domains, by_gtids, by_places, end, prepare, target};
use crate::harness::{DEADLINE, Daemon, Mysql, Proxy, Scene, eventually, postgres, rowferry, wait_log_end};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const TABLES: &str = "CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3); \
    CREATE TABLE later (id INT PRIMARY KEY); INSERT INTO later VALUES (1), (3)";

async fn waits_at_p0_and_not_at_p1(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql(TABLES).await;
    prepare(&scene, "'before'", "INSERT INTO t VALUES (4, 4); DELETE FROM t WHERE id = 1").await;
    let proxy = Proxy::start(mysql.port());
    let reading = proxy.hold(&format!("FROM `{name}`.`t` FORCE INDEX"));
    let not_yet = format!("[\"{name}.*\", \"!{name}.later\"]");
    let daemon = Daemon::start(&scene.config_through(Some(&proxy), None).task("tables", &not_yet));
    eventually(DEADLINE, "the copy waits", async || daemon.log().contains("the copy waits for prepared XA"))
        .await;
    assert!(!reading.is_reached());
    assert_says_that_it_waits(mysql, &daemon).await;
    end(mysql, "XA COMMIT 'before'").await;
    reading.wait().await;
    assert_eq!(daemon.task().await.unwrap().waiting_for, None);
    // P0 is taken, nothing is read: prepared before P1, and one ended before it.
    prepare(&scene, "'across'", "INSERT INTO t VALUES (5, 5); UPDATE t SET v = 20 WHERE id = 2").await;
    prepare(&scene, "'within'", "INSERT INTO t VALUES (6, 6)").await;
    end(mysql, "XA COMMIT 'within'").await;
    drop(reading);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    wait_log_end(&daemon, mysql).await;
    let t = "SELECT string_agg(id || '=' || v, ',' ORDER BY id) FROM {}.t";
    assert_eq!(target(&scene, t).await, "2=2,3=3,4=4,6=6");
    end(mysql, "XA COMMIT 'across'").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(target(&scene, t).await, "2=20,3=3,4=4,5=5,6=6");

    // A table that is selected later waits too: the stream has passed over its rows, the copy must have them.
    prepare(
        &scene,
        "'added'",
        "UPDATE t SET v = 30 WHERE id = 3; INSERT INTO later VALUES (2); DELETE FROM later WHERE id = 1",
    )
    .await;
    wait_log_end(&daemon, mysql).await;
    daemon.kill9();
    daemon.reconfigure(&scene.config());
    let told = "the copy waits for prepared XA";
    let waited = daemon.log().matches(told).count();
    daemon.restart();
    eventually(DEADLINE, "the second copy waits", async || daemon.log().matches(told).count() > waited).await;
    end(mysql, "XA COMMIT 'added'").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t", "later"]).await;
    assert_eq!(target(&scene, "SELECT sum(id) FROM {}.later").await, "5");
}

/// In everything that people and their tools look at.
async fn assert_says_that_it_waits(mysql: &Mysql, daemon: &Daemon) {
    // As XA RECOVER spells it.
    let xid = if mysql.is_mariadb() { "'before'" } else { "0x6265666F7265" };
    let what = format!("1 prepared XA transaction(s) ({xid}) to end");
    eventually(DEADLINE, "the status says what it waits for", async || {
        let task = daemon.task().await;
        task.is_some_and(|task| task.waiting_for.is_some_and(|told| told.starts_with(&what)))
    })
    .await;
    let config = daemon.config_path();
    let status = rowferry(&["status", "-c", config.to_str().unwrap()]).await.stdout;
    assert!(status.contains(&format!("  waits for {what}")), "{status}");
    for (path, told) in [
        ("/", format!("waits for {what}")),
        ("/readyz", format!("main: SchemaSync, waits for {what}")),
        ("/metrics", "rowferry_task_waiting{task=\"main\"} 1".to_owned()),
    ] {
        let (_, body) = daemon.get(path).await.unwrap();
        assert!(body.contains(&told), "{path}: {body}");
    }
}

#[tokio::test]
async fn a_copy_waits_for_prepared_transactions_at_its_start_only_by_gtids() {
    waits_at_p0_and_not_at_p1(&by_gtids().await, "xa_start_gtids").await;
}

#[tokio::test]
async fn a_copy_waits_for_prepared_transactions_at_its_start_only_by_file_positions() {
    waits_at_p0_and_not_at_p1(&by_places().await, "xa_start_places").await;
}

#[tokio::test]
async fn a_copy_waits_for_prepared_transactions_at_its_start_only_by_domains() {
    waits_at_p0_and_not_at_p1(&by_domains().await, "xa_start_domains").await;
}

/// There is always one that is prepared; each ends soon.
async fn starts_under_xa_traffic(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql(TABLES).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (mut one, mut two, told) = (scene.source.session().await, scene.source.session().await, stop.clone());
    one.sql("XA START 'one0'; INSERT INTO t VALUES (1000, 0); XA END 'one0'; XA PREPARE 'one0'").await;
    let traffic = tokio::spawn(async move {
        let mut round = 0;
        while !told.load(Ordering::Relaxed) {
            let next = round + 1;
            let row = 2000 + next * 2;
            two.sql(&format!("XA START 'two{round}'; INSERT INTO t VALUES ({row}, 0); XA END 'two{round}'; XA PREPARE 'two{round}'")).await;
            one.sql(&format!("XA COMMIT 'one{round}'")).await;
            let row = row + 1;
            one.sql(&format!("XA START 'one{next}'; INSERT INTO t VALUES ({row}, 0); XA END 'one{next}'; XA PREPARE 'one{next}'")).await;
            two.sql(&format!("XA COMMIT 'two{round}'")).await;
            round = next;
        }
        one.sql(&format!("XA COMMIT 'one{round}'")).await;
        round
    });
    let daemon = scene.start().await;
    stop.store(true, Ordering::Relaxed);
    assert!(traffic.await.unwrap() > 10);
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_copy_starts_while_there_is_always_one_prepared() {
    starts_under_xa_traffic(&by_gtids().await, "xa_busy_gtids").await;
    starts_under_xa_traffic(&by_places().await, "xa_busy_places").await;
    starts_under_xa_traffic(&by_domains().await, "xa_busy_domains").await;
}

/// Semi-sync without a replica holds an XA COMMIT between *logged* and *visible*: a copy that started then would miss its rows.
async fn waits_for_a_held_commit(mysql: &Mysql, name: &str, hold: &str, release: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql(TABLES).await;
    prepare(&scene, "'held'", "INSERT INTO t VALUES (4, 4)").await;
    let before = mysql.log_end().await;
    mysql.sql(hold).await;
    let mut session = scene.source.session().await;
    let commit = tokio::spawn(async move {
        while session.try_sql("XA COMMIT 'held'").await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    eventually(DEADLINE, "the commit is logged", async || mysql.log_end().await != before).await;
    let daemon = Daemon::start(&scene.config());
    eventually(DEADLINE, "the copy waits", async || daemon.log().contains("the copy waits for prepared XA"))
        .await;
    // It goes on looking: a copy that did not wait would have missed the row by then.
    let looks = async || {
        let status = mysql.sql("SHOW GLOBAL STATUS LIKE 'Com_xa_recover'").await;
        status[0][1].as_deref().and_then(|count| count.parse::<u64>().ok()).expect("a counter")
    };
    let before = looks().await;
    eventually(DEADLINE, "the copy has looked ten times more", async || looks().await >= before + 10).await;
    mysql.sql(release).await;
    commit.await.unwrap();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(target(&scene, "SELECT count(*) FROM {}.t").await, "4");
}

#[tokio::test]
async fn a_copy_waits_for_an_xa_commit_that_is_logged_but_not_visible() {
    let hold = "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'; \
        SET GLOBAL rpl_semi_sync_source_timeout = 3600000; SET GLOBAL rpl_semi_sync_source_enabled = 1";
    let release = "SET GLOBAL rpl_semi_sync_source_enabled = 0";
    waits_for_a_held_commit(&by_gtids().await, "xa_held_gtids", hold, release).await;
    waits_for_a_held_commit(&by_places().await, "xa_held_places", hold, release).await;
    let hold = "SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'; \
        SET GLOBAL rpl_semi_sync_master_timeout = 3600000; SET GLOBAL rpl_semi_sync_master_enabled = 1";
    let release = "SET GLOBAL rpl_semi_sync_master_enabled = 0";
    waits_for_a_held_commit(&by_domains().await, "xa_held_domains", hold, release).await;
}
