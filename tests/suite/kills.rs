//! kill -9 of the daemon at random moments of copy, catch-up and stream, while the source is written to.
//!
//! The environment makes it long (`scripts/soak` does): `ROWFERRY_SOAK_ROWS`, `_KILLS`, `_WRITERS`, `_SEED`. Without a seed
//! one is drawn; it is printed, and a failure shows it.

use crate::harness::{DEADLINE, Daemon, Scene, pause};
use crate::load::{self, Dice, Pace, Scale};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The memory limit of the load's config, and what DESIGN allows beyond it.
const MEMORY_CAP_KIB: u64 = (64 + 64) * 1024;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}

#[tokio::test]
async fn kills_at_random_moments_leave_every_table_equal_and_every_transaction_whole() {
    let rows = number("ROWFERRY_SOAK_ROWS", 30_000);
    let kills = number("ROWFERRY_SOAK_KILLS", 6);
    let drawn = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let seed = number("ROWFERRY_SOAK_SEED", drawn.into());
    let writers = number("ROWFERRY_SOAK_WRITERS", 4);
    eprintln!("kills: seed {seed}, {rows} rows, {kills} kills, {writers} writers");
    let scale = Scale { rows, writers, pace: Pace { longest_pause_micros: 8_000 }, seed };
    let moments = Moments::of(kills);
    let scene = Scene::new("kills").await;
    // The copy lasts about a second per kill that is to hit it.
    let config = load::config(&scene).task(
        "snapshot",
        &format!(
            "{{ parallel = 3, chunk_rows = {}, max_rows_per_second = {} }}",
            (rows / 150).max(100),
            rows / moments.copy.max(1)
        ),
    );
    let start = Instant::now();
    let mut toll = Toll::default();
    let report = load::under_load(&scene, &config, scale, async |daemon, dice| {
        for kill in 0..kills {
            moments.wait(kill, daemon, dice).await;
            toll.kill(daemon).await;
            if dice.percent(20) {
                // A stop in good order in between, at any moment too.
                daemon.restart();
                moments.wait(kill, daemon, dice).await;
                toll.terminate(daemon).await;
            }
            daemon.restart();
        }
        daemon.wait_phase("Synchronizing", DEADLINE * 10).await;
        pause(Duration::from_millis(dice.below(1_000))).await;
        toll.look(daemon).await;
    })
    .await;
    eprintln!("kills: seed {seed}, {:.0?}\n{}\n{report}", start.elapsed(), toll.summary());
    assert_eq!(toll.kills.values().sum::<u64>(), kills);
    assert!(toll.peak_kib <= MEMORY_CAP_KIB, "{} KiB resident, {MEMORY_CAP_KIB} allowed", toll.peak_kib);
}

/// When kills come: the first ones in the copy, then in catching up, the rest in the stream.
#[derive(Clone, Copy, Debug)]
struct Moments {
    copy: u64,
    catch_up: u64,
}

impl Moments {
    fn of(kills: u64) -> Self {
        Self { copy: kills * 2 / 5, catch_up: kills / 5 }
    }

    /// Waits for the moment of a kill: a random time after the phase that is its turn, or after the start.
    async fn wait(self, kill: u64, daemon: &Daemon, dice: &mut Dice) {
        if dice.percent(15) {
            pause(Duration::from_millis(dice.below(700))).await;
            return;
        }
        let (phases, longest): (&[&str], u64) = if kill < self.copy {
            (&["Snapshot", "CatchingUp", "Synchronizing"], 1_500)
        } else if kill < self.copy + self.catch_up {
            (&["CatchingUp", "Synchronizing"], 250)
        } else {
            (&["Synchronizing"], 2_500)
        };
        daemon.wait_task("its turn", DEADLINE * 5, |task| phases.contains(&task.phase.name())).await;
        pause(Duration::from_millis(dice.below(longest))).await;
    }
}

/// What was killed when, and how large it had become.
#[derive(Debug, Default)]
struct Toll {
    kills: BTreeMap<String, u64>,
    stops: BTreeMap<String, u64>,
    peak_kib: u64,
    longest_stop: Duration,
}

impl Toll {
    async fn kill(&mut self, daemon: &Daemon) {
        let phase = self.look(daemon).await;
        daemon.kill9();
        *self.kills.entry(phase).or_default() += 1;
    }

    async fn terminate(&mut self, daemon: &Daemon) {
        let phase = self.look(daemon).await;
        let start = Instant::now();
        daemon.terminate();
        assert_eq!(daemon.exit_code(Duration::from_secs(35)).await, 0, "{}", daemon.log_tail());
        self.longest_stop = self.longest_stop.max(start.elapsed());
        *self.stops.entry(phase).or_default() += 1;
    }

    /// Notes the peak of its memory; gives its phase.
    async fn look(&mut self, daemon: &Daemon) -> String {
        daemon.assert_alive();
        let phase = daemon.task().await.map_or("Starting", |task| {
            assert_ne!(task.phase.name(), "Failed", "{:?}", task.phase);
            task.phase.name()
        });
        self.peak_kib = self.peak_kib.max(peak_kib(daemon.pid()));
        phase.to_owned()
    }

    fn summary(&self) -> String {
        let mut text = String::from("killed -9 in:");
        for (phase, count) in &self.kills {
            let _ = write!(text, " {phase} {count}");
        }
        text.push_str("; stopped by SIGTERM in:");
        for (phase, count) in &self.stops {
            let _ = write!(text, " {phase} {count}");
        }
        let _ = write!(
            text,
            " (longest {:.1?}); peak resident memory {} MiB, allowed {} MiB",
            self.longest_stop,
            self.peak_kib / 1024,
            MEMORY_CAP_KIB / 1024
        );
        text
    }
}

/// The peak of a process's resident memory.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
