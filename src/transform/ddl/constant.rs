//! Which expressions give every row of a statement the same value, whatever the row, the server's state and its settings that
//! the log does not name (reference manual, "Built-In Function and Operator Reference"; MariaDB's documentation likewise).
//!
//! A list of what is known to: a word, function or sign that is not on it makes the expression one that is not. What must never
//! happen here: a function on the list that draws (RAND, UUID), counts (LAST_INSERT_ID), waits, reads a table, a variable or a file,
//! names the user, or depends on the session's language (`lc_time_names`) or on `div_precision_increment`, which are not logged.

use crate::change::Session;
use crate::schema::collation;
use crate::schema::ddl::SqlMode;
use crate::schema::ddl::token::{Token, TokenKind, tokenize};

/// What an expression that gives one value needs of the statement's session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The time at which the statement began.
    pub clock: bool,
    /// The fraction of that second.
    pub micros: bool,
    /// The time zone.
    pub zone: bool,
    /// It is a time, which becomes one of the current day where a date is wanted.
    pub day: bool,
}

/// Functions of nothing but their arguments.
pub(super) const FUNCTIONS: &[&str] = &[
    "abs",
    "acos",
    "ascii",
    "asin",
    "atan",
    "atan2",
    "bin",
    "bin_to_uuid",
    "bit_count",
    "bit_length",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "conv",
    "convert",
    "cos",
    "cot",
    "crc32",
    "degrees",
    "elt",
    "exp",
    "export_set",
    "field",
    "find_in_set",
    "floor",
    "from_base64",
    "greatest",
    "hex",
    "if",
    "ifnull",
    "inet_aton",
    "inet_ntoa",
    "inet6_aton",
    "inet6_ntoa",
    "insert",
    "instr",
    "is_ipv4",
    "is_ipv6",
    "is_uuid",
    "json_array",
    "json_contains",
    "json_depth",
    "json_extract",
    "json_keys",
    "json_length",
    "json_object",
    "json_quote",
    "json_set",
    "json_type",
    "json_unquote",
    "json_valid",
    "lcase",
    "least",
    "left",
    "length",
    "ln",
    "locate",
    "log",
    "log10",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "make_set",
    "md5",
    "mid",
    "mod",
    "nullif",
    "oct",
    "octet_length",
    "ord",
    "pi",
    "position",
    "pow",
    "power",
    "quote",
    "radians",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "sha",
    "sha1",
    "sha2",
    "sign",
    "sin",
    "soundex",
    "space",
    "sqrt",
    "strcmp",
    "substr",
    "substring",
    "substring_index",
    "tan",
    "to_base64",
    "trim",
    "truncate",
    "ucase",
    "unhex",
    "upper",
    "uuid_to_bin",
];

/// Functions of their arguments that may take them for dates and times of the session.
const TEMPORAL_FUNCTIONS: &[&str] = &[
    "adddate",
    "addtime",
    "cast",
    "date",
    "date_add",
    "date_sub",
    "datediff",
    "day",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "extract",
    "from_days",
    "hour",
    "last_day",
    "makedate",
    "maketime",
    "microsecond",
    "minute",
    "month",
    "period_add",
    "period_diff",
    "quarter",
    "sec_to_time",
    "second",
    "subdate",
    "subtime",
    "time",
    "time_to_sec",
    "timediff",
    "timestamp",
    "timestampadd",
    "timestampdiff",
    "to_days",
    "to_seconds",
    "weekday",
    "year",
];

/// The time at which the statement began, with or without parentheses; a number in these is the digits of a fraction. (Not
/// SYSDATE, which is the time of each row.)
pub(super) const CLOCK: &[&str] = &[
    "curdate",
    "current_date",
    "current_time",
    "current_timestamp",
    "curtime",
    "localtime",
    "localtimestamp",
    "now",
    "utc_date",
    "utc_time",
    "utc_timestamp",
];

/// Words that are no functions: operators, literals, types, units.
const WORDS: &[&str] = &[
    "and",
    "as",
    "ascii",
    "between",
    "binary",
    "both",
    "case",
    "char",
    "character",
    "charset",
    "collate",
    "convert",
    "date",
    "datetime",
    "day",
    "day_hour",
    "day_microsecond",
    "day_minute",
    "day_second",
    "decimal",
    "div",
    "double",
    "else",
    "end",
    "escape",
    "false",
    "float",
    "for",
    "from",
    "hour",
    "hour_microsecond",
    "hour_minute",
    "hour_second",
    "in",
    "integer",
    "interval",
    "is",
    "json",
    "leading",
    "like",
    "microsecond",
    "minute",
    "minute_microsecond",
    "minute_second",
    "mod",
    "month",
    "not",
    "null",
    "nchar",
    "or",
    "quarter",
    "second",
    "second_microsecond",
    "set",
    "signed",
    "then",
    "time",
    "timestamp",
    "trailing",
    "true",
    "unknown",
    "unsigned",
    "using",
    "week",
    "when",
    "xor",
    "year",
    "year_month",
];

