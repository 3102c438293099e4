//! One attempt at a task sees one server and one log, from its first connection to its last.

use crate::harness::{DEADLINE, Daemon, Mysql, Proxy, Scene, eventually, mysql56, postgres};
use rowferry::testing::change::status::Phase;

/// What the first connection finds out does not hold on the server that the others lead to.
#[tokio::test]
async fn connections_that_lead_to_different_servers_are_refused() {
    let (first, second) = (Mysql::start("mysql56", &[]).await, mysql56().await);
    let scene = Scene::on(&first, postgres().await, "two_servers").await;
    let rows = "CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO t VALUES (1)";
    scene.source.sql(rows).await;
    // It lags behind.
    let lagging = second.database("two_servers").await;
    lagging.sql("CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB").await;
    let proxy = Proxy::start(first.port());
    proxy.lead_elsewhere(1, second.port());
    let daemon = Daemon::start(&scene.config_through(Some(&proxy), None));
    daemon
        .wait_task("the second server is noticed", DEADLINE, |task| match &task.phase {
            Phase::Retrying { error, .. } => error.contains("leads to another server"),
            _ => false,
        })
        .await;
    proxy.lead_elsewhere(usize::MAX / 2, second.port());
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// `a` is copied, `b` cannot be read yet; what is changed in `a` then is in the log only, and the log goes.
async fn reset_during_the_copy(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene
        .source
        .sql("CREATE TABLE a (id INT PRIMARY KEY, v INT) ENGINE = InnoDB; CREATE TABLE b (id INT PRIMARY KEY) ENGINE = InnoDB; \
              INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1)")
        .await;
    let reset = if mysql.kind() == "mysql97" { "RESET BINARY LOGS AND GTIDS" } else { "RESET MASTER" };
    mysql.sql(reset).await;
    scene.source.sql("INSERT INTO a VALUES (2, 2)").await;
    let proxy = Proxy::start(mysql.port());
    let held = proxy.hold(&format!("`{name}`.`b`"));
    let daemon = Daemon::start(&scene.config_through(Some(&proxy), None));
    let copied = format!("SELECT count(*) FROM {name}.a");
    eventually(DEADLINE, "the first table is copied", async || {
        scene.target.try_sql(&copied).await.is_ok_and(|rows| rows[0][0].as_deref() == Some("2"))
    })
    .await;
    held.wait().await;
    scene.source.sql("UPDATE a SET v = 10").await;
    // A file tells when it was begun by the second.
    let second = mysql.one("SELECT UNIX_TIMESTAMP()").await;
    eventually(DEADLINE, "another second", async || mysql.one("SELECT UNIX_TIMESTAMP()").await != second)
        .await;
    mysql.sql(reset).await;
    for id in 3..20 {
        scene.source.sql(&format!("INSERT INTO a VALUES ({id}, {id})")).await;
    }
    drop(held);
    let task = daemon.wait_task("the task fails", DEADLINE, |task| {
        assert_ne!(task.phase.name(), "Synchronizing", "an update is lost");
        task.phase.name() == "Failed"
    });
    let why = format!("{:?}", task.await.phase);
    assert!(why.contains("log was reset"), "{why}");
}

#[tokio::test]
async fn a_log_of_mysql_5_6_that_is_reset_during_the_copy_is_noticed() {
    reset_during_the_copy(&Mysql::start("mysql56", &[]).await, "copy_reset_56").await;
}

#[tokio::test]
async fn a_log_of_mysql_9_7_that_is_reset_during_the_copy_is_noticed() {
    reset_during_the_copy(&Mysql::private(&[]).await, "copy_reset_97").await;
}

#[tokio::test]
async fn a_log_of_mariadb_that_is_reset_during_the_copy_is_noticed() {
    reset_during_the_copy(&Mysql::start("mariadb", &[]).await, "copy_reset_maria").await;
}
