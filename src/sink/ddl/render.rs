//! DDL as text. Pure: what exists is handed in, nothing is asked or run.
//!
//! The statements are valid on PostgreSQL 9.4 already (Greenplum 6): no `IF NOT EXISTS` on columns, no identity,
//! no writable CTE.

use super::super::Dialect;
use super::Clear;
use crate::change::facts::FoundTable;
use crate::change::remedy::{AtTarget, InConfig, Remedy};
use crate::change::shape::{Distribution, RowsOf};
use crate::change::{TargetChange, TargetColumn, TargetName, TargetTable, TargetType};
use crate::quote::{identifier, identifiers, literal, qualified};

/// Longest identifier in bytes (`NAMEDATALEN` − 1); the server cuts longer ones off without an error, and two
/// of them may become one.
const NAME_BYTES: usize = 63;

/// Why a table or change cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table}: {why}")]
pub struct Unfit {
    /// The table.
    pub table: TargetName,
    /// What is wrong.
    pub why: String,
    /// What the user can do.
    pub remedy: Remedy,
}

impl Unfit {
    fn new(table: &TargetName, why: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self { table: table.clone(), why: why.into(), remedy: remedy.into() }
    }
}

/// `CREATE SCHEMA`.
pub fn create_schema(schema: &str) -> String {
    format!("CREATE SCHEMA {}", identifier(schema))
}

/// `CREATE TABLE` with its primary key and, where rows are distributed, its distribution and heap storage (an
/// append-optimized table takes no primary key).
pub fn create_table(table: &TargetTable, dialect: &Dialect) -> Result<String, Unfit> {
    let mut parts = Vec::with_capacity(table.columns.len() + 1);
    fits(&table.name, &table.name.schema)?;
    fits(&table.name, &table.name.table)?;
    for column in &table.columns {
        fits(&table.name, &column.name)?;
        let not_null = if column.nullable { "" } else { " NOT NULL" };
        parts.push(format!(
            "  {} {}{not_null}",
            identifier(&column.name),
            type_name(&column.data_type, dialect)
        ));
    }
    if !table.primary_key.is_empty() {
        parts.push(format!("  PRIMARY KEY ({})", identifiers(&table.primary_key)));
    }
    let mut sql = format!("CREATE TABLE {} (\n{}\n)", qualified(&table.name), parts.join(",\n"));
    sql.push_str(&with_storage(table.storage.as_deref(), dialect));
    if dialect.distributed {
        sql.push_str(&distributed(table));
    }
    Ok(sql)
}

/// ` WITH (…)`: what the user wants, and where rows are distributed heap storage unless that is said already.
pub(in crate::sink) fn with_storage(wanted: Option<&str>, dialect: &Dialect) -> String {
    let mut storage: Vec<&str> = wanted.into_iter().collect();
    if dialect.distributed && !storage.iter().any(|text| chooses_storage(text)) {
        storage.insert(0, "appendonly=false");
    }
    if storage.is_empty() { String::new() } else { format!(" WITH ({})", storage.join(", ")) }
}

/// Whether the user's storage text says itself how rows are kept.
fn chooses_storage(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("appendonly") || text.contains("appendoptimized")
}

/// ` DISTRIBUTED …`: as wanted or found, and without either by the primary key.
pub(in crate::sink) fn distributed(table: &TargetTable) -> String {
    let by = |columns: &[String]| match columns {
        [] => " DISTRIBUTED RANDOMLY".to_owned(),
        columns => format!(" DISTRIBUTED BY ({})", identifiers(columns)),
    };
    match &table.distribution {
        Some(Distribution::By(columns)) => by(columns),
        Some(Distribution::Replicated) => " DISTRIBUTED REPLICATED".to_owned(),
        None => by(&table.primary_key),
    }
}

/// A type for SQL. `search_path` is `pg_catalog`, so PostGIS's type needs its schema.
pub fn type_name(data_type: &TargetType, dialect: &Dialect) -> String {
    match (data_type, &dialect.geometry) {
        (TargetType::Geometry, Some(name)) => name.clone(),
        (other, _) => other.to_string(),
    }
}

/// The statements of a change, in order, for a table found as `found`. None when the table is already so.
pub fn change(change: &TargetChange, dialect: &Dialect, found: &FoundTable) -> Result<Vec<String>, Unfit> {
    match change {
        TargetChange::AddColumn { table, column, fill, rows } => {
            add_column(table, column, fill.as_deref(), rows, dialect, found)
        }
        TargetChange::RenameColumn { table, from, to } => {
            fits(table, to)?;
            Ok(vec![format!(
                "ALTER TABLE {} RENAME COLUMN {} TO {}",
                qualified(table),
                identifier(from),
                identifier(to)
            )])
        }
        TargetChange::AlterColumn { table, column } => alter_column(table, column, dialect, found),
        TargetChange::Empty { table, rows: RowsOf::Tagged { column, tag } } => {
            Ok(Clear::Tagged { column: column.clone(), tag: tag.clone() }.statements(table))
        }
        // Where a table has no other feeder more is asked first.
        TargetChange::DropColumn { .. } | TargetChange::Empty { .. } | TargetChange::RequireNone { .. } => {
            Ok(Vec::new())
        }
    }
}

