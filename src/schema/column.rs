//! MySQL column types as `information_schema.COLUMNS` declares them.

use serde::{Deserialize, Serialize};

/// A character set by MySQL's name (`utf8mb4`, `latin1`, `gbk`, …; `utf8` and `utf8mb3` are one).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Charset {
    /// Character set name, lower case.
    pub name: String,
    /// Collation name, lower case.
    pub collation: String,
}

/// A column's declared type with all that decoding needs. Widths are in the unit of the declaration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MySqlType {
    /// 1 byte. `display_one` is true for `TINYINT(1)`, the spelling of BOOL.
    TinyInt {
        /// Declared UNSIGNED (ZEROFILL implies it).
        unsigned: bool,
        /// Declared `TINYINT(1)`.
        display_one: bool,
    },
    /// 2 bytes.
    SmallInt {
        /// Declared UNSIGNED.
        unsigned: bool,
    },
    /// 3 bytes.
    MediumInt {
        /// Declared UNSIGNED.
        unsigned: bool,
    },
    /// 4 bytes.
    Int {
        /// Declared UNSIGNED.
        unsigned: bool,
    },
    /// 8 bytes.
    BigInt {
        /// Declared UNSIGNED.
        unsigned: bool,
    },
    /// Exact number.
    Decimal {
        /// Digits in all, up to 65.
        precision: u8,
        /// Digits after the point, up to 30.
        scale: u8,
    },
    /// IEEE single.
    Float,
    /// IEEE double.
    Double,
    /// Up to 64 bits.
    Bit {
        /// Number of bits.
        bits: u8,
    },
    /// 1901 to 2155, and 0.
    Year,
    /// Calendar date.
    Date,
    /// Time of day or span.
    Time {
        /// Digits of a second's fraction, 0 to 6.
        fraction: u8,
        /// Stored in the format before 5.6.4 (only known once a table map said so).
        #[serde(default)]
        old_format: bool,
    },
    /// Date and time without a zone.
    DateTime {
        /// Digits of a second's fraction, 0 to 6.
        fraction: u8,
        /// Stored in the format before 5.6.4.
        #[serde(default)]
        old_format: bool,
    },
    /// Seconds since 1970 UTC.
    Timestamp {
        /// Digits of a second's fraction, 0 to 6.
        fraction: u8,
        /// Stored in the format before 5.6.4.
        #[serde(default)]
        old_format: bool,
    },
    /// `CHAR(n)`.
    Char {
        /// Length in characters.
        length: u32,
        /// Its character set.
        charset: Charset,
    },
    /// `VARCHAR(n)`.
    VarChar {
        /// Length in characters.
        length: u32,
        /// Its character set.
        charset: Charset,
    },
    /// `TINYTEXT` … `LONGTEXT`.
    Text {
        /// Bytes of the length prefix in storage: 1 to 4.
        length_bytes: u8,
        /// Its character set.
        charset: Charset,
    },
    /// `BINARY(n)`.
    Binary {
        /// Length in bytes; values have exactly this length.
        length: u32,
    },
    /// `VARBINARY(n)`.
    VarBinary {
        /// Length in bytes.
        length: u32,
    },
    /// `TINYBLOB` … `LONGBLOB`.
    Blob {
        /// Bytes of the length prefix in storage: 1 to 4.
        length_bytes: u8,
    },
    /// `ENUM`: labels in order, number 1 first; number 0 is the empty error value.
    Enum {
        /// The labels, decoded.
        labels: Vec<String>,
        /// The column's character set.
        charset: Charset,
    },
    /// `SET`: label of bit 0 first.
    Set {
        /// The labels, decoded.
        labels: Vec<String>,
        /// The column's character set.
        charset: Charset,
    },
    /// Binary JSON document. (MariaDB's `JSON` is `LONGTEXT` and is declared as that.)
    Json,
    /// Geometry: 4 bytes SRID little-endian and WKB.
    Geometry {
        /// `point`, `polygon`, … as declared.
        kind: String,
    },
    /// `VECTOR(n)`: n singles, little-endian.
    Vector {
        /// Declared dimension.
        dimensions: u32,
    },
    /// MariaDB's `UUID`: 16 bytes.
    Uuid,
    /// MariaDB's `INET4`: 4 bytes.
    Inet4,
    /// MariaDB's `INET6`: 16 bytes.
    Inet6,
    /// A type this version does not know; the precheck refuses a table that has one.
    Unknown {
        /// `COLUMN_TYPE` as printed.
        declared: String,
    },
}

/// As MySQL writes it, for messages: without character set and labels.
impl std::fmt::Display for MySqlType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = |unsigned: &bool| if *unsigned { " UNSIGNED" } else { "" };
        match self {
            Self::TinyInt { unsigned, .. } => write!(f, "TINYINT{}", sign(unsigned)),
            Self::SmallInt { unsigned } => write!(f, "SMALLINT{}", sign(unsigned)),
            Self::MediumInt { unsigned } => write!(f, "MEDIUMINT{}", sign(unsigned)),
            Self::Int { unsigned } => write!(f, "INT{}", sign(unsigned)),
            Self::BigInt { unsigned } => write!(f, "BIGINT{}", sign(unsigned)),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Bit { bits } => write!(f, "BIT({bits})"),
            Self::Year => f.write_str("YEAR"),
            Self::Date => f.write_str("DATE"),
            Self::Time { fraction: 0, .. } => f.write_str("TIME"),
            Self::Time { fraction, .. } => write!(f, "TIME({fraction})"),
            Self::DateTime { fraction: 0, .. } => f.write_str("DATETIME"),
            Self::DateTime { fraction, .. } => write!(f, "DATETIME({fraction})"),
            Self::Timestamp { fraction: 0, .. } => f.write_str("TIMESTAMP"),
            Self::Timestamp { fraction, .. } => write!(f, "TIMESTAMP({fraction})"),
            Self::Char { length, .. } => write!(f, "CHAR({length})"),
            Self::VarChar { length, .. } => write!(f, "VARCHAR({length})"),
            Self::Text { .. } => f.write_str("TEXT"),
            Self::Binary { length } => write!(f, "BINARY({length})"),
            Self::VarBinary { length } => write!(f, "VARBINARY({length})"),
            Self::Blob { .. } => f.write_str("BLOB"),
            Self::Enum { .. } => f.write_str("ENUM"),
            Self::Set { .. } => f.write_str("SET"),
            Self::Json => f.write_str("JSON"),
            Self::Geometry { kind } => f.write_str(&kind.to_uppercase()),
            Self::Vector { dimensions } => write!(f, "VECTOR({dimensions})"),
            Self::Uuid => f.write_str("UUID"),
            Self::Inet4 => f.write_str("INET4"),
            Self::Inet6 => f.write_str("INET6"),
            Self::Unknown { declared } => f.write_str(declared),
        }
    }
}
