//! What a running daemon can be told over HTTP, by whom, and what is on record of that.

use crate::harness::{
    Config, DEADLINE, Daemon, Output, Proxy, Scene, eventually, http, rowferry, run_folder,
};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdefghij-alice";

fn with_token(config: Config) -> Config {
    config.more(&format!("[token.alice]\nsecret = \"{TOKEN}\""))
}

async fn ask(daemon: &Daemon, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let token = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, answer) = http(daemon.port(), method, path, &token, &body).await.expect("an answer");
    (status, serde_json::from_str(&answer).unwrap_or(Value::String(answer)))
}

async fn tell(daemon: &Daemon, arguments: &[&str]) -> Output {
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    rowferry(&[arguments, &["-c", &config]].concat()).await
}

async fn scene(name: &str) -> Scene<'static> {
    let scene = Scene::new(name).await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)").await;
    scene
}

#[tokio::test]
async fn only_who_has_a_token_tells_the_daemon_something_over_http() {
    let scene = scene("control_token").await;
    let daemon = scene.start_with(&with_token(scene.config())).await;
    let table = json!({ "tables": ["control_token.t"] });
    for token in ["", "wrong", "0123456789abcdefghij-alicf"] {
        let (status, answer) = ask(&daemon, "POST", "/api/tasks/main/pause", token, &Value::Null).await;
        assert!(
            status == 401 && answer["failure"]["error"].to_string().contains("Bearer"),
            "{token}: {answer}"
        );
    }
    assert_eq!(daemon.get("/api/status").await.unwrap().0, 200);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    let oid = "SELECT 'control_token.t'::regclass::oid";
    let before = scene.target.one(oid).await;
    let (status, answer) = ask(&daemon, "POST", "/api/tasks/main/resync", TOKEN, &table).await;
    assert!(status == 200 && answer["failure"].is_null(), "{answer}");
    eventually(DEADLINE, "another table takes its place", async || scene.target.one(oid).await != before)
        .await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    let none = json!({ "tables": ["control_token.none"] });
    let (status, answer) = ask(&daemon, "POST", "/api/tasks/main/resync", TOKEN, &none).await;
    assert!(status == 409 && answer["failure"]["reason"] == "refused", "{status} {answer}");
    let (status, answer) = ask(&daemon, "POST", "/api/tasks/none/pause", TOKEN, &Value::Null).await;
    assert!(status == 404 && answer["failure"]["error"].to_string().contains("name one of main"), "{answer}");
    for (expected, body, why) in [
        (422, json!({}), "missing field"),
        (400, json!({ "tables": ["t"] }), "write database.table"),
        (415, Value::Null, "Content-Type"),
    ] {
        let (status, answer) = ask(&daemon, "POST", "/api/tasks/main/add", TOKEN, &body).await;
        assert!(
            status == expected && answer["failure"]["error"].to_string().contains(why),
            "{status} {answer}"
        );
    }
    // A token that is taken out of the config is none from the reload on; one that is not is in force at once.
    let other = TOKEN.replace("alice", "bob");
    daemon.reconfigure(&scene.config().more(&format!("[token.bob]\nsecret = \"{other}\"")));
    let (status, answer) = ask(&daemon, "POST", "/api/reload", TOKEN, &Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(ask(&daemon, "POST", "/api/reload", TOKEN, &Value::Null).await.0, 401);
    assert_eq!(ask(&daemon, "POST", "/api/reload", &other, &Value::Null).await.0, 200);
    // Without one nobody is told anything.
    daemon.reconfigure(&scene.config());
    assert_eq!(tell(&daemon, &["reload"]).await.code, 0);
    let (status, answer) = ask(&daemon, "POST", "/api/reload", &other, &Value::Null).await;
    assert!(status == 403 && answer.to_string().contains("[token.NAME]"), "{answer}");
    scene.source.sql("INSERT INTO t VALUES (2, 2)").await;
    scene.assert_exact(&daemon, &["t"]).await;
}

#[tokio::test]
async fn a_token_that_could_be_guessed_is_refused_and_none_is_shown() {
    let config = |secret: &str| {
        Config::new("mysql://u@h", "postgresql://u@h/d", &["a.*"]).more(&format!("[token.al]\n{secret}"))
    };
    for (secret, why) in [
        ("", "token.al: needs a secret"),
        ("secret = \"0123456789\"", "shorter than 20 characters"),
        ("secret = \"0123456789 0123456789\"", "no header can hold"),
        ("secret_env = \"NO_SUCH_VARIABLE\"", "use secret_file"),
        ("password = \"01234567890123456789\"", "token.al.password"),
        ("secret = \"************************\"", "in the place of one"),
        (
            "secret = \"01234567890123456789\"\n[token.bo]\nsecret = \"01234567890123456789\"",
            "of another token",
        ),
    ] {
        let told = rowferry(&["check", "-c", &config(secret).file()]).await;
        assert!(told.code == 2 && told.stderr.contains(why), "{secret}: {told:?}");
    }
    let file = run_folder().join("control.token");
    std::fs::write(&file, "hush-hush-hush-hush-hush\n").unwrap();
    let shown = rowferry(&["config", "-c", &config(&format!("secret_file = {file:?}")).file()]).await;
    assert!(
        shown.code == 0 && shown.stdout.contains("[token.al]") && !shown.stdout.contains("hush"),
        "{shown:?}"
    );
}

/// Each path of the description answers as it says, and asks for a token where it says so.
#[tokio::test]
async fn the_description_of_the_api_is_true() {
    let scene = scene("control_described").await;
    let daemon = scene.start_with(&with_token(scene.config())).await;
    let (_, described) = ask(&daemon, "GET", "/api/openapi.json", "", &Value::Null).await;
    let mut seen = 0;
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let is_command = operation["security"] != json!([]);
            let method = method.to_uppercase();
            let path = path.replace("{task}", "none");
            let expected = if is_command { 401 } else { 200 };
            let (status, answer) = ask(&daemon, &method, &path, "", &Value::Null).await;
            assert_eq!(status, expected, "{method} {path}: {answer}");
            assert!(operation["responses"][status.to_string()].is_object(), "{method} {path}");
            if is_command {
                let body = operation["requestBody"].is_object();
                let body = match path.as_str() {
                    _ if !body => Value::Null,
                    path if path.ends_with("skip") => json!({ "position": "binlog.000001:4" }),
                    _ => json!({ "tables": ["a.b"] }),
                };
                let (status, answer) = ask(&daemon, &method, &path, TOKEN, &body).await;
                assert!(operation["responses"][status.to_string()].is_object(), "{method} {path}: {status}");
                assert_eq!(
                    status,
                    if path.contains("none") { 404 } else { 200 },
                    "{method} {path}: {answer}"
                );
                for required in ["lines", "failure"] {
                    assert!(answer.get(required).is_some(), "{method} {path}: {answer}");
                }
            }
            seen += 1;
        }
    }
    assert!(seen >= 13, "{seen}");
}

