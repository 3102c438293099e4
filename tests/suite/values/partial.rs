//! Updates that are logged as differences of JSON documents (`binlog_row_value_options=PARTIAL_JSON`).
//!
//! Two columns go into texts, so that every character is compared with what MySQL prints; two into jsonb.

mod random;

use crate::harness::{Mysql, Scene, postgres};

/// What sessions that write differences run first.
const PARTIAL: &str = "SET NAMES utf8mb4; SET SESSION binlog_row_value_options = 'PARTIAL_JSON', sql_mode = '', \
                       cte_max_recursion_depth = 1000000";

/// Columns after the key: documents among others, and made from them.
const COLUMNS: &str = "a JSON, n INT NOT NULL DEFAULT 0, b JSON, g JSON AS (a->'$.bb') STORED, c JSON, v JSON AS (a->'$.a') \
                       VIRTUAL, k INT AS (JSON_LENGTH(a)) STORED, KEY m ((CAST(c->'$.list' AS UNSIGNED ARRAY)))";

const SMALL: &str = r#"'{"a": 1, "bb": [1, 2, {"c": "x"}], "a b": {"d\\"e": null}, "é": {"é": []}, "list": [1, 2],
                       "pad": "as long as it must be for a difference to be the shorter one of the two: ........................."}'"#;

/// Larger than 64 KB: the large format, with small containers in it.
const LARGE: &str = "JSON_OBJECT('a', 1, 'bb', JSON_ARRAY(1, 70000, JSON_OBJECT('c', REPEAT('y', 300))), 's', REPEAT('x', 70000), 'list', \
                     JSON_ARRAY(7), 'a b', JSON_OBJECT('d\"e', CAST(1.10 AS DECIMAL(9,2))), 'é', JSON_OBJECT())";

const LARGE_ARRAY: &str = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT \
                           JSON_ARRAYAGG(JSON_ARRAY(i * 10, CONCAT('text ', i))) FROM n)";

const LARGE_OBJECT: &str = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT \
                            JSON_OBJECTAGG(CONCAT('key', i), JSON_OBJECT('i', i, 'd', CAST(i / 7 AS DECIMAL(20,10)))) FROM n)";

