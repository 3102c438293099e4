//! Every kind of difference is found, named by its key, and put right.

use super::{assert_verified, verdicts};
use crate::harness::{DEADLINE, Kind, Mysql, Scene, mariadb, mysql56, mysql97, postgres};
use rowferry::testing::change::verdict::{Difference, Outcome, TableVerdict};

/// The keys that differ, as `missing 7`.
fn found(verdict: &TableVerdict) -> Vec<String> {
    let mut found: Vec<String> =
        verdict.keys.iter().map(|found| format!("{} {}", found.difference, found.key.join(","))).collect();
    found.sort();
    found
}

/// With no rights but those that a task needs: SELECT, and `rights`.
async fn each_kind(mysql: &Mysql, name: &str, rights: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let user = format!("{name}_user");
    let grants = format!("GRANT {rights} ON *.* TO {user}; GRANT SELECT ON {name}.* TO {user}");
    scene.source.sql(&format!("CREATE USER {user}; {grants}")).await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), d DECIMAL(8,2), at DATETIME(3)); \
             CREATE TABLE s (a INT, k VARCHAR(20), v DOUBLE, PRIMARY KEY (k, a)); \
             CREATE TABLE parent (id INT PRIMARY KEY); INSERT INTO parent VALUES (1), (2); \
             INSERT INTO t VALUES (1, 'one', 1.5, '2020-01-01 10:00:00.5'), (2, 'two', NULL, NULL), (5, '', 0, NULL); \
             INSERT INTO s VALUES (1, 'a', 0.1), (2, 'B', 0.2), (3, 'c', NULL), (4, 'ß', 0.3)",
        )
        .await;
    let url = scene.source.server.url().replacen("root@", &format!("{user}@"), 1);
    let daemon = scene.start_with(&scene.config().source("url", &format!("{url:?}"))).await;
    scene
        .source
        .sql("INSERT INTO t VALUES (3, 'three', 3, NULL), (9, 'nine', 9, NULL); DELETE FROM t WHERE id = 5")
        .await;
    scene.wait_applied(&daemon).await;
    assert_verified(&daemon).await;

    // What no log reader sees, and what hands do to the target.
    let mut unlogged = scene.source.session().await;
    unlogged
        .sql("SET sql_log_bin = 0; INSERT INTO t VALUES (6, 'unlogged', 6, NULL); DELETE FROM t WHERE id = 9")
        .await;
    unlogged
        .sql("UPDATE s SET v = 7 WHERE k = 'a'; INSERT INTO s VALUES (5, 'new', 1); DELETE FROM parent")
        .await;
    let schema = scene.source.name.clone();
    scene
        .target
        .sql(&format!(
            "UPDATE {schema}.t SET d = 1.51 WHERE id = 1; DELETE FROM {schema}.t WHERE id = 2; \
             INSERT INTO {schema}.t VALUES (-4, 'hand', 1, NULL), (1000, 'hand', 1, NULL); \
             INSERT INTO {schema}.s VALUES (9, 'zz', 1), (2, 'b', 0.2); UPDATE {schema}.s SET v = 0.30000000000000004 WHERE k = 'ß'"
        ))
        .await;
    for repair in [false, true, false] {
        let said = verdicts(&daemon, if repair { &["--repair"] } else { &[] }).await;
        if repair || said["t"].outcome == Outcome::Different {
            let outcome = if repair { Outcome::Repaired } else { Outcome::Different };
            for table in ["t", "s", "parent"] {
                assert_eq!(said[table].outcome, outcome, "{:?}", said[table]);
            }
            let keys = ["different 1", "extra -4", "extra 1000", "extra 9", "missing 2", "missing 6"];
            assert_eq!(found(&said["t"]), keys);
            let keys = ["different a,1", "different ß,4", "extra b,2", "extra zz,9", "missing new,5"];
            assert_eq!(found(&said["s"]), keys);
            assert_eq!(found(&said["parent"]), ["extra 1", "extra 2"]);
            assert_eq!(said["s"].key_columns, ["k", "a"]);
        } else {
            assert!(said.values().all(|verdict| verdict.outcome == Outcome::Equal), "{said:?}");
        }
    }
    scene.assert_exact(&daemon, &["t", "s", "parent"]).await;
    // The stream goes on over what was put right.
    scene
        .source
        .sql("UPDATE t SET v = CONCAT(v, '!'); DELETE FROM s WHERE a > 3; INSERT INTO parent VALUES (1)")
        .await;
    scene.assert_exact(&daemon, &["t", "s", "parent"]).await;
    assert_eq!(daemon.drift().await, 0);
    assert!(scene.source.sql("SELECT 1 FROM parent").await.len() == 1);
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
}

