//! P0 and P1 on each kind of source: a commit held open between *logged* and *visible* while the copy starts or ends, a new
//! log file asked for meanwhile, and statements in that part of the log which is read again.

use crate::harness::{
    DEADLINE, Daemon, Kind, Mysql, MysqlSession, Proxy, Scene, eventually, mariadb, mysql56, on_every_kind,
    postgres,
};
use tokio::task::JoinHandle;

const FILES_97: [&str; 2] = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"];
const GTIDS_56: [&str; 3] = ["--gtid-mode=ON", "--enforce-gtid-consistency", "--log-slave-updates"];

/// A commit that is logged and stays invisible until [`Held::release`].
struct Held<'a> {
    mysql: &'a Mysql,
    release: &'static str,
    commit: JoinHandle<()>,
}

impl Held<'_> {
    async fn release(self) {
        if !self.release.is_empty() {
            self.mysql.sql(self.release).await;
        }
        self.commit.await.unwrap();
    }
}

/// Without a replica semi-sync holds every commit between *logged* and *visible*. Writers must be connected before.
async fn hold_by_semi_sync(mysql: &Mysql) -> &'static str {
    if mysql.is_mariadb() {
        mysql
            .sql(
                "SET GLOBAL rpl_semi_sync_master_timeout = 3600000, GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC', \
                 GLOBAL rpl_semi_sync_master_enabled = ON",
            )
            .await;
        return "SET GLOBAL rpl_semi_sync_master_enabled = OFF";
    }
    mysql
        .sql(
            "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'; \
             SET GLOBAL rpl_semi_sync_source_timeout = 3600000; SET GLOBAL rpl_semi_sync_source_enabled = 1",
        )
        .await;
    "SET GLOBAL rpl_semi_sync_source_enabled = 0"
}

/// MySQL 5.6 has no plugin at hand, but its engine takes large FULLTEXT documents apart inside the commit, for seconds.
async fn slow_commit(mysql: &Mysql) -> MysqlSession {
    use std::fmt::Write;
    mysql
        .sql(
            "CREATE DATABASE slow; CREATE TABLE slow.words (doc LONGTEXT) ENGINE = InnoDB; \
             CREATE TABLE slow.docs (id INT AUTO_INCREMENT PRIMARY KEY, doc LONGTEXT, FULLTEXT KEY (doc)) ENGINE = InnoDB",
        )
        .await;
    let mut words = String::new();
    for word in 0..400_000_u64 {
        let _ = write!(words, "w{:x} ", word.wrapping_mul(2_654_435_761));
    }
    let mut session = mysql.session().await;
    session.sql(&format!("INSERT INTO slow.words VALUES ('{words}')")).await;
    session.sql("BEGIN").await;
    for _ in 0..4 {
        session.sql("INSERT INTO slow.docs (doc) SELECT doc FROM slow.words").await;
    }
    session
}

/// Runs `writes` and their COMMIT, which is held open.
async fn held<'a>(mysql: &'a Mysql, database: &str, writes: &str) -> Held<'a> {
    let (mut session, release) = if mysql.kind() == "mysql56" {
        (slow_commit(mysql).await, "")
    } else {
        let mut session = mysql.session().await;
        session.sql("BEGIN").await;
        (session, hold_by_semi_sync(mysql).await)
    };
    session.sql(&format!("USE {database}; {writes}")).await;
    let end = mysql.log_end().await;
    let commit = tokio::spawn(async move {
        session.sql("COMMIT").await;
    });
    eventually(DEADLINE, "the transaction is logged", async || mysql.log_end().await != end).await;
    Held { mysql, release, commit }
}

/// The whole copy takes place while the commit is held.
async fn logged_but_invisible_during_the_copy(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let tables = "CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE = InnoDB; INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)";
    scene.source.sql(tables).await;
    let writes = "INSERT INTO t VALUES (4, 4); UPDATE t SET v = 20 WHERE id = 2; DELETE FROM t WHERE id = 3";
    let held = held(mysql, name, writes).await;
    let daemon = scene.start().await;
    assert_eq!(scene.source.one("SELECT SUM(id * v) FROM t").await, "14", "the commit was not held so long");
    assert_eq!(daemon.task().await.unwrap().tables[&format!("{name}.t")].copied_rows, 3);
    held.release().await;
    assert_eq!(scene.source.one("SELECT SUM(id * v) FROM t").await, "57");
    scene.assert_exact(&daemon, &["t"]).await;
}

