//! What probing found out about the two servers; `precheck` judges it, nothing else guesses from versions.

use super::gtid::GtidSet;
use super::shape::{TargetName, TargetTable};
use super::{Domains, FilePosition, TableName, TableNames};
use std::collections::{BTreeMap, BTreeSet};

/// Which family of servers the source belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Oracle MySQL, Percona Server, RDS MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// The source server.
#[derive(Clone, Debug)]
pub struct SourceFacts {
    /// The family.
    pub flavour: Flavour,
    /// `version()` as printed.
    pub version: String,
    /// `major * 10000 + minor * 100 + patch`.
    pub version_number: u32,
    /// `server_uuid`.
    pub server_uuid: Option<String>,
    /// `log_bin`.
    pub log_bin: bool,
    /// `binlog_format`, upper case.
    pub binlog_format: String,
    /// `binlog_row_image`, upper case.
    pub binlog_row_image: String,
    /// `binlog_row_value_options`; empty when partial JSON is off.
    pub binlog_row_value_options: String,
    /// InnoDB itself carries out cascades of foreign keys, which the log then does not show: always before MySQL 9.6, later
    /// as `innodb_native_foreign_keys` says.
    pub native_foreign_keys: bool,
    /// Databases that alone get into the log (`binlog_do_db`); none: all do.
    pub only_logged: Vec<String>,
    /// Databases that are kept out of the log (`binlog_ignore_db`).
    pub never_logged: Vec<String>,
    /// What comes from other servers is logged here too (`log_replica_updates`).
    pub logs_received: bool,
    /// Changes come from other servers: it is a replica, or a node of a Galera cluster. `None` where that cannot be seen.
    pub receives: Option<bool>,
    /// `sync_binlog`: after how many commits the log is made durable; 0: whenever the system likes.
    pub sync_binlog: u64,
    /// `gtid_mode` is `ON`.
    pub gtid_mode_on: bool,
    /// `gtid_executed`.
    pub gtid_executed: GtidSet,
    /// `gtid_purged`.
    pub gtid_purged: GtidSet,
    /// MariaDB: the last transaction of each domain in the log (`gtid_binlog_pos`).
    pub domains: Domains,
    /// MariaDB: the same of what lies before the oldest file that is left; `None` where it cannot be asked for.
    pub domains_purged: Option<Domains>,
    /// End of the log, where it can be asked for.
    pub log_end: Option<FilePosition>,
    /// `lower_case_table_names`.
    pub lower_case_table_names: u8,
    /// Number of prepared XA transactions; `None` when the privilege is missing.
    pub prepared_xa: Option<u64>,
    /// Missing server privileges, e.g. `REPLICATION SLAVE`.
    pub missing_privileges: BTreeSet<String>,
    /// The settings that were asked for, by name in lower case: others after a restart may need another judgement.
    pub settings: BTreeMap<String, String>,
    /// Per selected table what was found.
    pub tables: BTreeMap<TableName, SourceTableFacts>,
}

impl SourceFacts {
    /// How it compares names of databases and tables.
    pub fn names(&self) -> TableNames {
        TableNames::of(self.lower_case_table_names)
    }

    /// What becomes of the rows that cascades change.
    ///
    /// MySQL runs cascades above InnoDB, and so logs them, since 9.6 unless `innodb_native_foreign_keys` is on. It makes
    /// foreign keys of `REFERENCES` in a column's definition since 9.0, MariaDB since 10.5.
    pub fn cascades(&self) -> Cascades {
        let (mysql, number) = (self.flavour == Flavour::MySql, self.version_number);
        Cascades {
            silent: !mysql || number < 90_600 || self.native_foreign_keys,
            inline: !mysql || number >= 90_000,
        }
    }
}

/// What a source makes of foreign keys that cascade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cascades {
    /// The rows they change do not get into the log.
    pub silent: bool,
    /// `REFERENCES` in a column's definition makes a foreign key; elsewhere it is read and dropped.
    pub inline: bool,
}

