//! Which names a text may hold, without understanding it.
//!
//! A name is one or more words of a text: runs of letters, digits, `_` and `$`. Only ASCII is looked at, which has the same bytes
//! in every character set that a client can have; a name's other letters may be anything that is not ASCII. Case is ignored, and
//! quotes, comments and strings are not told from code. So a name may be found that is not there, and never the other way round.
//!
//! What must never happen here: a name that the server would read in the text not being found.

use std::collections::HashSet;

/// The words of a text.
#[derive(Debug)]
pub struct Mentions {
    words: HashSet<String>,
    /// All of it, in lower case where it is ASCII.
    text: Vec<u8>,
    has_others: bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

/// The words of a text in order, in lower case.
pub fn words(text: &[u8]) -> impl Iterator<Item = String> {
    text.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty()).map(|word| {
        let mut word = String::from_utf8_lossy(word).into_owned();
        word.make_ascii_lowercase();
        word
    })
}

impl Mentions {
    /// Cuts a text up.
    pub fn of(text: &[u8]) -> Self {
        let mut found = HashSet::new();
        for word in words(text) {
            // Digits may end a number or be the version of a comment: `/*!50001t */`.
            let rest = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
            if rest.len() != word.len() && !rest.is_empty() {
                found.insert(rest.to_owned());
            }
            found.insert(word);
        }
        Self { words: found, has_others: !text.is_ascii(), text: text.to_ascii_lowercase() }
    }

    /// Whether the name may stand in the text.
    pub fn name(&self, name: &str) -> bool {
        if name.is_ascii() || self.has_others {
            words(name.as_bytes()).all(|word| self.words.contains(&word))
        } else {
            false
        }
    }

    /// Whether these letters may stand in the text, as a part of a name too.
    pub fn part(&self, part: &str) -> bool {
        (part.is_ascii() || self.has_others)
            && words(part.as_bytes())
                .all(|word| self.text.windows(word.len()).any(|window| window == word.as_bytes()))
    }

    /// The words, each once.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// Whether there are letters beyond ASCII.
    pub fn has_others(&self) -> bool {
        self.has_others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_however_it_is_written() {
        for text in [
            "UPDATE shop.item SET a=1",
            "UPDATE `Shop`.`ITEM`",
            "/*!50001shop.item*/",
            "/*M!100100 x*/shop .item",
            "'shop'\"item\"",
            "é shop.item",
            "\u{3000}shop\u{3000}item",
            "SELECT 1.5shop, item",
        ] {
            let mentions = Mentions::of(text.as_bytes());
            assert!(mentions.name("shop") && mentions.name("item"), "{text}");
        }
        let mentions = Mentions::of(b"\xff\xfeshop\xffitem\x00my-own.t\x81\x40");
        assert!(mentions.name("shop") && mentions.name("item") && mentions.name("my-own"));
        // Whether these letters are there is not known.
        assert!(mentions.name("表表") && mentions.name("x表") == mentions.name("x"));
    }

    #[test]
    fn other_names_are_not() {
        let mentions = Mentions::of(b"UPDATE workshop.items SET shopping = 1, it em");
        assert!(!mentions.name("shop") && !mentions.name("item") && !mentions.name("表"));
        assert!(mentions.part("shop") && !mentions.part("shopitem"));
    }
}