/// A copy goes on after a statement while a commit that the stream has brought is held: chunks still see what it has taken out.
async fn logged_but_invisible_when_a_copy_goes_on(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let values: Vec<String> = (1..=40).map(|id| format!("({0}, {id}, -{id})", id * 10)).collect();
    let tables = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT) ENGINE = InnoDB; INSERT INTO t VALUES";
    scene.source.sql(&format!("{tables} {}", values.join(", "))).await;
    let proxy = Proxy::start(mysql.port());
    let chunk = proxy.hold("`id` > 100 AND `id` <= 200");
    let config = scene.config_through(Some(&proxy), None);
    let daemon = Daemon::start(&config.task("snapshot", "{ parallel = 1, chunk_rows = 10 }"));
    chunk.wait().await;
    scene.source.sql("ALTER TABLE t CHANGE b renamed INT").await;
    let writes = "DELETE FROM t WHERE id IN (50, 150, 250); UPDATE t SET id = 1000 WHERE id = 160; UPDATE t SET a = 7 WHERE id = 170";
    let held = held(mysql, name, writes).await;
    drop(chunk);
    let log = async || daemon.log().contains("carried a schema change");
    eventually(DEADLINE, "the stream has come past the statement", log).await;
    // Where the server itself is asked to wait nothing is told of it.
    if mysql.kind() != "mysql56" {
        let waits = ["until what the log has so far is visible", "has logged and not executed yet"];
        let log = async || waits.iter().any(|words| daemon.log().contains(words));
        eventually(DEADLINE, "the copy waits", log).await;
    }
    held.release().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(scene.target.one(&format!("SELECT count(*) FROM {name}.t")).await, "37");
    assert!(!daemon.log().contains("starts over"), "{}", daemon.log_tail());
}

#[tokio::test]
async fn a_commit_that_mysql_holds_when_a_copy_goes_on_takes_out_what_it_takes_out() {
    let mysql = Mysql::private(&[]).await;
    logged_but_invisible_when_a_copy_goes_on(&mysql, "goes_on_97").await;
}

#[tokio::test]
async fn a_commit_that_mariadb_holds_when_a_copy_goes_on_takes_out_what_it_takes_out() {
    let mysql = Mysql::start("mariadb", &[]).await;
    logged_but_invisible_when_a_copy_goes_on(&mysql, "goes_on_maria").await;
}

#[tokio::test]
async fn a_commit_that_is_held_when_a_copy_by_file_positions_goes_on_takes_out_what_it_takes_out() {
    let mysql = Mysql::private(&FILES_97).await;
    logged_but_invisible_when_a_copy_goes_on(&mysql, "goes_on_97_files").await;
}

#[tokio::test]
async fn a_commit_that_mysql_5_6_holds_when_a_copy_goes_on_takes_out_what_it_takes_out() {
    let mysql = Mysql::start("mysql56", &["--max-allowed-packet=1G"]).await;
    logged_but_invisible_when_a_copy_goes_on(&mysql, "goes_on_56").await;
}

#[tokio::test]
async fn a_commit_that_mariadb_holds_during_the_copy_arrives() {
    let mysql = Mysql::start("mariadb", &[]).await;
    logged_but_invisible_during_the_copy(&mysql, "held_maria").await;
}

#[tokio::test]
async fn a_commit_that_is_held_during_a_copy_by_file_positions_arrives() {
    let mysql = Mysql::private(&FILES_97).await;
    logged_but_invisible_during_the_copy(&mysql, "held_97_files").await;
}

#[tokio::test]
async fn a_commit_that_mysql_5_6_holds_during_the_copy_arrives() {
    let mysql = Mysql::start("mysql56", &["--max-allowed-packet=1G"]).await;
    logged_but_invisible_during_the_copy(&mysql, "held_56").await;
}

/// Its `gtid_executed` holds the transaction already.
#[tokio::test]
async fn a_commit_that_mysql_5_6_holds_during_the_copy_arrives_with_gtids() {
    let options = [&GTIDS_56[..], &["--max-allowed-packet=1G"]].concat();
    let mysql = Mysql::start("mysql56", &options).await;
    logged_but_invisible_during_the_copy(&mysql, "held_56_gtid").await;
}

