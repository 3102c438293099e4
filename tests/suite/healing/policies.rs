//! `ddl_policy`: what statements do is passed over, done at the target too, or mended by a copy.

use super::{carried, parked, rows};
use crate::harness::{DEADLINE, Scene, eventually};

/// The columns that the source has left are equal.
async fn same(scene: &Scene<'_>, table: &str) {
    let row = "concat_ws(':', id, v, w)";
    let source = format!(
        "SET group_concat_max_len = 100000; SELECT group_concat({row} ORDER BY id SEPARATOR ' ') FROM {table}"
    );
    let target = format!("SELECT string_agg({row}, ' ' ORDER BY id) FROM {}.{table}", scene.source.name);
    let (source, target) = (scene.source.sql(&source).await, scene.target.one(&target).await);
    assert_eq!(source[0][0].as_deref(), Some(target.as_str()), "{table}");
}

#[tokio::test]
async fn columns_that_the_source_drops_stay_or_go_and_the_stream_goes_on() {
    let scene = Scene::new("healing_drops").await;
    for table in ["stays", "goes", "seen", "copied"] {
        scene.source.sql(&rows(table, 50)).await;
        scene.source.sql(&format!("ALTER TABLE {table} ADD n INT NOT NULL DEFAULT 7")).await;
    }
    let policies = [("goes", "apply"), ("seen", "apply"), ("copied", "recopy")].map(|(table, policy)| {
        format!(
            "[task.main.table.\"healing_drops.{table}\"]\nddl_policy = {{ drop_column = \"{policy}\" }}\n"
        )
    });
    let daemon = scene.start_with(&scene.config().healing().more(&policies.concat())).await;
    scene.target.sql("CREATE VIEW healing_drops.view AS SELECT n FROM healing_drops.seen").await;
    for table in ["stays", "goes", "seen", "copied"] {
        scene
            .source
            .sql(&format!(
                "UPDATE {table} SET n = 8 WHERE id = 1; ALTER TABLE {table} DROP n; INSERT INTO {table} VALUES (99, 'x', 1)"
            ))
            .await;
    }
    scene.wait_applied(&daemon).await;
    carried(&scene, &daemon, "copied").await;
    scene.assert_exact(&daemon, &["goes", "copied"]).await;
    same(&scene, "stays").await;
    same(&scene, "seen").await;
    let columns = "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_attribute a \
        JOIN pg_class c ON c.oid = a.attrelid WHERE a.attname = 'n' AND c.relkind = 'r' AND NOT attisdropped \
        AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'healing_drops')";
    assert_eq!(scene.target.one(columns).await, "seen stays");
    let kept = "SELECT string_agg(coalesce(n::text, '-'), ' ' ORDER BY id) FROM healing_drops.stays WHERE id IN (1, 2, 99)";
    assert_eq!(scene.target.one(kept).await, "8 7 -");
    let left = daemon.log().matches("the table is copied again").count();
    assert_eq!(left, 1, "{}", daemon.log());
    // One of its name comes again: as it was, and as another one.
    scene
        .source
        .sql("ALTER TABLE stays ADD n INT NOT NULL DEFAULT 9; UPDATE stays SET n = 10 WHERE id = 3")
        .await;
    scene.assert_exact(&daemon, &["stays"]).await;
    scene.source.sql("ALTER TABLE stays DROP n; ALTER TABLE stays ADD n VARCHAR(9) DEFAULT 'nine'").await;
    scene.wait_applied(&daemon).await;
    carried(&scene, &daemon, "stays").await;
    scene.assert_exact(&daemon, &["stays", "goes"]).await;
}

