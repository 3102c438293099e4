//! Chunks of the first copy.

use super::fixture::{self, Model, Shape, layout};
use super::{Writer, strategies};
use crate::harness::postgres;
use rowferry::testing::change::RowOp::Insert;
use rowferry::testing::sink::Existing;

#[tokio::test]
async fn a_snapshot_chunk_fills_a_fresh_table_and_leaves_rows_that_shall_stay() {
    let database = postgres().await.database("apply_chunks").await;
    for &strategy in strategies() {
        database.sql(&format!("DROP TABLE IF EXISTS t; {}", Shape::TwoKeys.create("t"))).await;
        let layout = layout("t", Shape::TwoKeys);
        let chunk = |keys: std::ops::Range<i64>, value: i64| {
            fixture::run(&layout, &keys.map(|key| (Insert, key, value)).collect())
        };
        let mut writer = Writer::new(&database, strategy).await;
        writer.begin().await;
        let fresh = [chunk(0..10, 1), chunk(10..20, 1)];
        assert_eq!(writer.chunk(&layout, &fresh, Existing::Fresh).await.unwrap(), 20);
        writer.commit().await;
        writer.begin().await;
        let overlapping = [chunk(15..30, 2), chunk(5..8, 2), chunk(29..31, 3)];
        assert_eq!(writer.chunk(&layout, &overlapping, Existing::Keep).await.unwrap(), 11);
        writer.commit().await;
        let mut model = Model::default();
        model.apply(&(0..20).map(|key| (Insert, key, 1)).collect());
        model.apply(&(20..30).map(|key| (Insert, key, 2)).collect());
        model.apply(&vec![(Insert, 30, 3)]);
        assert_eq!(model, Model::read(&database, "t", Shape::TwoKeys).await);
        writer.begin().await;
        assert!(writer.chunk(&layout, &fresh, Existing::Fresh).await.is_err());
    }
}

/// A table without a key to cut it by is one chunk: what its first row meets must not wait for its last.
#[tokio::test]
async fn what_a_long_chunk_meets_is_told_before_its_end() {
    const RUNS: i64 = 40;
    const ROWS: i64 = 30_000;
    let database = postgres().await.database("apply_long_chunk").await;
    database.sql(&Shape::TwoKeys.create("t")).await;
    let layout = layout("t", Shape::TwoKeys);
    let run = |number: i64| {
        let keys = number * ROWS..(number + 1) * ROWS;
        fixture::run(&layout, &keys.map(|key| (Insert, key, key)).collect())
    };
    let mut writer = Writer::new(&database, strategies()[0]).await;
    let bytes: usize = run(0).spans.iter().map(|span| span.row.len()).sum();
    assert!(bytes > 1 << 20, "{bytes}");
    // All of it goes in through several COPYs, of which none is visible before the others.
    writer.begin().await;
    let mut chunk = writer.applier.chunk(&writer.session, &layout, Existing::Fresh);
    for number in 0..RUNS {
        chunk.write(&run(number)).await.unwrap();
    }
    assert_eq!(chunk.finish().await.unwrap(), u64::try_from(RUNS * ROWS).unwrap());
    assert_eq!(database.one("SELECT count(*) FROM t").await, "0");
    writer.commit().await;
    assert_eq!(database.one("SELECT count(*) FROM t").await, (RUNS * ROWS).to_string());
    // Its first row is there.
    writer.begin().await;
    let mut chunk = writer.applier.chunk(&writer.session, &layout, Existing::Fresh);
    let mut written = 0;
    while written < RUNS && chunk.write(&run(written)).await.is_ok() {
        written += 1;
    }
    assert!(written < 20, "{written} runs of {bytes} bytes before it was told");
}