/// That P0 is the start of the file being written rests on this: while a transaction is invisible no new file begins.
async fn a_new_file_waits(mysql: &Mysql, name: &str) {
    let database = mysql.database(name).await;
    database.sql("CREATE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB").await;
    let held = held(mysql, name, "INSERT INTO t VALUES (1)").await;
    let file = mysql.log_end().await.file;
    let mut flushing = mysql.session().await;
    let flusher = flushing.id();
    let flush = tokio::spawn(async move {
        flushing.sql("FLUSH BINARY LOGS").await;
    });
    let mut look = database.session().await;
    eventually(DEADLINE, "the new file is asked for", async || {
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {flusher} AND INFO LIKE 'FLUSH%'"
        );
        look.one(&sql).await == "1"
    })
    .await;
    assert_eq!(look.one("SELECT COUNT(*) FROM t").await, "0", "the commit was not held so long");
    let release = tokio::spawn({
        let release = held.release;
        let mut session = mysql.session().await;
        async move {
            if !release.is_empty() {
                session.sql(release).await;
            }
        }
    });
    flush.await.unwrap();
    assert_eq!(look.one("SELECT COUNT(*) FROM t").await, "1", "a new file began before the row was visible");
    assert_ne!(mysql.log_end().await.file, file);
    release.await.unwrap();
    held.commit.await.unwrap();
}

#[tokio::test]
async fn a_new_file_of_mysql_9_7_waits_for_a_held_commit() {
    a_new_file_waits(&Mysql::private(&FILES_97).await, "file_waits_97").await;
}

#[tokio::test]
async fn a_new_file_of_mysql_5_6_waits_for_a_held_commit() {
    let mysql = Mysql::start("mysql56", &["--max-allowed-packet=1G"]).await;
    a_new_file_waits(&mysql, "file_waits_56").await;
}

