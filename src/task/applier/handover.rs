//! Tables that change streams, and copies that take their places: target transactions of their own.
//!
//! What must never happen here: a table on record of two streams, or a place given without its checkpoint.

use super::Applying;
use crate::change::state::{Checkpoint, TableState};
use crate::change::status::TablePhase;
use crate::change::{Position, TableName, TargetName};
use crate::sink::shadow::Putting;
use crate::sink::{catalog, ddl};
use crate::task::batch::Answer;
use crate::task::batch::Renamed;
use crate::task::batch::{Handover, Place};
use crate::task::recorded::Recorded;
use crate::task::sides::Ask;
use crate::task::{TaskError, targets, tell};
use std::collections::{BTreeMap, BTreeSet};

impl Applying {
    pub(super) async fn hand_over(&mut self, unit: Handover) -> Result<(), TaskError> {
        let Handover { away, into, joined, came, resumed, let_go, heard, position } = unit;
        // How long it takes to take rows out nobody knows.
        self.execute("BEGIN; SET LOCAL statement_timeout = 0").await?;
        let mut asks = Vec::new();
        // Those that the main stream has not carried, and where they are from here on.
        let mut beside = Vec::new();
        if let Some((side, tables)) = &came {
            self.store.close_side(&self.session, *side).await?;
            for table in tables {
                self.store.renumber(&self.session, table, *side).await?;
                let state = TableState::Aside { side: *side, within: Box::new(TableState::Pending) };
                beside.push((table.clone(), self.context.target_name(table), state));
                tracing::info!(task = self.context.name, %table, "a selected table has come: it is copied beside the others");
            }
        }
        let mut done = true;
        let mut catching_up = None;
        if let Some((side, table)) = resumed {
            let stored = self.store.resume(&self.session, &table, side).await?;
            // Who asks again, because the first answer took too long, may come behind what he asked for first.
            done = stored.is_some();
            if let Some((stored, from)) = stored {
                let state = TableState::Aside { side, within: Box::new(TableState::Streaming) };
                catching_up = Some((table.to_string(), from.to_string()));
                beside.push((table, stored.target, state));
            }
        }
        for (name, state) in &away {
            let mut recorded = self.recorded.remove(name).ok_or_else(|| TaskError::missing(name))?;
            if let Some(TableState::Aside { side, .. }) = state
                && into != Some(*side)
            {
                // What a task of an earlier time has left under this number.
                self.store.close_side(&self.session, *side).await?;
            }
            if let Some(state) = state {
                recorded.state = state.clone();
                recorded.record(&self.store, &self.session).await?;
            } else {
                targets::take_out_copy(&self.session, &self.store, &recorded).await?;
                self.store.forget_table(&self.session, name).await?;
            }
            asks.push((recorded, state));
        }
        if let Some(joined) = &joined {
            for recorded in &joined.tables {
                recorded.record(&self.store, &self.session).await?;
            }
            self.store.close_side(&self.session, joined.side).await?;
        }
        if let Some((name, remove_rows)) = &let_go {
            done = self.let_go(name, *remove_rows).await?;
        }
        let next = self.store.advance(&self.session, &self.checkpoint, &position).await?;
        self.execute("COMMIT").await?;
        self.context.progress.step_and_tell(
            |progress, _| {
                if let Some((name, _)) = &let_go {
                    progress.lets_go(name);
                }
                for (name, _) in &away {
                    progress.lets_go(name);
                }
                for recorded in joined.iter().flat_map(|joined| &joined.tables) {
                    progress.carries_also(recorded.name(), recorded.target(), TablePhase::Streaming);
                }
            },
            |task| {
                if let Some(table) =
                    let_go.as_ref().and_then(|(name, _)| task.tables.get_mut(&name.to_string()))
                {
                    (table.phase, table.trouble, table.paused) = (TablePhase::LetGo, None, None);
                }
                for (table, target, state) in &beside {
                    tell::moved(task, table, target, state);
                }
                if let Some((name, from)) = catching_up {
                    task.tables.entry(name).and_modify(|table| table.catching_up_from = Some(from));
                }
                for (recorded, state) in &asks {
                    tell::away(task, recorded.name(), recorded.target(), state.as_ref());
                }
                for recorded in joined.iter().flat_map(|joined| &joined.tables) {
                    tell::moved(task, recorded.name(), recorded.target(), &recorded.state);
                }
            },
        );
        self.durable(next, &position, 0, 0, &[], true).await?;
        if let Some(heard) = heard {
            let _asker_has_gone = heard.send(done);
        }
        let mut groups: BTreeMap<u32, BTreeSet<TableName>> = BTreeMap::new();
        let asks = asks.iter().filter_map(|(recorded, state)| Some((recorded.name(), state.as_ref()?)));
        for (name, state) in asks.chain(beside.iter().map(|(name, _, state)| (name, state))) {
            if let TableState::Aside { side, .. } = state {
                groups.entry(*side).or_default().insert(name.clone());
            }
        }
        for (side, tables) in groups.into_iter().filter(|(side, _)| into != Some(*side)) {
            let _manager_has_ended = self.asks.as_ref().map(|manager| manager.send(Ask { side, tables }));
        }
        if let Some(joined) = joined {
            for recorded in joined.tables {
                tracing::info!(task = self.context.name, table = %recorded.name(), position = %position.file, "the table is carried by the main stream");
                self.recorded.insert(recorded.name().clone(), recorded);
            }
            let _side_has_ended = joined.done.send(Answer::Joined).await;
        }
        Ok(())
    }

