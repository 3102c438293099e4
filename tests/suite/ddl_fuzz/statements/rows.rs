//! Statements on rows, which sessions of STATEMENT and MIXED log as text, and temporary tables of a carried name.

use super::{At, Statement, alter};
use crate::ddl_fuzz::{tables, values};
use crate::load::Dice;

/// What one session does.
pub fn draw(dice: &mut Dice, at: At<'_>) -> Vec<Statement> {
    let format = *dice.pick(&["STATEMENT", "STATEMENT", "MIXED"]);
    let mut statements = vec![Statement::plain(format!("SET binlog_format = {format}"))];
    let texts: Vec<String> = match if at.wide {
        dice.below(20)
    } else {
        *dice.pick(if at.server.is_maria() { &[17][..] } else { &[0, 1, 3, 4, 5, 6, 7, 17, 18, 19] })
    } {
        0..=2 => vec![inserted(dice, at, "INSERT IGNORE INTO")],
        3 => vec![inserted(dice, at, "REPLACE INTO")],
        4..=6 => match update(dice, at) {
            Some(text) => vec![text],
            None => vec!["DELETE FROM t LIMIT 1".to_owned()],
        },
        7 => vec![
            (*dice.pick(&["DELETE FROM t LIMIT 1", "DELETE QUICK FROM t ORDER BY 1 DESC LIMIT 2"]))
                .to_owned(),
        ],
        8 => vec![
            (*dice.pick(&[
                "DELETE FROM t LIMIT 1",
                "DELETE t FROM t, o",
                "DELETE FROM t WHERE id IN (SELECT id FROM o)",
                "DELETE QUICK FROM t ORDER BY id DESC LIMIT 2",
            ]))
            .to_owned(),
        ],
        9 => vec![
            format!("SELECT * FROM t LIMIT 2 INTO OUTFILE '{}.txt'", at.database),
            format!("LOAD DATA INFILE '{}.txt' REPLACE INTO TABLE t", at.database),
        ],
        10 => vec!["INSERT IGNORE INTO t SELECT * FROM p".to_owned()],
        11 => vec![
            "REPLACE INTO o SELECT 1, COUNT(*) FROM t".to_owned(),
            "UPDATE o SET v = (SELECT COUNT(*) FROM t)".to_owned(),
        ],
        12 => vec![
            "INSERT INTO o VALUES (77, RAND()), (78, UUID())".to_owned(),
            "DELETE FROM o WHERE id > 70".to_owned(),
        ],
        13 => {
            vec!["SET @a = 5".to_owned(), "INSERT INTO o VALUES (@a + 60, LAST_INSERT_ID())".to_owned()]
        }
        14 => vec![
            "CREATE FUNCTION fn1() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM t LIMIT 1; RETURN 1; END"
                .to_owned(),
            "INSERT INTO o VALUES (60, fn1())".to_owned(),
        ],
        _ => {
            statements.extend(temporary(dice, at));
            return statements;
        }
    };
    if dice.percent(15) {
        statements.remove(0);
    }
    statements.extend(texts.into_iter().map(Statement::plain));
    statements
}

fn inserted(dice: &mut Dice, at: At<'_>, verb: &str) -> String {
    let columns: Vec<String> = at.shape.settable().map(|column| column.name.clone()).collect();
    let number = 500 + dice.below(200);
    let row = tables::row(dice, at.server, at.shape, number);
    format!("{verb} t ({}) VALUES ({})", columns.join(", "), row.join(", "))
}

fn update(dice: &mut Dice, at: At<'_>) -> Option<String> {
    let settable: Vec<_> = at.shape.settable().collect();
    let column = settable.last()?;
    let value = values::literal(dice, at.server, column);
    let ignored = *dice.pick(&["", "IGNORE "]);
    let rows = *dice.pick(&["", " ORDER BY 1 LIMIT 1", " WHERE id > 3"]);
    let rows = rows.replace("BY 1", &format!("BY {}", at.shape.order()));
    Some(format!("UPDATE {ignored}t SET {} = {value}{rows}", column.name))
}

/// A temporary table of the carried name, and what is done to it.
fn temporary(dice: &mut Dice, at: At<'_>) -> Vec<Statement> {
    let make = *dice.pick(&[
        "CREATE TEMPORARY TABLE t LIKE t",
        "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, c1 INT)",
        "CREATE TEMPORARY TABLE t SELECT * FROM o",
        "CREATE TEMPORARY TABLE IF NOT EXISTS t LIKE o",
    ]);
    // A table is not like itself: by way of another.
    let mut statements = vec![Statement::plain(make.replace("LIKE t", "LIKE p"))];
    // One whose making nobody is told of is told of by what is done to it alone, which may concern everybody.
    if at.wide && dice.percent(25) {
        statements.insert(0, Statement::plain("SET sql_log_bin = 0".to_owned()));
        statements.push(Statement::plain("SET sql_log_bin = 1".to_owned()));
    }
    for _ in 0..dice.between(1, 2) {
        // Rows of a temporary table are logged as text, if at all, and MariaDB's text names no database.
        let kinds = if at.server.is_maria() && !at.wide { 5 } else { 8 };
        statements.push(match dice.below(kinds) {
            0..=3 => alter(dice, at),
            4 => Statement::plain("TRUNCATE TABLE t"),
            6 => Statement::plain("DELETE FROM t"),
            5 => Statement::plain("ALTER TABLE t RENAME TO t9"),
            _ => Statement::plain("INSERT IGNORE INTO t (id) VALUES (901)"),
        });
    }
    match dice.below(3) {
        0 => statements.push(Statement::plain("DROP TABLE t")),
        1 => statements.push(Statement::plain("DROP TEMPORARY TABLE IF EXISTS t")),
        // The end of the session drops it.
        _ => {}
    }
    statements
}
