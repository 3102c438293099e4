//! The records of a side stream. Checkpoints are its own, in a table that comes and goes with it; its tables are on record beside the
//! others, as [`TableState::Aside`] with its number. To who reads and writes by this store they are as those of a task of their own.
//!
//! What must never happen here: a record of a table that is on another stream changed.

use super::{Names, SCHEMA, Store, Stored, StoredTable, tables};
use crate::change::state::TableState;
use crate::change::{Position, TableName, TargetName};
use crate::quote::identifier;
use crate::sink::{Session, SinkError, ddl};
use std::collections::{BTreeMap, BTreeSet};

/// The table of a side stream's checkpoints.
fn position(task: &str, side: u32) -> String {
    format!("{SCHEMA}.{}", identifier(&format!("{task}_side{side}")))
}

/// Whether a table of schema `rowferry`, qualified and quoted, has the checkpoints of a side stream of the task.
pub(super) fn is_side(name: &str, task: &str) -> bool {
    let quoted = name.strip_prefix(SCHEMA).and_then(|rest| rest.strip_prefix(".\"")?.strip_suffix('"'));
    let number = quoted.and_then(|name| name.strip_prefix(task)?.strip_prefix("_side"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Store {
    /// The records of the side stream of this number, writable under the same ownership.
    pub fn aside(&self, side: u32) -> Self {
        let names = Names { position: position(&self.task, side), ..self.names.clone() };
        Self { names, side: Some(side), ..self.clone() }
    }

    /// Takes up a side stream's checkpoints: makes their table when it is missing, and repeats the head when it is an earlier
    /// owner's, whose sessions have ended. Must not run inside a transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn open_side(&self, session: &Session) -> Result<(), SinkError> {
        const DOING: &str = "preparing a side stream's checkpoints";
        let sql = tables::make_position(&self.names.position, session.dialect().distributed);
        session.client().batch_execute(&sql).await.map_err(|error| session.error(DOING, error))?;
        let head = self.load(session).await?.checkpoint;
        match head {
            Some(head) if head.epoch != self.epoch => self.repeat_head(session, self.epoch).await,
            _ => Ok(()),
        }
    }

    /// Drops a side stream's checkpoints, in the open transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn close_side(&self, session: &Session, side: u32) -> Result<(), SinkError> {
        const DOING: &str = "dropping a side stream's checkpoints";
        let table = position(&self.task, side);
        // Somebody may be reading it (a dump), and nobody is to wait for him. Without its rows a side stream can commit nothing more.
        let drop = vec![format!("DROP TABLE IF EXISTS {table}")];
        if ddl::attempt_within(session, DOING, "100ms", drop).await?.is_err() {
            let emptied = session.client().batch_execute(&format!("DELETE FROM {table}")).await;
            emptied.map_err(|error| session.error(DOING, error))?;
        }
        Ok(())
    }

    /// Forgets a side stream's checkpoints, in the open transaction: it starts anew.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn restart_side(&self, session: &Session) -> Result<(), SinkError> {
        let sql = format!("DELETE FROM {}", self.names.position);
        let deleted = session.client().batch_execute(&sql).await;
        deleted.map_err(|error| session.error("forgetting a side stream's checkpoints", error))
    }

    /// What is on record of a table, without its definitions and chunks.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn stored(
        &self,
        session: &Session,
        source: &TableName,
    ) -> Result<Option<StoredTable>, SinkError> {
        Ok(super::read::states(session, &self.task, &self.names).await?.remove(source))
    }

    /// Records another state of a table, in the open transaction; how it is carried stays.
    ///
    /// # Errors
    /// As [`Store::record_table`].
    pub async fn restate(
        &self,
        session: &Session,
        source: &TableName,
        state: &TableState,
    ) -> Result<(), SinkError> {
        let tables = super::read::states(session, &self.task, &self.names).await?;
        let table = tables.get(source);
        let table = table.ok_or_else(|| {
            session.unexpected("recording a table's state", format!("{source} is not on record"))
        })?;
        self.record_table(session, source, &table.target, state, &table.mapping).await
    }

    /// Records a table as one of another side stream that has not begun, in the open transaction.
    ///
    /// # Errors
    /// As [`Store::record_table`].
    pub async fn renumber(&self, session: &Session, source: &TableName, side: u32) -> Result<(), SinkError> {
        self.aside(side).record_pending(session, source).await
    }

    /// Records a table as one of this side stream that has not begun, in the open transaction. How it was carried stays on record,
    /// where it was.
    ///
    /// # Errors
    /// As [`Store::record_table`].
    pub async fn record_pending(&self, session: &Session, source: &TableName) -> Result<(), SinkError> {
        let mut tables = super::read::states(session, &self.task, &self.names).await?;
        let (target, mapping) = match tables.remove(source) {
            Some(known) => (known.target, known.mapping),
            None => (TargetName { schema: String::new(), table: String::new() }, serde_json::Value::Null),
        };
        self.record_table(session, source, &target, &TableState::Pending, &mapping).await?;
        self.forget_copy(session, source).await
    }

    /// Records a paused table as one of the side stream of this number, which goes on from where the table was,
    /// in the open transaction. Gives what was on record of it and where it was; `None` where it is not paused (any more).
    ///
    /// # Errors
    /// As [`Store::record_table`].
    pub async fn resume(
        &self,
        session: &Session,
        source: &TableName,
        side: u32,
    ) -> Result<Option<(StoredTable, Position)>, SinkError> {
        const DOING: &str = "resuming a paused table";
        let Some(stored) = self.stored(session, source).await? else { return Ok(None) };
        let TableState::Paused { from, .. } = &stored.state else { return Ok(None) };
        let from = from.clone();
        // What a task of an earlier time has left under this number.
        self.close_side(session, side).await?;
        let aside = self.aside(side);
        let sql = tables::make_position(&aside.names.position, session.dialect().distributed);
        session.client().batch_execute(&sql).await.map_err(|error| session.error(DOING, error))?;
        aside.start(session, &from).await?;
        aside.record_table(session, source, &stored.target, &TableState::Streaming, &stored.mapping).await?;
        Ok(Some((stored, from)))
    }

    /// See [`feeders`].
    ///
    /// # Errors
    /// What the server answers.
    pub async fn feeders(&self, session: &Session) -> Result<Feeders, SinkError> {
        feeders(session, &self.task).await
    }

    /// The table of the main stream's checkpoints, the head of which stands beside what is recorded.
    pub(super) fn main_position(&self) -> String {
        Names::new(&self.task).position
    }

    /// A table's state as it is recorded by this store.
    pub(super) fn stored_state(&self, state: &TableState) -> TableState {
        match self.side {
            Some(side)
                if !matches!(
                    state,
                    TableState::Aside { .. }
                        | TableState::Parked(_)
                        | TableState::Paused { .. }
                        | TableState::LetGo
                ) =>
            {
                TableState::Aside { side, within: Box::new(state.clone()) }
            }
            _ => state.clone(),
        }
    }

    /// What of the task's records is this store's.
    pub(super) fn own(&self, mut stored: Stored) -> Stored {
        let Some(side) = self.side else { return stored };
        stored.tables.retain(|_, table| match table.state.on_side(side) {
            Some(within) => {
                table.state = within.clone();
                true
            }
            None => false,
        });
        stored
    }
}

/// Target tables, each with the source tables that feed it.
pub type Feeders = BTreeMap<TargetName, BTreeSet<TableName>>;

/// The target tables that a task's tables feed, on whatever stream or parked: those that hold rows of them, or may.
///
/// # Errors
/// What the server answers.
pub async fn feeders(session: &Session, task: &str) -> Result<Feeders, SinkError> {
    let mut feeders = Feeders::new();
    for (name, table) in super::read::states(session, task, &Names::new(task)).await? {
        // One that has only just come feeds nothing yet; one that is copied anew may still have the rows of its earlier copy.
        if !table.mapping.is_null() && table.state != TableState::Pending && !table.is_taken_out() {
            feeders.entry(table.target).or_default().insert(name);
        }
    }
    Ok(feeders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_streams_table_is_told_from_those_of_other_tasks() {
        assert!(is_side(&position("shop", 12), "shop"));
        for other in [
            "rowferry.\"shop_side\"",
            "rowferry.\"shop_side1_position\"",
            "rowferry.\"shop2_side1\"",
            "rowferry.\"shop_position\"",
        ] {
            assert!(!is_side(other, "shop"), "{other}");
        }
    }
}