#[tokio::test]
async fn from_mysql_9_7() {
    each_kind(mysql97().await, "verify_97", "REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN").await;
}

#[tokio::test]
async fn from_mysql_5_6() {
    each_kind(mysql56().await, "verify_56", "REPLICATION SLAVE, REPLICATION CLIENT").await;
}

#[tokio::test]
async fn from_mariadb() {
    each_kind(mariadb().await, "verify_maria", "REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR").await;
}

#[tokio::test]
async fn an_emptied_table_is_put_right_whole_and_the_keys_are_listed_in_part() {
    // Its own server: the checkpoint is waited for many times.
    let mysql = Kind::Gtids97.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "verify_emptied").await;
    scene.source.sql(&crate::healing::rows("t", 12_000)).await;
    let daemon = scene.start().await;
    scene.target.sql(&format!("DELETE FROM {}.t WHERE id > 1000", scene.source.name)).await;
    let said = &verdicts(&daemon, &["--keys", "5", "--repair"]).await["t"];
    assert_eq!((said.outcome, said.missing, said.keys.len()), (Outcome::Repaired, 11_000, 5), "{said:?}");
    assert_eq!(said.keys[0].difference, Difference::Missing);
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn rows_of_another_feeder_are_not_too_many() {
    let scene = Scene::new("verify_shared").await;
    scene
        .source
        .sql(
            "CREATE TABLE a (id INT PRIMARY KEY, v INT); CREATE TABLE b (id INT PRIMARY KEY, v INT); \
             INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 10), (7, 7)",
        )
        .await;
    let tag = "target = \"all_of_them\"\nsource_column = \"src\"";
    let config = scene.config().more(&format!("[task.main.table.\"{}.*\"]\n{tag}", scene.source.name));
    let daemon = scene.start_with(&config).await;
    assert_verified(&daemon).await;
    let schema = &scene.source.name;
    let mine = format!("UPDATE {schema}.all_of_them SET v = 5 WHERE src LIKE '%.a' AND id = 1");
    let extra =
        format!("INSERT INTO {schema}.all_of_them SELECT src, 99, 1 FROM {schema}.all_of_them WHERE v = 10");
    scene.target.sql(&format!("{mine}; {extra}")).await;
    let said = verdicts(&daemon, &["--repair"]).await;
    assert_eq!((said["a"].different, said["a"].differences()), (1, 1), "{said:?}");
    assert_eq!((said["b"].extra, said["b"].differences()), (1, 1), "{said:?}");
    let key = [format!("main:{schema}.a"), "1".to_owned()];
    assert_eq!(said["a"].keys[0].key, key, "{said:?}");
    assert_verified(&daemon).await;
}

#[tokio::test]
async fn keys_of_chosen_types_are_asked_for_as_the_source_has_them() {
    let scene = Scene::new("verify_chosen").await;
    scene
        .source
        .sql(
            "CREATE TABLE u (k BINARY(16) PRIMARY KEY, v INT); CREATE TABLE b (k BIT(1) PRIMARY KEY, v INT); \
             CREATE TABLE x (id INT NOT NULL, t VARCHAR(9) NOT NULL, v INT, PRIMARY KEY (id)); \
             INSERT INTO u VALUES (x'00000000000000000000000000000001', 1), (x'FF00000000000000000000000000000A', 2); \
             INSERT INTO b VALUES (b'0', 1), (b'1', 2); INSERT INTO x VALUES (1, 'a', 1), (2, 'b', 2)",
        )
        .await;
    let name = &scene.source.name;
    let config = scene
        .config()
        .more(&format!("[task.main.table.\"{name}.u\"]\ntypes = {{ k = \"uuid\" }}"))
        .more(&format!("[task.main.table.\"{name}.b\"]\ntypes = {{ k = \"boolean\" }}"))
        .more(&format!("[task.main.table.\"{name}.x\"]\nprimary_key = [\"t\", \"id\"]"));
    let daemon = scene.start_with(&config).await;
    assert_verified(&daemon).await;
    scene.target.sql(&format!("UPDATE {name}.u SET v = 9 WHERE v = 2; INSERT INTO {name}.u VALUES ('00000000-0000-0000-0000-0000000000ff', 1)")).await;
    scene
        .target
        .sql(&format!("UPDATE {name}.b SET v = 9 WHERE v = 2; DELETE FROM {name}.b WHERE v = 1"))
        .await;
    scene
        .target
        .sql(&format!("UPDATE {name}.x SET v = 9 WHERE v = 2; INSERT INTO {name}.x VALUES (1, 'A', 1)"))
        .await;
    let said = verdicts(&daemon, &["--repair"]).await;
    let counts =
        |table: &str| (said[table].missing, said[table].different, said[table].extra, said[table].repaired);
    assert_eq!(
        (counts("u"), counts("b"), counts("x")),
        ((0, 1, 1, 2), (1, 1, 0, 2), (0, 1, 1, 2)),
        "{said:?}"
    );
    assert_verified(&daemon).await;
    scene.assert_exact(&daemon, &["u", "b", "x"]).await;
}

