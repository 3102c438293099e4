//! XA transactions of a writer: prepared, left alone for a while or by their session, and ended one way or the other.
//!
//! What must never happen here: a branch that stays prepared when the load has ended.

use super::dice::Dice;
use super::writer::{Broken, run};
use crate::harness::{DEADLINE, Mysql, MysqlSession, eventually, pause};
use std::time::Duration;

/// The branches of one writer.
#[derive(Clone, Debug)]
pub struct Branches {
    prefix: String,
    wanted: bool,
    begun: u64,
}

/// A branch that takes changes.
#[derive(Debug)]
pub struct Branch(String);

impl Branches {
    /// Of a writer of a load in that database.
    pub fn new(database: &str, number: u64, wanted: bool) -> Self {
        Self { prefix: format!("{database}/{number}/"), wanted, begun: 0 }
    }

    /// Whether the load has XA transactions.
    pub fn wanted(&self) -> bool {
        self.wanted
    }

    /// Starts one.
    pub async fn begin(&mut self, session: &mut MysqlSession) -> Result<Branch, Broken> {
        self.begun += 1;
        let branch = Branch(format!("'{}{}'", self.prefix, self.begun));
        run(session, &format!("XA START {}", branch.0)).await?;
        Ok(branch)
    }

    /// Ends what an earlier session has left prepared, as a transaction manager does. `None` when the server goes away.
    pub async fn end_some(&self, session: &mut MysqlSession) -> Option<()> {
        for branch in self.prepared(session).await? {
            // Refused while the server still takes leave of that session: the next look finds it again.
            let _ = session.try_sql(&decision(&branch)).await;
        }
        Some(())
    }

    /// Ends everything that is left.
    pub async fn end_all(&self, server: &Mysql) {
        if !self.wanted {
            return;
        }
        eventually(DEADLINE, "no XA transaction of the load is left", async || {
            let mut session = server.session().await;
            let left = self.prepared(&mut session).await.unwrap_or_default();
            for branch in &left {
                let _ = session.try_sql(&decision(branch)).await;
            }
            left.is_empty()
        })
        .await;
    }

    async fn prepared(&self, session: &mut MysqlSession) -> Option<Vec<String>> {
        if !self.wanted {
            return Some(Vec::new());
        }
        let rows = session.try_sql("XA RECOVER").await.ok()?;
        let names = rows.into_iter().filter_map(|row| row.into_iter().nth(3).flatten());
        Some(names.filter(|name| name.starts_with(&self.prefix)).map(|name| format!("'{name}'")).collect())
    }
}

/// How a branch ends that its session has left: the same however often that is tried, as with any transaction manager. MariaDB
/// may have logged an attempt that it refused.
fn decision(branch: &str) -> String {
    let commits = branch.bytes().map(u32::from).sum::<u32>() % 5 < 3;
    format!("XA {} {branch}", if commits { "COMMIT" } else { "ROLLBACK" })
}

impl Branch {
    /// Ends it: at once, or in two phases with a pause between, in which its session may go. True when committed.
    pub async fn end(self, session: &mut MysqlSession, dice: &mut Dice) -> Result<bool, Broken> {
        run(session, &format!("XA END {}", self.0)).await?;
        if dice.percent(20) {
            run(session, &format!("XA COMMIT {} ONE PHASE", self.0)).await?;
            return Ok(true);
        }
        run(session, &format!("XA PREPARE {}", self.0)).await?;
        let longest = if dice.percent(10) { 1_000 } else { 60 };
        pause(Duration::from_millis(dice.below(longest))).await;
        if dice.percent(15) {
            return Err(Broken::Lost);
        }
        let committed = dice.percent(75);
        let end = if committed { "COMMIT" } else { "ROLLBACK" };
        run(session, &format!("XA {end} {}", self.0)).await?;
        Ok(committed)
    }

    /// Takes it back after a statement was refused, which may have made the server give up all of it.
    pub async fn abandon(self, session: &mut MysqlSession) -> Result<(), Broken> {
        let _ = session.try_sql(&format!("XA END {}", self.0)).await;
        session.try_sql(&format!("XA ROLLBACK {}", self.0)).await.map(drop).map_err(|_| Broken::Lost)
    }
}
