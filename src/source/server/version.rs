//! Which servers are supported, by the words of `VERSION()`.

use crate::change::facts::Flavour;

/// What the user of an unsupported server can do.
pub const UPGRADE: &str = "upgrade the source to MySQL 5.6 or newer, or MariaDB 10.5 or newer";

/// `9.7.4-2`, `5.6.24-log`, `10.11.6-MariaDB-0+deb12u1-log`, `5.5.5-10.4.8-MariaDB` → family and
/// `major * 10000 + minor * 100 + patch`. What cannot be read counts as 0.
pub(super) fn parse(version: &str) -> (Flavour, u32) {
    let maria = version.to_ascii_lowercase().contains("mariadb");
    // MariaDB greets old replicas as 5.5.5; the prefix may be left on by a proxy.
    let own = if maria { version.strip_prefix("5.5.5-").unwrap_or(version) } else { version };
    let mut numbers =
        own.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse::<u32>().unwrap_or(0).min(9_999));
    let mut next = || numbers.next().unwrap_or(0);
    let number = next() * 10_000 + next().min(99) * 100 + next().min(99);
    (if maria { Flavour::MariaDb } else { Flavour::MySql }, number)
}

/// Why a server is refused; `None` for a supported one.
pub fn unsupported(flavour: Flavour, version_number: u32) -> Option<&'static str> {
    match flavour {
        Flavour::MySql if version_number < 50_600 => Some(
            "this is MySQL before 5.6, whose binlog lacks checksums and full row events and whose temporal types have another format",
        ),
        Flavour::MariaDb if version_number < 100_500 => {
            Some("this is MariaDB before 10.5, whose binlog has no full row metadata")
        }
        Flavour::MySql | Flavour::MariaDb => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_every_family_are_read() {
        assert_eq!(parse("9.7.4-2"), (Flavour::MySql, 90_704));
        assert_eq!(parse("5.6.24-log"), (Flavour::MySql, 50_624));
        assert_eq!(parse("8.0.36-28.1"), (Flavour::MySql, 80_036));
        assert_eq!(parse("10.11.19-MariaDB-0+deb12u1-log"), (Flavour::MariaDb, 101_119));
        assert_eq!(parse("5.5.5-10.4.8-MariaDB"), (Flavour::MariaDb, 100_408));
        assert_eq!(parse("99999999999.x"), (Flavour::MySql, 0));
    }

    #[test]
    fn servers_before_5_6_are_refused_with_the_reason() {
        assert!(unsupported(Flavour::MySql, 50_562).unwrap().contains("before 5.6"));
        assert_eq!(unsupported(Flavour::MySql, 50_600), None);
        assert!(unsupported(Flavour::MariaDb, 100_408).unwrap().contains("before 10.5"));
        assert_eq!(unsupported(Flavour::MariaDb, 100_500), None);
    }
}
