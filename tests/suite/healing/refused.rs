//! Tables that cannot be put in place anew, or are not to be: they stay as they are, and it is told what would help.

use super::{carried, parked, rows};
use crate::harness::{DEADLINE, Scene, eventually, rowferry};

#[tokio::test]
async fn a_table_refused_in_the_first_copy_is_parked_alone() {
    let scene = Scene::new("healing_first").await;
    for table in ["t", "u", "v"] {
        scene.source.sql(&rows(table, 200)).await;
    }
    scene
        .target
        .sql(
            "CREATE SCHEMA healing_first; \
             CREATE TABLE healing_first.u (id int PRIMARY KEY, v varchar(40), w int CHECK (w < 150))",
        )
        .await;
    let config = scene.config().healing().task("existing_tables", "\"clear\"");
    let daemon = scene.start_with(&config).await;
    let trouble = parked(&scene, &daemon, "u").await;
    assert!(trouble.error.contains("u_w_check"), "{trouble:?}");
    scene.source.sql("UPDATE t SET w = 1 WHERE id > 50; DELETE FROM v WHERE id < 50").await;
    scene.assert_exact(&daemon, &["t", "v"]).await;
    // Nobody takes a part of it for the whole.
    assert_eq!(scene.target.one("SELECT count(*) FROM healing_first.u").await, "0");
    assert!(
        daemon.task().await.unwrap().tables.values().filter(|table| table.trouble.is_some()).count() == 1
    );
}

#[tokio::test]
async fn nothing_is_copied_again_where_nothing_is_copied() {
    let scene = Scene::new("healing_uncopied").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, w INT)").await;
    let config = scene.config().healing().task("initial", "[\"schema\"]").task("start_position", "\"now\"");
    let daemon = scene.start_with(&config).await;
    scene.source.sql("INSERT INTO t VALUES (1, 1), (2, 2)").await;
    scene.wait_applied(&daemon).await;
    scene.source.sql("TRUNCATE t").await;
    parked(&scene, &daemon, "t").await;
    scene.source.sql("CREATE TABLE n LIKE t; RENAME TABLE t TO o, n TO t; INSERT INTO t VALUES (3, 3)").await;
    scene.wait_applied(&daemon).await;
    daemon.restart();
    parked(&scene, &daemon, "t").await;
    assert_eq!(scene.target.one("SELECT count(*) FROM healing_uncopied.t").await, "2");
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    let refused = rowferry(&["resync", "-c", &config, "healing_uncopied.t"]).await;
    assert!(refused.code == 1 && refused.stderr.contains("not in initial"), "{refused:?}");
}

#[tokio::test]
async fn a_table_that_the_config_sends_elsewhere_takes_no_other_ones_place() {
    let scene = Scene::new("healing_elsewhere").await;
    scene.source.sql(&rows("t", 10)).await;
    let config = scene.config().healing().task("existing_tables", "\"clear\"");
    let daemon = scene.start_with(&config).await;
    scene.target.sql("ALTER TABLE healing_elsewhere.t ADD CONSTRAINT small CHECK (w < 100)").await;
    scene.target.sql("CREATE TABLE healing_elsewhere.strangers AS SELECT 7 AS id").await;
    scene.source.sql("UPDATE t SET w = 1000 WHERE id = 3").await;
    parked(&scene, &daemon, "t").await;
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    let file = daemon.config_path().into_os_string().into_string().unwrap();
    let before = rowferry(&["resync", "-c", &file, "healing_elsewhere.t"]).await;
    assert_eq!(before.code, 0, "{before:?}");
    let section = "[task.main.table.\"healing_elsewhere.t\"]\ntarget = \"strangers\"\n";
    daemon.reconfigure(&config.more(section));
    daemon.restart();
    let trouble = parked(&scene, &daemon, "t").await;
    assert!(trouble.error.contains("its target is healing_elsewhere.strangers by now"), "{trouble:?}");
    assert_eq!(scene.target.one("SELECT sum(id) FROM healing_elsewhere.strangers").await, "7");
    assert_eq!(scene.target.one("SELECT count(*) FROM healing_elsewhere.t").await, "10");
}

