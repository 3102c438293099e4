//! A table from end to end: along the source's key, and where both order the key otherwise once more along the target's.

use super::super::TaskError;
use super::super::prepare::transaction;
use super::compared::Compared;
use super::{Hands, Verifier};
use crate::change::EncodedRows;
use crate::change::verdict::{Difference, DifferingKey, TableVerdict};
use crate::sink::apply::{Comparison, Scope};
use crate::source::snapshot::ChunkReader;
use crate::source::snapshot::chunk::whole_table_query;
use crate::source::snapshot::lookup::Hold;
use crate::source::wire::Wire;

/// Bytes of result rows read at a time.
const BLOCK_BYTES: usize = 256 << 10;
/// Rows of a chunk.
const CHUNK_ROWS: u64 = 10_000;
/// Keys of the target that are looked up at the source at once.
const PAGE_KEYS: u64 = 500;
/// So many keys of one chunk are looked at again; more than these differ where somebody has emptied a table, or filled one.
const MOST_FOUND: usize = 50_000;

/// One table being compared.
pub struct Walk<'w> {
    pub(super) verifier: &'w Verifier,
    pub(super) hands: &'w mut Hands,
    pub(super) compared: &'w Compared,
    pub(super) verdict: &'w mut TableVerdict,
}

impl Walk<'_> {
    /// Compares all of it.
    ///
    /// # Errors
    /// What a server answers; when the table has changed meanwhile.
    pub async fn walk(&mut self) -> Result<(), TaskError> {
        self.along_source().await?;
        if !self.compared.ordered && self.compared.counts(Difference::Extra) {
            self.along_target().await?;
        }
        Ok(())
    }

    async fn along_source(&mut self) -> Result<(), TaskError> {
        let mut after: Option<Vec<String>> = None;
        // The greatest key so far, as the target prints it.
        let mut reached: Option<Vec<String>> = None;
        loop {
            let upto = match &self.compared.chunks {
                Some(key) => self.hands.server.next_bound(key, after.as_deref(), CHUNK_ROWS).await?,
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
            let Hands { wire, session, applier, .. } = &mut *self.hands;
            transaction(session, "BEGIN").await?;
            let layout = self.compared.plan.layout();
            let mut comparison = applier.comparison(session, layout, self.compared.tag.clone()).await?;
            let rows = stage(wire, self.compared, &sql, &mut comparison).await?;
            let greatest =
                if upto.is_some() && self.compared.ordered { comparison.greatest().await? } else { None };
            // Nothing is left of a chunk that was there a moment ago: its range goes with the next one.
            let passed = upto.is_some() && self.compared.ordered && greatest.is_none();
            let scope = if self.compared.ordered {
                Scope::Between { after: reached.as_deref(), upto: greatest.as_deref() }
            } else {
                Scope::Staged
            };
            let found = if passed { Vec::new() } else { comparison.differing(scope, MOST_FOUND).await? };
            transaction(session, "COMMIT").await?;
            self.verdict.rows += rows;
            self.settle(found).await?;
            self.verifier.pace.spend(rows, &self.verifier.moves).await;
            if greatest.is_some() {
                reached = greatest;
            }
            if upto.is_none() {
                return Ok(());
            }
            after = upto;
        }
    }

    /// What only the target has, where its order is another one.
    async fn along_target(&mut self) -> Result<(), TaskError> {
        let mut after: Option<Vec<String>> = None;
        loop {
            let Hands { wire, session, applier, .. } = &mut *self.hands;
            transaction(session, "BEGIN").await?;
            let layout = self.compared.plan.layout();
            let mut comparison = applier.comparison(session, layout, self.compared.tag.clone()).await?;
            let page = comparison.keys_after(after.as_deref(), PAGE_KEYS).await?;
            let Some(last) = page.last().cloned() else {
                transaction(session, "COMMIT").await?;
                return Ok(());
            };
            let extra = |key: &Vec<String>| DifferingKey { difference: Difference::Extra, key: key.clone() };
            let literals: Vec<_> =
                page.iter().filter_map(|key| self.compared.literals(&extra(key))).collect();
            // What has no literal is no row of the source, and found below.
            if !literals.is_empty() {
                let Some(sql) = self.compared.query_of(&literals, Hold::Nothing) else {
                    transaction(session, "COMMIT").await?;
                    let why = "extra rows: the source cannot be asked for rows by a key of this type";
                    self.verdict.not_looked_for.push(why.to_owned());
                    return Ok(());
                };
                stage(wire, self.compared, &sql, &mut comparison).await?;
            }
            let scope = Scope::Between { after: after.as_deref(), upto: Some(&last) };
            let mut found = comparison.differing(scope, MOST_FOUND).await?;
            transaction(session, "COMMIT").await?;
            found.retain(|found| found.difference == Difference::Extra);
            self.settle(found).await?;
            let rows = u64::try_from(page.len()).unwrap_or(u64::MAX);
            self.verifier.pace.spend(rows, &self.verifier.moves).await;
            after = Some(last);
        }
    }
}

/// Stages what a query of the source answers with. Gives how many rows that are.
pub async fn stage(
    wire: &mut Wire,
    compared: &Compared,
    sql: &str,
    comparison: &mut Comparison<'_>,
) -> Result<u64, TaskError> {
    let mut reader = ChunkReader::open(wire, &compared.table.name, sql).await?;
    let mut encoded = EncodedRows::new(compared.plan.layout().clone());
    while let Some(rows) = reader.next(BLOCK_BYTES).await? {
        encoded.clear();
        compared.plan.encode_result(&rows, &mut encoded)?;
        comparison.stage(&encoded).await?;
    }
    Ok(comparison.staged().await?)
}
