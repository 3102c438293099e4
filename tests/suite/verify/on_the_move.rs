//! A difference is none while it is on its way.

use super::verdicts;
use crate::harness::{DEADLINE, Daemon, Kind, Postgres, Scene, eventually, mysql97, pause, postgres};
use rowferry::testing::change::verdict::Outcome;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

#[tokio::test]
async fn nothing_is_false_under_load_and_what_is_true_is_found() {
    let scene = Scene::new("verify_load").await;
    scene.source.sql(&crate::healing::rows("t", 30_000)).await;
    scene.source.sql("CREATE TABLE hot (id INT PRIMARY KEY, k VARCHAR(9) UNIQUE, n INT); INSERT INTO hot VALUES (1, 'a', 0), (2, 'b', 0)").await;
    let daemon = scene.start().await;
    let stop = AtomicBool::new(false);
    let writing = async |first: u32| {
        let mut session = scene.source.session().await;
        let mut n = first;
        while !stop.load(Relaxed) {
            n += 7;
            let (id, new) = (n % 30_000 + 1, 1_000_000 + n);
            session
                .sql(&format!(
                    "UPDATE hot SET n = n + 1 WHERE id = {}; UPDATE t SET w = w + 1 WHERE id = {id}; \
                     INSERT INTO t VALUES ({new}, 'new', {n}); DELETE FROM t WHERE id = {new} - 70",
                    n % 2 + 1
                ))
                .await;
        }
    };
    let verifying = async {
        for _ in 0..3 {
            for (table, verdict) in verdicts(&daemon, &[]).await {
                assert_eq!(verdict.outcome, Outcome::Equal, "{table}: {verdict:?}");
            }
        }
        // Rows that no writer comes to: what the stream met of them would be drift.
        scene.target.sql(&format!("UPDATE {}.t SET v = 'hand' WHERE id = 77", scene.source.name)).await;
        scene.target.sql(&format!("DELETE FROM {}.t WHERE id = 20001", scene.source.name)).await;
        let said = &verdicts(&daemon, &["--repair"]).await["t"];
        assert_eq!((said.outcome, said.different, said.missing), (Outcome::Repaired, 1, 1), "{said:?}");
        let said = &verdicts(&daemon, &[]).await["t"];
        assert_eq!(said.outcome, Outcome::Equal, "{said:?}");
        stop.store(true, Relaxed);
    };
    tokio::join!(writing(0), writing(3), verifying);
    scene.assert_exact(&daemon, &["t", "hot"]).await;
}