#[tokio::test]
async fn a_copy_that_would_be_published_is_not_made() {
    let scene = Scene::new("healing_published").await;
    if scene.target.server.is_greenplum() {
        return;
    }
    scene.source.sql(&rows("t", 10)).await;
    scene.source.sql(&rows("u", 10)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    // One of the table alone does not send what is beside it.
    scene.target.sql("CREATE PUBLICATION alone FOR TABLE healing_published.u").await;
    scene.source.sql("TRUNCATE u; INSERT INTO u VALUES (1, 'x', 1)").await;
    scene.wait_applied(&daemon).await;
    carried(&scene, &daemon, "u").await;
    scene.assert_exact(&daemon, &["u"]).await;
    let published = "SELECT count(*) FROM pg_publication_tables WHERE tablename = 'u'";
    assert_eq!(scene.target.one(published).await, "1");
    scene.target.sql("CREATE PUBLICATION everything FOR ALL TABLES").await;
    scene.source.sql("TRUNCATE t").await;
    let trouble = parked(&scene, &daemon, "t").await;
    assert!(trouble.error.contains("publication everything"), "{trouble:?}");
    scene.assert_exact(&daemon, &["u"]).await;
    scene.target.sql("DROP PUBLICATION everything").await;
}

#[tokio::test]
async fn tables_that_others_have_made_keep_what_is_theirs() {
    let scene = Scene::new("healing_made").await;
    scene.source.sql(&rows("t", 100)).await;
    scene
        .target
        .sql(
            "CREATE SCHEMA healing_made; CREATE TABLE healing_made.t (id int PRIMARY KEY, v varchar(40), w int); \
             CREATE INDEX by_w ON healing_made.t (w)",
        )
        .await;
    let config = scene.config().healing().task("initial", "[\"data\"]");
    let daemon = scene.start_with(&config).await;
    scene.target.sql("ALTER TABLE healing_made.t ALTER v TYPE text").await;
    scene.source.sql("TRUNCATE t; INSERT INTO t VALUES (7, 'seven', 7); ALTER TABLE t DROP COLUMN w").await;
    eventually(DEADLINE * 2, "the copy is in place", async || {
        scene.target.one("SELECT count(*) FROM healing_made.t").await == "1"
    })
    .await;
    carried(&scene, &daemon, "t").await;
    scene.source.sql("INSERT INTO t VALUES (8, 'eight')").await;
    scene.wait_applied(&daemon).await;
    let rows = "SELECT string_agg(id || v || coalesce(w::text, '-'), ' ' ORDER BY id) FROM healing_made.t";
    assert_eq!(scene.target.one(rows).await, "7seven7 8eight-");
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_attribute \
        WHERE attrelid = 'healing_made.t'::regclass AND attnum > 0 AND NOT attisdropped";
    assert_eq!(scene.target.one(types).await, "integer text integer");
    let index = "SELECT count(*) FROM pg_class WHERE relname = 'by_w'";
    assert_eq!(scene.target.one(index).await, "1");
}

#[tokio::test]
async fn a_table_that_came_goes_on_where_its_copy_was() {
    let scene = Scene::new("healing_went_on").await;
    scene.source.sql(&rows("t", 10)).await;
    let slow = "{ parallel = 1, chunk_rows = 50, max_rows_per_second = 400 }";
    let config = scene.config().healing().task("existing_tables", "\"ignore\"").task("snapshot", slow);
    let daemon = scene.start_with(&config).await;
    scene.source.sql(&rows("u", 1500)).await;
    daemon
        .wait_task("the copy begins", DEADLINE, |task| {
            task.tables.get("healing_went_on.u").is_some_and(|table| table.copied_rows > 0)
        })
        .await;
    daemon.kill9();
    daemon.start_again().await;
    carried(&scene, &daemon, "u").await;
    assert_eq!(scene.assert_equal("u").await, 1500);
}

#[tokio::test]
async fn rows_that_were_kept_once_are_kept_for_ever() {
    let scene = Scene::new("healing_legacy").await;
    scene.source.sql(&rows("t", 10)).await;
    scene
        .target
        .sql(
            "CREATE SCHEMA healing_legacy; \
             CREATE TABLE healing_legacy.t (id int PRIMARY KEY, v varchar(40), w int); \
             INSERT INTO healing_legacy.t VALUES (5000, 'theirs', 1)",
        )
        .await;
    let config = scene.config().healing();
    let daemon = scene.start_with(&config.clone().task("existing_tables", "\"ignore\"")).await;
    daemon.reconfigure(&config);
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("TRUNCATE t").await;
    let trouble = parked(&scene, &daemon, "t").await;
    assert!(trouble.error.contains("cannot be told from those that were there"), "{trouble:?}");
    assert_eq!(scene.target.one("SELECT count(*) FROM healing_legacy.t").await, "11");
}
