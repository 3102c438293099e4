//! What the ends of the pipeline's stages come to.
//!
//! A stage lets go of the channel to the next one before its own end is told, so the ends are told in any order: the
//! applier's may come first although the reader is where it began.
//!
//! What must never happen here: an error that a stage has met forgotten, and the task left following nothing.

use super::TaskError;

/// How a stage ended that leaves nothing undone.
#[derive(Debug)]
pub(super) enum Stage {
    Reader,
    Builder,
    Applier,
    /// The reader ends at what it cannot get past. The stages after it go on with what it has handed on.
    ReaderMet(TaskError),
    /// The builder, likewise.
    BuilderMet(TaskError),
}

/// The ends told so far.
#[derive(Debug, Default)]
pub(super) struct Ending {
    met: Option<TaskError>,
    read: bool,
    built: bool,
    applied: bool,
}

impl Ending {
    /// Takes in a stage's end.
    pub fn add(&mut self, stage: Stage) {
        match stage {
            Stage::Reader => self.read = true,
            Stage::Builder => self.built = true,
            Stage::Applier => self.applied = true,
            Stage::ReaderMet(error) => {
                self.read = true;
                self.met.get_or_insert(error);
            }
            Stage::BuilderMet(error) => {
                self.built = true;
                self.met.get_or_insert(error);
            }
        }
    }

    /// How the whole has ended; `None` while a stage is at work on what is to become durable.
    pub fn outcome(&mut self, stopping: bool) -> Option<Result<(), TaskError>> {
        // A reader may wait for its server long after the builder has met something: it is not waited for.
        if !self.applied || !self.built || !(self.read || self.met.is_some()) {
            return None;
        }
        Some(match self.met.take() {
            Some(error) => Err(error),
            None if stopping => Ok(()),
            None => Err(TaskError::Internal("the stream ended without an error".to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met() -> TaskError {
        TaskError::Internal("met".to_owned())
    }

    /// Every order of three ends.
    fn orders(ends: [fn() -> Stage; 3]) -> impl Iterator<Item = [Stage; 3]> {
        [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
            .into_iter()
            .map(move |order: [usize; 3]| order.map(|at| ends[at]()))
    }

    fn outcome(order: [Stage; 3], stopping: bool) -> Option<Result<(), TaskError>> {
        let mut ending = Ending::default();
        let mut outcome = None;
        for stage in order {
            assert!(outcome.is_none(), "ended too early");
            ending.add(stage);
            outcome = ending.outcome(stopping);
        }
        outcome
    }

    #[test]
    fn what_the_reader_met_is_told_in_whatever_order_the_ends_come() {
        for order in orders([|| Stage::ReaderMet(met()), || Stage::Builder, || Stage::Applier]) {
            let told = format!("{order:?}");
            assert!(
                matches!(outcome(order, false), Some(Err(TaskError::Internal(why))) if why == "met"),
                "{told}"
            );
        }
    }

    #[test]
    fn what_the_builder_met_does_not_wait_for_the_reader() {
        for applier_first in [true, false] {
            let mut ending = Ending::default();
            let (first, last) = match applier_first {
                true => (Stage::Applier, Stage::BuilderMet(met())),
                false => (Stage::BuilderMet(met()), Stage::Applier),
            };
            ending.add(first);
            assert!(ending.outcome(false).is_none());
            ending.add(last);
            assert!(matches!(ending.outcome(false), Some(Err(TaskError::Internal(why))) if why == "met"));
        }
    }

    #[test]
    fn a_stop_is_no_error_and_an_end_without_reason_is() {
        for stopping in [true, false] {
            for order in orders([|| Stage::Reader, || Stage::Builder, || Stage::Applier]) {
                let ended = outcome(order, stopping);
                assert_eq!(ended.map(|ended| ended.is_ok()), Some(stopping));
            }
        }
    }
}
