//! Statements by dice: the grammar, one file for each thing that it is about.

mod columns;
mod keys;
mod maria;
mod options;
mod partitions;
mod rows;
mod whole;

use super::server::Server;
use super::shape::Shape;
use super::{sessions, tables};
use crate::load::Dice;

/// What statements are drawn for: the table `t`, beside which there are `p`, like it, and `o`, another one.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Its server.
    pub server: Server,
    /// Its database.
    pub database: &'a str,
    /// What it is like now.
    pub shape: &'a Shape,
    /// Whether statements may be logged as text that names other tables too: those may concern all tasks.
    pub wide: bool,
}

/// A statement, in parts that a shrinking may leave out.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// Up to the first clause.
    pub head: String,
    /// With a comma between them.
    pub clauses: Vec<String>,
    /// After the last clause.
    pub tail: String,
}

impl Statement {
    /// One without parts.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { head: text.into(), ..Self::default() }
    }

    /// As the server gets it.
    pub fn text(&self) -> String {
        format!("{}{}{}", self.head, self.clauses.join(", "), self.tail)
    }
}

/// What one session does: most often one statement.
pub fn draw(dice: &mut Dice, at: At<'_>) -> Vec<Statement> {
    let mut statements = match dice.below(100) {
        0..=64 => vec![alter(dice, at)],
        65..=79 => whole::draw(dice, at),
        80..=91 => rows::draw(dice, at),
        _ if at.server.is_maria() => maria::draw(dice, at),
        _ => vec![alter(dice, at)],
    };
    if at.server.is_maria()
        && dice.percent(5)
        && let Some(statement) = statements.last_mut()
    {
        statement.head.insert_str(0, &sessions::for_one_statement(dice, at.server, at.wide));
    }
    if dice.percent(6) {
        statements.push(alter(dice, at));
    }
    if dice.percent(5) {
        noise(dice, &mut statements);
    }
    statements
}

/// What other sessions would do around it: locks, an open transaction, savepoints.
fn noise(dice: &mut Dice, statements: &mut Vec<Statement>) {
    let (before, after) = *dice.pick(&[
        ("LOCK TABLES t WRITE, p WRITE, o WRITE", "UNLOCK TABLES"),
        ("BEGIN", "COMMIT"),
        ("BEGIN", "ROLLBACK"),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT", "SELECT 1"),
        ("FLUSH TABLES t", "FLUSH TABLES"),
        ("SELECT 1", "ANALYZE TABLE t"),
    ]);
    statements.insert(0, Statement::plain(before));
    statements.push(Statement::plain(after));
}

/// A name of the table, in one of its spellings.
fn name(dice: &mut Dice, database: &str) -> String {
    match dice.below(12) {
        0 => "`t`".to_owned(),
        1 => format!("{database}.t"),
        2 => format!("`{database}` . `t`"),
        3 => "/*!50000 t */".to_owned(),
        4 => format!("/* {database}.o */ t"),
        _ => "t".to_owned(),
    }
}

/// `ALTER TABLE t …` with one clause or more.
fn alter(dice: &mut Dice, at: At<'_>) -> Statement {
    let old = !(at.server == Server::Mysql97);
    let before = match dice.below(100) {
        0..=11 if old => "IGNORE ",
        12..=14 if at.server.is_maria() => "ONLINE ",
        _ => "",
    };
    let exists = if at.server.is_maria() && dice.percent(4) { "IF EXISTS " } else { "" };
    let wait = if at.server.is_maria() && dice.percent(4) { *dice.pick(&[" NOWAIT", " WAIT 2"]) } else { "" };
    let verb = *dice.pick(&[
        "ALTER TABLE",
        "ALTER TABLE",
        "ALTER TABLE",
        "alter  table",
        "/* x */ ALTER\n\tTABLE",
        "ALTER TABLE",
    ]);
    let verb = if before.is_empty() { verb.to_owned() } else { "ALTER ".to_owned() + before + "TABLE" };
    let head = format!("{verb} {exists}{}{wait} ", name(dice, at.database));
    // Operations on partitions stand alone.
    if at.shape.method.is_some() && dice.percent(45) || dice.percent(6) {
        return Statement { head, clauses: vec![partitions::draw(dice, at)], tail: String::new() };
    }
    let count = *dice.pick(&[1, 1, 1, 1, 1, 2, 2, 3]);
    let mut clauses: Vec<String> = (0..count)
        .map(|_| match dice.below(100) {
            0..=64 => columns::draw(dice, at),
            65..=79 => keys::draw(dice, at),
            _ => options::draw(dice, at),
        })
        .collect();
    for (percent, option) in [
        (6, "ALGORITHM=COPY"),
        (5, "ALGORITHM=INPLACE"),
        (3, "ALGORITHM=INSTANT"),
        (2, "ALGORITHM=DEFAULT"),
        (4, "LOCK=NONE"),
        (2, "LOCK=EXCLUSIVE"),
        (2, "FORCE"),
    ] {
        if dice.percent(percent) {
            clauses.push(option.to_owned());
        }
    }
    let tail = if dice.percent(3) { format!(" {}", partitions::divide(dice, at)) } else { String::new() };
    Statement { head, clauses, tail }
}

/// A column that there is.
fn some_column(dice: &mut Dice, at: At<'_>) -> String {
    match at.shape.columns.as_slice() {
        [] => "c1".to_owned(),
        columns => {
            // The key's columns seldom.
            let column = dice.pick(columns);
            let column = if at.shape.key.contains(&column.name) { dice.pick(columns) } else { column };
            if dice.percent(5) { column.name.to_uppercase() } else { column.name.clone() }
        }
    }
}

/// A column's name that is free.
fn new_name(dice: &mut Dice, at: At<'_>) -> String {
    let taken: Vec<String> = at.shape.columns.iter().map(|column| column.name.clone()).collect();
    tables::free_name(dice, &taken)
}
