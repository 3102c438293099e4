//! Changes of tables that hold rows.

use super::{column, connect, table, target};
use crate::harness::{PostgresDatabase, on_greenplum, postgres};
use rowferry::testing::change::shape::Distribution;
use rowferry::testing::change::shape::RowsOf;
use rowferry::testing::change::{TargetChange, TargetType};
use rowferry::testing::sink::{catalog, ddl};

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
        rows: RowsOf::One,
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
}

/// Storage of the table's rows; another one after a rewrite.
async fn storage(database: &PostgresDatabase<'_>) -> String {
    // On Greenplum each segment has its own.
    let nodes = if on_greenplum() { "gp_dist_random('pg_class')" } else { "pg_class" };
    let list = "string_agg(relfilenode::text, ' ' ORDER BY relfilenode)";
    database.one(&format!("SELECT {list} FROM {nodes} WHERE relname = 't' AND relkind = 'r'")).await
}

#[tokio::test]
async fn a_column_that_is_null_in_the_rows_that_exist_is_added_without_a_rewrite() {
    let database = postgres().await.database("added_null").await;
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)").await;
    let session = connect(&database).await;
    let before = storage(&database).await;
    let name = target("public", "t");
    let add = TargetChange::AddColumn {
        table: name,
        column: column("x", TargetType::Text, true),
        fill: None,
        rows: RowsOf::One,
    };
    ddl::change(&session, &add).await.unwrap();
    assert_eq!(storage(&database).await, before);
}

#[tokio::test]
async fn a_float_that_fills_rows_is_the_same_to_the_last_bit() {
    let database = postgres().await.database("filled_float").await;
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let session = connect(&database).await;
    // The first is rounded twice by servers that read it as a double: seen on Greenplum 6.24.
    let texts = ["7.038531e-26", "0.1", "-16777216", "3.4028235e38", "1e-45"];
    for (number, text) in texts.into_iter().enumerate() {
        let add = TargetChange::AddColumn {
            table: target("public", "t"),
            column: column(&format!("f{number}"), TargetType::Real, false),
            fill: Some(text.into()),
            rows: RowsOf::One,
        };
        ddl::change(&session, &add).await.unwrap();
        let bits = database.one(&format!("SELECT encode(float4send(f{number}), 'hex') FROM t")).await;
        assert_eq!(bits, format!("{:08x}", text.parse::<f32>().unwrap().to_bits()), "{text}");
    }
}

#[tokio::test]
async fn key_columns_take_other_types_and_names_and_rows_are_found_by_them() {
    let database = postgres().await.database("key_retyped").await;
    let session = connect(&database).await;
    let name = target("public", "t");
    let columns = vec![
        column("id", TargetType::Integer, false),
        column("region", TargetType::Varchar(Some(4)), false),
        column("v", TargetType::Text, true),
    ];
    for by in [None, Some("id"), Some("region")] {
        database.sql("DROP TABLE IF EXISTS t").await;
        let mut made = table(&name, columns.clone(), &["region", "id"]);
        made.distribution = by.map(|by| Distribution::By(vec![by.to_owned()]));
        ddl::create_table(&session, &made).await.unwrap();
        database.sql("INSERT INTO t SELECT i, 'r' || i % 7, i FROM generate_series(1, 1000) i").await;
        let change = async |change: TargetChange| {
            session.client().batch_execute("BEGIN").await.unwrap();
            ddl::change(&session, &change).await.unwrap();
            session.client().batch_execute("COMMIT").await.unwrap();
        };
        let retype = |name: &str, data_type| TargetChange::AlterColumn {
            table: target("public", "t"),
            column: column(name, data_type, false),
        };
        change(retype("id", TargetType::Bigint)).await;
        change(retype("region", TargetType::Text)).await;
        // A type whose values hash otherwise.
        change(retype("id", TargetType::Numeric(Some((20, 0))))).await;
        change(TargetChange::RenameColumn { table: name.clone(), from: "id".into(), to: "nr".into() }).await;
        let found = catalog::shape(&session, &name).await.unwrap().unwrap().table;
        assert_eq!(found.primary_key, ["region", "nr"]);
        if on_greenplum() {
            let wanted: &[&str] = match by {
                None => &["region", "nr"],
                Some("id") => &["nr"],
                Some(_) => &["region"],
            };
            let wanted = wanted.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(found.distribution, Some(Distribution::By(wanted)));
        }
        let one = "WHERE nr = 77 AND region = 'r0'";
        assert_eq!(database.one(&format!("SELECT v FROM t {one}")).await, "77");
        assert!(database.try_sql("INSERT INTO t VALUES (77, 'r0')").await.is_err(), "the key holds");
        assert_eq!(database.sql(&format!("DELETE FROM t {one} RETURNING v")).await.len(), 1);
    }
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
        rows: RowsOf::One,
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
    let (table, from, to) = (target("public", "gone"), "a".into(), "b".into());
    let rename = TargetChange::RenameColumn { table, from, to };
    let error = ddl::change(&session, &rename).await.unwrap_err();
    assert!(error.to_string().contains("public.gone"), "{error}");
}
