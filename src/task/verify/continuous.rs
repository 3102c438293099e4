//! Comparing a task's tables for ever, at a low rate, beside its stream.
//!
//! Sequence: what is on record of comparisons → the table whose last one is the longest ago → its verdict on record and in the status →
//! the next.
//!
//! What must never happen here: the stream stopped by a failure; one is told, and tried again later.

use super::super::TaskError;
use super::super::context::Context;
use super::{Verifier, Verifying};
use crate::change::TableName;
use crate::change::state::TableState;
use crate::change::status::{Phase, Verified};
use crate::change::verdict::{Outcome, TableVerdict};
use crate::config::types::VerifyConfig;
use crate::sink::Owner;
use crate::sink::store;
use crate::status::now;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks whether a table's turn has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(30);
/// Keys of a table that the log names.
const LISTED: usize = 20;

/// Compares tables for as long as it is polled.
pub async fn run(context: Context, owner: Arc<Owner>, config: VerifyConfig) {
    let mut verifier = None;
    let mut failed = None;
    loop {
        tokio::time::sleep(if failed.is_some() { PAUSE } else { LOOK_EVERY }).await;
        if !context.progress.ask(|progress| *progress.phase() == Phase::Synchronizing) {
            continue;
        }
        match look(&context, &owner, config, &mut verifier).await {
            Ok(()) => failed = None,
            Err(error) => {
                // The same again and again is said once.
                let words = error.to_string();
                if failed.as_ref() != Some(&words) {
                    tracing::warn!(task = context.name, %error, "tables cannot be compared; trying again later");
                }
                failed = Some(words);
                verifier = None;
                context.progress.tell(|task| task.comparing = None);
            }
        }
    }
}

/// Compares the table whose turn has come, if one's has.
async fn look(
    context: &Context,
    owner: &Arc<Owner>,
    config: VerifyConfig,
    verifier: &mut Option<Verifier>,
) -> Result<(), TaskError> {
    let verifier = match verifier {
        Some(verifier) => verifier,
        none => {
            let verifying = Verifying {
                tables: Vec::new(),
                repair: config.repair,
                rows_per_second: config.rows_per_second,
                listed: LISTED,
            };
            let opened = Verifier::open(context.clone(), &verifying, Some(owner.clone())).await?;
            let known = store::verified(&opened.records, &context.name).await?;
            context.progress.tell(|task| task.verified = known);
            none.insert(opened)
        }
    };
    let Some((table, before)) = due(context, verifier, config.pause).await? else { return Ok(()) };
    context.progress.tell(|task| task.comparing = Some(table.to_string()));
    let verdict = verifier.table(&table).await?;
    if verdict.outcome == Outcome::NotCompared {
        let why = verdict.why.as_deref().unwrap_or_default();
        tracing::info!(task = context.name, %table, why, "a table was not compared");
    }
    let verified = verified(&verdict, before.as_ref());
    store::record_verified(&verifier.records, &context.name, &table, &verified).await?;
    context.progress.tell(|task| {
        task.comparing = None;
        task.verified.insert(table.to_string(), verified);
    });
    Ok(())
}

/// The streaming table that was never compared, or the longest ago, and what is known of that.
async fn due(
    context: &Context,
    verifier: &mut Verifier,
    pause: Duration,
) -> Result<Option<(TableName, Option<Verified>)>, TaskError> {
    let stored = verifier.stored().await?;
    let streaming: Vec<&TableName> = stored
        .tables
        .iter()
        .filter(|(_, table)| table.state == TableState::Streaming)
        .map(|(name, _)| name)
        .collect();
    let mut known = std::collections::BTreeMap::new();
    context.progress.tell(|task| {
        // What is carried no more is not spoken of any more.
        task.verified.retain(|name, _| stored.tables.keys().any(|table| table.to_string() == *name));
        known.clone_from(&task.verified);
    });
    let at = |table: &TableName| known.get(&table.to_string()).map_or(0, |verified| verified.at);
    let Some(table) = streaming.into_iter().min_by_key(|table| at(table)) else { return Ok(None) };
    if at(table) > 0 && now().seconds_since(at(table)) < pause.as_secs() {
        return Ok(None);
    }
    Ok(Some((table.clone(), known.remove(&table.to_string()))))
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
