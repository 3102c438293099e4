//! What somebody asks of a table, at a transaction boundary of the main stream.
//!
//! What must never happen here: an answer while nothing is on its way to become durable.

use super::Builder;
use crate::change::TableName;
use crate::change::state::TableState;
use crate::task::TaskError;
use crate::task::batch::Handover;
use crate::task::side::meet::Asked;
use crate::task::translator::Translator;
use tokio::sync::oneshot;

impl<T: Translator> Builder<T> {
    /// Has it done with the next unit; `side` gives the number of a new side stream. Nobody hears of what
    /// cannot be done here any more.
    pub(in crate::task) fn is_asked(
        &mut self,
        table: TableName,
        what: Asked,
        side: impl FnOnce() -> u32,
        heard: oneshot::Sender<bool>,
    ) {
        match what {
            Asked::LetIn => self.let_in(side(), vec![table], Some(heard)),
            Asked::Again => self.copy_again(side(), table, None, heard),
            Asked::Beside { side } => self.copy_again(side, table, Some(side), heard),
            Asked::LetGo { remove_rows } => self.let_go(table, remove_rows, side, heard),
            Asked::Pause { since } => self.pause(table, since, side, heard),
            Asked::Resume => {
                self.asked(Handover { resumed: Some((side(), table)), ..self.here() }, heard);
            }
        }
    }

    /// A table that is carried or parked is that of a side stream of this number from here on; one that runs already is named by `into`.
    fn copy_again(&mut self, side: u32, table: TableName, into: Option<u32>, heard: oneshot::Sender<bool>) {
        if self.tables.put_aside(&table) {
            let mut away = vec![(table, Some(copied_by(side)))];
            away.extend(self.take_torn().into_iter().map(|table| (table, Some(copied_by(side)))));
            self.asked(Handover { away, into, ..self.here() }, heard);
        } else if into.is_none() && self.tables.is_passed_over(&table) {
            self.let_in(side, vec![table], Some(heard));
        }
    }

    /// A table that is carried or parked is carried no more.
    fn let_go(
        &mut self,
        table: TableName,
        remove_rows: bool,
        side: impl FnOnce() -> u32,
        heard: oneshot::Sender<bool>,
    ) {
        if self.tables.put_aside(&table) || self.tables.is_passed_over(&table) {
            self.tables.is_let_in(&table);
            let away = self.torn_away(side);
            self.asked(Handover { away, let_go: Some((table, remove_rows)), ..self.here() }, heard);
        }
    }

    /// Nothing is applied to a table that is carried from here on.
    fn pause(
        &mut self,
        table: TableName,
        since: u64,
        side: impl FnOnce() -> u32,
        heard: oneshot::Sender<bool>,
    ) {
        let here = self.here();
        // What it has before here is applied in its own way, by a stream that still carries it.
        self.close();
        if self.tables.put_aside(&table) {
            let state = TableState::Paused { from: here.position.clone(), since };
            let mut away = vec![(table, Some(state))];
            away.extend(self.torn_away(side));
            self.asked(Handover { away, ..here }, heard);
        }
    }

    /// Tables whose rows change with those of one that has left.
    fn take_torn(&mut self) -> Vec<TableName> {
        let mut taken = Vec::new();
        while let Some(TaskError::Torn { table, why }) = self.torn() {
            if !self.tables.put_aside(&table) {
                break;
            }
            tracing::info!(%table, why, "it is copied again, for its rows change with those of others");
            taken.push(table);
        }
        taken
    }

    fn torn_away(&mut self, side: impl FnOnce() -> u32) -> Vec<(TableName, Option<TableState>)> {
        let torn = self.take_torn();
        if torn.is_empty() {
            return Vec::new();
        }
        let side = side();
        torn.into_iter().map(|table| (table, Some(copied_by(side)))).collect()
    }

    fn here(&self) -> Handover {
        Handover::at(self.batch.position().clone())
    }

    fn asked(&mut self, handover: Handover, heard: oneshot::Sender<bool>) {
        self.hand_over(Handover { heard: Some(heard), ..handover });
    }
}

/// The state of a table that a side stream is to copy.
fn copied_by(side: u32) -> TableState {
    TableState::Aside { side, within: Box::new(TableState::Pending) }
}
