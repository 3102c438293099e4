//! The config file and the command line.

use super::one_paragraph;
use crate::harness::{Config, rowferry, run_folder};

fn config() -> Config {
    Config::new("mysql://u@127.0.0.1:1", "postgresql://u@127.0.0.1:1/d", &["a.b"])
}

#[tokio::test]
async fn an_unknown_key_is_named_with_its_section() {
    for command in ["check", "run", "plan", "status", "config"] {
        let file = config().task("existing_table", "\"clear\"").file();
        let output = rowferry(&[command, "-c", &file]).await;
        one_paragraph(&output, 2, &["task.main.existing_table = ", "not a known key", &file]);
    }
}

#[tokio::test]
async fn all_problems_of_a_file_are_told_at_once() {
    let config = config().task("snapshot", "{ parallel = 0 }").task("nul_bytes", "\"keep\"");
    let output = rowferry(&["check", "-c", &config.source("tls", "\"maybe\"").file()]).await;
    assert_eq!(output.code, 2);
    for key in ["task.main.snapshot.parallel", "task.main.nul_bytes", "source.src.tls"] {
        assert!(output.stderr.contains(key), "{key} is not in: {}", output.stderr);
    }
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let output = rowferry(&["run", "-c", "/nowhere/rowferry.toml"]).await;
    one_paragraph(&output, 2, &["/nowhere/rowferry.toml", "No such file", "readable file"]);
}

#[tokio::test]
async fn a_file_that_is_no_toml_is_told_by_line() {
    let file = run_folder().join("no.toml");
    std::fs::write(&file, "[daemon]\nlisten = \n").unwrap();
    one_paragraph(&rowferry(&["check", "-c", file.to_str().unwrap()]).await, 2, &["no.toml", "line 2"]);
}

#[tokio::test]
async fn a_password_that_is_not_there_is_told_before_anything_is_tried() {
    let config = config().source("password_env", "\"ROWFERRY_NO_SUCH_VARIABLE\"");
    let output = rowferry(&["check", "-c", &config.file()]).await;
    one_paragraph(&output, 2, &["source.src.password_env", "ROWFERRY_NO_SUCH_VARIABLE"]);
    let output = rowferry(&["check", "-c", &config.target("password_file", "\"/nowhere/pw\"").file()]).await;
    assert!(output.code == 2 && output.stderr.contains("/nowhere/pw"), "{output:?}");
}

#[tokio::test]
async fn features_of_later_parts_are_refused_by_name() {
    let config = config().task("indexes", "\"non_unique\"");
    one_paragraph(&rowferry(&["check", "-c", &config.file()]).await, 2, &["indexes", "not supported yet"]);
    let config = self::config().task("ddl_policy", "{ narrow_column = \"apply\" }");
    let words = ["narrow_column", "cannot be passed over or done at the target"];
    one_paragraph(&rowferry(&["check", "-c", &config.file()]).await, 2, &words);
}

#[tokio::test]
async fn a_wrong_command_line_is_a_usage_error() {
    for arguments in [&["chekc"][..], &["check"], &["status", "--json", "--watch", "-c", "x"], &[]] {
        let output = rowferry(arguments).await;
        assert_eq!(output.code, 2, "{arguments:?}: {output:?}");
        assert!(output.stderr.contains("Usage"), "{arguments:?}: {output:?}");
    }
    let output = rowferry(&["check", "--task", "mian", "-c", &config().file()]).await;
    one_paragraph(&output, 2, &["mian", "main"]);
}