#[tokio::test]
async fn tables_are_emptied_kept_or_dropped_with_the_sources() {
    let scene = Scene::new("healing_emptied").await;
    for table in ["emptied", "kept", "dropped", "other"] {
        scene.source.sql(&rows(table, 20)).await;
    }
    let config = scene
        .config()
        .healing()
        .task("ddl_policy", "{ truncate_table = \"apply\", drop_table = \"apply\" }")
        .more("[task.main.table.\"healing_emptied.kept\"]\nddl_policy = { truncate_table = \"ignore\" }\n");
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql(
            "TRUNCATE emptied; INSERT INTO emptied VALUES (1, 'a', 1); TRUNCATE kept; INSERT INTO kept VALUES (1, 'a', 1); \
             DROP TABLE dropped; UPDATE other SET w = 5",
        )
        .await;
    scene.assert_exact(&daemon, &["emptied", "other"]).await;
    assert_eq!(scene.target.one("SELECT count(*) || max(v) FROM healing_emptied.kept").await, "20row 9");
    let dropped = "SELECT count(*) FROM pg_class WHERE relname = 'dropped'";
    eventually(DEADLINE, "it is dropped", async || scene.target.one(dropped).await == "0").await;
    let (code, body) = daemon.get("/readyz").await.unwrap();
    assert_eq!(code, 200, "{body}");
    assert!(!daemon.task().await.unwrap().tables.contains_key("healing_emptied.dropped"));
    // Again and again, and with rows of its own.
    for round in 1..=4 {
        scene.source.sql(&format!("{}; DROP TABLE dropped", rows("dropped", 10 + round))).await;
    }
    scene.source.sql(&rows("dropped", 3)).await;
    carried(&scene, &daemon, "dropped").await;
    scene.assert_exact(&daemon, &["dropped", "emptied", "other"]).await;
    assert!(!daemon.log().contains("the table is copied again"), "{}", daemon.log());
}

#[tokio::test]
async fn a_table_above_the_limit_is_parked_and_not_copied_again() {
    let scene = Scene::new("healing_limit").await;
    scene.source.sql(&rows("large", 2000)).await;
    scene.source.sql(&rows("small", 20)).await;
    scene.source.sql("ANALYZE TABLE large, small").await;
    let daemon = scene.start_with(&scene.config().healing().task("recopy_limit", "500")).await;
    for table in ["large", "small"] {
        scene.source.sql(&format!("ALTER TABLE {table} MODIFY v VARCHAR(20)")).await;
    }
    let trouble = parked(&scene, &daemon, "large").await;
    assert!(trouble.error.contains("recopy_limit = 500"), "{trouble:?}");
    assert!(trouble.remedy.contains("rowferry resync"), "{trouble:?}");
    carried(&scene, &daemon, "small").await;
    scene.assert_exact(&daemon, &["small"]).await;
}

#[tokio::test]
async fn what_hangs_on_a_target_table_stops_nothing() {
    let scene = Scene::new("healing_hung").await;
    for table in ["t", "gone", "other"] {
        scene.source.sql(&rows(table, 20)).await;
    }
    let policy = "{ truncate_table = \"apply\", drop_table = \"apply\" }";
    let daemon = scene.start_with(&scene.config().healing().task("ddl_policy", policy)).await;
    scene
        .target
        .sql(
            "CREATE TABLE healing_hung.child (id int REFERENCES healing_hung.t); \
             CREATE VIEW healing_hung.seen AS SELECT count(*) AS n FROM healing_hung.gone",
        )
        .await;
    scene
        .source
        .sql("TRUNCATE t; INSERT INTO t VALUES (1, 'a', 1); DROP TABLE gone; UPDATE other SET w = 5")
        .await;
    scene.assert_exact(&daemon, &["t", "other"]).await;
    eventually(DEADLINE, "its rows are gone", async || {
        scene.target.one("SELECT n FROM healing_hung.seen").await == "0"
    })
    .await;
    scene.source.sql("UPDATE other SET w = 6").await;
    scene.assert_exact(&daemon, &["t", "other"]).await;
    let task = daemon.task().await.unwrap();
    assert!(task.tables.values().all(|table| table.trouble.is_none()), "{task:?}");
}

