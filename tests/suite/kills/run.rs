//! One run: a load, kills at moments by dice, and what they hit.

use super::heal::Healing;
use super::{hands, probe};
use crate::harness::{DEADLINE, Daemon, Mysql, Postgres, Scene, greenplum, pause, postgres};
use crate::load::{self, Dice, Origin, Pace, Scale};
use rowferry::testing::change::status::TaskStatus;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The memory limit of the load's config, and what DESIGN allows beyond it.
const MEMORY_CAP_KIB: u64 = (64 + 64) * 1024;

/// How fast it compares, in rows per second, and how long after a table's comparison the next one may begin, where hands are at work.
const COMPARED_RATE: u64 = 2_000;
const COMPARED_PAUSE: Duration = Duration::from_secs(30);

/// Where rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// PostgreSQL 15.
    Postgres,
    /// The Greenplum that the environment names; without one the run ends at once, and says so.
    Greenplum,
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From where.
    pub origin: Origin,
    /// To where.
    pub target: Target,
    /// Rows at the start.
    pub rows: u64,
    /// Kills of the daemon.
    pub kills: u64,
    /// Writers at work.
    pub writers: u64,
    /// Now and then the source or the target is killed too; a Greenplum is not.
    pub kill_servers: bool,
    /// Statements have tables copied again by themselves, beside the others; each kill comes after one.
    pub heal: bool,
    /// So long, instead of a number of kills: these are half a minute apart, and hands make differences all the while, which the
    /// comparison is to find and repair.
    pub compared_for: Option<Duration>,
    /// Decides the choices.
    pub seed: u64,
}

impl Run {
    /// Runs in databases of that name.
    pub async fn on(self, name: &str) {
        let Self { origin, rows, kills, writers, seed, .. } = self;
        let own;
        let target = match (self.target, self.kill_servers) {
            (Target::Postgres, false) => postgres().await,
            (Target::Postgres, true) => {
                own = Postgres::private(&["-c", "fsync=on"]).await;
                &own
            }
            (Target::Greenplum, _) => match greenplum().await {
                Some(server) => server,
                None => return,
            },
        };
        let what = format!("kills of {} → {:?}, seed {seed}", origin.name(), self.target);
        eprintln!("{what}: {rows} rows, {kills} kills, {writers} writers");
        let mysql = origin.start(self.kill_servers).await;
        let scene = Scene::on(&mysql, target, name).await;
        let scale = Scale {
            rows,
            writers,
            pace: Pace { longest_pause_micros: if self.compared_for.is_some() { 40_000 } else { 8_000 } },
            seed,
            source_dies: self.kill_servers,
            longest_between_shapes_millis: if self.compared_for.is_some() {
                10_000
            } else {
                500 + rows / 300
            },
        };
        let moments = Moments::of(kills);
        // The copy lasts about a second per kill that is to hit it.
        let config = load::config(&scene).task(
            "snapshot",
            &format!(
                "{{ parallel = 3, chunk_rows = {}, max_rows_per_second = {} }}",
                (rows / 150).max(100),
                if self.heal { rows } else { rows / moments.copy.max(1) }
            ),
        );
        let config = if self.heal {
            // A column that is renamed before a copy begins is not to stay under its old name.
            let compared = if self.compared_for.is_some() {
                &format!(
                    "{{ mode = \"continuous\", rows_per_second = {COMPARED_RATE}, pause = \"{COMPARED_PAUSE:?}\", repair = true }}"
                )
            } else {
                "{ mode = \"continuous\", rows_per_second = 0, pause = \"1s\" }"
            };
            config
                .healing()
                .task("ddl_policy", "{ drop_column = \"recopy\" }")
                .task("verify", compared)
                .task("accept_cascades", &hands::accepted(&scene))
        } else {
            config
        };
        let start = Instant::now();
        let mut toll = Toll::default();
        let mut healing = Healing::default();
        let servers = (&mysql, (!target.is_greenplum()).then_some(target));
        let (stop, hands_off, done) =
            (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
        let mut made = hands::Made::default();
        let mut late = Vec::new();
        let (mut compared, mut walk) = (String::new(), Duration::ZERO);
        let report = load::under_load(&scene, &config, scale, async |daemon, dice| {
            let probing = async {
                if self.heal && !self.kill_servers { probe::probe(&scene, &stop).await } else { Vec::new() }
            };
            let handling = async {
                let made = match self.compared_for {
                    Some(_) => Box::pin(hands::work(&scene, origin, seed, &hands_off)).await,
                    None => hands::Made::default(),
                };
                done.store(true, Relaxed);
                made
            };
            let killing = async {
                let goes_on = |kill| self.compared_for.map_or(kill < kills, |long| start.elapsed() < long);
                for kill in (0..).take_while(|kill| goes_on(*kill)) {
                    moments.wait(kill, daemon, dice).await;
                    if self.compared_for.is_some() {
                        pause(Duration::from_millis(dice.below(60_000))).await;
                    }
                    if self.heal {
                        healing.disturb(&scene, daemon, dice).await;
                    }
                    if self.kill_servers && dice.percent(40) {
                        toll.kill_server(servers, daemon, dice).await;
                    }
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
                hands_off.store(true, Relaxed);
                hands::wait_done(&done).await;
                if self.heal {
                    healing.settle(&scene, daemon).await;
                    let log = daemon.log();
                    toll.placed = log.matches("the copy has taken its place").count();
                    toll.joined = log.matches("the table is carried by the main stream").count();
                    assert!(toll.joined > 0, "nothing was copied again:\n{log}");
                    (compared, walk) = compared_well(daemon).await;
                }
                stop.store(true, Relaxed);
            };
            (late, made, ()) = tokio::join!(probing, handling, killing);
        })
        .await;
        if target.is_greenplum() {
            assert_eq!(spread_by(&scene, "parts").await, "b");
        }
        eprintln!("{what}: {:.0?}\n{}\n{report}", start.elapsed(), toll.summary());
        if self.heal {
            healing.compare(&scene).await;
            eprintln!("{}\n{compared}", healing.summary());
            eprintln!("{}", probe::summary(late));
        }
        if self.compared_for.is_some() {
            for table in hands::TABLES {
                scene.assert_equal(table).await;
            }
            // A table's turn comes after the pause and a walk over all others, and begins anew where a kill breaks it off.
            eprintln!("{}", made.summary(COMPARED_PAUSE + walk * 2));
            assert!(made.count() > 0, "no difference was made");
        } else {
            assert_eq!(toll.kills.values().sum::<u64>(), kills);
        }
        assert!(toll.peak_kib <= MEMORY_CAP_KIB, "{} KiB resident, {MEMORY_CAP_KIB} allowed", toll.peak_kib);
    }
}

/// What comparisons of source and target beside all that have found: nothing but what hands made. Also how long one walk takes at the
/// rate that is used beside hands.
async fn compared_well(daemon: &Daemon) -> (String, Duration) {
    let task = daemon.task().await.expect("it serves");
    let log = daemon.log();
    // Where hands were at work there are some.
    let of_hands = |text: &str, separator: char| {
        hands::TABLES.iter().any(|table| text.contains(&format!("{separator}{table}")))
    };
    let told = log.lines().filter(|line| line.contains("source and target differ"));
    let wrongly: Vec<&str> = told.filter(|line| !of_hands(line, '.')).collect();
    assert!(wrongly.is_empty(), "{}", wrongly.join("\n"));
    for (table, verified) in &task.verified {
        assert!(verified.differences_ever == 0 || of_hands(table, '.'), "{table}: {verified:?}");
    }
    let (rows, undecided) = task
        .verified
        .values()
        .fold((0, 0), |(rows, undecided), verified| (rows + verified.rows, undecided + verified.undecided));
    let tables = task.verified.len();
    // It looks once a second whose turn it is.
    let walk = Duration::from_secs(rows / COMPARED_RATE)
        + Duration::from_secs(1) * u32::try_from(tables).unwrap_or(0);
    (format!("last comparisons: {tables} tables, {rows} rows, none different, {undecided} undecided"), walk)
}

/// The columns that Greenplum spreads a table by.
async fn spread_by(scene: &Scene<'_>, table: &str) -> String {
    let schema = scene.target.test();
    scene
        .target
        .one(&format!(
            "SELECT string_agg(a.attname, ',') FROM gp_distribution_policy p JOIN pg_attribute a \
               ON a.attrelid = p.localoid AND a.attnum = ANY (p.distkey::smallint[]) WHERE p.localoid = '{schema}.{table}'::regclass"
        ))
        .await
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
        let turn = |task: &TaskStatus| {
            assert_ne!(task.phase.name(), "Failed", "{:?}", task.phase);
            phases.contains(&task.phase.name())
        };
        daemon.wait_task("its turn", DEADLINE * 5, turn).await;
        pause(Duration::from_millis(dice.below(longest))).await;
    }
}

/// What was killed when, and how large it had become.
#[derive(Debug, Default)]
struct Toll {
    kills: BTreeMap<String, u64>,
    stops: BTreeMap<String, u64>,
    servers: BTreeMap<String, u64>,
    peak_kib: u64,
    longest_stop: Duration,
    /// Copies that took their places, and tables that the main stream took over.
    placed: usize,
    joined: usize,
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
        let code = daemon.exit_code(Duration::from_secs(35)).await;
        // Who has not said a word may not listen yet; nothing is to be drained then.
        let too_early = phase == "Starting" && code == 143;
        assert!(code == 0 || too_early, "{code} in {phase}: {}", daemon.log_tail());
        self.longest_stop = self.longest_stop.max(start.elapsed());
        *self.stops.entry(phase).or_default() += 1;
    }

