//! Tables by dice, and the rows they begin with.

use super::definitions;
use super::server::Server;
use super::shape::{Column, Shape, quoted};
use super::values;
use crate::load::Dice;

/// A table's text in parts, each of which a shrinking may leave out.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Columns and keys.
    pub parts: Vec<String>,
    /// After the parentheses.
    pub options: Vec<String>,
    /// `PARTITION BY …`, or nothing.
    pub partitions: String,
}

impl Table {
    /// The statement that makes it.
    pub fn sql(&self, name: &str) -> String {
        let options = self.options.iter().map(|option| format!(" {option}")).collect::<String>();
        format!("CREATE TABLE {name} ({}){options} {}", self.parts.join(", "), self.partitions)
            .trim_end()
            .to_owned()
    }
}

/// Names of columns, some of which must be quoted.
const NAMES: [&str; 14] =
    ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "Mixed", "a b", "order", "é", "_x", "d-e"];

/// The name for a column that others do not have.
pub fn free_name(dice: &mut Dice, taken: &[String]) -> String {
    let free: Vec<String> =
        NAMES.iter().map(|name| quoted(name)).filter(|name| !taken.contains(name)).collect();
    if free.is_empty() { quoted(&format!("n{}", taken.len())) } else { dice.pick(&free).clone() }
}

/// A table.
pub fn table(dice: &mut Dice, server: Server) -> Table {
    let id = match dice.below(20) {
        0 => "BIGINT UNSIGNED",
        1 => "INT AUTO_INCREMENT",
        2 => "VARCHAR(20)",
        3 => "VARBINARY(10)",
        4 => "DECIMAL(10,2)",
        5 => "DATE",
        6 => "CHAR(10) CHARACTER SET latin1 COLLATE latin1_bin",
        7 => "SMALLINT UNSIGNED",
        8 => "DATETIME",
        _ => "INT",
    };
    let divided = if dice.percent(35) { Some(partitions(dice, id)) } else { None };
    let mut parts = vec![format!("id {id} NOT NULL")];
    let mut columns = vec![described("`id`", id)];
    let mut key = "id";
    if divided.as_ref().is_some_and(|(by_part, _)| *by_part) || dice.percent(8) {
        parts.push("part INT NOT NULL".to_owned());
        columns.push(described("part", "int"));
        key = *dice.pick(&["id, part", "part, id"]);
    }
    let mut names = vec![quoted("id"), quoted("part")];
    for _ in 0..dice.between(1, 6) {
        let name = free_name(dice, &names);
        let definition = definitions::new(dice, server, &columns);
        // A second key would only make the whole statement fail.
        let definition = definition.replace(" PRIMARY KEY", "").replace(" AUTO_INCREMENT UNIQUE", "");
        let (data_type, _) = definitions::known_as(&definition);
        parts.push(format!("{name} {definition}"));
        columns.push(Column { name: name.clone(), data_type, ..described("", &definition) });
        names.push(name);
    }
    parts.push(format!("PRIMARY KEY ({key})"));
    let settable = &columns[1..];
    if !settable.is_empty() && dice.percent(25) {
        parts.push(format!("KEY k1 ({})", dice.pick(settable).name));
    }
    if !settable.is_empty() && dice.percent(8) {
        parts.push(format!("UNIQUE u1 ({})", dice.pick(settable).name));
    }
    if server.is_modern() && dice.percent(6) {
        parts.push(format!("CONSTRAINT ch1 CHECK ({})", definitions::check(dice, &columns)));
    }
    let mut options = Vec::new();
    for (percent, option) in [
        (12, "DEFAULT CHARSET latin1"),
        (10, "DEFAULT CHARSET utf8mb4"),
        (4, "DEFAULT CHARSET gbk"),
        (3, "COLLATE utf8mb4_bin"),
        (4, "COMMENT 'c'"),
        (4, "ROW_FORMAT=DYNAMIC"),
        (3, "ENGINE=MyISAM"),
        (3, "AUTO_INCREMENT=100"),
    ] {
        if dice.percent(percent)
            && !(option.contains("utf8mb4") && options.iter().any(|other: &String| other.contains("CHARSET")))
        {
            options.push(option.to_owned());
        }
    }
    Table { parts, options, partitions: divided.map(|(_, text)| text).unwrap_or_default() }
}

fn described(name: &str, r#type: &str) -> Column {
    let (data_type, full_type) = definitions::known_as(r#type);
    Column { name: name.to_owned(), data_type, full_type, nullable: false, generated: false, charset: None }
}

/// How a table is divided, and whether by a second column of its key.
fn partitions(dice: &mut Dice, id: &str) -> (bool, String) {
    let sub = *dice.pick(&[
        "",
        "",
        "",
        "",
        " SUBPARTITION BY HASH (part) SUBPARTITIONS 2",
        " SUBPARTITION BY KEY (part) SUBPARTITIONS 2",
    ]);
    let number = ["INT", "BIGINT UNSIGNED", "INT AUTO_INCREMENT", "SMALLINT UNSIGNED"].contains(&id);
    match dice.below(if number { 8 } else { 4 }) {
        0 => (true, format!("PARTITION BY RANGE (part){sub} (PARTITION p0 VALUES LESS THAN (3), PARTITION p1 VALUES LESS THAN (6), PARTITION p2 VALUES LESS THAN MAXVALUE)")),
        1 => (true, format!("PARTITION BY LIST (part){sub} (PARTITION p0 VALUES IN (0,1,2), PARTITION p1 VALUES IN (3,4,5,6), PARTITION p2 VALUES IN (7,8,9))")),
        2 => (false, "PARTITION BY KEY () PARTITIONS 3".to_owned()),
        3 => (true, "PARTITION BY LIST COLUMNS (part) (PARTITION p0 VALUES IN (0,1,2,3), PARTITION p1 VALUES IN (4,5,6,7,8,9))".to_owned()),
        4 => (false, "PARTITION BY HASH (id) PARTITIONS 3".to_owned()),
        5 => (false, "PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (5), PARTITION p1 VALUES LESS THAN (10), PARTITION p2 VALUES LESS THAN (1000))".to_owned()),
        6 => (false, "PARTITION BY LINEAR HASH (id) PARTITIONS 4".to_owned()),
        _ => (false, "PARTITION BY RANGE COLUMNS (id) (PARTITION p0 VALUES LESS THAN (4), PARTITION p1 VALUES LESS THAN (MAXVALUE))".to_owned()),
    }
}

/// A row for all columns that can be set; the number makes its key.
pub fn row(dice: &mut Dice, server: Server, shape: &Shape, number: u64) -> Vec<String> {
    shape
        .settable()
        .map(|column| {
            if column.name == "`part`" {
                dice.below(10).to_string()
            } else if shape.key.contains(&column.name) {
                values::key(&column.data_type, number)
            } else {
                values::literal(dice, server, column)
            }
        })
        .collect()
}

/// Rows as one statement.
pub fn insert(table: &str, columns: &[String], rows: &[Vec<String>]) -> String {
    let rows: Vec<String> = rows.iter().map(|row| format!("({})", row.join(", "))).collect();
    format!("INSERT IGNORE INTO {table} ({}) VALUES {}", columns.join(", "), rows.join(", "))
}
