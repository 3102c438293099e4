//! The tables under load, and their first rows.
//!
//! Of the `rows` asked for about half go to `items`, a quarter to `parts`, the rest to `names`; `accounts` and `journal` are small
//! at first. Keys of `items` fill every second place of their range, so that rows can come and move anywhere.

use super::ACCOUNTS;
use crate::harness::MysqlDatabase;

/// Every table, in the order in which they are compared.
pub const TABLES: [&str; 5] = ["accounts", "items", "journal", "names", "parts"];

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

/// Makes and fills the tables.
pub async fn create(database: &MysqlDatabase<'_>, size: Size) {
    let Size { items, parts, names } = size;
    database
        .sql(
            "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(60) NOT NULL, qty INT NOT NULL, price DECIMAL(12,2), \
               note TEXT, doc JSON, kind ENUM('new', 'used', 'gone') NOT NULL, changed DATETIME(6) NOT NULL); \
             CREATE TABLE parts (a INT, b SMALLINT, v BIGINT UNSIGNED, raw VARBINARY(40), PRIMARY KEY (a, b)); \
             CREATE TABLE names (name VARCHAR(60) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, n INT NOT NULL, ratio DOUBLE); \
             CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL); \
             CREATE TABLE journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, transfer BIGINT NOT NULL, account INT NOT NULL, \
               amount BIGINT NOT NULL, KEY (transfer))",
        )
        .await;
    let numbers = |count: u64| {
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})")
    };
    database
        .sql(&format!(
            "SET SESSION cte_max_recursion_depth = {depth}; \
             INSERT INTO accounts {accounts} SELECT i, {OPENING} FROM n; \
             INSERT INTO items {item_numbers} SELECT i * 2, CONCAT('item ', i), i % 1000, i / 7, \
               IF(i % 3 = 0, NULL, REPEAT('n', i % 50)), IF(i % 5 = 0, NULL, JSON_OBJECT('i', i)), 1 + i % 3, \
               TIMESTAMPADD(SECOND, i, '2024-01-01 00:00:00.123456') FROM n; \
             INSERT INTO parts {part_numbers} SELECT i, b, i * b, UNHEX(LEFT(SHA2(i, 256), 40)) FROM n \
               CROSS JOIN (WITH RECURSIVE m (b) AS (SELECT 1 UNION ALL SELECT b + 1 FROM m WHERE b < {PARTS_EACH}) SELECT b FROM m) AS m; \
             INSERT INTO names {name_numbers} SELECT CONCAT(SUBSTR(SHA2(i, 256), 1, 6), ' Né ', i), i, i / 3 FROM n",
            depth = items.max(names).max(u64::from(ACCOUNTS)) + 1,
            accounts = numbers(u64::from(ACCOUNTS)),
            item_numbers = numbers(items),
            part_numbers = numbers(parts),
            name_numbers = numbers(names),
        ))
        .await;
}
