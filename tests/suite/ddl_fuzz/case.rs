//! One table's life: how it is made, what it begins with, and what is done to it while its rows flow.

use super::server::Server;
use super::sessions;
use super::shape::Shape;
use super::statements::{At, Statement, draw};
use super::tables::{self, Table};
use super::values;
use crate::harness::{Mysql, MysqlDatabase, MysqlSession};
use crate::load::Dice;
use std::fmt::Write;
use std::time::Duration;

/// Beyond the servers' own patience with locks.
const PATIENCE: Duration = Duration::from_secs(20);

/// Draws for one table that the server takes.
const ATTEMPTS: usize = 8;

/// Rows that are put in by one session.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Its settings.
    pub settings: Vec<String>,
    /// The columns.
    pub columns: Vec<String>,
    /// A value for each of them.
    pub rows: Vec<Vec<String>>,
}

/// What one session does to the table, and which rows change after it.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The session's settings.
    pub settings: Vec<String>,
    /// What it does.
    pub statements: Vec<Statement>,
    /// Changes of rows in a session as the server makes it.
    pub after: Vec<String>,
}

/// Everything that is run, in words that can be run again.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The database that the statements may name.
    pub database: String,
    /// The table.
    pub table: Table,
    /// Its first rows.
    pub loads: Vec<Load>,
    /// What happens while it is followed.
    pub steps: Vec<Step>,
}

impl Script {
    fn moved_to(mut self, database: &str) -> Self {
        if !self.database.is_empty() {
            let from = std::mem::take(&mut self.database);
            let texts = self.steps.iter_mut().flat_map(|step| &mut step.statements);
            for text in texts.flat_map(|statement| {
                statement.clauses.iter_mut().chain([&mut statement.head, &mut statement.tail])
            }) {
                *text = text.replace(&from, database);
            }
        }
        database.clone_into(&mut self.database);
        self
    }
}

/// A case of a round.
#[derive(Debug)]
pub struct Case {
    /// Its place in the round.
    pub number: u64,
    /// Its database.
    pub database: String,
    /// What has been run of it, or is to be run.
    pub script: Script,
    /// Draws what is to be run; `None` runs the script as it stands.
    dice: Option<Dice>,
    /// See [`At::wide`].
    wide: bool,
    /// Words of the server about statements of [`Step::statements`]; by step.
    pub refusals: Vec<Vec<Option<String>>>,
}

impl Case {
    /// A case by dice; see [`At::wide`].
    pub fn drawn(seed: u64, number: u64, wide: bool) -> Self {
        Self { wide, ..Self::new(number, Script::default(), Some(Dice::of(seed, number))) }
    }

    /// A case that is known.
    pub fn scripted(number: u64, script: Script) -> Self {
        Self::new(number, script, None)
    }

    fn new(number: u64, script: Script, dice: Option<Dice>) -> Self {
        let database = format!("fz{number:03}");
        // Statements name the database that they were drawn in.
        let script = script.moved_to(&database);
        Self { number, database, script, dice, wide: false, refusals: Vec::new() }
    }

    /// Statements that the server has taken, without those that only prepare others.
    pub fn accepted(&self) -> u64 {
        let steps = self.script.steps.iter().zip(&self.refusals);
        let taken = steps.flat_map(|(step, refusals)| step.statements.iter().zip(refusals)).filter(
            |(statement, refusal)| {
                let text = statement.text();
                refusal.is_none()
                    && !["SET ", "BEGIN", "COMMIT", "LOCK", "UNLOCK", "SELECT"]
                        .iter()
                        .any(|word| text.starts_with(word))
            },
        );
        u64::try_from(taken.count()).expect("few")
    }

