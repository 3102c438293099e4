//! A table from end to end: along the source's key, and where both order the key otherwise once more along the target's.

use super::super::TaskError;
use super::super::prepare::transaction;
use super::begun::{Keeping, Place};
use super::compared::Compared;
use super::{Hands, Verifier};
use crate::change::EncodedRows;
use crate::change::verdict::{Difference, DifferingKey, TableVerdict};
use crate::sink::apply::{Comparison, Scope};
use crate::source::snapshot::ChunkReader;
use crate::source::snapshot::chunk::whole_table_query;
use crate::source::wire::Wire;
use std::collections::HashSet;

/// Bytes of result rows read at a time.
const BLOCK_BYTES: usize = 256 << 10;
/// Keys of the target that are looked up at the source at once.
const PAGE_KEYS: u64 = 200;
/// So many keys of one range are looked at again at a time; more than these differ where somebody has emptied a table, or filled one.
const MOST_FOUND: usize = 20_000;
/// How often one range is read again when all that differed in it was on its way, or is put right.
const MOST_ROUNDS: u32 = 200;

/// One table being compared.
pub struct Walk<'w> {
    pub(super) verifier: &'w Verifier,
    pub(super) hands: &'w mut Option<Hands>,
    pub(super) compared: &'w Compared,
    pub(super) verdict: &'w mut TableVerdict,
    /// Keeps on record how far it has come, if somebody goes on there.
    pub(super) keeping: &'w mut Option<Keeping>,
}

