//! Clauses about columns.

use super::{At, new_name, some_column};
use crate::ddl_fuzz::server::Server;
use crate::ddl_fuzz::{definitions, values};
use crate::load::Dice;

/// One clause.
pub fn draw(dice: &mut Dice, at: At<'_>) -> String {
    let shape = at.shape;
    match dice.below(100) {
        0..=29 => add(dice, at),
        30..=59 => {
            let Some(column) = column(dice, at) else { return add(dice, at) };
            let definition = definitions::changed(dice, at.server, column, &shape.columns);
            let exists = if at.server.is_maria() && dice.percent(5) { "IF EXISTS " } else { "" };
            let place = place(dice, at, 15);
            if dice.percent(70) {
                format!(
                    "{} {exists}{} {definition}{place}",
                    dice.pick(&["MODIFY", "MODIFY COLUMN", "modify"]),
                    column.name
                )
            } else {
                let name = if dice.percent(60) { new_name(dice, at) } else { column.name.clone() };
                format!("CHANGE {exists}{} {name} {definition}{place}", column.name)
            }
        }
        60..=69 => rename(dice, at),
        70..=82 => {
            let exists = if at.server.is_maria() && dice.percent(20) { "IF EXISTS " } else { "" };
            let end = if at.server.is_maria() { *dice.pick(&["", "", " CASCADE", " RESTRICT"]) } else { "" };
            format!("DROP {}{exists}{}{end}", dice.pick(&["", "COLUMN "]), some_column(dice, at))
        }
        _ => {
            let Some(column) = column(dice, at) else { return add(dice, at) };
            let word = *dice.pick(&["", "COLUMN "]);
            match dice.below(6) {
                0 => format!("ALTER {word}{} DROP DEFAULT", column.name),
                1 if at.server == Server::Mysql97 => {
                    format!("ALTER {word}{} SET {}", column.name, dice.pick(&["VISIBLE", "INVISIBLE"]))
                }
                2 if at.server.is_modern() => format!("ALTER {word}{} SET DEFAULT (1 + 1)", column.name),
                _ => {
                    let value = values::literal(dice, at.server, column);
                    format!("ALTER {word}{} SET DEFAULT {value}", column.name)
                }
            }
        }
    }
}

fn column<'a>(dice: &mut Dice, at: At<'a>) -> Option<&'a crate::ddl_fuzz::shape::Column> {
    if at.shape.columns.is_empty() {
        return None;
    }
    let column = dice.pick(&at.shape.columns);
    // The key's columns seldom.
    Some(if at.shape.key.contains(&column.name) { dice.pick(&at.shape.columns) } else { column })
}

fn place(dice: &mut Dice, at: At<'_>, percent: u64) -> String {
    match dice.below(100) {
        chance if chance >= percent => String::new(),
        chance if chance % 2 == 0 => " FIRST".to_owned(),
        _ => format!(" AFTER {}", some_column(dice, at)),
    }
}

fn add(dice: &mut Dice, at: At<'_>) -> String {
    let one = |dice: &mut Dice| {
        let definition = definitions::new(dice, at.server, &at.shape.columns);
        format!("{} {definition}", new_name(dice, at))
    };
    if dice.percent(8) {
        return format!(
            "ADD COLUMN ({}, extra {})",
            one(dice),
            definitions::new(dice, at.server, &at.shape.columns)
        );
    }
    let exists = if at.server.is_maria() && dice.percent(8) { "IF NOT EXISTS " } else { "" };
    let taken = if exists.is_empty() || dice.percent(50) {
        one(dice)
    } else {
        format!("{} {}", some_column(dice, at), definitions::new(dice, at.server, &at.shape.columns))
    };
    format!("ADD {}{exists}{taken}{}", dice.pick(&["", "COLUMN "]), place(dice, at, 30))
}

fn rename(dice: &mut Dice, at: At<'_>) -> String {
    let (from, other) = (some_column(dice, at), some_column(dice, at));
    if !at.server.is_modern() {
        // 5.6 only has CHANGE for that, and wants the type repeated.
        let Some(column) = column(dice, at) else { return add(dice, at) };
        return format!("CHANGE {} {} {}", column.name, new_name(dice, at), column.full_type);
    }
    match dice.below(10) {
        0..=2 if from != other => format!("RENAME COLUMN {from} TO {other}, RENAME COLUMN {other} TO {from}"),
        3 => format!("RENAME COLUMN {from} TO {}", from.to_uppercase()),
        4 => format!("RENAME COLUMN {from} TO {other}, DROP COLUMN {other}"),
        5 => format!("RENAME COLUMN {from} TO {}, ADD COLUMN {from} INT DEFAULT 7", new_name(dice, at)),
        6 => format!("DROP COLUMN {from}, ADD COLUMN {from} INT DEFAULT 7"),
        _ => format!("RENAME COLUMN {from} TO {}", new_name(dice, at)),
    }
}
