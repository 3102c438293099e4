//! Column types by dice: any, or one near to what a column has.

use super::server::Server;
use super::shape::Column;
use crate::load::Dice;

/// Character sets of columns: those that most tables have come more often.
const CHARSETS: [&str; 14] = [
    "utf8mb4", "utf8mb4", "latin1", "latin1", "utf8", "utf8", "gbk", "ascii", "ucs2", "utf16", "cp1251",
    "binary", "sjis", "latin2",
];

/// Collations whose order or padding differ.
const COLLATIONS: [&str; 8] = [
    "utf8mb4_bin",
    "utf8mb4_general_ci",
    "utf8mb4_unicode_ci",
    "latin1_bin",
    "latin1_general_cs",
    "latin1_swedish_ci",
    "utf8_bin",
    "gbk_bin",
];

/// A character set.
pub fn charset(dice: &mut Dice) -> &'static str {
    dice.pick::<&str>(&CHARSETS)
}

/// A collation.
pub fn collation(dice: &mut Dice) -> &'static str {
    dice.pick::<&str>(&COLLATIONS)
}

/// What may stand after a text type.
fn charset_clause(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..=4 => String::new(),
        5..=7 => format!(" CHARACTER SET {}", charset(dice)),
        8 => format!(" COLLATE {}", collation(dice)),
        _ => {
            (*dice.pick(&[" BINARY", " CHARSET utf8mb4 COLLATE utf8mb4_bin", " ASCII", " UNICODE", " BYTE"]))
                .to_owned()
        }
    }
}

/// Any type that the server has, with what belongs to it (`UNSIGNED`, character set, …).
pub fn any(dice: &mut Dice, server: Server) -> String {
    let families: &[Family] = &[
        Family::Int,
        Family::Int,
        Family::Decimal,
        Family::Float,
        Family::Bit,
        Family::Year,
        Family::Date,
        Family::Moment,
        Family::Moment,
        Family::Time,
        Family::Char,
        Family::Char,
        Family::Text,
        Family::Binary,
        Family::Labels,
        Family::Labels,
        Family::Special,
    ];
    let family = *dice.pick(families);
    of(dice, server, family)
}

/// Types whose values are converted into each other without much ado.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Int,
    Decimal,
    Float,
    Bit,
    Year,
    Date,
    Moment,
    Time,
    Char,
    Text,
    Binary,
    Labels,
    Special,
}

fn fraction(dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => String::new(),
        _ => format!("({})", dice.pick(&[0, 1, 2, 3, 5, 6])),
    }
}

