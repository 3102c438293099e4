//! What the builder asks of who makes the target follow statements.

use super::TaskError;
use super::batch::Renamed;
use super::course::PassedOver;
use super::tables::Tables;
use crate::change::state::TableState;
use crate::change::{ComputedRow, Computing, DoubtfulEvent, Position, StatementEvent, TableName};
use crate::transform::cascade::KeyRules;

/// Makes the target follow a statement; joined in by the stream, which knows rules and config.
pub trait Translator: Send {
    /// Changes `tables` to their definitions after the statement and returns what the target has to do, which is nothing for those that
    /// it is passed over for. `from` is where the stream is before it. Both servers may be asked on the way.
    ///
    /// # Errors
    /// When the statement cannot be carried under the policies, or the source cannot be asked.
    fn translate(
        &mut self,
        tables: &mut Tables,
        event: &StatementEvent,
        over: &PassedOver,
        from: &Position,
    ) -> impl Future<Output = Result<Translation, TaskError>> + Send;

    /// Why a carried table cannot follow a statement that may have changed it, one after the other, but for those that it is passed over
    /// for.
    fn doubted(&self, tables: &Tables, event: &DoubtfulEvent, over: &PassedOver) -> Option<TaskError>;

    /// Sees to it that tables can go on that such a statement is passed over for. `from` is where the stream is before it.
    ///
    /// # Errors
    /// When one of them cannot, or the source cannot be asked.
    fn pass_over(
        &self,
        tables: &Tables,
        event: &DoubtfulEvent,
        over: &PassedOver,
        from: &Position,
    ) -> impl Future<Output = Result<(), TaskError>> + Send;

    /// The table that an error of these is about and its state from here on, where the others go on without it; no state where
    /// its target goes with it. `side` is the number of the side stream of tables that are put aside with it.
    ///
    /// # Errors
    /// When the source cannot be asked.
    fn instead(
        &mut self,
        error: &TaskError,
        tables: &Tables,
        side: Option<u32>,
    ) -> impl Future<Output = Result<Option<(TableName, Option<TableState>)>, TaskError>> + Send;

    /// Has the source compute generated columns; `None` where it is none that can. The inner error says why it does not.
    ///
    /// # Errors
    /// When the source cannot be asked.
    fn compute(
        &mut self,
        computing: &Computing,
    ) -> impl Future<Output = Result<Option<Result<Vec<ComputedRow>, String>>, TaskError>> + Send;

    /// Whether rows of a table are applied whatever is there.
    fn always_convergent(&self, table: &TableName) -> bool;

    /// Whether rows of a table that the target cannot hold are kept in quarantine.
    fn quarantines(&self, table: &TableName) -> bool;

    /// What the config says about the foreign keys of a table.
    fn key_rules(&self, table: &TableName) -> KeyRules;

    /// Whether it is accepted that a foreign key is not followed.
    fn accepts_cascade(&self, key: &str) -> bool;

    /// Whether tables are copied, and can be again.
    fn copies(&self) -> bool;

    /// Whether the source does not log what foreign keys do.
    fn cascades_are_silent(&self) -> bool;
}

/// What a statement comes to.
#[derive(Debug, Default)]
pub struct Translation {
    /// Changes of target tables.
    pub changes: Vec<crate::change::TargetChange>,
    /// The source tables that the changes are made for.
    pub tables: Vec<TableName>,
    /// New definitions.
    pub versions: Vec<(crate::schema::Table, crate::transform::TableMapping)>,
    /// Tables that have other names.
    pub renamed: Vec<Renamed>,
}

impl Translation {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.versions.is_empty() && self.renamed.is_empty()
    }
}
