//! Remedies are printed to be followed: each is followed here to the letter, and the task goes on.

use crate::harness::{Config, DEADLINE, Daemon, Scene, only_postgres, rowferry};
use rowferry::testing::change::status::Phase;
use serde_json::Value;

/// Waits until the task has failed and gives its error; the remedy must say all of these words.
async fn remedy(daemon: &Daemon, words: &[&str]) -> String {
    let failed =
        daemon.wait_task("the task fails", DEADLINE, |task| matches!(task.phase, Phase::Failed { .. })).await;
    let Phase::Failed { error, remedy } = failed.phase else { unreachable!() };
    for word in words {
        assert!(remedy.contains(word), "{word:?} is not in: {error} Remedy: {remedy}");
    }
    error
}

async fn start_again(daemon: &Daemon, config: &Config) {
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    daemon.reconfigure(config);
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
}

/// "copy database.table again: run `rowferry resync -c CONFIG database.table`"
async fn copy_again(scene: &Scene<'_>, daemon: &Daemon, config: &Config, table: &str) {
    daemon.reconfigure(config);
    let file = daemon.config_path().into_os_string().into_string().unwrap();
    let name = format!("{}.{table}", scene.source.name);
    let done = rowferry(&["resync", "-c", &file, &name]).await;
    assert_eq!(done.code, 0, "{done:?}");
    daemon.wait_phase("Synchronizing", DEADLINE).await;
}

async fn start_again_stopped(daemon: &Daemon, config: &Config) {
    daemon.reconfigure(config);
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
}

const AGAIN: &str = "run `rowferry resync -c CONFIG";

#[tokio::test]
async fn what_is_printed_for_values_of_the_stream_works() {
    if only_postgres("its index rows are of another size") {
        return;
    }
    let scene = Scene::new("remedies_stream").await;
    let mut source = scene.source.session().await;
    source
        .sql(
            "SET sql_mode = ''; CREATE TABLE other (id INT PRIMARY KEY); \
             CREATE TABLE t (id INT PRIMARY KEY, d DATE NOT NULL, v VARCHAR(20), b TINYINT(1)); \
             CREATE TABLE k (k VARCHAR(20) PRIMARY KEY); CREATE TABLE long_key (k VARBINARY(3000) PRIMARY KEY)",
        )
        .await;
    let config = scene.config().task("zero_dates", "\"error\"").task("tinyint1", "\"boolean\"");
    let daemon = scene.start_with(&config).await;

    source.sql("INSERT INTO t VALUES (1, '0000-00-00', 'a', 1)").await;
    remedy(
        &daemon,
        &["set `zero_dates = \"null\"`", "drop the NOT NULL of the target column where it has one"],
    )
    .await;
    scene.target.sql("ALTER TABLE remedies_stream.t ALTER COLUMN d DROP NOT NULL").await;
    let config = config.task("zero_dates", "\"null\"");
    start_again(&daemon, &config).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.target.one("SELECT count(*) FROM remedies_stream.t WHERE d IS NULL").await, "1");

    source.sql("INSERT INTO t VALUES (2, '2020-01-01', 'a\\0b', 0)").await;
    remedy(&daemon, &["set `nul_bytes` to \"strip\" or \"replace\""]).await;
    let config = config.task("nul_bytes", "\"strip\"");
    start_again(&daemon, &config).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.target.one("SELECT v FROM remedies_stream.t WHERE id = 2").await, "ab");

    source.sql("UPDATE t SET b = 2 WHERE id = 2").await;
    remedy(&daemon, &["carry the column as smallint (`tinyint1` or `types`)", AGAIN]).await;
    let config = config.task("tinyint1", "\"smallint\"");
    copy_again(&scene, &daemon, &config, "t").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.target.one("SELECT b FROM remedies_stream.t WHERE id = 2").await, "2");

    source.sql("ALTER TABLE t MODIFY v VARCHAR(10)").await;
    let error = remedy(&daemon, &[AGAIN]).await;
    assert!(
        error.contains("remedies_stream.t: ALTER TABLE t MODIFY v VARCHAR(10) (ends at binlog."),
        "{error}"
    );
    copy_again(&scene, &daemon, &config, "t").await;

    // No policy is for keys.
    source.sql("INSERT INTO k VALUES ('a\\0')").await;
    remedy(&daemon, &["mend the value in the source", AGAIN, "primary_key"]).await;
    source.sql("UPDATE k SET k = 'b'").await;
    copy_again(&scene, &daemon, &config, "k").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("k").await, 1);

    source
        .sql("INSERT INTO long_key SELECT CONCAT(RANDOM_BYTES(1000), RANDOM_BYTES(1000), RANDOM_BYTES(1000))")
        .await;
    let words = &["shorten the row's key in the source", "copy the table again", "leave the table out"];
    let error = remedy(&daemon, words).await;
    let key = scene.source.server.one("SELECT LOWER(HEX(k)) FROM remedies_stream.long_key").await;
    assert!(error.contains(&format!("the row is k=\\x{}…", &key[..196])), "{error}");
    source.sql("UPDATE long_key SET k = LEFT(k, 100)").await;
    copy_again(&scene, &daemon, &config, "long_key").await;
    source.sql("INSERT INTO other VALUES (1)").await;
    scene.wait_applied(&daemon).await;
    for table in ["long_key", "other"] {
        assert_eq!(scene.assert_equal(table).await, 1);
    }
}

