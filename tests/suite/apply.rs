//! Batches written by every strategy leave what applying them one operation after the other would leave, and drift is
//! counted to the row.

mod chunks;
pub mod fixture;

use crate::harness::{PostgresDatabase, on_greenplum, only_postgres, postgres};
use fixture::{Log, Model, Shape, compacted, layout, random_log};
use rowferry::testing::change::RowOp::{Arrive, Delete, Insert, Update};
use rowferry::testing::change::{EncodedRows, RowLayout, TargetType};
use rowferry::testing::sink::{
    Applier, ApplyError, Drift, Existing, Mode, Outcome, Session, SinkError, Strategy, Way,
};
use std::sync::Arc;

/// Those that the target understands.
fn strategies() -> &'static [Strategy] {
    const ALL: [Strategy; 3] = [Strategy::UpdateInsert, Strategy::DeleteCopy, Strategy::Upsert];
    if on_greenplum() { &ALL[..2] } else { &ALL }
}

/// Those that it can make.
fn shapes() -> &'static [Shape] {
    const ALL: [Shape; 4] = [Shape::OneKey, Shape::TwoKeys, Shape::OnlyKeys, Shape::Partitioned];
    if on_greenplum() { &ALL[..3] } else { &ALL }
}

/// One session with an applier, and what to redo a batch with.
struct Writer<'a> {
    database: &'a PostgresDatabase<'a>,
    session: Session,
    applier: Applier,
    strategy: Strategy,
}

impl<'a> Writer<'a> {
    async fn new(database: &'a PostgresDatabase<'a>, strategy: Strategy) -> Self {
        let (session, applier) = Applier::connect(&database.endpoint(), "suite", &[]).await.unwrap();
        let applier = applier.with_strategy(strategy);
        Self { database, session, applier, strategy }
    }

    async fn begin(&self) {
        self.session.client().batch_execute("BEGIN").await.unwrap();
    }

    async fn chunk(
        &mut self,
        layout: &Arc<RowLayout>,
        runs: &[EncodedRows],
        existing: Existing,
    ) -> Result<u64, SinkError> {
        let mut chunk = self.applier.chunk(&self.session, layout, existing);
        for run in runs {
            chunk.write(run).await?;
        }
        chunk.finish().await
    }

    async fn commit(&self) {
        self.session.client().batch_execute("COMMIT").await.unwrap();
    }

    /// A transaction with one batch; redone by the general way on a new session after a conflict, as a task does.
    async fn write(&mut self, layout: &Arc<RowLayout>, log: &Log, mode: Mode) -> (Outcome, Way) {
        let changes = compacted(layout, log);
        let client = self.session.client();
        let (begun, applied) = tokio::join!(
            client.batch_execute("BEGIN"),
            self.applier.apply(&self.session, &changes, |_| mode, Way::Direct),
        );
        begun.unwrap();
        match applied {
            Ok(outcome) => {
                self.commit().await;
                (outcome, Way::Direct)
            }
            Err(ApplyError::Conflict { table, .. }) => {
                assert_eq!(table, layout.target);
                *self = Self::new(self.database, self.strategy).await;
                self.begin().await;
                let outcome =
                    self.applier.apply(&self.session, &changes, |_| mode, Way::General).await.unwrap();
                self.commit().await;
                (outcome, Way::General)
            }
            Err(ApplyError::Sink(error)) => panic!("{error}"),
        }
    }

    async fn piece(&mut self, layout: &Arc<RowLayout>, log: &Log) -> Drift {
        let changes = compacted(layout, log);
        let outcome =
            self.applier.apply(&self.session, &changes, |_| Mode::Exact, Way::Direct).await.unwrap();
        outcome.tables.into_iter().next().unwrap().drift
    }
}

fn drift(outcome: &Outcome) -> Drift {
    outcome.tables.first().map(|table| table.drift.clone()).unwrap_or_default()
}

