//! Clauses of ALTER TABLE that say nothing of columns and keys: what each is called, and no more.
//!
//! What a clause does to rows is looked up in [`effect`](super::effect); the reader only recognises it.

/// A clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clause {
    /// `ADD PARTITION`
    AddPartition,
    /// `DROP PARTITION`
    DropPartition,
    /// `TRUNCATE PARTITION`
    TruncatePartition,
    /// `EXCHANGE PARTITION`
    ExchangePartition,
    /// `REORGANIZE PARTITION`
    ReorganizePartition {
        /// Every value has a place in the new partitions: they are ranges of which the last ends at MAXVALUE, or none are
        /// declared, which only partitions by HASH and KEY allow.
        takes_all: bool,
    },
    /// `COALESCE PARTITION`
    CoalescePartition,
    /// `REBUILD PARTITION`
    RebuildPartition,
    /// `ANALYZE PARTITION`
    AnalyzePartition,
    /// `CHECK PARTITION`
    CheckPartition,
    /// `OPTIMIZE PARTITION`
    OptimizePartition,
    /// `REPAIR PARTITION`
    RepairPartition,
    /// MariaDB: `CONVERT PARTITION … TO TABLE`
    ConvertPartition,
    /// MariaDB: `CONVERT TABLE … TO PARTITION`
    ConvertTable,
    /// `PARTITION BY`
    PartitionBy,
    /// `REMOVE PARTITIONING`
    RemovePartitioning,
    /// `UPGRADE PARTITIONING`
    UpgradePartitioning,
    /// `DISCARD TABLESPACE`, of a partition too
    DiscardTablespace,
    /// `IMPORT TABLESPACE`, of a partition too
    ImportTablespace,
    /// `SECONDARY_LOAD`, `SECONDARY_UNLOAD`
    Secondary,
    /// MariaDB: `ADD SYSTEM VERSIONING`, `DROP SYSTEM VERSIONING`, and the period that belongs to it
    SystemVersioning,
    /// MariaDB: `DROP PERIOD FOR`, of a period of the application's own
    DropPeriod,
    /// An index that is not unique, as `ADD INDEX` or CREATE INDEX
    Index,
    /// `ALTER INDEX … VISIBLE`
    AlterIndex,
    /// `ADD FOREIGN KEY` without an action that changes rows
    ForeignKey,
    /// `ADD CHECK`
    Check,
    /// `DROP CHECK`
    DropCheck,
    /// `ALTER CHECK … ENFORCED`
    AlterCheck,
    /// `ALTER COLUMN … SET VISIBLE`
    Visibility,
    /// `FORCE`
    Force,
    /// `ALGORITHM = INPLACE`, `INSTANT`, `NOCOPY`
    InPlace,
    /// `ENABLE KEYS`, `DISABLE KEYS`
    Keys,
    /// `WITH VALIDATION`, `WITHOUT VALIDATION`
    Validation,
    /// `ORDER BY`
    OrderBy,
    /// MariaDB: `WAIT`, `NOWAIT`
    LockWait,
    /// `ENGINE`
    Engine(String),
    /// `UNION`, of a MERGE table
    Union,
    /// `CONNECTION`, of a FEDERATED table
    Connection,
    /// Another option of a table, by its word.
    Option(&'static str),
}

impl Clause {
    /// As people write it.
    pub fn words(&self) -> &'static str {
        match self {
            Self::AddPartition => "ADD PARTITION",
            Self::DropPartition => "DROP PARTITION",
            Self::TruncatePartition => "TRUNCATE PARTITION",
            Self::ExchangePartition => "EXCHANGE PARTITION",
            Self::ReorganizePartition { .. } => "REORGANIZE PARTITION",
            Self::CoalescePartition => "COALESCE PARTITION",
            Self::RebuildPartition => "REBUILD PARTITION",
            Self::AnalyzePartition => "ANALYZE PARTITION",
            Self::CheckPartition => "CHECK PARTITION",
            Self::OptimizePartition => "OPTIMIZE PARTITION",
            Self::RepairPartition => "REPAIR PARTITION",
            Self::ConvertPartition => "CONVERT PARTITION",
            Self::ConvertTable => "CONVERT TABLE",
            Self::PartitionBy => "PARTITION BY",
            Self::RemovePartitioning => "REMOVE PARTITIONING",
            Self::UpgradePartitioning => "UPGRADE PARTITIONING",
            Self::DiscardTablespace => "DISCARD TABLESPACE",
            Self::ImportTablespace => "IMPORT TABLESPACE",
            Self::Secondary => "SECONDARY_LOAD",
            Self::SystemVersioning => "SYSTEM VERSIONING",
            Self::DropPeriod => "DROP PERIOD",
            Self::Index => "INDEX",
            Self::AlterIndex => "ALTER INDEX",
            Self::ForeignKey => "FOREIGN KEY",
            Self::Check => "CHECK",
            Self::DropCheck => "DROP CHECK",
            Self::AlterCheck => "ALTER CHECK",
            Self::Visibility => "ALTER COLUMN",
            Self::Force => "FORCE",
            Self::InPlace => "ALGORITHM",
            Self::Keys => "KEYS",
            Self::Validation => "VALIDATION",
            Self::OrderBy => "ORDER BY",
            Self::LockWait => "WAIT",
            Self::Engine(_) => "ENGINE",
            Self::Union => "UNION",
            Self::Connection => "CONNECTION",
            Self::Option(word) => word,
        }
    }
}
