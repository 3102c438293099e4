//! What is counted and told stays so over restarts.

use super::Applying;
use crate::sink::SinkError;
use crate::sink::apply::Outcome;
use crate::task::progress::TaskProgress;
use std::time::{Duration, Instant};

/// How often it is put on record that statements were passed over.
const EVERY: Duration = Duration::from_secs(10);

impl Applying {
    /// Records, in the open transaction, rows that were not as the stream implies.
    pub(super) async fn record_drift(&self, outcomes: &[Outcome]) -> Result<(), SinkError> {
        let tables = outcomes.iter().flat_map(|outcome| &outcome.tables);
        for table in tables.filter(|table| !table.drift.is_none()) {
            let rows = table.drift.missing.saturating_add(table.drift.existing);
            let example = table.drift.example.as_deref();
            self.store.add_drift(&self.session, &table.target, rows, example).await?;
        }
        Ok(())
    }

    /// Records how many statements were passed over, now and then. Must not run inside a transaction. Where it cannot be it is told, and
    /// tried again.
    pub(super) async fn record_statements_passed(&mut self) {
        if self.context.is_aside() || self.passed_recorded.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        let passed = self.context.progress.ask_status(|status| status.statements_passed);
        if let more @ 1.. = passed.saturating_sub(self.memory.statements_recorded()) {
            match self.store.add_passed(&self.session, more).await {
                Ok(()) => self.memory.records_statements(passed),
                Err(error) => tracing::warn!(task = self.context.name, %error, "a count is not on record"),
            }
        }
        self.passed_recorded = Some(Instant::now());
    }

    /// Tells what has become durable of it.
    pub(super) fn count(&self, outcome: &Outcome) {
        let applies = |progress: &mut TaskProgress, _| {
            for table in &outcome.tables {
                let rows = table.counts.inserts + table.counts.updates + table.counts.deletes;
                progress.applies(&table.target, rows, table.dead);
            }
        };
        self.context.progress.step_and_tell(applies, |task| {
            for table in &outcome.tables {
                let target = table.target.to_string();
                if !table.drift.is_none() {
                    tracing::warn!(
                        task = self.context.name,
                        table = target,
                        missing = table.drift.missing,
                        existing = table.drift.existing,
                        example = table.drift.example,
                        "the target was not as the stream implies; it is right now"
                    );
                }
                let Some(status) = task.tables.values_mut().find(|status| status.target == target) else {
                    continue;
                };
                status.inserts += table.counts.inserts;
                status.updates += table.counts.updates;
                status.deletes += table.counts.deletes;
                if !table.drift.is_none() {
                    status.drift += table.drift.missing + table.drift.existing;
                    status.drift_example.clone_from(&table.drift.example);
                }
            }
        });
    }
}