/// Batches of random operations, half of which do not fit what is there.
async fn random_batches(database: &PostgresDatabase<'_>, strategy: Strategy, mode: Mode, size: usize) {
    for (number, &shape) in shapes().iter().enumerate() {
        let name = format!("r_{strategy:?}_{mode:?}_{size}_{number}").to_lowercase();
        database.sql(&shape.create(&name)).await;
        let layout = layout(&name, shape);
        let mut writer = Writer::new(database, strategy).await;
        let mut model = Model::default();
        for round in 0..4_u64 {
            let consistent = round % 2 == 0;
            let log = random_log(round * 7 + 1, size, shape, &model, consistent);
            let expected = model.drift(&log);
            let (outcome, _) = writer.write(&layout, &log, mode).await;
            model.apply(&log);
            assert_eq!(model, Model::read(database, &name, shape).await, "{name}, round {round}");
            let found = drift(&outcome);
            let want = if mode == Mode::Exact { expected } else { (0, 0) };
            assert_eq!((found.missing, found.existing), want, "{name}, round {round}");
            assert_eq!(found.example.is_some(), !found.is_none(), "{name}, round {round}");
            assert!(!consistent || found.is_none());
        }
    }
}

#[tokio::test]
async fn small_batches_are_the_same_as_their_operations_one_by_one() {
    let database = postgres().await.database("apply_small").await;
    for &strategy in strategies() {
        for mode in [Mode::Exact, Mode::Convergent] {
            random_batches(&database, strategy, mode, 40).await;
        }
    }
}

#[tokio::test]
async fn big_batches_are_the_same_as_their_operations_one_by_one() {
    let database = postgres().await.database("apply_big").await;
    for &strategy in strategies() {
        for mode in [Mode::Exact, Mode::Convergent] {
            random_batches(&database, strategy, mode, 3000).await;
        }
    }
}

#[tokio::test]
async fn swaps_and_chains_of_keys_leave_each_row_under_its_new_key() {
    let database = postgres().await.database("apply_swaps").await;
    for &strategy in strategies() {
        for (number, &shape) in shapes().iter().enumerate() {
            let name = format!("s_{strategy:?}_{number}").to_lowercase();
            database.sql(&shape.create(&name)).await;
            let layout = layout(&name, shape);
            let mut writer = Writer::new(&database, strategy).await;
            let mut model = Model::default();
            let start: Log = (1..=5).map(|key| (Insert, key, key)).collect();
            // 1 ↔ 2 by way of 9, then 4 → 6 and 3 → 4, then 5 away and back.
            let moves: Log = vec![
                (Delete, 1, 0),
                (Arrive, 9, 1),
                (Delete, 2, 0),
                (Arrive, 1, 2),
                (Delete, 9, 0),
                (Arrive, 2, 1),
                (Delete, 4, 0),
                (Arrive, 6, 4),
                (Delete, 3, 0),
                (Arrive, 4, 3),
                (Delete, 5, 0),
                (Arrive, 8, 5),
                (Delete, 8, 0),
                (Arrive, 5, 55),
            ];
            for mut log in [start, moves] {
                if shape == Shape::OnlyKeys {
                    for operation in &mut log {
                        operation.2 = 0;
                    }
                }
                let (outcome, _) = writer.write(&layout, &log, Mode::Exact).await;
                assert_eq!(drift(&outcome), Drift::default());
                model.apply(&log);
                assert_eq!(model, Model::read(&database, &name, shape).await);
            }
        }
    }
}

#[tokio::test]
async fn many_new_rows_of_which_one_exists_are_redone_by_the_general_way_and_named() {
    let database = postgres().await.database("apply_conflict").await;
    for &strategy in strategies() {
        let name = format!("c_{strategy:?}").to_lowercase();
        database.sql(&Shape::TwoKeys.create(&name)).await;
        let layout = layout(&name, Shape::TwoKeys);
        let mut writer = Writer::new(&database, strategy).await;
        writer.write(&layout, &vec![(Insert, 500, 1)], Mode::Exact).await;
        let log: Log = (0..3000).map(|key| (Insert, key, key + 1)).collect();
        let (outcome, way) = writer.write(&layout, &log, Mode::Exact).await;
        assert_eq!(way, Way::General);
        let example = Some("existing region=r'500, id=500".to_owned());
        assert_eq!(drift(&outcome), Drift { missing: 0, existing: 1, example });
        let mut model = Model::default();
        model.apply(&log);
        assert_eq!(model, Model::read(&database, &name, Shape::TwoKeys).await);
    }
}

