//! Clauses about partitions.

use super::At;
use crate::ddl_fuzz::server::Server;
use crate::load::Dice;

/// One clause.
pub fn draw(dice: &mut Dice, at: At<'_>) -> String {
    let partitions = &at.shape.partitions;
    if partitions.is_empty() {
        return divide(dice, at);
    }
    let which = if dice.percent(10) {
        "ALL".to_owned()
    } else if dice.percent(20) && partitions.len() > 1 {
        format!("{}, {}", partitions[0], partitions[1])
    } else {
        dice.pick(partitions).clone()
    };
    let one = dice.pick(partitions).clone();
    let method = at.shape.method.as_deref().unwrap_or_default();
    let by_value = method.starts_with("RANGE") || method.starts_with("LIST");
    match dice.below(30) {
        0..=2 if by_value => {
            format!("ADD PARTITION (PARTITION n{} VALUES {})", dice.below(9), beyond(dice, method))
        }
        0..=2 => format!("ADD PARTITION PARTITIONS {}", dice.pick(&[1, 2])),
        3..=5 => format!(
            "DROP PARTITION {}{which}",
            if at.server.is_maria() && dice.percent(20) { "IF EXISTS " } else { "" }
        ),
        6 | 7 => format!("TRUNCATE PARTITION {which}"),
        8..=13 if by_value => reorganize(dice, at, method),
        8..=10 => format!("COALESCE PARTITION {}", dice.pick(&[1, 2])),
        11 => "REORGANIZE PARTITION".to_owned(),
        14..=17 => format!("REBUILD PARTITION {which}"),
        18..=21 => {
            let validation = if at.server == Server::Mysql56 {
                ""
            } else {
                *dice.pick(&["", " WITHOUT VALIDATION", " WITH VALIDATION"])
            };
            format!("EXCHANGE PARTITION {one} WITH TABLE x{validation}")
        }
        22..=24 => format!("{} PARTITION {which}", dice.pick(&["ANALYZE", "CHECK", "OPTIMIZE", "REPAIR"])),
        25 => "REMOVE PARTITIONING".to_owned(),
        26 if at.server.is_maria() => format!("CONVERT PARTITION {one} TO TABLE cv"),
        27 if at.server.is_maria() => {
            format!("CONVERT TABLE x TO PARTITION nx VALUES {}", beyond(dice, method))
        }
        28 if dice.percent(30) => format!("{} PARTITION {one} TABLESPACE", dice.pick(&["DISCARD", "IMPORT"])),
        _ => divide(dice, at),
    }
}

fn beyond(dice: &mut Dice, method: &str) -> String {
    if method.starts_with("RANGE") {
        (*dice.pick(&["LESS THAN (2000)", "LESS THAN (20)", "LESS THAN MAXVALUE", "LESS THAN (MAXVALUE)"]))
            .to_owned()
    } else {
        (*dice.pick(&["IN (10, 11)", "IN (20)", "IN (NULL)", "IN (7, 8, 9)"])).to_owned()
    }
}

/// Splits, merges, moves bounds, leaves values out.
fn reorganize(dice: &mut Dice, at: At<'_>, method: &str) -> String {
    let (names, bounds) = (&at.shape.partitions, &at.shape.bounds);
    let bound = |index: usize| bounds.get(index).cloned().flatten().unwrap_or_default();
    let range = method.starts_with("RANGE");
    let clause = |value: &str| {
        if range && value == "MAXVALUE" && !method.contains("COLUMNS") {
            "VALUES LESS THAN MAXVALUE".to_owned()
        } else if range {
            format!("VALUES LESS THAN ({value})")
        } else {
            format!("VALUES IN ({value})")
        }
    };
    let index = usize::try_from(dice.below(u64::try_from(names.len()).expect("few"))).expect("few");
    let value = bound(index);
    let merged = index + 1 < names.len() && dice.percent(40);
    if merged {
        let all = if range { bound(index + 1) } else { format!("{value},{}", bound(index + 1)) };
        let all = if !range && dice.percent(30) { bound(index + 1) } else { all };
        return format!(
            "REORGANIZE PARTITION {},{} INTO (PARTITION m{} {})",
            names[index],
            names[index + 1],
            dice.below(9),
            clause(&all)
        );
    }
    if range {
        let lower = *dice.pick(&["2", "4", "8", "1", "7", "50"]);
        return match dice.below(3) {
            0 => format!(
                "REORGANIZE PARTITION {} INTO (PARTITION s1 {}, PARTITION s2 {})",
                names[index],
                clause(lower),
                clause(&value)
            ),
            1 => format!("REORGANIZE PARTITION {} INTO (PARTITION s3 {})", names[index], clause(lower)),
            _ => format!("REORGANIZE PARTITION {} INTO (PARTITION s4 {})", names[index], clause(&value)),
        };
    }
    match value.split_once(',') {
        // A value is left out.
        Some((_, rest)) if dice.percent(50) => {
            format!("REORGANIZE PARTITION {} INTO (PARTITION s5 {})", names[index], clause(rest))
        }
        Some((first, rest)) => {
            format!(
                "REORGANIZE PARTITION {} INTO (PARTITION s6 {}, PARTITION s7 {})",
                names[index],
                clause(first),
                clause(rest)
            )
        }
        None => format!(
            "REORGANIZE PARTITION {} INTO (PARTITION s8 {})",
            names[index],
            clause(&format!("{value}, 77"))
        ),
    }
}

/// `PARTITION BY …`
pub fn divide(dice: &mut Dice, at: At<'_>) -> String {
    let key = at.shape.key.first().map_or("id", String::as_str);
    let mut choices = vec![
        format!("PARTITION BY HASH ({key}) PARTITIONS {}", dice.pick(&[1, 2, 5])),
        format!("PARTITION BY KEY ({key}) PARTITIONS 3"),
        format!(
            "PARTITION BY RANGE ({key}) (PARTITION p0 VALUES LESS THAN (6), PARTITION p1 VALUES LESS THAN MAXVALUE)"
        ),
        format!(
            "PARTITION BY RANGE ({key}) (PARTITION p0 VALUES LESS THAN (6), PARTITION p1 VALUES LESS THAN (9))"
        ),
        format!(
            "PARTITION BY LIST ({key}) (PARTITION p0 VALUES IN (1,2,3,4), PARTITION p1 VALUES IN (5,6,7,8,9,10,11,12,13,14,15,16,17,18))"
        ),
        format!("PARTITION BY LINEAR KEY ALGORITHM=1 ({key}) PARTITIONS 2"),
        "PARTITION BY LIST (part) (PARTITION p0 VALUES IN (0,1,2,3), PARTITION p1 VALUES IN (4,5,6))"
            .to_owned(),
    ];
    if at.server.is_maria() {
        choices.push("PARTITION BY SYSTEM_TIME (PARTITION h HISTORY, PARTITION c CURRENT)".to_owned());
        choices
            .push(format!("PARTITION BY LIST ({key}) (PARTITION p0 VALUES IN (1,2,3), PARTITION d DEFAULT)"));
    }
    dice.pick(&choices).clone()
}
