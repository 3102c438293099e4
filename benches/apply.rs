//! Batches of updates applied to a real server, by every strategy it understands: `cargo bench --bench apply`.
//!
//! `ROWFERRY_BENCH_TARGET` is the DSN of a PostgreSQL or Greenplum whose user may create tables in schema public.
//! `ROWFERRY_BENCH_ROWS` (500000) rows are in the table, `ROWFERRY_BENCH_BATCH` (10000) of them are changed per transaction.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::as_conversions, clippy::cast_precision_loss)]

use rowferry::testing::change::RowOp::{Insert, Update};
use rowferry::testing::change::{
    EncodedRows, RowLayout, RowOp, RowSpan, TargetColumn, TargetName, TargetType,
};
use rowferry::testing::config::types::{TargetEndpoint, TargetTlsMode, TlsFiles};
use rowferry::testing::sink::{Applier, Compacted, Compactor, Existing, Mode, Session, Strategy, Way};
use std::sync::Arc;
use std::time::Instant;

/// Transactions measured per strategy; the first one prepares and is left out.
const ROUNDS: i64 = 12;

fn number(name: &str, default: i64) -> i64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn endpoint(dsn: &str) -> TargetEndpoint {
    let config: tokio_postgres::Config = dsn.parse().expect("a DSN");
    let tokio_postgres::config::Host::Tcp(host) = config.get_hosts().first().expect("a host") else {
        panic!("not over TCP")
    };
    TargetEndpoint {
        name: "bench".into(),
        host: host.clone(),
        port: config.get_ports().first().copied().unwrap_or(5432),
        user: config.get_user().expect("a user").into(),
        database: config.get_dbname().expect("a database").into(),
        password: String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned().into(),
        tls: TargetTlsMode::Prefer,
        tls_files: TlsFiles::default(),
        kind: None,
    }
}

fn layout(key: &[usize]) -> Arc<RowLayout> {
    use TargetType as T;
    let columns = [
        ("region", T::Varchar(Some(20))),
        ("id", T::Bigint),
        ("customer", T::Integer),
        ("status", T::Varchar(Some(20))),
        ("amount", T::Double),
        ("created", T::Timestamp(6)),
        ("updated", T::Timestamp(6)),
        ("note", T::Text),
        ("a", T::Integer),
        ("b", T::Integer),
        ("c", T::Double),
        ("d", T::Text),
    ];
    let column =
        |(name, data_type): (&str, T)| TargetColumn { name: name.into(), data_type, nullable: false };
    let target = TargetName { schema: "public".into(), table: "rowferry_bench".into() };
    Arc::new(RowLayout { target, columns: columns.map(column).into(), key: key.to_vec() })
}

fn rows(layout: &Arc<RowLayout>, op: RowOp, keys: impl Iterator<Item = i64>, version: i64) -> EncodedRows {
    let mut run = EncodedRows::new(Arc::clone(layout));
    for id in keys {
        let (region, note) = (format!("region {}", id % 7), format!("note {version} {}", "x".repeat(90)));
        let (whole, half) = (id.to_be_bytes(), i32::try_from(id % 1000).unwrap().to_be_bytes());
        let fields: [&[u8]; 12] = [
            region.as_bytes(),
            &whole,
            &half,
            b"shipped",
            &whole,
            &version.to_be_bytes(),
            &version.to_be_bytes(),
            note.as_bytes(),
            &half,
            &half,
            &version.to_be_bytes(),
            b"a text of some thirty characters",
        ];
        let put = |buffer: &mut Vec<u8>, index: usize| {
            buffer.extend_from_slice(&i32::try_from(fields[index].len()).unwrap().to_be_bytes());
            buffer.extend_from_slice(fields[index]);
        };
        let mut buffer = Vec::with_capacity(400);
        layout.key.iter().for_each(|&index| put(&mut buffer, index));
        let key = buffer.len();
        buffer.extend_from_slice(&12_i16.to_be_bytes());
        (0..fields.len()).for_each(|index| put(&mut buffer, index));
        let start = run.buffer.len();
        run.buffer.extend_from_slice(&buffer);
        run.spans.push(RowSpan { op, key: start..start + key, row: start + key..run.buffer.len() });
    }
    run
}

