//! Upkeep of the target tables while their task follows the stream: ANALYZE after the copy, VACUUM by the policy, sizes for
//! the status. On a session of its own, outside of every transaction with rows.
//!
//! Sequence: what is on record → every few seconds a look at the counters → what is due, one table after the other.
//!
//! What must never happen here: the stream stopped by a failure; one is told, and tried again later.

use super::context::Context;
use super::progress::TaskProgress;
use crate::change::TargetName;
use crate::config::types::{VacuumConfig, VacuumMode};
use crate::sink::store::Done;
use crate::sink::upkeep::{self, Size};
use crate::sink::{Owner, Session, SinkError};
use crate::status::now;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

/// Between two looks at the counters.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Between two measurements of all sizes.
const MEASURE_EVERY: Duration = Duration::from_secs(60);
/// After a failure, for all that is due.
const PAUSE: Duration = Duration::from_secs(60);

/// Keeps up target tables for as long as it is polled.
pub(super) async fn run(context: Context, owner: Arc<Owner>) {
    let mut upkeep = TaskUpkeep {
        policy: context.task().vacuum,
        context,
        owner,
        targets: BTreeSet::new(),
        measured: None,
        sizes: BTreeMap::new(),
        counted: BTreeMap::new(),
        foreign: BTreeSet::new(),
        enabled: false,
    };
    let mut session = None;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Err(error) = upkeep.look(&mut session).await {
            tracing::warn!(task = upkeep.context.name, %error, "upkeep of target tables failed; trying again later");
            session = None;
            looks.reset_after(PAUSE);
        }
    }
}

/// The upkeep of a task's target tables.
struct TaskUpkeep {
    context: Context,
    owner: Arc<Owner>,
    policy: VacuumConfig,
    targets: BTreeSet<TargetName>,
    measured: Option<Instant>,
    sizes: BTreeMap<TargetName, Size>,
    /// Dead rows as last recorded.
    counted: BTreeMap<TargetName, u64>,
    /// Tables of others, whose upkeep is not this user's.
    foreign: BTreeSet<TargetName>,
    /// The policy holds on this target.
    enabled: bool,
}

/// What is to be done for a table.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    analyze: bool,
    vacuum: bool,
    /// The dead rows are many more than on record.
    count: bool,
}

impl TaskUpkeep {
    async fn look(&mut self, session: &mut Option<Session>) -> Result<(), SinkError> {
        // Tables come and go while the task runs.
        let targets = self.context.progress.ask(TaskProgress::targets);
        let came = targets.iter().any(|target| !self.targets.contains(target));
        self.targets.retain(|target| targets.contains(target));
        let measuring = came || self.measured.is_none_or(|at| at.elapsed() > MEASURE_EVERY);
        if !measuring && !self.targets.iter().any(|target| self.due(target).is_some()) {
            return Ok(());
        }
        let session = match session {
            Some(open) if !open.is_closed() => open,
            other => other.insert(self.open().await?),
        };
        if came {
            self.load(session, &targets).await?;
            self.targets = targets;
        }
        if measuring {
            let targets: Vec<TargetName> = self.targets.iter().cloned().collect();
            self.measure(session, &targets).await?;
            self.measured = Some(Instant::now());
        }
        for target in self.targets.clone() {
            let Some(due) = self.due(&target) else { continue };
            self.act(session, &target, due).await?;
        }
        Ok(())
    }

    /// A registered session.
    async fn open(&mut self) -> Result<Session, SinkError> {
        let name = format!("rowferry/{}/upkeep", self.context.name);
        let session = upkeep::open(self.context.target(), &name).await?;
        self.owner.register(&session, "upkeep").await?;
        self.enabled = match self.policy.mode {
            VacuumMode::Auto => session.dialect().distributed,
            VacuumMode::On => true,
            VacuumMode::Off => false,
        };
        Ok(session)
    }

    /// Takes in what is on record of the tables.
    async fn load(&mut self, session: &Session, targets: &BTreeSet<TargetName>) -> Result<(), SinkError> {
        let records = self.owner.store().upkeep(session).await?;
        for target in targets {
            let record = records.get(target).cloned().unwrap_or_default();
            self.counted.entry(target.clone()).or_insert(record.dead_rows);
            self.context.progress.step(|progress, _| progress.loads(target, &record));
        }
        Ok(())
    }

