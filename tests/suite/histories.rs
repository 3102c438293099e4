//! The source's log is another one when the daemon comes back: reset and grown again, purged, or that of another server.

use crate::harness::{
    Config, DEADLINE, Daemon, Kind, Mysql, Proxy, Scene, eventually, on_every_kind, postgres, rowferry,
};

const FILES_97: [&str; 2] = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"];

async fn wait_failure(daemon: &Daemon) -> String {
    let task = daemon.wait_task("the task fails", DEADLINE, |task| task.phase.name() == "Failed").await;
    format!("{:?}", task.phase)
}

async fn reset(mysql: &Mysql) {
    mysql.sql(if mysql.kind() == "mysql97" { "RESET BINARY LOGS AND GTIDS" } else { "RESET MASTER" }).await;
}

/// The daemon has read up to a place in the second file; the new log has one of that name that goes beyond that place.
async fn reset_and_grown(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    reset(mysql).await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB; FLUSH LOGS; INSERT INTO t VALUES (1)")
        .await;
    let daemon = scene.start().await;
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    scene.wait_applied(&daemon).await;
    daemon.kill9();
    let was = mysql.log_end().await;
    // A file tells when it was begun by the second.
    let second = mysql.one("SELECT UNIX_TIMESTAMP()").await;
    eventually(DEADLINE, "another second", async || mysql.one("SELECT UNIX_TIMESTAMP()").await != second)
        .await;
    reset(mysql).await;
    scene.source.sql("FLUSH LOGS").await;
    for id in 0..20 {
        scene.source.sql(&format!("INSERT INTO t VALUES (100 + {id})")).await;
    }
    let now = mysql.log_end().await;
    assert!(now.file == was.file && now.offset > was.offset, "{now} is no longer {was}");
    daemon.restart();
    let why = wait_failure(&daemon).await;
    assert!(why.contains("its log was reset"), "{why}");
    let output = rowferry(&["check", "-c", daemon.config_path().to_str().unwrap()]).await;
    assert!(output.code == 1 && output.stdout.contains("its log was reset"), "{output:?}");
    assert_eq!(scene.target.one(&format!("SELECT count(*) FROM {name}.t")).await, "2");
}

#[tokio::test]
async fn a_log_of_mysql_9_7_that_was_reset_and_grew_again_is_noticed() {
    reset_and_grown(&Mysql::private(&[]).await, "reset_97").await;
}

#[tokio::test]
async fn a_log_read_by_file_positions_that_was_reset_and_grew_again_is_noticed() {
    reset_and_grown(&Mysql::private(&FILES_97).await, "reset_97_files").await;
}

#[tokio::test]
async fn a_log_of_mysql_5_6_that_was_reset_and_grew_again_is_noticed() {
    reset_and_grown(&Mysql::start("mysql56", &[]).await, "reset_56").await;
}

#[tokio::test]
async fn a_log_of_mariadb_that_was_reset_and_grew_again_is_noticed() {
    reset_and_grown(&Mysql::start("mariadb", &[]).await, "reset_maria").await;
}

/// A snapshot of the machine is put back: the server goes on in the next file, and what the last transactions were called
/// others are called now.
async fn restored(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO t VALUES (0)").await;
    let daemon = scene.start().await;
    mysql.keep_data();
    for id in 1..=5 {
        scene.source.sql(&format!("INSERT INTO t VALUES ({id})")).await;
    }
    scene.wait_applied(&daemon).await;
    daemon.kill9();
    mysql.restore_data().await;
    for id in 11..=20 {
        scene.source.sql(&format!("INSERT INTO t VALUES ({id})")).await;
    }
    daemon.restart();
    let why = wait_failure(&daemon).await;
    assert!(why.contains("its log lost its end"), "{why}");
    assert_eq!(scene.target.one(&format!("SELECT max(id) FROM {name}.t")).await, "5");
}

#[tokio::test]
async fn a_mysql_with_gtids_that_was_put_back_is_noticed() {
    restored(&Mysql::private(&[]).await, "restored_97").await;
}

#[tokio::test]
async fn a_mariadb_that_was_put_back_is_noticed() {
    restored(&Mysql::start("mariadb", &[]).await, "restored_maria").await;
}

