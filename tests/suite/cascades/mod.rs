//! Foreign keys that the source follows without a word in its log: the target follows them too.

mod beside;
mod during_copy;
mod fuzz;
mod refused;

use crate::harness::{DEADLINE, Mysql, Scene, mariadb, mysql56, postgres};

/// A grandparent, parents by delete and by update, several ways to one child, a tree, texts, keys of two columns.
pub const FAMILY: &str = "
    CREATE TABLE a (id INT PRIMARY KEY, k INT UNIQUE, t VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_bin UNIQUE, v INT) ENGINE = InnoDB;
    CREATE TABLE b (id INT PRIMARY KEY, a INT, k INT, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
        UNIQUE (k, id), CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE ON UPDATE CASCADE,
        CONSTRAINT b_k FOREIGN KEY (k) REFERENCES a (k) ON DELETE SET NULL ON UPDATE CASCADE) ENGINE = InnoDB;
    CREATE TABLE c (id INT PRIMARY KEY, b INT, bk INT, bi INT,
        CONSTRAINT c_b FOREIGN KEY (b) REFERENCES b (id) ON DELETE CASCADE,
        CONSTRAINT c_bk FOREIGN KEY (bk, bi) REFERENCES b (k, id) ON DELETE SET NULL ON UPDATE CASCADE) ENGINE = InnoDB;
    CREATE TABLE d (a INT, n INT, v INT, PRIMARY KEY (a, n),
        CONSTRAINT d_a FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE = InnoDB;
    CREATE TABLE e (id INT PRIMARY KEY, da INT, dn INT,
        CONSTRAINT e_d FOREIGN KEY (da, dn) REFERENCES d (a, n) ON DELETE SET NULL ON UPDATE CASCADE) ENGINE = InnoDB;
    CREATE TABLE tree (id INT PRIMARY KEY, up INT, CONSTRAINT tree_up FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE) ENGINE = InnoDB;
    CREATE TABLE word (id INT PRIMARY KEY, t VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_bin,
        CONSTRAINT word_t FOREIGN KEY (t) REFERENCES a (t) ON DELETE SET NULL ON UPDATE CASCADE) ENGINE = InnoDB;
    INSERT INTO a VALUES (1, 10, 'one', 0), (2, 20, 'two', 0), (3, 30, 'three', 0), (4, 40, 'four', 0), (5, 50, 'five', 0), (6, NULL, NULL, 0);
    INSERT INTO b (id, a, k) VALUES (11, 1, 20), (12, 1, 30), (21, 2, 10), (22, 2, NULL), (31, 3, 30), (41, 4, 40), (51, NULL, 50), (61, 6, 10);
    INSERT INTO c VALUES (111, 11, 20, 11), (112, 12, NULL, 12), (211, 21, 10, 21), (311, 31, 30, 31), (411, 41, NULL, NULL), (511, 51, 50, 51);
    INSERT INTO d VALUES (1, 1, 0), (1, 2, 0), (2, 1, 0), (3, 1, 0), (4, 1, 0);
    INSERT INTO e VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 3, 1), (5, 4, NULL);
    INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 1), (6, NULL), (7, 6), (8, 7), (9, 8);
    INSERT INTO word VALUES (1, 'one'), (2, 'one '), (3, 'two  '), (4, 'three'), (5, NULL)";

pub const TABLES: [&str; 7] = ["a", "b", "c", "d", "e", "tree", "word"];

/// What a foreign key is asked for, one way after the other.
const WRITES: [&str; 18] = [
    "DELETE FROM a WHERE id = 6",
    "UPDATE a SET v = v + 1",
    "UPDATE a SET id = 7 WHERE id = 2",
    "UPDATE a SET k = 33, t = 'drei' WHERE id = 3",
    "UPDATE a SET id = id + 100 ORDER BY id DESC",
    "UPDATE a SET id = id + 1 ORDER BY id DESC; UPDATE a SET id = id - 1 ORDER BY id",
    "DELETE FROM tree WHERE id = 2",
    "DELETE FROM a WHERE id = 101",
    "REPLACE INTO a VALUES (103, 33, 'drei', 9)",
    "INSERT INTO a VALUES (104, 1, 'x', 1) ON DUPLICATE KEY UPDATE id = 204, k = 44",
    "BEGIN; INSERT INTO b (id, a, k) VALUES (71, 204, 44); INSERT INTO c VALUES (711, 71, 44, 71); DELETE FROM a WHERE id = 204; \
     INSERT INTO a VALUES (204, 44, 'again', 1); INSERT INTO b (id, a, k) VALUES (71, 204, 44); UPDATE a SET id = 205 WHERE id = 204; \
     UPDATE b SET a = NULL WHERE id = 71; DELETE FROM a; COMMIT",
    "INSERT INTO a VALUES (1, 1, 'one', 0), (2, 2, 'two ', 0); INSERT INTO b (id, a, k) VALUES (1, 1, 1), (2, 2, 2); \
     INSERT INTO d VALUES (1, 1, 1), (2, 2, 2); INSERT INTO e VALUES (11, 1, 1), (12, 2, 2); UPDATE word SET t = 'two'",
    "BEGIN; SAVEPOINT s; DELETE FROM a WHERE id = 1; ROLLBACK TO s; UPDATE a SET v = 5 WHERE id = 1; COMMIT",
    "BEGIN; DELETE FROM a WHERE id = 1; ROLLBACK",
    "UPDATE a SET t = 'zwei' WHERE id = 2",
    "SET foreign_key_checks = 0; UPDATE a SET id = 5, k = 5 WHERE id = 1; DELETE FROM a WHERE id = 2; DELETE FROM tree WHERE id = 6",
    "DELETE FROM tree WHERE id = 7; DELETE FROM tree WHERE id IN (1, 5)",
    "INSERT INTO a VALUES (1, 1, 'last', 0); INSERT INTO d VALUES (1, 9, 9); DELETE FROM a WHERE id = 1",
];

