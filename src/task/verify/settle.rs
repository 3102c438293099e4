//! What becomes of keys that differ: most were only on their way.

use super::super::TaskError;
use super::super::prepare::transaction;
use super::walk::{Walk, stage};
use super::{Hands, LOCK_WAIT_SECONDS};
use crate::change::state::CatchUpTarget;
use crate::change::verdict::DifferingKey;
use crate::sink::apply::Scope;
use crate::sink::store;
use crate::source::SourceError;
use crate::source::snapshot::lookup::Hold;
use std::time::{Duration, Instant};

/// Keys that are looked at together, and held together.
const TOGETHER: usize = 200;
/// Pause between two looks at the checkpoint.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A checkpoint that has not moved for so long has nobody who moves it.
const STANDS_STILL: Duration = Duration::from_secs(60);
/// How long rows are held at the source.
const HELD: Duration = Duration::from_secs(6);
/// How often a key is held before it is left open.
const ATTEMPTS: u32 = 3;

/// What holding keys has come to.
enum Held {
    /// These differ, and so many of them are put right.
    Differ(Vec<DifferingKey>, u64),
    /// Somebody else has them, or the stream did not come so far in time.
    InVain,
}

impl Walk<'_> {
    /// Looks again at keys that differ, counts those that do so for good, and puts them right where that is wanted.
    pub(super) async fn settle(&mut self, mut found: Vec<DifferingKey>) -> Result<(), TaskError> {
        found.retain(|found| self.compared.counts(found.difference));
        for batch in found.chunks(TOGETHER) {
            let mut open = vec![self.again(batch.to_vec()).await?];
            let mut attempts = 0;
            while let Some(keys) = open.pop() {
                if keys.is_empty() {
                    continue;
                }
                match self.held(&keys).await? {
                    Held::Differ(differ, repaired) => {
                        self.verdict.repaired += repaired;
                        for found in differ {
                            self.verdict.differs(found, self.verifier.listed);
                        }
                    }
                    // One of them may be what somebody has locked.
                    Held::InVain if keys.len() > 1 => {
                        let (first, second) = keys.split_at(keys.len() / 2);
                        open.extend([first.to_vec(), second.to_vec()]);
                    }
                    Held::InVain if attempts < ATTEMPTS => {
                        attempts += 1;
                        let left = self.again(keys).await?;
                        open.push(left);
                    }
                    Held::InVain => self.verdict.undecided += 1,
                }
            }
        }
        Ok(())
    }

    /// Those of the keys that still differ when the stream has passed what they were read at.
    async fn again(&mut self, keys: Vec<DifferingKey>) -> Result<Vec<DifferingKey>, TaskError> {
        if keys.is_empty() {
            return Ok(keys);
        }
        let sql = self.query(&keys, Hold::Nothing)?;
        let Hands { wire, session, applier, server } = &mut *self.hands;
        transaction(session, "BEGIN").await?;
        let mut comparison =
            applier.comparison(session, self.compared.plan.layout(), self.compared.tag.clone()).await?;
        if let Some(sql) = &sql {
            stage(wire, self.compared, sql, &mut comparison).await?;
        }
        let end = server.log_end().await?;
        self.verifier.passes(&end, None).await?;
        let only: Vec<Vec<String>> = keys.into_iter().map(|found| found.key).collect();
        let mut found = comparison.differing(Scope::Keys(&only), only.len()).await?;
        transaction(session, "COMMIT").await?;
        found.retain(|found| self.compared.counts(found.difference));
        Ok(found)
    }

    /// Holds keys at the source until the stream has passed all that is about them.
    async fn held(&mut self, keys: &[DifferingKey]) -> Result<Held, TaskError> {
        let begun = Instant::now();
        let sql = self.query(keys, Hold::Rows)?;
        let Hands { wire, session, applier, server } = &mut *self.hands;
        let only: Vec<Vec<String>> = keys.iter().map(|found| found.key.clone()).collect();
        transaction(session, "BEGIN").await?;
        let mut comparison =
            applier.comparison(session, self.compared.plan.layout(), self.compared.tag.clone()).await?;
        wire.execute("START TRANSACTION READ ONLY").await?;
        let mut found = Vec::new();
        // An engine without row locks holds nothing: what is twice the same has probably not changed.
        for round in 0..2 {
            let staged = match &sql {
                Some(sql) => stage(wire, self.compared, sql, &mut comparison).await,
                None => Ok(0),
            };
            match staged {
                Ok(_) => {}
                Err(TaskError::Source(error)) if is_locked(&error) => {
                    wire.execute("ROLLBACK").await?;
                    transaction(session, "ROLLBACK").await?;
                    return Ok(Held::InVain);
                }
                Err(error) => return Err(error),
            }
            if round == 0 {
                let end = server.log_end().await?;
                if !self.verifier.passes(&end, Some(begun + HELD)).await? {
                    wire.execute("ROLLBACK").await?;
                    transaction(session, "ROLLBACK").await?;
                    return Ok(Held::InVain);
                }
            }
            found = comparison.differing(Scope::Keys(&only), only.len()).await?;
            found.retain(|found| self.compared.counts(found.difference));
            if found.is_empty() {
                break;
            }
            if round == 0 {
                comparison.restart().await?;
            }
        }
        let mut repaired = 0;
        if self.verifier.repair && !found.is_empty() {
            let stored = store::peek(&self.verifier.records, &self.verifier.context.name).await?;
            if !self.compared.is_still(stored.as_ref(), &self.compared.table.name) {
                return Err(TaskError::CopyAgain {
                    table: self.compared.table.name.clone(),
                    why: "it is carried in another way by now".to_owned(),
                });
            }
            let wrong: Vec<Vec<String>> = found.iter().map(|found| found.key.clone()).collect();
            let done = comparison.repair(&wrong).await?;
            repaired = done.inserted + done.updated + done.deleted;
        }
        transaction(session, "COMMIT").await?;
        wire.execute("ROLLBACK").await?;
        for found in &found {
            tracing::warn!(
                task = self.verifier.context.name,
                table = %self.compared.table.name,
                difference = %found.difference,
                key = found.key.join(", "),
                repaired = repaired > 0,
                "source and target differ"
            );
        }
        Ok(Held::Differ(found, repaired))
    }

    /// The query for the source's rows of these keys; `None` where none can be a key of the source: the target alone has them.
    fn query(&self, keys: &[DifferingKey], hold: Hold) -> Result<Option<String>, TaskError> {
        let literals: Vec<_> = keys.iter().filter_map(|found| self.compared.literals(found)).collect();
        if literals.is_empty() {
            return Ok(None);
        }
        let missing = || TaskError::missing(format!("a way to ask for rows of {}", self.compared.table.name));
        self.compared.query_of(&literals, hold).map(Some).ok_or_else(missing)
    }
}

