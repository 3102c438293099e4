//! Rows that the target cannot hold, on their way through the applier: what a batch puts into quarantine and takes out of it, in its
//! own target transaction.
//!
//! What must never happen here: a key with a row in the target and one in quarantine; a key in quarantine taken for one that the target
//! should hold.

use super::Applying;
use crate::change::remedy::Remedy;
use crate::change::status::TablePhase;
use crate::change::{Came, Position, Retry, RowLayout, TableName, TargetName, Unfit};
use crate::schema::Table;
use crate::sink::SinkErrorKind;
use crate::sink::apply::{Trial, UnfitRow, text_of_key};
use crate::sink::compact::{Compacted, RowRef, TableChanges};
use crate::sink::store::{KeyedUnfit, QuarantinedKeys};
use crate::task::recorded::{Known, Recorded};
use crate::task::{TaskError, quarantine};
use crate::transform::{Plan, TableMapping};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The keys that are in quarantine, of the tables of this stream.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    /// By target table, those of each table that feeds it.
    keys: HashMap<TargetName, Vec<Feeder>>,
}

/// A source table and its keys.
type Feeder = (TableName, HashSet<Vec<u8>>);

/// What a batch does to the quarantine.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Keys that are taken out.
    released: BTreeMap<TableName, Vec<Vec<u8>>>,
    /// Rows that are put in.
    kept: Vec<KeyedUnfit>,
}

impl Quarantine {
    /// What is on record of the stream's tables.
    fn of(mut stored: QuarantinedKeys, recorded: &Known) -> Self {
        let mut all = Self::default();
        for one in recorded.values() {
            if let Some(keys) = stored.remove(one.name()) {
                all.keys.entry(one.target().clone()).or_default().push((one.name().clone(), keys));
            }
        }
        all
    }

    /// How many rows of a source table are in it.
    fn count(&self, source: &TableName) -> usize {
        self.keys_of(source).map_or(0, HashSet::len)
    }

    fn keys_of(&self, source: &TableName) -> Option<&HashSet<Vec<u8>>> {
        let all = self.keys.values().flatten();
        all.filter(|(name, _)| name == source).map(|(_, keys)| keys).next()
    }

    /// What a batch does to it. What the batch expects of the target is put right: it has no row of these keys.
    pub(super) fn turn(&self, changes: &mut Compacted) -> Result<Turn, TaskError> {
        let mut turn = Turn::default();
        for table in &mut changes.tables {
            if let Some(feeders) = self.keys.get(table.target()) {
                let is_in = |key: &[u8]| feeders.iter().any(|(_, keys)| keys.contains(key));
                for at in table.lacks(is_in) {
                    for (source, _) in feeders.iter().filter(|(_, keys)| keys.contains(table.key(at))) {
                        turn.released.entry(source.clone()).or_default().push(table.key(at).to_vec());
                    }
                }
            }
            for at in &table.unfit {
                let row = serde_json::from_slice(table.row(*at));
                let row = row.map_err(|error| {
                    TaskError::Internal(format!("what is kept of a row of {}: {error}", table.target()))
                })?;
                turn.kept.push((table.key(*at).to_vec(), row));
            }
        }
        Ok(turn)
    }

    /// How many rows of a source table will be in it.
    fn count_after(&self, source: &TableName, turn: &Turn) -> usize {
        let is_of_it = |row: &&KeyedUnfit| row.1.source == *source;
        let mut keys: HashSet<&[u8]> =
            turn.kept.iter().filter(is_of_it).map(|(key, _)| key.as_slice()).collect();
        let released: HashSet<&[u8]> =
            turn.released.get(source).into_iter().flatten().map(Vec::as_slice).collect();
        let stays = self.keys_of(source).into_iter().flatten().map(Vec::as_slice);
        keys.extend(stays.filter(|key| !released.contains(key)));
        keys.len()
    }

    /// The turn is in the target.
    fn takes(&mut self, turn: &Turn, target_of: impl Fn(&TableName) -> Option<TargetName>) {
        for (source, keys) in self.keys.values_mut().flatten() {
            for key in turn.released.get(source).into_iter().flatten() {
                keys.remove(key);
            }
        }
        for (key, row) in &turn.kept {
            let Some(target) = target_of(&row.source) else { continue };
            let feeders = self.keys.entry(target).or_default();
            match feeders.iter_mut().find(|(source, _)| *source == row.source) {
                Some((_, keys)) => drop(keys.insert(key.clone())),
                None => feeders.push((row.source.clone(), HashSet::from([key.clone()]))),
            }
        }
        self.keys.retain(|_, feeders| {
            feeders.retain(|(_, keys)| !keys.is_empty());
            !feeders.is_empty()
        });
    }
}