    /// Kills the source, or a target of ours, and starts it again; the daemon may notice, or be killed before it does.
    async fn kill_server(
        &mut self,
        (source, target): (&Mysql, Option<&Postgres>),
        daemon: &Daemon,
        dice: &mut Dice,
    ) {
        let phase = self.look(daemon).await;
        let killed = match target {
            Some(target) if dice.percent(50) => {
                target.kill();
                target.restart().await;
                "target"
            }
            _ => {
                source.kill();
                source.restart().await;
                source.kind()
            }
        };
        *self.servers.entry(format!("{killed} in {phase}")).or_default() += 1;
        if dice.percent(50) {
            daemon.wait_phase("Synchronizing", DEADLINE * 5).await;
        }
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
        let counts = |all: &BTreeMap<String, u64>| {
            all.iter().fold(String::new(), |mut text, (what, count)| {
                let _ = write!(text, " {what} {count}");
                text
            })
        };
        let mut text = format!(
            "killed -9 in:{}; stopped by SIGTERM in:{} (longest {:.1?})",
            counts(&self.kills),
            counts(&self.stops),
            self.longest_stop
        );
        if !self.servers.is_empty() {
            let _ = write!(text, "; servers killed -9:{}", counts(&self.servers));
        }
        if self.joined > 0 {
            let _ = write!(text, "; {} copies took their places, {} tables joined", self.placed, self.joined);
        }
        let (peak, cap) = (self.peak_kib / 1024, MEMORY_CAP_KIB / 1024);
        let _ = write!(text, "; peak resident memory {peak} MiB, allowed {cap} MiB");
        text
    }
}

/// The peak of a process's resident memory.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