impl super::Verifier {
    /// Waits until the stream has passed a place: for as long as its checkpoint moves, or until a moment.
    ///
    /// # Errors
    /// [`TaskError::Overdue`] when the checkpoint stands still before it.
    async fn passes(&self, end: &CatchUpTarget, until: Option<Instant>) -> Result<bool, TaskError> {
        let (mut seen, mut moved) = (None, Instant::now());
        loop {
            let checkpoint = store::checkpoint(&self.records, &self.context.name).await?;
            let position = checkpoint.map(|checkpoint| checkpoint.position);
            if position
                .as_ref()
                .is_some_and(|position| position.server == end.server && end.is_reached(position))
            {
                return Ok(true);
            }
            let now = Instant::now();
            if until.is_some_and(|until| now >= until) {
                return Ok(false);
            }
            if position != seen {
                (seen, moved) = (position, now);
            } else if now.duration_since(moved) >= STANDS_STILL {
                let what = format!(
                    "the checkpoint of task {} to pass {}: does its stream run?",
                    self.context.name, end.file
                );
                return Err(TaskError::Overdue { what, seconds: STANDS_STILL.as_secs() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Whether somebody else holds a row.
fn is_locked(error: &SourceError) -> bool {
    const TIMEOUT: u16 = 1205;
    const DEADLOCK: u16 = 1213;
    matches!(error.code(), Some(TIMEOUT | DEADLOCK))
}

const _: () = assert!(LOCK_WAIT_SECONDS < HELD.as_secs());
