//! Statements that change rows of the source without row events: the task stops, or the target changes likewise.

use crate::harness::{DEADLINE, Daemon, Mysql, Scene, mariadb, mariadb118, mysql56, mysql97, postgres};
use rowferry::testing::change::status::Phase;

/// Waits for Failed and gives error and remedy.
async fn failed(daemon: &Daemon) -> (String, String) {
    match daemon.wait_phase("Failed", DEADLINE).await.phase {
        Phase::Failed { error, remedy } => (error, remedy),
        other => panic!("{other:?}"),
    }
}

/// A parent and two children without a foreign key yet.
async fn family<'servers>(mysql: &'servers Mysql, name: &str) -> Scene<'servers> {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene
        .source
        .sql(
            "CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE child (id INT PRIMARY KEY, p INT); \
             CREATE TABLE loose (id INT PRIMARY KEY, p INT); INSERT INTO parent VALUES (1), (2); \
             INSERT INTO child VALUES (11, 1), (12, 2); INSERT INTO loose VALUES (11, 1), (12, 2)",
        )
        .await;
    scene
}

/// What the server's log does not show must not begin unnoticed.
const CASCADES: &str = "ALTER TABLE child ADD FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE; \
    DELETE FROM parent WHERE id = 2";

#[tokio::test]
async fn a_cascade_that_comes_while_rows_flow_stops_the_task_where_the_log_lacks_its_rows() {
    for mysql in [mariadb().await, mysql56().await] {
        let name = format!("late_cascade_{}", mysql.kind());
        let scene = family(mysql, &name).await;
        let daemon = scene.start().await;
        scene.source.sql("ALTER TABLE loose ADD FOREIGN KEY (p) REFERENCES parent (id); DELETE FROM loose WHERE id = 12").await;
        scene.assert_exact(&daemon, &["loose", "child"]).await;
        scene.source.sql(CASCADES).await;
        assert_eq!(scene.source.one("SELECT COUNT(*) FROM child").await, "1", "the cascade has run");
        let (error, remedy) = failed(&daemon).await;
        assert!(error.contains("ADD FOREIGN KEY") && error.contains("cascade"), "{error}");
        assert!(remedy.contains(&format!("accept_cascades = [\"{name}.child.child_ibfk_1\"]")), "{remedy}");
        // Whoever accepts it gets everything else.
        drop(daemon);
        let accepted = scene.config().task("accept_cascades", &format!("[\"{name}.child.child_ibfk_1\"]"));
        let daemon = scene.start_with(&accepted).await;
        scene.wait_applied(&daemon).await;
        scene.assert_equal("parent").await;
    }
}

#[tokio::test]
async fn a_cascade_that_is_logged_goes_on() {
    let scene = family(mysql97().await, "late_cascade_logged").await;
    let daemon = scene.start().await;
    scene.source.sql(CASCADES).await;
    scene.assert_exact(&daemon, &["parent", "child"]).await;
    assert_eq!(scene.source.one("SELECT COUNT(*) FROM child").await, "1");
}

/// MariaDB heeds what stands in a column's definition, MySQL 5.6 reads and drops it.
#[tokio::test]
async fn a_cascade_in_a_columns_definition_counts_where_the_server_heeds_it() {
    for mysql in [mariadb().await, mysql56().await] {
        let scene = family(mysql, &format!("inline_cascade_{}", mysql.kind())).await;
        let daemon = scene.start().await;
        scene.source.sql("ALTER TABLE child ADD q INT REFERENCES parent (id) ON DELETE SET NULL").await;
        scene.source.sql("UPDATE child SET q = 1; DELETE FROM parent WHERE id = 1").await;
        if mysql.is_mariadb() {
            assert!(failed(&daemon).await.0.contains("cascade"));
        } else {
            scene.assert_exact(&daemon, &["parent", "child"]).await;
        }
    }
}

