//! What a statement calls decides, as it was when the statement ran.

use super::{CARRIED, goes_on, stops};
use crate::harness::{Config, DEADLINE, Daemon, Kind, Scene, eventually, on_every_kind, postgres};

/// In a database of its own: a table with a trigger and functions that write the carried table, and much that does not.
const OTHER: &str = "
    CREATE TABLE plain (id INT PRIMARY KEY, n INT) ENGINE = InnoDB; CREATE TABLE log (id INT PRIMARY KEY, n INT) ENGINE = InnoDB;
    CREATE TABLE counted (id INT PRIMARY KEY, n INT) ENGINE = InnoDB; CREATE TABLE parent (id INT PRIMARY KEY) ENGINE = InnoDB;
    CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE) ENGINE = InnoDB;
    CREATE TRIGGER fill AFTER INSERT ON log FOR EACH ROW INSERT INTO $sel.t VALUES (NEW.id + 100, 'by trigger');
    CREATE TRIGGER numbers BEFORE INSERT ON counted FOR EACH ROW SET NEW.n = 1;
    CREATE FUNCTION adds (a INT) RETURNS INT DETERMINISTIC RETURN a + 1;
    CREATE FUNCTION writes (a INT) RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO $sel.t VALUES (a, 'by function'); RETURN a; END;
    CREATE VIEW pane AS SELECT * FROM $sel.t; CREATE VIEW own AS SELECT * FROM plain";

const BY_STATEMENT: &str = "SET SESSION binlog_format = STATEMENT, sql_mode = ''; ";

struct Stage {
    scene: Scene<'static>,
    daemon: Daemon,
    other: String,
}

async fn stage(kind: Kind, name: &str) -> Stage {
    let mysql = kind.shared().await;
    let name = format!("{name}_{}", kind.name());
    let scene = Scene::on(mysql, postgres().await, &name).await;
    scene.source.sql(CARRIED).await;
    let other = format!("{name}_other");
    let database = mysql.database(&other).await;
    database.sql(&OTHER.replace("$sel", &name)).await;
    let daemon = scene.start().await;
    Stage { scene, daemon, other }
}

impl Stage {
    async fn run(&self, sql: &str) {
        let sql = sql.replace("$sel", &self.scene.source.name);
        let mysql = self.scene.source.server;
        mysql.sql(&format!("USE {}; {BY_STATEMENT} {sql}", self.other)).await;
    }
}

/// Beside triggers, functions and views that do reach the carried table.
async fn calls_that_reach_nothing_pass(kind: Kind) {
    let stage = stage(kind, "calls_pass").await;
    stage
        .run(
            "INSERT INTO plain VALUES (1, 1), (2, adds(1)); INSERT INTO counted VALUES (1, 1); INSERT INTO parent VALUES (1); \
             INSERT INTO child VALUES (1, 1); DELETE FROM parent; REPLACE INTO plain SELECT id, 7 FROM $sel.t; \
             INSERT INTO plain SELECT id + 50, adds(id) FROM pane; UPDATE own SET n = 5; UPDATE plain, counted SET plain.n = 3; \
             DELETE plain FROM plain JOIN counted USING (id); DO adds(1)",
        )
        .await;
    // Where GTIDs are enforced before 8.0 a table is not made with its rows.
    if kind != Kind::Gtids56 {
        stage.run("CREATE TABLE made AS SELECT adds(id) AS n FROM $sel.t").await;
    }
    goes_on(&stage.scene, &stage.daemon, "calls that reach nothing").await;
    let task = stage.daemon.task().await.unwrap();
    assert!(task.statements_passed >= 8, "{}", task.statements_passed);
    let (_, metrics) = stage.daemon.get("/metrics").await.unwrap();
    assert!(metrics.contains("rowferry_source_passed_statements_total"), "{metrics}");
    // Defined when the list is known already.
    stage
        .run(
            "CREATE FUNCTION later (a INT) RETURNS INT DETERMINISTIC RETURN a; INSERT INTO plain VALUES (900, later(1)); \
             CREATE TABLE staging (id INT PRIMARY KEY, n INT); INSERT INTO staging SELECT id, 1 FROM $sel.t; DROP TABLE staging",
        )
        .await;
    goes_on(&stage.scene, &stage.daemon, "definitions that come later").await;
    // What one statement of a procedure reads is not what the next one does.
    stage
        .run(
            "CREATE PROCEDURE two () BEGIN REPLACE INTO plain SELECT id, 2 FROM $sel.t; INSERT INTO counted VALUES (700, 1); END; CALL two(); \
             START TRANSACTION; REPLACE INTO plain SELECT id, 3 FROM $sel.t; INSERT INTO counted VALUES (701, 1); COMMIT",
        )
        .await;
    goes_on(&stage.scene, &stage.daemon, "a procedure").await;
}

