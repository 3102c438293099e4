//! Random tables with random foreign keys, and random changes of their rows: the target is as the source is, or it is told.
//!
//! `ROWFERRY_CASCADE_ROUNDS` makes it longer, `ROWFERRY_CASCADE_SEED` begins elsewhere: `scripts/soak cascades`.

use crate::harness::{DEADLINE, Daemon, Mysql, Scene, mariadb, mysql56, postgres};
use std::fmt::Write;

/// Numbers that hang on the seed alone.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn of<'a>(&mut self, some: &[&'a str]) -> &'a str {
        let count = u64::try_from(some.len()).unwrap();
        some[usize::try_from(self.below(count)).unwrap()]
    }
}

const TABLES: u64 = 5;
const ACTIONS: [&str; 4] = ["CASCADE", "SET NULL", "CASCADE", "RESTRICT"];
/// What a key refers to, and the columns of it.
const REFERRED: [(&str, &str); 3] = [("id", "{}"), ("k", "{}k"), ("x, y", "{}x, {}y")];

/// Tables with keys to one another; those that the server does not take are left out.
async fn make(scene: &Scene<'_>, dice: &mut Dice) {
    for table in 0..TABLES {
        let mut columns = String::new();
        for key in 0..2 {
            write!(columns, ", f{key} INT, f{key}k INT, f{key}x INT, f{key}y INT").unwrap();
        }
        let engine = "ENGINE = InnoDB";
        scene
            .source
            .sql(&format!(
                "CREATE TABLE t{table} (id INT PRIMARY KEY, k INT UNIQUE, x INT, y INT, v INT{columns}, UNIQUE (x, y)) {engine}"
            ))
            .await;
    }
    let mut keys = 0;
    while keys < 6 {
        let (child, parent, number) = (dice.below(TABLES), dice.below(TABLES), dice.below(2));
        let (referred, own) = REFERRED[usize::try_from(dice.below(3)).unwrap()];
        let own = own.replace("{}", &format!("f{number}"));
        let (delete, update) = (dice.of(&ACTIONS), dice.of(&ACTIONS));
        let sql = format!(
            "ALTER TABLE t{child} ADD CONSTRAINT c{keys} FOREIGN KEY ({own}) REFERENCES t{parent} ({referred}) ON DELETE {delete} ON UPDATE {update}"
        );
        let asked = format!(
            "SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't{child}' \
             AND REFERENCED_TABLE_NAME IS NOT NULL AND COLUMN_NAME IN ('{}')",
            own.replace(", ", "', '")
        );
        let taken = scene.source.one(&asked).await;
        if taken == "0" && scene.source.try_sql(&sql).await.is_ok() {
            keys += 1;
        }
    }
}

/// A statement that may fail.
fn change(dice: &mut Dice) -> String {
    let table = dice.below(TABLES);
    let mut value = |null: u64| match dice.below(null + 12) {
        number @ 0..12 => number.to_string(),
        _ => "NULL".to_owned(),
    };
    let (id, other, k, x, y) = (value(0), value(0), value(4), value(3), value(3));
    let fields: Vec<String> = (0..8).map(|_| value(8)).collect();
    let row = format!("({id}, {k}, {x}, {y}, {other}, {})", fields.join(", "));
    match dice.below(12) {
        0..3 => format!("INSERT INTO t{table} VALUES {row}"),
        3 => format!("REPLACE INTO t{table} VALUES {row}"),
        4 => format!("INSERT INTO t{table} VALUES {row} ON DUPLICATE KEY UPDATE id = {other}, k = {k}"),
        5 => format!("DELETE FROM t{table} WHERE id = {id}"),
        6 => format!("DELETE FROM t{table} WHERE id IN ({id}, {other}) ORDER BY id DESC"),
        7 => format!("UPDATE t{table} SET id = {other} WHERE id = {id}"),
        8 => format!("UPDATE t{table} SET k = {k}, x = {x} WHERE id = {id}"),
        9 => format!("UPDATE t{table} SET k = k + 20, y = y + 1 WHERE id < {id} ORDER BY k DESC"),
        10 => format!("UPDATE t{table} SET f0 = {x}, f1k = {y}, v = {k} WHERE id = {id}"),
        _ => format!("SET foreign_key_checks = 0; UPDATE t{table} SET f0 = NULL, v = 7 WHERE id = {id}"),
    }
}

async fn changes(scene: &Scene<'_>, dice: &mut Dice, count: u64) {
    for _ in 0..count {
        let mut session = scene.source.session().await;
        if dice.below(4) > 0 {
            let _may_fail = session.try_sql(&change(dice)).await;
            continue;
        }
        session.sql("BEGIN").await;
        for _ in 0..dice.below(6) {
            let statement = change(dice);
            let _may_fail = session.try_sql(&statement).await;
        }
        session.sql(dice.of(&["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"])).await;
    }
}

async fn round(mysql: &Mysql, seed: u64) {
    let mut dice = Dice(seed);
    let scene = Scene::on(mysql, postgres().await, &format!("casc_fuzz_{seed}_{}", mysql.kind())).await;
    make(&scene, &mut dice).await;
    changes(&scene, &mut dice, 60).await;
    let keys = scene.source.one(
        "SELECT GROUP_CONCAT(CONCAT_WS(' ', CONSTRAINT_NAME, TABLE_NAME, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE) SEPARATOR '; ') \
         FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()",
    );
    eprintln!("seed {seed} on {}: {}", mysql.kind(), keys.await);
    let daemon = Daemon::start(&scene.config().task("apply", "{ batch_rows = 7 }"));
    // Some of it while it is copied.
    changes(&scene, &mut dice, 30).await;
    daemon.wait_phase("Synchronizing", DEADLINE * 2).await;
    for _ in 0..4 {
        changes(&scene, &mut dice, 25).await;
        daemon.kill9();
        // Some of it while nobody listens.
        changes(&scene, &mut dice, 5).await;
        daemon.restart();
        changes(&scene, &mut dice, 20).await;
        let tables: Vec<String> = (0..TABLES).map(|table| format!("t{table}")).collect();
        scene.assert_exact(&daemon, &tables.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn random_keys_and_changes_leave_the_target_as_the_source_is() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let rounds = number("ROWFERRY_CASCADE_ROUNDS").unwrap_or(1);
    let first = number("ROWFERRY_CASCADE_SEED").unwrap_or(1);
    for seed in first..first + rounds {
        for mysql in [mysql56().await, mariadb().await] {
            round(mysql, seed).await;
        }
    }
}
