//! Snapshot value = log value = source value, for every type of docs/types.md.
//!
//! A [`Family`] is a table and its sample rows. The samples are there before the copy; once the task streams, the
//! server inserts the same values under other keys, and updates rows of other values to them. Then all three lives of
//! a sample must be the same bytes in PostgreSQL (`record_send`), and all rows must equal the source by the harness's
//! comparison, which knows nothing of our encoders.

mod bad_text;
mod bytes;
mod json;
mod key_dates;
mod keys;
mod labels;
mod numbers;
mod overrides;
mod partial;
mod policies;
mod refusals;
mod sessions;
mod shapes;
mod temporal;
mod text;

use crate::harness::{Daemon, Scene};
use std::fmt::Write;

/// Offset of the keys of samples that come by inserts of the log.
const INSERTED: u64 = 1_000_000;

/// Offset of the keys of samples that come by updates of the log.
const UPDATED: u64 = 2_000_000;

/// What sessions of these tests run first: any date can be written, any label too, and nobody's zone matters.
const LOOSE: &str = "SET NAMES utf8mb4; SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', \
                     cte_max_recursion_depth = 1000000";

/// A table and its samples.
struct Family {
    /// Its name.
    table: String,
    /// Columns after `id INT PRIMARY KEY`, as CREATE TABLE takes them, and table options after a closing `)` if any.
    columns: String,
    /// Per sample the values of the columns that are not generated, as SQL.
    samples: Vec<String>,
}

impl Family {
    fn new(table: &str, columns: &str, samples: &[&str]) -> Self {
        let samples = samples.iter().map(|&sample| sample.to_owned()).collect();
        Self { table: table.to_owned(), columns: columns.to_owned(), samples }
    }

    /// One column and its values.
    fn of_type(table: &str, data_type: &str, values: &[&str]) -> Self {
        Self::new(table, &format!("v {data_type}"), values)
    }

    /// Families of equally many samples side by side: one table, whose columns are named after them.
    fn beside(table: &str, families: &[(String, String, Vec<String>)]) -> Self {
        let columns: Vec<String> =
            families.iter().map(|(name, data_type, _)| format!("{name} {data_type}")).collect();
        let rows = families.iter().map(|(.., samples)| samples.len()).min().unwrap_or(0);
        assert!(families.iter().all(|(.., samples)| samples.len() == rows), "{table}");
        let row = |at: usize| {
            families.iter().map(|(.., samples)| samples[at].as_str()).collect::<Vec<_>>().join(", ")
        };
        Self { table: table.to_owned(), columns: columns.join(", "), samples: (0..rows).map(row).collect() }
    }

    /// Creates the table with its samples, keys 1 to n.
    async fn create(&self, scene: &Scene<'_>) {
        let Self { table, columns, samples } = self;
        let mut session = scene.source.session().await;
        session.sql(LOOSE).await;
        session.sql(&format!("CREATE TABLE `{table}` (id INT PRIMARY KEY, {columns})")).await;
        let list = self.written(scene).await;
        // One commit for many: each is a sync to disk.
        session.sql("BEGIN").await;
        for (at, sample) in samples.iter().enumerate() {
            session.sql(&format!("INSERT INTO `{table}` (id, {list}) VALUES ({}, {sample})", at + 1)).await;
        }
        session.sql("COMMIT").await;
    }

    /// Names of the columns that can be written, without the key.
    async fn written(&self, scene: &Scene<'_>) -> String {
        let names = self.names(scene, "GENERATION_EXPRESSION = ''").await;
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    async fn names(&self, scene: &Scene<'_>, condition: &str) -> Vec<String> {
        let rows = scene
            .source
            .sql(&format!(
                "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
                 AND TABLE_NAME = '{}' AND COLUMN_NAME <> 'id' AND {condition} ORDER BY ORDINAL_POSITION",
                self.table
            ))
            .await;
        rows.into_iter().flatten().flatten().collect()
    }

    /// Gives the samples their second and third life, through the log.
    async fn repeat(&self, scene: &Scene<'_>, session_settings: &str) {
        let table = &self.table;
        let list = self.written(scene).await;
        let (mut others, mut assignments) = (String::new(), Vec::new());
        for name in self.names(scene, "GENERATION_EXPRESSION = ''").await {
            let _ = write!(others, ", b.`{name}`");
            assignments.push(format!("x.`{name}` = y.`{name}`"));
        }
        let assignments = assignments.join(", ");
        let mut session = scene.source.session().await;
        session.sql(LOOSE).await;
        session.sql(session_settings).await;
        // The base of an update is the sample before, so that something changes.
        session
            .sql(&format!(
                "INSERT INTO `{table}` (id, {list}) SELECT id + {INSERTED}, {list} FROM `{table}`; \
                 INSERT INTO `{table}` (id, {list}) SELECT t.id + {UPDATED}{others} FROM `{table}` t \
                   JOIN `{table}` b ON b.id = IF(t.id = 1, {}, t.id - 1) WHERE t.id < {INSERTED}; \
                 UPDATE `{table}` x JOIN `{table}` y ON y.id = x.id - {UPDATED} SET {assignments}",
                self.samples.len()
            ))
            .await;
    }

    /// Compares the three lives with each other and with the source.
    async fn check(&self, scene: &Scene<'_>) {
        let (table, schema) = (&self.table, &scene.source.name);
        assert_eq!(scene.assert_equal(table).await, 3 * self.samples.len(), "{table}");
        let fields = |alias: &str, names: &[String]| {
            names
                .iter()
                .map(|name| format!("{alias}.\"{}\"", name.to_lowercase()))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let names = self.names(scene, "TRUE").await;
        for life in [INSERTED, UPDATED] {
            let rows = scene
                .target
                .sql(&format!(
                    "SELECT s.id, CASE WHEN record_send(ROW({a})) IS DISTINCT FROM record_send(ROW({b})) \
                       THEN left(concat(ROW({a})::text, ' and ', ROW({b})::text), 2000) END \
                     FROM \"{schema}\".\"{table}\" s JOIN \"{schema}\".\"{table}\" l ON l.id = s.id + {life} \
                     WHERE s.id < {INSERTED} ORDER BY s.id",
                    a = fields("s", &names),
                    b = fields("l", &names)
                ))
                .await;
            assert_eq!(rows.len(), self.samples.len(), "{table}");
            for row in rows {
                assert_eq!(row[1], None, "{table}, offset {life}, key {:?}", row[0]);
            }
        }
    }
}

/// Takes families through all three lives on the shared servers.
async fn live(name: &str, families: &[Family]) {
    let scene = Scene::new(name).await;
    for family in families {
        family.create(&scene).await;
    }
    let daemon = scene.start().await;
    live_on(&scene, &daemon, families, "DO 0").await;
}

/// The second and third life, with a streaming daemon.
async fn live_on(scene: &Scene<'_>, daemon: &Daemon, families: &[Family], session_settings: &str) {
    for family in families {
        family.repeat(scene, session_settings).await;
    }
    scene.wait_applied(daemon).await;
    for family in families {
        family.check(scene).await;
    }
    crate::verify::assert_verified(daemon).await;
}
