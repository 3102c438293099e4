//! `zero_dates` and `nul_bytes`: each choice means the same on both paths.

use super::Family;
use super::refusals::refused_on_both_paths;
use crate::harness::Scene;

#[tokio::test]
async fn impossible_dates_stop_the_task_when_asked_to() {
    for (name, data_type, value) in [
        ("zero_date", "DATE", "'0000-00-00'"),
        ("partial_date", "DATETIME(3)", "'2020-00-10 01:02:03.004'"),
        ("year_zero", "DATE", "'0000-05-05'"),
        ("zero_stamp", "TIMESTAMP(2) NULL", "'0000-00-00'"),
    ] {
        refused_on_both_paths(name, data_type, value, &["no date of the calendar", "zero_dates"], |scene| {
            scene.config().task("zero_dates", "\"error\"")
        })
        .await;
    }
}

#[tokio::test]
async fn a_zero_date_in_a_key_is_always_refused() {
    refused_on_both_paths(
        "zero_key",
        "DATE NOT NULL, UNIQUE KEY (v)",
        "'0000-00-00'",
        &["no date of the calendar"],
        |scene| {
            let table = format!("{}.t", scene.source.name);
            scene.config().more(&format!("[task.main.table.\"{table}\"]\nprimary_key = [\"v\", \"id\"]"))
        },
    )
    .await;
}

#[tokio::test]
async fn a_nul_stops_the_task_by_default() {
    for (name, data_type, value) in [
        ("nul_text", "VARCHAR(9)", "'a\\0b'"),
        ("nul_latin1", "TEXT CHARACTER SET latin1", "'\\0'"),
        ("nul_utf16", "CHAR(9) CHARACTER SET utf16", "'a\\0'"),
        ("nul_json", "JSON", "'{\"a\": [\"x\\\\u0000\"]}'"),
        ("nul_json_key", "JSON", "'{\"\\\\u0000\": 1}'"),
    ] {
        refused_on_both_paths(name, data_type, value, &["NUL", "nul_bytes"], Scene::config).await;
    }
}

#[tokio::test]
async fn nuls_are_stripped_or_replaced_alike_on_both_paths() {
    for (policy, [plain, json]) in [
        ("strip", ["abc", r#"{"k": ["xy", "\\u0000"]}"#]),
        ("replace", ["\u{fffd}a\u{fffd}bc\u{fffd}", r#"{"k�": ["x�y�", "\\u0000"]}"#]),
    ] {
        let scene = Scene::new(&format!("nuls_{policy}")).await;
        let text = "'\\0a\\0bc\\0'";
        let document = r#"'{"k\\u0000": ["x\\u0000y\\u0000", "\\\\u0000"]}'"#;
        let family = Family {
            table: "nuls".to_owned(),
            columns: "u VARCHAR(20), l VARCHAR(20) CHARACTER SET latin1, w VARCHAR(20) CHARACTER SET utf32, g TEXT \
                      CHARACTER SET gbk, j JSON"
                .to_owned(),
            samples: vec![
                format!("{text}, {text}, {text}, {text}, {document}"),
                "'x', 'y', 'z', 'g', '{}'".to_owned(),
            ],
        };
        family.create(&scene).await;
        let daemon = scene.start_with(&scene.config().task("nul_bytes", &format!("{policy:?}"))).await;
        family.repeat(&scene, "DO 0").await;
        scene.wait_applied(&daemon).await;
        let rows = scene
            .target
            .sql(&format!(
                "SELECT DISTINCT u, l, w, g, j::text FROM nuls_{policy}.nuls WHERE id % 1000000 = 1"
            ))
            .await;
        let expected = [plain, plain, plain, plain, json].map(|text| Some(text.to_owned()));
        assert_eq!(rows, [expected], "{policy}");
    }
}

#[tokio::test]
async fn a_nul_in_a_key_is_refused_whatever_the_policy_for_others() {
    refused_on_both_paths("nul_key", "VARCHAR(9) NOT NULL, UNIQUE KEY (v)", "'a\\0'", &["NUL"], |scene| {
        let table = format!("{}.t", scene.source.name);
        scene
            .config()
            .task("nul_bytes", "\"strip\"")
            .more(&format!("[task.main.table.\"{table}\"]\nprimary_key = [\"v\", \"id\"]"))
    })
    .await;
}

#[tokio::test]
async fn a_value_that_does_not_fit_the_chosen_type_is_refused() {
    refused_on_both_paths("two_boolean", "TINYINT(1)", "2", &["boolean"], |scene| {
        scene.config().task("tinyint1", "\"boolean\"")
    })
    .await;
    refused_on_both_paths(
        "great_number",
        "BIGINT UNSIGNED",
        "9223372036854775808",
        &["range", "types"],
        |scene| {
            scene.config().more(
                "[task.main.table.\"**.t\"]\ntypes = { v = \"bigint\" }"
                    .replace("**", &scene.source.name)
                    .as_str(),
            )
        },
    )
    .await;
    refused_on_both_paths("long_time", "TIME", "'24:00:01'", &["interval"], |scene| {
        scene.config().task("time", "\"time\"")
    })
    .await;
    refused_on_both_paths("negative_time", "TIME(3)", "'-00:00:00.001'", &["interval"], |scene| {
        scene.config().task("time", "\"time\"")
    })
    .await;
}
