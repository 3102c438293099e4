//! `rowferry verify`: source and target are compared while the daemon goes on, and what differs is put right.

mod commands;
mod continuous;
mod injected;
mod on_the_move;
mod types;
mod unlogged;

use crate::harness::{Daemon, Output, rowferry};
use rowferry::testing::change::verdict::{Outcome, TableVerdict};
use std::collections::BTreeMap;

/// Runs the command with the daemon's config.
pub async fn verify(daemon: &Daemon, arguments: &[&str]) -> Output {
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    rowferry(&[&["verify", "-c", &config], arguments].concat()).await
}

/// What it says of each table, by its name without the database.
pub async fn verdicts(daemon: &Daemon, arguments: &[&str]) -> BTreeMap<String, TableVerdict> {
    let told = verify(daemon, &[&["--json"], arguments].concat()).await;
    let all: BTreeMap<String, Vec<TableVerdict>> =
        serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    let verdicts: BTreeMap<String, TableVerdict> = all
        .into_values()
        .flatten()
        .map(|verdict| (verdict.table.split_once('.').unwrap().1.to_owned(), verdict))
        .collect();
    let good = |verdict: &TableVerdict| matches!(verdict.outcome, Outcome::Equal | Outcome::Repaired);
    assert_eq!(told.code, i32::from(!verdicts.values().all(good)), "{told:?}");
    verdicts
}

/// Fails unless every table is equal.
pub async fn assert_verified(daemon: &Daemon) {
    for (table, verdict) in verdicts(daemon, &[]).await {
        assert_eq!(verdict.outcome, Outcome::Equal, "{table}: {verdict:?}");
    }
}
