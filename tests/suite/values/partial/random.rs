//! Hundreds of random changes of documents, by fixed seeds: nothing is thought of here that could have been forgotten.

use super::{COLUMNS, PARTIAL, assert_same_texts, partial_updates, text_columns};
use crate::harness::{Mysql, Scene, postgres};
use crate::load::Dice;
use std::fmt::Write;

const SEEDS: [u64; 3] = [7, 20_261, 0x5eed];
const DOCUMENTS: u64 = 24;
const TRANSACTIONS: u64 = 60;

/// Names of members as they stand in documents; some need quotes in a path.
const NAMES: [&str; 10] = ["a", "bb", "c", "a b", "", "é", "d\"e", "x.y", "b", "[0]"];

/// The SQL of a random value; containers hold values that are `depth` levels high at most.
fn value(dice: &mut Dice, depth: u64) -> String {
    if depth > 0 && dice.percent(40) {
        let count = dice.below(5);
        let object = dice.percent(50);
        let mut parts = Vec::new();
        for _ in 0..count {
            let inner = value(dice, depth - 1);
            parts.push(if object { format!("'{}', {inner}", dice.pick(&NAMES)) } else { inner });
        }
        return format!("JSON_{}({})", if object { "OBJECT" } else { "ARRAY" }, parts.join(", "));
    }
    let number = dice.below(200_000);
    match dice.below(16) {
        0 => "NULL".to_owned(),
        1 => "TRUE".to_owned(),
        2 => format!("-{number}"),
        3 => format!("{number}e-3"),
        4 => format!("CAST({number}.{number:03} AS DECIMAL(20,4))"),
        5 => format!("'text {number} é \\\" \\\\ \\n'"),
        6 => format!("REPEAT('r', {})", number % 400),
        7 => format!("DATE_ADD('2000-01-01', INTERVAL {number} SECOND)"),
        8 => "CAST('2024-02-29' AS DATE)".to_owned(),
        9 => format!("SEC_TO_TIME({number}.5)"),
        10 => format!("CAST('{number}' AS BINARY)"),
        11 => format!("{number}00000000000"),
        12 if number.is_multiple_of(10) => "REPEAT('large ', 12000)".to_owned(),
        13 => "CAST('{}' AS JSON)".to_owned(),
        14 => "CAST('[]' AS JSON)".to_owned(),
        _ => (number % 300).to_string(),
    }
}

/// A path of one to four legs in an SQL string.
fn path(dice: &mut Dice) -> String {
    let mut path = "$".to_owned();
    for _ in 0..dice.between(1, 4) {
        match dice.below(10) {
            0..6 => {
                let name = dice.pick(&NAMES).replace('\\', "\\\\").replace('"', "\\\\\"");
                let _ = write!(path, ".\"{name}\"");
            }
            6..9 => {
                let _ = write!(path, "[{}]", dice.below(6));
            }
            _ => {
                let _ = write!(path, "[last-{}]", dice.below(5));
            }
        }
    }
    format!("'{path}'")
}

/// A change of the document that `of` is.
fn change(dice: &mut Dice, of: &str) -> String {
    let mut changed = of.to_owned();
    for _ in 0..dice.between(1, 3) {
        let function = *dice.pick(&["SET", "SET", "SET", "REPLACE", "REMOVE"]);
        let mut arguments = String::new();
        for _ in 0..dice.between(1, 3) {
            let _ = write!(arguments, ", {}", path(dice));
            if function != "REMOVE" {
                let _ = write!(arguments, ", {}", value(dice, 2));
            }
        }
        changed = format!("JSON_{function}({changed}{arguments})");
    }
    changed
}

fn document(dice: &mut Dice) -> String {
    let members: Vec<String> = NAMES.iter().map(|name| format!("'{name}', {}", value(dice, 3))).collect();
    // Long enough for differences to be the shorter way.
    format!("JSON_OBJECT({}, 'pad', REPEAT('p', {}))", members.join(", "), 200 + dice.below(600))
}

/// One update: which rows, which documents, and what else.
fn update(dice: &mut Dice) -> String {
    let mut set = Vec::new();
    for column in ["a", "b", "c"] {
        if dice.percent(60) {
            set.push(format!("{column} = {}", change(dice, column)));
        }
    }
    if set.is_empty() || dice.percent(30) {
        set.push("n = n + 1".to_owned());
    }
    if dice.percent(3) {
        set.push(format!("{} = {}", dice.pick(&["b", "c"]), dice.pick(&["NULL", "a", "'[1, [2]]'"])));
    }
    let id = dice.below(DOCUMENTS);
    let rows = match dice.below(6) {
        0 => format!("id % 4 = {}", id % 4),
        1 => "TRUE".to_owned(),
        _ => format!("id = {id}"),
    };
    format!("UPDATE docs SET {} WHERE {rows}", set.join(", "))
}

#[tokio::test]
async fn random_json_differences_become_the_documents_of_the_source() {
    let mysql = Mysql::private(&[]).await;
    for seed in SEEDS {
        let scene = Scene::on(&mysql, postgres().await, &format!("values_partial_{seed}")).await;
        let mut dice = Dice::of(seed, 0);
        let mut session = scene.source.session().await;
        session.sql(PARTIAL).await;
        // Without an index that takes numbers only.
        let (columns, _) = COLUMNS.rsplit_once(", KEY").unwrap();
        session.sql(&format!("CREATE TABLE docs (id INT PRIMARY KEY, {columns})")).await;
        for id in 0..DOCUMENTS {
            let [a, b, c] = [document(&mut dice), document(&mut dice), document(&mut dice)];
            session.sql(&format!("INSERT INTO docs (id, a, b, c) VALUES ({id}, {a}, {b}, {c})")).await;
        }
        let daemon = scene.start_with(&scene.config().more(&text_columns(&scene, "docs"))).await;
        let before = partial_updates(&mysql).await.len();
        for transaction in 0..TRANSACTIONS {
            let compressed = u8::from(dice.percent(25));
            session.sql(&format!("SET SESSION binlog_transaction_compression = {compressed}; BEGIN")).await;
            for _ in 0..dice.between(1, 8) {
                session.sql(&update(&mut dice)).await;
            }
            session.sql("COMMIT").await;
            if transaction % 20 == 19 {
                scene.assert_exact(&daemon, &["docs"]).await;
                assert_same_texts(&scene, "docs").await;
            }
        }
        let written = partial_updates(&mysql).await.len() - before;
        assert!(written > 100, "seed {seed}: only {written} events with differences");
        assert_eq!(daemon.task().await.unwrap().restarts, 0, "seed {seed}");
    }
}
