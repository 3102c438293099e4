//! Foreign keys of the source, followed inside the target transaction of the rows that have them followed.
//!
//! What must never happen here: a commit, or rows changed outside of a transaction that is open.

use super::Applying;
use crate::sink::apply::{Drift, Outcome, TableOutcome};
use crate::sink::compact::OperationCounts;
use crate::task::TaskError;
use crate::task::batch::CascadeUnit;

impl Applying {
    /// Follows foreign keys in the target transaction that the pieces before have opened.
    pub(super) async fn cascade(&mut self, unit: CascadeUnit) -> Result<(), TaskError> {
        let CascadeUnit { cascades, of } = unit;
        // How many rows refer to one nobody knows.
        self.execute("SET LOCAL statement_timeout = 0").await?;
        let mut outcome = Outcome::default();
        for cascade in &cascades {
            let changed = match self.applier.cascade(&self.session, cascade).await {
                Ok(changed) => changed,
                Err(error) if error.is_of_circumstances() => return Err(error.into()),
                Err(error) => {
                    let parent = cascade.graph.members.get(cascade.parent);
                    let key = parent.and_then(|parent| parent.keys.get(cascade.key));
                    let child = key.and_then(|key| cascade.graph.members.get(key.child));
                    let table = child.map(|child| child.table.clone());
                    let table = table.ok_or_else(|| TaskError::missing("the table of a foreign key"))?;
                    let error = TaskError::OfTable { table, error: Box::new(error.into()) };
                    return Err(self.is_refused(error, of, None));
                }
            };
            outcome.tables.extend(changed.into_iter().filter_map(|(member, dead)| {
                let (target, counts) = (cascade.graph.target(member)?.clone(), OperationCounts::default());
                Some(TableOutcome { target, counts, drift: Drift::default(), dead })
            }));
        }
        self.uncommitted.push(outcome);
        Ok(())
    }
}
