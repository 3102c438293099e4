//! Row-by-row comparison of a source table with its target table, independent of rowferry's own encoders.
//!
//! Both servers turn every value into text by their own functions ([`columns`]), what SQL cannot make alike
//! (floats, JSON) is made so by [`value`]; rows are sorted by key and compared field by field.

mod columns;
mod value;

use super::{Mysql, PostgresDatabase};
use columns::{Column, columns};
use mysql_async::prelude::Queryable;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tokio_postgres::SimpleQueryMessage;

/// Differing rows that are shown.
const SHOWN: usize = 10;

/// Stands between the fields of a row.
const FIELD: char = '\u{1f}';

/// Stands for NULL, which no text of the target can look like.
const NULL: &str = "\0NULL";

/// Compares `database.table` with `schema.table`. Gives the number of rows, or the differences in words.
pub async fn tables_equal(
    mysql: &Mysql,
    source: &str,
    target_database: &PostgresDatabase<'_>,
    target: &str,
) -> Result<usize, String> {
    Comparison::new(source, target).run(mysql, target_database).await
}

/// A comparison with other column names or fewer columns.
#[derive(Clone, Debug)]
pub struct Comparison {
    source: String,
    target: String,
    renames: BTreeMap<String, String>,
    skipped: BTreeSet<String>,
    target_may_have_more: bool,
    source_filter: Option<String>,
    target_filter: Option<String>,
}

impl Comparison {
    /// `database.table` in MySQL, `schema.table` in PostgreSQL. Columns have the same names, or in lower case.
    pub fn new(source: &str, target: &str) -> Self {
        Self {
            source: source.to_owned(),
            target: target.to_owned(),
            renames: BTreeMap::new(),
            skipped: BTreeSet::new(),
            target_may_have_more: false,
            source_filter: None,
            target_filter: None,
        }
    }

    /// A source column that has another name in the target.
    pub fn rename(mut self, source: &str, target: &str) -> Self {
        self.renames.insert(source.to_owned(), target.to_owned());
        self
    }

    /// A column of either side that the other side does not have (by its own name there).
    pub fn skip(mut self, column: &str) -> Self {
        self.skipped.insert(column.to_owned());
        self
    }

    /// Columns that only the target has are let be: those that the source has dropped stay there by policy.
    pub fn target_may_have_more(mut self) -> Self {
        self.target_may_have_more = true;
        self
    }

    /// Conditions for the rows to compare, in each side's SQL.
    pub fn only(mut self, source: &str, target: &str) -> Self {
        self.source_filter = Some(source.to_owned());
        self.target_filter = Some(target.to_owned());
        self
    }

    /// Compares. Gives the number of rows, or the differences in words.
    pub async fn run(&self, mysql: &Mysql, postgres: &PostgresDatabase<'_>) -> Result<usize, String> {
        let columns =
            columns(mysql, &self.source, postgres, &self.target, &self.renames, &self.skipped).await?;
        let (columns, key) = match columns.surplus {
            Some(name) if !self.target_may_have_more => {
                return Err(format!("{} has no column for {}.{name}", self.source, self.target));
            }
            _ => (columns.compared, columns.key),
        };
        let (ours, theirs) =
            tokio::join!(self.source_rows(mysql, &columns), self.target_rows(postgres, &columns));
        // Without a primary key the whole row stands for itself.
        let key = if key == 0 { columns.len() } else { key };
        match differences(&ours, &theirs, &columns, key) {
            None => Ok(ours.len()),
            Some(text) => Err(format!(
                "{} ({} rows) and {} ({} rows) differ:\n{text}",
                self.source,
                ours.len(),
                self.target,
                theirs.len()
            )),
        }
    }