async fn family<'servers>(mysql: &'servers Mysql, name: &str) -> Scene<'servers> {
    let scene = Scene::on(mysql, postgres().await, &format!("{name}_{}", mysql.kind())).await;
    scene.source.sql(FAMILY).await;
    scene
}

#[tokio::test]
async fn whatever_a_foreign_key_does_the_target_does_too() {
    for mysql in [mysql56().await, mariadb().await] {
        let scene = family(mysql, "cascades").await;
        let daemon = scene.start().await;
        for writes in WRITES {
            scene.source.sql(writes).await;
            eprintln!("{writes}");
            scene.assert_exact(&daemon, &TABLES).await;
        }
    }
}

/// All at once, in batches and transactions of any size.
#[tokio::test]
async fn foreign_keys_are_followed_in_order_whatever_is_applied_together() {
    for (case, apply) in [("one", "{ batch_rows = 1 }"), ("many", "{ batch_rows = 10000 }")] {
        for mysql in [mysql56().await, mariadb().await] {
            let scene = family(mysql, &format!("cascades_order_{case}")).await;
            let daemon = scene.start_with(&scene.config().task("apply", apply)).await;
            daemon.signal("STOP");
            for writes in WRITES {
                scene.source.sql(writes).await;
            }
            daemon.signal("CONT");
            scene.assert_exact(&daemon, &TABLES).await;
        }
    }
}

/// Names, types and columns of the target are its own.
#[tokio::test]
async fn foreign_keys_are_followed_under_other_names() {
    let scene = family(mariadb().await, "cascades_named").await;
    let name = &scene.source.name;
    let config = scene.config().more(&format!(
        "[task.main.table.\"{name}.b\"]\ntarget = \"kinder\"\ncolumns = {{ a = \"eltern\", id = \"nummer\" }}\nsource_column = \"von\"\n\
         [task.main.table.\"{name}.a\"]\ncolumns = {{ id = \"nummer\" }}\nexclude_columns = [\"v\"]"
    ));
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql("DELETE FROM a WHERE id = 1; UPDATE a SET id = 77 WHERE id = 2; UPDATE a SET k = 4 WHERE id = 4")
        .await;
    scene.wait_applied(&daemon).await;
    let there = scene.source.one("SELECT GROUP_CONCAT(CONCAT_WS(':', id, a, k) ORDER BY id) FROM b").await;
    let sql = format!(
        "SELECT string_agg(concat_ws(':', nummer, eltern, k), ',' ORDER BY nummer) FROM {name}.kinder"
    );
    assert_eq!(scene.target.one(&sql).await, there);
    scene.assert_exact(&daemon, &["c", "d", "e"]).await;
}

/// Pages of rows that others refer to, and many keys of one statement.
#[tokio::test]
async fn many_rows_go_with_many_parents() {
    for mysql in [mysql56().await, mariadb().await] {
        let scene = family(mysql, "cascades_many").await;
        let daemon = scene.start().await;
        let digits = "(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)";
        let numbers =
            format!("(SELECT x.n + 10 * y.n + 100 * z.n AS n FROM {digits} x, {digits} y, {digits} z)");
        scene
            .source
            .sql(&format!(
                "INSERT INTO a SELECT 1000 + n, 1000 + n, NULL, 0 FROM {numbers} q; \
                 INSERT INTO b (id, a, k) SELECT 1000 + 10 * q.n + d.n, 1000 + q.n, 1000 + q.n FROM {numbers} q, {digits} d; \
                 INSERT INTO c SELECT id, id, k, id FROM b WHERE id >= 1000"
            ))
            .await;
        scene.assert_exact(&daemon, &TABLES).await;
        scene
            .source
            .sql("UPDATE a SET id = id + 5000, k = k + 1 WHERE id >= 1000 ORDER BY id DESC, k DESC")
            .await;
        scene.assert_exact(&daemon, &TABLES).await;
        scene.source.sql("DELETE FROM a WHERE id >= 6000 AND id % 3 <> 0").await;
        scene.assert_exact(&daemon, &TABLES).await;
    }
}

