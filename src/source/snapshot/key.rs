//! The one table of key types: how each is turned into a literal, compared and ordered.
//!
//! Every entry was checked on MySQL 9.7, 5.6 and MariaDB 10.11 for two things: the literal reads back as the very same
//! key, and the comparison is the index's own order (with an index range where the optimizer has one). The order is always
//! that of the column itself: ENUM and SET sort by number, text by its collation.
//!
//! What must never happen here: a type that was not checked. It has no entry, and its table is read as one chunk.

use crate::schema::{Charset, Column, MySqlType};

/// Above this many labels an ENUM's greater values are not listed one by one.
const MOST_LABELS_LISTED: usize = 256;

/// A key column as chunks see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name, quoted.
    quoted: String,
    kind: KeyKind,
}

/// How a type is rendered and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum KeyKind {
    /// Integers: their digits. `c + 0` takes the leading zeros of ZEROFILL away.
    Integer,
    /// DECIMAL: its digits, unquoted. (Quoted, a bound of more than 15 digits is compared as a double on 5.6.)
    Decimal,
    /// FLOAT and DOUBLE: the exact double. As text, SELECT shortens a FLOAT to 6 digits but no double; CONCAT and CAST
    /// shorten doubles too (9.7 cuts them to 22 characters: -1.7976931348623157e308 loses its last digit). So `c + 0e0`
    /// is selected as it is and made a literal here. Its exponent marks it as a double and not a DECIMAL.
    Double,
    /// BIT and YEAR: their number.
    Number,
    /// ENUM: the label's number. `>` and `<` against a number never use the index (`Field_enum::optimize_range`
    /// is false), equality does: so they are spelled as the list of numbers, up to `highest`.
    Enum { highest: usize },
    /// SET: the bits' number. No index range is to be had; the comparison is exact.
    Set,
    /// SET with 64 members: the highest bit would make the number negative, so both sides are cast.
    WideSet,
    /// Dates and times as MySQL prints them, quoted, and MariaDB's UUID, INET4 and INET6. Zero and partial dates need a `sql_mode` that allows them.
    Quoted,
    /// Text: its bytes as hexadecimal in the column's own character set. A literal yields to the column's collation
    /// (coercibility 4 against 2), so the comparison is the index's.
    Text { introducer: String },
    /// BINARY and VARBINARY: hexadecimal.
    Bytes,
}

impl KeyColumn {
    /// The entry for a column; `None` when its type has none.
    pub fn of(column: &Column) -> Option<Self> {
        let kind = match &column.data_type {
            MySqlType::TinyInt { .. }
            | MySqlType::SmallInt { .. }
            | MySqlType::MediumInt { .. }
            | MySqlType::Int { .. }
            | MySqlType::BigInt { .. } => KeyKind::Integer,
            MySqlType::Decimal { .. } => KeyKind::Decimal,
            MySqlType::Float | MySqlType::Double => KeyKind::Double,
            MySqlType::Bit { .. } | MySqlType::Year => KeyKind::Number,
            MySqlType::Date
            | MySqlType::Time { .. }
            | MySqlType::DateTime { .. }
            | MySqlType::Timestamp { .. }
            | MySqlType::Uuid
            | MySqlType::Inet4
            | MySqlType::Inet6 => KeyKind::Quoted,
            MySqlType::Char { charset, .. } | MySqlType::VarChar { charset, .. } => text(charset)?,
            MySqlType::Binary { .. } | MySqlType::VarBinary { .. } => KeyKind::Bytes,
            MySqlType::Enum { labels, .. } => KeyKind::Enum { highest: labels.len() },
            MySqlType::Set { labels, .. } if labels.len() < 64 => KeyKind::Set,
            MySqlType::Set { .. } => KeyKind::WideSet,
            // A key over these is a prefix key, which is no key here; JSON and geometry cannot be one.
            MySqlType::Text { .. }
            | MySqlType::Blob { .. }
            | MySqlType::Json
            | MySqlType::Geometry { .. }
            | MySqlType::Vector { .. }
            | MySqlType::Unknown { .. } => return None,
        };
        Some(Self { quoted: quote(&column.name), kind })
    }

