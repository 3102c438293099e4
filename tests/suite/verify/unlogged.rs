//! Rows that a foreign key changes without a word in the log: every MySQL before 9.6 and every MariaDB log the parent's row alone.
//! Texts that are compared by another collation than the target's cannot be followed.

use super::{assert_verified, verdicts};
use crate::harness::{Mysql, Scene, mariadb, mysql56, postgres};
use rowferry::testing::change::verdict::Outcome;

const FAMILY: &str = "CREATE TABLE parent (id INT PRIMARY KEY, k VARCHAR(9) UNIQUE, m VARCHAR(9) UNIQUE) DEFAULT CHARSET = latin1 ENGINE = InnoDB; \
    CREATE TABLE goes (id INT PRIMARY KEY, p VARCHAR(9), CONSTRAINT goes_fk FOREIGN KEY (p) REFERENCES parent (m) ON DELETE CASCADE) DEFAULT CHARSET = latin1 ENGINE = InnoDB; \
    CREATE TABLE emptied (id INT PRIMARY KEY, p VARCHAR(9), CONSTRAINT emptied_fk FOREIGN KEY (p) REFERENCES parent (m) ON DELETE SET NULL) DEFAULT CHARSET = latin1 ENGINE = InnoDB; \
    CREATE TABLE moved (id INT PRIMARY KEY, k VARCHAR(9), CONSTRAINT moved_fk FOREIGN KEY (k) REFERENCES parent (k) ON UPDATE CASCADE) DEFAULT CHARSET = latin1 ENGINE = InnoDB; \
    INSERT INTO parent VALUES (1, 10, 1), (2, 20, 2), (3, 30, 3); \
    INSERT INTO goes VALUES (11, 1), (12, 2), (13, 2); INSERT INTO emptied VALUES (11, 1), (12, 2), (13, 2); \
    INSERT INTO moved VALUES (31, 30), (32, 10)";

async fn children(mysql: &Mysql) {
    let name = format!("verify_cascades_{}", mysql.kind());
    let scene = Scene::on(mysql, postgres().await, &name).await;
    scene.source.sql(FAMILY).await;
    let accepted: Vec<String> =
        ["goes", "emptied", "moved"].iter().map(|child| format!("{name}.{child}.{child}_fk")).collect();
    let daemon = scene.start_with(&scene.config().task("accept_cascades", &format!("{accepted:?}"))).await;
    assert_verified(&daemon).await;
    scene.source.sql("DELETE FROM parent WHERE id = 2; UPDATE parent SET k = 33 WHERE id = 3").await;
    scene.wait_applied(&daemon).await;
    for outcome in [Outcome::Different, Outcome::Repaired, Outcome::Equal] {
        let said = verdicts(&daemon, if outcome == Outcome::Repaired { &["--repair"] } else { &[] }).await;
        assert_eq!(said["parent"].outcome, Outcome::Equal, "{said:?}");
        let (goes, emptied, moved) = if outcome == Outcome::Equal { (0, 0, 0) } else { (2, 2, 1) };
        for (table, extra, different) in [("goes", goes, 0), ("emptied", 0, emptied), ("moved", 0, moved)] {
            let verdict = &said[table];
            let counts = (verdict.outcome, verdict.missing, verdict.extra, verdict.different);
            assert_eq!(counts, (outcome, 0, extra, different), "{verdict:?}");
        }
    }
    scene.source.sql("UPDATE goes SET p = 3; UPDATE emptied SET p = 1; UPDATE moved SET k = 10").await;
    scene.assert_exact(&daemon, &["parent", "goes", "emptied", "moved"]).await;
}

#[tokio::test]
async fn children_that_go_with_their_parent_are_found_and_put_right() {
    for mysql in [mysql56().await, mariadb().await] {
        children(mysql).await;
    }
}
