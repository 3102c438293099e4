//! What of the session and the server decides the value, and what happens when that is not known or cannot be asked.

use crate::harness::{
    Daemon, Mysql, Proxy, Scene, applied_or_failed, mariadb, mariadb118, mysql56, mysql97, postgres,
};

/// A table before, and what is added to it.
const TIMESTAMPS: &[(&str, &str)] = &[
    ("", "ADD n TIMESTAMP NOT NULL"),
    ("", "ADD n TIMESTAMP"),
    ("", "ADD n TIMESTAMP NULL"),
    ("", "ADD n TIMESTAMP(3)"),
    ("", "ADD n TIMESTAMP DEFAULT 0"),
    ("", "ADD n TIMESTAMP NOT NULL ON UPDATE CURRENT_TIMESTAMP"),
    ("", "ADD n TIMESTAMP DEFAULT CURRENT_TIMESTAMP"),
    ("", "ADD n TIMESTAMP DEFAULT '2001-01-01'"),
    (", a TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP", "ADD n TIMESTAMP NOT NULL"),
    (", a TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP", "ADD n TIMESTAMP NOT NULL FIRST"),
    (", a TIMESTAMP NULL", "ADD n TIMESTAMP"),
    (", a TIMESTAMP NULL", "ADD n TIMESTAMP FIRST"),
    (", a TIMESTAMP DEFAULT 0", "ADD n TIMESTAMP NOT NULL"),
    (", a DATETIME", "ADD n TIMESTAMP NOT NULL"),
    ("", "ADD n TIMESTAMP NOT NULL, ADD m TIMESTAMP NOT NULL"),
    ("", "ADD n TIMESTAMP NULL, ADD m TIMESTAMP NOT NULL"),
    ("", "ADD n TIMESTAMP DEFAULT 0, ADD m TIMESTAMP NOT NULL"),
    ("", "ADD m TIMESTAMP NOT NULL, ADD n TIMESTAMP NOT NULL FIRST"),
];

/// A TIMESTAMP that is not declared NULL gets the current time if it is the first of its table.
async fn timestamps(mysql: &Mysql, settings: &str, name: &str) {
    let scene = Scene::on(mysql, postgres().await, &format!("{name}_{}", mysql.kind())).await;
    let mut connection = scene.source.session().await;
    connection.sql(&format!("SET sql_mode = ''{settings}")).await;
    for (at, (before, _)) in TIMESTAMPS.iter().enumerate() {
        connection.sql(&format!("CREATE TABLE t{at} (id INT PRIMARY KEY{before})")).await;
        connection.sql(&format!("INSERT INTO t{at} (id) VALUES (1)")).await;
    }
    let daemon = scene.start().await;
    connection.sql("SET timestamp = 1000000000").await;
    let mut added = Vec::new();
    for (at, (_, alter)) in TIMESTAMPS.iter().enumerate() {
        connection.sql(&format!("ALTER TABLE t{at} {alter}; INSERT INTO t{at} (id) VALUES (2)")).await;
        added.push(format!("t{at}"));
    }
    let tables: Vec<&str> = added.iter().map(String::as_str).collect();
    scene.assert_exact(&daemon, &tables).await;
}

#[tokio::test]
async fn the_first_timestamp_of_a_table_gets_the_current_time_where_the_server_does_so() {
    timestamps(mysql56().await, "", "old_timestamps").await;
    let off = ", explicit_defaults_for_timestamp = OFF";
    timestamps(mysql97().await, off, "old_timestamps").await;
    timestamps(mariadb().await, off, "old_timestamps").await;
}

#[tokio::test]
async fn it_gets_no_time_where_the_server_does_not_do_so() {
    let explicit = Mysql::start("mysql56", &["--explicit-defaults-for-timestamp"]).await;
    timestamps(&explicit, "", "new_timestamps").await;
    timestamps(mysql97().await, "", "new_timestamps").await;
    timestamps(mariadb().await, ", explicit_defaults_for_timestamp = ON", "new_timestamps").await;
}