/// A selected table as the precheck needs it.
#[derive(Clone, Debug, Default)]
pub struct SourceTableFacts {
    /// Estimated rows.
    pub estimated_rows: u64,
    /// Storage engine.
    pub engine: String,
    /// MariaDB's system versioning: its rows in the log have columns and a key that its definition does not show.
    pub versioned: bool,
    /// Whether it has a primary key or, when none, a unique key over NOT NULL columns.
    pub has_key: bool,
    /// It has a primary key that holds only the beginning of a column.
    pub prefix_key: bool,
    /// May be read by the user.
    pub readable: bool,
}

/// The kind of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// PostgreSQL itself.
    PostgreSql,
    /// Greenplum.
    Greenplum,
    /// AnalyticDB for PostgreSQL.
    AnalyticDb,
}

/// The target server.
#[derive(Clone, Debug)]
pub struct TargetFacts {
    /// Detected or forced kind.
    pub kind: TargetKind,
    /// `version()` as printed.
    pub version: String,
    /// `server_version_num`.
    pub version_number: u32,
    /// Database encoding, e.g. `UTF8`.
    pub encoding: String,
    /// The database's name.
    pub database: String,
    /// Every table that the task keeps its records in is there.
    pub records_made: bool,
    /// May create schemas in the database.
    pub can_create_schema: bool,
    /// Schemas that exist, and whether tables may be created in them.
    pub schemas: BTreeMap<String, bool>,
    /// Wanted tables that exist, as found.
    pub tables: BTreeMap<TargetName, FoundTable>,
    /// The session is not pooled per transaction (advisory locks hold).
    pub session_stable: bool,
    /// `INSERT … ON CONFLICT` is understood.
    pub on_conflict: bool,
    /// `COPY … DO ON CONFLICT` (AnalyticDB) is understood.
    pub copy_on_conflict: bool,
    /// A type `geometry` is there.
    pub postgis: bool,
    /// What bounds the number of the role's connections.
    pub connections: Vec<Limit>,
    /// What bounds the number of its statements at a time.
    pub statements: Vec<Limit>,
    /// `storage` texts of tables that are to be made and that the target refuses, with its words.
    pub refused_storage: BTreeMap<String, String>,
}

/// A bound of the target on the number of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What bounds it, in words.
    pub name: String,
    /// How many there may be.
    pub most: u64,
    /// How many others have.
    pub used: u64,
}

/// An existing target table.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundTable {
    /// Its shape.
    pub table: TargetTable,
    /// At least one row is in it, or that was not asked.
    pub has_rows: bool,
    /// Greenplum: kept as an append-optimized table, which takes no primary key.
    pub append_optimized: bool,
    /// The name of the primary key's constraint.
    pub primary_key_name: Option<String>,
    /// Unique indexes beside the primary key.
    pub unique_indexes: Vec<String>,
    /// For each of them the statements that make it one that is not unique.
    pub unique_statements: Vec<String>,
    /// The current user may select, insert, update and delete.
    pub writable: bool,
    /// And truncate.
    pub truncatable: bool,
    /// Owned by the current role (needed for ALTER TABLE, ANALYZE and VACUUM).
    pub owned: bool,
    /// It, or a partition of it, is UNLOGGED: a crash of the server empties it.
    pub unlogged: bool,
    /// It is partitioned, by ranges or lists, without a partition for all other rows.
    pub without_default_partition: bool,
    /// Columns of the primary key under a nondeterministic collation, which takes different texts for one.
    pub loose_columns: Vec<String>,
    /// Triggers, rules or foreign keys that would act on our writes.
    pub active: Vec<String>,
    /// Another task that has it on record as its own; asked for where that matters.
    pub fed_by: Option<String>,
    /// CHECK constraints.
    pub checks: Vec<String>,
    /// Columns that fill themselves where nothing else does: by a default or an identity.
    pub filled: Vec<String>,
}
