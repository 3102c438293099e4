//! Whether the expression of a generated column gives the same value for the same row under whatever settings it is computed.
//!
//! A list of what does: columns whose values no setting changes, operators and functions of nothing but their arguments. What must
//! never happen here: something on it that depends on `sql_mode` (dates, CHAR, LIKE), the time zone (TIMESTAMP), the language, the week's
//! first day, or `div_precision_increment` (`/`), none of which are those of the sessions that wrote the rows.

use super::constant::{CLOCK, FUNCTIONS, OPERATORS, SIGNS};
use crate::schema::ddl::SqlMode;
use crate::schema::ddl::token::{TokenKind, tokenize};
use crate::schema::{Column, MySqlType, Table};

/// Words that are no functions: operators, literals, types that something is cast to.
const WORDS: &[&str] = &[
    "and", "as", "between", "binary", "case", "charset", "collate", "decimal", "div", "double", "else",
    "end", "false", "float", "from", "in", "integer", "is", "json", "mod", "not", "null", "or", "set",
    "signed", "then", "true", "unsigned", "using", "when", "xor",
];

/// Functions of generated columns that are none of defaults.
const MORE: &[&str] = &["json_exists", "json_value"];

/// Functions of the parts of a date.
const PARTS: &[&str] = &[
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "hour",
    "microsecond",
    "minute",
    "month",
    "quarter",
    "second",
    "to_days",
    "weekday",
    "year",
];

/// Functions that give each reader something else. MariaDB takes them, and those of the time, in virtual columns.
const OF_READER: &[&str] = &[
    "connection_id",
    "current_role",
    "current_user",
    "database",
    "last_insert_id",
    "rand",
    "schema",
    "session_user",
    "sys_guid",
    "sysdate",
    "system_user",
    "user",
    "uuid",
    "uuid_short",
];

/// Functions of the bytes of a text. Those of a number are in the character set of the session's literals.
const OF_BYTES: &[&str] = &[
    "ascii",
    "bit_length",
    "crc32",
    "hex",
    "length",
    "md5",
    "octet_length",
    "ord",
    "sha",
    "sha1",
    "sha2",
    "to_base64",
];

/// Whether the values of the generated column `column` of `table` hang on nothing but the row; else why that is not known.
pub(in crate::transform) fn settled(table: &Table, column: &Column) -> Result<(), String> {
    within(table, column, table.columns.len(), false)
}

/// As [`settled`], of MariaDB, in a session that reads as the copy's do: what hangs on the session then is what any reader computes of a
/// virtual column anew, and MariaDB keeps no column whose values hang on it.
pub(in crate::transform) fn decided(table: &Table, column: &Column) -> Result<(), String> {
    within(table, column, table.columns.len(), true)
}

