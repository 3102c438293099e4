//! A table's key as the copy walks along it.

use super::key::{KeyColumn, quote};
use super::predicate::between;
use crate::change::TableName;
use crate::schema::Table;

/// The key a table is read along: the index, and how each of its columns is rendered and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkKey {
    table: TableName,
    index: String,
    columns: Vec<KeyColumn>,
}

/// A bound that does not belong to the key: the table's key is another one than when the bound was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk's bound has {found} key columns where the key of {table} has {expected}")]
pub struct BoundMismatch {
    /// The table.
    pub table: TableName,
    /// Columns of the key.
    pub expected: usize,
    /// Literals of the bound.
    pub found: usize,
}

impl ChunkKey {
    /// The key made of these columns of the table (indexes into `table.columns`, in key order), which must be its
    /// primary key or one of its unique keys. `None` when they are neither or when a column's type has no entry in the
    /// key table: the table is then read as one chunk ([`whole_table_query`]).
    pub fn of(table: &Table, key_columns: &[usize]) -> Option<Self> {
        if key_columns.is_empty() {
            return None;
        }
        let index = if table.primary_key == key_columns {
            "PRIMARY"
        } else {
            &table.unique_keys.iter().find(|key| key.columns == key_columns)?.name
        };
        let columns = key_columns
            .iter()
            .map(|column| KeyColumn::of(table.columns.get(*column)?))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { table: table.name.clone(), index: quote(index), columns })
    }

    /// The table.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// The query for the upper bound of the chunk after `after`: one row with the key of the chunk's last row, or none
    /// when fewer than `chunk_rows` rows are left. [`ChunkKey::literals`] makes the bound of it.
    pub fn bound_query(&self, after: Option<&[String]>, chunk_rows: u64) -> Result<String, BoundMismatch> {
        let literals: Vec<String> = self.columns.iter().map(KeyColumn::literal_expression).collect();
        let order: Vec<&str> = self.columns.iter().map(KeyColumn::order).collect();
        Ok(format!(
            "SELECT {} FROM {} FORCE INDEX ({}){} ORDER BY {} LIMIT 1 OFFSET {}",
            literals.join(", "),
            quoted(&self.table),
            self.index,
            self.condition(after, None)?,
            order.join(", "),
            chunk_rows.saturating_sub(1),
        ))
    }

    /// The bound that a row of [`ChunkKey::bound_query`], read as text, stands for; `None` when it is not of the key's types.
    pub fn literals(&self, row: Vec<String>) -> Option<Vec<String>> {
        if row.len() != self.columns.len() {
            return None;
        }
        self.columns.iter().zip(row).map(|(column, text)| column.literal(text)).collect()
    }

    /// The query for the rows with `after < key ≤ upto`, in no particular order. `select_columns` are plain names.
    pub fn chunk_query(
        &self,
        select_columns: &[&str],
        after: Option<&[String]>,
        upto: Option<&[String]>,
    ) -> Result<String, BoundMismatch> {
        Ok(format!(
            "{} FORCE INDEX ({}){}",
            whole_table_query(&self.table, select_columns),
            self.index,
            self.condition(after, upto)?,
        ))
    }

    fn condition(&self, after: Option<&[String]>, upto: Option<&[String]>) -> Result<String, BoundMismatch> {
        for bound in [after, upto].into_iter().flatten() {
            if bound.len() != self.columns.len() {
                return Err(BoundMismatch {
                    table: self.table.clone(),
                    expected: self.columns.len(),
                    found: bound.len(),
                });
            }
        }
        Ok(between(&self.columns, after, upto).map(|rows| format!(" WHERE {rows}")).unwrap_or_default())
    }
}

/// The query for every row of a table.
pub fn whole_table_query(table: &TableName, select_columns: &[&str]) -> String {
    let columns: Vec<String> = select_columns.iter().map(|column| quote(column)).collect();
    format!("SELECT {} FROM {}", columns.join(", "), quoted(table))
}

fn quoted(table: &TableName) -> String {
    format!("{}.{}", quote(&table.database), quote(&table.table))
}

#[cfg(test)]
mod tests;