    async fn measure(&mut self, session: &Session, targets: &[TargetName]) -> Result<(), SinkError> {
        for (target, size) in upkeep::sizes(session, targets).await? {
            self.context.progress.step(|progress, now| progress.measures(&target, size.bytes, now));
            self.sizes.insert(target, size);
        }
        Ok(())
    }

    /// What a table wants now; `None` for nothing, or when it is not known well enough.
    fn due(&self, target: &TargetName) -> Option<Due> {
        let size = self.sizes.get(target)?;
        let (copied, upkeep) = self
            .context
            .progress
            .ask(|progress| Some((progress.is_copied(target), progress.upkeep(target)?.clone())))?;
        let enough = self.enough(size.rows);
        let open = self.policy.window.is_none_or(|window| window.contains(now().seconds()));
        let counted = self.counted.get(target).copied().unwrap_or(0);
        let ours = !self.foreign.contains(target);
        let due = Due {
            analyze: ours && copied && upkeep.analyzed == 0,
            vacuum: ours && self.enabled && open && upkeep.dead_rows >= enough,
            count: upkeep.dead_rows >= counted.saturating_add((enough / 4).max(1)),
        };
        (due.analyze || due.vacuum || due.count).then_some(due)
    }

    /// Dead rows from which a table of so many rows is vacuumed.
    #[allow(clippy::as_conversions, clippy::cast_precision_loss)] // an estimate of rows
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of it, from 0 up
    fn enough(&self, rows: u64) -> u64 {
        ((rows as f64 * self.policy.threshold) as u64).max(self.policy.min_rows)
    }

    async fn act(&mut self, session: &Session, target: &TargetName, due: Due) -> Result<(), SinkError> {
        let progress = self.context.progress.clone();
        let store = self.owner.store();
        let only = std::slice::from_ref(target);
        // The server would only warn, and nothing would be done.
        if (due.analyze || due.vacuum) && !upkeep::is_allowed(session, target).await? {
            let task = &self.context.name;
            tracing::info!(task, table = %target, "another role owns the table: ANALYZE and VACUUM are left to it");
            self.foreign.insert(target.clone());
            return Ok(());
        }
        if due.analyze {
            if !self.done(target, "ANALYZE", upkeep::analyze(session, target).await)? {
                return Ok(());
            }
            self.measure(session, only).await?;
            let bytes = self.sizes.get(target).map_or(0, |size| size.bytes);
            store.record_upkeep(session, target, Done::Analyze, bytes, 0).await?;
            progress.step(|progress, now| progress.analyzes(target, bytes, now));
        }
        let dead = progress.ask(|progress| progress.upkeep(target).map_or(0, |upkeep| upkeep.dead_rows));
        if due.vacuum {
            if !self.done(target, "VACUUM", upkeep::vacuum(session, target).await)? {
                return Ok(());
            }
            self.measure(session, only).await?;
            // Rows that have died meanwhile are left for the next time.
            let left = progress.step(|progress, now| progress.vacuums(target, dead, now));
            let bytes = self.sizes.get(target).map_or(0, |size| size.bytes);
            tracing::info!(task = self.context.name, table = %target, dead, bytes, "vacuumed");
            store.record_upkeep(session, target, Done::Vacuum, bytes, left).await?;
            self.counted.insert(target.clone(), left);
        } else if due.count {
            let bytes = self.sizes.get(target).map_or(0, |size| size.bytes);
            store.record_upkeep(session, target, Done::Counted, bytes, dead).await?;
            self.counted.insert(target.clone(), dead);
        }
        Ok(())
    }

    /// Whether a command was carried out. A lock that others hold is waited for later; the stream may hold it for long.
    fn done(
        &self,
        target: &TargetName,
        what: &str,
        result: Result<(), SinkError>,
    ) -> Result<bool, SinkError> {
        match result {
            Ok(()) => Ok(true),
            Err(error) if error.is_locked_out() => {
                tracing::debug!(task = self.context.name, table = %target, what, "the table is locked; later");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
