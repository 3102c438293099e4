//! Clauses about indexes, keys and constraints.

use super::{At, some_column};
use crate::ddl_fuzz::definitions;
use crate::ddl_fuzz::server::Server;
use crate::load::Dice;

/// One clause.
pub fn draw(dice: &mut Dice, at: At<'_>) -> String {
    let columns = columns(dice, at);
    let index =
        if at.shape.indexes.is_empty() { "k1".to_owned() } else { dice.pick(&at.shape.indexes).clone() };
    let maria = at.server.is_maria();
    let absent = if maria && dice.percent(10) { "IF NOT EXISTS " } else { "" };
    let present = if maria && dice.percent(10) { "IF EXISTS " } else { "" };
    match dice.below(24) {
        0..=3 => {
            let using =
                *dice.pick(&["", "", "", " USING BTREE", " USING HASH", " COMMENT 'i'", " KEY_BLOCK_SIZE=4"]);
            format!("ADD {} {absent}i{} {columns}{using}", dice.pick(&["INDEX", "KEY"]), dice.below(50))
        }
        4..=7 => format!(
            "ADD {}{} {absent}u{} {columns}{}",
            dice.pick(&["", "CONSTRAINT cu "]),
            dice.pick(&["UNIQUE", "UNIQUE KEY", "UNIQUE INDEX"]),
            dice.below(50),
            dice.pick(&["", "", "", " USING HASH"])
        ),
        8 => format!("ADD {} f1 ({})", dice.pick(&["FULLTEXT", "FULLTEXT INDEX"]), some_column(dice, at)),
        9 => format!("ADD SPATIAL INDEX s1 ({})", some_column(dice, at)),
        10 | 11 => format!("ADD PRIMARY KEY {columns}"),
        12 => "DROP PRIMARY KEY".to_owned(),
        13 | 14 => format!("DROP PRIMARY KEY, ADD PRIMARY KEY {columns}"),
        15 | 16 => format!("DROP {} {present}{index}", dice.pick(&["INDEX", "KEY"])),
        17 => format!("DROP INDEX {index}, ADD INDEX {index} {columns}"),
        18 if at.server.is_modern() => format!("RENAME INDEX {index} TO r{}", dice.below(50)),
        19 if maria => format!("ALTER INDEX {index} {}", dice.pick(&["IGNORED", "NOT IGNORED"])),
        19 if at.server == Server::Mysql97 => {
            format!("ALTER INDEX {index} {}", dice.pick(&["INVISIBLE", "VISIBLE"]))
        }
        20 => {
            let action = *dice.pick(&[
                "",
                " ON DELETE CASCADE",
                " ON UPDATE CASCADE",
                " ON DELETE SET NULL",
                " ON DELETE RESTRICT",
            ]);
            format!(
                "ADD {}FOREIGN KEY ({}) REFERENCES o (id){action}",
                dice.pick(&["", "CONSTRAINT fk1 "]),
                some_column(dice, at)
            )
        }
        21 if at.server.is_modern() => {
            let condition = definitions::check(dice, &at.shape.columns);
            let enforced =
                if at.server == Server::Mysql97 { *dice.pick(&["", "", " NOT ENFORCED"]) } else { "" };
            format!("ADD CONSTRAINT ch{} CHECK ({condition}){enforced}", dice.below(50))
        }
        _ => match at.shape.constraints.as_slice() {
            [] => format!("ADD INDEX i{} {columns}", dice.below(50)),
            constraints => {
                let (name, kind) = dice.pick(constraints);
                match dice.below(3) {
                    0 if at.server.is_modern() => format!("DROP CONSTRAINT {name}"),
                    1 if at.server == Server::Mysql97 && kind == "CHECK" => {
                        format!("ALTER CHECK {name} NOT ENFORCED")
                    }
                    _ => {
                        format!("DROP {} {name}", if kind == "CHECK" && maria { "CONSTRAINT" } else { kind })
                    }
                }
            }
        },
    }
}

/// One or two columns in parentheses, with lengths and directions.
pub fn columns(dice: &mut Dice, at: At<'_>) -> String {
    let part = |dice: &mut Dice| {
        let name = some_column(dice, at);
        let length = *dice.pick(&["", "", "", "", "(1)", "(4)"]);
        format!("{name}{length}{}", dice.pick(&["", "", "", " DESC", " ASC"]))
    };
    if at.server == Server::Mysql97 && dice.percent(6) {
        return "((id + 1))".to_owned();
    }
    match dice.below(4) {
        0 => format!("({}, id)", part(dice)),
        1 => format!("({}, {})", part(dice), part(dice)),
        _ => format!("({})", part(dice)),
    }
}
