//! How far the comparison of a table has come: a restart goes on there, so that a table that takes longer than the time between two
//! restarts is compared whole too, and does not keep the others from their turn.
//!
//! What must never happen here: rows passed over that were not compared.

use super::super::TaskError;
use super::Verifier;
use crate::change::TableName;
use crate::change::verdict::TableVerdict;
use crate::sink::store::{self, StoredTable};
use crate::status::now;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// What is done again after a restart, at most, and how often the target is written to.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// A place in a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// All of the source up to a key, as its literals; `reached` is the greatest one so far as the target prints it.
    AlongSource { after: Vec<String>, reached: Option<Vec<String>> },
    /// All of the source, and of the target up to a key as it prints it.
    AlongTarget { after: Vec<String> },
}

/// What a comparison is about: another definition, or another way to carry it, may have other keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    version: i64,
    target: String,
    /// A hash: one that is another where nothing has changed has the comparison begin anew.
    mapping: u64,
}

impl About {
    pub fn of(known: &StoredTable) -> Self {
        let mut hasher = DefaultHasher::new();
        known.mapping.to_string().hash(&mut hasher);
        Self {
            version: known.schemas.last().map_or(0, |schema| schema.version),
            target: known.target.to_string(),
            mapping: hasher.finish(),
        }
    }
}

/// What is on record of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Begun {
    /// When it was begun or went on, in seconds since 1970.
    pub at: u64,
    /// What it is about.
    about: About,
    /// So far, and what was found up to there; nothing at its beginning.
    far: Option<(Place, TableVerdict)>,
}

impl Begun {
    /// What a record says; `None` where it says nothing that is understood.
    pub fn of(record: &str) -> Option<Self> {
        serde_json::from_str(record).ok()
    }
}

/// Keeps on record how far it has come.
#[derive(Debug)]
pub struct Keeping {
    table: TableName,
    begun: Begun,
    kept: Instant,
}

impl Keeping {
    /// Begins, or goes on where the record says, if it is about the same and is not older than the last verdict.
    /// Gives the place to go on from, and sets the verdict to what was found before it.
    ///
    /// # Errors
    /// What the target answers.
    pub async fn begin(
        verifier: &Verifier,
        table: &TableName,
        about: About,
        last: u64,
        verdict: &mut TableVerdict,
    ) -> Result<(Self, Option<Place>), TaskError> {
        let record =
            store::begun(&verifier.records, &verifier.context.name).await?.remove(&table.to_string());
        let earlier =
            record.as_deref().and_then(Begun::of).filter(|begun| begun.about == about && begun.at >= last);
        let far = earlier.and_then(|begun| begun.far);
        if let Some((_, found)) = &far {
            let TableVerdict {
                rows,
                missing,
                different,
                extra,
                undecided,
                quarantined,
                at_least,
                repaired,
                keys,
                ..
            } = found.clone();
            (verdict.rows, verdict.missing, verdict.different, verdict.extra) =
                (rows, missing, different, extra);
            (verdict.undecided, verdict.quarantined, verdict.at_least) = (undecided, quarantined, at_least);
            (verdict.repaired, verdict.keys) = (repaired, keys);
        }
        let place = far.as_ref().map(|(place, _)| place.clone());
        let begun = Begun { at: now().seconds(), about, far };
        let mut keeping = Self { table: table.clone(), begun, kept: Instant::now() };
        keeping.keep(verifier).await?;
        Ok((keeping, place))
    }

    /// All up to a place has been compared.
    ///
    /// # Errors
    /// What the target answers.
    pub async fn reached(
        &mut self,
        verifier: &Verifier,
        place: impl FnOnce() -> Place,
        verdict: &TableVerdict,
    ) -> Result<(), TaskError> {
        if self.kept.elapsed() < KEEP_EVERY {
            return Ok(());
        }
        self.begun.far = Some((place(), verdict.clone()));
        self.keep(verifier).await
    }

    async fn keep(&mut self, verifier: &Verifier) -> Result<(), TaskError> {
        let record = serde_json::to_string(&self.begun)
            .map_err(|error| TaskError::Internal(format!("how far a comparison has come: {error}")))?;
        store::record_begun(&verifier.records, &verifier.context.name, &self.table, &record).await?;
        self.kept = Instant::now();
        Ok(())
    }
}