/// The machine goes down when the last transaction's rows are on disk and the event that ends it is not. MySQL 9.7 writes the GTIDs
/// of transactions into the engine too when it likes: where that was before the end, it knows of one that its log has lost, which
/// is another story, and another server is asked.
async fn died_inside(server: impl AsyncFn() -> Mysql, name: &str) {
    for _ in 0..10 {
        if died(&server().await, name).await {
            return;
        }
    }
    panic!("the engine was always faster than the end");
}

async fn died(mysql: &Mysql, name: &str) -> bool {
    const XID_EVENT: u64 = 19 + 8 + 4;
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO t VALUES (1)").await;
    let daemon = scene.start().await;
    daemon.kill9();
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    mysql.die_before_the_end(XID_EVENT).await;
    mysql.restart().await;
    if mysql.kind() == "mysql97" && !mysql.one("SELECT @@GLOBAL.gtid_purged").await.is_empty() {
        return false;
    }
    scene.source.sql("INSERT INTO t VALUES (3)").await;
    daemon.restart();
    scene.wait_applied(&daemon).await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    let rows = format!("SELECT string_agg(id::text, ' ' ORDER BY id) FROM {name}.t");
    assert_eq!(scene.target.one(&rows).await, "1 3");
    true
}

#[tokio::test]
async fn a_transaction_that_mariadb_died_in_does_not_stop_the_task() {
    died_inside(async || Mysql::start("mariadb", &[]).await, "died_maria").await;
}

#[tokio::test]
async fn a_transaction_that_mysql_9_7_died_in_does_not_stop_the_task() {
    died_inside(async || Mysql::private(&[]).await, "died_97").await;
}

#[tokio::test]
async fn a_transaction_that_mysql_5_6_died_in_does_not_stop_the_task() {
    died_inside(async || Mysql::start("mysql56", &[]).await, "died_56").await;
}

/// Files that the killed daemon's stream still has open stay.
async fn purge(mysql: &Mysql, newest: &str) {
    eventually(DEADLINE, "older files are gone", async || {
        mysql.sql(&format!("PURGE BINARY LOGS TO '{newest}'")).await;
        mysql.sql("SHOW BINARY LOGS").await[0][0].as_deref() == Some(newest)
    })
    .await;
}

/// The place on record follows the log into new files even when no transaction does, so old files may go.
async fn purged(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO t VALUES (1)").await;
    let daemon = scene.start().await;
    scene.source.sql("FLUSH LOGS; FLUSH LOGS").await;
    let newest = mysql.log_end().await.file;
    if !mysql.has_gtids().await {
        let recorded = "SELECT file FROM rowferry.main_position ORDER BY sequence DESC LIMIT 1";
        eventually(DEADLINE, "the new file is on record", async || {
            scene.target.one(recorded).await == *newest
        })
        .await;
    }
    daemon.kill9();
    purge(mysql, &newest).await;
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    daemon.restart();
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.kill9();
    scene.source.sql("INSERT INTO t VALUES (3); FLUSH LOGS; INSERT INTO t VALUES (4); FLUSH LOGS").await;
    let newest = mysql.log_end().await.file;
    purge(mysql, &newest).await;
    scene.source.sql("INSERT INTO t VALUES (5)").await;
    let output = rowferry(&["check", "-c", daemon.config_path().to_str().unwrap()]).await;
    assert!(output.code == 1 && output.stdout.contains("source.purged"), "{output:?}");
    daemon.restart();
    let why = wait_failure(&daemon).await;
    assert!(why.contains("the log no longer holds"), "{why}");
    assert_eq!(scene.target.one(&format!("SELECT count(*) FROM {name}.t")).await, "2");
}

#[tokio::test]
async fn purged_files_of_mysql_9_7_that_were_needed_are_missed() {
    purged(&Mysql::private(&[]).await, "purged_97").await;
}

#[tokio::test]
async fn purged_files_read_by_file_positions_that_were_needed_are_missed() {
    purged(&Mysql::private(&FILES_97).await, "purged_97_files").await;
}

#[tokio::test]
async fn purged_files_of_mysql_5_6_that_were_needed_are_missed() {
    purged(&Mysql::start("mysql56", &[]).await, "purged_56").await;
}

