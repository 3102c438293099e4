//! What stands after a column's name: its type and everything that may follow.

use super::server::Server;
use super::shape::Column;
use super::{types, values};
use crate::load::Dice;

/// A definition for a new column.
pub fn new(dice: &mut Dice, server: Server, others: &[Column]) -> String {
    if dice.percent(3) {
        return "SERIAL".to_owned();
    }
    let r#type = types::any(dice, server);
    if server.is_modern() && dice.percent(10) {
        return generated(dice, server, &r#type, others);
    }
    with_attributes(dice, server, &r#type, others)
}

/// A definition for a column that is there.
pub fn changed(dice: &mut Dice, server: Server, column: &Column, others: &[Column]) -> String {
    let r#type = types::new_for(dice, server, column);
    if server.is_modern() && dice.percent(if column.generated { 60 } else { 4 }) {
        return generated(dice, server, &r#type, others);
    }
    // A column as it was says NULL or NOT NULL as before more often than chance would have it.
    let mut definition = with_attributes(dice, server, &r#type, others);
    if !column.nullable && !definition.contains("NULL") && dice.percent(60) {
        definition.push_str(" NOT NULL");
    }
    definition
}

fn with_attributes(dice: &mut Dice, server: Server, r#type: &str, others: &[Column]) -> String {
    let mut definition = r#type.to_owned();
    match dice.below(10) {
        0 | 1 => definition.push_str(" NULL"),
        2..=4 => definition.push_str(" NOT NULL"),
        _ => {}
    }
    definition.push_str(&default(dice, server, r#type, others));
    for (percent, attribute) in [
        (3, " COMMENT 'it''s a; comment -- x'"),
        (2, " COLUMN_FORMAT DYNAMIC"),
        (2, " UNIQUE"),
        (1, " KEY"),
        (1, " PRIMARY KEY"),
        (1, " AUTO_INCREMENT UNIQUE"),
        (1, " REFERENCES p (id)"),
        (1, " STORAGE DISK"),
        (1, " SERIAL DEFAULT VALUE"),
    ] {
        if dice.percent(percent) {
            definition.push_str(attribute);
        }
    }
    if server.is_modern() {
        if dice.percent(4) {
            definition.push_str(" INVISIBLE");
        }
        if dice.percent(5) {
            definition.push_str(&format!(" CHECK ({})", check(dice, others)));
        }
    }
    if server.is_maria() && dice.percent(2) {
        definition.push_str(dice.pick::<&str>(&[
            " WITHOUT SYSTEM VERSIONING",
            " COMPRESSED",
            " ON UPDATE CURRENT_TIMESTAMP",
        ]));
    }
    definition
}

/// A DEFAULT of any kind, or none.
fn default(dice: &mut Dice, server: Server, r#type: &str, others: &[Column]) -> String {
    let (data_type, column_type) = known_as(r#type);
    let moment = matches!(data_type.as_str(), "datetime" | "timestamp");
    match dice.below(20) {
        0..=7 => String::new(),
        8 => " DEFAULT NULL".to_owned(),
        9 | 10 if server.is_modern() => {
            let expression = expression(dice, others);
            if server.is_maria() && dice.percent(30) {
                format!(" DEFAULT {expression}")
            } else {
                format!(" DEFAULT ({expression})")
            }
        }
        11..=15 if moment => {
            let now = |dice: &mut Dice| {
                let fraction =
                    r#type.split_once('(').map_or(String::new(), |(_, digits)| format!("({digits}"));
                format!("{}{fraction}", dice.pick(&["CURRENT_TIMESTAMP", "NOW()", "LOCALTIME"]))
                    .replace("()(", "(")
            };
            let update = if dice.percent(40) { format!(" ON UPDATE {}", now(dice)) } else { String::new() };
            format!(" DEFAULT {}{update}", now(dice))
        }
        16 => format!(
            " DEFAULT {}",
            dice.pick(&[
                "0",
                "1",
                "''",
                "'1'",
                "TRUE",
                "x'41'",
                "0x41",
                "b'1'",
                "_latin1'é'",
                "N'é'",
                "-1",
                "1e1",
                "'a' ",
                "X'31'",
                "0x4142",
                "_ucs2'AB'",
                "_binary'AB'",
                "-0e0",
                "-0",
                "'-0'",
                "'漢'",
                "'€'",
                "'é'",
                "00010203",
                "DATE '2020-1-2'",
                "TIME '10:11:12'"
            ])
        ),
        17 if matches!(data_type.as_str(), "date" | "datetime" | "timestamp") => {
            let literal = values::of_type(dice, server, &data_type, &column_type);
            format!(" DEFAULT {}{literal}", if data_type == "date" { "DATE " } else { "TIMESTAMP " })
        }
        _ => {
            let literal = values::of_type(dice, server, &data_type, &column_type);
            let wrapped = server == Server::Mysql97
                && (dice.percent(25)
                    || data_type.ends_with("text")
                    || data_type.ends_with("blob")
                    || data_type == "json"
                    || literal.contains('('));
            if wrapped { format!(" DEFAULT ({literal})") } else { format!(" DEFAULT {literal}") }
        }
    }
}

/// An expression for a default or a generated column.
fn expression(dice: &mut Dice, others: &[Column]) -> String {
    let other = if others.is_empty() { "1".to_owned() } else { dice.pick(others).name.clone() };
    (*dice.pick(&[
        "1 + 1",
        "UUID()",
        "RAND()",
        "NOW()",
        "CURRENT_TIMESTAMP(3)",
        "UTC_TIMESTAMP()",
        "CURDATE()",
        "CONCAT('a', 'b ')",
        "CONCAT(_utf8mb4'ß', 'x')",
        "CONCAT(_latin1'a', 'é\\\\b')",
        "TIME(NOW(3))",
        "TIME('10:11:12')",
        "JSON_OBJECT('a', TRUE)",
        "_utf8mb4'a' = _utf8mb4'A'",
        "UPPER('x')",
        "@@session.time_zone",
        "UNIX_TIMESTAMP('2024-10-27 02:30:00')",
        "FROM_UNIXTIME(1729989000)",
        "CAST('2024-01-01' AS DATE) + INTERVAL 1 DAY",
        "NULL",
        "'a' || 'b'",
        "CURRENT_USER()",
        "COALESCE(OTHER, 1)",
        "OTHER",
        "LENGTH(OTHER)",
        "1.10 / 3",
        "300",
        "-1",
        "REPEAT('a', 300)",
        "'漢'",
        "DATE '2020-1-2'",
        "TIME '10:11:12'",
        "_utf16'AB'",
        "0x4142",
        "-0e0",
        "'a' = 'A'",
        "LOCATE('A', 'a')",
        "CONCAT('a\\\\', 'é')",
        "EXTRACT(WEEK FROM '2021-01-02')",
        "CAST('2050-01-01' AS DATETIME)",
    ]))
    .replace("OTHER", &other)
}

fn generated(dice: &mut Dice, server: Server, r#type: &str, others: &[Column]) -> String {
    let always = *dice.pick(&["", " GENERATED ALWAYS"]);
    // Times, and the bytes of numbers, that are computed where they are read are those of whoever reads them.
    let upper = r#type.to_uppercase();
    let own = upper.starts_with("DATE")
        || upper.starts_with("TIME")
        || ["BINARY", "BLOB", "BYTE"].iter().any(|word| upper.contains(word));
    let kind = *dice.pick(if own {
        &[" STORED"][..]
    } else if server.is_maria() {
        &["", " VIRTUAL", " STORED", " PERSISTENT"][..]
    } else {
        &["", " VIRTUAL", " STORED"][..]
    });
    let other = if others.is_empty() { "1".to_owned() } else { dice.pick(others).name.clone() };
    let plain = [
        "OTHER",
        "CONCAT(OTHER)",
        "LENGTH(OTHER)",
        "OTHER + 1",
        "HEX(OTHER)",
        "OTHER IS NULL",
        "COALESCE(OTHER, 'x')",
        "1.0 / 3",
        "OTHER = 'a '",
        "UPPER(OTHER)",
        "CAST(OTHER AS CHAR)",
        "OTHER * 1.10",
    ];
    // What hangs on settings too, which a column that is computed where it is read has no one value of.
    let hanging = [
        "OTHER / 3",
        "OTHER / 3",
        "YEAR(OTHER)",
        "EXTRACT(WEEK FROM OTHER)",
        "MONTHNAME(OTHER)",
        "CAST(OTHER AS DATE)",
        "FROM_UNIXTIME(OTHER)",
        "CONCAT(OTHER, '|', id)",
        "IF(OTHER LIKE 'a%', 1, 0)",
        "CONCAT_WS('-', OTHER, 'x', 1 + 1)",
        "MD5(OTHER)",
    ];
    let stored = kind == " STORED" || kind == " PERSISTENT";
    let settled =
        ["OTHER", "CONCAT(OTHER)", "OTHER + 1", "OTHER IS NULL", "COALESCE(OTHER, 'x')", "OTHER * 1.10"];
    let expression = match stored {
        true if dice.percent(50) => dice.pick(&hanging).replace("OTHER", &other),
        true => dice.pick(&plain).replace("OTHER", &other),
        // Of others than the key it is not known here whether all read them alike.
        false => dice.pick(&settled).replace("OTHER", "id"),
    };
    let null = if server.is_maria() { "" } else { *dice.pick(&["", "", " NOT NULL", " NULL"]) };
    format!("{type}{always} AS ({expression}){kind}{null}")
}

/// A condition for a CHECK, which not every row fulfils.
pub fn check(dice: &mut Dice, others: &[Column]) -> String {
    let other = if others.is_empty() { "1".to_owned() } else { dice.pick(others).name.clone() };
    (*dice.pick(&[
        "OTHER IS NOT NULL",
        "OTHER <> 0",
        "OTHER > 'a'",
        "1 = 1",
        "LENGTH(OTHER) < 4",
        "OTHER < 5 OR OTHER IS NULL",
    ]))
    .replace("OTHER", &other)
}

/// What `information_schema` calls a type: the bare name, and with what belongs to it.
pub fn known_as(r#type: &str) -> (String, String) {
    let lower = r#type.to_lowercase();
    let name: String = lower.chars().take_while(char::is_ascii_alphabetic).collect();
    let second = lower[name.len()..].trim_start();
    let name = match name.as_str() {
        "bool" => "tinyint",
        "real" => "double",
        "nchar" => "char",
        "national" if second.starts_with("varchar") => "varchar",
        "long" => "mediumtext",
        other => other,
    };
    (name.to_owned(), lower)
}
