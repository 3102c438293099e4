//! Foreign keys at work while their tables are copied.

use super::{TABLES, family};
use crate::harness::{DEADLINE, Daemon, Mysql, Proxy, Scene, mariadb, mysql56, postgres};

/// Holds the copy before its chunk of `table`, runs `writes`, and lets it go on.
async fn written_before(mysql: &Mysql, case: &str, table: &str, writes: &str) -> String {
    let scene = family(mysql, case).await;
    let proxy = Proxy::start(scene.source.server.port());
    let held = proxy.hold(&format!("FROM `{}`.`{table}`", scene.source.name));
    let config = scene.config_through(Some(&proxy), None).task("snapshot", "{ parallel = 1 }");
    let daemon = Daemon::start(&config);
    held.wait().await;
    scene.source.sql(writes).await;
    drop(held);
    daemon.wait_phase("Synchronizing", DEADLINE * 2).await;
    scene.assert_exact(&daemon, &TABLES).await;
    daemon.log()
}

#[tokio::test]
async fn rows_that_go_with_their_parent_during_the_copy_are_gone() {
    for mysql in [mysql56().await, mariadb().await] {
        for table in ["a", "b", "c", "d", "e", "tree", "word"] {
            let case = format!("casc_copied_{table}");
            let writes = "DELETE FROM a WHERE id IN (1, 3); UPDATE a SET id = 70, k = 70, t = 'seven' WHERE id = 2; DELETE FROM tree WHERE id = 2";
            written_before(mysql, &case, table, writes).await;
        }
    }
}

/// The value that went comes back by the foreign key itself, without an event of the child.
#[tokio::test]
async fn a_value_that_comes_back_by_a_foreign_key_is_not_taken_for_the_one_that_went() {
    for mysql in [mysql56().await, mariadb().await] {
        let scene = Scene::on(mysql, postgres().await, &format!("casc_back_{}", mysql.kind())).await;
        scene
            .source
            .sql(
                "CREATE TABLE p (id INT PRIMARY KEY) ENGINE = InnoDB; \
                 CREATE TABLE q (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE = InnoDB; \
                 INSERT INTO p VALUES (1), (2), (3); INSERT INTO q VALUES (11, 1), (21, 2), (31, 3)",
            )
            .await;
        let proxy = Proxy::start(scene.source.server.port());
        let held = proxy.hold(&format!("FROM `{}`.`q`", scene.source.name));
        let config = scene.config_through(Some(&proxy), None).task("snapshot", "{ parallel = 1 }");
        let daemon = Daemon::start(&config);
        held.wait().await;
        scene.source.sql("DELETE FROM p WHERE id = 1; UPDATE p SET id = 1 WHERE id = 2").await;
        drop(held);
        daemon.wait_phase("Synchronizing", DEADLINE * 2).await;
        scene.assert_exact(&daemon, &["p", "q"]).await;
        assert!(daemon.log().contains("a value again that went"), "{}", daemon.log_tail());
        assert_eq!(
            scene
                .target
                .one(&format!("SELECT string_agg(p::text, ',' ORDER BY id) FROM {}.q", scene.source.name))
                .await,
            "1,3"
        );
    }
}