#[tokio::test]
async fn what_only_the_target_can_hold_is_told_and_left() {
    let scene = Scene::new("verify_strange").await;
    scene
        .source
        .sql(
            "CREATE TABLE e (k ENUM('a','b') PRIMARY KEY, v INT); INSERT INTO e VALUES ('a', 1); \
             CREATE TABLE l (k VARCHAR(9) CHARACTER SET latin1 PRIMARY KEY, v INT); INSERT INTO l VALUES ('a', 1); \
             CREATE TABLE d (k DATETIME PRIMARY KEY, v INT); INSERT INTO d VALUES ('2020-01-01', 1)",
        )
        .await;
    let daemon = scene.start().await;
    let name = &scene.source.name;
    scene
        .target
        .sql(&format!(
            "INSERT INTO {name}.e VALUES ('z', 1); INSERT INTO {name}.l VALUES ('漢', 1), ('b', 2); \
             INSERT INTO {name}.d VALUES ('30000-01-01', 1), ('2021-01-01', 1)"
        ))
        .await;
    let said = verdicts(&daemon, &["--repair"]).await;
    let extra = |table: &str| (said[table].outcome, said[table].extra);
    assert_eq!(extra("e"), (Outcome::Different, 1), "{said:?}");
    assert_eq!(
        extra("l"),
        (if said["l"].repaired == 2 { Outcome::Repaired } else { Outcome::Different }, 2),
        "{said:?}"
    );
    assert_eq!(
        extra("d"),
        (if said["d"].repaired == 2 { Outcome::Repaired } else { Outcome::Different }, 2),
        "{said:?}"
    );
    assert!(said["l"].repaired >= 1 && said["d"].repaired >= 1, "{said:?}");
    for table in ["e", "l", "d"] {
        let own = scene
            .target
            .one(&format!(
                "SELECT count(*) FROM {name}.{table} WHERE v = 1 AND k::text IN ('a', '2020-01-01 00:00:00')"
            ))
            .await;
        assert_eq!(own, "1", "{table}");
    }
}

#[tokio::test]
async fn more_rows_than_are_looked_at_at_a_time_are_taken_out_all_the_same() {
    // Its own server: the checkpoint is waited for many times.
    let mysql = Kind::Gtids97.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "verify_many").await;
    scene.source.sql(&crate::healing::rows("t", 23_000)).await;
    let daemon = scene.start().await;
    scene.source.sql("SET sql_log_bin = 0; DELETE FROM t WHERE id > 3").await;
    let said = &verdicts(&daemon, &[]).await["t"];
    assert!(said.outcome == Outcome::Different && said.at_least && said.extra == 20_000, "{said:?}");
    let said = &verdicts(&daemon, &["--repair"]).await["t"];
    assert_eq!((said.outcome, said.extra, said.at_least), (Outcome::Repaired, 22_997, false), "{said:?}");
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn many_rows_of_the_targets_own_hide_no_row_that_is_missing() {
    let scene = Scene::new("verify_own_rows").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (100001, 1), (100002, 2)")
        .await;
    let config = scene.config().task("operations", "[\"insert\", \"update\"]");
    let daemon = scene.start_with(&config).await;
    let name = &scene.source.name;
    scene.target.sql(&format!("INSERT INTO {name}.t SELECT i, i FROM generate_series(1, 30000) i; DELETE FROM {name}.t WHERE id = 100001")).await;
    let said = &verdicts(&daemon, &[]).await["t"];
    let counts = (said.outcome, said.missing, said.extra, said.at_least);
    assert_eq!(counts, (Outcome::Different, 1, 0, false), "{said:?}");
    assert!(said.not_looked_for.iter().any(|what| what.contains("extra")), "{said:?}");
}