#[tokio::test]
async fn what_was_asked_is_on_record_with_who_asked() {
    let scene = scene("control_audit").await;
    let daemon = scene.start_with(&with_token(scene.config())).await;
    let none = tell(&daemon, &["audit"]).await;
    assert!(none.code == 0 && none.stdout.contains("nothing was asked of it"), "{none:?}");
    assert_eq!(ask(&daemon, "POST", "/api/tasks/main/pause", TOKEN, &Value::Null).await.0, 200);
    assert_eq!(tell(&daemon, &["resume"]).await.code, 0);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    let none = tell(&daemon, &["resync", "control_audit.none"]).await;
    assert_eq!(none.code, 1, "{none:?}");
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    assert_eq!(tell(&daemon, &["pause"]).await.code, 0);
    assert_eq!(tell(&daemon, &["verify", "--repair"]).await.code, 0);
    let json = tell(&daemon, &["audit", "--json"]).await;
    let read: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(read["main"]["tables"]["control_audit.t"]["drift"], 0, "{read}");
    let entries: Vec<String> = read["main"]["asked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            let asker = text("asker");
            let asker = [
                "alice, by HTTP from 127.0.0.1",
                ", by the local socket (process",
                ", by a process of his own (",
            ]
            .iter()
            .position(|way| asker.contains(way));
            assert!(entry["at"].as_u64().unwrap() > 1_700_000_000);
            format!("{} {} {}", asker.expect("a way"), text("outcome"), text("command"))
        })
        .collect();
    assert_eq!(
        entries,
        [
            "0 begun pause",
            "0 done pause",
            "1 begun resume",
            "1 done resume",
            "1 begun resync control_audit.none",
            "1 not_done resync control_audit.none",
            "2 begun pause",
            "2 done pause",
            "2 begun verify --repair",
            "2 done verify --repair",
        ],
        "{read}"
    );
    let shown = tell(&daemon, &["audit", "--last", "4"]).await;
    assert!(
        shown.stdout.contains("task main is paused, and stays so") && !shown.stdout.contains("resync"),
        "{shown:?}"
    );
    // The log has them too.
    let log = daemon.log();
    assert!(log.contains("asked: pause") && log.contains("alice, by HTTP from 127.0.0.1"), "{log}");
}

