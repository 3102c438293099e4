//! Cuts statement text into tokens as MySQL's lexer does (server source, `sql/sql_lex.cc`; reference manual,
//! "Lexical structure", "Comments").
//!
//! Tolerant: it knows no grammar, only where names, literals and comments begin and end. What must never happen
//! here: code being taken for a comment or a comment for code.

use crate::change::Session;
use crate::change::facts::Flavour;
use std::borrow::Cow;
use std::ops::Range;

/// What of the session decides how text is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SqlMode {
    /// `"x"` is a name, not a string.
    pub ansi_quotes: bool,
    /// A backslash in a string stands for itself.
    pub no_backslash_escapes: bool,
    /// `REAL` is `FLOAT`, not `DOUBLE`.
    pub real_as_float: bool,
    /// `TIMESTAMP` is `DATETIME`: MAXDB of MySQL 5.x and MariaDB.
    pub timestamp_is_datetime: bool,
    /// MariaDB reads names of types as Oracle does; MySQL 5.x has the mode too, and it changes no types there.
    pub oracle: bool,
    /// `[x]` is a name: MSSQL of MariaDB. MySQL 5.x has the mode too, and it changes no names there.
    pub brackets: bool,
    /// The empty string is NULL, on MariaDB. On MySQL the bit has to do with fractions of seconds.
    pub empty_is_null: bool,
    /// A value that does not fit is an error of the statement, not a warning.
    pub strict: bool,
    /// CHAR values are padded to their full length where they are read (PAD_CHAR_TO_FULL_LENGTH).
    pub pads_char: bool,
    /// A zero stored in an AUTO_INCREMENT column stays one.
    pub keeps_zero: bool,
    /// The family of the server; `None` where it is not known, and then a text that families read differently
    /// is not read at all.
    pub flavour: Option<Flavour>,
    /// `explicit_defaults_for_timestamp`: off, a TIMESTAMP without NULL is NOT NULL and gets a default of its own.
    /// `None` where it is not known, and then the nullability of such a column is not known either.
    pub explicit_timestamps: Option<bool>,
}

impl SqlMode {
    /// From the `sql_mode` bits of a Query event (server source, `sql/system_variables.h`, `MODE_*`).
    pub fn from_bits(bits: u64) -> Self {
        const REAL_AS_FLOAT: u64 = 1;
        const ANSI_QUOTES: u64 = 4;
        const ORACLE: u64 = 0x200;
        const MSSQL: u64 = 0x400;
        const MAXDB: u64 = 0x1000;
        const NO_AUTO_VALUE_ON_ZERO: u64 = 0x8_0000;
        const NO_BACKSLASH_ESCAPES: u64 = 0x10_0000;
        const STRICT_TRANS_TABLES: u64 = 0x20_0000;
        const STRICT_ALL_TABLES: u64 = 0x40_0000;
        const PAD_CHAR_TO_FULL_LENGTH: u64 = 0x8000_0000;
        const EMPTY_STRING_IS_NULL: u64 = 1 << 32;
        Self {
            ansi_quotes: bits & ANSI_QUOTES != 0,
            no_backslash_escapes: bits & NO_BACKSLASH_ESCAPES != 0,
            real_as_float: bits & REAL_AS_FLOAT != 0,
            timestamp_is_datetime: bits & MAXDB != 0,
            oracle: bits & ORACLE != 0,
            brackets: bits & MSSQL != 0,
            empty_is_null: bits & EMPTY_STRING_IS_NULL != 0,
            strict: bits & (STRICT_TRANS_TABLES | STRICT_ALL_TABLES) != 0,
            pads_char: bits & PAD_CHAR_TO_FULL_LENGTH != 0,
            keeps_zero: bits & NO_AUTO_VALUE_ON_ZERO != 0,
            flavour: None,
            explicit_timestamps: None,
        }
    }

    /// The same with the server's family.
    pub fn with_flavour(self, flavour: Flavour) -> Self {
        let maria = flavour == Flavour::MariaDb;
        let (oracle, brackets) = (self.oracle && maria, self.brackets && maria);
        Self { flavour: Some(flavour), oracle, brackets, empty_is_null: self.empty_is_null && maria, ..self }
    }

    /// Of a session of a server of this family.
    pub fn of_session(session: &Session, flavour: Flavour) -> Self {
        let mode = Self::from_bits(session.sql_mode).with_flavour(flavour);
        match session.explicit_timestamps {
            Some(explicit) => mode.with_explicit_timestamps(explicit),
            None => mode,
        }
    }

