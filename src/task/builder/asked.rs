//! What somebody asks of a table, at a transaction boundary of the main stream.
//!
//! What must never happen here: an answer while nothing is on its way to become durable.

use super::Builder;
use crate::change::TableName;
use crate::change::state::TableState;
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
            Asked::Again => self.copy_again(side(), table, heard),
            Asked::LetGo { remove_rows } => self.let_go(table, remove_rows, heard),
            Asked::Pause { since } => self.pause(table, since, heard),
            Asked::Resume => {
                self.asked(Handover { resumed: Some((side(), table)), ..self.here() }, heard);
            }
        }
    }

    /// A table that is carried or parked is that of a side stream of this number from here on.
    fn copy_again(&mut self, side: u32, table: TableName, heard: oneshot::Sender<bool>) {
        let state = TableState::Aside { side, within: Box::new(TableState::Pending) };
        if self.tables.put_aside(&table) {
            self.asked(Handover { away: vec![(table, Some(state))], ..self.here() }, heard);
        } else if self.tables.is_passed_over(&table) {
            self.let_in(side, vec![table], Some(heard));
        }
    }

    /// A table that is carried or parked is carried no more.
    fn let_go(&mut self, table: TableName, remove_rows: bool, heard: oneshot::Sender<bool>) {
        if self.tables.put_aside(&table) || self.tables.is_passed_over(&table) {
            self.tables.is_let_in(&table);
            self.asked(Handover { let_go: Some((table, remove_rows)), ..self.here() }, heard);
        }
    }

    /// Nothing is applied to a table that is carried from here on.
    fn pause(&mut self, table: TableName, since: u64, heard: oneshot::Sender<bool>) {
        let here = self.here();
        // What it has before here is applied in its own way, by a stream that still carries it.
        self.close();
        if self.tables.put_aside(&table) {
            let state = TableState::Paused { from: here.position.clone(), since };
            self.asked(Handover { away: vec![(table, Some(state))], ..here }, heard);
        }
    }

    fn here(&self) -> Handover {
        Handover::at(self.batch.position().clone())
    }

    fn asked(&mut self, handover: Handover, heard: oneshot::Sender<bool>) {
        self.hand_over(Handover { heard: Some(heard), ..handover });
    }
}
