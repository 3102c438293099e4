//! What is durable beside the rows.

use super::{at, connect, endpoint, source, target};
use crate::harness::{PostgresDatabase, postgres};
use rowferry::testing::change::state::{CatchUpTarget, Checkpoint, ChunkRecord, TableState};
use rowferry::testing::schema::{Charset, Column, ColumnDefault, MySqlType, Table};
use rowferry::testing::sink::store::{self, Store};
use rowferry::testing::sink::{Owner, Session, SinkError, SinkErrorKind};
use serde_json::json;

/// An owner, its store and a session to work on.
async fn taken(database: &PostgresDatabase<'_>) -> (Owner, Store, Session) {
    let owner = Owner::take(&endpoint(database), "shop").await.unwrap();
    let session = connect(database).await;
    owner.register(&session, "apply").await.unwrap();
    let store = owner.store();
    (owner, store, session)
}

async fn commit(session: &Session) {
    session.client().batch_execute("COMMIT").await.unwrap();
}

async fn begin(session: &Session) {
    session.client().batch_execute("BEGIN").await.unwrap();
}

fn moved<T: std::fmt::Debug>(result: Result<T, SinkError>) -> String {
    match result {
        Err(SinkError { kind: SinkErrorKind::CheckpointMoved { why, .. }, .. }) => why,
        other => panic!("not a moved checkpoint: {other:?}"),
    }
}

fn definition(name: &str, columns: usize) -> Table {
    let column = |n| Column {
        name: format!("c{n}"),
        data_type: MySqlType::BigInt { unsigned: true },
        nullable: false,
        default: ColumnDefault::None,
        generated: false,
        generation: None,
        auto_increment: n == 0,
        limits: rowferry::testing::schema::Limits::default(),
    };
    Table {
        name: source(name),
        columns: (0..columns).map(column).collect(),
        primary_key: vec![0],
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        hidden: rowferry::testing::schema::HiddenColumns::default(),
        charset: Charset { name: "utf8mb4".into(), collation: "utf8mb4_bin".into() },
    }
}

