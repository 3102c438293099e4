//! A running daemon is told to copy tables again, to let go of them, to take them up, and to take in its config.

use super::{carried, parked, rows};
use crate::harness::{DEADLINE, Daemon, Output, Scene, eventually, rowferry};
use rowferry::testing::change::status::TablePhase;

async fn tell(daemon: &Daemon, command: &[&str]) -> Output {
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let (name, rest) = command.split_first().unwrap();
    rowferry(&[&[*name, "-c", &config], rest].concat()).await
}

/// Done, with these words.
async fn done(daemon: &Daemon, command: &[&str], words: &str) {
    let told = tell(daemon, command).await;
    assert!(told.code == 0 && told.stdout.contains(words), "{command:?}: {told:?}");
}

async fn refused(daemon: &Daemon, command: &[&str], code: i32, words: &str) {
    let told = tell(daemon, command).await;
    assert!(told.code == code && told.stderr.contains(words), "{command:?}: {told:?}");
}

#[tokio::test]
async fn tables_are_copied_again_let_go_and_taken_up_while_the_daemon_runs() {
    let scene = Scene::new("healing_told").await;
    for table in ["t", "u", "v"] {
        scene.source.sql(&rows(table, 50)).await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    // What somebody has spoilt is mended.
    scene
        .target
        .sql("UPDATE healing_told.t SET v = 'spoilt' WHERE id = 3; DELETE FROM healing_told.t WHERE id = 4")
        .await;
    done(&daemon, &["resync", "healing_told.t"], "healing_told.t: it is copied again").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_equal("t").await;

    done(&daemon, &["drop", "healing_told.u"], "its target table stays").await;
    done(&daemon, &["drop", "--remove-rows", "healing_told.v"], "its rows are gone").await;
    let there = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class c JOIN pg_namespace n \
        ON n.oid = c.relnamespace WHERE nspname = 'healing_told' AND relkind = 'r'";
    assert_eq!(scene.target.one(there).await, "t u");
    scene.source.sql("UPDATE t SET w = 1; UPDATE u SET w = 1; INSERT INTO v VALUES (99, 'x', 1)").await;
    // What makes tables of their names brings none of them back.
    scene
        .source
        .sql(
            "CREATE TABLE n LIKE u; INSERT INTO n SELECT * FROM u; RENAME TABLE u TO o, n TO u; DROP TABLE o",
        )
        .await;
    for restarted in [false, true] {
        if restarted {
            daemon.restart();
            daemon.wait_phase("Synchronizing", DEADLINE).await;
        }
        scene.source.sql("UPDATE t SET w = w + 1").await;
        scene.assert_exact(&daemon, &["t"]).await;
        assert_eq!(scene.target.one("SELECT count(*) FROM healing_told.u WHERE w = 1").await, "1");
        let task = daemon.task().await.unwrap();
        assert_eq!(task.tables["healing_told.u"].phase, TablePhase::LetGo);
        let (code, body) = daemon.get("/readyz").await.unwrap();
        assert_eq!(code, 200, "{body}");
        done(&daemon, &["drop", "healing_told.u"], "it is not carried").await;
    }
    done(&daemon, &["add", "healing_told.u", "healing_told.v"], "it is copied beside the others").await;
    carried(&scene, &daemon, "u").await;
    carried(&scene, &daemon, "v").await;
    scene.source.sql("DELETE FROM v WHERE id < 10; UPDATE u SET w = 7").await;
    scene.assert_exact(&daemon, &["t", "u", "v"]).await;
    done(&daemon, &["add", "healing_told.u"], "it is carried already").await;

    refused(&daemon, &["resync", "healing_told.x"], 1, "not on record").await;
    refused(&daemon, &["add", "elsewhere.x"], 1, "not among the tables of task main").await;
    refused(&daemon, &["resync", "--task", "other", "healing_told.t"], 2, "there is no task \"other\"").await;
    // The same without a daemon.
    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    done(&daemon, &["drop", "--remove-rows", "healing_told.v"], "when task main runs").await;
    assert_eq!(scene.target.one(there).await, "t u");
    done(&daemon, &["drop", "healing_told.t"], "its target table stays").await;
    done(&daemon, &["add", "healing_told.t"], "it is copied again").await;
    refused(&daemon, &["reload"], 1, "no daemon of this config runs").await;
    daemon.restart();
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

#[tokio::test]
async fn a_task_that_has_failed_over_a_table_runs_again_when_it_is_let_go() {
    let scene = Scene::new("healing_failed").await;
    scene.source.sql(&rows("t", 20)).await;
    scene.source.sql(&rows("u", 20)).await;
    let daemon = scene.start_with(&scene.config()).await;
    scene.source.sql("TRUNCATE t; UPDATE u SET w = 5").await;
    daemon.wait_task("it fails", DEADLINE, |task| task.phase.name() == "Failed").await;
    done(&daemon, &["drop", "healing_failed.t"], "not carried any more").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.assert_exact(&daemon, &["u"]).await;
    done(&daemon, &["add", "healing_failed.t"], "it is copied beside the others").await;
    carried(&scene, &daemon, "t").await;
    scene.source.sql("INSERT INTO t VALUES (1, 'x', 1)").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

/// As remedies have it: what a reload has answered is on record.
#[tokio::test]
async fn a_table_that_is_out_for_one_reload_is_another_one_when_it_is_back() {
    let scene = Scene::new("healing_in_out").await;
    scene.source.sql(&rows("t", 20)).await;
    scene.source.sql(&rows("u", 20)).await;
    let config = scene.config().healing().task("existing_tables", "\"clear\"");
    let daemon = scene.start_with(&config).await;
    // A hand at the target.
    scene.target.sql("DELETE FROM healing_in_out.t WHERE id < 5").await;
    daemon.reconfigure(&config.clone().task("tables", "[\"healing_in_out.*\", \"!healing_in_out.t\"]"));
    done(&daemon, &["reload"], "starts over with its new settings").await;
    daemon.reconfigure(&config);
    done(&daemon, &["reload"], "starts over with its new settings").await;
    carried(&scene, &daemon, "t").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

#[tokio::test]
async fn a_config_is_taken_in_while_the_tasks_that_it_leaves_alone_go_on() {
    let scene = Scene::new("healing_reload").await;
    for table in ["t", "u", "big"] {
        scene.source.sql(&rows(table, 20)).await;
    }
    let name = "healing_reload";
    let other = |tables: &str| {
        format!(
            "[task.other]\nsource = \"src\"\ntarget = \"dst\"\ntables = [{tables}]\nschemas = {{ {name} = \"elsewhere\" }}\n"
        )
    };
    let config = scene.config().healing().task("tables", &format!("[\"{name}.t\", \"{name}.big\"]"));
    let daemon = scene.start_with(&config.clone().more(&other(&format!("\"{name}.t\"")))).await;
    done(&daemon, &["reload"], "nothing has changed").await;
    // A table more, and a policy.
    let two = format!("\"{name}.t\", \"{name}.u\"");
    daemon.reconfigure(&config.clone().more(&other(&two)));
    done(&daemon, &["reload"], "task other starts over with its new settings").await;
    let elsewhere = "SELECT count(*) FROM elsewhere.u";
    eventually(DEADLINE, "the table is added", async || {
        scene.target.try_sql(elsewhere).await.is_ok_and(|rows| rows[0][0].as_deref() == Some("20"))
    })
    .await;
    let begins = daemon.log().matches("following the log task=\"main\"").count();
    assert_eq!(begins, 1, "{}", daemon.log());
    // One that cannot be used changes nothing, and neither does its signal.
    daemon.reconfigure(&config.clone().task("zero_dates", "\"never\""));
    refused(&daemon, &["reload"], 2, "task.main.zero_dates = \"never\"").await;
    daemon.signal("HUP");
    eventually(DEADLINE, "the signal is told", async || {
        daemon.log().contains("everything goes on as it was")
    })
    .await;
    scene.source.sql("UPDATE t SET w = 6").await;
    scene.wait_applied(&daemon).await;
    // A task less, a level and a key that takes a restart, by signal.
    let less = config.clone().daemon("log_level", "\"warn\"").daemon("shutdown_grace", "\"7s\"");
    daemon.reconfigure(&less.daemon("spill_dir", "\"/var/tmp\""));
    daemon.signal("HUP");
    eventually(DEADLINE, "the task is gone", async || {
        daemon.status().await.is_some_and(|model| !model.tasks.contains_key("other"))
    })
    .await;
    scene.source.sql("UPDATE t SET w = 7; UPDATE big SET w = 7").await;
    scene.assert_exact(&daemon, &["t", "big"]).await;
    assert_eq!(scene.target.one("SELECT max(w) FROM elsewhere.t").await, "6");
    let model = daemon.status().await.unwrap();
    assert!(std::path::Path::new(&model.config.socket).exists(), "{:?}", model.config);
    // Parked for what its target refuses; mended, and told so.
    scene.target.sql("ALTER TABLE healing_reload.big ADD CONSTRAINT small CHECK (w < 100)").await;
    scene.source.sql("UPDATE big SET w = 1000 WHERE id = 3").await;
    parked(&scene, &daemon, "big").await;
    scene.target.sql("ALTER TABLE healing_reload.big DROP CONSTRAINT small").await;
    done(&daemon, &["resync", "healing_reload.big"], "it is copied again").await;
    carried(&scene, &daemon, "big").await;
    scene.assert_exact(&daemon, &["t", "big"]).await;
    daemon.terminate();
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    assert!(!std::path::Path::new(&model.config.socket).exists(), "its socket stays");
}
