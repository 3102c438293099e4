//! The reader of `information_schema`: a few queries in one round trip, whatever the number of tables.
//!
//! What flows out: [`CatalogTable`]s of base tables, by name; columns in the order of the log's row images. (Hidden
//! columns of functional indexes are neither here nor in the log; a generated invisible primary key is in both.)
//!
//! What must never happen here: a table half read. A definition that changed between two queries is an error, and a
//! table of which the user may see only some columns is found out by `partly_granted_query`.

pub mod columns;
pub mod filter;

use super::server::foreign_keys::{self, ShownKey};
use super::server::{Server, TextRows, text};
use super::{SourceError, SourceErrorKind, snapshot::key::quote};
use crate::change::TableName;
use crate::change::facts::Flavour;
use crate::config::types::Selection;
use crate::schema::charset::{charset, charset_of_collation};
use crate::schema::table::UniqueKey;
use crate::schema::{Charset, ForeignKey, HiddenColumns, Table};
use columns::ColumnRow;
use filter::in_databases;
use std::collections::{BTreeMap, BTreeSet};

/// A base table as `information_schema` shows it.
#[derive(Clone, Debug)]
pub struct CatalogTable {
    /// Its definition.
    pub table: Table,
    /// Storage engine.
    pub engine: String,
    /// System-versioned (MariaDB).
    pub versioned: bool,
    /// The engine's estimate.
    pub estimated_rows: u64,
    /// The user may select every column shown.
    pub readable: bool,
    /// Its primary key holds only the beginning of a column.
    pub prefix_key: bool,
}

/// Reads the selected base tables, and asks `more`: the answers to that.
///
/// # Errors
/// What the server answers; `SourceErrorKind::TableChanged` when the queries contradict each other.
pub async fn read(
    server: &mut Server,
    selection: &Selection,
    more: &[String],
) -> Result<(Vec<CatalogTable>, Vec<TextRows>), SourceError> {
    let databases = in_databases(selection, "TABLE_SCHEMA");
    // An index that FORCE INDEX cannot name is no key for chunks.
    let visible = server.server_version().index_usable_expression();
    let generation = server.server_version().generation_expression();
    let [tables, columns, indexes] = [
        format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_ROWS, TABLE_COLLATION, TABLE_TYPE FROM information_schema.TABLES \
             WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND {databases}"
        ),
        format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME, COLUMN_DEFAULT, IS_NULLABLE, \
             COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, EXTRA, PRIVILEGES, {generation} FROM information_schema.COLUMNS \
             WHERE {databases}"
        ),
        format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, {visible}, INDEX_TYPE \
             FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND {databases}"
        ),
    ];
    let [keys, rules] = foreign_keys::queries(selection);
    let questions: Vec<&str> =
        [&tables, &columns, &indexes, &keys, &rules].into_iter().chain(more).map(String::as_str).collect();
    let mut answers = server.script(&questions).await?.into_iter();
    let [tables, columns, indexes, keys, rules] = [(); 5].map(|()| answers.next().unwrap_or_default());
    let shown = server.foreign_keys(selection, keys, &rules).await?;
    let assembled = assemble(server.flavour(), selection, tables, columns, indexes);
    match assembled.and_then(|found| with_foreign_keys(found, shown)) {
        Ok(found) => Ok((found, answers.collect())),
        Err((table, why)) => {
            Err(SourceErrorKind::TableChanged { table, why: why.to_owned() }.at(server.label()))
        }
    }
}

/// The tables with their foreign keys.
fn with_foreign_keys(
    mut found: Vec<CatalogTable>,
    mut shown: BTreeMap<TableName, Vec<ShownKey>>,
) -> Result<Vec<CatalogTable>, Contradiction> {
    for CatalogTable { table, readable, .. } in &mut found {
        for key in shown.remove(&table.name).unwrap_or_default() {
            let columns: Option<Vec<usize>> =
                key.columns.iter().map(|(column, _)| table.column_index(column)).collect();
            let columns = match columns {
                Some(columns) => columns,
                // Of a table that is refused anyhow.
                None if !*readable => continue,
                None => return Err((table.name.clone(), "a foreign key names a column that is not shown")),
            };
            table.foreign_keys.push(ForeignKey {
                name: key.name,
                columns,
                parent: key.parent,
                referenced: key.columns.into_iter().map(|(_, referenced)| referenced).collect(),
                on_delete: key.actions.0,
                on_update: key.actions.1,
            });
        }
    }
    Ok(found)
}

/// Asks for tables on which the user has column grants: `information_schema` shows only those columns unless the user may read the whole
/// table as well. Grants of roles are not listed.
pub(super) fn partly_granted_query(selection: &Selection) -> String {
    format!(
        "SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.COLUMN_PRIVILEGES WHERE {}",
        in_databases(selection, "TABLE_SCHEMA")
    )
}