#[tokio::test]
async fn a_dropped_task_stays_so_until_it_is_resumed_and_begins_anew_then() {
    let scene = scene("control_dropped").await;
    let daemon = scene.start().await;
    let dropped = tell(&daemon, &["drop", "--whole-task", "main"]).await;
    assert!(dropped.code == 0 && dropped.stdout.contains("its target tables stay"), "{dropped:?}");
    daemon.wait_phase("Dropped", DEADLINE).await;
    assert_eq!(daemon.get("/readyz").await.unwrap().0, 200, "nobody waits for it");
    let left = "SELECT string_agg(relname::text, ' ' ORDER BY relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE nspname = 'rowferry' AND relkind = 'r'";
    assert_eq!(scene.target.one(left).await, "audit main_dropped meta");
    assert_eq!(scene.target.one("SELECT count(*) FROM control_dropped.t").await, "1");
    let again = tell(&daemon, &["drop", "--whole-task", "main", "--remove-rows"]).await;
    assert!(again.code == 0 && again.stdout.contains("is dropped already"), "{again:?}");
    daemon.kill9();
    let status = tell(&daemon, &["status"]).await;
    assert!(status.stdout.contains("dropped, by command"), "{status:?}");
    daemon.restart();
    daemon.wait_phase("Dropped", DEADLINE).await;
    for command in [&["pause"][..], &["resync", "control_dropped.t"], &["add", "control_dropped.t"]] {
        let refused = tell(&daemon, command).await;
        assert!(
            refused.code == 1 && refused.stderr.contains("rowferry resume -c CONFIG --task main"),
            "{refused:?}"
        );
    }
    assert_eq!(scene.target.one(left).await, "audit main_dropped meta");
    scene.target.sql("DROP TABLE control_dropped.t").await;
    scene.source.sql("INSERT INTO t VALUES (2, 2)").await;
    let resumed = tell(&daemon, &["resume"]).await;
    assert!(resumed.code == 0 && resumed.stdout.contains("begins anew"), "{resumed:?}");
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t"]).await;
    // And with its rows, while no daemon runs it.
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    let dropped = tell(&daemon, &["drop", "--whole-task", "main", "--remove-rows"]).await;
    assert!(dropped.code == 0 && dropped.stdout.contains("with its rows"), "{dropped:?}");
    assert_eq!(scene.target.one("SELECT count(*) FROM pg_class WHERE relname = 't'").await, "0");
    daemon.restart();
    daemon.wait_phase("Dropped", DEADLINE).await;
}

