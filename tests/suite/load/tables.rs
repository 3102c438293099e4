//! The tables under load, and their first rows.
//!
//! Of the `rows` asked for about half go to `items`, a quarter to `parts`, the rest to `names`; `accounts`, `journal` and
//! `audit`, which a trigger on `parts` fills, are small at first. Keys of `items` fill every second place of their range, so that rows can come and move anywhere.

use super::{ACCOUNTS, Origin};
use crate::harness::MysqlDatabase;

/// Every table that is carried, in the order in which they are compared.
pub const TABLES: [&str; 6] = ["accounts", "audit", "items", "journal", "names", "parts"];

/// The table beside them: it is not carried, and its rows stay when a transaction is rolled back.
pub const BESIDE: &str = "beside";

/// What every account holds at first.
pub const OPENING: i64 = 1_000_000;

/// How many rows the larger tables start with.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Rows of `items`; its keys lie between 1 and twice that.
    pub items: u64,
    /// Values of the first key column of `parts`; each has [`PARTS_EACH`] rows.
    pub parts: u64,
    /// Rows of `names`.
    pub names: u64,
}

/// Rows of `parts` per value of its first key column.
pub const PARTS_EACH: u64 = 10;

impl Size {
    /// The sizes for so many rows in all.
    pub fn of(rows: u64) -> Self {
        Self { items: rows / 2, parts: rows / 4 / PARTS_EACH, names: rows / 4 }
    }
}

/// Makes and fills the tables, and one beside them that knows no transactions.
pub async fn create(database: &MysqlDatabase<'_>, origin: Origin, size: Size) {
    let Size { items, parts, names } = size;
    let (json, collation) = (origin.json(), origin.collation());
    database
        .sql(&format!(
            "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(60) NOT NULL, qty INT NOT NULL, price DECIMAL(12,2), \
               note TEXT, doc {json}, kind ENUM('new', 'used', 'gone') NOT NULL, changed DATETIME(6) NOT NULL); \
             CREATE TABLE parts (a INT, b SMALLINT, v BIGINT UNSIGNED, raw VARBINARY(40), PRIMARY KEY (a, b)); \
             CREATE TABLE names (name VARCHAR(60) CHARACTER SET utf8mb4 COLLATE {collation} PRIMARY KEY, n INT NOT NULL, \
               ratio DOUBLE); \
             CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL); \
             CREATE TABLE journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, transfer BIGINT NOT NULL, account INT NOT NULL, \
               amount BIGINT NOT NULL, KEY (transfer)); \
             CREATE TABLE audit (id BIGINT AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, b SMALLINT NOT NULL, \
               was BIGINT UNSIGNED); \
             CREATE TABLE {BESIDE} (id INT AUTO_INCREMENT PRIMARY KEY, n BIGINT) ENGINE = MyISAM"
        ))
        .await;
    database
        .sql(&format!(
            "INSERT INTO accounts SELECT i, {OPENING} FROM {accounts}; \
             INSERT INTO items SELECT i * 2, CONCAT('item ', i), i % 1000, i / 7, \
               IF(i % 3 = 0, NULL, REPEAT('n', i % 50)), IF(i % 5 = 0, NULL, CONCAT('{{\"i\": ', i, '}}')), 1 + i % 3, \
               TIMESTAMPADD(SECOND, i, '2024-01-01 00:00:00.123456') FROM {items} ORDER BY i; \
             INSERT INTO parts SELECT 1 + (i - 1) DIV {PARTS_EACH}, 1 + (i - 1) % {PARTS_EACH}, i * 3, \
               UNHEX(LEFT(SHA2(i, 256), 40)) FROM {parts} ORDER BY i; \
             INSERT INTO {BESIDE} (n) VALUES (1), (2), (3); \
             INSERT INTO names SELECT CONCAT(SUBSTR(SHA2(i, 256), 1, 6), ' Né ', i), i, i / 3 FROM {names}",
            accounts = numbers(u64::from(ACCOUNTS)),
            items = numbers(items),
            parts = numbers(parts * PARTS_EACH),
            names = numbers(names),
        ))
        .await;
    database
        .sql(
            "CREATE TRIGGER parts_audit AFTER UPDATE ON parts FOR EACH ROW \
               INSERT INTO audit (a, b, was) VALUES (OLD.a, OLD.b, OLD.v)",
        )
        .await;
}

/// A derived table of the numbers `i` from 1 to `count`, without recursion: MySQL 5.6 has none.
fn numbers(count: u64) -> String {
    let digit = (1..10).fold("SELECT 0 AS d".to_owned(), |all, d| format!("{all} UNION ALL SELECT {d}"));
    let places = u32::try_from(count.to_string().len()).expect("few digits");
    let sum: String = (0..places).map(|place| format!(" + {} * d{place}.d", 10_u64.pow(place))).collect();
    let digits: Vec<String> = (0..places).map(|place| format!("({digit}) AS d{place}")).collect();
    format!(
        "(SELECT i FROM (SELECT 1{sum} AS i FROM {}) AS e WHERE i <= {count}) AS n",
        digits.join(" CROSS JOIN ")
    )
}