fn compacted(mut run: EncodedRows) -> Compacted {
    let mut compactor = Compactor::new();
    compactor.push(&mut run);
    compactor.finish()
}

async fn sql(session: &Session, statement: &str) {
    session.client().batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
}

async fn measure(session: &Session, strategy: Strategy, layout: &Arc<RowLayout>, total: i64, batch: i64) {
    let mut applier = Applier::new(session).with_strategy(strategy);
    let mut millis = Vec::new();
    for round in 0..=ROUNDS {
        // Keys spread over the whole table, others in every round.
        let keys = (0..batch).map(|n| (n * (total / batch) + round * 7919) % total);
        let changes = compacted(rows(layout, Update, keys, round));
        let start = Instant::now();
        sql(session, "BEGIN").await;
        let outcome = applier.apply(session, &changes, |_| Mode::Exact, Way::Direct).await.unwrap();
        sql(session, "COMMIT").await;
        assert!(outcome.tables.iter().all(|table| table.drift.is_none()));
        if round > 0 {
            millis.push(start.elapsed().as_secs_f64() * 1000.0);
        }
    }
    millis.sort_by(f64::total_cmp);
    let (best, median) = (millis[0], millis[millis.len() / 2]);
    let rate = batch as f64 / median;
    println!("  {strategy:?}: {rate:.1} k rows/s (median {median:.0} ms, best {best:.0} ms)");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Ok(dsn) = std::env::var("ROWFERRY_BENCH_TARGET") else {
        println!("ROWFERRY_BENCH_TARGET is not set: nothing to measure");
        return;
    };
    let (total, batch) = (number("ROWFERRY_BENCH_ROWS", 500_000), number("ROWFERRY_BENCH_BATCH", 10_000));
    let to = endpoint(&dsn);
    let (session, _) = Applier::connect(&to, "bench", &[]).await.unwrap();
    let distributed = session.dialect().distributed;
    println!("{}", session.dialect().version);
    println!("{batch} updates per transaction, {total} rows of 12 columns");
    let shapes: [(&str, &str, &[usize]); 3] = [
        ("key id", " DISTRIBUTED BY (id)", &[1]),
        ("key (region, id), distributed by id", " DISTRIBUTED BY (id)", &[0, 1]),
        ("key (region, id), distributed by it", " DISTRIBUTED BY (region, id)", &[0, 1]),
    ];
    let count = if distributed { 3 } else { 2 };
    for (words, spread, key) in shapes.into_iter().take(count) {
        println!("{words}");
        let layout = layout(key);
        let columns: Vec<String> = layout
            .columns
            .iter()
            .map(|column| format!("{} {} NOT NULL", column.name, column.data_type))
            .collect();
        let names: Vec<&str> = key.iter().map(|&index| layout.columns[index].name.as_str()).collect();
        let strategies = [Strategy::DeleteCopy, Strategy::UpdateInsert, Strategy::Upsert];
        let known = if session.dialect().on_conflict { 3 } else { 2 };
        for strategy in strategies.into_iter().take(known) {
            sql(&session, "DROP TABLE IF EXISTS public.rowferry_bench").await;
            let spread = if distributed { spread } else { "" };
            sql(
                &session,
                &format!(
                    "CREATE TABLE public.rowferry_bench ({}, PRIMARY KEY ({})){spread}",
                    columns.join(", "),
                    names.join(", ")
                ),
            )
            .await;
            let mut applier = Applier::new(&session);
            let start = Instant::now();
            sql(&session, "BEGIN").await;
            let mut chunk = applier.chunk(&session, &layout, Existing::Fresh);
            for from in (0..total).step_by(10_000) {
                let run = rows(&layout, Insert, from..(from + 10_000).min(total), 0);
                chunk.write(&run).await.unwrap();
            }
            chunk.finish().await.unwrap();
            sql(&session, "COMMIT").await;
            let copied = start.elapsed().as_secs_f64();
            sql(&session, "ANALYZE public.rowferry_bench").await;
            if strategy == Strategy::DeleteCopy {
                println!("  COPY into the empty table: {:.0} k rows/s", total as f64 / copied / 1000.0);
            }
            let own = Session::connect(&to, "bench").await.unwrap();
            measure(&own, strategy, &layout, total, batch).await;
        }
    }
    sql(&session, "DROP TABLE public.rowferry_bench").await;
}
