//! The shapes of target tables: names, types, keys.

use crate::change::remedy::Remedy;
use serde::{Deserialize, Serialize};

/// A table of the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetName {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
}

impl std::fmt::Display for TargetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A column's type in the target, as far as encoders need to know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetType {
    /// `boolean`
    Boolean,
    /// `smallint`
    Smallint,
    /// `integer`
    Integer,
    /// `bigint`
    Bigint,
    /// `numeric`, with precision and scale where declared.
    Numeric(Option<(u16, u16)>),
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `bit(n)`
    Bit(u32),
    /// `varchar(n)` in characters; `None` is unlimited.
    Varchar(Option<u32>),
    /// `text`
    Text,
    /// `bytea`
    Bytea,
    /// `date`
    Date,
    /// `timestamp(p) without time zone`
    Timestamp(u8),
    /// `timestamp(p) with time zone`
    TimestampTz(u8),
    /// `time(p) without time zone`
    Time(u8),
    /// `interval(p)`
    Interval(u8),
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
    /// `real[]`
    RealArray,
    /// `uuid`
    Uuid,
    /// `inet`
    Inet,
    /// PostGIS `geometry`
    Geometry,
    /// Anything else, as `format_type()` prints it; nothing can be encoded for it.
    Other(String),
}

impl TargetType {
    /// Whether every value of the narrower type is, without any change, one of this type too.
    pub fn holds(&self, narrower: &Self) -> bool {
        let whole = |data_type: &Self| match data_type {
            Self::Smallint => Some(5),
            Self::Integer => Some(10),
            Self::Bigint => Some(19),
            _ => None,
        };
        match (self, narrower) {
            (Self::Numeric(None), Self::Numeric(_)) => true,
            (Self::Numeric(Some((precision, scale))), Self::Numeric(Some((digits, places)))) => {
                scale >= places && precision.saturating_sub(*scale) >= digits.saturating_sub(*places)
            }
            (Self::Numeric(size), number) if whole(number).is_some() => {
                size.is_none_or(|(precision, scale)| Some(precision.saturating_sub(scale)) >= whole(number))
            }
            (Self::Varchar(None) | Self::Text, Self::Varchar(_) | Self::Text) => true,
            (Self::Varchar(Some(length)), Self::Varchar(Some(shorter))) => length >= shorter,
            (Self::Double, Self::Real) => true,
            (Self::Timestamp(digits), Self::Timestamp(fewer))
            | (Self::TimestampTz(digits), Self::TimestampTz(fewer))
            | (Self::Time(digits), Self::Time(fewer))
            | (Self::Interval(digits), Self::Interval(fewer)) => digits >= fewer,
            (wider, number) => match (whole(wider), whole(number)) {
                (Some(digits), Some(fewer)) => digits >= fewer,
                _ => wider == number,
            },
        }
    }

    /// As [`Self::holds`], and values are written with as many digits after the point.
    pub fn shows(&self, narrower: &Self) -> bool {
        let scale = |data_type: &Self| match data_type {
            Self::Smallint | Self::Integer | Self::Bigint => Some(0),
            Self::Numeric(size) => size.map(|(_, scale)| scale),
            _ => None,
        };
        self.holds(narrower) && scale(self).is_none_or(|digits| scale(narrower) == Some(digits))
    }
}

impl std::fmt::Display for TargetType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Smallint => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::Bigint => f.write_str("bigint"),
            Self::Numeric(None) => f.write_str("numeric"),
            Self::Numeric(Some((precision, scale))) => write!(f, "numeric({precision},{scale})"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double precision"),
            Self::Bit(bits) => write!(f, "bit({bits})"),
            Self::Varchar(None) => f.write_str("varchar"),
            Self::Varchar(Some(length)) => write!(f, "varchar({length})"),
            Self::Text => f.write_str("text"),
            Self::Bytea => f.write_str("bytea"),
            Self::Date => f.write_str("date"),
            Self::Timestamp(digits) => write!(f, "timestamp({digits})"),
            Self::TimestampTz(digits) => write!(f, "timestamp({digits}) with time zone"),
            Self::Time(digits) => write!(f, "time({digits})"),
            Self::Interval(digits) => write!(f, "interval({digits})"),
            Self::Json => f.write_str("json"),
            Self::Jsonb => f.write_str("jsonb"),
            Self::RealArray => f.write_str("real[]"),
            Self::Uuid => f.write_str("uuid"),
            Self::Inet => f.write_str("inet"),
            Self::Geometry => f.write_str("geometry"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// A column of a target table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: TargetType,
    /// Whether it takes NULL.
    pub nullable: bool,
}

/// How a Greenplum table's rows are spread over segments; PostgreSQL ignores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// By the hash of these columns.
    By(Vec<String>),
    /// Every segment holds every row.
    Replicated,
}

/// A target table, wanted or found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetTable {
    /// Its name.
    pub name: TargetName,
    /// Its columns in order.
    pub columns: Vec<TargetColumn>,
    /// The names of the primary key's columns, in key order.
    pub primary_key: Vec<String>,
    /// Wanted distribution; `None` for the dialect's default (the primary key).
    pub distribution: Option<Distribution>,
    /// Text for `WITH (…)`, from the config's `storage`.
    pub storage: Option<String>,
}

/// Whose rows a target table holds, for a change of values that concerns one source table's only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsOf {
    /// The source table's alone, as far as its task knows; whoever changes the table asks who else feeds it.
    One,
    /// Of several; those of the source table have this text in this column.
    Tagged {
        /// The tag's column.
        column: String,
        /// Its text.
        tag: String,
    },
    /// Maybe of others too, and nothing tells them apart.
    Anybody,
}

/// One step that makes a target table follow its source table's DDL; `sink` renders it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetChange {
    /// A new column. Existing rows get `fill`; where the column is there already, those that `rows` says.
    AddColumn {
        /// The table.
        table: TargetName,
        /// The column; its type and nullability.
        column: TargetColumn,
        /// A literal for the rows that exist, as text in the target type's input form; `None` is NULL.
        fill: Option<String>,
        /// Whose rows the table holds.
        rows: RowsOf,
    },
    /// A column changes its name.
    RenameColumn {
        /// The table.
        table: TargetName,
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// A column changes its type or takes NULL from now on.
    AlterColumn {
        /// The table.
        table: TargetName,
        /// The column as it shall be.
        column: TargetColumn,
    },
    /// A column goes, with its values. Where others feed the table too, or something hangs on the column, it stays and takes NULL.
    DropColumn {
        /// The table.
        table: TargetName,
        /// Its name.
        column: String,
    },
    /// The rows go.
    Empty {
        /// The table.
        table: TargetName,
        /// Whose rows the table holds.
        rows: RowsOf,
    },
    /// No row may hold an instant of these spans: else the source has changed it without a word, and the change stops here.
    RequireNone {
        /// The table.
        table: TargetName,
        /// A column of type `timestamptz`.
        column: String,
        /// Spans of seconds since 1970 UTC: from, and up to.
        between: Vec<(i64, i64)>,
        /// What is wrong where there is such a row, as a sentence that names the source table and the statement.
        why: String,
        /// What the user can do then.
        remedy: Remedy,
    },
}

impl TargetChange {
    /// The table that it changes.
    pub fn table(&self) -> &TargetName {
        match self {
            Self::AddColumn { table, .. }
            | Self::RenameColumn { table, .. }
            | Self::AlterColumn { table, .. }
            | Self::DropColumn { table, .. }
            | Self::Empty { table, .. }
            | Self::RequireNone { table, .. } => table,
        }
    }
}
