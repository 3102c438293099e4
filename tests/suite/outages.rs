//! What the daemon stands on goes away and comes back, while the source is written to: PostgreSQL or MySQL killed, either of
//! them stopped, the network cut. The daemon itself goes on all the time.

use crate::harness::{
    DEADLINE, Daemon, Mysql, Postgres, Proxy, Scene, mysql97, pause, postgres, wait_applied,
};
use crate::load::{self, Dice, Report, Scale};
use std::time::Duration;

/// So slow that the copy can be hit.
const SLOW_COPY: &str = "{ parallel = 2, chunk_rows = 200, max_rows_per_second = 4000 }";

/// Waits for a random moment of the copy, or of whatever comes later.
async fn in_copy(daemon: &Daemon, dice: &mut Dice) {
    let copying = ["Snapshot", "CatchingUp", "Synchronizing"];
    daemon.wait_task("the copy runs", DEADLINE, |task| copying.contains(&task.phase.name())).await;
    pause(Duration::from_millis(dice.below(1_000))).await;
}

/// Waits for a random moment of the stream.
async fn in_stream(daemon: &Daemon, dice: &mut Dice) {
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    pause(Duration::from_millis(dice.below(500))).await;
}

async fn noticed(daemon: &Daemon, report: &str) {
    let restarts = daemon.task().await.map_or(0, |task| task.restarts);
    assert!(restarts > 0, "{report}: the daemon has not noticed");
}

fn tell(name: &str, report: &Report) {
    eprintln!("{name}: {report}");
}

#[tokio::test]
async fn a_postgres_killed_in_copy_and_stream_changes_nothing() {
    let postgres = Postgres::private(&["-c", "fsync=on"]).await;
    let scene = Scene::on(mysql97().await, &postgres, "outage_postgres").await;
    let config = load::config(&scene).task("snapshot", SLOW_COPY);
    let report = load::under_load(&scene, &config, Scale::small(11), async |daemon, dice| {
        in_copy(daemon, dice).await;
        postgres.kill();
        postgres.restart().await;
        for _ in 0..2 {
            in_stream(daemon, dice).await;
            postgres.kill();
            postgres.restart().await;
        }
        in_stream(daemon, dice).await;
        noticed(daemon, "killed PostgreSQL").await;
    })
    .await;
    tell("killed PostgreSQL", &report);
}

#[tokio::test]
async fn a_mysql_killed_in_copy_and_stream_changes_nothing() {
    let mysql = Mysql::private(&["--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1"]).await;
    let scene = Scene::on(&mysql, postgres().await, "outage_mysql").await;
    let config = load::config(&scene).task("snapshot", SLOW_COPY);
    let report = load::under_load(&scene, &config, Scale::small(12), async |daemon, dice| {
        in_copy(daemon, dice).await;
        mysql.kill();
        mysql.restart().await;
        in_stream(daemon, dice).await;
        mysql.kill();
        mysql.restart().await;
        in_stream(daemon, dice).await;
        noticed(daemon, "killed MySQL").await;
    })
    .await;
    assert!(report.written.reconnects > 0, "the writers have not noticed");
    tell("killed MySQL", &report);
}

#[tokio::test]
async fn servers_that_stand_still_and_go_on_change_nothing() {
    // Longer than every timeout of the daemon with ROWFERRY_SOAK_STOP_SECONDS=40.
    let seconds =
        std::env::var("ROWFERRY_SOAK_STOP_SECONDS").map_or(1, |text| text.parse().expect("seconds"));
    let still = Duration::from_secs(seconds);
    let (mysql, postgres) = tokio::join!(Mysql::private(&[]), Postgres::private(&[]));
    let scene = Scene::on(&mysql, &postgres, "outage_still").await;
    let config = load::config(&scene).task("snapshot", SLOW_COPY);
    let report = load::under_load(&scene, &config, Scale::small(13), async |daemon, dice| {
        for moment in 0..4 {
            if moment < 2 {
                in_copy(daemon, dice).await;
            } else {
                in_stream(daemon, dice).await;
            }
            if moment % 2 == 0 {
                mysql.signal("STOP");
                pause(still).await;
                mysql.signal("CONT");
            } else {
                postgres.signal("STOP");
                pause(still).await;
                postgres.signal("CONT");
            }
        }
    })
    .await;
    tell("servers that stood still", &report);
}

#[tokio::test]
async fn a_network_that_cuts_loses_and_truncates_changes_nothing() {
    let scene = Scene::new("outage_network").await;
    let (to_mysql, to_postgres) =
        (Proxy::start(scene.source.server.port()), Proxy::start(scene.target.server.port()));
    let config = load::config(&scene)
        .source("url", &format!("{:?}", to_mysql.url(&scene.source.server.url())))
        .target("url", &format!("{:?}", to_postgres.url(&scene.target.url())))
        .task("snapshot", SLOW_COPY);
    let report = load::under_load(&scene, &config, Scale::small(14), async |daemon, dice| {
        in_copy(daemon, dice).await;
        to_mysql.cut();
        in_copy(daemon, dice).await;
        to_postgres.cut();
        for fault in 0..6 {
            in_stream(daemon, dice).await;
            wait_applied(daemon, scene.source.server).await;
            // Each trap has to spring before the next fault: one that is armed on a connection ends with it, uncounted.
            match fault {
                0 => to_mysql.cut(),
                1 => to_postgres.cut(),
                2 => {
                    to_postgres.lose_reply("COMMIT", "COMMIT");
                    to_postgres.wait_sprung(1, DEADLINE).await;
                }
                3 => {
                    to_postgres.lose_request("COMMIT");
                    to_postgres.wait_sprung(2, DEADLINE).await;
                }
                4 => {
                    to_mysql.truncate(usize::try_from(dice.below(5_000)).expect("small"));
                    to_mysql.wait_sprung(1, DEADLINE).await;
                }
                _ => {
                    to_postgres.truncate(usize::try_from(dice.below(100)).expect("small"));
                    to_postgres.wait_sprung(3, DEADLINE).await;
                }
            }
        }
        in_stream(daemon, dice).await;
        noticed(daemon, "cut network").await;
    })
    .await;
    tell("cut network", &report);
}
