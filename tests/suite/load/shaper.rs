//! Changes the shape of tables while they are written to: columns come, at the end and in the middle, and get other names.

use super::dice::Dice;
use super::writer::{Broken, run};
use super::{Origin, Scale};
use crate::harness::{Daemon, MysqlDatabase, MysqlSession, pause};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Its place among the parts that have dice of their own.
const PART: u64 = 1_000;

/// Columns that each table gets at most.
const COLUMNS: usize = 4;

/// The tables, a column that each has from the start, and some of its rows.
const TABLES: [(&str, &str, &str); 3] =
    [("names", "n", "name LIKE '3%'"), ("parts", "v", "a % 50 = 7"), ("audit", "b", "id % 10 = 3")];

/// Changes tables until `stop`, starting when the task is first seen Synchronizing. Gives the number of statements.
pub async fn shape(
    database: &MysqlDatabase<'_>,
    daemon: &Daemon,
    origin: Origin,
    scale: Scale,
    stop: &CancellationToken,
) -> u64 {
    let mut dice = Dice::of(scale.seed, PART);
    let (mut session, mut done) = (None, 0);
    while !stop.is_cancelled() {
        pause(Duration::from_millis(dice.between(50, scale.longest_between_shapes_millis))).await;
        if done == 0 && daemon.task().await.is_none_or(|task| task.phase.name() != "Synchronizing") {
            continue;
        }
        if session.is_none() {
            session = connect(database, origin, &mut dice).await;
        }
        let Some(open) = &mut session else { continue };
        let table = *dice.pick(&TABLES);
        match change(open, origin, table, &mut dice).await {
            Ok(()) => done += 1,
            Err(Broken::Refused) => {}
            Err(Broken::Lost) => session = None,
        }
    }
    done
}

async fn connect(database: &MysqlDatabase<'_>, origin: Origin, dice: &mut Dice) -> Option<MysqlSession> {
    let mut session = database.try_session().await.ok()?;
    session.try_sql(&origin.session(dice.below(2))).await.ok()?;
    Some(session)
}

/// One change of a table's shape. What became of it so far is asked of the server: a lost connection may have left it done.
async fn change(
    session: &mut MysqlSession,
    origin: Origin,
    (table, beside, some): (&str, &str, &str),
    dice: &mut Dice,
) -> Result<(), Broken> {
    let columns = session
        .try_sql(&format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
               AND TABLE_NAME = '{table}' AND COLUMN_NAME LIKE 'x\\_%' ORDER BY COLUMN_NAME"
        ))
        .await
        .map_err(|_| Broken::Lost)?;
    let columns: Vec<String> = columns.into_iter().flatten().flatten().collect();
    if columns.len() < COLUMNS && (columns.is_empty() || dice.percent(60)) {
        let (number, column) = (columns.len(), format!("x_{}_0", columns.len()));
        let place = if dice.percent(50) { format!(" AFTER {beside}") } else { String::new() };
        let add = format!("ALTER TABLE {table} ADD COLUMN {column} {}{place}", definition(number));
        run(session, &add).await?;
        return run(session, &format!("UPDATE {table} SET {column} = 40 + {number} WHERE {some}")).await;
    }
    // Always to a name that it has not had.
    let from = dice.pick(&columns);
    let mut parts = from.split('_').skip(1).map(|part| part.parse::<usize>().expect("a number of ours"));
    let (number, times) = (parts.next().expect("its number"), parts.next().expect("its changes"));
    let to = format!("x_{number}_{}", times + 1);
    run(session, &origin.rename_column(table, from, &to, definition(number))).await
}

/// What the added columns are.
fn definition(column: usize) -> &'static str {
    match column % 4 {
        0 => "INT NOT NULL DEFAULT 7",
        1 => "VARCHAR(30) DEFAULT 'it''s new'",
        2 => "DECIMAL(10,2)",
        _ => "BIGINT UNSIGNED NOT NULL DEFAULT 18446744073709551615",
    }
}
