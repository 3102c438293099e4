//! `rowferry pause` and `resume` of single tables: nothing is applied to them until they are resumed, and the
//! others go on.

mod answers;
mod exact;
mod kills;
mod lost_log;
mod on_its_way;
mod shared;
mod told;

use crate::harness::{DEADLINE, Daemon, Output, Scene, rowferry};
use rowferry::testing::change::status::{TablePhase, TableStatus};

/// A command about tables of the scene.
async fn tell(scene: &Scene<'_>, daemon: &Daemon, command: &str, tables: &[&str]) -> Output {
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let tables: Vec<String> = tables.iter().map(|table| format!("{}.{table}", scene.source.name)).collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    rowferry(&[&[command, "-c", &config], tables.as_slice()].concat()).await
}

/// It is done, and says so.
async fn done(scene: &Scene<'_>, daemon: &Daemon, command: &str, tables: &[&str], says: &str) {
    let told = tell(scene, daemon, command, tables).await;
    assert!(told.code == 0 && told.stdout.contains(says), "{command} {tables:?}: {told:?}");
}

/// It is refused with this code, and says why.
async fn refused(
    scene: &Scene<'_>,
    daemon: &Daemon,
    (command, table): (&str, &str),
    code: i32,
    words: &[&str],
) {
    let told = tell(scene, daemon, command, &[table]).await;
    assert!(told.code == code && told.stdout.is_empty(), "{command} {table}: {told:?}");
    for word in words {
        assert!(told.stderr.contains(word), "{command} {table}: {word} is missing: {told:?}");
    }
}

async fn pause(scene: &Scene<'_>, daemon: &Daemon, table: &str) {
    done(scene, daemon, "pause", &[table], "it is paused, and stays so").await;
}

async fn resume(scene: &Scene<'_>, daemon: &Daemon, table: &str) {
    done(scene, daemon, "resume", &[table], "it goes on from where it was").await;
}

/// Waits until the table is told as paused by a task that is Synchronizing.
async fn is_paused(scene: &Scene<'_>, daemon: &Daemon, table: &str) -> TableStatus {
    let name = format!("{}.{table}", scene.source.name);
    let task = daemon
        .wait_task(&format!("{name} is paused"), DEADLINE, |task| {
            let is = task.tables.get(&name).is_some_and(|table| table.phase == TablePhase::Paused);
            is && task.phase.name() == "Synchronizing"
        })
        .await;
    let table = task.tables[&name].clone();
    assert!(table.paused.is_some() && !table.aside, "{table:?}");
    table
}

/// What the target has of a table, and which table that is.
async fn held(scene: &Scene<'_>, table: &str) -> String {
    let name = format!("{}.{table}", scene.source.name);
    let rows = format!(
        "SELECT '{name}'::regclass::oid || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY id)), '') FROM {name} t"
    );
    scene.target.one(&rows).await
}

/// Which table of the target it is.
async fn oid(scene: &Scene<'_>, table: &str) -> String {
    scene.target.one(&format!("SELECT '{}.{table}'::regclass::oid", scene.source.name)).await
}