#[tokio::test]
async fn keys_that_are_missing_or_too_many_are_counted_with_an_example() {
    let database = postgres().await.database("apply_drift").await;
    for &strategy in strategies() {
        let name = format!("d_{strategy:?}").to_lowercase();
        database.sql(&Shape::OneKey.create(&name)).await;
        let layout = layout(&name, Shape::OneKey);
        let mut writer = Writer::new(&database, strategy).await;
        let ten = (0..10).map(|key| (Insert, key, key)).collect();
        writer.write(&layout, &ten, Mode::Exact).await;
        for (log, missing, existing, example) in [
            (vec![(Delete, 3, 0), (Delete, 70, 0), (Delete, 4, 0)], 1, 0, "missing id=70"),
            (vec![(Update, 1, 2), (Update, 71, 2)], 1, 0, "missing id=71"),
            (vec![(Insert, 5, 9), (Insert, 6, 9), (Delete, 6, 0)], 0, 2, "existing id="),
            (vec![(Insert, 80, 9), (Delete, 80, 0)], 0, 0, ""),
        ] {
            // DeleteCopy finds an existing row by the failing COPY alone.
            let (outcome, _) = writer.write(&layout, &log, Mode::Exact).await;
            let found = drift(&outcome);
            assert_eq!((found.missing, found.existing), (missing, existing), "{strategy:?} {log:?}");
            assert!(found.example.unwrap_or_default().starts_with(example), "{strategy:?} {log:?}");
        }
    }
}

#[tokio::test]
async fn the_pieces_of_a_transaction_follow_one_another_in_one_target_transaction() {
    let database = postgres().await.database("apply_pieces").await;
    for &strategy in strategies() {
        let name = format!("p_{strategy:?}").to_lowercase();
        database.sql(&Shape::OneKey.create(&name)).await;
        let layout = layout(&name, Shape::OneKey);
        let mut writer = Writer::new(&database, strategy).await;
        let mut model = Model::default();
        let pieces: [Log; 4] = [
            (0..5000).map(|key| (Insert, key, key)).collect(),
            // Rows of the piece before, through staging.
            (0..4000).map(|key| (Update, key, key + 1)).collect(),
            // Would be overwritten if the piece before were merged again.
            (2000..4500).map(|key| (Update, key, key + 2)).collect(),
            vec![(Update, 3, 33), (Delete, 2100, 0), (Insert, 9000, 1), (Delete, 4999, 0)],
        ];
        writer.begin().await;
        for log in &pieces {
            assert_eq!(writer.piece(&layout, log).await, Drift::default(), "{strategy:?}");
            model.apply(log);
        }
        assert!(Model::read(&database, &name, Shape::OneKey).await.is_empty());
        writer.commit().await;
        assert_eq!(model, Model::read(&database, &name, Shape::OneKey).await);
    }
}

#[tokio::test]
async fn staging_that_went_with_a_rollback_is_made_again() {
    let database = postgres().await.database("apply_rollback").await;
    database.sql(&Shape::OneKey.create("t")).await;
    let layout = layout("t", Shape::OneKey);
    let mut writer = Writer::new(&database, strategies()[0]).await;
    let log: Log = (0..3000).map(|key| (Update, key, key)).collect();
    writer.begin().await;
    assert_eq!(writer.piece(&layout, &log).await.missing, 3000);
    writer.session.client().batch_execute("ROLLBACK").await.unwrap();
    for missing in [3000, 0] {
        writer.begin().await;
        assert_eq!(writer.piece(&layout, &log).await.missing, missing);
        writer.commit().await;
    }
}

