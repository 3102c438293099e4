//! The tables of the store: made when missing, dropped with their task.

use super::{FORMAT, Names, SCHEMA, layout, side, unreadable};
use crate::change::TargetName;
use crate::change::remedy::{AtTarget, InConfig, Upgrade};
use crate::quote::{identifier, literal};
use crate::sink::ddl::DDL_LOCK;
use crate::sink::{Session, SinkError};
use std::collections::BTreeMap;
use tokio_postgres::types::{ToSql, Type};

const DOING: &str = "preparing schema rowferry";

/// The columns of a table of checkpoints.
const POSITION: &str = "sequence bigint NOT NULL, epoch bigint NOT NULL, server text NOT NULL, file text NOT NULL, \
     file_offset bigint NOT NULL, gtids text NOT NULL, place text NOT NULL, \
     committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (sequence)";

/// A statement that makes a table of checkpoints where it is missing.
pub(super) fn make_position(name: &str, distributed: bool) -> String {
    let storage = if distributed { " WITH (appendonly=false) DISTRIBUTED BY (sequence)" } else { "" };
    format!("CREATE TABLE IF NOT EXISTS {name} ({POSITION}){storage}")
}

/// Columns, primary key and distribution key of each kind of table.
fn definitions(names: &Names) -> [(&str, &'static str, &'static str); 6] {
    [
        (&names.position, POSITION, "sequence"),
        (
            &names.tables,
            "source_database text NOT NULL, source_table text NOT NULL, version bigint NOT NULL, \
             target_schema text NOT NULL, target_table text NOT NULL, state text NOT NULL, mapping text NOT NULL, \
             sequence bigint NOT NULL, epoch bigint NOT NULL, \
             recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
             PRIMARY KEY (source_database, source_table, version)",
            "source_database, source_table",
        ),
        (
            &names.schemas,
            "source_database text NOT NULL, source_table text NOT NULL, version bigint NOT NULL, \
             definition text NOT NULL, valid_from text NOT NULL, sequence bigint NOT NULL, epoch bigint NOT NULL, \
             recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
             PRIMARY KEY (source_database, source_table, version)",
            "source_database, source_table",
        ),
        (
            &names.chunks,
            "source_database text NOT NULL, source_table text NOT NULL, number bigint NOT NULL, \
             after_key text, upto_key text, copied_rows bigint NOT NULL, epoch bigint NOT NULL, \
             recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
             PRIMARY KEY (source_database, source_table, number)",
            "source_database, source_table",
        ),
        (
            &names.owner,
            "epoch bigint NOT NULL, slot integer NOT NULL, role text NOT NULL, backend_pid integer NOT NULL, \
             backend_start timestamptz NOT NULL, host text NOT NULL, process_id bigint NOT NULL, \
             taken_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (epoch, slot)",
            "epoch",
        ),
        (
            &names.upkeep,
            "target_schema text NOT NULL, target_table text NOT NULL, number bigint NOT NULL, kind text NOT NULL, \
             bytes bigint NOT NULL, dead_rows bigint NOT NULL, epoch bigint NOT NULL, \
             recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
             PRIMARY KEY (target_schema, target_table, number)",
            "target_schema, target_table",
        ),
    ]
}

/// A table of schema `rowferry`.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Its comment.
    pub(super) comment: Option<String>,
    /// Whether its owner's rights are the user's.
    pub(super) owned: bool,
}

/// The tables of schema `rowferry`, by `rowferry."name"`.
pub(super) type Existing = BTreeMap<String, Made>;

/// Which tables of schema `rowferry` exist; `None` when the schema does not.
pub(super) async fn existing(session: &Session) -> Result<Option<Existing>, SinkError> {
    let failed = |error| session.error(DOING, error);
    let rows = session
        .client()
        .query_typed(
            "SELECT $1 || '.' || '\"' || c.relname::text || '\"', obj_description(c.oid, 'pg_class'), \
             coalesce(pg_has_role(c.relowner, 'USAGE'), false) FROM pg_namespace n \
             LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') WHERE n.nspname::text = $1",
            &[(&SCHEMA, Type::TEXT)],
        )
        .await
        .map_err(failed)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut found = Existing::new();
    for row in &rows {
        if let Some(name) = row.try_get::<_, Option<String>>(0).map_err(failed)? {
            let made =
                Made { comment: row.try_get(1).map_err(failed)?, owned: row.try_get(2).map_err(failed)? };
            found.insert(name, made);
        }
    }
    Ok(Some(found))
}

