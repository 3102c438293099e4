//! Tables whose rows change together: what a foreign key does is a unit of its own between the pieces of its transaction, and tables that
//! hang on one that leaves the stream leave it too.
//!
//! What must never happen here: what a foreign key does apart from the transaction that has it done.

use super::Builder;
use crate::change::cascade::Cascade;
use crate::change::state::TableState;
use crate::change::{RowsEvent, TableName};
use crate::task::TaskError;
use crate::task::batch::{CascadeUnit, Unit};
use crate::task::translator::Translator;

impl<T: Translator> Builder<T> {
    /// What has come of the open transaction is applied first, and what comes after it later, all in one target transaction.
    pub(super) fn cascade(&mut self, cascades: Vec<Cascade>, event: &RowsEvent) -> Result<(), TaskError> {
        self.close();
        let piece = self.batch.cut().ok_or_else(|| TaskError::missing("the piece of a transaction"))?;
        let of = self.course.place(&event.position);
        self.push_of(piece, of.clone());
        self.ready.push_back(Unit::Cascade(CascadeUnit { cascades, of }));
        Ok(())
    }

    /// A table that cannot be on this stream any more, for others have left it that its rows change with.
    pub(in crate::task) fn torn(&mut self) -> Option<TaskError> {
        self.family.torn(&self.tables, &self.translator)
    }

    pub(super) async fn put_torn_aside(
        &mut self,
        away: &mut Vec<(TableName, Option<TableState>)>,
    ) -> Result<(), TaskError> {
        while let Some(error) = self.torn() {
            self.put_aside(error, away).await?;
        }
        Ok(())
    }
}