    /// Makes the table and its first rows. False when the server takes none of the tables that were drawn.
    pub async fn prepare(&mut self, mysql: &Mysql, server: Server) -> bool {
        let database = fresh(mysql, &self.database).await;
        let mut session = database.session().await;
        session
            .sql(
                "CREATE TABLE o (id INT PRIMARY KEY, v VARCHAR(40)); INSERT INTO o VALUES (1, 'x'), (2, 'y')",
            )
            .await;
        if !self.make(&mut session, server).await {
            return false;
        }
        // A default of another mode's stands in the way at times.
        let _ = session.try_sql("CREATE TABLE p LIKE t").await;
        if let Some(dice) = &mut self.dice {
            let shape = Shape::read(&mut session, server, &self.database).await;
            self.script.loads = loads(dice, server, &shape);
        }
        for load in &self.script.loads {
            let mut session = database.session().await;
            for setting in &load.settings {
                let _ = session.try_sql(setting).await;
            }
            // One that the server does not take at all leaves the table with fewer rows.
            let _ = session.try_sql(&tables::insert("t", &load.columns, &load.rows)).await;
        }
        let _ = session.try_sql("INSERT IGNORE INTO p SELECT * FROM t LIMIT 3").await;
        true
    }

    async fn make(&mut self, session: &mut MysqlSession, server: Server) -> bool {
        let Some(dice) = &mut self.dice else {
            return session.try_sql(&self.script.table.sql("t")).await.is_ok();
        };
        for _ in 0..ATTEMPTS {
            let table = tables::table(dice, server);
            if session.try_sql(&table.sql("t")).await.is_ok() {
                self.script.table = table;
                return true;
            }
        }
        false
    }

    /// Runs the steps, drawing them where they are to be drawn.
    pub async fn run(&mut self, mysql: &Mysql, server: Server) {
        let database = MysqlDatabase { server: mysql, name: self.database.clone() };
        let count = match &mut self.dice {
            Some(dice) => usize::try_from(*dice.pick(&[1, 1, 1, 2, 2, 3])).expect("few"),
            None => self.script.steps.len(),
        };
        for index in 0..count {
            if let Some(dice) = &mut self.dice {
                let shape = match database.try_session().await {
                    Ok(mut session) => Shape::read(&mut session, server, &self.database).await,
                    Err(_) => Shape::default(),
                };
                let at = At { server, database: &self.database, shape: &shape, wide: self.wide };
                let settings =
                    if dice.percent(25) { Vec::new() } else { sessions::settings(dice, server, self.wide) };
                let statements = with_partner(draw(dice, at));
                self.script.steps.push(Step { settings, statements, after: Vec::new() });
            }
            self.refusals.push(run_step(&database, &self.script.steps[index]).await);
            // None when the whole database is gone.
            let Ok(mut session) = database.try_session().await else { continue };
            if let Some(dice) = &mut self.dice {
                let shape = Shape::read(&mut session, server, &self.database).await;
                let number = 100 + u64::try_from(index).expect("few") * 10;
                self.script.steps[index].after = changes(dice, server, &shape, number);
            }
            for change in &self.script.steps[index].after {
                let _ = patiently(&mut session, change).await;
            }
        }
    }

    /// The case as SQL to paste, with what the server said.
    pub fn sql(&self) -> String {
        let mut sql = format!("{};\n", self.script.table.sql("t"));
        sql.push_str(
            "CREATE TABLE o (id INT PRIMARY KEY, v VARCHAR(40)); INSERT INTO o VALUES (1, 'x'), (2, 'y');\n",
        );
        sql.push_str("CREATE TABLE p LIKE t;\n");
        for load in &self.script.loads {
            sql.push_str("-- a new session\n");
            for setting in &load.settings {
                let _ = writeln!(sql, "{setting};");
            }
            let _ = writeln!(sql, "{};", tables::insert("t", &load.columns, &load.rows));
        }
        sql.push_str(
            "INSERT IGNORE INTO p SELECT * FROM t LIMIT 3;\n-- rowferry has copied t and follows it\n",
        );
        for (index, step) in self.script.steps.iter().enumerate() {
            sql.push_str("-- a new session\n");
            for setting in &step.settings {
                let _ = writeln!(sql, "{setting};");
            }
            for (place, statement) in step.statements.iter().enumerate() {
                let refusal = self.refusals.get(index).and_then(|step| step.get(place)).cloned().flatten();
                let said = refusal.map(|words| format!(" -- refused: {words}")).unwrap_or_default();
                let _ = writeln!(sql, "{};{said}", statement.text());
            }
            if !step.after.is_empty() {
                sql.push_str("-- a new session\n");
            }
            for change in &step.after {
                let _ = writeln!(sql, "{change};");
            }
        }
        sql
    }
}

