//! What the catalog tells, compared with what was made.

use super::{column, connect, endpoint, table, target};
use crate::harness::{on_greenplum, only_postgres, postgres};
use rowferry::testing::change::facts::{Limit, TargetKind};
use rowferry::testing::change::shape::Distribution;
use rowferry::testing::change::{TargetColumn, TargetType};
use rowferry::testing::sink::{Session, catalog, ddl, facts, room};

#[tokio::test]
async fn every_type_that_is_created_is_read_back() {
    use TargetType as T;
    let database = postgres().await.database("types_read_back").await;
    let session = connect(&database).await;
    let types = [
        T::Boolean,
        T::Smallint,
        T::Integer,
        T::Bigint,
        T::Numeric(None),
        T::Numeric(Some((65, 30))),
        T::Numeric(Some((20, 0))),
        T::Real,
        T::Double,
        T::Bit(1),
        T::Bit(64),
        T::Varchar(None),
        T::Varchar(Some(16_383)),
        T::Text,
        T::Bytea,
        T::Date,
        T::Timestamp(0),
        T::Timestamp(6),
        T::TimestampTz(3),
        T::Time(2),
        T::Interval(0),
        T::Interval(6),
        T::Json,
        T::Jsonb,
        T::RealArray,
        T::Uuid,
        T::Inet,
    ];
    let mut columns: Vec<TargetColumn> =
        vec![column("Key 2", T::Text, false), column("key1", T::Bigint, false)];
    columns.extend(types.into_iter().enumerate().map(|(n, t)| column(&format!("c{n}"), t, n % 2 == 0)));
    let name = target("Odd \"schema", "odd'table");
    let wanted = table(&name, columns, &["key1", "Key 2"]);
    ddl::create_schemas(&session, &[name.schema.clone(), "public".to_owned()].into()).await.unwrap();
    ddl::create_table(&session, &wanted).await.unwrap();
    let found = catalog::tables(&session, &[name.clone(), target("no", "such")], &[name.clone()].into())
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    let mut made = found[&name].table.clone();
    if on_greenplum() {
        let by = Distribution::By(vec!["key1".into(), "Key 2".into()]);
        assert_eq!(
            (made.distribution.take(), made.storage.take()),
            (Some(by), Some("appendonly=false".into()))
        );
    }
    assert_eq!(made, wanted);
    assert!(!found[&name].has_rows && found[&name].writable && found[&name].owned);
    assert!(found[&name].active.is_empty() && found[&name].unique_indexes.is_empty());
}

#[tokio::test]
async fn what_would_act_on_our_writes_is_named() {
    if only_postgres("generated columns and foreign keys that hold are not of 9.4 and Greenplum") {
        return;
    }
    let database = postgres().await.database("active_things").await;
    database
        .sql(
            "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1);
             CREATE TABLE child (id int PRIMARY KEY DEFERRABLE, parent int REFERENCES parent, other int UNIQUE,
               twice int GENERATED ALWAYS AS (other * 2) STORED, serial int GENERATED ALWAYS AS IDENTITY);
             CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER fires BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION nothing();
             CREATE TRIGGER sleeps BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION nothing();
             ALTER TABLE child DISABLE TRIGGER sleeps;
             CREATE RULE diverts AS ON DELETE TO child DO INSTEAD NOTHING;
             CREATE VIEW looks AS SELECT * FROM parent;
             CREATE TABLE stored (id int PRIMARY KEY) WITH (fillfactor = 90)",
        )
        .await;
    let session = connect(&database).await;
    let names = ["parent", "child", "looks", "stored"].map(|name| target("public", name));
    let found = catalog::tables(&session, &names, &names.iter().cloned().collect()).await.unwrap();
    let [parent, child, looks, stored] = names.map(|name| found[&name].clone());
    assert_eq!(parent.active, ["foreign key child_parent_fkey of public.child"]);
    assert!(parent.has_rows && !child.has_rows);
    assert_eq!(
        child.active,
        [
            "GENERATED ALWAYS identity of column serial",
            "deferrable primary key child_pkey",
            "foreign key child_parent_fkey",
            "generated column twice",
            "rule diverts",
            "trigger fires",
        ]
    );
    assert_eq!(child.unique_indexes, ["child_other_key"]);
    let statement = "ALTER TABLE public.child DROP CONSTRAINT child_other_key; \
                     CREATE INDEX child_other_key ON public.child USING btree (other)";
    assert_eq!(child.unique_statements, [statement]);
    assert_eq!(looks.active, ["it is a view"]);
    assert_eq!(stored.table.storage.as_deref(), Some("fillfactor=90"));
}