#[tokio::test]
async fn peeking_writes_nothing() {
    let database = postgres().await.database("peek").await;
    let session = connect(&database).await;
    let objects = "SELECT count(*) FROM pg_class";
    let before = database.one(objects).await;
    assert_eq!(store::peek(&session, "shop").await.unwrap(), None);
    assert_eq!(database.one(objects).await, before);
    assert_eq!(database.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'rowferry'").await, "0");
    let (_owner, store, worker) = taken(&database).await;
    assert_eq!(store::peek(&session, "other").await.unwrap(), None);
    store.start(&worker, &at(4)).await.unwrap();
    // The server itself refuses any write from here on.
    let reader = connect(&database).await;
    reader.client().batch_execute("SET default_transaction_read_only = on").await.unwrap();
    let seen = store::peek(&reader, "shop").await.unwrap().unwrap();
    assert_eq!(seen.checkpoint.map(|checkpoint| checkpoint.position), Some(at(4)));
}

#[tokio::test]
async fn everything_recorded_is_read_back_latest_first() {
    let database = postgres().await.database("read_back").await;
    let (_owner, store, session) = taken(&database).await;
    assert_eq!(store.load(&session).await.unwrap(), store::Stored::default());
    let (orders, feeds) = (source("Orders"), target("dw", "orders"));
    let state = |session, state, mapping| {
        let (store, orders, feeds) = (store.clone(), orders.clone(), feeds.clone());
        async move { store.record_table(session, &orders, &feeds, &state, &mapping).await.unwrap() }
    };
    begin(&session).await;
    let first = store.start(&session, &at(100)).await.unwrap();
    state(&session, TableState::Pending, json!({"v": 1})).await;
    store.record_schema(&session, &definition("Orders", 2), &at(100)).await.unwrap();
    commit(&session).await;
    let chunks = [
        ChunkRecord { number: 0, after: None, upto: Some(vec!["5".into(), "'it''s'".into()]), rows: 5 },
        ChunkRecord { number: 1, after: Some(vec!["5".into(), "'it''s'".into()]), upto: None, rows: 0 },
    ];
    for chunk in &chunks {
        store.record_chunk(&session, &orders, chunk).await.unwrap();
    }
    begin(&session).await;
    let second = store.advance(&session, &first, &at(200)).await.unwrap();
    store.record_schema(&session, &definition("Orders", 3), &at(200)).await.unwrap();
    let p1 = CatchUpTarget { server: at(300).server, file: at(300).file };
    state(&session, TableState::CatchingUp { p0: super::at(4), p1: p1.clone() }, json!({"v": 2})).await;
    commit(&session).await;
    assert_eq!((second.epoch, second.sequence), (1, 2));

    let stored = store.load(&session).await.unwrap();
    assert_eq!(stored.checkpoint, Some(second));
    assert!(stored.committed_at.is_some());
    let table = &stored.tables[&orders];
    assert_eq!((&table.state, &table.target), (&TableState::CatchingUp { p0: super::at(4), p1 }, &feeds));
    assert_eq!(table.mapping, json!({"v": 2}));
    assert_eq!(table.chunks, chunks);
    let versions: Vec<_> =
        table.schemas.iter().map(|s| (s.version, s.sequence, s.table.columns.len(), &s.valid_from)).collect();
    assert_eq!(versions, [(1, 1, 2, &at(100)), (2, 2, 3, &at(200))]);

    store.reset_table(&session, &orders, &feeds, &TableState::Pending, &json!(null)).await.unwrap();
    let table = store.load(&session).await.unwrap().tables.remove(&orders).unwrap();
    assert_eq!((table.state, table.chunks.len(), table.schemas.len()), (TableState::Pending, 0, 0));
    store.forget_table(&session, &orders).await.unwrap();
    assert!(store.load(&session).await.unwrap().tables.is_empty());
}

#[tokio::test]
async fn a_checkpoint_is_durable_with_its_rows_or_not_at_all() {
    let database = postgres().await.database("with_rows").await;
    database.sql("CREATE TABLE t (id int PRIMARY KEY)").await;
    let (_owner, store, session) = taken(&database).await;
    let head = store.start(&session, &at(4)).await.unwrap();
    begin(&session).await;
    session.client().batch_execute("INSERT INTO public.t VALUES (1)").await.unwrap();
    store.advance(&session, &head, &at(5)).await.unwrap();
    drop(session);
    let session = connect(&database).await;
    assert_eq!(store.load(&session).await.unwrap().checkpoint, Some(head.clone()));
    assert_eq!(database.one("SELECT count(*) FROM t").await, "0");
    let next = store.advance(&session, &head, &at(5)).await.unwrap();
    assert_eq!(store.load(&session).await.unwrap().checkpoint, Some(next));
}

#[tokio::test]
async fn only_the_next_checkpoint_of_the_head_is_taken() {
    let database = postgres().await.database("only_next").await;
    let (_owner, store, session) = taken(&database).await;
    let first = store.start(&session, &at(4)).await.unwrap();
    moved(store.start(&session, &at(4)).await);
    let second = store.advance(&session, &first, &at(5)).await.unwrap();
    let why = moved(store.advance(&session, &first, &at(6)).await);
    assert!(why.contains("exists already") || why.contains("sequence 2"), "{why}");
    let ahead = Checkpoint { sequence: 7, ..second.clone() };
    let why = moved(store.advance(&session, &ahead, &at(6)).await);
    assert!(why.contains("expected epoch 1 sequence 7") && why.contains("sequence 2"), "{why}");
    let foreign = Checkpoint { epoch: 9, ..second.clone() };
    moved(store.advance(&session, &foreign, &at(6)).await);
    assert_eq!(store.load(&session).await.unwrap().checkpoint, Some(second));
}

#[tokio::test]
async fn a_store_restored_to_an_earlier_checkpoint_is_noticed() {
    let database = postgres().await.database("restored").await;
    let (owner, store, session) = taken(&database).await;
    let mut head = store.start(&session, &at(4)).await.unwrap();
    for offset in 5..9 {
        head = store.advance(&session, &head, &at(offset)).await.unwrap();
    }
    // As after the promotion of a standby that had not received the last commits.
    database.sql("DELETE FROM rowferry.shop_position WHERE sequence > 3").await;
    moved(store.advance(&session, &head, &at(9)).await);
    drop(owner);
    let reloaded = store.load(&session).await.unwrap().checkpoint.unwrap();
    assert_eq!((reloaded.sequence, reloaded.position.clone()), (3, at(6)));
    store.advance(&session, &reloaded, &at(7)).await.unwrap();
}

#[tokio::test]
async fn pruning_keeps_the_head_and_the_latest_states() {
    let database = postgres().await.database("pruning").await;
    let (_owner, store, session) = taken(&database).await;
    begin(&session).await;
    let mut head = store.start(&session, &at(4)).await.unwrap();
    for offset in 5..=254 {
        head = store.advance(&session, &head, &at(offset)).await.unwrap();
    }
    for n in 0..50 {
        for name in ["a", "b"] {
            let (source, feeds) = (source(name), target("dw", name));
            store.record_table(&session, &source, &feeds, &TableState::Streaming, &json!(n)).await.unwrap();
        }
    }
    commit(&session).await;
    store.prune(&session, &head).await.unwrap();
    store.vacuum(&session).await.unwrap();
    let stored = store.load(&session).await.unwrap();
    assert_eq!(stored.checkpoint.as_ref(), Some(&head));
    assert_eq!(
        stored.tables.values().map(|table| &table.mapping).collect::<Vec<_>>(),
        [&json!(49), &json!(49)]
    );
    assert_eq!(database.one("SELECT count(*) FROM rowferry.shop_position").await, "101");
    assert_eq!(database.one("SELECT count(*) FROM rowferry.shop_tables").await, "42");
    store.advance(&session, &head, &at(300)).await.unwrap();
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_alone() {
    let database = postgres().await.database("newer_format").await;
    drop(Owner::take(&endpoint(&database), "shop").await.unwrap());
    database.sql("UPDATE rowferry.meta SET format = 99").await;
    for error in [
        Owner::take(&endpoint(&database), "other").await.map(|_| ()).unwrap_err(),
        store::peek(&connect(&database).await, "shop").await.map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(&error.kind, SinkErrorKind::State { why, .. } if why.contains("99")), "{error}");
    }
}

#[tokio::test]
async fn tasks_that_start_at_once_make_the_schema_together() {
    let database = postgres().await.database("at_once").await;
    let to = endpoint(&database);
    let owners =
        futures_util::future::join_all(["a", "b", "c", "d"].map(|task| Owner::take(&to, task))).await;
    for owner in &owners {
        assert_eq!(owner.as_ref().unwrap().store().epoch(), 1);
    }
    assert_eq!(database.one("SELECT count(*) FROM rowferry.meta").await, "1");
    let session = connect(&database).await;
    store::remove(&session, "a").await.unwrap();
    store::remove(&session, "a").await.unwrap();
    assert_eq!(store::peek(&session, "a").await.unwrap(), None);
    assert!(store::peek(&session, "b").await.unwrap().is_some());
}
