//! What becomes of keys that differ: most were only on their way.

use super::super::TaskError;
use super::super::prepare::transaction;
use super::compared::Compared;
use super::walk::{Read, Walk, opened, read, set_apart, stage_all};
use super::{Hands, LOCK_WAIT_SECONDS};
use crate::change::state::CatchUpTarget;
use crate::change::verdict::{Difference, DifferingKey};
use crate::sink::apply::{Repaired, Scope};
use crate::sink::store;
use crate::source::SourceError;
use crate::source::snapshot::lookup::Hold;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Keys that are looked at together, and held together.
const TOGETHER: usize = 100;
/// Pause between two looks at the checkpoint.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A checkpoint that has not moved for so long has nobody who moves it.
const STANDS_STILL: Duration = Duration::from_secs(60);
/// For how long the stream may be on its way to what is held at the source. Over traffic that selects nothing its checkpoint moves once a
/// second.
const HELD: Duration = Duration::from_secs(10);
/// After so long rows are let go of, whatever is still to be done.
const HELD_IN_ALL: Duration = Duration::from_secs(15);
/// How often keys are held before they are left open.
const ATTEMPTS: u32 = 4;
/// After the first of them; the others wait longer.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

/// What holding keys has come to.
enum Held {
    /// These differ, and so many of them are put right.
    Differ(Vec<DifferingKey>, Repaired),
    /// Somebody else has one of them.
    Locked,
    /// The stream, or the target, takes too long.
    Late,
}

/// Keys that still differ, and how long the stream took to where they were read at.
struct Again {
    keys: Vec<DifferingKey>,
    passed_in: Duration,
}

