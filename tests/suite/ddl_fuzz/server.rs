//! The servers whose statements are drawn, and how one is made ready for it.

use crate::harness::Mysql;
use std::fmt::Write;

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// MySQL 9.7.
    Mysql97,
    /// MySQL 5.6.
    Mysql56,
    /// MariaDB 10.11.
    Maria,
    /// MariaDB 11.8.
    Maria118,
}

/// What a disk's safety costs, and patience with locks, are of no use here.
const OPTIONS: [&str; 8] = [
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--lock-wait-timeout=5",
    "--innodb-lock-wait-timeout=3",
    "--max-connections=1000",
    "--max-binlog-size=1G",
];

impl Server {
    /// By its name in `scripts/servers`.
    pub fn named(name: &str) -> Self {
        [Self::Mysql97, Self::Mysql56, Self::Maria, Self::Maria118]
            .into_iter()
            .find(|server| server.name() == name)
            .unwrap_or_else(|| panic!("'{name}' is no kind of source"))
    }

    /// Its name in `scripts/servers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql97 => "mysql97",
            Self::Mysql56 => "mysql56",
            Self::Maria => "mariadb",
            Self::Maria118 => "mariadb118",
        }
    }

    /// A MariaDB of either version.
    pub fn is_maria(self) -> bool {
        matches!(self, Self::Maria | Self::Maria118)
    }

    /// Has generated columns, CHECKs, invisible columns, defaults that are expressions.
    pub fn is_modern(self) -> bool {
        self != Self::Mysql56
    }

    /// A server of one's own whose `SYSTEM` is Berlin's time, with two named zones.
    pub async fn start(self) -> Mysql {
        let mysql = Mysql::start_in_zone(self.name(), "Europe/Berlin", &OPTIONS).await;
        mysql.sql(&zones()).await;
        mysql
    }
}

/// Two zones with daylight saving time as they are since 2007: whole zone tables take seconds to load.
fn zones() -> String {
    let mut sql = "SET sql_log_bin = 0, time_zone = '+00:00'".to_owned();
    for (id, name, standard, start, end) in [
        // Both at 01:00 UTC on the last Sundays of March and October.
        (901, "Europe/Berlin", 3_600, (3, Sunday::Last, 3_600), (10, Sunday::Last, 3_600)),
        // At 02:00 local time on the second Sunday of March and the first one of November.
        (902, "America/New_York", -18_000, (3, Sunday::Second, 25_200), (11, Sunday::First, 21_600)),
    ] {
        let _ = write!(
            sql,
            "; INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES ({id}, 'N'); \
             INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('{name}', {id}); \
             INSERT INTO mysql.time_zone_transition_type VALUES ({id}, 0, {standard}, 0, 'S'), ({id}, 1, {}, 1, 'D'); \
             INSERT INTO mysql.time_zone_transition VALUES ({id}, 0, 0)",
            standard + 3_600
        );
        for year in 1971..2038 {
            for ((month, sunday, second), kind) in [(start, 1), (end, 0)] {
                let at = sunday.of(year, month) * 86_400 + second;
                let _ = write!(sql, ", ({id}, {at}, {kind})");
            }
        }
    }
    sql
}

/// A Sunday of a month.
#[derive(Clone, Copy, Debug)]
enum Sunday {
    First,
    Second,
    Last,
}

impl Sunday {
    /// In days since 1970.
    fn of(self, year: i64, month: i64) -> i64 {
        // 1970 began on a Thursday; both months that ask for their last Sunday have 31 days.
        let first_from = |day: i64| day + (3 - day).rem_euclid(7);
        match self {
            Self::First => first_from(days(year, month, 1)),
            Self::Second => first_from(days(year, month, 8)),
            Self::Last => first_from(days(year, month, 25)),
        }
    }
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469
}
