//! Bad input for the daemon: it stays up and tells, waits for servers that are down, and connects again.

use crate::harness::{
    Config, DEADLINE, Daemon, Mysql, Postgres, Proxy, Scene, eventually, free_port, rowferry,
};

#[tokio::test]
async fn a_failing_precheck_leaves_the_daemon_up_and_telling() {
    let scene = Scene::new("bad_run").await;
    scene.source.sql("CREATE TABLE keyless (id INT); CREATE TABLE good (id INT PRIMARY KEY)").await;
    let before = super::catalog(&scene.target).await;
    let daemon = Daemon::start(&scene.config());
    let task = daemon.wait_task("the task has failed", DEADLINE, |task| task.phase.name() == "Failed").await;
    assert!(task.tables.is_empty());
    let (code, why) = daemon.get("/readyz").await.unwrap();
    assert!(code == 503 && why.contains("bad_run.keyless") && why.contains("no primary key"), "{code} {why}");
    assert_eq!(daemon.get("/healthz").await.unwrap().0, 200);
    let config = daemon.config_path();
    let status = rowferry(&["status", "-c", config.to_str().unwrap()]).await;
    assert_eq!(status.code, 1, "{status:?}");
    for word in ["task main: Failed", "no primary key", "to mend it: ALTER TABLE"] {
        assert!(status.stdout.contains(word), "{word} is not in {}", status.stdout);
    }
    let status = rowferry(&["status", "--json", "-c", config.to_str().unwrap()]).await;
    let json: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((status.code, json["tasks"]["main"]["phase"].as_str()), (1, Some("failed")));
    assert_eq!(super::catalog(&scene.target).await, before);
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
}

#[tokio::test]
async fn a_wrong_password_fails_a_running_task_with_its_remedy() {
    let scene = Scene::new("bad_run_login").await;
    scene
        .source
        .sql("DROP USER IF EXISTS bad_run_login; CREATE USER bad_run_login IDENTIFIED BY 'right'")
        .await;
    let url = format!("\"mysql://bad_run_login@127.0.0.1:{}\"", scene.source.server.port());
    let daemon = Daemon::start(&scene.config().source("url", &url).source("password", "\"a wrong one\""));
    daemon.wait_task("the task has failed", DEADLINE, |task| task.phase.name() == "Failed").await;
    let (code, why) = daemon.get("/readyz").await.unwrap();
    assert!(code == 503 && why.contains("'bad_run_login' is refused"), "{code} {why}");
    for secret in [daemon.log(), daemon.get("/").await.unwrap().1, daemon.get("/api/status").await.unwrap().1]
    {
        assert!(!secret.contains("a wrong one"), "{secret}");
    }
}

#[tokio::test]
async fn a_taken_listen_address_ends_the_daemon_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = Config::new("mysql://u@127.0.0.1:1", "postgresql://u@127.0.0.1:1/d", &["a.b"]);
    let file = config.daemon("listen", &format!("{address:?}")).file();
    let output = rowferry(&["run", "-c", &file]).await;
    super::one_paragraph(&output, 1, &[&address, "in use", "daemon.listen"]);
}

#[tokio::test]
async fn servers_that_are_down_at_boot_are_waited_for() {
    let scene = Scene::new("bad_boot").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let (source, target) =
        (Proxy::start(scene.source.server.port()), Proxy::start(scene.target.server.port()));
    source.refuse();
    target.refuse();
    let config = Config::new(
        &source.url(&scene.source.server.url()),
        &target.url(&scene.target.url()),
        &["bad_boot.*"],
    );
    let daemon = Daemon::start(&config);
    daemon.wait_task("the source is missed", DEADLINE, |task| task.phase.name() == "Retrying").await;
    let (code, why) = daemon.get("/readyz").await.unwrap();
    assert!(code == 503 && why.contains("Retrying") && why.contains("source src"), "{code} {why}");
    source.mend();
    eventually(DEADLINE, "the target is missed", async || {
        daemon.get("/readyz").await.is_some_and(|(_, why)| why.contains("target dst"))
    })
    .await;
    target.mend();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_equal("t").await;
}

#[tokio::test]
async fn a_daemon_that_starts_before_its_servers_waits_for_both() {
    let nobody = (free_port(), free_port());
    let early = Config::new(
        &format!("mysql://root@127.0.0.1:{}", nobody.0),
        &format!("postgresql://postgres@127.0.0.1:{}/postgres", nobody.1),
        &["early.*"],
    );
    let output = rowferry(&["status", "-c", &early.file()]).await;
    super::one_paragraph(&output, 75, &["target dst", "refused"]);

    let (mysql, postgres) = tokio::join!(Mysql::private(&[]), Postgres::private(&[]));
    let scene = Scene::on(&mysql, &postgres, "early").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    mysql.kill();
    postgres.kill();
    let daemon = Daemon::start(&scene.config());
    daemon.wait_task("the source is missed", DEADLINE, |task| task.restarts >= 2).await;
    mysql.restart().await;
    daemon
        .wait_task("the target is missed", DEADLINE, |task| {
            format!("{:?}", task.phase).contains("target dst")
        })
        .await;
    postgres.restart().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_equal("t").await;

    // And when they go away in the middle.
    mysql.kill();
    daemon
        .wait_task("the source is missed", DEADLINE, |task| {
            format!("{:?}", task.phase).contains("source src")
        })
        .await;
    assert_eq!(daemon.get("/readyz").await.unwrap().0, 503);
    mysql.restart().await;
    scene.source.sql("INSERT INTO t VALUES (2)").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    postgres.kill();
    daemon
        .wait_task("the target is missed", DEADLINE, |task| {
            format!("{:?}", task.phase).contains("target dst")
        })
        .await;
    scene.source.sql("INSERT INTO t VALUES (3)").await;
    postgres.restart().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("t").await, 3);
    assert_eq!(daemon.get("/readyz").await.unwrap().0, 200);
}
