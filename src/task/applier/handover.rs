//! Tables that change streams, and copies that take their places: target transactions of their own.
//!
//! What must never happen here: a table on record of two streams, or a place given without its checkpoint.

use super::Applying;
use crate::change::TableName;
use crate::change::state::{Checkpoint, TableState};
use crate::change::status::TablePhase;
use crate::sink::shadow;
use crate::task::batch::{Handover, Place};
use crate::task::side::Ask;
use crate::task::side::meet::Answer;
use crate::task::{TaskError, prepare, tell};
use std::collections::{BTreeMap, BTreeSet};

impl Applying {
    pub(super) async fn hand_over(&mut self, unit: Handover) -> Result<(), TaskError> {
        let Handover { away, joined, position } = unit;
        self.execute("BEGIN").await?;
        let mut asks = Vec::new();
        for (name, state) in &away {
            let mut recorded = self.recorded.remove(name).ok_or_else(|| TaskError::missing(name))?;
            recorded.state = state.clone();
            recorded.record(&self.store, &self.session).await?;
            asks.push((recorded, state));
        }
        if let Some(joined) = &joined {
            for recorded in &joined.tables {
                recorded.record(&self.store, &self.session).await?;
            }
            self.store.close_side(&self.session, joined.side).await?;
        }
        let next = self.store.advance(&self.session, &self.checkpoint, &position).await?;
        self.execute("COMMIT").await?;
        self.context.progress.step_and_tell(
            |progress, _| {
                for (name, _) in &away {
                    progress.lets_go(name);
                }
                for recorded in joined.iter().flat_map(|joined| &joined.tables) {
                    progress.carries_also(recorded.name(), recorded.target(), TablePhase::Streaming);
                }
            },
            |task| {
                for (recorded, state) in &asks {
                    tell::moved(task, recorded.name(), recorded.target(), state);
                }
                for recorded in joined.iter().flat_map(|joined| &joined.tables) {
                    tell::moved(task, recorded.name(), recorded.target(), &recorded.state);
                }
            },
        );
        self.durable(next, &position, 0, 0, &[], true).await?;
        let mut groups: BTreeMap<u32, BTreeSet<TableName>> = BTreeMap::new();
        for (recorded, state) in asks {
            if let TableState::Aside { side, .. } = state {
                groups.entry(*side).or_default().insert(recorded.name().clone());
            }
        }
        for (side, tables) in groups {
            let _manager_has_ended =
                self.asks.as_ref().map(|manager| manager.send(Ask::Carry { side, tables }));
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

    /// Copies take the places of the tables that readers know. Where readers hold on to one its rows are put into it instead.
    pub(super) async fn place(&mut self, unit: Place) -> Result<(), TaskError> {
        let placed = self.try_place(&unit, true).await;
        let next = match placed {
            Err(TaskError::Sink(error)) if error.is_locked_out() => {
                self.execute("ROLLBACK").await?;
                self.try_place(&unit, false).await?
            }
            placed => placed?,
        };
        self.execute("COMMIT").await?;
        for name in &unit.tables {
            let recorded = self.recorded.get_mut(name).ok_or_else(|| TaskError::missing(name))?;
            if let Some(place) = recorded.place.take() {
                tracing::info!(task = self.context.name, table = %name, target = %place, "the copy has taken its place");
                recorded.mapping.target.name = place;
            }
        }
        self.durable(next, &unit.position, 0, 0, &[], true).await
    }

    async fn try_place(&mut self, unit: &Place, rename: bool) -> Result<Checkpoint, TaskError> {
        self.execute("BEGIN; SET LOCAL statement_timeout = 0").await?;
        for name in &unit.tables {
            let recorded = self.recorded.get(name).ok_or_else(|| TaskError::missing(name))?;
            let Some(place) = &recorded.place else { continue };
            let shadow = &recorded.mapping.target;
            let own = prepare::own_rows(&recorded.mapping);
            // Rows that the source has no more stay where deletes are not carried.
            let keeps = !self.context.task().operations.delete;
            let (former, rename) = (&recorded.former, rename && !keeps);
            shadow::put_in_place(&self.session, shadow, place, &own, keeps, former, rename).await?;
            let mut there = recorded.clone();
            there.mapping.target.name.clone_from(place);
            there.place = None;
            there.record(&self.store, &self.session).await?;
        }
        Ok(self.store.advance(&self.session, &self.checkpoint, &unit.position).await?)
    }
}
