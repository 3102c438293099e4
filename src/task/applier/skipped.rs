//! What was passed over becomes durable with the checkpoint after it; and errors are told with the transaction of the log that makes them.

use super::Applying;
use crate::change::{FilePosition, TransactionPlace};
use crate::sink::store::Skip;
use crate::status::now;
use crate::task::TaskError;
use crate::task::skipping;

impl Applying {
    /// Records, in the open transaction, that these were passed over.
    pub(super) async fn record_passed(&self, skipped: &[Skip]) -> Result<(), TaskError> {
        for skip in skipped {
            self.store.record_passed(&self.session, skip.number, now().seconds()).await?;
        }
        Ok(())
    }

    /// That is durable.
    pub(super) fn tell_passed(&self, skipped: &[Skip]) {
        for skip in skipping::distinct(skipped.iter().collect()) {
            skipping::tell_passed(&self.context, skip);
        }
    }

    /// The error with the transaction of the log that makes it: `of`, or one of those that end at `until`.
    pub(super) fn in_log(
        &self,
        error: TaskError,
        of: Option<TransactionPlace>,
        until: Option<&FilePosition>,
    ) -> TaskError {
        match (of, until) {
            // Nothing is passed over on a side stream.
            _ if self.context.is_aside() => error,
            (Some(place), _) => error.standing_at(place),
            (None, Some(until)) => error.among(until),
            (None, None) => error,
        }
    }
}
