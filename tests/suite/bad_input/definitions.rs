//! Definitions and options that do not do: one server, one check, and the message of each.

use crate::harness::{Config, Scene, only_postgres, rowferry};
use serde_json::Value;

/// A table of the source, the options of its section, and the item: code, verdict, words of its reason and of its remedy.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// Tables, by the rest of their `CREATE TABLE`.
const TABLES: &[Case] = &[
    (
        "keyless (id INT)",
        "",
        "source.primary_key",
        "fail",
        "it has no primary key and no unique key over NOT NULL columns",
        "`keyless` ADD PRIMARY KEY (…), or exclude it with \"!bad_definitions.keyless\"",
    ),
    (
        "nullable (id INT, UNIQUE (id))",
        "",
        "source.primary_key",
        "fail",
        "no unique key over NOT NULL columns",
        "ADD PRIMARY KEY",
    ),
    (
        "prefix_key (k TEXT NOT NULL, PRIMARY KEY (k(10)))",
        "",
        "source.primary_key",
        "fail",
        "its primary key holds only the beginning of a column",
        "ADD UNIQUE KEY (…) over whole NOT NULL columns",
    ),
    (
        "engine (id INT PRIMARY KEY) ENGINE = MyISAM",
        "",
        "source.engine",
        "fail",
        "its engine is MyISAM, which has no transactions",
        "ALTER TABLE `bad_definitions`.`engine` ENGINE = InnoDB",
    ),
    (
        "zero_key (d DATE NOT NULL DEFAULT '0000-00-00', id INT, PRIMARY KEY (d, id))",
        "",
        "source.key",
        "warn",
        "key column d is the zero date by default",
        "another default",
    ),
    (
        "zero_month (id INT, d DATETIME NOT NULL DEFAULT '2020-00-00', PRIMARY KEY (id, d))",
        "",
        "source.key",
        "warn",
        "key column d is the zero date by default",
        "primary_key",
    ),
    (
        "long_key (k VARCHAR(768) CHARACTER SET utf8mb4 PRIMARY KEY)",
        "",
        "source.key",
        "warn",
        "its key may hold values of up to 3072 bytes, and an index row of the target 2704",
        "choose a shorter key with primary_key",
    ),
    (
        "swe7 (id INT PRIMARY KEY, v VARCHAR(10) CHARACTER SET swe7)",
        "",
        "source.table",
        "fail",
        "column v is in character set swe7",
        "exclude_columns = [\"v\"]",
    ),
    (
        "question (id INT PRIMARY KEY, v ENUM('a', '?'))",
        "",
        "source.table",
        "fail",
        "the label '?' of column v holds a question mark",
        "take the question mark out of the label",
    ),
    (
        "empty_label (e ENUM('', 'a') PRIMARY KEY)",
        "",
        "source.table",
        "fail",
        "key column e would merge rows",
        "choose an exact type for it",
    ),
    (
        "cp932_key (k VARCHAR(9) CHARACTER SET cp932 PRIMARY KEY)",
        "",
        "source.table",
        "fail",
        "different characters of cp932 are one in Unicode",
        "a key without it with primary_key",
    ),
    (
        "merged (id INT PRIMARY KEY, a INT, b INT)",
        "columns = { a = \"b\" }",
        "source.table",
        "fail",
        "two columns would both be \"b\" in the target",
        "columns = { b = \"…\" }",
    ),
    (
        "wrong_type (id INT PRIMARY KEY, v TEXT)",
        "types = { v = \"jsonb\" }",
        "source.table",
        "fail",
        "column v: TEXT cannot be carried into jsonb",
        "choose another type for it in types",
    ),
    (
        "no_type (id INT PRIMARY KEY, v TEXT)",
        "types = { v = \"hstore\" }",
        "source.table",
        "fail",
        "column v: TEXT cannot be carried into hstore",
        "\"hstore\" is not supported",
    ),
    (
        "no_geometry (id INT PRIMARY KEY, g POINT)",
        "types = { g = \"geometry\" }",
        "target.postgis",
        "fail",
        "column g is to be geometry, a type of PostGIS",
        "CREATE EXTENSION postgis in the target database, or take g off types",
    ),
    (
        "misspelt (id INT PRIMARY KEY, secret INT)",
        "exclude_columns = [\"sercet\"]",
        "source.table",
        "fail",
        "exclude_columns names column sercet, which the table does not have",
        "the table's columns are id, secret",
    ),
    (
        "key_out (id INT PRIMARY KEY)",
        "exclude_columns = [\"id\"]",
        "source.table",
        "fail",
        "key column id is left out by exclude_columns",
        "take it off exclude_columns",
    ),
    (
        "other_key (id INT PRIMARY KEY, a INT)",
        "primary_key = [\"a\"]",
        "source.table",
        "fail",
        "would merge rows: it holds no unique key over NOT NULL columns",
        "all NOT NULL",
    ),
    (
        "no_key_column (id INT PRIMARY KEY)",
        "primary_key = [\"uid\"]",
        "source.table",
        "fail",
        "primary_key names column uid, which the table does not have",
        "the table's columns are id",
    ),
    (
        "dotted (id INT PRIMARY KEY)",
        "target = \"dw.dotted\"",
        "source.table",
        "fail",
        "its target holds a dot",
        "schemas = { … } of the task",
    ),
    (
        "system_column (id INT PRIMARY KEY, ctid INT)",
        "",
        "source.table",
        "fail",
        "ctid",
        "columns = { ctid = \"…\" }",
    ),
    (
        "name_of_64_letters_one_more_than_the_target_has_room_for_xxxxxxx (id INT PRIMARY KEY)",
        "",
        "source.table",
        "fail",
        "63",
        "target = \"…\" in its table options",
    ),
    ("spread (id INT PRIMARY KEY)", "distributed_by = [\"id\"]", "", "pass", "", ""),
    (
        "spread_wrong (id INT PRIMARY KEY, a INT)",
        "distributed_by = [\"a\"]",
        "source.table",
        "fail",
        "distributed_by names a, which is not in the target's primary key",
        "choose from the primary key: id",
    ),
    (
        "rival (id INT PRIMARY KEY)",
        "",
        "target.shared",
        "fail",
        "task other carries it into the same target table",
        "give both a source_column",
    ),
    (
        "had_check (id INT PRIMARY KEY)",
        "",
        "target.check",
        "warn",
        "CHECK constraints (positive)",
        "ALTER TABLE \"bad_definitions\".\"had_check\" DROP CONSTRAINT \"positive\"",
    ),
    (
        "had_default (id INT PRIMARY KEY)",
        "",
        "target.default",
        "warn",
        "nothing of the source feeds at",
        "drop the column",
    ),
    (
        "had_not_null (id INT PRIMARY KEY)",
        "",
        "target.column",
        "fail",
        "column more is NOT NULL and nothing fills it",
        "ALTER TABLE \"bad_definitions\".\"had_not_null\" ALTER COLUMN \"more\" DROP NOT NULL",
    ),
    (
        "had_less (id INT PRIMARY KEY, v INT)",
        "",
        "target.column",
        "fail",
        "column v is missing",
        "ALTER TABLE \"bad_definitions\".\"had_less\" ADD COLUMN \"v\" integer",
    ),
    (
        "had_type (id INT PRIMARY KEY, v INT)",
        "",
        "target.column",
        "fail",
        "column v is bigint, wanted is integer",
        "[task.main.table.\"bad_definitions.had_type\"] types = { v = \"bigint\" }, or ALTER TABLE",
    ),
    (
        "had_no_null (id INT PRIMARY KEY, v INT)",
        "",
        "target.column",
        "fail",
        "column v is NOT NULL, but NULL can come",
        "ALTER COLUMN \"v\" DROP NOT NULL",
    ),
    (
        "had_key (id INT PRIMARY KEY, v INT NOT NULL)",
        "",
        "target.primary_key",
        "fail",
        "its primary key is (v), wanted is (id)",
        "DROP CONSTRAINT \"had_key_pkey\", ADD PRIMARY KEY (\"id\")",
    ),
    (
        "had_unique (id INT PRIMARY KEY, v INT)",
        "",
        "target.unique",
        "fail",
        "unique indexes beside the primary key",
        "DROP CONSTRAINT had_unique_v_key; CREATE INDEX had_unique_v_key ON",
    ),
    (
        "had_unlogged (id INT PRIMARY KEY)",
        "",
        "target.unlogged",
        "fail",
        "it is UNLOGGED",
        "ALTER TABLE \"bad_definitions\".\"had_unlogged\" SET LOGGED",
    ),
    ("had_view (id INT PRIMARY KEY)", "", "target.active", "fail", "it is a view", "drop or rename it"),
    (
        "had_generated (id INT PRIMARY KEY, v INT)",
        "",
        "target.active",
        "fail",
        "generated column v",
        "ALTER COLUMN \"v\" DROP EXPRESSION",
    ),
];

