//! `rowferry skip`: a task that has failed at one statement or transaction passes over that one, and nothing else.

use crate::harness::{DEADLINE, Daemon, Kind, Output, Scene, postgres, rowferry};
use rowferry::testing::change::status::Phase;

/// What a task has failed at: its position, the error and the remedy.
struct Stands {
    position: String,
    error: String,
    remedy: String,
}

/// Waits until the task has failed at something.
async fn stands(daemon: &Daemon) -> Stands {
    let failed =
        |task: &rowferry::testing::change::status::TaskStatus| matches!(task.phase, Phase::Failed { .. });
    let task = daemon.wait_task("the task fails", DEADLINE, failed).await;
    let Phase::Failed { error, remedy } = task.phase else { panic!("{:?}", task.phase) };
    let position = task.stands.unwrap_or_else(|| panic!("no transaction is named: {error}")).position;
    assert!(error.contains(&position), "{position} is not in: {error}");
    Stands { position, error, remedy }
}

impl Stands {
    /// Runs the command that the remedy prints.
    async fn passed_over(&self) {
        let line = self.remedy.split('`').find(|part| part.starts_with("rowferry skip "));
        let words: Vec<&str> = line.unwrap_or_else(|| panic!("{}", self.remedy)).split(' ').skip(1).collect();
        let told = rowferry(&words).await;
        assert!(
            told.code == 0 && told.stdout.contains(&format!("passes over {}", self.position)),
            "{told:?}"
        );
    }

    /// The place of the log's files that the error names.
    fn place(&self) -> &str {
        let place = self.error.split_once("ends at ").unwrap_or_else(|| panic!("{}", self.error)).1;
        place.split(')').next().unwrap()
    }
}

async fn skip(daemon: &Daemon, more: &[&str]) -> Output {
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    rowferry(&[&["skip", "-c", &config], more].concat()).await
}

/// The command is refused, and says these words.
async fn refused(daemon: &Daemon, more: &[&str], code: i32, words: &[&str]) {
    let told = skip(daemon, more).await;
    assert!(told.code == code && told.stdout.is_empty(), "{more:?}: {told:?}");
    for word in words {
        assert!(told.stderr.contains(word), "{more:?}: {word} is missing: {told:?}");
    }
}

/// The values of a target table's key.
async fn ids(scene: &Scene<'_>, table: &str) -> String {
    let schema = &scene.source.name;
    scene
        .target
        .one(&format!("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM {schema}.{table}"))
        .await
}

/// So many were passed over, ever.
async fn counted(daemon: &Daemon, count: u64) {
    let task = daemon.task().await.unwrap();
    assert_eq!(task.skips.count, count, "{:?}", task.skips);
    let (_, metrics) = daemon.get("/metrics").await.unwrap();
    assert!(metrics.contains(&format!("rowferry_skipped_total{{task=\"main\"}} {count}\n")), "{metrics}");
}

/// What a statement has done is done by hand, and the statement is passed over by its place in the files.
async fn by_place(kind: Kind) {
    let (mysql, postgres) = tokio::join!(kind.shared(), postgres());
    let scene = Scene::on(mysql, postgres, &format!("skipped_{}", kind.name())).await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    let daemon = scene.start_with(&scene.config().task("ddl_policy", "{ truncate_table = \"stop\" }")).await;
    scene.source.sql("TRUNCATE t; INSERT INTO t VALUES (2, 2)").await;
    let stopped = stands(&daemon).await;
    scene.target.sql(&format!("DELETE FROM {}.t", scene.source.name)).await;
    if mysql.has_gtids().await || mysql.is_mariadb() {
        assert_ne!(stopped.position, stopped.place());
        let told = skip(&daemon, &[stopped.place()]).await;
        assert!(told.code == 0 && told.stdout.contains(&stopped.position), "{told:?}");
    } else {
        assert_eq!(stopped.position, stopped.place());
        stopped.passed_over().await;
    }
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    counted(&daemon, 1).await;
}

#[tokio::test]
async fn a_statement_is_passed_over_by_its_place_in_the_files_where_there_are_no_gtids() {
    by_place(Kind::Files97).await;
}

#[tokio::test]
async fn a_statement_of_mariadb_is_passed_over_by_its_place_in_the_files_too() {
    by_place(Kind::Maria).await;
}

