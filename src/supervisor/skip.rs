//! A task that has failed at one transaction of its source's log is told to pass over it.
//!
//! What must never happen here: a task stopped that runs.

use super::Supervisor;
use super::commands::{Lines, PATIENCE, known, outcome, refused};
use crate::change::command::{Failure, Reason};
use crate::change::status::Phase;
use crate::change::{TableName, TransactionName};
use crate::task;

impl Supervisor {
    /// Has a task pass over the transaction that it has failed at. It is on record when this answers, and the task has been started again.
    pub(super) async fn skip(
        &self,
        name: &str,
        position: &TransactionName,
        table: Option<&TableName>,
    ) -> (Lines, Option<Failure>) {
        let mut state = match self.state().await {
            Ok(state) => state,
            Err(stopping) => return stopping,
        };
        let running = match known(&state, name) {
            Ok(running) => running,
            Err(unknown) => return unknown,
        };
        let config = running.config.clone();
        let stands = running.progress.ask_status(|status| status.stands.is_some());
        // Where it has not failed there may be what is on record from before.
        let refusal = running.progress.ask(|progress| match progress.phase() {
            Phase::Failed { .. } if stands => None,
            Phase::Failed { error, .. } => Some((
                format!("no transaction of the log is what task {name} has failed at: {error}"),
                Reason::Refused,
            )),
            Phase::Paused | Phase::Dropped | Phase::Stopped => None,
            phase => {
                let passes = matches!(phase, Phase::Retrying { .. } | Phase::Prechecking);
                let reason = if passes { Reason::Temporary } else { Reason::Refused };
                let phase = phase.name();
                Some((format!("task {name} is {phase}, and stands at no transaction of the log"), reason))
            }
        });
        if let Some((why, reason)) = refusal {
            return refused(format!("nothing is passed over: {why}"), reason);
        }
        let skipping = Box::pin(task::skip(name, &config, position, table));
        let skipped = tokio::time::timeout(PATIENCE, skipping).await;
        if !matches!(skipped, Ok(Err(_))) {
            // What is on record decides what becomes of it.
            self.end(&mut state, name).await;
            self.begin(&mut state, name, &config);
        }
        outcome(name, skipped.map(|done| done.map(|line| vec![line])))
    }
}
