//! Shapes of tables: many columns, NULLs, generated, invisible and hidden columns.

use super::{Family, live};
use crate::harness::Scene;

#[tokio::test]
async fn rows_of_any_shape_are_equal_on_both_paths() {
    live("values_shapes", &families()).await;
}

pub(super) fn families() -> Vec<Family> {
    let mut families = vec![
        Family::new(
            "generated",
            "a INT, s INT GENERATED ALWAYS AS (a + 1) STORED, v INT AS (a * 2) VIRTUAL, t VARCHAR(20) AS (CONCAT('<', a, '>')) \
             VIRTUAL, j JSON, k BIGINT AS (j->'$.k') VIRTUAL, d DATE AS (DATE_ADD('2020-01-01', INTERVAL a DAY)) STORED, \
             f DOUBLE AS (a / 3e0) STORED NOT NULL, l INT",
            &["1, '{\"k\": 5}', 7", "-5, '{}', NULL", "0, '{\"k\": -9007199254740993}', 0"],
        ),
        Family::new(
            "invisible",
            "a INT INVISIBLE, b VARCHAR(9) DEFAULT 'x' INVISIBLE, c INT, KEY (a)",
            &["1, 'one', 2", "NULL, NULL, NULL"],
        ),
        // Indexes over expressions have hidden columns in the server, which no row image holds.
        Family::new(
            "functional",
            "a INT, b VARCHAR(50), j JSON, c INT, KEY e ((a + 1)), KEY l ((LOWER(b))), KEY m ((CAST(j->'$[*]' AS UNSIGNED ARRAY))), \
             KEY n (c, (ABS(a)))",
            &["1, 'ABC', '[1, 2, 3]', 4", "NULL, NULL, NULL, NULL", "-7, 'é', '[]', 0"],
        ),
    ];
    for count in [6, 7, 8, 14, 15, 16, 300] {
        families.push(wide(count));
    }
    families
}

/// So many columns after the key, some of them NULL: the bitmaps of both paths end within a byte, at its end and after it.
fn wide(count: usize) -> Family {
    let types = ["INT", "VARCHAR(9)", "DATETIME(2)", "DECIMAL(9,3)", "DOUBLE", "BINARY(3)", "ENUM('a','b')"];
    let values = ["-5", "'text'", "'2020-02-03 04:05:06.78'", "1.25", "0.1", "x'610000'", "'b'"];
    let columns: Vec<String> = (0..count).map(|at| format!("c{at} {}", types[at % types.len()])).collect();
    let row = |null: &dyn Fn(usize) -> bool| {
        (0..count)
            .map(|at| if null(at) { "NULL" } else { values[at % values.len()] })
            .collect::<Vec<_>>()
            .join(", ")
    };
    Family {
        table: format!("wide_{count}"),
        columns: columns.join(", "),
        samples: vec![
            row(&|_| false),
            row(&|_| true),
            row(&|at| at % 2 == 0),
            row(&|at| at % 8 == 7),
            row(&|at| at + 1 < count),
            row(&|at| at > 0),
        ],
    }
}

#[tokio::test]
async fn a_generated_invisible_primary_key_is_carried() {
    let scene = Scene::new("values_gipk").await;
    let mut session = scene.source.session().await;
    session
        .sql(
            "SET sql_generate_invisible_primary_key = ON; CREATE TABLE g (a INT, b VARCHAR(9)); \
             INSERT INTO g (a, b) VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
        )
        .await;
    let daemon = scene.start().await;
    session
        .sql("INSERT INTO g (a, b) VALUES (2, 'y'), (2, 'y'); UPDATE g SET b = 'z' WHERE a = 1; DELETE FROM g WHERE a IS NULL")
        .await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("g").await, 4);
    let key = scene.target.one("SELECT count(DISTINCT my_row_id) FROM values_gipk.g").await;
    assert_eq!(key, "4");
}
