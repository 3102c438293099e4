//! Character sets by name: what the types need to know about them.
//!
//! Follows the MySQL reference manual, "Character Sets, Collations, Unicode", and `information_schema.CHARACTER_SETS`.

use super::column::Charset;

/// A character set by name, in the one spelling used throughout: lower case, `utf8` as `utf8mb3`. `collation`
/// is the declared one; when `None` the set's default is filled in (MySQL 8.0's where versions differ).
pub fn charset(name: &str, collation: Option<&str>) -> Charset {
    let name = match name.to_ascii_lowercase().as_str() {
        "utf8" => "utf8mb3".to_owned(),
        other => other.to_owned(),
    };
    let collation = collation.map_or_else(|| default_collation(&name).to_owned(), str::to_ascii_lowercase);
    Charset { name, collation }
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
    let lower = collation.to_ascii_lowercase();
    let set = lower.split('_').next().unwrap_or_default();
    let set = if set == "utf8" { "utf8mb3" } else { set };
    (!default_collation(set).is_empty()).then(|| Charset { name: set.to_owned(), collation: lower.clone() })
}