/// What the target has already.
const FOUND: &str = "CREATE SCHEMA bad_definitions; SET search_path = bad_definitions; \
    CREATE TABLE had_check (id integer PRIMARY KEY, CONSTRAINT positive CHECK (id > 0)); \
    CREATE TABLE had_default (id integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); \
    CREATE TABLE had_not_null (id integer PRIMARY KEY, more integer NOT NULL); \
    CREATE TABLE had_less (id integer PRIMARY KEY); \
    CREATE TABLE had_type (id integer PRIMARY KEY, v bigint); \
    CREATE TABLE had_no_null (id integer PRIMARY KEY, v integer NOT NULL); \
    CREATE TABLE had_key (id integer NOT NULL, v integer PRIMARY KEY); \
    CREATE TABLE had_unique (id integer PRIMARY KEY, v integer UNIQUE); \
    CREATE UNLOGGED TABLE had_unlogged (id integer PRIMARY KEY); \
    CREATE VIEW had_view AS SELECT 1 AS id; \
    CREATE TABLE had_generated (id integer PRIMARY KEY, v integer GENERATED ALWAYS AS (id) STORED)";

/// What is wrong with the config as a whole: subject and the same four.
const OPTIONS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "task.main.table.\"bad_definitions.gone\"",
        "task.table",
        "warn",
        "no selected table matches bad_definitions.gone, so what it says has no effect",
        "database.table as in the source, letter by letter",
    ),
    (
        "task.main.table.\"bad_definitions.mispelt\"",
        "task.table",
        "fail",
        "columns it leaves out (secret) would be carried",
        "letter by letter",
    ),
    (
        "task.main.table.\"bad_definitions.had_c*\"",
        "task.table",
        "fail",
        "exclude_columns names column secret, which no table that matches has",
        "correct the column's name",
    ),
    (
        "task.main.table.\"bad_definitions.spread\"",
        "target.distribution",
        "warn",
        "distributed_by has no effect",
        "take distributed_by out",
    ),
    (
        "task main",
        "source.cascades",
        "warn",
        "accept_cascades names bad_definitions.keyless.fk",
        "SHOW CREATE TABLE",
    ),
    (
        "source src",
        "source.tables",
        "fail",
        "there is no table bad_definitions.nowhere that the user may see",
        "correct \"tables\"",
    ),
    (
        "source src",
        "source.tables",
        "warn",
        "no table that the user may see matches nothing.*",
        "correct \"tables\"",
    ),
    (
        "bad_definitions.same",
        "target.shared",
        "fail",
        "feed the same table, and equal keys of theirs would overwrite each other",
        "identifier_case = \"preserve\"",
    ),
];

