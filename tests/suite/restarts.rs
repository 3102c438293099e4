//! What a task that flows asks and judges when it starts again.

use crate::harness::{DEADLINE, Proxy, Scene, mariadb, mysql97, postgres};

/// Tables that nobody could carry, beside one that flows.
#[tokio::test]
async fn new_tables_that_cannot_be_carried_are_told_and_stop_nothing() {
    let scene = Scene::on(mariadb().await, postgres().await, "newcomers").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let proxy = Proxy::start(scene.source.server.port());
    let config = scene.config_through(Some(&proxy), None);
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql(
            "CREATE TABLE logx (a INT); CREATE TABLE taken (id INT PRIMARY KEY); CREATE TABLE old (id INT PRIMARY KEY) ENGINE=MyISAM; \
             CREATE TABLE odd (id INT PRIMARY KEY, u UUID); CREATE TABLE good (id INT PRIMARY KEY); INSERT INTO good VALUES (1); \
             INSERT INTO taken VALUES (1); INSERT INTO logx VALUES (1)",
        )
        .await;
    scene.target.sql("CREATE TABLE newcomers.taken (id int PRIMARY KEY, other int)").await;
    proxy.cut();
    scene.source.sql("UPDATE t SET v = 2").await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.restart();
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    let told: Vec<(&str, &str)> =
        task.not_carried.named.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    for (table, why) in [
        ("newcomers.logx", "it has no primary key"),
        ("newcomers.odd", "uuid"),
        ("newcomers.old", "its engine is MyISAM"),
        ("newcomers.taken", "the table exists already"),
    ] {
        assert!(told.iter().any(|(name, words)| *name == table && words.contains(why)), "{table}: {told:?}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
    scene.source.sql("UPDATE t SET v = 3; INSERT INTO taken VALUES (2); INSERT INTO good VALUES (2)").await;
    scene.assert_exact(&daemon, &["t", "good"]).await;
    assert_eq!(scene.target.one("SELECT count(*) FROM newcomers.taken").await, "0");
    let metrics = daemon.get("/metrics").await.unwrap().1;
    assert!(metrics.contains("rowferry_task_not_carried_tables{task=\"main\"} 4"), "{metrics}");
    assert!(daemon.log().contains("it is new, and not carried: it has no primary key"), "{}", daemon.log());
    // Mended, it is copied at the next start.
    scene.source.sql("ALTER TABLE logx ADD PRIMARY KEY (a)").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t", "good", "logx"]).await;
    // Who names a table wants an answer.
    let named = config.task("tables", r#"["newcomers.t", "newcomers.taken"]"#);
    daemon.reconfigure(&named);
    daemon.restart();
    daemon.wait_phase("Failed", DEADLINE).await;
}

/// A network that is 40 ms away makes of a hundred questions four seconds in which nothing flows.
#[tokio::test]
async fn a_lost_connection_asks_only_what_going_on_needs() {
    for mysql in [mysql97().await, mariadb().await] {
        let scene = Scene::on(mysql, postgres().await, "few_questions").await;
        scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
        let (source, target) =
            (Proxy::start(scene.source.server.port()), Proxy::start(scene.target.server.port()));
        let daemon = scene.start_with(&scene.config_through(Some(&source), Some(&target))).await;
        scene.source.sql("UPDATE t SET v = 2").await;
        scene.assert_exact(&daemon, &["t"]).await;
        let trips = || (source.round_trips(), target.round_trips());
        let started = trips();
        for (proxy, name) in [(&source, "source"), (&target, "target")] {
            let before = trips();
            let restarts = daemon.task().await.unwrap().restarts;
            proxy.cut();
            daemon
                .wait_task("it goes on", DEADLINE, |task| {
                    task.restarts > restarts && task.phase.name() == "Synchronizing"
                })
                .await;
            let after = trips();
            let asked = (after.0 - before.0, after.1 - before.1);
            // It was (99, 120) for the first start and (61, 72) for each lost connection; some of the target's are the sessions
            // for upkeep and for applying, which are opened beside what the task waits for.
            assert!(asked.0 <= 20 && asked.1 <= 30, "start {started:?}, {name} lost: {asked:?}");
        }
        scene.source.sql("UPDATE t SET v = 3").await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
}