/// The name of another task that has a target table on record as its own. Records that the user may not read are passed
/// over: their task has a user of its own.
pub(super) async fn other_feeder(
    session: &Session,
    names: &Names,
    target: &TargetName,
) -> Result<Option<String>, SinkError> {
    const DOING: &str = "asking which tasks feed a table";
    let failed = |error| session.error(DOING, error);
    let rows = session
        .client()
        .query_typed(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname::text = $1 AND c.relkind = 'r' AND right(c.relname::text, 7) = '_tables' \
             AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1",
            &[(&SCHEMA, Type::TEXT)],
        )
        .await
        .map_err(failed)?;
    for row in &rows {
        let records: String = row.try_get(0).map_err(failed)?;
        let table = format!("{SCHEMA}.{}", identifier(&records));
        if table == names.tables {
            continue;
        }
        // Inside a name the quotes would not be bare. See [`StoredTable::is_taken_out`](super::StoredTable::is_taken_out).
        let sql = format!(
            "SELECT 1 FROM (SELECT DISTINCT ON (source_database, source_table) target_schema, target_table, mapping \
             FROM {table} ORDER BY source_database, source_table, version DESC) latest \
             WHERE target_schema = $1 AND target_table = $2 AND mapping NOT LIKE '%\"taken_out\":true%' LIMIT 1"
        );
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&target.schema, Type::TEXT), (&target.table, Type::TEXT)];
        if !session.client().query_typed(&sql, &values).await.map_err(failed)?.is_empty() {
            return Ok(Some(records.trim_end_matches("_tables").to_owned()));
        }
    }
    Ok(None)
}

/// Whether nothing is missing, so that nothing has to be made.
///
/// # Errors
/// What the server answers.
pub async fn is_made(session: &Session, task: &str) -> Result<bool, SinkError> {
    Ok(is_whole(&Names::new(task), existing(session).await?.as_ref()))
}

/// Whether any of a task's tables is there, but for the record that it was dropped.
///
/// # Errors
/// What the server answers.
pub async fn is_there(session: &Session, task: &str) -> Result<bool, SinkError> {
    let names = Names::new(task);
    let found = existing(session).await?.unwrap_or_default();
    Ok(found.keys().any(|name| is_of_task(name, &names, task)))
}

fn is_of_task(name: &String, names: &Names, task: &str) -> bool {
    let coming = [
        &names.cause,
        &names.verified,
        &names.begun,
        &names.pause,
        &names.skips,
        &names.quarantine,
        &names.counts,
    ];
    names.all().contains(&name) || coming.contains(&name) || side::is_side(name, task)
}

fn is_whole(names: &Names, found: Option<&Existing>) -> bool {
    found.is_some_and(|found| {
        found.contains_key(&meta()) && names.all().into_iter().all(|name| found.contains_key(name))
    })
}

/// Makes what is missing, in the present layout. Two tasks that start at once do it one after the other.
pub(super) async fn create(session: &Session, task: &str) -> Result<(), SinkError> {
    let names = Names::new(task);
    let failed = |error| session.error(DOING, error);
    if is_made(session, task).await? {
        return Ok(());
    }
    let lock = format!("BEGIN; SELECT pg_advisory_xact_lock({DDL_LOCK})");
    let (locked, found) = tokio::join!(biased; session.client().batch_execute(&lock), existing(session));
    locked.map_err(failed)?;
    let found = found?;
    if let Some(found) = &found {
        // What is missing may be what a newer program has taken away.
        if found.contains_key(&meta()) {
            check_format(session, task).await?;
        }
        layout::found(session, task, &names, found)?;
    }
    let sql = missing(&names, found.as_ref(), session.dialect().distributed) + "COMMIT";
    session.client().batch_execute(&sql).await.map_err(failed)
}

