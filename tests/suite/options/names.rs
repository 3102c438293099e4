//! Names, columns, keys and types in the target.

use crate::harness::{Comparison, DEADLINE, Scene, rowferry};

#[tokio::test]
async fn tables_columns_and_schemas_have_the_names_that_the_config_gives() {
    let scene = Scene::new("options_names").await;
    scene
        .source
        .sql(
            "CREATE TABLE orders (id INT PRIMARY KEY, note TEXT, secret TEXT, `Total` INT); \
              INSERT INTO orders VALUES (1, 'n', 's', 5); CREATE TABLE other (id INT PRIMARY KEY)",
        )
        .await;
    let config = scene.config().task("schemas", "{ options_names = \"Shop DW\" }").more(
        "[task.main.table.\"options_names.orders\"]\ntarget = \"orders_all\"\ncolumns = { note = \"remark\" }\nexclude_columns = [\"secret\"]",
    );
    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO orders VALUES (2, 'm', 's', 6); UPDATE orders SET note = 'x', secret = 't' WHERE id = 1").await;
    scene.wait_applied(&daemon).await;
    let comparison =
        Comparison::new("options_names.orders", "Shop DW.orders_all").rename("note", "remark").skip("secret");
    assert_eq!(scene.assert_same(comparison).await, 2);
    assert_eq!(scene.assert_same(Comparison::new("options_names.other", "Shop DW.other")).await, 0);
    let columns = "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'orders_all'";
    assert_eq!(scene.seen(columns).await, ["id,remark,total"]);
    let dump = scene.seen("SELECT o::text FROM \"Shop DW\".orders_all o").await.concat();
    assert!(!dump.contains('s') && !dump.contains('t'), "the secret is there: {dump}");
}

#[tokio::test]
async fn names_are_folded_or_kept_and_collisions_are_refused() {
    let scene = Scene::new("options_case").await;
    scene
        .source
        .sql(
            "CREATE TABLE Orders (Id INT PRIMARY KEY, `userName` TEXT); INSERT INTO Orders VALUES (1, 'a'); \
              CREATE TABLE orders (id INT PRIMARY KEY)",
        )
        .await;
    // Folded, the two would be one.
    let output = rowferry(&["check", "-c", &scene.config().file()]).await;
    assert!(
        output.code == 1 && output.stdout.contains("options_case.Orders and options_case.orders"),
        "{output:?}"
    );
    assert!(output.stdout.contains("targets of their own, or identifier_case = \"preserve\""), "{output:?}");
    let daemon = scene.start_with(&scene.config().task("identifier_case", "\"preserve\"")).await;
    scene.source.sql("INSERT INTO Orders VALUES (2, 'b')").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(
        scene.seen("SELECT \"Id\", \"userName\" FROM options_case.\"Orders\" ORDER BY 1").await,
        ["1|a", "2|b"]
    );
}

#[tokio::test]
async fn another_unique_key_can_be_the_primary_key() {
    let scene = Scene::new("options_key").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, code VARCHAR(20) NOT NULL, v INT, UNIQUE (code)); \
              INSERT INTO t (code, v) VALUES ('a', 1), ('b', 2), ('c', 3)")
        .await;
    let config = scene.config().task("snapshot", "{ chunk_rows = 1 }");
    let config = config.more("[task.main.table.\"options_key.t\"]\nprimary_key = [\"code\"]");
    let daemon = scene.start_with(&config).await;
    // The source's own key is an ordinary column there, and may change under its row.
    scene.source.sql("UPDATE t SET id = 20 WHERE code = 'b'; UPDATE t SET code = 'd' WHERE code = 'a'; DELETE FROM t WHERE code = 'c'; INSERT INTO t VALUES (3, 'e', 4)").await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("t").await, 3);
    let key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'options_key.t'::regclass AND contype = 'p'";
    assert_eq!(scene.seen(key).await, ["PRIMARY KEY (code)"]);
    assert_eq!(daemon.task().await.unwrap().tables["options_key.t"].drift, 0);
}

#[tokio::test]
async fn types_can_be_chosen_and_both_paths_give_the_same() {
    let scene = Scene::new("options_types").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, flag TINYINT(1), num INT UNSIGNED, text_num BIGINT, time_of_day TIME(3), small TINYINT(1)); \
              INSERT INTO t VALUES (1, 1, 4294967295, -5, '23:59:59.999', 0), (2, 0, 0, 7, NULL, NULL)")
        .await;
    let config = scene.config().task("tinyint1", "\"boolean\"").task("time", "\"time\"").more(
        "[task.main.table.\"options_types.t\"]\ntypes = { num = \"numeric(12)\", text_num = \"text\", small = \"integer\" }",
    );
    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO t SELECT id + 10, flag, num, text_num, time_of_day, small FROM t").await;
    scene.wait_applied(&daemon).await;
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'options_types.t'::regclass AND attnum > 0";
    assert_eq!(
        scene.seen(types).await,
        ["integer,boolean,numeric(12,0),text,time(3) without time zone,integer"]
    );
    let rows = "SELECT id % 10, flag, num, text_num, time_of_day, small FROM options_types.t ORDER BY id";
    let one = "1|t|4294967295|-5|23:59:59.999|0";
    let two = "2|f|0|7|-|-";
    assert_eq!(scene.seen(rows).await, [one, two, one, two]);
}

#[tokio::test]
async fn a_config_that_changes_how_a_followed_table_is_carried_is_told() {
    let scene = Scene::new("options_changed").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, code INT NOT NULL UNIQUE, v TEXT); INSERT INTO t VALUES (1, 10, 'x'); \
              CREATE TABLE other (id INT PRIMARY KEY)")
        .await;
    let config =
        |options: &str| scene.config().more(&format!("[task.main.table.\"options_changed.t\"]\n{options}"));
    let daemon = scene.start_with(&config("columns = { v = \"w\" }")).await;
    let check = async |options: &str| rowferry(&["check", "-c", &config(options).file()]).await;
    let same = check("columns = { v = \"w\" }").await;
    assert!(same.code == 0 && !same.stdout.contains("WARN"), "{same:?}");
    for (options, words) in [
        (
            "columns = { v = \"w\" }\nexclude_columns = [\"v\"]",
            "column v is carried although exclude_columns",
        ),
        ("columns = { v = \"z\" }", "column v feeds w, not z"),
        ("target = \"u\"", "the config now says options_changed.u"),
        ("source_column = \"src\"", "source_column was not set"),
        ("primary_key = [\"code\"]", "its primary key is (id)"),
    ] {
        let output = check(options).await;
        assert!(output.code == 0 && output.stdout.contains("WARN  source.mapping"), "{options}: {output:?}");
        assert!(
            output.stdout.contains(words) && output.stdout.contains("copy options_changed.t again"),
            "{output:?}"
        );
    }
    // And the way to change it works.
    for (tables, options) in
        [("\"!options_changed.t\"", ""), ("\"options_changed.t\"", "exclude_columns = [\"v\"]")]
    {
        daemon.terminate();
        daemon.exit_code(DEADLINE).await;
        let config = config(options).task("tables", &format!("[\"options_changed.*\", {tables}]"));
        daemon.reconfigure(&config.task("existing_tables", "\"clear\""));
        daemon.restart();
        daemon.wait_phase("Synchronizing", DEADLINE).await;
    }
    assert_eq!(scene.seen("SELECT id, code, w FROM options_changed.t").await, ["1|10|-"]);
}