/// What cannot be taken out goes with the next drop, and so does what a drop had not come to when it was cut off. The task does not run
/// meanwhile, nor begin anew.
#[tokio::test]
async fn a_drop_that_did_not_come_through_is_gone_on_with() {
    let scene = scene("control_half").await;
    scene.source.sql("CREATE TABLE u (id INT PRIMARY KEY, v INT); INSERT INTO u VALUES (1, 1)").await;
    let daemon = scene.start().await;
    let mut reader = scene.target.session().await;
    let drop = ["drop", "--whole-task", "main", "--remove-rows"];
    let left =
        "SELECT string_agg(relname::text, ' ' ORDER BY relname) FROM pg_class WHERE relname IN ('t', 'u')";
    reader.sql("BEGIN; SELECT * FROM control_half.u").await;
    let refused = tell(&daemon, &drop).await;
    assert!(
        refused.code == 75 && refused.stderr.contains("control_half.u cannot be taken out"),
        "{refused:?}"
    );
    daemon.wait_phase("Dropped", DEADLINE).await;
    assert_eq!(scene.target.one(left).await, "u");
    // And one that is cut off.
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let dropping = tokio::spawn(async move { rowferry(&[&drop[..], &["-c", &config]].concat()).await });
    eventually(DEADLINE, "the drop waits for the reader", async || {
        scene.target.one("SELECT count(*) FROM pg_locks WHERE NOT granted").await != "0"
    })
    .await;
    daemon.kill9();
    let _cut_off = dropping.await;
    daemon.restart();
    daemon.wait_phase("Dropped", DEADLINE).await;
    let refused = tell(&daemon, &["resume"]).await;
    assert!(refused.code == 1 && refused.stderr.contains("--whole-task main"), "{refused:?}");
    reader.sql("COMMIT").await;
    let dropped = tell(&daemon, &drop).await;
    assert!(dropped.code == 0 && dropped.stdout.contains("with its rows"), "{dropped:?}");
    assert_eq!(scene.target.one("SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u')").await, "0");
    assert_eq!(tell(&daemon, &["resume"]).await.code, 0);
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

/// A table that several feed goes with the last of them; one that was there before stays, with its rows.
#[tokio::test]
async fn a_dropped_task_takes_along_what_is_its_own() {
    let scene = scene("control_own").await;
    scene.source.sql("CREATE TABLE u LIKE t; CREATE TABLE found LIKE t; INSERT INTO u VALUES (5, 5)").await;
    scene
        .target
        .sql("CREATE SCHEMA control_own; CREATE TABLE control_own.found (id integer PRIMARY KEY, v integer); INSERT INTO control_own.found VALUES (99, 9)")
        .await;
    let section = |table: &str| {
        format!("[task.main.table.\"control_own.{table}\"]\ntarget = \"merged\"\nsource_column = \"src\"")
    };
    let config = scene.config().task("existing_tables", "\"ignore\"").more(&section("t")).more(&section("u"));
    let daemon = scene.start_with(&config).await;
    let merged = "SELECT count(*) FROM control_own.merged";
    assert_eq!(scene.target.one(merged).await, "2");
    let dropped = tell(&daemon, &["drop", "--whole-task", "main", "--remove-rows"]).await;
    assert!(dropped.code == 0 && dropped.stdout.contains("control_own.found: its rows in"), "{dropped:?}");
    assert!(!dropped.stdout.contains("with its rows in the target"), "{dropped:?}");
    assert_eq!(scene.target.one("SELECT count(*) FROM pg_class WHERE relname = 'merged'").await, "0");
    assert_eq!(scene.target.one("SELECT v FROM control_own.found").await, "9");
}

/// Who holds no lock on a task while it waits to try again finds out that it is paused or dropped when it takes it.
#[tokio::test]
async fn a_task_that_is_paused_from_outside_while_it_waits_does_not_go_on() {
    let scene = scene("control_outside").await;
    let proxy = Proxy::start(scene.target.server.port());
    let daemon = scene.start_with(&scene.config_through(None, Some(&proxy))).await;
    // A command that finds no daemon: the same task by another way to the target.
    let other = scene.config().file();
    for (command, phase) in [(&["pause"][..], "Paused"), (&["drop", "--whole-task", "main"], "Dropped")] {
        daemon.wait_phase("Synchronizing", DEADLINE).await;
        proxy.refuse();
        proxy.cut();
        daemon.wait_phase("Retrying", DEADLINE).await;
        let told = rowferry(&[command, &["-c", &other]].concat()).await;
        assert_eq!(told.code, 0, "{told:?}");
        proxy.mend();
        daemon.wait_task(phase, DEADLINE, |task| task.phase.name() == phase).await;
        if phase == "Paused" {
            assert_eq!(tell(&daemon, &["resume"]).await.code, 0);
        }
    }
    assert_eq!(scene.target.one("SELECT count(*) FROM pg_class WHERE relname = 'main_position'").await, "0");
}

/// What is counted is told in the same words, over restarts.
#[tokio::test]
async fn what_was_counted_stays_so_over_restarts() {
    let scene = scene("control_counts").await;
    let daemon = scene.start().await;
    scene.target.sql("DELETE FROM control_counts.t").await;
    scene.source.sql("UPDATE t SET v = 2").await;
    scene.wait_applied(&daemon).await;
    for end in ["kill", "term"] {
        if end == "kill" {
            daemon.kill9();
        } else {
            daemon.terminate();
            assert_eq!(daemon.exit_code(DEADLINE).await, 0);
        }
        let told = tell(&daemon, &["audit"]).await;
        let drift = "drift: 1 rows were not as the stream implied, e.g. missing id=1";
        assert!(told.stdout.contains(&format!("control_counts.t: {drift}")), "{told:?}");
        daemon.restart();
        let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
        assert_eq!(task.tables["control_counts.t"].drift, 1);
        let status = tell(&daemon, &["status"]).await;
        assert!(status.stdout.contains(drift), "{status:?}");
    }
    // So do statements that reach none of its tables.
    let other = "CREATE DATABASE control_counts_other; CREATE TABLE control_counts_other.t (id INT PRIMARY KEY); \
                 SET SESSION binlog_format = STATEMENT; INSERT INTO control_counts_other.t VALUES (1)";
    scene.source.server.sql(other).await;
    let recorded = "SELECT coalesce(sum(counted), 0)::bigint FROM rowferry.main_counts WHERE kind = 'passed'";
    eventually(DEADLINE, "they are on record", async || {
        scene.source.sql("UPDATE t SET v = v + 1").await;
        scene.target.one(recorded).await != "0"
    })
    .await;
    daemon.kill9();
    let recorded: u64 = scene.target.one(recorded).await.parse().unwrap();
    daemon.restart();
    let task = daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert!(task.statements_passed >= recorded && recorded > 0, "{} {recorded}", task.statements_passed);
}