#[tokio::test]
async fn purged_files_of_mariadb_that_were_needed_are_missed() {
    purged(&Mysql::start("mariadb", &[]).await, "purged_maria").await;
}

/// The config of a scene with another server as its source.
fn moved(scene: &Scene<'_>, to: &Mysql) -> Config {
    scene.config().source("url", &format!("{:?}", to.url()))
}

/// Another server with the same files, by name, and the same rows.
#[tokio::test]
async fn a_place_in_files_is_not_looked_for_on_another_server() {
    let (first, second) = tokio::join!(Mysql::start("mysql56", &[]), Mysql::start("mysql56", &[]));
    let scene = Scene::on(&first, postgres().await, "other_files").await;
    let rows = "CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO t VALUES (1)";
    scene.source.sql(rows).await;
    second.database("other_files").await.sql(rows).await;
    let daemon = scene.start().await;
    daemon.kill9();
    daemon.reconfigure(&moved(&scene, &second));
    daemon.restart();
    let why = wait_failure(&daemon).await;
    assert!(why.contains("the task follows files of server"), "{why}");
    daemon.reconfigure(&scene.config());
    daemon.restart();
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// A replica has other files under the same names; the domains say where to go on.
#[tokio::test]
async fn a_task_goes_on_at_a_replica_of_mariadb() {
    let (first, second) = tokio::join!(
        Mysql::start("mariadb", &[]),
        Mysql::start("mariadb", &["--log-slave-updates", "--log-bin=replica-bin"])
    );
    let scene = Scene::on(&first, postgres().await, "to_replica").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    second
        .sql(&format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'root', MASTER_USE_GTID = slave_pos; \
             START SLAVE",
            first.port()
        ))
        .await;
    let caught_up = async || {
        let logged = first.one("SELECT @@GLOBAL.gtid_binlog_pos").await;
        eventually(DEADLINE, "the replica has all", async || {
            second.one("SELECT @@GLOBAL.gtid_slave_pos").await == logged
        })
        .await;
    };
    let daemon = scene.start().await;
    scene
        .source
        .sql("UPDATE t SET v = 10 WHERE id = 1; SET gtid_domain_id = 5; INSERT INTO t VALUES (3, 3)")
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.kill9();
    scene
        .source
        .sql("DELETE FROM t WHERE id = 2; SET gtid_domain_id = 5; UPDATE t SET v = 30 WHERE id = 3")
        .await;
    caught_up().await;
    daemon.reconfigure(&moved(&scene, &second));
    daemon.restart();
    scene.source.sql("INSERT INTO t VALUES (4, 4)").await;
    caught_up().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    eventually(DEADLINE, "the replica's rows arrive", async || {
        scene.target.one("SELECT string_agg(id || '-' || v, ' ' ORDER BY id) FROM to_replica.t").await
            == "1-10 3-30 4-4"
    })
    .await;
    let position = daemon.task().await.unwrap().position.unwrap();
    assert!(position.contains("replica-bin"), "{position}");
    assert_eq!(daemon.drift().await, 0);
}

/// A server that lacks what the task has taken in is not one to go on at.
#[tokio::test]
async fn a_mariadb_that_lacks_transactions_is_refused() {
    let (first, second) = tokio::join!(Mysql::start("mariadb", &[]), Mysql::start("mariadb", &[]));
    let scene = Scene::on(&first, postgres().await, "lacking").await;
    let rows = "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)";
    scene.source.sql(rows).await;
    scene.source.sql("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3); INSERT INTO t VALUES (4)").await;
    second.database("lacking").await.sql(rows).await;
    let daemon = scene.start().await;
    daemon.kill9();
    daemon.reconfigure(&moved(&scene, &second));
    daemon.restart();
    let why = wait_failure(&daemon).await;
    assert!(why.contains("which this server never"), "{why}");
}

