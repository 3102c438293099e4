//! What a statement of the log says, as far as tables and transactions are concerned.

use super::clause::Clause;
use crate::change::{Affected, TableName};
use crate::schema::{ColumnDefault, Generation};

/// A table's name as a statement spells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The database, where written; else the session's default.
    pub database: Option<String>,
    /// The table.
    pub table: String,
}

impl Name {
    /// The whole name, in a session with this default database.
    pub fn full(&self, default_database: &str) -> TableName {
        TableName::new(self.database.as_deref().unwrap_or(default_database), &self.table)
    }
}

/// What kind of statement changes or reads rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmlKind {
    /// INSERT
    Insert,
    /// REPLACE
    Replace,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
    /// DELETE that names its tables apart from those it joins
    DeleteJoined,
    /// LOAD DATA, LOAD XML
    Load,
    /// CALL: whatever the procedure does.
    Call,
    /// DO, SELECT and others that reach rows only through functions.
    Other,
}

/// A statement of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// BEGIN, START TRANSACTION
    Begin,
    /// COMMIT
    Commit,
    /// ROLLBACK
    Rollback,
    /// SAVEPOINT
    Savepoint(String),
    /// RELEASE SAVEPOINT
    ReleaseSavepoint(String),
    /// ROLLBACK TO
    RollbackTo(String),
    /// XA START
    XaStart,
    /// XA END
    XaEnd,
    /// XA PREPARE
    XaPrepare,
    /// XA COMMIT; `one_phase` commits without a PREPARE before.
    XaCommit {
        /// `ONE PHASE`
        one_phase: bool,
    },
    /// XA ROLLBACK
    XaRollback,
    /// ALTER TABLE
    AlterTable(AlterTable),
    /// CREATE INDEX, read as the ALTER TABLE that it is.
    CreateIndex(AlterTable),
    /// DROP INDEX, read as the ALTER TABLE that it is.
    DropIndex(AlterTable),
    /// RENAME TABLE: old and new names, from left to right.
    RenameTable(Vec<(Name, Name)>),
    /// CREATE TABLE
    CreateTable(CreateTable),
    /// DROP TABLE
    DropTable {
        /// The tables.
        tables: Vec<Name>,
        /// `TEMPORARY`: no base table is meant, though one of that name may exist.
        temporary: bool,
        /// `IF EXISTS`
        if_exists: bool,
    },
    /// TRUNCATE TABLE
    TruncateTable(Name),
    /// OPTIMIZE TABLE: InnoDB makes the table anew, as ALTER TABLE … FORCE does.
    OptimizeTable(Vec<Name>),
    /// REPAIR TABLE: rows that cannot be read, or lie in a wrong partition, may go.
    RepairTable(Vec<Name>),
    /// CREATE DATABASE
    CreateDatabase(String),
    /// ALTER DATABASE: defaults of tables created later. `None` is the session's default database.
    AlterDatabase(Option<String>),
    /// DROP DATABASE
    DropDatabase(String),
    /// Changes rows by statement.
    Dml {
        /// What it is.
        kind: DmlKind,
        /// The tables that it may write itself: where the text is not plain, every name that may be one. What triggers and
        /// functions write is not among them. `None` where it names none, or cannot be read so far.
        tables: Option<Vec<Name>>,
    },
    /// On the list of statements that change no table's rows and no table's definition.
    Harmless(&'static str),
    /// Not understood.
    Unknown {
        /// What could not be read.
        why: String,
        /// The tables that it may be about: every name in it, where it is about one table and its words can be told. `None` where
        /// it may be about any.
        tables: Option<Vec<Name>>,
    },
}

/// CREATE TABLE. The definition itself is not read: a new table is read from `information_schema`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTable {
    /// The new table.
    pub table: Name,
    /// `TEMPORARY`
    pub temporary: bool,
    /// `IF NOT EXISTS`: nothing happens when it is there.
    pub if_not_exists: bool,
    /// `OR REPLACE` (MariaDB): a table of that name is dropped first.
    pub or_replace: bool,
    /// `LIKE`
    pub like: Option<Name>,
    /// `… SELECT`: as a statement it also makes rows (which a row-format log has as row events).
    pub select: bool,
    /// `START TRANSACTION` (MySQL 8.0.21): the rows of its SELECT follow in the same transaction.
    pub start_transaction: bool,
}

