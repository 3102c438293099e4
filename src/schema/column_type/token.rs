//! Words, labels and punctuation of a type's text.

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Comma,
}

pub(super) struct Tokens {
    pub(super) rest: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// A comment said that the value is stored in the format before 5.6.4.
    pub(super) old_format: bool,
    /// A label is written as bytes.
    pub(super) bytes: bool,
}

impl Tokens {
    pub(super) fn read(text: &str, backslash_escapes: bool) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut old_format = false;
        let mut bytes = false;
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let tail = rest.get(first.len_utf8()..)?;
            rest = match first {
                '(' => {
                    tokens.push(Token::Open);
                    tail
                }
                ')' => {
                    tokens.push(Token::Close);
                    tail
                }
                ',' => {
                    tokens.push(Token::Comma);
                    tail
                }
                '\'' | '"' => {
                    let (label, tail) = quoted(tail, first, backslash_escapes)?;
                    tokens.push(Token::Text(label));
                    tail
                }
                'x' | 'X' | 'b' | 'B' if tail.starts_with('\'') => {
                    let (digits, tail) = quoted(tail.get(1..)?, '\'', false)?;
                    bytes = true;
                    tokens.push(Token::Text(digits_to_text(&digits, first.eq_ignore_ascii_case(&'x'))?));
                    tail
                }
                '/' => {
                    // `show_old_temporals=ON` (5.6, 5.7) and MariaDB mark the storage format. What is COMPRESSED the log says
                    // itself; another comment may carry meaning and makes the type unknown.
                    let (comment, tail) = tail.strip_prefix('*')?.split_once("*/")?;
                    match comment.trim() {
                        "5.5 binary format" | "mariadb-5.3" => old_format = true,
                        "mysql-5.6" | "M!100301 COMPRESSED" => {}
                        _ => return None,
                    }
                    tail
                }
                c if c.is_ascii_alphanumeric() || c == '_' => {
                    let end =
                        rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                    let (word, tail) = rest.split_at_checked(end)?;
                    tokens.push(Token::Word(word.to_ascii_lowercase()));
                    tail
                }
                _ => return None,
            }
            .trim_start();
        }
        Some(Self { rest: tokens.into_iter().peekable(), old_format, bytes })
    }

    pub(super) fn word(&mut self) -> Option<String> {
        match self.rest.next_if(|token| matches!(token, Token::Word(_)))? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn take(&mut self, wanted: &str) -> bool {
        self.rest.next_if(|token| matches!(token, Token::Word(word) if word == wanted)).is_some()
    }

    pub(super) fn punctuation(&mut self, wanted: &Token) -> bool {
        self.rest.next_if_eq(wanted).is_some()
    }

    /// `(n)`, `(n,m)` or nothing. `None` when the parentheses hold something else.
    pub(super) fn numbers(&mut self) -> Option<Vec<u64>> {
        let mut numbers = Vec::new();
        if !self.punctuation(&Token::Open) {
            return Some(numbers);
        }
        loop {
            numbers.push(self.word()?.parse().ok()?);
            if self.punctuation(&Token::Close) {
                return Some(numbers);
            }
            if !self.punctuation(&Token::Comma) {
                return None;
            }
        }
    }

    /// One number in parentheses, or `absent`.
    pub(super) fn number_or(&mut self, absent: u64) -> Option<u64> {
        match self.numbers()?.as_slice() {
            [] => Some(absent),
            [one] => Some(*one),
            _ => None,
        }
    }

    pub(super) fn labels(&mut self) -> Option<Vec<String>> {
        let mut labels = Vec::new();
        if !self.punctuation(&Token::Open) {
            return None;
        }
        loop {
            match self.rest.next()? {
                Token::Text(label) => labels.push(label),
                Token::Word(word) => {
                    self.bytes = true;
                    labels.push(digits_to_text(word.strip_prefix("0x")?, true)?);
                }
                Token::Open | Token::Close | Token::Comma => return None,
            }
            if self.punctuation(&Token::Close) {
                return Some(labels);
            }
            if !self.punctuation(&Token::Comma) {
                return None;
            }
        }
    }
}

/// The inside of a quoted string up to its closing quote, and what follows it.
pub(super) fn quoted(text: &str, quote: char, backslash_escapes: bool) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            if chars.next_if(|(_, next)| *next == quote).is_some() {
                value.push(quote);
                continue;
            }
            return Some((value, text.get(at + quote.len_utf8()..)?));
        }
        if c != '\\' || !backslash_escapes {
            value.push(c);
            continue;
        }
        match chars.next()?.1 {
            '0' => value.push('\0'),
            'b' => value.push('\u{8}'),
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            'Z' => value.push('\u{1a}'),
            wildcard @ ('%' | '_') => value.extend(['\\', wildcard]),
            other => value.push(other),
        }
    }
    None
}

/// A label given as a hexadecimal or bit literal. Bytes outside ASCII would need the column's character set.
fn digits_to_text(digits: &str, hex: bool) -> Option<String> {
    let (radix, width) = if hex { (16, 2) } else { (2, 8) };
    let mut text = String::new();
    let digits: Vec<u32> = digits.chars().map(|c| c.to_digit(radix)).collect::<Option<_>>()?;
    for byte in digits.rchunks(width).rev() {
        let byte = byte.iter().fold(0, |sum, digit| sum * radix + digit);
        text.push(char::from_u32(byte).filter(char::is_ascii)?);
    }
    Some(text)
}
