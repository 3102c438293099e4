//! How a copy aside gives way to the main stream: they share the machines of source, target and daemon, and readers wait for the main
//! stream alone.
//!
//! How late the main stream's commits are says what the copy costs it. The latest of late is remembered of when nothing is copied aside;
//! where commits get later than that by more than a little the copy pauses between blocks, longer and longer, and less again when they
//! do not. Where machines have room for both it soon does not pause at all, and while the main stream has nothing to do it never does.
//! What the longest pauses do not mend in half a minute is not the copy's doing: that is what calm times are like from there on.
//!
//! What must never happen here: a copy that stands still.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After so long without a commit the main stream has nothing to do.
const IDLE: Duration = Duration::from_secs(1);
/// So much of its distance to a new value the latest of late loses with each commit: half a second's at a hundred a second counts.
const FADES: f64 = 0.03;
/// So much later than in calm times is no reason to pause.
const LATER: f64 = 1.15;
/// So much of its distance to that the calm gains with each block while pauses are the longest.
const RESIGNS: f64 = 0.001;
/// Pauses are so many times as long as the work between them, at first and at most.
const PAUSES: (f64, f64) = (60.0, 200.0);
/// How they grow and shrink from block to block.
const GROWS: f64 = 1.1;
const SHRINKS: f64 = 0.99;
/// The longest pause: what is copied meanwhile is locked at the source against being redefined.
const LONGEST: Duration = Duration::from_millis(25);

/// What is known of how late the main stream is.
#[derive(Debug, Default)]
pub struct Courtesy {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How late commits were when nothing was copied aside.
    calm: Latest,
    /// And whatever was.
    lately: Latest,
    /// When the last one was.
    last: Option<Instant>,
    /// Copies aside.
    copies: usize,
    /// How many times as long as its work a copy pauses.
    share: f64,
    /// Whether one did after its last block.
    pauses: bool,
}

/// The latest of late, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Latest(Option<f64>);

impl Latest {
    fn take(&mut self, value: f64) {
        let before = self.0.unwrap_or(value);
        self.0 = Some(value.max(before + (value - before) * FADES));
    }
}

/// A copy aside that runs.
#[derive(Debug)]
pub struct Copying(Arc<Courtesy>);

impl Drop for Copying {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.copies = state.copies.saturating_sub(1);
    }
}

impl Courtesy {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The main stream has committed something that is so late.
    pub fn commits(&self, late: Duration) {
        self.lock().commits(late, Instant::now());
    }

    /// A copy aside begins.
    pub fn begins(self: &Arc<Self>) -> Copying {
        let mut state = self.lock();
        state.copies += 1;
        if state.copies == 1 {
            state.share = PAUSES.0;
        }
        Copying(self.clone())
    }
}

impl Copying {
    /// Whether it paused after the last block.
    pub fn pauses(&self) -> bool {
        self.0.lock().pauses
    }

    /// How long to pause after so much work.
    pub fn pause(&self, worked: Duration) -> Duration {
        let mut state = self.0.lock();
        let pause = state.pause(worked, Instant::now());
        state.pauses = !pause.is_zero();
        pause
    }
}

impl State {
    fn commits(&mut self, late: Duration, now: Instant) {
        self.last = Some(now);
        let late = late.as_secs_f64() * 1000.0;
        self.lately.take(late);
        if self.copies == 0 {
            self.calm.take(late);
        }
    }

    fn pause(&mut self, worked: Duration, now: Instant) -> Duration {
        let is_busy = self.last.is_some_and(|last| now.saturating_duration_since(last) < IDLE);
        let (Latest(Some(calm)), Latest(Some(lately)), true) = (self.calm, self.lately, is_busy) else {
            return Duration::ZERO;
        };
        self.share = if lately > calm * LATER {
            (self.share * GROWS + 0.1).min(PAUSES.1)
        } else {
            (self.share * SHRINKS - 0.01).max(0.0)
        };
        if self.share >= PAUSES.1 {
            self.calm = Latest(Some(calm + (lately - calm) * RESIGNS));
        }
        worked.mul_f64(self.share).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Duration = Duration::from_millis(1);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A main stream that was late by so much in calm times.
    fn calm(late: u64) -> (Arc<Courtesy>, Copying) {
        let courtesy = Arc::new(Courtesy::default());
        (0..100).for_each(|_| courtesy.commits(millis(late)));
        let copying = courtesy.begins();
        (courtesy, copying)
    }

    #[test]
    fn where_there_is_room_it_soon_does_not_pause() {
        let (courtesy, copying) = calm(4);
        assert!(copying.pause(BLOCK) > millis(20));
        for _ in 0..1000 {
            courtesy.commits(millis(4));
            copying.pause(BLOCK);
        }
        assert_eq!(copying.pause(BLOCK), Duration::ZERO);
    }

    #[test]
    fn it_pauses_longer_and_longer_while_the_main_stream_is_late_but_never_for_good() {
        let (courtesy, copying) = calm(4);
        for _ in 0..200 {
            courtesy.commits(millis(9));
            copying.pause(BLOCK);
        }
        assert_eq!(copying.pause(BLOCK / 10), (BLOCK / 10).mul_f64(PAUSES.1));
        assert_eq!(copying.pause(Duration::from_secs(3600)), LONGEST);
        // One that was late once is not late for ever.
        for _ in 0..1000 {
            courtesy.commits(millis(4));
            copying.pause(BLOCK);
        }
        assert_eq!(copying.pause(BLOCK), Duration::ZERO);
    }

    /// A server that is busier from now on is not waited for until its log has gone.
    #[test]
    fn what_pausing_does_not_mend_is_not_waited_for() {
        let (courtesy, copying) = calm(4);
        for _ in 0..5000 {
            courtesy.commits(millis(40));
            copying.pause(BLOCK);
        }
        assert_eq!(copying.pause(BLOCK), Duration::ZERO);
    }

    #[test]
    fn a_main_stream_that_has_nothing_to_do_is_not_waited_for() {
        let nothing = Arc::new(Courtesy::default());
        assert_eq!(nothing.begins().pause(BLOCK), Duration::ZERO);
        let (courtesy, _copying) = calm(4);
        let later = Instant::now() + IDLE;
        assert_eq!(courtesy.lock().pause(BLOCK, later), Duration::ZERO);
    }

    /// What copies cost is not what calm times are like, and the next copy begins slowly again.
    #[test]
    fn calm_is_what_it_is_without_copies() {
        let (courtesy, copying) = calm(4);
        let another = courtesy.begins();
        (0..1000).for_each(|_| courtesy.commits(millis(9)));
        drop(copying);
        (0..1000).for_each(|_| courtesy.commits(millis(9)));
        assert!(another.pause(BLOCK / 10) > (BLOCK / 10).mul_f64(PAUSES.0));
        drop(another);
        (0..1000).for_each(|_| courtesy.commits(millis(9)));
        let next = courtesy.begins();
        assert_eq!(next.pause(BLOCK / 10), (BLOCK / 10).mul_f64(PAUSES.0 * SHRINKS - 0.01));
    }
}
