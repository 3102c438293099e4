//! Times of the day that become dates: of the current day, or on MariaDB under `old_mode=ZERO_DATE_TIME_CAST` of the day zero. The
//! log does not tell which (seen on MariaDB 10.11), so an expression where that may happen has no certain value there.

use crate::schema::MySqlType;
use crate::schema::ddl::SqlMode;
use crate::schema::ddl::token::tokenize;

/// What may give a time without a date: functions, the type that something is cast to, the word of a literal.
const GIVE_TIME: &[&str] = &[
    "addtime",
    "curtime",
    "current_time",
    "maketime",
    "sec_to_time",
    "subtime",
    "time",
    "timediff",
    "utc_time",
];

/// What wants a time and nothing more of what it is given.
const TAKE_TIME: &[&str] = &["hour", "microsecond", "minute", "second", "time_to_sec"];

/// What may want a date: the rest of the functions of dates and times.
const TAKE_DATE: &[&str] = &[
    "adddate",
    "date",
    "date_add",
    "date_sub",
    "datediff",
    "datetime",
    "day",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "extract",
    "interval",
    "last_day",
    "month",
    "quarter",
    "subdate",
    "timestamp",
    "timestampadd",
    "timestampdiff",
    "to_days",
    "to_seconds",
    "unix_timestamp",
    "weekday",
    "year",
];

/// Whether a time may become a date in `sql` or where its value is stored in a column of this type.
pub(super) fn may_become_date(sql: &str, mode: SqlMode, column: &MySqlType) -> bool {
    let Ok(tokens) = tokenize(sql, mode) else { return true };
    let has = |list: &[&str]| tokens.iter().any(|token| list.iter().any(|word| token.is_word(word)));
    // Compared with a date it becomes one too.
    let dated = ["now", "current_timestamp", "localtime", "localtimestamp", "curdate", "current_date"];
    let dated = has(&dated) || has(&["utc_date", "utc_timestamp", "makedate", "from_days"]);
    let stored = match column {
        MySqlType::Time { .. } => false,
        MySqlType::Date | MySqlType::DateTime { .. } | MySqlType::Timestamp { .. } | MySqlType::Year => true,
        // A number of it is one of hours, minutes and seconds; with what takes apart times there is nothing else to say.
        _ => !has(TAKE_TIME) && !is_text(column),
    };
    has(GIVE_TIME) && (stored || dated || has(TAKE_DATE))
}

fn is_text(column: &MySqlType) -> bool {
    matches!(column, MySqlType::Char { .. } | MySqlType::VarChar { .. } | MySqlType::Text { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_a_date_may_be_made_of_is_found() {
        let date_time = MySqlType::DateTime { fraction: 0, old_format: false };
        let time = MySqlType::Time { fraction: 0, old_format: false };
        for (sql, column, expected) in [
            ("maketime(1,2,3)", &date_time, true),
            ("SEC_TO_TIME(5)", &date_time, true),
            ("coalesce(timediff('1:0:0', '0:1:0'))", &MySqlType::Date, true),
            ("cast('10:11:12' as time)", &date_time, true),
            ("TIME '10:11:12'", &MySqlType::Date, true),
            ("addtime('10:00:00', '1:00:00')", &date_time, true),
            ("maketime(1,2,3)", &time, false),
            ("to_days(curtime())", &MySqlType::Double, true),
            ("hour(curtime())", &MySqlType::Double, false),
            ("now()", &date_time, false),
            ("greatest(now(), curtime())", &time, true),
            ("'10:11:12'", &date_time, false),
        ] {
            assert_eq!(may_become_date(sql, SqlMode::default(), column), expected, "{sql} {column:?}");
        }
    }
}
