//! Rows of the source beside those of the target, compared by the target itself.
//!
//! The source's rows are staged in a temporary table of the target's own column types, so that the target makes of them what it would
//! store, and one query answers with the keys that differ. Values are compared by their images: 1.0 and 1.00, or 0 and −0, are not
//! the same.
//!
//! What must never happen here: rows called equal that are not; a row of another feeder called too many.

use super::chunk::Sent;
use super::statements::{StatementKind, Statements, columns, key, staging_name};
use super::{arrays, copy, staging, types, update};
use crate::change::verdict::{Difference, DifferingKey};
use crate::change::{EncodedRows, RowLayout};
use crate::quote::{identifier, literal, qualified};
use crate::sink::ddl::render;
use crate::sink::{Session, SinkError};
use futures_util::TryStreamExt;
use std::collections::HashSet;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// Which rows of the target are held against the staged ones. Keys are as the target prints them.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'s> {
    /// Those of the staged keys: what only the target has is not looked for.
    Staged,
    /// Those with `after < key ≤ upto`.
    Between {
        /// The lower bound; `None` from the start.
        after: Option<&'s [String]>,
        /// The upper bound; `None` to the end.
        upto: Option<&'s [String]>,
    },
    /// Those of these keys.
    Keys(&'s [Vec<String>]),
}

/// How many rows were put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Rows that were missing.
    pub inserted: u64,
    /// Rows with other values.
    pub updated: u64,
    /// Rows that only the target had.
    pub deleted: u64,
}

/// How keys are printed. Segments do not hear of what `set_config` sets, by which the session is pinned: a double printed there would have
/// 15 digits, and be another key. (Nor do they keep what SET LOCAL sets before they take part in the transaction.)
const PRINTED_ALIKE: &str = "SET extra_float_digits TO 3; SET DateStyle TO 'ISO, YMD'; \
    SET IntervalStyle TO 'postgres'; SET TimeZone TO 'UTC'; SET bytea_output TO 'hex'";

/// Rows being compared inside the session's open transaction, at whose end the staged ones are gone.
pub struct Comparison<'a> {
    session: &'a Session,
    statements: &'a mut Statements,
    layout: Arc<RowLayout>,
    /// In a table of several feeders: the column that tells whose a row is, and what it holds in ours.
    tag: Option<(usize, String)>,
    staging: String,
    copying: Option<copy::Copying>,
    sent: Sent,
}

impl<'a> Comparison<'a> {
    pub(super) async fn begin(
        session: &'a Session,
        statements: &'a mut Statements,
        layout: &Arc<RowLayout>,
        tag: Option<(usize, String)>,
    ) -> Result<Self, SinkError> {
        staging::empty(session, statements, layout).await?;
        if session.dialect().distributed {
            let set = session.client().batch_execute(PRINTED_ALIKE).await;
            set.map_err(|error| staging::failed(session, layout, error))?;
        }
        let staging = format!("pg_temp.{}", identifier(&staging_name(statements.number(layout))));
        let layout = layout.clone();
        Ok(Self { session, statements, layout, tag, staging, copying: None, sent: Sent::default() })
    }