/// The items of the report that fail.
async fn failing(config: &Config) -> Vec<Value> {
    let output = rowferry(&["check", "--json", "-c", &config.file()]).await;
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let items = report["main"]["items"].as_array().unwrap();
    items.iter().filter(|item| item["verdict"] == "fail").cloned().collect()
}

#[tokio::test]
async fn statements_that_the_check_prints_mend_what_it_found() {
    if only_postgres("ALTER TABLE … SET LOGGED is not known there") {
        return;
    }
    let scene = Scene::new("remedies_check").await;
    scene
        .source
        .sql(
            "CREATE TABLE a (id INT PRIMARY KEY) ENGINE = MyISAM; CREATE TABLE b (id INT PRIMARY KEY, v INT); \
             CREATE TABLE c (id INT PRIMARY KEY, v INT, w INT); CREATE TABLE u (id INT PRIMARY KEY); \
             DROP USER IF EXISTS remedies; CREATE USER remedies; GRANT SELECT (id) ON remedies_check.b TO remedies; \
             GRANT SELECT ON remedies_check.a TO remedies; GRANT SELECT ON remedies_check.c TO remedies; \
             GRANT SELECT ON remedies_check.u TO remedies",
        )
        .await;
    scene
        .target
        .sql(
            "CREATE SCHEMA remedies_check; SET search_path = remedies_check; \
             CREATE TABLE c (id integer PRIMARY KEY, v integer NOT NULL, more integer NOT NULL); \
             CREATE UNLOGGED TABLE u (id integer PRIMARY KEY)",
        )
        .await;
    let url = scene.source.server.url().replace("root@", "remedies@");
    let config = scene.config().source("url", &format!("{url:?}")).task("existing_tables", "\"ignore\"");
    let mut followed = Vec::new();
    loop {
        let items = failing(&config).await;
        let Some(item) = items.first() else { break };
        let (code, remedy) = (item["code"].as_str().unwrap(), item["remedy"].as_str().unwrap());
        // The first way out; what stands in brackets explains it.
        let statement = remedy.split(", or ").next().unwrap().split(" (before").next().unwrap();
        let statement = statement.replace("the user", "remedies");
        assert!(!followed.contains(&statement), "it did not help: {item}");
        if code.starts_with("source.") {
            scene.source.sql(&statement).await;
        } else {
            scene.target.sql(&statement).await;
        }
        followed.push(statement);
    }
    assert_eq!(followed.len(), 8, "{followed:?}");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 2); INSERT INTO c VALUES (1, NULL, 3); INSERT INTO u VALUES (1)").await;
    scene.wait_applied(&daemon).await;
    for table in ["a", "b", "u"] {
        assert_eq!(scene.assert_equal(table).await, 1);
    }
    assert_eq!(scene.target.one("SELECT w FROM remedies_check.c WHERE v IS NULL").await, "3");
}

/// A task of one table, and a table that is gone for good.
#[tokio::test]
async fn what_is_printed_for_the_only_table_of_a_task_works() {
    let scene = Scene::new("remedies_one").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO t VALUES (1, 'a'); CREATE TABLE u (id INT PRIMARY KEY)")
        .await;
    let config = scene.config().task("tables", "[\"remedies_one.t\"]");
    let daemon = scene.start_with(&config).await;
    let out = config.clone().task("tables", "[\"remedies_one.t\", \"!remedies_one.t\"]");

    scene.source.sql("ALTER TABLE t MODIFY v VARCHAR(10)").await;
    remedy(&daemon, &["run `rowferry resync -c CONFIG remedies_one.t`"]).await;
    copy_again(&scene, &daemon, &config, "t").await;
    start_again(&daemon, &out).await;
    // Nothing is followed, which a restart bears too.
    start_again(&daemon, &out).await;
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    scene.target.sql("DROP TABLE remedies_one.t").await;
    start_again_stopped(&daemon, &config).await;
    scene.source.sql("INSERT INTO t VALUES (2, 'b')").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("t").await, 2);

    // While it is gone a restart tells the same as before.
    scene.source.sql("DROP TABLE t").await;
    let words = "add \"!remedies_one.t\" to the list, `rowferry reload`): its target table stays as it is";
    remedy(&daemon, &[words]).await;
    daemon.start_again().await;
    let error = remedy(&daemon, &[words]).await;
    assert!(error.contains("DROP TABLE"), "{error}");
    daemon.reconfigure(&out);
    let file = daemon.config_path().into_os_string().into_string().unwrap();
    let told = rowferry(&["reload", "-c", &file]).await;
    assert_eq!(told.code, 0, "{told:?}");
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert_eq!(scene.target.one("SELECT count(*) FROM remedies_one.t").await, "2");
    // A list that is mistyped makes a task forget nothing.
    let both = config.clone().task("tables", "[\"remedies_one.t\", \"!remedies_one.t\", \"remedies_one.u\"]");
    start_again(&daemon, &both).await;
    let mistyped = config.task("tables", "[\"remedies_on.*\"]");
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    daemon.reconfigure(&mistyped);
    daemon.restart();
    remedy(&daemon, &["correct \"tables\""]).await;
    start_again(&daemon, &both).await;
    scene.source.sql("INSERT INTO u VALUES (1)").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("u").await, 1);
}

