//! Reading rows by their keys, and holding them as they are meanwhile.

use super::chunk::whole_table_query;
use super::key::KeyColumn;
use crate::schema::Table;

/// What else a reading does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    Nothing,
    /// Nobody changes these rows, or makes rows of these keys, until the transaction ends.
    Rows,
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
    let hold = match hold {
        Hold::Nothing => "",
        // FOR SHARE, which MySQL from 8.0 on and no MariaDB knows too, means the same.
        Hold::Rows => " LOCK IN SHARE MODE",
    };
    Some(format!("{} WHERE {}{hold}", whole_table_query(&table.name, select_columns), rows.join(" OR ")))
}
