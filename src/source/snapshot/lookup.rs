//! Reading rows by their keys, and holding them as they are meanwhile.

use super::chunk::whole_table_query;
use super::key::{KeyColumn, quote};
use crate::schema::Table;
use crate::source::version::ServerVersion;

/// What else a reading does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    Nothing,
    /// Nobody changes these rows, or makes rows of these keys, until the transaction ends. How it is spelled depends on the server.
    Rows(ServerVersion),
}

/// Whether rows can be asked for by these columns.
pub fn is_askable(table: &Table, key: &[usize]) -> bool {
    !key.is_empty()
        && key.iter().all(|index| table.columns.get(*index).is_some_and(|c| KeyColumn::of(c).is_some()))
}

/// The query for the rows of these keys: literals of the columns `key` (indexes into `table.columns`), one for each. `None` when a
/// column's type has no entry in the key table.
pub fn rows_query(
    table: &Table,
    key: &[usize],
    select_columns: &[&str],
    keys: &[Vec<String>],
    hold: Hold,
) -> Option<String> {
    let columns = key.iter().map(|index| KeyColumn::of(table.columns.get(*index)?));
    let columns = columns.collect::<Option<Vec<_>>>()?;
    let one = |key: &Vec<String>| {
        let equal: Vec<String> =
            columns.iter().zip(key).map(|(column, literal)| column.equals(literal)).collect();
        format!("({})", equal.join(" AND "))
    };
    let rows: Vec<String> = keys.iter().map(one).collect();
    // By the index, or a locking read of a small table locks all of it.
    let within = |columns: &[usize]| !columns.is_empty() && columns.iter().all(|column| key.contains(column));
    let unique = table.unique_keys.iter().find(|unique| within(&unique.columns));
    let index =
        if within(&table.primary_key) { Some("PRIMARY") } else { unique.map(|unique| unique.name.as_str()) };
    let index = index.map(|name| format!(" FORCE INDEX ({})", quote(name))).unwrap_or_default();
    let hold = match hold {
        Hold::Nothing => "",
        Hold::Rows(version) => version.shared_lock(),
    };
    let select = whole_table_query(&table.name, select_columns);
    Some(format!("{select}{index} WHERE {}{hold}", rows.join(" OR ")))
}