#[tokio::test]
async fn a_row_of_mysql_5_6_is_passed_over_by_the_command_that_the_remedy_prints() {
    let (mysql, postgres) = tokio::join!(Kind::Files56.shared(), postgres());
    let scene = Scene::on(mysql, postgres, "skipped_56_row").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO t VALUES (1, 'a')")
        .await;
    let daemon = scene.start().await;
    // A NUL has no form in the target.
    scene
        .source
        .sql("INSERT INTO t VALUES (2, 'b'); INSERT INTO t VALUES (3, '\\0'); INSERT INTO t VALUES (4, 'd')")
        .await;
    let stopped = stands(&daemon).await;
    assert_eq!(stopped.position, stopped.place());
    stopped.passed_over().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(ids(&scene, "t").await, "1 2 4");
}

#[tokio::test]
async fn one_tables_rows_of_one_transaction_are_passed_over_whatever_is_killed() {
    let scene = Scene::new("skipped_rows").await;
    scene
        .source
        .sql("CREATE TABLE a (id INT PRIMARY KEY, v INT); CREATE TABLE b (id INT PRIMARY KEY, v INT)")
        .await;
    let daemon = scene.start().await;
    scene.target.sql("ALTER TABLE skipped_rows.a ADD CONSTRAINT small CHECK (v > 0)").await;
    // All of these are applied together, and only one cannot be.
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    scene
        .source
        .sql(
            "INSERT INTO a VALUES (1, 1); BEGIN; INSERT INTO b VALUES (2, 2); INSERT INTO a VALUES (2, -7); COMMIT; \
             INSERT INTO a VALUES (3, 3); INSERT INTO b VALUES (4, 4)",
        )
        .await;
    daemon.restart();
    let stopped = stands(&daemon).await;
    assert_eq!((ids(&scene, "a").await.as_str(), ids(&scene, "b").await.as_str()), ("1", ""));
    // Nothing gets past this lock, so the checkpoint is before it when the daemon is killed.
    let mut lock = scene.target.session().await;
    lock.sql("BEGIN; LOCK TABLE skipped_rows.b IN ACCESS EXCLUSIVE MODE").await;
    stopped.passed_over().await;
    daemon.kill9();
    lock.sql("ROLLBACK").await;
    assert_eq!(ids(&scene, "b").await, "");
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!((ids(&scene, "a").await.as_str(), ids(&scene, "b").await.as_str()), ("1 3", "2 4"));
    counted(&daemon, 1).await;
    let log = daemon.log();
    assert!(log.contains("passed over by command"), "{log}");
    daemon.start_again().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    counted(&daemon, 1).await;
    let task = daemon.task().await.unwrap();
    assert!(task.stands.is_none(), "{task:?}");
    let last = task.skips.last.unwrap().what;
    assert_eq!((last.position, last.table.as_deref()), (stopped.position, Some("skipped_rows.a")));
    let kinds = scene.target.one("SELECT string_agg(kind, ' ' ORDER BY kind) FROM rowferry.main_skips").await;
    assert_eq!(kinds, "asked passed stands");
    // A later change of the row finds it missing, and puts it there.
    scene.source.sql("UPDATE a SET v = 7 WHERE id = 2").await;
    scene.wait_applied(&daemon).await;
    assert_eq!((scene.assert_equal("a").await, daemon.drift().await), (3, 1));
}