#[tokio::test]
async fn a_row_that_somebody_holds_is_left_open_and_not_called_different() {
    let scene = Scene::new("verify_held").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    let daemon = scene.start().await;
    scene.target.sql(&format!("UPDATE {}.t SET v = v + 10", scene.source.name)).await;
    let mut holder = scene.source.session().await;
    for held in [1, 2] {
        scene.target.sql(&format!("UPDATE {}.t SET v = 50", scene.source.name)).await;
        holder.sql(&format!("BEGIN; UPDATE t SET v = 3 WHERE id = {held}")).await;
        let said = &verdicts(&daemon, &["--repair"]).await["t"];
        assert_eq!((said.outcome, said.different, said.undecided), (Outcome::Different, 1, 1), "{said:?}");
        assert_eq!(said.repaired, 1);
        holder.sql("ROLLBACK").await;
    }
    let said = &verdicts(&daemon, &["--repair"]).await["t"];
    assert_eq!((said.outcome, said.different), (Outcome::Repaired, 1), "{said:?}");
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_stream_that_is_late_makes_no_difference() {
    let scene = Scene::new("verify_late").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    let daemon = scene.start().await;
    let mut blocker = scene.target.session().await;
    blocker.sql(&format!("BEGIN; LOCK TABLE {}.t IN SHARE MODE", scene.source.name)).await;
    scene.source.sql("UPDATE t SET v = 5; INSERT INTO t VALUES (3, 3); DELETE FROM t WHERE id = 2").await;
    scene.target.wait_applier_locked().await;
    let freeing = async {
        // It waits for the stream, and holds nothing in the target meanwhile.
        let asks = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name LIKE 'rowferry/%/verify' AND query LIKE '%position%' AND state <> 'active'";
        eventually(DEADLINE, "the comparison waits for the stream", async || {
            scene.target.one(asks).await == "1"
        })
        .await;
        pause(Duration::from_secs(1)).await;
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name LIKE 'rowferry/%/verify' AND state LIKE 'idle in transaction%'";
        assert_eq!(scene.target.one(open).await, "0");
        blocker.sql("COMMIT").await;
    };
    let (said, ()) = tokio::join!(verdicts(&daemon, &["--repair"]), freeing);
    assert_eq!((said["t"].outcome, said["t"].repaired), (Outcome::Equal, 0), "{said:?}");
    scene.assert_exact(&daemon, &["t"]).await;
}

/// What both servers had used of the processors by some moment.
struct Load {
    at: Instant,
    source: f64,
    target: f64,
}

impl Load {
    /// In words, how much of a processor each has used since then.
    fn since(&self, before: &Self) -> String {
        let seconds = (self.at - before.at).as_secs_f64();
        let share = |now: f64, then: f64| 100.0 * (now - then) / seconds;
        let (source, target) = (share(self.source, before.source), share(self.target, before.target));
        format!("source {source:.0} % of a processor, target {target:.0} %")
    }
}

/// What a comparison costs: how long it takes and what it takes of the servers. Printed, never asserted; `ROWFERRY_SOAK_VERIFIED_ROWS` makes
/// the table large (`scripts/soak verified` does so).
#[tokio::test]
async fn three_comparisons_of_a_busy_table_find_nothing() {
    let rows: u32 = std::env::var("ROWFERRY_SOAK_VERIFIED_ROWS").map_or(20_000, |text| text.parse().unwrap());
    // What they use of the processors is to be nobody else's where it is measured for long.
    let (own_source, own_target);
    let (mysql, target) = if rows > 100_000 && !postgres().await.is_greenplum() {
        (own_source, own_target) = (Kind::Gtids97.private(&[]).await, Postgres::private(&[]).await);
        (&own_source, &own_target)
    } else {
        (mysql97().await, postgres().await)
    };
    let scene = Scene::on(mysql, target, "verify_busy").await;
    scene.source.sql(&crate::healing::rows("t", rows).replace("1000000;", "100000000;")).await;
    let daemon = Daemon::start(&scene.config());
    daemon.wait_phase("Synchronizing", DEADLINE * 20).await;
    let stop = AtomicBool::new(false);
    let written = AtomicU32::new(0);
    let writing = async {
        let mut session = scene.source.session().await;
        let mut ticks = tokio::time::interval(Duration::from_millis(2));
        while !stop.load(Relaxed) {
            ticks.tick().await;
            let n = written.fetch_add(1, Relaxed);
            let id = n.wrapping_mul(7919) % rows + 1;
            session.sql(&format!("UPDATE t SET w = w + 1 WHERE id = {id}")).await;
        }
    };
    let load =
        || Load { at: Instant::now(), source: mysql.processor_seconds(), target: target.processor_seconds() };
    let verifying = async {
        let before = load();
        pause(Duration::from_millis(u64::from(rows.min(200_000)) / 10)).await;
        eprintln!("without a comparison: {}", load().since(&before));
        for _ in 0..3 {
            let used = load();
            let (begun, before) = (Instant::now(), written.load(Relaxed));
            let config = daemon.config_path().into_os_string().into_string().unwrap();
            let program = env!("CARGO_BIN_EXE_rowferry");
            let mut command = tokio::process::Command::new(program);
            let told = command.args(["verify", "-c", &config]).kill_on_drop(true).output().await.unwrap();
            let seconds = begun.elapsed().as_secs_f64();
            let rate = f64::from(written.load(Relaxed) - before) / seconds;
            let said = String::from_utf8_lossy(&told.stdout).into_owned();
            eprintln!(
                "{} in {seconds:.1} s beside {rate:.0} updates/s: {}",
                said.trim(),
                load().since(&used)
            );
            assert!(told.status.success(), "{said}");
        }
        stop.store(true, Relaxed);
    };
    tokio::join!(writing, verifying);
    scene.assert_exact(&daemon, &["t"]).await;
}
