//! A place in a statement's tokens, and the small questions readers ask there.

use super::statement::Name;
use super::token::{SqlMode, Token, TokenKind};

/// A reader's place. Copy it to look ahead.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t, 'a> {
    tokens: &'t [Token<'a>],
    text: &'a str,
    pub(super) mode: SqlMode,
}

/// Why a part could not be read.
pub(super) type Unreadable = String;

impl<'t, 'a> Cursor<'t, 'a> {
    pub(super) fn new(tokens: &'t [Token<'a>], text: &'a str, mode: SqlMode) -> Self {
        Self { tokens, text, mode }
    }

    pub(super) fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.first()
    }

    fn peek_at(&self, ahead: usize) -> Option<&'t Token<'a>> {
        self.tokens.get(ahead)
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Option<&'t Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    pub(super) fn at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn at_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(word))
    }

    /// Whether these keywords come next.
    pub(super) fn at_words(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.peek_at(ahead).is_some_and(|token| token.is_word(word)))
    }

    pub(super) fn at_symbol(&self, symbol: char) -> bool {
        self.peek().is_some_and(|token| token.is_symbol(symbol))
    }

    /// Whether `symbol` comes after the next token.
    pub(super) fn symbol_follows(&self, symbol: char) -> bool {
        self.peek_at(1).is_some_and(|token| token.is_symbol(symbol))
    }

    /// Takes a keyword if it comes next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    /// Takes keywords if they come next, all or none.
    pub(super) fn words(&mut self, words: &[&str]) -> bool {
        if !self.at_words(words) {
            return false;
        }
        self.tokens = self.tokens.get(words.len()..).unwrap_or_default();
        true
    }

    /// Takes the one of these keywords that comes next.
    pub(super) fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().find(|word| self.word(word)).copied()
    }

    pub(super) fn symbol(&mut self, symbol: char) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn need_word(&mut self, word: &str) -> Result<(), Unreadable> {
        if self.word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    pub(super) fn need_symbol(&mut self, symbol: char) -> Result<(), Unreadable> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.expected(&symbol.to_string())) }
    }

    /// "expected …, found …".
    pub(super) fn expected(&self, what: &str) -> Unreadable {
        match self.peek() {
            Some(token) => format!("expected {what} before \"{}\"", self.slice(token, token)),
            None => format!("expected {what} at the end"),
        }
    }

    /// A name, quoted or not.
    pub(super) fn name(&mut self) -> Result<String, Unreadable> {
        match self.peek() {
            Some(token) if matches!(token.kind, TokenKind::Word | TokenKind::Quoted) => {
                self.next();
                Ok(token.value.clone().into_owned())
            }
            _ => Err(self.expected("a name")),
        }
    }

    /// A name or a string, as charset and collation names may be written.
    pub(super) fn name_or_text(&mut self) -> Result<String, Unreadable> {
        match self.text_literal() {
            Some(text) => Ok(text),
            None => self.name(),
        }
    }

    pub(super) fn text_literal(&mut self) -> Option<String> {
        let token = self.peek().filter(|token| token.kind == TokenKind::Text)?;
        self.next();
        Some(token.value.clone().into_owned())
    }

    /// `t`, `db.t` or `.t`.
    pub(super) fn table(&mut self) -> Result<Name, Unreadable> {
        // `.t` is the default database's, an ODBC form.
        if self.symbol('.') {
            return Ok(Name { database: None, table: self.name()? });
        }
        let first = self.name()?;
        if self.symbol('.') {
            return Ok(Name { database: Some(first), table: self.name()? });
        }
        Ok(Name { database: None, table: first })
    }

    /// `t, db.t, …`
    pub(super) fn tables(&mut self) -> Result<Vec<Name>, Unreadable> {
        let mut tables = vec![self.table()?];
        while self.symbol(',') {
            tables.push(self.table()?);
        }
        Ok(tables)
    }

    /// Skips a parenthesised group that starts here; gives its text without the parentheses.
    pub(super) fn group(&mut self) -> Result<String, Unreadable> {
        let inside = self.inside_group()?;
        let (Some(first), Some(last)) = (inside.first(), inside.last()) else { return Ok(String::new()) };
        Ok(self.slice(first, last))
    }

    /// Skips a parenthesised group; gives a reader for its contents.
    pub(super) fn group_reader(&mut self) -> Result<Cursor<'t, 'a>, Unreadable> {
        let tokens = self.inside_group()?;
        Ok(Cursor { tokens, text: self.text, mode: self.mode })
    }

    /// The same without parentheses that stand around all that is left, however many.
    pub(super) fn peeled(self) -> Self {
        let opened = self.tokens.iter().take_while(|token| token.is_symbol('(')).count();
        let (mut depth, mut left_open) = (0_usize, opened);
        for (at, token) in self.tokens.iter().enumerate() {
            if token.is_symbol('(') {
                depth += 1;
            } else if token.is_symbol(')') {
                depth = depth.saturating_sub(1);
                // One of those at the beginning is closed, and of what is balanced only the ends of those around it are left.
                if depth < left_open && at + 1 + depth == self.tokens.len() {
                    return Self { tokens: self.tokens.get(depth + 1..at).unwrap_or_default(), ..self };
                }
                left_open = left_open.min(depth);
            }
        }
        self
    }

    fn inside_group(&mut self) -> Result<&'t [Token<'a>], Unreadable> {
        self.need_symbol('(')?;
        let start = self.tokens;
        let mut depth = 1_usize;
        let mut length = 0;
        while let Some(token) = self.next() {
            if token.is_symbol('(') {
                depth += 1;
            } else if token.is_symbol(')') {
                depth -= 1;
                if depth == 0 {
                    return Ok(start.get(..length).unwrap_or_default());
                }
            }
            length += 1;
        }
        Err("a parenthesis is not closed".into())
    }

    /// Skips to the next comma at this level, or to the end. A group that is not closed is an error.
    pub(super) fn skip_clause(&mut self) -> Result<(), Unreadable> {
        while let Some(token) = self.peek() {
            if token.is_symbol(',') {
                return Ok(());
            }
            if token.is_symbol(')') {
                return Err("a parenthesis is closed that was not opened".into());
            }
            if token.is_symbol('(') {
                self.inside_group()?;
            } else {
                self.next();
            }
        }
        Ok(())
    }

    /// The text from one token to another.
    fn slice(&self, first: &Token<'_>, last: &Token<'_>) -> String {
        self.text.get(first.span.start..last.span.end).unwrap_or_default().to_owned()
    }

    /// The text from here to where `later` stands.
    pub(super) fn text_until(&self, later: &Self) -> String {
        let taken = self.tokens.len().saturating_sub(later.tokens.len());
        match (self.tokens.first(), taken.checked_sub(1).and_then(|last| self.tokens.get(last))) {
            (Some(first), Some(last)) => self.slice(first, last),
            _ => String::new(),
        }
    }

    /// Whether any token that is left satisfies `test`.
    pub(super) fn any(&self, test: impl Fn(&Token<'a>) -> bool) -> bool {
        self.tokens.iter().any(test)
    }
}