/// The commit is held from after P0 to after P1.
#[tokio::test]
async fn a_commit_that_mariadb_holds_at_p1_arrives_once() {
    let mysql = Mysql::start("mariadb", &[]).await;
    let scene = Scene::on(&mysql, postgres().await, "held_at_p1").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    let proxy = Proxy::start(mysql.port());
    let reading = proxy.hold("FROM `held_at_p1`.`t` FORCE INDEX");
    let daemon = Daemon::start(&scene.config_through(Some(&proxy), None));
    reading.wait().await;
    // One that is seen by the copy and one that is not; both lie between P0 and P1.
    scene.source.sql("INSERT INTO t VALUES (3, 3); DELETE FROM t WHERE id = 1").await;
    let held =
        held(&mysql, "held_at_p1", "INSERT INTO t VALUES (4, 4); UPDATE t SET v = 20 WHERE id = 2").await;
    drop(reading);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(scene.source.one("SELECT SUM(v) FROM t").await, "5", "the commit was not held so long");
    held.release().await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// The log ends in an event that belongs to no transaction, and is taken for reached all the same.
#[tokio::test]
async fn a_mariadb_whose_log_ends_in_a_checkpoint_event_is_caught_up_with() {
    let mysql = Mysql::start("mariadb", &[]).await;
    let scene = Scene::on(&mysql, postgres().await, "idle_checkpoint").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    eventually(DEADLINE, "the log ends in a checkpoint event", async || {
        scene.source.sql("FLUSH BINARY LOGS; INSERT INTO t SELECT MAX(id) + 1 FROM t").await;
        let file = mysql.log_end().await.file;
        let events = mysql.sql(&format!("SHOW BINLOG EVENTS IN '{file}'")).await;
        let kinds: Vec<&str> = events.iter().filter_map(|event| event[2].as_deref()).collect();
        // It is written by a thread of its own, after the transaction or before it.
        kinds.last() == Some(&"Binlog_checkpoint") && kinds.contains(&"Xid")
    })
    .await;
    let daemon = scene.start().await;
    scene.source.sql("INSERT INTO t SELECT MAX(id) + 1 FROM t").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

/// All that can have happened to a table in the file from whose start the stream begins.
const HISTORY: &str = "
    CREATE TABLE grown (id INT PRIMARY KEY, a INT) ENGINE = InnoDB; INSERT INTO grown VALUES (1, 1), (2, 2);
    ALTER TABLE grown ADD COLUMN b VARCHAR(5) FIRST; INSERT INTO grown VALUES ('x', 3, 3); UPDATE grown SET b = 'y' WHERE id = 1;
    CREATE TABLE before_name (id INT PRIMARY KEY, a INT) ENGINE = InnoDB; INSERT INTO before_name VALUES (1, 1), (2, 2);
    RENAME TABLE before_name TO renamed; DELETE FROM renamed WHERE id = 1; INSERT INTO renamed VALUES (3, 3);
    CREATE TABLE anew (id INT PRIMARY KEY, a INT) ENGINE = InnoDB; INSERT INTO anew VALUES (1, 1), (2, 2); DROP TABLE anew;
    CREATE TABLE anew (v VARCHAR(10), id BIGINT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO anew VALUES ('one', 1), ('three', 3); DELETE FROM anew WHERE id = 1;
    CREATE TABLE left_one (id INT PRIMARY KEY, a INT) ENGINE = InnoDB; CREATE TABLE right_one (id INT PRIMARY KEY, a INT) ENGINE = InnoDB;
    INSERT INTO left_one VALUES (1, 1); INSERT INTO right_one VALUES (2, 2);
    RENAME TABLE left_one TO swap, right_one TO left_one, swap TO right_one; INSERT INTO left_one VALUES (1, 10); DELETE FROM right_one;
    CREATE TABLE emptied (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO emptied VALUES (1), (2); TRUNCATE TABLE emptied; INSERT INTO emptied VALUES (3);
    CREATE TABLE dropped (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO dropped VALUES (1); DROP TABLE dropped;
    CREATE TABLE other_key (id INT PRIMARY KEY, k INT NOT NULL) ENGINE = InnoDB; INSERT INTO other_key VALUES (1, 10), (2, 20);
    ALTER TABLE other_key DROP PRIMARY KEY, ADD PRIMARY KEY (k); INSERT INTO other_key VALUES (1, 30); DELETE FROM other_key WHERE k = 10";

async fn history_before_the_copy(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    scene.source.sql(HISTORY).await;
    let daemon = scene.start().await;
    let tables = ["grown", "renamed", "anew", "left_one", "right_one", "emptied", "other_key"];
    scene.assert_exact(&daemon, &tables).await;
    scene
        .source
        .sql(
            "UPDATE grown SET a = 5; DELETE FROM renamed; INSERT INTO anew VALUES ('two', 2); UPDATE left_one SET a = a + 1; \
             INSERT INTO right_one VALUES (9, 9); DELETE FROM emptied; UPDATE other_key SET k = k + 1 ORDER BY k DESC",
        )
        .await;
    daemon.restart();
    scene.assert_exact(&daemon, &tables).await;
}

#[tokio::test]
async fn statements_before_a_copy_by_file_positions_are_not_carried_again() {
    history_before_the_copy(&Mysql::private(&FILES_97).await, "history_97_files").await;
}

#[tokio::test]
async fn statements_before_a_copy_of_mysql_5_6_are_not_carried_again() {
    history_before_the_copy(mysql56().await, "history_56").await;
}

#[tokio::test]
async fn statements_before_a_copy_of_mysql_5_6_with_gtids_are_not_carried_again() {
    history_before_the_copy(&Mysql::start("mysql56", &GTIDS_56).await, "history_56_gtid").await;
}

#[tokio::test]
async fn statements_before_a_copy_of_mariadb_are_not_carried_again() {
    history_before_the_copy(mariadb().await, "history_maria").await;
}

/// Runs `writes` when P0 is recorded, by the request `p0`, and the definitions are not read yet.
async fn written_behind_p0(mysql: &Mysql, name: &str, p0: &str, writes: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let tables = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT) ENGINE = InnoDB; INSERT INTO t VALUES (1, 10, -10), (2, 20, -20)";
    scene.source.sql(tables).await;
    let proxy = Proxy::start(mysql.port());
    let mut asked = proxy.hold(p0);
    let daemon = Daemon::start(&scene.config_through(Some(&proxy), None));
    loop {
        asked.wait().await;
        // The precheck may ask the same.
        if daemon.task().await.unwrap().phase.name() == "SchemaSync" {
            break;
        }
        asked = proxy.hold(p0);
    }
    let definitions = proxy.hold("FROM information_schema.TABLES");
    drop(asked);
    definitions.wait().await;
    scene.source.sql(writes).await;
    drop(definitions);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    scene.source.sql("UPDATE t SET b = 7 WHERE id = 1; INSERT INTO t (id, a) VALUES (1000, 1)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert!(daemon.log().contains("reading them again"), "the statement was not noticed");
}

const EXCHANGE: &str = "UPDATE t SET a = 11 WHERE id = 1; ALTER TABLE t CHANGE a b INT, CHANGE b a INT; UPDATE t SET a = 1000 WHERE id = 2";

#[tokio::test]
async fn columns_exchanged_behind_p0_keep_their_values_by_file_positions() {
    let mysql = Mysql::private(&FILES_97).await;
    written_behind_p0(&mysql, "exchanged_97_files", "SHOW BINARY LOG STATUS", EXCHANGE).await;
}

#[tokio::test]
async fn columns_exchanged_behind_p0_keep_their_values_on_mysql_5_6() {
    written_behind_p0(mysql56().await, "exchanged_56", "SHOW MASTER STATUS", EXCHANGE).await;
}

#[tokio::test]
async fn columns_exchanged_behind_p0_keep_their_values_on_mariadb() {
    let p0 = "START TRANSACTION WITH CONSISTENT SNAPSHOT";
    let mysql = Mysql::start("mariadb", &["--binlog-alter-two-phase=ON"]).await;
    written_behind_p0(&mysql, "exchanged_maria", p0, EXCHANGE).await;
}

/// What a chunk has seen comes again in the stream, after P0 and before P1: it must not be taken for drift there.
async fn written_before_it_is_read(kind: Kind) {
    let mysql = kind.shared().await;
    let name = format!("seen_twice_{}", kind.name());
    let scene = Scene::on(mysql, postgres().await, &name).await;
    let tables = "CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE = InnoDB; INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)";
    scene.source.sql(tables).await;
    let proxy = Proxy::start(mysql.port());
    let reading = proxy.hold(&format!("FROM `{name}`.`t` FORCE INDEX"));
    let daemon = Daemon::start(&scene.config_through(Some(&proxy), None));
    reading.wait().await;
    scene
        .source
        .sql("INSERT INTO t VALUES (4, 4); DELETE FROM t WHERE id = 1; UPDATE t SET id = 20 WHERE id = 2; UPDATE t SET v = 30 WHERE id = 3")
        .await;
    drop(reading);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(daemon.task().await.unwrap().tables[&format!("{name}.t")].copied_rows, 3);
    scene.assert_exact(&daemon, &["t"]).await;
}

on_every_kind!(rows_that_a_chunk_saw_before_they_are_streamed_are_no_drift, written_before_it_is_read);

/// A statement that is logged and has not ended: what it makes of the table is not to be read yet, and the table's own P0 lies
/// after it.
#[tokio::test]
async fn an_alter_that_is_logged_and_held_is_waited_for_by_file_positions() {
    let mysql = Mysql::private(&FILES_97).await;
    let scene = Scene::on(&mysql, postgres().await, "held_alter").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT); INSERT INTO t VALUES (1, 1)").await;
    let proxy = Proxy::start(mysql.port());
    let mut asked = proxy.hold("SHOW BINARY LOG STATUS");
    let daemon = Daemon::start(&scene.config_through(Some(&proxy), None));
    loop {
        asked.wait().await;
        // The precheck asks the same, and would wait for the statement itself.
        if daemon.task().await.unwrap().phase.name() == "SchemaSync" {
            break;
        }
        asked = proxy.hold("SHOW BINARY LOG STATUS");
    }
    let mut session = scene.source.session().await;
    let mut look = scene.source.session().await;
    let release = hold_by_semi_sync(&mysql).await;
    let end = mysql.log_end().await;
    let alter = tokio::spawn(async move {
        session.sql("ALTER TABLE t ADD COLUMN b INT NOT NULL DEFAULT 7").await;
    });
    eventually(DEADLINE, "the statement is logged", async || mysql.log_end().await != end).await;
    drop(asked);
    eventually(DEADLINE, "the daemon waits for the table", async || {
        let waiting = "SELECT COUNT(*) FROM performance_schema.processlist WHERE STATE LIKE 'Waiting for table metadata%'";
        look.one(waiting).await != "0"
    })
    .await;
    mysql.sql(release).await;
    alter.await.unwrap();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (2, 2, 2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}