#[tokio::test]
async fn a_table_that_grew_since_its_statements_were_prepared_is_never_scanned() {
    if only_postgres("the segments keep these counters; see greenplum::plans") {
        return;
    }
    let database = postgres().await.database("apply_scans").await;
    for (shape, strategy) in
        shapes()[..3].iter().flat_map(|&shape| strategies().iter().map(move |&strategy| (shape, strategy)))
    {
        database.sql(&format!("DROP TABLE IF EXISTS t; {}", shape.create("t"))).await;
        let layout = layout("t", shape);
        let mut writer = Writer::new(&database, strategy).await;
        // Everything is prepared while the table is empty and unknown to the planner.
        for mode in [Mode::Exact, Mode::Convergent] {
            writer.write(&layout, &vec![(Insert, 1, 1), (Update, 2, 1), (Delete, 3, 0)], mode).await;
        }
        let fill: Log = (10..60_000).map(|key| (Insert, key, key)).collect();
        writer.write(&layout, &fill, Mode::Exact).await;
        for mode in [Mode::Exact, Mode::Convergent] {
            for size in [10, 10_000] {
                let log = random_log(size, usize::try_from(size).unwrap(), shape, &Model::default(), false);
                let changes = compacted(&layout, &log);
                writer.begin().await;
                writer.applier.apply(&writer.session, &changes, |_| mode, Way::General).await.unwrap();
                let scans = "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 't'";
                let row = writer.session.client().query_one(scans, &[]).await.unwrap();
                assert_eq!(row.get::<_, i64>(0), 0, "{shape:?} {strategy:?} {mode:?} {size}");
                assert!(strategy == Strategy::Upsert || row.get::<_, i64>(1) > 0);
                writer.session.client().batch_execute("ROLLBACK").await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_new_layout_after_an_alter_goes_on_in_the_same_session() {
    let database = postgres().await.database("apply_alter").await;
    database.sql("CREATE TABLE public.t (id integer PRIMARY KEY, v text)").await;
    let narrow = fixture::two_columns("t", TargetType::Integer, "v", TargetType::Text);
    let wide = fixture::two_columns("t", TargetType::Bigint, "w", TargetType::Text);
    let mut writer = Writer::new(&database, strategies()[0]).await;
    let row = |key: &[u8], value: &str| [fixture::field(key), fixture::field(value.as_bytes())].concat();
    let mut changes = Vec::new();
    for (layout, key) in [(&narrow, &1_i32.to_be_bytes()[..]), (&wide, &1_i64.to_be_bytes())] {
        let mut run = EncodedRows::new(Arc::clone(layout));
        fixture::push(&mut run, Update, &row(key, "x"), key.len() + 4);
        changes.push(fixture::finish(run));
    }
    for (number, changes) in changes.iter().enumerate() {
        if number == 1 {
            for alter in [
                "DROP CONSTRAINT t_pkey",
                "ALTER COLUMN id TYPE bigint",
                "ADD COLUMN w text, ADD PRIMARY KEY (id)",
            ] {
                let alter = format!("ALTER TABLE public.t {alter}");
                writer.session.client().batch_execute(&alter).await.unwrap();
            }
        }
        writer.begin().await;
        let mode = |_: &RowLayout| Mode::Exact;
        let outcome = writer.applier.apply(&writer.session, changes, mode, Way::Direct).await.unwrap();
        assert_eq!(drift(&outcome).missing, u64::from(number == 0));
        writer.commit().await;
    }
    let rows = database.sql("SELECT id, v, w FROM public.t").await;
    assert_eq!(rows, [[Some("1".to_owned()), Some("x".to_owned()), Some("x".to_owned())]]);
}

#[tokio::test]
async fn values_of_every_type_go_through_every_way_unchanged() {
    let database = postgres().await.database("apply_types").await;
    database.sql(fixture::EVERY_TYPE).await;
    for arrays in [true, false] {
        let (columns, layout) = fixture::every_type("target", arrays);
        let rows = fixture::rows_of_server(&database, &columns, &layout).await;
        let count = rows.spans.len();
        assert_eq!(count, 4);
        for &strategy in strategies() {
            for (mode, op) in [(Mode::Exact, Insert), (Mode::Exact, Update), (Mode::Convergent, Insert)] {
                let mut run = rows.clone();
                for span in &mut run.spans {
                    span.op = op;
                }
                let changes = fixture::finish(run);
                let mut writer = Writer::new(&database, strategy).await;
                if op == Insert {
                    database.sql("TRUNCATE public.target").await;
                }
                writer.begin().await;
                let applied = writer.applier.apply(&writer.session, &changes, |_| mode, Way::General).await;
                assert_eq!(drift(&applied.unwrap()), Drift::default());
                writer.commit().await;
                let same = format!(
                    "SELECT count(*) FROM (SELECT {columns} FROM public.source INTERSECT SELECT {columns} FROM public.target) x"
                );
                assert_eq!(database.one(&same).await, count.to_string(), "{arrays} {strategy:?} {mode:?}");
            }
            // Every one of these types is found again as a key.
            let mut run = rows.clone();
            for span in &mut run.spans {
                span.op = Delete;
                span.row = 0..0;
            }
            let mut writer = Writer::new(&database, strategy).await;
            writer.begin().await;
            let changes = fixture::finish(run);
            let mode = |_: &RowLayout| Mode::Exact;
            let outcome = writer.applier.apply(&writer.session, &changes, mode, Way::Direct).await.unwrap();
            assert_eq!(drift(&outcome), Drift::default());
            writer.commit().await;
            assert_eq!(database.one("SELECT count(*) FROM public.target").await, "0");
        }
    }
}

#[tokio::test]
async fn columns_of_others_keep_their_values_whenever_they_come() {
    let database = postgres().await.database("apply_others").await;
    for &strategy in strategies() {
        for (number, &shape) in shapes().iter().enumerate() {
            for mode in [Mode::Exact, Mode::Convergent] {
                let name = format!("o_{strategy:?}_{number}_{mode:?}").to_lowercase();
                database.sql(&shape.create(&name)).await;
                let layout = layout(&name, shape);
                let value = |value: i64| if shape == Shape::OnlyKeys { 0 } else { value };
                let log = |n: i64| -> Log { (0..40).map(|key| (Update, key, value(n))).collect() };
                let mut writer = Writer::new(&database, strategy).await;
                let first: Log = (0..40).map(|key| (Insert, key, value(1))).collect();
                writer.write(&layout, &first, mode).await;
                writer.write(&layout, &log(2), mode).await;
                // While the session knows the table without it.
                database
                    .sql(&format!("ALTER TABLE {name} ADD COLUMN mine text; UPDATE {name} SET mine = 'x'"))
                    .await;
                let mut lost = false;
                for n in [3, 4] {
                    let changes = compacted(&layout, &log(n));
                    writer.begin().await;
                    let applied =
                        writer.applier.apply(&writer.session, &changes, |_| mode, Way::Direct).await;
                    match applied {
                        Ok(outcome) => {
                            assert_eq!(drift(&outcome), Drift::default());
                            writer.commit().await;
                        }
                        Err(error) => {
                            assert!(error.to_string().contains("not ours"), "{error}");
                            assert!(!lost, "once per session at most");
                            lost = true;
                            writer = Writer::new(&database, strategy).await;
                            writer.write(&layout, &log(n), mode).await;
                        }
                    }
                }
                let mut model = Model::default();
                model.apply(&log(4));
                assert_eq!(model, Model::read(&database, &name, shape).await, "{name}");
                let kept = format!("SELECT count(*) FROM {name} WHERE mine = 'x'");
                assert_eq!(database.one(&kept).await, "40", "{name}");
            }
        }
    }
}