/// Whether the user may read every column of a table, those that are hidden from the user too.
pub(super) async fn may_read_all(server: &mut Server, table: &TableName) -> Result<bool, SourceError> {
    let sql = format!("SELECT * FROM {}.{} LIMIT 0", quote(&table.database), quote(&table.table));
    match server.rows(&sql).await {
        Ok(_) => Ok(true),
        // Denied on the table, on a column.
        Err(error) if matches!(error.code(), Some(1142 | 1143)) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn name_of(row: &[Option<String>]) -> TableName {
    TableName::new(text(row, 0).unwrap_or_default(), text(row, 1).unwrap_or_default())
}

/// What went wrong with which table.
type Contradiction = (TableName, &'static str);

fn assemble(
    flavour: Flavour,
    selection: &Selection,
    tables: TextRows,
    columns: TextRows,
    indexes: TextRows,
) -> Result<Vec<CatalogTable>, Contradiction> {
    let mut columns_of = grouped(selection, columns);
    let mut indexes_of = grouped(selection, indexes);
    let mut found = BTreeMap::new();
    for row in tables {
        let name = name_of(&row);
        if !selection.contains(&name.database, &name.table) {
            continue;
        }
        // Without any privilege on a column the table is shown without columns.
        let Some(columns) = columns_of.remove(&name) else { continue };
        let charset = table_charset(text(&row, 4).unwrap_or_default());
        let (mut table, readable) = definition(flavour, name.clone(), charset, columns)?;
        let mut prefix_key = false;
        let indexes = indexes_of.remove(&name).unwrap_or_default();
        if flavour == Flavour::MariaDb {
            let named = |hashed: bool| {
                let rows = indexes.iter().filter(|row| !hashed || text(row, 7) == Some("HASH"));
                let names = rows.map(|row| text(row, 2)).filter(|name| *name != Some("PRIMARY"));
                names.collect::<BTreeSet<_>>().len()
            };
            table.hidden = HiddenColumns { least: named(true), most: named(true), keys: named(false) };
        }
        for (index, parts) in keys(indexes) {
            prefix_key |= index == "PRIMARY" && parts.iter().any(|part| !part.whole);
            add_key(&mut table, index, &parts)?;
        }
        found.insert(
            name,
            CatalogTable {
                table,
                versioned: text(&row, 5) == Some("SYSTEM VERSIONED"),
                engine: text(&row, 2).unwrap_or_default().to_owned(),
                estimated_rows: text(&row, 3).and_then(|rows| rows.parse().ok()).unwrap_or(0),
                readable,
                prefix_key,
            },
        );
    }
    Ok(found.into_values().collect())
}

fn grouped(selection: &Selection, rows: TextRows) -> BTreeMap<TableName, TextRows> {
    let mut groups: BTreeMap<TableName, TextRows> = BTreeMap::new();
    for row in rows {
        let name = name_of(&row);
        if selection.contains(&name.database, &name.table) {
            groups.entry(name).or_default().push(row);
        }
    }
    groups
}

fn table_charset(collation: &str) -> Charset {
    charset_of_collation(collation)
        .unwrap_or_else(|| charset(collation.split('_').next().unwrap_or_default(), Some(collation)))
}

/// The table with its columns in order, and whether all of them may be selected.
fn definition(
    flavour: Flavour,
    name: TableName,
    charset: Charset,
    mut rows: TextRows,
) -> Result<(Table, bool), Contradiction> {
    let ordinal = |row: &Vec<Option<String>>| text(row, 2).and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    rows.sort_by_key(ordinal);
    let mut columns = Vec::with_capacity(rows.len());
    let mut readable = true;
    for (at, row) in rows.iter().enumerate() {
        // A gap is a column that the user may not see.
        readable &= ordinal(row) == at + 1;
        readable &= text(row, 10).unwrap_or_default().split(',').any(|privilege| privilege == "select");
        let (Some(column), Some(nullable), Some(column_type)) = (text(row, 3), text(row, 5), text(row, 6))
        else {
            return Err((name, "a column without name or type was shown"));
        };
        let shown = ColumnRow {
            name: column,
            default: text(row, 4),
            nullable,
            column_type,
            charset: text(row, 7),
            collation: text(row, 8),
            extra: text(row, 9).unwrap_or_default(),
            generation: text(row, 11),
        };
        columns.push(shown.column(flavour, &charset));
    }
    let (primary_key, unique_keys, hidden) = (Vec::new(), Vec::new(), HiddenColumns::default());
    let foreign_keys = Vec::new();
    Ok((Table { name, columns, primary_key, unique_keys, charset, foreign_keys, hidden }, readable))
}

/// A part of an index: its column (none for an expression), and whether it is the whole column of a visible index.
struct Part {
    column: Option<String>,
    whole: bool,
}

/// The unique indexes by name, their parts in order.
fn keys(mut rows: TextRows) -> BTreeMap<String, Vec<Part>> {
    rows.sort_by_key(|row| text(row, 3).and_then(|n| n.parse::<u32>().ok()));
    let mut keys: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    for row in rows {
        keys.entry(text(&row, 2).unwrap_or_default().to_owned()).or_default().push(Part {
            column: text(&row, 4).map(str::to_owned),
            whole: text(&row, 5).is_none() && text(&row, 6) == Some("YES"),
        });
    }
    keys
}

fn add_key(table: &mut Table, index: String, parts: &[Part]) -> Result<(), Contradiction> {
    let mut columns = Vec::with_capacity(parts.len());
    for part in parts {
        let (Some(column), true) = (&part.column, part.whole) else { return Ok(()) };
        let Some(at) = table.column_index(column) else {
            return Err((table.name.clone(), "an index names a column that is not shown"));
        };
        if table.columns.get(at).is_none_or(|column| column.nullable) {
            return Ok(());
        }
        columns.push(at);
    }
    if index == "PRIMARY" {
        table.primary_key = columns;
    } else {
        table.unique_keys.push(UniqueKey { name: index, columns });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
