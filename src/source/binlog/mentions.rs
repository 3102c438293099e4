//! Which names a text may hold, without understanding it.
//!
//! A name is one or more words of a text: runs of letters, digits, `_` and `$`. Only ASCII is looked at, which has the same bytes
//! in every character set that a client can have; a name's other letters may be anything that is not ASCII. In some sets they
//! have bytes that are ASCII letters elsewhere, so the words of the decoded text count as well as those of the bytes. Case is
//! ignored, and quotes, comments and strings are not told from code. So a name may be found that is not there, and never the
//! other way round.
//!
//! What must never happen here: a name that the server would read in the text not being found; growth far beyond the text's length.

use memchr::memmem;
use std::collections::HashSet;

/// Most words that are kept of a text. Past them it is searched for each.
const MOST: usize = 1 << 16;

/// The words of a text.
#[derive(Debug)]
pub struct Mentions {
    words: HashSet<String>,
    /// There are more than are kept.
    has_more: bool,
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
        let mut mentions =
            Self { words: HashSet::new(), has_more: false, has_others: false, text: Vec::new() };
        mentions.add(text);
        mentions
    }

    /// Takes in another reading of the text.
    pub fn add(&mut self, text: &[u8]) {
        for word in words(text) {
            if self.words.len() >= MOST {
                self.has_more = true;
                break;
            }
            // Digits may end a number or be the version of a comment, five or six: `/*!50001t */`, `/*!500012024t */`.
            let digits = word.len() - word.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
            for cut in [5, 6, digits] {
                let rest = word.get(cut..).filter(|rest| (1..=digits).contains(&cut) && !rest.is_empty());
                self.words.extend(rest.map(str::to_owned));
            }
            self.words.insert(word);
        }
        self.has_others |= !text.is_ascii();
        self.text.reserve_exact(text.len().saturating_add(1));
        self.text.push(0);
        self.text.extend(text.iter().map(u8::to_ascii_lowercase));
    }

    /// Whether the name may stand in the text.
    pub fn name(&self, name: &str) -> bool {
        if name.is_ascii() || self.has_others {
            words(name.as_bytes())
                .all(|word| self.words.contains(&word) || (self.has_more && self.has_word(&word)))
        } else {
            false
        }
    }

    /// Whether these letters may stand in the text, as a part of a name too.
    pub fn part(&self, part: &str) -> bool {
        (part.is_ascii() || self.has_others)
            && words(part.as_bytes()).all(|word| memmem::find(&self.text, word.as_bytes()).is_some())
    }

    /// The words, each once; `None` where they are too many to be kept.
    pub fn words(&self) -> Option<impl Iterator<Item = &str>> {
        (!self.has_more).then(|| self.words.iter().map(String::as_str))
    }

    /// Whether a word stands somewhere in the text, after any digits.
    fn has_word(&self, word: &str) -> bool {
        // Among digits it may stand in many places, one inside the other.
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            return memmem::find(&self.text, word.as_bytes()).is_some();
        }
        memmem::find_iter(&self.text, word.as_bytes()).any(|at| {
            let (before, rest) = self.text.split_at(at);
            let ends = rest.get(word.len()).is_none_or(|byte| !is_word(*byte));
            let start = before.iter().rev().find(|byte| !byte.is_ascii_digit());
            ends && start.is_none_or(|byte| !is_word(*byte))
        })
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

    /// The second byte of some letters is an ASCII letter in SJIS, Big5 and GBK.
    #[test]
    fn a_name_is_found_in_the_bytes_or_in_what_they_stand_for() {
        let mut mentions = Mentions::of(b"SELECT other.\x83A_f(), \x83\\shop");
        assert!(!mentions.name("ア_f") && mentions.name("a_f"));
        mentions.add("SELECT other.ア_f(), ソshop".as_bytes());
        assert!(
            mentions.name("ア_f") && mentions.name("a_f") && mentions.name("shop") && mentions.part("ho")
        );
    }

    #[test]
    fn digits_of_a_version_may_stand_before_a_name_that_begins_with_some() {
        for text in ["/*!500012024shop*/", "/*M!1001002024shop*/", "UPDATE 2024shop.t"] {
            assert!(Mentions::of(text.as_bytes()).name("2024shop"), "{text}");
        }
        assert!(!Mentions::of(b"/*!50002024shop*/").name("2024shop"));
    }

    #[test]
    fn a_text_of_more_words_than_are_kept_is_searched() {
        let many: String = (0..MOST).map(|at| format!("w{at}, ")).collect();
        let text =
            format!("INSERT INTO away.log VALUES {many} shop.item workshop /*!500012024t*/ 'x5y' last");
        let mentions = Mentions::of(text.as_bytes());
        assert!(mentions.words().is_none() && mentions.words.len() <= MOST + 3);
        for (name, is_there) in [
            ("log", true),
            ("Shop", true),
            ("item", true),
            ("2024t", true),
            ("t", true),
            ("last", true),
            ("w60000", true),
            ("hop", false),
            ("works", false),
            ("y", false),
            ("shop-log", true),
        ] {
            assert_eq!(mentions.name(name), is_there, "{name}");
        }
        assert!(Mentions::of(b"a b").words().is_some());
    }

    #[test]
    fn other_names_are_not() {
        let mentions = Mentions::of(b"UPDATE workshop.items SET shopping = 1, it em");
        assert!(!mentions.name("shop") && !mentions.name("item") && !mentions.name("表"));
        assert!(mentions.part("shop") && !mentions.part("shopitem"));
    }
}