/// With at most so many generated columns computed from each other.
fn within(table: &Table, column: &Column, depth: usize, reading: bool) -> Result<(), String> {
    let generation = column.generation.as_ref().filter(|_| depth > 0);
    let text = &generation.ok_or("its expression is not known")?.expression;
    if text.contains(['\\', '"']) {
        return Err("its expression has strings that are not plain".into());
    }
    let anew = reading && column.generation.as_ref().is_some_and(|generation| !generation.stored);
    if is_time(&column.data_type) && !(anew && column.data_type == MySqlType::Date) {
        return Err(format!("{} holds dates or times", column.name));
    }
    let tokens = tokenize(text, SqlMode::default())?;
    // A column of bytes takes those of what it is given.
    let of_bytes = matches!(
        column.data_type,
        MySqlType::Binary { .. } | MySqlType::VarBinary { .. } | MySqlType::Blob { .. }
    );
    let (mut numbers, mut bytes) = (false, of_bytes);
    for (at, token) in tokens.iter().enumerate() {
        let word = token.value.to_ascii_lowercase();
        let lists = |list: &[&str]| list.contains(&word.as_str());
        let next = tokens.get(at + 1);
        let called = next.is_some_and(|next| next.is_symbol('(') && next.span.start == token.span.end);
        let named = || table.column_index(&token.value).and_then(|index| table.columns.get(index));
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let names_set = before.is_some_and(|before| {
            ["collate", "set", "charset", "using"].iter().any(|word| before.is_word(word))
        });
        let introduces = word.starts_with('_') && next.is_some_and(|next| next.kind == TokenKind::Text);
        bytes |= token.is_word("binary");
        let named = match token.kind {
            TokenKind::Number | TokenKind::Hex | TokenKind::Bit | TokenKind::Text => continue,
            TokenKind::Symbol if token.value.chars().all(|sign| SIGNS.contains(sign)) => continue,
            TokenKind::Word
                if called
                    && ![FUNCTIONS, MORE, OPERATORS, &["cast", "decimal"]].iter().any(|list| lists(list))
                    && !(reading && lists(PARTS)) =>
            {
                None
            }
            TokenKind::Word if called => {
                bytes |= lists(OF_BYTES);
                continue;
            }
            TokenKind::Word if introduces || names_set => continue,
            TokenKind::Word if named().is_none() && lists(WORDS) => continue,
            TokenKind::Word if reading && lists(&["like"]) => continue,
            // What is no date is none under any mode here, and a kept column would have been the session's.
            TokenKind::Word
                if anew && lists(&["date"]) && before.is_some_and(|before| before.is_word("as")) =>
            {
                continue;
            }
            // A type, though a column may have this name.
            TokenKind::Word if lists(&["date", "time", "datetime", "timestamp", "year"]) => None,
            TokenKind::Word | TokenKind::Quoted => named(),
            TokenKind::Symbol => None,
        };
        let named = named.ok_or_else(|| format!("its expression has \"{}\"", token.value))?;
        numbers |= !reads(&named.data_type)
            .or_else(|| if reading { as_read(&named.data_type) } else { None })
            .ok_or_else(|| format!("it reads column {}", named.name))?;
        if named.generated {
            within(table, named, depth - 1, reading)?;
        }
    }
    if numbers && bytes { Err("it takes the bytes of what is perhaps a number".into()) } else { Ok(()) }
}

/// What in the expression of a generated column has another value under another time zone, at another time or for another reader.
pub(in crate::transform) fn time_zone(table: &Table, column: &Column) -> Option<String> {
    zoned(table, column, table.columns.len())
}

/// With at most so many generated columns computed from each other.
fn zoned(table: &Table, column: &Column, depth: usize) -> Option<String> {
    let generation = column.generation.as_ref().filter(|_| depth > 0)?;
    let tokens = tokenize(&generation.expression, SqlMode::default()).unwrap_or_default();
    tokens.iter().filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted)).find_map(
        |token| {
            let mut of_session = ["from_unixtime", "unix_timestamp"].iter().chain(CLOCK).chain(OF_READER);
            let called = of_session.any(|function| token.is_word(function));
            let named = table.column_index(&token.value).and_then(|index| table.columns.get(index));
            match named {
                Some(named) if matches!(named.data_type, MySqlType::Timestamp { .. }) => {
                    Some(format!("it reads TIMESTAMP column {}", named.name))
                }
                Some(named) => zoned(table, named, depth - 1),
                None => called.then(|| format!("it calls {}", token.value)),
            }
        },
    )
}

fn is_time(of: &MySqlType) -> bool {
    matches!(
        of,
        MySqlType::Date | MySqlType::Time { .. } | MySqlType::DateTime { .. } | MySqlType::Timestamp { .. }
    )
}

/// As [`reads`], of types whose values are in doubt only where a session has chosen so.
fn as_read(of: &MySqlType) -> Option<bool> {
    match of {
        MySqlType::Char { .. } => Some(true),
        MySqlType::Date | MySqlType::DateTime { .. } => Some(false),
        _ => None,
    }
}

