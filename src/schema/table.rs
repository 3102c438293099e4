//! The definition of one source table at one position of the log.

use super::column::MySqlType;
use crate::change::TableName;
use crate::change::names::alike;
use serde::{Deserialize, Serialize};

/// What a column of existing rows gets when it is added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnDefault {
    /// No default was declared.
    None,
    /// `DEFAULT NULL`.
    Null,
    /// A literal; its value as text in MySQL's own form (`'x'` → `x`, `b'1'` → `b'1'`).
    Literal(String),
    /// An expression, `CURRENT_TIMESTAMP` among them.
    Expression(String),
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: MySqlType,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Its default.
    pub default: ColumnDefault,
    /// `GENERATED ALWAYS AS …`, stored or virtual.
    pub generated: bool,
    /// How a generated column is computed; `None` where that is not known, and for others.
    #[serde(default)]
    pub generation: Option<Generation>,
    /// `AUTO_INCREMENT`.
    pub auto_increment: bool,
    /// What the declaration of a number allows.
    #[serde(default)]
    pub limits: Limits,
}

/// How a generated column is computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its values are kept with the row (STORED, PERSISTENT), not computed where they are read.
    pub stored: bool,
    /// The expression as SQL, as far as its strings have no quotes and backslashes of their own: it may have been read from a
    /// statement or from a catalog, which escape these in other ways.
    pub expression: String,
}

/// What the declaration of a number says beyond how values are stored. It changes them when it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// UNSIGNED (ZEROFILL implies it), of fractional numbers too.
    pub unsigned: bool,
    /// ZEROFILL: as text the number has zeros in front.
    pub zerofill: bool,
    /// The digits in all and after the point of `FLOAT(M,D)` and `DOUBLE(M,D)`.
    pub digits: Option<(u8, u8)>,
}

/// A table version. Columns are in the order of the log's row images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Database and name.
    pub name: TableName,
    /// Every column, invisible and generated ones too.
    pub columns: Vec<Column>,
    /// Indexes into `columns`, in key order: the primary key; empty when there is none.
    pub primary_key: Vec<usize>,
    /// The unique keys whose columns are all NOT NULL, by index name.
    pub unique_keys: Vec<UniqueKey>,
    /// The table's default character set and collation, for columns added without one.
    pub charset: super::Charset,
    /// Its foreign keys through which rows of it change with those of another table.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Columns after the others that nobody sees, but for the log.
    #[serde(default)]
    pub hidden: HiddenColumns,
}

/// How many columns MariaDB keeps hidden in a table: one for each unique key that is too long for an index (of a TEXT, say) or
/// declared `USING HASH`, of which it keeps hashes. Which key that is after a statement hangs on more than the statement says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenColumns {
    /// At least.
    pub least: usize,
    /// At most.
    pub most: usize,
    /// Unique keys beside the primary one, of which each may need one.
    pub keys: usize,
}

/// A foreign key with an action that changes rows. Which rows it has changed most servers do not log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// Indexes into the table's columns.
    pub columns: Vec<usize>,
    /// The table that it refers to.
    pub parent: TableName,
    /// The columns there, by name, in the order of `columns`.
    pub referenced: Vec<String>,
    /// What becomes of a row when the one that it refers to is deleted.
    pub on_delete: KeyAction,
    /// What becomes of it when that one gets other values in the columns referred to.
    pub on_update: KeyAction,
}

/// What a foreign key does to the rows of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyAction {
    /// Nothing: `RESTRICT` or `NO ACTION`.
    Nothing,
    /// The row goes too, or gets the new values.
    Cascade,
    /// The columns of the key become NULL.
    SetNull,
    /// They get their defaults. InnoDB makes no such key; what one does elsewhere is not known.
    SetDefault,
}

impl KeyAction {
    /// As the source names it; what has no name here does nothing.
    pub fn of(rule: &str) -> Self {
        match rule {
            "CASCADE" => Self::Cascade,
            "SET NULL" => Self::SetNull,
            "SET DEFAULT" => Self::SetDefault,
            _ => Self::Nothing,
        }
    }
}

/// A unique key over NOT NULL columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueKey {
    /// The index's name.
    pub name: String,
    /// Indexes into the table's columns.
    pub columns: Vec<usize>,
}

impl Table {
    /// The index of a column by name; MySQL column names are case-insensitive.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| alike(&column.name, name))
    }
}
