//! The clock by which times are told.

use crate::change::status::Time;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time by this machine's clock.
pub fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time::from_micros(u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX))
}
