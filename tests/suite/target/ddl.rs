//! Changes of tables that hold rows.

use super::{column, connect, table, target};
use crate::harness::{on_greenplum, postgres};
use rowferry::change::{TargetChange, TargetType};
use rowferry::sink::{SinkError, catalog, ddl};

#[tokio::test]
async fn a_table_with_rows_follows_its_source() {
    let database = postgres().await.database("follows").await;
    let session = connect(&database).await;
    let name = target("public", "t");
    let made = table(
        &name,
        vec![column("id", TargetType::Integer, false), column("old", TargetType::Smallint, false)],
        &["id"],
    );
    ddl::create_table(&session, &made).await.unwrap();
    database.sql("INSERT INTO t SELECT i, i FROM generate_series(1, 3) i").await;
    let storage = database.one("SELECT pg_relation_filenode('t')").await;
    let add = TargetChange::AddColumn {
        table: name.clone(),
        column: column("note", TargetType::Varchar(Some(20)), false),
        fill: Some("it's \\ new".into()),
    };
    ddl::change(&session, &add).await.unwrap();
    let rewritten = database.one("SELECT pg_relation_filenode('t')").await != storage;
    assert_eq!(rewritten, on_greenplum(), "9.4 has no other way");
    ddl::change(&session, &add).await.unwrap();
    assert_eq!(database.one("SELECT string_agg(DISTINCT note, '|') FROM t").await, "it's \\ new");
    let left = "SELECT count(*) FROM pg_attrdef WHERE adrelid = 't'::regclass";
    assert_eq!(database.one(left).await, "0", "the default is gone");
    let rename = TargetChange::RenameColumn { table: name.clone(), from: "old".into(), to: "New".into() };
    ddl::change(&session, &rename).await.unwrap();
    let widen =
        TargetChange::AlterColumn { table: name.clone(), column: column("New", TargetType::Bigint, true) };
    ddl::change(&session, &widen).await.unwrap();
    let shape = catalog::shape(&session, &name).await.unwrap().unwrap().table;
    assert_eq!(
        shape.columns,
        [
            column("id", TargetType::Integer, false),
            column("New", TargetType::Bigint, true),
            column("note", TargetType::Varchar(Some(20)), false),
        ]
    );
    assert_eq!(database.one("SELECT sum(\"New\") FROM t").await, "6");
    let drop = TargetChange::DropColumn { table: name.clone(), name: "New".into() };
    ddl::change(&session, &drop).await.unwrap();
    ddl::change(&session, &drop).await.unwrap();
    let key = TargetChange::DropColumn { table: name.clone(), name: "id".into() };
    assert!(matches!(ddl::change(&session, &key).await, Err(SinkError::Table { .. })));
    ddl::change(&session, &TargetChange::Truncate { table: name.clone() }).await.unwrap();
    assert_eq!(database.one("SELECT count(*) FROM t").await, "0");
}

#[tokio::test]
async fn a_change_is_undone_with_its_transaction() {
    let database = postgres().await.database("undone").await;
    database.sql("CREATE TABLE t (id int PRIMARY KEY)").await;
    let session = connect(&database).await;
    session.client().batch_execute("BEGIN").await.unwrap();
    let add = TargetChange::AddColumn {
        table: target("public", "t"),
        column: column("x", TargetType::Text, true),
        fill: None,
    };
    ddl::change(&session, &add).await.unwrap();
    session.client().batch_execute("ROLLBACK").await.unwrap();
    let shape = catalog::shape(&session, &target("public", "t")).await.unwrap().unwrap().table;
    assert_eq!(shape.columns, [column("id", TargetType::Integer, false)]);
}

#[tokio::test]
async fn a_change_of_a_missing_table_is_refused_by_name() {
    let database = postgres().await.database("missing_table").await;
    let session = connect(&database).await;
    let truncate = TargetChange::Truncate { table: target("public", "gone") };
    let error = ddl::change(&session, &truncate).await.unwrap_err();
    assert!(error.to_string().contains("public.gone"), "{error}");
}