on_every_kind!(calls_that_reach_no_carried_table_stop_nothing, calls_that_reach_nothing_pass);

async fn reaches(kind: Kind, name: &str, sql: &str, words: &[&str]) {
    let stage = stage(kind, name).await;
    // The list is known, and what comes must not be taken by an old one.
    stage.run("REPLACE INTO plain SELECT id, 1 FROM $sel.t").await;
    goes_on(&stage.scene, &stage.daemon, "a harmless one").await;
    stage.run(sql).await;
    stops(&stage.daemon, words).await;
}

async fn a_trigger(kind: Kind) {
    reaches(
        kind,
        "by_trigger",
        "INSERT INTO log VALUES (1, 1)",
        &["INSERT INTO log", "fill", "binlog_format"],
    )
    .await;
}

on_every_kind!(a_trigger_that_writes_a_carried_table_stops_the_task, a_trigger);

async fn a_function(kind: Kind) {
    reaches(
        kind,
        "by_function",
        "INSERT INTO plain VALUES (77, writes(77))",
        &["INSERT INTO plain", "writes"],
    )
    .await;
}

on_every_kind!(a_function_that_writes_a_carried_table_stops_the_task, a_function);

async fn a_call_alone(kind: Kind) {
    reaches(kind, "by_call", "DO writes(78)", &["writes"]).await;
}

on_every_kind!(a_call_that_writes_a_carried_table_stops_the_task, a_call_alone);

async fn a_view(kind: Kind) {
    reaches(kind, "by_view", "UPDATE pane SET v = 'through' WHERE id = 1", &["UPDATE pane"]).await;
}

on_every_kind!(a_view_of_a_carried_table_that_is_written_stops_the_task, a_view);

async fn a_trigger_defined_later(kind: Kind) {
    let sql = "CREATE TRIGGER also AFTER INSERT ON plain FOR EACH ROW INSERT INTO $sel.t VALUES (NEW.id, 'x'); INSERT INTO plain VALUES (300, 1)";
    reaches(kind, "later_trigger", sql, &["INSERT INTO plain"]).await;
}

on_every_kind!(a_trigger_defined_while_the_task_runs_is_noticed, a_trigger_defined_later);

/// MySQL does not let a function write another table while one is created.
#[tokio::test]
async fn rows_of_a_new_table_that_come_from_a_writing_function_stop_the_task() {
    let sql = "CREATE TABLE made AS SELECT writes(79) AS n";
    reaches(Kind::Maria, "by_create", sql, &["CREATE TABLE made", "writes"]).await;
}

/// When the daemon reads the statement, the trigger that it fired is there no more.
async fn gone_since(kind: Kind, name: &str, drop: &str) {
    let stage = stage(kind, name).await;
    stage.daemon.kill9();
    stage.run(&format!("INSERT INTO log VALUES (1, 1); {drop}")).await;
    stage.daemon.restart();
    stops(&stage.daemon, &["INSERT INTO log"]).await;
}

async fn a_trigger_gone_since(kind: Kind) {
    gone_since(kind, "gone_trigger", "DROP TRIGGER fill").await;
}

on_every_kind!(
    a_trigger_that_was_dropped_before_its_statement_is_read_is_not_forgotten,
    a_trigger_gone_since
);

async fn a_table_gone_since(kind: Kind) {
    gone_since(kind, "gone_table", "DROP TABLE log").await;
}

on_every_kind!(a_trigger_that_went_with_its_table_is_not_forgotten, a_table_gone_since);

/// Tables that are made and dropped before the daemon comes to their statements: nothing can have been attached to them.
async fn made_and_dropped(kind: Kind) {
    let stage = stage(kind, "made_dropped").await;
    stage.daemon.kill9();
    stage
        .run(
            "CREATE TABLE staging (id INT PRIMARY KEY, n INT); INSERT INTO staging SELECT id, 1 FROM $sel.t; INSERT INTO staging VALUES (90, 1); \
             UPDATE staging SET n = 2; DROP TABLE staging; REPLACE INTO plain SELECT id, 1 FROM $sel.t",
        )
        .await;
    stage.daemon.restart();
    stage.daemon.wait_phase("Synchronizing", DEADLINE).await;
    goes_on(&stage.scene, &stage.daemon, "staging tables").await;
}