/// Changes of documents like `SMALL` and `LARGE`.
const OF_OBJECTS: &[&str] = &[
    "JSON_SET(@, '$.a', 2)",
    "JSON_SET(@, '$.a', NULL)",
    "JSON_SET(@, '$.a', TRUE, '$.bb', FALSE)",
    "JSON_REPLACE(@, '$.a', CAST(1.50 AS DECIMAL(10,2)), '$.bb[0]', CAST(-0.007 AS DECIMAL(65,30)))",
    "JSON_SET(@, '$.a', CAST('2024-02-29' AS DATE), '$.t', CAST('-838:59:59.5' AS TIME(3)), '$.bb[1]', TIMESTAMP'2038-01-19 03:14:07.5')",
    "JSON_SET(@, '$.a', x'00ff10', '$.bits', b'101', '$.point', ST_GeomFromText('POINT(1 2)'))",
    "JSON_SET(@, '$.a', 1e16, '$.bb[1]', -0e0, '$.bb[0]', 5e-324, '$.big', 18446744073709551615)",
    "JSON_SET(@, '$.a', 'quote \" backslash \\\\ newline \\n é 😀 \\u0001 end')",
    "JSON_SET(@, '$.A', 1, '$.b', 2, '$.bc', 3, '$.\"\"', 4, '$.é', 5, '$.zzzz', 6)",
    "JSON_SET(@, '$.new', CAST('{\"b\": [1, {\"a\": []}], \"a\": {}}' AS JSON), '$.new.b[1].a[0]', 'in it')",
    "JSON_SET(@, '$.bb[9]', 'behind the end', '$.bb[last]', 'last', '$.bb[last-1].c', 'inside')",
    "JSON_SET(@, '$.bb[last-9]', 'before the start')",
    "JSON_SET(@, '$.a[0]', 'a scalar taken for an array', '$.bb[2][0].c', 'an object taken for one')",
    "JSON_SET(@, '$.a[3]', 'a scalar made an array', '$.bb[2][1]', 'an object made one')",
    "JSON_REPLACE(@, '$.none', 1, '$.a.b', 2, '$.bb[7]', 3)",
    "JSON_REMOVE(@, '$.a')",
    "JSON_REMOVE(@, '$.bb[0]', '$.bb[last]', '$.\"a b\"')",
    "JSON_REMOVE(@, '$.bb[last]', '$.bb[0]', '$.bb[0]', '$.none', '$.é.é')",
    "JSON_SET(JSON_REMOVE(@, '$.a'), '$.a', 'again')",
    "JSON_REMOVE(JSON_SET(@, '$.x', 1, '$.y', JSON_ARRAY(1, 2, 3)), '$.y[1]', '$.x')",
    r#"JSON_SET(@, '$."a b"."d\\"e"', JSON_ARRAY(1, 't'), '$."a b".""', 1, '$."a b"."\\u0001\\\\.[*]"', 2, '$."a b"."😀"', 3)"#,
    "JSON_SET(@, '$.é.é', 1, '$.é.\"ÿ\"', 2, '$._', 3, '$.$', 4, '$.x1', 5, '$.\"1x\"', 6, '$.\"日本\"', 7, '$.\"ĥ\"', 8)",
    "JSON_SET(@, '$.s', REPEAT('z', 70001))",
    "JSON_SET(@, '$.list[0]', 4294967296, '$.list[5]', 5)",
    "JSON_SET(@, '$.bb', @->'$.\"a b\"', '$.\"a b\"', @->'$.bb')",
    "JSON_SET(@, '$.a', @->'$.none')",
    // What is never logged as a difference.
    "JSON_ARRAY_INSERT(@, '$.bb[0]', 70000, '$.bb[last]', -1)",
    "JSON_ARRAY_APPEND(@, '$.bb[2]', 'y', '$.a', 1)",
    "JSON_MERGE_PATCH(@, '{\"a\": null, \"x\": 1}')",
    "JSON_SET(@, '$', 1)",
    "JSON_INSERT(@, '$.q', 1)",
    "JSON_OBJECT('another', 1)",
    "'null'",
    "NULL",
    "@",
];

const OF_ARRAYS: &[&str] = &[
    "JSON_SET(@, '$[0]', 'first', '$[last]', 'last', '$[2500]', CAST(0.5 AS DECIMAL(3,2)))",
    "JSON_SET(@, '$[9999]', 'behind', '$[10000]', 'and behind')",
    "JSON_REMOVE(@, '$[0]', '$[0]', '$[last]', '$[1000][1]')",
    "JSON_SET(@, '$[4][0]', REPEAT('w', 66000), '$[5][1]', JSON_OBJECT('k', 'v'))",
    "JSON_SET(@, '$[last-4999]', NULL, '$[last-77][7]', 1)",
];

const OF_MANY_MEMBERS: &[&str] = &[
    "JSON_SET(@, '$.key1', 'one', '$.key5000.i', 'five thousand', '$.key2500.new', CAST(1 AS DECIMAL(5,1)))",
    "JSON_SET(@, '$.key0', 0, '$.a', 1, '$.key10000', 2, '$.kez1', 3)",
    "JSON_REMOVE(@, '$.key1', '$.key999', '$.key5000', '$.key77.d')",
];

