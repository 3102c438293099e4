//! CHAR, VARCHAR and the TEXT family in every character set that is carried, with every character it has.

use super::{Family, LOOSE, live};
use crate::harness::{Mysql, mysql97};

/// One byte a character.
pub(super) const SINGLE_BYTE: &[&str] = &[
    "armscii8", "ascii", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8",
    "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7",
    "macce", "macroman", "tis620",
];

/// One or two bytes a character, or more.
pub(super) const EAST_ASIAN: &[&str] = &["gbk", "gb2312", "gb18030", "sjis", "cp932", "euckr", "ujis"];

/// All of Unicode, or its first plane.
pub(super) const UNICODE: &[&str] = &["utf8mb4", "utf8mb3", "utf16", "utf16le", "utf32", "ucs2"];

#[tokio::test]
async fn text_is_equal_on_both_paths() {
    live("values_text", &families(mysql97().await).await).await;
}

#[tokio::test]
async fn large_text_and_bytes_are_equal_on_both_paths() {
    live("values_large", &large(1)).await;
}

pub(super) async fn families(mysql: &Mysql) -> Vec<Family> {
    let mut families = shapes();
    families.extend(UNICODE.iter().map(|charset| unicode(charset)));
    let mut columns = Vec::new();
    for charset in SINGLE_BYTE {
        let bytes: Vec<String> = (1..=255).map(|byte| format!("{byte:02X}")).collect();
        let all = format!("_{charset} x'{}'", defined(mysql, charset, &bytes).await.concat());
        for (name, data_type, samples) in [
            ("c", "CHAR(5)", ["'ab'", "''", "'a    '", "'    a'", "NULL"]),
            ("v", "VARCHAR(300)", [&all, "''", "'a    '", &all, "NULL"]),
            ("t", "TEXT", [&all, "''", "'a    '", "NULL", &all]),
        ] {
            let samples = samples.iter().map(|&sample| sample.to_owned()).collect();
            columns.push((
                format!("{name}_{charset}"),
                format!("{data_type} CHARACTER SET {charset}"),
                samples,
            ));
        }
    }
    families.push(Family::beside("single_byte", &columns));
    for charset in EAST_ASIAN {
        let mut samples = vec!["''".to_owned(), "'plain \\\\ ~ ascii'".to_owned(), "NULL".to_owned()];
        for lead in 0x81..=0xfe_u32 {
            let codes: Vec<String> =
                (0x40..=0xfe_u32).map(|trail| format!("{lead:02X}{trail:02X}")).collect();
            let defined = defined(mysql, charset, &codes).await;
            if !defined.is_empty() {
                samples.push(format!("_{charset} x'61{}62'", defined.concat()));
            }
        }
        assert!(samples.len() > 20, "{charset} has characters of two bytes");
        if *charset == "ujis" {
            samples.push("_ujis x'8EB18EDF8FB0A18FEDE38FA2B7'".to_owned());
        }
        if *charset == "gb18030" {
            // Some of the four-byte codes: the first, those mixed with two-byte ones in the standard's tables, the last.
            for lead in [0x8130_u32, 0x8135, 0x8336, 0x8430, 0x8431, 0x9030, 0xe332] {
                let trails =
                    (0x81..=0xfe_u32).flat_map(|third| (0x30..=0x39_u32).map(move |fourth| (third, fourth)));
                let codes: Vec<String> =
                    trails.map(|(third, fourth)| format!("{lead:04X}{third:02X}{fourth:02X}")).collect();
                for part in defined(mysql, charset, &codes).await.chunks(900) {
                    samples.push(format!("_gb18030 x'{}'", part.concat()));
                }
            }
        }
        families.push(Family {
            table: format!("text_{charset}"),
            columns: format!("v VARCHAR(1000) CHARACTER SET {charset}"),
            samples,
        });
    }
    families
}

/// The codes that the server has a character for: those that it does not turn into a question mark.
async fn defined(mysql: &Mysql, charset: &str, codes: &[String]) -> Vec<String> {
    let list: Vec<String> = codes
        .iter()
        .map(|code| format!("IF(CONVERT(x'{code}' USING {charset}) = BINARY x'{code}', HEX(CONVERT(CONVERT(x'{code}' USING {charset}) USING utf8mb4)), NULL)"))
        .collect();
    let row = mysql.sql(&format!("{LOOSE}; SELECT {}", list.join(", "))).await.remove(0);
    codes
        .iter()
        .zip(row)
        .filter(|(code, text)| match text {
            // Not even a sequence of this character set, or one without meaning (tis620 has U+FFFD for that), or a
            // character and a question mark.
            None => false,
            Some(text) => {
                code.as_str() == "3F"
                    || !(text.starts_with("3F") || text.ends_with("3F") || text.contains("EFBFBD"))
            }
        })
        .map(|(code, _)| code.clone())
        .collect()
}