    /// Nobody carries a table any more; whether its rows are gone, where they are to go.
    async fn let_go(&mut self, name: &TableName, remove_rows: bool) -> Result<bool, TaskError> {
        self.recorded.remove(name);
        let stored = self.store.stored(&self.session, name).await?;
        let mut gone = true;
        if let Some(stored) = stored.filter(|stored| remove_rows && !stored.mapping.is_null()) {
            let owner = (&self.session, &self.store);
            gone = targets::take_out_of_place(&self.context, owner, name, &stored).await?.is_gone();
        }
        self.store.restate(&self.session, name, &TableState::LetGo).await?;
        self.store.forget_quarantined(&self.session, name).await?;
        Ok(gone)
    }

    /// Tables have other names from here on, and their target tables with them, in the open transaction.
    pub(super) async fn rename(&mut self, renamed: &[Renamed], position: &Position) -> Result<(), TaskError> {
        for Renamed { from, table, mapping } in renamed {
            let mut recorded = self.recorded.remove(from).ok_or_else(|| TaskError::missing(from))?;
            let (was, is) = (recorded.target(), &mapping.target.name);
            if was != is {
                match ddl::rename_table(&self.session, &self.store, was, is).await {
                    Err(error) if !error.is_of_circumstances() => {
                        return Err(TaskError::Undone { table: from.clone(), error: Box::new(error.into()) });
                    }
                    done => done?,
                }
            }
            self.store.rename_quarantined(&self.session, from, &table.name).await?;
            self.store.forget_table(&self.session, from).await?;
            (recorded.table, recorded.mapping) = (table.clone(), mapping.clone());
            recorded.record_schema(&self.store, &self.session, position).await?;
            recorded.record(&self.store, &self.session).await?;
            self.recorded.insert(table.name.clone(), recorded);
        }
        Ok(())
    }

    /// Tables have other names, which is durable.
    pub(super) fn tell_renamed(&self, renamed: &[Renamed]) {
        self.context.progress.step_and_tell(
            |progress, _| {
                for Renamed { from, table, mapping } in renamed {
                    progress.lets_go(from);
                    progress.carries_also(&table.name, &mapping.target.name, TablePhase::Streaming);
                }
            },
            |task| {
                for Renamed { from, table, mapping } in renamed {
                    tell::renamed(task, from, &table.name, &mapping.target.name);
                }
            },
        );
    }