/// Two documents side by side have more ways of being logged than one: `b` is changed as `a`, the next time as it stands.
async fn create(scene: &Scene<'_>) -> Vec<String> {
    let mut session = scene.source.session().await;
    session.sql(PARTIAL).await;
    let types = "CREATE TABLE plain (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO plain VALUES (1, 'one'), (2, 'two')";
    session.sql(&format!("CREATE TABLE docs (id INT PRIMARY KEY, {COLUMNS}); {types}")).await;
    let mut changes = Vec::new();
    for (documents, of_them) in [
        (vec![SMALL, LARGE], OF_OBJECTS),
        (vec![LARGE_ARRAY], OF_ARRAYS),
        (vec![LARGE_OBJECT], OF_MANY_MEMBERS),
    ] {
        for document in documents {
            for change in of_them {
                changes.push((*change).to_owned());
                let id = changes.len();
                let row =
                    format!("INSERT INTO docs (id, a, b, c) VALUES ({id}, {document}, {document}, '[1]')");
                session.sql(&row).await;
            }
        }
    }
    session
        .sql("INSERT INTO docs (id, a, b, c) VALUES (900, NULL, '{}', NULL), (901, '[]', NULL, '1')")
        .await;
    changes
}

/// The texts of both columns that hold them, on both sides.
async fn assert_same_texts(scene: &Scene<'_>, table: &str) {
    let name = &scene.source.name;
    let mut session = scene.source.session().await;
    session.sql("SET NAMES utf8mb4").await;
    let theirs =
        session.sql(&format!("SELECT id, CAST(a AS CHAR), CAST(b AS CHAR) FROM {table} ORDER BY id")).await;
    let ours = scene.target.sql(&format!("SELECT id, a, b FROM {name}.{table} ORDER BY id")).await;
    assert_eq!(theirs.len(), ours.len(), "{table}");
    for (theirs, ours) in theirs.into_iter().zip(ours) {
        for (theirs, ours) in theirs.iter().zip(&ours) {
            let shown =
                |text: &Option<String>| text.as_ref().map(|text| text.chars().take(2000).collect::<String>());
            assert!(theirs == ours, "{table}: {:?}\nand {:?}", shown(theirs), shown(ours));
        }
    }
}

/// How many bytes each partial update event of the source's log has.
async fn partial_updates(mysql: &Mysql) -> Vec<u64> {
    let mut sizes = Vec::new();
    for file in mysql.sql("SHOW BINARY LOGS").await {
        let file = file[0].clone().unwrap();
        for event in mysql.sql(&format!("SHOW BINLOG EVENTS IN '{file}'")).await {
            if event[2].as_deref() == Some("Update_rows_partial") {
                let place = |at: usize| event[at].as_ref().unwrap().parse::<u64>().unwrap();
                sizes.push(place(4).saturating_sub(place(1)));
            }
        }
    }
    sizes
}

fn text_columns(scene: &Scene<'_>, table: &str) -> String {
    format!("[task.main.table.\"{}.{table}\"]\ntypes = {{ a = \"text\", b = \"json\" }}", scene.source.name)
}

