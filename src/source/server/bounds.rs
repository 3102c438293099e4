//! The bounds of chunks: where the next chunk ends.

use super::Server;
use crate::source::snapshot::ChunkKey;
use crate::source::{SourceError, SourceErrorKind};

impl Server {
    /// The upper bound of the chunk of `chunk_rows` rows after `after`, as the literals of the key columns; `None` when
    /// fewer rows are left: the chunk is the last.
    ///
    /// # Errors
    /// `SourceErrorKind::TableChanged` when the table, a key column or the index is gone, or `after` belongs to another
    /// key; else what the server answers.
    pub async fn next_bound(
        &mut self,
        key: &ChunkKey,
        after: Option<&[String]>,
        chunk_rows: u64,
    ) -> Result<Option<Vec<String>>, SourceError> {
        let changed = |endpoint: &str, why: String| {
            SourceErrorKind::TableChanged { table: key.table().clone(), why }.at(endpoint)
        };
        let sql =
            key.bound_query(after, chunk_rows).map_err(|error| changed(self.label(), error.to_string()))?;
        let rows = match self.rows(&sql).await {
            Ok(rows) => rows,
            // Unknown database, column, table, index; definition changed.
            Err(SourceError {
                endpoint,
                kind: SourceErrorKind::Server { code: code @ (1049 | 1054 | 1146 | 1176 | 1412), message, .. },
            }) => {
                return Err(changed(&endpoint, format!("error {code}: {message}")));
            }
            Err(error) => return Err(error),
        };
        let Some(row) = rows.first() else { return Ok(None) };
        let Some(values) = row.iter().cloned().collect::<Option<Vec<String>>>() else {
            return Err(changed(self.label(), "a key column is NULL".to_owned()));
        };
        match key.literals(values) {
            Some(literals) => Ok(Some(literals)),
            None => Err(self.protocol(format!("a bound of {} that is not of its key's types", key.table()))),
        }
    }
}
