//! Tools that change a table's definition while it is written to: they fill another table and give it the name.

use super::carried;
use crate::harness::{Comparison, DEADLINE, Kind, MysqlSession, Scene, eventually, pause, postgres};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// What the tool is told to change, one after the other.
const CHANGES: [&str; 4] =
    ["ADD COLUMN x INT NOT NULL DEFAULT 5", "ADD INDEX by_w (w)", "MODIFY v VARCHAR(60)", "DROP COLUMN w"];

/// How many rows a table has.
const ROWS: usize = 500;

/// The writer leaves the number of its transaction, and this, in `other`.
const NUMBERS: usize = 1000;

/// What the writer has committed of `t`, in order, with `TABLE` in the place of the name.
type Written = Mutex<Vec<String>>;

#[derive(Clone, Copy, Debug)]
enum Tool {
    /// The real one, whose triggers carry what is written meanwhile.
    Pt,
    /// What gh-ost does: it reads what is written meanwhile from the log, which is here what the writer says that it has committed.
    GhOst,
}

async fn pt_online_schema_change(scene: &Scene<'_>, change: &str) {
    let mut tool = tokio::process::Command::new("pt-online-schema-change");
    tool.args(["--execute", "--no-version-check", "--recursion-method", "none", "--chunk-size", "100"]);
    tool.args(["--no-check-replication-filters", "--max-load", "", "--critical-load", "", "--alter", change]);
    tool.arg(format!("h=127.0.0.1,P={},u=root,D={},t=t", scene.source.server.port(), scene.source.name));
    let output = tool.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(DEADLINE, output).await.expect("it ends").expect("it is installed");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("Successfully altered"), "{change}: {told}");
}

/// The statements of a run of gh-ost, up to its cut-over by a table that it drops under a lock.
async fn gh_ost(scene: &Scene<'_>, change: &str, written: &Written) {
    let behind = written.lock().unwrap().len();
    let (mut main, mut lock, mut swap) =
        (scene.source.session().await, scene.source.session().await, scene.source.session().await);
    main.sql(&format!(
        "CREATE TABLE _t_ghc (id BIGINT AUTO_INCREMENT, last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
           hint VARCHAR(64) CHARACTER SET ascii NOT NULL, value VARCHAR(4096) CHARACTER SET ascii NOT NULL, PRIMARY KEY (id), \
           UNIQUE KEY hint_uidx (hint)) AUTO_INCREMENT = 256; \
         CREATE TABLE _t_gho LIKE t; ALTER TABLE _t_gho {change}; \
         INSERT INTO _t_ghc (hint, value) VALUES ('state', 'GhostTableMigrated')"
    ))
    .await;
    let columns = "SELECT GROUP_CONCAT(o.COLUMN_NAME) FROM information_schema.COLUMNS o JOIN information_schema.COLUMNS n \
         USING (TABLE_SCHEMA, COLUMN_NAME) WHERE TABLE_SCHEMA = DATABASE() AND o.TABLE_NAME = 't' AND n.TABLE_NAME = '_t_gho'";
    let columns = scene.source.one(columns).await;
    let mut done = behind;
    for from in (0..ROWS).step_by(50) {
        insist(&mut main, &format!(
            "INSERT IGNORE INTO _t_gho ({columns}) (SELECT {columns} FROM t FORCE INDEX (PRIMARY) WHERE id > {from} AND id <= {from} + 50 \
             LOCK IN SHARE MODE); INSERT INTO _t_ghc (hint, value) VALUES ('copy {from}', 'Copy') ON DUPLICATE KEY UPDATE value = 'Copy'"
        ))
        .await;
        done = apply(&mut main, written, done).await;
    }
    lock.sql("CREATE TABLE _t_del (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = InnoDB COMMENT = 'ghost-cut-over-sentry'; \
              LOCK TABLES t WRITE, _t_del WRITE").await;
    // The last transaction that got through has left its number.
    let last: usize = scene.source.one("SELECT max(w) FROM other").await.parse().unwrap();
    let told = async || written.lock().unwrap().len() >= last.saturating_sub(NUMBERS);
    eventually(DEADLINE, "what was committed is told", told).await;
    apply(&mut main, written, done).await;
    let swapping = async {
        swap.sql("RENAME TABLE t TO _t_del, _t_gho TO t").await;
    };
    let dropping = async {
        let waits = async || {
            let running = scene.source.sql("SHOW PROCESSLIST").await.concat();
            running.into_iter().flatten().any(|text| text.starts_with("RENAME TABLE t TO _t_del"))
        };
        eventually(DEADLINE, "the renaming waits", waits).await;
        lock.sql("DROP TABLE _t_del; UNLOCK TABLES").await;
    };
    tokio::join!(swapping, dropping);
    main.sql("DROP TABLE _t_ghc; DROP TABLE _t_del").await;
}

/// Does to the other table what was written after `done`.
async fn apply(session: &mut MysqlSession, written: &Written, done: usize) -> usize {
    let behind: Vec<String> =
        written.lock().unwrap().iter().skip(done).map(|sql| sql.replace("TABLE", "_t_gho")).collect();
    let done = done + behind.len();
    for sql in behind {
        insist(session, &format!("BEGIN; {sql}; COMMIT")).await;
    }
    done
}