#[tokio::test]
async fn foreign_keys_are_followed_when_an_xa_transaction_is_committed() {
    let scene = family(mariadb().await, "cascades_xa").await;
    let daemon = scene.start().await;
    let mut session = scene.source.session().await;
    session.sql("XA START 'casc'; DELETE FROM a WHERE id = 1; UPDATE a SET id = 9 WHERE id = 2; XA END 'casc'; XA PREPARE 'casc'").await;
    scene.source.sql("INSERT INTO a VALUES (99, 99, NULL, 0)").await;
    scene.wait_applied(&daemon).await;
    session.sql("XA COMMIT 'casc'").await;
    scene.assert_exact(&daemon, &TABLES).await;
}

/// A transaction and what its foreign keys do are one transaction of the target, whenever the daemon dies.
#[tokio::test]
async fn a_killed_daemon_has_followed_all_or_nothing() {
    for mysql in [mysql56().await, mariadb().await] {
        let scene = family(mysql, "cascades_killed").await;
        let daemon = scene.start_with(&scene.config().task("apply", "{ batch_rows = 3 }")).await;
        for round in 0..6 {
            for at in 0..20 {
                let id = 1000 + round * 100 + at;
                scene
                    .source
                    .sql(&format!(
                        "BEGIN; INSERT INTO a VALUES ({id}, {id}, NULL, 0); INSERT INTO b (id, a, k) VALUES ({id}, {id}, {id}); \
                         INSERT INTO c VALUES ({id}, {id}, {id}, {id}); INSERT INTO d VALUES ({id}, 1, 1); COMMIT; \
                         UPDATE a SET id = id + 10000, k = k + 10000 WHERE id = {id}; DELETE FROM a WHERE id = {id} + 10000 AND id % 2 = 0"
                    ))
                    .await;
                if at == 3 * round {
                    daemon.kill9();
                    daemon.restart();
                }
            }
        }
        daemon.wait_phase("Synchronizing", DEADLINE).await;
        scene.assert_exact(&daemon, &TABLES).await;
    }
}

/// The tables of MySQL's own example: keys that restrict deletes and cascade updates, in a circle too.
#[tokio::test]
async fn a_schema_like_sakila_starts_with_no_key_named() {
    for mysql in [mysql56().await, mariadb().await] {
        let scene = Scene::on(mysql, postgres().await, &format!("sakila_{}", mysql.kind())).await;
        let key = "ON DELETE RESTRICT ON UPDATE CASCADE";
        scene
            .source
            .sql(&format!(
                "CREATE TABLE language (id TINYINT UNSIGNED PRIMARY KEY, name CHAR(20)) ENGINE = InnoDB; \
                 CREATE TABLE film (id SMALLINT UNSIGNED PRIMARY KEY, language_id TINYINT UNSIGNED NOT NULL, original_id TINYINT UNSIGNED, \
                   FOREIGN KEY (language_id) REFERENCES language (id) {key}, FOREIGN KEY (original_id) REFERENCES language (id) {key}) ENGINE = InnoDB; \
                 CREATE TABLE store (id TINYINT UNSIGNED PRIMARY KEY, manager_id TINYINT UNSIGNED NOT NULL) ENGINE = InnoDB; \
                 CREATE TABLE staff (id TINYINT UNSIGNED PRIMARY KEY, store_id TINYINT UNSIGNED NOT NULL, FOREIGN KEY (store_id) REFERENCES store (id) {key}) ENGINE = InnoDB; \
                 INSERT INTO language VALUES (1, 'English'), (2, 'French'); INSERT INTO film VALUES (1, 1, NULL), (2, 1, 2), (3, 2, 1); \
                 INSERT INTO store VALUES (1, 1), (2, 2); INSERT INTO staff VALUES (1, 1), (2, 2); \
                 ALTER TABLE store ADD FOREIGN KEY (manager_id) REFERENCES staff (id) {key}"
            ))
            .await;
        let daemon = scene.start().await;
        scene.source.sql("UPDATE language SET id = id + 10; UPDATE staff SET id = id + 50; UPDATE store SET id = id + 100").await;
        scene.assert_exact(&daemon, &["language", "film", "store", "staff"]).await;
        assert_eq!(scene.source.one("SELECT GROUP_CONCAT(store_id) FROM staff").await, "101,102");
    }
}
