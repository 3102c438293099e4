//! State of older and of newer programs.

use super::{at, connect, endpoint, source, target};
use crate::harness::{DEADLINE, PostgresDatabase, eventually_some, only_postgres, postgres};
use rowferry::testing::change::Retry;
use rowferry::testing::change::state::{ChunkRecord, TableState};
use rowferry::testing::quote::literal;
use rowferry::testing::sink::store::{self, form};
use rowferry::testing::sink::{Owner, SinkError, SinkErrorKind};
use serde_json::json;
use std::path::Path;

/// A file of `tests/golden/stored`.
fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/stored").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first golden value of a form, as SQL.
fn value(form: &str, version: u32) -> String {
    literal(golden(&format!("{form}.{version}.jsonl")).lines().next().expect("a value"))
}

/// Takes a task that an ended session may still hold.
async fn take(database: &PostgresDatabase<'_>, task: &str) -> Result<Owner, SinkError> {
    eventually_some(DEADLINE, "the task is free", async || {
        match Owner::take(&endpoint(database), task).await {
            Err(SinkError { kind: SinkErrorKind::Owned { .. }, .. }) => None,
            taken => Some(taken),
        }
    })
    .await
}

/// All that the tables of schema `rowferry` are.
const SHAPES: &str = "SELECT string_agg(concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default), '; ' \
    ORDER BY table_name, ordinal_position) FROM information_schema.columns WHERE table_schema = 'rowferry'";
const COMMENT: &str = "SELECT coalesce(obj_description('rowferry.shop_position'::regclass, 'pg_class'), '')";

/// What the program of layout 0 left behind of a task that follows one table.
async fn left_by_layout_0(database: &PostgresDatabase<'_>) {
    database.sql(&golden("layout.0.sql")).await;
    let (position, definition) = (value("position", 0), value("definition", 0));
    let (mapping, bound) = (value("mapping", 0), value("bound", 0));
    database
        .sql(&format!(
            "INSERT INTO rowferry.shop_owner (epoch, slot, role, backend_pid, backend_start, host, process_id) \
             VALUES (7, 0, 'owner', 1, '2001-01-01', 'h', 1); \
             INSERT INTO rowferry.shop_position (sequence, epoch, server, file, file_offset, gtids, place) \
             VALUES (41, 7, 's', 'f', 4, '', {position}); \
             INSERT INTO rowferry.shop_tables (source_database, source_table, version, target_schema, target_table, state, \
             mapping, sequence, epoch) VALUES ('shop', 'Orders', 1, 'dw', 'orders', '{{\"state\":\"streaming\"}}', {mapping}, 41, 7); \
             INSERT INTO rowferry.shop_schemas (source_database, source_table, version, definition, valid_from, sequence, epoch) \
             VALUES ('shop', 'Orders', 1, {definition}, {position}, 41, 7); \
             INSERT INTO rowferry.shop_chunks (source_database, source_table, number, after_key, upto_key, copied_rows, epoch) \
             VALUES ('shop', 'Orders', 0, NULL, {bound}, 5, 7)"
        ))
        .await;
}

#[tokio::test]
async fn what_the_first_layout_holds_is_gone_on_with() {
    let database = postgres().await.database("upgraded").await;
    left_by_layout_0(&database).await;
    let peeked = store::peek(&connect(&database).await, "shop").await.unwrap().expect("its records");
    assert_eq!(database.one(COMMENT).await, "", "the check writes nothing");

    let owner = take(&database, "shop").await.unwrap();
    let store = owner.store();
    assert_eq!(store.epoch(), 8);
    assert_eq!(database.one(COMMENT).await, format!("rowferry layout {}", form::LAYOUT));
    let loaded = store.load(owner.session()).await.unwrap();
    let head = loaded.checkpoint.clone().expect("a checkpoint");
    assert_eq!((head.sequence, head.epoch), (42, 8));
    assert_eq!(peeked.checkpoint.as_ref().map(|before| &before.position), Some(&head.position));
    assert_eq!(peeked.tables, loaded.tables);
    let orders = &loaded.tables[&source("Orders")];
    assert_eq!((&orders.state, orders.schemas.len()), (&TableState::Streaming, 1));
    let upto = vec!["5".to_owned()];
    assert_eq!(orders.chunks, [ChunkRecord { number: 0, after: None, upto: Some(upto), rows: 5 }]);
    assert_eq!(orders.mapping["created"], json!(false));

    // New records are of the present forms, beside the old ones.
    let session = connect(&database).await;
    let next = store.advance(&session, &head, &at(5)).await.unwrap();
    store
        .record_table(&session, &source("Orders"), &target("dw", "orders"), &orders.state, &orders.mapping)
        .await
        .unwrap();
    store.record_schema(&session, &orders.schemas[0].table, &at(5)).await.unwrap();
    let again = store.load(&session).await.unwrap();
    assert_eq!(again.checkpoint, Some(next));
    let now = &again.tables[&source("Orders")];
    assert_eq!((&now.mapping, now.schemas.len()), (&orders.mapping, 2));
    assert_eq!(now.schemas[0].table, now.schemas[1].table);
    let first = "SELECT string_agg(left(definition, 8), ' ' ORDER BY version) FROM rowferry.shop_schemas";
    assert_eq!(database.one(first).await, "{\"name\": {\"form\":");
    drop(owner);
    drop(take(&database, "shop").await.unwrap());

    let fresh = postgres().await.database("not_upgraded").await;
    drop(take(&fresh, "shop").await.unwrap());
    assert_eq!(database.one(SHAPES).await, fresh.one(SHAPES).await);
    assert_eq!(fresh.one(COMMENT).await, database.one(COMMENT).await);
}