/// Ends of the ranges of UTF-8 and UTF-16, combining characters, characters that look alike, and what others escape.
fn unicode(charset: &str) -> Family {
    const FIRST_PLANE: &[&str] = &[
        "''",
        "'a'",
        "'trailing   '",
        "'\\t\\n\\r\\Z\\'\\\"\\\\ \\b'",
        "CONCAT(CHAR(1 USING utf8mb4), CHAR(127 USING utf8mb4))",
        "'é é ß ẞ ſ Å Å ﬀ'",
        "'Ünïcödé 漢字 かな 한글 עברית العربية ไทย'",
        "CONVERT(x'C280DFBFE0A080ED9FBFEE8080EFBFBDEFBBBF' USING utf8mb4)",
        "CONVERT(x'EFBFBEEFBFBF' USING utf8mb4)",
        "REPEAT('漢', 250)",
        "NULL",
    ];
    const BEYOND: &[&str] = &["'😀'", "CONVERT(x'F0908080F48FBFBF' USING utf8mb4)", "REPEAT('👩‍👩‍👧', 50)"];
    let narrow = matches!(charset, "utf8mb3" | "ucs2");
    let values = FIRST_PLANE.iter().chain(if narrow { &[] } else { BEYOND });
    Family {
        table: format!("text_{charset}"),
        columns: format!(
            "c CHAR(255) CHARACTER SET {charset}, v VARCHAR(300) CHARACTER SET {charset}, s VARCHAR(60) CHARACTER SET \
             {charset} COLLATE {charset}_bin, m MEDIUMTEXT CHARACTER SET {charset}"
        ),
        samples: values
            .map(|value| format!("LEFT({value}, 250), {value}, LEFT({value}, 60), REPEAT({value}, 40)"))
            .collect(),
    }
}

/// Lengths: of nothing, around the borders of the length prefix, and of each member of the family.
fn shapes() -> Vec<Family> {
    vec![Family::new(
        "text_shapes",
        "none VARCHAR(0), no CHAR(0), one CHAR(1), full CHAR(255), v255 VARCHAR(255) CHARACTER SET latin1, \
             v256 VARCHAR(256) CHARACTER SET latin1, v64 VARCHAR(64), tiny TINYTEXT, normal TEXT, medium MEDIUMTEXT, \
             large LONGTEXT, prose LONG, wide NCHAR(20), wider NATIONAL VARCHAR(20)",
        &[
            "'', '', '', '', '', '', '', '', '', '', '', '', '', ''",
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
            "'', '', 'é', REPEAT('é', 255), REPEAT('ÿ', 255), REPEAT('ÿ', 256), REPEAT('😀', 64), REPEAT('x', 255), \
                 REPEAT('x', 65535), REPEAT('é', 35000), REPEAT('漢', 70000), 'long', 'n', 'nv'",
            "'', '', ' ', 'a ', REPEAT(' ', 255), CONCAT('a', REPEAT(' ', 255)), ' a ', ' ', '  ', '\\n ', ' \\\\ ', \
                 '', ' ', ' '",
        ],
    )]
}

/// Values larger than a packet's 16 MiB parts, and than what a block or batch holds.
///
/// Divided by `divisor`, where their size is not what matters.
pub(super) fn large(divisor: usize) -> Vec<Family> {
    let words = |count: usize| format!("REPEAT('0123456789abcdé\\n', {})", count / divisor);
    vec![Family::new(
        "large",
        "t LONGTEXT, b LONGBLOB, l LONGTEXT CHARACTER SET latin1",
        &[
            &format!("{}, NULL, NULL", words(1_200_000)),
            &format!("'x', REPEAT(x'00FF0A5C22', {}), {}", 4_000_000 / divisor, words(5_000)),
            // Exactly one part of a packet, and one byte more or less around it.
            &format!("REPEAT('a', {}), x'', NULL", 16_777_215 / divisor),
            &format!("REPEAT('a', {}), REPEAT('b', 30), REPEAT('\u{ff}', 70000)", 16_777_190 / divisor),
        ],
    )]
}