fn config(scene: &Scene<'_>) -> Config {
    let mut config = scene
        .config()
        .task("tables", "[\"bad_definitions.*\", \"bad_definitions.nowhere\", \"nothing.*\"]")
        .task("existing_tables", "\"ignore\"")
        .task("accept_cascades", "[\"bad_definitions.keyless.fk\"]");
    for (table, options, ..) in TABLES.iter().filter(|case| !case.1.is_empty()) {
        let (name, _) = table.split_once(' ').unwrap();
        config = config.more(&format!("[task.main.table.\"bad_definitions.{name}\"]\n{options}"));
    }
    config.more(
        "[task.main.table.\"bad_definitions.gone\"]\ntarget = \"x\"\n\
         [task.main.table.\"bad_definitions.mispelt\"]\nexclude_columns = [\"secret\"]\n\
         [task.main.table.\"bad_definitions.had_c*\"]\nexclude_columns = [\"secret\"]\n\
         [task.other]\nsource = \"src\"\ntarget = \"dst\"\ntables = [\"bad_definitions.rival\"]",
    )
}

#[tokio::test]
async fn every_wrong_definition_is_told_what_is_wrong_and_what_mends_it() {
    if only_postgres("it has no generated columns, and other rules for keys") {
        return;
    }
    let scene = Scene::new("bad_definitions").await;
    let mut session = scene.source.session().await;
    session.sql("SET sql_mode = '', NAMES utf8mb4; CREATE TABLE same (id INT PRIMARY KEY); CREATE TABLE Same (id INT PRIMARY KEY)").await;
    for (table, ..) in TABLES {
        session.sql(&format!("CREATE TABLE {table}")).await;
    }
    scene.target.sql(FOUND).await;
    let output = rowferry(&["check", "--json", "--task", "main", "-c", &config(&scene).file()]).await;
    assert_eq!((output.code, output.stderr.as_str()), (1, ""), "{output:?}");
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let items = report["main"]["items"].as_array().unwrap();
    let mut missed = String::new();
    let tables = TABLES.iter().map(|(table, _, code, verdict, why, remedy)| {
        let (name, _) = table.split_once(' ').unwrap();
        (format!("bad_definitions.{name}"), *code, *verdict, *why, *remedy)
    });
    let options = OPTIONS
        .iter()
        .map(|(subject, code, verdict, why, remedy)| ((*subject).to_owned(), *code, *verdict, *why, *remedy));
    for (subject, code, verdict, why, remedy) in tables.chain(options).filter(|case| case.2 != "pass") {
        let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let told = items.iter().any(|item| {
            (text(item, "subject"), text(item, "code"), text(item, "verdict"))
                == (subject.clone(), code.into(), verdict.into())
                && text(item, "why").contains(why)
                && text(item, "remedy").contains(remedy)
        });
        if !told {
            let told: Vec<&Value> = items
                .iter()
                .filter(|item| text(item, "subject") == subject && text(item, "verdict") != "pass")
                .collect();
            missed += &format!("\n{subject} {code} {verdict}: {why}; {remedy}\n  gives {told:?}");
        }
    }
    for item in items {
        // The subject is named before the reason.
        let (subject, why) = (item["subject"].as_str().unwrap(), item["why"].as_str().unwrap());
        if why.starts_with(&format!("{subject}:")) {
            missed += &format!("\n{subject} is named twice: {why}");
        }
    }
    assert!(missed.is_empty(), "{missed}");
    // The plan is refused for all of it, not for the first.
    let planned = rowferry(&["plan", "--task", "main", "-c", &config(&scene).file()]).await;
    let failing = items.iter().filter(|item| item["verdict"] == "fail").count();
    assert_eq!((planned.code, planned.stderr.matches("\n  - ").count()), (1, failing), "{planned:?}");
}