on_every_kind!(statements_on_tables_that_are_gone_since_stop_nothing, made_and_dropped);

/// A user with what replication needs and no more: what it cannot see is not decided, and the remedy works.
#[tokio::test]
async fn what_the_user_may_not_see_stops_the_task_and_the_remedy_helps() {
    let mysql = Kind::Maria.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "unseen_code").await;
    scene.source.sql(CARRIED).await;
    mysql
        .sql(
            "CREATE USER r@'%'; GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO r@'%'; CREATE DATABASE other; \
             CREATE TABLE other.plain (id INT PRIMARY KEY)",
        )
        .await;
    let url = mysql.url().replace("root@", "r@");
    let config = Config::new(&url, &scene.target.url(), &["unseen_code.*"]);
    let daemon = scene.start_with(&config).await;
    mysql.sql("SET SESSION binlog_format = STATEMENT; INSERT INTO other.plain VALUES (1)").await;
    let grant = "GRANT TRIGGER, EXECUTE, SHOW VIEW ON *.* TO 'r'";
    stops(&daemon, &["INSERT INTO other.plain", grant, "transaction 0-"]).await;
    mysql.sql(grant).await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (9, 'last')").await;
    scene.assert_exact(&daemon, &["t"]).await;
    eventually(DEADLINE, "the passed statement is counted", async || {
        daemon.task().await.is_some_and(|task| task.statements_passed == 1)
    })
    .await;
}

/// What the source had under these names is looked up under the names that it has now.
async fn renamed_since(kind: Kind) {
    let stage = stage(kind, "renamed_since").await;
    stage.run("CREATE VIEW calling AS SELECT writes(500) AS n").await;
    goes_on(&stage.scene, &stage.daemon, "a view").await;
    stage.daemon.kill9();
    stage.run("INSERT INTO plain SELECT n, 1 FROM calling; RENAME TABLE calling TO called").await;
    stage.daemon.restart();
    stops(&stage.daemon, &["INSERT INTO plain", "writes"]).await;
}

on_every_kind!(a_view_that_was_renamed_since_is_not_forgotten, renamed_since);

/// As a log is rotated, and as tables are rebuilt.
async fn rotated_since(kind: Kind) {
    let stage = stage(kind, "rotated_since").await;
    stage.daemon.kill9();
    stage
        .run(
            "INSERT INTO plain VALUES (600, 1); CREATE TABLE fresh LIKE plain; RENAME TABLE plain TO plain_1, fresh TO plain; \
             ALTER TABLE plain_1 ENGINE = InnoDB; INSERT INTO plain VALUES (1, 1)",
        )
        .await;
    stage.daemon.restart();
    stage.daemon.wait_phase("Synchronizing", DEADLINE).await;
    goes_on(&stage.scene, &stage.daemon, "a rotated table").await;
}

on_every_kind!(a_table_that_was_rotated_since_stops_nothing, rotated_since);

/// The part of the log that is read ahead ends in a crash, as far as its first file goes.
#[tokio::test]
async fn a_log_that_a_crash_cut_off_is_read_ahead_behind_it() {
    let mysql = Kind::Maria.private(&[]).await;
    let scene = Scene::on(&mysql, postgres().await, "ahead_of_crash").await;
    scene.source.sql(CARRIED).await;
    mysql.sql("CREATE DATABASE other; CREATE TABLE other.plain (id INT PRIMARY KEY) ENGINE = InnoDB").await;
    let daemon = scene.start().await;
    goes_on(&scene, &daemon, "nothing yet").await;
    daemon.kill9();
    mysql.sql(&format!("{BY_STATEMENT} INSERT INTO other.plain VALUES (1)")).await;
    scene.source.sql("INSERT INTO t VALUES (50, 'before')").await;
    mysql.sql("CREATE DATABASE was_never_logged_to_its_end").await;
    mysql.die_before_the_end(10).await;
    mysql.restart().await;
    scene.source.sql("INSERT INTO t VALUES (60, 'behind')").await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
}
