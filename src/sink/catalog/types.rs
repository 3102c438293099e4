//! From `pg_attribute`'s type and type modifier to a [`TargetType`].
//!
//! The modifiers' meaning is that of the types' `typmodin` functions in PostgreSQL's `utils/adt`.

use crate::change::TargetType;

/// A column's type as the catalog stores it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CatalogType<'a> {
    /// `pg_type.typname`.
    pub(super) name: &'a str,
    /// The type lives in `pg_catalog`.
    pub(super) builtin: bool,
    /// `pg_attribute.atttypmod`; −1 is none.
    pub(super) modifier: i32,
    /// `format_type()`.
    pub(super) printed: &'a str,
}

/// Bytes that lengths and numeric modifiers are shifted by (`VARHDRSZ`).
const HEADER: i32 = 4;
/// Digits of a second's fraction where none are declared.
const ALL_DIGITS: u8 = 6;
/// `INTERVAL_FULL_RANGE`: no `YEAR TO MONTH` and the like declared.
const ALL_FIELDS: i32 = 0x7fff;
/// `INTERVAL_FULL_PRECISION`.
const FULL_PRECISION: i32 = 0xffff;

impl CatalogType<'_> {
    /// The type as encoders need it. What they cannot write exactly is [`TargetType::Other`].
    pub(super) fn target_type(&self) -> TargetType {
        self.known().unwrap_or_else(|| TargetType::Other(self.printed.to_owned()))
    }

    fn known(&self) -> Option<TargetType> {
        if !self.builtin {
            return (self.name == "geometry").then_some(TargetType::Geometry);
        }
        let modified = self.modifier >= 0;
        Some(match self.name {
            "bool" => TargetType::Boolean,
            "int2" => TargetType::Smallint,
            "int4" => TargetType::Integer,
            "int8" => TargetType::Bigint,
            "numeric" if modified => TargetType::Numeric(Some(numeric(self.modifier)?)),
            "numeric" => TargetType::Numeric(None),
            "float4" => TargetType::Real,
            "float8" => TargetType::Double,
            "bit" if modified => TargetType::Bit(u32::try_from(self.modifier).ok()?),
            "varchar" if modified => TargetType::Varchar(Some(u32::try_from(self.modifier - HEADER).ok()?)),
            "varchar" => TargetType::Varchar(None),
            "text" => TargetType::Text,
            "bytea" => TargetType::Bytea,
            "date" => TargetType::Date,
            "timestamp" => TargetType::Timestamp(digits(self.modifier)?),
            "timestamptz" => TargetType::TimestampTz(digits(self.modifier)?),
            "time" => TargetType::Time(digits(self.modifier)?),
            "interval" => TargetType::Interval(interval(self.modifier)?),
            "json" => TargetType::Json,
            "jsonb" => TargetType::Jsonb,
            "_float4" => TargetType::RealArray,
            "uuid" => TargetType::Uuid,
            "inet" => TargetType::Inet,
            _ => return None,
        })
    }
}

/// Precision and scale. The scale is a signed number of 11 bits since PostgreSQL 15 and was at most 1000
/// before, so one reading serves both; a negative one is refused.
fn numeric(modifier: i32) -> Option<(u16, u16)> {
    let packed = modifier - HEADER;
    let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
    Some((u16::try_from((packed >> 16) & 0xffff).ok()?, u16::try_from(scale).ok()?))
}

fn digits(modifier: i32) -> Option<u8> {
    if modifier < 0 { Some(ALL_DIGITS) } else { u8::try_from(modifier).ok().filter(|d| *d <= ALL_DIGITS) }
}

fn interval(modifier: i32) -> Option<u8> {
    if modifier < 0 {
        return Some(ALL_DIGITS);
    }
    if (modifier >> 16) & 0x7fff != ALL_FIELDS {
        return None;
    }
    match modifier & 0xffff {
        FULL_PRECISION => Some(ALL_DIGITS),
        declared => digits(declared),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, modifier: i32) -> TargetType {
        CatalogType { name, builtin: true, modifier, printed: "as printed" }.target_type()
    }

    // The modifiers are what PostgreSQL 15 stores for these declarations.
    #[test]
    fn modifiers_are_read_as_the_server_stores_them() {
        for (name, modifier, wanted) in [
            ("bit", 5, TargetType::Bit(5)),
            ("numeric", 655_366, TargetType::Numeric(Some((10, 2)))),
            ("numeric", -1, TargetType::Numeric(None)),
            ("varchar", 9, TargetType::Varchar(Some(5))),
            ("varchar", -1, TargetType::Varchar(None)),
            ("timestamp", -1, TargetType::Timestamp(6)),
            ("timestamptz", 3, TargetType::TimestampTz(3)),
            ("time", 2, TargetType::Time(2)),
            ("interval", -1, TargetType::Interval(6)),
            ("interval", 2_147_418_115, TargetType::Interval(3)),
        ] {
            assert_eq!(of(name, modifier), wanted, "{name} {modifier}");
        }
    }

    #[test]
    fn what_cannot_hold_every_value_is_left_alone() {
        let other = TargetType::Other("as printed".into());
        for (name, modifier) in [
            ("numeric", 198_658),      // numeric(3,-2)
            ("interval", 201_392_127), // hour to minute
            ("interval", 268_435_459), // second(3)
            ("bpchar", 9),
            ("timetz", -1),
            ("varbit", 5),
            ("money", -1),
        ] {
            assert_eq!(of(name, modifier), other, "{name} {modifier}");
        }
    }

    #[test]
    fn a_users_type_with_a_builtin_name_is_not_the_builtin_one() {
        let own = |name| CatalogType { name, builtin: false, modifier: -1, printed: "x.int4" }.target_type();
        assert_eq!(own("int4"), TargetType::Other("x.int4".into()));
        assert_eq!(own("geometry"), TargetType::Geometry);
    }
}