/// Words that a parenthesis may follow right away.
pub(super) const OPERATORS: &[&str] = &[
    "and", "between", "case", "div", "else", "in", "interval", "is", "like", "mod", "not", "or", "then",
    "when", "xor",
];

/// Types that have their length in parentheses.
const SIZED: &[&str] = &["binary", "char", "datetime", "decimal", "float", "nchar", "time"];

/// Signs. (Not `/`, whose places depend on `div_precision_increment`; not `@`, `.`, `;` and the like.)
pub(super) const SIGNS: &str = "()+-*%,<>=!|&^~";

/// What the expression `text` needs, if it gives one value; else why that is not known.
pub(super) fn needs(text: &str, mode: SqlMode, session: &Session) -> Result<Needs, String> {
    let tokens = tokenize(text, mode)?;
    let mut needs = Needs::default();
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Number | TokenKind::Hex | TokenKind::Bit => {}
            TokenKind::Text => literal(text, &tokens, at, session)?,
            TokenKind::Quoted => return Err(format!("it names {}", token.value)),
            TokenKind::Symbol if !token.value.chars().all(|sign| SIGNS.contains(sign)) => {
                return Err(format!(
                    "\"{}\" may make it depend on more than the statement says",
                    token.value
                ));
            }
            TokenKind::Symbol if token.is_symbol('(') => depth += 1,
            TokenKind::Symbol if token.is_symbol(')') => {
                depth = depth.checked_sub(1).ok_or("its parentheses do not match")?;
            }
            TokenKind::Symbol => {}
            TokenKind::Word => word(&tokens, at, &mut needs)?,
        }
    }
    if depth != 0 || tokens.is_empty() {
        return Err("its parentheses do not match".into());
    }
    Ok(needs)
}

