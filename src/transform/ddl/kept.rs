//! Expressions whose text the source keeps as another one. It stores a default as text of its own making and reads that again,
//! also for the rows that are there; so what they get is what this text gives. (Seen on MySQL 9.7, MariaDB 10.11 and 11.8, by
//! comparing what thousands of random expressions give with what columns hold that have them as defaults.)
//!
//! What must never happen here: an expression taken for kept because nothing is known against one of its literals after an
//! introducer.

use super::constant::CLOCK;
use crate::change::facts::Flavour;
use crate::schema::ddl::SqlMode;
use crate::schema::ddl::token::{Token, TokenKind, tokenize};

/// What of `sql` the source writes down as something else; `None` where it keeps what was meant.
pub(super) fn changed_when_kept(sql: &str, mode: SqlMode) -> Result<Option<&'static str>, String> {
    let tokens = tokenize(sql, mode)?;
    if time_may_lose_fraction(&tokens) {
        return Ok(Some("TIME() as a cast to whole seconds"));
    }
    if is_one_literal(&tokens) {
        return Ok(None);
    }
    if mode.flavour != Some(Flavour::MariaDb) {
        return Ok(None);
    }
    let of_json = tokens.iter().any(|token| is_word(token, |word| word.starts_with("json")));
    for (at, token) in tokens.iter().enumerate() {
        // Strings beside one another are one.
        let mut behind = tokens.iter().skip(at + 1).take_while(|token| is_literal(token));
        let reason = match token.kind {
            TokenKind::Number if token.value.ends_with('.') => Some("a number without its point"),
            TokenKind::Word if of_json && is_word(token, |word| word == "true" || word == "false") => {
                Some("true and false as 1 and 0")
            }
            TokenKind::Word if token.value.starts_with('_') && !behind.all(is_plain) => {
                Some("a string after a character set without its backslashes")
            }
            _ => None,
        };
        if reason.is_some() {
            return Ok(reason);
        }
    }
    Ok(None)
}

fn is_word(token: &Token<'_>, matches: impl Fn(&str) -> bool) -> bool {
    token.kind == TokenKind::Word && matches(&token.value.to_ascii_lowercase())
}

/// Whether it is a literal alone, with or without a word before it that says what it is: that is evaluated before it is kept.
fn is_one_literal(tokens: &[Token<'_>]) -> bool {
    let parenthesis = |token: &&Token<'_>| token.is_symbol('(') || token.is_symbol(')');
    let mut inner = tokens.iter().filter(|token| !parenthesis(token)).peekable();
    let says_what = |word: &str| word.starts_with('_') || ["date", "time", "timestamp"].contains(&word);
    let called = tokens
        .iter()
        .zip(tokens.iter().skip(1))
        .any(|(word, next)| word.kind == TokenKind::Word && next.is_symbol('('));
    inner.next_if(|token| is_word(token, says_what));
    !called && inner.all(|token| is_literal(token) || token.kind == TokenKind::Number)
}

/// Whether the function TIME has an argument that may have a fraction.
fn time_may_lose_fraction(tokens: &[Token<'_>]) -> bool {
    let calls = |at: &usize| {
        let opens = tokens.get(at + 1).is_some_and(|next| next.is_symbol('('));
        // A type's digits: `CAST(… AS TIME(3))`.
        let digits = |next: &Token<'_>| {
            next.kind == TokenKind::Number && next.value.bytes().all(|byte| byte.is_ascii_digit())
        };
        let sized = tokens.get(at + 2).is_some_and(digits)
            && tokens.get(at + 3).is_some_and(|next| next.is_symbol(')'));
        opens && !sized && tokens.get(*at).is_some_and(|token| is_word(token, |word| word == "time"))
    };
    let whole = |token: &Token<'_>| match token.kind {
        TokenKind::Text => !token.value.contains('.'),
        TokenKind::Word => is_word(token, |word| CLOCK.contains(&word)),
        _ => token.is_symbol('(') || token.is_symbol(')'),
    };
    (0..tokens.len()).filter(calls).any(|at| {
        let mut depth = 0_usize;
        let argument = tokens.iter().skip(at + 1).take_while(|token| {
            depth = match () {
                () if token.is_symbol('(') => depth + 1,
                () if token.is_symbol(')') => depth.saturating_sub(1),
                () => depth,
            };
            depth > 0
        });
        !argument.into_iter().all(whole)
    })
}

fn is_literal(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Text | TokenKind::Hex | TokenKind::Bit)
}

/// Whether a literal is nothing but letters that are written without a backslash.
fn is_plain(literal: &Token<'_>) -> bool {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"'\"\\".contains(&byte);
    match literal.kind {
        TokenKind::Text => literal.value.bytes().all(plain),
        TokenKind::Hex => {
            let digits = literal.value.as_ref();
            let pair = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            digits.len() % 2 == 0 && (0..digits.len()).step_by(2).all(|at| pair(at).is_some_and(plain))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_as_something_else_is_found() {
        for (sql, changed) in [
            ("concat(_utf8mb4'ß', 'x')", true),
            ("concat(_utf8mb4'a\\\\b', 'x')", true),
            ("concat(_latin1 x'E9', 'x')", true),
            ("concat(_latin1 b'1000001', 'x')", true),
            ("concat(_latin1 x'4142', _utf8mb4 'a b', 'ß\\\\', N'ß', x'E9')", false),
            ("_latin1 x'E9'", false),
            ("(_utf8mb4'ß')", false),
            ("concat(_utf8mb4'a' 'ß', 'x')", true),
            ("_utf8mb4'a' 'ß'", false),
            ("json_array(true)", true),
            ("round(5., 1)", true),
            ("round(5.0, 1)", false),
            ("json_object('a', FALSE)", true),
            ("json_object('a', 0)", false),
            ("if(true, 1, 2)", false),
        ] {
            let mode = |flavour| SqlMode { flavour: Some(flavour), ..SqlMode::default() };
            let found = |flavour| changed_when_kept(sql, mode(flavour)).unwrap().is_some();
            assert_eq!(found(Flavour::MariaDb), changed, "{sql}");
            assert!(!found(Flavour::MySql), "{sql}");
        }
    }

    #[test]
    fn a_time_is_kept_in_whole_seconds() {
        for (sql, changed) in [
            ("time(timestamp '2024-02-29 10:11:12.5')", true),
            ("time('10:11:12.5')", true),
            ("time(101112.5)", true),
            ("time(1e-1)", true),
            ("time(101112)", false),
            ("time(now(6))", true),
            ("time(maketime(1, 2, 3.5))", true),
            ("cast('10:11:12.5' as time(3))", false),
            ("time(now())", false),
            ("hour(time(('10:11:12')))", false),
            ("concat(timestamp '2024-02-29 10:11:12.5', 'x')", false),
            ("concat(time '10:11:12.5', 'x')", false),
        ] {
            assert_eq!(changed_when_kept(sql, SqlMode::default()).unwrap().is_some(), changed, "{sql}");
        }
    }
}
