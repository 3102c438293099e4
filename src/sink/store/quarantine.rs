//! Rows that the target cannot hold: what they hold at the source, by table and key, until the key has another row or none.
//!
//! They lie in a table that comes with the first task or table whose `bad_rows` is "quarantine", and goes with the task. Rows go in and
//! out in the target transaction that has the rest of their batch or chunk, and its checkpoint.
//!
//! What must never happen here: a row kept twice, a row of another owner's changed. Keys are the bytes that stand in the target's COPY:
//! equal when the target's are.

use super::{Names, Parameter, Store, tables};
use crate::change::{TableName, Unfit};
use crate::sink::ddl::DDL_LOCK;
use crate::sink::{Session, SinkError};
use std::collections::{BTreeMap, HashSet};
use tokio_postgres::types::Type;

/// Keys and rows that go in one statement, in bytes.
const SLICE_BYTES: usize = 1 << 20;

/// The keys of each source table that are in quarantine.
pub type QuarantinedKeys = BTreeMap<TableName, HashSet<Vec<u8>>>;

/// A row for quarantine, or in it, with the bytes of its key.
pub type KeyedUnfit = (Vec<u8>, Unfit);

impl Store {
    /// Makes the table where it is missing. Must not run inside a transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn make_quarantine(&self, session: &Session) -> Result<(), SinkError> {
        if self.has_quarantine(session).await? {
            return Ok(());
        }
        let storage = if session.dialect().distributed {
            " WITH (appendonly=false) DISTRIBUTED BY (source_database, source_table)"
        } else {
            ""
        };
        // Streams and copies of the task that begin at once do it one after the other.
        let sql = format!(
            "BEGIN; SELECT pg_advisory_xact_lock({DDL_LOCK}); \
             CREATE TABLE IF NOT EXISTS {} (source_database text NOT NULL, source_table text NOT NULL, \
             key_bytes bytea NOT NULL, row_key text NOT NULL, change text NOT NULL, place text, error text NOT NULL, \
             row_image json NOT NULL, epoch bigint NOT NULL, \
             recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
             PRIMARY KEY (source_database, source_table, key_bytes)){storage}; COMMIT",
            self.names.quarantine
        );
        let made = session.client().batch_execute(&sql).await;
        made.map_err(|error| session.error("preparing the quarantine", error))
    }

    /// Whether the table is there.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn has_quarantine(&self, session: &Session) -> Result<bool, SinkError> {
        let found = tables::existing(session).await?.unwrap_or_default();
        Ok(found.contains_key(&self.names.quarantine))
    }

    /// Keeps rows of a source table, each in the place of what is on record of its key, in the open transaction. The table must be there.
    ///
    /// # Errors
    /// `SinkErrorKind::CheckpointMoved` when another process has the task, and what the server answers.
    pub async fn quarantine(
        &self,
        session: &Session,
        source: &TableName,
        rows: &[&KeyedUnfit],
    ) -> Result<(), SinkError> {
        const DOING: &str = "keeping rows in quarantine";
        // Without ON CONFLICT, which not every target has.
        let sql = format!(
            "INSERT INTO {} (source_database, source_table, key_bytes, row_key, change, place, error, row_image, epoch) \
             SELECT $1, $2, k.b, k.k, k.c, k.p, k.e, k.r::json, $9 \
             FROM unnest($3, $4, $5, $6, $7, $8) AS k (b, k, c, p, e, r) WHERE $9 = (SELECT max(epoch) FROM {})",
            self.names.quarantine, self.names.owner
        );
        for rows in slices(rows.to_vec(), |(key, row)| key.len() + row.key.len() + row.row.len()) {
            let keys: Vec<&[u8]> = rows.iter().map(|(key, _)| key.as_slice()).collect();
            self.release(session, source, &keys).await?;
            let texts = |of: fn(&Unfit) -> &str| rows.iter().map(|(_, row)| of(row)).collect::<Vec<&str>>();
            let (key, came) = (texts(|row| &row.key), texts(|row| row.came.word()));
            let (error, image) = (texts(|row| &row.error), texts(|row| &row.row));
            let place: Vec<Option<&str>> = rows.iter().map(|(_, row)| row.position.as_deref()).collect();
            let values: [Parameter<'_>; 9] = [
                (&source.database, Type::TEXT),
                (&source.table, Type::TEXT),
                (&keys, Type::BYTEA_ARRAY),
                (&key, Type::TEXT_ARRAY),
                (&came, Type::TEXT_ARRAY),
                (&place, Type::TEXT_ARRAY),
                (&error, Type::TEXT_ARRAY),
                (&image, Type::TEXT_ARRAY),
                (&self.epoch, Type::INT8),
            ];
            let inserted = session.client().execute_typed(&sql, &values).await;
            let inserted = inserted.map_err(|error| session.error(DOING, error))?;
            if usize::try_from(inserted) != Ok(rows.len()) {
                return Err(self.moved(session, format!("{DOING}: expected {}", self.own_epoch())));
            }
        }
        Ok(())
    }

    /// Takes keys of a table out, in the open transaction. The table of the quarantine must be there.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn release(
        &self,
        session: &Session,
        source: &TableName,
        keys: &[impl AsRef<[u8]> + Sync],
    ) -> Result<(), SinkError> {
        let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
        let slices = slices(keys, |key| key.len());
        let sql = format!(
            "DELETE FROM {} WHERE source_database = $1 AND source_table = $2 AND key_bytes = ANY ($3)",
            self.names.quarantine
        );
        let client = session.client();
        let (database, table) = (&source.database, &source.table);
        for keys in slices {
            client
                .execute_typed(
                    &sql,
                    &[(database, Type::TEXT), (table, Type::TEXT), (&keys, Type::BYTEA_ARRAY)],
                )
                .await
                .map_err(|error| session.error("taking rows out of quarantine", error))?;
        }
        Ok(())
    }

    /// Forgets all rows of a source table: it is copied anew, or carried no more.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn forget_quarantined(&self, session: &Session, source: &TableName) -> Result<(), SinkError> {
        if self.has_quarantine(session).await? {
            self.delete(session, source, &self.names.quarantine).await?;
        }
        Ok(())
    }

    /// A source table has another name from here on, in the open transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn rename_quarantined(
        &self,
        session: &Session,
        from: &TableName,
        to: &TableName,
    ) -> Result<(), SinkError> {
        if !self.has_quarantine(session).await? {
            return Ok(());
        }
        // What a table is distributed by not every target lets be updated.
        let sql = format!(
            "INSERT INTO {0} (source_database, source_table, key_bytes, row_key, change, place, error, row_image, epoch, recorded_at) \
             SELECT $3, $4, key_bytes, row_key, change, place, error, row_image, epoch, recorded_at FROM {0} \
             WHERE source_database = $1 AND source_table = $2",
            self.names.quarantine
        );
        let names: [Parameter<'_>; 4] = [
            (&from.database, Type::TEXT),
            (&from.table, Type::TEXT),
            (&to.database, Type::TEXT),
            (&to.table, Type::TEXT),
        ];
        let moved = session.client().execute_typed(&sql, &names).await;
        moved.map_err(|error| session.error("renaming a table in quarantine", error))?;
        self.delete(session, from, &self.names.quarantine).await
    }

    /// The keys that are in quarantine; none where the table is not there.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn quarantined_keys(&self, session: &Session) -> Result<QuarantinedKeys, SinkError> {
        if self.has_quarantine(session).await? {
            keys(session, &self.names, None).await
        } else {
            Ok(QuarantinedKeys::new())
        }
    }
}