impl Walk<'_> {
    /// Compares all of it, or what is behind a place.
    ///
    /// # Errors
    /// What a server answers; when the table has changed meanwhile.
    pub async fn walk(&mut self, from: Option<Place>) -> Result<(), TaskError> {
        self.stage_once().await?;
        let mut beyond = None;
        match from {
            None => self.along_source(None, None).await?,
            Some(Place::AlongSource { after, reached }) => self.along_source(Some(after), reached).await?,
            Some(Place::AlongTarget { after }) => beyond = Some(after),
        }
        if !self.compared.ordered && self.compared.counts(Difference::Extra) {
            self.along_target(beyond).await?;
        }
        Ok(())
    }

    async fn reached(&mut self, place: impl FnOnce() -> Place) -> Result<(), TaskError> {
        match self.keeping {
            Some(keeping) => keeping.reached(self.verifier, place, self.verdict).await,
            None => Ok(()),
        }
    }

    /// Connections that nothing is known of are let go of, and with them what they hold, before others are opened.
    pub(super) async fn open_hands(&mut self) -> Result<(), TaskError> {
        *self.hands = None;
        // A reading that was given up may have left its transaction open.
        transaction(&self.verifier.records, "ROLLBACK").await?;
        *self.hands = Some(Hands::open(&self.verifier.context).await?);
        self.stage_once().await
    }

    /// The temporary table is made from the target's, which is locked as by a reader until that is committed: not while rows are read.
    async fn stage_once(&mut self) -> Result<(), TaskError> {
        let Hands { session, applier, .. } = opened(self.hands)?;
        transaction(session, "BEGIN").await?;
        applier.comparison(session, self.compared.plan.layout(), self.compared.tag.clone()).await?;
        transaction(session, "COMMIT").await?;
        Ok(())
    }

    /// `after` is a key of the source, `reached` the greatest one so far as the target prints it.
    async fn along_source(
        &mut self,
        mut after: Option<Vec<String>>,
        mut reached: Option<Vec<String>>,
    ) -> Result<(), TaskError> {
        let mut rounds = 0;
        loop {
            let upto = match &self.compared.chunks {
                Some(key) => {
                    opened(self.hands)?
                        .server
                        .next_bound(key, after.as_deref(), self.verifier.chunk_rows)
                        .await?
                }
                None => None,
            };
            let columns = self.compared.plan.select_columns();
            let sql = match &self.compared.chunks {
                Some(key) => {
                    key.chunk_query(&columns, after.as_deref(), upto.as_deref()).map_err(|mismatch| {
                        TaskError::CopyAgain {
                            table: self.compared.table.name.clone(),
                            why: mismatch.to_string(),
                        }
                    })?
                }
                None => whole_table_query(&self.compared.table.name, &columns),
            };
            let quarantined = self.verifier.quarantined(self.compared).await?;
            let Hands { wire, session, applier, .. } = opened(self.hands)?;
            transaction(session, "BEGIN").await?;
            let layout = self.compared.plan.layout();
            let mut comparison = applier.comparison(session, layout, self.compared.tag.clone()).await?;
            let Staged { rows, left_out, withheld } =
                stage(wire, self.compared, &sql, &mut comparison, &quarantined).await?;
            let greatest =
                if upto.is_some() && self.compared.ordered { comparison.greatest().await? } else { None };
            // Nothing is left of a chunk that was there a moment ago: its range goes with the next one.
            let passed = upto.is_some() && self.compared.ordered && greatest.is_none();
            let scope = if self.compared.ordered {
                Scope::Between { after: reached.as_deref(), upto: greatest.as_deref() }
            } else {
                Scope::Staged
            };
            let mut found = if passed {
                Vec::new()
            } else {
                comparison.differing(scope, &self.compared.ignored, MOST_FOUND).await?
            };
            // Else such a key is among the extra ones, of this range or the next, and settling tells what it is.
            if !(self.compared.ordered && self.compared.counts(Difference::Extra)) {
                set_apart(&comparison, self.compared, &mut found, &withheld, None).await?;
            }
            transaction(session, "COMMIT").await?;
            self.verifier.pace.spend(rows, &self.verifier.moves).await;
            let is_full = found.len() >= MOST_FOUND;
            let before = (self.verdict.differences(), self.verdict.undecided, self.verdict.repaired);
            self.settle(found).await?;
            if is_full {
                let differ = self.verdict.differences() - before.0;
                let repaired = self.verdict.repaired - before.2;
                // There may be more where these were. What is left as it is would be counted again.
                if differ == repaired && self.verdict.undecided == before.1 && rounds < MOST_ROUNDS {
                    rounds += 1;
                    continue;
                }
                self.verdict.at_least = true;
            }
            rounds = 0;
            self.verdict.rows += rows;
            self.verdict.quarantined += left_out;
            if greatest.is_some() {
                reached = greatest;
            }
            let Some(upto) = upto else { return Ok(()) };
            self.reached(|| Place::AlongSource { after: upto.clone(), reached: reached.clone() }).await?;
            after = Some(upto);
        }
    }

    /// What only the target has, where its order is another one.
    async fn along_target(&mut self, mut after: Option<Vec<String>>) -> Result<(), TaskError> {
        loop {
            let Hands { session, applier, .. } = opened(self.hands)?;
            transaction(session, "BEGIN").await?;
            let layout = self.compared.plan.layout();
            let comparison = applier.comparison(session, layout, self.compared.tag.clone()).await?;
            let page = comparison.keys_after(after.as_deref(), PAGE_KEYS).await?;
            transaction(session, "COMMIT").await?;
            let Some(last) = page.last().cloned() else { return Ok(()) };
            let rows = u64::try_from(page.len()).unwrap_or(u64::MAX);
            let extra = page.into_iter().map(|key| DifferingKey { difference: Difference::Extra, key });
            let mut found = self.at_first_sight(extra.collect()).await?;
            found.retain(|found| found.difference == Difference::Extra);
            self.settle(found).await?;
            self.verifier.pace.spend(rows, &self.verifier.moves).await;
            self.reached(|| Place::AlongTarget { after: last.clone() }).await?;
            after = Some(last);
        }
    }
}

/// Rows of the source that were read.
#[derive(Debug, Default)]
pub struct Read {
    /// As the target would have them.
    pub rows: Vec<EncodedRows>,
    /// The keys of those that have no form there.
    pub unfit: Vec<Vec<u8>>,
}