/// What existing rows hold after each of these is not what their old values say; the row that follows is well logged.
#[tokio::test]
async fn statements_that_give_rows_new_values_without_events_stop_the_task() {
    let (mysql, maria) = tokio::join!(mysql97(), mariadb());
    for (case, server, table, statement, value, word) in [
        (
            "generated",
            mysql,
            "d DECIMAL(10,2), v VARCHAR(20) AS (CONCAT(d)) STORED); INSERT INTO t (id, d) VALUES (1, 1.5)",
            "MODIFY d DECIMAL(12,4)",
            "1.5000",
            "generated column v",
        ),
        (
            "rounded",
            mysql,
            "v FLOAT); INSERT INTO t VALUES (1, 0.126)",
            "MODIFY v DOUBLE(10,2)",
            "0.13",
            "converts the values of column v",
        ),
        (
            "numbered",
            mysql,
            "v INT NOT NULL); INSERT INTO t VALUES (1, 0), (2, 5)",
            "MODIFY v INT NOT NULL AUTO_INCREMENT UNIQUE",
            "1",
            "AUTO_INCREMENT",
        ),
        (
            "signed",
            mysql,
            "v DECIMAL(10,2)); INSERT INTO t VALUES (1, -5)",
            "MODIFY v DECIMAL(10,2) UNSIGNED",
            "0.00",
            "narrow_column",
        ),
        (
            "dated",
            maria,
            "v TIMESTAMP NULL); INSERT INTO t VALUES (1, NULL)",
            "MODIFY v TIMESTAMP NOT NULL DEFAULT '2001-01-01 00:00:00'",
            "",
            "current time",
        ),
    ] {
        let scene = Scene::on(server, postgres().await, &format!("new_values_{case}")).await;
        scene.source.sql(&format!("CREATE TABLE t (id INT PRIMARY KEY, {table}")).await;
        let daemon = scene.start().await;
        // Strict, but for what strict mode would refuse.
        let mode = if case == "signed" { "" } else { "STRICT_ALL_TABLES" };
        scene.source.sql(&format!("SET sql_mode = '{mode}'; ALTER TABLE t {statement}")).await;
        let now = scene.source.one("SELECT v FROM t WHERE id = 1").await;
        assert!(if value.is_empty() { now.starts_with("20") } else { now == value }, "{case}: {now}");
        let (error, _) = failed(&daemon).await;
        assert!(error.contains(word), "{case}: {error}");
    }
}

/// The stream brings a single as that single: what existing rows get must be the same.
#[tokio::test]
async fn the_default_of_a_float_is_the_same_for_old_and_new_rows_in_a_wider_column() {
    let scene = Scene::new("float_default").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let config = scene
        .config()
        .more("[task.main.table.\"float_default.*\"]\ntypes = { price = \"double precision\" }");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("ALTER TABLE t ADD price FLOAT DEFAULT 0.1; INSERT INTO t (id) VALUES (2)").await;
    scene.wait_applied(&daemon).await;
    // The text of a double depends on the server's version.
    let same = "SELECT count(*) FROM float_default.t WHERE price = 0.10000000149011612::double precision";
    assert_eq!(scene.target.one(same).await, "2");
}

/// A statement that names a character set and no collation gives text the collation of its session, in which other texts are equal.
#[tokio::test]
async fn a_default_collation_that_the_session_chose_is_not_taken_for_the_usual_one() {
    let (mysql, maria) = tokio::join!(mysql97(), mariadb118());
    let general = "CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci";
    for (case, server, table, rows, statement, word) in [
        (
            "computed",
            maria,
            format!("v VARCHAR(10) {general}, g INT AS (v = 's') STORED) CHARACTER SET utf8mb4"),
            "INSERT INTO t (id, v) VALUES (1, 'ß')",
            "SET character_set_collations = 'utf8mb3=utf8mb3_uca1400_ai_ci'; ALTER TABLE t MODIFY v VARCHAR(10) CHARACTER SET utf8mb3",
            "generated column g",
        ),
        (
            "labelled",
            maria,
            format!("g ENUM('ss', 'ß') {general}) CHARACTER SET utf8mb4"),
            "INSERT INTO t VALUES (1, 'ß')",
            "SET sql_mode = '', character_set_collations = 'utf8mb3=utf8mb3_uca1400_ai_ci'; ALTER TABLE t MODIFY g ENUM('ss', 'ß') CHARACTER SET utf8mb3",
            "converts the values of column g",
        ),
        (
            "converted",
            mysql,
            "v VARCHAR(10), g INT AS (v = 'ss') STORED) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci"
                .to_owned(),
            "INSERT INTO t (id, v) VALUES (1, 'ß')",
            "SET default_collation_for_utf8mb4 = utf8mb4_general_ci; ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4",
            "generated column g",
        ),
    ] {
        let scene = Scene::on(server, postgres().await, &format!("own_default_{case}")).await;
        scene.source.sql(&format!("CREATE TABLE t (id INT PRIMARY KEY, {table}; {rows}")).await;
        // Whether what is stored is computed anew hangs on how the server goes about it.
        let held = "SELECT CONCAT(g, GROUP_CONCAT(COLLATION_NAME)) FROM t, information_schema.COLUMNS \
                    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' GROUP BY g";
        let before = scene.source.one(held).await;
        let daemon = scene.start().await;
        scene.source.sql(statement).await;
        let after = scene.source.one(held).await;
        assert_ne!(before, after, "{case}: the source has another collation");
        eprintln!("{case}: {before}, then {after}");
        let (error, _) = failed(&daemon).await;
        assert!(error.contains(word), "{case}: {error}");
    }
}

