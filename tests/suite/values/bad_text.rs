//! `bad_text`: bytes that a character set leaves undefined mean the same on both paths.

use super::Family;
use super::refusals::refused_on_both_paths;
use crate::harness::Scene;

/// A column's type, a value with such bytes, and the value with `?` in their place.
const VALUES: [(&str, &str, &str); 6] = [
    ("VARCHAR(20) CHARACTER SET cp1250", "_cp1250 x'618162'", "a?b"),
    ("TEXT CHARACTER SET hebrew", "_hebrew x'A1'", "?"),
    ("VARCHAR(20) CHARACTER SET gbk", "_gbk x'A2AB61A2ABC4E3'", "?a?你"),
    ("VARCHAR(20) CHARACTER SET ascii", "NULL", ""),
    ("VARCHAR(20) CHARACTER SET latin1", "'é€'", "é€"),
    ("VARCHAR(20)", "'plain 漢'", "plain 漢"),
];

#[tokio::test]
async fn bytes_without_a_meaning_are_replaced_or_escaped_alike_on_both_paths() {
    for (policy, bad) in [("replace", ["\u{fffd}"; 3]), ("escape", [r"\x81", r"\xA1", r"\xA2\xAB"])] {
        let scene = Scene::new(&format!("bad_text_{policy}")).await;
        let columns: Vec<String> =
            VALUES.iter().enumerate().map(|(at, (data_type, ..))| format!("c{at} {data_type}")).collect();
        let values: Vec<&str> = VALUES.iter().map(|(_, value, _)| *value).collect();
        let family = Family {
            table: "texts".to_owned(),
            columns: columns.join(", "),
            samples: vec![values.join(", "), "'a', 'b', 'c', 'd', 'e', 'f'".to_owned()],
        };
        family.create(&scene).await;
        let daemon = scene.start_with(&scene.config().task("bad_text", &format!("{policy:?}"))).await;
        family.repeat(&scene, "DO 0").await;
        scene.wait_applied(&daemon).await;
        let rows = scene
            .target
            .sql(&format!(
                "SELECT DISTINCT c0, c1, c2, c3, c4, c5 FROM bad_text_{policy}.texts WHERE id % 1000000 = 1"
            ))
            .await;
        let expected = VALUES.iter().enumerate().map(|(at, (_, value, text))| {
            (*value != "NULL").then(|| text.replace('?', bad.get(at).unwrap_or(&"")))
        });
        assert_eq!(rows, [expected.collect::<Vec<_>>()], "{policy}");
        crate::verify::assert_verified(&daemon).await;
    }
}

#[tokio::test]
async fn in_a_key_they_are_refused_whatever_the_policy_for_others() {
    let data_type = "VARCHAR(9) CHARACTER SET cp1250 NOT NULL, UNIQUE KEY (v)";
    refused_on_both_paths(
        "bad_key",
        data_type,
        "_cp1250 x'6181'",
        &["character set", "mend the value"],
        |scene| {
            let table = format!("{}.t", scene.source.name);
            scene
                .config()
                .task("bad_text", "\"replace\"")
                .more(&format!("[task.main.table.\"{table}\"]\nprimary_key = [\"v\", \"id\"]"))
        },
    )
    .await;
}

#[tokio::test]
async fn the_error_names_the_way() {
    let data_type = "VARCHAR(9) CHARACTER SET cp1250";
    refused_on_both_paths("bad_text", data_type, "_cp1250 x'6181'", &["set `bad_text`"], Scene::config).await;
}
