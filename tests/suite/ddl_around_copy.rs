//! Statements that change a table while its copy is set up or runs: neither a definition, nor a chunk, nor a value may
//! be taken for what it is not.

use crate::harness::{Comparison, DEADLINE, Daemon, Proxy, Scene, eventually};

/// Forty rows, ids 10 to 400; `a` and `b` are of one type and never equal.
const ROWS: &str = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT); \
    INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
    SELECT i * 10, i, -i FROM n";

/// Runs `writes` when P0 is recorded and the definitions are not read yet.
async fn written_behind_p0(name: &str, writes: &str) {
    let scene = Scene::new(name).await;
    scene.source.sql(ROWS).await;
    let proxy = Proxy::start(scene.source.server.port());
    let mut p0 = proxy.hold("@@GLOBAL.gtid_executed");
    let daemon = Daemon::start(&scene.config_through(Some(&proxy), None));
    // The precheck may ask for it too.
    loop {
        p0.wait().await;
        let task = daemon.task().await.unwrap();
        if task.phase.name() == "SchemaSync" {
            break;
        }
        p0 = proxy.hold("@@GLOBAL.gtid_executed");
    }
    let definitions = proxy.hold("FROM information_schema.TABLES");
    drop(p0);
    definitions.wait().await;
    scene.source.sql(writes).await;
    drop(definitions);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    scene.source.sql("UPDATE t SET b = 7 WHERE id > 300; INSERT INTO t (id, a) VALUES (1000, 1)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert!(daemon.log().contains("reading them again"), "the statement was not noticed");
}

/// The stream would exchange the names a second time, and put values into each other's columns.
#[tokio::test]
async fn columns_that_exchange_names_behind_p0_keep_their_values() {
    let writes =
        "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a; UPDATE t SET a = 1000 WHERE id <= 100";
    written_behind_p0("names_exchanged", writes).await;
}

#[tokio::test]
async fn a_column_added_behind_p0_is_added_once() {
    let writes = "UPDATE t SET a = 0 WHERE id = 10; ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 5 AFTER id; \
                  UPDATE t SET c = 6 WHERE id <= 100";
    written_behind_p0("added_behind_p0", writes).await;
}

/// What else the stream could not carry: the table is another one, and is read anew.
#[tokio::test]
async fn a_table_made_anew_behind_p0_is_copied_as_it_is() {
    let writes = "DROP TABLE t; CREATE TABLE t (b VARCHAR(10), id INT PRIMARY KEY, a INT); \
                  INSERT INTO t VALUES ('one', 1, 1), ('two', 2, 2)";
    written_behind_p0("made_anew_behind_p0", writes).await;
}

/// Stops the copy after ten rows, runs `writes`, and lets it go on. The daemon needs the proxy as long as it runs.
async fn written_during_copy(name: &str, writes: &str) -> (Scene<'static>, Daemon, Proxy) {
    let scene = Scene::new(name).await;
    scene.source.sql(ROWS).await;
    let proxy = Proxy::start(scene.source.server.port());
    let held = proxy.hold("`id` > 100 AND `id` <= 200");
    let config = scene.config_through(Some(&proxy), None);
    let daemon = Daemon::start(&config.task("snapshot", "{ parallel = 1, chunk_rows = 10 }"));
    held.wait().await;
    scene.source.sql(writes).await;
    drop(held);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    (scene, daemon, proxy)
}

#[tokio::test]
async fn a_column_added_during_the_copy_has_its_values_in_every_chunk() {
    let writes = "
        ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 5, ADD COLUMN d VARCHAR(10) AFTER id;
        UPDATE t SET c = 6, d = 'read' WHERE id = 50; UPDATE t SET c = 7, d = 'unread' WHERE id = 350;
        INSERT INTO t VALUES (55, 'new', 1, 2, 3), (355, 'new', 1, 2, 3); UPDATE t SET id = 65 WHERE id = 300";
    let (scene, daemon, _proxy) = written_during_copy("added_during_copy", writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_column_renamed_during_the_copy_is_copied_under_its_new_name() {
    let writes = "UPDATE t SET b = 100 WHERE id = 50; ALTER TABLE t RENAME COLUMN b TO renamed; \
                  UPDATE t SET renamed = 200 WHERE id IN (60, 350)";
    let (scene, daemon, _proxy) = written_during_copy("renamed_during_copy", writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_went_on(&daemon);
}

/// What was copied before the statement is not copied again.
fn assert_went_on(daemon: &Daemon) {
    let log = daemon.log();
    assert!(log.contains("its copy goes on after that"), "no chunk has met it: {}", daemon.log_tail());
    assert!(!log.contains("starts over"), "{}", daemon.log_tail());
    let wholes = log.matches("done_before=0").count();
    assert_eq!(wholes, 1, "copied from the start more than once: {}", daemon.log_tail());
}

/// The stream brings rows of chunks that are still to come: they are changed, new, gone and moved, before the statement and after it.
#[tokio::test]
async fn rows_that_come_before_their_chunk_are_as_the_source_has_them() {
    let writes = "
        UPDATE t SET b = 100 WHERE id IN (50, 250, 350); DELETE FROM t WHERE id IN (60, 260, 360); INSERT INTO t VALUES (255, 1, 2);
        UPDATE t SET id = 265 WHERE id = 270; UPDATE t SET id = 75 WHERE id = 280; UPDATE t SET id = 375 WHERE id = 80;
        ALTER TABLE t RENAME COLUMN id TO k, ADD COLUMN c INT DEFAULT 9 AFTER a;
        UPDATE t SET c = 10, a = 11 WHERE k IN (50, 250, 290, 355); DELETE FROM t WHERE k IN (90, 255, 390);
        INSERT INTO t VALUES (260, 1, 2, 3), (395, 4, 5, 6); UPDATE t SET k = 285 WHERE k = 265";
    let (scene, daemon, _proxy) = written_during_copy("rows_before_chunks", writes).await;
    scene.source.sql("UPDATE t SET a = a + 1; DELETE FROM t WHERE k > 380").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_went_on(&daemon);
}

/// What the log says of the first table's definition is not spelled as the source tells it: that is no reason to copy it again.
#[tokio::test]
async fn tables_of_one_copy_go_on_one_after_the_other() {
    let scene = Scene::new("both_go_on").await;
    scene.source.sql(ROWS).await;
    scene.source.sql("CREATE TABLE u (no INT PRIMARY KEY, x DECIMAL(5,2), y INT NOT NULL); INSERT INTO u SELECT id, a, a FROM t").await;
    let proxy = Proxy::start(scene.source.server.port());
    let (first, second) =
        (proxy.hold("`id` > 100 AND `id` <= 200"), proxy.hold("`no` > 100 AND `no` <= 200"));
    let config = scene.config_through(Some(&proxy), None).healing();
    let daemon = Daemon::start(&config.task("snapshot", "{ parallel = 1, chunk_rows = 10 }"));
    first.wait().await;
    scene
        .source
        .sql("ALTER TABLE t CHANGE b c INT; ALTER TABLE t ADD COLUMN d DECIMAL(4,2) NOT NULL DEFAULT 0")
        .await;
    drop(first);
    second.wait().await;
    // One that has to take a value goes too.
    scene
        .source
        .sql("DELETE FROM u WHERE no = 300; ALTER TABLE u CHANGE x z DECIMAL(5,2), DROP COLUMN y")
        .await;
    drop(second);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO u VALUES (5, 5); UPDATE t SET d = 1.5 WHERE id > 200").await;
    scene.assert_exact(&daemon, &["t"]).await;
    let of_u = "SELECT count(*), sum(no), sum(z) FROM both_go_on.u";
    assert_eq!(
        scene.target.sql(of_u).await,
        scene.source.sql("SELECT count(*), sum(no), sum(z) FROM u").await
    );
    let log = daemon.log();
    assert!(
        !log.contains("starts over") && log.matches("done_before=0").count() == 2,
        "{}",
        daemon.log_tail()
    );
}

/// A chunk after the statements finds every name, each for another column.
#[tokio::test]
async fn names_that_change_places_one_by_one_during_the_copy_keep_their_values() {
    let writes = "ALTER TABLE t CHANGE a c INT; ALTER TABLE t CHANGE b a INT FIRST; ALTER TABLE t CHANGE c b INT;                   ALTER TABLE t MODIFY a INT AFTER id; UPDATE t SET a = 1000 WHERE id IN (50, 350)";
    let (scene, daemon, _proxy) = written_during_copy("places_changed_in_copy", writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert!(daemon.log().contains("starts over"), "{}", daemon.log_tail());
}

/// As above, with a name that was free for a while.
#[tokio::test]
async fn a_name_that_comes_back_for_another_column_during_the_copy_is_not_taken_for_the_first() {
    let writes = "ALTER TABLE t RENAME COLUMN b TO was; ALTER TABLE t ADD COLUMN b INT DEFAULT 3;                   UPDATE t SET b = 1000 WHERE id IN (50, 350)";
    let (scene, daemon, _proxy) = written_during_copy("name_back_in_copy", writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// Both names are still there, so no chunk fails.
#[tokio::test]
async fn columns_that_exchange_names_during_the_copy_keep_their_values() {
    let writes = "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a; UPDATE t SET a = 1000 WHERE id IN (50, 350)";
    let (scene, daemon, _proxy) = written_during_copy("exchanged_during_copy", writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_column_retyped_during_the_copy_loses_nothing() {
    let writes = "ALTER TABLE t MODIFY b BIGINT; UPDATE t SET b = 1 << 40 WHERE id IN (50, 350)";
    let (scene, daemon, _proxy) = written_during_copy("retyped_during_copy", writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
    let (from, to) = ("retyped_during_copy.t", "retyped_during_copy.t");
    let wide = Comparison::new(from, to).only("b > 1 << 39", "b > 1::bigint << 39");
    assert_eq!(wide.run(scene.source.server, &scene.target).await, Ok(2));
}

/// Two statements of which the second only fits after the first, and rows under each of the three definitions.
#[tokio::test]
async fn statements_in_a_row_during_the_copy_are_carried_in_order() {
    let writes = "
        UPDATE t SET a = 11 WHERE id IN (30, 330); ALTER TABLE t ADD COLUMN c INT;
        UPDATE t SET c = 12 WHERE id IN (40, 340); ALTER TABLE t RENAME COLUMN c TO e;
        UPDATE t SET e = 13 WHERE id IN (50, 350); ALTER TABLE t ADD COLUMN c VARCHAR(5) DEFAULT 'x' FIRST;
        UPDATE t SET c = 'y' WHERE id IN (60, 360)";
    let (scene, daemon, _proxy) = written_during_copy("row_of_statements", writes).await;
    scene.assert_exact(&daemon, &["t"]).await;
    eventually(DEADLINE, "the target has all columns", async || {
        let count =
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'row_of_statements'";
        scene.target.one(count).await == "5"
    })
    .await;
}