/// A string. After an introducer, and as `N'…'`, it is the bytes that the client sent.
fn literal(text: &str, tokens: &[Token<'_>], at: usize, session: &Session) -> Result<(), String> {
    let Some(token) = tokens.get(at) else { return Ok(()) };
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let introduced = before.is_some_and(|word| word.kind == TokenKind::Word && word.value.starts_with('_'));
    let national = text.get(token.span.start..).is_some_and(|text| text.starts_with(['n', 'N']));
    let as_sent = || {
        let client = session.client_collation.and_then(collation::charset_of);
        matches!(client, Some("utf8mb4" | "utf8mb3"))
    };
    if (introduced || national) && !token.value.is_ascii() && !as_sent() {
        return Err("it has a string whose bytes depend on the character set of its client".into());
    }
    Ok(())
}

fn word(tokens: &[Token<'_>], at: usize, needs: &mut Needs) -> Result<(), String> {
    let Some(token) = tokens.get(at) else { return Ok(()) };
    let word = token.value.to_ascii_lowercase();
    let lists = |list: &[&str]| list.contains(&word.as_str());
    let next = tokens.get(at + 1);
    let opens = next.is_some_and(|next| next.is_symbol('('));
    // With a blank between, a name may be that of a stored function.
    let called = opens && next.is_some_and(|next| next.span.start == token.span.end);
    let bare = !opens && !["curdate", "curtime", "now"].contains(&word.as_str());
    if lists(CLOCK) && (called || bare) {
        needs.clock = true;
        // How MySQL and MariaDB get from the time in UTC to that of the session.
        needs.zone |= !word.starts_with("utc_");
        needs.micros |= called && !tokens.get(at + 2).is_some_and(|next| next.is_symbol(')'));
        return Ok(());
    }
    if called && word == "unix_timestamp" {
        needs.clock = true;
        needs.zone |= !tokens.get(at + 2).is_some_and(|next| next.is_symbol(')'));
        return Ok(());
    }
    if called && lists(TEMPORAL_FUNCTIONS) {
        needs.zone = true;
        return Ok(());
    }
    if called && (lists(FUNCTIONS) || lists(OPERATORS)) {
        return Ok(());
    }
    // Which week it is hangs on default_week_format, which is not logged; `INTERVAL 1 WEEK` does not.
    if word == "week" && next.is_some_and(|next| next.is_word("from")) {
        return Err("the number of a week depends on default_week_format".into());
    }
    let introducer = word.strip_prefix('_').is_some_and(|set| {
        set.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && next.is_some_and(|next| matches!(next.kind, TokenKind::Text | TokenKind::Hex | TokenKind::Bit))
    });
    let names_set = at
        .checked_sub(1)
        .and_then(|before| tokens.get(before))
        .is_some_and(|before| ["collate", "set", "charset", "using"].iter().any(|word| before.is_word(word)));
    if introducer || (names_set && !opens) || (lists(WORDS) && (!called || lists(SIZED))) {
        // A typed literal, and a type that something is cast to.
        needs.zone |= ["date", "time", "timestamp", "datetime"].contains(&word.as_str());
        if word == "time" && next.is_some_and(|next| next.kind == TokenKind::Text) {
            // What else is there may be a date.
            needs.day |= tokens.len() == 2;
            needs.clock |= tokens.len() != 2;
        }
        return Ok(());
    }
    Err(format!("{} may give every row a value of its own", token.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<(bool, bool, bool), String> {
        let found = needs(text, SqlMode::default(), &Session::default())?;
        Ok((found.clock, found.micros, found.zone))
    }

    #[test]
    fn an_expression_of_literals_and_known_functions_gives_one_value() {
        for text in [
            "1+2",
            "(1 + 2) * 3",
            "pi()",
            "concat('a', \"b\")",
            "'a' 'b'",
            "_latin1 x'E9'",
            "json_object('a', json_array(1, null))",
            "case when 1 then 2 else 3 end",
            "1 in (1, 2)",
            "if(1 > 2, 3, ~4)",
            "upper('a') collate utf8mb4_bin",
            "convert('a' using latin1)",
            "not (1)",
            "-(1)",
            "true",
            "'é'",
            "7 div 2",
            "binary 'a'",
        ] {
            assert_eq!(of(text), Ok((false, false, false)), "{text}");
        }
    }

    #[test]
    fn what_an_expression_needs_of_the_session_is_told() {
        assert_eq!(of("now()"), Ok((true, false, true)));
        assert_eq!(of("now(6) + interval 1 day"), Ok((true, true, true)));
        assert_eq!(of("current_date"), Ok((true, false, true)));
        assert_eq!(of("utc_timestamp()"), Ok((true, false, false)));
        assert_eq!(of("unix_timestamp()"), Ok((true, false, false)));
        assert_eq!(of("unix_timestamp('2020-01-01')"), Ok((true, false, true)));
        assert_eq!(of("cast('2020-01-01' as date)"), Ok((false, false, true)));
        assert_eq!(of("date '2020-1-2'"), Ok((false, false, true)));
        assert_eq!(of("time '10:11:12'"), Ok((false, false, true)));
        assert_eq!(of("(time '10:11:12')"), Ok((true, false, true)));
        assert_eq!(of("date '2020-1-2' + interval 1 week"), Ok((false, false, true)));
    }

    #[test]
    fn anything_else_may_differ_from_row_to_row_or_from_session_to_session() {
        for text in [
            "uuid()",
            "rand()",
            "rand(1)",
            "sysdate()",
            "a + 1",
            "`a`",
            "last_insert_id()",
            "@x",
            "@@sql_mode",
            "1; drop table t",
            "1/3",
            "(select 1)",
            "exists (select 1 from t)",
            "sleep(1)",
            "user()",
            "current_user",
            "database()",
            "connection_id()",
            "d.f(1)",
            "f(1)",
            "1 into @x",
            "load_file('/x')",
            "date_format('2020-01-01', '%M')",
            "extract(week from '2020-01-01')",
            "now ()",
            "concat (1, 2)",
            "1)",
            "((1)",
            "",
            "1 /*! for update */",
            "default(a)",
            "values(a)",
            "benchmark(1, 1)",
            "get_lock('a', 1)",
            "nextval(s)",
            "1 limit 1",
            "1 union select 2",
            "?",
            "_latin1 'é'",
            "n'é'",
            "version()",
            "row_count()",
            "now",
            "avg(1)",
            "ps_thread_id(1)",
            "uuid_short()",
            "random_bytes(4)",
            "format_bytes(1)",
            "json_arrayagg(1)",
            "any_value(1)",
            "master_pos_wait('a', 1)",
            "encrypt('a')",
            "password('a')",
            "aes_encrypt('a', 'b')",
        ] {
            assert!(of(text).is_err(), "{text}: {:?}", of(text));
        }
        let sent = Session { client_collation: Some(45), ..Session::default() };
        assert!(needs("_latin1 'é'", SqlMode::default(), &sent).is_ok());
    }
}
