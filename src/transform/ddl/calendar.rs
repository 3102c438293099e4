//! Days and seconds since 1970 UTC as calendar dates, in the proleptic Gregorian calendar that both servers use.

/// Days since 1970-01-01 of a date; `None` for one that does not exist.
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    // Years are counted from March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(365 * year + leap_days + day_of_year - 719_468)
}

/// `YYYY-MM-DD HH:MM:SS` of seconds since 1970; `None` outside the years 1 to 9999.
pub(in crate::transform) fn date_time(seconds: i64) -> Option<String> {
    let (mut rest, second_of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The year is guessed low by the mean length of one and then corrected.
    let mut year = 1970 + (rest * 400).div_euclid(146_097) - 1;
    while days(year + 1, 1, 1)? <= rest {
        year += 1;
    }
    rest -= days(year, 1, 1)?;
    let mut month = 1;
    while month < 12 && days(year, month + 1, 1)? - days(year, 1, 1)? <= rest {
        month += 1;
    }
    let day = rest - (days(year, month, 1)? - days(year, 1, 1)?) + 1;
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    (1..=9999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
}

/// Seconds since 1970 of `YYYY-MM-DD HH:MM:SS` and whatever follows.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let part = |from: usize, length: usize| text.get(from..from + length)?.parse::<i64>().ok();
    let clock = part(11, 2)? * 3600 + part(14, 2)? * 60 + part(17, 2)?;
    Some(days(part(0, 4)?, part(5, 2)?, part(8, 2)?)? * 86_400 + clock)
}
