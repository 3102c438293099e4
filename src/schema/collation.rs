//! Character sets as numbers: which set a collation id belongs to.
//!
//! Ids come from MySQL 9.7 and MariaDB 10.11 (`information_schema.COLLATIONS`); neither renumbers one.

/// The collation id of bytes without a character set.
pub const BINARY: u16 = 63;

/// First id, last id and character set. Ids inside a range that no server uses are never sent.
const RANGES: &[(u16, u16, &str)] = &[
    (1, 1, "big5"),
    (2, 2, "latin2"),
    (3, 3, "dec8"),
    (4, 4, "cp850"),
    (5, 5, "latin1"),
    (6, 6, "hp8"),
    (7, 7, "koi8r"),
    (8, 8, "latin1"),
    (9, 9, "latin2"),
    (10, 10, "swe7"),
    (11, 11, "ascii"),
    (12, 12, "ujis"),
    (13, 13, "sjis"),
    (14, 14, "cp1251"),
    (15, 15, "latin1"),
    (16, 16, "hebrew"),
    (18, 18, "tis620"),
    (19, 19, "euckr"),
    (20, 20, "latin7"),
    (21, 21, "latin2"),
    (22, 22, "koi8u"),
    (23, 23, "cp1251"),
    (24, 24, "gb2312"),
    (25, 25, "greek"),
    (26, 26, "cp1250"),
    (27, 27, "latin2"),
    (28, 28, "gbk"),
    (29, 29, "cp1257"),
    (30, 30, "latin5"),
    (31, 31, "latin1"),
    (32, 32, "armscii8"),
    (33, 33, "utf8mb3"),
    (34, 34, "cp1250"),
    (35, 35, "ucs2"),
    (36, 36, "cp866"),
    (37, 37, "keybcs2"),
    (38, 38, "macce"),
    (39, 39, "macroman"),
    (40, 40, "cp852"),
    (41, 42, "latin7"),
    (43, 43, "macce"),
    (44, 44, "cp1250"),
    (45, 46, "utf8mb4"),
    (47, 49, "latin1"),
    (50, 52, "cp1251"),
    (53, 53, "macroman"),
    (54, 55, "utf16"),
    (56, 56, "utf16le"),
    (57, 57, "cp1256"),
    (58, 59, "cp1257"),
    (60, 61, "utf32"),
    (62, 62, "utf16le"),
    (63, 63, "binary"),
    (64, 64, "armscii8"),
    (65, 65, "ascii"),
    (66, 66, "cp1250"),
    (67, 67, "cp1256"),
    (68, 68, "cp866"),
    (69, 69, "dec8"),
    (70, 70, "greek"),
    (71, 71, "hebrew"),
    (72, 72, "hp8"),
    (73, 73, "keybcs2"),
    (74, 74, "koi8r"),
    (75, 75, "koi8u"),
    (76, 76, "utf8mb3"),
    (77, 77, "latin2"),
    (78, 78, "latin5"),
    (79, 79, "latin7"),
    (80, 80, "cp850"),
    (81, 81, "cp852"),
    (82, 82, "swe7"),
    (83, 83, "utf8mb3"),
    (84, 84, "big5"),
    (85, 85, "euckr"),
    (86, 86, "gb2312"),
    (87, 87, "gbk"),
    (88, 88, "sjis"),
    (89, 89, "tis620"),
    (90, 90, "ucs2"),
    (91, 91, "ujis"),
    (92, 93, "geostd8"),
    (94, 94, "latin1"),
    (95, 96, "cp932"),
    (97, 98, "eucjpms"),
    (99, 99, "cp1250"),
    (101, 124, "utf16"),
    (128, 159, "ucs2"),
    (160, 183, "utf32"),
    (192, 223, "utf8mb3"),
    (224, 247, "utf8mb4"),
    (248, 250, "gb18030"),
    (255, 323, "utf8mb4"),
    (576, 578, "utf8mb3"),
    (608, 610, "utf8mb4"),
    (640, 642, "ucs2"),
    (672, 674, "utf16"),
    (736, 738, "utf32"),
];

/// MariaDB keeps its later collations in one block of 256 ids a character set.
const MARIADB_BLOCKS: &[(u16, &str)] =
    &[(2048, "utf8mb3"), (2304, "utf8mb4"), (2560, "ucs2"), (2816, "utf16"), (3072, "utf32")];

/// The character set of a collation; `None` for an id not known here.
pub fn charset_of(id: u16) -> Option<&'static str> {
    if let Some((_, name)) = MARIADB_BLOCKS.iter().find(|(first, _)| (*first..first + 256).contains(&id)) {
        return Some(name);
    }
    // MariaDB's NO PAD collations are the padded ones plus 1024.
    let id = if (1024..2048).contains(&id) { id - 1024 } else { id };
    let index = RANGES.partition_point(|(_, last, _)| *last < id);
    RANGES.get(index).filter(|(first, _, _)| *first <= id).map(|(_, _, name)| *name)
}

/// Name of a collation that may be a default of its character set; `None` for one that is not listed here. The numbers from
/// `information_schema.COLLATIONS` of MySQL 9.7 and MariaDB 11.8.
pub fn name_of(id: u16) -> Option<&'static str> {
    Some(match id {
        33 => "utf8mb3_general_ci",
        83 => "utf8mb3_bin",
        192 => "utf8mb3_unicode_ci",
        2048 => "utf8mb3_uca1400_ai_ci",
        45 => "utf8mb4_general_ci",
        46 => "utf8mb4_bin",
        224 => "utf8mb4_unicode_ci",
        255 => "utf8mb4_0900_ai_ci",
        2304 => "utf8mb4_uca1400_ai_ci",
        35 => "ucs2_general_ci",
        2560 => "ucs2_uca1400_ai_ci",
        54 => "utf16_general_ci",
        2816 => "utf16_uca1400_ai_ci",
        60 => "utf32_general_ci",
        3072 => "utf32_uca1400_ai_ci",
        8 => "latin1_swedish_ci",
        _ => return None,
    })
}

/// Whether two names mean one character set.
pub fn same(a: &str, b: &str) -> bool {
    let plain = |name| if name == "utf8" { "utf8mb3" } else { name };
    plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_servers_find_their_character_set() {
        for (id, name) in [
            (8, "latin1"),
            (BINARY, "binary"),
            (255, "utf8mb4"),
            (28, "gbk"),
            (1147, "utf16"),
            (1070, "utf8mb4"),
            (2304, "utf8mb4"),
            (2215, "utf8mb3"),
            (3271, "utf32"),
            (323, "utf8mb4"),
        ] {
            assert_eq!(charset_of(id), Some(name), "{id}");
        }
        assert_eq!(charset_of(0), None);
        assert_eq!(charset_of(9999), None);
    }
}