#[tokio::test]
async fn facts_tell_what_the_user_may_do() {
    let database = postgres().await.database("facts_of_user").await;
    database
        .sql(
            "DROP ROLE IF EXISTS facts_reader; CREATE ROLE facts_reader LOGIN CONNECTION LIMIT 7;
             CREATE SCHEMA open; CREATE SCHEMA shut; GRANT USAGE, CREATE ON SCHEMA open TO facts_reader;
             CREATE TABLE open.seen (id int PRIMARY KEY); GRANT SELECT ON open.seen TO facts_reader;
             CREATE TABLE open.full (id int PRIMARY KEY); GRANT ALL ON open.full TO facts_reader;
             CREATE TABLE shut.hidden (id int PRIMARY KEY); GRANT ALL ON shut.hidden TO facts_reader",
        )
        .await;
    let mut reader = endpoint(&database);
    reader.user = "facts_reader".into();
    let session = Session::connect(&reader, "suite").await.unwrap();
    let names = [target("open", "seen"), target("open", "full"), target("shut", "hidden")];
    let found = facts::facts(&reader, &session, "t", &names, &names.iter().cloned().collect()).await.unwrap();
    let (kind, version) =
        if on_greenplum() { (TargetKind::Greenplum, 90_400) } else { (TargetKind::PostgreSql, 120_000) };
    assert_eq!(found.kind, kind);
    assert!(found.version_number >= version && found.version.starts_with("PostgreSQL"));
    assert_eq!(found.encoding, "UTF8");
    assert!(!found.can_create_schema && found.on_conflict != on_greenplum() && found.session_stable);
    assert_eq!((found.schemas["open"], found.schemas["shut"]), (true, false));
    assert!(!found.schemas.contains_key("pg_catalog"));
    let [seen, full, hidden] = names.map(|name| found.tables[&name].clone());
    assert!(!seen.writable && !seen.owned && !seen.has_rows);
    assert!(full.writable && !full.owned);
    assert!(!hidden.writable && hidden.has_rows, "what may not be read is not believed empty");
    let all = facts::facts(
        &endpoint(&database),
        &super::connect(&database).await,
        "t",
        &[],
        &std::collections::BTreeSet::new(),
    )
    .await
    .unwrap();
    assert!(all.can_create_schema && all.tables.is_empty() && all.schemas["shut"]);
    // Its own session is another's for the task of that name.
    let role = Limit { name: "the connection limit of role facts_reader".into(), most: 7, used: 1 };
    assert!(found.connections.contains(&role), "{:?}", found.connections);
    assert!(found.connections[0].name == "max_connections of the server" && found.connections[0].most > 7);
    assert_eq!(all.connections.len(), 1, "superusers are not bounded by the role or the database");
    let texts = ["fillfactor=70", "fillfactor=5", "nonsense=1"];
    let refused = room::refused_storage(&session, texts.into_iter()).await.unwrap();
    assert_eq!(refused.keys().collect::<Vec<_>>(), ["fillfactor=5", "nonsense=1"]);
    assert!(refused["nonsense=1"].contains("nonsense"), "{refused:?}");
    drop(session);
    database.sql("DROP OWNED BY facts_reader; DROP ROLE facts_reader").await;
}

#[tokio::test]
async fn partitioned_tables_that_do_not_take_every_row_are_known() {
    let database = postgres().await.database("default_partitions").await;
    let session = connect(&database).await;
    let spread = |name: &str, by: &str, low: &str, rest: &str| {
        let table = format!("CREATE TABLE {name} (id int PRIMARY KEY, v int)");
        if on_greenplum() {
            let rest = if rest.is_empty() { "" } else { ", DEFAULT PARTITION rest" };
            format!("{table} DISTRIBUTED BY (id) PARTITION BY {by} (id) (PARTITION low {low}{rest});")
        } else {
            format!(
                "{table} PARTITION BY {by} (id); CREATE TABLE {name}_low PARTITION OF {name} FOR VALUES {low}; {rest}"
            )
        }
    };
    let (range, list) = if on_greenplum() {
        ("START (0) END (9)", "VALUES (1, 2)")
    } else {
        ("FROM (0) TO (9)", "IN (1, 2)")
    };
    database
        .sql(
            &[
                spread("ranges", "RANGE", range, ""),
                spread("lists", "LIST", list, ""),
                spread("all_ranges", "RANGE", range, "CREATE TABLE rest PARTITION OF all_ranges DEFAULT;"),
                "CREATE TABLE plain (id int PRIMARY KEY)".to_owned(),
            ]
            .concat(),
        )
        .await;
    let names = ["ranges", "lists", "all_ranges", "plain"].map(|name| target("public", name));
    let found = catalog::tables(&session, &names, &names.iter().cloned().collect()).await.unwrap();
    assert_eq!(names.map(|name| found[&name].without_default_partition), [true, true, false, false]);
}