    async fn source_rows(&self, mysql: &Mysql, columns: &[Column]) -> Vec<String> {
        let list = columns.iter().map(|column| column.source.as_str()).collect::<Vec<_>>().join(", ");
        let (database, table) = self.source.split_once('.').expect("database.table");
        let filter = self.source_filter.as_deref().unwrap_or("TRUE");
        let mut session = mysql.session().await;
        session.sql("SET NAMES utf8mb4; SET time_zone = '+00:00', sql_mode = ''").await;
        let mut result = session
            .connection()
            .query_iter(format!("SELECT {list} FROM `{database}`.`{table}` WHERE {filter}"))
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.source));
        let mut rows = Vec::new();
        result
            .for_each(|row| {
                rows.push(canonical_row(row.unwrap().into_iter().map(super::mysql::text), columns));
            })
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.source));
        rows.sort_unstable();
        rows
    }

    async fn target_rows(&self, postgres: &PostgresDatabase<'_>, columns: &[Column]) -> Vec<String> {
        let list = columns.iter().map(|column| column.target.as_str()).collect::<Vec<_>>().join(", ");
        let (schema, table) = self.target.split_once('.').expect("schema.table");
        let filter = self.target_filter.as_deref().unwrap_or("TRUE");
        let mut session = postgres.session().await;
        session.sql("SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET DateStyle = 'ISO'").await;
        let query = format!("SELECT {list} FROM \"{schema}\".\"{table}\" WHERE {filter}");
        let fail = |error: tokio_postgres::Error| -> ! { panic!("{}: {error:?}", self.target) };
        let stream = session.client().simple_query_raw(&query).await.unwrap_or_else(|error| fail(error));
        let mut stream = std::pin::pin!(stream);
        let mut rows = Vec::new();
        while let Some(message) = futures_util::StreamExt::next(&mut stream).await {
            if let SimpleQueryMessage::Row(row) = message.unwrap_or_else(|error| fail(error)) {
                rows.push(canonical_row(super::postgres::fields(&row).into_iter(), columns));
            }
        }
        rows.sort_unstable();
        rows
    }
}

/// A row as one text, in which equal values of both sides look equal.
fn canonical_row(fields: impl Iterator<Item = Option<String>>, columns: &[Column]) -> String {
    let mut row = String::new();
    for (field, column) in fields.zip(columns) {
        match field {
            None => row.push_str(NULL),
            Some(text) => row.push_str(&column.kind.canonical(&text).replace(FIELD, "\\u{1f}")),
        }
        row.push(FIELD);
    }
    row
}

/// The first differences of two sorted lists, by key (the first `key` fields).
fn differences(source: &[String], target: &[String], columns: &[Column], key: usize) -> Option<String> {
    let key_of = |row: &str| row.split_inclusive(FIELD).take(key).collect::<String>();
    let mut text = String::new();
    let mut count = 0_usize;
    let (mut ours, mut theirs) = (source.iter().peekable(), target.iter().peekable());
    loop {
        let line = match (ours.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(a), Some(b)) if a == b => {
                ours.next();
                theirs.next();
                continue;
            }
            (Some(a), Some(b)) => match key_of(a).cmp(&key_of(b)) {
                Ordering::Less => format!("only in the source: {}", show(ours.next()?)),
                Ordering::Greater => format!("only in the target: {}", show(theirs.next()?)),
                Ordering::Equal => fields_that_differ(ours.next()?, theirs.next()?, columns, key),
            },
            (Some(_), None) => format!("only in the source: {}", show(ours.next()?)),
            (None, Some(_)) => format!("only in the target: {}", show(theirs.next()?)),
        };
        count += 1;
        if count <= SHOWN {
            let _ = writeln!(text, "  {line}");
        }
    }
    if count > SHOWN {
        let _ = writeln!(text, "  and {} more", count - SHOWN);
    }
    (count > 0).then_some(text)
}

fn show(row: &str) -> String {
    row.trim_end_matches(FIELD).replace(FIELD, " | ").replace(NULL, "NULL").chars().take(400).collect()
}

fn fields_that_differ(source: &str, target: &str, columns: &[Column], key: usize) -> String {
    let key = source.split(FIELD).take(key).collect::<Vec<_>>().join(", ");
    let mut line = format!("key {key}:");
    for ((a, b), column) in source.split(FIELD).zip(target.split(FIELD)).zip(columns) {
        if a != b {
            let _ = write!(line, " {}: source {}, target {};", column.name, show(a), show(b));
        }
    }
    line
}