fn of(dice: &mut Dice, server: Server, family: Family) -> String {
    match family {
        Family::Int => {
            let name = *dice.pick(&[
                "TINYINT",
                "SMALLINT",
                "MEDIUMINT",
                "INT",
                "BIGINT",
                "TINYINT(1)",
                "INT(5)",
                "BOOL",
            ]);
            let sign = if name == "BOOL" {
                ""
            } else {
                *dice.pick(&["", "", "", " UNSIGNED", " UNSIGNED", " ZEROFILL"])
            };
            format!("{name}{sign}")
        }
        Family::Decimal => {
            let digits = *dice.pick(&[
                "", "(5)", "(5,2)", "(10,2)", "(10,4)", "(12,2)", "(30,10)", "(65,30)", "(1,1)", "(65)",
            ]);
            format!("DECIMAL{digits}{}", dice.pick(&["", "", "", " UNSIGNED", " ZEROFILL"]))
        }
        Family::Float => (*dice.pick(&[
            "FLOAT",
            "DOUBLE",
            "FLOAT(7,3)",
            "DOUBLE(10,2)",
            "REAL",
            "FLOAT(24)",
            "FLOAT(53)",
            "FLOAT UNSIGNED",
            "DOUBLE(20,6)",
            "FLOAT(10,0)",
            "DOUBLE PRECISION",
        ]))
        .to_owned(),
        Family::Bit => (*dice.pick(&["BIT", "BIT(1)", "BIT(8)", "BIT(9)", "BIT(64)"])).to_owned(),
        Family::Year => (*dice.pick(&["YEAR", "YEAR(4)"])).to_owned(),
        Family::Date => "DATE".to_owned(),
        Family::Moment => {
            let name = *dice.pick(&["DATETIME", "TIMESTAMP"]);
            format!("{name}{}", fraction(dice))
        }
        Family::Time => format!("TIME{}", fraction(dice)),
        Family::Char => {
            let name = *dice.pick(&["CHAR", "VARCHAR", "VARCHAR", "NCHAR", "NATIONAL VARCHAR"]);
            let length = *dice.pick(&[1, 3, 10, 20, 63, 64, 85, 86, 255]);
            let wide = if name == "VARCHAR" && dice.percent(15) { 200 } else { 0 };
            let charset = if name.starts_with('N') { String::new() } else { charset_clause(dice) };
            format!("{name}({}){charset}", length + wide)
        }
        Family::Text => {
            let name = *dice.pick(&["TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "TEXT(100)", "LONG"]);
            format!("{name}{}", charset_clause(dice))
        }
        Family::Binary => (*dice.pick(&[
            "BINARY(1)",
            "BINARY(4)",
            "BINARY(16)",
            "VARBINARY(5)",
            "VARBINARY(40)",
            "TINYBLOB",
            "BLOB",
            "MEDIUMBLOB",
            "LONGBLOB",
            "BLOB(100)",
        ]))
        .to_owned(),
        Family::Labels => {
            let labels = *dice.pick(&[
                "'a','b','c'",
                "'z','a','m'",
                "'a','b'",
                "'b','a','c'",
                "'a','b','c','d'",
                "'0','1'",
                "'','x'",
                "'a','B','c ','é'",
                "'漢','b'",
                "'e','é'",
                "'a','A','b'",
                "'ab','cd'",
                "x'C3A9','b'",
                "0x4142,'b'",
                "_ucs2'AB','b'",
                "'x'",
            ]);
            let name = *dice.pick(&["ENUM", "ENUM", "SET"]);
            let charset = *dice.pick(&[
                "",
                "",
                " CHARACTER SET latin1",
                " CHARACTER SET utf8mb4",
                " COLLATE utf8mb4_bin",
                " CHARACTER SET latin1 COLLATE latin1_bin",
                " CHARACTER SET ucs2",
                " CHARACTER SET ascii",
            ]);
            format!("{name}({labels}){charset}")
        }
        Family::Special => {
            let names: &[&str] = match server {
                Server::Mysql56 => &["POINT", "GEOMETRY"],
                Server::Mysql97 => {
                    &["JSON", "JSON", "JSON", "POINT", "GEOMETRY", "POINT SRID 0", "VECTOR(3)"]
                }
                Server::Maria => &["JSON", "JSON", "POINT", "GEOMETRY", "INET6", "UUID"],
                Server::Maria118 => {
                    &["JSON", "JSON", "POINT", "GEOMETRY", "INET6", "UUID", "VECTOR(3)", "INET4"]
                }
            };
            (*dice.pick(names)).to_owned()
        }
    }
}

fn family(data_type: &str) -> Family {
    match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Family::Int,
        "decimal" => Family::Decimal,
        "float" | "double" => Family::Float,
        "bit" => Family::Bit,
        "year" => Family::Year,
        "date" => Family::Date,
        "datetime" | "timestamp" => Family::Moment,
        "time" => Family::Time,
        "char" | "varchar" => Family::Char,
        "tinytext" | "text" | "mediumtext" | "longtext" => Family::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Family::Binary,
        "enum" | "set" => Family::Labels,
        _ => Family::Special,
    }
}

/// A new type for a column: most often the same or one that its values go into.
pub fn new_for(dice: &mut Dice, server: Server, column: &Column) -> String {
    let same = |dice: &mut Dice| {
        let charset = match &column.charset {
            Some(charset) if dice.percent(60) => format!(" CHARACTER SET {charset}"),
            Some(_) => charset_clause(dice),
            None => String::new(),
        };
        format!("{}{charset}", column.full_type)
    };
    match dice.below(100) {
        0..=29 => same(dice),
        30..=44 => lengthened(dice, column).unwrap_or_else(|| same(dice)),
        45..=69 => of(dice, server, family(&column.data_type)),
        70..=84 => {
            let near: &[Family] = match family(&column.data_type) {
                Family::Int | Family::Decimal | Family::Float | Family::Bit | Family::Year => {
                    &[Family::Int, Family::Decimal, Family::Float, Family::Bit, Family::Char]
                }
                Family::Date | Family::Moment | Family::Time => {
                    &[Family::Date, Family::Moment, Family::Time, Family::Char]
                }
                Family::Char | Family::Text | Family::Labels => {
                    &[Family::Char, Family::Text, Family::Labels, Family::Binary]
                }
                Family::Binary => &[Family::Binary, Family::Char, Family::Text],
                Family::Special => &[Family::Text, Family::Binary, Family::Special],
            };
            let family = *dice.pick(near);
            of(dice, server, family)
        }
        _ => any(dice, server),
    }
}

/// The same type with more or fewer characters, digits or labels.
fn lengthened(dice: &mut Dice, column: &Column) -> Option<String> {
    let (name, rest) = column.full_type.split_once('(')?;
    let (inside, behind) = rest.rsplit_once(')')?;
    let charset =
        column.charset.as_ref().map(|charset| format!(" CHARACTER SET {charset}")).unwrap_or_default();
    if matches!(name, "enum" | "set") {
        let labels = match dice.below(5) {
            0 => inside.rsplit_once(',')?.0.to_owned(),
            1 => format!("'new',{inside}"),
            2 => inside.rsplit(',').collect::<Vec<_>>().join(","),
            3 => inside.to_uppercase(),
            _ => format!("{inside},'new'"),
        };
        return Some(format!("{name}({labels}){behind}{charset}"));
    }
    let more = *dice.pick(&[1_u64, 1, 2, 5, 100]);
    let changed = |dice: &mut Dice, text: &str| {
        let number: u64 = text.parse().ok()?;
        Some(if dice.percent(30) { number.saturating_sub(more).max(1) } else { number + more })
    };
    let inside = match inside.split_once(',') {
        Some((whole, part)) if dice.percent(50) => format!("{},{part}", changed(dice, whole)?),
        Some((whole, part)) => format!("{},{}", changed(dice, whole)?, changed(dice, part)?),
        None => changed(dice, inside)?.to_string(),
    };
    let name = if name == "char" && dice.percent(30) { "varchar" } else { name };
    Some(format!("{name}({inside}){behind}{charset}"))
}