/// The other way round: where the default is what the column has, nothing changes.
#[tokio::test]
async fn a_default_collation_that_a_column_has_already_changes_nothing() {
    for (mysql, settings) in [
        (mysql97().await, "SET default_collation_for_utf8mb4 = utf8mb4_general_ci; "),
        (mariadb().await, ""),
        (mariadb118().await, "SET character_set_collations = ''; "),
    ] {
        let scene = Scene::on(mysql, postgres().await, &format!("same_default_{}", mysql.kind())).await;
        scene
            .source
            .sql(
                "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), g INT AS (v = 's') STORED) \
                 CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci; INSERT INTO t (id, v) VALUES (1, 'ß')",
            )
            .await;
        let daemon = scene.start().await;
        for statement in [
            "MODIFY v VARCHAR(10) CHARACTER SET utf8mb4",
            "DEFAULT CHARSET utf8mb4",
            "CONVERT TO CHARACTER SET utf8mb4",
        ] {
            scene.source.sql(&format!("{settings}ALTER TABLE t {statement}")).await;
        }
        scene.source.sql("INSERT INTO t (id, v) VALUES (2, 'ß')").await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
}

#[tokio::test]
async fn a_virtual_column_that_hangs_on_who_reads_it_is_refused_unless_it_is_left_out() {
    for mysql in [mysql97().await, mariadb().await] {
        let name = format!("virtual_instant_{}", mysql.kind());
        let scene = Scene::on(mysql, postgres().await, &name).await;
        scene
            .source
            .sql(
                "CREATE TABLE t (id INT PRIMARY KEY, ts TIMESTAMP NULL, w VARCHAR(30) AS (CONCAT(ts)) VIRTUAL, n INT AS (id + 1) VIRTUAL); \
                 SET time_zone = '+05:00'; INSERT INTO t (id, ts) VALUES (1, '2024-01-02 03:04:05')",
            )
            .await;
        let daemon = Daemon::start(&scene.config());
        let (error, remedy) = failed(&daemon).await;
        assert!(error.contains("virtual column w has no one value"), "{error}");
        assert!(remedy.contains("exclude_columns"), "{remedy}");
        drop(daemon);
        let left_out =
            scene.config().more(&format!("[task.main.table.\"{name}.*\"]\nexclude_columns = [\"w\"]"));
        let daemon = scene.start_with(&left_out).await;
        scene
            .source
            .sql("SET time_zone = '+05:00'; INSERT INTO t (id, ts) VALUES (2, '2024-01-02 03:04:05')")
            .await;
        scene.wait_applied(&daemon).await;
        assert_eq!(scene.target.one(&format!("SELECT count(*) FROM {name}.t WHERE n = id + 1")).await, "2");
    }
}

/// MariaDB's MSSQL mode quotes names by brackets: what looks like a comment is a part of a name there.
#[tokio::test]
async fn names_in_brackets_hide_no_statement() {
    for kind in ["mariadb", "mariadb118"] {
        let mysql = Mysql::start(kind, &[]).await;
        let mode = "SET sql_mode = 'MSSQL,STRICT_TRANS_TABLES'";
        let create = "CREATE TABLE t (id INT PRIMARY KEY, `no#` INT, e ENUM('a','b')); INSERT INTO t VALUES (1, 1, 'a')";
        let hidden = "ALTER TABLE t ADD INDEX i ([no#]), MODIFY e ENUM('b','a'), ADD INDEX k (e\n); \
                      INSERT INTO t (id, e) VALUES (5, 'b')";
        let foreign = "SET binlog_format = STATEMENT; CREATE DATABASE away; CREATE TABLE away.t (id INT, [no#] INT); \
                       USE away; UPDATE [brackets_foreign].[t] SET [no#] = 9";
        for (name, statements, told) in [
            ("brackets_hidden", hidden, "ENUM('b','a')"),
            ("brackets_foreign", foreign, "brackets_foreign.t"),
        ] {
            let scene = Scene::on(&mysql, postgres().await, name).await;
            scene.source.sql(create).await;
            let daemon = scene.start().await;
            // What is written in brackets goes on flowing where it changes no values.
            scene.source.sql(&format!("{mode}; ALTER TABLE [t] ADD [x y] INT; UPDATE t SET [x y] = 7")).await;
            scene.assert_exact(&daemon, &["t"]).await;
            scene.source.sql(&format!("{mode}; {statements}")).await;
            let (error, _) = failed(&daemon).await;
            assert!(error.contains(told), "{kind}: {error}");
        }
    }
}
