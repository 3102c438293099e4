//! ENUM and SET: the label of a number, the empty text of an invalid value, 64 members, labels that need care.

use super::{Family, live};

#[tokio::test]
async fn labels_are_equal_on_both_paths() {
    live("values_labels", &families()).await;
}

pub(super) fn families() -> Vec<Family> {
    let many: Vec<String> = (1..=300).map(|number| format!("'label {number}'")).collect();
    let most: Vec<String> = (1..=2000).map(|number| format!("'l{number}'")).collect();
    let members: Vec<String> = (1..=64).map(|number| format!("'m{number}'")).collect();
    let mut sets = Vec::new();
    for count in [1, 7, 8, 9, 16, 17, 24, 25, 32, 33, 63, 64] {
        sets.push(format!("s{count} SET({})", members[..count].join(", ")));
    }
    let set = |value: &dyn Fn(u32) -> u64| {
        let counts = [1, 7, 8, 9, 16, 17, 24, 25, 32, 33, 63, 64];
        counts.map(|count| value(count).to_string()).join(", ")
    };
    vec![
        Family::of_type("enum_order", "ENUM('z', 'a', 'm')", &["'z'", "'a'", "'m'", "0", "NULL"]),
        Family::of_type("enum_empty", "ENUM('', 'a')", &["0", "1", "2", "NULL"]),
        Family::of_type("set_empty", "SET('', 'x', 'y')", &["0", "1", "2", "3", "4", "5", "6", "7", "NULL"]),
        Family::of_type(
            "enum_odd",
            r#"ENUM('it''s', 'a\\b', 'c,d', '"', 'tab	', 'nl\n', '`', ' lead', '%_', ')', 'é', 'NULL', '0', '2')"#,
            &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "0"],
        ),
        Family::of_type("enum_many", &format!("ENUM({})", many.join(", ")), &["1", "255", "256", "300", "0"]),
        Family::of_type("enum_most", &format!("ENUM({})", most.join(", ")), &["1", "2000", "0"]),
        Family::new(
            "label_charsets",
            "a ENUM('é', 'ÿ', 'x') CHARACTER SET latin1, b SET('é', 'ÿ', '€') CHARACTER SET latin1, c ENUM('漢', '字') \
             CHARACTER SET gbk, d SET('ア', 'ソ', '表') CHARACTER SET sjis, e ENUM('я', 'ё') CHARACTER SET koi8r, f ENUM('ÿ', \
             'a') CHARACTER SET utf16, g SET('a', 'б') CHARACTER SET ucs2, h ENUM('ä', 'ö?') CHARACTER SET utf8mb3, i \
             ENUM('Ä', 'b') COLLATE utf8mb4_bin, j ENUM('漢', 'x') CHARACTER SET utf32",
            &[
                "1, 1, 1, 1, 1, 1, 1, 1, 1, 1",
                "2, 7, 2, 7, 2, 2, 2, 2, 2, 2",
                "3, 6, 1, 6, 2, 1, 3, 1, 1, 1",
                "0, 0, 0, 0, 0, 0, 0, 0, 0, 0",
                "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
            ],
        ),
        Family::new(
            "sets",
            &sets.join(", "),
            &[
                &set(&|_| 0),
                &set(&|count| u64::MAX >> (64 - count)),
                &set(&|count| 1 << (count - 1)),
                &set(&|_| 1),
                &set(&|count| 0xAAAA_AAAA_AAAA_AAAA & (u64::MAX >> (64 - count))),
                &["NULL"; 12].join(", "),
            ],
        ),
    ]
}