    /// The modes that differ from this one in how text is cut up and names of types are understood.
    pub fn every_reading(self) -> Vec<Self> {
        let both = [false, true];
        let mut modes = vec![self];
        let settings: [fn(&mut Self, bool); 6] = [
            |mode, on| mode.ansi_quotes = on,
            |mode, on| mode.no_backslash_escapes = on,
            |mode, on| mode.real_as_float = on,
            |mode, on| mode.timestamp_is_datetime = on,
            |mode, on| mode.oracle = on,
            |mode, on| mode.brackets = on && mode.flavour != Some(Flavour::MySql),
        ];
        for set in settings {
            modes = modes
                .into_iter()
                .flat_map(|mode| {
                    both.map(|on| {
                        let mut mode = mode;
                        set(&mut mode, on);
                        mode
                    })
                })
                .collect();
            modes.dedup();
        }
        modes
    }

    /// The same with the session's `explicit_defaults_for_timestamp` (status variable 16 of a Query event, else the
    /// server's setting).
    pub fn with_explicit_timestamps(self, explicit: bool) -> Self {
        Self { explicit_timestamps: Some(explicit), ..self }
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in quotes, without them, or one right after a dot; never a keyword.
    Quoted,
    /// A string; `value` is what it means.
    Text,
    /// A number without sign, as written.
    Number,
    /// `x'…'` or `0x…`; `value` is the digits.
    Hex,
    /// `b'…'` or `0b…`; `value` is the digits.
    Bit,
    /// One character of punctuation.
    Symbol,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// What it says.
    pub value: Cow<'a, str>,
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.value.eq_ignore_ascii_case(word)
    }

    /// Whether it is this punctuation.
    pub fn is_symbol(&self, symbol: char) -> bool {
        self.kind == TokenKind::Symbol && self.value.chars().eq([symbol])
    }
}

/// Most tokens that are taken in of one text. A definition has fewer (65,535 labels of an ENUM are 131,070), and nobody can make
/// the daemon hold more of a text than these.
const MOST: usize = 1 << 19;

/// Cuts `text` up. The error says what is left open or ambiguous, or that there is too much of it.
pub fn tokenize(text: &str, mode: SqlMode) -> Result<Vec<Token<'_>>, String> {
    let (mut lexer, mut tokens) = (Lexer::new(text, mode), Vec::new());
    lexer.take(&mut tokens, MOST)?;
    match lexer.next_token()? {
        Some(_) => Err(format!("it has more than {MOST} words and signs")),
        None => Ok(tokens),
    }
}

/// The first `most` tokens of a text, or those before what is left open or ambiguous.
pub fn head(text: &str, mode: SqlMode, most: usize) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    // What cannot be cut up lies after what has been.
    let _ = Lexer::new(text, mode).take(&mut tokens, most);
    tokens
}