impl Turn {
    fn is_empty(&self) -> bool {
        self.released.is_empty() && self.kept.is_empty()
    }

    /// The tables that it is about.
    fn tables(&self) -> HashSet<TableName> {
        let kept = self.kept.iter().map(|(_, row)| &row.source);
        self.released.keys().chain(kept).cloned().collect()
    }
}

impl Applying {
    /// Reads what is in quarantine. Not inside a transaction.
    pub(super) async fn load_quarantine(&mut self) -> Result<(), TaskError> {
        let stored = self.store.quarantined_keys(&self.session).await?;
        let resting: HashMap<String, u64> = stored
            .iter()
            .map(|(name, keys)| (name.to_string(), u64::try_from(keys.len()).unwrap_or(u64::MAX)))
            .collect();
        self.context.progress.tell(|task| {
            // Of those that no stream carries nobody else tells.
            for (name, status) in &mut task.tables {
                if matches!(status.phase, TablePhase::Parked | TablePhase::Paused | TablePhase::LetGo) {
                    status.quarantined = resting.get(name).copied().unwrap_or(0);
                }
            }
        });
        self.quarantine = Quarantine::of(stored, &self.recorded);
        let counts: Vec<(TableName, usize)> =
            self.recorded.keys().map(|name| (name.clone(), self.quarantine.count(name))).collect();
        self.tell_counts(counts);
        Ok(())
    }

    fn tell_counts(&self, counts: impl IntoIterator<Item = (TableName, usize)>) {
        for (name, count) in counts {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            quarantine::tell_count(&self.context, &name, |status| status.quarantined = count);
        }
    }

    /// Whether a refusal may be one of rows that are kept.
    pub(super) fn may_be_unfit(&self, error: &TaskError, changes: &Compacted) -> bool {
        let TaskError::Sink(error) = error else { return false };
        error.is_of_row_data() && changes.tables.iter().any(|table| self.keeps(&table.layout))
    }

    fn keeps(&self, layout: &RowLayout) -> bool {
        let mut feeders = self.recorded.values().filter(|one| *one.target() == layout.target);
        feeders.any(|one| self.context.quarantines(one.name()))
    }