/// Everything in schema `rowferry`, and its tables.
async fn everything(database: &PostgresDatabase<'_>) -> String {
    let mut all = database.one(SHAPES).await + &database.one(COMMENT).await;
    let tables = "SELECT string_agg(tablename::text, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'rowferry'";
    for table in database.one(tables).await.split(' ') {
        let rows = format!(
            "SELECT coalesce(string_agg(t::text, '; ' ORDER BY t::text), '') FROM rowferry.{table} t"
        );
        all += &format!("\n{table}: {}", database.one(&rows).await);
    }
    all
}

/// Neither a start nor the check goes on, both name all of `parts`, and nothing has changed.
async fn is_refused(database: &PostgresDatabase<'_>, task: &str, parts: &[&str]) {
    let before = everything(database).await;
    let version = env!("CARGO_PKG_VERSION");
    for error in [
        take(database, task).await.map(|_| ()).unwrap_err(),
        store::peek(&connect(database).await, task).await.map(|_| ()).unwrap_err(),
    ] {
        let SinkErrorKind::State { why, remedy, .. } = &error.kind else { panic!("{error}") };
        for part in parts.iter().chain([&version]) {
            assert!(why.contains(part), "{part} in {why}");
        }
        assert!(remedy.to_string().starts_with("run the newer rowferry that wrote it, or"), "{remedy}");
        assert!(matches!(error.retry(), Retry::AfterFix { .. }));
    }
    assert_eq!(everything(database).await, before, "{parts:?}");
}

#[tokio::test]
async fn a_newer_form_is_refused_by_name_and_left_alone() {
    let database = postgres().await.database("newer_form").await;
    left_by_layout_0(&database).await;
    for (table, column, name, known) in [
        ("shop_position", "place", "position", 1),
        ("shop_tables", "state", "state", 3),
        ("shop_tables", "mapping", "mapping", 5),
        ("shop_schemas", "definition", "definition", 3),
        ("shop_schemas", "valid_from", "position", 1),
        ("shop_chunks", "upto_key", "bound", 1),
    ] {
        let old = database.one(&format!("SELECT {column} FROM rowferry.{table}")).await;
        let newer = r#"{"form":99,"value":{"unheard":"of"}}"#;
        database.sql(&format!("UPDATE rowferry.{table} SET {column} = '{newer}'")).await;
        let parts = [table, &format!("form 99 of {name}"), &format!("knows it up to {known}")];
        is_refused(&database, "shop", &parts).await;
        database.sql(&format!("UPDATE rowferry.{table} SET {column} = {}", literal(&old))).await;
    }
    drop(take(&database, "shop").await.unwrap());
}

#[tokio::test]
async fn a_newer_layout_is_refused_by_name_and_left_alone() {
    let database = postgres().await.database("newer_layout").await;
    drop(take(&database, "shop").await.unwrap());
    // A table that it has no more is not made again.
    database.sql("COMMENT ON TABLE rowferry.shop_position IS 'rowferry layout 99'; DROP TABLE rowferry.shop_upkeep").await;
    is_refused(&database, "shop", &["shop_position", "layout 99", "knows it up to 1"]).await;
    // Another task's is its own matter.
    drop(take(&database, "other").await.unwrap());
    database.sql("UPDATE rowferry.meta SET format = 99").await;
    let before = everything(&database).await;
    let error = take(&database, "third").await.map(|_| ()).unwrap_err();
    assert!(matches!(&error.kind, SinkErrorKind::State { why, .. } if why.contains("format 99")), "{error}");
    assert_eq!(everything(&database).await, before);
}

#[tokio::test]
async fn who_may_write_but_owns_nothing_goes_on_without_the_comment() {
    if only_postgres("a role of its own may not log in there") {
        return;
    }
    let database = postgres().await.database("upgraded_by_another").await;
    left_by_layout_0(&database).await;
    database
        .sql(
            "DROP ROLE IF EXISTS upgraded_writer; CREATE ROLE upgraded_writer LOGIN; \
             GRANT USAGE ON SCHEMA rowferry TO upgraded_writer; \
             GRANT ALL ON ALL TABLES IN SCHEMA rowferry TO upgraded_writer",
        )
        .await;
    let mut writer = endpoint(&database);
    writer.user = "upgraded_writer".into();
    let owner = Owner::take(&writer, "shop").await.unwrap();
    assert!(owner.store().load(owner.session()).await.unwrap().checkpoint.is_some());
    assert_eq!(database.one(COMMENT).await, "");
    drop(owner);
    database.sql("DROP OWNED BY upgraded_writer; DROP ROLE upgraded_writer").await;
}