/// Reads what a query of the source answers with; for few rows.
pub async fn read(wire: &mut Wire, compared: &Compared, sql: &str) -> Result<Read, TaskError> {
    let mut reader = ChunkReader::open(wire, &compared.table.name, sql).await?;
    let mut all = Read::default();
    while let Some(rows) = reader.next(BLOCK_BYTES).await? {
        let mut encoded = EncodedRows::new(compared.plan.layout().clone());
        all.unfit.extend(compared.encode(&rows, &mut encoded)?);
        all.rows.push(encoded);
    }
    Ok(all)
}

/// Stages rows that were read, but those that are in quarantine. Gives the keys that the source has rows of which are not staged.
pub async fn stage_all(
    comparison: &mut Comparison<'_>,
    read: &Read,
    quarantined: &HashSet<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, TaskError> {
    let mut withheld = read.unfit.clone();
    for run in &read.rows {
        if quarantined.is_empty() {
            comparison.stage(run).await?;
        } else {
            let mut run = run.clone();
            withheld.extend(leave_out(&mut run, quarantined));
            comparison.stage(&run).await?;
        }
    }
    comparison.staged().await?;
    Ok(withheld)
}

/// The target may have a row of a key that the source has a row of, and that is not staged: it has other values, and is not one too many,
/// of `only` these keys. Gives those keys, whose rows nobody can put right.
pub async fn set_apart(
    comparison: &Comparison<'_>,
    compared: &Compared,
    found: &mut Vec<DifferingKey>,
    withheld: &[Vec<u8>],
    only: Option<&[Vec<String>]>,
) -> Result<HashSet<Vec<String>>, TaskError> {
    let there = comparison.there(withheld).await?;
    found.retain(|found| !there.contains(&found.key));
    if compared.counts(Difference::Different) {
        let told = there.iter().filter(|key| only.is_none_or(|only| only.contains(key)));
        found.extend(told.map(|key| DifferingKey { difference: Difference::Different, key: key.clone() }));
    }
    Ok(there)
}

/// Takes rows out that are in quarantine. Gives their keys.
fn leave_out(run: &mut EncodedRows, quarantined: &HashSet<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    if quarantined.is_empty() {
        return keys;
    }
    let EncodedRows { buffer, spans, .. } = run;
    spans.retain(|span| match buffer.get(span.key.clone()).filter(|key| quarantined.contains(*key)) {
        Some(key) => {
            keys.push(key.to_vec());
            false
        }
        None => true,
    });
    keys
}

/// What is staged of a part of the source.
struct Staged {
    /// So many rows are.
    rows: u64,
    /// So many are not, for they are in quarantine.
    left_out: u64,
    /// The keys of all that are not.
    withheld: Vec<Vec<u8>>,
}

/// Stages what a query of the source answers with, but what has no form in the target or is in quarantine.
async fn stage(
    wire: &mut Wire,
    compared: &Compared,
    sql: &str,
    comparison: &mut Comparison<'_>,
    quarantined: &HashSet<Vec<u8>>,
) -> Result<Staged, TaskError> {
    let mut reader = ChunkReader::open(wire, &compared.table.name, sql).await?;
    let mut encoded = EncodedRows::new(compared.plan.layout().clone());
    let (mut left_out, mut withheld) = (0, Vec::new());
    while let Some(rows) = reader.next(BLOCK_BYTES).await? {
        encoded.clear();
        let unfit = compared.encode(&rows, &mut encoded)?;
        let kept = unfit.iter().filter(|key| quarantined.contains(*key)).count();
        let others = leave_out(&mut encoded, quarantined);
        left_out += u64::try_from(kept.saturating_add(others.len())).unwrap_or(u64::MAX);
        withheld.extend(unfit.into_iter().chain(others));
        comparison.stage(&encoded).await?;
    }
    Ok(Staged { rows: comparison.staged().await?, left_out, withheld })
}

/// The connections, which are open but while others are opened in their place.
pub fn opened(hands: &mut Option<Hands>) -> Result<&mut Hands, TaskError> {
    hands.as_mut().ok_or_else(|| TaskError::missing("a connection to compare by"))
}