/// Whether a value of this type has bytes of its own; `None` where settings change what is read.
fn reads(of: &MySqlType) -> Option<bool> {
    match of {
        // CHAR: with trailing blanks or without, as PAD_CHAR_TO_FULL_LENGTH has it.
        MySqlType::Char { .. }
        | MySqlType::Date
        | MySqlType::Time { .. }
        | MySqlType::DateTime { .. }
        | MySqlType::Timestamp { .. }
        | MySqlType::Geometry { .. }
        | MySqlType::Vector { .. }
        | MySqlType::Uuid
        | MySqlType::Inet4
        | MySqlType::Inet6
        | MySqlType::Unknown { .. } => None,
        MySqlType::VarChar { .. }
        | MySqlType::Text { .. }
        | MySqlType::Binary { .. }
        | MySqlType::VarBinary { .. }
        | MySqlType::Blob { .. }
        | MySqlType::Enum { .. }
        | MySqlType::Set { .. }
        | MySqlType::Json => Some(true),
        MySqlType::TinyInt { .. }
        | MySqlType::SmallInt { .. }
        | MySqlType::MediumInt { .. }
        | MySqlType::Int { .. }
        | MySqlType::BigInt { .. }
        | MySqlType::Decimal { .. }
        | MySqlType::Float
        | MySqlType::Double
        | MySqlType::Bit { .. }
        | MySqlType::Year => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Generation;
    use crate::transform::mapping::tests::table;

    fn of(expression: &str) -> Result<(), String> {
        let mut table = table(&[
            "id int",
            "a int",
            "v varchar(9)",
            "c char(9)",
            "d date",
            "ts timestamp",
            "j json",
            "g int",
            "h int",
            "x int",
        ]);
        let expressions = [(7, expression), (8, "`a` + 1"), (9, "`a` / 3")];
        for (index, expression) in expressions {
            let generation = Generation { stored: true, expression: expression.to_owned() };
            table.columns[index].generated = true;
            table.columns[index].generation = Some(generation);
        }
        settled(&table, &table.columns[7])
    }

    #[test]
    fn only_expressions_of_the_row_alone_are_settled() {
        for text in [
            "a+1",
            "((`a` + 1) - -(2))",
            "(`a` DIV 3) + (`a` MOD 2)",
            "concat(`v`,_utf8mb4'|',`a`)",
            "json_unquote(json_extract(`j`,_utf8mb4'$.a'))",
            "j->>'$.a'",
            "if(((`a` > 1) and (`v` = _utf8mb4'x')),_utf8mb4'yes',_utf8mb4'no')",
            "case when `v` is null then 1 else 2 end",
            "cast(`v` as unsigned) * cast(`a` as decimal(20,2))",
            "upper(`v`) collate utf8mb4_bin",
            "convert(`v` using latin1)",
            "md5(`v`)",
            "`h` + 1",
        ] {
            assert_eq!(of(text), Ok(()), "{text}");
        }
        for text in [
            "`a` / 3",
            "`x` + 1",
            "`g` + 1",
            "concat(`c`,'|')",
            "year(`d`)",
            "`d`",
            "`ts` + 0",
            "from_unixtime(`a`)",
            "week(`v`)",
            "monthname(`v`)",
            "cast(`v` as date)",
            "date '2020-01-01'",
            "extract(week from `v`)",
            "`v` like 'a%'",
            "`v` > now()",
            "f(`a`)",
            "concat (`a`)",
            "`nosuch`",
            "nosuch",
            "concat('it\\'s', `v`)",
            "hex(concat(`a`, `v`))",
            "cast(concat(`a`,'x') as binary)",
            "convert(concat(`a`) using binary)",
            "char_length(binary concat(`a`))",
            "round(`a` / 3)",
            "avg(`a`)",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_in_a_column_of_bytes_is_not_settled() {
        let mut table = table(&["id int", "a int", "v varchar(9)", "g varbinary(9)"]);
        table.columns[3].generated = true;
        for (expression, settles) in [("concat(`a`)", false), ("`v`", true)] {
            table.columns[3].generation =
                Some(Generation { stored: true, expression: expression.to_owned() });
            assert_eq!(settled(&table, &table.columns[3]).is_ok(), settles, "{expression}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_settled() {
        let mut table = table(&["id int", "a int"]);
        table.columns[1].generated = true;
        assert!(settled(&table, &table.columns[1]).is_err());
    }
}
