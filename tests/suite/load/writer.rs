//! One writer: transactions over all tables, chosen by dice, as fast as its pace allows.
//!
//! Transfers keep the sum of all accounts and write two legs into the journal. All other steps may fail on a key that exists:
//! the transaction then ends as the dice want, as applications do. Nothing is remembered of what was written: what counts is
//! what the source holds at the end.

use super::dice::Dice;
use super::tables::{PARTS_EACH, Size};
use super::{ACCOUNTS, Pace};
use crate::harness::{MysqlDatabase, MysqlSession, pause};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What writers have done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Transactions that committed.
    pub committed: u64,
    /// Those of them that were transfers.
    pub transfers: u64,
    /// Transactions that were rolled back, wanted or not.
    pub rolled_back: u64,
    /// Connections made anew.
    pub reconnects: u64,
}

/// A transaction that did not come through.
enum Broken {
    /// The server refused a statement: a key that exists, a deadlock, a lock not granted in time.
    Refused,
    /// The connection is lost.
    Lost,
}

/// Writes until `stop`. Connects again when the server goes away.
pub async fn write(
    database: &MysqlDatabase<'_>,
    number: u64,
    seed: u64,
    size: Size,
    pace: Pace,
    stop: &CancellationToken,
) -> Written {
    let mut writer =
        Writer { dice: Dice::of(seed, number), number, size, transfers: 0, written: Written::default() };
    let mut session = None;
    while !stop.is_cancelled() {
        let Some(open) = &mut session else {
            session = connect(database).await;
            if session.is_none() {
                pause(Duration::from_millis(50)).await;
            }
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
        pause(Duration::from_micros(writer.dice.below(pace.longest_pause_micros + 1))).await;
    }
    writer.written
}

async fn connect(database: &MysqlDatabase<'_>) -> Option<MysqlSession> {
    let mut session = database.try_session().await.ok()?;
    session.try_sql("SET SESSION innodb_lock_wait_timeout = 3").await.ok()?;
    Some(session)
}

struct Writer {
    dice: Dice,
    number: u64,
    size: Size,
    transfers: u64,
    written: Written,
}

impl Writer {
    /// One transaction; true when it was committed.
    async fn transaction(&mut self, session: &mut MysqlSession) -> Result<bool, Broken> {
        if self.dice.percent(10) {
            // One statement that commits by itself.
            let step = self.step();
            run(session, &step).await?;
            return Ok(true);
        }
        run(session, "BEGIN").await?;
        let transfer = self.dice.percent(50);
        let large = self.dice.percent(1).then(|| self.large());
        match (transfer, large) {
            // Between the legs: a reader that sees a piece of the large transaction sees half of the transfer.
            (true, large) => self.transfer(session, large.as_deref()).await?,
            (false, Some(large)) => run(session, &large).await?,
            (false, None) => {}
        }
        if !transfer || self.dice.percent(40) {
            for _ in 0..self.dice.between(1, 5) {
                self.any_step(session).await?;
            }
        }
        if self.dice.percent(8) {
            run(session, "SAVEPOINT s").await?;
            for _ in 0..self.dice.between(1, 3) {
                self.any_step(session).await?;
            }
            if self.dice.percent(60) {
                run(session, "ROLLBACK TO SAVEPOINT s").await?;
                self.any_step(session).await?;
            }
        }
        if self.dice.percent(5) {
            run(session, "ROLLBACK").await?;
            return Ok(false);
        }
        run(session, "COMMIT").await?;
        self.written.transfers += u64::from(transfer);
        Ok(true)
    }

    /// A step whose failure on an existing key ends the transaction, or not: the server takes back the statement alone.
    async fn any_step(&mut self, session: &mut MysqlSession) -> Result<(), Broken> {
        let statements = if self.dice.percent(15) { self.swap() } else { vec![self.step()] };
        for statement in statements {
            match session.try_sql(&statement).await {
                Ok(_) => {}
                Err(error) if is_duplicate(&error) && self.dice.percent(70) => return Ok(()),
                Err(error) => return Err(broken(&statement, &error)),
            }
        }
        Ok(())
    }

    async fn transfer(&mut self, session: &mut MysqlSession, between: Option<&str>) -> Result<(), Broken> {
        let from = self.dice.between(1, u64::from(ACCOUNTS));
        let to = 1 + (from + self.dice.below(u64::from(ACCOUNTS) - 1)) % u64::from(ACCOUNTS);
        let amount = self.dice.between(1, 500);
        self.transfers += 1;
        let transfer = self.number * 1_000_000_000 + self.transfers;
        let take = format!("UPDATE accounts SET balance = balance - {amount} WHERE id = {from}");
        let give = format!("UPDATE accounts SET balance = balance + {amount} WHERE id = {to}");
        let journal = "INSERT INTO journal (transfer, account, amount) VALUES";
        let (out, into) =
            (format!("({transfer}, {from}, -{amount})"), format!("({transfer}, {to}, {amount})"));
        run(session, &take).await?;
        if between.is_none() && self.dice.percent(50) {
            run(session, &format!("{journal} {out}, {into}")).await?;
            return run(session, &give).await;
        }
        run(session, &format!("{journal} {out}")).await?;
        if let Some(between) = between {
            run(session, between).await?;
        }
        run(session, &give).await?;
        run(session, &format!("{journal} {into}")).await
    }

    fn item(&mut self) -> u64 {
        self.dice.between(1, self.size.items * 2)
    }

    fn name(&mut self) -> u64 {
        self.dice.between(1, self.size.names)
    }

    fn part(&mut self) -> (u64, u64) {
        (self.dice.between(1, self.size.parts), self.dice.between(1, PARTS_EACH * 2))
    }

    /// One statement of a few rows.
    fn step(&mut self) -> String {
        let (a, b) = (self.item(), self.item());
        let n = self.dice.below(1_000_000);
        match self.dice.below(19) {
            0 | 1 => format!(
                "INSERT INTO items VALUES ({a}, 'fresh ü {n}', {n}, {n}.5, NULL, '{{\"n\": [{n}, null]}}', 'used', NOW(6))"
            ),
            2 => format!(
                "INSERT IGNORE INTO items SELECT id + 1, name, qty + 1, price, 'copied', doc, kind, NOW(6) \
                 FROM items WHERE id BETWEEN {a} AND {a} + 20 AND id % 2 = 0"
            ),
            3 | 4 => format!("UPDATE items SET qty = {n}, changed = NOW(6) WHERE id = {a}"),
            5 => format!(
                "UPDATE items SET price = price + 1, note = IF(note IS NULL, 'was null', NULL) WHERE id BETWEEN {a} AND {a} + 15"
            ),
            6 | 7 => format!("DELETE FROM items WHERE id = {a}"),
            8 => format!("DELETE FROM items WHERE id BETWEEN {a} AND {a} + {}", self.dice.below(20)),
            // Keys move anywhere: from chunks not read yet to chunks that are, and back.
            9 | 10 => format!("UPDATE items SET id = {b}, note = 'moved from {a}' WHERE id = {a}"),
            // A whole run of keys moves up by one.
            11 => format!("UPDATE items SET id = id + 1 WHERE id BETWEEN {a} AND {a} + 12 ORDER BY id DESC"),
            12 => {
                let (a, b) = self.part();
                format!(
                    "INSERT INTO parts VALUES ({a}, {b}, {n}, X'00ff') ON DUPLICATE KEY UPDATE v = {n} + b"
                )
            }
            13 => {
                let (a, b) = self.part();
                format!("REPLACE INTO parts VALUES ({a}, {b}, 18446744073709551615, NULL)")
            }
            14 => {
                let (a, b) = self.part();
                format!("UPDATE parts SET b = b + 3 WHERE a = {a} AND b > {b} ORDER BY b DESC")
            }
            15 => format!(
                "DELETE FROM parts WHERE (a, b) IN (({}, {}), {:?})",
                self.part().0,
                n % 9,
                self.part()
            ),
            // Another spelling is the same key for the source and another one for the target.
            16 => format!("UPDATE names SET name = UPPER(name) WHERE {}", by_name(self.name())),
            17 => {
                let new = format!("LEFT(CONCAT('{n:x} ', name), 60)");
                format!("UPDATE names SET name = {new}, ratio = ratio / 7 WHERE {}", by_name(self.name()))
            }
            _ => {
                let n = self.name();
                if self.dice.percent(50) {
                    format!("DELETE FROM names WHERE {}", by_name(n))
                } else {
                    format!(
                        "INSERT INTO names VALUES (CONCAT(SUBSTR(SHA2({n}, 256), 1, 6), ' né ', {n}), {n}, RAND({n}))"
                    )
                }
            }
        }
    }

    /// Two rows exchange their keys, by a key that nobody else uses.
    fn swap(&mut self) -> Vec<String> {
        let spare = -i64::try_from(self.number).expect("a small number") - 1;
        if self.dice.percent(60) {
            let (a, b) = (self.item(), self.item());
            let exchange = [
                (spare.to_string(), a.to_string()),
                (a.to_string(), b.to_string()),
                (b.to_string(), spare.to_string()),
            ];
            exchange.map(|(to, from)| format!("UPDATE items SET id = {to} WHERE id = {from}")).to_vec()
        } else {
            let ((a, b), (c, d)) = (self.part(), self.part());
            vec![
                format!("UPDATE parts SET a = {spare}, b = 0 WHERE a = {a} AND b = {b}"),
                format!("UPDATE parts SET a = {a}, b = {b} WHERE a = {c} AND b = {d}"),
                format!("UPDATE parts SET a = {c}, b = {d} WHERE a = {spare} AND b = 0"),
            ]
        }
    }

    /// One statement of many rows: more than a batch holds.
    fn large(&mut self) -> String {
        let width = (self.size.items / 10).min(5_000);
        let width = if self.dice.percent(4) { width * 10 } else { width };
        let from = self.dice.below(self.size.items * 2 - width);
        let to = from + width;
        match self.dice.below(3) {
            0 => format!("UPDATE items SET qty = qty + 1, changed = NOW(6) WHERE id BETWEEN {from} AND {to}"),
            1 => format!("DELETE FROM items WHERE id BETWEEN {from} AND {to} AND id % 3 = 0"),
            _ => format!(
                "INSERT IGNORE INTO items SELECT id + 1, name, 0, NULL, 'many', NULL, 'new', NOW(6) FROM items \
                 WHERE id BETWEEN {from} AND {to} AND id % 4 = 0"
            ),
        }
    }
}

/// The rows whose names began as that of number `n`.
fn by_name(n: u64) -> String {
    format!("name LIKE CONCAT(SUBSTR(SHA2({n}, 256), 1, 6), '%')")
}

async fn run(session: &mut MysqlSession, statement: &str) -> Result<(), Broken> {
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
    if is_duplicate(error) || ["ERROR 1213 ", "ERROR 1205 "].iter().any(|code| error.contains(code)) {
        return Broken::Refused;
    }
    // The server shuts down, or only the connection speaks.
    let gone = error.contains("ERROR 1053 ") || error.contains("ERROR 1927 ") || !error.contains("ERROR ");
    assert!(gone, "the load's own statement is wrong: {error}\nin: {statement}");
    Broken::Lost
}
