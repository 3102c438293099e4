//! Integers, DECIMAL, FLOAT, DOUBLE, BIT and YEAR.

use super::{Family, live};

#[tokio::test]
async fn numbers_are_equal_on_both_paths() {
    live("values_numbers", &families()).await;
}

pub(super) fn families() -> Vec<Family> {
    let mut families = vec![
        Family::new(
            "integers",
            "a TINYINT, au TINYINT UNSIGNED, b SMALLINT, bu SMALLINT UNSIGNED, c MEDIUMINT, cu MEDIUMINT UNSIGNED, \
             d INT, du INT UNSIGNED, e BIGINT, eu BIGINT UNSIGNED, z INT(10) ZEROFILL, o BOOL, \
             n BIGINT NOT NULL DEFAULT 7",
            &[
                "-128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0, 0, -9223372036854775808",
                "127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, \
                 18446744073709551615, 4294967295, 127, 9223372036854775807",
                "-1, 128, -1, 32768, -1, 8388608, -1, 2147483648, -1, 9223372036854775808, 42, -128, -1",
                "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1",
                "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0",
                "0, 10000, 10000, 10000, 100000000, 10000, 99999999, 10000, 10000000000000000, 10000000000000000000, \
                 7, 1, 10000",
            ],
        ),
        Family::of_type("years", "YEAR", &["'0000'", "1901", "1970", "2000", "2155", "NULL", "0"]),
        Family::of_type(
            "floats",
            "FLOAT",
            &[
                "0",
                "-0e0",
                "16777217",
                "16777216",
                "16777220",
                "1677729",
                "0.1",
                "1e-45",
                "-1e-45",
                "1.17549435e-38",
                "1.1754942e-38",
                "3.4028234e38",
                "-3.4028234e38",
                "1e-40",
                "33554433",
                "0.33333334",
                "NULL",
                "7e22",
            ],
        ),
        Family::new(
            "fixed_floats",
            "f FLOAT(7,3), d DOUBLE(20,4), u FLOAT UNSIGNED, g FLOAT(40)",
            &[
                "1.1, 0.1, 0.1, 0.1",
                "9999.999, 9999999999999999.9999, 3.4028234e38, 1e300",
                "-0.001, -7.00005, 0, -0.3",
                "NULL, NULL, NULL, NULL",
            ],
        ),
        Family::of_type(
            "doubles",
            "DOUBLE",
            &[
                "0",
                "-0e0",
                "0.1",
                "0.30000000000000004",
                "4.9e-324",
                "-4.9e-324",
                "2.2250738585072014e-308",
                "2.225073858507201e-308",
                "1.7976931348623157e308",
                "-1.7976931348623157e308",
                "-1.7976931348623155e308",
                "9007199254740993",
                "123456789012345678",
                "1e22",
                "1e23",
                "NULL",
            ],
        ),
    ];
    families.push(decimals());
    families.push(bits());
    families
}

/// DECIMAL of many scales: zero, the ends, one digit at either side of the groups of nine and of PostgreSQL's of four.
fn decimals() -> Family {
    let shapes: &[(usize, usize)] = &[
        (1, 0),
        (1, 1),
        (2, 1),
        (4, 4),
        (5, 2),
        (9, 0),
        (9, 9),
        (10, 0),
        (10, 1),
        (18, 9),
        (19, 10),
        (20, 4),
        (27, 13),
        (30, 30),
        (36, 18),
        (38, 0),
        (38, 5),
        (45, 28),
        (60, 30),
        (65, 0),
        (65, 1),
        (65, 17),
        (65, 30),
    ];
    let columns: Vec<_> = shapes
        .iter()
        .map(|&(precision, scale)| {
            let whole = precision - scale;
            let number = |digits: &str, fraction: &str| match (whole, scale) {
                (_, 0) => digits.to_owned(),
                (0, _) => format!("0.{fraction}"),
                _ => format!("{digits}.{fraction}"),
            };
            let counted = |count: usize, from: usize| {
                (0..count)
                    .map(|at| char::from(b'0' + u8::try_from((at + from) % 10).unwrap()))
                    .collect::<String>()
            };
            let mut samples = vec!["0".to_owned(), "NULL".to_owned(), "-0.0".to_owned()];
            for (digits, fraction) in [
                ("9".repeat(whole), "9".repeat(scale)),
                (counted(whole, 1), counted(scale, 3)),
                ("0".to_owned(), format!("{}1", "0".repeat(scale.saturating_sub(1)))),
                (format!("1{}", "0".repeat(whole.saturating_sub(1))), "0".repeat(scale)),
                ("0".to_owned(), format!("1{}", "0".repeat(scale.saturating_sub(1)))),
                ("1".to_owned(), format!("{}5{}", "0".repeat(scale / 2), "0".repeat(scale - scale / 2))),
            ] {
                // More digits than the column holds would be rounded: the last sample is cut to fit.
                let fraction: String = fraction.chars().take(scale).collect();
                samples.push(number(&digits, &fraction));
                samples.push(format!("-{}", number(&digits, &fraction)));
            }
            (format!("d_{precision}_{scale}"), format!("DECIMAL({precision},{scale})"), samples)
        })
        .collect();
    Family::beside("decimals", &columns)
}

/// BIT(1) to BIT(64): none, all, the first, the last, every other.
fn bits() -> Family {
    let columns: Vec<String> = (1..=64).map(|bits| format!("b{bits} BIT({bits})")).collect();
    let row = |value: &dyn Fn(u32) -> u64| {
        (1..=64).map(|bits| value(bits).to_string()).collect::<Vec<_>>().join(", ")
    };
    let samples = vec![
        row(&|_| 0),
        row(&|bits| u64::MAX >> (64 - bits)),
        row(&|_| 1),
        row(&|bits| 1 << (bits - 1)),
        row(&|bits| 0x5555_5555_5555_5555 & (u64::MAX >> (64 - bits))),
        vec!["NULL"; 64].join(", "),
    ];
    Family { table: "bits".to_owned(), columns: columns.join(", "), samples }
}