    /// The column's name, quoted: what chunks are ordered by.
    pub fn order(&self) -> &str {
        &self.quoted
    }

    /// The SQL expression whose value, as text, becomes the literal by [`KeyColumn::literal`].
    pub fn literal_expression(&self) -> String {
        let column = &self.quoted;
        match &self.kind {
            KeyKind::Integer => format!("CAST({column} + 0 AS CHAR)"),
            KeyKind::Decimal => format!("CAST({column} AS CHAR)"),
            KeyKind::Double => format!("{column} + 0e0"),
            KeyKind::Number | KeyKind::Enum { .. } | KeyKind::Set | KeyKind::WideSet => {
                format!("CAST(CAST({column} AS UNSIGNED) AS CHAR)")
            }
            KeyKind::Quoted => format!("CONCAT('''', {column}, '''')"),
            KeyKind::Text { introducer } => format!("CONCAT('{introducer} x''', HEX({column}), '''')"),
            KeyKind::Bytes => format!("CONCAT('x''', HEX({column}), '''')"),
        }
    }

    /// The literal of a value of [`KeyColumn::literal_expression`]; `None` when it is none of this type.
    pub fn literal(&self, text: String) -> Option<String> {
        if self.kind == KeyKind::Double { double_literal(text.parse().ok()?) } else { Some(text) }
    }

    /// `column = literal`.
    pub fn equals(&self, literal: &str) -> String {
        format!("{} = {literal}", self.compared())
    }

    /// `column > literal`; `None` when no value is.
    pub fn above(&self, literal: &str) -> Option<String> {
        match self.labels_listed(literal) {
            Some((number, highest)) => self.one_of(number.saturating_add(1)..highest.saturating_add(1)),
            None => Some(format!("{} > {literal}", self.compared())),
        }
    }

    /// `column < literal`; `None` when no value is.
    pub fn below(&self, literal: &str) -> Option<String> {
        match self.labels_listed(literal) {
            Some((number, _)) => self.one_of(0..number),
            None => Some(format!("{} < {literal}", self.compared())),
        }
    }

    /// `column ≤ literal`.
    pub fn at_most(&self, literal: &str) -> String {
        self.labels_listed(literal)
            .and_then(|(number, _)| self.one_of(0..number.saturating_add(1)))
            .unwrap_or_else(|| format!("{} <= {literal}", self.compared()))
    }

    fn compared(&self) -> String {
        if self.kind == KeyKind::WideSet {
            format!("CAST({} AS UNSIGNED)", self.quoted)
        } else {
            self.quoted.clone()
        }
    }

    /// For an ENUM short enough: the literal's number and the highest one.
    fn labels_listed(&self, literal: &str) -> Option<(usize, usize)> {
        match self.kind {
            KeyKind::Enum { highest } if highest <= MOST_LABELS_LISTED => {
                Some((literal.parse().ok()?, highest))
            }
            _ => None,
        }
    }

    fn one_of(&self, numbers: std::ops::Range<usize>) -> Option<String> {
        let list: Vec<String> = numbers.map(|number| number.to_string()).collect();
        (!list.is_empty()).then(|| format!("{} IN ({})", self.quoted, list.join(",")))
    }
}

fn text(charset: &Charset) -> Option<KeyKind> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = &charset.name;
    (!name.is_empty() && name.chars().all(plain)).then(|| KeyKind::Text { introducer: format!("_{name}") })
}

/// The literal of a FLOAT or DOUBLE key: the shortest digits that read back as the same double, with an exponent.
/// `None` for what no column holds (NaN, infinities).
fn double_literal(value: f64) -> Option<String> {
    value.is_finite().then(|| format!("{value:e}"))
}

/// An identifier between backticks, those inside doubled.
pub fn quote(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}
