//! Settings and history of the source that would lose rows.

use super::{check_writes_nothing, fails, failures};
use crate::harness::{Mysql, Scene, postgres};

/// One server for all of these: they change its globals and its log.
#[tokio::test]
async fn settings_of_the_source_that_would_lose_rows() {
    let (mysql, postgres) = tokio::join!(Mysql::private(&[]), postgres());
    let scene = Scene::on(&mysql, postgres, "bad_settings").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let config = scene.config();
    let good = check_writes_nothing(&config, &scene.target).await;
    assert_eq!((good.code, failures(&good)), (0, 0), "{}", good.stdout);

    for (setting, bad, mended, code, words) in [
        (
            "binlog_format",
            "'STATEMENT'",
            "'ROW'",
            "source.binlog_format",
            ["STATEMENT", "SET PERSIST binlog_format = ROW"],
        ),
        (
            "binlog_format",
            "'MIXED'",
            "'ROW'",
            "source.binlog_format",
            ["MIXED", "SET PERSIST binlog_format = ROW"],
        ),
        (
            "binlog_row_image",
            "'MINIMAL'",
            "'FULL'",
            "source.binlog_row_image",
            ["MINIMAL", "binlog_row_image = FULL"],
        ),
        (
            "binlog_row_image",
            "'NOBLOB'",
            "'FULL'",
            "source.binlog_row_image",
            ["NOBLOB", "binlog_row_image = FULL"],
        ),
    ] {
        mysql.sql(&format!("SET GLOBAL {setting} = {bad}")).await;
        let output = check_writes_nothing(&config, &scene.target).await;
        fails(&output, code, &words);
        assert_eq!(failures(&output), 1, "{}", output.stdout);
        mysql.sql(&format!("SET GLOBAL {setting} = {mended}")).await;
    }

    // Two at once are both told, and a third one at the target.
    scene
        .target
        .sql("CREATE SCHEMA bad_settings; CREATE TABLE bad_settings.t (id integer PRIMARY KEY)")
        .await;
    mysql.sql("SET GLOBAL binlog_format = 'STATEMENT'; SET GLOBAL binlog_row_image = 'MINIMAL'").await;
    let output = check_writes_nothing(&config, &scene.target).await;
    fails(&output, "source.binlog_format", &[]);
    fails(&output, "source.binlog_row_image", &[]);
    fails(&output, "target.exists", &["bad_settings.t"]);
    assert_eq!(failures(&output), 3, "{}", output.stdout);
    mysql.sql("SET GLOBAL binlog_format = 'ROW'; SET GLOBAL binlog_row_image = 'FULL'").await;

    // Where to start, when nothing is copied: after what was purged, and after what never was.
    let uuid = mysql.one("SELECT @@server_uuid").await;
    mysql
        .sql("FLUSH BINARY LOGS; CREATE DATABASE later; PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY")
        .await;
    let log = mysql.sql("SHOW BINARY LOG STATUS").await[0][0].clone().unwrap();
    mysql.sql(&format!("FLUSH BINARY LOGS; PURGE BINARY LOGS TO '{log}'")).await;
    let only_schema = |start: &str| {
        let existing = scene.config().task("initial", "[\"schema\"]").task("existing_tables", "\"ignore\"");
        existing.task("start_position", &format!("\"{start}\""))
    };
    let output = check_writes_nothing(&only_schema(&format!("{uuid}:1")), &scene.target).await;
    fails(&output, "source.purged", &["start_position", &format!("{uuid}:2"), "binlog_expire_logs_seconds"]);
    let executed = mysql.one("SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')").await;
    let never = format!("{executed},3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77");
    let output = check_writes_nothing(&only_schema(&never), &scene.target).await;
    fails(&output, "source.history", &["3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77", "never executed"]);
    let output = check_writes_nothing(&only_schema(&executed), &scene.target).await;
    assert_eq!(output.code, 0, "{}", output.stdout);

    for mode in ["ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"] {
        mysql.sql(&format!("SET GLOBAL gtid_mode = {mode}")).await;
    }
    let output = check_writes_nothing(&only_schema(&executed), &scene.target).await;
    fails(&output, "source.start_position", &["MySQL's GTIDs", "no GTIDs"]);
    scene.target.sql("DROP SCHEMA bad_settings CASCADE").await;
    // Without GTIDs files are followed, on this server only: that is told.
    let output = check_writes_nothing(&config, &scene.target).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
    assert!(output.stdout.contains("places in this server's files"), "{}", output.stdout);
}

/// With MariaDB's defaults, and some more; it has no SET PERSIST.
#[tokio::test]
async fn settings_of_mariadb_are_mended_by_what_it_knows() {
    let own = ["--binlog-format=MIXED", "--binlog-row-image=NOBLOB", "--sync-binlog=0"];
    for kind in ["mariadb", "mariadb118"] {
        let mysql = Mysql::start(kind, &own).await;
        let scene = Scene::on(&mysql, postgres().await, &format!("bad_settings_{kind}")).await;
        scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
        let output = check_writes_nothing(&scene.config(), &scene.target).await;
        let format = "SET GLOBAL binlog_format = ROW";
        fails(&output, "source.binlog_format", &["MIXED", format]);
        let image = "SET GLOBAL binlog_row_image = FULL";
        fails(&output, "source.binlog_row_image", &["NOBLOB", image]);
        let sync = "SET GLOBAL sync_binlog = 1";
        assert!(output.stdout.contains(sync) && output.stdout.contains("option file"), "{}", output.stdout);
        assert!(!output.stdout.contains("PERSIST"), "{}", output.stdout);
        mysql.sql(&[format, image, sync].join("; ")).await;
        let output = check_writes_nothing(&scene.config(), &scene.target).await;
        assert_eq!((output.code, failures(&output)), (0, 0), "{}", output.stdout);
        assert!(!output.stdout.contains("WARN"), "{}", output.stdout);
    }
    // What it leaves out can be had.
    let mysql = Mysql::start("mariadb118", &["--binlog-row-image=FULL_NODUP"]).await;
    let scene = Scene::on(&mysql, postgres().await, "bad_settings_nodup").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT, w TEXT); INSERT INTO t VALUES (1, 1, 'w')")
        .await;
    let daemon = scene.start().await;
    scene.source.sql("UPDATE t SET v = 2; UPDATE t SET w = NULL; INSERT INTO t (id) VALUES (2); UPDATE t SET id = 3 WHERE id = 2").await;
    scene.assert_exact(&daemon, &["t"]).await;
}