/// Names that want quotes, and each kind of thing that can be in the way.
#[tokio::test]
async fn statements_for_odd_names_and_odd_tables_work() {
    if only_postgres("9.4 has neither identity nor generated columns") {
        return;
    }
    let scene = Scene::new("remedies_odd").await;
    scene
        .source
        .sql(
            "CREATE TABLE Users (id INT PRIMARY KEY, userName VARCHAR(20), Big INT, Twice INT, Always INT NOT NULL); \
             CREATE TABLE Late (id INT PRIMARY KEY); \
             CREATE TABLE Keyed (a INT NOT NULL, B INT NOT NULL, PRIMARY KEY (a, B)); \
             DROP USER IF EXISTS odd",
        )
        .await;
    scene
        .target
        .sql(
            "DROP ROLE IF EXISTS odd; CREATE ROLE odd LOGIN; GRANT CREATE ON DATABASE remedies_odd TO odd; \
             CREATE SCHEMA \"Shop DW\"; SET search_path = \"Shop DW\"; \
             CREATE TABLE \"Users\" (id integer PRIMARY KEY, \"userName\" varchar(5) UNIQUE, \"Big\" bigint, \
              \"Twice\" integer GENERATED ALWAYS AS (id * 2) STORED, \"Always\" integer GENERATED ALWAYS AS IDENTITY); \
             CREATE TABLE \"Keyed\" (a integer, \"B\" integer NOT NULL, \"More\" integer NOT NULL); \
             CREATE TABLE \"Late\" (id integer CONSTRAINT \"The Key\" PRIMARY KEY DEFERRABLE); CREATE UNIQUE INDEX \"One B\" ON \"Keyed\" (\"B\"); \
             CREATE TABLE \"Others\" (id integer CONSTRAINT \"To Users\" REFERENCES \"Users\"); \
             CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER \"Fires\" BEFORE INSERT ON \"Users\" FOR EACH ROW EXECUTE FUNCTION nothing(); \
             CREATE RULE \"Diverts\" AS ON INSERT TO \"Keyed\" DO INSTEAD NOTHING",
        )
        .await;
    let own = format!("//{}", scene.target.server.user());
    let url = scene.target.url().replacen(&own, "//odd", 1);
    let mut config = scene
        .config()
        .target("url", &format!("{url:?}"))
        .task("schemas", "{ remedies_odd = \"Shop DW\" }")
        .task("identifier_case", "\"preserve\"")
        .task("existing_tables", "\"clear\"");
    let mut followed = Vec::new();
    while let Some(item) = failing(&config).await.first() {
        let remedy = item["remedy"].as_str().unwrap();
        let first = remedy.split(", or ").next().unwrap().replace("the user", "odd");
        assert!(!followed.contains(&first), "it did not help: {item}");
        if let Some((section, line)) = first.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            config = config.more(&format!("[{section}]\n{line}"));
        } else {
            scene.target.sql(&first).await;
        }
        followed.push(first);
    }
    let types = "[task.main.table.\"remedies_odd.Users\"] types = { Big = \"bigint\" }";
    assert!(followed.iter().any(|way| way == types), "{followed:?}");
    // Nothing is asked of who owns what: the grants are enough, and what is not had is told.
    let check = rowferry(&["check", "-c", &config.file()]).await;
    assert!(check.stdout.contains("ALTER TABLE \"Shop DW\".\"Users\" OWNER TO the user"), "{}", check.stdout);
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql("INSERT INTO Users VALUES (1, 'longer than five', 5, 6, 7); INSERT INTO Keyed VALUES (1, 2), (2, 2)")
        .await;
    scene.wait_applied(&daemon).await;
    let users = scene.target.one("SELECT row_to_json(u)::text FROM \"Shop DW\".\"Users\" u").await;
    let row = r#"{"id":1,"userName":"longer than five","Big":5,"Twice":6,"Always":7}"#;
    assert_eq!(users, row);
    assert_eq!(scene.target.one("SELECT count(*) FROM \"Shop DW\".\"Keyed\"").await, "2");
    crate::harness::eventually(DEADLINE, "upkeep is left to the owner", async || {
        daemon.log().matches("ANALYZE and VACUUM are left to it").count() == 3
    })
    .await;
    let recorded = scene.target.one("SELECT count(*) FROM rowferry.main_upkeep WHERE kind = 'analyze'").await;
    assert_eq!(recorded, "0", "nothing was analyzed");
}
