//! Servers by family and version: which are supported, and what is known of them that they cannot be asked for.

use crate::change::facts::Flavour;

/// What the user of an unsupported server can do.
/// A server's family and version, and what is known of such servers that they cannot be asked for. Everything that hangs
/// on a version stands here.
///
/// | | 5.6 | 5.7 | 8.0 | 8.4, 9.x | MariaDB 10.5+ |
/// |---|---|---|---|---|---|
/// | end of the log | SHOW MASTER STATUS | the same | the same | SHOW BINARY LOG STATUS (8.2) | SHOW MASTER STATUS |
/// | replicas | SHOW SLAVE HOSTS | the same | SHOW REPLICAS (8.0.22) | the same | SHOW SLAVE HOSTS |
/// | own sources | SHOW SLAVE STATUS | the same | SHOW REPLICA STATUS (8.0.22) | the same | SHOW ALL SLAVES STATUS |
/// | what a replica applies is logged by default | no | no | yes | yes | no |
/// | sync_binlog by default | 0 | 1 | 1 | 1 | 0 |
/// | `gtid_executed` grows | when written | when visible | when visible | when visible | (domains) |
/// | a new file begins | when all of the old one is visible | the same | the same | the same | no matter when |
/// | log_bin, binlog_format, gtid_mode by default | OFF, STATEMENT, OFF | OFF, ROW (5.7.7), OFF | ON, ROW, OFF | ON, ROW, OFF | OFF, MIXED, always |
/// | XA PREPARE in the log | no | 5.7.7 | yes | yes | yes |
/// | XA RECOVER | bytes | CONVERT XID (5.7.5) | the same, XA_RECOVER_ADMIN | the same | FORMAT='SQL' |
/// | compressed transactions, partial JSON | no | no | 8.0.20, 8.0.3 | yes | own events, no |
/// | row metadata | no | no | 8.0.1 | yes | yes |
/// | row events of version 1 | by option | by option | by option (until 8.3) | no | always |
/// | GTIDs with tags | no | no | no | 8.3 | (domains) |
/// | the end of a log in which the server died | cut off | cut off | cut off | cut off | stays |
/// | sql_mode ORACLE changes types, MAXDB makes TIMESTAMP a DATETIME | no, yes | no, yes | gone | gone | yes, yes |
/// | indexes that are not used | none | none | IS_VISIBLE | the same | IGNORED (10.6) |
/// | cascades are logged | no | no | no | 9.6 | no |
/// | generated columns are in all row images | - | yes | yes | yes | until 11 (seen: 10.11, not 11.8) |
///
/// After the reference manuals and release notes of both families, and the servers themselves where they are at hand (5.6.24,
/// 9.7, MariaDB 10.11 and 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// The family.
    pub flavour: Flavour,
    /// `major * 10000 + minor * 100 + patch`.
    pub number: u32,
}

impl ServerVersion {
    /// Shows where the log ends: file and offset.
    pub fn log_status_query(self) -> &'static str {
        match self.flavour {
            Flavour::MySql if self.number >= 80_200 => "SHOW BINARY LOG STATUS",
            Flavour::MySql | Flavour::MariaDb => "SHOW MASTER STATUS",
        }
    }

    /// Lists the replicas that have registered; their ids come first.
    pub fn replicas_query(self) -> &'static str {
        match self.flavour {
            Flavour::MySql if self.number >= 80_022 => "SHOW REPLICAS",
            Flavour::MySql | Flavour::MariaDb => "SHOW SLAVE HOSTS",
        }
    }

    /// Shows from which servers this one takes changes: a row for each.
    pub fn replication_query(self) -> &'static str {
        match self.flavour {
            Flavour::MySql if self.number >= 80_022 => "SHOW REPLICA STATUS",
            Flavour::MySql => "SHOW SLAVE STATUS",
            Flavour::MariaDb => "SHOW ALL SLAVES STATUS",
        }
    }

    /// Lists prepared XA transactions, with ids that can be typed where the server gives such.
    pub fn xa_recover_query(self) -> &'static str {
        match self.flavour {
            Flavour::MySql if self.number >= 50_705 => "XA RECOVER CONVERT XID",
            Flavour::MySql => "XA RECOVER",
            Flavour::MariaDb => "XA RECOVER FORMAT='SQL'",
        }
    }

    /// Says, of a row of `information_schema.STATISTICS`, whether its index is one that queries may name: `'YES'` or `'NO'`.
    pub fn index_usable_expression(self) -> &'static str {
        match self.flavour {
            Flavour::MySql if self.number >= 80_000 => "IS_VISIBLE",
            Flavour::MariaDb if self.number >= 100_600 => "IF(IGNORED = 'YES', 'NO', 'YES')",
            Flavour::MySql | Flavour::MariaDb => "'YES'",
        }
    }

    /// Gives, of a row of `information_schema.COLUMNS`, the expression of a generated column.
    pub fn generation_expression(self) -> &'static str {
        let known = match self.flavour {
            Flavour::MySql => 50_706,
            Flavour::MariaDb => 100_205,
        };
        if self.number >= known { "GENERATION_EXPRESSION" } else { "NULL" }
    }

    /// Whether row images may leave generated columns out although all columns are to be logged.
    pub fn omits_generated(self) -> bool {
        self.flavour == Flavour::MariaDb && self.number >= 110_000
    }

    /// What makes a SELECT hold the rows that it reads, and fail at once where somebody else does, if the server can.
    pub fn shared_lock(self) -> &'static str {
        match self.flavour {
            Flavour::MySql if self.number >= 80_001 => " FOR SHARE NOWAIT",
            Flavour::MariaDb if self.number >= 100_300 => " LOCK IN SHARE MODE NOWAIT",
            Flavour::MySql | Flavour::MariaDb => " LOCK IN SHARE MODE",
        }
    }

    /// Whether a transaction gets into `gtid_executed` only when it is visible. MySQL 5.6 puts it there as soon as it is
    /// written to the log (`Gtid_state::update_on_flush`), 5.7 and later after the engine's commit.
    pub fn executed_is_visible(self) -> bool {
        self.flavour == Flavour::MySql && self.number >= 50_700
    }
}

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
