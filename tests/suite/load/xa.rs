//! XA transactions of a writer: prepared, left alone for a while or by their session, and ended one way or the other.
//!
//! What must never happen here: a branch that stays prepared when the load has ended.
//!
//! MariaDB (10.11, seen under load) detaches a branch from its session before its engine does (`THD::cleanup` in
//! `sql_class.cc`, `ha_close_connection` later). The end that another session gives it in between is answered and logged,
//! refused by the engine and forgotten: the rows stay prepared, XA RECOVER does not list them, and whoever reads the log has
//! what the source does not show. So nothing is ended there before the engine has let go, as `Branches::let_go` sees.

use super::Origin;
use super::dice::Dice;
use super::writer::{Broken, run};
use crate::harness::{DEADLINE, Mysql, MysqlSession, eventually, pause};
use std::time::Duration;

/// The branches of one writer.
#[derive(Clone, Debug)]
pub struct Branches {
    prefix: String,
    wanted: bool,
    /// Whether the server lets others end a branch too early.
    detaches_early: bool,
    /// The server's numbers of this writer's sessions that may not be gone yet.
    earlier: Vec<String>,
    begun: u64,
}

/// A branch that takes changes.
#[derive(Debug)]
pub struct Branch(String);

impl Branches {
    /// Of a writer of a load in that database.
    pub fn new(database: &str, number: u64, origin: Origin, wanted: bool) -> Self {
        let detaches_early = origin == Origin::MariaDb;
        Self {
            prefix: format!("{database}/{number}/"),
            wanted,
            detaches_early,
            earlier: Vec::new(),
            begun: 0,
        }
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

    /// Ends what an earlier session has left prepared, as a transaction manager does; `session` is the writer's next. `None`
    /// when the server goes away.
    pub async fn end_some(&mut self, session: &mut MysqlSession) -> Option<()> {
        if self.let_go(session).await? {
            for branch in self.prepared(session).await? {
                // Refused while the server still takes leave of that session: the next look finds it again.
                let _ = session.try_sql(&decision(&branch)).await;
            }
        }
        if self.wanted && self.detaches_early {
            let number = session.try_sql("SELECT CONNECTION_ID()").await.ok()?;
            self.earlier.extend(number.into_iter().flatten().flatten());
        }
        Some(())
    }

    /// Whether the engine holds nothing of an earlier session any more.
    async fn let_go(&mut self, session: &mut MysqlSession) -> Option<bool> {
        if self.earlier.is_empty() {
            return Some(true);
        }
        // Unlike information_schema.innodb_trx, which may be as old as a tenth of a second.
        let status = session.try_sql("SHOW ENGINE INNODB STATUS").await.ok()?;
        let text = status.into_iter().flatten().flatten().next_back()?;
        // Before that it tells of the last deadlock, for ever.
        let (_, sessions) = text.split_once("LIST OF TRANSACTIONS FOR EACH SESSION")?;
        self.earlier.retain(|number| sessions.contains(&format!("thread id {number},")));
        Some(self.earlier.is_empty())
    }

    /// Ends everything that is left.
    pub async fn end_all(&mut self, server: &Mysql) {
        if !self.wanted {
            return;
        }
        eventually(DEADLINE, "no XA transaction of the load is left", async || {
            let mut session = server.session().await;
            if self.let_go(&mut session).await != Some(true) {
                return false;
            }
            let Some(left) = self.prepared(&mut session).await else { return false };
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

/// How a branch ends that its session has left: the same however often that is tried, as with any transaction manager.
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