/// A new database. What a last one of that name has kept of files that are no tables' goes first.
async fn fresh<'a>(mysql: &'a Mysql, name: &str) -> MysqlDatabase<'a> {
    // A default that strict sessions refuse is in the way of dropping its table too (MySQL 9.7).
    if mysql.try_sql(&format!("SET sql_mode = ''; DROP DATABASE IF EXISTS {name}")).await.is_err() {
        for file in std::fs::read_dir(mysql.data_file(name)).expect("its folder").flatten() {
            std::fs::remove_file(file.path()).expect("it goes");
        }
    }
    mysql.database(name).await
}

/// Runs what one session does; the server's words about each statement that it does not take.
async fn run_step(database: &MysqlDatabase<'_>, step: &Step) -> Vec<Option<String>> {
    let Ok(mut session) = database.try_session().await else {
        return step.statements.iter().map(|_| Some("there is no database".to_owned())).collect();
    };
    for setting in &step.settings {
        let _ = patiently(&mut session, setting).await;
    }
    let mut refusals = Vec::new();
    for statement in &step.statements {
        let refused = patiently(&mut session, &statement.text()).await.err();
        refusals.push(refused.map(|words| words.lines().next().unwrap_or_default().to_owned()));
    }
    refusals
}

async fn patiently(session: &mut MysqlSession, statement: &str) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, session.try_sql(statement)).await {
        Ok(result) => result.map(|_| ()),
        Err(elapsed) => Err(elapsed.to_string()),
    }
}

/// EXCHANGE and CONVERT want another table, of the same columns and without partitions.
fn with_partner(mut statements: Vec<Statement>) -> Vec<Statement> {
    let place = statements.iter().position(|statement| statement.text().contains("TABLE x"));
    if let Some(place) = place {
        for text in [
            "DROP TABLE IF EXISTS x",
            "CREATE TABLE x LIKE t",
            "ALTER TABLE x REMOVE PARTITIONING",
            "INSERT IGNORE INTO x SELECT * FROM t LIMIT 3",
        ]
        .into_iter()
        .rev()
        {
            statements.insert(place, Statement::plain(text));
        }
    }
    statements
}

/// The first rows: by a few sessions of few settings.
fn loads(dice: &mut Dice, server: Server, shape: &Shape) -> Vec<Load> {
    let columns: Vec<String> = shape.settable().map(|column| column.name.clone()).collect();
    let mut number = 0;
    (0..dice.between(1, 3))
        .map(|_| {
            let mut settings = Vec::new();
            if dice.percent(60) {
                settings.push(format!("SET sql_mode = '{}'", sessions::modes(dice, server)));
            }
            if dice.percent(60) {
                settings.push("SET time_zone = '+00:00'".to_owned());
            }
            let rows = (0..dice.between(2, 6)).map(|_| {
                number += 1;
                tables::row(dice, server, shape, number)
            });
            let rows = rows.collect();
            Load { settings, columns: columns.clone(), rows }
        })
        .collect()
}

/// Changes of rows that the log carries as rows.
fn changes(dice: &mut Dice, server: Server, shape: &Shape, number: u64) -> Vec<String> {
    let mut changes = Vec::new();
    if shape.columns.is_empty() {
        return changes;
    }
    let columns: Vec<String> = shape.settable().map(|column| column.name.clone()).collect();
    let rows: Vec<_> =
        (0..dice.between(1, 2)).map(|row| tables::row(dice, server, shape, number + row)).collect();
    changes.push(tables::insert("t", &columns, &rows));
    let order = shape.order();
    for _ in 0..dice.below(3) {
        let settable: Vec<_> = shape.settable().collect();
        if settable.is_empty() {
            break;
        }
        let column = *dice.pick(&settable);
        if !shape.key.contains(&column.name) || dice.percent(20) {
            let value = values::literal(dice, server, column);
            let way = *dice.pick(&["", " DESC"]);
            let limit = *dice.pick(&[1, 1, 3]);
            changes.push(format!(
                "UPDATE IGNORE t SET {} = {value} ORDER BY {order}{way} LIMIT {limit}",
                column.name
            ));
        }
    }
    if dice.percent(30) {
        changes.push(format!("DELETE FROM t ORDER BY {order} LIMIT 1"));
    }
    changes
}
