//! One writer: transactions over all tables, chosen by dice, as fast as its pace allows.
//!
//! Transfers keep the sum of all accounts and write two legs into the journal. All other steps may fail on a key that exists:
//! the transaction then ends as the dice want, as applications do. Nothing is remembered of what was written: what counts is
//! what the source holds at the end.

use super::steps::{Steps, Transfer};
use super::tables::Size;
use super::xa::Branches;
use super::{Origin, Scale};
use crate::harness::{MysqlDatabase, MysqlSession, pause, run_folder};
use std::iter::Sum;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What writers have done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Transactions that committed.
    pub committed: u64,
    /// Those of them that were transfers.
    pub transfers: u64,
    /// Those of them that were XA.
    pub xa: u64,
    /// Transactions that were rolled back, wanted or not.
    pub rolled_back: u64,
    /// Connections made anew.
    pub reconnects: u64,
}

impl Sum for Written {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            committed: sum.committed + one.committed,
            transfers: sum.transfers + one.transfers,
            xa: sum.xa + one.xa,
            rolled_back: sum.rolled_back + one.rolled_back,
            reconnects: sum.reconnects + one.reconnects,
        })
    }
}

/// A transaction that did not come through.
#[derive(Debug)]
pub enum Broken {
    /// The server refused a statement: a key that exists, a deadlock, a lock not granted in time.
    Refused,
    /// The connection is lost, or left with something in it that only its end takes away.
    Lost,
}

/// Writes until `stop`. Connects again when the server goes away.
pub async fn write(
    database: &MysqlDatabase<'_>,
    origin: Origin,
    number: u64,
    scale: Scale,
    stop: &CancellationToken,
) -> Written {
    let mut writer = Writer {
        steps: Steps::new(origin, scale.seed, number, Size::of(scale.rows)),
        origin,
        number,
        branches: Branches::new(
            &database.name,
            number,
            origin,
            origin.xa_survives_a_kill() || !scale.source_dies,
        ),
        mixes_engines: origin.mixes_engines() && !scale.source_dies,
        file: run_folder().join(format!("load-{}-{number}", database.name)),
        written: Written::default(),
    };
    let mut session = None;
    let mut tries = tokio::time::interval(Duration::from_millis(50));
    tries.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        let Some(open) = &mut session else {
            tries.tick().await;
            session = writer.connect(database).await;
            continue;
        };
        match writer.transaction(open).await {
            Ok(true) => writer.written.committed += 1,
            Ok(false) => writer.written.rolled_back += 1,
            Err(Broken::Refused) => {
                writer.written.rolled_back += 1;
                if open.try_sql("ROLLBACK").await.is_err() {
                    session = None;
                }
            }
            Err(Broken::Lost) => {
                writer.written.reconnects += 1;
                session = None;
            }
        }
        let longest = scale.pace.longest_pause_micros;
        pause(Duration::from_micros(writer.steps.dice.below(longest + 1))).await;
    }
    drop(session);
    writer.branches.end_all(database.server).await;
    writer.written
}

struct Writer {
    steps: Steps,
    origin: Origin,
    number: u64,
    branches: Branches,
    mixes_engines: bool,
    file: std::path::PathBuf,
    written: Written,
}

impl Writer {
    async fn connect(&mut self, database: &MysqlDatabase<'_>) -> Option<MysqlSession> {
        let mut session = database.try_session().await.ok()?;
        session.try_sql(&self.origin.session(self.number)).await.ok()?;
        self.branches.end_some(&mut session).await?;
        Some(session)
    }

    /// One transaction; true when it was committed.
    async fn transaction(&mut self, session: &mut MysqlSession) -> Result<bool, Broken> {
        match self.steps.dice.below(1_000) {
            // One statement that commits by itself.
            0..100 => run(session, &self.steps.step()).await?,
            100..115 => run(session, &self.steps.load_data(&self.file)).await?,
            115..125 => {
                for statement in self.steps.temporary() {
                    // What is left of the table ends with the session.
                    run(session, &statement).await.map_err(|_| Broken::Lost)?;
                }
            }
            125..127 => run(session, "FLUSH BINARY LOGS").await?,
            127..150 if self.branches.wanted() => return self.distributed(session).await,
            150..165 if self.mixes_engines => return self.mixed(session).await,
            165..200 => {
                // All of it in one text.
                let Transfer { out, into } = self.steps.transfer();
                run(session, &format!("BEGIN; {}; {}; COMMIT", out.join("; "), into.join("; "))).await?;
                self.written.transfers += 1;
            }
            _ => return self.plain(session).await,
        }
        Ok(true)
    }

