//! Tables, columns and privileges that do not do.

use super::{check, check_writes_nothing, fails, failures};
use crate::harness::Scene;

#[tokio::test]
async fn a_table_without_a_key() {
    let scene = Scene::new("bad_no_key").await;
    scene
        .source
        .sql(
            "CREATE TABLE good (id INT PRIMARY KEY); CREATE TABLE keyless (id INT); \
              CREATE TABLE nullable (id INT, UNIQUE (id))",
        )
        .await;
    let output = check_writes_nothing(&scene.config(), &scene.target).await;
    for table in ["keyless", "nullable"] {
        let name = format!("bad_no_key.{table}");
        assert!(output.stdout.contains(&name), "{}", output.stdout);
    }
    fails(&output, "source.primary_key", &["no primary key", "ADD PRIMARY KEY", "or exclude it with \"!"]);
    // One thing is wrong with each table: it is told once.
    assert_eq!(failures(&output), 2, "{}", output.stdout);
    let tables = "[\"bad_no_key.*\", \"!bad_no_key.keyless\", \"!bad_no_key.nullable\"]";
    let output = check_writes_nothing(&scene.config().task("tables", tables), &scene.target).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
}

#[tokio::test]
async fn a_source_user_without_the_privileges() {
    let scene = Scene::new("bad_privileges").await;
    scene
        .source
        .sql("CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT PRIMARY KEY, secret INT); \
              DROP USER IF EXISTS bad_reader; CREATE USER bad_reader; GRANT SELECT ON bad_privileges.a TO bad_reader; \
              GRANT SELECT (id) ON bad_privileges.b TO bad_reader")
        .await;
    let url = format!("\"mysql://bad_reader@127.0.0.1:{}\"", scene.source.server.port());
    let config = scene.config().source("url", &url);
    let output = check_writes_nothing(&config, &scene.target).await;
    fails(&output, "source.privileges", &["REPLICATION SLAVE", "REPLICATION CLIENT", "GRANT "]);
    fails(&output, "source.select", &["bad_privileges.b", "GRANT SELECT ON `bad_privileges`.`b`"]);
    scene
        .source
        .sql("GRANT REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO bad_reader")
        .await;
    let output = check_writes_nothing(&config, &scene.target).await;
    assert_eq!(failures(&output), 1, "{}", output.stdout);
    // A table that a user may not even see is missed when it is named.
    scene.source.sql("REVOKE SELECT (id) ON bad_privileges.b FROM bad_reader").await;
    let named = config.clone().task("tables", "[\"bad_privileges.a\", \"bad_privileges.b\"]");
    let output = check_writes_nothing(&named, &scene.target).await;
    fails(&output, "source.tables", &["bad_privileges.b", "GRANT SELECT"]);
    scene.source.sql("GRANT SELECT ON bad_privileges.b TO bad_reader").await;
    let output = check_writes_nothing(&named, &scene.target).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
}

#[tokio::test]
async fn a_selection_that_finds_nothing() {
    let scene = Scene::new("bad_selection").await;
    scene.source.sql("CREATE TABLE orders (id INT PRIMARY KEY)").await;
    let tables = |list: &str| scene.config().task("tables", list);
    let output = check_writes_nothing(&tables("[\"nowhere.*\"]"), &scene.target).await;
    fails(&output, "source.tables", &["nowhere.*", "correct \"tables\""]);
    let output =
        check_writes_nothing(&tables("[\"bad_selection.*\", \"bad_selection.ordres\"]"), &scene.target).await;
    fails(&output, "source.tables", &["bad_selection.ordres", "correct \"tables\""]);
    // A glob may find nothing yet, but is told.
    let output = check(&tables("[\"bad_selection.*\", \"nowhere.*\"]")).await;
    assert_eq!(output.code, 0, "{}", output.stdout);
    assert!(
        output.stdout.lines().any(|line| line.contains("WARN") && line.contains("nowhere.*")),
        "{}",
        output.stdout
    );
}

#[tokio::test]
async fn an_existing_target_table() {
    let scene = Scene::new("bad_existing").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    scene
        .target
        .sql("CREATE SCHEMA bad_existing; CREATE TABLE bad_existing.t (id integer PRIMARY KEY, v bigint)")
        .await;
    let output = check_writes_nothing(&scene.config(), &scene.target).await;
    fails(&output, "target.exists", &["bad_existing.t", "existing_tables = \"clear\"", "\"ignore\""]);
    // With `clear` its columns are judged.
    let config = scene.config().task("existing_tables", "\"clear\"");
    let output = check_writes_nothing(&config, &scene.target).await;
    fails(&output, "target.column", &["column v is bigint, wanted is integer", "types = { v = \"bigint\" }"]);
    scene
        .target
        .sql("ALTER TABLE bad_existing.t ALTER v TYPE integer; CREATE UNIQUE INDEX u ON bad_existing.t (id, v)")
        .await;
    let output = check_writes_nothing(&config, &scene.target).await;
    fails(&output, "target.unique", &["DROP INDEX bad_existing.u; CREATE INDEX u ON"]);
    scene.target.sql("DROP INDEX bad_existing.u; ALTER TABLE bad_existing.t DROP CONSTRAINT t_pkey").await;
    scene.target.sql("ALTER TABLE bad_existing.t ADD PRIMARY KEY (id, v)").await;
    let output = check_writes_nothing(&config, &scene.target).await;
    fails(&output, "target.primary_key", &["(id, v), wanted is (id)"]);
}

#[tokio::test]
async fn columns_that_cannot_be_carried() {
    let scene = Scene::new("bad_columns").await;
    scene
        .source
        .sql(
            "CREATE TABLE charset (id INT PRIMARY KEY, v VARCHAR(10) CHARACTER SET swe7); \
             CREATE TABLE twice (id INT PRIMARY KEY, a_b INT, note TEXT); \
             CREATE TABLE engine (id INT PRIMARY KEY) ENGINE = MyISAM; \
             CREATE TABLE labels (e ENUM('','a') PRIMARY KEY)",
        )
        .await;
    let one = |table: &str, more: &str| {
        scene
            .config()
            .task("tables", &format!("[\"bad_columns.{table}\"]"))
            .more(&format!("[task.main.table.\"bad_columns.{table}\"]\n{more}"))
    };
    for (table, more, words) in [
        ("charset", "", ["swe7", "exclude_columns = [\"v\"]"]),
        ("twice", "columns = { note = \"a_b\" }", ["two columns would both be \"a_b\"", "columns = "]),
        ("twice", "types = { note = \"jsonb\" }", ["jsonb", "choose another type"]),
        ("twice", "types = { note = \"hstore\" }", ["hstore", "not supported"]),
        ("twice", "exclude_columns = [\"nope\"]", ["exclude_columns names column nope", "id, a_b, note"]),
        ("twice", "exclude_columns = [\"id\"]", ["key column id is left out", "exclude_columns"]),
        ("twice", "primary_key = [\"a_b\"]", ["would merge rows", "primary key"]),
        ("twice", "target = \"dw.twice\"", ["holds a dot", "schemas"]),
        ("labels", "", ["would merge rows", "exact type"]),
    ] {
        let output = check_writes_nothing(&one(table, more), &scene.target).await;
        fails(&output, "source.table", &words);
        assert_eq!(failures(&output), 1, "{more}: {}", output.stdout);
    }
    let output = check_writes_nothing(&one("engine", ""), &scene.target).await;
    fails(&output, "source.engine", &["MyISAM", "ENGINE = InnoDB"]);
}
