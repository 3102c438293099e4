//! What a task that flows asks and judges when it starts again.

use crate::harness::{
    DEADLINE, Daemon, Mysql, Proxy, Scene, eventually, mariadb, mysql97, only_postgres, postgres, rowferry,
};

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
             CREATE TABLE odd (id INT PRIMARY KEY, u YEAR(2)); CREATE TABLE good (id INT PRIMARY KEY); INSERT INTO good VALUES (1); \
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
        ("newcomers.odd", "year(2)"),
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
        // It was (99, 120), when what can be asked together was asked one after the other.
        let most = (65, if scene.target.server.is_greenplum() { 90 } else { 78 });
        assert!(started.0 <= most.0 && started.1 <= most.1, "{started:?}");
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
            // It was (61, 72); half of the target's are the sessions for upkeep and for applying, which are opened beside what the
            // task waits for. A Greenplum is asked more. The stream itself asks a few times until it is looked at.
            let most = (20, if scene.target.server.is_greenplum() { 26 } else { 24 });
            assert!(asked.0 <= most.0 && asked.1 <= most.1, "start {started:?}, {name} lost: {asked:?}");
        }
        scene.source.sql("UPDATE t SET v = 3").await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
}

/// The table is past P1 on record, and nobody has heard of it.
#[tokio::test]
async fn a_lost_answer_to_the_commit_that_reaches_p1_is_found_on_record() {
    let scene = Scene::new("p1_unanswered").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let proxy = Proxy::start(scene.target.server.port());
    let reaches = proxy.hold("\"streaming\"");
    let daemon = Daemon::start(&scene.config_through(None, Some(&proxy)));
    eventually(DEADLINE, "P1 is reached", async || reaches.is_reached()).await;
    proxy.lose_reply("COMMIT", "COMMIT");
    drop(reaches);
    proxy.wait_sprung(2, DEADLINE).await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    // What failed was committed, which a word from the source shows.
    eventually(DEADLINE, "it is ready", async || {
        daemon.get("/readyz").await.is_some_and(|(code, _)| code == 200)
    })
    .await;
    assert!(daemon.task().await.unwrap().restarts > 0);
    scene.source.sql("UPDATE t SET v = 2").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// Two tasks into one table, whose rows a column tells apart. Neither has been told that the table is there.
#[tokio::test]
async fn tasks_of_one_table_start_one_after_the_other_and_take_over_what_the_other_widens() {
    let scene = Scene::new("shared_from_start").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(5), c DECIMAL(5,2)); CREATE TABLE u LIKE t; \
             INSERT INTO t VALUES (1, 1, 'one', 1.5); INSERT INTO u VALUES (1, 2, 'two', 2.5)",
        )
        .await;
    let table = |task: &str, source: &str| {
        format!(
            "[task.{task}.table.\"shared_from_start.{source}\"]\ntarget = \"both\"\nsource_column = \"src\""
        )
    };
    let alone = scene.config().task("tables", "[\"shared_from_start.t\"]").more(&table("main", "t"));
    let both = alone.clone().more(&format!(
        "[task.other]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"shared_from_start.u\"]\n{}",
        table("other", "u")
    ));
    let daemon = scene.start_with(&alone).await;
    daemon.reconfigure(&both);
    daemon.restart();
    let rows = async |what: &str, wanted: &[&str]| {
        let query = "SELECT src, id, a, b, c FROM shared_from_start.both ORDER BY 1, 2";
        eventually(DEADLINE, what, async || {
            let synchronizing = daemon.status().await.is_some_and(|model| {
                model.tasks.len() == 2
                    && model.tasks.values().all(|task| task.phase.name() == "Synchronizing")
            });
            synchronizing && scene.seen(query).await == wanted
        })
        .await;
    };
    let (t, u) = ("main:shared_from_start.t", "other:shared_from_start.u");
    rows("both are there", &[&format!("{t}|1|1|one|1.50"), &format!("{u}|1|2|two|2.50")]).await;
    // The other's columns become wider at once, the first one's follow later: until then it writes into them as they are.
    scene
        .source
        .sql(
            "ALTER TABLE u MODIFY a BIGINT, MODIFY b VARCHAR(50), MODIFY c DECIMAL(12,4); INSERT INTO u VALUES (2, 5000000000, 'longer than five', 12345.6789)",
        )
        .await;
    scene.source.sql("INSERT INTO t VALUES (2, 3, 'three', 3.5)").await;
    let widened = [
        format!("{t}|1|1|one|1.5000"),
        format!("{t}|2|3|three|3.5000"),
        format!("{u}|1|2|two|2.5000"),
        format!("{u}|2|5000000000|longer than five|12345.6789"),
    ];
    rows("the first goes on", &widened.each_ref().map(String::as_str)).await;
    scene.target.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'rowferry/main/%'").await;
    scene.source.sql("ALTER TABLE t MODIFY a BIGINT, MODIFY b VARCHAR(50), MODIFY c DECIMAL(12,4); UPDATE t SET b = 'as long as others'").await;
    let all = [
        format!("{t}|1|1|as long as others|1.5000"),
        format!("{t}|2|3|as long as others|3.5000"),
        widened[2].clone(),
        widened[3].clone(),
    ];
    rows("both are alike", &all.each_ref().map(String::as_str)).await;
}