/// Whether this letter may stand elsewhere than in strings and comments.
pub fn stands_in_code(text: &str, mode: SqlMode, letter: char) -> bool {
    let mut lexer = Lexer::new(text, mode);
    loop {
        match lexer.next_token() {
            Ok(Some(token)) if token.kind != TokenKind::Text && token.value.contains(letter) => return true,
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// Cuts a text up, one token at a time.
struct Lexer<'a> {
    text: &'a str,
    at: usize,
    mode: SqlMode,
    in_code_comment: bool,
    found: Option<Token<'a>>,
    /// The last two tokens, the last one first.
    before: [Option<Seen>; 2],
}

/// What is remembered of a token.
#[derive(Clone, Copy)]
struct Seen {
    is_name: bool,
    is_dot: bool,
    end: usize,
}

/// A character of a name without quotes (reference manual, "Schema Object Names").
fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, mode: SqlMode) -> Self {
        Self { text, at: 0, mode, in_code_comment: false, found: None, before: [None; 2] }
    }

    /// Takes up to `most` tokens.
    fn take(&mut self, tokens: &mut Vec<Token<'a>>, most: usize) -> Result<(), String> {
        while tokens.len() < most
            && let Some(token) = self.next_token()?
        {
            tokens.push(token);
        }
        Ok(())
    }

    fn next_token(&mut self) -> Result<Option<Token<'a>>, String> {
        while self.found.is_none() && self.step()? {}
        let token = self.found.take();
        if token.is_none() && self.in_code_comment {
            return Err("a /*! comment is not closed".into());
        }
        Ok(token)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Length in bytes of the run that `matches`.
    fn run(text: &str, matches: impl Fn(char) -> bool) -> usize {
        text.find(|character| !matches(character)).unwrap_or(text.len())
    }

    fn push(&mut self, kind: TokenKind, value: Cow<'a, str>, bytes: usize) {
        let start = self.at;
        self.at += bytes;
        let token = Token { kind, value, span: start..self.at };
        let is_name = matches!(kind, TokenKind::Word | TokenKind::Quoted);
        let seen = Seen { is_name, is_dot: token.is_symbol('.'), end: self.at };
        self.before = [Some(seen), self.before[0]];
        self.found = Some(token);
    }

    /// Takes one token or comment; `false` at the end.
    fn step(&mut self) -> Result<bool, String> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(false) };
        if first.is_ascii_whitespace() || first == '\u{b}' || first == '\0' {
            self.at += first.len_utf8();
            return Ok(true);
        }
        if self.comment(rest)? {
            return Ok(true);
        }
        match first {
            '`' => self.quoted(rest, '`')?,
            '"' if self.mode.ansi_quotes => self.quoted(rest, '"')?,
            '[' if self.mode.brackets => self.quoted(rest, ']')?,
            '\'' | '"' => self.string(first, 0)?,
            _ if is_name(first) => self.name_or_number(rest, first)?,
            '.' if !self.follows_name() && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) => {
                let bytes = number_length(rest);
                self.push(TokenKind::Number, Cow::Borrowed(rest.get(..bytes).unwrap_or_default()), bytes);
            }
            _ => {
                let bytes = first.len_utf8();
                self.push(TokenKind::Symbol, Cow::Borrowed(rest.get(..bytes).unwrap_or_default()), bytes);
            }
        }
        Ok(true)
    }

    /// Skips a comment, or enters or leaves one whose contents are code.
    fn comment(&mut self, rest: &str) -> Result<bool, String> {
        if rest.strip_prefix("--").is_some_and(|after| after.starts_with(|c: char| !c.is_ascii())) {
            // A blank or control character of the client's set begins a comment; which byte it was is not known here.
            return Err("whether -- before a letter beyond ASCII begins a comment is not known".into());
        }
        let line = rest.starts_with('#')
            || rest.strip_prefix("--").is_some_and(|after| {
                after.chars().next().is_none_or(|c| c.is_ascii_whitespace() || c.is_ascii_control())
            });
        if line {
            self.at += Self::run(rest, |character| character != '\n');
            return Ok(true);
        }
        if self.in_code_comment && rest.starts_with("*/") {
            self.in_code_comment = false;
            self.at += 2;
            return Ok(true);
        }
        let Some(inside) = rest.strip_prefix("/*") else { return Ok(false) };
        if self.in_code_comment || holds_another(inside) {
            return Err("a comment inside a version comment".into());
        }
        let code = if let Some(code) = inside.strip_prefix('!') {
            // The server blanks the `!` of a version comment that it does not execute before it logs the
            // text, so what is still marked was executed.
            Some((3, code))
        } else if let Some(code) = inside.strip_prefix("M!") {
            match self.mode.flavour {
                Some(Flavour::MariaDb) => Some((4, code)),
                Some(Flavour::MySql) => None,
                None => return Err("a /*M! comment is code on MariaDB and none on MySQL".into()),
            }
        } else {
            None
        };
        match code {
            Some((mark, code)) => {
                let digits = Self::run(code, |character| character.is_ascii_digit());
                let name_follows = code.get(digits..).is_some_and(|rest| rest.starts_with(is_name));
                if digits > 6 || (digits == 6 && name_follows) {
                    return Err("where the version in a comment ends hangs on the server's own".into());
                }
                // Five or six digits are a version; fewer are code.
                self.at += mark + if (5..=6).contains(&digits) { digits } else { 0 };
                self.in_code_comment = true;
            }
            None => match inside.find("*/") {
                Some(end) => self.at += 2 + end + 2,
                None => return Err("a comment is not closed".into()),
            },
        }
        Ok(true)
    }

    /// Whether the last token is a name that ends right here, so that `.5x` goes on with it.
    fn follows_name(&self) -> bool {
        self.before[0].is_some_and(|token| token.is_name && token.end == self.at)
    }

    /// Whether a `.` stands right before.
    fn is_behind_dot(&self) -> bool {
        self.before[0].is_some_and(|token| token.is_dot && token.end == self.at)
    }

    /// Whether that `.` stands after a name: then digits begin a name (`db.1t`).
    fn follows_dot(&self) -> bool {
        self.is_behind_dot() && self.before[1].is_some_and(|token| token.is_name)
    }

    /// A name that ends with this quote; twice it stands for itself.
    fn quoted(&mut self, rest: &'a str, quote: char) -> Result<(), String> {
        let mut value = String::new();
        let mut characters = rest.char_indices().skip(1).peekable();
        while let Some((at, character)) = characters.next() {
            if character != quote {
                value.push(character);
            } else if characters.next_if(|(_, next)| *next == quote).is_some() {
                value.push(quote);
            } else {
                self.push(TokenKind::Quoted, Cow::Owned(value), at + quote.len_utf8());
                return Ok(());
            }
        }
        Err("a quoted name is not closed".into())
    }

    /// A string whose opening quote stands `prefix` bytes from here.
    fn string(&mut self, quote: char, prefix: usize) -> Result<(), String> {
        let body = self.rest().get(prefix..).unwrap_or_default();
        let mut value = String::new();
        let mut characters = body.char_indices().skip(1).peekable();
        while let Some((at, character)) = characters.next() {
            if character == '\\' && !self.mode.no_backslash_escapes {
                match characters.next() {
                    Some((_, '0')) => value.push('\0'),
                    Some((_, 'b')) => value.push('\u{8}'),
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, 'Z')) => value.push('\u{1a}'),
                    // These two keep their backslash outside of patterns as well.
                    Some((_, wild @ ('%' | '_'))) => value.extend(['\\', wild]),
                    Some((_, other)) => value.push(other),
                    None => break,
                }
            } else if character != quote {
                value.push(character);
            } else if characters.next_if(|(_, next)| *next == quote).is_some() {
                value.push(quote);
            } else {
                self.push(TokenKind::Text, Cow::Owned(value), prefix + at + 1);
                return Ok(());
            }
        }
        Err("a string is not closed".into())
    }

    fn name_or_number(&mut self, rest: &'a str, first: char) -> Result<(), String> {
        let second = rest.chars().nth(1);
        match (first, second) {
            ('x' | 'X', Some('\'')) => return self.digits_in_quotes(TokenKind::Hex, rest),
            ('b' | 'B', Some('\'')) => return self.digits_in_quotes(TokenKind::Bit, rest),
            ('n' | 'N', Some('\'')) => return self.string('\'', 1),
            _ => {}
        }
        let bytes = Self::run(rest, is_name);
        let name = rest.get(..bytes).unwrap_or_default();
        // The only blanks and control characters beyond ASCII that are one byte somewhere, where they end a name.
        if name.contains(['\u{a0}', '\u{85}']) {
            return Err("a blank that is a letter in other character sets".into());
        }
        if first.is_ascii_digit() && !self.follows_dot() {
            if let Some((kind, digits)) = based_number(name) {
                self.push(kind, Cow::Borrowed(digits), bytes);
                return Ok(());
            }
            let number = number_length(rest);
            // `1a` is a name, `1`, `1.5` and `1e5` are numbers.
            if number >= bytes {
                self.push(TokenKind::Number, Cow::Borrowed(rest.get(..number).unwrap_or_default()), number);
                return Ok(());
            }
        }
        // Servers look for no keyword right after a dot: `c.set = s.id`.
        let kind = if self.is_behind_dot() { TokenKind::Quoted } else { TokenKind::Word };
        self.push(kind, Cow::Borrowed(name), bytes);
        Ok(())
    }

    fn digits_in_quotes(&mut self, kind: TokenKind, rest: &'a str) -> Result<(), String> {
        let body = rest.get(2..).unwrap_or_default();
        let end = body.find('\'').ok_or("a literal is not closed")?;
        let digits = body.get(..end).unwrap_or_default();
        let radix = if kind == TokenKind::Hex { 16 } else { 2 };
        if !digits.chars().all(|digit| digit.is_digit(radix)) {
            return Err("a literal has wrong digits".into());
        }
        self.push(kind, Cow::Borrowed(digits), end + 3);
        Ok(())
    }
}

