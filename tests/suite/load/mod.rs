//! A bounded, seeded load under which faults are tried: writers on the source, a reader on the target, faults in between.
//!
//! Sequence of [`under_load`]: make the tables; start the daemon, the writers and the reader; run the faults; stop the writers;
//! wait until all is applied; compare every table row by row; look at the invariant once more; drift must be none.
//!
//! What must never happen here: a failure of the load itself taken for silence.

mod dice;
mod origin;
mod shaper;
mod steps;
mod tables;
mod watch;
mod writer;
mod xa;

pub use dice::Dice;
pub use origin::Origin;
pub use watch::Seen;
pub use writer::Written;

use crate::harness::{Config, DEADLINE, Daemon, Mysql, Scene, wait_applied_within};
use futures_util::future::join_all;
use std::fmt;
use std::time::{Duration, Instant};
use tables::{BESIDE, Size, TABLES};
use tokio_util::sync::CancellationToken;

/// Rows of `accounts`.
pub const ACCOUNTS: u32 = 200;

/// What may be left to apply when the writers end, at the longest: they do not wait for the daemon.
const BACKLOG: Duration = Duration::from_secs(900);

/// How fast writers go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The longest pause of a writer between two transactions.
    pub longest_pause_micros: u64,
}

/// How much is done. The seed decides every choice; how the choices of several writers interleave it does not decide.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Rows at the start, over all tables.
    pub rows: u64,
    /// Writers at work.
    pub writers: u64,
    /// Their pace.
    pub pace: Pace,
    /// The seed.
    pub seed: u64,
    /// The source is killed on the way: nothing is done that it could not keep then.
    pub source_dies: bool,
    /// The longest time between two changes of a table's shape.
    pub longest_between_shapes_millis: u64,
}

impl Scale {
    /// Small enough for a test that runs beside others.
    pub fn small(seed: u64) -> Self {
        Self {
            rows: 8_000,
            writers: 3,
            pace: Pace { longest_pause_micros: 10_000 },
            seed,
            source_dies: false,
            longest_between_shapes_millis: 1_000,
        }
    }
}

/// How a run under load went.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the writers did.
    pub written: Written,
    /// Changes of tables' shapes.
    pub shapes: u64,
    /// What the reader saw.
    pub seen: Seen,
    /// Rows of each table, equal on both sides.
    pub rows: Vec<(&'static str, usize)>,
    /// From the end of the writers until all was applied.
    pub drained: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written { committed, transfers, xa, rolled_back, reconnects } = self.written;
        writeln!(
            f,
            "source: {committed} transactions committed ({transfers} transfers, {xa} XA), {rolled_back} rolled back, \
             {reconnects} reconnects, {} changes of shape",
            self.shapes
        )?;
        writeln!(
            f,
            "target: {} looks at the invariant, {} transfers whole and once",
            self.seen.looks, self.seen.transfers
        )?;
        let rows: Vec<String> = self.rows.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        write!(
            f,
            "EQUAL row by row: {}; applied {:.1?} after the last write; no drift",
            rows.join(", "),
            self.drained
        )
    }
}

/// The scene's config for a run under load: small batches, so that there are many commits to be hit, and `parts` spread
/// by one column of its key, where a target spreads tables.
pub fn config(scene: &Scene<'_>) -> Config {
    let source = &scene.source.name;
    scene
        .config()
        .task("tables", &format!("[\"{source}.*\", \"!{source}.{BESIDE}\"]"))
        .more(&format!("[task.main.table.\"{source}.parts\"]\ndistributed_by = [\"b\"]"))
        .daemon("log_level", "\"info\"")
        .task("apply", "{ batch_rows = 500, batch_bytes = \"1MiB\" }")
        .task("memory_limit", "\"64MiB\"")
        .task("vacuum", "{ threshold = 0.05, min_rows = 300 }")
}

/// Runs `faults` while the source is written to, and proves afterwards that nothing came of them. The daemon must be
/// left running.
pub async fn under_load(
    scene: &Scene<'_>,
    config: &Config,
    scale: Scale,
    faults: impl AsyncFnOnce(&Daemon, &mut Dice),
) -> Report {
    let size = Size::of(scale.rows);
    let origin = Origin::of(scene.source.server).await;
    tables::create(&scene.source, origin, size).await;
    let daemon = Daemon::start(config);
    let (stop_writing, stop_watching) = (CancellationToken::new(), CancellationToken::new());
    let writers = join_all(
        (1..=scale.writers).map(|number| writer::write(&scene.source, origin, number, scale, &stop_writing)),
    );
    let script = async {
        let mut dice = Dice::of(scale.seed, 0);
        faults(&daemon, &mut dice).await;
        stop_writing.cancel();
        let start = Instant::now();
        daemon.wait_phase("Synchronizing", DEADLINE * 10).await;
        wait_applied_within(BACKLOG, &daemon, scene.source.server).await;
        stop_watching.cancel();
        start.elapsed()
    };
    // Side by side in this one task: a panic of any ends all.
    let (written, shapes, seen, drained) = tokio::join!(
        writers,
        shaper::shape(&scene.source, &daemon, origin, scale, &stop_writing),
        watch::watch(&scene.target, &daemon, &stop_watching),
        script
    );
    let written: Written = written.into_iter().sum();
    // A writer may have finished its last transaction after the wait began.
    wait_applied_within(BACKLOG, &daemon, scene.source.server).await;
    assert_nothing_forgotten(scene.source.server, origin).await;
    let (mut rows, mut differences) = (Vec::new(), Vec::new());
    for table in TABLES {
        match scene.equal(table).await {
            Ok(count) => rows.push((table, count)),
            Err(difference) => differences.push(difference),
        }
    }
    assert!(differences.is_empty(), "seed {}: {}", scale.seed, differences.join("\n"));
    let seen = watch::look(&scene.target, seen).await;
    assert!(seen.transfers > 0 && written.committed > 0, "the load did nothing: {written:?}");
    let log = daemon.log();
    for bad in ["was not as the stream implies", "panicked", "ended abnormally"] {
        let found = log.lines().find(|line| line.contains(bad));
        assert_eq!(found, None, "seed {}", scale.seed);
    }
    Report { written, shapes, seen, rows, drained }
}

/// Panics when the source keeps changes of a transaction that it has logged as ended (see `xa.rs`): what is compared then is the
/// source with itself.
async fn assert_nothing_forgotten(server: &Mysql, origin: Origin) {
    if origin != Origin::MariaDb {
        return;
    }
    let forgotten = "SELECT trx_id, trx_started, trx_rows_modified FROM information_schema.innodb_trx \
         WHERE trx_mysql_thread_id = 0 AND trx_rows_modified > 0";
    let forgotten = server.sql(forgotten).await;
    assert!(forgotten.is_empty(), "MariaDB has logged these as ended and not ended them: {forgotten:?}");
}