    async fn plain(&mut self, session: &mut MysqlSession) -> Result<bool, Broken> {
        run(session, "BEGIN").await?;
        let transfer = self.steps.dice.percent(50);
        let large = self.steps.dice.percent(1).then(|| self.steps.large());
        match (transfer, large) {
            (true, large) => self.transfer(session, large.as_deref()).await?,
            (false, Some(large)) => run(session, &large).await?,
            (false, None) => {}
        }
        if !transfer || self.steps.dice.percent(40) {
            self.some_steps(session, 5).await?;
        }
        if self.steps.dice.percent(8) {
            run(session, "SAVEPOINT s").await?;
            self.some_steps(session, 3).await?;
            if self.steps.dice.percent(60) {
                run(session, "ROLLBACK TO SAVEPOINT s").await?;
                self.some_steps(session, 1).await?;
            }
        }
        if self.steps.dice.percent(5) {
            run(session, "ROLLBACK").await?;
            return Ok(false);
        }
        run(session, "COMMIT").await?;
        self.written.transfers += u64::from(transfer);
        Ok(true)
    }

    /// A transaction that also writes to a table without transactions, or drops a temporary one. Servers log such ones even when
    /// they are rolled back: MySQL 5.6 after the second, MariaDB after both.
    async fn mixed(&mut self, session: &mut MysqlSession) -> Result<bool, Broken> {
        let scratch = self.steps.dice.percent(50);
        if scratch {
            run(session, "CREATE TEMPORARY TABLE IF NOT EXISTS scratch (i INT) ENGINE = InnoDB").await?;
        }
        run(session, "BEGIN").await?;
        let transfer = self.steps.dice.percent(50);
        if transfer {
            let beside = self.steps.beside();
            self.transfer(session, Some(&beside)).await?;
        } else {
            self.some_steps(session, 2).await?;
            run(session, "SAVEPOINT s").await?;
            let steps = &mut self.steps;
            let other = if scratch { "DROP TEMPORARY TABLE scratch".to_owned() } else { steps.beside() };
            run(session, &other).await?;
            self.some_steps(session, 2).await?;
            if self.steps.dice.percent(50) {
                run(session, "ROLLBACK TO SAVEPOINT s").await?;
            }
        }
        if transfer && scratch {
            run(session, "DROP TEMPORARY TABLE scratch").await?;
        }
        if self.steps.dice.percent(60) {
            run(session, "ROLLBACK").await?;
            return Ok(false);
        }
        run(session, "COMMIT").await?;
        self.written.transfers += u64::from(transfer);
        Ok(true)
    }

    /// An XA transaction.
    async fn distributed(&mut self, session: &mut MysqlSession) -> Result<bool, Broken> {
        let branch = self.branches.begin(session).await?;
        let transfer = self.steps.dice.percent(60);
        let work =
            if transfer { self.transfer(session, None).await } else { self.some_steps(session, 4).await };
        if let Err(broken) = work {
            branch.abandon(session).await?;
            return Err(broken);
        }
        let committed = branch.end(session, &mut self.steps.dice).await?;
        self.written.xa += u64::from(committed);
        self.written.transfers += u64::from(transfer && committed);
        Ok(committed)
    }

    async fn some_steps(&mut self, session: &mut MysqlSession, most: u64) -> Result<(), Broken> {
        for _ in 0..self.steps.dice.between(1, most) {
            self.any_step(session).await?;
        }
        Ok(())
    }

    /// A step whose failure on an existing key ends the transaction, or not: the server takes back the statement alone.
    async fn any_step(&mut self, session: &mut MysqlSession) -> Result<(), Broken> {
        let swap = self.steps.dice.percent(15);
        let statements = if swap { self.steps.swap() } else { vec![self.steps.step()] };
        for statement in statements {
            match session.try_sql(&statement).await {
                Ok(_) => {}
                Err(error) if is_duplicate(&error) && self.steps.dice.percent(70) => return Ok(()),
                Err(error) => return Err(broken(&statement, &error)),
            }
        }
        Ok(())
    }

    /// A transfer, `between` its legs another statement: a reader that sees a piece of that sees half of the transfer.
    async fn transfer(&mut self, session: &mut MysqlSession, between: Option<&str>) -> Result<(), Broken> {
        let Transfer { out, into } = self.steps.transfer();
        let between = between.map(str::to_owned);
        for statement in out.into_iter().chain(between).chain(into) {
            run(session, &statement).await?;
        }
        Ok(())
    }
}

/// Runs a statement of the load.
pub async fn run(session: &mut MysqlSession, statement: &str) -> Result<(), Broken> {
    match session.try_sql(statement).await {
        Ok(_) => Ok(()),
        Err(error) => Err(broken(statement, &error)),
    }
}

fn is_duplicate(error: &str) -> bool {
    error.contains("ERROR 1062 ")
}

/// What an error means for the writer. Panics on one that the load does not foresee.
fn broken(statement: &str, error: &str) -> Broken {
    // Deadlocks, locks not granted, tables redefined in between.
    let refused = ["ERROR 1213 ", "ERROR 1205 ", "ERROR 1412 "];
    if is_duplicate(error) || refused.iter().any(|code| error.contains(code)) {
        return Broken::Refused;
    }
    // The server shuts down, or only the connection speaks.
    let gone = error.contains("ERROR 1053 ") || error.contains("ERROR 1927 ") || !error.contains("ERROR ");
    assert!(gone, "the load's own statement is wrong: {error}\nin: {statement}");
    Broken::Lost
}
