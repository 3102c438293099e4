//! kill -9 at random moments of pauses and resumes, while both tables are written to: each table is carried
//! by one stream at a place, or by none while it is paused.

use super::{is_paused, tell};
use crate::harness::{DEADLINE, Kind, Scene, eventually_some, pause, postgres};
use crate::healing::carried;
use crate::load::Dice;
use rowferry::testing::change::status::TablePhase;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Kills of each run.
const ROUNDS: u32 = 10;

/// Writes to both tables until told to stop, both within one transaction.
async fn write(scene: &Scene<'_>, stop: &AtomicBool) -> u32 {
    let mut session = scene.source.session().await;
    let mut round = 0;
    while !stop.load(Relaxed) {
        round += 1;
        let (key, other) = (round % 97, (round * 7) % 97);
        session
            .sql(&format!(
                "BEGIN; REPLACE INTO a VALUES ({key}, {round}); REPLACE INTO b VALUES ({key}, {round}); DELETE FROM a WHERE id = {other}; COMMIT; \
                 UPDATE a SET w = w + 1 WHERE id < 5; UPDATE IGNORE a SET id = id + 1000 WHERE id = {}",
                (round * 13) % 97
            ))
            .await;
        pause(Duration::from_millis(3)).await;
    }
    round
}

async fn killed(kind: Kind) {
    let (mysql, postgres) = tokio::join!(kind.shared(), postgres());
    let scene = Scene::on(mysql, postgres, &format!("paused_kills_{}", kind.name())).await;
    for table in ["a", "b"] {
        scene
            .source
            .sql(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY, w INT) ENGINE = InnoDB; INSERT INTO {table} VALUES (1, 1), (2, 2)"
            ))
            .await;
    }
    let daemon = scene.start_with(&scene.config().healing()).await;
    let table = super::oid(&scene, "a").await;
    let seed = u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos());
    println!("seed {seed}");
    let mut dice = Dice::of(seed, 1);
    let stop = AtomicBool::new(false);
    let (written, paused) = tokio::join!(write(&scene, &stop), async {
        let mut paused = 0;
        for round in 0..ROUNDS {
            let command = if round % 2 == 0 { "pause" } else { "resume" };
            let moment = Duration::from_millis(dice.below(if round % 3 == 0 { 2000 } else { 150 }));
            // Killed before, while and after it is done; who asks is not told.
            tokio::join!(
                async {
                    tell(&scene, &daemon, command, &["a"]).await;
                },
                async {
                    pause(moment).await;
                    daemon.kill9();
                }
            );
            daemon.restart();
            let status = eventually_some(DEADLINE * 2, "the table is paused or carried", async || {
                let task = daemon.task().await.filter(|task| task.phase.name() == "Synchronizing")?;
                let table = task.tables.get(&format!("{}.a", scene.source.name))?.clone();
                // Whatever it was, it may be on its way for some time.
                let settled = matches!(table.phase, TablePhase::Paused | TablePhase::Streaming);
                settled.then_some(table)
            })
            .await;
            if status.phase == TablePhase::Paused {
                paused += 1;
                let before = super::held(&scene, "a").await;
                pause(Duration::from_millis(200)).await;
                assert_eq!(super::held(&scene, "a").await, before, "rows of a paused table");
            }
        }
        stop.store(true, Relaxed);
        paused
    });
    let task = daemon.task().await.unwrap();
    if task.tables[&format!("{}.a", scene.source.name)].phase == TablePhase::Paused {
        super::resume(&scene, &daemon, "a").await;
    }
    carried(&scene, &daemon, "a").await;
    println!("{written} transactions, paused after {paused} of {ROUNDS} kills");
    scene.assert_exact(&daemon, &["a", "b"]).await;
    assert_eq!(super::oid(&scene, "a").await, table, "it was copied");
    super::pause(&scene, &daemon, "a").await;
    is_paused(&scene, &daemon, "a").await;
}

#[tokio::test]
async fn kills_around_pauses_and_resumes_from_mysql_9_7() {
    killed(Kind::Gtids97).await;
}

#[tokio::test]
async fn kills_around_pauses_and_resumes_by_file_positions() {
    killed(Kind::Files97).await;
}

#[tokio::test]
async fn kills_around_pauses_and_resumes_from_mysql_5_6() {
    killed(Kind::Files56).await;
}

#[tokio::test]
async fn kills_around_pauses_and_resumes_from_mariadb() {
    killed(Kind::Maria).await;
}