/// MariaDB cannot tell which transactions lie before a place when an event on the way there is larger than `max_allowed_packet`.
#[tokio::test]
async fn a_task_of_mariadb_starts_behind_an_event_that_is_larger_than_a_packet() {
    let mysql = Mysql::start("mariadb", &["--max-allowed-packet=1M"]).await;
    let scene = Scene::on(&mysql, postgres().await, "large_event").await;
    let part = "REPEAT('x', 900000)";
    scene
        .source
        .sql(&format!(
            "CREATE TABLE t (id INT PRIMARY KEY, a LONGTEXT, b LONGTEXT, c LONGTEXT); \
             SET gtid_domain_id = 7; INSERT INTO t VALUES (1, {part}, {part}, {part}); SET gtid_domain_id = 0; \
             INSERT INTO t VALUES (2, 'small', NULL, NULL)"
        ))
        .await;
    let daemon = scene.start().await;
    scene.source.sql("UPDATE t SET b = 'changed' WHERE id = 2; DELETE FROM t WHERE id = 1").await;
    scene.assert_exact(&daemon, &["t"]).await;
    let place = daemon.task().await.unwrap().position.unwrap();
    assert!(place.contains("7-"), "the domain of the large event is known: {place}");
}

/// Who has copied needs no right to make anything, and waits for nobody's lock.
#[tokio::test]
async fn a_restart_demands_only_what_it_will_use() {
    if only_postgres("the role would need a line in its pg_hba.conf") {
        return;
    }
    let scene = Scene::new("frugal_restart").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    scene
        .target
        .sql("DROP ROLE IF EXISTS frugal; CREATE ROLE frugal LOGIN; GRANT CREATE ON DATABASE frugal_restart TO frugal")
        .await;
    let own = format!("//{}", scene.target.server.user());
    let url = scene.target.url().replacen(&own, "//frugal", 1);
    let config = scene.config().target("url", &format!("{url:?}"));
    let daemon = scene.start_with(&config).await;
    scene
        .target
        .sql(
            "REVOKE CREATE ON DATABASE frugal_restart FROM frugal; REVOKE CREATE ON SCHEMA rowferry FROM frugal; \
             REVOKE CREATE ON SCHEMA frugal_restart FROM frugal",
        )
        .await;
    daemon.start_again().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (2, 2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    let check = rowferry(&["check", "-c", &config.file()]).await;
    assert_eq!(check.code, 0, "{check:?}");
    // A table that is new has to be made.
    scene.source.sql("CREATE TABLE n (id INT PRIMARY KEY)").await;
    daemon.start_again().await;
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    let why = task.not_carried.named.get("frugal_restart.n").cloned().unwrap_or_default();
    assert!(why.contains("may not create tables in the schema"), "{why}");

    let mut session = scene.target.session().await;
    session.sql("BEGIN").await;
    session.sql("LOCK TABLE frugal_restart.t IN ACCESS EXCLUSIVE MODE").await;
    daemon.start_again().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    session.sql("ROLLBACK").await;
    scene.source.sql("UPDATE t SET v = 3").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_new_table_that_may_not_be_read_is_left_out() {
    let scene = Scene::new("unread").await;
    scene
        .source
        .sql(
            "DROP USER IF EXISTS unread; CREATE USER unread; CREATE TABLE t (id INT PRIMARY KEY); \
             GRANT REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO unread; GRANT SELECT ON unread.t TO unread",
        )
        .await;
    let url = scene.source.server.url().replace("root@", "unread@");
    let daemon = scene.start_with(&scene.config().source("url", &format!("{url:?}"))).await;
    scene
        .source
        .sql("CREATE TABLE secret (id INT PRIMARY KEY, v INT); GRANT SELECT (id) ON unread.secret TO unread")
        .await;
    daemon.start_again().await;
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    let why = task.not_carried.named.get("unread.secret").cloned().unwrap_or_default();
    assert_eq!(why, "the user may not read it");
    scene.source.sql("INSERT INTO secret VALUES (1, 1); INSERT INTO t VALUES (1)").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// Tasks that start at once make one schema, or share one table, and none stands in another's way.
#[tokio::test]
async fn tasks_that_start_at_once_make_the_same_things() {
    let scene = Scene::new("at_once").await;
    let (mut tables, mut tasks) = (String::new(), String::new());
    for number in 1..=8 {
        tables.push_str(&format!(
            "CREATE TABLE t{number} (id INT PRIMARY KEY); INSERT INTO t{number} VALUES (1); "
        ));
        if number > 1 {
            tasks.push_str(&format!(
                "[task.t{number}]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"at_once.t{number}\"]\n"
            ));
        }
    }
    scene.source.sql(&tables).await;
    let config = scene.config().task("tables", "[\"at_once.t1\"]").more(&tasks);
    let daemon = Daemon::start(&config);
    let all = async |what: &str, wanted: usize| {
        eventually(DEADLINE, what, async || {
            daemon.status().await.is_some_and(|model| {
                model.tasks.len() == wanted
                    && model
                        .tasks
                        .values()
                        .all(|task| task.phase.name() == "Synchronizing" && task.restarts == 0)
            })
        })
        .await;
    };
    all("eight tasks come up in a schema that none finds", 8).await;
    for number in 1..=8 {
        assert_eq!(scene.assert_equal(&format!("t{number}")).await, 1);
    }
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;

    scene.source.sql("CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b LIKE a; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)").await;
    let tagged = |task: &str, table: &str| {
        format!(
            "[task.{task}]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"at_once.{table}\"]\n\
             [task.{task}.table.\"at_once.{table}\"]\ntarget = \"both\"\nsource_column = \"src\"\n"
        )
    };
    let config =
        scene.config().task("tables", "[\"at_once.t1\"]").more(&tagged("a", "a")).more(&tagged("b", "b"));
    daemon.reconfigure(&config);
    daemon.restart();
    all("two tasks come up with one table that neither finds", 3).await;
    let rows = scene.seen("SELECT src, id FROM at_once.both ORDER BY 1").await;
    assert_eq!(rows, ["a:at_once.a|1", "b:at_once.b|1"]);
}

/// What the first release left behind, which wrote no versions.
#[tokio::test]
async fn a_task_whose_records_have_no_versions_goes_on() {
    let scene = Scene::new("unversioned").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    let daemon = scene.start().await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    let mut bare = String::from("COMMENT ON TABLE rowferry.main_position IS NULL;");
    for (table, column) in [
        ("position", "place"),
        ("tables", "state"),
        ("tables", "mapping"),
        ("schemas", "definition"),
        ("schemas", "valid_from"),
        ("chunks", "after_key"),
        ("chunks", "upto_key"),
    ] {
        bare += &format!("UPDATE rowferry.main_{table} SET {column} = ({column}::json->'value')::text;");
    }
    scene.target.sql(&bare).await;
    scene.source.sql("ALTER TABLE t ADD COLUMN w INT NOT NULL DEFAULT 7; UPDATE t SET v = 3; INSERT INTO t VALUES (4, 4, 4)").await;
    daemon.restart();
    scene.assert_exact(&daemon, &["t"]).await;
    assert!(daemon.log().contains("get the present layout"), "{}", daemon.log());
    assert_eq!(daemon.log().matches("P0: definitions are settled").count(), 1, "it was copied again");
}
