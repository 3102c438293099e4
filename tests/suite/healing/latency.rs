//! What adding a table costs the others: how late their rows are, before and meanwhile. Printed, never asserted; `ROWFERRY_SOAK_ADDED_ROWS`
//! makes the table large (`scripts/soak added` does).

use super::is_carried;
use crate::harness::{DEADLINE, Scene, eventually, pause};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Between two transactions: 200 a second.
const PACE: Duration = Duration::from_millis(5);
/// How long it is measured without the addition: briefly, and for figures as long as an addition takes, for the 99th percentile of a
/// few seconds differs by half from run to run.
const BEFORE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(20));

/// Milliseconds that are not exceeded by so many of a thousand.
fn permille(late: &[f64], share: usize) -> f64 {
    let mut sorted = late.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * share / 1000).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

#[tokio::test]
async fn others_flow_on_while_a_table_is_added() {
    let soak = std::env::var("ROWFERRY_SOAK_ADDED_ROWS").ok();
    let rows: u32 = soak.as_ref().map_or(20_000, |text| text.parse().unwrap());
    let before = if soak.is_some() { BEFORE.1 } else { BEFORE.0 };
    let scene = Scene::new("healing_latency").await;
    scene.source.sql("CREATE TABLE flow (id INT PRIMARY KEY, w INT)").await;
    let daemon = scene.start_with(&scene.config().healing().daemon("log_level", "\"info\"")).await;
    // When each row was committed, by its number.
    let committed: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let mut writer = scene.source.session().await;
    let writing = async {
        let mut ticks = tokio::time::interval(PACE);
        while !stop.load(Relaxed) {
            ticks.tick().await;
            let id = committed.lock().unwrap().len() + 1;
            writer.sql(&format!("INSERT INTO flow VALUES ({id}, {id})")).await;
            committed.lock().unwrap().push(Instant::now());
        }
    };
    let mut reader = scene.target.session().await;
    let late: Mutex<Vec<(Instant, f64)>> = Mutex::default();
    let reading = async {
        let mut seen = 0;
        while !stop.load(Relaxed) {
            let there: usize =
                reader.one("SELECT coalesce(max(id), 0) FROM healing_latency.flow").await.parse().unwrap();
            let now = Instant::now();
            let arrived: Vec<Instant> =
                committed.lock().unwrap().iter().take(there).skip(seen).copied().collect();
            seen += arrived.len();
            let ages = arrived.iter().map(|at| (now, now.duration_since(*at).as_secs_f64() * 1000.0));
            late.lock().unwrap().extend(ages);
            pause(Duration::from_millis(2)).await;
        }
    };
    let adding = async {
        // Its rows are there before it is, so that they come by the copy.
        scene
            .source
            .sql(&format!(
                "SET sql_log_bin = 0; SET cte_max_recursion_depth = 100000000; \
                 CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(40), w INT); \
                 INSERT INTO big WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
                 SELECT i, CONCAT('row ', i), i FROM n"
            ))
            .await;
        // The source is still busy with them.
        pause(BEFORE.0).await;
        let begin = Instant::now();
        pause(before).await;
        let made = Instant::now();
        scene.source.sql("INSERT INTO big VALUES (0, 'last', 0)").await;
        eventually(DEADLINE * 20, "the table is carried", async || {
            daemon.task().await.is_some_and(|task| is_carried(&task, "healing_latency.big"))
        })
        .await;
        let end = Instant::now();
        stop.store(true, Relaxed);
        (begin, made, end)
    };
    let ((), (), (begin, made, end)) = tokio::join!(writing, reading, adding);
    let late = late.into_inner().unwrap();
    let between = |from: Instant, until: Instant| -> Vec<f64> {
        let inside = |at: &Instant| *at >= from && *at < until;
        late.iter().filter(|(at, _)| inside(at)).map(|(_, late)| *late).collect()
    };
    let (before, meanwhile) = (between(begin, made), between(made, end));
    for (what, late) in [("before", &before), ("while it is added", &meanwhile)] {
        eprintln!(
            "{what}: {} transactions, late by {:.1} ms (median), {:.1} ms (p99), {:.1} ms (longest)",
            late.len(),
            permille(late, 500),
            permille(late, 990),
            permille(late, 1000)
        );
    }
    // Where they were late: for each tenth of a second the latest.
    let mut tenths: BTreeMap<u128, f64> = BTreeMap::new();
    for (at, late) in late.iter().filter(|(at, _)| *at >= made && *at < end) {
        let worst = tenths.entry(at.duration_since(made).as_millis() / 100).or_default();
        *worst = worst.max(*late);
    }
    let tenths: Vec<String> = tenths
        .iter()
        .filter(|(_, late)| **late > 2.0 * permille(&before, 990))
        .map(|(tenth, late)| format!("{}.{} s: {late:.0} ms", tenth / 10, tenth % 10))
        .collect();
    eprintln!("late by more than twice the p99 before: {}", tenths.join(", "));
    eprintln!(
        "{rows} rows added in {:.1?}; p99 of the others is {:.2} times what it was",
        end - made,
        permille(&meanwhile, 990) / permille(&before, 990).max(0.001)
    );
    scene.assert_exact(&daemon, &["flow", "big"]).await;
}
