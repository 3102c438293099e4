//! DATE, DATETIME, TIMESTAMP and TIME with every number of fraction digits. What no calendar has becomes NULL here
//! (`zero_dates = "null"`, the default).

use super::{Family, live};

#[tokio::test]
async fn dates_and_times_are_equal_on_both_paths() {
    live("values_temporal", &families()).await;
}

pub(super) fn families() -> Vec<Family> {
    let mut families = vec![
        Family::of_type(
            "dates",
            "DATE",
            &[
                "'1000-01-01'",
                "'9999-12-31'",
                "'0001-01-01'",
                "'0999-12-31'",
                "'2000-02-29'",
                "'1900-03-01'",
                "'1969-12-31'",
                "'1970-01-01'",
                "'0000-00-00'",
                "'2020-00-00'",
                "'2020-05-00'",
                "'0000-01-01'",
                "'0000-12-31'",
                "'2021-02-31'",
                "'2021-02-29'",
                "NULL",
            ],
        ),
        Family::new(
            "required_dates",
            "d DATE NOT NULL, t DATETIME(3) NOT NULL, s TIMESTAMP NOT NULL",
            &[
                "'0000-00-00', '0000-00-00', '0000-00-00'",
                "'2020-00-01', '2020-01-00 23:59:59.999', '2020-01-01 00:00:00'",
                "'2021-02-30', '2021-02-30 12:00:00', '1970-01-01 00:00:01'",
            ],
        ),
    ];
    for (table, data_type, samples) in [
        ("datetimes", "DATETIME", DATETIMES),
        ("timestamps", "TIMESTAMP", TIMESTAMPS),
        ("times", "TIME", TIMES),
    ] {
        let columns: Vec<_> = (0..=6)
            .map(|digits| {
                let samples =
                    samples.iter().map(|sample| sample.replace("DIGITS", &digits.to_string())).collect();
                (format!("f{digits}"), format!("{data_type}({digits}) NULL"), samples)
            })
            .collect();
        families.push(Family::beside(table, &columns));
    }
    families
}

/// DIGITS stands for the column's digits of a fraction.
const DATETIMES: &[&str] = &[
    "'1000-01-01 00:00:00'",
    "TIMESTAMP(CONCAT('9999-12-31 23:59:59.', REPEAT('9', DIGITS)))",
    "TIMESTAMP(CONCAT('0001-01-01 00:00:00.', REPEAT('0', DIGITS)))",
    "TIMESTAMP(CONCAT('1969-12-31 23:59:59.', REPEAT('9', DIGITS)))",
    "TIMESTAMP(CONCAT('1999-12-31 23:59:59.', REPEAT('1', DIGITS)))",
    "'2000-01-01 00:00:00'",
    "'2024-02-29 12:34:56.789012'",
    "'2024-02-29 12:34:56.05'",
    "'2024-02-29 12:34:56.000001'",
    "'0000-00-00 00:00:00'",
    "'2020-00-00 10:11:12'",
    "'2020-01-00 10:11:12.5'",
    "'2021-02-31 10:11:12.5'",
    "'0000-01-01 00:00:00'",
    "NULL",
];

const TIMESTAMPS: &[&str] = &[
    "'1970-01-01 00:00:01'",
    "'1970-01-01 00:00:01.000001'",
    "TIMESTAMP(CONCAT('2038-01-19 03:14:07.', REPEAT('9', DIGITS)))",
    "'2021-10-31 00:59:59.5'",
    "'2021-10-31 01:30:00.25'",
    "'2021-03-28 01:00:00'",
    "'2000-01-01 00:00:00.123456'",
    "'0000-00-00 00:00:00'",
    "NULL",
];

const TIMES: &[&str] = &[
    "'1000-01-01 00:00:00'",
    "TIMESTAMP(CONCAT('9999-12-31 23:59:59.', REPEAT('9', DIGITS)))",
    "TIMESTAMP(CONCAT('0001-01-01 00:00:00.', REPEAT('0', DIGITS)))",
    "TIMESTAMP(CONCAT('1969-12-31 23:59:59.', REPEAT('9', DIGITS)))",
    "TIMESTAMP(CONCAT('1999-12-31 23:59:59.', REPEAT('1', DIGITS)))",
    "'2000-01-01 00:00:00'",
    "'2024-02-29 12:34:56.789012'",
    "'2024-02-29 12:34:56.05'",
    "'2024-02-29 12:34:56.000001'",
    "'0000-00-00 00:00:00'",
    "'2020-00-00 10:11:12'",
    "'2020-01-00 10:11:12.5'",
    "'2021-02-31 10:11:12.5'",
    "'0000-01-01 00:00:00'",
    "NULL",
];
