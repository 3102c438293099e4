//! Target types as the config writes them (PostgreSQL docs, "Data Types", with their aliases).

use crate::change::TargetType;

/// A target type by its name in the target, with lengths; `None` for one that cannot be fed.
pub(in crate::transform) fn parse_target_type(text: &str) -> Option<TargetType> {
    let lower = text.trim().to_ascii_lowercase();
    let (head, arguments, tail) = split(&lower)?;
    let words: Vec<&str> = head.split_whitespace().chain(tail.split_whitespace()).collect();
    let digits = || match arguments.as_slice() {
        [] => Some(6),
        [digits] => u8::try_from(*digits).ok().filter(|digits| *digits <= 6),
        _ => None,
    };
    let plain = |found: TargetType| arguments.is_empty().then_some(found);
    match words.as_slice() {
        ["boolean" | "bool"] => plain(TargetType::Boolean),
        ["smallint" | "int2"] => plain(TargetType::Smallint),
        ["integer" | "int" | "int4"] => plain(TargetType::Integer),
        ["bigint" | "int8"] => plain(TargetType::Bigint),
        ["numeric" | "decimal" | "dec"] => numeric(&arguments),
        ["real" | "float4"] => plain(TargetType::Real),
        ["double", "precision"] | ["float8"] => plain(TargetType::Double),
        ["float"] => match arguments.as_slice() {
            [] | [25..=53] => Some(TargetType::Double),
            [1..=24] => Some(TargetType::Real),
            _ => None,
        },
        ["bit"] => match arguments.as_slice() {
            [] => Some(TargetType::Bit(1)),
            [bits] if *bits > 0 => Some(TargetType::Bit(*bits)),
            _ => None,
        },
        ["varchar"] | ["character" | "char", "varying"] => match arguments.as_slice() {
            [] => Some(TargetType::Varchar(None)),
            [length @ 1..=10_485_760] => Some(TargetType::Varchar(Some(*length))),
            _ => None,
        },
        ["text"] => plain(TargetType::Text),
        ["bytea"] => plain(TargetType::Bytea),
        ["date"] => plain(TargetType::Date),
        ["timestamptz"] | ["timestamp", "with", "time", "zone"] => digits().map(TargetType::TimestampTz),
        ["timestamp"] | ["timestamp", "without", "time", "zone"] => digits().map(TargetType::Timestamp),
        ["time"] | ["time", "without", "time", "zone"] => digits().map(TargetType::Time),
        ["interval"] => digits().map(TargetType::Interval),
        ["json"] => plain(TargetType::Json),
        ["jsonb"] => plain(TargetType::Jsonb),
        ["real[]" | "float4[]"] => plain(TargetType::RealArray),
        ["uuid"] => plain(TargetType::Uuid),
        ["inet"] => plain(TargetType::Inet),
        ["geometry"] => plain(TargetType::Geometry),
        _ => None,
    }
}

fn numeric(arguments: &[u32]) -> Option<TargetType> {
    let declared = match arguments {
        [] => return Some(TargetType::Numeric(None)),
        [precision] => (*precision, 0),
        [precision, scale] => (*precision, *scale),
        _ => return None,
    };
    let (precision, scale) = (u16::try_from(declared.0).ok()?, u16::try_from(declared.1).ok()?);
    ((1..=1000).contains(&precision) && scale <= precision)
        .then_some(TargetType::Numeric(Some((precision, scale))))
}

/// `head (1, 2) tail`.
fn split(text: &str) -> Option<(&str, Vec<u32>, &str)> {
    let Some((head, rest)) = text.split_once('(') else { return Some((text, Vec::new(), "")) };
    let (arguments, tail) = rest.split_once(')')?;
    let arguments = arguments.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
    Some((head, arguments, tail))
}
