//! Days and clock times as numbers, the way PostgreSQL counts them.

/// A MySQL date and time as it is written: nothing says yet that such a day exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u32,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
    pub(crate) micros: u32,
}

/// Microseconds of a day.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;
/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL starts to count.
const POSTGRES_EPOCH_DAYS: i64 = 10_957;
/// Microseconds from 1970 to 2000.
pub(crate) const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS * DAY_MICROS;

impl Civil {
    /// Days since 2000-01-01; `None` for zero, partial and year-0 dates and for days that do not exist.
    #[inline]
    pub(crate) fn days(&self) -> Option<i32> {
        let (year, month, day) = (self.year, self.month, self.day);
        if year == 0 || year > 9999 || day == 0 || day > month_length(year, month)? {
            return None;
        }
        // 730,425 days lie between 0000-03-01 and 2000-01-01.
        i32::try_from(i64::from(days_since_march(year, month, day)) - 730_425).ok()
    }

    /// Microseconds since midnight; `None` when it is no time of a day.
    #[inline]
    pub(crate) fn day_micros(&self) -> Option<i64> {
        (self.hour < 24 && self.minute < 60 && self.second < 60 && self.micros < 1_000_000).then(|| {
            i64::from(self.hour * 3600 + self.minute * 60 + self.second) * 1_000_000 + i64::from(self.micros)
        })
    }

    /// Microseconds since 2000-01-01 00:00; `None` as for [`Civil::days`].
    #[inline]
    pub(crate) fn micros_since_2000(&self) -> Option<i64> {
        Some(i64::from(self.days()?) * DAY_MICROS + self.day_micros()?)
    }
}

/// Days since 0000-03-01, of a day in the years 1 and later.
#[inline]
fn days_since_march(year: u32, month: u32, day: u32) -> u32 {
    // Counted from 1 March on, so that a leap day is the last day of its year.
    let shifted = if month > 2 { year } else { year - 1 };
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year
}

/// Days from 2000-01-01 to a day of a year BC, as PostgreSQL counts; `None` where that has no such day.
pub(super) fn days_before_christ(year: u32, month: u32, day: u32) -> Option<i64> {
    // 400 years are 146,097 days, so 12,000 years later the calendar is the same one.
    let later = 12_001_u32.checked_sub(year)?;
    let exists = year > 0 && day > 0 && day <= month_length(later, month)?;
    exists.then(|| i64::from(days_since_march(later, month, day)) - 730_425 - 30 * 146_097)
}

#[inline]
fn month_length(year: u32, month: u32) -> Option<u32> {
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => return None,
    })
}

impl std::fmt::Display for Civil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
            self.year, self.month, self.day, self.hour, self.minute, self.second, self.micros
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: u32, month: u32, day: u32) -> Option<i32> {
        Civil { year, month, day, ..Civil::default() }.days()
    }

    #[test]
    fn days_are_those_of_postgresql() {
        // select date '…' - date '2000-01-01'
        for (year, month, day, days) in [
            (2000, 1, 1, 0),
            (1999, 12, 31, -1),
            (2000, 2, 29, 59),
            (2000, 3, 1, 60),
            (1970, 1, 1, -10_957),
            (1, 1, 1, -730_119),
            (9999, 12, 31, 2_921_939),
            (2024, 2, 29, 8_825),
            (1900, 3, 1, -36_465),
        ] {
            assert_eq!(date(year, month, day), Some(days), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn days_that_do_not_exist_are_none() {
        for (year, month, day) in [
            (0, 0, 0),
            (0, 1, 1),
            (2020, 0, 1),
            (2020, 1, 0),
            (2021, 2, 29),
            (1900, 2, 29),
            (2021, 13, 1),
            (10_000, 1, 1),
        ] {
            assert_eq!(date(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn days_follow_one_another() {
        let mut last = date(1, 1, 1).unwrap() - 1;
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=month_length(year, month).unwrap() {
                    last += 1;
                    assert_eq!(date(year, month, day), Some(last));
                }
            }
        }
    }
}