/// Whether a version comment that the server did not execute holds another comment, which it stepped over as a whole. It has
/// blanked what marks it: the `!`, and on MariaDB the `M` perhaps.
fn holds_another(inside: &str) -> bool {
    let versioned = inside.trim_start_matches([' ', '!', 'M']).starts_with(|c: char| c.is_ascii_digit());
    let end = inside.find("*/").unwrap_or(inside.len());
    versioned && inside.get(..end).is_some_and(|held| held.contains("/*"))
}

/// `0x1F` and `0b01`: kind and digits.
fn based_number(name: &str) -> Option<(TokenKind, &str)> {
    let (kind, digits, radix) = if let Some(digits) = name.strip_prefix("0x") {
        (TokenKind::Hex, digits, 16)
    } else {
        (TokenKind::Bit, name.strip_prefix("0b")?, 2)
    };
    (!digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))).then_some((kind, digits))
}

/// Bytes of the number that `text` starts with: digits, a fraction, an exponent.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| {
        let tail = text.get(from..).unwrap_or_default();
        tail.find(|character: char| !character.is_ascii_digit()).unwrap_or(tail.len())
    };
    let mut end = digits(0);
    if text.get(end..).is_some_and(|tail| tail.starts_with('.')) {
        end += 1 + digits(end + 1);
    }
    let mut exponent = text.get(end..).unwrap_or_default().chars();
    if matches!(exponent.next(), Some('e' | 'E')) {
        let signed = usize::from(matches!(exponent.next(), Some('+' | '-')));
        let power = digits(end + 1 + signed);
        if power > 0 {
            end += 1 + signed + power;
        }
    }
    end
}
