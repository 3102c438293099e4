//! BINARY, VARBINARY, the BLOB family, GEOMETRY and VECTOR.

use super::{Family, live};

#[tokio::test]
async fn bytes_are_equal_on_both_paths() {
    live("values_bytes", &families()).await;
}

pub(super) fn families() -> Vec<Family> {
    let all: String = (0..=255).map(|byte| format!("{byte:02X}")).collect();
    vec![
        Family::new(
            "bytes",
            "none BINARY(0), b BINARY(4), u BINARY(16), full BINARY(255), v0 VARBINARY(0), v VARBINARY(255), w VARBINARY(256), \
             t TINYBLOB, n BLOB, m MEDIUMBLOB, l LONGBLOB",
            &[
                "x'', x'', x'', x'', x'', x'', x'', x'', x'', x'', x''",
                &format!(
                    "x'', x'61000000', x'00112233445566778899AABBCCDDEEFF', LEFT(x'{all}', 255), x'', RIGHT(x'{all}', 255), \
                     x'{all}', LEFT(x'{all}', 255), x'{all}', x'{all}', x'{all}'"
                ),
                "x'', x'00000000', x'FF', x'00', x'', x'6100', x'0000', x'00', x'6100', x'00', x'00'",
                "x'', x'20202020', x'2020', x'20', x'', x'20', x'2020', x'20', x'20', x'20', x'20'",
                "x'', x'00000061', x'5C780A', x'5C', x'', x'5C2E', x'FFFF', x'5C7830', REPEAT(x'00', 65535), \
                 REPEAT(x'FF00', 40000), REPEAT(x'01', 70000)",
                "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
            ],
        ),
        // Text types that are bytes by their character set.
        Family::new(
            "byte_text",
            "c CHAR(4) CHARACTER SET binary, v VARCHAR(9) CHARACTER SET binary, t TEXT CHARACTER SET binary, l LONG VARBINARY",
            &["x'6100', x'FF00', x'0080', x'00'", "x'', x'', x'', x''", "NULL, NULL, NULL, NULL"],
        ),
        geometries(),
        Family::new(
            "vectors",
            "v VECTOR(3), w VECTOR, m VECTOR(16383)",
            &[
                "TO_VECTOR('[1, 2, 3]'), TO_VECTOR('[0.1]'), NULL",
                "TO_VECTOR('[-0.0, 3.4028234e38, 1.5e-37]'), TO_VECTOR('[-1.5, 16777217]'), TO_VECTOR('[1]')",
                "NULL, NULL, NULL",
                "TO_VECTOR('[1.5e-37, -0.3, 0]'), TO_VECTOR('[1]'), \
                 TO_VECTOR(CONCAT('[', REPEAT('0.25,', 16382), '7]'))",
            ],
        ),
    ]
}

fn geometries() -> Family {
    const KINDS: &[&str] = &[
        "POINT(1.5 -2.25)",
        "LINESTRING(0 0, 1 1, 2 -2)",
        "POLYGON((0 0, 10 0, 10 10, 0 10, 0 0), (1 1, 2 1, 2 2, 1 1))",
        "MULTIPOINT((1 2), (3 4))",
        "MULTILINESTRING((0 0, 1 1), (2 2, 3 3, 4 4))",
        "MULTIPOLYGON(((0 0, 3 0, 3 3, 0 0)), ((9 9, 8 9, 8 8, 9 9)))",
        "GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1), GEOMETRYCOLLECTION(POINT(3 4)))",
        "GEOMETRYCOLLECTION EMPTY",
    ];
    let mut samples = vec!["NULL, NULL, NULL".to_owned()];
    for kind in KINDS {
        samples.push(format!("ST_GeomFromText('{kind}'), ST_GeomFromText('POINT(1e-300 1e300)'), NULL"));
        samples.push(format!(
            "ST_GeomFromText('{kind}', 4326), NULL, ST_GeomFromText('POINT(89.5 -179.5)', 4326)"
        ));
        samples.push(format!("ST_GeomFromText('{kind}', 3857), ST_GeomFromText('POINT(0 0)'), NULL"));
    }
    Family {
        table: "geometries".to_owned(),
        columns: "g GEOMETRY, p POINT, q POINT SRID 4326".to_owned(),
        samples,
    }
}
