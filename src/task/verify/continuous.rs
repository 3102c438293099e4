//! Comparing a task's tables for ever, at a low rate, beside its stream.
//!
//! Sequence: what is on record of comparisons → the table whose last one is the longest ago → its verdict on record and in the status →
//! the next.
//!
//! What must never happen here: the stream stopped by a failure; one is told, and tried again later.

use super::super::TaskError;
use super::super::context::Context;
use super::begun::Begun;
use super::{Verifier, Verifying};
use crate::change::TableName;
use crate::change::state::TableState;
use crate::change::status::{Phase, Verified};
use crate::change::verdict::{Outcome, TableVerdict};
use crate::config::types::VerifyConfig;
use crate::sink::store;
use crate::status::now;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks whether a table's turn has come: at least and at most.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// After a failure.
const PAUSE: Duration = Duration::from_secs(30);
/// Keys of a table that the log names.
const LISTED: usize = 20;
/// After so many comparisons their records are vacuumed, where nothing else does it.
const VACUUM_EVERY: u32 = 100;

/// Compares tables for as long as it is polled.
pub async fn run(context: Context, config: VerifyConfig) {
    let mut comparing = Comparing { context, config, verifier: None, done: 0 };
    let mut failed = None;
    let mut rest = LOOK_EVERY.0;
    comparing.context.progress.tell(|task| task.comparing = None);
    loop {
        tokio::time::sleep(rest).await;
        rest = LOOK_EVERY.0;
        if !comparing.context.progress.ask(|progress| *progress.phase() == Phase::Synchronizing) {
            continue;
        }
        match Box::pin(comparing.look()).await {
            Ok(until_next) => (failed, rest) = (None, until_next.clamp(LOOK_EVERY.0, LOOK_EVERY.1)),
            Err(error) => {
                // The same again and again is said once.
                let words = error.to_string();
                if failed.as_ref() != Some(&words) {
                    let task = &comparing.context.name;
                    tracing::warn!(task, %error, "a table cannot be compared; trying again later");
                }
                failed = Some(words);
                comparing.verifier = None;
                comparing.context.progress.tell(|task| task.comparing = None);
                rest = PAUSE;
            }
        }
    }
}

struct Comparing {
    context: Context,
    config: VerifyConfig,
    verifier: Option<Verifier>,
    done: u32,
}

impl Comparing {
    /// Compares the table whose turn has come, if one's has. Answers with how long it is until the next one's.
    async fn look(&mut self) -> Result<Duration, TaskError> {
        let context = &self.context;
        let verifier = match &mut self.verifier {
            Some(verifier) => verifier,
            none => {
                let verifying = Verifying {
                    tables: Vec::new(),
                    repair: self.config.repair,
                    rows_per_second: self.config.rows_per_second,
                    listed: LISTED,
                };
                let opened = Verifier::open(context.clone(), &verifying).await?;
                let known = store::verified(&opened.records, &context.name).await?;
                let begun = store::begun(&opened.records, &context.name).await?;
                context.progress.tell(|task| {
                    task.verified = known;
                    // What an earlier start has begun has had its turn.
                    for (table, begun) in
                        begun.iter().filter_map(|(table, record)| Some((table, Begun::of(record)?)))
                    {
                        let tried = task.tried.entry(table.clone()).or_default();
                        *tried = begun.at.max(*tried);
                    }
                });
                none.insert(opened)
            }
        };
        let stored = verifier.stored().await?;
        let names: BTreeMap<String, &TableName> = stored
            .tables
            .iter()
            .filter(|(_, table)| table.state == TableState::Streaming)
            .map(|(name, _)| (name.to_string(), name))
            .collect();
        let next = context.progress.ask_status(|task| {
            // What is carried no more is not spoken of any more.
            task.verified.retain(|name, _| names.contains_key(name));
            task.tried.retain(|name, _| names.contains_key(name));
            let last = |name: &String| {
                let at = task.verified.get(name).map_or(0, |verified| verified.at);
                task.tried.get(name).map_or(at, |tried| at.max(*tried))
            };
            let next =
                names.iter().map(|(name, table)| (last(name), name, *table)).min_by_key(|(last, ..)| *last);
            next.map(|(last, name, table)| (last, table.clone(), task.verified.get(name).cloned()))
        });
        let Some((last, table, before)) = next else { return Ok(LOOK_EVERY.1) };
        let left = self.config.pause.as_secs().saturating_sub(now().seconds_since(last));
        if last > 0 && left > 0 {
            // Others may want the connections.
            verifier.hands = None;
            return Ok(Duration::from_secs(left));
        }
        context.progress.tell(|task| {
            task.comparing = Some(table.to_string());
            task.tried.insert(table.to_string(), now().seconds());
        });
        verifier.keeps_since = Some(before.as_ref().map_or(0, |verified| verified.at));
        let verdict = verifier.table(&table).await?;
        if verdict.outcome == Outcome::NotCompared {
            let why = verdict.why.as_deref().unwrap_or_default();
            tracing::info!(task = context.name, %table, why, "a table was not compared");
        }
        let verified = verified(&verdict, before.as_ref());
        context.progress.tell(|task| {
            task.comparing = None;
            task.verified.insert(table.to_string(), verified.clone());
        });
        store::record_verified(&verifier.records, &context.name, &table, &verified).await?;
        store::forget_begun(&verifier.records, &context.name, &table).await?;
        self.done += 1;
        if self.done.is_multiple_of(VACUUM_EVERY) {
            store::vacuum_verified(&verifier.records, &context.name).await?;
        }
        Ok(Duration::ZERO)
    }
}

/// What is told of a verdict, after what was told before.
fn verified(verdict: &TableVerdict, before: Option<&Verified>) -> Verified {
    let ever = |ever: fn(&Verified) -> u64, now: u64| before.map_or(0, ever).saturating_add(now);
    Verified {
        at: now().seconds(),
        outcome: verdict.outcome,
        rows: verdict.rows,
        differences: verdict.differences(),
        undecided: verdict.undecided,
        differences_ever: ever(|before| before.differences_ever, verdict.differences()),
        repaired_ever: ever(|before| before.repaired_ever, verdict.repaired),
        position: verdict.position.clone(),
    }
}