/// Again where it is the victim of a deadlock.
async fn insist(session: &mut MysqlSession, sql: &str) {
    for _ in 0..20 {
        match session.try_sql(sql).await {
            Err(error) if error.contains("eadlock") => session.sql("ROLLBACK").await,
            other => {
                other.expect("a statement of the tool");
                return;
            }
        };
    }
    panic!("a deadlock each time: {sql}");
}

async fn follows(kind: Kind, tool: Tool, glob: bool) {
    let with = if glob { "glob" } else { "names" };
    let name = format!("healing_{tool:?}_{}_{with}", kind.name()).to_lowercase();
    let scene = Scene::on(kind.shared().await, postgres().await, &name).await;
    for table in ["t", "other"] {
        let values: Vec<String> = (1..=ROWS).map(|id| format!("({id}, 'row {id}', {id})")).collect();
        scene
            .source
            .sql(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(40), w INT); INSERT INTO {table} VALUES {}",
                values.join(", ")
            ))
            .await;
    }
    let mut config = scene.config().healing();
    if !glob {
        config = config.task("tables", &format!("[\"{name}.t\", \"{name}.other\"]"));
    }
    let daemon = scene.start_with(&config).await;
    let (stop, written) = (AtomicBool::new(false), Written::default());
    let writing = async {
        let (mut session, mut tries) = (scene.source.session().await, 0);
        while !stop.load(Relaxed) {
            tries += 1;
            let (id, old) = (tries % ROWS + 1, tries % 200 + 1);
            let number = written.lock().unwrap().len() + 1;
            let of_t = format!(
                "UPDATE TABLE SET v = 'v{number}' WHERE id = {id}; DELETE FROM TABLE WHERE id = {old}; \
                 REPLACE INTO TABLE (id, v) VALUES ({old}, 'n{number}')"
            );
            let (here, mark) = (of_t.replace("TABLE", "t"), NUMBERS + number);
            // The tool may make it the victim of a deadlock.
            match session
                .try_sql(&format!("BEGIN; {here}; UPDATE other SET w = {mark} WHERE id = {id}; COMMIT"))
                .await
            {
                Ok(_) => written.lock().unwrap().push(of_t),
                Err(_) => {
                    session.sql("ROLLBACK").await;
                }
            }
            pause(Duration::from_millis(5)).await;
        }
    };
    let changing = async {
        for change in CHANGES {
            match tool {
                Tool::Pt => pt_online_schema_change(&scene, change).await,
                Tool::GhOst => gh_ost(&scene, change, &written).await,
            }
            // One that comes while the last copy is on its way is not told by itself.
            let swapped = async || daemon.log().contains("the table is copied again");
            eventually(DEADLINE, "the table is swapped", swapped).await;
            carried(&scene, &daemon, "t").await;
        }
        stop.store(true, Relaxed);
    };
    tokio::join!(writing, changing);
    scene.wait_applied(&daemon).await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["other"]).await;
    let names = [scene.source.name.clone() + ".t", scene.target.test().to_owned() + ".t"];
    let compared = Comparison::new(&names[0], &names[1]).target_may_have_more();
    assert_eq!(compared.run(scene.source.server, &scene.target).await, Ok(ROWS));
    let helpers = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND (relname LIKE '\\_t\\_%' OR relname LIKE '%\\_rowferry\\_%')";
    assert_eq!(scene.target.one(helpers).await, "0");
    assert_eq!(
        daemon.log().matches("INFO Synchronizing").count(),
        1,
        "the task left Synchronizing:\n{}",
        daemon.log()
    );
    assert!(written.lock().unwrap().len() > 50, "nothing was written meanwhile");
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mysql_9_7_by_a_glob() {
    follows(Kind::Gtids97, Tool::Pt, true).await;
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mysql_9_7_by_name() {
    follows(Kind::Gtids97, Tool::Pt, false).await;
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mysql_5_6_by_a_glob() {
    follows(Kind::Files56, Tool::Pt, true).await;
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mysql_5_6_by_name() {
    follows(Kind::Files56, Tool::Pt, false).await;
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mariadb_by_a_glob() {
    follows(Kind::Maria, Tool::Pt, true).await;
}

#[tokio::test]
async fn pt_online_schema_change_is_followed_on_mariadb_by_name() {
    follows(Kind::Maria, Tool::Pt, false).await;
}

#[tokio::test]
async fn gh_ost_is_followed_on_mysql_9_7_by_a_glob() {
    follows(Kind::Gtids97, Tool::GhOst, true).await;
}

#[tokio::test]
async fn gh_ost_is_followed_on_mysql_9_7_by_name() {
    follows(Kind::Gtids97, Tool::GhOst, false).await;
}

#[tokio::test]
async fn gh_ost_is_followed_on_mysql_5_6_by_a_glob() {
    follows(Kind::Files56, Tool::GhOst, true).await;
}

#[tokio::test]
async fn gh_ost_is_followed_on_mysql_5_6_by_name() {
    follows(Kind::Files56, Tool::GhOst, false).await;
}

#[tokio::test]
async fn gh_ost_is_followed_on_mariadb_by_a_glob() {
    follows(Kind::Maria, Tool::GhOst, true).await;
}

#[tokio::test]
async fn gh_ost_is_followed_on_mariadb_by_name() {
    follows(Kind::Maria, Tool::GhOst, false).await;
}