    /// Looks for rows that the target refuses, in the open transaction, and takes them out of the batch.
    pub(super) async fn leave_out_unfit(
        &mut self,
        changes: &mut Compacted,
        turn: &mut Turn,
        (trial, position): (Trial<'_>, Option<&Position>),
    ) -> Result<(), TaskError> {
        let kept: HashSet<TargetName> = changes
            .tables
            .iter()
            .filter(|one| self.keeps(&one.layout))
            .map(|one| one.target().clone())
            .collect();
        let is_kept = |layout: &RowLayout| kept.contains(&layout.target);
        let most = quarantine::MOST + 1;
        let found = self.applier.unfit(&self.session, changes, trial, is_kept, most).await?;
        let mut out: HashMap<usize, Vec<RowRef>> = HashMap::new();
        for row in found {
            let Some(table) = changes.tables.get(row.table) else { continue };
            if let Some(unfit) = self.unfit(table, &row, position) {
                turn.kept.push((table.key(row.at).to_vec(), unfit));
                out.entry(row.table).or_default().push(row.at);
            }
        }
        for (index, table) in changes.tables.iter_mut().enumerate() {
            if let Some(rows) = out.get(&index) {
                table.leave_out(rows);
            }
        }
        self.admit(turn)
    }

    /// Whether the rows of a turn may be kept.
    fn admit(&self, turn: &Turn) -> Result<(), TaskError> {
        for table in turn.tables() {
            // Those of earlier pieces of the transaction are held as well.
            let kept = self.turns.iter().flat_map(|earlier| &earlier.kept).chain(&turn.kept);
            let rows: Vec<&KeyedUnfit> = kept.filter(|(_, row)| row.source == table).collect();
            quarantine::admit(&self.context, &table, &rows, self.quarantine.count_after(&table, turn))?;
        }
        Ok(())
    }

    /// What is kept of a row that the target refuses; `None` where it is not known whose it is, or that table's rows are not kept.
    fn unfit(&self, table: &TableChanges, row: &UnfitRow, position: Option<&Position>) -> Option<Unfit> {
        let recorded = self.feeder(table, row.at).filter(|one| self.context.quarantines(one.name()))?;
        let source_name = |target: &str| {
            let column = recorded.mapping.source_of(target);
            let column = column.and_then(|index| recorded.table.columns.get(index));
            column.map_or_else(|| target.to_owned(), |column| column.name.clone())
        };
        let image = Plan::row_in_words(&table.layout, table.row(row.at), source_name);
        Some(Unfit {
            source: recorded.name().clone(),
            key: quarantine::key_in_words(&table.layout, &image, source_name),
            came: if table.new.contains(&row.at) { Came::Insert } else { Came::Update },
            position: position.map(|position| position.file.to_string()),
            error: row.error.clone(),
            row: image.to_string(),
        })
    }

    /// The table of the source that a row is of.
    fn feeder(&self, table: &TableChanges, at: RowRef) -> Option<&Recorded> {
        let target = table.target();
        let name = self
            .only_feeder(target)
            .or_else(|| self.feeder_of(target, |column| text_of_key(&table.layout, table.key(at), column)));
        self.recorded.get(&name?)
    }

    /// Does a batch's turn in its transaction.
    pub(super) async fn keep_unfit(&mut self, turn: Turn) -> Result<(), TaskError> {
        if turn.is_empty() {
            return Ok(());
        }
        self.admit(&turn)?;
        for (source, keys) in &turn.released {
            self.store.release(&self.session, source, keys).await?;
        }
        let mut tables: BTreeMap<&TableName, Vec<&KeyedUnfit>> = BTreeMap::new();
        for row in &turn.kept {
            tables.entry(&row.1.source).or_default().push(row);
        }
        for (source, rows) in tables {
            if let Err(error) = self.store.quarantine(&self.session, source, &rows).await {
                let is_of_it =
                    !error.is_of_circumstances() && matches!(error.retry(), Retry::AfterFix { .. });
                let error = TaskError::from(error);
                return Err(match is_of_it {
                    true => TaskError::OfTable { table: source.clone(), error: Box::new(error) },
                    false => error,
                });
            }
        }
        let recorded = &self.recorded;
        self.quarantine.takes(&turn, |source| recorded.get(source).map(|one| one.target().clone()));
        // Should the commit fail, all of this goes with the attempt.
        self.turns.push(turn);
        Ok(())
    }

    /// What was done is durable.
    pub(super) fn tell_unfit(&mut self) {
        for turn in std::mem::take(&mut self.turns) {
            quarantine::tell(&self.context, &turn.kept);
            let counts = turn.tables().into_iter().map(|table| {
                let count = self.quarantine.count(&table);
                (table, count)
            });
            self.tell_counts(counts.collect::<Vec<_>>());
        }
    }

    /// Keys in quarantine are known by their bytes: a table that has some gets no key of other types.
    pub(super) fn refuse_other_key(&self, table: &Table, mapping: &TableMapping) -> Result<(), TaskError> {
        let Some(recorded) = self.recorded.get(&table.name) else { return Ok(()) };
        let types = |mapping: &TableMapping| {
            let key = mapping.target.primary_key.iter();
            let column = |name: &String| mapping.target.columns.iter().find(|column| column.name == *name);
            key.map(|name| column(name).map(|column| column.data_type.clone())).collect::<Vec<_>>()
        };
        let count = self.quarantine.count(&table.name);
        if count == 0 || types(&recorded.mapping) == types(mapping) {
            return Ok(());
        }
        let kind = SinkErrorKind::Table {
            table: recorded.target().to_string(),
            why: format!(
                "{count} of its rows are in quarantine by their keys, and the key has another type now"
            ),
            remedy: Remedy::Resync { table: table.name.clone() },
        };
        let error = Box::new(TaskError::from(kind.at(self.context.target().name.clone())));
        Err(TaskError::OfTable { table: table.name.clone(), error })
    }

    /// The table for it is there where rows are to be kept, and what is in it is known.
    pub(super) async fn open_quarantine(&mut self) -> Result<(), TaskError> {
        if self.context.may_quarantine() {
            self.store.make_quarantine(&self.session).await?;
        } else if !self.owner.before_run().has_quarantine {
            return Ok(());
        }
        self.load_quarantine().await
    }
}
