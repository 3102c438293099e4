//! Rows that the target cannot hold, where `bad_rows = "quarantine"`: they are kept with what they hold, their tables go on, and a later
//! row of the same key that fits takes them out.

mod compared;
mod copied;
mod kept;
mod kills;
mod refused;
mod together;
mod told;

use crate::harness::{Config, Scene};
use rowferry::testing::change::status::TaskStatus;

/// The scene's config with quarantine.
fn config(scene: &Scene<'_>) -> Config {
    scene.config().task("bad_rows", "\"quarantine\"")
}

/// The keys in quarantine, in words.
async fn kept(scene: &Scene<'_>) -> String {
    scene
        .target
        .one("SELECT coalesce(string_agg(row_key, '; ' ORDER BY row_key), '') FROM rowferry.main_quarantine")
        .await
}

/// The `id`s that the target has.
async fn ids(scene: &Scene<'_>, table: &str) -> String {
    let schema = &scene.source.name;
    let ids = format!("SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM {schema}.{table}");
    scene.target.one(&ids).await
}

/// How many rows of a table the status says are in quarantine.
fn count(task: &TaskStatus, table: &str) -> u64 {
    task.tables
        .iter()
        .find(|(name, _)| name.ends_with(&format!(".{table}")))
        .map_or(0, |(_, table)| table.quarantined)
}