/// A query that finds a row with an instant of these spans, if there is one.
pub fn instant_between(table: &TargetName, column: &str, between: &[(i64, i64)]) -> String {
    let column = identifier(column);
    let spans: Vec<String> = between
        .iter()
        .map(|(from, upto)| format!("{column} >= to_timestamp({from}) AND {column} < to_timestamp({upto})"))
        .collect();
    format!("SELECT 1 FROM {} WHERE {} LIMIT 1", qualified(table), spans.join(" OR "))
}

/// The fill is a default for the moment of adding: rows that exist take it, later ones are always written with
/// a value. From PostgreSQL 11 on the default is stored once; before, the server rewrites the table, which is
/// still cheaper than updating every row under the same lock (Greenplum 6, 500 k rows: 0.74 s, and an UPDATE 0.92 s and
/// twice the space). A column that is NULL in the rows that exist is added without. Where others feed the table too the
/// column takes NULL whatever its source says: their rows may come without it.
fn add_column(
    table: &TargetName,
    column: &TargetColumn,
    fill: Option<&str>,
    rows: &RowsOf,
    dialect: &Dialect,
    found: &FoundTable,
) -> Result<Vec<String>, Unfit> {
    fits(table, &column.name)?;
    if let Some(existing) = found.table.columns.iter().find(|c| c.name == column.name) {
        if existing.data_type == column.data_type && (existing.nullable || !column.nullable) {
            return Ok(fill_existing(table, column, fill, rows));
        }
        return Err(Unfit::new(
            table,
            format!(
                "column {} exists as {}{} and shall be {}{}",
                column.name,
                existing.data_type,
                nullability(existing),
                column.data_type,
                nullability(column)
            ),
            Remedy::ChangeTargetColumn { column: column.name.clone() },
        ));
    }
    let (target, name) = (qualified(table), identifier(&column.name));
    let not_null = if column.nullable || *rows != RowsOf::One { "" } else { " NOT NULL" };
    let add =
        format!("ALTER TABLE {target} ADD COLUMN {name} {}{not_null}", type_name(&column.data_type, dialect));
    Ok(match fill {
        None => vec![add],
        Some(fill) => vec![
            format!("{add} DEFAULT {}", literal(&exact(fill, &column.data_type))),
            format!("ALTER TABLE {target} ALTER COLUMN {name} DROP DEFAULT"),
        ],
    })
}

/// A column that is there already (another source table brought it, or somebody made it) holds in this source's rows
/// what it has held so far; they get what they have at the source. Where nobody can tell which these are, nothing is
/// done: [`rows_unlike`] is asked first.
fn fill_existing(
    table: &TargetName,
    column: &TargetColumn,
    fill: Option<&str>,
    rows: &RowsOf,
) -> Vec<String> {
    let own = match rows {
        RowsOf::One => String::new(),
        RowsOf::Tagged { column, tag } => format!("{} = {} AND ", identifier(column), literal(tag)),
        RowsOf::Anybody => return Vec::new(),
    };
    let name = identifier(&column.name);
    let value = fill.map_or_else(|| "NULL".to_owned(), |fill| literal(&exact(fill, &column.data_type)));
    let other = unlike(column, fill);
    vec![format!("UPDATE {} SET {name} = {value} WHERE {own}{other}", qualified(table))]
}

/// The condition that a row does not hold `fill` in `column`.
fn unlike(column: &TargetColumn, fill: Option<&str>) -> String {
    let name = identifier(&column.name);
    match (fill, &column.data_type) {
        (None, _) => format!("{name} IS NOT NULL"),
        // Not every type can be compared.
        (Some(_), TargetType::Json | TargetType::Geometry | TargetType::Other(_)) => "true".to_owned(),
        (Some(fill), data_type) => {
            format!("{name} IS DISTINCT FROM {}", literal(&exact(fill, data_type)))
        }
    }
}

/// What must find no row before a column is "added" that is there already in a table whose rows nobody can tell apart; and
/// what is wrong when it finds one.
pub fn rows_unlike(change: &TargetChange, found: &FoundTable) -> Option<(String, Unfit)> {
    let TargetChange::AddColumn { table, column, fill, rows: RowsOf::Anybody } = change else { return None };
    found.table.columns.iter().find(|existing| existing.name == column.name)?;
    let (name, value) = (&column.name, fill.as_deref().unwrap_or("NULL"));
    let query =
        format!("SELECT 1 FROM {} WHERE {} LIMIT 1", qualified(table), unlike(column, fill.as_deref()));
    let why = format!(
        "column {name} exists already and holds other values than {value}, and the rows that shall get {value} in it \
         cannot be told from those of others"
    );
    let remedy = Remedy::FillColumn { table: table.clone(), column: name.clone() };
    Some((query, Unfit::new(table, why, remedy)))
}

