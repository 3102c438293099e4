//! What is told of a paused table: status, page, metrics, readiness, the record of commands, comparisons. And
//! the same over HTTP.

use super::{done, is_paused, pause, resume, tell};
use crate::harness::{DEADLINE, Scene, eventually, http, rowferry};
use crate::healing::{carried, rows};
use rowferry::testing::change::GtidSet;
use rowferry::testing::change::verdict::Outcome;
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdefghij-alice";

#[tokio::test]
async fn a_paused_table_is_told_everywhere_with_its_place_and_time() {
    let scene = Scene::new("paused_told").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    scene.source.sql("UPDATE t SET w = 1").await;
    scene.wait_applied(&daemon).await;
    let at = daemon.task().await.unwrap().position.unwrap();
    pause(&scene, &daemon, "t").await;
    let paused = is_paused(&scene, &daemon, "t").await.paused.unwrap();
    let gtids = |position: &str| position.split(" (").next().unwrap().parse::<GtidSet>().unwrap();
    // Other tests write to the same server.
    assert!(gtids(&at).is_subset_of(&gtids(&paused.position)), "{at} {paused:?}");
    assert!(paused.since > 1_700_000_000, "{paused:?}");
    let told = format!("goes on from {}", paused.position);
    scene.source.sql("UPDATE t SET w = 2; UPDATE u SET w = 2").await;
    scene.assert_exact(&daemon, &["u"]).await;
    let now = daemon.task().await.unwrap().position.unwrap();
    assert!(!gtids(&now).is_subset_of(&gtids(&paused.position)), "{now} {paused:?}");
    let status = tell(&scene, &daemon, "status", &[]).await;
    assert!(status.code == 1 && status.stdout.contains(&told), "{status:?}");
    let (_, page) = daemon.get("/").await.unwrap();
    assert!(page.contains(">paused<") && page.contains(&told), "{page}");
    let (_, json) = daemon.get("/api/status").await.unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    let table = &json["tasks"]["main"]["tables"]["paused_told.t"];
    assert_eq!(table["state"], "paused", "{table}");
    assert_eq!(table["paused"], json!({ "since": paused.since, "position": paused.position }));
    let (_, metrics) = daemon.get("/metrics").await.unwrap();
    for (table, since) in [("t", paused.since), ("u", 0)] {
        let line = format!(
            "rowferry_table_paused_since_seconds{{task=\"main\",table=\"paused_told.{table}\"}} {since}\n"
        );
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    assert!(metrics.contains("rowferry_task_synchronizing{task=\"main\"} 1"), "{metrics}");
    let (code, ready) = daemon.get("/readyz").await.unwrap();
    assert!(code == 503 && ready.contains("paused_told.t is paused"), "{code} {ready}");
    eventually(DEADLINE, "the others are ready", async || {
        daemon.get("/readyz?tables=ignore").await.is_some_and(|(code, _)| code == 200)
    })
    .await;
    // It is not compared with what the source has now.
    let verdicts = crate::verify::verdicts(&daemon, &[]).await;
    let (t, u) = (&verdicts["t"], &verdicts["u"]);
    assert_eq!((t.outcome, u.outcome), (Outcome::NotCompared, Outcome::Equal));
    assert_eq!(t.why.as_deref(), Some(format!("it is paused at {}", paused.position).as_str()));
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    let status = tell(&scene, &daemon, "status", &[]).await;
    assert!(status.stdout.contains(&told), "{status:?}");
    let check = tell(&scene, &daemon, "check", &[]).await;
    assert_eq!(check.code, 0, "{check:?}");
    daemon.restart();
    is_paused(&scene, &daemon, "t").await;
    resume(&scene, &daemon, "t").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    let audit = tell(&scene, &daemon, "audit", &[]).await;
    for told in
        ["done pause paused_told.t", "paused_told.t: it is paused, and stays so", "done resume paused_told.t"]
    {
        assert!(audit.stdout.contains(told), "{told}: {audit:?}");
    }
    eventually(DEADLINE, "it is ready", async || {
        daemon.get("/readyz").await.is_some_and(|(code, _)| code == 200)
    })
    .await;
}

#[tokio::test]
async fn comparing_for_ever_leaves_a_paused_table_out() {
    let scene = Scene::new("paused_compared").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let ever = "{ mode = \"continuous\", rows_per_second = 0, pause = \"1s\", repair = true }";
    let daemon = scene.start_with(&scene.config().healing().task("verify", ever)).await;
    daemon.wait_task("both are compared", DEADLINE, |task| task.verified.len() == 2).await;
    pause(&scene, &daemon, "t").await;
    let before = super::held(&scene, "t").await;
    scene.source.sql("UPDATE t SET w = 9; DELETE FROM t WHERE id = 1; UPDATE u SET w = 9").await;
    daemon
        .wait_task("the other one is compared alone", DEADLINE, |task| {
            task.verified.len() == 1 && task.verified.contains_key("paused_compared.u")
        })
        .await;
    scene.assert_exact(&daemon, &["u"]).await;
    assert_eq!(super::held(&scene, "t").await, before, "it was put right");
    resume(&scene, &daemon, "t").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    daemon
        .wait_task("both are compared again", DEADLINE, |task| {
            task.verified.len() == 2
                && task.verified.values().all(|verified| verified.outcome == Outcome::Equal)
        })
        .await;
}

#[tokio::test]
async fn tables_are_paused_and_resumed_over_http() {
    let scene = Scene::new("paused_http").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let config = scene.config().healing().more(&format!("[token.alice]\nsecret = \"{TOKEN}\""));
    let daemon = scene.start_with(&config).await;
    let ask = async |what: &str, token: &str, tables: &[&str]| {
        let path = format!("/api/tasks/main/tables/{what}");
        let header = format!("Authorization: Bearer {token}\r\n");
        let body = json!({ "tables": tables }).to_string();
        let (code, answer) = http(daemon.port(), "POST", &path, &header, &body).await.unwrap();
        (code, serde_json::from_str::<Value>(&answer).unwrap())
    };
    assert_eq!(ask("pause", "wrong", &["paused_http.t"]).await.0, 401);
    let (code, answer) = ask("pause", TOKEN, &[]).await;
    assert!(code == 400 && answer["failure"]["error"] == "no table is named", "{code} {answer}");
    let (code, answer) = ask("pause", TOKEN, &["paused_http.t"]).await;
    assert!(code == 200 && answer["lines"][0].to_string().contains("it is paused"), "{code} {answer}");
    // Of the whole task nothing was said.
    is_paused(&scene, &daemon, "t").await;
    let (code, answer) = ask("pause", TOKEN, &["paused_http.t"]).await;
    assert!(code == 200 && answer["lines"][0].to_string().contains("is paused already"), "{code} {answer}");
    let (code, answer) = ask("pause", TOKEN, &["paused_http.none"]).await;
    assert!(code == 409 && answer["failure"]["reason"] == "refused", "{code} {answer}");
    scene.source.sql("UPDATE t SET w = 2; UPDATE u SET w = 2").await;
    scene.assert_exact(&daemon, &["u"]).await;
    let (code, answer) = ask("resume", TOKEN, &["paused_http.t"]).await;
    assert!(code == 200 && answer["lines"][0].to_string().contains("it goes on"), "{code} {answer}");
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let audit = rowferry(&["audit", "-c", &config]).await;
    let told = "done pause paused_http.t, alice, by HTTP from 127.0.0.1";
    assert!(audit.stdout.contains(told), "{audit:?}");
}

/// What else can be asked of a paused table is not kept from being done.
#[tokio::test]
async fn a_paused_table_is_copied_again_or_dropped_by_command() {
    let scene = Scene::new("paused_else").await;
    for table in ["t", "u", "other"] {
        scene.source.sql(&rows(table, 5)).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    done(&scene, &daemon, "pause", &["t", "u"], "it is paused, and stays so").await;
    done(&scene, &daemon, "add", &["t"], "it is paused already").await;
    scene.source.sql("DELETE FROM t WHERE id = 1; DELETE FROM u WHERE id = 1; UPDATE other SET w = 3").await;
    done(&scene, &daemon, "resync", &["t"], "it is copied again").await;
    carried(&scene, &daemon, "t").await;
    done(&scene, &daemon, "drop", &["u"], "it is not carried any more").await;
    scene.assert_exact(&daemon, &["t", "other"]).await;
    let task = daemon.task().await.unwrap();
    assert!(task.tables.values().all(|table| table.paused.is_none()), "{task:?}");
    done(&scene, &daemon, "add", &["u"], "it is copied beside the others").await;
    carried(&scene, &daemon, "u").await;
    // One that the config selects no more is forgotten, and copied anew when it is selected again.
    pause(&scene, &daemon, "u").await;
    let list = |tables: &str| scene.config().healing().task("tables", tables);
    daemon.reconfigure(&list("[\"paused_else.*\", \"!paused_else.u\"]"));
    done(&scene, &daemon, "reload", &[], "starts over").await;
    daemon.reconfigure(&list("[\"paused_else.*\"]"));
    scene.target.sql("DROP TABLE paused_else.u").await;
    scene.source.sql("UPDATE u SET w = 77").await;
    done(&scene, &daemon, "reload", &[], "starts over").await;
    carried(&scene, &daemon, "u").await;
    scene.assert_exact(&daemon, &["t", "u", "other"]).await;
}

/// A long way behind: the others are not held up, and both streams come together.
#[tokio::test]
async fn a_table_that_was_paused_for_long_comes_up_while_all_are_written_to() {
    let scene = Scene::new("paused_long").await;
    for table in ["t", "u"] {
        scene.source.sql(&rows(table, 2000)).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    pause(&scene, &daemon, "t").await;
    let round = "UPDATE t SET w = w + 1; UPDATE u SET w = w + 1 WHERE id % 10 = 0";
    for _ in 0..40 {
        scene.source.sql(round).await;
    }
    resume(&scene, &daemon, "t").await;
    for _ in 0..40 {
        scene.source.sql(round).await;
    }
    carried(&scene, &daemon, "t").await;
    scene.source.sql(round).await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
    eventually(DEADLINE, "nothing of the side stream is left", async || {
        let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'main\\_side%' AND relkind = 'r'";
        scene.target.one(left).await == "0"
    })
    .await;
}
