//! Character sets by name: what the types need to know about them.
//!
//! Follows the MySQL reference manual, "Character Sets, Collations, Unicode", and `information_schema.CHARACTER_SETS`.
//!
//! What must never happen here: a collation that a statement does not name being guessed. It is the default of the statement's
//! session, which may be another than that of its server and its version; where the log does not tell it, it is unknown.

use super::collation;
use super::column::Charset;
use crate::change::Session;
use crate::change::facts::Flavour;

/// What stands for a collation that is not known: no collation has such a name.
const UNKNOWN: &str = "?";

/// Which collation a character set has where a statement names none.
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    session: &'a Session,
    flavour: Option<Flavour>,
}

impl<'a> Defaults<'a> {
    /// Those of a session of a server of this family.
    pub fn of(session: &'a Session, flavour: Option<Flavour>) -> Self {
        Self { session, flavour }
    }

    /// The server's family, where it is known.
    pub(super) fn flavour(self) -> Option<Flavour> {
        self.flavour
    }

    fn collation(self, set: &str) -> String {
        let constant = match default_collation(set) {
            "" => UNKNOWN,
            constant => constant,
        };
        let found = match self.flavour {
            // Of this set alone a session chooses (`default_collation_for_utf8mb4`).
            Some(Flavour::MySql) if set == "utf8mb4" => {
                self.session.utf8mb4_collation.and_then(collation::name_of)
            }
            Some(Flavour::MySql) => Some(constant),
            Some(Flavour::MariaDb) => self.session.set_collations.as_ref().and_then(|pairs| {
                let chosen = pairs.iter().find(|(of, _)| collation::charset_of(*of) == Some(set));
                match chosen {
                    Some((_, number)) => collation::name_of(*number),
                    None if set == "utf8mb4" => Some("utf8mb4_general_ci"),
                    None => Some(constant),
                }
            }),
            None => None,
        };
        found.unwrap_or(UNKNOWN).to_owned()
    }

    /// A character set that a statement names with the collation that it names, or the default.
    pub fn charset(self, name: &str, collation: Option<&str>) -> Charset {
        if let Some(collation) = collation.filter(|collation| !collation.eq_ignore_ascii_case("default")) {
            return charset(name, Some(collation));
        }
        let name = plain(name);
        Charset { collation: self.collation(&name), name }
    }
}

impl Charset {
    /// Whether its collation is known. One that is not is equal to no other, not to itself either.
    pub fn is_collation_known(&self) -> bool {
        !self.collation.starts_with(UNKNOWN)
    }

    /// A statement has given what was `before` this character set. Two collations that are not known look different from here on, so
    /// that whoever compares finds that something may have changed.
    pub(super) fn told_from(&mut self, before: &Self) {
        if !self.is_collation_known() && self.collation == before.collation {
            // One step after the other, in turn.
            let other = if self.collation == UNKNOWN { "??" } else { UNKNOWN };
            other.clone_into(&mut self.collation);
        }
    }
}

fn plain(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "utf8" => "utf8mb3".to_owned(),
        other => other.to_owned(),
    }
}

/// A character set by name, in the one spelling used throughout: lower case, `utf8` as `utf8mb3`. `collation`
/// is what the server shows, in one spelling too; when `None` the set's default is filled in (MySQL 8.0's where versions differ),
/// which is for where it does not count: what a statement does not name is [`Defaults`].
pub fn charset(name: &str, collation: Option<&str>) -> Charset {
    let name = plain(name);
    let collation = collation.map_or_else(
        || default_collation(&name).to_owned(),
        |collation| {
            let collation = spelled(collation);
            // MariaDB's names that serve several sets.
            if collation.starts_with("uca1400_") { format!("{name}_{collation}") } else { collation }
        },
    );
    Charset { name, collation }
}

fn spelled(collation: &str) -> String {
    let lower = collation.to_ascii_lowercase();
    lower.strip_prefix("utf8_").map_or_else(|| lower.clone(), |rest| format!("utf8mb3_{rest}"))
}

/// Most bytes one character takes in a character set (`information_schema.CHARACTER_SETS.MAXLEN`). An unknown
/// set counts as single-byte.
pub fn max_bytes_per_char(charset: &str) -> u32 {
    match charset {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8" | "utf8mb3" | "ujis" | "eucjpms" => 3,
        "ucs2" | "gbk" | "gb2312" | "big5" | "sjis" | "cp932" | "euckr" => 2,
        _ => 1,
    }
}

/// Whether ASCII is more than one byte a character, so that bytes which look like it are something else.
pub fn is_wide(charset: &str) -> bool {
    matches!(charset, "ucs2" | "utf16" | "utf16le" | "utf32")
}

/// Whether an introducer of this set leaves a string of ASCII what it is.
pub fn introduces_ascii(charset: &str) -> bool {
    !is_wide(charset) && !matches!(charset, "binary" | "swe7")
}