    /// Copies take the places of the tables that readers know, each in a target transaction of its own. Where that cannot be by a change
    /// of names the table gets the copy's rows.
    pub(super) async fn place(&mut self, unit: Place) -> Result<(), TaskError> {
        for name in &unit.tables {
            let recorded = self.recorded.get(name).ok_or_else(|| TaskError::missing(name))?.clone();
            let Some(place) = recorded.place.clone() else { continue };
            let next = match self.try_place(&recorded, &place, &unit.position).await {
                Err(TaskError::Sink(error)) if !error.is_of_circumstances() && !error.is_moved() => {
                    return Err(TaskError::OfTable { table: name.clone(), error: Box::new(error.into()) });
                }
                next => next?,
            };
            tracing::info!(task = self.context.name, table = %name, target = %place, "the copy has taken its place");
            let there = self.recorded.get_mut(name).ok_or_else(|| TaskError::missing(name))?;
            (there.place, there.mapping.target.name) = (None, place);
            there.renamed.clear();
            self.durable(next, &unit.position, 0, 0, &[], true).await?;
        }
        Ok(())
    }

    async fn try_place(
        &mut self,
        recorded: &Recorded,
        place: &TargetName,
        position: &Position,
    ) -> Result<Checkpoint, TaskError> {
        let shadow = &recorded.mapping.target;
        let putting = Putting {
            shadow,
            place,
            own: &targets::own_rows(&recorded.mapping),
            keeps: self.context.keeps_rows(recorded.name()),
            keeps_values: !self.context.task().operations.update,
            ours: &recorded.former,
            renamed: &recorded.renamed,
            keeps_columns: self.context.keeps_columns(recorded.name()),
        };
        let found = catalog::shape(&self.session, place).await?;
        // What its owner has made stays his, with all that he has given it.
        if recorded.created || found.is_none() {
            self.execute("BEGIN").await?;
            match putting.rename(&self.session).await {
                Ok(true) => return self.placed(recorded, place, position).await,
                Ok(false) => {}
                Err(error) if error.is_locked_out() => {}
                Err(error) => return Err(error.into()),
            }
            self.execute("ROLLBACK").await?;
        }
        let gone = || TaskError::Unsettled { why: format!("{place} was there, and is not") };
        let mut found = found.ok_or_else(gone)?;
        if putting.has_other_names(&found) {
            self.execute("BEGIN").await?;
            match putting.name_columns(&self.session, &found).await {
                Ok(()) => self.execute("COMMIT").await?,
                Err(error) if error.is_of_circumstances() || error.is_locked_out() => {
                    return Err(error.into());
                }
                // Some tables do not take it (those that inherit): they get columns of these names beside the old ones.
                Err(error) => {
                    tracing::warn!(task = self.context.name, target = %place, %error, "columns keep their old names too");
                    self.execute("ROLLBACK").await?;
                }
            }
            found = catalog::shape(&self.session, place).await?.ok_or_else(gone)?;
        }
        if !putting.is_made_anew(&found) {
            // In front of the rows, which take long, and in a transaction of its own: it keeps readers out.
            self.execute("BEGIN").await?;
            putting.fit(&self.session, &found).await?;
            self.execute("COMMIT").await?;
            found = catalog::shape(&self.session, place).await?.ok_or_else(gone)?;
        }
        self.execute("BEGIN; SET LOCAL statement_timeout = 0").await?;
        putting.refill(&self.session, &found).await?;
        self.placed(recorded, place, position).await
    }

    /// The end of a transaction in which a copy has taken its place.
    async fn placed(
        &self,
        recorded: &Recorded,
        place: &TargetName,
        position: &Position,
    ) -> Result<Checkpoint, TaskError> {
        let mut there = recorded.clone();
        there.mapping.target.name.clone_from(place);
        there.place = None;
        there.renamed.clear();
        there.record(&self.store, &self.session).await?;
        let next = self.store.advance(&self.session, &self.checkpoint, position).await?;
        // Nobody else's rows are in it whose copy has begun meanwhile.
        if let (Some(other), None) =
            (self.store.other_feeder(&self.session, place).await?, &recorded.mapping.source_tag)
        {
            return Err(TaskError::Unreplaceable {
                table: recorded.name().clone(),
                target: place.clone(),
                why: format!("its rows in {place} cannot be told from those of task \"{other}\""),
            });
        }
        self.execute("COMMIT").await?;
        Ok(next)
    }
}