/// Numbers of a domain that do not rise: by GTIDs the server would start after what was missed.
#[tokio::test]
async fn numbers_that_fell_while_the_daemon_was_away_are_not_skipped() {
    let mysql = Mysql::start("mariadb", &[]).await;
    let scene = Scene::on(&mysql, postgres().await, "fallen_numbers").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let daemon = scene.start().await;
    scene.source.sql("SET gtid_seq_no = 1000; INSERT INTO t VALUES (2, 2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.kill9();
    scene
        .source
        .sql("SET gtid_seq_no = 500; UPDATE t SET v = 10; FLUSH LOGS; SET gtid_seq_no = 600; INSERT INTO t VALUES (3, 3)")
        .await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// A stream that was taken up by GTIDs says which file it is in long before it has passed all that the GTIDs cover.
#[tokio::test]
async fn a_file_that_was_entered_by_gtids_is_not_gone_on_from_at_its_start() {
    let mysql = Mysql::start("mariadb", &[]).await;
    let scene = Scene::on(&mysql, postgres().await, "gtids_first").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t SELECT seq, seq FROM seq_1_to_1000; \
             ALTER TABLE t ADD COLUMN doc LONGTEXT; UPDATE t SET v = v + 1",
        )
        .await;
    let start = mysql.one("SELECT @@GLOBAL.gtid_binlog_pos").await;
    scene.source.sql("INSERT INTO t VALUES (5000, 1, REPEAT('x', 6000000))").await;
    scene
        .target
        .sql(
            "CREATE SCHEMA gtids_first; CREATE TABLE gtids_first.t (id integer PRIMARY KEY, v integer, doc text); \
             INSERT INTO gtids_first.t SELECT i, i + 1, NULL FROM generate_series(1, 1000) i",
        )
        .await;
    let mut lock = scene.target.session().await;
    lock.sql("BEGIN; LOCK TABLE gtids_first.t IN SHARE ROW EXCLUSIVE MODE").await;
    let config = scene.config().task("initial", "[]").task("start_position", &format!("{start:?}"));
    let daemon = Daemon::start(&config);
    // What may be recorded before that row is recorded by now.
    scene.target.wait_applier_locked().await;
    daemon.kill9();
    lock.sql("COMMIT").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// The file of the checkpoint is gone, and nothing that was in it after the checkpoint: the GTIDs say where to go on.
#[tokio::test]
async fn a_mariadb_whose_purged_file_held_nothing_more_is_followed_on() {
    let mysql = Mysql::start("mariadb", &[]).await;
    let scene = Scene::on(&mysql, postgres().await, "purged_empty").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let daemon = scene.start().await;
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.kill9();
    scene.source.sql("FLUSH LOGS; FLUSH LOGS").await;
    let newest = mysql.log_end().await.file;
    purge(&mysql, &newest).await;
    scene.source.sql("INSERT INTO t VALUES (3)").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// P0 is on record and so is the first chunk; no event of the stream has come yet.
async fn reset_during_the_copy(kind: Kind) {
    let mysql = kind.private(&[]).await;
    let name = format!("reset_copying_{}", kind.name());
    let scene = Scene::on(&mysql, postgres().await, &name).await;
    reset(&mysql).await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE = InnoDB; FLUSH LOGS; INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
        )
        .await;
    let proxy = Proxy::start(mysql.port());
    let first = proxy.hold(&format!("FROM `{name}`.`t` FORCE INDEX"));
    let config = scene.config_through(Some(&proxy), None);
    let daemon = Daemon::start(&config.task("snapshot", "{ parallel = 1, chunk_rows = 2 }"));
    first.wait().await;
    daemon.kill9();
    drop(first);
    let was = mysql.log_end().await;
    let second = mysql.one("SELECT UNIX_TIMESTAMP()").await;
    eventually(DEADLINE, "another second", async || mysql.one("SELECT UNIX_TIMESTAMP()").await != second)
        .await;
    // What came after P0 is in no log any more.
    scene.source.sql("UPDATE t SET v = 10 WHERE id = 1").await;
    reset(&mysql).await;
    scene.source.sql("FLUSH LOGS").await;
    for id in 0..20 {
        scene.source.sql(&format!("INSERT INTO t VALUES (100 + {id}, 0)")).await;
    }
    let now = mysql.log_end().await;
    assert!(now.file == was.file && now.offset > was.offset, "{now} is no longer {was}");
    daemon.restart();
    let why = wait_failure(&daemon).await;
    assert!(why.contains("its log was reset"), "{why}");
}

on_every_kind!(a_log_that_was_reset_during_the_copy_is_noticed, reset_during_the_copy);
