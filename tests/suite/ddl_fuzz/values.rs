//! Values by dice, most of them from the edges of what a column holds.

use super::server::Server;
use super::shape::Column;
use crate::load::Dice;

/// Texts: trailing blanks, nothing, other scripts, what looks like numbers and dates.
const TEXTS: [&str; 22] = [
    "",
    " ",
    "a",
    "a ",
    "ab  ",
    "A",
    "b",
    "z",
    "é",
    "ß",
    "ÀÉ",
    "日本",
    "😀",
    "€",
    "123",
    "0",
    "1.5abc",
    "-7",
    "2024-01-01",
    "10:20:30",
    "x\ty",
    "true",
];

const DATES: [&str; 12] = [
    "0000-00-00",
    "2024-02-29",
    "1000-01-01",
    "9999-12-31",
    "2024-02-31",
    "2024-00-10",
    "2024-05-00",
    "2000-01-01",
    "1970-01-01",
    "2038-01-19",
    "0000-01-01",
    "1999-12-31",
];

/// Both sides of the hours that daylight saving time doubles and leaves out, in Berlin and in New York, and the ends of ranges.
const MOMENTS: [&str; 20] = [
    "2024-10-27 02:30:00",
    "2024-10-27 00:30:00",
    "2024-10-27 01:30:00.4",
    "2024-10-27 00:30:00.6",
    "2024-10-27 03:00:00",
    "2024-03-31 02:30:00",
    "2024-03-31 01:30:00",
    "2024-11-03 05:30:00",
    "2024-11-03 06:30:00",
    "2024-11-03 01:30:00",
    "1970-01-01 00:00:01",
    "2038-01-19 03:14:07",
    "2024-07-01 12:00:00.999999",
    "0000-00-00 00:00:00",
    "9999-12-31 23:59:59",
    "1000-01-01 00:00:00.000001",
    "2024-02-31 10:00:00",
    "2024-00-00 10:00:00",
    "2023-12-31 23:59:59.5",
    "2024-01-01 00:00:00",
];

const TIMES: [&str; 11] = [
    "-838:59:59",
    "838:59:59",
    "00:00:00",
    "-00:00:00.5",
    "12:34:56.789012",
    "23:59:59.999999",
    "24:00:00",
    "-01:00:00",
    "00:59:59.5",
    "100:00:00",
    "08:00:00",
];

const DOCUMENTS: [&str; 11] = [
    "null",
    "{}",
    "[]",
    "{\"a\": 1.0, \"b\": [true, null]}",
    "[1, 2, 3]",
    "\"x\"",
    "1e3",
    "-0.5",
    "{\"é\": \"日本\"}",
    "18446744073709551615",
    "\"2024-01-01\"",
];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A literal for a column; many are refused, or become something else, under a strict or a lax mode.
pub fn literal(dice: &mut Dice, server: Server, column: &Column) -> String {
    if column.nullable && dice.percent(15) {
        return "NULL".to_owned();
    }
    of_type(dice, server, &column.data_type, &column.full_type)
}

/// A literal that is not NULL.
pub fn of_type(dice: &mut Dice, server: Server, data_type: &str, column_type: &str) -> String {
    let unsigned = column_type.contains("unsigned");
    match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => {
            let bits = match data_type {
                "tinyint" => 8,
                "smallint" => 16,
                "mediumint" => 24,
                "int" => 32,
                _ => 64,
            };
            let (low, high) = if unsigned {
                (0, (1_i128 << bits) - 1)
            } else {
                (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
            };
            (*dice.pick(&[0, 1, 2, 7, 100, -1, low, high, high / 2])).to_string()
        }
        "decimal" => (*dice.pick(&[
            "0",
            "-0.5",
            "9.99",
            "1.005",
            "99999999999999999999999999999999999.999999",
            "-1",
            "0.1",
            "123.456",
            "0.00",
            "12",
            "-99999.99",
        ]))
        .to_owned(),
        "float" | "double" => (*dice.pick(&[
            "0",
            "-0e0",
            "0.1",
            "1.5",
            "16777217",
            "3.4e38",
            "1e-30",
            "0.126",
            "123456.789",
            "-2.5",
            "1e300",
            "12",
        ]))
        .to_owned(),
        "bit" => (*dice.pick(&["b'0'", "b'1'", "b'10'", "255", "18446744073709551615"])).to_owned(),
        "year" => (*dice.pick(&["0", "1901", "2155", "2000", "70", "'0'", "1970"])).to_owned(),
        "date" => quoted(dice.pick::<&str>(&DATES)),
        "datetime" | "timestamp" => quoted(dice.pick::<&str>(&MOMENTS)),
        "time" => quoted(dice.pick::<&str>(&TIMES)),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
            if dice.percent(6) {
                return format!(
                    "REPEAT('{}', {})",
                    dice.pick(&["x", "é", "y "]),
                    dice.pick(&[63, 64, 85, 86, 255, 256])
                );
            }
            quoted(dice.pick::<&str>(&TEXTS))
        }
        "enum" | "set" => {
            let labels = column_type
                .split_once('(')
                .and_then(|(_, rest)| rest.rsplit_once(')'))
                .map_or("", |(all, _)| all);
            let labels: Vec<&str> = labels.split(',').collect();
            match dice.below(10) {
                // What no label is becomes the number 0 in a lax mode.
                0 => "'nothing'".to_owned(),
                1 => dice.below(4).to_string(),
                2 if data_type == "set" => "''".to_owned(),
                3 if data_type == "set" => "3".to_owned(),
                _ => (*dice.pick(&labels)).to_owned(),
            }
        }
        "json" => quoted(dice.pick::<&str>(&DOCUMENTS)),
        "point" => "ST_GeomFromText('POINT(1 2)')".to_owned(),
        "geometry" => (*dice.pick(&[
            "ST_GeomFromText('POINT(1.5 -2)')",
            "ST_GeomFromText('LINESTRING(0 0,1 1)')",
            "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')",
        ]))
        .to_owned(),
        "inet6" => (*dice.pick(&["'::1'", "'2001:db8::ff'", "'::'"])).to_owned(),
        "inet4" => (*dice.pick(&["'0.0.0.0'", "'255.255.255.255'", "'10.0.0.1'"])).to_owned(),
        "uuid" => (*dice
            .pick(&["'00000000-0000-0000-0000-000000000000'", "'6ccd780c-baba-1026-9564-5b8c656024db'"]))
        .to_owned(),
        "vector" if server.is_maria() => "Vec_FromText('[1,-2.5,0]')".to_owned(),
        "vector" => "STRING_TO_VECTOR('[1,-2.5,0]')".to_owned(),
        // Binary strings.
        _ => (*dice.pick(&[
            "X''", "X'00'", "X'0000'", "X'6100'", "X'FF'", "X'61'", "'abc'", "'a '", "X'C3A9'", "X'E1'",
        ]))
        .to_owned(),
    }
}

/// A literal for a key's column, another one for each number.
pub fn key(data_type: &str, number: u64) -> String {
    match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => number.to_string(),
        "decimal" | "float" | "double" => format!("{number}.5"),
        "date" => format!("'2024-{:02}-{:02}'", 1 + number / 28 % 12, 1 + number % 28),
        "datetime" | "timestamp" => format!("'2024-06-{:02} 10:00:{:02}'", 1 + number % 28, number % 60),
        "binary" | "varbinary" => format!("X'{number:04X}'"),
        "enum" | "set" => (1 + number % 3).to_string(),
        _ => format!("'k{number}'"),
    }
}