/// A text that every server reads as this very value: PostgreSQL 9.4 reads a `real` by way of a double and rounds twice, so
/// it gets the double's digits.
fn exact<'a>(fill: &'a str, data_type: &TargetType) -> std::borrow::Cow<'a, str> {
    match (data_type, fill.parse::<f32>()) {
        (TargetType::Real, Ok(value)) if value.is_finite() => f64::from(value).to_string().into(),
        _ => fill.into(),
    }
}

/// Type changes and the end of NOT NULL are carried. A NOT NULL that comes is not: it would scan the table under
/// an exclusive lock and changes no value.
fn alter_column(
    table: &TargetName,
    column: &TargetColumn,
    dialect: &Dialect,
    found: &FoundTable,
) -> Result<Vec<String>, Unfit> {
    let Some(existing) = found.table.columns.iter().find(|c| c.name == column.name) else {
        return Err(Unfit::new(
            table,
            format!("column {} is missing", column.name),
            AtTarget::RestoreColumn.or(Remedy::CopyNamedTable),
        ));
    };
    let (target, name) = (qualified(table), identifier(&column.name));
    let mut actions = Vec::new();
    // A column that holds more already stays as it is: somebody else has widened it, and its rows would be rounded.
    if !existing.data_type.holds(&column.data_type) {
        let wanted = type_name(&column.data_type, dialect);
        actions.push(format!("ALTER COLUMN {name} TYPE {wanted} USING {name}::{wanted}"));
    }
    let retyped = !actions.is_empty();
    if column.nullable && !existing.nullable {
        actions.push(format!("ALTER COLUMN {name} DROP NOT NULL"));
    }
    if actions.is_empty() {
        return Ok(Vec::new());
    }
    let alter = format!("ALTER TABLE {target} {}", actions.join(", "));
    if retyped && dialect.distributed && found.table.primary_key.contains(&column.name) {
        return Ok(around_key(alter, existing, column, found));
    }
    Ok(vec![alter])
}

/// Greenplum alters no column of a primary key, nor of a distribution key unless the new type hashes alike: both step aside
/// for the moment. Within one transaction nobody sees the table without them.
fn around_key(
    alter: String,
    existing: &TargetColumn,
    column: &TargetColumn,
    found: &FoundTable,
) -> Vec<String> {
    let target = qualified(&found.table.name);
    let spread = match &found.table.distribution {
        Some(Distribution::By(columns)) => columns.contains(&column.name),
        Some(Distribution::Replicated) | None => false,
    };
    let moves = spread && !hash_alike(&existing.data_type, &column.data_type);
    let mut statements = Vec::new();
    if let Some(name) = &found.primary_key_name {
        statements.push(format!("ALTER TABLE {target} DROP CONSTRAINT {}", identifier(name)));
    }
    if moves {
        statements.push(format!("ALTER TABLE {target} SET DISTRIBUTED RANDOMLY"));
    }
    statements.push(alter);
    if moves {
        statements.push(format!("ALTER TABLE {target} SET{}", distributed(&found.table)));
    }
    statements
        .push(format!("ALTER TABLE {target} ADD PRIMARY KEY ({})", identifiers(&found.table.primary_key)));
    statements
}

/// Whether Greenplum spreads equal values of both types alike (its hash operator families).
fn hash_alike(one: &TargetType, other: &TargetType) -> bool {
    use TargetType as T;
    let family = |data_type: &TargetType| match data_type {
        T::Smallint | T::Integer | T::Bigint => Some(1),
        T::Varchar(_) | T::Text => Some(2),
        T::Numeric(_) => Some(3),
        T::Boolean
        | T::Real
        | T::Double
        | T::Bit(_)
        | T::Bytea
        | T::Date
        | T::Timestamp(_)
        | T::TimestampTz(_)
        | T::Time(_)
        | T::Interval(_)
        | T::Json
        | T::Jsonb
        | T::RealArray
        | T::Uuid
        | T::Inet
        | T::Geometry
        | T::Other(_) => None,
    };
    family(one).is_some() && family(one) == family(other)
}

fn nullability(column: &TargetColumn) -> &'static str {
    if column.nullable { "" } else { " NOT NULL" }
}

fn fits(table: &TargetName, name: &str) -> Result<(), Unfit> {
    if name.is_empty() || name.len() > NAME_BYTES {
        return Err(Unfit::new(
            table,
            format!("the name '{name}' has {} bytes and the target takes 1 to {NAME_BYTES}", name.len()),
            InConfig::OtherTableName,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
