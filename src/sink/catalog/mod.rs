//! What tables exist in the target and how they look, in a fixed number of queries whatever their number.
//!
//! Everything here must run on PostgreSQL 9.4 (Greenplum 6): columns that later versions added to a catalog
//! are read through `row_to_json`, which leaves them out where they are not.

mod partitions;
mod types;

use super::{Session, SinkError};
use crate::change::facts::FoundTable;
use crate::change::shape::Distribution;
use crate::change::{TargetColumn, TargetName, TargetTable};
use crate::quote::qualified;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use types::CatalogType;

const DOING: &str = "reading the target's catalog";

/// How many tables one emptiness question names: each costs a lock and a branch of the plan.
const ROWS_QUESTION_TABLES: usize = 200;

const TABLES: &str = "\
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, \
 pg_has_role(c.relowner, 'USAGE'), \
 has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), \
 has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') \
  AND has_table_privilege(c.oid, 'DELETE'), \
 array_to_string(c.reloptions, ', '), \
 coalesce(row_to_json(c)->>'relstorage', '') IN ('a', 'c') \
  OR EXISTS (SELECT 1 FROM pg_am m WHERE m.oid = c.relam AND m.amname IN ('ao_row', 'ao_column')), \
 coalesce(row_to_json(c)->>'relstorage', '') IN ('x', 'f') AND c.relkind = 'r', \
 (SELECT k.conname::text FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p'), \
 ARRAY(SELECT a.attname::text FROM pg_constraint k, unnest(k.conkey) WITH ORDINALITY AS u(attnum, place), pg_attribute a \
  WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attrelid = c.oid AND a.attnum = u.attnum ORDER BY u.place), \
 ARRAY(SELECT x.relname::text FROM pg_index i, pg_class x \
  WHERE i.indrelid = c.oid AND x.oid = i.indexrelid AND i.indisunique AND NOT i.indisprimary ORDER BY 1), \
 ARRAY(SELECT 'trigger ' || t.tgname FROM pg_trigger t \
   WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') \
  UNION ALL SELECT 'foreign key ' || k.conname || CASE WHEN k.conrelid = c.oid THEN '' ELSE \
    (SELECT ' of ' || quote_ident(s.nspname) || '.' || quote_ident(o.relname) FROM pg_class o \
     JOIN pg_namespace s ON s.oid = o.relnamespace WHERE o.oid = k.conrelid) END FROM pg_constraint k \
   WHERE k.contype = 'f' AND (k.conrelid = c.oid OR k.confrelid = c.oid) \
  UNION ALL SELECT 'rule ' || r.rulename FROM pg_rewrite r \
   WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN' AND r.ev_enabled IN ('O', 'A') \
  UNION ALL SELECT 'deferrable primary key ' || k.conname FROM pg_constraint k \
   WHERE k.conrelid = c.oid AND k.contype = 'p' AND k.condeferrable \
  UNION ALL SELECT CASE row_to_json(a)->>'attgenerated' WHEN 's' THEN 'generated column ' WHEN 'v' THEN 'generated column ' \
    ELSE 'GENERATED ALWAYS identity of column ' END || a.attname FROM pg_attribute a \
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    AND (coalesce(row_to_json(a)->>'attgenerated', '') IN ('s', 'v') OR coalesce(row_to_json(a)->>'attidentity', '') = 'a') \
  ORDER BY 1), \
 c.relpersistence <> 'p' OR EXISTS (WITH RECURSIVE below AS (SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent = c.oid \
   UNION ALL SELECT h.inhrelid FROM below b JOIN pg_inherits h ON h.inhparent = b.inhrelid) \
  SELECT 1 FROM below b JOIN pg_class p ON p.oid = b.inhrelid WHERE p.relpersistence <> 'p'), \
 ARRAY(SELECT a.attname::text FROM pg_constraint k, pg_attribute a, pg_collation l \
  WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attrelid = c.oid AND a.attnum = ANY(k.conkey) \
   AND l.oid = a.attcollation AND row_to_json(l)->>'collisdeterministic' = 'false' ORDER BY 1), \
 ARRAY(SELECT k.conname::text FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' ORDER BY 1), \
 ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
   AND (a.atthasdef OR coalesce(row_to_json(a)->>'attidentity', '') <> '') ORDER BY 1), \
 has_table_privilege(c.oid, 'TRUNCATE'), \
 ARRAY(SELECT coalesce((SELECT 'ALTER TABLE ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' DROP CONSTRAINT ' \
    || quote_ident(k.conname) FROM pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('u', 'x') AND k.conrelid = c.oid), \
   'DROP INDEX ' || quote_ident(n.nspname) || '.' || quote_ident(x.relname)) \
   || '; ' || replace(pg_get_indexdef(x.oid), 'CREATE UNIQUE INDEX', 'CREATE INDEX') FROM pg_index i, pg_class x \
  WHERE i.indrelid = c.oid AND x.oid = i.indexrelid AND i.indisunique AND NOT i.indisprimary ORDER BY x.relname) \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
 AND (n.nspname::text, c.relname::text) IN (SELECT u.s, u.t FROM unnest($1::text[], $2::text[]) AS u(s, t))";

const COLUMNS: &str = "\
SELECT a.attrelid, a.attname::text, t.typname::text, y.nspname = 'pg_catalog', a.atttypmod, \
 format_type(a.atttypid, a.atttypmod), a.attnotnull \
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace y ON y.oid = t.typnamespace \
WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

const DISTRIBUTIONS: &str = "\
SELECT p.localoid, p.policytype::text, \
 ARRAY(SELECT a.attname::text FROM unnest(p.distkey) WITH ORDINALITY AS u(attnum, place), pg_attribute a \
  WHERE a.attrelid = p.localoid AND a.attnum = u.attnum ORDER BY u.place) \
FROM gp_distribution_policy p WHERE p.localoid = ANY($1)";

/// One found table while it is put together.
struct Entry {
    found: FoundTable,
    /// SELECT is allowed.
    readable: bool,
}

/// The tables among `wanted` that exist; only those in `counted` are asked for rows, which waits for whoever has locked
/// them. A view or foreign table of a wanted name is returned too, with the
/// reason it cannot be written in [`FoundTable::active`]. On Greenplum `distribution` is as found (no columns:
/// randomly).
pub async fn tables(
    session: &Session,
    wanted: &[TargetName],
    counted: &BTreeSet<TargetName>,
) -> Result<BTreeMap<TargetName, FoundTable>, SinkError> {
    let mut entries = shapes(session, wanted).await?;
    has_rows(session, &mut entries, counted).await?;
    Ok(entries.into_values().map(|entry| (entry.found.table.name.clone(), entry.found)).collect())
}

/// One table, when it exists. Whether it has rows is not asked: `has_rows` is true.
pub async fn shape(session: &Session, wanted: &TargetName) -> Result<Option<FoundTable>, SinkError> {
    let entries = shapes(session, std::slice::from_ref(wanted)).await?;
    Ok(entries.into_values().next().map(|entry| entry.found))
}

async fn shapes(session: &Session, wanted: &[TargetName]) -> Result<BTreeMap<u32, Entry>, SinkError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let schemas: Vec<&str> = wanted.iter().map(|name| name.schema.as_str()).collect();
    let names: Vec<&str> = wanted.iter().map(|name| name.table.as_str()).collect();
    let rows = session
        .client()
        .query_typed(TABLES, &[(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)])
        .await
        .map_err(|error| session.error(DOING, error))?;
    let mut entries = BTreeMap::new();
    for row in &rows {
        let (oid, entry) = entry(row).map_err(|error| session.error(DOING, error))?;
        entries.insert(oid, entry);
    }
    if entries.is_empty() {
        return Ok(entries);
    }
    let oids: Vec<u32> = entries.keys().copied().collect();
    let (distributed, declared) =
        (session.dialect().distributed, session.dialect().version_number >= 120_000);
    // Sent together.
    let (columns, distributions, partitioned) = tokio::try_join!(
        ask(session, Some(COLUMNS), &oids),
        ask(session, distributed.then_some(DISTRIBUTIONS), &oids),
        ask(session, partitions::question(declared, distributed), &oids)
    )?;
    for row in &columns {
        let (oid, column) = column(row).map_err(|error| session.error(DOING, error))?;
        if let Some(entry) = entries.get_mut(&oid) {
            entry.found.table.columns.push(column);
        }
    }
    for row in &distributions {
        let (oid, distribution) = distribution(row).map_err(|error| session.error(DOING, error))?;
        if let Some(entry) = entries.get_mut(&oid) {
            entry.found.table.distribution = Some(distribution);
        }
    }
    for row in &partitioned {
        let oid: u32 = row.try_get(0).map_err(|error| session.error(DOING, error))?;
        if let Some(entry) = entries.get_mut(&oid) {
            entry.found.without_default_partition = true;
        }
    }
    Ok(entries)
}

/// What one of the questions has to say of tables; nothing where it is not asked.
async fn ask(session: &Session, sql: Option<&str>, oids: &Vec<u32>) -> Result<Vec<Row>, SinkError> {
    let Some(sql) = sql else { return Ok(Vec::new()) };
    let asked = session.client().query_typed(sql, &[(oids, Type::OID_ARRAY)]).await;
    asked.map_err(|error| session.error(DOING, error))
}

fn entry(row: &Row) -> Result<(u32, Entry), tokio_postgres::Error> {
    let kind: String = row.try_get(3)?;
    let readable: bool = row.try_get(5)?;
    let may_write: bool = row.try_get(6)?;
    let mut active: Vec<String> = row.try_get(13)?;
    match kind.as_str() {
        "v" => active.push("it is a view".into()),
        "m" => active.push("it is a materialized view".into()),
        "f" => active.push("it is a foreign table".into()),
        _ => {}
    }
    if row.try_get::<_, bool>(9)? {
        active.push("it is an external table".into());
    }
    let found = FoundTable {
        table: TargetTable {
            name: TargetName { schema: row.try_get(1)?, table: row.try_get(2)? },
            columns: Vec::new(),
            primary_key: row.try_get(11)?,
            distribution: None,
            storage: row.try_get(7)?,
        },
        // What may not be read is taken for filled: nobody may then believe it empty.
        has_rows: true,
        append_optimized: row.try_get(8)?,
        primary_key_name: row.try_get(10)?,
        unique_indexes: row.try_get(12)?,
        unique_statements: row.try_get(19)?,
        writable: readable && may_write,
        truncatable: row.try_get(18)?,
        owned: row.try_get(4)?,
        unlogged: row.try_get(14)?,
        without_default_partition: false,
        loose_columns: row.try_get(15)?,
        active,
        fed_by: None,
        checks: row.try_get(16)?,
        filled: row.try_get(17)?,
    };
    Ok((row.try_get(0)?, Entry { found, readable }))
}

fn column(row: &Row) -> Result<(u32, TargetColumn), tokio_postgres::Error> {
    let catalog_type = CatalogType {
        name: row.try_get(2)?,
        builtin: row.try_get(3)?,
        modifier: row.try_get(4)?,
        printed: row.try_get(5)?,
    };
    let not_null: bool = row.try_get(6)?;
    let column =
        TargetColumn { name: row.try_get(1)?, data_type: catalog_type.target_type(), nullable: !not_null };
    Ok((row.try_get(0)?, column))
}

fn distribution(row: &Row) -> Result<(u32, Distribution), tokio_postgres::Error> {
    let policy: String = row.try_get(1)?;
    let distribution =
        if policy == "r" { Distribution::Replicated } else { Distribution::By(row.try_get(2)?) };
    Ok((row.try_get(0)?, distribution))
}

async fn has_rows(
    session: &Session,
    entries: &mut BTreeMap<u32, Entry>,
    counted: &BTreeSet<TargetName>,
) -> Result<(), SinkError> {
    let questions: Vec<(u32, String)> = entries
        .iter()
        .filter(|(_, entry)| entry.readable && counted.contains(&entry.found.table.name))
        .map(|(oid, entry)| (*oid, qualified(&entry.found.table.name)))
        .collect();
    for part in questions.chunks(ROWS_QUESTION_TABLES) {
        let sql = part
            .iter()
            .map(|(oid, table)| {
                format!("SELECT '{oid}'::pg_catalog.oid, EXISTS (SELECT 1 FROM {table} LIMIT 1)")
            })
            .collect::<Vec<_>>()
            .join(" UNION ALL ");
        let rows =
            session.client().query_typed(&sql, &[]).await.map_err(|error| session.error(DOING, error))?;
        for row in &rows {
            let answer = || Ok((row.try_get::<_, u32>(0)?, row.try_get::<_, bool>(1)?));
            let (oid, any) = answer().map_err(|error| session.error(DOING, error))?;
            if let Some(entry) = entries.get_mut(&oid) {
                entry.found.has_rows = any;
            }
        }
    }
    Ok(())
}