fn default_collation(charset: &str) -> &str {
    match charset {
        "utf8mb4" => "utf8mb4_0900_ai_ci",
        "utf8mb3" => "utf8mb3_general_ci",
        "latin1" => "latin1_swedish_ci",
        "binary" => "binary",
        "big5" => "big5_chinese_ci",
        "dec8" => "dec8_swedish_ci",
        "hp8" => "hp8_english_ci",
        "swe7" => "swe7_swedish_ci",
        "ujis" => "ujis_japanese_ci",
        "sjis" => "sjis_japanese_ci",
        "tis620" => "tis620_thai_ci",
        "euckr" => "euckr_korean_ci",
        "gb2312" => "gb2312_chinese_ci",
        "gbk" => "gbk_chinese_ci",
        "gb18030" => "gb18030_chinese_ci",
        "cp932" => "cp932_japanese_ci",
        "eucjpms" => "eucjpms_japanese_ci",
        "ascii" => "ascii_general_ci",
        "cp850" => "cp850_general_ci",
        "cp852" => "cp852_general_ci",
        "cp866" => "cp866_general_ci",
        "cp1250" => "cp1250_general_ci",
        "cp1251" => "cp1251_general_ci",
        "cp1256" => "cp1256_general_ci",
        "cp1257" => "cp1257_general_ci",
        "greek" => "greek_general_ci",
        "hebrew" => "hebrew_general_ci",
        "koi8r" => "koi8r_general_ci",
        "koi8u" => "koi8u_general_ci",
        "latin2" => "latin2_general_ci",
        "latin5" => "latin5_turkish_ci",
        "latin7" => "latin7_general_ci",
        "macce" => "macce_general_ci",
        "macroman" => "macroman_general_ci",
        "armscii8" => "armscii8_general_ci",
        "geostd8" => "geostd8_general_ci",
        "keybcs2" => "keybcs2_general_ci",
        "ucs2" => "ucs2_general_ci",
        "utf16" => "utf16_general_ci",
        "utf16le" => "utf16le_general_ci",
        "utf32" => "utf32_general_ci",
        _ => "",
    }
}

/// The character set a collation belongs to: its name's first part. MariaDB's `uca1400_…` names belong to none.
pub fn charset_of_collation(collation: &str) -> Option<Charset> {
    let lower = spelled(collation);
    let set = lower.split('_').next().unwrap_or_default();
    (!default_collation(set).is_empty()).then(|| Charset { name: set.to_owned(), collation: lower.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MariaDB 11.8's own `character_set_collations`, as its log says it.
    fn uca() -> Vec<(u16, u16)> {
        vec![(33, 2048), (45, 2304), (35, 2560), (54, 2816), (60, 3072)]
    }

    #[test]
    fn an_unnamed_collation_is_the_sessions_or_unknown() {
        let maria = |pairs| Session { set_collations: pairs, ..Session::default() };
        let mysql = |number| Session { utf8mb4_collation: number, ..Session::default() };
        for (session, flavour, set, expected) in [
            (mysql(Some(255)), Flavour::MySql, "utf8mb4", "utf8mb4_0900_ai_ci"),
            (mysql(Some(45)), Flavour::MySql, "UTF8MB4", "utf8mb4_general_ci"),
            (mysql(Some(9999)), Flavour::MySql, "utf8mb4", "?"),
            (mysql(None), Flavour::MySql, "utf8mb4", "?"),
            (mysql(None), Flavour::MySql, "utf8", "utf8mb3_general_ci"),
            (mysql(None), Flavour::MySql, "nosuch", "?"),
            (maria(Some(uca())), Flavour::MariaDb, "utf8", "utf8mb3_uca1400_ai_ci"),
            (maria(Some(uca())), Flavour::MariaDb, "utf8mb4", "utf8mb4_uca1400_ai_ci"),
            (maria(Some(uca())), Flavour::MariaDb, "latin1", "latin1_swedish_ci"),
            (maria(Some(vec![(8, 31)])), Flavour::MariaDb, "latin1", "?"),
            (maria(Some(Vec::new())), Flavour::MariaDb, "utf8mb4", "utf8mb4_general_ci"),
            (maria(None), Flavour::MariaDb, "utf8mb4", "?"),
            (maria(None), Flavour::MariaDb, "latin1", "?"),
        ] {
            let found = Defaults::of(&session, Some(flavour)).charset(set, None);
            assert_eq!(found.collation, expected, "{flavour:?} {set} {session:?}");
            assert_eq!(found.is_collation_known(), expected != "?");
        }
        let session = mysql(None);
        assert!(!Defaults::of(&session, None).charset("latin1", None).is_collation_known());
        let named = Defaults::of(&session, None).charset("utf8", Some("UTF8_BIN"));
        assert_eq!(named, charset("utf8mb3", Some("utf8mb3_bin")));
        assert_eq!(charset("utf8mb4", Some("uca1400_ai_ci")).collation, "utf8mb4_uca1400_ai_ci");
    }

    #[test]
    fn what_is_not_known_is_never_the_same_twice() {
        let session = Session::default();
        let unknown = || Defaults::of(&session, None).charset("utf8mb4", None);
        let mut last = unknown();
        for _ in 0..3 {
            let mut next = last.clone();
            next.told_from(&last);
            assert_ne!(next, last);
            last = next;
        }
        let mut known = charset("latin1", None);
        known.told_from(&charset("latin1", None));
        assert_eq!(known, charset("latin1", None));
    }
}