/// ALTER TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterTable {
    /// The table.
    pub table: Name,
    /// `IF EXISTS` (MariaDB)
    pub if_exists: bool,
    /// `IGNORE` (MySQL 5.6, MariaDB): values that do not fit are changed even in strict mode, and rows that offend a key, a CHECK
    /// or the partitions go.
    pub ignore: bool,
    /// What is done, in the order written. The server does not do it in that order: see `apply`.
    pub steps: Vec<AlterStep>,
    /// `RENAME TO`
    pub rename_to: Option<Name>,
    /// The table that `EXCHANGE PARTITION` or `CONVERT TABLE` swaps rows with.
    pub other_table: Option<Name>,
}

/// Where a column goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it is; a new one at the end.
    Default,
    /// `FIRST`
    First,
    /// `AFTER` that column.
    After(String),
}

/// One step of ALTER TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlterStep {
    /// `ADD COLUMN`
    AddColumn {
        /// The column.
        column: ColumnDefinition,
        /// Where it goes.
        place: Place,
        /// `IF NOT EXISTS` (MariaDB)
        if_not_exists: bool,
    },
    /// `CHANGE` and `MODIFY` (the latter with the same name twice)
    ChangeColumn {
        /// The old name.
        from: String,
        /// The column as it shall be.
        column: ColumnDefinition,
        /// Where it goes.
        place: Place,
        /// `IF EXISTS` (MariaDB)
        if_exists: bool,
    },
    /// `RENAME COLUMN`
    RenameColumn {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
        /// `IF EXISTS` (MariaDB)
        if_exists: bool,
    },
    /// `DROP COLUMN`
    DropColumn {
        /// The column.
        name: String,
        /// `IF EXISTS` (MariaDB)
        if_exists: bool,
    },
    /// `ALTER COLUMN … SET DEFAULT`, `DROP DEFAULT`: existing rows keep what they have.
    SetDefault {
        /// The column.
        column: String,
        /// The new default.
        default: DeclaredDefault,
    },
    /// `ADD PRIMARY KEY`
    AddPrimaryKey {
        /// Its columns; `None` where a part is an expression.
        columns: Option<Vec<String>>,
    },
    /// `DROP PRIMARY KEY`
    DropPrimaryKey,
    /// `ADD UNIQUE`
    AddUnique {
        /// The index's name, where written.
        name: Option<String>,
        /// Its columns; `None` where a part is an expression.
        columns: Option<Vec<String>>,
    },
    /// `DROP INDEX`, and `DROP CONSTRAINT`, which may name one.
    DropIndex {
        /// The index.
        name: String,
        /// It is that of a constraint, which may be a foreign key as well.
        constraint: bool,
    },
    /// `RENAME INDEX`
    RenameIndex {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// `CONVERT TO CHARACTER SET`: every text column is rewritten.
    ConvertCharset {
        /// The character set; `None` for the database's default.
        charset: Option<String>,
        /// The collation, where written.
        collation: Option<String>,
    },
    /// `[DEFAULT] CHARACTER SET`, `COLLATE`: columns added later.
    DefaultCharset {
        /// The character set, where written; the database's default when neither is.
        charset: Option<String>,
        /// The collation, where written.
        collation: Option<String>,
    },
    /// MariaDB: `ADD PERIOD FOR` a period of the application's own: its columns become NOT NULL.
    AddPeriod {
        /// The columns that hold its start and its end.
        columns: [String; 2],
    },
    /// `ADD FOREIGN KEY` with `ON DELETE` or `ON UPDATE` `CASCADE`, `SET NULL` or `SET DEFAULT`: from now on rows of the
    /// table change with those of another.
    AddCascade {
        /// The constraint's name (or its index's, which serves where there is none), where written.
        name: Option<String>,
    },
    /// `DROP FOREIGN KEY`.
    DropForeignKey {
        /// The constraint's name.
        name: String,
    },
    /// What says nothing of columns and keys.
    Other(Clause),
}

/// A key declared inside a column's definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InlineKey {
    /// None.
    None,
    /// `PRIMARY KEY`, `KEY`
    Primary,
    /// `UNIQUE`
    Unique,
}

/// A default as declared, with what kind of literal it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredDefault {
    /// Not declared.
    None,
    /// `NULL`
    Null,
    /// A string, decoded.
    Text(String),
    /// A number with its sign; `TRUE` and `FALSE` are 1 and 0.
    Number(String),
    /// Hexadecimal digits of a byte string.
    Hex(String),
    /// Binary digits of a byte string.
    Bit(String),
    /// `CURRENT_TIMESTAMP` and its other spellings, with digits of a second's fraction.
    Now(u8),
    /// What a TIMESTAMP NOT NULL gets under `explicit_defaults_for_timestamp=OFF`: the current time if it is the
    /// table's first, else the zero date.
    OldTimestamp,
    /// Anything else, as written.
    Expression(String),
}