#[tokio::test]
async fn json_differences_of_every_shape_become_the_documents_of_the_source() {
    let mysql = Mysql::private(&["--binlog-row-value-options=PARTIAL_JSON"]).await;
    let scene = Scene::on(&mysql, postgres().await, "values_partial").await;
    let changes = create(&scene).await;
    let daemon = scene.start_with(&scene.config().more(&text_columns(&scene, "docs"))).await;
    assert_eq!(partial_updates(&mysql).await.len(), 0);
    let mut session = scene.source.session().await;
    session.sql(PARTIAL).await;

    // Each by itself, all in one transaction, both documents.
    session.sql("BEGIN").await;
    for (at, change) in changes.iter().enumerate() {
        let (a, b) = (change.replace('@', "a"), change.replace('@', "b"));
        session.sql(&format!("UPDATE docs SET a = {a}, n = n + 1 WHERE id = {}", at + 1)).await;
        session
            .sql(&format!("UPDATE docs SET b = {b}, c = JSON_SET(c, '$[0]', n + 1) WHERE id = {}", at + 1))
            .await;
    }
    session.sql("COMMIT").await;
    scene.assert_exact(&daemon, &["docs", "plain"]).await;
    assert_same_texts(&scene, "docs").await;
    let sizes = partial_updates(&mysql).await;
    assert_eq!(sizes.len(), 2 * changes.len(), "every update is of that kind");
    // Where a large document is changed its event has the documents before and hardly more.
    assert!(sizes.iter().any(|size| (140_000..150_000).contains(size)), "{sizes:?}");

    // Several rows in one event, with and without differences, NULL documents among them; other tables.
    session
        .sql(
            "UPDATE docs SET a = JSON_SET(a, '$.a', n), n = n + 1; UPDATE docs SET n = n + 1; UPDATE plain SET v = CONCAT(v, '!'); \
             UPDATE docs SET a = JSON_SET(a, '$.x', 'y'), b = JSON_REMOVE(b, '$.a') WHERE id % 3 = 0; \
             UPDATE docs SET id = id + 100000, a = JSON_SET(a, '$.moved', TRUE) WHERE id % 7 = 0; \
             UPDATE docs SET a = b, b = a WHERE id % 5 = 0; UPDATE docs SET a = '{\"a\": 1}' WHERE a IS NULL; \
             UPDATE docs, plain SET docs.a = JSON_SET(docs.a, '$.a', plain.v), plain.v = 'joined' WHERE docs.n % 2 = plain.id % 2",
        )
        .await;
    // One row again and again in one transaction, a part of it taken back.
    session.sql("BEGIN").await;
    for round in 0..40 {
        if round == 20 {
            session.sql("SAVEPOINT s").await;
        }
        if round == 30 {
            session.sql("ROLLBACK TO s").await;
        }
        session
            .sql(&format!(
                "UPDATE docs SET a = JSON_SET(a, '$.a', {round}, '$.k{round}', JSON_ARRAY({round})), b = JSON_REMOVE(JSON_SET(b, \
                 '$.z', {round}), '$.k{}') WHERE id IN (1, 2, 40)",
                round / 2
            ))
            .await;
    }
    session.sql("COMMIT").await;
    scene.assert_exact(&daemon, &["docs", "plain"]).await;
    assert_same_texts(&scene, "docs").await;

    // Compressed, and prepared.
    session
        .sql(
            "SET SESSION binlog_transaction_compression = ON; BEGIN; UPDATE docs SET b = JSON_SET(b, '$.compressed', n, '$.a', 'c'); \
             UPDATE docs SET c = JSON_SET(c, '$[0]', 'c'), n = n + 1 WHERE id < 20; COMMIT; \
             SET SESSION binlog_transaction_compression = OFF; \
             XA START 'x'; UPDATE docs SET b = JSON_SET(b, '$.prepared', n, '$.a', 'x') WHERE id < 60; XA END 'x'; XA PREPARE 'x'; \
             XA COMMIT 'x'",
        )
        .await;
    scene.assert_exact(&daemon, &["docs", "plain"]).await;
    assert_same_texts(&scene, "docs").await;
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}

#[tokio::test]
async fn json_differences_without_full_images_stop_the_task() {
    use rowferry::testing::change::status::Phase;
    for image in ["MINIMAL", "NOBLOB"] {
        let scene = Scene::new(&format!("values_partial_{}", image.to_lowercase())).await;
        scene
            .source
            .sql(&format!(
                "CREATE TABLE t (id INT PRIMARY KEY, j JSON, x TEXT); INSERT INTO t VALUES (1, {SMALL}, NULL)"
            ))
            .await;
        let daemon = scene.start().await;
        scene
            .source
            .sql(&format!("{PARTIAL}, binlog_row_image = '{image}'; UPDATE t SET j = JSON_SET(j, '$.a', 2)"))
            .await;
        match daemon.wait_phase("Failed", crate::harness::DEADLINE).await.phase {
            Phase::Failed { error, remedy } => {
                assert!(error.contains(".t are logged without all of their columns"), "{error}");
                assert!(remedy.contains("binlog_row_image"), "{remedy}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(scene.target.one(&format!("SELECT j->>'a' FROM {}.t", scene.source.name)).await, "1");
    }
}