impl Walk<'_> {
    /// Looks again at keys that differ, counts those that do so for good, and puts them right where that is wanted.
    pub(super) async fn settle(&mut self, mut found: Vec<DifferingKey>) -> Result<(), TaskError> {
        found.retain(|found| self.compared.counts(found.difference));
        for batch in found.chunks(TOGETHER) {
            let mut open = vec![(batch.to_vec(), 0)];
            while let Some((keys, attempts)) = open.pop() {
                let Again { keys, passed_in } = match self.again(keys.clone()).await {
                    Ok(again) => again,
                    // Of a key that the source does not take for one of the column it says so, for all that it was asked of.
                    Err(TaskError::Source(error)) if is_no_value(&error) => {
                        self.open_hands().await?;
                        if let [_] = keys.as_slice() {
                            let end = opened(self.hands)?.server.log_end().await?;
                            self.verifier.passes(&end, None).await?;
                            for found in self.differing(keys, &Read::default()).await? {
                                self.strange(found);
                            }
                        } else {
                            open.extend(keys.into_iter().map(|key| (vec![key], attempts)));
                        }
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                if keys.is_empty() {
                    continue;
                }
                if attempts >= ATTEMPTS || !self.compared.is_transactional {
                    self.verdict.undecided += u64::try_from(keys.len()).unwrap_or(u64::MAX);
                    continue;
                }
                // Rows are not held for a stream that is known to take longer.
                let held = if passed_in > HELD / 2 { Held::Late } else { self.held_in_time(&keys).await? };
                match held {
                    Held::Differ(differ, repaired) => {
                        self.verdict.repaired += repaired.inserted + repaired.updated + repaired.deleted;
                        for found in differ {
                            self.tell(&found);
                            self.verdict.differs(found, self.verifier.listed);
                        }
                    }
                    Held::Locked if keys.len() > 1 => {
                        let (first, second) = keys.split_at(keys.len() / 2);
                        open.extend([(first.to_vec(), attempts), (second.to_vec(), attempts)]);
                    }
                    Held::Locked | Held::Late => {
                        tokio::time::sleep(BETWEEN_ATTEMPTS * 3_u32.pow(attempts)).await;
                        open.push((keys, attempts + 1));
                    }
                }
            }
        }
        Ok(())
    }

    /// A key that can be none of the source's: the row is not put right, for it is not known what it is.
    fn strange(&mut self, found: DifferingKey) {
        if found.difference == Difference::Extra {
            self.tell(&found);
            self.verdict.differs(found, self.verifier.listed);
        } else {
            self.verdict.undecided += 1;
        }
    }

    fn tell(&self, found: &DifferingKey) {
        if self.verdict.keys.len() < self.verifier.listed {
            let (task, table, difference) =
                (&self.verifier.context.name, &self.compared.table.name, found.difference);
            let key = found.key.join(", ");
            tracing::warn!(task, %table, %difference, key, "source and target differ");
        }
    }

    /// Those of the keys that still differ when the stream has passed what they were read at.
    async fn again(&mut self, keys: Vec<DifferingKey>) -> Result<Again, TaskError> {
        let sql = self.query(&keys, Hold::Nothing)?;
        let rows = match &sql {
            Some(sql) => read(&mut opened(self.hands)?.wire, self.compared, sql).await?,
            None => Read::default(),
        };
        let end = opened(self.hands)?.server.log_end().await?;
        let begun = Instant::now();
        self.verifier.passes(&end, None).await?;
        let passed_in = begun.elapsed();
        let keys = self.differing(keys, &rows).await?;
        Ok(Again { keys, passed_in })
    }

    /// Those of the keys that differ as source and target are read: they may be on their way.
    pub(super) async fn at_first_sight(
        &mut self,
        keys: Vec<DifferingKey>,
    ) -> Result<Vec<DifferingKey>, TaskError> {
        let rows = match self.query(&keys, Hold::Nothing)? {
            Some(sql) => match read(&mut opened(self.hands)?.wire, self.compared, &sql).await {
                Ok(rows) => rows,
                // It is found out one by one for which.
                Err(TaskError::Source(error)) if is_no_value(&error) => {
                    self.open_hands().await?;
                    return Ok(keys);
                }
                Err(error) => return Err(error),
            },
            None => Read::default(),
        };
        self.differing(keys, &rows).await
    }

    /// Those of the keys that differ between rows that were read and the target.
    async fn differing(
        &mut self,
        keys: Vec<DifferingKey>,
        rows: &Read,
    ) -> Result<Vec<DifferingKey>, TaskError> {
        let quarantined = self.verifier.quarantined(self.compared).await?;
        let Hands { session, applier, .. } = opened(self.hands)?;
        let only: Vec<Vec<String>> = keys.into_iter().map(|found| found.key).collect();
        transaction(session, "BEGIN").await?;
        let mut comparison =
            applier.comparison(session, self.compared.plan.layout(), self.compared.tag.clone()).await?;
        let withheld = stage_all(&mut comparison, rows, &quarantined).await?;
        let mut found = comparison.differing(Scope::Keys(&only), &self.compared.ignored, only.len()).await?;
        set_apart(&comparison, self.compared, &mut found, &withheld, Some(&only)).await?;
        transaction(session, "COMMIT").await?;
        Ok(found)
    }

    /// As [`Self::held`], and whatever hangs: the rows are let go of in time.
    async fn held_in_time(&mut self, keys: &[DifferingKey]) -> Result<Held, TaskError> {
        match tokio::time::timeout(HELD_IN_ALL, Box::pin(self.held(keys))).await {
            Ok(Ok(held @ (Held::Differ(..) | Held::Locked))) => Ok(held),
            Ok(Err(TaskError::Source(error))) if is_locked(&error) => {
                self.open_hands().await?;
                Ok(Held::Locked)
            }
            // The target's own time limits: see HELD_AT_TARGET.
            Ok(Err(TaskError::Sink(error))) if error.is_locked_out() || error.is_out_of_time() => {
                self.open_hands().await?;
                Ok(Held::Late)
            }
            Ok(Ok(held)) => {
                self.open_hands().await?;
                Ok(held)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.open_hands().await?;
                Ok(Held::Late)
            }
        }
    }

    /// Holds keys at the source until the stream has passed all that is about them.
    async fn held(&mut self, keys: &[DifferingKey]) -> Result<Held, TaskError> {
        /// Of each statement, and of each wait for a lock.
        const HELD_AT_TARGET: &str = "SET LOCAL lock_timeout TO '1s'; SET LOCAL statement_timeout TO '5s'";
        let begun = Instant::now();
        let version = opened(self.hands)?.server.server_version();
        let Some(sql) = self.query(keys, Hold::Rows(version))? else {
            for found in keys {
                self.strange(found.clone());
            }
            return Ok(Held::Differ(Vec::new(), Repaired::default()));
        };
        let Hands { wire, session, applier, server, .. } = opened(self.hands)?;
        wire.execute("START TRANSACTION READ ONLY").await?;
        let rows = match read(wire, self.compared, &sql).await {
            Err(TaskError::Source(error)) if is_locked(&error) && wire.is_idle() => {
                wire.execute("ROLLBACK").await?;
                return Ok(Held::Locked);
            }
            rows => rows?,
        };
        let end = server.log_end().await?;
        if !self.verifier.passes(&end, Some(begun + HELD)).await? {
            return Ok(Held::Late);
        }
        // Nothing is on its way that could put these keys there, or take them out.
        let quarantined = self.verifier.quarantined(self.compared).await?;
        let only: Vec<Vec<String>> = keys.iter().map(|found| found.key.clone()).collect();
        transaction(session, "BEGIN").await?;
        let mut comparison =
            applier.comparison(session, self.compared.plan.layout(), self.compared.tag.clone()).await?;
        transaction(session, HELD_AT_TARGET).await?;
        let withheld = stage_all(&mut comparison, &rows, &quarantined).await?;
        let mut found = comparison.differing(Scope::Keys(&only), &self.compared.ignored, only.len()).await?;
        let apart = set_apart(&comparison, self.compared, &mut found, &withheld, Some(&only)).await?;
        let mut repaired = Repaired::default();
        if !found.is_empty() {
            let stored = store::peek(&self.verifier.records, &self.verifier.context.name).await?;
            if !self.compared.is_still(stored.as_ref(), &self.compared.table.name) {
                return Err(TaskError::CopyAgain {
                    table: self.compared.table.name.clone(),
                    why: "it is carried in another way by now, or not at all".to_owned(),
                });
            }
            // What the source has no literal for is held by nothing; a row that is not staged would be deleted.
            let wrong = found.iter().filter(|found| self.compared.literals(found).is_some());
            let wrong = wrong.filter(|found| !apart.contains(&found.key));
            let wrong: Vec<Vec<String>> = wrong.map(|found| found.key.clone()).collect();
            if self.verifier.repair && !wrong.is_empty() {
                repaired = comparison.repair(&wrong).await?;
                // A lock that was lost meanwhile (the transaction, the connection), or that was none, held nothing.
                if !are_same(&rows, &read(wire, self.compared, &sql).await?) {
                    return Ok(Held::Late);
                }
            }
        }
        transaction(session, "COMMIT").await?;
        wire.execute("ROLLBACK").await?;
        Ok(Held::Differ(found, repaired))
    }

    /// The query for the source's rows of these keys; `None` where none can be a key of the source: the target alone has them.
    fn query(&self, keys: &[DifferingKey], hold: Hold) -> Result<Option<String>, TaskError> {
        let mut literals = Vec::with_capacity(keys.len());
        for found in keys {
            match self.compared.literals(found) {
                Some(key) => literals.push(key),
                None if found.difference == Difference::Extra => {}
                None => {
                    let (table, key) = (&self.compared.table.name, found.key.join(", "));
                    return Err(TaskError::Internal(format!(
                        "{table}: no literal for key {key} of the source"
                    )));
                }
            }
        }
        if literals.is_empty() {
            return Ok(None);
        }
        let missing = || TaskError::missing(format!("a way to ask for rows of {}", self.compared.table.name));
        self.compared.query_of(&literals, hold).map(Some).ok_or_else(missing)
    }
}

impl super::Verifier {
    /// The keys of the table that are in quarantine now.
    pub(super) async fn quarantined(&self, compared: &Compared) -> Result<HashSet<Vec<u8>>, TaskError> {
        Ok(store::quarantined_keys_of(&self.records, &self.context.name, &compared.table.name).await?)
    }

    /// Waits until the stream has passed a place: for as long as its checkpoint moves, or until a moment.
    ///
    /// # Errors
    /// [`TaskError::Overdue`] when the checkpoint stands still before it.
    async fn passes(&self, end: &CatchUpTarget, until: Option<Instant>) -> Result<bool, TaskError> {
        let (mut seen, mut moved) = (None, Instant::now());
        loop {
            let checkpoint = store::checkpoint(&self.records, &self.context.name).await?;
            // In another server's files it moves, but never there.
            let position = checkpoint.map(|checkpoint| checkpoint.position);
            let position = position.filter(|position| position.server == end.server);
            if position.as_ref().is_some_and(|position| end.is_reached(position)) {
                return Ok(true);
            }
            let now = Instant::now();
            if until.is_some_and(|until| now >= until) {
                return Ok(false);
            }
            if position != seen {
                (seen, moved) = (position, now);
            } else if now.duration_since(moved) >= STANDS_STILL {
                let (task, place) = (&self.context.name, &end.file);
                let what = format!("the checkpoint of task {task} to pass {place} (does its stream run?)");
                return Err(TaskError::Overdue { what, seconds: STANDS_STILL.as_secs() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Whether these are the same rows, in whatever order.
fn are_same(first: &Read, second: &Read) -> bool {
    let sorted = |all: &Read| {
        let rows = all.rows.iter().flat_map(|run| {
            run.spans.iter().map(|span| run.buffer.get(span.row.clone()).map(<[u8]>::to_vec))
        });
        let mut rows: Vec<Option<Vec<u8>>> = rows.collect();
        rows.sort();
        let mut unfit = all.unfit.clone();
        unfit.sort();
        (rows, unfit)
    };
    sorted(first) == sorted(second)
}

/// Whether somebody else holds a row.
fn is_locked(error: &SourceError) -> bool {
    const TIMEOUT: u16 = 1205;
    const DEADLOCK: u16 = 1213;
    const NO_WAIT: u16 = 3572;
    matches!(error.code(), Some(TIMEOUT | DEADLOCK | NO_WAIT))
}

/// Whether a literal is of no value that the column can have: no such date, or text that its character set has not.
fn is_no_value(error: &SourceError) -> bool {
    const ILLEGAL_MIX: u16 = 1267;
    const WRONG_VALUE: u16 = 1292;
    const INVALID_TEXT: u16 = 1300;
    const WRONG_TYPED_VALUE: u16 = 1525;
    const CANNOT_CONVERT: u16 = 3854;
    matches!(
        error.code(),
        Some(ILLEGAL_MIX | WRONG_VALUE | INVALID_TEXT | WRONG_TYPED_VALUE | CANNOT_CONVERT)
    )
}

const _: () = assert!(LOCK_WAIT_SECONDS < HELD.as_secs());