    /// Forgets the staged rows.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn restart(&mut self) -> Result<(), SinkError> {
        staging::empty(self.session, self.statements, &self.layout).await
    }

    /// Stages a run of rows of the source.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn stage(&mut self, run: &EncodedRows) -> Result<(), SinkError> {
        if run.layout != self.layout {
            return Err(self.session.unexpected("comparing rows", "rows of another layout"));
        }
        let failed = |error| staging::failed(self.session, &self.layout, error);
        let copying = match &mut self.copying {
            Some(copying) => copying,
            none => {
                let statement =
                    self.statements.get(self.session, &self.layout, StatementKind::CopyStaging).await?;
                none.insert(copy::Copying::begin(self.session, &statement).await.map_err(failed)?)
            }
        };
        copying.rows(copy::rows_of(run)).await.map_err(failed)?;
        self.sent.rows += run.spans.len();
        Ok(())
    }

    /// Waits until all that was staged is there. Answers with how many rows that are.
    ///
    /// # Errors
    /// What the server answers, and when it took in fewer rows than were sent.
    pub async fn staged(&mut self) -> Result<u64, SinkError> {
        let Some(copying) = self.copying.take() else { return Ok(0) };
        let taken = copying.finish().await;
        let taken = taken.map_err(|error| staging::failed(self.session, &self.layout, error))?;
        copy::complete(self.session, &self.layout.target, std::mem::take(&mut self.sent).rows, taken)?;
        Ok(taken)
    }

    /// The greatest staged key, in the target's order; `None` when nothing is staged.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn greatest(&self) -> Result<Option<Vec<String>>, SinkError> {
        let descending: Vec<String> = key(&self.layout).iter().map(|name| format!("{name} DESC")).collect();
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {} LIMIT 1",
            self.printed("").join(", "),
            self.staging,
            descending.join(", ")
        );
        let rows = self.rows(&sql).await?;
        rows.first().map(|row| self.key_of(row, 0)).transpose()
    }

    /// The keys in `scope` that differ in other ways than the `ignored` ones, up to `limit` of them.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn differing(
        &self,
        scope: Scope<'_>,
        ignored: &[Difference],
        limit: usize,
    ) -> Result<Vec<DifferingKey>, SinkError> {
        let rows = self.rows(&self.differing_sql(scope, ignored, limit)).await?;
        let rows = rows.iter().map(|row| {
            let kind: String = self.get(row, 0)?;
            let difference = match kind.as_str() {
                "missing" => Difference::Missing,
                "different" => Difference::Different,
                "extra" => Difference::Extra,
                _ => return Err(self.session.unexpected("comparing rows", "a difference of no kind")),
            };
            Ok(DifferingKey { difference, key: self.key_of(row, 1)? })
        });
        rows.collect()
    }

    /// The keys that the target has rows of ours of, among encoded ones, as it prints them.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn there(&self, keys: &[Vec<u8>]) -> Result<HashSet<Vec<String>>, SinkError> {
        const AT_ONCE: usize = 10_000;
        let mut there = HashSet::new();
        if keys.is_empty() {
            return Ok(there);
        }
        let failed = |error| staging::failed(self.session, &self.layout, error);
        let names = key(&self.layout);
        let numbers = |before: &str| (1..=names.len()).map(|n| format!("{before}{n}")).collect::<Vec<_>>();
        let equal = names.iter().zip(numbers("k.k")).map(|(name, other)| format!("t.{name} = {other}"));
        let sql = format!(
            "SELECT {} FROM {} AS t, unnest({}) AS k ({}) WHERE {} AND {}",
            self.printed("t.").join(", "),
            qualified(&self.layout.target),
            numbers("$").join(", "),
            numbers("k").join(", "),
            equal.collect::<Vec<_>>().join(" AND "),
            self.scoped("t.", Scope::Staged),
        );
        let types = types::key_arrays(&self.layout).unwrap_or_default();
        let of_arrays: Vec<Type> = types.iter().map(|(_, array)| array.clone()).collect();
        let statement = self.session.client().prepare_typed(&sql, &of_arrays).await.map_err(failed)?;
        for keys in keys.chunks(AT_ONCE) {
            let params = arrays::columns(&types, keys.iter().map(Vec::as_slice));
            let params = params
                .map_err(|_| self.session.unexpected("comparing rows", "an encoded key is malformed"))?;
            let rows = self.session.client().query_raw(&statement, &params).await.map_err(failed)?;
            let rows: Vec<Row> = rows.try_collect().await.map_err(failed)?;
            for row in &rows {
                there.insert(self.key_of(row, 0)?);
            }
        }
        Ok(there)
    }

    /// Makes the rows of `keys` as they are staged.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn repair(&self, keys: &[Vec<String>]) -> Result<Repaired, SinkError> {
        let (layout, table) = (&*self.layout, qualified(&self.layout.target));
        let mut repaired = Repaired::default();
        let own = self.scoped("t.", Scope::Keys(keys));
        let gone = format!("NOT EXISTS (SELECT 1 FROM {} AS s WHERE {})", self.staging, self.equal());
        repaired.deleted = self.execute(&format!("DELETE FROM {table} AS t WHERE {own} AND {gone}")).await?;
        let sets: Vec<String> = layout
            .columns
            .iter()
            .enumerate()
            .filter(|(index, _)| !layout.key.contains(index))
            .map(|(_, column)| identifier(&column.name))
            .map(|name| format!("{name} = s.{name}"))
            .collect();
        if !sets.is_empty() {
            let sql = format!(
                "UPDATE {table} AS t SET {} FROM {} AS s WHERE {} AND {} AND {}",
                sets.join(", "),
                self.staging,
                self.equal(),
                self.unlike(),
                self.scoped("s.", Scope::Keys(keys)),
            );
            repaired.updated = self.execute(&sql).await?;
        }
        let rest = update::insert_rest(layout, &table, &self.staging);
        let wanted = self.scoped("s.", Scope::Keys(keys));
        repaired.inserted = self.execute(&format!("{rest} AND {wanted}")).await?;
        Ok(repaired)
    }

    fn differing_sql(&self, scope: Scope<'_>, ignored: &[Difference], limit: usize) -> String {
        let key = key(&self.layout);
        let Some(first) = key.first() else { return String::new() };
        let table = qualified(&self.layout.target);
        let among = |rows: &str| {
            format!("(SELECT {} FROM {rows} WHERE {})", columns(&self.layout), self.scoped("", scope))
        };
        let (staged, join, target) = match scope {
            Scope::Staged => (self.staging.clone(), "LEFT JOIN", table),
            Scope::Between { .. } => (self.staging.clone(), "FULL JOIN", among(&table)),
            // The source may take another key for the same: of b it answers with B.
            Scope::Keys(_) => (among(&self.staging), "FULL JOIN", among(&table)),
        };
        let but: String = ignored
            .iter()
            .map(|difference| match difference {
                Difference::Missing => format!(" AND t.{first} IS NOT NULL"),
                Difference::Extra => format!(" AND s.{first} IS NOT NULL"),
                Difference::Different => format!(" AND (s.{first} IS NULL OR t.{first} IS NULL)"),
            })
            .collect();
        let values = self.layout.key.iter().zip(&key);
        let values = values.map(|(&index, name)| self.print(index, &format!("coalesce(s.{name}, t.{name})")));
        format!(
            "SELECT CASE WHEN t.{first} IS NULL THEN 'missing' WHEN s.{first} IS NULL THEN 'extra' ELSE 'different' END::pg_catalog.text, \
             {} FROM {staged} AS s {join} {target} AS t ON {} WHERE (s.{first} IS NULL OR t.{first} IS NULL OR {}){but} LIMIT {limit}",
            values.collect::<Vec<_>>().join(", "),
            self.equal(),
            self.unlike(),
        )
    }

    /// Whether the key of `s` is that of `t`.
    fn equal(&self) -> String {
        let equal: Vec<String> =
            key(&self.layout).iter().map(|name| format!("s.{name} = t.{name}")).collect();
        equal.join(" AND ")
    }

    /// Whether a value of `s` has another image than that of `t`.
    fn unlike(&self) -> String {
        // Keys are the same by what their type calls equal: nothing could be put right there.
        let others =
            self.layout.columns.iter().enumerate().filter(|(index, _)| !self.layout.key.contains(index));
        let names: Vec<String> = others.map(|(_, column)| identifier(&column.name)).collect();
        if names.is_empty() {
            return "false".to_owned();
        }
        let row = |of: &str| {
            let names: Vec<String> = names.iter().map(|name| format!("{of}.{name}")).collect();
            format!("ROW({})", names.join(", "))
        };
        format!("pg_catalog.record_image_ne({}, {})", row("s"), row("t"))
    }

    /// Whether a row of the target is in the scope and ours.
    fn scoped(&self, of: &str, scope: Scope<'_>) -> String {
        let mut conditions = Vec::new();
        if let Some((index, value)) = &self.tag
            && let Some(column) = self.layout.columns.get(*index)
        {
            conditions.push(format!("{of}{} = {}", identifier(&column.name), literal(value)));
        }
        let names: Vec<String> = key(&self.layout).iter().map(|name| format!("{of}{name}")).collect();
        let names = names.join(", ");
        match scope {
            Scope::Staged => {}
            Scope::Between { after, upto } => {
                let after = after.map(|bound| format!("({names}) > ({})", self.values(bound)));
                let upto = upto.map(|bound| format!("({names}) <= ({})", self.values(bound)));
                conditions.extend(after.into_iter().chain(upto));
            }
            Scope::Keys(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| format!("({})", self.values(key))).collect();
                conditions.push(match keys.is_empty() {
                    true => "false".to_owned(),
                    false => format!("({names}) IN ({})", keys.join(", ")),
                });
            }
        }
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    }

    /// A printed key as literals of its columns' types.
    fn values(&self, key: &[String]) -> String {
        let columns = self.layout.key.iter().filter_map(|&index| self.layout.columns.get(index));
        let typed = columns.zip(key).map(|(column, text)| {
            format!("{}::{}", literal(text), render::type_name(&column.data_type, self.session.dialect()))
        });
        typed.collect::<Vec<_>>().join(", ")
    }

    /// The key's columns, printed.
    fn printed(&self, of: &str) -> Vec<String> {
        let names = key(&self.layout);
        let columns = self.layout.key.iter().zip(&names);
        columns.map(|(&index, name)| self.print(index, &format!("{of}{name}"))).collect()
    }

    /// An expression that prints a value of a key's column so that it reads back as the very same.
    fn print(&self, index: usize, value: &str) -> String {
        use crate::change::TargetType;
        match self.layout.columns.get(index).map(|column| &column.data_type) {
            // Shortened to what tells a real from its neighbours it would be another double.
            Some(TargetType::Real) => format!("{value}::pg_catalog.float8::pg_catalog.text"),
            _ => format!("{value}::pg_catalog.text"),
        }
    }

    fn key_of(&self, row: &Row, first: usize) -> Result<Vec<String>, SinkError> {
        (first..first + self.layout.key.len()).map(|index| self.get(row, index)).collect()
    }

    fn get(&self, row: &Row, index: usize) -> Result<String, SinkError> {
        row.try_get(index).map_err(|error| staging::failed(self.session, &self.layout, error))
    }

    async fn rows(&self, sql: &str) -> Result<Vec<Row>, SinkError> {
        let rows = self.session.client().query_typed(sql, &[]).await;
        rows.map_err(|error| staging::failed(self.session, &self.layout, error))
    }

    async fn execute(&self, sql: &str) -> Result<u64, SinkError> {
        let done = self.session.client().execute(sql, &[]).await;
        done.map_err(|error| staging::failed(self.session, &self.layout, error))
    }

    /// The keys of ours in the target after one, in the target's order, up to `limit` of them.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn keys_after(
        &self,
        after: Option<&[String]>,
        limit: u64,
    ) -> Result<Vec<Vec<String>>, SinkError> {
        let sql = format!(
            "SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT {limit}",
            self.printed("").join(", "),
            qualified(&self.layout.target),
            self.scoped("", Scope::Between { after, upto: None }),
            key(&self.layout).join(", "),
        );
        self.rows(&sql).await?.iter().map(|row| self.key_of(row, 0)).collect()
    }
}
