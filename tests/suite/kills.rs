//! kill -9 of the daemon at random moments of copy, catch-up and stream, while the source is written to: from every kind of
//! source, to PostgreSQL and to Greenplum.
//!
//! The environment makes one of them long (`scripts/soak` does): `ROWFERRY_SOAK_SOURCE`, `_TARGET`, `_ROWS`, `_KILLS`,
//! `_WRITERS`, `_KILL_SERVERS`, `_HEAL`, `_COMPARED_SECONDS`, `_SEED`. Without a seed one is drawn; it is printed, and a failure shows it.

mod hands;
mod heal;
mod probe;
mod run;

use crate::load::Origin;
use run::{Run, Target};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}

fn drawn() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into()
}

#[tokio::test]
async fn kills_at_random_moments_leave_every_table_equal_and_every_transaction_whole() {
    let source = std::env::var("ROWFERRY_SOAK_SOURCE").unwrap_or_else(|_| Origin::Mysql97.name().to_owned());
    let target = match std::env::var("ROWFERRY_SOAK_TARGET").as_deref() {
        Ok("greenplum") => Target::Greenplum,
        Ok("postgres") | Err(_) => Target::Postgres,
        Ok(other) => panic!("ROWFERRY_SOAK_TARGET is '{other}': postgres or greenplum"),
    };
    let run = Run {
        origin: Origin::named(&source),
        target,
        rows: number("ROWFERRY_SOAK_ROWS", 30_000),
        kills: number("ROWFERRY_SOAK_KILLS", 6),
        writers: number("ROWFERRY_SOAK_WRITERS", 4),
        kill_servers: number("ROWFERRY_SOAK_KILL_SERVERS", 0) > 0,
        heal: number("ROWFERRY_SOAK_HEAL", 0) > 0,
        compared_for: Some(number("ROWFERRY_SOAK_COMPARED_SECONDS", 0))
            .filter(|s| *s > 0)
            .map(Duration::from_secs),
        seed: number("ROWFERRY_SOAK_SEED", drawn()),
    };
    run.on("kills").await;
}

/// A few kills on a small load; the moments and the choices are drawn anew each time.
async fn a_few_kills(origin: Origin, target: Target, name: &str) {
    let (rows, kills, writers) = (8_000, 3, 3);
    Run {
        origin,
        target,
        rows,
        kills,
        writers,
        kill_servers: false,
        heal: false,
        compared_for: None,
        seed: drawn(),
    }
    .on(name)
    .await;
}

#[tokio::test]
async fn kills_from_mysql_9_7_by_file_positions() {
    a_few_kills(Origin::Mysql97Files, Target::Postgres, "kills_97_files").await;
}

#[tokio::test]
async fn kills_from_mysql_5_6_by_file_positions() {
    a_few_kills(Origin::Mysql56, Target::Postgres, "kills_56").await;
}

#[tokio::test]
async fn kills_from_mysql_5_6_by_gtids() {
    a_few_kills(Origin::Mysql56Gtid, Target::Postgres, "kills_56_gtid").await;
}

#[tokio::test]
async fn kills_from_mariadb() {
    a_few_kills(Origin::MariaDb, Target::Postgres, "kills_mariadb").await;
}

#[tokio::test]
async fn kills_from_mysql_9_7_to_greenplum() {
    a_few_kills(Origin::Mysql97, Target::Greenplum, "kills_greenplum").await;
}

#[tokio::test]
async fn kills_of_the_servers_too() {
    let (rows, kills, writers) = (8_000, 4, 3);
    let (origin, target) = (Origin::MariaDb, Target::Postgres);
    let heal = false;
    Run { origin, target, rows, kills, writers, kill_servers: true, heal, compared_for: None, seed: drawn() }
        .on("kills_servers")
        .await;
}

#[tokio::test]
async fn kills_while_tables_are_copied_again() {
    let (rows, kills, writers) = (8_000, 4, 3);
    let (origin, target) = (Origin::Mysql97, Target::Postgres);
    Run {
        origin,
        target,
        rows,
        kills,
        writers,
        kill_servers: false,
        heal: true,
        compared_for: None,
        seed: drawn(),
    }
    .on("kills_heal")
    .await;
}