/// Only the server as it runs can tell how it takes TIMESTAMPs: not for what was written before it started.
#[tokio::test]
async fn a_timestamp_of_an_earlier_run_of_the_server_stops_the_task() {
    let mysql = Mysql::start("mysql56", &[]).await;
    let scene = Scene::on(&mysql, postgres().await, "earlier_run").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let daemon = scene.start().await;
    daemon.terminate();
    daemon.exit_code(crate::harness::DEADLINE).await;
    scene.source.sql("ALTER TABLE t ADD n TIMESTAMP NOT NULL").await;
    mysql.restart().await;
    let daemon = Daemon::start(&scene.config());
    let failure = applied_or_failed(&daemon, &mysql).await.unwrap_err();
    assert!(failure.contains("explicit_defaults_for_timestamp"), "{failure}");
}

/// `SYSTEM` is the time zone of the server that wrote the statement first.
#[tokio::test]
async fn the_time_zone_of_another_server_stops_the_task() {
    let scene = Scene::on(mariadb().await, postgres().await, "system_of_another").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let daemon = scene.start().await;
    scene
        .source
        .sql("SET time_zone = '+02:00', server_id = 99; ALTER TABLE t ADD a DATETIME DEFAULT CURRENT_TIMESTAMP")
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
    scene
        .source
        .sql("SET time_zone = 'SYSTEM', server_id = 99; ALTER TABLE t ADD b DATETIME DEFAULT NOW()")
        .await;
    let failure = applied_or_failed(&daemon, scene.source.server).await.unwrap_err();
    assert!(failure.contains("server_id 99") && failure.contains("exclude_columns = [\"b\"]"), "{failure}");
}

async fn with_table(scene: &Scene<'_>) -> Daemon {
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    scene.start().await
}

/// What a set without a collation means is asked of a session that takes it as the statement's did.
#[tokio::test]
async fn a_comparison_in_a_default_goes_by_the_collation_of_its_session() {
    let scene = Scene::on(mariadb118().await, postgres().await, "set_collations").await;
    let daemon = with_table(&scene).await;
    for (column, collations) in [("a", ""), ("b", "utf8mb4=utf8mb4_bin"), ("c", "utf8mb4=utf8mb4_unicode_ci")]
    {
        scene
            .source
            .sql(&format!(
                "SET character_set_collations = '{collations}'; \
                 ALTER TABLE t ADD {column} INT DEFAULT ((_utf8mb4'a' = _utf8mb4'A') * 2)"
            ))
            .await;
    }
    scene.assert_exact(&daemon, &["t"]).await;
    let row = scene.target.one("SELECT concat(a, b, c) FROM set_collations.t").await;
    assert_eq!(row, "202", "each session had its own");

    let scene = Scene::on(mysql97().await, postgres().await, "set_collation").await;
    let daemon = with_table(&scene).await;
    let equal = "INT DEFAULT (_utf8mb4'ß' = _utf8mb4's')";
    scene.source.sql(&format!("ALTER TABLE t ADD a {equal}")).await;
    scene.assert_exact(&daemon, &["t"]).await;
    scene
        .source
        .sql(&format!("SET default_collation_for_utf8mb4 = utf8mb4_general_ci; ALTER TABLE t ADD b {equal}"))
        .await;
    let failure = applied_or_failed(&daemon, scene.source.server).await.unwrap_err();
    assert!(failure.contains("default_collation_for_utf8mb4 utf8mb4_general_ci"), "{failure}");
}

/// The source writes the default down in its own words and takes those for the rows that are there.
#[tokio::test]
async fn an_expression_that_the_source_keeps_as_another_one_stops_the_task() {
    let cases = [
        ("VARCHAR(20)", "CONCAT(_utf8mb4'ß', 'x')", "xC3x9Fx"),
        ("VARCHAR(20)", "CONCAT(_utf8mb4'a\\\\b', 'x')", "a\u{8}x"),
        ("VARCHAR(20)", "CONCAT(_latin1 x'E9', 'x')", "xE9x"),
        ("VARBINARY(20)", "ROUND(5., 1)", "5"),
        ("VARCHAR(20)", "TIME(TIMESTAMP '2024-02-29 10:11:12.5')", "10:11:12"),
    ];
    let of_mysql = [("VARCHAR(20)", "TIME(TIMESTAMP '2024-02-29 10:11:12.5')", "10:11:13")];
    for (server, name, cases) in [
        (mariadb().await, "kept_10", &cases[..]),
        (mariadb118().await, "kept_11", &cases),
        (mysql97().await, "kept_9", &of_mysql),
    ] {
        for (declared, expression, kept) in cases {
            let scene = Scene::on(server, postgres().await, name).await;
            let daemon = with_table(&scene).await;
            scene.source.sql(&format!("ALTER TABLE t ADD a {declared} DEFAULT ({expression})")).await;
            assert_eq!(server.one(&format!("SELECT a FROM {name}.t")).await, *kept, "{expression}");
            let failure = applied_or_failed(&daemon, server).await.unwrap_err();
            assert!(
                failure.contains("the source keeps") && failure.contains("exclude_columns = [\"a\"]"),
                "{failure}"
            );
        }
    }
}

