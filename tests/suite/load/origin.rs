//! The kinds of source that are put under load, and what the load's SQL may ask of each.
//!
//! Everything that differs between servers is answered here; what the writers do is the same wherever it can be.

use crate::harness::Mysql;

/// A kind of source: a server and what GTIDs it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// MySQL 9.7 with GTIDs.
    Mysql97,
    /// MySQL 9.7 by places in its log files.
    Mysql97Files,
    /// MySQL 5.6 by places in its log files, as it comes.
    Mysql56,
    /// MySQL 5.6 with GTIDs.
    Mysql56Gtid,
    /// MariaDB 10.11.
    MariaDb,
}

impl Origin {
    const ALL: [Self; 5] =
        [Self::Mysql97, Self::Mysql97Files, Self::Mysql56, Self::Mysql56Gtid, Self::MariaDb];

    /// Its name on the command line of `scripts/soak`; with `_` for `-` it is fit for a database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql97 => "mysql97",
            Self::Mysql97Files => "mysql97-files",
            Self::Mysql56 => "mysql56",
            Self::Mysql56Gtid => "mysql56-gtid",
            Self::MariaDb => "mariadb",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|origin| origin.name() == name);
        found.unwrap_or_else(|| panic!("there is no source '{name}': {:?}", Self::ALL.map(Self::name)))
    }

    /// The kind of a server that runs.
    pub async fn of(server: &Mysql) -> Self {
        match (server.kind(), server.has_gtids().await) {
            ("mariadb", _) => Self::MariaDb,
            ("mysql56", gtids) => {
                if gtids {
                    Self::Mysql56Gtid
                } else {
                    Self::Mysql56
                }
            }
            (_, true) => Self::Mysql97,
            (_, false) => Self::Mysql97Files,
        }
    }

    /// Starts a server of this kind; a `durable` one loses nothing that it has answered for when it is killed.
    pub async fn start(self, durable: bool) -> Mysql {
        let (kind, mut options): (_, Vec<&str>) = match self {
            Self::Mysql97 => ("mysql97", vec![]),
            Self::Mysql97Files => ("mysql97", vec!["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]),
            Self::Mysql56 => ("mysql56", vec![]),
            Self::Mysql56Gtid => {
                ("mysql56", vec!["--gtid-mode=ON", "--enforce-gtid-consistency", "--log-slave-updates"])
            }
            Self::MariaDb => ("mariadb", vec!["--log-bin-compress=ON", "--log-bin-compress-min-len=64"]),
        };
        if durable {
            options.extend(["--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1"]);
        }
        Mysql::start(kind, &options).await
    }

    fn is_mysql97(self) -> bool {
        matches!(self, Self::Mysql97 | Self::Mysql97Files)
    }

    /// What a column of documents is declared as. MariaDB's JSON is text.
    pub fn json(self) -> &'static str {
        if matches!(self, Self::Mysql56 | Self::Mysql56Gtid) { "TEXT" } else { "JSON" }
    }

    /// An expression that changes a document and stays one: the whole of it, or, where updates may be partial, a part.
    pub fn changed_document(self, column: &str, n: u64) -> String {
        if self.is_mysql97() {
            format!("JSON_SET({column}, '$.changed', {n})")
        } else {
            format!("CONCAT('{{\"changed\": {n}, \"from\": ', IFNULL({column}, 'null'), '}}')")
        }
    }

    /// A collation under which letters of either case are one key.
    pub fn collation(self) -> &'static str {
        if self.is_mysql97() { "utf8mb4_0900_ai_ci" } else { "utf8mb4_unicode_ci" }
    }

    /// What a writer's session is set to: each does what its kind of server can, differently from the others.
    pub fn session(self, writer: u64) -> String {
        let mut settings =
            vec!["innodb_lock_wait_timeout = 3".to_owned(), "lock_wait_timeout = 5".to_owned()];
        match self {
            Self::Mysql97 | Self::Mysql97Files => {
                settings.push(format!("binlog_transaction_compression = {}", writer % 2));
                let parts = if writer.is_multiple_of(3) { "PARTIAL_JSON" } else { "" };
                settings.push(format!("binlog_row_value_options = '{parts}'"));
                if self == Self::Mysql97 && writer % 4 == 3 {
                    settings.push("gtid_next = 'AUTOMATIC:soak'".to_owned());
                }
            }
            Self::Mysql56 | Self::Mysql56Gtid => {
                settings.push(format!("binlog_rows_query_log_events = {}", writer % 2));
            }
            // The log is one, whatever domains its transactions are said to belong to.
            Self::MariaDb => {
                settings.push(format!("gtid_domain_id = {}", writer % 3));
                settings.push(format!("binlog_annotate_row_events = {}", writer % 2));
                settings.push(format!("binlog_alter_two_phase = {}", writer % 2));
            }
        }
        format!("SET SESSION {}", settings.join(", SESSION "))
    }

    /// Whether a transaction may write to a table without transactions too: under GTIDs the server refuses that.
    pub fn mixes_engines(self) -> bool {
        !matches!(self, Self::Mysql97 | Self::Mysql56Gtid)
    }

    /// Whether XA transactions stay right when the server is killed: before 9.7 what was prepared, or its log, is lost
    /// (a fault of those servers, not of whoever reads their log).
    pub fn xa_survives_a_kill(self) -> bool {
        self.is_mysql97()
    }

    /// Renames a column.
    pub fn rename_column(self, table: &str, from: &str, to: &str, definition: &str) -> String {
        match self {
            Self::Mysql56 | Self::Mysql56Gtid => {
                format!("ALTER TABLE {table} CHANGE {from} {to} {definition}")
            }
            Self::Mysql97 | Self::Mysql97Files | Self::MariaDb => {
                format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}")
            }
        }
    }
}
