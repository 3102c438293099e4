//! JSON: every kind of value, also those that only MySQL's own functions make, printed as MySQL prints them.

use super::{Family, live};

#[tokio::test]
async fn json_is_equal_on_both_paths() {
    live("values_json", &families()).await;
}

pub(super) fn families() -> Vec<Family> {
    let numbers = [
        "0",
        "-1",
        "1",
        "32767",
        "-32768",
        "32768",
        "65535",
        "65536",
        "-32769",
        "2147483647",
        "-2147483648",
        "4294967295",
        "4294967296",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "0.0",
        "-0.0",
        "1.0",
        "0.1",
        "0.30000000000000004",
        "1e22",
        "1e23",
        "1e15",
        "1e16",
        "123456789012345678.5",
        "1e-5",
        "1e-15",
        "1e-16",
        "5e-324",
        "1.7976931348623157e308",
        "-2.2250738585072014e-308",
        "3.141592653589793",
        "9007199254740993",
        "100",
        "2e-7",
        "1.5e300",
    ];
    let mut samples: Vec<String> = numbers
        .iter()
        .flat_map(|number| [format!("'{number}'"), format!("'[{number}, {{\"n\": {number}}}]'")])
        .collect();
    samples.extend(
        [
            "NULL",
            "'null'",
            "'true'",
            "'false'",
            "'\"\"'",
            "'{}'",
            "'[]'",
            "'[[], {}, [[]], {\"\": {}}]'",
            "'{\"\": 1, \" \": 2, \"a b\": 3}'",
            "'{\"a\": 1, \"a\": 2, \"b\": 3}'",
            "'{\"bb\": 1, \"a\": 2, \"ccc\": 3, \"B\": 4, \"é\": 5, \"日本\": 6}'",
            r#"'"quote \\" backslash \\\\ slash \\/ tab \\t newline \\n return \\r feed \\f back \\b"'"#,
            r#"'"\\u0001 \\u001f \\u007f \\u0080 \\u00e9 \\u20ac \\ud83d\\ude00 \\uffff \\u2028"'"#,
            r#"'{"\\u0001\\"\\\\": "\\u000b"}'"#,
            r#"'"not an escape: \\\\u0000"'"#,
            "'\"😀 漢字\"'",
            "JSON_OBJECT('d', CAST(1.50 AS DECIMAL(10,2)), 'z', CAST(0 AS DECIMAL(65,30)), 'm', \
             CAST(-99999999999999999999999999999999999.999999999999999999999999999999 AS DECIMAL(65,30)))",
            "JSON_ARRAY(CAST(0.000000000000000000000000000001 AS DECIMAL(30,30)), 1.10, -0.5, 12345678901234567890.5)",
            "JSON_ARRAY(CAST('2024-02-29' AS DATE), CAST('9999-12-31 23:59:59.999999' AS DATETIME(6)), CAST('1000-01-01' AS \
             DATETIME), CAST('12:00:00.5' AS TIME(3)), CAST('-838:59:59' AS TIME), CAST('-00:00:00.000001' AS TIME(6)), \
             CAST('838:59:59' AS TIME(6)), TIMESTAMP('2038-01-19 03:14:07.5'))",
            "JSON_ARRAY(CAST('0000-00-00' AS DATE), CAST('2020-00-00' AS DATE))",
            "JSON_ARRAY(b'1011', x'00FF', CAST(x'41' AS BINARY(3)), CAST(NULL AS CHAR))",
            "JSON_ARRAY(REPEAT(x'00FF10', 19), REPEAT(x'00', 57), REPEAT(x'01', 58), REPEAT(x'02', 300), x'')",
            "JSON_OBJECT('g', ST_GeomFromText('POINT(1 2)'))",
            "JSON_ARRAY(YEAR('2001-01-01'), TRUE, 1 = 0, PI(), 1e0, -1e0/3, 18446744073709551615)",
            "CAST(CAST(7 AS UNSIGNED) AS JSON)",
            "CAST(CAST('2024-01-01' AS DATE) AS JSON)",
            "CONCAT(REPEAT('[', 100), REPEAT(']', 100))",
            "CONCAT(REPEAT('{\"a\": [', 49), '1', REPEAT(']}', 49))",
            // Larger than 64 KB: the large format, of objects, arrays and both inside each other.
            "JSON_OBJECT('s', REPEAT('x', 70000), 'i', 5, 'u', 4294967295, 'n', -2147483648, 'l', JSON_ARRAY(1, 70000, NULL))",
            "JSON_ARRAY(REPEAT('é', 70000), 1, 32768, -70000, JSON_OBJECT('k', REPEAT('v', 66000)), TRUE)",
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT JSON_ARRAYAGG(i * 1000) \
             FROM n)",
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT \
             JSON_OBJECTAGG(CONCAT('key', i), JSON_ARRAY(i, CAST(i / 7 AS DECIMAL(20,10)), i / 3e0, NULL)) FROM n)",
            "JSON_OBJECT(REPEAT('k', 60000), 1)",
            "JSON_ARRAY(REPEAT('a', 127), REPEAT('a', 128), REPEAT('a', 16383), REPEAT('a', 16384))",
        ]
        .map(str::to_owned),
    );
    // Doubles of every magnitude: what prints with a point, with an exponent, and on the border.
    for magnitude in -30..=30 {
        samples.push(format!("JSON_ARRAY(1.25e{magnitude}, -7e{magnitude}, 1234567.890123e{magnitude})"));
    }
    vec![Family { table: "documents".to_owned(), columns: "v JSON".to_owned(), samples }]
}