#[tokio::test]
async fn what_the_policies_keep_a_copy_keeps_too() {
    let scene = Scene::new("healing_history").await;
    scene.source.sql(&rows("t", 20)).await;
    let policy = "{ truncate_table = \"ignore\" }";
    let daemon = scene.start_with(&scene.config().healing().task("ddl_policy", policy)).await;
    scene.source.sql("TRUNCATE t; INSERT INTO t VALUES (5, 'five', 5), (100, 'new', 1)").await;
    scene.wait_applied(&daemon).await;
    // The column stays with what it has, and the copy keeps what the truncate has left.
    scene.source.sql("ALTER TABLE t DROP w, MODIFY v VARCHAR(20)").await;
    carried(&scene, &daemon, "t").await;
    scene.source.sql("INSERT INTO t VALUES (101, 'newer')").await;
    let state =
        "SELECT count(*) || ' ' || max(v) FILTER (WHERE id = 5) || ' ' || sum(w) FROM healing_history.t";
    eventually(DEADLINE, "the copy is in place", async || scene.target.one(state).await == "22 five 211")
        .await;
    assert!(daemon.log().contains("the copy has taken its place"), "{}", daemon.log());
}

/// The rows stay in their target table, which gets the other name; what cannot be so is copied.
#[tokio::test]
async fn tables_that_get_other_names_keep_their_rows_where_that_is_wanted() {
    let name = "healing_renames";
    let scene = Scene::new(name).await;
    for table in ["t", "a", "b", "other"] {
        scene.source.sql(&rows(table, 300)).await;
    }
    scene.source.sql("UPDATE a SET v = 'a'; UPDATE b SET v = 'b'").await;
    let config = scene.config().healing().task("ddl_policy", "{ rename_table = \"apply\" }");
    let daemon = scene.start_with(&config).await;
    scene.target.sql(&format!("CREATE VIEW {name}.seen AS SELECT count(*) AS n FROM {name}.t")).await;
    let copies = || daemon.log().matches("the copy of a table begins").count();
    scene
        .source
        .sql(
            "BEGIN; UPDATE t SET w = 1 WHERE id = 1; UPDATE other SET w = 1; COMMIT; RENAME TABLE t TO u; \
             BEGIN; UPDATE u SET w = 2 WHERE id = 2; UPDATE other SET w = 2; COMMIT; ALTER TABLE u RENAME TO v; \
             DELETE FROM v WHERE id = 3; INSERT INTO v VALUES (1000, 'new', 5)",
        )
        .await;
    scene.assert_exact(&daemon, &["v", "other"]).await;
    let there = async |table: &str| {
        let sql =
            format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{name}' AND tablename = '{table}'");
        scene.target.one(&sql).await == "1"
    };
    assert!(!there("t").await && !there("u").await && copies() == 4, "{}", daemon.log());
    assert_eq!(scene.target.one(&format!("SELECT n FROM {name}.seen")).await, "300");
    let task = carried(&scene, &daemon, "v").await;
    assert!(!task.tables.contains_key(&format!("{name}.t")), "{:?}", task.tables.keys());
    daemon.kill9();
    daemon.restart();
    // The name is free for another one; a later change of names finds the records of the first.
    scene.source.sql(&rows("t", 20)).await;
    scene
        .source
        .sql("ALTER TABLE v ADD COLUMN x INT DEFAULT 4; RENAME TABLE v TO w, other TO o; UPDATE w SET x = id")
        .await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "w", "o"]).await;
    // They exchange names: which rows are whose is a matter of copies.
    scene.source.sql("RENAME TABLE a TO x, b TO a, x TO b; UPDATE a SET w = 9 WHERE id < 9").await;
    scene.wait_applied(&daemon).await;
    carried(&scene, &daemon, "a").await;
    carried(&scene, &daemon, "b").await;
    eventually(DEADLINE, "both have each other's rows", async || {
        scene.equal("a").await == Ok(300) && scene.equal("b").await == Ok(300)
    })
    .await;
    // Something is in the way; and a name that is none of the task's.
    scene.target.sql(&format!("CREATE TABLE {name}.taken (id int)")).await;
    scene
        .source
        .sql(&format!("RENAME TABLE w TO taken; CREATE DATABASE {name}_2; RENAME TABLE o TO {name}_2.o"))
        .await;
    scene.source.sql("UPDATE t SET w = 77").await;
    scene.assert_exact(&daemon, &["t"]).await;
    for table in ["w", "o"] {
        parked(&scene, &daemon, table).await;
        assert!(there(table).await, "{table} stays");
    }
    scene.source.sql(&format!("DROP DATABASE {name}_2")).await;
}
