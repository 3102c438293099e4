//! What a daemon is told at moments when it cannot do it at once: while the target is away, and during the first copy. Each command twice.

use crate::harness::{DEADLINE, Daemon, Output, Proxy, Scene, pause, rowferry};
use crate::healing::{is_carried, rows};
use std::time::Duration;

const SKIP: [&str; 2] = ["skip", "6a3e5a11-0000-4000-8000-000000000001:1"];
const WHOLE: [&str; 3] = ["drop", "--whole-task", "main"];

async fn tell(daemon: &Daemon, arguments: &[&str]) -> Output {
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    rowferry(&[arguments, &["-c", &config]].concat()).await
}

async fn done(daemon: &Daemon, arguments: &[&str], line: &str) {
    let told = tell(daemon, arguments).await;
    assert!(told.code == 0 && told.stdout.contains(line), "{arguments:?}: {told:?}");
}

async fn refused(daemon: &Daemon, arguments: &[&str], code: i32, why: &str) {
    let told = tell(daemon, arguments).await;
    assert!(
        told.code == code && told.stderr.contains(why) && told.stdout.is_empty(),
        "{arguments:?}: {told:?}"
    );
}

async fn tables(name: &str) -> Scene<'static> {
    let scene = Scene::new(name).await;
    for table in ["t", "u", "w"] {
        scene
            .source
            .sql(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY, v INT); INSERT INTO {table} VALUES (1, 1)"
            ))
            .await;
    }
    scene
}

#[tokio::test]
async fn while_the_target_is_away_a_command_is_done_afterwards_or_says_that_it_is_not_done() {
    let scene = tables("moments_away").await;
    let proxy = Proxy::start(scene.target.server.port());
    let daemon = scene.start_with(&scene.config_through(None, Some(&proxy))).await;
    for round in 0..2 {
        proxy.refuse();
        proxy.cut();
        daemon.wait_phase("Retrying", DEADLINE).await;
        scene.source.sql(&format!("INSERT INTO t VALUES (1{round}, 1); INSERT INTO w SELECT id, v FROM t WHERE id > 9 ON DUPLICATE KEY UPDATE v = 3")).await;
        for _ in 0..2 {
            for command in [&["pause"][..], &SKIP, &WHOLE] {
                refused(&daemon, command, 75, "").await;
            }
            done(&daemon, &["reload"], "nothing has changed").await;
            done(&daemon, &["resume"], "is not paused").await;
        }
        let back = async {
            pause(Duration::from_millis(700)).await;
            proxy.mend();
        };
        let (name, config) = (&scene.source.name, &daemon);
        let (t, u) = (format!("{name}.t"), format!("{name}.u"));
        let resync = ["resync", &t];
        let twice = async {
            let (one, other) = tokio::join!(tell(config, &resync), tell(config, &resync));
            let told = [one, other].map(|told| (told.code, told.stdout));
            let lines = ["it is copied again", "its copy is on its way"];
            let either = |line: &str| told.iter().any(|(code, said)| *code == 0 && said.contains(line));
            assert!(lines.into_iter().all(either), "{told:?}");
        };
        let change = [["drop", &u], ["add", &u]][round % 2];
        tokio::join!(
            back,
            twice,
            done(config, &change, if round == 0 { "not carried any more" } else { "beside the others" }),
        );
        daemon.wait_phase("Synchronizing", DEADLINE).await;
        scene.source.sql("UPDATE t SET v = v + 1; UPDATE w SET v = v + 1; UPDATE u SET v = v + 1").await;
        let carried = |table: &str| format!("{name}.{table}");
        daemon
            .wait_task("all are carried", DEADLINE, |task| {
                is_carried(task, &carried("t")) && (round == 0 || is_carried(task, &carried("u")))
            })
            .await;
        scene.assert_exact(&daemon, if round == 0 { &["t", "w"] } else { &["t", "u", "w"] }).await;
    }
}

#[tokio::test]
async fn during_a_copy_a_command_is_done_or_refused_and_every_row_arrives() {
    let scene = tables("moments_copy").await;
    scene.source.sql(&rows("big", 20_000)).await;
    let slow = "{ parallel = 1, chunk_rows = 500, max_rows_per_second = 4000 }";
    let daemon = Daemon::start(&scene.config().task("snapshot", slow).task("existing_tables", "\"clear\""));
    let name = scene.source.name.clone();
    let (t, big) = (format!("{name}.t"), format!("{name}.big"));
    for _ in 0..2 {
        daemon.wait_phase("Snapshot", DEADLINE).await;
        refused(&daemon, &SKIP, 1, "stands at no transaction").await;
        done(&daemon, &["reload"], "nothing has changed").await;
        done(&daemon, &["resume"], "is not paused").await;
        done(&daemon, &["pause"], "is paused").await;
        done(&daemon, &["pause"], "is paused already").await;
        scene.source.sql("INSERT INTO t SELECT MAX(id) + 1, 1 FROM t; UPDATE big SET w = w + 1").await;
        done(&daemon, &["resume"], "goes on").await;
    }
    daemon.wait_phase("Snapshot", DEADLINE).await;
    for line in ["it is copied again", "its copy is on its way, and goes on"] {
        done(&daemon, &["add", &t], "it is carried already").await;
        done(&daemon, &["resync", &big], line).await;
    }
    for round in 0..2 {
        done(&daemon, &WHOLE, if round == 0 { "its target tables stay" } else { "is dropped already" }).await;
    }
    done(&daemon, &["resume"], "begins anew").await;
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("UPDATE big SET w = w + 1 WHERE id % 2 = 0; DELETE FROM t WHERE id = 1").await;
    scene.assert_exact(&daemon, &["t", "u", "w", "big"]).await;
}