/// A column as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// Its type with its own attributes (UNSIGNED, CHARACTER SET, …), strings quoted anew without backslash
    /// escapes: what [`column_type::parse_with`](crate::schema::column_type::parse_with) reads.
    pub declared: String,
    /// `NULL` or `NOT NULL`, where written.
    pub nullable: Option<bool>,
    /// Its default.
    pub default: DeclaredDefault,
    /// `ON UPDATE CURRENT_TIMESTAMP`
    pub on_update: bool,
    /// `GENERATED ALWAYS AS`
    pub generated: Option<Generation>,
    /// `AUTO_INCREMENT`
    pub auto_increment: bool,
    /// A key declared with it.
    pub key: InlineKey,
    /// `REFERENCES` with an action that changes rows; see [`AlterStep::AddCascade`]. Not every server heeds it here.
    pub cascades: bool,
}

impl DeclaredDefault {
    /// The form a [`Table`](crate::schema::Table) keeps.
    pub fn to_column_default(&self) -> ColumnDefault {
        match self {
            Self::None => ColumnDefault::None,
            Self::Null => ColumnDefault::Null,
            Self::Text(text) | Self::Number(text) => ColumnDefault::Literal(text.clone()),
            Self::Hex(digits) => ColumnDefault::Literal(format!("0x{digits}")),
            Self::Bit(digits) => ColumnDefault::Literal(format!("b'{digits}'")),
            Self::Now(0) | Self::OldTimestamp => ColumnDefault::Expression("CURRENT_TIMESTAMP".into()),
            Self::Now(digits) => ColumnDefault::Expression(format!("CURRENT_TIMESTAMP({digits})")),
            Self::Expression(text) => ColumnDefault::Expression(text.clone()),
        }
    }
}

impl Statement {
    /// What it is about, in a session with this default database.
    pub fn affected(&self, default_database: &str) -> Affected {
        if let Self::DropDatabase(database) = self {
            return Affected::Databases(vec![database.clone()]);
        }
        self.tables().map_or(Affected::Any, |names| {
            Affected::Tables(names.iter().map(|name| name.full(default_database)).collect())
        })
    }

    /// The names that base tables have after it which may not have been there before.
    pub fn made(&self, default_database: &str) -> Vec<TableName> {
        let names: Vec<&Name> = match self {
            Self::CreateTable(create) if !create.temporary => vec![&create.table],
            Self::RenameTable(pairs) => pairs.iter().map(|(_, to)| to).collect(),
            Self::AlterTable(alter) => alter.rename_to.iter().collect(),
            _ => Vec::new(),
        };
        names.into_iter().map(|name| name.full(default_database)).collect()
    }

    /// Whether it makes a table only where there is none of its name.
    pub fn may_make_nothing(&self) -> bool {
        matches!(self, Self::CreateTable(create) if create.if_not_exists)
    }

    /// The tables it names as written or removed, in the order written; `None` where it may concern any table.
    ///
    /// A database statement names none: its database decides.
    pub fn tables(&self) -> Option<Vec<Name>> {
        match self {
            Self::AlterTable(alter) | Self::CreateIndex(alter) | Self::DropIndex(alter) => {
                let others = alter.rename_to.iter().chain(&alter.other_table);
                Some(std::iter::once(&alter.table).chain(others).cloned().collect())
            }
            Self::RenameTable(pairs) => {
                Some(pairs.iter().flat_map(|(from, to)| [from.clone(), to.clone()]).collect())
            }
            Self::CreateTable(create) => Some(vec![create.table.clone()]),
            Self::DropTable { tables, .. } => Some(tables.clone()),
            Self::TruncateTable(table) => Some(vec![table.clone()]),
            Self::OptimizeTable(tables) | Self::RepairTable(tables) => Some(tables.clone()),
            Self::Dml { tables, .. } | Self::Unknown { tables, .. } => tables.clone(),
            Self::Begin
            | Self::Commit
            | Self::Rollback
            | Self::Savepoint(_)
            | Self::ReleaseSavepoint(_)
            | Self::RollbackTo(_)
            | Self::XaStart
            | Self::XaEnd
            | Self::XaPrepare
            | Self::XaCommit { .. }
            | Self::XaRollback
            | Self::CreateDatabase(_)
            | Self::AlterDatabase(_)
            | Self::DropDatabase(_)
            | Self::Harmless(_) => Some(Vec::new()),
        }
    }
}
