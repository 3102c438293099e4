//! What commands print, and to whom.

use crate::harness::{DEADLINE, Scene, rowferry};
use std::process::Stdio;

/// Runs a command whose reader of standard output has gone; its exit code and what it says on standard error.
async fn without_a_reader(arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rowferry"));
    command.args(arguments).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).kill_on_drop(true);
    // Not `output()`, which gives the command a standard output of its own.
    let output = command.spawn().unwrap().wait_with_output();
    let output = tokio::time::timeout(DEADLINE, output).await.unwrap().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_a_command_quietly() {
    let scene = Scene::new("printing_pipe").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let file = scene.config().file();
    let gone = (Some(141), String::new());
    for command in [vec!["config"], vec!["check"], vec!["check", "--json"], vec!["plan"], vec!["status"]] {
        assert_eq!(
            without_a_reader(&[command.clone(), vec!["-c", &file]].concat()).await,
            gone,
            "{command:?}"
        );
    }
    assert_eq!(without_a_reader(&["--help"]).await, gone);
    let daemon = scene.start().await;
    let path = daemon.config_path();
    let path = path.to_str().unwrap();
    for command in
        [vec!["status"], vec!["status", "--json"], vec!["status", "--watch"], vec!["status", "--alive"]]
    {
        assert_eq!(
            without_a_reader(&[command.clone(), vec!["-c", path]].concat()).await,
            gone,
            "{command:?}"
        );
    }
}

#[tokio::test]
async fn a_check_that_cannot_connect_prints_json_all_the_same() {
    let scene = Scene::new("printing_json").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    for (config, code, subject) in [
        (scene.config().source("url", "\"mysql://nobody@127.0.0.1:1\""), "source.connect", "src"),
        (scene.config().target("url", "\"postgresql://nobody@127.0.0.1:1/d\""), "target.connect", "dst"),
    ] {
        let output = rowferry(&["check", "--json", "-c", &config.file()]).await;
        assert!(output.code == 75 && output.stderr.contains("127.0.0.1:1"), "{output:?}");
        let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let item = &report["main"]["items"][0];
        assert_eq!(
            (&item["code"], &item["subject"], &item["verdict"]),
            (&code.into(), &subject.into(), &"fail".into())
        );
        assert!(item["why"].as_str().unwrap().contains("127.0.0.1:1"), "{item}");
        assert!(item["remedy"].as_str().unwrap().contains("host and port"), "{item}");
    }
}

#[tokio::test]
async fn a_plan_fails_where_the_check_fails_and_tells_every_refusal() {
    let scene = Scene::new("printing_plan").await;
    scene
        .source
        .sql("CREATE TABLE keyless_a (id INT); CREATE TABLE keyless_b (id INT); CREATE TABLE there (id INT PRIMARY KEY)")
        .await;
    scene
        .target
        .sql("CREATE SCHEMA printing_plan; CREATE TABLE printing_plan.there (id integer PRIMARY KEY)")
        .await;
    let file = scene.config().file();
    let check = rowferry(&["check", "-c", &file]).await;
    let plan = rowferry(&["plan", "-c", &file]).await;
    assert_eq!((check.code, plan.code, plan.stdout.as_str()), (1, 1, ""), "{check:?} {plan:?}");
    for table in ["keyless_a", "keyless_b", "there"] {
        assert!(plan.stderr.contains(&format!("printing_plan.{table}")), "{table} is not in {plan:?}");
    }
    assert_eq!(plan.stderr.matches("To mend it").count(), check.stdout.matches("FAIL").count(), "{plan:?}");
}