/// Cuts what one statement would hold into what several do.
fn slices<T>(all: Vec<T>, bytes_of: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut slices, mut bytes) = (Vec::<Vec<T>>::new(), 0);
    for one in all {
        let more = bytes_of(&one);
        match slices.last_mut() {
            Some(slice) if bytes + more <= SLICE_BYTES => slice.push(one),
            _ => {
                slices.push(vec![one]);
                bytes = 0;
            }
        }
        bytes += more;
    }
    slices
}

/// The keys of one source table that are in quarantine.
///
/// # Errors
/// What the server answers.
pub async fn quarantined_keys_of(
    session: &Session,
    task: &str,
    source: &TableName,
) -> Result<HashSet<Vec<u8>>, SinkError> {
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if !found.contains_key(&names.quarantine) {
        return Ok(HashSet::new());
    }
    Ok(keys(session, &names, Some(source)).await?.remove(source).unwrap_or_default())
}

async fn keys(
    session: &Session,
    names: &Names,
    only: Option<&TableName>,
) -> Result<QuarantinedKeys, SinkError> {
    let failed = |error| session.error("reading which rows are in quarantine", error);
    let sql = format!(
        "SELECT source_database, source_table, key_bytes FROM {} \
         WHERE $1::text IS NULL OR (source_database = $1 AND source_table = $2)",
        names.quarantine
    );
    let (database, table) = (only.map(|name| &name.database), only.map(|name| &name.table));
    let values: [Parameter<'_>; 2] = [(&database, Type::TEXT), (&table, Type::TEXT)];
    let rows = session.client().query_typed(&sql, &values).await.map_err(failed)?;
    let mut all = QuarantinedKeys::new();
    for row in rows {
        let text = |column: usize| row.try_get::<_, String>(column).map_err(failed);
        let source = TableName { database: text(0)?, table: text(1)? };
        all.entry(source).or_default().insert(row.try_get(2).map_err(failed)?);
    }
    Ok(all)
}

/// How many rows of each source table are in quarantine. The task must have the table.
pub(super) async fn read(session: &Session, names: &Names) -> Result<BTreeMap<TableName, u64>, SinkError> {
    let failed = |error| session.error("counting the rows in quarantine", error);
    let sql =
        format!("SELECT source_database, source_table, count(*) FROM {} GROUP BY 1, 2", names.quarantine);
    let mut counts = BTreeMap::new();
    for row in session.client().query_typed(&sql, &[]).await.map_err(failed)? {
        let text = |column: usize| row.try_get::<_, String>(column).map_err(failed);
        let count: i64 = row.try_get(2).map_err(failed)?;
        let source = TableName { database: text(0)?, table: text(1)? };
        counts.insert(source, u64::try_from(count).unwrap_or(0));
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::{SLICE_BYTES, slices};

    #[test]
    fn no_statement_holds_more_than_it_may_but_for_one_row() {
        let half = SLICE_BYTES / 2;
        assert_eq!(slices(vec![half, half, 1, 3 * half, half], |one| *one).len(), 4);
        assert_eq!(slices(vec![half, half, 1], |one| *one), [vec![half, half], vec![1]]);
        assert!(slices(Vec::<usize>::new(), |one| *one).is_empty());
    }
}
