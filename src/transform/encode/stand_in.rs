//! Dates before Christ that stand in key columns for the dates that the target has not.
//!
//! No date of a source is before the year 1 and a day of the calendar, so no stand-in is the date of another key. 0000-00-00 has
//! 0001-01-01 BC; every other date that is none of the calendar has a day of its own before that. A date of a row image and of a result
//! row is a [`Civil`] alike, so copy and stream say the same.
//!
//! What must never happen here: two dates with one stand-in.

use super::calendar::{Civil, days_before_christ};

/// Dates of a year that no calendar has: those of month 0, those of day 0, and the days past the end of a month.
const PER_YEAR: u32 = 51;
const PAST_THE_END: [(u32, u32); 7] = [(2, 29), (2, 30), (2, 31), (4, 31), (6, 31), (9, 31), (11, 31)];
/// The years that a source has.
const YEARS: u32 = 10_000;

/// Days from 2000-01-01 to 0001-01-01 BC.
const FIRST: i32 = -730_485;

/// Days since 2000-01-01 of what stands for a date that is none; `None` where it is not even one that a source can have.
pub(super) fn days(date: &Civil) -> Option<i32> {
    let (year, month, day) = (date.year, date.month, date.day);
    if year >= YEARS {
        return None;
    }
    let of_year = match (month, day) {
        (0, 0..=31) => day,
        (1..=12, 0) => 31 + month,
        _ => match PAST_THE_END.iter().position(|past| *past == (month, day)) {
            Some(place) => 44 + u32::try_from(place).ok()?,
            // A day of the year 0, which to PostgreSQL is 1 BC. They come after those of all years.
            None if year == 0 && (1..=12).contains(&month) && (1..=31).contains(&day) => {
                YEARS * PER_YEAR + (month - 1) * 31 + day - 1
            }
            None => return None,
        },
    };
    FIRST.checked_sub_unsigned(year * PER_YEAR + of_year)
}

/// The date that a stand-in is for, as a source prints it: of `year`-`month`-`day` BC. `None` where it stands for none.
pub(crate) fn stands_for(year: u32, month: u32, day: u32) -> Option<String> {
    let standing = i32::try_from(days_before_christ(year, month, day)?).ok()?;
    let place = u32::try_from(FIRST.checked_sub(standing)?).ok()?;
    let (year, month, day) = match place.checked_sub(YEARS * PER_YEAR) {
        Some(place) => (0, place / 31 + 1, place % 31 + 1),
        None => match place % PER_YEAR {
            day @ 0..=31 => (place / PER_YEAR, 0, day),
            month @ 32..=43 => (place / PER_YEAR, month - 31, 0),
            past => {
                let (month, day) = *PAST_THE_END.get(usize::try_from(past - 44).ok()?)?;
                (place / PER_YEAR, month, day)
            }
        },
    };
    // Some places are nobody's: 02-29 of leap years, and days past the end of a month of the year 0, which have another one.
    let date = Civil { year, month, day, ..Civil::default() };
    (date.days().is_none() && days(&date) == Some(standing)).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Every date that a source can have and no calendar has.
    fn all() -> impl Iterator<Item = Civil> {
        let dates = (0..YEARS)
            .flat_map(|year| (0..=12).flat_map(move |month| (0..=31).map(move |day| (year, month, day))));
        dates
            .map(|(year, month, day)| Civil { year, month, day, ..Civil::default() })
            .filter(|date| date.days().is_none())
    }

    #[test]
    fn every_date_that_is_none_has_a_day_of_its_own_before_christ() {
        let mut taken = HashMap::new();
        for date in all() {
            let days = days(&date).unwrap_or_else(|| panic!("{date}"));
            assert_eq!(taken.insert(days, date), None, "{date}");
            // 4713 BC is where dates of PostgreSQL begin.
            assert!((-2_451_507..=FIRST).contains(&days), "{date}");
        }
        assert_eq!(days(&Civil::default()), Some(FIRST));
        assert_eq!(days(&Civil { year: 2024, month: 13, day: 1, ..Civil::default() }), None);
    }

    #[test]
    fn a_stand_in_is_known_again() {
        // As PostgreSQL prints days: select date '2000-01-01' - n
        for (day, date) in
            [((1, 1, 1), "0000-00-00"), ((2, 12, 31), "0000-00-01"), ((2, 12, 1), "0000-00-31")]
        {
            assert_eq!(stands_for(day.0, day.1, day.2).as_deref(), Some(date));
        }
        // Every day from there on, back to what no date has.
        let mut found = 0;
        for (year, month, day) in (1..1_500)
            .flat_map(|year| (1..=12).flat_map(move |month| (1..=31).map(move |day| (year, month, day))))
        {
            let Some(text) = stands_for(year, month, day) else { continue };
            let part = |from: usize, to: usize| text.get(from..to).unwrap().parse().unwrap();
            let date = Civil { year: part(0, 4), month: part(5, 7), day: part(8, 10), ..Civil::default() };
            assert!(date.days().is_none(), "{text}");
            assert_eq!(days(&date).map(i64::from), days_before_christ(year, month, day), "{text}");
            found += 1;
        }
        assert_eq!(found, all().count());
    }
}
