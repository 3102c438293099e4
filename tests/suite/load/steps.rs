//! The statements of a writer, chosen by dice. Each is right on every kind of source; none keeps anything in mind of what
//! was written before, so any may find its row gone or its key taken.

use super::dice::Dice;
use super::tables::{BESIDE, PARTS_EACH, Size};
use super::{ACCOUNTS, Origin};
use std::fmt::Write;
use std::path::Path;

/// What the statements of one writer are made from.
#[derive(Clone, Debug)]
pub struct Steps {
    /// Its chance; also for what is no statement.
    pub dice: Dice,
    origin: Origin,
    number: u64,
    size: Size,
    transfers: u64,
}

/// The legs of a transfer, between which another statement may stand.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Takes the amount from one account, and says so or will.
    pub out: Vec<String>,
    /// Gives it to another.
    pub into: Vec<String>,
}

impl Steps {
    /// Of writer `number`.
    pub fn new(origin: Origin, seed: u64, number: u64, size: Size) -> Self {
        Self { dice: Dice::of(seed, number), origin, number, size, transfers: 0 }
    }

    /// A transfer between two accounts: two of them changed, two lines in the journal.
    pub fn transfer(&mut self) -> Transfer {
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
        if self.dice.percent(50) {
            Transfer { out: vec![take, format!("{journal} {out}, {into}")], into: vec![give] }
        } else {
            Transfer {
                out: vec![take, format!("{journal} {out}")],
                into: vec![give, format!("{journal} {into}")],
            }
        }
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
    pub fn step(&mut self) -> String {
        let (a, b) = (self.item(), self.item());
        let n = self.dice.below(1_000_000);
        match self.dice.below(21) {
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
                    "INSERT INTO parts (a, b, v, raw) VALUES ({a}, {b}, {n}, X'00ff') ON DUPLICATE KEY UPDATE v = {n} + b"
                )
            }
            13 => {
                let (a, b) = self.part();
                format!("REPLACE INTO parts (a, b, v, raw) VALUES ({a}, {b}, 18446744073709551615, NULL)")
            }
            14 => {
                let (a, b) = self.part();
                format!("UPDATE parts SET b = b + 3 WHERE a = {a} AND b > {b} ORDER BY b DESC")
            }
            15 => {
                let ((a, b), (c, d)) = (self.part(), self.part());
                format!("DELETE FROM parts WHERE (a = {a} AND b = {b}) OR (a = {c} AND b = {d})")
            }
            // Another spelling is the same key for the source and another one for the target.
            16 => format!("UPDATE names SET name = UPPER(name) WHERE {}", by_name(self.name())),
            17 => {
                let new = format!("LEFT(CONCAT('{n:x} ', name), 60)");
                format!("UPDATE names SET name = {new}, ratio = ratio / 7 WHERE {}", by_name(self.name()))
            }
            18 | 19 => {
                let changed = self.origin.changed_document("doc", n);
                format!("UPDATE items SET doc = {changed} WHERE id BETWEEN {a} AND {a} + 6")
            }
            _ => {
                let n = self.name();
                if self.dice.percent(50) {
                    format!("DELETE FROM names WHERE {}", by_name(n))
                } else {
                    format!(
                        "INSERT INTO names (name, n, ratio) VALUES (CONCAT(SUBSTR(SHA2({n}, 256), 1, 6), ' né ', {n}), {n}, RAND({n}))"
                    )
                }
            }
        }
    }

    /// Two rows exchange their keys, by a key that nobody else uses.
    pub fn swap(&mut self) -> Vec<String> {
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
    pub fn large(&mut self) -> String {
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

    /// `LOAD DATA` from a file written for it.
    pub fn load_data(&mut self, file: &Path) -> String {
        use std::os::unix::fs::PermissionsExt;
        let (mut text, into) = if self.dice.percent(50) {
            (String::new(), "REPLACE INTO TABLE parts CHARACTER SET utf8mb4 (a, b, v)")
        } else {
            (String::new(), "IGNORE INTO TABLE items CHARACTER SET utf8mb4 (id, name, qty, kind, changed)")
        };
        for line in 0..self.dice.between(1, 40) {
            let ((a, b), id) = (self.part(), self.item());
            let _ = if into.starts_with("REPLACE") {
                writeln!(text, "{a}\t{b}\t{line}")
            } else {
                writeln!(text, "{id}\tloaded é\\t{line}\t{line}\tused\t2024-02-29 01:02:03.000004")
            };
        }
        std::fs::write(file, text).expect("the file is written");
        // Servers read only what everybody may.
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).expect("its permissions");
        format!("LOAD DATA INFILE '{}' {into}", file.display())
    }

    /// Statements with a temporary table that has the name of one that is carried.
    pub fn temporary(&mut self) -> Vec<String> {
        let a = self.item();
        vec![
            "DROP TEMPORARY TABLE IF EXISTS names".to_owned(),
            "CREATE TEMPORARY TABLE names (n BIGINT PRIMARY KEY, name VARCHAR(60)) ENGINE = InnoDB"
                .to_owned(),
            format!("INSERT INTO names SELECT id, name FROM items WHERE id BETWEEN {a} AND {a} + 20"),
            format!("UPDATE items JOIN names ON items.id = names.n SET qty = names.n % {a}"),
            "DROP TEMPORARY TABLE names".to_owned(),
        ]
    }

    /// A statement on the table without transactions, alone or with one that has them: after that a server cannot leave out
    /// of its log what is rolled back.
    pub fn beside(&mut self) -> String {
        let (a, n) = (self.item(), self.dice.below(1_000));
        if self.dice.percent(40) {
            return format!("INSERT INTO {BESIDE} (n) VALUES ({n})");
        }
        format!(
            "UPDATE {BESIDE}, items SET {BESIDE}.n = {BESIDE}.n + 1 + {n}, items.qty = {n} \
             WHERE {BESIDE}.id = 1 + {n} % 3 AND items.id BETWEEN {a} AND {a} + 6"
        )
    }
}

/// The rows whose names began as that of number `n`.
fn by_name(n: u64) -> String {
    format!("name LIKE CONCAT(SUBSTR(SHA2({n}, 256), 1, 6), '%')")
}