#[tokio::test]
async fn nothing_is_passed_over_but_what_the_task_stands_at() {
    let scene = Scene::new("skipped_refused").await;
    for table in ["t", "parked", "gone"] {
        scene.source.sql(&crate::healing::rows(table, 3)).await;
    }
    let config = scene.config().healing().task("ddl_policy", "{ truncate_table = \"stop\" }");
    let daemon = scene.start_with(&config).await;
    refused(&daemon, &["here"], 2, &["names no transaction"]).await;
    refused(&daemon, &["binlog.000001:4"], 1, &["Synchronizing", "stands at no transaction"]).await;
    scene.target.sql("ALTER TABLE skipped_refused.parked ADD CONSTRAINT small CHECK (w < 100)").await;
    scene.source.sql("UPDATE parked SET w = 1000").await;
    let trouble = crate::healing::parked(&scene, &daemon, "parked").await;
    assert!(!trouble.remedy.contains("rowferry skip"), "{trouble:?}");
    scene.source.sql("TRUNCATE t; INSERT INTO t VALUES (9, 'nine', 9)").await;
    let stopped = stands(&daemon).await;
    refused(
        &daemon,
        &["binlog.000001:4"],
        1,
        &["not at binlog.000001:4", &stopped.position, "rowferry skip"],
    )
    .await;
    refused(&daemon, &[&stopped.position, "--table", "skipped_refused.nobody"], 1, &["not on record"]).await;
    refused(
        &daemon,
        &[&stopped.position, "--table", "skipped_refused.parked"],
        1,
        &["is parked", "rowferry resync"],
    )
    .await;
    let there = ids(&scene, "t").await;
    scene.target.sql("DELETE FROM skipped_refused.t").await;
    stopped.passed_over().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    refused(&daemon, &[&stopped.position], 1, &["stands at no transaction"]).await;
    assert_eq!(there, "1 2 3");
    scene.assert_exact(&daemon, &["t"]).await;
    // What it fails at now is no matter of a transaction.
    scene.target.sql("DROP TABLE skipped_refused.gone").await;
    scene.source.sql("UPDATE gone SET w = 5").await;
    let failed =
        |task: &rowferry::testing::change::status::TaskStatus| matches!(task.phase, Phase::Failed { .. });
    let task = daemon.wait_task("the task fails", DEADLINE, failed).await;
    assert!(task.stands.is_none() && !format!("{:?}", task.phase).contains("rowferry skip"), "{task:?}");
    refused(&daemon, &[&stopped.position], 1, &["no transaction of the log is what task main has failed at"])
        .await;
}

#[tokio::test]
async fn a_statement_is_passed_over_while_no_daemon_runs() {
    let scene = Scene::new("skipped_offline").await;
    scene.source.sql(&crate::healing::rows("t", 3)).await;
    let daemon = scene.start_with(&scene.config().task("ddl_policy", "{ truncate_table = \"stop\" }")).await;
    scene.source.sql("TRUNCATE t; INSERT INTO t VALUES (9, 'nine', 9)").await;
    let stopped = stands(&daemon).await;
    daemon.kill9();
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let status = rowferry(&["status", "-c", &config]).await;
    assert!(status.stdout.contains(&format!("stands at {}", stopped.position)), "{status:?}");
    refused(&daemon, &["binlog.000001:4"], 1, &["not at binlog.000001:4"]).await;
    scene.target.sql("DELETE FROM skipped_offline.t").await;
    stopped.passed_over().await;
    refused(&daemon, &[&stopped.position], 1, &["stands at no transaction"]).await;
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    let status = rowferry(&["status", "-c", &config]).await;
    assert!(status.stdout.contains("1 transaction passed over by command"), "{status:?}");
    assert!(!status.stdout.contains("stands at"), "{status:?}");
}

#[tokio::test]
async fn behind_a_statement_rows_go_on_in_the_form_that_it_gave_them() {
    let scene = Scene::new("skipped_columns").await;
    scene.source.sql(&crate::healing::rows("t", 3)).await;
    scene.source.sql(&crate::healing::rows("twice", 3)).await;
    let policy = "{ narrow_column = \"stop\" }";
    let daemon = scene.start_with(&scene.config().task("ddl_policy", policy)).await;
    scene
        .source
        .sql("ALTER TABLE t MODIFY v VARCHAR(30) FIRST, MODIFY w INT AFTER v, ADD n INT FIRST; INSERT INTO t VALUES (44, 'four', 5, 4)")
        .await;
    let stopped = stands(&daemon).await;
    stopped.passed_over().await;
    // The target has no such column yet.
    let again = stands(&daemon).await;
    assert!(again.error.contains("has no column n") && again.position == stopped.position, "{}", again.error);
    assert_eq!(ids(&scene, "t").await, "1 2 3");
    scene.target.sql("ALTER TABLE skipped_columns.t ADD n integer").await;
    again.passed_over().await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    counted(&daemon, 1).await;
    // Another statement on the table hides what its rows are like between the two.
    scene.source.sql("ALTER TABLE twice MODIFY v VARCHAR(30) FIRST; INSERT INTO twice VALUES ('v', 4, 4); ALTER TABLE twice ADD n INT").await;
    stands(&daemon).await.passed_over().await;
    let later = stands(&daemon).await;
    assert!(
        later.error.contains("a later statement") && later.remedy.contains("rowferry resync"),
        "{}",
        later.error
    );
    assert_eq!(ids(&scene, "twice").await, "1 2 3");
}