#[tokio::test]
async fn a_source_that_is_lost_while_it_is_asked_is_asked_again() {
    let scene = Scene::new("lost_while_asked").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let proxy = Proxy::start(scene.source.server.port());
    let daemon = scene.start_with(&scene.config_through(Some(&proxy), None)).await;
    proxy.lose_request("FROM_UNIXTIME");
    scene
        .source
        .sql("SET time_zone = 'SYSTEM'; ALTER TABLE t ADD a DATETIME DEFAULT CURRENT_TIMESTAMP")
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(proxy.sprung(), 1, "it was lost");
}

#[tokio::test]
async fn a_time_of_day_is_the_same_as_a_span_and_as_a_time() {
    let scene = Scene::new("time_of_day").await;
    for table in ["span", "day"] {
        scene
            .source
            .sql(&format!("CREATE TABLE {table} (id INT PRIMARY KEY); INSERT INTO {table} VALUES (1)"))
            .await;
    }
    let times = "[task.main.table.\"time_of_day.d*\"]\ntypes = { a = \"time\", b = \"time\", c = \"time\", d = \"time\" }";
    let daemon = scene.start_with(&scene.config().more(times)).await;
    for table in ["span", "day"] {
        scene
            .source
            .sql(&format!(
                "ALTER TABLE {table} ADD a TIME DEFAULT '10:00', ADD b TIME(3) DEFAULT '10:11:12.3456', ADD c TIME DEFAULT 101112, \
                 ADD d TIME DEFAULT (MAKETIME(1, 2, 3)); INSERT INTO {table} (id) VALUES (2)"
            ))
            .await;
    }
    scene.assert_exact(&daemon, &["span"]).await;
    let rows = "SELECT count(*) FROM time_of_day.day WHERE a::text = '10:00:00' AND b::text = '10:11:12.346' \
                AND c::text = '10:11:12' AND d::text = '01:02:03'";
    assert_eq!(scene.target.one(rows).await, "2");
}

/// MySQL makes the table anew for an expression, and TIMESTAMPs come out changed where its time zone has an hour twice.
#[tokio::test]
async fn an_expression_beside_a_timestamp_stops_the_task_where_an_instant_may_have_moved() {
    let utc = Mysql::start_in_zone("mysql97", "UTC", &[]).await;
    let berlin = Mysql::start_in_zone("mysql97", "Europe/Berlin", &[]).await;
    for (mysql, zone) in [(&utc, "SYSTEM"), (&berlin, "+01:00"), (&berlin, "SYSTEM")] {
        let scene = Scene::on(mysql, postgres().await, "expression_beside_timestamp").await;
        scene
            .source
            .sql(
                "SET time_zone = '+00:00'; CREATE TABLE t (id INT PRIMARY KEY, ts TIMESTAMP NULL); \
                 INSERT INTO t VALUES (1, '2025-10-26 00:30:00'), (2, '2025-10-26 01:30:00')",
            )
            .await;
        let daemon = scene.start().await;
        scene.source.sql(&format!("SET time_zone = '{zone}'; ALTER TABLE t ADD c TEXT DEFAULT ('x')")).await;
        let stops = std::ptr::eq(mysql, &raw const berlin) && zone == "SYSTEM";
        let applied = applied_or_failed(&daemon, mysql).await;
        assert_eq!(applied.is_err(), stops, "{zone}: {applied:?}");
        match applied {
            Ok(()) => scene.assert_exact(&daemon, &["t"]).await,
            Err(failure) => {
                assert!(failure.contains("an hour that this zone has twice"), "{failure}");
                // Which of the two becomes the other is the zone's affair.
                let distinct =
                    mysql.one("SELECT COUNT(DISTINCT ts) FROM expression_beside_timestamp.t").await;
                assert_eq!(distinct, "1", "the source has changed one");
            }
        }
    }
}