/// The statements that make what is not in `found`.
fn missing(names: &Names, found: Option<&Existing>, distributed: bool) -> String {
    let mut sql = String::new();
    if found.is_none() {
        sql.push_str("CREATE SCHEMA rowferry;\n");
    }
    let has = |name: &str| found.is_some_and(|found| found.contains_key(name));
    let mut make = |name: &str, columns: &str, key: &str| {
        let clause = if distributed { format!(" DISTRIBUTED BY ({key})") } else { String::new() };
        let storage = if distributed { " WITH (appendonly=false)" } else { "" };
        sql.push_str(&["CREATE TABLE ", name, " (", columns, ")", storage, &clause, ";\n"].concat());
    };
    let meta = meta();
    let new = !has(&meta);
    if new {
        make(
            &meta,
            "format integer NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (format)",
            "format",
        );
    }
    for (name, columns, key) in definitions(names) {
        if !has(name) {
            make(name, columns, key);
        }
    }
    if !has(&names.position) {
        sql.push_str(&layout::label(names));
    }
    if new {
        sql.push_str(&["INSERT INTO ", &meta, " (format) VALUES (", &FORMAT.to_string(), ");\n"].concat());
    }
    sql
}

pub(super) fn meta() -> String {
    format!("{SCHEMA}.\"meta\"")
}

/// What was asked of all tasks.
pub(super) fn audit() -> String {
    format!("{SCHEMA}.\"audit\"")
}

/// Refuses a schema `rowferry` of another version, where it has the table that says so.
pub(super) async fn check_format(session: &Session, task: &str) -> Result<(), SinkError> {
    let meta = meta();
    let sql = format!("SELECT max(format) FROM {meta}");
    let rows = session.client().query_typed(&sql, &[]).await.map_err(|error| session.error(DOING, error))?;
    let format: Option<i32> = match rows.first() {
        Some(row) => row.try_get(0).map_err(|error| session.error(DOING, error))?,
        None => None,
    };
    match format {
        Some(FORMAT) => Ok(()),
        Some(other) => {
            let why = format!(
                "{meta} says that schema {SCHEMA} has format {other}, and rowferry {} knows format {FORMAT} only",
                env!("CARGO_PKG_VERSION")
            );
            let remedy = Upgrade::NewerWriter.or(InConfig::OtherDatabase);
            Err(unreadable(session, task, why, remedy))
        }
        None => Err(unreadable(session, task, "rowferry.meta is empty", AtTarget::RestoreSchema)),
    }
}

/// Drops a task's tables; what it copied stays, and so does the record that the task was dropped. The task must be owned, or surely not run.
/// Other tasks and the schema itself are left alone.
pub async fn remove(session: &Session, task: &str) -> Result<(), SinkError> {
    let doing = format!("dropping the records of task {}", literal(task));
    let Some(found) = existing(session).await? else { return Ok(()) };
    let names = Names::new(task);
    let present: Vec<&str> =
        found.keys().filter(|name| is_of_task(name, &names, task)).map(String::as_str).collect();
    if present.is_empty() {
        return Ok(());
    }
    let sql = format!("DROP TABLE {}", present.join(", "));
    session.client().batch_execute(&sql).await.map_err(|error| session.error(&doing, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::store::golden;

    #[test]
    fn only_what_is_missing_is_made() {
        let names = Names::new("shop");
        let all = missing(&names, None, false);
        assert!(all.starts_with("CREATE SCHEMA rowferry;\nCREATE TABLE rowferry.\"meta\""), "{all}");
        assert_eq!(all.matches("CREATE TABLE").count(), 7);
        assert!(all.ends_with("INSERT INTO rowferry.\"meta\" (format) VALUES (1);\n"));
        let mut found: Existing =
            names.all().into_iter().map(|name| (name.clone(), Made::default())).collect();
        found.insert(meta(), Made::default());
        assert_eq!(missing(&names, Some(&found), false), "");
        found.remove(&names.chunks);
        let one = missing(&names, Some(&found), false);
        assert!(one.starts_with("CREATE TABLE rowferry.\"shop_chunks\" ("), "{one}");
        assert_eq!(one.matches("CREATE").count(), 1);
    }

    #[test]
    fn the_layout_is_that_of_its_golden_file() {
        golden::hold_layout(&missing(&Names::new("shop"), None, false));
    }

    #[test]
    fn on_greenplum_the_distribution_key_lies_inside_the_primary_key() {
        let names = Names::new("shop");
        for (name, columns, key) in definitions(&names) {
            let primary =
                columns.rsplit_once("PRIMARY KEY (").map(|(_, key)| key.trim_end_matches(')')).unwrap();
            assert!(primary.starts_with(key), "{name}: {key} in {primary}");
        }
        let sql = missing(&names, None, true);
        assert_eq!(sql.matches(" WITH (appendonly=false) DISTRIBUTED BY (").count(), 7, "{sql}");
    }
}
